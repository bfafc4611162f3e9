//! Nothing is lost on the way, and everything follows from the seed.

use jiff::SignedDuration;
use mora_core::{Dataset, Indicator, Lookback, Signal, Step};

use super::*;

/// Requests in are those done, failed and waiting, at each microservice.
pub(super) fn assert_conserved(cluster: &Cluster) {
    for (place, service) in cluster.services.iter().enumerate() {
        let fluid: f64 = service.pods.iter().map(|pod| cluster.pods[*pod].fluid.requests).sum();
        let waiting = cluster.requests.waiting(place) as f64 + fluid;
        let totals = service.totals;
        let gone = totals.done + totals.failed + waiting;
        assert!(
            (totals.received - gone).abs() < 1e-6 * gone.max(1.0),
            "{place}: {totals:?} {waiting}"
        );
    }
}

fn lookback(from: i64, to: i64, step: Step) -> Lookback {
    Lookback { from: at(from), to: at(to), step }
}

#[test]
fn requests_in_are_requests_done_failed_and_waiting() {
    // A node is lost, and memory is short, so that there are failures of all kinds.
    for step_millis in [50, 100, 1000, 10_000] {
        let lost = Event::NodeLost { node: 0, lasts: SignedDuration::from_secs(300) };
        let events = vec![TimedEvent { at: at(600), event: lost }];
        let mut cluster = shop(60.0, ClusterOptions { step_millis, events, ..four_nodes() });
        cluster.apply(&resize("adservice", claim((100, 150), (150, 190)))).unwrap();
        cluster.advance_to(at(1500));
        assert_conserved(&cluster);
        let failed: f64 = cluster.services.iter().map(|service| service.totals.failed).sum();
        assert!(failed > 0.0);
    }
}

#[test]
fn steps_can_become_shorter_and_longer_on_the_way() {
    let mut cluster = shop(55.0, ClusterOptions { step_millis: 10_000, ..four_nodes() });
    cluster.advance_to(at(3600));
    cluster.set_step(100).unwrap();
    cluster.advance_to(at(4200));
    assert_conserved(&cluster);
    cluster.set_step(5000).unwrap();
    assert_conserved(&cluster);
    cluster.advance_to(at(7200));
    assert_conserved(&cluster);
    assert_eq!(cluster.set_step(70), Err(ClusterError::Step(70)));
    assert_eq!(cluster.set_step(7000), Err(ClusterError::Step(7000)));
}

#[test]
fn cpu_used_is_the_work_of_requests_and_what_idles() {
    let mut cluster = shop(20.0, four_nodes());
    cluster.advance_to(at(3600));
    for (service, minutes) in cluster.recording().minutes.iter().enumerate() {
        let used: f64 = minutes.iter().map(|m| m.cpu_used * 60.0).sum();
        let received: f64 = minutes.iter().map(|m| m.received * 60.0).sum();
        let of = &cluster.application().microservices[service];
        let idle = of.cpu.idle * f64::from(of.replicas) * 3600.0;
        let expected = idle + received * of.cpu.per_request;
        // The cost of requests wanders by up to 5 %.
        assert!((used / expected - 1.0).abs() < 0.08, "{service}: {used} for {expected}");
    }
}

#[test]
fn calls_follow_the_ratios_and_a_throttled_caller_hides_demand() {
    let mut cluster = shop(20.0, four_nodes());
    cluster.advance_to(at(3600));
    let rate = |cluster: &Cluster, name: &str| -> f64 {
        let minutes = &cluster.recording().minutes[cluster.index[&workload(name)]];
        minutes.iter().map(|m| m.received).sum::<f64>() / minutes.len() as f64
    };
    assert!((rate(&cluster, "frontend") / 20.0 - 1.0).abs() < 0.02);
    let ratio = rate(&cluster, "cartservice") / rate(&cluster, "frontend");
    assert!((ratio - (0.84 + 0.035 * 1.99)).abs() < 0.03, "{ratio}");

    let mut starved = shop(20.0, four_nodes());
    starved.apply(&resize("frontend", claim((20, 30), (64, 1280)))).unwrap();
    starved.advance_to(at(3600));
    assert!((rate(&starved, "frontend") / 20.0 - 1.0).abs() < 0.02);
    assert!(rate(&starved, "cartservice") < 0.7 * rate(&cluster, "cartservice"));
}

#[test]
fn a_callee_without_pods_fails_its_share_of_what_users_ask_for() {
    let lost = Event::NodeLost { node: 0, lasts: SignedDuration::from_secs(3600) };
    let events = vec![TimedEvent { at: at(60), event: lost }];
    // Only the second node has room, and only for what is on it: all that was on the first is gone.
    let nodes = vec![node(1100, 4000), node(1000, 4000)];
    let mut cluster = shop(5.0, ClusterOptions { events, ..options(nodes) });
    cluster.advance_to(at(600));
    assert_conserved(&cluster);
    let minutes = |name: &str| cluster.recording().minutes[cluster.index[&workload(name)]][5];
    let names = ["adservice", "cartservice", "recommendationservice", "shippingservice"];
    let gone: Vec<&str> = names.into_iter().filter(|name| minutes(name).ready == 0.0).collect();
    assert!(!gone.is_empty());
    for name in gone {
        assert!(minutes(name).received > 0.0 && minutes(name).failed > 0.0);
    }
    let front = minutes("frontend");
    assert!(front.ready == 0.0 || front.failed > 0.1 * front.received);
}

#[test]
fn equal_seeds_and_changes_make_equal_recordings() {
    let run = |seed: u64| {
        let mut cluster = shop(40.0, ClusterOptions { seed, ..four_nodes() });
        cluster.advance_to(at(600));
        cluster.apply(&scale("currencyservice", 3)).unwrap();
        cluster.advance_to(at(1200));
        let copy = cluster.clone();
        cluster.advance_to(at(1800));
        (cluster.into_recording(), copy)
    };
    let (first, mut copy) = run(1);
    assert_eq!(first, run(1).0);
    assert_ne!(first, run(2).0);
    copy.advance_to(at(1800));
    assert_eq!(first, copy.into_recording());
}

#[test]
fn users_are_the_same_whatever_is_done_about_them() {
    let arrivals = |change: Option<Change>| -> Vec<u64> {
        let mut cluster = shop(40.0, four_nodes());
        if let Some(change) = &change {
            cluster.apply(change).unwrap();
        }
        cluster.advance_to(at(1800));
        let minutes = &cluster.recording().minutes[cluster.application.entry];
        minutes.iter().map(|minute| minute.received.to_bits()).collect()
    };
    let usual = arrivals(None);
    assert_eq!(usual, arrivals(Some(resize("frontend", claim((20, 40), (64, 128))))));
    assert_eq!(usual, arrivals(Some(scale("productcatalogservice", 1))));
}

#[test]
fn a_changed_call_mix_changes_what_callees_receive() {
    let mix =
        Event::CallMix { caller: workload("frontend"), callee: workload("adservice"), factor: 3.0 };
    let events = vec![TimedEvent { at: at(1800), event: mix }];
    let mut cluster = shop(20.0, ClusterOptions { events, ..four_nodes() });
    cluster.advance_to(at(3600));
    let minutes = &cluster.recording().minutes[cluster.index[&workload("adservice")]];
    let mean = |part: &[crate::WorkloadMinute]| part.iter().map(|m| m.received).sum::<f64>() / 30.0;
    let ratio = mean(&minutes[30..]) / mean(&minutes[..30]);
    assert!((ratio - 3.0).abs() < 0.15, "{ratio}");
    let strange = Event::Leak { workload: workload("nobody"), per_hour: 1.0 };
    let events = vec![TimedEvent { at: at(0), event: strange }];
    let application = boutique("shop", 30.0).unwrap();
    let options = ClusterOptions { events, ..four_nodes() };
    let error = Cluster::new(application, Arc::new(|_: f64| 1.0), options).err();
    assert!(matches!(error, Some(ClusterError::Event(_))));
}

#[test]
fn datasets_are_what_was_recorded_by_the_minute_and_by_the_hour() {
    let mut cluster = shop(20.0, four_nodes());
    cluster.advance_to(at(2 * 3600));
    cluster.begin_recording();
    cluster.advance_to(at(4 * 3600));
    let datasets: Vec<Dataset> = cluster.datasets(&lookback(0, 5 * 3600, Step::MINUTE)).collect();
    assert_eq!(datasets.len(), 11);
    for (dataset, minutes) in datasets.iter().zip(&cluster.recording().minutes) {
        let signals = dataset.signals();
        assert_eq!(signals[&Signal::Cpu].len(), 240);
        let cpu: Vec<f64> = signals[&Signal::Cpu].observed().skip(120).collect();
        for (seen, minute) in cpu.iter().zip(minutes) {
            assert!((seen - minute.cpu_used).abs() < 1e-4, "{seen} {}", minute.cpu_used);
        }
        let made: f64 = dataset.calls.values().flat_map(mora_core::Series::observed).sum();
        let received: f64 = signals[&Signal::RequestRate].observed().sum();
        assert!(dataset.calls.is_empty() || (made / received - 1.0).abs() < 1e-3);
        assert!(dataset.indicators[&Indicator::LatencyP50].coverage() > 0.9);
    }
    let hourly = cluster.datasets(&lookback(3600, 4 * 3600, Step::HOUR)).nth(5).unwrap();
    let rate = |dataset: &Dataset| dataset.request_rate.clone().unwrap();
    assert_eq!(rate(&hourly).len(), 3);
    let by_minute = rate(&datasets[5]).between(at(3600), at(7200));
    let mean = by_minute.observed().sum::<f64>() / 60.0;
    assert!((rate(&hourly).observed().next().unwrap() - mean).abs() < 1e-9);
    let mut before = cluster.datasets(&lookback(-7200, 0, Step::MINUTE));
    assert!(before.all(|dataset| dataset.signals().is_empty()));
}

#[test]
fn a_metrics_api_knows_pods_after_half_a_minute() {
    let mut cluster = shop(30.0, four_nodes());
    cluster.advance_to(at(300));
    cluster.apply(&scale("frontend", 3)).unwrap();
    cluster.advance_to(at(310));
    let (pods, others) = cluster.recent(&workload("frontend"));
    assert_eq!((pods.len(), others), (2, 1));
    let cpu: f64 = pods.iter().map(|(cpu, _)| cpu).sum();
    assert!((cpu / (30.0 * 0.0051 + 0.012) - 1.0).abs() < 0.25, "{cpu}");
    assert!(pods.iter().all(|(_, request)| (request - 0.1).abs() < 1e-9));
    cluster.advance_to(at(360));
    assert_eq!(cluster.recent(&workload("frontend")).0.len(), 3);
    assert_eq!(cluster.replicas(&workload("frontend")), 3);
}
