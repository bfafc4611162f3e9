//! Entries of a published plan's lists.

use std::fmt::Display;

use mora_core::{Decision, Limit, Recommendation, Source, Target, Verdict, Violation, WorkloadRef};

use super::{bounded, whole, words};
use crate::custom_resources::{
    Amount, Limited, Origin, RecommendationEntry, ResourceEntry, StepEntry, StepVerdict,
    ViolationEntry,
};

/// Longest sentence of an entry, in bytes.
const SENTENCE: usize = 512;

pub(super) fn recommendation(recommendation: &Recommendation) -> RecommendationEntry {
    let Recommendation { cpu, memory, limits, source, .. } = recommendation;
    let (origin, rung, model_version) = match source {
        Source::Forecast { rung, model_version } => {
            (Origin::Forecast, Some(rung.as_str().to_owned()), Some(bounded(model_version, 128)))
        }
        Source::Baseline { .. } => (Origin::Baseline, None, None),
        Source::Statistical => (Origin::Statistical, None, None),
    };
    RecommendationEntry {
        workload: recommendation.workload.to_string(),
        container: recommendation.container.clone(),
        replicas: whole(recommendation.replicas as usize),
        cpu: resource(*cpu, limits.cpu),
        memory: resource(*memory, limits.memory),
        step: recommendation.decision.as_ref().map(step),
        source: origin,
        rung,
        model_version,
        summary: bounded(&words::of_recommendation(recommendation), SENTENCE),
    }
}

fn resource<Q: Display>(target: Target<Q>, limit: Limit<Q>) -> ResourceEntry {
    ResourceEntry {
        current: target.current.map(Amount::of),
        target: Amount::of(target.target),
        lower_bound: Amount::of(target.lower_bound),
        upper_bound: Amount::of(target.upper_bound),
        uncapped_target: Amount::of(target.uncapped_target),
        limit: Limited {
            current: limit.current.map(Amount::of),
            target: limit.target.map(Amount::of),
            fixed: limit.fixed,
        },
    }
}

fn step(decision: &Decision) -> StepEntry {
    StepEntry {
        verdict: match decision.verdict {
            Verdict::Raise => StepVerdict::Raise,
            Verdict::Lower => StepVerdict::Lower,
            Verdict::Hold => StepVerdict::Hold,
            Verdict::RollBack => StepVerdict::RollBack,
        },
        cpu: decision.cpu.map(Amount::of),
        memory: decision.memory.map(Amount::of),
        wave: decision.wave.map(|wave| whole(wave as usize)),
        reason: bounded(&decision.reason, SENTENCE),
    }
}

pub(super) fn violation(violation: &Violation) -> ViolationEntry {
    ViolationEntry {
        kind: violation.kind.as_str().to_owned(),
        workload: violation.workload.as_ref().map(WorkloadRef::to_string),
        container: violation.container.clone(),
        missing: violation.shortfall.to_string(),
        reason: bounded(&violation.reason, SENTENCE),
    }
}
