use super::*;

const BOUNDS: Bounds = Bounds { least: 1, most: 100, target: 70 };

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_772_496_000 + second).unwrap()
}

/// Pods that each use `usage` of a request of 100m.
fn pods(count: usize, usage: f64) -> Vec<(f64, f64)> {
    vec![(usage, 0.1); count]
}

fn ready(ready: &[(f64, f64)]) -> Pods<'_> {
    Pods { ready, unready: 0, request: 0.1 }
}

/// Replicas after each sync, where all pods together use `cores[n]` and are ready at once.
fn course(start: u32, cores: &[f64]) -> Vec<u32> {
    let mut autoscaler = Autoscaler::new(BOUNDS);
    let mut current = start;
    let step = |(index, cores): (usize, &f64)| {
        let pods = pods(current as usize, cores / f64::from(current));
        current = autoscaler.desired(at(15 * index as i64), current, &ready(&pods));
        current
    };
    cores.iter().enumerate().map(step).collect()
}

#[test]
fn within_a_tenth_of_the_target_nothing_changes() {
    // 63 to 77 % of four pods are within 10 % of 70 %; 78 % ask for 4 x 78/70, 62 % for 4 x 62/70.
    for (usage, expected) in [(0.063, 4), (0.070, 4), (0.077, 4), (0.078, 5), (0.062, 4), (0.05, 3)]
    {
        assert_eq!(recommended(4, &ready(&pods(4, usage)), 70), expected, "{usage}");
    }
    // 77.9 % is read as 77.
    assert_eq!(
        recommended(4, &ready(&pods(4, 0.0779)), 70),
        5,
        "a pod's usage is rounded up to 78m"
    );
    assert_eq!(recommended(10, &ready(&[pods(9, 0.077), pods(1, 0.078)].concat()), 70), 10);
}

#[test]
fn a_hundred_and_forty_percent_doubles_at_a_target_of_seventy() {
    assert_eq!(recommended(3, &ready(&pods(3, 0.140)), 70), 6);
    assert_eq!(recommended(3, &ready(&pods(3, 0.141)), 70), 7);
}

#[test]
fn pods_that_are_not_ready_use_nothing_when_more_are_asked_for() {
    let used = |usage, unready| {
        let pods = pods(4, usage);
        recommended(4 + unready, &Pods { ready: &pods, unready, request: 0.1 }, 70)
    };
    // 140 % over four pods of eight is 70 % over all: enough.
    assert_eq!(used(0.140, 4), 8);
    // 210 % over four of six is 140 % over all: 6 x 2.
    assert_eq!(used(0.210, 2), 12);
    // 84 % over four of six is 56 % over all, which would be the other way.
    assert_eq!(used(0.084, 2), 6);
    // Fewer are asked for from the ready ones alone.
    assert_eq!(used(0.035, 2), 2);
}

#[test]
fn without_metrics_or_requests_nothing_changes() {
    assert_eq!(recommended(3, &ready(&[]), 70), 3);
    assert_eq!(recommended(3, &ready(&[(0.2, 0.0)]), 70), 3);
}

#[test]
fn more_come_by_four_or_double_in_each_sync() {
    // 7 cores at 70 % of 100m need 100 pods: 1 + 4, 5 x 2, 10 x 2, 20 x 2, 40 x 2, 100.
    assert_eq!(course(1, &[7.0; 7]), [5, 10, 20, 40, 80, 100, 100]);
    // Rising slowly there is no limit in the way: 86 % of seven need 8.6, then 93 % of nine 11.96.
    assert_eq!(course(7, &[0.602, 0.837]), [9, 12]);
}

#[test]
fn fewer_come_only_after_five_minutes_in_which_no_more_were_asked_for() {
    // From the first sync on 0.35 cores need 5 of the 10 pods; the 10 of the start count for 300 s: 20 syncs.
    let replicas = course(10, &[0.35; 22]);
    assert!(replicas[..20].iter().all(|count| *count == 10), "{replicas:?}");
    assert_eq!(replicas[20..], [5, 5]);
}

#[test]
fn a_peak_within_the_window_keeps_the_replicas_it_asked_for() {
    // 0.36 cores, which six pods use at 60 %, but for one sync at 150 s, which asks for ceil(10 x 80/70) = 12.
    let mut cores = vec![0.36; 34];
    cores[10] = 0.8;
    let replicas = course(10, &cores);
    assert!(replicas[..10].iter().all(|count| *count == 10));
    assert!(replicas[10..30].iter().all(|count| *count == 12), "{replicas:?}");
    assert_eq!(replicas[30..], [6, 6, 6, 6]);
}

#[test]
fn there_are_never_fewer_than_one_nor_more_than_allowed() {
    let mut autoscaler = Autoscaler::new(Bounds { least: 1, most: 6, target: 50 });
    assert_eq!(autoscaler.desired(at(0), 4, &ready(&pods(4, 0.2))), 6);
    let idle = pods(6, 0.0);
    assert_eq!(autoscaler.desired(at(600), 6, &ready(&idle)), 1);
}
