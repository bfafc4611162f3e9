//! The test application and a Prometheus that scrapes it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use mora_tests::{PrometheusServer, tools};
use serde_json::Value;

/// Replicas and claim of every workload, by name.
pub(super) type State = BTreeMap<String, (u64, Value)>;

/// A running application, measured every two seconds.
pub(super) struct Bed {
    boutique: Child,
    frontend: SocketAddr,
    control: String,
    prometheus: PrometheusServer,
    pub(super) folder: tempfile::TempDir,
}

impl Bed {
    pub(super) fn start() -> Self {
        let mut command = Command::new(tools::binary("boutique").unwrap());
        // It ends with its standard input, and so with this process.
        command.arg("run").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut boutique = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(boutique.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        let address = |key: &str| -> SocketAddr {
            let url = ready[key].as_str().unwrap().trim_start_matches("http://");
            url.trim_end_matches("/metrics").parse().unwrap()
        };
        Self {
            frontend: address("frontend"),
            control: ready["control"].as_str().unwrap().to_owned(),
            prometheus: PrometheusServer::scraping(address("metrics"), 2).unwrap(),
            folder: tempfile::tempdir().unwrap(),
            boutique,
        }
    }

    /// What the control API tells of every workload.
    pub(super) fn state(&self) -> State {
        // An error means that a provider is installed already.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let told: Vec<Value> = tokio::runtime::Runtime::new().unwrap().block_on(async {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let url = format!("{}/workloads", self.control);
            client.get(url).send().await.unwrap().json().await.unwrap()
        });
        let of = |told: &Value| {
            let name = told["name"].as_str().unwrap().to_owned();
            (name, (told["replicas"].as_u64().unwrap(), told["claim"].clone()))
        };
        told.iter().map(of).collect()
    }

    pub(super) fn results(&self) -> std::path::PathBuf {
        self.folder.path().join("results")
    }

    /// `mora train clean-experiments` on this bed, for the frontend, in short cells.
    pub(super) fn command(&self, more: &[&str]) -> Command {
        let config = self.folder.path().join("mora.yaml");
        let plans = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("jmeter");
        std::fs::write(&config, SETTINGS.replace("PLANS", plans.to_str().unwrap())).unwrap();
        let mut command = Command::new(tools::binary("mora").unwrap());
        command.args(["train", "clean-experiments", "--target", "shop/frontend", "--config"]);
        command.arg(config).args(["--bed", &self.control, "--prometheus", &self.prometheus.url()]);
        command.args(["--host", "127.0.0.1", "--port", &self.frontend.port().to_string()]);
        command.arg("--jmeter").arg(tools::jmeter().unwrap());
        command.arg("--results").arg(self.results()).args(more);
        command
    }

    /// Runs the command to its end.
    pub(super) fn mora(&self, more: &[&str]) -> Output {
        self.command(more).output().unwrap()
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        // Its end is what stops the services.
        drop(self.boutique.stdin.take());
        let _ended = self.boutique.wait();
    }
}

/// Short, and lenient where two busy processors decide.
const SETTINGS: &str = "
prometheus:
  scrape_interval_seconds: 2
experiments:
  retries: 0
  timing:
    step_seconds: 2
    settle_seconds: 20
    settle_window_seconds: 8
    ramp_seconds: 2
    warm_seconds: 10
    steady_seconds: 14
    collect_seconds: 20
  gates:
    quality: {completeness: 0.8, missing: 0.2, variation: 0.5, stable_seconds: 10}
  isolation:
    most_replicas: 2
  load:
    think_milliseconds: 500
    jmeter: {plans: PLANS, min_reached: 0.1}
";
