//! What MOrA reads from the Kubernetes API: workloads with their requests, what nodes can give, and where workers are.
//!
//! Everything is read with `list`, page by page, with a deadline for each page; nothing is changed.

mod cluster;
mod error;
mod list;
mod observed;
mod owner;
mod requests;
mod worker_services;

pub use cluster::Cluster;
pub use error::ClusterError;
pub use observed::ObservedWorkload;
pub use worker_services::WorkerServices;
