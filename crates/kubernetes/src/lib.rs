//! What MOrA reads from the Kubernetes API: workloads with their requests, what the cluster allows, and where
//! workers are.
//!
//! Everything is read with `list`, page by page, with a deadline for each page. What is written are Events about
//! violations, where they are asked for, and what load experiments change and restore: replicas, claims and bounds of
//! autoscalers.

mod ask;
mod autoscalers;
mod cluster;
mod error;
mod events;
mod list;
mod nodes;
mod observed;
mod owner;
mod prometheus_services;
mod quotas;
mod requests;
mod scaling;
mod state;
mod worker_services;

pub use cluster::Cluster;
pub use error::ClusterError;
pub use observed::ObservedWorkload;
pub use prometheus_services::PrometheusService;
pub use scaling::{AutoscalerBounds, RunningWorkload};
pub use worker_services::WorkerServices;
