//! From evidence and policy to a plan.

use std::collections::{BTreeMap, BTreeSet};

use mora_core::{
    Bytes, Capacity, Cause, Cut, ForecastPoint, Justification, Millicores, Plan, PlanStatus,
    Recommendation, Source, Target, WorkloadRef,
};

use crate::aggregate::Application;
use crate::baseline::baseline_drafts;
use crate::draft::{Draft, Need, forecast_drafts};
use crate::evidence::Inputs;
use crate::parts::complete;
use crate::priority::inherited;
use crate::shared::Shared;
use crate::{Allowed, Evidence, Policy, RequestShape};

/// The plan for every workload of `evidence` under `policy`; `id` becomes its identifier.
///
/// A workload without a usable forecast is sized by the statistical rule and named in a warning;
/// one without enough history either is named in a warning only. The requests of the plan, over all
/// replicas, never exceed what the capacity and the policy's cap leave.
#[must_use]
pub fn plan(id: &str, evidence: &Evidence, policy: &Policy) -> Plan {
    let inputs = Inputs { evidence, policy };
    let application = Application::new(inputs);
    let mut drafting = Drafting::default();
    drafting.warnings.clone_from(&application.traffic.warnings);
    for workload in evidence.workloads() {
        drafting.add(workload, &application);
    }
    drafting.note_strangers(evidence);
    let priorities = inherited(&evidence.workloads(), &application.traffic, policy);
    drafting.finish(id, inputs, &priorities)
}

/// The plan by the statistical rule alone, without forecasts and call graph.
///
/// Of `evidence`, what was observed, the capacity and the times are used; of `policy`, the rule, the
/// bounds, the priorities and the cap.
#[must_use]
pub fn statistical_plan(id: &str, evidence: &Evidence, policy: &Policy) -> Plan {
    let inputs = Inputs { evidence, policy };
    let mut drafting = Drafting::default();
    for (workload, observed) in &evidence.observed {
        let source = (&Source::Statistical, None);
        let (drafts, warnings) = baseline_drafts(workload, observed, source, inputs);
        drafting.missing |= drafts.is_empty();
        drafting.drafts.extend(drafts);
        drafting.warnings.extend(warnings);
    }
    let workloads = evidence.observed.keys();
    let priorities = workloads.map(|w| (w.clone(), policy.priority(w))).collect();
    drafting.finish(id, inputs, &priorities)
}

/// What is collected workload by workload.
#[derive(Default)]
struct Drafting {
    drafts: Vec<Draft>,
    warnings: Vec<String>,
    /// Whether a workload could not be sized at all.
    missing: bool,
}

impl Drafting {
    fn add(&mut self, workload: &WorkloadRef, application: &Application<'_>) {
        let forecast = application.inputs.evidence.forecast(workload);
        let drafts = forecast.and_then(|forecast| {
            let mut drafts = forecast_drafts(forecast, application)?;
            for draft in &mut drafts {
                draft.justification.notes.extend(forecast.warnings.iter().cloned());
            }
            Ok(drafts)
        });
        match drafts {
            Ok(drafts) => self.drafts.extend(drafts),
            Err(reason) => self.fall_back(workload, &reason, application),
        }
    }

    /// Sizes `workload` by the statistical rule, because of `reason`.
    fn fall_back(&mut self, workload: &WorkloadRef, reason: &str, application: &Application<'_>) {
        let Some(observed) = application.inputs.evidence.observed.get(workload) else {
            self.leave_out(workload, "it has no usage history", reason);
            return;
        };
        let raise = application.raise_of_baseline(workload);
        let source = Source::Baseline { reason: reason.to_owned() };
        let source = (&source, raise.as_ref());
        let (drafts, warnings) = baseline_drafts(workload, observed, source, application.inputs);
        if drafts.is_empty() {
            self.leave_out(workload, "its usage history is too short", reason);
        } else {
            self.warnings.push(format!("{workload} is sized by its baseline: {reason}"));
        }
        self.drafts.extend(drafts);
        self.warnings.extend(warnings);
    }

    fn leave_out(&mut self, workload: &WorkloadRef, history: &str, reason: &str) {
        self.missing = true;
        self.warnings.push(format!(
            "{workload} is not in the plan: {history}, and there is no forecast either: {reason}"
        ));
    }

    /// Names the workloads that take part in calls but were neither observed nor asked for a forecast.
    fn note_strangers(&mut self, evidence: &Evidence) {
        let known = evidence.workloads();
        let strangers: BTreeSet<&WorkloadRef> =
            evidence.graph.workloads().difference(&known).copied().collect();
        self.warnings.extend(strangers.into_iter().map(|workload| {
            format!("{workload} is in the call graph but not in the plan: it has neither usage history nor a forecast")
        }));
    }

    fn finish(
        mut self,
        id: &str,
        Inputs { evidence, policy }: Inputs<'_>,
        priorities: &BTreeMap<WorkloadRef, i32>,
    ) -> Plan {
        for draft in &mut self.drafts {
            draft.justification.priority = priorities.get(&draft.workload).copied().unwrap_or(0);
        }
        let capacity = evidence.capacity.map(|c| Capacity { cap: policy.cap.get(), ..c });
        let fitted = Fitted::new(&self.drafts, capacity.as_ref(), policy);
        let drafts = || self.drafts.iter().enumerate();
        let recommendations: Vec<_> =
            drafts().map(|(i, draft)| fitted.recommend(i, draft, evidence)).collect();
        let cuts: Vec<Cut> = drafts().filter_map(|(i, draft)| fitted.cut(i, draft)).collect();
        Plan {
            schema: Plan::SCHEMA,
            id: id.to_owned(),
            created_at: evidence.now,
            status: status(&recommendations, &cuts, self.missing),
            start: evidence.start,
            slot: evidence.slot,
            capacity,
            recommendations,
            cuts,
            warnings: self.warnings,
        }
    }
}

fn status(recommendations: &[Recommendation], cuts: &[Cut], missing: bool) -> PlanStatus {
    let on_baseline = |r: &Recommendation| matches!(r.source, Source::Baseline { .. });
    if !cuts.is_empty() {
        PlanStatus::Violation
    } else if missing || recommendations.iter().any(on_baseline) {
        PlanStatus::Degraded
    } else {
        PlanStatus::Complete
    }
}

/// The drafts after capacity had its say.
struct Fitted<'a> {
    policy: &'a Policy,
    cpu: Shared,
    memory: Shared,
}

impl<'a> Fitted<'a> {
    fn new(drafts: &[Draft], capacity: Option<&Capacity>, policy: &'a Policy) -> Self {
        let shape = policy.requests;
        let cpu = drafts.iter().map(|d| wanted(&d.cpu, &policy.cpu, shape, Millicores::get));
        let memory = drafts.iter().map(|d| wanted(&d.memory, &policy.memory, shape, Bytes::get));
        let (cpu, memory) = (cpu.collect(), memory.collect());
        Self {
            cpu: Shared::new(drafts, cpu, capacity.map(|c| policy.cpu_supply(c))),
            memory: Shared::new(drafts, memory, capacity.map(|c| policy.memory_supply(c))),
            policy,
        }
    }

    fn cut(&self, index: usize, draft: &Draft) -> Option<Cut> {
        let cpu = Millicores::new(self.cpu.cut(index, draft.replicas));
        let memory = Bytes::new(self.memory.cut(index, draft.replicas));
        let mut reasons = Vec::new();
        if cpu > Millicores::ZERO {
            reasons.push(self.cpu.shortage("CPU", |amount| Millicores::new(amount).to_string()));
        }
        if memory > Bytes::ZERO {
            reasons.push(self.memory.shortage("memory", |amount| Bytes::new(amount).to_string()));
        }
        (!reasons.is_empty()).then(|| Cut {
            workload: draft.workload.clone(),
            container: draft.container.clone(),
            cpu,
            memory,
            reason: format!(
                "{} at priority {}",
                reasons.join(", and "),
                draft.justification.priority
            ),
        })
    }

    fn recommend(&self, index: usize, draft: &Draft, evidence: &Evidence) -> Recommendation {
        let shape = self.policy.requests;
        let cpu = target(&draft.cpu, &self.policy.cpu, shape);
        let memory = target(&draft.memory, &self.policy.memory, shape);
        Recommendation {
            workload: draft.workload.clone(),
            container: draft.container.clone(),
            replicas: draft.replicas,
            cpu: Target {
                current: draft.claim.cpu_request,
                target: Millicores::new(self.cpu.given(index, 0)),
                ..cpu
            },
            memory: Target {
                current: draft.claim.memory_request,
                target: Bytes::new(self.memory.given(index, 0)),
                ..memory
            },
            schedule: self.schedule(index, draft, evidence),
            source: draft.source.clone(),
            justification: self.explained(index, draft, (cpu.target, memory.target)),
            decision: None,
        }
    }

    /// The reasoning of the draft, with what bounds and cluster made of the needs.
    fn explained(
        &self,
        index: usize,
        draft: &Draft,
        (cpu, memory): (Millicores, Bytes),
    ) -> Justification {
        let mut justification = draft.justification.clone();
        let parts = &mut justification.cpu_parts;
        complete(parts, Cause::Bounds, self.policy.cpu.clamp(cpu).get());
        complete(parts, Cause::Cluster, self.cpu.given(index, 0));
        let parts = &mut justification.memory_parts;
        complete(parts, Cause::Bounds, self.policy.memory.clamp(memory).get());
        complete(parts, Cause::Cluster, self.memory.given(index, 0));
        justification
    }

    /// The request of every slot, never above what the slot was given.
    fn schedule(&self, index: usize, draft: &Draft, evidence: &Evidence) -> Vec<ForecastPoint> {
        if !matches!(draft.source, Source::Forecast { .. }) {
            return Vec::new();
        }
        let point = |(slot, (cpu, memory)): (usize, (&Millicores, &Bytes))| {
            let offset = evidence.slot.times(slot);
            let cpu_given = Millicores::new(self.cpu.given(index, slot));
            let memory_given = Bytes::new(self.memory.given(index, slot));
            ForecastPoint {
                start: evidence.start.saturating_add(offset).unwrap_or(evidence.start),
                cpu: self.policy.cpu.clamp(*cpu).min(cpu_given),
                memory: self.policy.memory.clamp(*memory).min(memory_given),
            }
        };
        draft.cpu.slots.iter().zip(&draft.memory.slots).enumerate().map(point).collect()
    }
}

/// What is asked for within the bounds: per slot, or once for the highest slot.
fn wanted<Q: Ord + Copy>(
    need: &Need<Q>,
    allowed: &Allowed<Q>,
    shape: RequestShape,
    amount: fn(Q) -> u64,
) -> Vec<u64> {
    let bounded = need.slots.iter().map(|slot| amount(allowed.clamp(*slot)));
    match shape {
        RequestShape::Schedule => bounded.collect(),
        RequestShape::Peak => vec![bounded.max().unwrap_or(0)],
    }
}

/// The bounds of a recommendation, and its target as if there were no policy.
fn target<Q: Ord + Copy + Default>(
    need: &Need<Q>,
    allowed: &Allowed<Q>,
    shape: RequestShape,
) -> Target<Q> {
    let needed = match shape {
        RequestShape::Peak => need.slots.iter().copied().max(),
        RequestShape::Schedule => need.slots.first().copied(),
    };
    let needed = needed.unwrap_or_default();
    Target {
        current: None,
        target: needed,
        lower_bound: allowed.clamp(need.lower),
        upper_bound: allowed.clamp(need.upper),
        uncapped_target: needed,
    }
}

#[cfg(test)]
mod tests;
