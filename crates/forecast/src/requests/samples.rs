//! The samples a request is held against, by slot.

use mora_core::{Series, Step};

use crate::slots::{number, slots_per_day};

/// Width of a sample, in seconds, where the series is finer: the largest observation in it counts.
const SAMPLE: u32 = 300;
/// Days over which usage is averaged.
const USAGE_DAYS: i64 = 7;

/// A history of samples in slots, by days that end with it.
pub(super) struct Samples {
    slots: Vec<Vec<f64>>,
    day: usize,
}

impl Samples {
    /// The samples of `series` in slots of width `slot` before slot `end`.
    pub(super) fn new(series: &Series, slot: Step, end: i64) -> Self {
        let width = sample(series.step(), slot);
        let (start, samples) = series.slots(width);
        let day = slots_per_day(slot);
        let first = number(start, slot);
        let days = (end - first) / day;
        let from = end - days * day;
        let mut slots = vec![Vec::new(); (days * day) as usize];
        for (index, sample) in samples.iter().enumerate() {
            let time = start + width.times(index);
            let place = usize::try_from(number(time, slot) - from).ok();
            if let (Some(slot), Some(sample)) = (place.and_then(|p| slots.get_mut(p)), sample) {
                slot.push(sample.max);
            }
        }
        Self { slots, day: day as usize }
    }

    /// Whole days.
    pub(super) fn days(&self) -> i64 {
        (self.slots.len() / self.day) as i64
    }

    /// What was known `back` days before the end.
    pub(super) fn before(&self, back: i64) -> Known<'_> {
        let kept = self.slots.len() - back as usize * self.day;
        Known { slots: &self.slots[..kept], day: self.day }
    }

    /// The slots of the day that starts `back` days before the end.
    pub(super) fn day(&self, back: i64) -> Vec<&[f64]> {
        let start = self.slots.len() - back as usize * self.day;
        self.slots[start..start + self.day].iter().map(Vec::as_slice).collect()
    }
}

/// The width of a sample: five minutes where both the series and the slot allow it.
fn sample(step: Step, slot: Step) -> Step {
    let five =
        Step::from_seconds(SAMPLE).filter(|five| slot.seconds().is_multiple_of(five.seconds()));
    match five {
        Some(five) if step <= five => five,
        _ if slot.seconds().is_multiple_of(step.seconds()) => step,
        _ => slot,
    }
}

/// The slots known at some day's start.
pub(super) struct Known<'a> {
    slots: &'a [Vec<f64>],
    day: usize,
}

impl Known<'_> {
    /// Slots in a day.
    pub(super) fn day(&self) -> usize {
        self.day
    }

    /// Whole days.
    pub(super) fn days(&self) -> i64 {
        (self.slots.len() / self.day) as i64
    }

    /// The samples at `phase` of the day that lies `back` days before the start; 1 is the last known day.
    pub(super) fn slot(&self, phase: usize, back: i64) -> &[f64] {
        let index = self.slots.len() - back as usize * self.day + phase;
        &self.slots[index]
    }

    /// Mean of the samples of the day that lies `back` days before the start; `None` where none was observed.
    pub(super) fn level(&self, back: i64) -> Option<f64> {
        let start = self.slots.len() - back as usize * self.day;
        mean(self.slots[start..start + self.day].iter().flatten())
    }

    /// Mean usage of the last week, the unit of prices; positive even where nothing was used.
    pub(super) fn usage(&self) -> f64 {
        let recent = self.slots.len().saturating_sub(USAGE_DAYS as usize * self.day);
        let all = mean(self.slots.iter().flatten()).unwrap_or(0.0);
        let last = mean(self.slots[recent..].iter().flatten()).unwrap_or(all);
        last.max(1e-3 * all).max(f64::MIN_POSITIVE.sqrt())
    }
}

fn mean<'a>(values: impl Iterator<Item = &'a f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    (count > 0.0).then(|| sum / count)
}
