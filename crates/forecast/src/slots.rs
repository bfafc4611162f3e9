//! A series resampled to slots, addressed by absolute slot number.

use jiff::Timestamp;
use mora_core::{Series, Step};

pub(crate) const DAY_SECONDS: u32 = 86_400;

/// The largest and the mean observation per slot.
///
/// Slot `n` starts `n` slot widths after the Unix epoch. The history covers the slots from `first`
/// up to `end`; a gap is `None`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct History {
    pub(crate) first: i64,
    pub(crate) slot: Step,
    max: Vec<Option<f64>>,
    mean: Vec<Option<f64>>,
}

impl History {
    /// `series` in slots of width `slot`, from the first to the last that was observed.
    ///
    /// A slot of which less than half was observed is a gap: its largest observation would be too low.
    pub(crate) fn new(series: &Series, slot: Step) -> Self {
        let (start, mut slots) = series.slots(slot);
        let due = (slot.seconds() / series.step().seconds()).max(1);
        for cell in &mut slots {
            *cell = cell.filter(|s| 2 * s.count >= due);
        }
        let leading = slots.iter().position(Option::is_some).unwrap_or(slots.len());
        let end = slots.iter().rposition(Option::is_some).map_or(leading, |last| last + 1);
        let kept = &slots[leading..end];
        Self {
            first: number(start, slot) + leading as i64,
            slot,
            max: kept.iter().map(|cell| cell.map(|s| s.max)).collect(),
            mean: kept.iter().map(|cell| cell.map(|s| s.mean)).collect(),
        }
    }

    /// Number of slots, gaps included.
    pub(crate) fn len(&self) -> usize {
        self.max.len()
    }

    /// The slot after the last.
    pub(crate) fn end(&self) -> i64 {
        self.first + self.len() as i64
    }

    /// Largest observation in slot `n`; `None` for a gap and outside the history.
    pub(crate) fn max(&self, n: i64) -> Option<f64> {
        *self.max.get(usize::try_from(n - self.first).ok()?)?
    }

    /// Mean observation in slot `n`; `None` for a gap and outside the history.
    pub(crate) fn mean(&self, n: i64) -> Option<f64> {
        *self.mean.get(usize::try_from(n - self.first).ok()?)?
    }

    /// The observed slots in order, with their largest observations.
    pub(crate) fn observed(&self) -> impl DoubleEndedIterator<Item = (i64, f64)> + '_ {
        let first = self.first;
        self.max.iter().enumerate().filter_map(move |(i, m)| m.map(|m| (first + i as i64, m)))
    }

    /// Mean of the slots' largest observations; 0 without any.
    pub(crate) fn mean_max(&self) -> f64 {
        let (sum, count) = self.observed().fold((0.0, 0.0), |(s, c), (_, m)| (s + m, c + 1.0));
        if count > 0.0 { sum / count } else { 0.0 }
    }

    /// Slots in a day.
    pub(crate) fn day(&self) -> i64 {
        slots_per_day(self.slot)
    }

    /// Whole days covered, gaps included.
    pub(crate) fn days(&self) -> usize {
        self.len() / self.day() as usize
    }

    /// The history up to slot `end`.
    pub(crate) fn before(&self, end: i64) -> Self {
        let kept = usize::try_from(end - self.first).unwrap_or(0).min(self.len());
        Self {
            first: self.first,
            slot: self.slot,
            max: self.max[..kept].to_vec(),
            mean: self.mean[..kept].to_vec(),
        }
    }
}

/// Slots of width `slot` in a day.
pub(crate) fn slots_per_day(slot: Step) -> i64 {
    i64::from(DAY_SECONDS / slot.seconds()).max(1)
}

/// The number of the slot that holds `time`.
pub(crate) fn number(time: Timestamp, slot: Step) -> i64 {
    time.as_second().div_euclid(i64::from(slot.seconds()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: Vec<Option<f64>>) -> Series {
        Series::new(Timestamp::from_second(7200).unwrap(), Step::MINUTE, values).unwrap()
    }

    #[test]
    fn a_slot_observed_for_less_than_half_its_width_is_a_gap() {
        let mut values = vec![Some(1.0); 180];
        values[60..95].fill(None);
        let history = History::new(&series(values), Step::HOUR);
        assert_eq!((history.first, history.len()), (2, 3));
        assert_eq!((history.max(2), history.max(3), history.mean(4)), (Some(1.0), None, Some(1.0)));
        assert_eq!(history.max(1), None);
    }

    #[test]
    fn unobserved_ends_are_left_off() {
        let mut values = vec![None; 300];
        values[120..180].fill(Some(4.0));
        let history = History::new(&series(values), Step::HOUR);
        assert_eq!((history.first, history.len(), history.end()), (4, 1, 5));
        assert!(History::new(&series(vec![None; 300]), Step::HOUR).observed().next().is_none());
    }

    #[test]
    fn a_prefix_ends_where_asked() {
        let history = History::new(&series(vec![Some(1.0); 600]), Step::HOUR);
        assert_eq!(history.before(5).len(), 3);
        assert_eq!(history.before(0).len(), 0);
        assert_eq!(history.before(99), history);
    }
}
