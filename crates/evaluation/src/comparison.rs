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
    /// CPU hours at equal risk, by arm.
    pub equal_risk: BTreeMap<ArmName, AtEqualRisk>,
    /// Which goals are met.
    pub goals: BTreeMap<String, Goal>,
}

impl ScenarioComparison {
    /// `1 seed`, `5 seeds`.
    #[must_use]
    pub fn seeds_in_words(&self) -> String {
        match self.seeds.len() {
            1 => "1 seed".to_owned(),
            count => format!("{count} seeds"),
        }
    }
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

/// CPU hours requested at equal risk: at that which the baseline runs, and at a hundredth, by two kinds of risk.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AtEqualRisk {
    /// At the baseline's share of minutes in which the objective was missed.
    pub violations: CostAtRisk,
    /// At the baseline's U.
    pub cpu_under: CostAtRisk,
    /// With the objective missed in a hundredth of the minutes, by what the baseline costs then.
    pub violations_one_percent: CostAtRisk,
    /// With a U of a hundredth, by what the baseline costs then.
    pub cpu_under_one_percent: CostAtRisk,
}

/// What an arm costs at a risk.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CostAtRisk {
    /// The risk.
    pub risk: f64,
    /// CPU hours requested at that risk.
    pub cost: EqualRisk,
    /// By those of the baseline at the same risk; `None` where one of them does not reach it.
    pub ratio: Option<Interval>,
}

/// An arm compared with a reference over all simulated scenarios: each pair is one scenario with one seed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Overall {
    /// Pairs.
    pub pairs: usize,
    /// Median of the differences, each by the mean of the reference in its scenario; scenarios in which that is zero are left out.
    pub median_relative_difference: Option<f64>,
    /// Wilcoxon's signed-rank test, two-sided, of the differences, each by the mean of both in its scenario, which is there where
    /// the reference has nothing too.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Metrics, Provenance, RunKey};

    fn row(scenario: &str, arm: ArmName, margin: u32, seed: u64, figures: [f64; 3]) -> ResultRow {
        let [cpu_hours_requested, violations, scaling_events] = figures;
        let key = RunKey { scenario: scenario.into(), arm, margin_thousandths: margin, seed };
        let metrics = Metrics {
            hours: 24.0,
            cpu_hours_requested,
            violations,
            scaling_events,
            ..Metrics::default()
        };
        let provenance = Provenance { environment: "simulated".into(), ..Provenance::default() };
        ResultRow { key, metrics, provenance }
    }

    /// Two scenarios of five seeds: the baseline costs 100 and more by seed, HPA 90, MOrA 60, or 90 with half as much again.
    fn rows() -> Vec<ResultRow> {
        let mut rows = Vec::new();
        for scenario in ["bursty", "realistic"] {
            for seed in 1..=5 {
                let more = seed as f64;
                rows.extend([
                    row(scenario, ArmName::Baseline, 1000, seed, [100.0 + more, 0.02, 0.0]),
                    row(scenario, ArmName::Hpa70, 1000, seed, [90.0 + more, 0.03, 40.0]),
                    row(scenario, ArmName::Mora, 1000, seed, [60.0 + more, 0.05, 4.0]),
                    row(scenario, ArmName::Mora, 1500, seed, [90.0 + more, 0.01, 4.0]),
                    row(scenario, ArmName::Oracle, 1000, seed, [50.0 + more, 0.0, 0.0]),
                ]);
            }
        }
        rows
    }

    fn near(is: f64, ought: f64) {
        assert!((is - ought).abs() < 1e-9, "{is} {ought}");
    }

    #[test]
    fn arms_are_compared_seed_by_seed() {
        let comparison = Comparison::of(&rows(), 1);
        let mora = &comparison.scenarios["realistic"].arms[&ArmName::Mora]["cpu_hours_requested"];
        near(mora.mean, 63.0);
        assert_eq!((mora.runs, mora.min, mora.max), (5, 61.0, 65.0));
        assert!(mora.lower.unwrap() < 62.0 && mora.upper.unwrap() > 64.0, "{mora:?}");
        let versus = mora.versus[&ArmName::Baseline];
        near(versus.difference.mean, -40.0);
        near(versus.difference.lower.unwrap(), -40.0);
        near(versus.ratio.unwrap().mean, 63.0 / 103.0);
        near(versus.p, 0.0625);
        near(versus.p_holm, 3.0 * 0.0625);
        assert!(mora.versus[&ArmName::Oracle].ratio.unwrap().mean > 1.0);
    }

    #[test]
    fn all_scenarios_together_have_more_pairs_than_one() {
        let comparison = Comparison::of(&rows(), 1);
        let overall = comparison.overall[&ArmName::Mora]["cpu_hours_requested"][&ArmName::Baseline];
        assert_eq!(overall.pairs, 10);
        near(overall.median_relative_difference.unwrap(), -40.0 / 103.0);
        near(overall.p, 2.0 / 1024.0);
        near(overall.p_holm, 3.0 * 2.0 / 1024.0);
    }

    #[test]
    fn goals_say_what_is_met_at_equal_risk() {
        let comparison = Comparison::of(&rows(), 1);
        let scenario = &comparison.scenarios["realistic"];
        let equal = scenario.equal_risk[&ArmName::Mora].violations;
        // Of 0.05 to 0.01 the risk 0.02 is three quarters of the way from 63 to 93.
        near(equal.cost.cost(), 85.5);
        let one_percent = scenario.equal_risk[&ArmName::Mora].violations_one_percent;
        near(one_percent.cost.cost(), 93.0);
        assert_eq!(one_percent.ratio, None, "the baseline has no margin with so low a risk");
        let goal = |name: &str| (scenario.goals[name].met.unwrap(), scenario.goals[name].certain);
        near(scenario.goals["cpu_hours_at_equal_risk"].value.unwrap(), 85.5 / 103.0);
        assert_eq!(goal("cpu_hours_at_equal_risk"), (false, true));
        assert_eq!(goal("violations_versus_hpa_70"), (false, true));
        assert_eq!(goal("scaling_events_versus_hpa_70"), (true, true));
        assert_eq!(goal("cpu_hours_versus_oracle"), (true, true));
    }

    #[test]
    fn figures_have_a_path_of_names_and_come_back_as_they_were() {
        let comparison = Comparison::of(&rows(), 1);
        let json = serde_json::to_value(&comparison).unwrap();
        let path =
            "/scenarios/realistic/arms/mora/cpu_hours_requested/versus/hpa-70/difference/mean";
        near(json.pointer(path).unwrap().as_f64().unwrap(), -30.0);
        assert_eq!(json["schema"], SCHEMA);
        assert_eq!(serde_json::from_value::<Comparison>(json).unwrap(), comparison);
    }

    #[test]
    fn the_order_of_rows_does_not_matter_and_no_cluster_is_mixed_with_a_simulation() {
        let mut rows = rows();
        let simulated = Comparison::of(&rows, 1);
        rows.reverse();
        assert_eq!(Comparison::of(&rows, 1), simulated);
        let mut real = row("realistic", ArmName::Mora, 1000, 1, [500.0, 0.0, 0.0]);
        real.provenance.environment = "kind".into();
        rows.push(real.clone());
        real.provenance.environment = "other".into();
        rows.push(real);
        let both = Comparison::of(&rows, 1);
        assert_eq!(both.scenarios, simulated.scenarios);
        assert_eq!(both.measured.keys().collect::<Vec<_>>(), ["realistic", "realistic@other"]);
        near(both.measured["realistic"].arms[&ArmName::Mora]["cpu_hours_requested"].mean, 500.0);
    }
}
