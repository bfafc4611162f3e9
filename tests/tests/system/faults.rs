//! Faults put in one by one: the plan that still comes, and the exit code it comes with.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};

use jiff::Timestamp;
use mora_core::{
    ContainerUsage, Dataset, Millicores, Plan, PlanStatus, Series, Source, Step, WorkloadRef,
};
use mora_tests::{ApiFault, Host, Process, WorkerFault, free_port, tools};

/// A coordinator's run with one fault.
struct Run {
    folder: tempfile::TempDir,
    config: String,
}

impl Run {
    /// A coordinator of a sound worker of the frontend and of one of the cart at `cart`, with `collector`.
    fn new(host: &Host, cart: SocketAddr, collector: SocketAddr) -> Self {
        let sound = host.worker(&workload("frontend"), WorkerFault::None);
        let mut config = format!("collector: http://{collector}\nworkers:\n  endpoints:\n");
        for (name, address) in [("frontend", sound), ("cart", cart)] {
            writeln!(config, "    shop/{name}: http://{address}").unwrap();
        }
        config += "fan_out: {per_call_ms: 800, overall_ms: 2000, retries: 0}\n";
        Self { folder: tempfile::tempdir().unwrap(), config }
    }

    fn with(mut self, more: &str) -> Self {
        self.config += more;
        self
    }

    /// With a Kubernetes API at `address`.
    fn in_cluster(self, address: SocketAddr) -> Self {
        self.using_cluster(address, "kubernetes: true")
    }

    /// With a Kubernetes API at `address`, used as `keys` say.
    fn using_cluster(self, address: SocketAddr, keys: &str) -> Self {
        let kubeconfig = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
             clusters: [{{name: test, cluster: {{server: 'http://{address}'}}}}]\n\
             users: [{{name: test, user: {{}}}}]\n\
             contexts: [{{name: test, context: {{cluster: test, user: test}}}}]\n"
        );
        std::fs::write(self.path("kubeconfig"), kubeconfig).unwrap();
        self.with(&format!("cluster: {{{keys}}}\n"))
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self) -> Command {
        std::fs::write(self.path("coordinator.yaml"), &self.config).unwrap();
        let binary = tools::binary("mora-coordinator").unwrap_or_else(|error| panic!("{error}"));
        let mut command = Command::new(binary);
        command.args(["--output", "json", "--config"]).arg(self.path("coordinator.yaml"));
        command.env("KUBECONFIG", self.path("kubeconfig"));
        command
    }

    /// The plan and the exit code.
    fn plan(&self) -> (Plan, i32) {
        let output = self.command().output().unwrap();
        (plan_of(&output), output.status.code().unwrap())
    }
}

fn plan_of(output: &Output) -> Plan {
    let log = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {log}"))
}

fn workload(name: &str) -> WorkloadRef {
    WorkloadRef::deployment("shop", name).unwrap()
}

/// Two days of a pod with even usage and load.
fn history(name: &str) -> Dataset {
    let step = Step::from_seconds(300).unwrap();
    let start = step.floor(Timestamp::now()) - step.times(576);
    let even = |value| Series::new(start, step, vec![Some(value); 576]).unwrap();
    let mut dataset = Dataset::new(workload(name));
    let mut usage = ContainerUsage {
        cpu: [("pod".to_owned(), even(0.4))].into(),
        memory: [("pod".to_owned(), even(80e6))].into(),
        ..ContainerUsage::default()
    };
    usage.claim.cpu_request = Some(Millicores::new(500));
    dataset.containers.insert("server".to_owned(), usage);
    dataset.request_rate = Some(even(20.0));
    dataset
}

fn histories() -> Vec<Dataset> {
    ["frontend", "cart"].map(history).into()
}

/// Asserts that the frontend is on its forecast and the cart on its baseline, and gives the reason.
fn reason_of_the_baseline(plan: &Plan) -> String {
    let of = |name| plan.recommendations.iter().find(|r| r.workload == workload(name)).unwrap();
    assert!(matches!(of("frontend").source, Source::Forecast { .. }));
    match &of("cart").source {
        Source::Baseline { reason } => reason.clone(),
        source => panic!("the cart is on {source:?}"),
    }
}

fn tell(fault: &str, plan: &Plan, code: i32, reason: &str) {
    println!("| {fault} | {:?} | {code} | {reason} |", plan.status);
}

#[test]
fn a_worker_that_fails_in_any_way_leaves_its_workload_on_its_baseline_with_the_reason() {
    let host = Host::new();
    let collector = host.collector(histories());
    for (fault, part) in [
        (WorkerFault::Down, "nothing answers there"),
        (WorkerFault::Slow, "did not answer"),
        (WorkerFault::WrongVersion, "another version"),
        (WorkerFault::NotANumber, "signals[0].paths[0].values[7]"),
        (WorkerFault::Crossing, "cross"),
        (WorkerFault::Empty, "workload"),
        (WorkerFault::OtherWorkload, "answered for shop/Deployment/other"),
        (WorkerFault::Untrained, "no model has been published"),
    ] {
        let run = Run::new(&host, host.worker(&workload("cart"), fault), collector);
        let (plan, code) = run.plan();
        let reason = reason_of_the_baseline(&plan);
        tell(&format!("worker: {fault:?}"), &plan, code, &reason);
        assert_eq!((plan.status, code), (PlanStatus::Degraded, 3), "{fault:?}");
        assert!(reason.contains(part), "{fault:?}: {reason}");
    }
}

#[test]
fn a_plan_without_a_fault_is_complete() {
    let host = Host::new();
    let cart = host.worker(&workload("cart"), WorkerFault::None);
    let run = Run::new(&host, cart, host.collector(histories()));
    let (plan, code) = run.in_cluster(host.api_server(ApiFault::None)).plan();
    tell("none", &plan, code, &plan.warnings.join(" "));
    assert_eq!((plan.status, code), (PlanStatus::Complete, 0), "{:?}", plan.warnings);
    assert_eq!(plan.capacity.unwrap().cpu_allocatable, Millicores::new(4000));
}

#[test]
fn a_kubernetes_api_that_refuses_costs_the_capacity_and_not_the_plan() {
    let host = Host::new();
    let collector = host.collector(histories());
    let cart = host.worker(&workload("cart"), WorkerFault::None);
    for fault in [
        ApiFault::NodesForbidden,
        ApiFault::Always(403),
        ApiFault::Always(409),
        ApiFault::Always(429),
        ApiFault::Always(500),
    ] {
        let run = Run::new(&host, cart, collector).in_cluster(host.api_server(fault));
        let (plan, code) = run.plan();
        let warnings = plan.warnings.join(" ");
        tell(&format!("Kubernetes API: {fault:?}"), &plan, code, &warnings);
        assert_eq!((plan.status, code), (PlanStatus::Degraded, 3), "{fault:?}: {warnings}");
        assert_eq!(plan.capacity, None, "{fault:?}");
        assert_eq!(plan.recommendations.len(), 2);
        assert!(warnings.contains("capacity"), "{fault:?}: {warnings}");
    }
}

#[test]
fn a_cluster_that_takes_no_plan_and_gives_no_policy_costs_neither_the_plan_nor_silence() {
    let host = Host::new();
    let collector = host.collector(histories());
    let cart = host.worker(&workload("cart"), WorkerFault::None);
    let keys = "plans: {namespace: mora}, policy: {namespace: mora, name: default}";
    for (fault, policy, plans) in [
        (
            ApiFault::NoDefinitions,
            "there is no RightsizingPolicy default in namespace mora",
            "no RightsizingPlan can be written to namespace mora",
        ),
        (ApiFault::Always(403), "resources: [\"rightsizingpolicies\"]", "verbs: [\"create\"]"),
    ] {
        let api = host.api_server(fault);
        let run = Run::new(&host, cart, collector).using_cluster(api, keys);
        let (plan, code) = run.plan();
        let warnings = plan.warnings.join(" ");
        tell(&format!("custom resources: {fault:?}"), &plan, code, &warnings);
        assert_eq!((plan.status, code), (PlanStatus::Degraded, 3), "{fault:?}: {warnings}");
        assert_eq!((plan.recommendations.len(), &plan.policy), (2, &None), "{fault:?}");
        assert!(warnings.contains(policy) && warnings.contains(plans), "{fault:?}: {warnings}");
    }
}

#[test]
fn a_collector_that_is_gone_costs_the_history_and_not_the_plan() {
    let host = Host::new();
    let gone = SocketAddr::from(([127, 0, 0, 1], free_port().unwrap()));
    let cart = host.worker(&workload("cart"), WorkerFault::None);
    let (plan, code) = Run::new(&host, cart, gone).plan();
    let warnings = plan.warnings.join(" ");
    tell("collector: down", &plan, code, &warnings);
    assert_eq!((plan.status, code), (PlanStatus::Degraded, 3), "{warnings}");
    assert_eq!(plan.recommendations.len(), 2);
    assert!(warnings.contains("without usage history"), "{warnings}");
}

#[test]
fn a_prometheus_that_does_not_answer_in_time_is_named() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("mora.yaml");
    let url = format!("http://{}", silent.local_addr().unwrap());
    let text = format!(
        "prometheus: {{url: '{url}', namespaces: [shop], timeout_seconds: 1, retries: 0}}\n"
    );
    std::fs::write(&config, text).unwrap();
    let path = config.to_str().unwrap();
    let output = mora_tests::mora(&["recommend", "--config", path]).unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    println!("| Prometheus: silent | no plan | {:?} | {message} |", output.status.code());
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(output.stdout.is_empty() && message.contains(&url), "{message}");
}

#[test]
fn a_run_that_is_told_to_stop_leaves_no_half_written_plan() {
    let host = Host::new();
    let slow = host.worker(&workload("cart"), WorkerFault::Slow);
    let run = Run::new(&host, slow, host.collector(histories()))
        .with("fan_out: {per_call_ms: 50000, overall_ms: 50000, straggler_share: 1}\n");
    let run = Run {
        config: run
            .config
            .replace("fan_out: {per_call_ms: 800, overall_ms: 2000, retries: 0}\n", ""),
        ..run
    };
    let plan = run.path("plan.json");
    std::fs::write(&plan, "the plan before").unwrap();
    let mut command = run.command();
    let mut running =
        Process::spawn("coordinator", command.arg("--output-file").arg(&plan)).unwrap();
    running.wait_for_line("asking 2 workers", std::time::Duration::from_mins(1)).unwrap();
    terminate(running.id());
    let ended = running.wait().unwrap();
    let log = running.log();
    assert_eq!(ended.code(), Some(1), "{log}");
    assert!(log.contains("stopped before"), "{log}");
    assert_eq!(std::fs::read_to_string(&plan).unwrap(), "the plan before");
    assert_eq!(files(run.folder.path()), ["coordinator.yaml", "plan.json"]);
}

fn terminate(id: u32) {
    assert!(Command::new("kill").args(["-TERM", &id.to_string()]).status().unwrap().success());
}

fn files(folder: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.unwrap().file_name().to_string_lossy().into_owned()
    };
    let mut names: Vec<String> = std::fs::read_dir(folder).unwrap().map(name).collect();
    names.sort();
    names
}
