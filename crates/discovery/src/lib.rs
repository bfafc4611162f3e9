//! Finding what no one has listed: model-workers by Services of the Kubernetes API and by names that stand for many, and a
//! Prometheus by the labels of Services, with the way to it.
//!
//! What is listed or given by a pattern always goes before what is found.

mod discover;
#[cfg(test)]
mod fake_api;
mod forwarder;
mod headless;
mod prometheus;

pub use discover::{Found, discover};
pub use prometheus::{PrometheusDiscoveryError, PrometheusTunnel};
