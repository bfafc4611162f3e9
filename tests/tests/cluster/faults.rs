//! What goes wrong in a cluster, and what the next plan makes of it.

use serde_json::Value;

use crate::LONG;
use crate::application::WORKLOADS;
use crate::bed::{Bed, said};
use crate::plans::{self, condition};

const WORKER: &str = "mora-worker-cartservice";
const WORKER_POD: &str = "app.kubernetes.io/instance=mora-worker-cartservice";

/// A worker's process is killed: the next plan has its forecast again, or says that it had none.
pub(crate) fn worker_killed(bed: &Bed) {
    let delete = ["-n", "mora", "delete", "pod", "-l", WORKER_POD, "--grace-period=0", "--force"];
    bed.kubectl(&delete);
    let plan = plans::now(bed, "worker-killed");
    tell_of(bed, "a worker was killed", &plan);
    assert_right_or_told(&plan, "cartservice");
    bed.kubectl(&[
        "-n",
        "mora",
        "rollout",
        "status",
        &format!("deployment/{WORKER}"),
        "--timeout=120s",
    ]);
    let plan = plans::now(bed, "worker-back");
    plans::assert_complete(bed, &plan);
    bed.step("the worker is back with its model, and so is its forecast");
}

/// The API server is away for half a minute: a server asked meanwhile says so, and the next plan is complete.
pub(crate) fn api_server_stopped(bed: &Bed) {
    let service = bed.json(&["-n", "mora", "get", "service", "mora-coordinator-server"]);
    let address = format!("{}:50063", service["spec"]["clusterIP"].as_str().unwrap());
    let mut pause = bed.pause_api(30);
    pause.wait_for_line("stopped", LONG).unwrap();
    let ask = [
        "-plaintext",
        "-max-time",
        "120",
        "-d",
        "{}",
        &address,
        "mora.v1.RecommendationService/Recommend",
    ];
    let answer = bed.inside("grpcurl").args(ask).output().unwrap();
    let text = said(&answer);
    assert!(text.contains("API") || text.contains("cluster"), "{text}");
    let line = text.lines().find(|line| line.contains("API") || line.contains("cluster"));
    bed.step(&format!(
        "asked without an API server, the coordinator says: {}",
        line.unwrap().trim()
    ));
    assert!(pause.wait().unwrap().success(), "{}", pause.log());
    let plan = plans::now(bed, "api-back");
    plans::assert_complete(bed, &plan);
    tell_of(bed, "the API server was stopped for 30 s", &plan);
}

/// Prometheus is away: the next plan is made of what was collected, or says what it lacks.
pub(crate) fn prometheus_down(bed: &Bed) {
    scale_prometheus(bed, 0);
    let gone = ["-l", "app.kubernetes.io/name=prometheus", "--for=delete", "--timeout=120s"];
    bed.kubectl(&[&["-n", "monitoring", "wait", "pod"], &gone[..]].concat());
    let plan = plans::now(bed, "prometheus-down");
    tell_of(bed, "Prometheus was down", &plan);
    plans::assert_complete(bed, &plan);
}

/// Prometheus is back.
pub(crate) fn prometheus_up(bed: &Bed) {
    scale_prometheus(bed, 1);
    bed.available("monitoring", &["grafana"], LONG);
}

fn scale_prometheus(bed: &Bed, replicas: u32) {
    let replicas = format!("--replicas={replicas}");
    bed.kubectl(&["-n", "monitoring", "scale", "deployment/prometheus", &replicas]);
}

/// Asserts that the plan covers every workload, and that the one named has a forecast or a reason why not.
fn assert_right_or_told(plan: &Value, name: &str) {
    let recommendations = plan["status"]["recommendations"].as_array().unwrap();
    assert_eq!(recommendations.len(), WORKLOADS, "{plan:#}");
    let told =
        condition(plan, "Complete") == Some("False") && plan["status"].to_string().contains(name);
    assert!(condition(plan, "Complete") == Some("True") || told, "{plan:#}");
}

fn tell_of(bed: &Bed, fault: &str, plan: &Value) {
    let conditions = plan["status"]["conditions"].as_array().unwrap();
    let said: Vec<_> = conditions
        .iter()
        .map(|one| format!("{} {} ({})", one["type"], one["status"], one["message"]))
        .collect();
    bed.step(&format!("{fault}; the next plan: {}", said.join(", ")));
}
