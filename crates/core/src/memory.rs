//! How a memory request follows what is observed: at once upwards, slowly downwards, and up after an OOM kill.

use jiff::{SignedDuration, Timestamp};

use crate::Bytes;

/// What a container that ran out of memory is given: more than it had when it was killed, for a while.
///
/// What it would have used is unknown: the kernel cut it off. The Vertical Pod Autoscaler raises by the same
/// amounts (`oom-min-bump-up-bytes`, `oom-bump-up-ratio`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OomRule {
    /// Least amount added to the peak at the kill.
    pub least_added: Bytes,
    /// Least factor of the peak at the kill; at least 1.
    pub factor: f64,
    /// Amount never exceeded, unless the peak itself did.
    pub ceiling: Bytes,
    /// Time after which a kill no longer counts.
    pub expiry: SignedDuration,
}

impl Default for OomRule {
    /// 100 MiB or a fifth more, up to 64 GiB, for a week.
    fn default() -> Self {
        Self {
            least_added: Bytes::from_mebibytes(100),
            factor: 1.2,
            ceiling: Bytes::from_mebibytes(64 << 10),
            expiry: SignedDuration::from_hours(7 * 24),
        }
    }
}

impl OomRule {
    /// The least request at `now` of a container killed at `killed` with a peak of `peak`; `None` once that has expired.
    #[must_use]
    pub fn least(&self, peak: Bytes, killed: Timestamp, now: Timestamp) -> Option<Bytes> {
        if now.duration_since(killed) >= self.expiry {
            return None;
        }
        let raised = (peak + self.least_added).max(peak.scaled(self.factor)).ceil_mebibyte();
        Some(raised.min(self.ceiling).max(peak))
    }
}

/// How slowly a request falls.
///
/// Memory that is taken away kills, memory that is kept costs little: a request rises at once, and what it is
/// above the wanted amount halves once per half-life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ratchet {
    /// Time in which the excess halves; zero or less lets a request fall at once.
    pub half_life: SignedDuration,
}

impl Default for Ratchet {
    /// A day.
    fn default() -> Self {
        Self { half_life: SignedDuration::from_hours(24) }
    }
}

impl Ratchet {
    /// The request `elapsed` after `held` was set, where `wanted` is due now. Never below `wanted`.
    #[must_use]
    pub fn next(self, held: Bytes, wanted: Bytes, elapsed: SignedDuration) -> Bytes {
        if held <= wanted || !self.half_life.is_positive() {
            return wanted;
        }
        let lives = elapsed.as_secs_f64().max(0.0) / self.half_life.as_secs_f64();
        let excess = held.saturating_sub(wanted).get() as f64 * (-lives).exp2();
        (wanted + Bytes::new(excess.ceil() as u64)).min(held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn hours(hours: i64) -> SignedDuration {
        SignedDuration::from_hours(hours)
    }

    #[test]
    fn a_kill_raises_small_requests_by_an_amount_and_large_ones_by_a_share() {
        let rule = OomRule::default();
        let least = |mebibytes| rule.least(Bytes::from_mebibytes(mebibytes), at(0), at(60));
        assert_eq!(least(50), Some(Bytes::from_mebibytes(150)));
        assert_eq!(least(1000), Some(Bytes::from_mebibytes(1200)));
        assert_eq!(least(60 << 10), Some(Bytes::from_mebibytes(64 << 10)));
        assert_eq!(rule.least(Bytes::MEBIBYTE, at(0), at(7 * 86_400)), None);
    }

    #[test]
    fn the_excess_halves_in_a_half_life() {
        let next = |held, elapsed| {
            let ratchet = Ratchet { half_life: hours(24) };
            ratchet.next(Bytes::from_mebibytes(held), Bytes::from_mebibytes(100), elapsed)
        };
        assert_eq!(next(300, hours(24)), Bytes::from_mebibytes(200));
        assert_eq!(next(300, hours(48)), Bytes::from_mebibytes(150));
        assert_eq!(next(50, hours(0)), Bytes::from_mebibytes(100));
        assert_eq!(next(300, hours(-5)), Bytes::from_mebibytes(300));
    }

    proptest! {
        #[test]
        fn after_a_kill_there_is_never_less_and_never_much_more(
            peak in 0_u64..1 << 50, ceiling in 0_u64..1 << 50, killed in 0_i64..1 << 37, later in 0_i64..604_800,
        ) {
            let rule = OomRule { ceiling: Bytes::new(ceiling), ..OomRule::default() };
            let peak = Bytes::new(peak);
            let least = rule.least(peak, at(killed), at(killed + later)).unwrap();
            prop_assert!(least >= peak);
            prop_assert!(least <= rule.ceiling.max(peak));
            prop_assert!(rule.least(peak, at(killed), at(killed + 604_800 + later)).is_none());
            let higher = rule.least(peak + Bytes::MEBIBYTE, at(killed), at(killed + later)).unwrap();
            prop_assert!(higher >= least);
        }

        #[test]
        fn a_request_rises_at_once_and_falls_no_faster_than_stated(
            held in 0_u64..1 << 50, wanted in 0_u64..1 << 50, life in 1_i64..10_000_000, seconds in 0_i64..100_000_000,
        ) {
            let ratchet = Ratchet { half_life: SignedDuration::from_secs(life) };
            let (held, wanted) = (Bytes::new(held), Bytes::new(wanted));
            let after = |seconds| ratchet.next(held, wanted, SignedDuration::from_secs(seconds));
            let next = after(seconds);
            prop_assert!(next >= wanted && next <= held.max(wanted));
            prop_assert!(after(seconds + life) <= next);
            if held <= wanted {
                prop_assert_eq!(next, wanted);
            } else if seconds <= life {
                let excess = held.saturating_sub(wanted).get();
                prop_assert!(next.saturating_sub(wanted).get() >= excess / 2);
            }
        }

        #[test]
        fn many_short_runs_decay_as_one_long_run_does(
            excess in 1_000_u64..1 << 45, life in 3600_i64..1_000_000, runs in 1_usize..50,
        ) {
            let ratchet = Ratchet { half_life: SignedDuration::from_secs(life) };
            let wanted = Bytes::from_mebibytes(10);
            let start = wanted + Bytes::new(excess);
            let each = SignedDuration::from_secs(600);
            let step = |held, _| ratchet.next(held, wanted, each);
            let often = (0..runs).fold(start, step);
            let once = ratchet.next(start, wanted, each * runs as i32);
            // Each run rounds up by less than a byte.
            let apart = often.get().abs_diff(once.get());
            prop_assert!(apart <= 1 + runs as u64 + excess / 1_000_000_000, "{} apart", apart);
        }
    }
}
