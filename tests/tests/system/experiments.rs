//! `mora train clean-experiments` with the test application, a Prometheus that scrapes it, and JMeter.

#[path = "experiments/bed.rs"]
mod bed;

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mora_tests::Process;
use serde_json::Value;

use bed::Bed;

/// One at a time: what is measured is the CPU of processes.
static ALONE: Mutex<()> = Mutex::new(());
/// A cell takes half a minute, and longer where processors are shared.
const LONG: Duration = Duration::from_mins(5);

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn manifest(bed: &Bed) -> Value {
    let text = std::fs::read(bed.results().join("manifest.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// Every cell with a dataset that was accepted, or rejected for stated reasons.
fn assert_judged(bed: &Bed, cells: usize) {
    let manifest = manifest(bed);
    let found = manifest["cells"].as_array().unwrap();
    assert_eq!((found.len(), &manifest["remaining"]), (cells, &Value::from(0)));
    for outcome in found {
        let cell = &outcome["cell"];
        let accepted = outcome["accepted"].as_bool().unwrap();
        let last = outcome["attempts"].as_array().unwrap().last().unwrap();
        assert_eq!(accepted, last["reasons"].as_array().unwrap().is_empty(), "{outcome}");
        let slug = format!(
            "{}-r{:02}-u{:04}",
            cell["scenario"].as_str().unwrap(),
            cell["replicas"].as_u64().unwrap(),
            cell["users"].as_u64().unwrap()
        );
        let folder = bed.results().join(if accepted { "cells" } else { "rejected" }).join(slug);
        let rows = csv::Reader::from_path(folder.join("data.csv")).unwrap().records().count();
        assert_eq!(rows as u64, outcome["rows"].as_u64().unwrap());
        assert!(rows > 100, "{rows} rows of {outcome}");
        let parquet = std::fs::metadata(folder.join("data.parquet")).unwrap().len();
        assert_eq!(parquet, outcome["files"]["data.parquet"]["bytes"].as_u64().unwrap());
    }
}

#[test]
fn a_triple_loop_makes_judged_datasets_with_cpu_rising_with_users_and_restores_everything() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let bed = Bed::start();
    let before = bed.state();
    let matrix = ["--replicas", "1,2", "--users", "2,24"];

    let dry = bed.mora(&[&matrix[..], &["--dry-run"]].concat());
    assert_eq!(dry.status.code(), Some(0), "{}", text(&dry.stderr));
    assert!(text(&dry.stdout).contains("1, 2 replicas x 2, 24 users = 8 experiments"));
    assert!(!bed.results().exists());
    assert_eq!(bed.state(), before);

    let run = bed.mora(&[&matrix[..], &["--yes"]].concat());
    let said = text(&run.stderr);
    assert!([Some(0), Some(3)].contains(&run.status.code()), "{said}");
    assert_eq!(bed.state(), before, "{said}");
    assert_judged(&bed, 8);
    let all_accepted = said.contains("8 of 8 cells accepted");
    assert_eq!(all_accepted, run.status.code() == Some(0), "{said}");

    let mut cpu: BTreeMap<(String, u64), Vec<f64>> = BTreeMap::new();
    for outcome in manifest(&bed)["cells"].as_array().unwrap() {
        let cell = &outcome["cell"];
        let key = (cell["scenario"].to_string(), cell["replicas"].as_u64().unwrap());
        let cores = outcome["attempts"][0]["figures"]["cpu_cores"].as_f64().unwrap();
        cpu.entry(key).or_default().push(cores);
    }
    // The cells of a scenario and number of replicas stand in the order of their users.
    assert_eq!(cpu.len(), 4);
    assert!(cpu.values().all(|cores| cores.len() == 2 && cores[1] > cores[0]), "{cpu:?}");
}

#[test]
fn an_experiment_that_is_asked_to_stop_ends_its_load_and_restores_everything() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let bed = Bed::start();
    let before = bed.state();
    let cell = ["--scenario", "browsing", "--replicas", "2", "--users", "4", "--yes"];
    let mut stopped = Process::spawn("mora", &mut bed.command(&cell)).unwrap();
    stopped.wait_for_line("load for", LONG).unwrap();
    assert_ne!(bed.state(), before);
    let asked = Command::new("kill").args(["-TERM", &stopped.id().to_string()]).status().unwrap();
    assert!(asked.success());
    assert_eq!(stopped.wait().unwrap().code(), Some(1));
    assert_eq!(bed.state(), before);
    let log = stopped.log();
    assert!(log.contains("the experiment was stopped") && log.contains(" 0 left"), "{log}");
}

#[test]
fn a_killed_experiment_is_restored_by_the_journal_and_resumed_without_running_a_cell_twice() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let bed = Bed::start();
    let before = bed.state();
    let matrix = ["--scenario", "browsing", "--replicas", "1,2", "--users", "4"];
    let begin = [&matrix[..], &["--yes"]].concat();
    let mut killed = Process::spawn("mora", &mut bed.command(&begin)).unwrap();
    killed.wait_for_line("[2 of 2]", LONG).unwrap();
    // The first load was that of the first cell.
    killed.wait_for_line("frontend: replicas 1 -> 2", LONG).unwrap();
    killed.kill().unwrap();
    assert_ne!(bed.state(), before);

    let refused = bed.mora(&begin);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("--restore"), "{}", text(&refused.stderr));

    for again in 0..2 {
        let restored = bed.mora(&["--restore"]);
        assert_eq!(restored.status.code(), Some(0), "{}", text(&restored.stderr));
        assert_eq!(bed.state(), before, "restored {again}");
    }

    let resumed = bed.mora(&[&begin[..], &["--resume"]].concat());
    let said = text(&resumed.stderr);
    assert!([Some(0), Some(3)].contains(&resumed.status.code()), "{said}");
    assert!(said.contains("done already: 1, to do: 1"), "{said}");
    assert!(said.contains("[1 of 1] browsing with 2 replicas and 4 users"), "{said}");
    assert_judged(&bed, 2);
    assert_eq!(bed.state(), before);
}
