//! The table.

use super::{About, Provider};

/// A row of the table.
#[derive(Debug)]
pub(in super::super) struct Entry {
    pub(in super::super) name: &'static str,
    pub(super) unit: &'static str,
    pub(super) about: About,
    pub(super) needed: bool,
    pub(super) meaning: &'static str,
    pub(super) without: &'static str,
    /// Why there may be nothing to tell although its provider is there.
    pub(super) quiet: Option<&'static str>,
    /// The metrics of Prometheus that must be there for an answer; what is of requests has none here.
    pub(in super::super) reads: &'static [&'static str],
    /// By provider; what is of requests has none here, because every mesh is asked in its own way.
    pub(in super::super) queries: &'static [(Provider, &'static str)],
}

const WORKLOADS: Entry = Entry {
    name: "",
    unit: "",
    about: About::Workloads,
    needed: false,
    meaning: "",
    without: "",
    quiet: None,
    reads: &[],
    queries: &[],
};

const NODES: Entry = Entry { about: About::Nodes, ..WORKLOADS };

/// Every metric, in the order of the documents.
///
/// A restarted container starts its counters again from zero. `rate` takes every fall for that and counts on from it, pod
/// by pod before anything is summed, so that a restart is neither a negative usage nor a spike. Windows are explicit,
/// because the implied one of 5 minutes would bridge gaps and outlive pods.
pub(in super::super) const TABLE: [Entry; 22] = [
    Entry {
        name: "cpu",
        unit: "cores",
        needed: true,
        meaning: "CPU usage by pod and container.",
        without: "Nothing can be recommended.",
        reads: &["container_cpu_usage_seconds_total"],
        queries: &[(
            Provider::Cadvisor,
            r#"sum by (pod,container) (rate(container_cpu_usage_seconds_total{namespace="$namespace",pod!="",container!="",container!="POD"}[$window]))"#,
        )],
        ..WORKLOADS
    },
    Entry {
        name: "memory",
        unit: "bytes",
        needed: true,
        meaning: "The largest memory working set of a step by pod and container: what cannot be taken back without a kill.",
        without: "Nothing can be recommended.",
        reads: &["container_memory_working_set_bytes"],
        queries: &[(
            Provider::Cadvisor,
            r#"max by (pod,container) (max_over_time(container_memory_working_set_bytes{namespace="$namespace",pod!="",container!="",container!="POD"}[$sight]))"#,
        )],
        ..WORKLOADS
    },
    Entry {
        name: "network_receive",
        unit: "bytes per second",
        meaning: "What a pod receives over all its interfaces but the loopback.",
        without: "Recommendations are the same; datasets hold no network series.",
        reads: &["container_network_receive_bytes_total"],
        queries: &[(
            Provider::Cadvisor,
            r#"sum by (pod) (rate(container_network_receive_bytes_total{namespace="$namespace",pod!="",interface!="lo"}[$window]))"#,
        )],
        ..WORKLOADS
    },
    Entry {
        name: "network_transmit",
        unit: "bytes per second",
        meaning: "What a pod sends over all its interfaces but the loopback.",
        without: "Recommendations are the same; datasets hold no network series.",
        reads: &["container_network_transmit_bytes_total"],
        queries: &[(
            Provider::Cadvisor,
            r#"sum by (pod) (rate(container_network_transmit_bytes_total{namespace="$namespace",pod!="",interface!="lo"}[$window]))"#,
        )],
        ..WORKLOADS
    },
    Entry {
        name: "cpu_periods",
        unit: "periods per second",
        quiet: Some("no container has a CPU limit, or the runtime does not tell"),
        meaning: "Periods of the scheduler by pod and container; they are counted only where a container has a CPU limit.",
        without: "The throttled ratio is not known, so a container held back by its limit is not seen as one that wants more.",
        reads: &["container_cpu_cfs_periods_total"],
        queries: &[(
            Provider::Cadvisor,
            r#"sum by (pod,container) (rate(container_cpu_cfs_periods_total{namespace="$namespace",pod!="",container!="",container!="POD"}[$window]))"#,
        )],
        ..WORKLOADS
    },
    Entry {
        name: "throttled_periods",
        unit: "periods per second",
        quiet: Some("no container has a CPU limit, or the runtime does not tell"),
        meaning: "Periods in which the container was held back; over `cpu_periods` they are the throttled ratio, that of a workload being that of its most throttled container over all pods.",
        without: "The throttled ratio is not known, so a container held back by its limit is not seen as one that wants more.",
        reads: &["container_cpu_cfs_throttled_periods_total"],
        queries: &[(
            Provider::Cadvisor,
            r#"sum by (pod,container) (rate(container_cpu_cfs_throttled_periods_total{namespace="$namespace",pod!="",container!="",container!="POD"}[$window]))"#,
        )],
        ..WORKLOADS
    },
    Entry {
        name: "request_rate",
        unit: "requests per second",
        meaning: "Requests by callee and caller; summed over the callers they are the load of a workload.",
        without: "CPU and memory are forecast from their own history, and no load travels along the call graph.",
        ..WORKLOADS
    },
    Entry {
        name: "latency_p50",
        unit: "seconds",
        meaning: "The latency that half of the requests stay below, by callee.",
        without: "Datasets hold no median latency.",
        ..WORKLOADS
    },
    Entry {
        name: "latency_p95",
        unit: "seconds",
        meaning: "The latency that 95 % of the requests stay below, by callee.",
        without: "The change gate cannot see that a change made a workload slower.",
        ..WORKLOADS
    },
    Entry {
        name: "latency_p99",
        unit: "seconds",
        meaning: "The latency that 99 % of the requests stay below, by callee.",
        without: "Datasets hold no latency of the slowest requests.",
        ..WORKLOADS
    },
    Entry {
        name: "error_ratio",
        unit: "share",
        meaning: "The share of requests that failed, by callee, from 0 to 1; nothing where there was no request.",
        without: "The change gate cannot see that a change made requests fail.",
        ..WORKLOADS
    },
    Entry {
        name: "replicas",
        unit: "pods",
        meaning: "Ready replicas of every Deployment, StatefulSet and DaemonSet.",
        without: "The pods whose usage reaches the end of the history are counted instead.",
        reads: &[
            "kube_deployment_status_replicas_ready",
            "kube_statefulset_status_replicas_ready",
            "kube_daemonset_status_number_ready",
        ],
        queries: &[(
            Provider::KubeStateMetrics,
            r#"max by (deployment) (kube_deployment_status_replicas_ready{namespace="$namespace"}) or max by (statefulset) (kube_statefulset_status_replicas_ready{namespace="$namespace"}) or max by (daemonset) (kube_daemonset_status_number_ready{namespace="$namespace"})"#,
        )],
        ..WORKLOADS
    },
    Entry {
        name: "resource_requests",
        unit: "cores or bytes",
        meaning: "What containers request, by pod, container and resource.",
        without: "Current requests are unknown unless the cluster is read (`--cluster`), so savings cannot be told.",
        reads: &["kube_pod_container_resource_requests"],
        queries: &[(
            Provider::KubeStateMetrics,
            r#"max by (pod,container,resource) (last_over_time(kube_pod_container_resource_requests{namespace="$namespace",resource=~"cpu|memory"}[$window]))"#,
        )],
        ..WORKLOADS
    },
    Entry {
        name: "resource_limits",
        unit: "cores or bytes",
        meaning: "What containers are limited to, by pod, container and resource.",
        without: "Current limits are unknown unless the cluster is read (`--cluster`).",
        reads: &["kube_pod_container_resource_limits"],
        queries: &[(
            Provider::KubeStateMetrics,
            r#"max by (pod,container,resource) (last_over_time(kube_pod_container_resource_limits{namespace="$namespace",resource=~"cpu|memory"}[$window]))"#,
        )],
        ..WORKLOADS
    },
    Entry {
        // The counter now less the counter a step ago, or itself where it began again: whole numbers, where `increase`
        // extrapolates. A container that was not known a step ago has no difference, so that neither its first sight nor
        // an outage of kube-state-metrics looks like restarts.
        name: "restarts",
        unit: "restarts per step",
        meaning: "How often a container was started again within a step.",
        without: "Datasets hold no restarts, so windows of starting up are not marked by them.",
        reads: &["kube_pod_container_status_restarts_total"],
        queries: &[(
            Provider::KubeStateMetrics,
            r#"max by (pod,container,uid) (last_over_time(kube_pod_container_status_restarts_total{namespace="$namespace"}[$window])) - max by (pod,container,uid) (last_over_time(kube_pod_container_status_restarts_total{namespace="$namespace"}[$window] offset $step)) >= 0 or max by (pod,container,uid) (last_over_time(kube_pod_container_status_restarts_total{namespace="$namespace"}[$window])) < max by (pod,container,uid) (last_over_time(kube_pod_container_status_restarts_total{namespace="$namespace"}[$window] offset $step))"#,
        )],
        ..WORKLOADS
    },
    Entry {
        name: "oom_kills",
        quiet: Some("no container was killed for lack of memory"),
        unit: "seconds since the Unix epoch",
        meaning: "When a container was last killed for lack of memory.",
        without: "Memory is not raised after a kill: it follows the observed working sets alone.",
        reads: &["kube_pod_container_status_last_terminated_timestamp"],
        queries: &[(
            Provider::KubeStateMetrics,
            r#"max by (pod,container) (last_over_time(kube_pod_container_status_last_terminated_timestamp{namespace="$namespace",pod!="",container!="",container!="POD"}[$window]) and on (pod,container,uid) (last_over_time(kube_pod_container_status_last_terminated_reason{namespace="$namespace",pod!="",container!="",container!="POD",reason="OOMKilled"}[$window]) == 1))"#,
        )],
        ..WORKLOADS
    },
    Entry {
        name: "oom_limits",
        quiet: Some("no container was killed for lack of memory"),
        unit: "bytes",
        meaning: "The memory limit of a container that was killed for lack of memory; asked only where there was a kill.",
        without: "A kill counts with the working set of the hour before alone.",
        reads: &["kube_pod_container_status_last_terminated_reason"],
        queries: &[(
            Provider::KubeStateMetrics,
            r#"max by (pod,container) (last_over_time(kube_pod_container_resource_limits{namespace="$namespace",pod!="",container!="",container!="POD",resource="memory"}[$window]) and on (pod,container,uid) (last_over_time(kube_pod_container_status_last_terminated_reason{namespace="$namespace",pod!="",container!="",container!="POD",reason="OOMKilled"}[$window]) == 1))"#,
        )],
        ..WORKLOADS
    },
    Entry {
        name: "pod_owners",
        unit: "1",
        meaning: "The owner of every pod that existed within six hours.",
        without: "The workload of a pod is read from its name, which tells Deployments and StatefulSets but no DaemonSet.",
        reads: &["kube_pod_owner"],
        queries: &[(
            Provider::KubeStateMetrics,
            r#"group by (pod,owner_kind,owner_name) (last_over_time(kube_pod_owner{namespace="$namespace"}[6h]))"#,
        )],
        ..WORKLOADS
    },
    Entry {
        name: "replica_set_owners",
        unit: "1",
        meaning: "The owner of every ReplicaSet that existed within six hours.",
        without: "The Deployment of a ReplicaSet is read from its name.",
        reads: &["kube_replicaset_owner"],
        queries: &[(
            Provider::KubeStateMetrics,
            r#"group by (replicaset,owner_kind,owner_name) (last_over_time(kube_replicaset_owner{namespace="$namespace"}[6h]))"#,
        )],
        ..WORKLOADS
    },
    Entry {
        name: "node_cpu",
        unit: "cores",
        meaning: "CPU that everything on a node uses; waiting for disks and what a hypervisor took away do not count.",
        without: "How full nodes are is known by requests alone.",
        queries: &[
            (
                Provider::NodeExporter,
                r#"sum by (nodename) (sum by (instance) (rate(node_cpu_seconds_total{mode!~"idle|iowait|steal"}[$window])) * on (instance) group_left (nodename) group by (instance,nodename) (last_over_time(node_uname_info[$window])))"#,
            ),
            (
                Provider::Cadvisor,
                r#"max by (node,instance) (rate(container_cpu_usage_seconds_total{id="/"}[$window]))"#,
            ),
        ],
        ..NODES
    },
    Entry {
        // As the kubelet reckons it: what is not free, less the pages of files not used lately.
        name: "node_memory",
        unit: "bytes",
        meaning: "Memory working set of everything on a node.",
        without: "How full nodes are is known by requests alone.",
        queries: &[
            (
                Provider::NodeExporter,
                r"sum by (nodename) ((last_over_time(node_memory_MemTotal_bytes[$sight]) - last_over_time(node_memory_MemFree_bytes[$sight]) - last_over_time(node_memory_Inactive_file_bytes[$sight])) * on (instance) group_left (nodename) group by (instance,nodename) (last_over_time(node_uname_info[$window])))",
            ),
            (
                Provider::Cadvisor,
                r#"max by (node,instance) (max_over_time(container_memory_working_set_bytes{id="/"}[$sight]))"#,
            ),
        ],
        ..NODES
    },
    Entry {
        name: "node_allocatable",
        unit: "cores or bytes",
        meaning: "What pods may request on a node together, by resource.",
        without: "The room of the cluster is unknown unless the cluster is read (`--cluster`) or stated.",
        queries: &[(
            Provider::KubeStateMetrics,
            r#"max by (node,resource) (last_over_time(kube_node_status_allocatable{resource=~"cpu|memory"}[$window]))"#,
        )],
        ..NODES
    },
];
