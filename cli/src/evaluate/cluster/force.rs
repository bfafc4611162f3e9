//! Changes that an arm asks for, made in the cluster by what makes those of a plan.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use mora_apply::{ApplyConfig, Driver, InPlaceConfig, Journal, Outcome, Pace};
use mora_cluster_simulator::Change;
use mora_core::{
    ApplyMode, Bytes, Decision, Justification, Limit, Limits, Millicores, Plan, Recommendation,
    ResourceClaim, Source, Target, Verdict, WorkloadRef,
};
use mora_evaluation::ContainerOf;
use mora_kubernetes::{Cluster, ClusterError};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::progress::say;

/// Longest wait for a pod to have its new size, in seconds: some hours of a compressed day.
const RESIZED_SECONDS: u32 = 60;
/// Between two looks at it.
const PACE: Pace = Pace(Duration::from_millis(200));
/// Raises are made before decreases.
const WAVES: [u32; 2] = [1, 2];

/// Why changes could not be made.
#[derive(Debug, Error)]
pub(super) enum ForceError {
    /// What was there before cannot be written down.
    #[error("nothing is changed without a record")]
    Record(#[from] mora_apply::RecordError),
    /// The cluster refused.
    #[error("the cluster did not scale {workload}")]
    Scale {
        /// What was to be scaled.
        workload: WorkloadRef,
        /// Why not.
        #[source]
        source: Box<ClusterError>,
    },
}

/// What became of changes.
#[derive(Debug, Default)]
pub(super) struct Forced {
    /// Workloads whose pods were resized in place.
    pub(super) resized: Vec<WorkloadRef>,
    /// Changes that were not made.
    pub(super) refused: u32,
}

/// Makes changes in a cluster.
pub(super) struct Force<'a> {
    pub(super) cluster: &'a Cluster,
    /// Where what was there before is kept.
    pub(super) state: &'a Path,
    pub(super) containers: &'a BTreeMap<WorkloadRef, ContainerOf>,
    pub(super) stop: &'a CancellationToken,
}

impl Force<'_> {
    /// Makes `changes`; one that is refused is counted and told.
    ///
    /// Fails when what was there before cannot be recorded, or a workload cannot be scaled.
    pub(super) async fn make(&self, changes: &[Change]) -> Result<Forced, ForceError> {
        let mut forced = Forced::default();
        for (mode, in_place) in [(ApplyMode::InPlace, true), (ApplyMode::Patch, false)] {
            let claims = changes.iter().filter_map(|change| match change {
                Change::Resize { workload, claim } if in_place => Some((workload, claim)),
                Change::RollOut { workload, claim } if !in_place => Some((workload, claim)),
                _ => None,
            });
            let wanted: BTreeMap<&WorkloadRef, &ResourceClaim> = claims.collect();
            if !wanted.is_empty() {
                self.put_in_force(mode, &wanted, &mut forced).await?;
            }
        }
        for change in changes {
            if let Change::Scale { workload, replicas } = change {
                let scaled = self.cluster.scale(workload, *replicas).await;
                scaled.map_err(|source| {
                    let (workload, source) = (workload.clone(), Box::new(source));
                    ForceError::Scale { workload, source }
                })?;
            }
        }
        Ok(forced)
    }

    async fn put_in_force(
        &self,
        mode: ApplyMode,
        wanted: &BTreeMap<&WorkloadRef, &ResourceClaim>,
        forced: &mut Forced,
    ) -> Result<(), ForceError> {
        let now = Timestamp::now();
        let asked = wanted.iter().filter_map(|(workload, claim)| {
            Some(recommendation(workload, self.containers.get(*workload)?, claim))
        });
        let id = format!("{}-evaluation", now.strftime("%Y%m%dT%H%M%S%.3f"));
        let plan = Plan::complete(id, now, asked.collect());
        let config = ApplyConfig {
            default_mode: mode,
            in_place: InPlaceConfig { deadline_seconds: RESIZED_SECONDS },
            ..ApplyConfig::default()
        };
        let records = Journal::new(self.state);
        let _held = records.hold()?;
        let driver = Driver {
            actuator: self.cluster,
            records: &records,
            config: &config,
            stop: self.stop,
            pace: PACE,
            tell: &|_| {},
        };
        for one in driver.put_in_force(&plan, now).await?.workloads {
            match one.outcome {
                Outcome::Applied if mode == ApplyMode::InPlace => forced.resized.push(one.workload),
                Outcome::Applied | Outcome::Unchanged => {}
                other => {
                    forced.refused += 1;
                    say(&format!("{}: {other}, {}", one.workload, one.detail));
                }
            }
        }
        Ok(())
    }
}

/// A recommendation that asks for just `wanted`.
fn recommendation(
    workload: &WorkloadRef,
    container: &ContainerOf,
    wanted: &ResourceClaim,
) -> Recommendation {
    let now = container.claim;
    let cpu = wanted.cpu_request.or(now.cpu_request).unwrap_or_default();
    let memory = wanted.memory_request.or(now.memory_request).unwrap_or_default();
    let raises = now.cpu_request.is_some_and(|now| cpu > now)
        || now.memory_request.is_some_and(|now| memory > now);
    let wave = if raises { WAVES[0] } else { WAVES[1] };
    Recommendation {
        workload: workload.clone(),
        container: container.name.clone(),
        replicas: 1,
        cpu: target::<Millicores>(now.cpu_request, cpu),
        memory: target::<Bytes>(now.memory_request, memory),
        limits: Limits {
            cpu: Limit { current: now.cpu_limit, target: wanted.cpu_limit, fixed: true },
            memory: Limit { current: now.memory_limit, target: wanted.memory_limit, fixed: true },
        },
        autoscaler: None,
        schedule: Vec::new(),
        source: Source::Statistical,
        justification: Justification::default(),
        decision: Some(Decision {
            verdict: if raises { Verdict::Raise } else { Verdict::Lower },
            cpu: Some(cpu),
            memory: Some(memory),
            wave: Some(wave),
            reason: "An arm of an evaluation asks for it.".to_owned(),
        }),
    }
}

fn target<Q: Copy>(current: Option<Q>, target: Q) -> Target<Q> {
    let (lower_bound, upper_bound, uncapped_target) = (target, target, target);
    Target { current, target, lower_bound, upper_bound, uncapped_target }
}

#[cfg(test)]
mod tests {
    use mora_apply::intents;

    use super::*;

    fn claim(cpu: u64, limit: u64, memory: u64) -> ResourceClaim {
        ResourceClaim {
            cpu_request: Some(Millicores::new(cpu)),
            cpu_limit: Some(Millicores::new(limit)),
            memory_request: Some(Bytes::from_mebibytes(memory)),
            memory_limit: Some(Bytes::from_mebibytes(2 * memory)),
        }
    }

    #[test]
    fn what_is_made_is_what_the_arm_asked_for_raises_first() {
        let now = Timestamp::from_second(1_795_000_000).unwrap();
        let container =
            ContainerOf { name: "server".to_owned(), claim: claim(100, 200, 64), scales: true };
        let (cart, shop) = ("shop/cart".parse().unwrap(), "shop/frontend".parse().unwrap());
        let (less, more) = (claim(40, 80, 32), claim(150, 300, 48));
        let asked = vec![
            recommendation(&cart, &container, &less),
            recommendation(&shop, &container, &more),
        ];
        let plan = Plan::complete("plan".to_owned(), now, asked);
        let config = ApplyConfig { default_mode: ApplyMode::InPlace, ..ApplyConfig::default() };
        let changes = intents(&plan, &config, now).changes;
        let asked: Vec<_> =
            changes.iter().map(|one| (one.wave, one.containers["server"].to)).collect();
        assert_eq!(asked, [(1, more), (2, less)]);
    }
}
