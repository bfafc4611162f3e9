use std::sync::Arc;

use jiff::SignedDuration;
use mora_core::{InventoryContainer, InventoryItem, OwnerKind, OwnerRef, ResourceClaim, Step};

use super::*;
use crate::{ConfidenceLevel, Dialect, Proposed, QuerySettings};

const MEBIBYTE: f64 = 1_048_576.0;

fn at(hour: i64) -> Timestamp {
    Timestamp::from_second(hour * 3600).unwrap()
}

fn settings() -> QuerySettings {
    QuerySettings {
        dialect: Dialect::Own,
        at: at(168),
        lookback: SignedDuration::from_hours(168),
        step: Step::from_seconds(300).unwrap(),
        scrape_interval: Step::MINUTE,
        cpu_quantile: 0.95,
        hours: None,
        cluster: None,
        oom_kills: true,
    }
}

fn container(role: ContainerRole) -> InventoryContainer {
    let claim = ResourceClaim {
        cpu_request: Some(Millicores::new(500)),
        cpu_limit: Some(Millicores::new(1000)),
        memory_request: Some(Bytes::from_mebibytes(512)),
        memory_limit: Some(Bytes::from_mebibytes(1024)),
    };
    InventoryContainer { role, claim }
}

fn item(kind: OwnerKind) -> InventoryItem {
    InventoryItem {
        owner: OwnerRef::new("shop", kind, "cart"),
        labels: [].into(),
        replicas: 3,
        containers: Vec::new(),
        pods: Vec::new(),
        generations: Vec::new(),
        autoscaler: None,
        warnings: Vec::new(),
    }
}

/// A pod with a quantile of CPU in cores and memory in MiB in every hour of `hours`.
fn pod(cores: f64, mebibytes: f64, hours: std::ops::Range<i64>) -> PodObserved {
    PodObserved {
        cpu: Some(cores),
        memory: Some(mebibytes * MEBIBYTE),
        memory_slots: hours.map(|hour| (at(hour + 1), mebibytes * MEBIBYTE)).collect(),
        ..PodObserved::default()
    }
}

fn observed(pods: Vec<PodObserved>) -> ContainerObserved {
    let named = pods.into_iter().enumerate();
    ContainerObserved {
        pods: named.map(|(index, pod)| (Arc::from(format!("p{index}").as_str()), pod)).collect(),
    }
}

fn advise(kind: OwnerKind, role: ContainerRole, observed: Option<&ContainerObserved>) -> Advice {
    let (item, container, settings) = (item(kind), container(role), settings());
    let case = Case { item: &item, container: &container, observed, settings: &settings };
    StatisticalSettings::default().advise(case)
}

fn of_deployment(pods: Vec<PodObserved>) -> Advice {
    advise(OwnerKind::Deployment, ContainerRole::Main, Some(&observed(pods)))
}

fn requests(advice: &Advice) -> (Option<u64>, Option<u64>) {
    let memory = advice.memory.request.value().map(|bytes| bytes.get() >> 20);
    (advice.cpu.request.value().map(Millicores::get), memory)
}

#[test]
fn the_largest_pod_decides_with_a_margin_of_memory_and_limits_in_proportion() {
    let advice = of_deployment(vec![pod(0.2001, 100.0, 0..168), pod(0.1, 200.0, 100..168)]);
    assert_eq!(requests(&advice), (Some(201), Some(230)));
    assert_eq!(advice.cpu.limit, Proposed::Value(Millicores::new(402)));
    assert_eq!(advice.memory.limit, Proposed::Value(Bytes::from_mebibytes(460)));
    assert_eq!(advice.memory_peak, Some(Bytes::from_mebibytes(200)));
    assert_eq!(advice.confidence.level, ConfidenceLevel::High);
    assert_eq!(advice.confidence.pods, 2);
    assert!(advice.notes.is_empty(), "{:?}", advice.notes);
}

#[test]
fn a_pod_that_only_started_decides_on_memory_but_not_on_cpu() {
    let advice = of_deployment(vec![pod(0.2, 100.0, 0..168), pod(1.5, 300.0, 20..21)]);
    assert_eq!(requests(&advice), (Some(200), Some(345)));
    let only = of_deployment(vec![pod(0.3, 100.0, 3..4), pod(0.2, 100.0, 90..91)]);
    assert_eq!(requests(&only), (Some(300), Some(115)), "where no pod ran on, all count");
}

#[test]
fn smallest_amounts_hold_and_nothing_is_said_of_what_was_hardly_observed() {
    assert_eq!(requests(&of_deployment(vec![pod(0.0001, 1.0, 0..30)])), (Some(10), Some(16)));
    let short = of_deployment(vec![pod(0.2, 100.0, 167..168)]);
    assert_eq!(requests(&short), (None, None));
    assert_eq!(short.cpu.limit, Proposed::Unknown);
    assert!(short.notes[0].contains("min_observed_hours"), "{:?}", short.notes);
    assert_eq!(short.confidence.level, ConfidenceLevel::None);
    let never = advise(OwnerKind::Deployment, ContainerRole::Main, None);
    assert!(never.notes[0].contains("not observed"), "{:?}", never.notes);
}

#[test]
fn confidence_follows_the_hours_in_which_some_pod_was_observed() {
    let level = |ranges: &[(i64, i64)]| {
        let pods = ranges.iter().map(|(from, to)| pod(0.1, 64.0, *from..*to)).collect();
        let confidence = of_deployment(pods).confidence;
        (confidence.level, confidence.observed_hours as i64)
    };
    assert_eq!(level(&[(0, 20)]), (ConfidenceLevel::Low, 20));
    assert_eq!(level(&[(0, 20), (10, 40)]), (ConfidenceLevel::Medium, 40));
    assert_eq!(level(&[(0, 90), (90, 160)]), (ConfidenceLevel::High, 160));
}

#[test]
fn a_kill_raises_memory_until_it_expires() {
    let killed = |hour, limit: Option<f64>| {
        let mut pod = pod(0.1, 300.0, 0..168);
        (pod.oom_killed, pod.oom_limit) = (Some(at(hour)), limit.map(|limit| limit * MEBIBYTE));
        of_deployment(vec![pod])
    };
    let raised = killed(160, Some(512.0));
    assert_eq!(requests(&raised).1, Some(615));
    assert_eq!(raised.memory_peak, Some(Bytes::from_mebibytes(512)));
    assert!(raised.notes[0].contains("ran out of memory at"), "{:?}", raised.notes);
    assert_eq!(requests(&killed(160, None)).1, Some(400), "100 MiB more than it had");
    assert_eq!(requests(&killed(0, Some(512.0))).1, Some(345), "a week ago");
}

#[test]
fn jobs_and_init_containers_are_told_apart_from_what_runs_on() {
    let short = observed(vec![pod(0.2, 100.0, 5..6)]);
    let job = advise(OwnerKind::CronJob, ContainerRole::Main, Some(&short));
    assert_eq!(requests(&job), (Some(200), Some(115)));
    assert!(job.notes[0].contains("time in which it ran"), "{:?}", job.notes);
    let init = advise(OwnerKind::Deployment, ContainerRole::Init, Some(&short));
    assert_eq!(requests(&init), (Some(200), Some(115)));
    let unseen = advise(OwnerKind::Deployment, ContainerRole::Init, None);
    assert_eq!(requests(&unseen), (None, None));
    assert!(unseen.notes[0].contains("init container"), "{:?}", unseen.notes);
}

#[test]
fn an_autoscaler_on_memory_is_told_the_percent_that_keeps_its_replicas() {
    let (mut item, container, settings) =
        (item(OwnerKind::Deployment), container(ContainerRole::Main), settings());
    item.autoscaler = Some(OwnerAutoscaler {
        min_replicas: 1,
        max_replicas: 9,
        current_replicas: 3,
        cpu_percent: None,
        memory_percent: Some(60),
        on_absolute: false,
    });
    let observed = observed(vec![pod(0.1, 200.0, 0..168)]);
    let case =
        Case { item: &item, container: &container, observed: Some(&observed), settings: &settings };
    let advice = StatisticalSettings::default().advise(case);
    // 60 % of 512 MiB is 134 % of 230 MiB.
    assert!(advice.notes[0].contains("134 %"), "{:?}", advice.notes);
}
