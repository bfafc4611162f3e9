//! What all runs of an evaluation have in common.

use jiff::{SignedDuration, Timestamp};
use mora_cluster_simulator::{Application, Microservice, NodeSize};
use mora_core::{Bytes, LimitRule, Millicores, ResourceClaim};
use serde::{Deserialize, Serialize};

use crate::{Objective, Scenario};

/// The nodes of the simulated shop.
const NODE: NodeSize =
    NodeSize { cpu: mora_simulation::NODE.cpu, memory: mora_simulation::NODE.memory };

/// Times the replicas of the manifests that a HorizontalPodAutoscaler may ask for; the cluster has room for their claims.
pub const MOST_REPLICAS: u32 = 4;

/// What all runs of an evaluation have in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// What runs, with stock claims and replicas.
    pub application: Application,
    /// Requests per second at its entry, mean over a week, above 0.
    pub rate: f64,
    /// The first instant that is judged.
    pub start: Timestamp,
    /// Days before it that arms have seen, at least 1.
    pub history_days: u32,
    /// Minutes before it in which an arm acts already and is not judged: pods start and first changes take effect.
    pub settling_minutes: u32,
    /// Hours that are judged; `None` for as many as the scenario has.
    pub judged_hours: Option<u32>,
    /// Step of the history, in milliseconds.
    pub history_step_millis: u32,
    /// Step of the judged time, in milliseconds: the kernel's period is 100.
    pub step_millis: u32,
    /// The nodes of the cluster.
    pub nodes: Vec<NodeSize>,
    /// How limits follow the requests that an arm changes.
    pub limits: LimitRule,
    /// What users were promised.
    pub objective: Objective,
}

impl Setup {
    /// `application` at `rate` requests per second: 14 days of history, then from Tuesday 2026-03-03 on as long as the
    /// scenario asks for, on nodes with room for four times the stock claims and one more.
    #[must_use]
    pub fn new(application: Application, rate: f64) -> Self {
        Self {
            nodes: nodes(&application),
            application,
            rate,
            start: Timestamp::constant(1_772_496_000, 0),
            history_days: 14,
            settling_minutes: 60,
            judged_hours: None,
            history_step_millis: 10_000,
            step_millis: 100,
            limits: LimitRule::NeverLower,
            objective: Objective { latency_p95: 0.3, error_ratio: 0.001 },
        }
    }

    /// The instant after the last that is judged.
    #[must_use]
    pub fn end(&self, scenario: &Scenario) -> Timestamp {
        let hours = self.judged_hours.unwrap_or_else(|| scenario.hours());
        self.start + SignedDuration::from_hours(i64::from(hours))
    }

    /// When arms begin to act, and the history ends.
    #[must_use]
    pub fn acts_from(&self) -> Timestamp {
        self.start - SignedDuration::from_mins(i64::from(self.settling_minutes))
    }

    /// The first instant of the history.
    #[must_use]
    pub fn history_from(&self) -> Timestamp {
        self.acts_from() - SignedDuration::from_hours(24 * i64::from(self.history_days))
    }
}

/// As many nodes as four times the stock claims fill, and one that may be lost; at least three.
fn nodes(application: &Application) -> Vec<NodeSize> {
    let total = |of: &dyn Fn(&ResourceClaim) -> u64| -> u64 {
        let claimed = |m: &Microservice| of(&m.claim) * u64::from(m.replicas);
        application.microservices.iter().map(claimed).sum::<u64>() * u64::from(MOST_REPLICAS)
    };
    let cpu = total(&|claim| claim.cpu_request.map_or(0, Millicores::get));
    let memory = total(&|claim| claim.memory_request.map_or(0, Bytes::get));
    let filled = cpu.div_ceil(NODE.cpu.get()).max(memory.div_ceil(NODE.memory.get()));
    vec![NODE; (filled + 1).max(3) as usize]
}
