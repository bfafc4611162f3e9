//! Too little memory, too little CPU on a node, a node that is gone.

use jiff::SignedDuration;

use super::*;
use crate::Leak;

fn kills(cluster: &Cluster) -> Vec<i64> {
    let kills = &cluster.history.services[0].oom_kills;
    kills.iter().map(|kill| kill.killed.as_second() - at(0).as_second()).collect()
}

#[test]
fn a_container_that_outgrows_its_limit_is_killed_again_and_again_ever_later() {
    let mut microservice = lone();
    microservice.claim = claim((100, 1000), (50, 90));
    let mut cluster = alone(microservice, 1.0, options(vec![node(2000, 4000)]));
    cluster.advance_to(at(1200));
    // Killed a second after each start; started again after 10, 20, 40, 80, 160, 300 and 300 s.
    assert_eq!(kills(&cluster), [1, 12, 33, 74, 155, 316, 617, 918]);
    let oom_kills: u32 = cluster.recording().minutes[0].iter().map(|m| m.oom_kills).sum();
    assert_eq!(oom_kills, 8);
    let minutes = &cluster.recording().minutes[0];
    assert!(minutes[15].failed > 0.0 && minutes[15].received > 0.0);
}

#[test]
fn a_container_that_ran_for_ten_minutes_is_forgiven() {
    let mut microservice = lone();
    microservice.claim = claim((100, 1000), (50, 200));
    // 100 MiB more in 15 minutes.
    let leak = Leak { per_hour: 400.0 * MEBIBYTE, restart_hours: None };
    microservice.memory.leak = Some(leak);
    let mut cluster = alone(microservice, 1.0, options(vec![node(2000, 4000)]));
    cluster.advance_to(at(3600));
    let kills = kills(&cluster);
    assert!(kills.len() >= 3, "{kills:?}");
    for pair in kills.windows(2) {
        assert!((pair[1] - pair[0] - 900 - 10).abs() < 30, "{kills:?}");
    }
}

#[test]
fn a_container_that_leaks_long_enough_ends_by_itself_and_that_is_no_kill() {
    let mut microservice = lone();
    microservice.memory.leak = Some(Leak { per_hour: 1000.0, restart_hours: Some(0.5) });
    let mut cluster = alone(microservice, 1.0, options(vec![node(2000, 4000)]));
    cluster.advance_to(at(3600));
    assert!(kills(&cluster).is_empty());
    let restarts: f32 = cluster.history.services[0].restarts.iter().sum();
    assert!((restarts - 1.0).abs() < f32::EPSILON, "{restarts}");
}

#[test]
fn what_waits_in_a_pod_takes_memory() {
    let mut microservice = lone();
    microservice.claim = claim((100, 200), (150, 4000));
    microservice.memory.per_request = MEBIBYTE;
    let mut cluster = alone(microservice, 40.0, options(vec![node(2000, 8000)]));
    cluster.advance_to(at(600));
    // Twice as much arrives as the limit allows: callers give up after 10 s, when 400 requests wait.
    let memory = cluster.recording().minutes[0][9].memory_used / MEBIBYTE;
    assert!((400.0..=540.0).contains(&memory), "{memory}");
    let minute = cluster.recording().minutes[0][9];
    assert!((minute.failed / minute.received - 0.5).abs() < 0.1, "{minute:?}");
    assert!(minute.throttled > 0.99);
}

#[test]
fn where_a_node_is_short_of_memory_the_pod_furthest_above_its_request_goes() {
    let glutton = Microservice {
        workload: workload("glutton"),
        claim: ResourceClaim { memory_limit: None, ..claim((100, 1000), (50, 50)) },
        memory: MemoryProfile { base: 900.0 * MEBIBYTE, ..lone().memory },
        ..lone()
    };
    let application =
        Application { microservices: vec![glutton, lone()], calls: Vec::new(), entry: 1 };
    let nodes = options(vec![node(2000, 950)]);
    let mut cluster = Cluster::new(application, Arc::new(|_: f64| 1.0), nodes).unwrap();
    cluster.advance_to(at(300));
    let killed = |service: usize| cluster.history.services[service].oom_kills.len();
    assert!(killed(0) > 3 && killed(1) == 0);
}

#[test]
fn a_full_node_gives_each_pod_its_share_by_request() {
    let service = |name: &str, request: u64| Microservice {
        workload: workload(name),
        claim: ResourceClaim { cpu_limit: None, ..claim((request, request), (100, 200)) },
        cpu: CpuCost { per_request: 0.1, ..lone().cpu },
        ..lone()
    };
    let ingress =
        Microservice { cpu: CpuCost { per_request: 1e-6, ..lone().cpu }, ..service("ingress", 10) };
    let application = Application {
        microservices: vec![service("a", 100), service("b", 300), ingress],
        calls: vec![
            crate::Call { caller: 2, callee: 0, ratio: 1.0 },
            crate::Call { caller: 2, callee: 1, ratio: 1.0 },
        ],
        entry: 2,
    };
    // Each wants 2 cores; there is one.
    let mut cluster =
        Cluster::new(application, Arc::new(|_: f64| 20.0), options(vec![node(1000, 4000)]))
            .unwrap();
    cluster.advance_to(at(600));
    let used = |service: usize| cluster.recording().minutes[service][9].cpu_used;
    assert!((used(0) + used(1) - 1.0).abs() < 0.02, "{} {}", used(0), used(1));
    assert!((used(1) / used(0) - 3.0).abs() < 0.3, "{} {}", used(0), used(1));
    assert!(cluster.recording().minutes[0][9].throttled < 1e-9);
}

#[test]
fn pods_of_a_lost_node_are_created_elsewhere_after_forty_seconds() {
    let lost = Event::NodeLost { node: 0, lasts: SignedDuration::from_secs(600) };
    let events = vec![TimedEvent { at: at(100), event: lost }];
    let mut cluster = shop(10.0, ClusterOptions { events, ..four_nodes() });
    cluster.advance_to(at(99));
    let before = cluster.nodes[0].pods.len();
    assert!(before > 0);
    cluster.advance_to(at(120));
    let of = |cluster: &Cluster, wanted: fn(&pod::Pod) -> bool| {
        cluster.pods.iter().filter(|pod| wanted(pod)).count()
    };
    assert_eq!(of(&cluster, |pod| matches!(pod.phase, pod::Phase::Lost(_))), before);
    assert_eq!(of(&cluster, pod::Pod::is_ready), 19 - before);
    cluster.advance_to(at(200));
    assert_eq!(of(&cluster, pod::Pod::is_ready), 19);
    assert!(cluster.nodes[0].pods.is_empty());
    cluster.advance_to(at(800));
    assert!(cluster.nodes[0].gone.is_none() && cluster.nodes[0].room() == cluster.nodes[0].size);
}
