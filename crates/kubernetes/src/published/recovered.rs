//! What can be read back of a published plan.

use std::str::FromStr;

use mora_core::{
    Bytes, Decision, Justification, Limit, Limits, Millicores, Plan, PlanStatus, PolicyRevision,
    Recommendation, Rung, Source, Step, Target, Verdict,
};

use crate::custom_resources::{
    Amount, Limited, Origin, Outcome, RecommendationEntry, ResourceEntry, RightsizingPlan,
    RightsizingPlanStatus, StepEntry, StepVerdict,
};

/// The plan of `object`, without schedules, parts, cuts, capacity and violations, which an object does not hold.
///
/// Fails with a sentence that names the field that is wrong.
pub(crate) fn recovered(object: &RightsizingPlan) -> Result<Plan, String> {
    let spec = &object.spec;
    let status = object.status.as_ref().ok_or("it has no status: it was not written to its end")?;
    let slot = u32::try_from(spec.slot_seconds).ok().and_then(Step::from_seconds);
    Ok(Plan {
        schema: Plan::SCHEMA,
        id: spec.plan_id.clone(),
        created_at: spec.created_at,
        status: outcome(status)?,
        start: spec.start,
        slot: slot.ok_or("spec.slotSeconds is no width of a slot")?,
        policy: spec.policy.clone().map(|used| PolicyRevision {
            namespace: used.namespace,
            name: used.name,
            generation: used.generation,
        }),
        capacity: None,
        recommendations: status
            .recommendations
            .iter()
            .enumerate()
            .map(|(i, entry)| {
                recommendation(entry)
                    .map_err(|reason| format!("status.recommendations[{i}].{reason}"))
            })
            .collect::<Result<_, _>>()?,
        cuts: Vec::new(),
        violations: Vec::new(),
        warnings: status.warnings.clone(),
    })
}

fn outcome(status: &RightsizingPlanStatus) -> Result<PlanStatus, String> {
    match status.outcome.ok_or("status.outcome is missing")? {
        Outcome::Complete => Ok(PlanStatus::Complete),
        Outcome::Degraded => Ok(PlanStatus::Degraded),
        Outcome::Violation => Ok(PlanStatus::Violation),
    }
}

fn recommendation(entry: &RecommendationEntry) -> Result<Recommendation, String> {
    let workload = entry.workload.parse().map_err(|e| format!("workload: {e}"))?;
    let (cpu, cpu_limit) = resource::<Millicores>(&entry.cpu).map_err(|e| format!("cpu.{e}"))?;
    let (memory, memory_limit) =
        resource::<Bytes>(&entry.memory).map_err(|e| format!("memory.{e}"))?;
    Ok(Recommendation {
        workload,
        container: entry.container.clone(),
        replicas: count(entry.replicas),
        cpu,
        memory,
        limits: Limits { cpu: cpu_limit, memory: memory_limit },
        autoscaler: None,
        schedule: Vec::new(),
        source: source(entry),
        justification: Justification {
            notes: vec![entry.summary.clone()],
            ..Justification::default()
        },
        decision: entry
            .step
            .as_ref()
            .map(|step| decision(step).map_err(|e| format!("step.{e}")))
            .transpose()?,
    })
}

fn count(count: i32) -> u32 {
    u32::try_from(count).unwrap_or(0)
}

fn source(entry: &RecommendationEntry) -> Source {
    let rungs = [Rung::Ensemble, Rung::SingleMember, Rung::HourOfWeek, Rung::Statistical];
    let rung = rungs.into_iter().find(|rung| Some(rung.as_str()) == entry.rung.as_deref());
    match (entry.source, rung) {
        (Origin::Forecast, Some(rung)) => Source::Forecast {
            rung,
            model_version: entry.model_version.clone().unwrap_or_default(),
        },
        (Origin::Statistical, _) => Source::Statistical,
        (Origin::Baseline | Origin::Forecast, _) => {
            Source::Baseline { reason: entry.summary.clone() }
        }
    }
}

fn resource<Q>(entry: &ResourceEntry) -> Result<(Target<Q>, Limit<Q>), String>
where
    Q: FromStr<Err: ToString>,
{
    let field = |name: &str, amount: &Amount| parsed(amount).map_err(|e| format!("{name}: {e}"));
    let maybe = |name: &str, amount: &Option<Amount>| {
        amount.as_ref().map(|amount| field(name, amount)).transpose()
    };
    let Limited { current, target, fixed } = &entry.limit;
    let limit = Limit {
        current: maybe("limit.current", current)?,
        target: maybe("limit.target", target)?,
        fixed: *fixed,
    };
    let target = Target {
        current: maybe("current", &entry.current)?,
        target: field("target", &entry.target)?,
        lower_bound: field("lowerBound", &entry.lower_bound)?,
        upper_bound: field("upperBound", &entry.upper_bound)?,
        uncapped_target: field("uncappedTarget", &entry.uncapped_target)?,
    };
    Ok((target, limit))
}

fn parsed<Q: FromStr<Err: ToString>>(amount: &Amount) -> Result<Q, String> {
    amount.0.parse().map_err(|error: Q::Err| error.to_string())
}

fn decision(step: &StepEntry) -> Result<Decision, String> {
    Ok(Decision {
        verdict: match step.verdict {
            StepVerdict::Raise => Verdict::Raise,
            StepVerdict::Lower => Verdict::Lower,
            StepVerdict::Hold => Verdict::Hold,
            StepVerdict::RollBack => Verdict::RollBack,
        },
        cpu: step.cpu.as_ref().map(parsed).transpose().map_err(|e| format!("cpu: {e}"))?,
        memory: step.memory.as_ref().map(parsed).transpose().map_err(|e| format!("memory: {e}"))?,
        wave: step.wave.map(count),
        reason: step.reason.clone(),
    })
}
