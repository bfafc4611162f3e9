//! Three times a load that was never seen: what the plan makes of it along the call graph, beside the truth.

use std::path::Path;
use std::process::Output;

use jiff::{SignedDuration, Timestamp};
use mora_core::{Plan, Recommendation, Signal, WorkloadRef};
use mora_simulation::{Boutique, BoutiqueOptions};
use mora_tests::mora;
use serde_json::Value;

/// How many times the visitors of the frontend are supposed.
const SURGE: f64 = 3.0;
/// The seed and the end of the demo's history, its defaults.
const SEED: u64 = 7;
const END: &str = "2026-03-02T00:00:00Z";
/// How far the raise of a callee may be from the true one.
const TOLERANCE: f64 = 0.10;

fn run(arguments: &[&str]) -> Output {
    mora(arguments).unwrap_or_else(|error| panic!("{error}"))
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

/// The most CPU that any minute of the planned day uses, in cores over the pods of now.
fn true_peak(shop: &Boutique, workload: &WorkloadRef) -> f64 {
    let end: Timestamp = END.parse().unwrap();
    let day = shop.observe(workload, Signal::Cpu, end, end + SignedDuration::from_hours(24));
    day.unwrap().observed().fold(0.0, f64::max)
}

/// Cores over all replicas before bounds and cap.
fn needed(recommendation: &Recommendation) -> f64 {
    recommendation.cpu.uncapped_target.cores() * f64::from(recommendation.replicas)
}

#[test]
fn three_times_an_unseen_load_raises_every_callee_in_step_and_every_number_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let (state, report) = (path(folder.path(), "state"), path(folder.path(), "report.html"));
    let demo = run(&["demo", "--state", &state, "--report", &report, "-o", "json"]);
    let usual: Plan = serde_json::from_slice(&demo.stdout).unwrap();
    let output = run(&["whatif", "--state", &state, "--entry", "frontend=3x", "-o", "json"]);
    let supposed: Plan = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(4), "three times the load does not fit the cluster");
    let boutique = Boutique::new(BoutiqueOptions::new(SEED, END.parse().unwrap())).unwrap();
    let surge = boutique.with_visitors(SURGE);
    println!(
        "{:<24}{:>10}{:>10}{:>9}{:>25}{:>17}",
        "workload", "true raise", "planned", "off", "per workload alone, off", "request / need"
    );
    for (now, then) in usual.recommendations.iter().zip(&supposed.recommendations) {
        assert_eq!(now.workload, then.workload);
        let need = true_peak(&surge, &now.workload);
        let truth = need / true_peak(&boutique, &now.workload);
        let planned = needed(then) / needed(now);
        let off = planned / truth - 1.0;
        // Sized alone, a workload whose own history shows no surge keeps its request.
        let alone = 1.0 / truth - 1.0;
        println!(
            "{:<24}{truth:>10.2}{planned:>10.2}{:>7.1} %{:>23.1} %{:>17.2}",
            now.workload.name(),
            off * 100.0,
            alone * 100.0,
            needed(then) / need
        );
        // One millicore per replica is rounding.
        let rounding = 0.001 * f64::from(then.replicas) / needed(now);
        assert!(off.abs() <= TOLERANCE + 2.0 * rounding, "{}: {off}", now.workload);
        assert!(alone < -0.4, "{}: {alone}", now.workload);
    }
    explanations_add_up(&state, &usual);
}

/// Asks for the explanation of every workload and adds its parts up.
fn explanations_add_up(state: &str, plan: &Plan) {
    for recommendation in &plan.recommendations {
        let name = recommendation.workload.name();
        let output = run(&["explain", "--state", state, name, "-o", "json"]);
        assert_eq!(output.status.code(), Some(0));
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        let why = &found[0]["justification"];
        let sum = |parts: &str| -> i64 {
            why[parts].as_array().unwrap().iter().map(|p| p["amount"].as_i64().unwrap()).sum()
        };
        assert_eq!(sum("cpu_parts"), recommendation.cpu.target.get() as i64, "{name}");
        assert_eq!(sum("memory_parts"), recommendation.memory.target.get() as i64, "{name}");
        let text = run(&["explain", "--state", state, name]).stdout;
        let text = String::from_utf8(text).unwrap();
        for part in ["CPU request", "own forecast, median", "safety margin", "model ", "data from"]
        {
            assert!(text.contains(part), "no `{part}` in {text}");
        }
    }
}

#[test]
fn what_cannot_be_explained_or_supposed_says_what_to_write() {
    let folder = tempfile::tempdir().unwrap();
    let missing = path(folder.path(), "nowhere");
    for (arguments, code, part) in [
        (vec!["explain", "--state", &missing, "cart"], 1, "`state`"),
        (vec!["whatif", "--state", &missing, "--entry", "cart=2"], 1, "`state`"),
        (vec!["whatif", "--state", &missing, "--entry", "cart"], 2, "frontend=3x"),
        (vec!["explain", "--coordinator", "nonsense://", "cart"], 1, "--coordinator"),
        (vec!["explain", "--coordinator", "http://127.0.0.1:9", "cart"], 1, "127.0.0.1:9"),
    ] {
        let output = run(&arguments);
        let message = String::from_utf8_lossy(&output.stderr);
        println!("{arguments:?}: {message}");
        assert_eq!(output.status.code(), Some(code), "{message}");
        assert!(output.stdout.is_empty() && message.contains(part), "no `{part}` in: {message}");
    }
}
