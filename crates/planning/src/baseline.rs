//! The needs of a workload by the statistical rule, which is the same for every slot.

use mora_core::{Bytes, Cause, Justification, Millicores, Source, WorkloadRef};

use crate::draft::{Draft, Need};
use crate::evidence::Inputs;
use crate::memory::kept;
use crate::parts::parts;
use crate::{BaselineNeed, Observed};

/// The needs of a workload's containers by the rule, and a sentence for each container it cannot size.
///
/// `raise` multiplies CPU for a load the history does not show, with the reason.
pub(crate) fn baseline_drafts(
    workload: &WorkloadRef,
    observed: &Observed,
    (source, raise): (&Source, Option<&(f64, String)>),
    Inputs { evidence, policy }: Inputs<'_>,
) -> (Vec<Draft>, Vec<String>) {
    let (mut drafts, mut warnings) = (Vec::new(), Vec::new());
    for (name, container) in &observed.containers {
        let need = match &container.baseline {
            Ok(need) => need,
            Err(reason) => {
                warnings.push(format!("{workload} container {name} is not in the plan: {reason}"));
                continue;
            }
        };
        let memory = memory_baseline(need, evidence.slots);
        let (memory, note) = kept(memory, container, policy, evidence.now);
        let cpu = cpu_baseline(need, raise.map_or(1.0, |(factor, _)| *factor), evidence.slots);
        let notes = raise.iter().map(|(_, reason)| reason.clone()).chain(note).collect();
        let held = memory.slots.first().copied().unwrap_or_default();
        let raised = cpu.slots.first().copied().unwrap_or_default();
        let justification = Justification {
            notes,
            cpu_parts: parts(&[(Cause::Baseline, need.cpu.get()), (Cause::Callers, raised.get())]),
            memory_parts: parts(&[
                (Cause::Baseline, need.memory.get()),
                (Cause::History, held.get()),
            ]),
            data_from: observed.data_from,
            data_until: observed.data_until,
            ..Justification::default()
        };
        drafts.push(Draft {
            workload: workload.clone(),
            container: name.clone(),
            replicas: observed.replicas,
            claim: container.claim,
            cpu,
            memory,
            source: source.clone(),
            justification,
        });
    }
    (drafts, warnings)
}

/// The memory need by the rule: without a margin below, with twice the margin above.
pub(crate) fn memory_baseline(need: &BaselineNeed, slots: usize) -> Need<Bytes> {
    Need { slots: vec![need.memory; slots], lower: need.memory_lower, upper: need.memory_upper }
}

/// The CPU need by the rule, times `factor`: the median below, the maximum above.
fn cpu_baseline(need: &BaselineNeed, factor: f64, slots: usize) -> Need<Millicores> {
    Need {
        slots: vec![need.cpu.scaled(factor); slots],
        lower: need.cpu_lower.scaled(factor),
        upper: need.cpu_upper.scaled(factor),
    }
}
