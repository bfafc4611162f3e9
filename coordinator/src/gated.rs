//! A planning run whose decisions are remembered.

use std::panic::resume_unwind;

use jiff::Timestamp;
use mora_planning::{GateState, Surroundings, gate};

use crate::cluster::publish;
use crate::store::Remembered;
use crate::{CoordinatorConfig, Outcome, RunError, Store, StoreError, Workers, run_asking};

/// Makes one plan at `now` as [`run_asking`] does, lets the change gate decide about it, and remembers both where `state`
/// is configured. At last it is written to the cluster where that is configured.
///
/// Fails as [`run_asking`] does, and when the plan cannot be remembered: a decision that the next run does not know of must
/// not be followed.
pub async fn run_gated(
    workers: &Workers,
    config: &CoordinatorConfig,
    now: Timestamp,
) -> Result<Outcome, RunError> {
    let outcome = run_asking(workers, config, now).await?;
    let remembering = config.clone();
    // Another run may hold the folder; waiting for it must not hold up other answers.
    let decided = tokio::task::spawn_blocking(move || decide(&remembering, outcome));
    let decided = decided.await.unwrap_or_else(|failed| resume_unwind(failed.into_panic()));
    let mut outcome = decided?;
    publish(config, &mut outcome).await;
    Ok(outcome)
}

fn decide(config: &CoordinatorConfig, mut outcome: Outcome) -> Result<Outcome, StoreError> {
    let store = config.state.as_ref().map(|folder| Store::open(folder, config.keep_plans));
    let Some(store) = store.transpose()? else {
        apply(&mut outcome, None);
        return Ok(outcome);
    };
    let store = store.lock()?;
    let remembered = store.load()?;
    let state = apply(&mut outcome, Some(&remembered));
    store.save(&outcome, &state)?;
    Ok(outcome)
}

fn apply(outcome: &mut Outcome, remembered: Option<&Remembered>) -> GateState {
    let Outcome { plan, evidence, datasets, rules, .. } = outcome;
    let surroundings = Surroundings { graph: &evidence.graph, datasets, now: evidence.now };
    if let Some(remembered) = remembered {
        plan.warnings.extend(remembered.warnings.iter().cloned());
    }
    let previous = remembered.map(|remembered| &remembered.gate);
    gate(plan, surroundings, &rules.policy.gate, previous)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use mora_core::{
        Bytes, CallGraph, ContainerUsage, Dataset, Decision, Millicores, Series, Step, Verdict,
    };
    use mora_planning::{Evidence, Policy, observe, statistical_plan};
    use tempfile::TempDir;

    use super::*;
    use crate::Rules;

    /// A plan for a workload that uses a tenth of the core it requests.
    fn outcome(minutes: usize) -> Outcome {
        let now = Timestamp::UNIX_EPOCH + Step::MINUTE.times(minutes + 600);
        let even = |value| {
            Series::new(Timestamp::UNIX_EPOCH, Step::MINUTE, vec![Some(value); 600]).unwrap()
        };
        let mut usage = ContainerUsage {
            cpu: [("pod".to_owned(), even(0.1))].into(),
            memory: [("pod".to_owned(), even(1e8))].into(),
            ..ContainerUsage::default()
        };
        usage.claim.cpu_request = Some(Millicores::new(1000));
        usage.claim.memory_request = Some(Bytes::from_mebibytes(110));
        let mut dataset = Dataset::new("shop/cart".parse().unwrap());
        dataset.containers.insert("server".to_owned(), usage);
        let datasets = BTreeMap::from([(dataset.workload.clone(), dataset)]);
        let graph = CallGraph::default();
        let evidence = Evidence {
            observed: observe(&datasets, &graph, &Policy::default(), (now, Step::HOUR)),
            forecasts: BTreeMap::new(),
            graph,
            capacity: None,
            cluster: None,
            now,
            start: now,
            slot: Step::HOUR,
            slots: 24,
        };
        let plan = statistical_plan("p", &evidence, &Policy::default());
        Outcome { plan, evidence, datasets, rules: Rules::default(), cluster: None }
    }

    fn decision(config: &CoordinatorConfig, minutes: usize) -> Decision {
        let outcome = decide(config, outcome(minutes)).unwrap();
        outcome.plan.recommendations[0].decision.clone().unwrap()
    }

    #[test]
    fn with_a_folder_runs_agree_on_a_decrease() {
        let folder = TempDir::new().unwrap();
        let state = Some(folder.path().join("state"));
        let config = CoordinatorConfig { state, ..CoordinatorConfig::default() };
        assert_eq!(decision(&config, 0).verdict, Verdict::Hold);
        let plan = decide(&config, outcome(30)).unwrap().plan;
        let text = crate::render(&plan, crate::Format::Table).unwrap();
        assert!(text.contains("change, wave 1: shop/Deployment/cart server: CPU is lowered from 1 to 800m, a step towards 100m"), "{text}");
    }

    #[test]
    fn without_a_folder_nothing_is_lowered() {
        for minutes in [0, 30, 60] {
            let decision = decision(&CoordinatorConfig::default(), minutes);
            assert_eq!(decision.cpu, Some(Millicores::new(1000)));
            assert!(decision.reason.contains("set `state` to a folder"), "{}", decision.reason);
        }
    }
}
