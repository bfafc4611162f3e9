//! All ways to find workers together.

use std::collections::BTreeMap;

use mora_core::WorkloadRef;
use mora_kubernetes::{Cluster, ClusterError, WorkerServices};
use mora_runtime::{Security, ServiceDiscovery, WorkerEndpoints, with_causes};

use crate::headless;

/// Workers and what was found wrong while they were looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The workers as configured, with those that were found on the list.
    pub workers: WorkerEndpoints,
    /// What could not be used and what to do about it, each a sentence.
    pub warnings: Vec<String>,
}

impl Found {
    /// Adds workers: of two addresses of a workload the earlier one stays.
    fn add(&mut self, addresses: BTreeMap<WorkloadRef, String>) {
        for (workload, found) in addresses {
            let address = self.workers.resolve(&workload).unwrap_or(found);
            self.workers.endpoints.entry(workload).or_insert(address);
        }
    }
}

/// Looks for workers where `workers` says, and lists them beside those it names.
///
/// What is found is spoken to as `security` says. A source that cannot be read is a warning: the workers of the others are
/// still there.
pub async fn discover(workers: &WorkerEndpoints, security: &Security) -> Found {
    let mut found = Found { workers: workers.clone(), warnings: Vec::new() };
    if let Some(services) = &workers.discovery.services {
        match of_services(services).await {
            Ok(services) => {
                let endpoint =
                    |(workload, address)| (workload, format!("{}://{address}", security.scheme()));
                found.add(services.addresses.into_iter().map(endpoint).collect());
                found.warnings.extend(services.warnings);
            }
            Err(error) => found.warnings.push(format!(
                "workers were not looked for among Services: {}",
                with_causes(&error)
            )),
        }
    }
    for name in &workers.discovery.headless {
        let (addresses, warnings) = headless::workers(name, security).await;
        found.add(addresses);
        found.warnings.extend(warnings);
    }
    found
}

async fn of_services(services: &ServiceDiscovery) -> Result<WorkerServices, ClusterError> {
    let cluster = Cluster::connect(services.context.as_deref()).await?;
    cluster.worker_services(&services.namespaces, &services.selector).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(entries: &[(&str, &str)]) -> BTreeMap<WorkloadRef, String> {
        entries.iter().map(|(w, a)| (w.parse().unwrap(), (*a).to_owned())).collect()
    }

    #[test]
    fn what_is_listed_or_given_by_the_pattern_goes_before_what_is_found() {
        let workers = WorkerEndpoints {
            endpoints: addresses(&[("shop/cart", "http://listed:1")]),
            ..WorkerEndpoints::default()
        };
        let mut found = Found { workers, warnings: Vec::new() };
        found.add(addresses(&[("shop/cart", "http://found:1"), ("shop/ad", "http://found:2")]));
        found.add(addresses(&[("shop/ad", "http://later:3")]));
        let expected =
            addresses(&[("shop/ad", "http://found:2"), ("shop/cart", "http://listed:1")]);
        assert_eq!(found.workers.endpoints, expected);
        found.workers.endpoint_pattern = Some("http://{name}:9".to_owned());
        found.add(addresses(&[("shop/email", "http://found:4")]));
        assert_eq!(found.workers.endpoints[&"shop/email".parse().unwrap()], "http://email:9");
    }

    #[tokio::test]
    async fn where_nothing_is_to_be_looked_for_nothing_is_changed() {
        let workers = WorkerEndpoints {
            endpoints: addresses(&[("shop/cart", "http://listed:1")]),
            ..WorkerEndpoints::default()
        };
        let found = discover(&workers, &Security::default()).await;
        assert_eq!(found, Found { workers, warnings: Vec::new() });
    }
}
