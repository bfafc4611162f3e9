//! Times at which a workload was not its usual self.

use std::collections::BTreeSet;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Dataset, Series};

/// How long a pod takes to become its usual self.
const START_UP: SignedDuration = SignedDuration::from_mins(5);
/// How long before and after a kill for lack of memory a container is not its usual self.
const AROUND_KILL: SignedDuration = SignedDuration::from_mins(5);
/// A pod that begins this close to the end of another takes its place.
const HANDOVER: SignedDuration = SignedDuration::from_mins(10);

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkKind {
    /// A pod had started less than five minutes before.
    StartUp,
    /// Pods took the place of others: from the start of the first to ten minutes after the end of the last.
    Rollout,
    /// A container was killed for lack of memory at most five minutes later or before.
    OutOfMemory,
}

impl MarkKind {
    /// All kinds, in the order they are reported.
    pub const ALL: [Self; 3] = [Self::StartUp, Self::Rollout, Self::OutOfMemory];

    /// The kind's name in files, flags and labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StartUp => "start_up",
            Self::Rollout => "rollout",
            Self::OutOfMemory => "out_of_memory",
        }
    }
}

impl fmt::Display for MarkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A time at which a workload was not its usual self.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mark {
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub to: Timestamp,
    /// What happened.
    pub kind: MarkKind,
    /// The pod it happened to; empty for what happened to several.
    pub pod: String,
}

impl Dataset {
    /// The times at which the workload was not its usual self, in order.
    ///
    /// A pod that was there when the lookback began did not start within it.
    #[must_use]
    pub fn marks(&self) -> Vec<Mark> {
        let lives = self.lives();
        let began = lives.iter().map(|life| life.from).min();
        let starts: Vec<&Life> = lives.iter().filter(|life| Some(life.from) > began).collect();
        let mark = |from, to, kind, pod: &str| Mark { from, to, kind, pod: pod.to_owned() };
        let mut marks = BTreeSet::new();
        for life in &starts {
            marks.insert(mark(life.from, plus(life.from, START_UP), MarkKind::StartUp, life.pod));
        }
        for (from, to) in rollouts(&lives, &starts) {
            marks.insert(mark(from, to, MarkKind::Rollout, ""));
        }
        for kill in self.containers.values().flat_map(|usage| &usage.oom_kills) {
            let from = plus(kill.killed, -AROUND_KILL);
            let to = plus(kill.killed, AROUND_KILL);
            marks.insert(mark(from, to, MarkKind::OutOfMemory, &kill.pod));
        }
        marks.into_iter().collect()
    }

    /// When each pod was observed.
    fn lives(&self) -> Vec<Life<'_>> {
        let mut lives: Vec<Life<'_>> = Vec::new();
        for usage in self.containers.values() {
            for (pod, series) in usage.cpu.iter().chain(&usage.memory) {
                let (from, to) = (series.start(), series.end());
                match lives.iter_mut().find(|life| life.pod == pod) {
                    Some(life) => (life.from, life.to) = (life.from.min(from), life.to.max(to)),
                    None => lives.push(Life { pod, from, to }),
                }
            }
        }
        lives
    }
}

/// When a pod was observed.
#[derive(Debug)]
struct Life<'a> {
    pod: &'a str,
    from: Timestamp,
    to: Timestamp,
}

/// The times at which pods that started took the place of pods that ended, those that meet joined.
fn rollouts(lives: &[Life<'_>], starts: &[&Life<'_>]) -> Vec<(Timestamp, Timestamp)> {
    let ended = lives.iter().map(|life| life.to).max();
    let ends = || lives.iter().filter(|life| Some(life.to) < ended);
    let mut spans: Vec<(Timestamp, Timestamp)> = Vec::new();
    for start in starts {
        let near = |end: &&Life<'_>| {
            end.pod != start.pod && end.to.duration_since(start.from).abs() <= HANDOVER
        };
        for end in ends().filter(near) {
            spans.push((start.from.min(end.to), plus(start.from.max(end.to), HANDOVER)));
        }
    }
    spans.sort();
    let mut joined: Vec<(Timestamp, Timestamp)> = Vec::new();
    for (from, to) in spans {
        match joined.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => joined.push((from, to)),
        }
    }
    joined
}

fn plus(time: Timestamp, duration: SignedDuration) -> Timestamp {
    time.saturating_add(duration).unwrap_or(time)
}

impl Series {
    /// The series with a gap at every step that begins within one of `marks`.
    #[must_use]
    pub fn without(&self, marks: &[Mark]) -> Self {
        let mut values = self.values().to_vec();
        for mark in marks {
            let step = i64::from(self.step().seconds());
            let index = |time: Timestamp| {
                let offset = time.as_second() - self.start().as_second();
                usize::try_from(-(-offset).div_euclid(step)).unwrap_or(0).min(values.len())
            };
            let (from, to) = (index(mark.from), index(mark.to));
            values[from..to.max(from)].fill(None);
        }
        // Fewer of the same finite values on the same grid are still a series.
        Self::new(self.start(), self.step(), values).unwrap_or_else(|_| self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bytes, OomKill, Step};

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).unwrap()
    }

    /// Pods observed from one minute up to another.
    fn dataset(pods: &[(&str, i64, i64)]) -> Dataset {
        let mut dataset = Dataset::new("shop/cart".parse().unwrap());
        let usage = dataset.containers.entry("server".to_owned()).or_default();
        for (pod, from, to) in pods {
            let values = vec![Some(1.0); usize::try_from(to - from).unwrap()];
            let series = Series::new(at(*from), Step::MINUTE, values).unwrap();
            usage.cpu.insert((*pod).to_owned(), series);
        }
        dataset
    }

    fn marks(dataset: &Dataset) -> Vec<(MarkKind, i64, i64, String)> {
        let minute = |time: Timestamp| time.as_second() / 60;
        let marks = dataset.marks().into_iter();
        marks.map(|m| (m.kind, minute(m.from), minute(m.to), m.pod)).collect()
    }

    #[test]
    fn a_pod_that_comes_later_starts_up_and_one_that_was_there_does_not() {
        let scaled = dataset(&[("a", 0, 100), ("b", 40, 100)]);
        assert_eq!(marks(&scaled), [(MarkKind::StartUp, 40, 45, "b".to_owned())]);
        assert!(dataset(&[("a", 0, 100), ("b", 0, 60)]).marks().is_empty(), "scaling down");
    }

    #[test]
    fn pods_that_take_the_place_of_others_are_a_rollout() {
        let rolled = dataset(&[("a", 0, 41), ("b", 0, 44), ("c", 40, 200), ("d", 43, 200)]);
        let rollout = (MarkKind::Rollout, 40, 54, String::new());
        let found = marks(&rolled);
        assert!(found.contains(&rollout) && found.len() == 3, "{found:?}");
    }

    #[test]
    fn kills_are_marked_around_and_marks_become_gaps() {
        let mut killed = dataset(&[("a", 0, 30)]);
        let kill = OomKill { killed: at(10), pod: "a".to_owned(), peak: Bytes::new(1) };
        killed.containers.get_mut("server").unwrap().oom_kills.insert(kill);
        let marks = killed.marks();
        assert_eq!(marks.len(), 1);
        let series = killed.containers["server"].cpu["a"].without(&marks);
        let gaps: Vec<usize> =
            (0..series.len()).filter(|index| series.values()[*index].is_none()).collect();
        assert_eq!(gaps, (5..15).collect::<Vec<_>>());
        let after = series.between(at(20), at(30));
        assert_eq!(after.without(&marks), after);
    }
}
