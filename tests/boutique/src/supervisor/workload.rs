//! A Deployment: so many replicas of one service.

use std::net::SocketAddr;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::sync::watch;

use crate::generated_names::letters;
use crate::service_name::ServiceName;

use super::claim::{Claim, ClaimChange, ClaimError};
use super::pod::{Ending, Launcher, Pod, PodState};
use super::traffic::Addresses;

/// Replicas of one service: each is a process of this machine.
const MOST: usize = 20;

/// A workload and its pods.
#[derive(Debug)]
pub(super) struct Workload {
    pub(super) service: ServiceName,
    replica_set: String,
    replicas: usize,
    claim: Claim,
    pods: Vec<Pod>,
    ending: Vec<Ending>,
    ready: watch::Sender<Vec<SocketAddr>>,
}

/// What the control API tells of a workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct WorkloadState {
    pub(super) namespace: String,
    pub(super) kind: &'static str,
    pub(super) name: &'static str,
    /// As asked for.
    pub(super) replicas: usize,
    /// That get connections.
    pub(super) ready: usize,
    pub(super) claim: Claim,
}

/// What the control API is told to change; what is absent stays.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct WorkloadChange {
    replicas: Option<usize>,
    claim: Option<ClaimChange>,
}

/// A change that is not made.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum ChangeError {
    #[error("{0} replicas are too many for one machine; ask for 0 to {MOST}")]
    TooMany(usize),
    #[error(transparent)]
    Claim(#[from] ClaimError),
}

impl Workload {
    /// One replica with the stock claim; its process is still to be started.
    pub(super) fn new(service: ServiceName) -> Self {
        Self {
            service,
            replica_set: format!("{service}-{}", letters(10)),
            replicas: 1,
            claim: Claim::stock(service),
            pods: Vec::new(),
            ending: Vec::new(),
            ready: watch::Sender::new(Vec::new()),
        }
    }

    /// Changes all that is asked for or nothing.
    ///
    /// Fails when that is too many replicas, or a claim that Kubernetes would refuse.
    pub(super) fn change(&mut self, change: &WorkloadChange) -> Result<(), ChangeError> {
        let replicas = change.replicas.unwrap_or(self.replicas);
        if replicas > MOST {
            return Err(ChangeError::TooMany(replicas));
        }
        self.claim = self.claim.with(change.claim.unwrap_or_default())?;
        self.replicas = replicas;
        Ok(())
    }

    /// Brings pods nearer to what is asked for.
    pub(super) fn keep(&mut self, launcher: &Launcher, addresses: &Addresses, now: Instant) {
        self.scale(addresses, now);
        for pod in &mut self.pods {
            pod.keep(launcher, self.service, now);
        }
        self.ending.retain_mut(|ending| !ending.is_gone(now));
        let ready = self.ready_addresses();
        self.ready.send_if_modified(|told| {
            let changed = *told != ready;
            *told = ready;
            changed
        });
    }

    /// New pods where there are too few; the newest end first where there are too many.
    fn scale(&mut self, addresses: &Addresses, now: Instant) {
        while self.pods.len() < self.replicas {
            self.pods.push(Pod::new(&self.replica_set, addresses, now));
        }
        let surplus = self.pods.split_off(self.replicas);
        self.ending.extend(surplus.into_iter().filter_map(|pod| pod.end(addresses, now)));
    }

    fn ready_addresses(&self) -> Vec<SocketAddr> {
        self.pods.iter().filter_map(|pod| pod.state().ready).map(|(address, _)| address).collect()
    }

    /// Where the ready replicas serve, as it changes.
    pub(super) fn ready(&self) -> watch::Receiver<Vec<SocketAddr>> {
        self.ready.subscribe()
    }

    /// Replicas that get connections: those whose addresses were told, which is a moment after they are ready.
    fn served(&self) -> usize {
        self.ready.borrow().len()
    }

    pub(super) fn is_ready(&self) -> bool {
        self.served() == self.replicas
    }

    /// Asks all processes to stop, and to stay so.
    pub(super) fn end(&mut self, addresses: &Addresses, now: Instant) {
        self.replicas = 0;
        self.scale(addresses, now);
    }

    /// Whether all processes that were asked to stop have.
    pub(super) fn has_ended(&mut self, now: Instant) -> bool {
        self.ending.retain_mut(|ending| !ending.is_gone(now));
        self.ending.is_empty()
    }

    pub(super) fn state(&self, namespace: &str) -> WorkloadState {
        WorkloadState {
            namespace: namespace.to_owned(),
            kind: "Deployment",
            name: self.service.as_str(),
            replicas: self.replicas,
            ready: self.served(),
            claim: self.claim,
        }
    }

    pub(super) fn replica_set(&self) -> &str {
        &self.replica_set
    }

    pub(super) fn pods(&self) -> Vec<PodState> {
        self.pods.iter().map(Pod::state).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(json: &str) -> WorkloadChange {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_change_is_made_whole_or_not_at_all() {
        let mut cart = Workload::new(ServiceName::Cart);
        let before = cart.state("shop");
        let refused = change(r#"{"replicas": 3, "claim": {"cpu_limit_millicores": 1}}"#);
        assert!(matches!(cart.change(&refused), Err(ChangeError::Claim(_))));
        assert_eq!(cart.change(&change(r#"{"replicas": 21}"#)), Err(ChangeError::TooMany(21)));
        assert_eq!(cart.state("shop"), before);
        cart.change(&change(r#"{"replicas": 3}"#)).unwrap();
        assert_eq!((cart.state("shop").replicas, cart.state("shop").ready), (3, 0));
    }

    #[test]
    fn pods_are_named_after_their_replica_set_and_the_newest_goes_first() {
        let addresses = Addresses::default();
        let mut cart = Workload::new(ServiceName::Cart);
        cart.change(&change(r#"{"replicas": 3}"#)).unwrap();
        cart.scale(&addresses, Instant::now());
        let names = |cart: &Workload| cart.pods().into_iter().map(|p| p.name).collect::<Vec<_>>();
        let three = names(&cart);
        assert!(three.iter().all(|name| name.starts_with(cart.replica_set())), "{three:?}");
        cart.change(&change(r#"{"replicas": 1}"#)).unwrap();
        cart.scale(&addresses, Instant::now());
        assert_eq!(names(&cart), three[..1]);
    }
}
