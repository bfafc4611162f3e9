//! When the last few workers have had time enough.

use std::time::Duration;

use tokio::time::Instant;

use super::FanOutLimits;

/// Answers at which the least extra time is as configured; the fewer there are, the less they say about the rest.
const TELLING: f64 = 100.0;
/// The share of the least extra time that is left however many answered: a pause says nothing about a worker.
const PATIENCE: f64 = 1.0 / 3.0;
/// The share of the extra time within which an answer has to come, or no more is waited for.
const QUIET: f64 = 0.5;

/// The end of one run's waiting, which is drawn nearer once most workers have answered.
#[derive(Debug)]
pub(super) struct CutOff {
    limits: FanOutLimits,
    workers: usize,
    answered: usize,
    failed: usize,
    began: Instant,
    at: Instant,
    drawn: Option<Drawn>,
}

/// What was known when the end was drawn nearer.
#[derive(Debug)]
struct Drawn {
    answered: usize,
    taken: Duration,
    /// Until when is waited while answers come.
    latest: Instant,
    /// Longest time without one.
    quiet: Duration,
}

impl CutOff {
    /// For a run over `workers` that began at `began`.
    pub(super) fn new(limits: FanOutLimits, workers: usize, began: Instant) -> Self {
        let at = began + limits.overall;
        Self { limits, workers, answered: 0, failed: 0, began, at, drawn: None }
    }

    /// Until when is waited.
    pub(super) const fn at(&self) -> Instant {
        self.at
    }

    /// Notes that a worker answered, or failed for good, at `now`.
    pub(super) fn ended(&mut self, answered: bool, now: Instant) {
        *(if answered { &mut self.answered } else { &mut self.failed }) += 1;
        if self.drawn.is_none() && self.answered >= self.enough() {
            let taken = now - self.began;
            let (relative, least) = self.extra(taken);
            let latest = now + relative.max(least);
            if latest < self.at {
                let quiet = relative.mul_f64(QUIET).max(least);
                self.drawn = Some(Drawn { answered: self.answered, taken, latest, quiet });
            }
        }
        if let Some(drawn) = &self.drawn {
            self.at = drawn.latest.min(now + drawn.quiet);
        }
    }

    /// Why no longer was waited.
    pub(super) fn reason(&self) -> String {
        let workers = self.workers;
        match self.drawn {
            None => format!("the {:?} for all workers were up", self.limits.overall),
            Some(Drawn { answered, taken, .. }) => {
                let millis = taken.as_millis();
                format!("{answered} of {workers} workers had answered within {millis} ms")
            }
        }
    }

    /// Answers after which the rest are stragglers; what failed says nothing about how long an answer takes.
    fn enough(&self) -> usize {
        let share = self.limits.straggler_share;
        if share >= 1.0 {
            return usize::MAX;
        }
        ((self.workers - self.failed) as f64 * share.max(0.0)).floor().max(1.0) as usize
    }

    /// What the rest have beyond the `taken` of the others: in proportion to it, and at least.
    fn extra(&self, taken: Duration) -> (Duration, Duration) {
        let relative = taken.mul_f64((self.limits.straggler_factor - 1.0).max(0.0));
        let scarcity = (TELLING / self.answered as f64).max(PATIENCE);
        (relative, self.limits.straggler_least.mul_f64(scarcity))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seconds after the start until which is waited when `answers` of `workers` came after `taken` and `failed`
    /// failed before.
    fn end((answers, failed, workers): (usize, usize, usize), taken: Duration) -> f64 {
        let began = Instant::now();
        let limits = FanOutLimits {
            overall: Duration::from_mins(1),
            straggler_share: 0.95,
            straggler_factor: 1.5,
            straggler_least: Duration::from_millis(250),
            ..FanOutLimits::default()
        };
        let mut cut_off = CutOff::new(limits, workers, began);
        (0..failed).for_each(|_| cut_off.ended(false, began));
        (0..answers).for_each(|_| cut_off.ended(true, began + taken));
        (cut_off.at() - began).as_secs_f64()
    }

    #[test]
    fn the_rest_have_half_as_long_again_once_most_have_answered_unless_nothing_more_comes() {
        let second = Duration::from_secs(1);
        assert_eq!(end((949, 0, 1000), second).to_string(), "60");
        assert_eq!(end((950, 0, 1000), second).to_string(), "1.25");
        assert!((end((95, 0, 100), second / 10) - 0.1 - 0.25 / 0.95).abs() < 1e-6);
        assert!((end((950, 0, 1000), second / 10) - 0.1 - 0.25 / 3.0).abs() < 1e-6);
    }

    #[test]
    fn what_failed_is_not_waited_for() {
        assert_eq!(end((940, 10, 1000), Duration::from_secs(1)).to_string(), "1.25");
        assert_eq!(end((0, 1000, 1000), Duration::from_secs(1)).to_string(), "60");
    }

    #[test]
    fn every_answer_gives_the_others_time_up_to_a_bound() {
        let began = Instant::now();
        let limits = FanOutLimits {
            straggler_share: 0.95,
            straggler_factor: 1.5,
            straggler_least: Duration::ZERO,
            ..FanOutLimits::default()
        };
        let mut cut_off = CutOff::new(limits, 1000, began);
        let at = |seconds: f64| began + Duration::from_secs_f64(seconds);
        (0..950).for_each(|_| cut_off.ended(true, at(1.0)));
        cut_off.ended(true, at(1.125));
        assert_eq!(cut_off.at(), at(1.375));
        cut_off.ended(false, at(1.25));
        assert_eq!(cut_off.at(), at(1.5));
        cut_off.ended(true, at(1.375));
        assert_eq!(cut_off.at(), at(1.5));
    }

    #[test]
    fn few_answers_say_little_about_the_rest() {
        let instant = Duration::ZERO;
        assert_eq!(end((10, 0, 11), instant).to_string(), "2.5");
        assert_eq!(end((1, 0, 2), instant).to_string(), "25");
    }
}
