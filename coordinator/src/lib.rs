//! Turns the forecasts of every workload into one plan that fits the cluster.
//!
//! The deciding modules are pure: the call graph, the propagation of load along it, the policy and
//! the fit to capacity know no clock and no I/O. `run` gathers what they need, `fan_out` and `client`
//! wait for answers, `service` serves.

mod aggregate;
mod baseline;
mod client;
mod config;
mod cpu_path;
mod cycles;
mod draft;
mod evidence;
mod fan_out;
mod fit_to_capacity;
mod graph;
mod load_to_cpu;
mod memory;
mod network;
mod normal;
mod plan;
mod policy;
mod priority;
mod propagate;
mod render;
mod run;
mod service;
mod shared;
mod validate;
mod what_if;
mod windows;

pub use client::CollectorError;
pub use config::{ClusterConfig, CoordinatorConfig, FanOutConfig};
pub use evidence::Evidence;
pub use fan_out::{AskError, AskWorker, Endpoint, FanOutLimits, ForecastRequest, fan_out};
pub use graph::{GraphError, declared_graph, learn_call_graph};
pub use plan::{plan, statistical_plan};
pub use policy::{
    Allowed, CpuPath, Pattern, Policy, PriorityRule, RequestShape, Share, ShareError,
};
pub use render::{Format, RenderError, UnknownFormat, exit_of, render, write_whole};
pub use run::{Outcome, RunError, capacity, run, run_with};
pub use service::serve;
pub use validate::{PathName, Rejection, validate};
pub use what_if::{WhatIfError, what_if};
