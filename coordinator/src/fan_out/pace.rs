//! How long calls take, seen over all workers of one run.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mora_core::WorkloadRef;
use tokio::sync::watch;
use tokio::time::Instant;

/// The share of calls that what is typical refers to.
const TYPICAL_SHARE: f64 = 0.9;
/// A change of the typical time by less than this share is not told: it would wake every waiting call.
const WORTH_TELLING: f64 = 0.1;

/// How far a worker that has not answered is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Progress {
    /// It is being asked.
    UnderWay {
        /// Since when.
        since: Instant,
    },
    /// The last call failed.
    Failed(String),
}

/// What the calls of one run have shown so far.
#[derive(Debug, Default)]
pub(super) struct Pace {
    seen: Mutex<Seen>,
    typical: watch::Sender<Option<Duration>>,
}

#[derive(Debug, Default)]
struct Seen {
    progress: BTreeMap<WorkloadRef, Progress>,
    under_way: usize,
    answered: usize,
    /// How many calls took so many milliseconds, rounded up.
    taken: BTreeMap<u64, usize>,
}

impl Pace {
    /// Notes that the worker of `workload` is asked, at `now`.
    pub(super) fn begin(&self, workload: &WorkloadRef, now: Instant) {
        let mut seen = self.seen();
        seen.under_way += 1;
        seen.progress.insert(workload.clone(), Progress::UnderWay { since: now });
    }

    /// Notes that it answered after `taken`.
    pub(super) fn answered(&self, workload: &WorkloadRef, taken: Duration) {
        let mut seen = self.seen();
        seen.progress.remove(workload);
        seen.under_way -= 1;
        seen.answered += 1;
        let millis = u64::try_from(taken.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        *seen.taken.entry(millis).or_default() += 1;
        let typical = seen.typical();
        drop(seen);
        self.tell(typical);
    }

    /// Notes that the call failed: how long it took says nothing about the others.
    pub(super) fn failed(&self, workload: &WorkloadRef, error: &str) {
        let mut seen = self.seen();
        seen.under_way -= 1;
        seen.progress.insert(workload.clone(), Progress::Failed(error.to_owned()));
    }

    /// How far the worker of `workload` is; `None` when it answered or was not asked.
    pub(super) fn progress(&self, workload: &WorkloadRef) -> Option<Progress> {
        self.seen().progress.get(workload).cloned()
    }

    /// The time in which nine in ten of the calls begun have answered, and its later changes; `None` until so many have.
    pub(super) fn typical(&self) -> watch::Receiver<Option<Duration>> {
        self.typical.subscribe()
    }

    fn tell(&self, new: Option<Duration>) {
        self.typical.send_if_modified(|old| {
            let changed = match (&old, new) {
                (_, None) => false,
                (None, Some(_)) => true,
                (Some(old), Some(new)) => {
                    old.abs_diff(new).as_secs_f64() > WORTH_TELLING * old.as_secs_f64()
                }
            };
            if changed {
                *old = new;
            }
            changed
        });
    }

    /// The guard, also after a panic elsewhere: every change under it is complete in itself.
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// A call that is under way counts as longer than any that answered.
    fn typical(&self) -> Option<Duration> {
        let rank = ((self.answered + self.under_way) as f64 * TYPICAL_SHARE) as usize;
        if rank == 0 || self.answered < rank {
            return None;
        }
        let mut below = 0;
        let found = self.taken.iter().find(|(_, count)| {
            below += **count;
            below >= rank
        });
        found.map(|(millis, _)| Duration::from_millis(*millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload(index: usize) -> WorkloadRef {
        WorkloadRef::deployment("shop", &format!("w{index}")).unwrap()
    }

    /// Ten calls of which the first `answers` answered, after 1 s, 2 s and so on.
    fn after(answers: usize) -> Pace {
        let pace = Pace::default();
        (0..10).for_each(|index| pace.begin(&workload(index), Instant::now()));
        for index in 0..answers {
            pace.answered(&workload(index), Duration::from_secs(index as u64 + 1));
        }
        pace
    }

    #[test]
    fn nothing_is_typical_until_nine_in_ten_of_the_calls_begun_answered() {
        assert_eq!(*after(8).typical().borrow(), None);
        assert_eq!(*after(9).typical().borrow(), Some(Duration::from_secs(9)));
        assert_eq!(*Pace::default().typical().borrow(), None);
    }

    #[test]
    fn a_failed_call_does_not_count_among_those_begun() {
        let pace = after(8);
        pace.failed(&workload(9), "it restarts");
        pace.begin(&workload(9), Instant::now());
        assert_eq!(*pace.typical().borrow(), None);
        pace.failed(&workload(9), "it restarts");
        pace.answered(&workload(8), Duration::from_secs(1));
        assert_eq!(*pace.typical().borrow(), Some(Duration::from_secs(7)));
        assert_eq!(pace.progress(&workload(9)), Some(Progress::Failed("it restarts".to_owned())));
        assert_eq!(pace.progress(&workload(8)), None);
    }
}
