//! The dashboards: each can be loaded, and each of its questions has an answer where what it is about is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use mora_coordinator::Metrics;
use mora_core::{Bytes, ForecastPoint, Millicores, Plan};
use mora_tests::{Dashboard, Process, Watched, free_port, tools};
use serde_json::Value;

use super::root;

const START: Duration = Duration::from_mins(1);

fn shipped() -> Vec<Dashboard> {
    Dashboard::shipped().unwrap_or_else(|error| panic!("{error}"))
}

/// What the variables are set to: the microservice that [`Watched`] holds.
fn chosen() -> BTreeMap<&'static str, &'static str> {
    [("namespace", "shop"), ("workload", "cart"), ("arm", "shop"), ("entry", "cart")].into()
}

#[tokio::test]
async fn every_question_of_a_dashboard_has_an_answer() {
    let watched = Watched::start().unwrap_or_else(|error| panic!("{error}"));
    let queries: Vec<_> = shipped().iter().flat_map(|board| board.queries(&chosen())).collect();
    for query in &queries {
        let answer = watched.server().ask(&query.expression, watched.newest()).await;
        let answer = answer.unwrap_or_else(|error| panic!("{query:?}: {error}"));
        assert!(!answer.measured.is_empty(), "no answer: {query:?}");
        assert_eq!(answer.warnings, Vec::<String>::new(), "{query:?}");
    }
    println!("{} questions were answered", queries.len());
    assert!(queries.len() > 60, "{}", queries.len());
}

#[tokio::test]
async fn a_panel_shows_a_microservice_by_its_name_and_all_of_them_at_once() {
    let watched = Watched::start().unwrap_or_else(|error| panic!("{error}"));
    let boards = shipped();
    let board = boards.iter().find(|board| board.file == "microservices.json").unwrap();
    let chosen = [("workload", ".+")].into_iter().chain(chosen()).collect();
    let all = [chosen, [("namespace", "shop"), ("workload", ".+")].into()];
    for (variables, expected) in all.iter().zip([&["cart"][..], &["cart", "redis"]]) {
        let queries = board.queries(variables);
        let cpu = queries.iter().find(|query| query.asker.ends_with(": CPU")).unwrap();
        let answer = watched.server().ask(&cpu.expression, watched.newest()).await.unwrap();
        let shown: BTreeSet<&str> =
            answer.measured.iter().map(|m| m.labels["workload"].as_str()).collect();
        assert_eq!(shown, expected.iter().copied().collect(), "{}", cpu.expression);
        assert!(answer.measured.iter().all(|one| (one.value - 0.2).abs() < 1e-9), "12 s a minute");
    }
}

#[tokio::test]
async fn arms_are_compared_by_what_they_asked_for_since_the_chosen_time_began() {
    let watched = Watched::start().unwrap_or_else(|error| panic!("{error}"));
    let boards = shipped();
    let board = boards.iter().find(|board| board.file == "arms.json").unwrap();
    let half_an_hour = (watched.newest().as_second() - 29 * 60) * 1000;
    let from = half_an_hour.to_string();
    for (from, hours) in [("0", 0.5), (from.as_str(), 0.25)] {
        let chosen = [("__from", from)].into_iter().chain(chosen()).collect();
        let query = board.queries(&chosen);
        let so_far = query.iter().find(|query| query.asker.contains("so far")).unwrap();
        let answer = watched.server().ask(&so_far.expression, watched.newest()).await.unwrap();
        let shown: Vec<f64> = answer.measured.iter().map(|one| one.value).collect();
        // Two pods of a quarter of a core, of which the hour has sixty minutes.
        assert!(shown.len() == 1 && (shown[0] - hours).abs() < 1e-9, "{shown:?} {hours}");
    }
}

#[tokio::test]
async fn only_restarts_after_a_kill_for_memory_count_as_such_and_an_arm_without_one_has_none() {
    let watched = Watched::start().unwrap_or_else(|error| panic!("{error}"));
    let boards = shipped();
    let board = boards.iter().find(|board| board.file == "arms.json").unwrap();
    let queries = board.queries(&[("arm", ".+"), ("entry", "cart")].into());
    let kills = queries.iter().find(|query| query.asker.ends_with(": OOM kills")).unwrap();
    let answer = watched.server().ask(&kills.expression, watched.newest()).await.unwrap();
    let of = |arm: &str| {
        let found = answer.measured.iter().find(|one| one.labels["namespace"] == arm);
        found.map(|one| one.value)
    };
    assert!(of("shop").is_some_and(|kills| kills > 0.5), "{answer:?}");
    assert_eq!(of("mora"), Some(0.0), "{answer:?}");
}

#[test]
fn a_dashboard_has_a_name_of_its_own_and_panels_that_do_not_overlap() {
    let mut names = BTreeSet::new();
    for board in shipped() {
        let uid = board.json["uid"].as_str().unwrap().to_owned();
        assert!(names.insert(uid.clone()), "{uid} is there twice");
        assert!(board.json["schemaVersion"].as_u64().unwrap() >= 39, "{uid}");
        let panels: Vec<&Value> = board.json["panels"].as_array().unwrap().iter().collect();
        let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
        assert_eq!(ids.len(), panels.len(), "{uid}");
        let mut taken = BTreeSet::new();
        for panel in panels {
            let place = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            let (x, y) = (place("x"), place("y"));
            assert!(x + place("w") <= 24, "{uid}: {panel}");
            for cell in (x..x + place("w")).flat_map(|x| (y..y + place("h")).map(move |y| (x, y))) {
                assert!(taken.insert(cell), "{uid}: {panel}");
            }
        }
    }
    assert_eq!(names.len(), 4);
}

#[test]
fn every_panel_asks_the_datasource_that_is_provisioned_and_no_variable_stays_open() {
    let path = root().join("deploy/overlays/monitoring/config/datasources.yaml");
    let provisioned = fs::read_to_string(path).unwrap();
    for board in shipped() {
        for panel in board.panels() {
            let uid = panel["datasource"]["uid"].as_str().unwrap();
            assert!(provisioned.contains(&format!("uid: {uid}\n")), "{panel}");
        }
        for query in board.queries(&chosen()) {
            let open = query.expression.replace("\"$1\"", "");
            assert!(!open.contains('$'), "{query:?}");
        }
    }
}

/// The names of all metrics in an exposition.
fn told(text: &str) -> impl Iterator<Item = String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    types.map(
        |(name, kind)| {
            if kind == "counter" { format!("{name}_total") } else { name.to_owned() }
        },
    )
}

/// A collector of the simulated shop, with the addresses of its gRPC and of its metrics.
fn collecting(folder: &Path) -> (Process, SocketAddr, SocketAddr) {
    let config = folder.join("collector.yaml");
    fs::write(&config, "source: {simulated: {namespace: shop}}\nlookback_hours: 24\n").unwrap();
    let metrics = SocketAddr::from(([127, 0, 0, 1], free_port().unwrap()));
    let mut command = program("mora-collector");
    command.args(["--listen", "127.0.0.1:0", "--metrics-listen", &metrics.to_string()]);
    let collector = Process::spawn("collector", command.arg("--config").arg(config)).unwrap();
    collector.wait_for_line("serving metrics on", START).unwrap();
    let address = collector.listening_address(START).unwrap();
    (collector, address, metrics)
}

fn program(name: &str) -> Command {
    Command::new(tools::binary(name).unwrap_or_else(|error| panic!("{error}")))
}

/// A plan of what `collector` knows, on baselines but for one container that has a forecast for the first slot.
fn planned(folder: &Path, collector: SocketAddr) -> Plan {
    let config = folder.join("coordinator.yaml");
    let capacity = "cluster: {cpu_allocatable: \"64\", memory_allocatable: 64Gi}";
    fs::write(&config, format!("collector: http://{collector}\n{capacity}\n")).unwrap();
    let mut command = program("mora-coordinator");
    let output = command.args(["--output", "json", "--config"]).arg(config).output().unwrap();
    let mut plan: Plan = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let (cpu, memory) = (Millicores::new(100), Bytes::from_mebibytes(64));
    plan.recommendations[0].schedule.push(ForecastPoint { start: plan.start, cpu, memory });
    plan
}

#[tokio::test]
async fn what_dashboards_ask_of_mora_is_what_its_processes_tell() {
    let folder = tempfile::tempdir().unwrap();
    let (_collector, address, metrics) = collecting(folder.path());
    let of_collector = reqwest::get(format!("http://{metrics}/metrics")).await.unwrap();
    let of_collector = of_collector.text().await.unwrap();
    let plan = planned(folder.path(), address);
    let of_coordinator = Metrics::default();
    of_coordinator.record(Some(&plan), Duration::from_secs(1));
    let of_coordinator = of_coordinator.text(plan.start);
    let names: BTreeSet<String> = told(&of_collector).chain(told(&of_coordinator)).collect();
    let mut asked = BTreeSet::new();
    for query in shipped().iter().flat_map(|board| board.queries(&chosen())) {
        let words = query.expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        asked.extend(words.filter(|word| word.starts_with("mora_")).map(str::to_owned));
    }
    let unknown: Vec<&String> = asked.difference(&names).collect();
    assert!(unknown.is_empty(), "no process tells {unknown:?}");
    assert!(asked.len() >= 15, "{asked:?}");
}
