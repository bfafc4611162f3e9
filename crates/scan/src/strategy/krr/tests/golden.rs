//! All figures of the file, where it is there. What needs a Prometheus is tested beside the other tests that do.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use serde_json::Value;

use super::super::*;
use super::scales;
use crate::PodObserved;

/// The file, or a word on standard output, past the test harness, that it is not on this machine.
fn golden() -> Option<Value> {
    let folder = env::var_os("MORA_SHARED_DATA").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let path = folder.unwrap_or(beside).join("krr_golden.json");
    if !path.is_file() {
        let note = "krr_golden.json is not on this machine (MORA_SHARED_DATA); the figures in the tests stand for all";
        writeln!(io::stdout(), "{note}").unwrap();
        return None;
    }
    Some(serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap())
}

fn cases<'a>(golden: &'a Value, table: &str) -> &'a Vec<Value> {
    golden[table].as_array().unwrap()
}

/// A number, `?` or `NaN` for unknown, and nothing for unset.
fn proposed(value: &Value) -> Proposed<f64> {
    match value {
        Value::Null => Proposed::Unset,
        Value::String(_) => Proposed::Unknown,
        number => Proposed::Value(number.as_f64().unwrap()),
    }
}

#[track_caller]
fn assert_same(found: Proposed<f64>, expected: Proposed<f64>, what: &Value) {
    match (found, expected) {
        (Proposed::Value(found), Proposed::Value(expected)) => {
            assert!((found - expected).abs() <= 1e-12 * expected.abs(), "{found}, {what}");
        }
        (found, expected) => assert_eq!(found, expected, "{what}"),
    }
}

fn severity(name: &Value) -> Severity {
    let name = name.as_str().unwrap().to_lowercase();
    Severity::ALL.into_iter().find(|severity| severity.as_str() == name).unwrap()
}

#[test]
fn rounding_and_formatting_are_those_of_the_file() {
    let Some(golden) = golden() else { return };
    for case in cases(&golden, "rounding") {
        let is_cpu = case["resource"] == "cpu";
        let round = |value| if is_cpu { round_cpu(value, 10) } else { round_memory(value, 100) };
        let rounded = proposed(&case["value"]).map(round);
        assert_same(rounded, proposed(&case["rounded"]), case);
        let shown = match rounded {
            Proposed::Value(value) => format(value, !case["rounded"].is_f64()),
            Proposed::Unset => "unset".to_owned(),
            Proposed::Unknown => "?".to_owned(),
        };
        assert_eq!(case["shown"], shown, "{case}");
    }
    for case in cases(&golden, "format") {
        let value = &case["value"];
        assert_eq!(case["shown"], format(value.as_f64().unwrap(), !value.is_f64()), "{case}");
    }
}

#[test]
fn parsing_is_that_of_the_file() {
    let Some(golden) = golden() else { return };
    for case in cases(&golden, "parse").iter().chain(cases(&golden, "parse_bad")) {
        let found = parse(case["text"].as_str().unwrap());
        assert_eq!(found.is_some(), case["error"].is_null(), "{case}");
        if let Some(found) = found {
            assert_same(Proposed::Value(found), proposed(&case["value"]), case);
        }
    }
}

#[test]
fn severities_scores_and_jobs_are_those_of_the_file() {
    let Some(golden) = golden() else { return };
    for case in cases(&golden, "severity") {
        let (now, new) = (case["current"].as_f64(), proposed(&case["recommended"]));
        let is_cpu = case["resource"] == "cpu";
        let found = if is_cpu { cpu_severity(now, new) } else { memory_severity(now, new) };
        assert_eq!(found, severity(&case["severity"]), "{case}");
    }
    for case in cases(&golden, "score") {
        let severities: Vec<Severity> =
            case["severities"].as_array().unwrap().iter().map(severity).collect();
        let (found, letter) = score(&severities);
        assert_eq!(
            (Value::from(found), letter.to_string().into()),
            (case["score"].clone(), case["letter"].clone()),
            "{case}"
        );
    }
    for case in cases(&golden, "job_filter") {
        let series = case["series"].as_array().unwrap();
        let pods: std::collections::BTreeSet<&str> =
            series.iter().map(|one| one[0].as_str().unwrap()).collect();
        let kept: Vec<Value> = pods
            .into_iter()
            .filter_map(|pod| {
                let of_pod = series.iter().filter(|one| one[0] == pod);
                let of_pod: Vec<(&str, &Value)> =
                    of_pod.map(|one| (one[1].as_str().unwrap_or_default(), one)).collect();
                job_kept(&of_pod).map(|index| of_pod[index].1.clone())
            })
            .collect();
        assert_eq!(&kept, case["kept"].as_array().unwrap(), "{case}");
    }
}

/// The settings of a case of either kind, by KRR's names.
fn settings(case: &Value) -> KrrSettings {
    let of = |name: &str| case["input"]["settings"][name].as_f64();
    let is_set = |name: &str| case["input"]["settings"][name].as_bool().unwrap();
    let default = KrrSettings::default();
    KrrSettings {
        strategy: serde_json::from_value(case["strategy"].clone()).unwrap(),
        cpu_percentile: of("cpu_percentile").unwrap_or(default.cpu_percentile),
        cpu_request: of("cpu_request").unwrap_or(default.cpu_request),
        cpu_limit: of("cpu_limit").unwrap_or(default.cpu_limit),
        memory_buffer_percentage: of("memory_buffer_percentage").unwrap(),
        points_required: of("points_required").unwrap() as u32,
        allow_hpa: is_set("allow_hpa"),
        use_oomkill_data: is_set("use_oomkill_data"),
        oom_memory_buffer_percentage: of("oom_memory_buffer_percentage").unwrap(),
        cpu_min: case["input"]["cpu_min_millicores"].as_u64().unwrap() as u32,
        mem_min: case["input"]["mem_min_mib"].as_u64().unwrap() as u32,
    }
}

fn observed(input: &Value) -> ContainerObserved {
    let mut observed = ContainerObserved::default();
    let names = ["cpu_by_pod", "max_memory_by_pod", "points_by_pod", "oomkill_limit_by_pod"];
    let pods =
        names.iter().filter_map(|name| input[*name].as_object()).flat_map(|pods| pods.keys());
    for pod in pods {
        let number = |name: &str| input[name][pod].as_f64();
        let samples = input["cpu_by_pod"][pod].as_array().into_iter().flatten();
        let cpu_samples: Vec<f64> = samples.map(|value| value.as_f64().unwrap()).collect();
        let of_pod = PodObserved {
            cpu: cpu_samples.first().copied(),
            cpu_samples,
            cpu_points: number("points_by_pod"),
            memory: number("max_memory_by_pod"),
            memory_points: number("points_by_pod"),
            oom_limit: number("oomkill_limit_by_pod"),
            ..PodObserved::default()
        };
        observed.pods.insert(pod.as_str().into(), of_pod);
    }
    observed
}

fn autoscaler(input: &Value) -> Option<OwnerAutoscaler> {
    let hpa = input["hpa"].as_object()?;
    let percent = |name: &str| hpa[name].as_u64().map(|percent| percent as u32);
    let on_cpu = scales(percent("target_cpu_utilization_percentage"), false);
    Some(OwnerAutoscaler {
        memory_percent: percent("target_memory_utilization_percentage"),
        ..on_cpu
    })
}

#[test]
fn both_strategies_answer_as_the_file_says() {
    let Some(golden) = golden() else { return };
    for case in cases(&golden, "strategy_cases") {
        let (settings, observed) = (settings(case), observed(&case["input"]));
        let autoscaler = autoscaler(&case["input"]);
        for (rounding, (cpu, memory)) in [
            ("unrounded", settings.unrounded(Some(&observed), autoscaler.as_ref())),
            ("recommended", settings.recommended(Some(&observed), autoscaler.as_ref())),
        ] {
            for (name, found) in [("cpu", cpu), ("memory", memory)] {
                let expected = &case["expected"][rounding][name];
                assert_same(found.request, proposed(&expected["request"]), case);
                assert_same(found.limit, proposed(&expected["limit"]), case);
                assert_eq!(found.info, expected["info"].as_str(), "{case}");
            }
        }
    }
}
