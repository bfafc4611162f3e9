//! The needs of a workload by the statistical rule, which is the same for every slot.

use mora_core::{
    Bytes, ContainerUsage, Dataset, Justification, Millicores, Source, StatisticalRule,
};

use crate::Policy;
use crate::draft::{Draft, Need};
use crate::evidence::Inputs;
use crate::memory::kept;

/// The needs of a workload's containers by the rule, and a sentence for each container it cannot size.
///
/// `raise` multiplies CPU for a load the history does not show, with the reason.
pub(crate) fn baseline_drafts(
    dataset: &Dataset,
    source: &Source,
    raise: Option<&(f64, String)>,
    Inputs { evidence, policy }: Inputs<'_>,
) -> (Vec<Draft>, Vec<String>) {
    let (mut drafts, mut warnings) = (Vec::new(), Vec::new());
    let factor = raise.map_or(1.0, |(factor, _)| *factor);
    for (container, usage) in &dataset.containers {
        let needs = match needs(usage, &policy.statistical, factor, evidence.slots) {
            Ok(needs) => needs,
            Err(error) => {
                let workload = &dataset.workload;
                warnings
                    .push(format!("{workload} container {container} is not in the plan: {error}"));
                continue;
            }
        };
        let (memory, note) = kept(needs.1, usage, policy, evidence.now);
        let notes = raise.iter().map(|(_, reason)| reason.clone()).chain(note).collect();
        drafts.push(Draft {
            workload: dataset.workload.clone(),
            container: container.clone(),
            replicas: dataset.current_replicas(),
            claim: usage.claim,
            cpu: needs.0,
            memory,
            source: source.clone(),
            justification: Justification { notes, ..Justification::default() },
        });
    }
    (drafts, warnings)
}

/// The memory need of one container by the rule; `None` with too few samples.
pub(crate) fn memory_baseline(
    usage: &ContainerUsage,
    policy: &Policy,
    slots: usize,
) -> Option<Need<Bytes>> {
    let rule = &policy.statistical;
    needs(usage, rule, 1.0, slots).ok().map(|(_, memory)| memory)
}

/// The lower bounds are median CPU and memory without a margin; the upper ones the maximum of CPU
/// and memory with twice the margin.
fn needs(
    usage: &ContainerUsage,
    rule: &StatisticalRule,
    factor: f64,
    slots: usize,
) -> Result<(Need<Millicores>, Need<Bytes>), mora_core::TooFewSamples> {
    let with = |cpu_percentile, margins: f64| {
        let memory_margin_percent = margins * rule.memory_margin_percent;
        StatisticalRule { cpu_percentile, memory_margin_percent, ..*rule }.recommend(usage)
    };
    let (low, high) = (with(50.0, 0.0)?, with(100.0, 2.0)?);
    let target = rule.recommend(usage)?;
    let cpu = Need {
        slots: vec![target.cpu.scaled(factor); slots],
        lower: low.cpu.min(target.cpu).scaled(factor),
        upper: high.cpu.scaled(factor),
    };
    let memory = Need { slots: vec![target.memory; slots], lower: low.memory, upper: high.memory };
    Ok((cpu, memory))
}
