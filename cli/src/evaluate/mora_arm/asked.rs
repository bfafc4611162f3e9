//! From what a plan asks for to changes of a cluster, with a factor on CPU.

use std::collections::BTreeMap;

use mora_apply::{Intended, Intent, Means};
use mora_cluster_simulator::Change;
use mora_core::{Dataset, LimitRule, Millicores, ResourceClaim, WorkloadRef};
use mora_evaluation::AS_IT_IS;
use thiserror::Error;

/// Why an intent is no change of a simulated cluster.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum NoChange {
    /// A simulated pod has one container.
    #[error("the plan asks for {1} containers of `{0}`, whose pods have one")]
    Containers(WorkloadRef, usize),
    /// Neither pods nor pod templates are to be changed.
    #[error(
        "the plan of `{0}` is to be put in force by {1:?}; use a mode that changes pods or their template"
    )]
    Means(WorkloadRef, Means),
}

/// A claim that MOrA asked for, and what was set for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pair {
    asked: ResourceClaim,
    set: ResourceClaim,
}

/// What was asked for so far, and the factor between that and what is set.
///
/// MOrA does not know of the factor: the claims it set are shown to it as it asked for them, since otherwise it would see its own
/// requests changed by somebody and change them back.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    thousandths: u32,
    limits: LimitRule,
    /// What was claimed before anything was asked for.
    stock: BTreeMap<WorkloadRef, ResourceClaim>,
    pairs: BTreeMap<WorkloadRef, Pair>,
}

impl Asked {
    /// With a factor on CPU requests, in thousandths, which CPU limits follow by `limits`.
    pub(crate) const fn with_margin(thousandths: u32, limits: LimitRule) -> Self {
        Self { thousandths, limits, stock: BTreeMap::new(), pairs: BTreeMap::new() }
    }

    /// `datasets` with the claims that were asked for in place of those that were set for them.
    pub(super) fn shown(&self, mut datasets: Vec<Dataset>) -> Vec<Dataset> {
        for dataset in &mut datasets {
            let Some(pair) = self.pairs.get(&dataset.workload) else { continue };
            for usage in dataset.containers.values_mut() {
                if usage.claim == pair.set {
                    usage.claim = pair.asked;
                }
            }
        }
        datasets
    }

    /// The changes that `intended` asks for, in its order: raises before decreases. What a plan leaves at the claim it has, one of
    /// `current`, is asked for too, so the factor is on it as well.
    ///
    /// Fails when the plan asks for what a simulated cluster has not.
    pub(super) fn changes(
        &mut self,
        intended: Intended,
        current: impl IntoIterator<Item = (WorkloadRef, ResourceClaim)>,
    ) -> Result<Vec<Change>, NoChange> {
        let current: BTreeMap<WorkloadRef, ResourceClaim> = current.into_iter().collect();
        if self.stock.is_empty() {
            self.stock.clone_from(&current);
        }
        let changes = intended.changes.into_iter().map(|intent| self.change(intent));
        let mut changes = changes.collect::<Result<Vec<_>, _>>()?;
        for (workload, asked) in current {
            if self.thousandths != AS_IT_IS && !self.pairs.contains_key(&workload) {
                let claim = self.set(&workload, asked);
                changes.push(Change::Resize { workload, claim });
            }
        }
        Ok(changes)
    }

    /// What is set where `asked` is asked for, which is noted.
    fn set(&mut self, workload: &WorkloadRef, asked: ResourceClaim) -> ResourceClaim {
        let set = self.scaled(workload, asked);
        self.pairs.insert(workload.clone(), Pair { asked, set });
        set
    }

    fn change(&mut self, intent: Intent) -> Result<Change, NoChange> {
        let Intent { workload, means, containers, .. } = intent;
        let mut claims = containers.values().map(|container| container.to);
        let (Some(asked), None) = (claims.next(), claims.next()) else {
            return Err(NoChange::Containers(workload, containers.len()));
        };
        let claim = self.set(&workload, asked);
        match means {
            Means::Pods | Means::PodsOrTemplate => Ok(Change::Resize { workload, claim }),
            Means::Template => Ok(Change::RollOut { workload, claim }),
            Means::Autoscaler | Means::Files => Err(NoChange::Means(workload, means)),
        }
    }

    /// `claim` with its CPU request times the factor, and the limit that follows it. A limit that is never lowered has the factor
    /// too, as it stands beside requests that have it, but is at least what it was first of all.
    fn scaled(&self, workload: &WorkloadRef, claim: ResourceClaim) -> ResourceClaim {
        let Some(cpu) = claim.cpu_request.filter(|_| self.thousandths != AS_IT_IS) else {
            return claim;
        };
        let times = |amount: Millicores| {
            amount.get().saturating_mul(u64::from(self.thousandths)).div_ceil(1000).max(1)
        };
        let scaled = times(cpu);
        let limit = match claim.cpu_limit.filter(|limit| *limit != cpu) {
            Some(limit) if self.limits == LimitRule::NeverLower => {
                let stock = self.stock.get(workload).and_then(|claim| claim.cpu_limit);
                Some(times(limit).max(stock.map_or(0, Millicores::get)))
            }
            _ => {
                let now = (Some(cpu.get()), claim.cpu_limit.map(Millicores::get));
                self.limits.limit(scaled, now, 0)
            }
        };
        ResourceClaim {
            cpu_request: Some(Millicores::new(scaled)),
            cpu_limit: limit.map(Millicores::new),
            ..claim
        }
    }
}

#[cfg(test)]
mod tests {
    use mora_apply::ContainerIntent;
    use mora_core::{ApplyMode, Bytes, ContainerUsage, Target};

    use super::*;

    fn claim(cpu: u64, limit: u64) -> ResourceClaim {
        ResourceClaim {
            cpu_request: Some(Millicores::new(cpu)),
            cpu_limit: Some(Millicores::new(limit)),
            memory_request: Some(Bytes::from_mebibytes(64)),
            memory_limit: None,
        }
    }

    fn container(to: ResourceClaim) -> ContainerIntent {
        let (cpu, memory) = (target(Millicores::new(1)), target(Bytes::from_mebibytes(1)));
        ContainerIntent { from: claim(500, 1000), to, cpu, memory }
    }

    fn target<Q: Copy>(target: Q) -> Target<Q> {
        Target {
            current: None,
            target,
            lower_bound: target,
            upper_bound: target,
            uncapped_target: target,
        }
    }

    fn intent(name: &str, means: Means, containers: &[(&str, ResourceClaim)]) -> Intent {
        let workload = name.parse().unwrap();
        let containers = containers.iter().map(|(name, to)| ((*name).to_owned(), container(*to)));
        let containers = containers.collect();
        Intent { workload, mode: ApplyMode::Scheduled, means, wave: 1, containers }
    }

    fn asking(thousandths: u32) -> Asked {
        Asked::with_margin(thousandths, LimitRule::KeepRatio)
    }

    fn intended(changes: Vec<Intent>) -> Intended {
        Intended { changes, ..Intended::default() }
    }

    #[test]
    fn intents_become_changes_in_their_order_by_their_means() {
        let mut asked = asking(1000);
        let changes = vec![
            intent("shop/web", Means::Pods, &[("server", claim(300, 600))]),
            intent("shop/cart", Means::Template, &[("server", claim(100, 200))]),
        ];
        let (web, cart) = ("shop/web".parse().unwrap(), "shop/cart".parse().unwrap());
        let expected = vec![
            Change::Resize { workload: web, claim: claim(300, 600) },
            Change::RollOut { workload: cart, claim: claim(100, 200) },
        ];
        assert_eq!(asked.changes(intended(changes), []).unwrap(), expected);
    }

    #[test]
    fn the_factor_is_on_cpu_alone_and_what_was_set_is_shown_as_it_was_asked_for() {
        let mut asked = asking(1250);
        let changes = vec![intent("shop/web", Means::Pods, &[("server", claim(301, 602))])];
        let changes = asked.changes(intended(changes), []).unwrap();
        let set = claim(377, 754);
        let workload: WorkloadRef = "shop/web".parse().unwrap();
        assert_eq!(changes, [Change::Resize { workload: workload.clone(), claim: set }]);
        let seen = |claim| {
            let usage = ContainerUsage { claim, ..ContainerUsage::default() };
            let mut dataset = Dataset::new(workload.clone());
            dataset.containers.insert("server".to_owned(), usage);
            asked.shown(vec![dataset]).remove(0).containers["server"].claim
        };
        assert_eq!(seen(set), claim(301, 602));
        assert_eq!(seen(claim(500, 1000)), claim(500, 1000), "not what was set");
    }

    #[test]
    fn what_is_left_as_it_is_has_the_factor_too_once() {
        let workload: WorkloadRef = "shop/web".parse().unwrap();
        let current = || [(workload.clone(), claim(100, 200))];
        let nothing = || intended(Vec::new());
        assert_eq!(asking(1000).changes(nothing(), current()).unwrap(), []);
        let mut asked = asking(800);
        let expected = [Change::Resize { workload: workload.clone(), claim: claim(80, 160) }];
        assert_eq!(asked.changes(nothing(), current()).unwrap(), expected);
        assert_eq!(asked.changes(nothing(), current()).unwrap(), []);
    }

    #[test]
    fn a_limit_that_may_not_fall_has_the_factor_above_what_it_was() {
        let workload: WorkloadRef = "shop/web".parse().unwrap();
        for (thousandths, asked, set) in [
            (1000, claim(100, 700), claim(100, 700)),
            (800, claim(100, 700), claim(80, 560)),
            (800, claim(100, 500), claim(80, 500)),
            (2000, claim(100, 700), claim(200, 1400)),
            (800, claim(100, 100), claim(80, 80)),
        ] {
            let changes = vec![intent("shop/web", Means::Pods, &[("server", asked)])];
            let mut asked = Asked::with_margin(thousandths, LimitRule::NeverLower);
            let stock = [(workload.clone(), claim(250, 500))];
            let changes = asked.changes(intended(changes), stock).unwrap();
            assert_eq!(changes, [Change::Resize { workload: workload.clone(), claim: set }]);
        }
    }

    #[test]
    fn what_a_simulated_cluster_has_not_is_refused_by_name() {
        let two = [("server", claim(1, 1)), ("proxy", claim(1, 1))];
        for (means, containers) in [(Means::Pods, &two[..]), (Means::Files, &two[..1])] {
            let changes = vec![intent("shop/web", means, containers)];
            let error = asking(1000).changes(intended(changes), []).unwrap_err();
            assert!(error.to_string().contains("shop/Deployment/web"), "{error}");
        }
    }
}
