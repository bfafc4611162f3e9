//! Gathers what a plan is made of and makes it: once, or as a server.
//!
//! `run` gathers, `fan_out` and `client` wait for answers, `service` serves; every decision is made in
//! `mora-planning`.

mod client;
mod config;
mod fan_out;
mod gated;
mod render;
mod run;
mod service;
mod store;

pub use client::CollectorError;
pub use config::{ClusterConfig, CoordinatorConfig, FanOutConfig};
pub use fan_out::{AskError, AskWorker, Endpoint, FanOutLimits, fan_out};
pub use gated::run_gated;
pub use render::{Format, RenderError, UnknownFormat, exit_of, render, write_whole};
pub use run::{Outcome, RunError, capacity, run, run_with};
pub use service::serve;
pub use store::{LockedStore, Remembered, Store, StoreError};
