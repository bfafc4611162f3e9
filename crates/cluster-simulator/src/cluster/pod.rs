//! A pod: its place on a node, its container, and what waits in it.

use std::collections::VecDeque;

use mora_core::{Amount, Millicores, ResourceClaim};

use super::serving::Waiting;

/// CPU usage is known for intervals of so many milliseconds.
const MARK_MILLIS: i64 = 5_000;
/// Half a minute of marks.
const MARKS: usize = 6;

/// Where a pod is in its life.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Phase {
    /// No node has room for it.
    Pending,
    /// Its container starts; so many seconds of the start are done.
    Starting(f64),
    /// It takes requests since this instant, in milliseconds.
    Ready(i64),
    /// Its container ended and starts again at this instant.
    BackOff(i64),
    /// It went with its node; at this instant another pod takes its place.
    Lost(i64),
    /// It takes no more requests and ends at this instant, or when all are served.
    Ending(i64),
    /// The place in the list is free.
    Gone,
}

/// A claim that is to be put in force without a restart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Resize {
    pub(crate) claim: ResourceClaim,
    /// Not before this instant.
    pub(crate) at: i64,
}

/// What was used since some instant.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// Core seconds.
    pub(crate) cpu: f64,
    /// Periods, and those in which it was held back by its limit.
    pub(crate) periods: f64,
    pub(crate) throttled: f64,
}

/// Requests and their work as a fluid: what waits where steps are longer than a period.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Fluid {
    pub(crate) requests: f64,
    pub(crate) work: f64,
}

#[derive(Debug, Clone)]
pub(crate) struct Pod {
    pub(crate) name: String,
    pub(crate) service: usize,
    /// Its number among the pods of its workload; what it receives depends on it.
    pub(crate) place: u64,
    pub(crate) node: Option<usize>,
    /// Of the pod template.
    pub(crate) generation: u32,
    pub(crate) claim: ResourceClaim,
    /// CPU limit in cores; infinite for none.
    pub(crate) cpu_limit: f64,
    pub(crate) phase: Phase,
    pub(crate) resize: Option<Resize>,
    /// Start of the container, in milliseconds.
    pub(crate) started: i64,
    /// Counts the starts of all containers: what was begun in another is lost.
    pub(crate) incarnation: u32,
    /// Milliseconds until a container that ends is started again.
    pub(crate) back_off: i64,
    /// What waits for CPU, the oldest first.
    pub(crate) queue: VecDeque<Waiting>,
    /// Requests that wait for calls.
    pub(crate) held: u32,
    pub(crate) fluid: Fluid,
    /// Core seconds that the limit leaves in this period, and whether it held the pod back.
    pub(crate) budget: f64,
    pub(crate) held_back: bool,
    /// Core seconds it could have used in the last step, and its fair share of the node in this one.
    pub(crate) demand: f64,
    pub(crate) fair: f64,
    /// How many times as long as on an empty node requests take, because of other pods; at least 1.
    pub(crate) stretch: f64,
    /// CPU that it used lately, in cores.
    pub(crate) busy: f64,
    /// Bytes that are used and leaked, and the seconds that brief requests spent in the pod since the last second.
    pub(crate) memory: f64,
    pub(crate) leaked: f64,
    pub(crate) residence: f64,
    /// Since the last second, and since the last minute.
    pub(crate) second: Usage,
    pub(crate) minute_cpu: f64,
    pub(crate) minute_memory: f64,
    /// Core seconds since it was created, and what that was at the last instants.
    pub(crate) total_cpu: f64,
    pub(crate) marks: VecDeque<(i64, f64)>,
    /// Its place in the history of its workload.
    pub(crate) history: usize,
}

impl Pod {
    pub(crate) fn new(service: usize, claim: ResourceClaim) -> Self {
        Self {
            name: String::new(),
            service,
            place: 0,
            node: None,
            generation: 0,
            claim,
            cpu_limit: cores(claim.cpu_limit),
            phase: Phase::Pending,
            resize: None,
            started: 0,
            incarnation: 0,
            back_off: 0,
            queue: VecDeque::new(),
            held: 0,
            fluid: Fluid::default(),
            budget: 0.0,
            held_back: false,
            demand: 0.0,
            fair: f64::INFINITY,
            stretch: 1.0,
            busy: 0.0,
            memory: 0.0,
            leaked: 0.0,
            residence: 0.0,
            second: Usage::default(),
            minute_cpu: 0.0,
            minute_memory: 0.0,
            total_cpu: 0.0,
            marks: VecDeque::with_capacity(MARKS + 1),
            history: usize::MAX,
        }
    }

    /// What it takes of a node's room: a limit alone counts as the request too.
    pub(crate) fn requests(&self) -> Amount {
        requests_of(&self.claim)
    }

    /// It claims something else from now on.
    pub(crate) fn set_claim(&mut self, claim: ResourceClaim) {
        self.claim = claim;
        self.cpu_limit = cores(claim.cpu_limit);
    }

    /// Memory limit in bytes; infinite for none.
    pub(crate) fn memory_limit(&self) -> f64 {
        self.claim.memory_limit.map_or(f64::INFINITY, |limit| limit.get() as f64)
    }

    pub(crate) const fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Ready(_))
    }

    /// Whether its container runs.
    pub(crate) const fn runs(&self) -> bool {
        matches!(self.phase, Phase::Starting(_) | Phase::Ready(_) | Phase::Ending(_))
    }

    /// Whether it counts among the replicas.
    pub(crate) const fn counts(&self) -> bool {
        !matches!(self.phase, Phase::Ending(_) | Phase::Gone)
    }

    /// Requests that are in it.
    pub(crate) fn inside(&self) -> f64 {
        self.queue.len() as f64 + f64::from(self.held) + self.fluid.requests
    }

    /// Notes that CPU was used.
    pub(crate) fn used(&mut self, core_seconds: f64) {
        self.second.cpu += core_seconds;
    }

    /// Its start goes on for `seconds`, as far as it got the CPU it needs.
    pub(crate) fn progress(&mut self, needed: f64, got: f64, seconds: f64) {
        if let Phase::Starting(progress) = &mut self.phase {
            *progress += if needed > 0.0 { seconds * got / needed } else { seconds };
        }
    }

    /// What it used since the last second goes into its sums.
    pub(crate) fn take_second(&mut self, now: i64) -> Usage {
        let usage = std::mem::take(&mut self.second);
        self.total_cpu += usage.cpu;
        self.minute_cpu += usage.cpu;
        if self.marks.back().is_none_or(|(at, _)| now - at >= MARK_MILLIS) {
            if self.marks.len() > MARKS {
                self.marks.pop_front();
            }
            self.marks.push_back((now, self.total_cpu));
        }
        usage
    }

    /// CPU over about the last half a minute, in cores; `None` before two marks.
    pub(crate) fn recent_cpu(&self) -> Option<f64> {
        let (&(from, before), &(to, after)) = (self.marks.front()?, self.marks.back()?);
        (to > from).then(|| (after - before) * 1000.0 / (to - from) as f64)
    }
}

fn cores(limit: Option<Millicores>) -> f64 {
    limit.map_or(f64::INFINITY, Millicores::cores)
}

/// What a claim takes of a node's room.
pub(crate) fn requests_of(claim: &ResourceClaim) -> Amount {
    Amount {
        cpu: claim.cpu_request.or(claim.cpu_limit).unwrap_or_default(),
        memory: claim.memory_request.or(claim.memory_limit).unwrap_or_default(),
    }
}
