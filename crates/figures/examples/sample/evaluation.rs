//! A made-up evaluation: its numbers are of no arm.

use std::sync::LazyLock;

use mora_evaluation::{
    ArmName, Comparison, Metrics, Objective, Provenance, ResultRow, RunKey, Trace, TracePoint,
};

use super::{Evidence, Figure, Validated};

const SCENARIOS: [&str; 9] = [
    "bursty",
    "flash-crowd",
    "leak",
    "mix-change",
    "node-loss",
    "noisy",
    "realistic",
    "surge",
    "weekly",
];

/// CPU hours, share of missed minutes and scaling events of an arm on a quiet day.
fn usual(arm: ArmName) -> [f64; 3] {
    match arm {
        ArmName::Stock => [260.0, 0.0, 0.0],
        ArmName::Baseline => [150.0, 0.004, 11.0],
        ArmName::Vpa => [140.0, 0.012, 30.0],
        ArmName::Hpa50 => [190.0, 0.001, 70.0],
        ArmName::Hpa70 => [140.0, 0.006, 90.0],
        ArmName::Hpa80 => [122.0, 0.02, 100.0],
        ArmName::Mora => [100.0, 0.003, 22.0],
        ArmName::MoraNoGraph => [103.0, 0.008, 22.0],
        ArmName::MoraStatic => [131.0, 0.002, 11.0],
        ArmName::MoraNoRecent => [109.0, 0.006, 22.0],
        ArmName::MoraEveryMinute => [101.0, 0.001, 22.0],
        ArmName::MoraNoLstm => [101.0, 0.004, 22.0],
        ArmName::MoraNoProphet => [106.0, 0.003, 24.0],
        ArmName::Oracle => [88.0, 0.0, 22.0],
    }
}

fn row(scenario: &str, arm: ArmName, margin: u32, seed: u64) -> ResultRow {
    let place = SCENARIOS.iter().position(|name| *name == scenario).unwrap_or(0) as f64;
    let [cost, risk, events] = usual(arm);
    let (factor, wobble) = (f64::from(margin) / 1000.0, (seed as f64 * 2.3 + place).sin());
    let cpu_hours_requested = cost * factor * (1.0 + 0.1 * place + 0.03 * wobble);
    let risk = (risk * (1.0 + 0.5 * place + 0.4 * wobble) / factor.powi(6)).min(0.6);
    let metrics = Metrics {
        hours: 24.0,
        cpu_hours_requested,
        cpu_hours_used: 70.0,
        memory_hours_requested: 90.0,
        memory_hours_used: 60.0,
        latency_mean: Some(0.06),
        latency_p95: Some(0.12 + risk),
        latency_p99: Some(0.2 + 2.0 * risk),
        error_ratio: risk / 10.0,
        violations: risk,
        scaling_events: (events * (1.0 + 0.2 * wobble)).round(),
        cpu_under: risk * 2.0,
        cpu_over: cpu_hours_requested / 70.0,
        ..Metrics::default()
    };
    let key = RunKey { scenario: scenario.into(), arm, margin_thousandths: margin, seed };
    let provenance = Provenance {
        version: "0.1.0".into(),
        environment: "simulated".into(),
        ..Provenance::default()
    };
    ResultRow { key, metrics, provenance }
}

fn rows() -> Vec<ResultRow> {
    let mut rows = Vec::new();
    for scenario in SCENARIOS {
        for arm in ArmName::ALL {
            for seed in 1..=5 {
                rows.push(row(scenario, arm, 1000, seed));
                if matches!(arm, ArmName::Baseline | ArmName::Vpa | ArmName::Mora | ArmName::Oracle)
                {
                    rows.extend(
                        [700, 850, 1150, 1300].map(|margin| row(scenario, arm, margin, seed)),
                    );
                }
            }
        }
    }
    for arm in [ArmName::Baseline, ArmName::Hpa70, ArmName::Mora] {
        let mut real = row("realistic", arm, 1000, 1);
        real.provenance.environment = "test cluster".into();
        rows.push(real);
    }
    rows
}

/// All of it in figures, made once.
pub(crate) fn comparison() -> Comparison {
    static MADE: LazyLock<Comparison> = LazyLock::new(|| Comparison::of(&rows(), 1));
    MADE.clone()
}

fn traces() -> Vec<Trace> {
    let point = |arm: ArmName, seed: u64, place: u32| {
        let hour = f64::from(place) / 4.0;
        let load = 30.0 + 22.0 * ((hour - 14.0) / 24.0 * std::f64::consts::TAU).cos();
        let [cost, risk, _] = usual(arm);
        let follows = matches!(arm, ArmName::Mora | ArmName::Oracle | ArmName::Hpa70);
        let share = if follows { (load / 30.0).max(0.5) } else { 1.0 };
        TracePoint {
            at: jiff::Timestamp::from_second(1_772_496_000 + i64::from(place) * 900)
                .unwrap_or_default(),
            requests: load,
            cpu_requested: cost / 24.0 * share,
            cpu_used: load / 10.0 * (1.0 + 0.02 * (seed as f64 + hour).sin()),
            latency_p95: Some(
                (0.05 + load / 900.0)
                    * (1.0 + 60.0 * risk * ((hour * 1.7 + seed as f64).sin()).max(0.0)),
            ),
            replicas: 20.0,
        }
    };
    let trace = |arm, seed| Trace {
        key: RunKey { scenario: "realistic".into(), arm, margin_thousandths: 1000, seed },
        points: (0..96).map(|place| point(arm, seed, place)).collect(),
    };
    ArmName::ALL.into_iter().flat_map(|arm| (1..=5).map(move |seed| trace(arm, seed))).collect()
}

fn validation() -> Vec<Validated> {
    let services = [
        ("frontend", 1.1, 0.05),
        ("cart", 0.31, -0.03),
        ("checkout", 0.12, 0.31),
        ("currency", 0.42, 0.02),
        ("catalog", 0.5, -0.08),
        ("recommendation", 0.36, -0.27),
        ("shipping", 0.09, 0.11),
        ("payment", 0.02, 0.6),
        ("email", 0.03, -0.4),
        ("ad", 0.22, 0.01),
        ("redis", 0.08, -0.12),
    ];
    let quantities = [("CPU, cores", 1.0), ("requests/s", 60.0), ("latency p95, ms", 40.0)];
    let of = |(quantity, scale): (&str, f64)| {
        services.map(|(service, measured, error)| Validated {
            service: service.to_owned(),
            quantity: quantity.to_owned(),
            measured: measured * scale,
            simulated: measured * scale * (1.0 + error),
        })
    };
    quantities.into_iter().flat_map(of).collect()
}

/// The standard set.
pub(crate) fn figures(comparison: &Comparison) -> Vec<Figure> {
    let (traces, validation) = (traces(), validation());
    let objective = Some(Objective { latency_p95: 0.3, error_ratio: 0.01 });
    let evidence = Evidence { comparison, traces: &traces, objective, validation: &validation };
    super::figures(&evidence, "realistic")
}
