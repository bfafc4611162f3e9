//! Turns the forecasts of every workload into one plan that fits the cluster.
//!
//! The deciding modules are pure: the call graph, the propagation of load along it, the policy and
//! the fit to capacity know no clock and no I/O. Only `fan_out` waits for anything.

mod aggregate;
mod baseline;
mod cycles;
mod draft;
mod evidence;
mod fan_out;
mod fit_to_capacity;
mod graph;
mod load_to_cpu;
mod network;
mod normal;
mod plan;
mod policy;
mod priority;
mod propagate;
mod shared;
mod validate;
mod windows;

pub use evidence::Evidence;
pub use fan_out::{AskError, AskWorker, Endpoint, FanOutLimits, ForecastRequest, fan_out};
pub use graph::{GraphError, declared_graph, learn_call_graph};
pub use plan::{plan, statistical_plan};
pub use policy::{Allowed, Pattern, Policy, PriorityRule, RequestShape, Share, ShareError};
pub use validate::{Rejection, validate};
