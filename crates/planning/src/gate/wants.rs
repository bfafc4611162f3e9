//! What one container would change, were there room and budget for everything.

use jiff::{SignedDuration, Timestamp};
use mora_core::{Dataset, Recommendation};

use super::resource::Resource;
use super::rules::GateRules;
use super::state::{Agreement, ContainerState, Hold};
use super::when;

/// Runs closer than this see the same usage: a collector collects every five minutes.
const NEW_EVIDENCE: SignedDuration = SignedDuration::from_mins(5);
/// How far back usage counts as that of now.
const RECENT: SignedDuration = SignedDuration::from_mins(15);
/// How far back memory counts as in use.
const HELD: SignedDuration = SignedDuration::from_hours(1);

/// What is wanted for one resource of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Want {
    /// Nothing, and why, as the rest of a sentence.
    Stay(String),
    /// A change.
    Go(Go),
}

/// A wanted change of one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Go {
    pub(super) way: Way,
    pub(super) to: u64,
    /// Whether a recent run already let it through.
    pub(super) repeated: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Back,
    Up,
    Down,
}

/// What binds all containers of a workload.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing<'a> {
    /// When the workload may change again, if that is later than now.
    pub(super) cooling_until: Option<Timestamp>,
    /// When one of its containers was last seen changed.
    pub(super) changed_at: Option<Timestamp>,
    pub(super) hold: Option<&'a Hold>,
    /// Whether there are earlier runs to agree with.
    pub(super) remembers: bool,
}

/// One container and the rules it is judged by.
#[derive(Clone, Copy)]
pub(super) struct Container<'a> {
    pub(super) recommendation: &'a Recommendation,
    pub(super) dataset: Option<&'a Dataset>,
    pub(super) rules: &'a GateRules,
    pub(super) now: Timestamp,
}

impl<'a> Standing<'a> {
    pub(super) fn new(
        states: &[Option<&'a ContainerState>],
        remembers: bool,
        rules: &GateRules,
        now: Timestamp,
    ) -> Self {
        let known = || states.iter().copied().flatten();
        let last = known().filter_map(ContainerState::last_change).max();
        let free = last.map(|t| t.saturating_add(rules.cool_down()).unwrap_or(Timestamp::MAX));
        let hold = known().filter_map(|state| state.hold.as_ref()).max_by_key(|hold| hold.until);
        let changed_at = known().filter_map(|state| state.changed_at).max();
        Self { cooling_until: free.filter(|free| now < *free), changed_at, hold, remembers }
    }
}

impl Container<'_> {
    /// Counts this run for or against a decrease of each resource.
    pub(super) fn agree(&self, state: &mut ContainerState) {
        for resource in Resource::ALL {
            let goal = self.leads_down(resource).then(|| self.goal(resource));
            state.agreement(resource).count(goal, self.now, NEW_EVIDENCE);
        }
    }

    /// Whether usage is above the request of a resource.
    pub(super) fn starves(&self) -> bool {
        let above = |resource: Resource| {
            let used = self.used(resource, RECENT);
            used.zip(resource.current(self.recommendation)).is_some_and(|(used, c)| used > c)
        };
        Resource::ALL.into_iter().any(above)
    }

    /// What is wanted for `resource`.
    pub(super) fn want(
        &self,
        resource: Resource,
        state: Option<&ContainerState>,
        standing: &Standing<'_>,
    ) -> Want {
        let Some(state) = state else {
            return Want::Stay("what is in force is not known".to_owned());
        };
        let back = self.back(resource, state).or_else(|| self.repeated(resource, state, standing));
        if let Some(go) = back {
            return Want::Go(go);
        }
        let current = resource.current(self.recommendation);
        let target = resource.target(self.recommendation);
        if current.is_some_and(|current| self.within_dead_band(resource, current)) {
            return Want::Stay(self.near(resource));
        }
        if let Some(until) = standing.cooling_until {
            let text = format!(
                "the workload changed or was told to, and may change again at {}",
                when(until)
            );
            return Want::Stay(text);
        }
        match current.filter(|current| target < *current) {
            None => Want::Go(Go { way: Way::Up, to: target, repeated: false }),
            Some(current) => self.down(resource, current, state, standing),
        }
    }

    /// The way back from a decrease that did harm.
    fn back(&self, resource: Resource, state: &ContainerState) -> Option<Go> {
        let restore = state.hold.as_ref()?.restore?.get(resource)?;
        let current = resource.current(self.recommendation)?;
        let to = restore.max(resource.target(self.recommendation));
        (restore > current).then_some(Go { way: Way::Back, to, repeated: false })
    }

    /// What an earlier run let through and is not in force yet, as long as it still leads the right way.
    fn repeated(
        &self,
        resource: Resource,
        state: &ContainerState,
        standing: &Standing<'_>,
    ) -> Option<Go> {
        // Once a part is in force, the rest is a change of its own.
        let still = |at| standing.changed_at.is_none_or(|changed| changed <= at);
        let to = state.decided.filter(|decided| still(decided.at))?.requests.get(resource)?;
        let current = resource.current(self.recommendation).unwrap_or(0);
        let goal = self.goal(resource);
        if current < to && to <= goal {
            return Some(Go { way: Way::Up, to, repeated: true });
        }
        let down = goal <= to && to < current && standing.hold.is_none();
        down.then_some(Go { way: Way::Down, to, repeated: true })
    }

    fn down(
        &self,
        resource: Resource,
        current: u64,
        state: &ContainerState,
        standing: &Standing<'_>,
    ) -> Want {
        let Agreement { runs, highest, .. } = state.agreed(resource);
        let needed = self.rules.agreeing_runs;
        if !standing.remembers {
            let text = "a decrease needs earlier runs to agree with, and nothing remembers them; set `state` to a folder";
            return Want::Stay(text.to_owned());
        }
        if let Some(hold) = standing.hold {
            let until = when(hold.until);
            return Want::Stay(format!(
                "nothing is lowered until {until}, because {}",
                hold.reason
            ));
        }
        if runs < needed {
            let to = resource.text(self.goal(resource));
            return Want::Stay(format!("{runs} of {needed} runs in a row want a decrease to {to}"));
        }
        let to = self.goal(resource).max(highest).max(self.rules.step_down(resource, current));
        Want::Go(Go { way: Way::Down, to, repeated: false })
    }

    /// Where `resource` would go in the end: the target, but a decrease of memory ends at what is used.
    fn goal(&self, resource: Resource) -> u64 {
        let target = resource.target(self.recommendation);
        let current = resource.current(self.recommendation);
        match (resource, current) {
            (Resource::Memory, Some(current)) if target < current => {
                let lower = self.recommendation.memory.lower_bound.get();
                let used = self.used(resource, HELD).unwrap_or(0).max(lower);
                let grain = resource.grain();
                (used.div_ceil(grain).saturating_mul(grain)).clamp(target, current)
            }
            _ => target,
        }
    }

    fn within_dead_band(&self, resource: Resource, current: u64) -> bool {
        self.goal(resource).abs_diff(current) <= self.rules.dead_band(resource, current)
    }

    fn leads_down(&self, resource: Resource) -> bool {
        let current = resource.current(self.recommendation);
        current.is_some_and(|c| self.goal(resource) < c && !self.within_dead_band(resource, c))
    }

    fn near(&self, resource: Resource) -> String {
        let (goal, target) = (self.goal(resource), resource.target(self.recommendation));
        let text = resource.text(target);
        if goal == target {
            format!("it is near enough to its target of {text}")
        } else {
            let used = resource.text(goal);
            format!("it is near enough to the {used} in use, which its target of {text} is below")
        }
    }

    /// The most that a pod used on average over the last `past`, or for memory at its highest.
    fn used(&self, resource: Resource, past: SignedDuration) -> Option<u64> {
        let container = self.dataset?.containers.get(&self.recommendation.container)?;
        let from = self.now.saturating_sub(past).unwrap_or(Timestamp::MIN);
        let (pods, unit) = match resource {
            Resource::Cpu => (&container.cpu, 1000.0),
            Resource::Memory => (&container.memory, 1.0),
        };
        let recent = pods.values().map(|series| series.between(from, self.now));
        let used = recent.filter_map(|series| {
            if resource == Resource::Cpu {
                series.mean()
            } else {
                series.observed().reduce(f64::max)
            }
        });
        used.reduce(f64::max).map(|used| (used * unit).ceil() as u64)
    }
}
