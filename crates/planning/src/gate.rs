//! The change gate: how fast what is in force may follow the targets of a plan.
//!
//! A target moves with every forecast; a request that followed it every time would cost more restarts than it
//! saves. The gate lets a change through if it is large enough, agreed on, not too soon after the last one,
//! within the budget of the run and under the cap, says in which order changes are made, and takes back a
//! decrease that did harm. What is in force is what was observed, whoever set it. Nothing here reads a clock or
//! a file: what is remembered comes in as a [`GateState`] and goes out as the next one.

mod admit;
mod observe;
mod regression;
mod resource;
mod rules;
mod state;
mod wants;
mod waves;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use mora_core::{CallGraph, Dataset, Decision, Plan, Recommendation, Verdict, WorkloadRef};

pub use rules::{GateRules, RegressionRules};
pub use state::GateState;

use admit::{Fate, Fates, Move, Proposal, Room, Urgency, admit};
use observe::Sighting;
use resource::Resource;
use state::{ContainerState, Decided, Requests};
use wants::{Container, Go, Standing, Want, Way};
use words::{Outcome, reason, when};

/// What the gate sees besides the plan.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// Who calls whom: the order of changes.
    pub graph: &'a CallGraph,
    /// How each workload did: usage, out-of-memory kills, latency and errors; a workload can be missing.
    pub datasets: &'a BTreeMap<WorkloadRef, Dataset>,
    /// When the plan is made.
    pub now: Timestamp,
}

/// Sets the decision of every recommendation of `plan` and returns what the next run has to know.
///
/// With `None` for `previous` nothing is remembered: requests are set and raised, but no decrease is made. The
/// first run of a gate that remembers starts from [`GateState::default`].
pub fn gate(
    plan: &mut Plan,
    surroundings: Surroundings<'_>,
    rules: &GateRules,
    previous: Option<&GateState>,
) -> GateState {
    let mut state = previous.cloned().unwrap_or_default();
    let run = Run { plan, surroundings, rules, remembers: previous.is_some() };
    run.observe(&mut state);
    let decisions = run.decide(&state);
    for (recommendation, decision) in plan.recommendations.iter_mut().zip(decisions) {
        remember(&mut state, recommendation, &decision, surroundings.now);
        recommendation.decision = Some(decision);
    }
    state.forget(surroundings.now);
    state
}

/// Notes what was let through, so that the next run knows it before it is seen in force.
fn remember(
    state: &mut GateState,
    recommendation: &Recommendation,
    decision: &Decision,
    now: Timestamp,
) {
    let known = state.get(&recommendation.workload, &recommendation.container);
    let Some(mut container) = known.cloned() else { return };
    let requests = Requests { cpu: decision.cpu, memory: decision.memory };
    let open = container.decided.filter(|decided| decided.leaves(requests, container.requests));
    if decision.verdict != Verdict::Hold || open.is_some() {
        // What is left of an earlier decision keeps its time; what was left out of it is over.
        container.decided = Some(Decided { at: open.map_or(now, |decided| decided.at), requests });
        state.insert(recommendation, container);
    }
}

/// One run of the gate.
#[derive(Clone, Copy)]
struct Run<'a> {
    plan: &'a Plan,
    surroundings: Surroundings<'a>,
    rules: &'a GateRules,
    remembers: bool,
}

/// The recommendations of one workload, in order of container.
type Group<'a> = Vec<&'a Recommendation>;

impl<'a> Run<'a> {
    fn container(&self, recommendation: &'a Recommendation) -> Container<'a> {
        let dataset = self.surroundings.datasets.get(&recommendation.workload);
        Container { recommendation, dataset, rules: self.rules, now: self.surroundings.now }
    }

    /// Brings `state` up to what is seen now.
    fn observe(&self, state: &mut GateState) {
        for recommendation in &self.plan.recommendations {
            let container = self.container(recommendation);
            let Container { dataset, now, .. } = container;
            let sighting = Sighting { recommendation, dataset, now };
            let remembered = state.get(&recommendation.workload, &recommendation.container);
            if let Some(mut seen) = sighting.observe(remembered, self.rules) {
                if sighting.known() {
                    container.agree(&mut seen);
                }
                state.insert(recommendation, seen);
            }
        }
    }

    /// The decision for every recommendation, in the order of the plan.
    fn decide(&self, state: &GateState) -> Vec<Decision> {
        let groups = self.groups();
        let wants: Wants<'a> = groups.values().flat_map(|group| self.wants(group, state)).collect();
        let proposals = groups.values().flat_map(|group| self.proposals(group, &wants)).collect();
        let room = Room::new(self.plan.capacity.as_ref(), &self.plan.recommendations);
        let fates = admit(proposals, room, self.rules, groups.len());
        let outcomes: Vec<Outcome<'_>> = self
            .plan
            .recommendations
            .iter()
            .map(|recommendation| outcome(recommendation, &wants, &fates, state))
            .collect();
        let waves = self.waves(&outcomes);
        outcomes.iter().map(|outcome| decision(outcome, &waves)).collect()
    }

    fn groups(&self) -> BTreeMap<&'a WorkloadRef, Group<'a>> {
        let mut groups: BTreeMap<&WorkloadRef, Group<'a>> = BTreeMap::new();
        for recommendation in &self.plan.recommendations {
            groups.entry(&recommendation.workload).or_default().push(recommendation);
        }
        for group in groups.values_mut() {
            group.sort_by_key(|r| &r.container);
        }
        groups
    }

    fn wants(&self, group: &Group<'a>, state: &GateState) -> Vec<(Key<'a>, Want)> {
        let known = |r: &Recommendation| state.get(&r.workload, &r.container);
        let states: Vec<Option<&ContainerState>> = group.iter().map(|r| known(r)).collect();
        let standing = Standing::new(&states, self.remembers, self.rules, self.surroundings.now);
        let each = |(recommendation, state): (&&'a Recommendation, Option<&ContainerState>)| {
            let container = self.container(recommendation);
            let key =
                |resource| (&recommendation.workload, recommendation.container.as_str(), resource);
            Resource::ALL.map(|r| (key(r), container.want(r, state, &standing)))
        };
        group.iter().zip(states.iter().copied()).flat_map(each).collect()
    }

    /// The raises and the decreases of a workload, each as one change.
    fn proposals(&self, group: &Group<'a>, wants: &Wants<'a>) -> Vec<Proposal<'a>> {
        let moves = |down: bool| -> Vec<Move<'a>> {
            let all = group.iter().flat_map(|r| Resource::ALL.map(|resource| (*r, resource)));
            let wanted = all.filter_map(|(recommendation, resource)| {
                let go = wanted(recommendation, resource, wants)?;
                Some(Move { recommendation, resource, go })
            });
            wanted.filter(|change| (change.go.way == Way::Down) == down).collect()
        };
        let starving = group.iter().any(|r| self.container(r).starves());
        [moves(false), moves(true)]
            .into_iter()
            .filter_map(|moves| {
                let first = moves.first()?.recommendation;
                let urgency = urgency(&moves, starving);
                let priority = group.iter().map(|r| r.justification.priority).max()?;
                Some(Proposal { workload: &first.workload, urgency, priority, moves })
            })
            .collect()
    }

    fn waves(&self, outcomes: &[Outcome<'a>]) -> BTreeMap<&'a WorkloadRef, u32> {
        let of = |down: bool| -> BTreeSet<&'a WorkloadRef> {
            let changed = outcomes.iter().filter(|o| {
                o.verdict() != Verdict::Hold && (o.verdict() == Verdict::Lower) == down
            });
            changed.map(|o| &o.recommendation.workload).collect()
        };
        waves::waves(self.surroundings.graph, &of(false), &of(true))
    }
}

/// A resource of a container.
type Key<'a> = (&'a WorkloadRef, &'a str, Resource);
type Wants<'a> = BTreeMap<Key<'a>, Want>;

fn wanted(recommendation: &Recommendation, resource: Resource, wants: &Wants<'_>) -> Option<Go> {
    let key = (&recommendation.workload, recommendation.container.as_str(), resource);
    match wants.get(&key) {
        Some(Want::Go(go)) => Some(*go),
        _ => None,
    }
}

fn urgency(moves: &[Move<'_>], starving: bool) -> Urgency {
    let any = |of: fn(&Go) -> bool| moves.iter().any(|change| of(&change.go));
    if any(|go| go.way == Way::Back) {
        Urgency::RollBack
    } else if any(|go| go.repeated) {
        Urgency::Repeated
    } else if any(|go| go.way == Way::Down) {
        Urgency::Lower
    } else if starving {
        Urgency::Starving
    } else {
        Urgency::Raise
    }
}

fn outcome<'a>(
    recommendation: &'a Recommendation,
    wants: &Wants<'a>,
    fates: &Fates<'a>,
    state: &GateState,
) -> Outcome<'a> {
    let stay = |why: &str| (None, why.to_owned());
    let part = |resource| {
        let key = (&recommendation.workload, recommendation.container.as_str(), resource);
        let go = wanted(recommendation, resource, wants);
        match (wants.get(&key), fates.get(&key), go) {
            (_, Some(Fate::Made { to }), Some(go)) => (Some((go, *to)), String::new()),
            (_, Some(Fate::Waits(why)), _) | (Some(Want::Stay(why)), ..) => stay(why),
            _ => stay("nothing is wanted"),
        }
    };
    let container = state.get(&recommendation.workload, &recommendation.container);
    let harm = container.and_then(|c| c.hold.as_ref()).map(|hold| hold.reason.clone());
    Outcome { recommendation, parts: Resource::ALL.map(part), harm }
}

fn decision(outcome: &Outcome<'_>, waves: &BTreeMap<&WorkloadRef, u32>) -> Decision {
    let verdict = outcome.verdict();
    let mut requests = Requests::in_force(outcome.recommendation);
    for (resource, (change, _)) in Resource::ALL.into_iter().zip(&outcome.parts) {
        if let Some((_, to)) = change {
            requests.set(resource, *to);
        }
    }
    let wave = waves.get(&outcome.recommendation.workload).copied();
    Decision {
        verdict,
        cpu: requests.cpu,
        memory: requests.memory,
        wave: wave.filter(|_| verdict != Verdict::Hold),
        reason: reason(outcome),
    }
}

#[cfg(test)]
mod bench;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
