use std::sync::Arc;

use futures::FutureExt;
use futures::future::{self, BoxFuture};
use mora_cluster_simulator::ScalingKind;
use mora_core::{Millicores, Step};

use super::*;
use crate::made::setup;
use crate::{ArmFactory, ArmName, BuiltInArms, History, Metrics, RunKey, Scenario, metrics};

fn key(arm: ArmName) -> RunKey {
    RunKey { scenario: "realistic".to_owned(), arm, margin_thousandths: 1000, seed: 1 }
}

/// Runs `arm`, or the built-in one of this name, in one hour of a realistic day.
fn outcome(setup: &Setup, name: ArmName, arm: Option<&mut dyn Arm>) -> Outcome {
    let scenario: Scenario = "realistic".parse().unwrap();
    let history = Arc::new(History::simulate(setup, &scenario, 1).unwrap());
    let key = key(name);
    let context = RunContext { key: &key, setup, scenario: &scenario, history: &history };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let outcome = if let Some(arm) = arm {
        runtime.block_on(run(&context, arm))
    } else {
        let mut arm = BuiltInArms::default().make(&context).unwrap();
        runtime.block_on(run(&context, arm.as_mut()))
    };
    outcome.unwrap()
}

/// Notes what it sees.
#[derive(Default)]
struct Watches {
    at: Vec<Timestamp>,
    observed: usize,
}

impl Arm for Watches {
    fn name(&self) -> ArmName {
        ArmName::Stock
    }

    fn every(&self) -> Option<SignedDuration> {
        Some(SignedDuration::from_mins(20))
    }

    fn decide<'a>(
        &'a mut self,
        view: &'a dyn View,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Change>, ArmError>> {
        self.at.push(now);
        let from = now - SignedDuration::from_hours(24);
        let dataset =
            view.datasets(&Lookback { from, to: now, step: Step::MINUTE }).next().unwrap();
        let rate = dataset.request_rate.unwrap();
        assert_eq!(rate.end(), now, "all up to now, and nothing after");
        self.observed = rate.observed().count();
        let workload = view.workloads()[0].clone();
        let claim =
            ResourceClaim { cpu_request: Some(Millicores::new(500)), ..view.claim(&workload) };
        let above_its_limit = Change::Resize { workload, claim };
        future::ready(Ok(vec![above_its_limit])).boxed()
    }
}

#[test]
fn an_arm_acts_before_the_judged_time_and_then_at_full_intervals_on_what_was_observed() {
    let setup = setup();
    let mut arm = Watches::default();
    let outcome = outcome(&setup, ArmName::Stock, Some(&mut arm));
    let minutes = |at: &Timestamp| at.duration_since(setup.start).as_mins();
    assert_eq!(arm.at.iter().map(minutes).collect::<Vec<_>>(), [-30, -20, 0, 20, 40]);
    assert_eq!(arm.observed, 24 * 60);
    assert_eq!((outcome.recording.start, outcome.recording.minutes[0].len()), (setup.start, 60));
    assert_eq!(outcome.refused, 5);
}

fn judged(setup: &Setup, arm: ArmName) -> (Outcome, Metrics) {
    let outcome = outcome(setup, arm, None);
    let metrics = metrics(&outcome.recording, setup.objective);
    (outcome, metrics)
}

#[test]
fn every_built_in_arm_acts_as_it_should_within_an_hour_of_the_night() {
    let setup = setup();
    let (_, stock) = judged(&setup, ArmName::Stock);
    let pods: u32 = setup.application.microservices.iter().map(|m| m.replicas).sum();
    assert!(stock.cpu_hours_requested > 0.05 * f64::from(pods) && stock.scaling_events < 0.5);
    for arm in [ArmName::Baseline, ArmName::Vpa, ArmName::Oracle] {
        let (outcome, metrics) = judged(&setup, arm);
        assert_eq!(outcome.refused, 0, "{arm}");
        assert!(metrics.scaling_events < 0.5, "{arm} starts and ends nothing");
        assert!((metrics.cpu_hours_requested - stock.cpu_hours_requested).abs() > 0.01, "{arm}");
    }
    let (_, oracle) = judged(&setup, ArmName::Oracle);
    assert!(oracle.cpu_under < 0.02 && oracle.cpu_over < 2.0, "{oracle:?}");
    assert!(oracle.cpu_hours_requested < stock.cpu_hours_requested);
    let (hpa, metrics) = judged(&setup, ArmName::Hpa70);
    assert!(metrics.cpu_hours_requested < stock.cpu_hours_requested);
    assert!(hpa.recording.events.iter().all(|event| event.kind == ScalingKind::Replicas));
}

#[test]
fn one_seed_gives_one_outcome() {
    let setup = setup();
    for arm in [ArmName::Vpa, ArmName::Hpa50, ArmName::Oracle] {
        assert_eq!(judged(&setup, arm).0, judged(&setup, arm).0, "{arm}");
    }
}
