//! What one container needs, before the cluster has a say.

use mora_core::{
    Bytes, Cause, Forecast, Justification, Millicores, Quantile, ResourceClaim, Signal,
    SignalForecast, Source, WorkloadRef,
};

use crate::aggregate::{AdjustedCpu, Application, highest, path_at};
use crate::baseline::memory_baseline;
use crate::cpu_path::Chosen;
use crate::evidence::Inputs;
use crate::memory::kept;
use crate::nowcast::lowered;
use crate::parts::{complete, parts};
use crate::{Observed, ObservedContainer};

/// The need for one resource, per replica.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Need<Q> {
    /// The request for each slot.
    pub(crate) slots: Vec<Q>,
    /// Below this it is likely too small.
    pub(crate) lower: Q,
    /// Above this it is likely wasted.
    pub(crate) upper: Q,
}

/// What one container of a workload needs and why.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Draft {
    pub(crate) workload: WorkloadRef,
    pub(crate) container: String,
    /// At least 1.
    pub(crate) replicas: u32,
    pub(crate) claim: ResourceClaim,
    pub(crate) cpu: Need<Millicores>,
    pub(crate) memory: Need<Bytes>,
    pub(crate) source: Source,
    pub(crate) justification: Justification,
}

/// One container's share of its workload.
struct Container<'a> {
    name: String,
    claim: ResourceClaim,
    cpu_share: f64,
    memory_share: f64,
    observed: Option<&'a ObservedContainer>,
}

/// The needs of a workload's containers by its forecast.
///
/// Fails with the reason, a sentence, where the forecast has no usable CPU or memory.
pub(crate) fn forecast_drafts(
    forecast: &Forecast,
    application: &Application<'_>,
) -> Result<Vec<Draft>, String> {
    let Inputs { evidence, policy } = application.inputs;
    let cpu = application.adjusted_cpu(forecast).ok_or("its forecast has no CPU")?;
    let signal = &forecast.signals[&Signal::Cpu];
    let observed = evidence.observed.get(&forecast.workload);
    let chosen = Chosen::new(signal, policy).ok_or("its forecast has no CPU")?;
    let path = lowered(chosen.path, application.nowcast(&forecast.workload));
    let quiet = quiet_note(chosen.path, &path);
    let replicas = observed.map_or(forecast.replicas, |observed| observed.replicas).max(1);
    let source =
        Source::Forecast { rung: signal.rung, model_version: forecast.model_version.clone() };
    let mut drafts = Vec::new();
    for part in containers(forecast, observed) {
        let share = part.cpu_share / f64::from(replicas);
        let need = cpu_need(forecast, &cpu, &path, share);
        let slot = policy.requests.deciding_slot(&need.slots);
        let memory = memory_need(forecast, &part, application.inputs)?;
        let notes = cpu.justification.notes.iter().chain(&chosen.notes).chain(&quiet).cloned();
        let justification = Justification {
            request_record: chosen.record,
            cpu_parts: cpu_parts(signal, &cpu, (chosen.path, &path), (slot, share)),
            memory_parts: memory.parts,
            decided_by: Some(forecast.slot_start(slot)),
            data_from: observed.and_then(|observed| observed.data_from),
            data_until: Some(forecast.data_until),
            notes: notes.chain(memory.note).collect(),
            ..cpu.justification.clone()
        };
        drafts.push(Draft {
            workload: forecast.workload.clone(),
            container: part.name,
            replicas,
            claim: part.claim,
            cpu: need,
            memory: memory.need,
            source: source.clone(),
            justification,
        });
    }
    Ok(drafts)
}

/// The containers that were observed; where none was, the pod as a whole under the workload's name.
fn containers<'a>(forecast: &Forecast, observed: Option<&'a Observed>) -> Vec<Container<'a>> {
    let containers = observed.into_iter().flat_map(|observed| &observed.containers);
    let part = |(name, container): (&String, &'a ObservedContainer)| Container {
        name: name.clone(),
        claim: container.claim,
        cpu_share: container.cpu_share,
        memory_share: container.memory_share,
        observed: Some(container),
    };
    let found: Vec<Container<'a>> = containers.map(part).collect();
    if !found.is_empty() {
        return found;
    }
    let name = forecast.workload.name().to_owned();
    let claim = ResourceClaim::default();
    vec![Container { name, claim, cpu_share: 1.0, memory_share: 1.0, observed: None }]
}

/// `share` of the CPU by `path`, adjusted; the bounds are the median and the highest quantile, adjusted alike.
fn cpu_need(forecast: &Forecast, cpu: &AdjustedCpu, path: &[f64], share: f64) -> Need<Millicores> {
    let amount = |cores: f64| Millicores::from_cores(cores * share).unwrap_or_default();
    let paths = &forecast.signals[&Signal::Cpu].paths;
    let peak =
        |path: Option<&Vec<f64>>| amount(path.map_or(0.0, |path| highest(&cpu.adjusted(path))));
    let slots: Vec<Millicores> = cpu.adjusted(path).into_iter().map(amount).collect();
    let most = slots.iter().copied().max().unwrap_or_default();
    Need {
        lower: peak(median(paths)).min(most),
        upper: peak(paths.values().next_back()).max(most),
        slots,
    }
}

/// The sentence about a first slot that the last half hour made cheaper.
fn quiet_note(chosen: &[f64], lowered: &[f64]) -> Option<String> {
    let (asked, expected) = (chosen.first()?, lowered.first()?);
    (expected < asked).then(|| {
        format!("the last half hour lets expect {expected:.3} cores in this slot, where {asked:.3} were forecast")
    })
}

fn median(paths: &std::collections::BTreeMap<Quantile, Vec<f64>>) -> Option<&Vec<f64>> {
    paths.iter().find(|(quantile, _)| quantile.get() >= 0.5).map(|(_, path)| path)
}

/// What one replica's CPU in the deciding slot is made of, of which `path` is `chosen` as the last hour lowered it.
fn cpu_parts(
    signal: &SignalForecast,
    cpu: &AdjustedCpu,
    (chosen, path): (&[f64], &[f64]),
    (slot, share): (usize, f64),
) -> Vec<mora_core::Part> {
    let at = |path: &[f64]| path.get(slot).copied().unwrap_or(0.0) * share;
    let total = |cores: f64| Millicores::from_cores(cores).unwrap_or_default().get();
    parts(&[
        (Cause::OwnForecast, total(at(median(&signal.paths).map_or(&[], Vec::as_slice)))),
        (Cause::Margin, total(at(chosen))),
        (Cause::LastHour, total(at(path))),
        (Cause::Callers, total(at(&cpu.adjusted(path)))),
    ])
}

/// A container's need for memory and where it comes from.
struct MemoryNeed {
    need: Need<Bytes>,
    parts: Vec<mora_core::Part>,
    /// A sentence where its history raised it.
    note: Option<String>,
}

/// Memory is the same in every slot: what a process holds it seldom gives back.
fn memory_need(
    forecast: &Forecast,
    part: &Container<'_>,
    inputs: Inputs<'_>,
) -> Result<MemoryNeed, String> {
    let Inputs { evidence, policy } = inputs;
    let (need, mut parts) = if let Some(signal) = forecast.signals.get(&Signal::Memory) {
        forecast_memory(signal, part.memory_share, inputs)
    } else {
        let need = part.observed.and_then(|container| container.baseline.as_ref().ok());
        let need = need.ok_or("its forecast has no memory and its history not enough of it")?;
        (memory_baseline(need, evidence.slots), parts(&[(Cause::Baseline, need.memory.get())]))
    };
    let (need, note) = match part.observed {
        Some(container) => kept(need, container, policy, evidence.now),
        None => (need, None),
    };
    complete(&mut parts, Cause::History, need.slots.first().copied().unwrap_or_default().get());
    Ok(MemoryNeed { need, parts, note })
}

/// `share` of the memory by the policy's quantile and margin.
fn forecast_memory(
    signal: &SignalForecast,
    share: f64,
    Inputs { evidence, policy }: Inputs<'_>,
) -> (Need<Bytes>, Vec<mora_core::Part>) {
    let margin = 1.0 + policy.memory_margin.get();
    let amount = |path: Option<&[f64]>, factor: f64| {
        let bytes = highest(path.unwrap_or_default()) * factor * share;
        Bytes::from_measured(bytes).unwrap_or_default()
    };
    let target = amount(path_at(signal, policy.quantile).map(|(_, path)| path), margin);
    let lower = amount(median(&signal.paths).map(Vec::as_slice), 1.0).min(target);
    let need = Need {
        slots: vec![target; evidence.slots],
        lower,
        upper: amount(signal.paths.values().next_back().map(Vec::as_slice), margin).max(target),
    };
    (need, parts(&[(Cause::OwnForecast, lower.get()), (Cause::Margin, target.get())]))
}
