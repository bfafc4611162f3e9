//! From evidence and policy to a plan.

use std::collections::{BTreeMap, BTreeSet};

use mora_core::{
    Bytes, Capacity, Cut, ForecastPoint, Millicores, Plan, PlanStatus, Recommendation, Source,
    Target, WorkloadRef,
};

use crate::aggregate::Application;
use crate::baseline::baseline_drafts;
use crate::draft::{Draft, Need, forecast_drafts};
use crate::fit_to_capacity::{Claim, Supply, fit_to_capacity};
use crate::priority::inherited;
use crate::{Allowed, Evidence, Policy, RequestShape};

/// The plan for every workload of `evidence` under `policy`; `id` becomes its identifier.
///
/// A workload without a usable forecast is sized by the statistical rule and named in a warning;
/// one without enough history either is named in a warning only. The requests of the plan, over all
/// replicas, never exceed what the capacity and the policy's cap leave.
#[must_use]
pub fn plan(id: &str, evidence: &Evidence, policy: &Policy) -> Plan {
    let application = Application::new(evidence, policy);
    let mut drafting =
        Drafting { warnings: application.traffic.warnings.clone(), ..Drafting::default() };
    for workload in evidence.workloads() {
        drafting.add(workload, &application, evidence, policy);
    }
    drafting.note_strangers(evidence);
    let priorities = inherited(&evidence.workloads(), &application.traffic, policy);
    drafting.finish(id, evidence, policy, &priorities)
}

/// The plan by the statistical rule alone, without forecasts and call graph.
///
/// Of `evidence`, the datasets, the capacity and the times are used; of `policy`, the rule, the
/// bounds, the priorities and the cap.
#[must_use]
pub fn statistical_plan(id: &str, evidence: &Evidence, policy: &Policy) -> Plan {
    let mut drafting = Drafting::default();
    for dataset in evidence.datasets.values() {
        let (drafts, warnings) =
            baseline_drafts(dataset, &Source::Statistical, None, (evidence, policy));
        drafting.missing |= drafts.is_empty();
        drafting.drafts.extend(drafts);
        drafting.warnings.extend(warnings);
    }
    let workloads = evidence.datasets.keys();
    let priorities = workloads.map(|w| (w.clone(), policy.priority(w))).collect();
    drafting.finish(id, evidence, policy, &priorities)
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
    fn add(
        &mut self,
        workload: &WorkloadRef,
        application: &Application<'_>,
        evidence: &Evidence,
        policy: &Policy,
    ) {
        let drafts = evidence.forecast(workload).and_then(|forecast| {
            self.warnings.extend(forecast.warnings.iter().map(|w| format!("{workload}: {w}")));
            forecast_drafts(forecast, application, evidence, policy)
        });
        match drafts {
            Ok(drafts) => self.drafts.extend(drafts),
            Err(reason) => self.fall_back(workload, reason, application, (evidence, policy)),
        }
    }

    /// Sizes `workload` by the statistical rule, because of `reason`.
    fn fall_back(
        &mut self,
        workload: &WorkloadRef,
        reason: String,
        application: &Application<'_>,
        (evidence, policy): (&Evidence, &Policy),
    ) {
        let Some(dataset) = evidence.datasets.get(workload) else {
            self.missing = true;
            self.warnings.push(format!("{workload} is not in the plan: it has no usage history, and no forecast either: {reason}"));
            return;
        };
        let raise = application.raise_of_baseline(dataset);
        let source = Source::Baseline { reason: reason.clone() };
        let (drafts, warnings) =
            baseline_drafts(dataset, &source, raise.as_ref(), (evidence, policy));
        if drafts.is_empty() {
            self.missing = true;
            self.warnings.push(format!("{workload} is not in the plan: its history is not enough, and there is no forecast: {reason}"));
        } else {
            self.warnings.push(format!("{workload} is sized by its baseline: {reason}"));
        }
        self.drafts.extend(drafts);
        self.warnings.extend(warnings);
    }

    /// Names the workloads that take part in calls but were neither observed nor forecast.
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
        evidence: &Evidence,
        policy: &Policy,
        priorities: &BTreeMap<WorkloadRef, i32>,
    ) -> Plan {
        for draft in &mut self.drafts {
            draft.justification.priority = priorities.get(&draft.workload).copied().unwrap_or(0);
        }
        let capacity = evidence.capacity.map(|c| Capacity { cap: policy.cap.get(), ..c });
        let fitted = Fitted::new(&self.drafts, capacity.as_ref(), policy);
        let recommendations: Vec<Recommendation> = (0..self.drafts.len())
            .map(|index| fitted.recommend(index, &self.drafts[index], evidence, policy))
            .collect();
        let cuts: Vec<Cut> =
            self.drafts.iter().enumerate().filter_map(|(i, draft)| fitted.cut(i, draft)).collect();
        let on_baseline =
            recommendations.iter().any(|r| matches!(r.source, Source::Baseline { .. }));
        let status = match (cuts.is_empty(), on_baseline || self.missing) {
            (false, _) => PlanStatus::Violation,
            (true, true) => PlanStatus::Degraded,
            (true, false) => PlanStatus::Complete,
        };
        Plan {
            schema: Plan::SCHEMA,
            id: id.to_owned(),
            created_at: evidence.now,
            status,
            start: evidence.start,
            slot: evidence.slot,
            capacity,
            recommendations,
            cuts,
            warnings: self.warnings,
        }
    }
}

/// The amounts of one resource per draft and slot; a single slot where one request holds for all.
struct Shared {
    wanted: Vec<Vec<u64>>,
    given: Vec<Vec<u64>>,
    /// The slot in which most is missing.
    tightest: usize,
}

impl Shared {
    fn new(drafts: &[Draft], wanted: Vec<Vec<u64>>, supply: Option<Supply>) -> Self {
        let slots = wanted.iter().map(Vec::len).max().unwrap_or(0);
        let mut given = wanted.clone();
        let mut most = (0, 0);
        for slot in 0..slots {
            let Some(supply) = supply else { break };
            let claims: Vec<Claim> = drafts
                .iter()
                .zip(&wanted)
                .map(|(draft, wanted)| Claim {
                    wanted: wanted[slot],
                    replicas: draft.replicas,
                    priority: draft.justification.priority,
                })
                .collect();
            let mut missing = 0;
            for (index, amount) in fit_to_capacity(&claims, supply).into_iter().enumerate() {
                missing +=
                    u128::from(claims[index].wanted - amount) * u128::from(claims[index].replicas);
                given[index][slot] = amount;
            }
            most = if missing > most.1 { (slot, missing) } else { most };
        }
        Self { wanted, given, tightest: most.0 }
    }

    /// What `slot` gets per replica.
    fn given(&self, draft: usize, slot: usize) -> u64 {
        let slots = &self.given[draft];
        slots.get(slot).or(slots.last()).copied().unwrap_or(0)
    }

    /// What is missing over all replicas in the tightest slot.
    fn cut(&self, index: usize, replicas: u32) -> u64 {
        let missing = self.wanted[index][self.tightest] - self.given[index][self.tightest];
        missing.saturating_mul(u64::from(replicas))
    }

    /// What all drafts want over all replicas in the tightest slot.
    fn total_wanted(&self, drafts: &[Draft]) -> u64 {
        let totals =
            self.wanted.iter().zip(drafts).map(|(wanted, draft)| {
                wanted[self.tightest].saturating_mul(u64::from(draft.replicas))
            });
        totals.fold(0, u64::saturating_add)
    }
}

/// The drafts after capacity had its say.
struct Fitted {
    cpu: Shared,
    memory: Shared,
    cpu_reason: String,
    memory_reason: String,
}

impl Fitted {
    fn new(drafts: &[Draft], capacity: Option<&Capacity>, policy: &Policy) -> Self {
        let amounts = |of: &dyn Fn(&Draft) -> Vec<u64>| drafts.iter().map(of).collect();
        let cpu_wanted =
            amounts(&|draft| wanted(&draft.cpu, &policy.cpu, policy.requests, Millicores::get));
        let memory_wanted =
            amounts(&|draft| wanted(&draft.memory, &policy.memory, policy.requests, Bytes::get));
        let cpu_supply = capacity.map(|c| Supply {
            capacity: c.cpu().get(),
            floor: policy.cpu_floor.get(),
            grain: 1,
        });
        let memory_supply = capacity.map(|c| Supply {
            capacity: c.memory().get(),
            floor: policy.memory_floor.get(),
            grain: Bytes::MEBIBYTE.get(),
        });
        let cpu = Shared::new(drafts, cpu_wanted, cpu_supply);
        let memory = Shared::new(drafts, memory_wanted, memory_supply);
        let limit = |supply: Option<Supply>| supply.map_or(0, |s| s.capacity);
        let cpu_reason = format!(
            "all workloads together need {} of CPU where {} can be requested",
            Millicores::new(cpu.total_wanted(drafts)),
            Millicores::new(limit(cpu_supply))
        );
        let memory_reason = format!(
            "all workloads together need {} of memory where {} can be requested",
            Bytes::new(memory.total_wanted(drafts)),
            Bytes::new(limit(memory_supply))
        );
        Self { cpu, memory, cpu_reason, memory_reason }
    }

    fn cut(&self, index: usize, draft: &Draft) -> Option<Cut> {
        let cpu = self.cpu.cut(index, draft.replicas);
        let memory = self.memory.cut(index, draft.replicas);
        let reasons: Vec<&str> = [(cpu, &self.cpu_reason), (memory, &self.memory_reason)]
            .into_iter()
            .filter(|(amount, _)| *amount > 0)
            .map(|(_, reason)| reason.as_str())
            .collect();
        (!reasons.is_empty()).then(|| Cut {
            workload: draft.workload.clone(),
            container: draft.container.clone(),
            cpu: Millicores::new(cpu),
            memory: Bytes::new(memory),
            reason: format!(
                "{}; its priority is {}",
                reasons.join("; "),
                draft.justification.priority
            ),
        })
    }

    fn recommend(
        &self,
        index: usize,
        draft: &Draft,
        evidence: &Evidence,
        policy: &Policy,
    ) -> Recommendation {
        let cpu = Millicores::new(self.cpu.given(index, 0));
        let memory = Bytes::new(self.memory.given(index, 0));
        Recommendation {
            workload: draft.workload.clone(),
            container: draft.container.clone(),
            replicas: draft.replicas,
            cpu: target(&draft.cpu, cpu, draft.claim.cpu_request, (&policy.cpu, policy.requests)),
            memory: target(
                &draft.memory,
                memory,
                draft.claim.memory_request,
                (&policy.memory, policy.requests),
            ),
            schedule: self.schedule(index, draft, evidence, policy),
            source: draft.source.clone(),
            justification: draft.justification.clone(),
        }
    }

    /// The request of every slot, never above what the slot was given.
    fn schedule(
        &self,
        index: usize,
        draft: &Draft,
        evidence: &Evidence,
        policy: &Policy,
    ) -> Vec<ForecastPoint> {
        if !matches!(draft.source, Source::Forecast { .. }) {
            return Vec::new();
        }
        let needs = draft.cpu.slots.iter().zip(&draft.memory.slots);
        needs
            .enumerate()
            .map(|(slot, (cpu, memory))| ForecastPoint {
                start: evidence
                    .start
                    .saturating_add(evidence.slot.times(slot))
                    .unwrap_or(evidence.start),
                cpu: policy.cpu.clamp(*cpu).min(Millicores::new(self.cpu.given(index, slot))),
                memory: policy
                    .memory
                    .clamp(*memory)
                    .min(Bytes::new(self.memory.given(index, slot))),
            })
            .collect()
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

fn target<Q: Ord + Copy + Default>(
    need: &Need<Q>,
    given: Q,
    current: Option<Q>,
    (allowed, shape): (&Allowed<Q>, RequestShape),
) -> Target<Q> {
    let uncapped = match shape {
        RequestShape::Peak => need.slots.iter().copied().max(),
        RequestShape::Schedule => need.slots.first().copied(),
    };
    Target {
        current,
        target: given,
        lower_bound: allowed.clamp(need.lower),
        upper_bound: allowed.clamp(need.upper),
        uncapped_target: uncapped.unwrap_or_default(),
    }
}
