//! The exported LSTM answers the same in the embedded backend and in ONNX Runtime, loaded by us or by Python.

use std::f64::consts::TAU;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Output};

use jiff::Timestamp;
use mora_core::{Series, Step};
use mora_forecast::{FitOptions, SignalModel, fit};
use mora_tests::tools;
use serde_json::Value;

/// Largest difference between two runtimes, as a share of the largest output.
const TOLERANCE: f64 = 1e-4;

/// A model of a load with a daily season and a cycle of six days, which only the LSTM sees.
fn fitted() -> SignalModel {
    let value = |n: i32| {
        let hour = f64::from(n);
        let ripple = 6.0 * (hour * 12.9898).sin() * (hour * 0.618).cos();
        100.0 + 40.0 * (TAU * hour / 24.0).sin() + 20.0 * (TAU * hour / 144.0).sin() + ripple
    };
    let start = Timestamp::from_second(1_767_225_600).unwrap();
    let values = (0..28 * 24).map(|n| Some(value(n))).collect();
    let series = Series::new(start, Step::HOUR, values).unwrap();
    fit(&series, &FitOptions::default(), &mut |_| ControlFlow::Continue(())).unwrap()
}

fn json(output: &Output) -> Value {
    let log = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {log}"))
}

fn embedded_or(library: Option<&str>, folder: &Path) -> Value {
    let program = tools::binary("examples/lstm_output").unwrap_or_else(|error| panic!("{error}"));
    json(&Command::new(program).arg(folder).arg("20").args(library).output().unwrap())
}

fn values(answer: &Value) -> Vec<f64> {
    answer["output"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

/// The largest difference of the two outputs, as a share of the largest output.
fn apart(a: &Value, b: &Value) -> f64 {
    let (a, b) = (values(a), values(b));
    assert_eq!(a.len(), b.len());
    let scale = a.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
    a.iter().zip(&b).fold(0.0, |most: f64, (a, b)| most.max((a - b).abs())) / scale
}

#[test]
fn the_embedded_backend_answers_what_onnx_runtime_does() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("cpu");
    std::fs::create_dir(&model).unwrap();
    for file in fitted().save().unwrap() {
        std::fs::write(model.join(file.name), file.bytes).unwrap();
    }
    let embedded = embedded_or(None, &model);
    let probe = folder.path().join("probe.json");
    std::fs::write(&probe, embedded.to_string()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("onnx_runtime.py");
    let python = tools::python().unwrap_or_else(|error| panic!("{error}"));
    let mut command = Command::new(python);
    let python =
        json(&command.arg(script).arg(model.join("lstm.onnx")).arg(&probe).output().unwrap());
    let (version, difference) = (&python["version"], apart(&embedded, &python));
    println!("embedded and Python's ONNX Runtime {version}: {difference:.1e} of the scale apart");
    assert!(difference < TOLERANCE, "{difference}");
    // Wheels for Python 3.10 and older are of a version that cannot be loaded.
    let Some(library) = python["library"].as_str().filter(|_| !is_old(version)) else { return };
    let loaded = embedded_or(Some(library), &model);
    let difference = apart(&embedded, &loaded);
    println!(
        "embedded and loaded ONNX Runtime: {difference:.1e} of the scale apart, {:.0} and {:.0} µs a run",
        embedded["p50_micros"].as_f64().unwrap(),
        loaded["p50_micros"].as_f64().unwrap(),
    );
    assert!(difference < TOLERANCE, "{difference}");
}

fn is_old(version: &Value) -> bool {
    let minor = version.as_str().and_then(|v| v.split('.').nth(1)).and_then(|v| v.parse().ok());
    minor.is_none_or(|minor: u32| minor < 24)
}

#[test]
fn a_worker_told_to_use_a_library_that_is_no_onnx_runtime_does_not_start_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let program = tools::binary("mora-model-worker").unwrap_or_else(|error| panic!("{error}"));
    let mut command = Command::new(program);
    command.args(["--workload", "shop/cart", "--listen", "127.0.0.1:0", "--library"]);
    command.arg(folder.path()).args(["--onnxruntime", "/no/such/libonnxruntime.so"]);
    let output = command.output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(log.contains("/no/such/libonnxruntime.so does not load as ONNX Runtime"), "{log}");
}
