//! What MOrA reads from the Kubernetes API: workloads with their requests, and what nodes can give.
//!
//! Everything is read with `list`, page by page, with a deadline for each page; nothing is changed.

mod cluster;
mod error;
mod list;
mod observed;
mod owner;
mod requests;

pub use cluster::Cluster;
pub use error::ClusterError;
pub use observed::ObservedWorkload;
