//! The largest sample per slot.

use mora_core::{Series, Step};

/// The largest sample in each slot; slot `n` starts `n` slot widths after the Unix epoch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Maxima {
    first: i64,
    values: Vec<Option<f64>>,
}

impl Maxima {
    /// Of `series` in slots of width `slot`; a slot of which less than half was observed is a gap.
    pub(crate) fn new(series: &Series, slot: Step) -> Self {
        let (start, slots) = series.slots(slot);
        let due = (slot.seconds() / series.step().seconds()).max(1);
        let values = slots.iter().map(|cell| cell.filter(|s| 2 * s.count >= due).map(|s| s.max));
        Self {
            first: start.as_second().div_euclid(i64::from(slot.seconds())),
            values: values.collect(),
        }
    }

    /// The largest sample in slot `n`; `None` for a gap and outside.
    pub(crate) fn get(&self, n: i64) -> Option<f64> {
        *self.values.get(usize::try_from(n - self.first).ok()?)?
    }

    pub(crate) const fn first(&self) -> i64 {
        self.first
    }

    /// The slot after the last.
    pub(crate) const fn end(&self) -> i64 {
        self.first + self.values.len() as i64
    }

    /// The observed slots in order.
    pub(crate) fn observed(&self) -> impl Iterator<Item = (i64, f64)> + '_ {
        (self.first..).zip(&self.values).filter_map(|(n, value)| Some((n, (*value)?)))
    }

    /// Mean of the observed slots; 0 without any.
    pub(crate) fn mean(&self) -> f64 {
        mean(self.observed().map(|(_, value)| value)).unwrap_or(0.0)
    }

    /// What slot `n` differs by from the slot `lag` before, for every slot where both were observed.
    pub(crate) fn differences(&self, lag: i64) -> impl Iterator<Item = (i64, f64)> + '_ {
        self.observed().filter_map(move |(n, value)| Some((n, value - self.get(n - lag)?)))
    }

    /// The length of the season, in slots: a week where one week ago was off by less than one day ago, else a day.
    ///
    /// Both are measured on the slots that have both.
    pub(crate) fn season(&self, day: i64) -> i64 {
        let week = 7 * day;
        let weekly: Vec<(f64, f64)> = self
            .differences(week)
            .filter_map(|(n, off)| Some((off.abs(), (self.get(n)? - self.get(n - day)?).abs())))
            .collect();
        let weekly_wins = weekly.len() as i64 >= week
            && weekly.iter().map(|e| e.0).sum::<f64>() < weekly.iter().map(|e| e.1).sum::<f64>();
        if weekly_wins { week } else { day }
    }
}

/// `None` of nothing.
pub(crate) fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.into_iter().fold((0.0, 0_u32), |(s, c), v| (s + v, c + 1));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn hourly(values: Vec<Option<f64>>) -> Maxima {
        Maxima::new(&Series::new(Timestamp::UNIX_EPOCH, Step::HOUR, values).unwrap(), Step::HOUR)
    }

    #[test]
    fn a_slot_less_than_half_observed_is_a_gap() {
        let step = Step::from_seconds(900).unwrap();
        let values = vec![Some(1.0), Some(3.0), None, None, None, None, None, Some(9.0)];
        let maxima =
            Maxima::new(&Series::new(Timestamp::UNIX_EPOCH, step, values).unwrap(), Step::HOUR);
        assert_eq!([maxima.get(0), maxima.get(1), maxima.get(2)], [Some(3.0), None, None]);
    }

    #[test]
    fn the_season_is_a_week_only_where_that_is_closer_and_two_weeks_were_seen() {
        let quiet_sunday = |n: i64| Some(if n / 24 % 7 == 6 { 1.0 } else { 5.0 + (n % 24) as f64 });
        let week = hourly((0..14 * 24).map(quiet_sunday).collect());
        assert_eq!(week.season(24), 168);
        let short = hourly((0..13 * 24).map(quiet_sunday).collect());
        assert_eq!(short.season(24), 24);
        let same = hourly((0..14 * 24).map(|n| Some(f64::from(n % 24))).collect());
        assert_eq!(same.season(24), 24);
    }
}
