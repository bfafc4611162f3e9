//! Collector, workers and coordinator as separate processes over a real Prometheus.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use mora_core::{
    Dataset, Millicores, Plan, PlanStatus, Recommendation, Signal, Source, WorkloadRef,
};
use mora_tests::{Process, System, free_port, long_histories, mora, tools};
use serde_json::Value;

const DEADLINE_MS: u64 = 5000;

fn start(workers: usize) -> System {
    System::start(workers).unwrap_or_else(|error| panic!("{error}"))
}

fn plan_of(output: &Output) -> Plan {
    let log = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {log}"))
}

/// The CPU used over all pods, in cores, in ascending order.
fn used(dataset: &Dataset) -> Vec<f64> {
    dataset.signals()[&Signal::Cpu].sorted()
}

fn requested_cores(recommendation: &Recommendation) -> f64 {
    recommendation.cpu.target.cores() * f64::from(recommendation.replicas)
}

#[test]
fn separate_processes_turn_a_real_prometheus_into_a_complete_plan() {
    let system = start(usize::MAX);
    let output = system.coordinator(DEADLINE_MS).unwrap().output().unwrap();
    let plan = plan_of(&output);
    assert_eq!(output.status.code(), Some(0), "{:?}", plan.warnings);
    assert_eq!(plan.status, PlanStatus::Complete, "{:?}", plan.warnings);
    assert!(system.workers.len() >= 2);
    for dataset in long_histories(&system.prometheus) {
        let found = plan.recommendations.iter().find(|r| r.workload == dataset.workload);
        let found = found.unwrap_or_else(|| panic!("{} is not in the plan", dataset.workload));
        assert!(matches!(found.source, Source::Forecast { .. }), "{:?}", found.source);
        assert_eq!(found.schedule.len(), 24);
        let used = used(dataset);
        let (median, highest) = (used[used.len() / 2], used[used.len() - 1]);
        let requested = requested_cores(found);
        let least = 0.010 * f64::from(found.replicas);
        let most = (3.0 * highest).max(least);
        assert!(
            (median..=most).contains(&requested),
            "{requested} cores for {median} to {highest}"
        );
    }
}

#[test]
fn a_worker_killed_in_the_middle_of_a_run_leaves_its_workload_on_its_baseline() {
    let mut system = start(2);
    let victim = system.workers.keys().next().unwrap().clone();
    // A stopped process holds its connections open: the coordinator is waiting for it when it dies.
    let id = system.workers[&victim].0.id().to_string();
    assert!(Command::new("kill").args(["-STOP", &id]).status().unwrap().success());
    let file = system.library().join("plan.json");
    let mut command = system.coordinator(DEADLINE_MS).unwrap();
    let began = Instant::now();
    let mut running =
        Process::spawn("coordinator", command.arg("--output-file").arg(&file)).unwrap();
    running.wait_for_line("asking 2 workers", Duration::from_mins(1)).unwrap();
    system.workers.get_mut(&victim).unwrap().0.kill().unwrap();
    let code = running.wait().unwrap().code();
    println!("plan {:.1} s after the coordinator started", began.elapsed().as_secs_f64());
    let plan: Plan = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!((plan.status, code), (PlanStatus::Degraded, Some(3)));
    for recommendation in &plan.recommendations {
        match &recommendation.source {
            Source::Baseline { reason } if recommendation.workload == victim => {
                assert!(reason.contains("worker at http://"), "{reason}");
            }
            Source::Baseline { .. } => {
                assert!(!system.workers.contains_key(&recommendation.workload));
            }
            Source::Forecast { .. } => assert_ne!(recommendation.workload, victim),
            Source::Statistical => panic!("nobody asked for {recommendation:?}"),
        }
    }
    assert!(
        plan.warnings.iter().any(|warning| warning.contains(&victim.to_string())),
        "{:?}",
        plan.warnings
    );
}

#[test]
fn a_coordinator_that_serves_explains_its_plan_supposes_loads_and_is_scraped() {
    let system = start(2);
    let workload = system.workers.keys().next().unwrap();
    let metrics = format!("127.0.0.1:{}", free_port().unwrap());
    let mut command = system.coordinator(DEADLINE_MS).unwrap();
    command.args(["--listen", "127.0.0.1:0", "--metrics-listen", &metrics]);
    let serving = Process::spawn("coordinator", &mut command).unwrap();
    let address = serving.listening_address(Duration::from_mins(1)).unwrap();
    let endpoint = format!("http://{address}");
    let ask = |arguments: &[&str]| -> (Value, i32) {
        let arguments = [arguments, &["--coordinator", &endpoint, "-o", "json"]].concat();
        let output = mora(&arguments).unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        let answer = serde_json::from_slice(&output.stdout);
        (answer.unwrap_or_else(|error| panic!("{error}: {log}")), output.status.code().unwrap())
    };
    let (found, code) = ask(&["explain", &workload.to_string()]);
    let target = found[0]["cpu"]["target"].as_str().unwrap().to_owned();
    let parts = found[0]["justification"]["cpu_parts"].as_array().unwrap();
    let sum: i64 = parts.iter().map(|part| part["amount"].as_i64().unwrap()).sum();
    assert_eq!((target.parse(), code), (Ok(Millicores::new(sum.unsigned_abs())), 0));
    let (plan, _) = ask(&["whatif", "--entry", &format!("{workload}=2x")]);
    let plan: Plan = serde_json::from_value(plan).unwrap();
    let doubled = plan.recommendations.iter().find(|r| r.workload == *workload).unwrap();
    assert!(doubled.cpu.target > Millicores::new(sum.unsigned_abs()), "{:?}", doubled.cpu);
    let text = scraped(&metrics);
    let lines = ["mora_runs_total{outcome=", "mora_plan_cpu_cores{what=\"requested\"}", "# EOF"];
    for line in lines {
        assert!(text.contains(line), "no `{line}` in {text}");
    }
}

fn scraped(address: &str) -> String {
    let mut connection = TcpStream::connect(address).unwrap();
    let request = "GET /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_foreign_client_knows_the_services_and_gets_forecasts_by_reflection_alone() {
    let system = start(1);
    let (workload, (_, address)) = system.workers.iter().next().unwrap();
    let answer = foreign_answer(*address, workload);
    let services: Vec<&str> =
        answer["services"].as_object().unwrap().keys().map(String::as_str).collect();
    let expected = ["grpc.health.v1.Health", "mora.v1.ForecastService", "mora.v1.TrainingService"];
    assert_eq!(services, expected);
    let cpu = &answer["forecast"]["signals"][0];
    assert_eq!(cpu["signal"], "SIGNAL_CPU");
    assert_eq!(cpu["paths"].as_array().unwrap().len(), 4);
    for path in cpu["paths"].as_array().unwrap() {
        let values: Vec<f64> =
            path["values"].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
        let highest = values.iter().copied().fold(f64::MIN, f64::max);
        assert_eq!((values.len(), path["peak"]["value"].as_f64()), (24, Some(highest)));
    }
}

#[test]
fn a_restarted_worker_answers_bit_for_bit_and_refuses_a_corrupted_file_by_name() {
    let mut system = start(1);
    let (workload, address) =
        system.workers.iter().map(|(w, (_, a))| (w.clone(), *a)).next().unwrap();
    let before = foreign_answer(address, &workload);
    let restarted = system.restart(&workload).unwrap();
    assert_eq!(foreign_answer(restarted, &workload), before);
    let version = before["forecast"]["modelVersion"].as_str().unwrap();
    let folder = library_folder(&system, &workload);
    let newer = copy_version(&folder, version);
    let damaged = folder.join(&newer).join("cpu/model.json");
    let mut bytes = std::fs::read(&damaged).unwrap();
    bytes[10] ^= 1;
    std::fs::write(&damaged, bytes).unwrap();
    std::fs::write(folder.join("CURRENT"), &newer).unwrap();
    let restarted = system.restart(&workload).unwrap();
    assert_eq!(foreign_answer(restarted, &workload), before);
    let log = system.workers[&workload].0.log();
    assert!(log.contains("cpu/model.json is corrupted"), "{log}");
}

fn library_folder(system: &System, workload: &WorkloadRef) -> PathBuf {
    let name = format!("{}.{}", workload.kind(), workload.name());
    system.library().join(workload.namespace()).join(name)
}

/// A copy of `version` under the name a newer one would have.
fn copy_version(folder: &Path, version: &str) -> String {
    let newer = format!("{version}9");
    let source = folder.join(version);
    let copied = Command::new("cp").arg("-r").arg(source).arg(folder.join(&newer)).status();
    assert!(copied.unwrap().success());
    newer
}

fn foreign_answer(address: SocketAddr, workload: &WorkloadRef) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("foreign_client.py");
    let python = tools::python().unwrap_or_else(|error| panic!("{error}"));
    let output = Command::new(python)
        .arg(script)
        .args([&address.to_string(), workload.namespace(), workload.name()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}
