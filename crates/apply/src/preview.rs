//! What would be changed, shown before anything is.

use std::collections::BTreeMap;
use std::path::Path;

use mora_core::{ApplyMode, WorkloadRef};

use crate::actuator::said;
use crate::check::{Verdict, pod_change, template_change};
use crate::diff::of_containers;
use crate::{Actuator, ApplyConfig, Intent, LeftAlone, Means, Pair, git_ops};

/// What would become of one workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// The workload.
    pub workload: WorkloadRef,
    /// Its mode.
    pub mode: ApplyMode,
    /// Place in the order of changes; `None` where there is none to make.
    pub wave: Option<u32>,
    /// The change as a unified difference; empty where nothing would change.
    pub diff: String,
    /// Why nothing would change although something should; `None` otherwise.
    pub left: Option<String>,
}

impl From<LeftAlone> for Preview {
    fn from(LeftAlone { workload, mode, reason }: LeftAlone) -> Self {
        Self { workload, mode, wave: None, diff: String::new(), left: Some(reason) }
    }
}

/// What would become of `intent` of `plan` on `actuator`, which is only read; nothing is read for changes of files.
pub async fn preview(
    plan: &str,
    intent: &Intent,
    actuator: Option<&impl Actuator>,
    config: &ApplyConfig,
) -> Preview {
    let shown = match (intent.means, actuator) {
        (Means::Files, _) => of_files(intent, config),
        (_, None) => Err("no cluster is connected".to_owned()),
        (Means::Template, Some(actuator)) => of_template(plan, intent, actuator).await,
        (Means::Pods, Some(actuator)) => of_pods(plan, intent, actuator).await,
        (Means::PodsOrTemplate, Some(actuator)) => match of_pods(plan, intent, actuator).await {
            Err(_) => of_template(plan, intent, actuator).await,
            shown => shown,
        },
        (Means::Autoscaler, Some(_)) => Ok(of_autoscaler(plan, intent)),
    };
    let (diff, left) = match shown {
        Ok(diff) => (diff, None),
        Err(reason) => (String::new(), Some(reason)),
    };
    let Intent { workload, mode, wave, .. } = intent;
    Preview { workload: workload.clone(), mode: *mode, wave: Some(*wave), diff, left }
}

fn headlines(plan: &str, intent: &Intent, of: &str) -> (String, String) {
    let Intent { workload, mode, wave, .. } = intent;
    (format!("{workload}{of}, now"), format!("{workload}{of}, plan {plan}, {mode}, wave {wave}"))
}

fn shown(headlines: &(String, String), containers: &BTreeMap<String, Pair>) -> String {
    of_containers((&headlines.0, &headlines.1), containers)
}

async fn of_template(
    plan: &str,
    intent: &Intent,
    actuator: &impl Actuator,
) -> Result<String, String> {
    let template = actuator.template(&intent.workload).await.map_err(|error| said(&error))?;
    let pods = actuator.pods(&intent.workload).await.map_err(|error| said(&error))?;
    match template_change(plan, intent, &template, &pods) {
        Verdict::Unchanged => Ok(String::new()),
        Verdict::Leave(reason) => Err(reason),
        Verdict::Change(change) => Ok(shown(&headlines(plan, intent, ""), &change.containers)),
    }
}

/// Pods that change in the same way are shown once.
async fn of_pods(plan: &str, intent: &Intent, actuator: &impl Actuator) -> Result<String, String> {
    let template = actuator.template(&intent.workload).await.map_err(|error| said(&error))?;
    let pods = actuator.pods(&intent.workload).await.map_err(|error| said(&error))?;
    let mut alike: Vec<(BTreeMap<String, Pair>, Vec<String>)> = Vec::new();
    let mut running = pods.into_iter().filter(|pod| pod.runs).peekable();
    if running.peek().is_none() {
        return Err("it has no running pod to resize".to_owned());
    }
    for pod in running {
        match pod_change(intent, &pod, &template) {
            Verdict::Unchanged => {}
            Verdict::Leave(reason) => return Err(reason),
            Verdict::Change(pairs) => match alike.iter_mut().find(|(known, _)| *known == pairs) {
                Some((_, names)) => names.push(pod.name),
                None => alike.push((pairs, vec![pod.name])),
            },
        }
    }
    let text = |(pairs, names): &(BTreeMap<String, Pair>, Vec<String>)| {
        let of = format!(" (pods {})", names.join(", "));
        shown(&headlines(plan, intent, &of), pairs)
    };
    Ok(alike.iter().map(text).collect())
}

/// The claims that the recommendation is made from; what the autoscaler recommended before is not shown.
fn of_autoscaler(plan: &str, intent: &Intent) -> String {
    let pair = |asked: &crate::ContainerIntent| {
        let of = |claim| crate::resources::with(None, claim, &crate::resources::KEYS);
        Pair { before: Some(of(&asked.from)), after: of(&asked.to) }
    };
    let changing = intent.containers.iter().filter(|(_, asked)| asked.changes());
    let pairs = changing.map(|(name, asked)| (name.clone(), pair(asked))).collect();
    shown(&headlines(plan, intent, " (VerticalPodAutoscaler)"), &pairs)
}

fn of_files(intent: &Intent, config: &ApplyConfig) -> Result<String, String> {
    let folder = config.git_ops.folder.as_deref().unwrap_or_else(|| Path::new("mora"));
    let changes = git_ops::file_changes(folder, std::slice::from_ref(intent));
    let changes = changes.map_err(|error| said(&error))?;
    let patch = changes.first().map(crate::FileChange::diff);
    Ok(patch.unwrap_or_default())
}

#[cfg(test)]
mod tests;
