//! What a plan asks to be changed, by workload: the change gate's decisions, or the slot of the schedule that holds the
//! present.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use mora_core::{
    ApplyMode, Bytes, Decision, ForecastPoint, Millicores, Plan, Recommendation, ResourceClaim,
    Target, Verdict, WorkloadRef,
};

use crate::limit::claim_with;
use crate::{ApplyConfig, LeftAlone, Through};

/// A plan older than this was made from a cluster that nobody remembers.
const OLDEST: SignedDuration = SignedDuration::from_hours(24);
/// Differences of a schedule up to this are left alone, as the change gate leaves them.
const CPU_DEAD_BAND: Millicores = Millicores::new(10);
const MEMORY_DEAD_BAND: Bytes = Bytes::from_mebibytes(16);

/// How a change is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// In the pod template.
    Template,
    /// In the running pods.
    Pods,
    /// In the running pods, else in the pod template.
    PodsOrTemplate,
    /// In the status of VerticalPodAutoscalers.
    Autoscaler,
    /// In files.
    Files,
}

/// What is asked of one container, per replica.
#[derive(Debug, Clone, PartialEq)]
pub struct ContainerIntent {
    /// What it claimed when the plan was made.
    pub from: ResourceClaim,
    /// What it is to claim; the same where it keeps what it has.
    pub to: ResourceClaim,
    /// What the plan says of its CPU request.
    pub cpu: Target<Millicores>,
    /// What the plan says of its memory request.
    pub memory: Target<Bytes>,
}

impl ContainerIntent {
    /// Whether anything is to change.
    #[must_use]
    pub fn changes(&self) -> bool {
        self.from != self.to
    }
}

/// What is asked of one workload.
#[derive(Debug, Clone, PartialEq)]
pub struct Intent {
    /// The workload.
    pub workload: WorkloadRef,
    /// The mode that asks for it.
    pub mode: ApplyMode,
    /// How it is done.
    pub means: Means,
    /// Place in the order of changes, from 1.
    pub wave: u32,
    /// What is asked of its containers, also of those that keep what they have.
    pub containers: BTreeMap<String, ContainerIntent>,
}

/// What a plan asks for under some modes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Intended {
    /// Changes, ordered by wave and workload.
    pub changes: Vec<Intent>,
    /// Workloads with a mode that are left as they are although something should change.
    pub left: Vec<LeftAlone>,
}

/// What `plan` asks for at `now` under the modes of `config`. Workloads whose mode is `off`, and those the change gate holds,
/// are in neither list.
#[must_use]
pub fn intents(plan: &Plan, config: &ApplyConfig, now: Timestamp) -> Intended {
    let mut by_workload: BTreeMap<&WorkloadRef, Vec<&Recommendation>> = BTreeMap::new();
    for recommendation in &plan.recommendations {
        by_workload.entry(&recommendation.workload).or_default().push(recommendation);
    }
    let last = plan.recommendations.iter().filter_map(|r| r.decision.as_ref()?.wave).max();
    let moment = Moment { plan, config, now, after_all: last.unwrap_or(0) + 1 };
    let mut intended = Intended::default();
    for (workload, recommendations) in by_workload {
        match moment.of(workload, &recommendations) {
            Ok(None) => {}
            Ok(Some(intent)) => intended.changes.push(intent),
            Err(reason) => {
                let (workload, mode) = (workload.clone(), config.mode_of(workload));
                intended.left.push(LeftAlone { workload, mode, reason });
            }
        }
    }
    intended.changes.sort_by(|a, b| (a.wave, &a.workload).cmp(&(b.wave, &b.workload)));
    intended
}

/// A plan under some modes at an instant.
struct Moment<'a> {
    plan: &'a Plan,
    config: &'a ApplyConfig,
    now: Timestamp,
    /// The wave after all those of the change gate.
    after_all: u32,
}

impl Moment<'_> {
    /// What is asked of `workload`; `None` where nothing is, and why not where something should be.
    fn of(
        &self,
        workload: &WorkloadRef,
        recommendations: &[&Recommendation],
    ) -> Result<Option<Intent>, String> {
        let mode = self.config.mode_of(workload);
        if mode == ApplyMode::Off {
            return Ok(None);
        }
        self.usable()?;
        let decisions: Option<Vec<&Decision>> =
            recommendations.iter().map(|r| r.decision.as_ref()).collect();
        let decisions = decisions.ok_or(
            "the change gate was not asked about it; let a coordinator make the plan, with its key `state` set",
        )?;
        let rolls_back = decisions.iter().any(|d| d.verdict == Verdict::RollBack);
        let scheduled = mode == ApplyMode::Scheduled
            && !rolls_back
            && recommendations.iter().any(|r| !r.schedule.is_empty());
        let pairs = recommendations.iter().zip(&decisions);
        let containers: BTreeMap<String, ContainerIntent> = pairs
            .map(|(r, decision)| {
                let next = if scheduled {
                    self.slot_of(r, decision)?
                } else {
                    (decision.cpu, decision.memory)
                };
                Ok((r.container.clone(), asked(r, next)))
            })
            .collect::<Result<_, String>>()?;
        if !containers.values().any(ContainerIntent::changes) {
            return Ok(None);
        }
        let wave = decisions.iter().filter_map(|d| d.wave).min();
        let wave =
            if scheduled { self.scheduled_wave(&containers, wave) } else { wave.unwrap_or(1) };
        let means = self.means(mode);
        Ok(Some(Intent { workload: workload.clone(), mode, means, wave, containers }))
    }

    fn usable(&self) -> Result<(), String> {
        let created = self.plan.created_at;
        if self.now.duration_since(created) > OLDEST {
            return Err(format!("the plan is of {created}, more than a day ago; make a new one"));
        }
        Ok(())
    }

    const fn means(&self, mode: ApplyMode) -> Means {
        match mode {
            ApplyMode::Patch | ApplyMode::Off => Means::Template,
            ApplyMode::InPlace => Means::Pods,
            ApplyMode::Vpa => Means::Autoscaler,
            ApplyMode::GitOps => Means::Files,
            ApplyMode::Scheduled => match self.config.scheduled.through {
                Through::InPlace => Means::Pods,
                Through::InPlaceOrPatch => Means::PodsOrTemplate,
                Through::Patch => Means::Template,
            },
        }
    }

    /// The requests of the slot that holds the present; those in force where they differ by little, and for a container without
    /// a schedule what the change gate says.
    fn slot_of(
        &self,
        recommendation: &Recommendation,
        decision: &Decision,
    ) -> Result<(Option<Millicores>, Option<Bytes>), String> {
        let Recommendation { schedule, cpu, memory, .. } = recommendation;
        if schedule.is_empty() {
            return Ok((decision.cpu, decision.memory));
        }
        let holds = |point: &&ForecastPoint| {
            point.start <= self.now && self.now < point.start + self.plan.slot.times(1)
        };
        let slot = schedule.iter().find(holds).ok_or_else(|| {
            format!("the plan's schedule has no slot that holds {}; make a new plan", self.now)
        })?;
        let near = |now: u64, next: u64, least: u64| {
            let apart = now.abs_diff(next);
            apart <= least && apart as f64 <= now as f64 * self.config.scheduled.dead_band
        };
        let near_cpu = |now: &Millicores| near(now.get(), slot.cpu.get(), CPU_DEAD_BAND.get());
        let near_memory = |now: &Bytes| near(now.get(), slot.memory.get(), MEMORY_DEAD_BAND.get());
        Ok((
            Some(cpu.current.filter(near_cpu).unwrap_or(slot.cpu)),
            Some(memory.current.filter(near_memory).unwrap_or(slot.memory)),
        ))
    }

    /// Raises come when the change gate lets them or first, decreases after everything else.
    fn scheduled_wave(
        &self,
        containers: &BTreeMap<String, ContainerIntent>,
        decided: Option<u32>,
    ) -> u32 {
        let raised = |c: &ContainerIntent| {
            c.to.cpu_request > c.from.cpu_request || c.to.memory_request > c.from.memory_request
        };
        if containers.values().any(raised) { decided.unwrap_or(1) } else { self.after_all }
    }
}

/// The container of `recommendation` on its way to the requests `next`.
fn asked(
    recommendation: &Recommendation,
    next: (Option<Millicores>, Option<Bytes>),
) -> ContainerIntent {
    let Recommendation { cpu, memory, limits, .. } = recommendation;
    let from = ResourceClaim {
        cpu_request: cpu.current,
        cpu_limit: limits.cpu.current,
        memory_request: memory.current,
        memory_limit: limits.memory.current,
    };
    let to = claim_with(next, (*cpu, *memory), (limits.cpu, limits.memory));
    ContainerIntent { from, to, cpu: *cpu, memory: *memory }
}

#[cfg(test)]
mod tests;
