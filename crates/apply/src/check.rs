//! Whether what is intended can be done to what is there now, and what exactly is then to be written.

use std::collections::{BTreeMap, BTreeSet};

use mora_core::ResourceClaim;
use mora_kubernetes::{Field, PodState, PodTemplate, Side, TemplateChange};
use serde_json::{Value, json};

use crate::resources::{Class, Key, changed, claim, effective, same, stated, with};
use crate::{ContainerIntent, Intent, Pair};

/// What is to be done to one object.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verdict<T> {
    /// It has what it is to have.
    Unchanged,
    /// It is to be left as it is, for this reason.
    Leave(String),
    /// This is to be written.
    Change(T),
}

/// A change of a pod template, with the `resources` of its containers before and after.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TemplateVerdict {
    pub(crate) change: TemplateChange,
    pub(crate) containers: BTreeMap<String, Pair>,
}

/// What `intent` of `plan` makes of `template`, whose running `pods` tell what is in force where the template does not.
///
/// Where the template states another quantity than the plan was made from, the workload is left alone, unless the template is
/// rolled out and all pods run with what the plan was made from: then they were resized, or their namespace gave them
/// what the template leaves open.
pub(crate) fn template_change(
    plan: &str,
    intent: &Intent,
    template: &PodTemplate,
    pods: &[PodState],
) -> Verdict<TemplateVerdict> {
    let mut change = TemplateChange { plan: plan.to_owned(), ..TemplateChange::default() };
    let mut containers = BTreeMap::new();
    for (name, asked) in intent.containers.iter().filter(|(_, asked)| asked.changes()) {
        if !template.has(name) {
            return Verdict::Leave(format!("it has no container {name} any more"));
        }
        let before = template.resources(name);
        let now = match claim(before) {
            Ok(now) => effective(now),
            Err(error) => return Verdict::Leave(format!("container {name}: {error}")),
        };
        let mut keys = changed(&asked.from, &asked.to);
        if let Some(foreign) = foreign(&keys, asked, &now) {
            if !template.settled || !all_run_with(pods, name, asked, &keys) {
                return Verdict::Leave(conflict(name, foreign, asked, &now));
            }
            // A request alone might exceed a limit that was raised in the pods only.
            keys = changed(&now, &asked.to);
        }
        let after = with(before, &asked.to, &keys);
        if same(before, Some(&after)) {
            continue;
        }
        record_fields(&mut change, name, asked, &keys);
        containers.insert(name.clone(), Pair { before: before.cloned(), after });
    }
    if containers.is_empty() {
        return Verdict::Unchanged;
    }
    Verdict::Change(TemplateVerdict { change, containers })
}

fn record_fields(change: &mut TemplateChange, name: &str, asked: &ContainerIntent, keys: &[Key]) {
    for key in keys {
        let (container, resource) = (name.to_owned(), key.1.to_owned());
        let field = Field { container, side: key.0, resource };
        match stated(&asked.to, *key) {
            Some(quantity) => drop(change.set.insert(field, quantity)),
            None => drop(change.removed.insert(field)),
        }
    }
}

/// Whether there are running pods and all of them have what the plan was made from.
fn all_run_with(pods: &[PodState], name: &str, asked: &ContainerIntent, keys: &[Key]) -> bool {
    let has = |pod: &PodState| {
        let Some(now) = pod.container(name).and_then(|c| claim(Some(&c.resources)).ok()) else {
            return false;
        };
        keys.iter().all(|key| stated(&now, *key) == stated(&asked.from, *key))
    };
    let mut running = pods.iter().filter(|pod| pod.runs).peekable();
    running.peek().is_some() && running.all(has)
}

/// The first quantity that is neither what the plan was made from nor what it is to be.
fn foreign(keys: &[Key], asked: &ContainerIntent, now: &ResourceClaim) -> Option<Key> {
    let known = |key: &Key| {
        let found = stated(now, *key);
        found == stated(&asked.from, *key) || found == stated(&asked.to, *key)
    };
    keys.iter().find(|key| !known(key)).copied()
}

fn conflict(name: &str, key: Key, asked: &ContainerIntent, now: &ResourceClaim) -> String {
    let text = |claim| stated(claim, key).unwrap_or_else(|| "none".to_owned());
    let what = match key.0 {
        Side::Requests => "request",
        Side::Limits => "limit",
    };
    format!(
        "conflict: the {} {what} of container {name} is {} now, but the plan was made from {}; somebody else changed it, so make a new plan",
        key.1,
        text(now),
        text(&asked.from)
    )
}

/// A change of a pod: the `resources` of its containers before and after.
pub(crate) type PodVerdict = BTreeMap<String, Pair>;

/// What `intent` makes of `pod`, whose containers were made from `template`.
///
/// A pod may have what the plan was made from, or what its template says, if it took another's place since.
pub(crate) fn pod_change(
    intent: &Intent,
    pod: &PodState,
    template: &PodTemplate,
) -> Verdict<PodVerdict> {
    let mut pairs = BTreeMap::new();
    if pod.whole {
        return Verdict::Leave("its resources are stated for the pod as a whole, and such a pod is not resized; use the mode patch".to_owned());
    }
    for (name, asked) in intent.containers.iter().filter(|(_, asked)| asked.changes()) {
        match container_change(name, asked, pod, template) {
            Ok(None) => {}
            Ok(Some(pair)) => drop(pairs.insert(name.clone(), pair)),
            Err(reason) => return Verdict::Leave(reason),
        }
    }
    if pairs.is_empty() {
        return Verdict::Unchanged;
    }
    match class_kept(pod, &pairs) {
        Ok(()) => Verdict::Change(pairs),
        Err(reason) => Verdict::Leave(reason),
    }
}

/// What becomes of one container; `None` where it stays, and why not where it must.
fn container_change(
    name: &str,
    asked: &ContainerIntent,
    pod: &PodState,
    template: &PodTemplate,
) -> Result<Option<Pair>, String> {
    let container =
        pod.container(name).ok_or_else(|| format!("pod {} has no container {name}", pod.name))?;
    let read = |resources| claim(resources).map_err(|error| format!("container {name}: {error}"));
    let now = read(Some(&container.resources))?;
    let to = without_removals(&asked.to, &now);
    let keys: Vec<Key> = changed(&asked.from, &asked.to)
        .into_iter()
        .filter(|key| stated(&now, *key) != stated(&to, *key))
        .collect();
    let from_template = effective(read(template.resources(name))?);
    let fresh = keys.iter().all(|key| stated(&now, *key) == stated(&from_template, *key));
    if let Some(key) = foreign(&keys, asked, &now).filter(|_| !fresh) {
        return Err(conflict(name, key, asked, &now));
    }
    if let Some(key) = keys.iter().find(|key| stated(&now, **key).is_none()) {
        return Err(format!(
            "container {name} states no {} of {}, and what is added to a running pod cannot be taken away again; use the mode patch",
            key.0.as_str(),
            key.1
        ));
    }
    let restarting: BTreeSet<&str> = keys.iter().map(|key| key.1).collect();
    if let Some(resource) = restarting.iter().find(|r| container.restarts_for.contains(**r)) {
        return Err(format!(
            "the resizePolicy of container {name} restarts it when its {resource} changes; use the mode patch"
        ));
    }
    let after = with(Some(&container.resources), &to, &keys);
    let before = Some(container.resources.clone());
    Ok((!keys.is_empty()).then_some(Pair { before, after }))
}

/// `to`, but with the limits of `now` that it would remove, which a running pod does not allow; they are raised to the request.
fn without_removals(to: &ResourceClaim, now: &ResourceClaim) -> ResourceClaim {
    let kept_cpu = || now.cpu_limit.map(|limit| limit.max(to.cpu_request.unwrap_or_default()));
    let kept_memory =
        || now.memory_limit.map(|limit| limit.max(to.memory_request.unwrap_or_default()));
    ResourceClaim {
        cpu_request: to.cpu_request.or(now.cpu_request),
        memory_request: to.memory_request.or(now.memory_request),
        cpu_limit: to.cpu_limit.or_else(kept_cpu),
        memory_limit: to.memory_limit.or_else(kept_memory),
    }
}

/// Fails with the reason where the pod's class of service would change.
fn class_kept(pod: &PodState, pairs: &PodVerdict) -> Result<(), String> {
    let with_init =
        |containers: Vec<&Value>| Class::of(containers.into_iter().chain(&pod.init_resources));
    let before = with_init(pod.containers.iter().map(|c| &c.resources).collect());
    let changed =
        pod.containers.iter().map(|c| pairs.get(&c.name).map_or(&c.resources, |p| &p.after));
    let after = with_init(changed.collect());
    if before == after {
        return Ok(());
    }
    Err(format!(
        "its pods would change from the class of service {} to {}, which a running pod cannot; use the mode patch, or limits that follow the requests",
        before.as_str(),
        after.as_str()
    ))
}

/// The `requests` and `limits` of `resources`, all that a pod can be resized in.
pub(crate) fn sizes(resources: &Value) -> Value {
    let mut sizes = json!({});
    for side in [Side::Requests, Side::Limits] {
        if let Some(quantities) = resources.get(side.as_str()) {
            sizes[side.as_str()] = quantities.clone();
        }
    }
    sizes
}

#[cfg(test)]
mod tests;
