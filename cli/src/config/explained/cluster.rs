//! Keys about the cluster, its certificates and its limits.

use super::Section;
use crate::config::Process;

pub(super) const SECTIONS: &[Section] = &[CLUSTER, TLS, LIMITS];

const CLUSTER: Section = Section {
    name: "Cluster",
    about: "What is read from Kubernetes and what is written to it.",
    places: &[(Process::Recommend, "cluster"), (Process::Coordinator, "cluster")],
    keys: &[
        (
            "kubernetes",
            "read nodes, pods, workloads, quotas, limit ranges and autoscalers from the Kubernetes API",
        ),
        (
            "context",
            "context of the kubeconfig; the current one, or the pod's own service account, when absent",
        ),
        (
            "events",
            "write an Event for each violation on its workload, and for each workload of which a request changes",
        ),
        ("plans", "write each plan as a RightsizingPlan"),
        ("plans.namespace", "namespace they are written to"),
        ("plans.keep", "plans kept there, at least 1"),
        ("policy", "read a RightsizingPolicy, which overlays `policy` and `apply`"),
        ("policy.namespace", "its namespace"),
        ("policy.name", "its name"),
        ("cpu_allocatable", "CPU of all nodes, where Kubernetes is not asked"),
        ("memory_allocatable", "memory of all nodes, where Kubernetes is not asked"),
    ],
};

const TLS: Section = Section {
    name: "Certificates",
    about: "Mutual TLS between the processes; docs/security.md says how to set it up.",
    places: &[
        (Process::Recommend, "tls"),
        (Process::Collector, "tls"),
        (Process::Worker, "tls"),
        (Process::Coordinator, "tls"),
    ],
    keys: &[
        ("certificate", "PEM file with the certificate of this process"),
        ("key", "PEM file with its private key"),
        ("authority", "PEM file of the authority that signed those of the others"),
        ("health_listen", "address at which health is told in plain text, for a kubelet's probes"),
    ],
};

const LIMITS: Section = Section {
    name: "Limits of a server",
    about: "What a server takes from its clients at most.",
    places: &[
        (Process::Collector, "limits"),
        (Process::Worker, "limits"),
        (Process::Coordinator, "limits"),
    ],
    keys: &[
        ("message_bytes", "longest message that is read, from 1 MiB to 1 GiB"),
        ("streams_per_connection", "calls open at once on one connection"),
        (
            "concurrent_requests",
            "calls open at once on all connections; more are refused with RESOURCE_EXHAUSTED",
        ),
    ],
};
