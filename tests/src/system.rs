//! The processes of MOrA over a real Prometheus, each started as an operator would start it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use mora_core::{Dataset, WorkloadRef};

use crate::tools::{ToolError, binary};
use crate::{Process, ProcessError, Prometheus, PrometheusError};

use thiserror::Error;

const START: Duration = Duration::from_mins(1);
/// Training shares two cores with other tests, which compile nothing but do run.
const TRAINING: Duration = Duration::from_mins(10);
/// A back-test needs some days before its first origin.
const LONG_HISTORY_STEPS: usize = 8 * 24 * 60;

/// Why the system is not up.
#[derive(Debug, Error)]
pub enum SystemError {
    /// No Prometheus.
    #[error(transparent)]
    Prometheus(#[from] PrometheusError),
    /// A binary is missing.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// A process did not do what it should.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A file or a one-shot command failed.
    #[error("the test's folder or a command cannot be used")]
    Io(#[from] std::io::Error),
}

/// A running Prometheus, collector and workers, in a folder of their own.
pub struct System {
    /// The Prometheus.
    pub prometheus: Arc<Prometheus>,
    /// The workloads with a worker, with the process and its address.
    pub workers: BTreeMap<WorkloadRef, (Process, SocketAddr)>,
    collector: Process,
    folder: tempfile::TempDir,
}

impl System {
    /// Starts at most `most` workers for workloads with a long history, and a collector that has trained them.
    ///
    /// Fails when a tool or binary is missing, or a process does not come up.
    pub fn start(most: usize) -> Result<Self, SystemError> {
        let prometheus = Prometheus::shared()?;
        let folder = tempfile::tempdir()?;
        let mut workers = BTreeMap::new();
        for dataset in long_histories(&prometheus).into_iter().take(most) {
            let worker = start_worker(&dataset.workload, &folder.path().join("models"))?;
            workers.insert(dataset.workload.clone(), worker);
        }
        let config = folder.path().join("collector.yaml");
        std::fs::write(&config, collector_config(&prometheus, &workers))?;
        let mut command = Command::new(binary("mora-collector")?);
        command.args(["--listen", "127.0.0.1:0", "--config"]).arg(&config);
        let collector = Process::spawn("collector", &mut command)?;
        collector.wait_for_line("training round done", TRAINING)?;
        Ok(Self { prometheus, workers, collector, folder })
    }

    /// What the collector has written to its log.
    #[must_use]
    pub fn collector_log(&self) -> String {
        self.collector.log()
    }

    /// Where the models are.
    #[must_use]
    pub fn library(&self) -> PathBuf {
        self.folder.path().join("models")
    }

    /// The command that makes one plan as JSON, with the deadline for all workers in milliseconds.
    ///
    /// Fails when the binary is missing or the configuration cannot be written.
    pub fn coordinator(&self, overall_ms: u64) -> Result<Command, SystemError> {
        let collector = self.collector.listening_address(START)?;
        let mut config = format!("collector: http://{collector}\n");
        config += &worker_list(&self.workers);
        config += &format!(
            "fan_out:\n  per_call_ms: {overall_ms}\n  overall_ms: {overall_ms}\n  retries: 0\n"
        );
        config += "cluster:\n  cpu_allocatable: \"64\"\n  memory_allocatable: 256Gi\n";
        let path = self.folder.path().join("coordinator.yaml");
        std::fs::write(&path, config)?;
        let mut command = Command::new(binary("mora-coordinator")?);
        command.args(["--output", "json", "--config"]).arg(path);
        Ok(command)
    }

    /// Restarts the worker of `workload` with its library; a worker that still runs is killed first.
    ///
    /// Fails when it does not come up.
    pub fn restart(&mut self, workload: &WorkloadRef) -> Result<SocketAddr, SystemError> {
        self.workers.remove(workload);
        let worker = start_worker(workload, &self.library())?;
        let address = worker.1;
        self.workers.insert(workload.clone(), worker);
        Ok(address)
    }
}

/// Runs the command `mora` with `arguments`, where there is neither a kubeconfig nor a configuration file of the user's.
///
/// Fails when the binary is missing or cannot be started.
pub fn mora(arguments: &[&str]) -> Result<Output, SystemError> {
    let mut command = Command::new(binary("mora")?);
    for name in ["KUBECONFIG", "XDG_CONFIG_HOME", "HOME"] {
        command.env(name, "/nonexistent");
    }
    Ok(command.args(arguments).output()?)
}

/// The recorded workloads with enough history to be forecast.
#[must_use]
pub fn long_histories(prometheus: &Prometheus) -> Vec<&Dataset> {
    let steps = |dataset: &&Dataset| {
        dataset.signals().values().map(mora_core::Series::len).max().unwrap_or(0)
    };
    let datasets = prometheus.recording().datasets.iter();
    datasets.filter(|dataset| steps(dataset) >= LONG_HISTORY_STEPS).collect()
}

fn start_worker(
    workload: &WorkloadRef,
    library: &Path,
) -> Result<(Process, SocketAddr), SystemError> {
    let mut command = Command::new(binary("mora-model-worker")?);
    command.args(["--listen", "127.0.0.1:0", "--workload", &workload.to_string(), "--library"]);
    let process = Process::spawn(&format!("worker of {workload}"), command.arg(library))?;
    let address = process.listening_address(START)?;
    Ok((process, address))
}

fn collector_config(
    prometheus: &Prometheus,
    workers: &BTreeMap<WorkloadRef, (Process, SocketAddr)>,
) -> String {
    let namespace = workers.keys().next().map_or("", WorkloadRef::namespace);
    let url = prometheus.url();
    format!(
        "source:\n  prometheus:\n    url: {url}\n    namespaces: [{namespace}]\nlookback_hours: 360\n\
         collect_every_seconds: 3600\n{}",
        worker_list(workers)
    )
}

fn worker_list(workers: &BTreeMap<WorkloadRef, (Process, SocketAddr)>) -> String {
    workers.iter().fold(
        "workers:\n  endpoints:\n".to_owned(),
        |mut text, (workload, (_, address))| {
            // Writing to a string cannot fail.
            let _written = writeln!(text, "    {workload}: http://{address}");
            text
        },
    )
}
