//! From what kube-state-metrics says of ended containers to out-of-memory kills.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use mora_core::{Bytes, OomKill, Series};

use crate::regularise::Sample;

/// How long before a kill the working set is looked at.
const BEFORE: SignedDuration = SignedDuration::from_hours(1);

/// What is known of one container of one pod that was killed for lack of memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Killed<'a> {
    pub(super) pod: &'a str,
    /// When it was last killed, in seconds since the Unix epoch, at each instant at which that was known.
    pub(super) times: &'a [Sample],
    /// Its memory limit in bytes at the same instants; empty where it has none.
    pub(super) limits: &'a [Sample],
    /// Its working set in bytes; `None` where it was not observed.
    pub(super) memory: Option<&'a Series>,
}

impl Killed<'_> {
    /// Its kills; one of which neither working set nor limit is known says nothing about memory and is left out.
    pub(super) fn kills(self) -> BTreeSet<OomKill> {
        let mut kills = BTreeSet::new();
        let mut before = None;
        for seen in self.times {
            // The first instant at which a kill is known is the nearest to it: limits can change later.
            if before.replace(seen.value) != Some(seen.value) {
                kills.extend(self.kill(*seen));
            }
        }
        kills
    }

    fn kill(self, seen: Sample) -> Option<OomKill> {
        let killed = instant(seen.value)?;
        let used = self.memory.and_then(|series| largest_before(series, killed));
        let limit = self.limits.iter().find(|limit| limit.second.total_cmp(&seen.second).is_eq());
        let peak = used.into_iter().chain(limit.map(|limit| limit.value)).reduce(f64::max)?;
        let peak = (peak.is_finite() && peak >= 1.0).then(|| Bytes::new(peak.ceil() as u64))?;
        Some(OomKill { killed, pod: self.pod.to_owned(), peak })
    }
}

fn instant(second: f64) -> Option<Timestamp> {
    let whole = (second.is_finite() && second > 0.0).then(|| second.floor() as i64)?;
    Timestamp::from_second(whole).ok()
}

/// The largest value in the hour before `killed`, with the step that holds it: a step's value looks back.
fn largest_before(series: &Series, killed: Timestamp) -> Option<f64> {
    let from = killed.saturating_sub(BEFORE).unwrap_or(Timestamp::MIN);
    let to = killed.saturating_add(series.step().times(1)).unwrap_or(Timestamp::MAX);
    series.between(from, to).observed().reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mora_core::Step;

    fn samples(pairs: &[(f64, f64)]) -> Vec<Sample> {
        pairs.iter().map(|&(second, value)| Sample { second, value }).collect()
    }

    /// Bytes once a minute from second 0 on.
    fn memory(values: &[f64]) -> Series {
        let values = values.iter().map(|value| Some(*value)).collect();
        Series::new(Timestamp::UNIX_EPOCH, Step::MINUTE, values).unwrap()
    }

    fn kills(
        times: &[(f64, f64)],
        limits: &[(f64, f64)],
        memory: Option<&Series>,
    ) -> Vec<(i64, u64)> {
        let (times, limits) = (samples(times), samples(limits));
        let killed = Killed { pod: "cart-0", times: &times, limits: &limits, memory };
        killed.kills().iter().map(|kill| (kill.killed.as_second(), kill.peak.get())).collect()
    }

    #[test]
    fn a_kill_has_the_larger_of_its_working_set_and_the_limit_it_had_then() {
        let memory = memory(&[5.0, 900.0, 6.0]);
        let times = [(120.0, 95.0), (180.0, 95.0)];
        assert_eq!(kills(&times, &[], Some(&memory)), [(95, 900)]);
        assert_eq!(kills(&times, &[(120.0, 1000.0), (180.0, 4000.0)], Some(&memory)), [(95, 1000)]);
        assert_eq!(kills(&times, &[(120.0, 400.0)], Some(&memory)), [(95, 900)]);
    }

    #[test]
    fn only_the_hour_before_counts() {
        let mut values = vec![3.0; 100];
        (values[10], values[99]) = (700.0, 800.0);
        let at = 80.0 * 60.0;
        assert_eq!(kills(&[(at, at)], &[], Some(&memory(&values))), [(4800, 3)]);
    }

    #[test]
    fn every_new_time_is_a_kill_and_one_without_memory_is_left_out() {
        let limits = [(120.0, 10.0), (240.0, 20.0)];
        let times = [(120.0, 100.0), (180.0, 100.0), (240.0, 230.5), (300.0, 290.0)];
        assert_eq!(kills(&times, &limits, None), [(100, 10), (230, 20)]);
        assert!(
            kills(&[(120.0, f64::NAN), (180.0, -1.0), (240.0, 1e300)], &limits, None).is_empty()
        );
        assert!(kills(&[(120.0, 100.0)], &[(120.0, f64::NAN)], None).is_empty());
    }
}
