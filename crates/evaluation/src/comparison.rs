//! The whole of an evaluation in figures: what a paper, a page and tables are made from.

mod goals;
mod indicator;
mod summary;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use goals::Goal;
pub use indicator::{INDICATORS, Indicator, indicator};

use crate::statistics::{Bootstrap, EqualRisk, Interval};
use crate::{ArmName, ResultRow};

/// The version of the document.
pub const SCHEMA: &str = "mora.dev/evaluation/v1";

/// Arms that the others are compared with.
pub const REFERENCES: [ArmName; 4] =
    [ArmName::Baseline, ArmName::Hpa70, ArmName::Mora, ArmName::Oracle];

/// What follows from all runs. Figures have a path of names in it, as in
/// `scenarios.realistic.arms.mora.cpu_hours_requested.mean`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// [`SCHEMA`].
    pub schema: String,
    /// Confidence of all intervals.
    pub confidence: f64,
    /// Resamples behind each.
    pub resamples: usize,
    /// How many runs there are, of all margins.
    pub runs: usize,
    /// What made them: versions, commits and configurations that occur, by name.
    pub provenance: BTreeMap<String, BTreeSet<String>>,
    /// What was simulated, by scenario.
    pub scenarios: BTreeMap<String, ScenarioComparison>,
    /// What ran on a cluster, by scenario; one that ran on several has `@` and the cluster's name behind its own.
    pub measured: BTreeMap<String, ScenarioComparison>,
    /// Over all simulated scenarios: by arm, indicator and reference.
    pub overall: BTreeMap<ArmName, BTreeMap<String, BTreeMap<ArmName, Overall>>>,
}

/// The arms in one scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScenarioComparison {
    /// Where it ran: `simulated`, or what cluster.
    pub environment: String,
    /// Length of a run.
    pub hours: f64,
    /// The seeds.
    pub seeds: BTreeSet<u64>,
    /// Each arm as it is, by the name of an indicator.
    pub arms: BTreeMap<ArmName, BTreeMap<String, Summary>>,
    /// What each arm costs with which margin and at which risk, by margin; arms with more than one.
    pub frontiers: BTreeMap<ArmName, Vec<FrontierPoint>>,
    /// CPU hours at the risk of the baseline, by arm.
    pub equal_risk: BTreeMap<ArmName, AtRiskOfBaseline>,
    /// Which goals are met.
    pub goals: BTreeMap<String, Goal>,
}

/// One indicator of one arm over its seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Seeds it is known of.
    pub runs: usize,
    /// Mean over seeds.
    pub mean: f64,
    /// Lower end of its interval; `None` of one seed.
    pub lower: Option<f64>,
    /// Upper end; `None` of one seed.
    pub upper: Option<f64>,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// Compared with other arms, seed by seed.
    pub versus: BTreeMap<ArmName, Versus>,
}

/// An arm less a reference of the same scenario and seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Versus {
    /// Seeds that both have.
    pub pairs: usize,
    /// Mean difference.
    pub difference: Interval,
    /// The arm's mean by that of the reference; `None` where that is zero.
    pub ratio: Option<Interval>,
    /// Wilcoxon's signed-rank test, two-sided.
    pub p: f64,
    /// The same corrected for the number of arms, after Holm.
    pub p_holm: f64,
}

/// An arm with one margin.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FrontierPoint {
    /// The factor on CPU requests, in thousandths.
    pub margin_thousandths: u32,
    /// CPU hours requested.
    pub cpu_hours_requested: Interval,
    /// Share of minutes in which the objective was missed.
    pub violations: Interval,
    /// U.
    pub cpu_under: Interval,
}

/// CPU hours requested at the risk that the baseline runs, by two kinds of risk.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AtRiskOfBaseline {
    /// Risk as the share of minutes in which the objective was missed.
    pub violations: CostAtRisk,
    /// Risk as U.
    pub cpu_under: CostAtRisk,
}

/// What an arm costs at a risk.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CostAtRisk {
    /// The risk, of the baseline as it is.
    pub risk: f64,
    /// CPU hours requested at that risk.
    pub cost: EqualRisk,
    /// By those of the baseline; `None` where the risk is not reached.
    pub ratio: Option<Interval>,
}

/// An arm compared with a reference over all simulated scenarios: each pair is one scenario with one seed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Overall {
    /// Pairs.
    pub pairs: usize,
    /// Median of the differences, each by the mean of the reference in its scenario; `None` where that is zero throughout.
    pub median_relative_difference: Option<f64>,
    /// Wilcoxon's signed-rank test of those, two-sided.
    pub p: f64,
    /// The same corrected for the number of arms, after Holm.
    pub p_holm: f64,
}

impl Comparison {
    /// All that follows from `rows`, in any order; of several of one run the last counts. The same rows and seed give the same.
    #[must_use]
    pub fn of(rows: &[ResultRow], seed: u64) -> Self {
        const CONFIDENCE: f64 = 0.95;
        summary::comparison(rows, &mut Bootstrap::new(seed, Bootstrap::RESAMPLES, CONFIDENCE))
    }

    /// The mean of an indicator of an arm in a simulated scenario.
    #[must_use]
    pub fn mean(&self, scenario: &str, arm: ArmName, indicator: &str) -> Option<f64> {
        Some(self.scenarios.get(scenario)?.arms.get(&arm)?.get(indicator)?.mean)
    }
}
