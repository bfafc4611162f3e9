//! Hours of the week.

use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A text that does not name hours of the week.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "`{0}` does not name hours of the week; write days and hours in UTC, as in `Mon-Fri 08-18`, several separated by commas"
)]
pub struct WeekHoursError(String);

/// Hours of the week in UTC, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WeekHours {
    /// By day from Monday, a bit for every hour.
    days: [u32; 7],
}

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const HOURS: u32 = 24;

impl WeekHours {
    /// Whether the hour that ends at `end` is one of them.
    #[must_use]
    pub fn holds_hour_before(&self, end: Timestamp) -> bool {
        let within = end.saturating_sub(SignedDuration::from_secs(1)).unwrap_or(end);
        let time = TimeZone::UTC.to_datetime(within);
        let day = time.weekday().to_monday_zero_offset();
        self.days[usize::from(day.unsigned_abs())] >> time.hour() & 1 == 1
    }

    /// A condition that has an element, without labels, if the instant `seconds_ago` is within the hours.
    pub(crate) fn promql(&self, seconds_ago: u32) -> String {
        let instant = format!("vector(time() - {seconds_ago})");
        let mut seen: Vec<u32> = Vec::new();
        for hours in self.days.into_iter().filter(|hours| *hours != 0) {
            if !seen.contains(&hours) {
                seen.push(hours);
            }
        }
        let alternatives = seen.into_iter().map(|hours| {
            let days = runs(7, |day| self.days[day as usize] == hours);
            // Prometheus counts from Sunday.
            let days = days.into_iter().flat_map(|(from, to)| from..to);
            let days: Vec<String> =
                days.map(|day| format!("day_of_week({instant}) == {}", (day + 1) % 7)).collect();
            let spans = runs(HOURS, |hour| hours >> hour & 1 == 1).into_iter();
            let spans: Vec<String> =
                spans.map(|(from, to)| format!("hour({instant}) >= {from} < {to}")).collect();
            format!("(({}) and ({}))", days.join(" or "), spans.join(" or "))
        });
        alternatives.collect::<Vec<_>>().join(" or ")
    }
}

/// The runs of numbers below `end` that `are_in`, each as its first and the one after its last.
fn runs(end: u32, are_in: impl Fn(u32) -> bool) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for number in (0..end).filter(|number| are_in(*number)) {
        match runs.last_mut() {
            Some(run) if run.1 == number => run.1 += 1,
            _ => runs.push((number, number + 1)),
        }
    }
    runs
}

impl FromStr for WeekHours {
    type Err = WeekHoursError;

    fn from_str(text: &str) -> Result<Self, WeekHoursError> {
        let refuse = || WeekHoursError(text.to_owned());
        let mut days = [0; 7];
        for part in text.split(',') {
            let (named, hours) = part.trim().rsplit_once(' ').ok_or_else(refuse)?;
            let hours = hour_bits(hours).ok_or_else(refuse)?;
            for day in day_indices(named.trim()).ok_or_else(refuse)? {
                days[day] |= hours;
            }
        }
        Ok(Self { days })
    }
}

/// The hours from the first up to the last of `08-18`.
fn hour_bits(text: &str) -> Option<u32> {
    let (from, to) = text.split_once('-')?;
    let hour = |text: &str| text.strip_suffix(":00").unwrap_or(text).parse::<u32>().ok();
    let (from, to) = (hour(from)?, hour(to)?);
    (from < to && to <= HOURS).then(|| (from..to).fold(0, |bits, hour| bits | 1 << hour))
}

/// The days of `Mon-Fri` or `Sat`; a run may pass the end of the week.
fn day_indices(text: &str) -> Option<Vec<usize>> {
    let day = |text: &str| DAYS.iter().position(|day| day.eq_ignore_ascii_case(text.trim()));
    let Some((from, to)) = text.split_once('-') else { return day(text).map(|day| vec![day]) };
    let (from, to) = (day(from)?, day(to)?);
    let count = (to + 7 - from) % 7 + 1;
    Some((from..from + count).map(|day| day % 7).collect())
}

impl fmt::Display for WeekHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        for (day, hours) in DAYS.iter().zip(self.days) {
            for (from, to) in runs(HOURS, |hour| hours >> hour & 1 == 1) {
                parts.push(format!("{day} {from:02}-{to:02}"));
            }
        }
        f.pad(&parts.join(", "))
    }
}

impl TryFrom<String> for WeekHours {
    type Error = WeekHoursError;

    fn try_from(text: String) -> Result<Self, WeekHoursError> {
        text.parse()
    }
}

impl From<WeekHours> for String {
    fn from(hours: WeekHours) -> Self {
        hours.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(text: &str) -> WeekHours {
        text.parse().unwrap()
    }

    #[test]
    fn working_hours_hold_the_hours_that_end_in_them() {
        let working = hours("Mon-Fri 08-18");
        let holds = |time: &str| working.holds_hour_before(time.parse().unwrap());
        // 2026-11-26 is a Thursday.
        assert!(holds("2026-11-26T09:00:00Z") && holds("2026-11-26T18:00:00Z"));
        assert!(!holds("2026-11-26T08:00:00Z") && !holds("2026-11-26T19:00:00Z"));
        assert!(!holds("2026-11-28T12:00:00Z"));
        assert!(hours("Sat-Mon 0-24").holds_hour_before("2026-11-30T00:00:00Z".parse().unwrap()));
    }

    #[test]
    fn hours_are_written_as_promql_and_as_they_are_read() {
        let split = hours("Mon-Tue 08-12, Mon-Tue 13-18,sun 00:00-24:00");
        assert_eq!(
            split.promql(1).replace("(vector(time() - 1))", "()"),
            "((day_of_week() == 1 or day_of_week() == 2) and (hour() >= 8 < 12 or hour() >= 13 < 18)) or ((day_of_week() == 0) and (hour() >= 0 < 24))"
        );
        assert_eq!(hours(&split.to_string()), split);
    }

    #[test]
    fn what_names_no_hours_is_refused() {
        for text in ["", "Mon", "Mon 8", "Mon 18-08", "Mon 0-25", "Moon 08-18", "08-18"] {
            let error = text.parse::<WeekHours>().unwrap_err().to_string();
            assert!(error.contains("Mon-Fri 08-18"), "{error}");
        }
    }
}
