//! What figures are made from.

use mora_evaluation::{Comparison, Objective, Trace};

/// All that there is to show of an evaluation.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The figures of all arms.
    pub comparison: &'a Comparison,
    /// The courses of runs; those of the scenario that is shown suffice.
    pub traces: &'a [Trace],
    /// What users were promised, where it is to be drawn.
    pub objective: Option<Objective>,
    /// How the simulator compares with what was measured.
    pub validation: &'a [Validated],
}

/// A quantity of a service, measured and simulated under the same load.
#[derive(Debug, Clone, PartialEq)]
pub struct Validated {
    /// The service.
    pub service: String,
    /// What was measured, with its unit, as in `CPU, cores`; each has a panel of its own.
    pub quantity: String,
    /// What was measured.
    pub measured: f64,
    /// What the simulator says.
    pub simulated: f64,
}
