//! What MOrA reads from the Kubernetes API: workloads with their requests, what the cluster allows, and where
//! workers are.
//!
//! Everything is read with `list`, page by page, with a deadline for each page. What is written are Events about
//! violations, where they are asked for, what load experiments change and restore (replicas, claims and bounds of
//! autoscalers), and what a plan puts in force: resources of pod templates and of running pods, and recommendations.

mod ask;
mod autoscalers;
mod cluster;
mod error;
mod events;
mod list;
mod nodes;
mod observed;
mod owner;
mod pod_template;
mod pods;
mod prometheus_services;
mod quotas;
mod requests;
mod scaling;
mod state;
mod vertical_autoscalers;
mod worker_services;

pub use cluster::Cluster;
pub use error::ClusterError;
pub use observed::ObservedWorkload;
pub use pod_template::{Field, PodTemplate, Side, TemplateChange, TemplateContainer};
pub use pods::{PodContainer, PodState, Resizing};
pub use prometheus_services::PrometheusService;
pub use scaling::{AutoscalerBounds, RunningWorkload};
pub use vertical_autoscalers::{ContainerPolicy, RecommendedAutoscaler};
pub use worker_services::WorkerServices;
