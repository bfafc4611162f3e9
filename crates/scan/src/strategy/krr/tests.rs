//! What KRR does, by figures computed with KRR: some of them here, and all of them where the file that holds them is there.

mod golden;

use mora_core::OwnerAutoscaler;

use super::*;
use crate::PodObserved;

/// Pods `p0`, `p1`, ... with one quantile of CPU each, the same memory and 1,000 points.
fn pods(cpu: &[f64], memory: f64) -> ContainerObserved {
    let pod = |(index, cores): (usize, &f64)| {
        let pod = PodObserved {
            cpu: Some(*cores),
            cpu_samples: vec![*cores],
            cpu_points: Some(1000.0),
            memory: Some(memory),
            memory_points: Some(1000.0),
            ..PodObserved::default()
        };
        (format!("p{index}").into(), pod)
    };
    ContainerObserved { pods: cpu.iter().enumerate().map(pod).collect() }
}

fn scales(cpu_percent: Option<u32>, on_absolute: bool) -> OwnerAutoscaler {
    OwnerAutoscaler {
        min_replicas: 2,
        max_replicas: 10,
        current_replicas: 3,
        cpu_percent,
        memory_percent: None,
        on_absolute,
    }
}

#[test]
fn binary_arithmetic_rounds_some_millicores_up_to_one_more() {
    for (cores, rounded) in [
        (0.0, 0.01),
        (0.010_000_1, 0.011),
        (0.057, 0.057),
        (0.9999, 1.0),
        (2.007, 2.008),
        (16.1, 16.101),
        (8.029, 8.029),
    ] {
        let found = round_cpu(cores, 10);
        assert!((found - rounded).abs() < 1e-12, "{cores}: {found}");
    }
    for (bytes, mebibytes) in
        [(0.0, 100.0), (104_857_601.0, 101.0), (120_586_240.5, 116.0), (333_333_333.33, 318.0)]
    {
        assert_eq!(round_memory(bytes, 100).to_bits(), (mebibytes * 1_048_576.0_f64).to_bits());
    }
}

#[test]
fn quantities_are_shown_and_read_as_krr_does() {
    for (value, is_whole, shown) in [
        (0.0015, false, "1m"),
        (0.285, false, "285m"),
        (1.0, true, "1"),
        (1.0, false, "1.0"),
        (2.008, false, "2.008"),
        (10_239.0, true, "10239"),
        (10_240.0, true, "10Ki"),
        (10_737_418_239.0, true, "10240Mi"),
        (11_274_289_152.0, false, "10Gi"),
        (1e15, false, "909Ti"),
    ] {
        assert_eq!(format(value, is_whole), shown);
    }
    for (text, value) in [
        ("100m", 0.1),
        ("1.5", 1.5),
        ("128974848000m", 128_974_848.0),
        ("3E", 3e18),
        ("1 Gi", 1_073_741_824.0),
    ] {
        assert_eq!(parse(text).map(f64::to_bits), Some(f64::to_bits(value)), "{text}");
    }
    for text in ["100u", "100n", "", "1gi", "1GB"] {
        assert_eq!(parse(text), None, "{text}");
        // Ours reads what Kubernetes does.
        assert_eq!(text.parse::<Millicores>().is_ok(), text.starts_with("100"), "{text}");
    }
}

#[test]
fn severities_follow_binary_differences() {
    let cpu = |now, new| cpu_severity(Some(now), Proposed::Value(new));
    assert_eq!(cpu(0.1, 0.35), Severity::Ok, "0.25 less the last bit");
    assert_eq!(cpu(0.1, 0.6), Severity::Critical);
    assert_eq!(cpu(1.0, 0.501), Severity::Warning);
    assert_eq!(cpu_severity(None, Proposed::Unset), Severity::Good);
    assert_eq!(cpu_severity(None, Proposed::Value(0.1)), Severity::Warning);
    assert_eq!(cpu_severity(Some(0.1), Proposed::Unknown), Severity::Unknown);
    let memory = |new| memory_severity(Some(0.0), Proposed::Value(new));
    assert_eq!(memory(104_857_599.0), Severity::Good);
    assert_eq!(memory(262_144_000.0), Severity::Warning);
    assert_eq!(memory(524_288_000.0), Severity::Critical);
}

#[test]
fn the_score_is_what_is_neither_critical_nor_a_warning() {
    use Severity::{Critical, Good, Unknown, Warning};
    assert_eq!(score(&[Good, Good, Good, Warning]), (82, 'B'));
    assert_eq!(score(&[Critical, Warning]), (15, 'F'));
    assert_eq!(score(&[Unknown]), (100, 'A'));
    assert_eq!(score(&[vec![Warning; 7], vec![Good; 3]].concat()), (51, 'D'));
    assert_eq!(score(&[]), (0, 'F'));
}

#[test]
fn one_kubelet_wins_and_else_the_alphabet() {
    assert_eq!(job_kept(&[("a", 1), ("kubelet", 2)]), Some(1));
    assert_eq!(job_kept(&[("b", 1), ("a", 2)]), Some(1));
    assert_eq!(job_kept(&[("kubelet", 1), ("kubelet", 2), ("a", 3)]), Some(2));
    assert_eq!(job_kept(&[("", 1), ("a", 2)]), Some(0));
    assert_eq!(job_kept::<f64>(&[]), None);
}

#[test]
fn a_request_is_the_largest_pod_and_memory_has_a_margin() {
    let settings = KrrSettings::default();
    let (cpu, memory) = settings.recommended(Some(&pods(&[0.1, 0.9, 0.4], 838_860_800.0)), None);
    assert_eq!((cpu.request, cpu.limit), (Proposed::Value(0.9), Proposed::Unset));
    assert_eq!((memory.request, memory.limit), (Proposed::Value(964_689_920.0), memory.request));
    let (cpu, memory) = settings.recommended(None, None);
    assert_eq!((cpu.request, cpu.info), (Proposed::Unknown, Some("No data")));
    assert_eq!((memory.limit, memory.info), (Proposed::Unknown, Some("No data")));
}

#[test]
fn percentiles_of_simple_limit_are_over_all_pods_together() {
    let settings = KrrSettings { strategy: KrrStrategy::SimpleLimit, ..KrrSettings::default() };
    let mut observed = pods(&[0.0, 0.0], 1e9);
    let samples = [(1..=100).map(|i| f64::from(i) / 100.0).collect(), vec![5.0; 10]];
    for (pod, samples) in observed.pods.values_mut().zip(samples) {
        pod.cpu_samples = samples;
    }
    let (cpu, _) = settings.unrounded(Some(&observed), None);
    let Proposed::Value(request) = cpu.request else { panic!("{cpu:?}") };
    assert!((request - 0.7294).abs() < 1e-12, "{request}");
    assert_eq!(cpu.limit, Proposed::Value(5.0));
}

#[test]
fn too_few_points_and_an_autoscaler_on_cpu_end_it() {
    let settings = KrrSettings::default();
    let mut observed = pods(&[0.5], 1e9);
    let info = |observed: &ContainerObserved, scales: Option<OwnerAutoscaler>| {
        let (cpu, memory) = settings.unrounded(Some(observed), scales.as_ref());
        (cpu.info, memory.info)
    };
    assert_eq!(info(&observed, Some(scales(Some(70), false))), (Some("HPA detected"), None));
    assert_eq!(info(&observed, Some(scales(None, true))), (None, None));
    observed.pods.values_mut().for_each(|pod| pod.cpu_points = Some(99.0));
    assert_eq!(info(&observed, None), (Some("Not enough data"), None));
}

#[test]
fn a_kill_is_told_even_where_usage_decides() {
    let settings = KrrSettings { use_oomkill_data: true, ..KrrSettings::default() };
    let mut observed = pods(&[0.25], 734_003_200.0);
    observed.pods.values_mut().for_each(|pod| pod.oom_limit = Some(536_870_912.0));
    let (_, memory) = settings.recommended(Some(&observed), None);
    assert_eq!(memory.request, Proposed::Value(844_103_680.0));
    assert_eq!(memory.info, Some("OOMKill detected"));
    observed.pods.values_mut().for_each(|pod| pod.oom_limit = Some(943_718_400.0));
    let (_, memory) = settings.recommended(Some(&observed), None);
    assert_eq!(memory.request, Proposed::Value(1_179_648_000.0));
}
