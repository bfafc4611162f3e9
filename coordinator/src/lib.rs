//! Gathers what a plan is made of and makes it: once, or as a server.
//!
//! `run` gathers, `fan_out` and `client` wait for answers, `service` serves; every decision is made in
//! `mora-planning`.

mod apply;
mod channels;
mod client;
mod cluster;
mod config;
mod fan_out;
mod follow;
mod gated;
mod memory;
mod metrics;
mod render;
mod rules;
mod run;
mod service;
mod store;
mod workers;

pub use apply::{Applied, put_in_force};
pub use client::{CollectorError, CoordinatorClient, CoordinatorError, GrpcWorkers};
pub use cluster::{Allowed, look};
pub use config::{ClusterConfig, CoordinatorConfig, FanOutConfig, PlansConfig, PolicyConfig};
pub use fan_out::{Answers, Ask, AskError, Endpoint, FanOut, FanOutLimits};
pub use gated::run_gated;
pub use metrics::{Metrics, serve_metrics};
pub use render::{Format, RenderError, UnknownFormat, exit_of, render, sentence, write_whole};
pub use rules::{Rules, StatedModes};
pub use run::{Outcome, RunError, read_call_graph, run, run_asking, run_with};
pub use service::serve;
pub use store::{LockedStore, Record, Remembered, Store, StoreError};
pub use workers::Workers;
