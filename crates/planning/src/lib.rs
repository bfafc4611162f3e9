//! Turns what is known of every workload into one plan that fits the cluster.
//!
//! Everything here is pure: the call graph, the propagation of load along it, the policy and the fit
//! to capacity know no clock and do no I/O. The same evidence and policy give the same plan.

mod aggregate;
mod autoscale;
mod baseline;
mod bounds;
mod ceilings;
mod cpu_path;
mod cycles;
mod draft;
mod evidence;
mod fit_to_capacity;
mod fitted;
mod flow;
mod gamma;
mod gate;
mod graph;
mod limits;
mod load_to_cpu;
mod memory;
mod network;
mod normal;
mod nowcast;
mod observed;
mod order;
mod packing;
mod parts;
mod plan;
mod policy;
mod priority;
mod propagate;
mod recent;
mod resource;
mod scaled_drafts;
mod shared;
mod validate;
mod what_if;
mod windows;

pub use autoscale::Autoscaled;
pub use bounds::{BoundsRule, OwnBounds};
pub use evidence::{Evidence, ForecastRequest};
pub use gate::{GateRules, GateState, RegressionRules, Surroundings, gate};
pub use graph::{
    GraphError, assemble_graph, declared_by_hosts, declared_graph, drift_warnings, external_share,
    learn_call_graph,
};
pub use load_to_cpu::LoadToCpu;
pub use observed::{BaselineNeed, Observed, ObservedContainer, ObservedRate, observe};
pub use plan::{plan, statistical_plan};
pub use policy::{
    Allowed, CpuPath, Pattern, Policy, PriorityRule, RequestShape, Share, ShareError,
};
pub use propagate::{Load, Traffic, propagate};
pub use recent::RecentLoad;
pub use validate::{PathName, Rejection, validate};
pub use what_if::{WhatIfError, what_if};
