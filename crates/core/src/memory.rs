//! How a memory request follows what is observed: at once upwards, slowly downwards, and up after an OOM kill.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Bytes, OomKill};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A number that is no factor of an [`OomRule`].
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[error("{0} is not a factor of memory after a kill; use a finite number of at least 1, as in 1.2")]
pub struct OomFactorError(pub f64);

/// What a container that ran out of memory is given: more than it had when it was killed, for a while.
///
/// What it would have used is unknown: the kernel cut it off. The Vertical Pod Autoscaler raises by the same
/// amounts (`oom-min-bump-up-bytes`, `oom-bump-up-ratio`).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "OomKeys", into = "OomKeys")]
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

/// An [`OomRule`] as keys of a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct OomKeys {
    least_added: Bytes,
    factor: f64,
    ceiling: Bytes,
    expiry_hours: u32,
}

impl Default for OomKeys {
    fn default() -> Self {
        OomRule::default().into()
    }
}

impl From<OomRule> for OomKeys {
    fn from(rule: OomRule) -> Self {
        let OomRule { least_added, factor, ceiling, expiry } = rule;
        Self { least_added, factor, ceiling, expiry_hours: whole_hours(expiry) }
    }
}

impl TryFrom<OomKeys> for OomRule {
    type Error = OomFactorError;

    fn try_from(keys: OomKeys) -> Result<Self, OomFactorError> {
        let OomKeys { least_added, factor, ceiling, expiry_hours } = keys;
        if !factor.is_finite() || factor < 1.0 {
            return Err(OomFactorError(factor));
        }
        let expiry = SignedDuration::from_hours(i64::from(expiry_hours));
        Ok(Self { least_added, factor, ceiling, expiry })
    }
}

fn whole_hours(time: SignedDuration) -> u32 {
    u32::try_from(time.as_hours().max(0)).unwrap_or(u32::MAX)
}

impl OomRule {
    /// The kill that calls for most at `now`, with the least request it calls for; `None` when none counts any more.
    #[must_use]
    pub fn deciding<'a>(
        &self,
        kills: impl IntoIterator<Item = &'a OomKill>,
        now: Timestamp,
    ) -> Option<(&'a OomKill, Bytes)> {
        let least = |kill: &'a OomKill| Some((kill, self.least(kill.peak, kill.killed, now)?));
        kills.into_iter().filter_map(least).max_by_key(|(kill, least)| (*least, kill.killed))
    }

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "RatchetKeys", into = "RatchetKeys")]
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

/// A [`Ratchet`] as keys of a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RatchetKeys {
    half_life_hours: u32,
}

impl Default for RatchetKeys {
    fn default() -> Self {
        Ratchet::default().into()
    }
}

impl From<Ratchet> for RatchetKeys {
    fn from(ratchet: Ratchet) -> Self {
        Self { half_life_hours: whole_hours(ratchet.half_life) }
    }
}

impl From<RatchetKeys> for Ratchet {
    fn from(keys: RatchetKeys) -> Self {
        Self { half_life: SignedDuration::from_hours(i64::from(keys.half_life_hours)) }
    }
}

impl Ratchet {
    /// The request now, where `wanted` is due and `days` were the largest amounts used per day, oldest first and the
    /// last day ending now; a day without an observation is `None`. Never below `wanted`.
    ///
    /// It needs no memory of earlier plans: of what a day was above `wanted`, at least one half is kept per half-life
    /// since; the last day is kept whole.
    #[must_use]
    pub fn after(self, days: &[Option<Bytes>], wanted: Bytes) -> Bytes {
        let due = |day: &Option<Bytes>| day.map_or(wanted, |used| used.max(wanted));
        let held = days.iter().map(due).fold(wanted, |held, due| self.next(held, due, DAY));
        self.next(held, wanted, SignedDuration::ZERO).ceil_mebibyte().max(wanted)
    }

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

    #[test]
    fn a_day_of_high_use_is_let_go_by_half_a_day_and_the_last_day_not_at_all() {
        let days = |days: &[u64]| days.iter().map(|m| Some(Bytes::from_mebibytes(*m))).collect();
        let after = |used: &[u64]| {
            let used: Vec<Option<Bytes>> = days(used);
            Ratchet::default().after(&used, Bytes::from_mebibytes(100)).get() >> 20
        };
        assert_eq!(after(&[]), 100);
        assert_eq!(after(&[90, 300]), 300);
        assert_eq!(after(&[300, 90]), 200);
        assert_eq!(after(&[300, 90, 90, 190]), 190);
        assert_eq!(after(&[300, 180, 90]), 170);
        let gap = [Some(Bytes::from_mebibytes(300)), None];
        let wanted = Bytes::from_mebibytes(100);
        assert_eq!(Ratchet::default().after(&gap, wanted), Bytes::from_mebibytes(200));
        let at_once = Ratchet { half_life: hours(0) };
        assert_eq!(at_once.after(&gap[..1], wanted), wanted);
    }

    #[test]
    fn the_kill_that_calls_for_most_decides_until_it_expires() {
        let kill = |mebibytes, second| OomKill {
            killed: at(second),
            pod: "cart-0".to_owned(),
            peak: Bytes::from_mebibytes(mebibytes),
        };
        let kills = [kill(900, 0), kill(50, 60), kill(50, 120)];
        let rule = OomRule::default();
        let decides = |now| rule.deciding(&kills, at(now)).map(|(k, b)| (k, b.get() >> 20));
        assert_eq!(decides(180), Some((&kills[0], 1080)));
        assert_eq!(decides(7 * 86_400 + 61), Some((&kills[2], 150)));
        assert_eq!(decides(7 * 86_400 + 120), None);
    }

    #[test]
    fn rules_are_read_from_their_keys_and_impossible_ones_are_refused() {
        let rule = |text: &str| serde_json::from_str::<OomRule>(text);
        let own = rule(r#"{"least_added": "50Mi", "expiry_hours": 48}"#).unwrap();
        assert_eq!((own.least_added, own.expiry), (Bytes::from_mebibytes(50), hours(48)));
        assert!((own.factor - OomRule::default().factor).abs() < f64::EPSILON);
        for bad in [r#"{"factor": 0.9}"#, r#"{"expiry_hours": -1}"#, r#"{"expiry": 1}"#] {
            assert!(rule(bad).is_err(), "{bad}");
        }
        let ratchet = |text: &str| serde_json::from_str::<Ratchet>(text);
        assert_eq!(ratchet(r#"{"half_life_hours": 12}"#).unwrap().half_life, hours(12));
        assert!(ratchet(r#"{"half_life": 12}"#).is_err());
        let text = serde_json::to_string(&OomRule::default()).unwrap();
        assert_eq!(rule(&text).unwrap(), OomRule::default());
    }

    proptest! {
        #[test]
        fn what_a_day_was_above_the_wanted_amount_is_kept_by_half_per_half_life(
            days in prop::collection::vec(prop::option::of(0_u64..1 << 45), 0..20),
            wanted in 0_u64..1 << 45, life in 1_i64..500,
        ) {
            let ratchet = Ratchet { half_life: hours(life) };
            let (wanted, used) = (Bytes::new(wanted), days.iter().map(|d| d.map(Bytes::new)));
            let used: Vec<Option<Bytes>> = used.collect();
            let target = ratchet.after(&used, wanted);
            let most = used.iter().flatten().copied().max().unwrap_or(wanted).max(wanted);
            prop_assert!(target >= wanted && target <= most.ceil_mebibyte());
            for (age, day) in used.iter().rev().enumerate() {
                let excess = day.unwrap_or(wanted).saturating_sub(wanted).get() as f64;
                let kept = excess * (-24.0 * age as f64 / life as f64).exp2();
                prop_assert!(target.saturating_sub(wanted).get() as f64 >= kept * (1.0 - 1e-9));
            }
        }

        #[test]
        fn a_day_later_no_more_than_half_of_the_excess_is_gone(
            days in prop::collection::vec(prop::option::of(0_u64..1 << 45), 1..20), wanted in 0_u64..1 << 45,
            next in prop::option::of(0_u64..1 << 45),
        ) {
            let wanted = Bytes::new(wanted);
            let mut used: Vec<Option<Bytes>> = days.iter().map(|d| d.map(Bytes::new)).collect();
            let before = Ratchet::default().after(&used, wanted).saturating_sub(wanted).get();
            used.push(next.map(Bytes::new));
            let after = Ratchet::default().after(&used, wanted).saturating_sub(wanted).get();
            prop_assert!(2 * after + 2 * Bytes::MEBIBYTE.get() >= before, "{} then {}", before, after);
        }

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
