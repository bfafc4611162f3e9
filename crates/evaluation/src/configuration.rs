//! What decides the results of an evaluation, and which runs it has.

use std::collections::BTreeMap;

use mora_core::hexadecimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{ArmName, RunKey, Scenario, ScenarioError, Setup};

/// The margin of an arm as it is, in thousandths.
pub const AS_IT_IS: u32 = 1000;

/// Which runs there are: every arm in every scenario with every seed and margin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matrix {
    /// The scenarios by name.
    pub scenarios: Vec<String>,
    /// The arms.
    pub arms: Vec<ArmName>,
    /// The seeds; the course of a run is kept for the first.
    pub seeds: Vec<u64>,
    /// Factors on what arms ask for of CPU, in thousandths; stock manifests have none but 1000.
    pub margins: Vec<u32>,
}

impl Matrix {
    /// Its runs, each once, in the order they are made: those that share a history follow one another.
    ///
    /// Fails when a scenario cannot be had.
    pub fn runs(&self) -> Result<Vec<(RunKey, Scenario)>, ScenarioError> {
        let scenarios = self.scenarios.iter().map(|name| name.parse());
        let mut scenarios: Vec<Scenario> = scenarios.collect::<Result<_, _>>()?;
        scenarios.sort_by(|a, b| a.history().cmp(b.history()));
        let mut runs = Vec::new();
        for group in scenarios.chunk_by(|a, b| a.history() == b.history()) {
            for seed in &self.seeds {
                for scenario in group {
                    runs.extend(self.keys(scenario, *seed).map(|key| (key, scenario.clone())));
                }
            }
        }
        let mut known = std::collections::BTreeSet::new();
        runs.retain(|(key, _)| known.insert(key.clone()));
        Ok(runs)
    }

    fn keys(&self, scenario: &Scenario, seed: u64) -> impl Iterator<Item = RunKey> {
        self.arms.iter().flat_map(move |arm| {
            let fits = |margin: &&u32| *arm != ArmName::Stock || **margin == AS_IT_IS;
            self.margins.iter().filter(fits).map(move |margin| RunKey {
                scenario: scenario.name().to_owned(),
                arm: *arm,
                margin_thousandths: *margin,
                seed,
            })
        })
    }
}

/// All that an evaluation was asked to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// Version of the program.
    pub version: String,
    /// What all runs have in common.
    pub setup: Setup,
    /// How arms are made that are configured elsewhere, by name.
    pub arms: BTreeMap<String, Value>,
    /// Which runs there are. It does not decide what comes of any of them, so it is not part of the digest.
    pub matrix: Matrix,
}

impl Configuration {
    /// SHA-256 of all that decides what comes of a run, in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> String {
        sha256(Value::Object(self.deciding().into_iter().collect()).to_string().as_bytes())
    }

    /// What decides and differs from `other`, by key.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let (own, others) = (self.deciding(), other.deciding());
        let keys: std::collections::BTreeSet<_> = own.keys().chain(others.keys()).collect();
        let differing = keys.into_iter().filter(|key| own.get(*key) != others.get(*key));
        differing.cloned().collect()
    }

    fn deciding(&self) -> BTreeMap<String, Value> {
        let mut deciding = BTreeMap::from([("version".to_owned(), Value::from(&*self.version))]);
        let setup = serde_json::to_value(&self.setup).unwrap_or_default();
        let setup = setup.as_object().into_iter().flatten();
        deciding.extend(setup.map(|(key, value)| (format!("setup.{key}"), value.clone())));
        let arms = self.arms.iter();
        deciding.extend(arms.map(|(key, value)| (format!("arms.{key}"), value.clone())));
        deciding
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix() -> Matrix {
        Matrix {
            scenarios: ["noisy", "realistic", "bursty", "surge"].map(str::to_owned).to_vec(),
            arms: vec![ArmName::Stock, ArmName::Hpa70],
            seeds: vec![1, 2, 1],
            margins: vec![900, 1000],
        }
    }

    #[test]
    fn runs_that_share_a_history_follow_one_another_and_each_is_there_once() {
        let runs = matrix().runs().unwrap();
        // Four scenarios, two seeds, stock once and the autoscaler twice.
        assert_eq!(runs.len(), 4 * 2 * 3);
        let histories: Vec<_> =
            runs.iter().map(|(key, scenario)| (scenario.history().clone(), key.seed)).collect();
        let groups = histories.chunk_by(|a, b| a == b).count();
        assert_eq!(groups, 3 * 2, "{histories:?}");
        assert!(runs.iter().all(|(key, scenario)| key.scenario == scenario.name()));
    }

    #[test]
    fn an_unknown_scenario_is_refused() {
        let matrix = Matrix { scenarios: vec!["calm".to_owned()], ..matrix() };
        assert!(matrix.runs().unwrap_err().to_string().contains("`calm`"));
    }
}
