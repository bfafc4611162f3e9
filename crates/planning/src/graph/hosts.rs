//! Whom a workload calls, from the hosts it was configured with.

use std::collections::{BTreeMap, BTreeSet};

use mora_core::{CallGraph, CallRatio, WorkloadKind, WorkloadRef};

/// The calls that `hosts` (the hosts every workload was configured to call) declare, without ratios.
///
/// A host is the name of a Kubernetes Service, alone or with its namespace (`cart`, `cart.shop`,
/// `cart.shop.svc.cluster.local`); the Service is taken to stand before the workload of the same name
/// in that namespace, as is customary. A host that is no workload's among the keys declares nothing.
#[must_use]
pub fn declared_by_hosts(hosts: &BTreeMap<WorkloadRef, Vec<String>>) -> CallGraph {
    let known: BTreeSet<&WorkloadRef> = hosts.keys().collect();
    let mut graph = CallGraph::default();
    for (caller, hosts) in hosts {
        let callees = hosts.iter().filter_map(|host| workload_of(host, caller, &known));
        for callee in callees.filter(|callee| callee != caller) {
            graph.insert(caller.clone(), callee, CallRatio::declared());
        }
    }
    graph
}

/// The workload behind `host` as `caller` would resolve it.
fn workload_of(
    host: &str,
    caller: &WorkloadRef,
    known: &BTreeSet<&WorkloadRef>,
) -> Option<WorkloadRef> {
    let (name, namespace) = service_of(host, caller.namespace())?;
    let of_kind = |kind| WorkloadRef::new(namespace, kind, name).ok();
    let candidates = WorkloadKind::ALL.into_iter().filter_map(of_kind);
    candidates.into_iter().find(|workload| known.contains(workload))
}

/// Name and namespace of the Service at `host`; `None` where the host is outside the cluster.
///
/// What stands before the Service is the name of one of its pods.
fn service_of<'a>(host: &'a str, namespace: &'a str) -> Option<(&'a str, &'a str)> {
    let labels: Vec<&str> = host.trim_end_matches('.').split('.').collect();
    let svc = labels.iter().position(|label| *label == "svc").filter(|at| *at >= 2);
    match (labels.as_slice(), svc) {
        (labels, Some(at)) => Some((labels[at - 2], labels[at - 1])),
        ([name], None) => Some((name, namespace)),
        ([name, namespace], None) => Some((name, namespace)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn callees(hosts: &[&str]) -> Vec<String> {
        let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        let known = ["shop/cart", "shop/StatefulSet/redis", "bank/payment"];
        let mut all: BTreeMap<WorkloadRef, Vec<String>> =
            known.iter().map(|name| (name.parse().unwrap(), Vec::new())).collect();
        all.insert("shop/frontend".parse().unwrap(), hosts);
        declared_by_hosts(&all).edges().map(|(_, callee, _)| callee.to_string()).collect()
    }

    #[test]
    fn every_way_to_write_a_service_leads_to_the_workload_of_its_name() {
        for host in ["cart", "cart.shop", "cart.shop.svc", "cart.shop.svc.cluster.local."] {
            assert_eq!(callees(&[host]), ["shop/Deployment/cart"], "{host}");
        }
        assert_eq!(callees(&["payment.bank"]), ["bank/Deployment/payment"]);
        assert_eq!(callees(&["redis-0.redis.shop.svc"]), ["shop/StatefulSet/redis"]);
    }

    #[test]
    fn what_is_no_workload_here_declares_nothing() {
        for host in ["payment", "cart.example.com", "10.0.0.7", "frontend", "", "svc.cart", "CART"]
        {
            assert_eq!(callees(&[host]), Vec::<String>::new(), "{host}");
        }
    }
}
