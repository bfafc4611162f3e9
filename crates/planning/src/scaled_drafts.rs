//! Drafts of workloads that an autoscaler scales on CPU.

use std::collections::BTreeMap;

use mora_core::{Cause, ClusterState, Millicores, WorkloadRef};

use crate::autoscale::{Autoscaled, Scaling};
use crate::draft::{Draft, Need};
use crate::parts::complete;

/// Divides the CPU of every workload that is scaled on it over the replicas it will have at the peak of its
/// forecast; returns how each of them scales.
///
/// Its request is the same in every slot: replicas follow the load, and a request that followed it too
/// would move what they are scaled by.
pub(crate) fn divide_over_peak_replicas(
    drafts: &mut [Draft],
    cluster: &ClusterState,
    rule: Autoscaled,
) -> BTreeMap<WorkloadRef, Scaling> {
    let mut scalings = BTreeMap::new();
    if rule == Autoscaled::Ignore {
        return scalings;
    }
    for pod in drafts.chunk_by_mut(|a, b| a.workload == b.workload) {
        let Some(autoscaler) = cluster.autoscalers.get(&pod[0].workload) else { continue };
        let claimed = pod
            .iter()
            .try_fold(Millicores::ZERO, |sum, draft| Some(sum + draft.claim.cpu_request?));
        let peak = peak(pod);
        let scaling = claimed.and_then(|request| Scaling::new(*autoscaler, request, peak));
        let Some(scaling) = scaling else {
            let note = "its HorizontalPodAutoscaler does not scale on CPU, or not all its containers have a CPU request, so its replicas are taken as they are";
            for draft in pod {
                draft.justification.notes.push(note.to_owned());
            }
            continue;
        };
        let workload = pod[0].workload.clone();
        for draft in pod {
            divide(draft, &scaling, rule);
        }
        scalings.insert(workload, scaling);
    }
    scalings
}

/// CPU of all pods in the highest slot.
fn peak(pod: &[Draft]) -> Millicores {
    let slots = pod.iter().map(|draft| draft.cpu.slots.len()).min().unwrap_or(0);
    let in_slot = |slot: usize| -> u64 {
        pod.iter().map(|draft| draft.cpu.slots[slot].get()).fold(0, u64::saturating_add)
    };
    let each = (0..slots).map(in_slot).max().unwrap_or(0);
    Millicores::new(each.saturating_mul(u64::from(pod[0].replicas)))
}

fn divide(draft: &mut Draft, scaling: &Scaling, rule: Autoscaled) {
    let replicas = scaling.peak_replicas();
    let headroom = if rule == Autoscaled::KeepTarget { scaling.headroom() } else { 1.0 };
    let factor = f64::from(draft.replicas) / f64::from(replicas) * headroom;
    let most = draft.cpu.slots.iter().copied().max().unwrap_or_default();
    draft.cpu = Need {
        slots: vec![most.scaled(factor); draft.cpu.slots.len()],
        lower: draft.cpu.lower.scaled(factor),
        upper: draft.cpu.upper.scaled(factor),
    };
    complete(&mut draft.justification.cpu_parts, Cause::Replicas, most.scaled(factor).get());
    if replicas != draft.replicas {
        draft.justification.notes.push(format!(
            "its CPU is divided over the {replicas} replicas its HorizontalPodAutoscaler asks for at the peak, not over the {} of now",
            draft.replicas
        ));
    }
    if scaling.autoscaler.other_metrics {
        draft.justification.notes.push(
            "its HorizontalPodAutoscaler scales on other metrics too, which can ask for more replicas"
                .to_owned(),
        );
    }
    draft.replicas = replicas;
}
