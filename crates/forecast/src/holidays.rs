//! Named days on which usage differs: public holidays, sales, releases.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Days by which a window may reach beyond a date: a month.
const LONGEST_WINDOW: i32 = 31;

/// A holiday: its dates, and for how many days around each usage differs.
///
/// Each day of the window has an effect of its own, the same at every date, as in Prophet. Days are those of UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Holiday {
    name: String,
    dates: BTreeSet<Date>,
    window: (i32, i32),
}

/// Why something is no holiday.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HolidayError {
    /// It has no name.
    #[error("a holiday has no name; give one, as in new-year")]
    Name,
    /// It has no date.
    #[error("the holiday `{0}` has no date; list at least one, as in 2026-12-25")]
    NoDate(String),
    /// Its window does not hold the date itself, or reaches further than 31 days.
    #[error(
        "the holiday `{name}` has a window of {lower} to {upper} days; use -31 to 0 before and 0 to 31 after"
    )]
    Window {
        /// The holiday.
        name: String,
        /// Days before.
        lower: i32,
        /// Days after.
        upper: i32,
    },
}

/// A holiday as it is written in configuration files.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    dates: BTreeSet<Date>,
    #[serde(default)]
    lower_window: i32,
    #[serde(default)]
    upper_window: i32,
}

impl Holiday {
    /// The holiday `name` on `dates`, with an effect on the days of `window` around each; `0..=0` is the date alone.
    ///
    /// Fails without a name or a date, and where the window does not hold 0 or reaches further than 31 days.
    pub fn new(
        name: &str,
        dates: BTreeSet<Date>,
        window: RangeInclusive<i32>,
    ) -> Result<Self, HolidayError> {
        let (name, lower, upper) = (name.trim().to_owned(), *window.start(), *window.end());
        if name.is_empty() {
            return Err(HolidayError::Name);
        }
        if dates.is_empty() {
            return Err(HolidayError::NoDate(name));
        }
        if !(-LONGEST_WINDOW..=0).contains(&lower) || !(0..=LONGEST_WINDOW).contains(&upper) {
            return Err(HolidayError::Window { name, lower, upper });
        }
        Ok(Self { name, dates, window: (lower, upper) })
    }

    /// Its name; several entries of one name are one holiday.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl TryFrom<Written> for Holiday {
    type Error = HolidayError;

    fn try_from(written: Written) -> Result<Self, HolidayError> {
        let Written { name, dates, lower_window, upper_window } = written;
        Self::new(&name, dates, lower_window..=upper_window)
    }
}

impl From<Holiday> for Written {
    fn from(holiday: Holiday) -> Self {
        let Holiday { name, dates, window: (lower_window, upper_window) } = holiday;
        Self { name, dates, lower_window, upper_window }
    }
}

/// The days of each effect, as days since the Unix epoch, by the holiday's name and the signed distance from its date.
pub(crate) type Effects = BTreeMap<String, BTreeSet<i64>>;

/// The effects of `holidays`.
pub(crate) fn effects(holidays: &[Holiday]) -> Effects {
    let mut effects = Effects::new();
    for Holiday { name, dates, window: (lower, upper) } in holidays {
        for away in *lower..=*upper {
            let days = effects.entry(format!("{name}{away:+}")).or_default();
            days.extend(dates.iter().map(|date| epoch_day(*date) + i64::from(away)));
        }
    }
    effects
}

/// Days from the Unix epoch to `date`.
fn epoch_day(date: Date) -> i64 {
    date.duration_since(Date::constant(1970, 1, 1)).as_hours() / 24
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dates(texts: &[&str]) -> BTreeSet<Date> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn each_day_of_a_window_is_an_effect_of_its_own_on_all_dates() {
        let sale = Holiday::new("sale", dates(&["1970-01-03", "1970-02-01"]), -1..=1).unwrap();
        let more = Holiday::new("sale", dates(&["1969-12-31"]), 0..=0).unwrap();
        let found = effects(&[sale, more]);
        let due = [("sale+0", vec![-1, 2, 31]), ("sale+1", vec![3, 32]), ("sale-1", vec![1, 30])];
        assert_eq!(found, due.map(|(n, d)| (n.to_owned(), d.into_iter().collect())).into());
    }

    #[test]
    fn what_has_no_name_no_date_or_a_wide_window_is_refused() {
        let day = dates(&["2026-12-25"]);
        assert_eq!(Holiday::new(" ", day.clone(), 0..=0), Err(HolidayError::Name));
        let error = Holiday::new("a", BTreeSet::new(), 0..=0).unwrap_err();
        assert_eq!(error, HolidayError::NoDate("a".to_owned()));
        for window in [1..=1, 0..=32, -32..=0, -2..=-1] {
            let error = Holiday::new("a", day.clone(), window).unwrap_err();
            assert!(matches!(error, HolidayError::Window { .. }), "{error}");
        }
    }

    #[test]
    fn an_unknown_date_and_an_unknown_key_are_refused_by_name() {
        let read = |text: &str| serde_json::from_str::<Holiday>(text);
        let good = r#"{"name":"a","dates":["2026-12-25"],"lower_window":-1}"#;
        let holiday = read(good).unwrap();
        assert_eq!(read(&serde_json::to_string(&holiday).unwrap()).unwrap(), holiday);
        assert_eq!(holiday.name(), "a");
        for bad in ["2026-02-30", "25.12.2026", "soon"] {
            assert!(read(&good.replace("2026-12-25", bad)).is_err(), "{bad}");
        }
        let error = read(&good.replace("lower_window", "before")).unwrap_err().to_string();
        assert!(error.contains("before"), "{error}");
    }
}
