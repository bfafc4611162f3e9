//! All workloads, and the loop that keeps them as they should be.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::service_name::{ServiceName, UnknownService};

use super::pod::{Launcher, PodState};
use super::traffic::Addresses;
use super::workload::{ChangeError, Workload, WorkloadChange, WorkloadState};

/// How often processes are looked after.
const EVERY: Duration = Duration::from_millis(50);

/// The workloads of the application.
#[derive(Debug)]
pub(super) struct Cluster {
    launcher: Launcher,
    workloads: Mutex<Vec<Workload>>,
    changed: Notify,
    addresses: Arc<Addresses>,
}

/// A workload with its pods, as the metrics tell of it.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) workload: WorkloadState,
    pub(super) replica_set: String,
    pub(super) pods: Vec<PodState>,
}

impl Cluster {
    /// One replica of each service; none is started yet.
    pub(super) fn new(launcher: Launcher) -> Self {
        let workloads = Mutex::new(ServiceName::ALL.map(Workload::new).into());
        Self { launcher, workloads, changed: Notify::new(), addresses: Arc::default() }
    }

    /// The workloads, also after a panic elsewhere: the loop mends what was left half done.
    fn workloads(&self) -> MutexGuard<'_, Vec<Workload>> {
        self.workloads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps all workloads as they should be until `stop`.
    pub(super) async fn keep(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            let now = Instant::now();
            let keep =
                |workload: &mut Workload| workload.keep(&self.launcher, &self.addresses, now);
            self.workloads().iter_mut().for_each(keep);
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.changed.notified() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// Stops all processes; those that do not stop in time are killed.
    pub(super) async fn stop(&self) {
        let now = Instant::now();
        for workload in self.workloads().iter_mut() {
            workload.end(&self.addresses, now);
        }
        while !self.have_ended() {
            tokio::time::sleep(EVERY).await;
        }
    }

    fn have_ended(&self) -> bool {
        let now = Instant::now();
        // All of them, so that each notices when its time is over.
        // Each is asked, also after one that has not: asking is what ends them.
        let mut all = true;
        for workload in self.workloads().iter_mut() {
            all &= workload.has_ended(now);
        }
        all
    }

    /// Where the ready replicas of a service are, as it changes.
    pub(super) fn ready(&self, service: ServiceName) -> watch::Receiver<Vec<SocketAddr>> {
        let workloads = self.workloads();
        let found = workloads.iter().find(|workload| workload.service == service);
        found.map_or_else(|| watch::channel(Vec::new()).1, Workload::ready)
    }

    /// The addresses of the pods.
    pub(super) fn addresses(&self) -> Arc<Addresses> {
        self.addresses.clone()
    }

    /// Ends when every workload has all its replicas.
    pub(super) async fn all_ready(&self) {
        while !self.unready().is_empty() {
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Workloads that lack a replica.
    pub(super) fn unready(&self) -> Vec<&'static str> {
        let workloads = self.workloads();
        let unready = workloads.iter().filter(|workload| !workload.is_ready());
        unready.map(|workload| workload.service.as_str()).collect()
    }

    /// All workloads, callers before callees.
    pub(super) fn told(&self) -> Vec<Told> {
        let told = |workload: &Workload| Told {
            workload: workload.state(&self.launcher.namespace),
            replica_set: workload.replica_set().to_owned(),
            pods: workload.pods(),
        };
        self.workloads().iter().map(told).collect()
    }

    /// One workload.
    ///
    /// Fails when there is none of that name.
    pub(super) fn workload(&self, name: &str) -> Result<Told, UnknownService> {
        let service: ServiceName = name.parse()?;
        let found = self.told().into_iter().find(|told| told.workload.name == service.as_str());
        found.ok_or_else(|| UnknownService::new(name))
    }

    /// Changes a workload, and tells how it is then; its pods follow.
    ///
    /// Fails when there is none of that name, or it cannot be as it should. Then nothing is changed.
    pub(super) fn change(
        &self,
        name: &str,
        change: &WorkloadChange,
    ) -> Result<Result<WorkloadState, ChangeError>, UnknownService> {
        let service: ServiceName = name.parse()?;
        let mut workloads = self.workloads();
        let found = workloads.iter_mut().find(|workload| workload.service == service);
        let workload = found.ok_or_else(|| UnknownService::new(name))?;
        let changed = workload.change(change).map(|()| workload.state(&self.launcher.namespace));
        self.changed.notify_one();
        Ok(changed)
    }
}
