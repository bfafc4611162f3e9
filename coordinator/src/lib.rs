//! Gathers what a plan is made of and makes it: once, or as a server.
//!
//! `run` gathers, `fan_out` and `client` wait for answers, `service` serves; every decision is made in
//! `mora-planning`.

mod client;
mod cluster;
mod config;
mod fan_out;
mod metrics;
mod render;
mod run;
mod service;

pub use client::{CollectorError, CoordinatorClient, CoordinatorError};
pub use cluster::{Allowed, look};
pub use config::{ClusterConfig, CoordinatorConfig, FanOutConfig};
pub use fan_out::{AskError, AskWorker, Endpoint, FanOutLimits, fan_out};
pub use metrics::{Metrics, serve_metrics};
pub use render::{Format, RenderError, UnknownFormat, exit_of, render, sentence, write_whole};
pub use run::{Outcome, RunError, run, run_with};
pub use service::serve;
