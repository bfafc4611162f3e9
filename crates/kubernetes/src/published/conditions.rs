//! The conditions of a published plan.

use jiff::{Timestamp, Unit};
use mora_core::{Plan, PlanStatus};

use super::{bounded, words};
use crate::custom_resources::{AppliedEntry, AppliedResult, Condition, ConditionStatus};

/// Longest message, in bytes.
const MESSAGE: usize = 1024;

/// Complete, Degraded, WithinCapacity and Applied of a plan that was just made.
pub(crate) fn conditions(plan: &Plan) -> Vec<Condition> {
    let at = plan.created_at;
    vec![
        complete(plan, at),
        degraded(plan, at),
        within_capacity(plan, at),
        applied_condition(&[], at),
    ]
}

fn condition(
    type_: &str,
    (status, reason): (ConditionStatus, &str),
    message: &str,
    at: Timestamp,
) -> Condition {
    Condition {
        type_: type_.to_owned(),
        status,
        reason: reason.to_owned(),
        message: bounded(message, MESSAGE),
        last_transition_time: at.round(Unit::Second).unwrap_or(at),
    }
}

fn complete(plan: &Plan, at: Timestamp) -> Condition {
    let (state, message) = match plan.status {
        PlanStatus::Complete => (
            (ConditionStatus::True, "AllForecast"),
            "every workload is on its forecast and everything fits",
        ),
        PlanStatus::Degraded => (
            (ConditionStatus::False, "Degraded"),
            "some workload is on its baseline, or something could not be read; see the warnings",
        ),
        PlanStatus::Violation => (
            (ConditionStatus::False, "DoesNotFit"),
            "the demand does not fit what the cluster allows; see the violations",
        ),
    };
    condition("Complete", state, message, at)
}

fn degraded(plan: &Plan, at: Timestamp) -> Condition {
    let baselines = words::on_baseline(plan);
    let (state, message) = if baselines > 0 {
        let containers = if baselines == 1 { "container is" } else { "containers are" };
        ((ConditionStatus::True, "Baselines"), format!("{baselines} {containers} on the baseline"))
    } else if plan.status == PlanStatus::Degraded {
        let first = plan.warnings.first().map_or("see the plan's file", String::as_str);
        ((ConditionStatus::True, "Incomplete"), first.to_owned())
    } else {
        ((ConditionStatus::False, "AllForecast"), "no container is on its baseline".to_owned())
    };
    condition("Degraded", state, &message, at)
}

fn within_capacity(plan: &Plan, at: Timestamp) -> Condition {
    let (state, message) = match plan.violations.first() {
        Some(first) => {
            ((ConditionStatus::False, "RulesNotKept"), format!("{}: {}", first.kind, first.reason))
        }
        None if plan.capacity.is_none() => (
            (ConditionStatus::Unknown, "CapacityUnknown"),
            "what the cluster can give is not known".to_owned(),
        ),
        None => (
            (ConditionStatus::True, "Fits"),
            "all requests fit what the cluster and the cap allow".to_owned(),
        ),
    };
    condition("WithinCapacity", state, &message, at)
}

/// Whether the plan was put in force, by what was noted of it.
pub(crate) fn applied_condition(applied: &[AppliedEntry], at: Timestamp) -> Condition {
    let count = |outcome| applied.iter().filter(|entry| entry.outcome == outcome).count();
    let [started, failed, left, done, back] = [
        AppliedResult::Started,
        AppliedResult::Failed,
        AppliedResult::LeftAlone,
        AppliedResult::Applied,
        AppliedResult::RolledBack,
    ]
    .map(count);
    let state = match (started, failed + left, done, back) {
        (0, 0, 0, 0) => (ConditionStatus::False, "NotApplied"),
        (1.., ..) => (ConditionStatus::Unknown, "InProgress"),
        (_, _, 0, 1..) => (ConditionStatus::False, "RolledBack"),
        (_, 0, 1.., 0) => (ConditionStatus::True, "Applied"),
        (_, _, 1.., _) => (ConditionStatus::False, "PartlyApplied"),
        _ => (ConditionStatus::False, "Failed"),
    };
    let message = format!(
        "{done} applied, {started} started, {left} left alone, {failed} failed, {back} rolled back"
    );
    condition("Applied", state, &message, at)
}
