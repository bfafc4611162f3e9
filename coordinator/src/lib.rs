//! Gathers what a plan is made of and makes it: once, or as a server.
//!
//! `run` gathers, `fan_out` and `client` wait for answers, `service` serves; every decision is made in
//! `mora-planning`.

mod channels;
mod client;
mod config;
mod fan_out;
mod gated;
mod render;
mod run;
mod service;
mod store;
mod workers;

pub use client::{CollectorError, CoordinatorClient, CoordinatorError, GrpcWorkers};
pub use config::{ClusterConfig, CoordinatorConfig, FanOutConfig};
pub use fan_out::{Answers, Ask, AskError, Endpoint, FanOut, FanOutLimits};
pub use gated::run_gated;
pub use render::{Format, RenderError, UnknownFormat, exit_of, render, write_whole};
pub use run::{Outcome, RunError, capacity, read_call_graph, run, run_asking, run_with};
pub use service::serve;
pub use store::{LockedStore, Remembered, Store, StoreError};
pub use workers::Workers;
