//! What holds whatever is asked of a cluster.

use jiff::SignedDuration;
use mora_core::Amount;
use proptest::prelude::*;

use super::flow::assert_conserved;
use super::*;

/// A change that an API could be asked for, sensible or not.
fn any_change() -> impl Strategy<Value = Change> {
    let names = ["adservice", "cartservice", "frontend", "productcatalogservice", "redis-cart"];
    let claims =
        (10..600u64, 1..4u64, 20..400u64, 1..3u64).prop_map(|(cpu, more, memory, double)| {
            claim((cpu, cpu * more), (memory, memory * double))
        });
    (prop::sample::select(names.to_vec()), claims, 1..6u32, 0..3u8).prop_map(
        |(name, claim, replicas, kind)| match kind {
            0 => resize(name, claim),
            1 => Change::RollOut { workload: workload(name), claim },
            _ => scale(name, replicas),
        },
    )
}

fn assert_claims_add_up(cluster: &Cluster) {
    for (place, node) in cluster.nodes.iter().enumerate() {
        let on_it = cluster.pods.iter().filter(|pod| pod.node == Some(place));
        let claimed = on_it.map(pod::Pod::requests).fold(Amount::default(), Amount::plus);
        assert_eq!(claimed, node.claimed, "node {place}");
        assert!(claimed.cpu <= node.size.cpu && claimed.memory <= node.size.memory);
    }
}

/// Nobody used more than the nodes have, and the recording says what happened.
fn assert_minutes_are_possible(cluster: &Cluster, cores: f64) {
    let minutes = &cluster.recording().minutes;
    for minute in 0..minutes[0].len() {
        let used: f64 = minutes.iter().map(|service| service[minute].cpu_used).sum();
        assert!(used <= cores * 1.01, "{used} of {cores} cores");
        for service in minutes {
            let seen = service[minute];
            assert!((0.0..=1.0).contains(&seen.throttled) && seen.ready <= seen.pods + 1e-9);
            assert!(seen.received >= 0.0 && seen.failed >= 0.0 && seen.memory_used >= 0.0);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_and_nothing_is_given_twice(
        changes in prop::collection::vec((any_change(), 1..120i64), 1..8),
        rate in 1.0..80.0f64,
        step_millis in prop::sample::select(vec![50u32, 100, 1000]),
        lost in 0..300i64,
        cpu in 1200..4000u64,
    ) {
        let event = Event::NodeLost { node: 1, lasts: SignedDuration::from_secs(90) };
        let events = vec![TimedEvent { at: at(lost), event }];
        let nodes = vec![node(cpu, 3000); 3];
        let mut cluster = shop(rate, ClusterOptions { step_millis, events, ..options(nodes) });
        let mut second = 0;
        for (change, seconds) in changes {
            // A refusal changes nothing, and that is what is asked for here too.
            let before = cluster.recording().events.len();
            if cluster.apply(&change).is_err() {
                prop_assert_eq!(cluster.recording().events.len(), before);
            }
            second += seconds;
            cluster.advance_to(at(second));
            assert_conserved(&cluster);
            assert_claims_add_up(&cluster);
        }
        // Two minutes for what is under way to end.
        cluster.advance_to(at(second + 180));
        assert_conserved(&cluster);
        assert_claims_add_up(&cluster);
        assert_minutes_are_possible(&cluster, 3.0 * cpu as f64 / 1000.0);
    }
}
