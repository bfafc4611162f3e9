//! The steps a question is about.

use jiff::Timestamp;
use mora_core::{Series, Step};

/// The steps `first..first + len`, counted from the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) first: i64,
    pub(crate) len: usize,
    pub(crate) step: Step,
}

impl Window {
    /// The steps at or after `from` and before `to`.
    pub(crate) fn between(from: Timestamp, to: Timestamp, step: Step) -> Self {
        let seconds = i64::from(step.seconds());
        let ceil = |time: Timestamp| -(-time.as_second()).div_euclid(seconds);
        let first = ceil(from);
        Self { first, len: usize::try_from(ceil(to) - first).unwrap_or(0), step }
    }

    /// The instants of the steps, in seconds since the Unix epoch.
    pub(crate) fn seconds(self) -> impl Iterator<Item = i64> {
        let width = i64::from(self.step.seconds());
        (self.first..self.first + self.len as i64).map(move |index| index * width)
    }

    /// A series of `values` that starts at step `offset` of the window; `None` past representable time.
    pub(crate) fn series(self, offset: usize, values: Vec<Option<f64>>) -> Option<Series> {
        let second = (self.first + offset as i64) * i64::from(self.step.seconds());
        Series::new(Timestamp::from_second(second).ok()?, self.step, values).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_holds_the_steps_from_its_start_up_to_its_end() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let window = Window::between(at(61), at(240), Step::MINUTE);
        assert_eq!(window.seconds().collect::<Vec<_>>(), [120, 180]);
        assert_eq!(Window::between(at(0), at(0), Step::MINUTE).len, 0);
        assert_eq!(Window::between(at(-60), at(1), Step::MINUTE).first, -1);
    }
}
