//! What happens to an application while an arm is judged.

mod demand;
mod events;
mod shape;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use mora_cluster_simulator::{Application, Demand, TimedEvent};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use demand::ScenarioDemand;
use shape::DayShape;
pub use shape::ShapeError;

/// Which history comes before the judged time; scenarios of one kind share it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HistoryKind {
    /// Days and weeks that differ a little.
    Steady,
    /// With strong noise within minutes.
    Noisy,
    /// With bursts of a few minutes.
    Bursty,
    /// The shape of a file, day after day; its name as it is asked for.
    File(String),
}

impl fmt::Display for HistoryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Steady => f.write_str("steady"),
            Self::Noisy => f.write_str("noisy"),
            Self::Bursty => f.write_str("bursty"),
            Self::File(name) => f.write_str(name),
        }
    }
}

/// What the judged time brings that the history has not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disturbance {
    None,
    FlashCrowd,
    Surge,
    CallMix,
    Leak,
    NodeLoss,
}

/// A load, what happens beside it, and for how long.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    name: String,
    description: &'static str,
    history: HistoryKind,
    hours: u32,
    disturbance: Disturbance,
    shape: Option<Arc<DayShape>>,
}

/// Why a scenario cannot be had.
#[derive(Debug, Error)]
pub enum ScenarioError {
    /// No such name.
    #[error(
        "there is no scenario `{0}`; use one of {known}, or file:PATH for the shape in a CSV file",
        known = Scenario::all().iter().map(Scenario::name).collect::<Vec<_>>().join(", ")
    )]
    Unknown(String),
    /// The file of a shape cannot be used.
    #[error("the scenario `{scenario}` has no shape")]
    Shape {
        /// The scenario.
        scenario: String,
        /// Why.
        #[source]
        source: ShapeError,
    },
    /// The application has not what the scenario changes.
    #[error(
        "the scenario `{scenario}` needs {needed} in the application; leave the scenario out, or use another application"
    )]
    Needs {
        /// The scenario.
        scenario: String,
        /// What is missing.
        needed: String,
    },
}

/// Name, description, history, hours and disturbance of the scenarios that need no file, in the order of tables.
const KNOWN: [(&str, &str, HistoryKind, u32, Disturbance); 9] = [
    (
        "realistic",
        "a day with a quiet night, a morning ramp-up, a midday peak and an evening lull",
        HistoryKind::Steady,
        24,
        Disturbance::None,
    ),
    (
        "noisy",
        "the same day with strong noise within minutes, as in its history",
        HistoryKind::Noisy,
        24,
        Disturbance::None,
    ),
    (
        "bursty",
        "the same day with bursts of 1.5 to 2.5 times the load for 1 to 5 minutes, as in its history",
        HistoryKind::Bursty,
        24,
        Disturbance::None,
    ),
    (
        "flash-crowd",
        "four times the load within a minute at 13:00, for 20 minutes, then decaying",
        HistoryKind::Steady,
        24,
        Disturbance::FlashCrowd,
    ),
    ("weekly", "seven days with a weekend", HistoryKind::Steady, 7 * 24, Disturbance::None),
    (
        "surge",
        "two to three times the load for two hours at midday, never seen before",
        HistoryKind::Steady,
        24,
        Disturbance::Surge,
    ),
    (
        "call-mix",
        "from 11:00 five times as many calls to the checkout and half as many recommendations",
        HistoryKind::Steady,
        24,
        Disturbance::CallMix,
    ),
    (
        "leak",
        "two microservices leak until they reach their stock memory limit at midday",
        HistoryKind::Steady,
        24,
        Disturbance::Leak,
    ),
    (
        "node-loss",
        "a node is gone for 30 minutes at the midday peak",
        HistoryKind::Steady,
        24,
        Disturbance::NodeLoss,
    ),
];

const FILE: &str = "file:";

impl Scenario {
    /// The scenarios that need no file, in the order of tables.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let known = KNOWN.into_iter();
        known
            .map(|(name, description, history, hours, disturbance)| Self {
                name: name.to_owned(),
                description,
                history,
                hours,
                disturbance,
                shape: None,
            })
            .collect()
    }

    /// The name in flags, files and tables.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is, in a few words.
    #[must_use]
    pub const fn description(&self) -> &'static str {
        self.description
    }

    /// What comes before it.
    #[must_use]
    pub const fn history(&self) -> &HistoryKind {
        &self.history
    }

    /// Length of the judged time.
    #[must_use]
    pub const fn hours(&self) -> u32 {
        self.hours
    }

    /// SHA-256 of the shape it was read from, in hexadecimal; `None` where it has none.
    #[must_use]
    pub fn shape_digest(&self) -> Option<&str> {
        self.shape.as_deref().map(DayShape::digest)
    }

    /// Requests at the entry, also of the history: `rate` a second over a week, and what happens from `judged` on.
    #[must_use]
    pub fn demand(&self, seed: u64, rate: f64, judged: Timestamp) -> Arc<dyn Demand> {
        Arc::new(ScenarioDemand::new(self, seed, rate, judged.as_second()))
    }

    /// What happens beside the load from `judged` on, in order of time, on a cluster of `nodes` nodes.
    ///
    /// Fails when `application` has not what the scenario changes.
    pub fn events(
        &self,
        application: &Application,
        seed: u64,
        judged: Timestamp,
        nodes: usize,
    ) -> Result<Vec<TimedEvent>, ScenarioError> {
        let needs = |needed| ScenarioError::Needs { scenario: self.name.clone(), needed };
        match self.disturbance {
            Disturbance::CallMix => events::call_mix(application, judged).map_err(needs),
            Disturbance::Leak => events::leak(application, judged).map_err(needs),
            Disturbance::NodeLoss => Ok(events::node_loss(seed, judged, nodes)),
            Disturbance::None | Disturbance::FlashCrowd | Disturbance::Surge => Ok(Vec::new()),
        }
    }

    fn from_file(name: &str, place: &str) -> Result<Self, ScenarioError> {
        let shape = DayShape::read(place)
            .map_err(|source| ScenarioError::Shape { scenario: name.to_owned(), source })?;
        Ok(Self {
            name: name.to_owned(),
            description: "the shape in a file, day after day",
            history: HistoryKind::File(name.to_owned()),
            hours: 24,
            disturbance: Disturbance::None,
            shape: Some(Arc::new(shape)),
        })
    }
}

impl FromStr for Scenario {
    type Err = ScenarioError;

    /// The scenario of this name; `file:PATH` is the shape in a CSV file with the columns `second` and `rps`, and
    /// `file:PATH#TRACE` that of the rows whose column `trace` says so.
    fn from_str(text: &str) -> Result<Self, ScenarioError> {
        if let Some(place) = text.strip_prefix(FILE) {
            return Self::from_file(text, place);
        }
        let found = Self::all().into_iter().find(|scenario| scenario.name == text);
        found.ok_or_else(|| ScenarioError::Unknown(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_scenario_lists_those_that_are_known() {
        let error = "rush".parse::<Scenario>().unwrap_err().to_string();
        for scenario in Scenario::all() {
            assert!(error.contains(scenario.name()), "{error}");
        }
        assert!(error.starts_with("there is no scenario `rush`; use one of realistic, noisy"));
        assert!("file:/no/such.csv".parse::<Scenario>().is_err());
    }

    #[test]
    fn scenarios_that_differ_only_in_the_judged_time_share_their_history() {
        let kinds: Vec<HistoryKind> =
            Scenario::all().iter().map(|scenario| scenario.history().clone()).collect();
        let steady = kinds.iter().filter(|kind| **kind == HistoryKind::Steady).count();
        assert_eq!((steady, kinds.len()), (7, 9));
        let judged: Timestamp = "2026-03-03T00:00Z".parse().unwrap();
        let demand = |name: &str| name.parse::<Scenario>().unwrap().demand(3, 30.0, judged);
        let before = judged.as_second() as f64 - 86_400.0;
        for name in ["flash-crowd", "weekly", "surge", "call-mix", "leak", "node-loss"] {
            for minute in 0..1440 {
                let second = before + 60.0 * f64::from(minute);
                let (one, other) = (demand("realistic").rate(second), demand(name).rate(second));
                assert!((one - other).abs() < 1e-12, "{name} at {second}");
            }
        }
    }
}
