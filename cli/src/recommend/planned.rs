//! What was found as a plan, which `mora apply` puts in force.

use jiff::Timestamp;
use mora_core::{
    Decision, Justification, Limit, Limits, Plan, Recommendation, Source, Target, Verdict,
    WorkloadRef,
};
use mora_scan::{Change, Proposed, Row};

use super::Found;

/// The plan of forecasts, or else one of what usage alone recommends.
///
/// Fails when several clusters were scanned: a plan is for one.
pub(super) fn plan(mut found: Vec<Found>, now: Timestamp) -> anyhow::Result<Plan> {
    anyhow::ensure!(found.len() == 1, "a plan is for one cluster; give one --context");
    let Found { rows, plan } = found.remove(0);
    if let Some(mut plan) = plan {
        plan.recommendations.iter_mut().for_each(decide);
        return Ok(plan);
    }
    let planned = rows.rows.iter().filter_map(recommendation);
    let mut recommendations: Vec<Recommendation> = planned.collect();
    recommendations.sort_by(|a, b| (&a.workload, &a.container).cmp(&(&b.workload, &b.container)));
    let mut warnings = rows.warnings;
    let left_out = rows.rows.len() - recommendations.len();
    if left_out > 0 {
        warnings.push(format!(
            "{left_out} containers are not in the plan: nothing is recommended for them, or plans do not know the kind of their owner"
        ));
    }
    let id = format!("scan-{}", now.strftime("%Y%m%dT%H%M%SZ"));
    Ok(Plan { warnings, ..Plan::complete(id, now, recommendations) })
}

/// Lets all of a recommendation through that no change gate was asked about: whoever writes a plan by hand decides by applying
/// it. What is raised comes first.
fn decide(recommendation: &mut Recommendation) {
    if recommendation.decision.is_some() {
        return;
    }
    let (cpu, memory) = (&recommendation.cpu, &recommendation.memory);
    let raises = cpu.current.is_none_or(|now| cpu.target > now)
        || memory.current.is_none_or(|now| memory.target > now);
    let lowers = cpu.current.is_some_and(|now| cpu.target < now)
        || memory.current.is_some_and(|now| memory.target < now);
    let (verdict, wave) = match (raises, lowers) {
        (true, _) => (Verdict::Raise, Some(1)),
        (false, true) => (Verdict::Lower, Some(2)),
        (false, false) => (Verdict::Hold, None),
    };
    recommendation.decision = Some(Decision {
        verdict,
        cpu: Some(cpu.target),
        memory: Some(memory.target),
        wave,
        reason: "it was asked for by hand: the whole way at once, without a change gate".to_owned(),
    });
}

/// `None` for a row without requests, and for an owner whose kind plans do not know.
fn recommendation(row: &Row) -> Option<Recommendation> {
    let workload: WorkloadRef = row.owner().workload()?;
    let mut recommendation = Recommendation {
        workload,
        container: row.container.clone(),
        replicas: row.replicas,
        cpu: target(row.cpu.request)?,
        memory: target(row.memory.request)?,
        limits: Limits { cpu: limit(row.cpu.limit), memory: limit(row.memory.limit) },
        autoscaler: None,
        schedule: Vec::new(),
        source: Source::Statistical,
        justification: Justification { notes: row.notes.clone(), ..Justification::default() },
        decision: None,
    };
    decide(&mut recommendation);
    Some(recommendation)
}

fn target<Q: Copy>(change: Change<Q>) -> Option<Target<Q>> {
    let target = change.recommended.value()?;
    Some(Target {
        current: change.current,
        target,
        lower_bound: target,
        upper_bound: target,
        uncapped_target: target,
    })
}

fn limit<Q: Copy>(change: Change<Q>) -> Limit<Q> {
    let target = match change.recommended {
        Proposed::Value(limit) => Some(limit),
        Proposed::Unset => None,
        Proposed::Unknown => change.current,
    };
    Limit { current: change.current, target, fixed: false }
}
