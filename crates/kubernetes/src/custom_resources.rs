//! MOrA's own resources as the Kubernetes API stores them, and their definitions.
//!
//! The types in here are the wire form. What leaves this crate is the vocabulary of `mora-core`, or one of the types that
//! stand beside the operations on a [`crate::Cluster`].

mod amount;
mod mode;
#[expect(clippy::duplicated_attributes, reason = "each printed column has a type")]
mod plan;
#[expect(clippy::duplicated_attributes, reason = "each printed column has a type")]
mod policy;
mod schema;

use kube::CustomResourceExt;

pub(crate) use amount::Amount;
pub(crate) use mode::Mode;
pub(crate) use plan::{
    AppliedEntry, AppliedPlace, AppliedResult, Condition, ConditionStatus, Limited, Origin,
    Outcome, PolicyUsed, RecommendationEntry, RequestedPath, ResourceEntry, RightsizingPlan,
    RightsizingPlanSpec, RightsizingPlanStatus, StepEntry, StepVerdict, Totals, ViolationEntry,
};
pub(crate) use policy::{LimitName, RightsizingPolicy};

/// What is not told in a list of a published plan beyond this many entries.
pub(crate) const MOST_ENTRIES: usize = 500;

/// The definitions of MOrA's custom resources, as JSON documents for the Kubernetes API; always the same.
#[must_use]
pub fn custom_resource_definitions() -> Vec<serde_json::Value> {
    let definitions = [RightsizingPlan::crd(), RightsizingPolicy::crd()];
    definitions.iter().map(schema::document).collect()
}

#[cfg(test)]
mod tests;
