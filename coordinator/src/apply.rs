//! Putting a plan in force once it is made and remembered.

use mora_apply::{
    ApplyConfig, Driver, Journal, Kept, ModeRule, Pace, PlanObjects, RecordError, Report, in_files,
};
use mora_core::ApplyMode;
use mora_kubernetes::{Cluster, ClusterError};
use mora_runtime::with_causes;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::rules::StatedModes;
use crate::{CoordinatorConfig, Outcome};

/// What became of putting a plan in force, or why that was not begun, as a sentence.
pub type Applied = Result<Report, String>;

/// Why a plan was not put in force.
#[derive(Debug, Error)]
enum NotInForce {
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

/// Puts the plan of `outcome` in force where the configuration or the policy of the cluster permits it; returns what became of it,
/// and `None` where nothing was to be done. What is not in force becomes a warning of the plan.
///
/// Once `stop` is cancelled no further change is begun.
pub async fn put_in_force(
    config: &CoordinatorConfig,
    outcome: &mut Outcome,
    stop: &CancellationToken,
) -> Option<Applied> {
    let apply = permitted(&config.apply, &outcome.rules.modes)?;
    match followed(config, &apply, outcome, stop).await {
        Ok(report) => {
            outcome.plan.warnings.extend(report.warnings());
            Some(Ok(report))
        }
        Err(error) => {
            let reason = format!("the plan was not put in force: {}", with_causes(&error));
            outcome.plan.warnings.push(reason.clone());
            Some(Err(reason))
        }
    }
}

/// The modes that are to be followed; `None` where none is.
///
/// Those of the cluster's policy take the place of the configured ones, and permit what they ask for.
fn permitted(configured: &ApplyConfig, stated: &StatedModes) -> Option<ApplyConfig> {
    let mut config = configured.clone();
    if let Some(mode) = stated.default_mode {
        config.default_mode = mode;
        config.permitted |= mode != ApplyMode::Off;
    }
    if let Some(modes) = &stated.modes {
        config.permitted |= modes.iter().any(|(_, mode)| *mode != ApplyMode::Off);
        let rule =
            |(workload, mode): &(_, _)| ModeRule { workload: Clone::clone(workload), mode: *mode };
        config.modes = modes.iter().map(rule).collect();
    }
    (config.permitted && config.has_modes()).then_some(config)
}

async fn followed(
    config: &CoordinatorConfig,
    apply: &ApplyConfig,
    outcome: &Outcome,
    stop: &CancellationToken,
) -> Result<Report, NotInForce> {
    let (plan, now) = (&outcome.plan, outcome.evidence.now);
    if let Some(report) = in_files(plan, apply, now) {
        return Ok(report);
    }
    let cluster = match &outcome.cluster {
        Some(cluster) => cluster.clone(),
        None => Cluster::connect(config.cluster.context.as_deref()).await?,
    };
    let objects = config
        .cluster
        .plans
        .as_ref()
        .map(|plans| PlanObjects { cluster: cluster.clone(), namespace: plans.namespace.clone() });
    let records = Kept::new(config.state.as_deref().map(Journal::new), objects)?;
    let _held = records.hold()?;
    let driver = Driver {
        actuator: &cluster,
        records: &records,
        config: apply,
        stop,
        pace: Pace::default(),
        tell: &|sentence| tracing::info!("{sentence}"),
    };
    Ok(driver.put_in_force(plan, now).await?)
}

#[cfg(test)]
mod tests {
    use mora_planning::Pattern;

    use super::*;

    fn rule(mode: ApplyMode) -> Vec<(Pattern, ApplyMode)> {
        vec![(Pattern("shop/*".to_owned()), mode)]
    }

    #[test]
    fn configured_modes_wait_for_permission_and_those_of_the_cluster_give_it() {
        let configured = ApplyConfig { default_mode: ApplyMode::Patch, ..ApplyConfig::default() };
        let silent = StatedModes::default();
        assert_eq!(permitted(&configured, &silent), None);
        let allowed = ApplyConfig { permitted: true, ..configured.clone() };
        assert_eq!(permitted(&allowed, &silent), Some(allowed.clone()));
        let stated = StatedModes { default_mode: None, modes: Some(rule(ApplyMode::InPlace)) };
        let followed = permitted(&ApplyConfig::default(), &stated).unwrap();
        assert_eq!(followed.mode_of(&"shop/cart".parse().unwrap()), ApplyMode::InPlace);
        assert_eq!(followed.mode_of(&"other/cart".parse().unwrap()), ApplyMode::Off);
    }

    #[test]
    fn a_policy_of_the_cluster_that_says_off_is_stronger_than_the_flag() {
        let allowed = ApplyConfig {
            permitted: true,
            default_mode: ApplyMode::Patch,
            ..ApplyConfig::default()
        };
        assert_eq!(permitted(&allowed, &StatedModes::off()), None);
        assert_eq!(
            permitted(
                &ApplyConfig { permitted: true, ..ApplyConfig::default() },
                &StatedModes::default()
            ),
            None
        );
    }
}
