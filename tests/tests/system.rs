//! Everything that needs more than one process.

#[path = "system/prometheus.rs"]
mod prometheus;
