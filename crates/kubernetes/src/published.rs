//! A plan as an object in the cluster: what goes into it, and what can be read back.

mod conditions;
mod entries;
mod recovered;
mod words;

use std::collections::BTreeSet;

use mora_core::{Bytes, Millicores, Plan, PlanStatus, Recommendation, Verdict, WorkloadRef};

use crate::custom_resources::{
    Amount, MOST_ENTRIES, Outcome, PolicyUsed, RequestedPath, RightsizingPlan, RightsizingPlanSpec,
    RightsizingPlanStatus, Totals,
};

pub(crate) use conditions::{applied_condition, conditions};
pub(crate) use recovered::recovered;
pub(crate) use words::bounded;

/// Most bytes of the recommendations of an object: with what may be noted of applying them it stays below the 1.5 MiB
/// that etcd takes.
const MOST_BYTES: usize = 600 << 10;
/// Most violations and warnings that are told.
const MOST_SENTENCES: usize = 100;

/// What was asked of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct AskedFor {
    /// How many hours it plans for, from 1 to 168.
    pub horizon_hours: u32,
    /// Whether the CPU request follows the path at `quantile` instead of that of least cost.
    pub cpu_by_quantile: bool,
    /// The quantile that load and memory follow, in (0, 1).
    pub quantile: f64,
    /// The workloads asked for.
    pub workloads: BTreeSet<WorkloadRef>,
}

/// The name of the object that holds the plan `id`.
#[must_use]
pub fn object_name(id: &str) -> String {
    let lower = id.to_lowercase();
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let name: String = lower.chars().map(|c| if allowed(c) { c } else { '-' }).take(200).collect();
    name.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned()
}

/// The object of `plan`, with its status.
pub(crate) fn object(plan: &Plan, asked: &AskedFor) -> RightsizingPlan {
    let mut object = RightsizingPlan::new(&object_name(&plan.id), spec(plan, asked));
    object.status = Some(status(plan));
    object
}

fn spec(plan: &Plan, asked: &AskedFor) -> RightsizingPlanSpec {
    let listed = asked.workloads.iter().take(MOST_ENTRIES).map(ToString::to_string).collect();
    RightsizingPlanSpec {
        plan_id: plan.id.clone(),
        created_at: plan.created_at,
        start: plan.start,
        horizon_hours: whole(asked.horizon_hours as usize),
        slot_seconds: whole(plan.slot.seconds() as usize),
        cpu_path: if asked.cpu_by_quantile {
            RequestedPath::Quantile
        } else {
            RequestedPath::LeastCost
        },
        quantile: asked.quantile,
        workloads: listed,
        workloads_left_out: whole(asked.workloads.len().saturating_sub(MOST_ENTRIES)),
        policy: plan.policy.clone().map(|policy| PolicyUsed {
            namespace: policy.namespace,
            name: policy.name,
            generation: policy.generation,
        }),
    }
}

fn status(plan: &Plan) -> RightsizingPlanStatus {
    let recommendations = largest(plan);
    let left_out = plan.recommendations.len() - recommendations.len();
    RightsizingPlanStatus {
        outcome: Some(match plan.status {
            PlanStatus::Complete => Outcome::Complete,
            PlanStatus::Degraded => Outcome::Degraded,
            PlanStatus::Violation => Outcome::Violation,
        }),
        summary: Some(words::of_plan(plan, left_out)),
        totals: Some(totals(plan)),
        recommendations: recommendations.into_iter().map(entries::recommendation).collect(),
        recommendations_left_out: whole(left_out),
        violations: plan.violations.iter().take(MOST_SENTENCES).map(entries::violation).collect(),
        violations_left_out: whole(plan.violations.len().saturating_sub(MOST_SENTENCES)),
        warnings: plan.warnings.iter().take(MOST_SENTENCES).map(|w| bounded(w, 1024)).collect(),
        warnings_left_out: whole(plan.warnings.len().saturating_sub(MOST_SENTENCES)),
        conditions: conditions(plan),
        applied: Vec::new(),
    }
}

fn totals(plan: &Plan) -> Totals {
    let workloads: BTreeSet<_> = plan.recommendations.iter().map(|r| &r.workload).collect();
    let cpu_current: Millicores = plan.recommendations.iter().map(in_force_cpu).sum();
    let memory_current: Bytes = plan.recommendations.iter().map(in_force_memory).sum();
    let (cpu, memory) = (plan.total_cpu(), plan.total_memory());
    let share = |part: u64, whole: u64| {
        (whole > 0).then(|| format!("{:.0}%", 100.0 * part as f64 / whole as f64))
    };
    let none = || "-".to_owned();
    let cap_use = plan.capacity.map(|capacity| {
        let cpu = share(cpu.get(), capacity.cpu().get()).unwrap_or_else(none);
        let memory = share(memory.get(), capacity.memory().get()).unwrap_or_else(none);
        format!("{cpu}/{memory}")
    });
    Totals {
        workloads: whole(workloads.len()),
        containers: whole(plan.recommendations.len()),
        changes: whole(plan.recommendations.iter().filter(|r| changes(r)).count()),
        cpu_current: Amount::of(cpu_current),
        cpu_requested: Amount::of(cpu),
        memory_current: Amount::of(memory_current),
        memory_requested: Amount::of(memory),
        cpu_allowed: plan.capacity.map(|c| Amount::of(c.cpu())),
        memory_allowed: plan.capacity.map(|c| Amount::of(whole_mebibytes(c.memory()))),
        cap_use,
    }
}

/// A capacity in bytes ends anywhere; nobody reads more of it than its MiB.
const fn whole_mebibytes(amount: Bytes) -> Bytes {
    Bytes::from_mebibytes(amount.get() >> 20)
}

fn in_force_cpu(recommendation: &Recommendation) -> Millicores {
    let each = recommendation.cpu.current.map_or(0, Millicores::get);
    Millicores::new(each.saturating_mul(u64::from(recommendation.replicas)))
}

fn in_force_memory(recommendation: &Recommendation) -> Bytes {
    let each = recommendation.memory.current.map_or(0, Bytes::get);
    Bytes::new(each.saturating_mul(u64::from(recommendation.replicas)))
}

/// Whether a request of the container changes in this run.
pub(crate) fn changes(recommendation: &Recommendation) -> bool {
    recommendation.decision.as_ref().is_some_and(|d| d.verdict != Verdict::Hold)
}

/// The recommendations that fit an object, in their order: all of them, or those that change most.
fn largest(plan: &Plan) -> Vec<&Recommendation> {
    let mut ranked: Vec<(usize, &Recommendation)> =
        plan.recommendations.iter().enumerate().collect();
    let weight = weight(plan);
    ranked.sort_by(|(_, a), (_, b)| weight(b).total_cmp(&weight(a)));
    let mut room = MOST_BYTES;
    let fits = |(_, recommendation): &(usize, &Recommendation)| {
        let entry = entries::recommendation(recommendation);
        let bytes = serde_json::to_vec(&entry).map_or(0, |text| text.len() + 1);
        room = room.saturating_sub(bytes);
        room > 0
    };
    let mut listed: Vec<_> = ranked.into_iter().take(MOST_ENTRIES).take_while(fits).collect();
    listed.sort_by_key(|(index, _)| *index);
    listed.into_iter().map(|(_, recommendation)| recommendation).collect()
}

/// How much a recommendation changes, as a share of all CPU and memory of the plan; what changes now counts most.
fn weight(plan: &Plan) -> impl Fn(&Recommendation) -> f64 + use<> {
    let cpu = plan.total_cpu().get().max(1) as f64;
    let memory = plan.total_memory().get().max(1) as f64;
    move |r| {
        let apart = |current: u64, target: u64| current.abs_diff(target) as f64;
        let replicas = f64::from(r.replicas);
        let off_cpu = apart(r.cpu.current.map_or(0, Millicores::get), r.cpu.target.get());
        let off_memory = apart(r.memory.current.map_or(0, Bytes::get), r.memory.target.get());
        let now = if changes(r) { 4.0 } else { 0.0 };
        now + replicas * (off_cpu / cpu + off_memory / memory)
    }
}

/// A count as the API writes it.
pub(crate) fn whole(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

#[cfg(test)]
pub(crate) mod tests;
