//! What one container needs, before the cluster has a say.

use mora_core::{
    Bytes, Dataset, Forecast, Justification, Millicores, Quantile, ResourceClaim, Signal,
    SignalForecast, Source, WorkloadRef,
};

use crate::aggregate::{AdjustedCpu, Application, highest, path_at};
use crate::baseline::memory_baseline;
use crate::cpu_path::Chosen;
use crate::evidence::Inputs;
use crate::memory::kept;

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

/// One container's part of its workload.
struct Part {
    container: String,
    claim: ResourceClaim,
    cpu_share: f64,
    memory_share: f64,
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
    let chosen = Chosen::new(signal, policy).ok_or("its forecast has no CPU")?;
    let dataset = evidence.datasets.get(&forecast.workload);
    let replicas = dataset.map_or(forecast.replicas, Dataset::current_replicas).max(1);
    let source =
        Source::Forecast { rung: signal.rung, model_version: forecast.model_version.clone() };
    let mut drafts = Vec::new();
    for part in parts(forecast, dataset) {
        let share = part.cpu_share / f64::from(replicas);
        let need = cpu_need(forecast, &cpu, chosen.path, share);
        let (memory, memory_note) = memory_need(forecast, &part, application.inputs)?;
        let notes = cpu.justification.notes.iter().chain(&chosen.notes).cloned();
        let justification = Justification {
            request_record: chosen.record,
            notes: notes.chain(memory_note).collect(),
            ..cpu.justification.clone()
        };
        drafts.push(Draft {
            workload: forecast.workload.clone(),
            container: part.container,
            replicas,
            claim: part.claim,
            cpu: need,
            memory,
            source: source.clone(),
            justification,
        });
    }
    Ok(drafts)
}

/// The containers that were observed; where none was, the pod as a whole under the workload's name.
fn parts(forecast: &Forecast, dataset: Option<&Dataset>) -> Vec<Part> {
    let observed = dataset.into_iter().flat_map(|dataset| {
        dataset.shares().into_iter().map(|(container, (cpu_share, memory_share))| {
            let claim = dataset.containers[&container].claim;
            Part { container, claim, cpu_share, memory_share }
        })
    });
    let parts: Vec<Part> = observed.collect();
    if !parts.is_empty() {
        return parts;
    }
    let container = forecast.workload.name().to_owned();
    vec![Part { container, claim: ResourceClaim::default(), cpu_share: 1.0, memory_share: 1.0 }]
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

fn median(paths: &std::collections::BTreeMap<Quantile, Vec<f64>>) -> Option<&Vec<f64>> {
    paths.iter().find(|(quantile, _)| quantile.get() >= 0.5).map(|(_, path)| path)
}

/// Memory is the same in every slot: what a process holds it seldom gives back. With a sentence where its history
/// raised it.
fn memory_need(
    forecast: &Forecast,
    part: &Part,
    inputs: Inputs<'_>,
) -> Result<(Need<Bytes>, Option<String>), String> {
    let Inputs { evidence, policy } = inputs;
    let dataset = evidence.datasets.get(&forecast.workload);
    let usage = dataset.and_then(|dataset| dataset.containers.get(&part.container));
    let need = match forecast.signals.get(&Signal::Memory) {
        Some(signal) => forecast_memory(signal, part.memory_share, inputs),
        None => usage
            .and_then(|usage| memory_baseline(usage, policy, evidence.slots))
            .ok_or("its forecast has no memory and its history not enough of it")?,
    };
    Ok(match usage {
        Some(usage) => kept(need, usage, policy, evidence.now),
        None => (need, None),
    })
}

/// `share` of the memory by the policy's quantile and margin.
fn forecast_memory(
    signal: &SignalForecast,
    share: f64,
    Inputs { evidence, policy }: Inputs<'_>,
) -> Need<Bytes> {
    let margin = 1.0 + policy.memory_margin.get();
    let amount = |path: Option<&[f64]>, factor: f64| {
        let bytes = highest(path.unwrap_or_default()) * factor * share;
        Bytes::from_measured(bytes).unwrap_or_default()
    };
    let target = amount(path_at(signal, policy.quantile).map(|(_, path)| path), margin);
    Need {
        slots: vec![target; evidence.slots],
        lower: amount(median(&signal.paths).map(Vec::as_slice), 1.0).min(target),
        upper: amount(signal.paths.values().next_back().map(Vec::as_slice), margin).max(target),
    }
}
