//! What runs in a cluster: everything that owns pods, whatever its kind, with containers, pods and autoscaler.

mod assemble;
mod autoscaler;
mod chain;
mod containers;
mod lists;
mod selector;
mod wire;

use mora_core::{Inventory, OwnerKind};

use crate::{Cluster, ClusterError};
use assemble::Assembly;
use lists::{Kind, Listing};
use selector::LabelSelector;

/// Which part of a cluster is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InventoryScope {
    /// Namespaces by their exact names; all if empty.
    pub namespaces: Vec<String>,
    /// What the labels of owners have to be, as `kubectl --selector` takes it; of a pod that nobody owns, and where only
    /// pods tell of an owner, the labels of the pod.
    pub label_selector: Option<String>,
}

impl Cluster {
    /// Everything that owns pods in `scope`, system namespaces included, ordered by owner.
    ///
    /// A kind that may not be listed, or whose listing fails, is a warning; what its pods tell is there all the same.
    /// Fails when pods cannot be listed, when the API cannot be reached or does not know who asks, and when the selector
    /// is none.
    pub async fn inventory(&self, scope: &InventoryScope) -> Result<Inventory, ClusterError> {
        let selector = LabelSelector::parse(scope.label_selector.as_deref().unwrap_or_default())?;
        let listing = Listing { client: &self.client, namespaces: &scope.namespaces };
        let (pods, apps, batch, foreign, autoscalers) = tokio::try_join!(
            listing.all(&Kind::PODS),
            async {
                tokio::try_join!(
                    listing.readable(&Kind::DEPLOYMENTS),
                    listing.readable(&Kind::STATEFUL_SETS),
                    listing.readable(&Kind::DAEMON_SETS),
                    listing.readable(&Kind::REPLICA_SETS),
                )
            },
            async {
                tokio::try_join!(listing.readable(&Kind::CRON_JOBS), listing.readable(&Kind::JOBS))
            },
            async {
                tokio::try_join!(listing.installed(&Kind::ROLLOUTS), listing.deployment_configs())
            },
            listing.readable(&Kind::AUTOSCALERS),
        )?;
        let (deployments, stateful_sets, daemon_sets, replica_sets) = apps;
        let (cron_jobs, jobs) = batch;
        let (rollouts, (configs, controllers)) = foreign;
        let mut assembly = Assembly::default();
        assembly.add_templated(&OwnerKind::Deployment, deployments);
        assembly.add_templated(&OwnerKind::StatefulSet, stateful_sets);
        assembly.add_templated(&OwnerKind::DaemonSet, daemon_sets);
        assembly.add_templated(&OwnerKind::CronJob, cron_jobs);
        assembly.add_templated(&OwnerKind::DeploymentConfig, configs);
        assembly.add_rollouts(rollouts);
        assembly.add_jobs(jobs);
        assembly.add_generations(&OwnerKind::ReplicaSet, replica_sets);
        assembly.add_generations(&chain::replication_controller(), controllers);
        assembly.add_autoscalers(autoscalers);
        Ok(assembly.into_inventory(&pods, &selector))
    }
}

#[cfg(test)]
mod tests;
