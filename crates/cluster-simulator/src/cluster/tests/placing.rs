//! Scaling, roll-outs and resizes, as Kubernetes makes them.

use super::pod::Phase;
use super::*;

fn ready(cluster: &Cluster, name: &str) -> usize {
    phases(cluster, name).iter().filter(|phase| matches!(phase, Phase::Ready(_))).count()
}

#[test]
fn a_pod_that_fits_on_no_node_waits_until_one_has_room() {
    let microservice = Microservice { claim: claim((600, 600), (100, 200)), ..lone() };
    let mut cluster = alone(microservice, 1.0, options(vec![node(1000, 4000); 2]));
    cluster.apply(&scale("lone", 3)).unwrap();
    cluster.advance_to(at(60));
    assert_eq!((ready(&cluster, "lone"), phases(&cluster, "lone").len()), (2, 3));
    assert_eq!(cluster.recent(&workload("lone")).1, 1);
    let minute = cluster.recording().minutes[0][0];
    assert!((minute.cpu_requested - 1.2).abs() < 0.02 && (minute.pods - 2.0).abs() < 0.03);
    cluster.apply(&resize("lone", claim((500, 500), (100, 200)))).unwrap();
    cluster.advance_to(at(70));
    assert_eq!(ready(&cluster, "lone"), 3);
}

#[test]
fn pods_are_spread_over_the_emptiest_nodes() {
    let microservice = Microservice { replicas: 4, ..lone() };
    let cluster = alone(microservice, 1.0, options(vec![node(1000, 4000); 4]));
    assert!(cluster.nodes.iter().all(|node| node.pods.len() == 1));
}

#[test]
fn a_resize_is_in_force_after_one_to_three_seconds_without_a_restart() {
    let mut cluster = alone(lone(), 10.0, options(vec![node(1000, 4000)]));
    cluster.advance_to(at(60));
    let wanted = claim((300, 600), (200, 400));
    cluster.apply(&resize("lone", wanted)).unwrap();
    assert_eq!(cluster.claim(&workload("lone")), wanted);
    cluster.advance_to(at(60));
    assert_ne!(cluster.pods[0].claim, wanted);
    cluster.advance_to(at(65));
    assert_eq!(cluster.pods[0].claim, wanted);
    assert_eq!(cluster.nodes[0].claimed.cpu, Millicores::new(300));
    assert!((cluster.services[0].totals.failed).abs() < f64::EPSILON);
    let kinds: Vec<_> = cluster.recording().events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [ScalingKind::InPlace]);
    cluster.apply(&resize("lone", wanted)).unwrap();
    assert_eq!(cluster.recording().events.len(), 1);
}

#[test]
fn a_resize_that_its_node_has_no_room_for_waits() {
    let other = Microservice {
        workload: workload("other"),
        claim: claim((700, 700), (100, 200)),
        ..lone()
    };
    let application =
        Application { microservices: vec![lone(), other], calls: Vec::new(), entry: 0 };
    let mut cluster =
        Cluster::new(application, Arc::new(|_: f64| 1.0), options(vec![node(1000, 4000)])).unwrap();
    cluster.apply(&resize("lone", claim((400, 400), (100, 200)))).unwrap();
    cluster.advance_to(at(60));
    assert_eq!(cluster.pods[0].requests().cpu, Millicores::new(100));
    assert!(cluster.pods[0].resize.is_some());
    cluster.apply(&resize("other", claim((500, 500), (100, 200)))).unwrap();
    cluster.advance_to(at(70));
    assert_eq!(cluster.pods[0].requests().cpu, Millicores::new(400));
}

#[test]
fn a_memory_limit_below_what_is_used_is_not_put_in_force() {
    let microservice = Microservice { claim: claim((100, 200), (100, 400)), ..lone() };
    let mut cluster = alone(microservice, 1.0, options(vec![node(1000, 4000)]));
    cluster.advance_to(at(10));
    cluster.apply(&resize("lone", claim((100, 200), (50, 80)))).unwrap();
    cluster.advance_to(at(60));
    assert_eq!(cluster.pods[0].claim, claim((100, 200), (100, 400)));
    assert_eq!(cluster.recording().minutes[0][0].oom_kills, 0);
    cluster.apply(&resize("lone", claim((100, 200), (90, 150)))).unwrap();
    cluster.advance_to(at(70));
    assert_eq!(cluster.pods[0].claim, claim((100, 200), (90, 150)));
}

#[test]
fn a_roll_out_replaces_pods_one_at_a_time_and_nobody_is_turned_away() {
    let microservice = Microservice { replicas: 3, ..lone() };
    let mut cluster = alone(microservice, 50.0, options(vec![node(4000, 8000)]));
    cluster.advance_to(at(30));
    let wanted = claim((200, 2000), (120, 240));
    cluster.apply(&Change::RollOut { workload: workload("lone"), claim: wanted }).unwrap();
    let mut most = 0;
    for second in 31..=60 {
        cluster.advance_to(at(second));
        assert!(ready(&cluster, "lone") >= 3, "{second}: {:?}", phases(&cluster, "lone"));
        most = most.max(phases(&cluster, "lone").len());
    }
    assert_eq!((phases(&cluster, "lone").len(), most), (3, 4));
    let pods = &cluster.services[0].pods;
    assert!(pods.iter().all(|pod| cluster.pods[*pod].claim == wanted));
    assert!((cluster.services[0].totals.failed).abs() < f64::EPSILON);
}

#[test]
fn what_cannot_scale_is_replaced_after_it_ended() {
    let microservice = Microservice { scales: false, ..lone() };
    let mut cluster = alone(microservice, 10.0, options(vec![node(4000, 8000)]));
    cluster.advance_to(at(30));
    let wanted = claim((200, 2000), (120, 240));
    cluster.apply(&Change::RollOut { workload: workload("lone"), claim: wanted }).unwrap();
    cluster.advance_to(at(60));
    assert_eq!((ready(&cluster, "lone"), phases(&cluster, "lone").len()), (1, 1));
    assert!(cluster.services[0].totals.failed > 0.0);
    let refused = cluster.apply(&scale("lone", 2)).unwrap_err();
    assert_eq!(refused, ChangeError::Replicas { workload: workload("lone"), replicas: 2 });
}

#[test]
fn the_newest_pod_ends_first_and_finishes_what_it_has_begun() {
    let microservice = Microservice { replicas: 3, ..lone() };
    let mut cluster = alone(microservice, 100.0, options(vec![node(4000, 8000)]));
    cluster.advance_to(at(30));
    let newest = cluster.services[0].pods[2];
    cluster.apply(&scale("lone", 2)).unwrap();
    assert!(matches!(cluster.pods[newest].phase, Phase::Ending(_)));
    cluster.advance_to(at(60));
    assert_eq!(cluster.pods[newest].phase, Phase::Gone);
    assert_eq!(ready(&cluster, "lone"), 2);
    assert!((cluster.services[0].totals.failed).abs() < f64::EPSILON);
}

#[test]
fn a_start_takes_longer_where_the_limit_is_short_of_cpu() {
    let seconds = |limit: u64| {
        let mut microservice = lone();
        microservice.claim = claim((100, limit), (200, 400));
        microservice.start_up = StartUp { seconds: 10.0, cpu: 5.0 };
        let mut cluster = alone(microservice, 0.0, options(vec![node(4000, 8000)]));
        cluster.apply(&scale("lone", 2)).unwrap();
        (1..100).find(|second| {
            cluster.advance_to(at(*second));
            ready(&cluster, "lone") == 2
        })
    };
    // What a second did is looked at when the next one begins.
    assert_eq!(seconds(1000), Some(11));
    assert_eq!(seconds(250), Some(21));
}

#[test]
fn requests_above_limits_and_unknown_workloads_are_refused() {
    let mut cluster = shop(1.0, four_nodes());
    let refused = |cluster: &mut Cluster, change: Change| cluster.apply(&change).unwrap_err();
    let unknown = refused(&mut cluster, scale("nobody", 2));
    assert_eq!(unknown, ChangeError::Unknown(workload("nobody")));
    let above = refused(&mut cluster, resize("frontend", claim((300, 200), (64, 128))));
    assert!(matches!(above, ChangeError::AboveLimit { resource: "CPU", .. }));
    let above = refused(&mut cluster, resize("frontend", claim((100, 200), (256, 128))));
    assert!(matches!(above, ChangeError::AboveLimit { resource: "memory", .. }));
    assert!(matches!(
        refused(&mut cluster, scale("frontend", 0)),
        ChangeError::Replicas { replicas: 0, .. }
    ));
    assert_eq!(cluster.capacity().cpu, Millicores::new(4 * 3900));
}
