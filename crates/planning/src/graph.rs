//! The call graph: learned from observed calls, explained by request rates, or declared.

mod assemble;
mod declaration;
mod drift;
mod entries;
mod hosts;
mod pairs;
mod ratio;
mod regression;
#[cfg(test)]
mod tests;

use mora_core::CallGraph;

pub use assemble::{assemble_graph, learn_call_graph};
pub use declaration::{GraphError, declared_graph};
pub use entries::external_share;
pub use hosts::declared_by_hosts;

/// A sentence for every edge whose ratio has changed for good within its history.
#[must_use]
pub fn drift_warnings(graph: &CallGraph) -> Vec<String> {
    let drifted = graph.edges().filter_map(|(u, v, call)| Some((u, v, call.ratio, call.drift?)));
    let sentence = |(caller, callee, ratio, drift): (_, _, f64, mora_core::Drift)| {
        format!(
            "since {} {caller} calls {callee} {ratio:.3} times per request instead of {:.3}, so only what came after counts",
            drift.since, drift.before
        )
    };
    drifted.map(sentence).collect()
}
