//! A call graph written by a person.

use mora_core::{CallGraph, CallRatio, WorkloadRef};
use serde::Deserialize;
use thiserror::Error;

/// Why a declared call graph cannot be used.
#[derive(Debug, Error)]
pub enum GraphError {
    /// The text is not the expected YAML.
    #[error(
        "the call graph is not readable; write `calls:` with a list of caller, callee and, where it is known, ratio"
    )]
    Unreadable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A ratio or spread is negative or not a number.
    #[error("the {field} of {caller} to {callee} is {value}; write a finite number of at least 0")]
    OutOfRange {
        /// The caller.
        caller: Box<WorkloadRef>,
        /// The callee.
        callee: Box<WorkloadRef>,
        /// `ratio` or `spread`.
        field: &'static str,
        /// The number found.
        value: f64,
    },
    /// The same pair stands in the file twice.
    #[error("the call from {caller} to {callee} is declared twice; keep one of them")]
    Repeated {
        /// The caller.
        caller: Box<WorkloadRef>,
        /// The callee.
        callee: Box<WorkloadRef>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Declaration {
    calls: Vec<DeclaredCall>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeclaredCall {
    caller: WorkloadRef,
    callee: WorkloadRef,
    ratio: Option<f64>,
    #[serde(default)]
    spread: f64,
}

/// The call graph written in `text`: YAML with `calls`, a list of `caller`, `callee` and optionally
/// `ratio` (calls per request of the caller) and `spread` (its standard deviation).
///
/// A call without a ratio is declared only. Fails when the text is not of that form, a number is out
/// of range or a pair is repeated.
pub fn declared_graph(text: &str) -> Result<CallGraph, GraphError> {
    let declaration: Declaration =
        serde_saphyr::from_str(text).map_err(|error| GraphError::Unreadable(Box::new(error)))?;
    let mut graph = CallGraph::default();
    for call in declaration.calls {
        let ratio = checked(&call)?;
        if graph.get(&call.caller, &call.callee).is_some() {
            let (caller, callee) = (Box::new(call.caller), Box::new(call.callee));
            return Err(GraphError::Repeated { caller, callee });
        }
        graph.insert(call.caller, call.callee, ratio);
    }
    Ok(graph)
}

fn checked(call: &DeclaredCall) -> Result<CallRatio, GraphError> {
    for (field, value) in [("ratio", call.ratio.unwrap_or(0.0)), ("spread", call.spread)] {
        if !value.is_finite() || value < 0.0 {
            let (caller, callee) = (call.caller.clone().into(), call.callee.clone().into());
            return Err(GraphError::OutOfRange { caller, callee, field, value });
        }
    }
    Ok(call.ratio.map_or_else(CallRatio::declared, |ratio| CallRatio::stated(ratio, call.spread)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mora_core::Trust;

    #[test]
    fn a_declared_graph_is_read_with_and_without_ratios() {
        let text = "calls:\n  - {caller: shop/frontend, callee: shop/cart, ratio: 0.8}\n  - {caller: shop/frontend, callee: shop/ads}\n";
        let graph = declared_graph(text).unwrap();
        let found: Vec<_> =
            graph.edges().map(|(_, v, call)| (v.name(), call.ratio, call.trust)).collect();
        assert_eq!(found, [("ads", 0.0, Trust::Declared), ("cart", 0.8, Trust::Stated)]);
    }

    #[test]
    fn mistakes_in_a_declared_graph_are_named() {
        let error = |text| declared_graph(text).unwrap_err();
        assert!(matches!(error("edges: []"), GraphError::Unreadable(_)));
        assert!(matches!(
            error("calls: [{caller: a/b, callee: a/c, ratio: -1}]"),
            GraphError::OutOfRange { field: "ratio", .. }
        ));
        let twice = "calls: [{caller: a/b, callee: a/c, ratio: 1}, {caller: a/b, callee: a/c}]";
        assert!(matches!(error(twice), GraphError::Repeated { .. }));
    }
}
