//! What MOrA reads from the Kubernetes API: workloads with their requests, what the cluster allows, and where
//! workers are.
//!
//! Everything is read with `list`, page by page, with a deadline for each page. What is written are Events about
//! what a plan finds and changes, plans as objects, where they are asked for, what load experiments change and restore
//! (replicas, claims and bounds of autoscalers), and what puts a plan in force: resources of pod templates and of running pods,
//! and recommendations.

mod applied;
mod ask;
mod autoscalers;
mod cluster;
mod compared_autoscalers;
mod contexts;
mod custom_resource_error;
mod custom_resources;
mod error;
mod events;
mod inventory;
mod list;
mod nodes;
mod observed;
mod owner;
mod plans;
mod pod_template;
mod pods;
mod policies;
mod prometheus_services;
mod published;
mod quotas;
mod requests;
mod rights;
mod scaling;
mod service_proxy;
mod state;
mod vertical_autoscalers;
mod worker_services;

pub use applied::{AppliedChange, AppliedOutcome, ChangedPlace};
pub use cluster::Cluster;
pub use contexts::KubeContext;
pub use custom_resource_error::CustomResourceError;
pub use custom_resources::custom_resource_definitions;
pub use error::ClusterError;
pub use inventory::InventoryScope;
pub use observed::ObservedWorkload;
pub use plans::{Published, PublishedPlan};
pub use pod_template::{Field, PodTemplate, Side, TemplateChange, TemplateContainer};
pub use pods::{PodContainer, PodState, Resizing};
pub use policies::{StatedBounds, StatedLimit, StatedPolicy};
pub use prometheus_services::PrometheusService;
pub use published::{AskedFor, object_name};
pub use rights::{Permission, Right};
pub use scaling::{AutoscalerBounds, RunningWorkload};
pub use service_proxy::ServiceAddress;
pub use vertical_autoscalers::{ContainerPolicy, RecommendedAutoscaler};
pub use worker_services::WorkerServices;
