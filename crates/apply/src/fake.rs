//! A cluster in memory, which can be told to fail, to be slow and to be changed by others.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use jiff::Timestamp;
use mora_core::{
    Bytes, Decision, Justification, Limits, Millicores, Plan, PlanStatus, Recommendation, Source,
    Step, Target, Verdict, WorkloadRef,
};
use mora_kubernetes::{
    ClusterError, PodContainer, PodState, PodTemplate, RecommendedAutoscaler, Resizing,
    TemplateChange, TemplateContainer,
};
use serde_json::{Value, json};

use crate::Actuator;

/// What the kubelet makes of a new size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kubelet {
    Resizes,
    /// It reports no sizes, as with old runtimes, but what it set aside.
    Silent,
    Defers,
    CannotEver,
    Restarts,
}

/// When a request fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing was done.
    Before(u16),
    /// It was done, but the answer is lost.
    After(u16),
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) templates: BTreeMap<WorkloadRef, PodTemplate>,
    pub(crate) pods: BTreeMap<WorkloadRef, Vec<PodState>>,
    pub(crate) autoscalers: BTreeMap<WorkloadRef, Vec<RecommendedAutoscaler>>,
    /// Every change in order, as `apply shop/Deployment/cart`.
    pub(crate) log: Vec<String>,
    /// Faults by the number of the change, from 0.
    pub(crate) faults: BTreeMap<usize, Fault>,
    /// Workloads that never become ready after a change.
    pub(crate) sick: Vec<WorkloadRef>,
    changes: usize,
    version: u64,
}

pub(crate) struct Fake {
    pub(crate) state: Mutex<State>,
    pub(crate) kubelet: Mutex<Kubelet>,
}

pub(crate) fn failed(code: u16) -> ClusterError {
    let resource = "deployments".to_owned();
    ClusterError::Failed { verb: "patch", resource, code, source: "as told".into() }
}

impl Fake {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::default(), kubelet: Mutex::new(Kubelet::Resizes) }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Adds a workload whose container `server` has `resources` in its template and in `pods` running pods.
    pub(crate) fn add(&self, workload: &str, resources: Option<Value>, pods: usize) -> WorkloadRef {
        let workload: WorkloadRef = workload.parse().unwrap();
        let container =
            TemplateContainer { name: "server".to_owned(), resources: resources.clone() };
        let template = PodTemplate {
            workload: workload.clone(),
            uid: format!("uid-{workload}"),
            resource_version: "1".to_owned(),
            plan: None,
            containers: vec![container],
            owned: [].into(),
            settled: true,
        };
        let each = std::iter::repeat_n(resources, pods).enumerate();
        let pods = each.map(|(n, resources)| pod(&workload, n, resources)).collect();
        let mut state = self.state();
        state.templates.insert(workload.clone(), template);
        state.pods.insert(workload.clone(), pods);
        drop(state);
        workload
    }

    pub(crate) fn resources(&self, workload: &WorkloadRef) -> Option<Value> {
        self.state().templates[workload].resources("server").cloned()
    }

    /// Lets the template have `resources`, and pods made from it, as somebody else would.
    pub(crate) fn set_resources(&self, workload: &WorkloadRef, resources: &Value) {
        let mut state = self.state();
        let template = state.templates.get_mut(workload).unwrap();
        template.containers[0].resources = Some(resources.clone());
        let pods = state.pods.get_mut(workload).unwrap();
        *pods = (0..pods.len()).map(|n| pod(workload, n, Some(resources.clone()))).collect();
    }

    /// Counts a change and makes it, unless it is to fail.
    fn change<T>(
        &self,
        what: String,
        make: impl FnOnce(&mut State) -> Result<T, ClusterError>,
    ) -> Result<T, ClusterError> {
        let mut state = self.state();
        let number = state.changes;
        state.changes += 1;
        let fault = state.faults.get(&number).copied();
        if let Some(Fault::Before(code)) = fault {
            return Err(failed(code));
        }
        state.log.push(what);
        state.version += 1;
        let made = make(&mut state)?;
        match fault {
            Some(Fault::After(code)) => Err(failed(code)),
            _ => Ok(made),
        }
    }
}

fn pod(workload: &WorkloadRef, number: usize, resources: Option<Value>) -> PodState {
    let resources = resources.unwrap_or_else(|| json!({}));
    let container = PodContainer {
        name: "server".to_owned(),
        actual: Some(resources.clone()),
        allocated: resources.get("requests").cloned(),
        resources,
        restarts_for: [].into(),
        restarts: 0,
    };
    PodState {
        name: format!("{}-{number}", workload.name()),
        uid: format!("pod-{workload}-{number}"),
        resource_version: "1".to_owned(),
        runs: true,
        ready: true,
        placed: true,
        whole: false,
        containers: vec![container],
        init_resources: Vec::new(),
        resizing: Resizing::None,
        observed: Some(true),
    }
}

/// Merges objects, as the API merges sizes.
fn merge(into: &mut Value, from: &Value) {
    match (into.is_object(), from.as_object()) {
        (true, Some(fields)) => fields.iter().for_each(|(key, value)| merge(&mut into[key], value)),
        _ => *into = from.clone(),
    }
}

/// What the kubelet makes of `resources` for `pod`.
fn take(pod: &mut PodState, resources: &BTreeMap<String, Value>, kubelet: Kubelet) {
    for (name, sizes) in resources {
        let container = pod.containers.iter_mut().find(|c| c.name == *name).unwrap();
        let actual = container.actual.as_ref().map(crate::check::sizes);
        let back = crate::resources::same(actual.as_ref(), Some(sizes));
        merge(&mut container.resources, sizes);
        pod.resizing = match kubelet {
            Kubelet::Defers if !back => Resizing::Deferred("no room".to_owned()),
            Kubelet::CannotEver if !back => Resizing::Infeasible("too large".to_owned()),
            _ => Resizing::None,
        };
        match kubelet {
            Kubelet::Resizes => container.actual = Some(container.resources.clone()),
            Kubelet::Silent => container.allocated = container.resources.get("requests").cloned(),
            Kubelet::Restarts if !back => container.restarts += 1,
            _ => {}
        }
    }
}

impl Actuator for Fake {
    async fn template(&self, workload: &WorkloadRef) -> Result<PodTemplate, ClusterError> {
        self.state().templates.get(workload).cloned().ok_or_else(|| failed(404))
    }

    async fn apply(
        &self,
        template: &PodTemplate,
        change: &TemplateChange,
    ) -> Result<PodTemplate, ClusterError> {
        let workload = &template.workload;
        self.change(format!("apply {workload}"), |state| {
            let (version, sick) = (state.version, state.sick.contains(workload));
            let object = state.templates.get_mut(workload).ok_or_else(|| failed(404))?;
            if object.resource_version != template.resource_version {
                return Err(failed(409));
            }
            for (field, quantity) in &change.set {
                let container =
                    object.containers.iter_mut().find(|c| c.name == field.container).unwrap();
                let resources = container.resources.get_or_insert_with(|| json!({}));
                let side = field.side.as_str();
                merge(resources, &json!({side: {field.resource.clone(): quantity}}));
            }
            for field in &change.removed {
                let resources = object.containers[0].resources.as_mut().unwrap();
                resources[field.side.as_str()].as_object_mut().unwrap().remove(&field.resource);
            }
            object.plan = Some(change.plan.clone());
            object.settled = !sick;
            object.resource_version = format!("v{version}");
            Ok(object.clone())
        })
    }

    async fn restore(
        &self,
        template: &PodTemplate,
        resources: &BTreeMap<String, Option<Value>>,
        plan: Option<&str>,
    ) -> Result<PodTemplate, ClusterError> {
        let workload = &template.workload;
        self.change(format!("restore {workload}"), |state| {
            let version = state.version;
            let object = state.templates.get_mut(workload).ok_or_else(|| failed(404))?;
            if object.resource_version != template.resource_version {
                return Err(failed(409));
            }
            for container in &mut object.containers {
                if let Some(raw) = resources.get(&container.name) {
                    container.resources.clone_from(raw);
                }
            }
            object.plan = plan.map(str::to_owned);
            object.resource_version = format!("v{version}");
            Ok(object.clone())
        })
    }

    async fn pods(&self, workload: &WorkloadRef) -> Result<Vec<PodState>, ClusterError> {
        Ok(self.state().pods.get(workload).cloned().unwrap_or_default())
    }

    async fn pod(&self, _: &str, name: &str) -> Result<Option<PodState>, ClusterError> {
        Ok(self.state().pods.values().flatten().find(|pod| pod.name == name).cloned())
    }

    async fn resize(
        &self,
        _: &str,
        pod: &PodState,
        resources: &BTreeMap<String, Value>,
    ) -> Result<PodState, ClusterError> {
        let kubelet = *self.kubelet.lock().unwrap();
        self.change(format!("resize {}", pod.name), |state| {
            let mut pods = state.pods.values_mut().flatten();
            let found = pods.find(|found| found.uid == pod.uid).ok_or_else(|| failed(404))?;
            take(found, resources, kubelet);
            Ok(found.clone())
        })
    }

    async fn autoscalers(
        &self,
        workload: &WorkloadRef,
        recommender: &str,
    ) -> Result<Vec<RecommendedAutoscaler>, ClusterError> {
        assert_eq!(recommender, "mora");
        self.state().autoscalers.get(workload).cloned().ok_or_else(|| failed(404))
    }

    async fn recommend(
        &self,
        _: &str,
        autoscaler: &RecommendedAutoscaler,
        recommendation: &Value,
        conditions: &Value,
    ) -> Result<(), ClusterError> {
        self.change(format!("recommend {}", autoscaler.name), |state| {
            let mut all = state.autoscalers.values_mut().flatten();
            let found = all.find(|found| found.name == autoscaler.name).unwrap();
            found.status = json!({"recommendation": recommendation, "conditions": conditions});
            Ok(())
        })
    }
}

/// What a plan asks of the container `server` of a workload, in millicores and mebibytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask {
    pub(crate) workload: &'static str,
    pub(crate) from: (u64, u64),
    pub(crate) to: (u64, u64),
    pub(crate) wave: Option<u32>,
}

impl Ask {
    /// From 100m and 64Mi to 150m and 64Mi in `wave`.
    pub(crate) const fn raise(workload: &'static str, wave: u32) -> Self {
        Self { workload, from: (100, 64), to: (150, 64), wave: Some(wave) }
    }

    fn recommendation(self) -> Recommendation {
        let Self { workload, from, to, wave } = self;
        let cpu = (Millicores::new(from.0), Millicores::new(to.0));
        let memory = (Bytes::from_mebibytes(from.1), Bytes::from_mebibytes(to.1));
        let verdict = match wave {
            None => Verdict::Hold,
            Some(_) if to.0 < from.0 || to.1 < from.1 => Verdict::Lower,
            Some(_) => Verdict::Raise,
        };
        let (next_cpu, next_memory) =
            if wave.is_none() { (cpu.0, memory.0) } else { (cpu.1, memory.1) };
        let decision = Decision {
            verdict,
            cpu: Some(next_cpu),
            memory: Some(next_memory),
            wave,
            reason: "as told".to_owned(),
        };
        Recommendation {
            workload: workload.parse().unwrap(),
            container: "server".to_owned(),
            replicas: 2,
            cpu: target(cpu.0, cpu.1),
            memory: target(memory.0, memory.1),
            limits: Limits::default(),
            autoscaler: None,
            schedule: Vec::new(),
            source: Source::Statistical,
            justification: Justification::default(),
            decision: Some(decision),
        }
    }
}

fn target<Q: Copy>(current: Q, target: Q) -> Target<Q> {
    let (lower_bound, upper_bound) = (target, target);
    Target { current: Some(current), target, lower_bound, upper_bound, uncapped_target: target }
}

/// A plan of the epoch that asks for `asks`.
pub(crate) fn plan(asks: &[Ask]) -> Plan {
    Plan {
        schema: Plan::SCHEMA,
        id: "p1".to_owned(),
        created_at: Timestamp::UNIX_EPOCH,
        status: PlanStatus::Complete,
        start: Timestamp::UNIX_EPOCH,
        slot: Step::HOUR,
        capacity: None,
        policy: None,
        recommendations: asks.iter().map(|ask| ask.recommendation()).collect(),
        cuts: Vec::new(),
        violations: Vec::new(),
        warnings: Vec::new(),
    }
}

/// The `resources` that the asks above begin from.
pub(crate) fn requests(cpu: &str, memory: &str) -> Value {
    json!({"requests": {"cpu": cpu, "memory": memory}})
}
