//! One microservice against queueing theory, and throttling against a computation by hand.

use super::*;

/// Mean wait in the queue of M/M/c with `rate` and mean service time `service`, by Erlang's formula C.
fn mean_wait(rate: f64, service: f64, cores: u32) -> f64 {
    let offered = rate * service;
    let (mut term, mut sum) = (1.0, 1.0);
    for busy in 1..cores {
        term *= offered / f64::from(busy);
        sum += term;
    }
    let all_busy = term * offered / f64::from(cores) / (1.0 - offered / f64::from(cores));
    all_busy / (sum + all_busy) * service / (f64::from(cores) - offered)
}

fn mean_latency(cores: u64, rate: f64, variation: f64) -> f64 {
    let mut microservice = lone();
    microservice.cpu.variation = variation;
    let mut cluster = alone(microservice, rate, options(vec![node(cores * 1000, 4000)]));
    cluster.advance_to(at(4 * 3600));
    cluster.recording().latencies.mean().unwrap()
}

#[test]
fn waits_are_those_of_m_m_c() {
    for (cores, rate) in [(1, 50.0), (1, 80.0), (2, 160.0), (4, 340.0)] {
        let wait = mean_latency(cores, rate, 1.0) - 0.01;
        let expected = mean_wait(rate, 0.01, cores as u32);
        assert!((wait / expected - 1.0).abs() < 0.1, "{cores} cores: {wait} for {expected}");
    }
}

/// Pollaczek and Khinchine: `rate * E[x^2] / 2 / (1 - load)`.
#[test]
fn waits_are_those_of_m_g_1() {
    for variation in [0.0, 0.6, 1.5] {
        let wait = mean_latency(1, 70.0, variation) - 0.01;
        let square = 1e-4 * (1.0 + variation * variation);
        let expected = 70.0 * square / 2.0 / (1.0 - 0.7);
        assert!((wait / expected - 1.0).abs() < 0.1, "{variation}: {wait} for {expected}");
    }
}

/// Two workloads that take turns on one core: `service / (1 - load of both)`, as in M/M/1 with shared processors.
#[test]
fn pods_on_one_core_are_in_one_anothers_way() {
    let service = |name: &str, per_request: f64| Microservice {
        workload: workload(name),
        cpu: CpuCost { per_request, ..lone().cpu },
        ..lone()
    };
    let application = Application {
        microservices: vec![service("a", 0.005), service("b", 0.01), service("ingress", 1e-9)],
        calls: vec![
            crate::Call { caller: 2, callee: 0, ratio: 0.1 },
            crate::Call { caller: 2, callee: 1, ratio: 0.1 },
        ],
        entry: 2,
    };
    // One call in ten requests: calls of different requests come on their own, as the formula has it.
    let nodes = options(vec![node(1000, 4000)]);
    let mut cluster = Cluster::new(application, Arc::new(|_: f64| 400.0), nodes).unwrap();
    let mut sums = [(0.0, 0.0); 2];
    for minute in 1..=90 {
        cluster.advance_to(at(minute * 60 - 1));
        for (place, sum) in sums.iter_mut().enumerate() {
            let latencies = &cluster.services[place].tally.latencies;
            sum.0 += latencies.mean().unwrap() * latencies.count();
            sum.1 += latencies.count();
        }
        cluster.advance_to(at(minute * 60));
    }
    for (sum, service) in sums.into_iter().zip([0.005, 0.01]) {
        let (mean, expected) = (sum.0 / sum.1, service / (1.0 - 0.6));
        assert!((mean / expected - 1.0).abs() < 0.1, "{mean} for {expected}");
    }
}

/// Requests of exactly 15 ms on a quota of 20 ms per period: a period is throttled when two or more have come that are not
/// done, which is a queue that can be computed period by period.
#[test]
fn throttled_periods_and_stalls_are_those_of_a_queue_by_the_period() {
    let mut microservice = lone();
    microservice.cpu = CpuCost { per_request: 0.015, variation: 0.0, idle: 0.0, waiting: 0.0 };
    microservice.claim = claim((100, 200), (200, 200));
    let mut cluster = alone(microservice, 6.0, options(vec![node(1000, 4000)]));
    // The wander of costs stands still where the hour does; over hours it averages out.
    cluster.advance_to(at(6 * 3600));
    let minutes = &cluster.recording().minutes[0];
    let throttled = minutes.iter().map(|m| m.throttled).sum::<f64>() / minutes.len() as f64;
    let expected = throttled_by_hand(0.6, 0.015, 0.02);
    assert!((throttled / expected - 1.0).abs() < 0.1, "{throttled} for {expected}");
    let longest = cluster.recording().latencies.quantile(0.95).unwrap();
    assert!((0.1..0.4).contains(&longest), "{longest}");
}

/// Share of periods in which `quota` is used up while work is left, with a Poisson count of arrivals in each, as the
/// stationary distribution of what is left, in parts of 5 ms.
fn throttled_by_hand(mean: f64, work: f64, quota: f64) -> f64 {
    const PARTS: usize = 2000;
    let (work, quota) = ((work / 0.005).round() as usize, (quota / 0.005).round() as usize);
    let mut left = vec![0.0; PARTS];
    left[0] = 1.0;
    let mut throttled = 0.0;
    for _ in 0..2000 {
        let mut next = vec![0.0; PARTS];
        throttled = 0.0;
        for (before, probability) in left.iter().enumerate().filter(|(_, p)| **p > 1e-15) {
            let mut count = probability * (-mean).exp();
            for arrivals in 0..20 {
                let after = (before + arrivals * work).saturating_sub(quota).min(PARTS - 1);
                next[after] += count;
                throttled += if after > 0 { count } else { 0.0 };
                count *= mean / (arrivals + 1) as f64;
            }
        }
        left = next;
    }
    throttled
}

#[test]
fn a_tight_limit_makes_latency_grow_and_a_loose_one_does_not() {
    let latency = |limit: u64| {
        let microservice = Microservice { claim: claim((100, limit), (200, 200)), ..lone() };
        let mut cluster = alone(microservice, 20.0, options(vec![node(4000, 4000)]));
        cluster.advance_to(at(1800));
        cluster.recording().latencies.mean().unwrap()
    };
    assert!(latency(250) > 5.0 * latency(2000), "{} {}", latency(250), latency(2000));
    assert!((latency(2000) / 0.01 - 1.0).abs() < 0.1, "{}", latency(2000));
}

#[test]
fn long_steps_use_the_same_cpu_and_know_roughly_the_throttling_and_latency() {
    let mean = |step: u32| {
        let mut cluster = shop(30.0, ClusterOptions { step_millis: step, ..four_nodes() });
        cluster.advance_to(at(3 * 3600));
        let of = |part: fn(&crate::WorkloadMinute) -> f64| -> Vec<f64> {
            let minutes = &cluster.recording().minutes;
            minutes.iter().map(|m| m.iter().map(part).sum::<f64>() / m.len() as f64).collect()
        };
        (of(|m| m.cpu_used), of(|m| m.received), of(|m| m.throttled))
    };
    let (fine, coarse) = (mean(100), mean(10_000));
    for service in 0..fine.0.len() {
        assert!((coarse.0[service] / fine.0[service] - 1.0).abs() < 0.03, "{service} cpu");
        assert!((coarse.1[service] / fine.1[service] - 1.0).abs() < 0.03, "{service} rate");
        let (fine, coarse) = (fine.2[service], coarse.2[service]);
        assert!((coarse - fine).abs() < 0.08, "{service}: throttled {coarse} for {fine}");
    }
}
