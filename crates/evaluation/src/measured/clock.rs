//! A day that passes in minutes.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use thiserror::Error;

/// Slower than this is no compression, faster and a minute of the day is shorter than the kernel's CPU period.
const COMPRESSIONS: std::ops::RangeInclusive<f64> = 1.0..=360.0;

/// The compression cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[error(
    "a compression of {0} cannot be used; choose one from 1 (real time) to 360 (a day in four minutes)"
)]
pub struct ClockError(pub f64);

/// Which instant of the day that is played it is at an instant of the real one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clock {
    begun: Timestamp,
    start: Timestamp,
    compression: f64,
}

impl Clock {
    /// A clock that shows `start` at the real instant `begun`, and goes `compression` times as fast.
    ///
    /// Fails when the compression is not in [1, 360].
    pub fn new(begun: Timestamp, start: Timestamp, compression: f64) -> Result<Self, ClockError> {
        if COMPRESSIONS.contains(&compression) {
            Ok(Self { begun, start, compression })
        } else {
            Err(ClockError(compression))
        }
    }

    /// What the clock shows at the real instant `real`.
    #[must_use]
    pub fn shows(&self, real: Timestamp) -> Timestamp {
        let passed = (seconds(real) - seconds(self.begun)) * self.compression;
        plus(self.start, passed)
    }

    /// When, in real time, the clock shows `shown`.
    #[must_use]
    pub fn real(&self, shown: Timestamp) -> Timestamp {
        let passed = (seconds(shown) - seconds(self.start)) / self.compression;
        plus(self.begun, passed)
    }

    /// How long it takes until `passes` has passed on the clock.
    #[must_use]
    pub fn takes(&self, passes: SignedDuration) -> Duration {
        Duration::try_from_secs_f64(passes.as_secs_f64() / self.compression).unwrap_or_default()
    }

    /// The instant at which the clock was started, as it shows.
    #[must_use]
    pub const fn start(&self) -> Timestamp {
        self.start
    }

    /// The same in real time.
    #[must_use]
    pub const fn begun(&self) -> Timestamp {
        self.begun
    }

    /// The real seconds since the Unix epoch between which minute `index` of the clock, from 0, passes.
    #[must_use]
    pub fn minute(&self, index: usize) -> (f64, f64) {
        let at = |minute: f64| seconds(self.begun) + minute * 60.0 / self.compression;
        (at(index as f64), at(index as f64 + 1.0))
    }

    /// The minute of the clock, from 0, in which the real instant of `second` since the Unix epoch falls; `None` before its start.
    #[must_use]
    pub fn minute_of(&self, second: f64) -> Option<usize> {
        let passed = (second - seconds(self.begun)) * self.compression / 60.0;
        (passed >= 0.0).then_some(passed as usize)
    }
}

/// Seconds since the Unix epoch.
pub(super) fn seconds(time: Timestamp) -> f64 {
    time.as_millisecond() as f64 / 1000.0
}

/// `time` so many seconds later, to the millisecond; the same where that is beyond what can be told.
fn plus(time: Timestamp, seconds: f64) -> Timestamp {
    time + SignedDuration::from_millis((seconds * 1000.0).round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> Clock {
        let at = |text: &str| text.parse().unwrap();
        Clock::new(at("2026-11-26T10:00:00.250Z"), at("2026-03-03T00:00:00Z"), 96.0).unwrap()
    }

    #[test]
    fn a_day_passes_in_a_quarter_of_an_hour_and_back() {
        let (begun, day) = (clock().begun(), SignedDuration::from_hours(24));
        let end = begun + SignedDuration::from_mins(15);
        assert_eq!(clock().shows(end), clock().start() + day);
        assert_eq!(clock().real(clock().start() + day), end);
        assert_eq!(clock().takes(day), Duration::from_mins(15));
    }

    #[test]
    fn minutes_are_counted_from_the_start() {
        let begun = seconds(clock().begun());
        assert_eq!(clock().minute(2), (begun + 1.25, begun + 1.875));
        assert_eq!(clock().minute_of(begun + 1.3), Some(2));
        assert_eq!(clock().minute_of(begun - 0.1), None);
    }

    #[test]
    fn other_compressions_are_refused() {
        for compression in [0.0, 0.5, 1000.0, f64::NAN] {
            assert!(Clock::new(clock().begun(), clock().start(), compression).is_err());
        }
    }
}
