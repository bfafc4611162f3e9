//! From evidence and policy to a plan.

use std::collections::{BTreeMap, BTreeSet};

use mora_core::{Capacity, Plan, PlanStatus, Recommendation, Source, Violation, WorkloadRef};

use crate::aggregate::Application;
use crate::baseline::baseline_drafts;
use crate::draft::{Draft, forecast_drafts};
use crate::evidence::Inputs;
use crate::fitted::{Allowance, Fitted, seats};
use crate::priority::inherited;
use crate::recent::{followed, unusual};
use crate::scaled_drafts::divide_over_peak_replicas;
use crate::{Evidence, Policy};

/// The plan for every workload of `evidence` under `policy`; `id` becomes its identifier.
///
/// A workload without a usable forecast is sized by the statistical rule and named in a warning;
/// one without enough history either is named in a warning only. The requests of the plan, over all
/// replicas, never exceed what the capacity and the policy's cap leave.
#[must_use]
pub fn plan(id: &str, evidence: &Evidence, policy: &Policy) -> Plan {
    let unusual = unusual(evidence, policy);
    let followed = followed(evidence, &unusual);
    let evidence = followed.as_ref();
    let inputs = Inputs { evidence, policy };
    let application = Application::new(inputs, unusual);
    let mut drafting = Drafting::default();
    drafting.warnings.clone_from(&application.traffic.warnings);
    let workloads = evidence.workloads();
    for workload in &workloads {
        drafting.add(workload, &application);
    }
    drafting.note_strangers(evidence, &workloads);
    let own = |workload: &WorkloadRef| evidence.priority(workload, policy);
    let priorities = inherited(&workloads, &application.traffic, &own);
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
    let priorities = workloads.map(|w| (w.clone(), evidence.priority(w, policy))).collect();
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
        let forecast = application.forecast(workload);
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
    fn note_strangers(&mut self, evidence: &Evidence, known: &BTreeSet<&WorkloadRef>) {
        let ends = evidence.graph.edges().flat_map(|(caller, callee, _)| [caller, callee]);
        let strangers: BTreeSet<&WorkloadRef> = ends.filter(|end| !known.contains(*end)).collect();
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
        let cluster = evidence.cluster.as_ref();
        let divide =
            |cluster| divide_over_peak_replicas(&mut self.drafts, cluster, policy.autoscaled);
        let scalings = cluster.map(divide).unwrap_or_default();
        let capacity = evidence.capacity.map(|c| Capacity { cap: policy.cap.get(), ..c });
        let seats = seats(&self.drafts);
        let allowance = Allowance { capacity: capacity.as_ref(), cluster };
        let fitted = Fitted::new(&self.drafts, &seats, &scalings, allowance, policy);
        let recommend = |i| fitted.recommend(i, evidence.start, evidence.slot);
        let recommendations: Vec<_> = (0..seats.len()).map(recommend).collect();
        let violations = fitted.violations(cluster);
        let cuts = fitted.cuts(&violations);
        self.warnings.extend(cluster.into_iter().flat_map(|c| c.warnings.iter().cloned()));
        let blind = cluster.is_some_and(|cluster| cluster.nodes.is_none());
        Plan {
            schema: Plan::SCHEMA,
            id: id.to_owned(),
            created_at: evidence.now,
            status: status(&recommendations, &violations, self.missing || blind),
            start: evidence.start,
            slot: evidence.slot,
            policy: None,
            capacity,
            recommendations,
            cuts,
            violations,
            warnings: self.warnings,
        }
    }
}

fn status(
    recommendations: &[Recommendation],
    violations: &[Violation],
    missing: bool,
) -> PlanStatus {
    let on_baseline = |r: &Recommendation| matches!(r.source, Source::Baseline { .. });
    if !violations.is_empty() {
        PlanStatus::Violation
    } else if missing || recommendations.iter().any(on_baseline) {
        PlanStatus::Degraded
    } else {
        PlanStatus::Complete
    }
}

#[cfg(test)]
mod tests;
