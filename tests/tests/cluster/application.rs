//! The test application, what measures it, and its load.

use std::fs::{self, File};
use std::io::BufWriter;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use jiff::{SignedDuration, Timestamp};
use mora_core::Step;
use mora_simulation::{Boutique, BoutiqueOptions};
use mora_tests::{tools, write_cluster_metrics};

use crate::LONG;
use crate::bed::{Bed, repository, run};

pub(crate) const NAMESPACE: &str = "hipster-shop";
/// Workloads of the application, its store included.
pub(crate) const WORKLOADS: usize = 11;
/// Days of usage that the application is given a past of.
const DAYS: u32 = 4;
/// Blocks must be older than the head of a running Prometheus.
const AGE: SignedDuration = SignedDuration::from_hours(2);
/// Requests per second at the frontend, averaged over a week: what one node with two cores can be asked for.
const FRONTEND_RATE: f64 = 6.0;

/// Starts the application in its namespace.
pub(crate) fn start(bed: &Bed) {
    let folder = bed.path("application");
    fs::create_dir(&folder).unwrap();
    let manifest = repository().join("tests/boutique/deploy/boutique.yaml");
    fs::copy(manifest, folder.join("boutique.yaml")).unwrap();
    let namespace = repository().join("deploy/overlays/boutique/namespace.yaml");
    fs::copy(namespace, folder.join("namespace.yaml")).unwrap();
    let kustomization =
        format!("namespace: {NAMESPACE}\nresources: [namespace.yaml, boutique.yaml]\n");
    fs::write(folder.join("kustomization.yaml"), kustomization).unwrap();
    bed.apply(&folder);
    bed.available(NAMESPACE, &[], LONG);
    bed.step("the application is ready");
}

/// Starts Prometheus and kube-state-metrics, and gives the application a past.
pub(crate) fn monitor(bed: &Bed, deploy: &Path) {
    bed.apply(&deploy.join("overlays/monitoring"));
    // Its image can be had from nowhere but the registry, which the host need not reach.
    bed.available("monitoring", &["grafana"], LONG);
    bed.step("Prometheus and kube-state-metrics are ready");
    let end = Timestamp::now().saturating_sub(AGE).unwrap();
    let mut options = BoutiqueOptions::new(7, Step::MINUTE.floor(end));
    options.days = DAYS;
    options.frontend_rate = FRONTEND_RATE;
    options.namespace = NAMESPACE.into();
    let datasets = Boutique::new(options).unwrap().datasets();
    assert_eq!(datasets.len(), WORKLOADS);
    let samples = bed.path("past.txt");
    write_cluster_metrics(&datasets, BufWriter::new(File::create(&samples).unwrap())).unwrap();
    let blocks = bed.path("blocks");
    let promtool = tools::promtool().unwrap();
    let of = ["tsdb", "create-blocks-from", "openmetrics", "--quiet"];
    run(Command::new(promtool).args(of).args([&samples, &blocks]));
    move_blocks(&blocks, &volume(bed, "monitoring", "prometheus").join("data"));
    fs::remove_file(samples).unwrap();
    bed.eventually("Prometheus to find the past", LONG, || {
        let past = format!(
            "count(count_over_time(container_cpu_usage_seconds_total{{namespace=\"{NAMESPACE}\"}}[5m] offset 1d))"
        );
        bed.query(&past, "").first().filter(|(_, count)| *count >= WORKLOADS as f64).cloned()
    });
    bed.step(&format!("Prometheus has a past of {DAYS} days"));
}

/// Where the node keeps the volume of a claim.
pub(crate) fn volume(bed: &Bed, namespace: &str, claim: &str) -> PathBuf {
    let claim = bed.json(&["-n", namespace, "get", "persistentvolumeclaim", claim]);
    let name = claim["spec"]["volumeName"].as_str().unwrap().to_owned();
    let volume = bed.json(&["get", "persistentvolume", &name]);
    let spec = &volume["spec"];
    let path = spec["hostPath"]["path"].as_str().or(spec["local"]["path"].as_str());
    path.unwrap().into()
}

/// Moves blocks under a running Prometheus, each by one rename, and to its owner.
fn move_blocks(from: &Path, to: &Path) {
    for block in fs::read_dir(from).unwrap() {
        let block = block.unwrap();
        // Another file system perhaps: copied beside its place first.
        let staged = to.parent().unwrap().join(block.file_name());
        run(Command::new("cp").arg("-r").arg(block.path()).arg(&staged));
        run(Command::new("chown").args(["-R", "--reference"]).arg(to).arg(&staged));
        fs::rename(&staged, to.join(block.file_name())).unwrap();
    }
}

/// Visitors: a script and the program it runs, which end together when dropped.
pub(crate) struct Load(Child);

impl Drop for Load {
    fn drop(&mut self) {
        // What is gone already cannot be ended, and there is nobody to tell.
        let group = format!("-{}", self.0.id());
        let _gone = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _gone = self.0.wait();
    }
}

/// Starts visitors, for as long as the test lasts at most.
pub(crate) fn load(bed: &Bed) -> Load {
    let service = bed.json(&["-n", NAMESPACE, "get", "service", "frontend"]);
    let host = service["spec"]["clusterIP"].as_str().unwrap().to_owned();
    let mut command = bed.inside("env");
    command.arg(format!("JMETER={}", tools::jmeter().unwrap().display()));
    command.arg(repository().join("scripts/load"));
    command.args(["browsing", "--host", &host, "--port", "80", "--users", "4"]);
    command.args(["--think-time-ms", "500", "--duration", "3600", "--max-error-ratio", "0.5"]);
    let log = File::create(bed.path("load.log")).unwrap();
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let load = Load(command.spawn().unwrap());
    bed.step("visitors come");
    load
}

/// Asserts that the kubelet's own metrics of every workload are in Prometheus, and the requests they answer.
pub(crate) fn assert_measured(bed: &Bed) {
    for (what, expression, by) in [
        (
            "CPU",
            "sum by (container) (rate(container_cpu_usage_seconds_total{namespace=\"hipster-shop\",container!=\"\",pod!=\"\"}[1m])) > 0",
            "container",
        ),
        (
            "requests",
            "sum by (destination_workload) (rate(istio_requests_total{destination_workload_namespace=\"hipster-shop\"}[1m])) > 0",
            "destination_workload",
        ),
        (
            "owners",
            "count by (owner_name) (kube_replicaset_owner{namespace=\"hipster-shop\",owner_kind=\"Deployment\"})",
            "owner_name",
        ),
    ] {
        let measured = bed.eventually(what, LONG, || {
            let measured = bed.query(expression, by);
            let least = if what == "CPU" { 1 } else { WORKLOADS - 4 };
            (measured.len() >= least).then_some(measured)
        });
        let list: Vec<_> =
            measured.iter().map(|(name, value)| format!("{name} {value:.4}")).collect();
        bed.step(&format!("measured {what}: {}", list.join(", ")));
    }
}

/// Asserts that visitors still come.
pub(crate) fn assert_served(bed: &Bed, load: &mut Load) {
    let ended = load.0.try_wait().unwrap();
    assert!(ended.is_none(), "{}", fs::read_to_string(bed.path("load.log")).unwrap());
}
