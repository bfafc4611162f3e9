//! A real Prometheus that holds the recording.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use tempfile::TempDir;
use thiserror::Error;

use crate::process::{Process, ProcessError, free_port};
use crate::recording::{Recording, RecordingError};
use crate::tools::{self, ToolError};
use crate::write_cluster_metrics;

/// Why there is no Prometheus.
#[derive(Debug, Error)]
pub enum PrometheusError {
    /// A program is missing.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// There is nothing to fill it with.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// Its folder cannot be written.
    #[error(
        "the folder of a test's Prometheus cannot be written; free about 400 MB of space or set TMPDIR"
    )]
    Folder(#[source] io::Error),
    /// No port can be bound.
    #[error("no loopback port can be bound; the tests need 127.0.0.1")]
    Port(#[source] io::Error),
    /// The samples cannot be turned into blocks.
    #[error("promtool could not turn the samples into blocks: {0}")]
    Backfill(String),
    /// It does not get ready.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// No HTTP client can be made.
    #[error("no HTTP client can be made")]
    Client(#[source] reqwest::Error),
}

/// Why a query has no answer.
#[derive(Debug, Error)]
pub enum QueryError {
    /// The request failed or was refused.
    #[error("Prometheus did not answer the query; read its log")]
    Http(#[from] reqwest::Error),
    /// A value is not a number.
    #[error("`{0}` is not a number")]
    NotANumber(String),
}

/// One element of an instant vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

/// A running Prometheus that holds what was written to it at the start or what it scrapes; it ends when dropped.
#[derive(Debug)]
pub struct PrometheusServer {
    process: Process,
    address: SocketAddr,
    prefix: &'static str,
    http: reqwest::Client,
    // Last, so that the folder goes after the process that uses it.
    _folder: TempDir,
}

/// A running Prometheus that scrapes nothing and holds a [`Recording`]; it ends when dropped.
#[derive(Debug)]
pub struct Prometheus {
    server: PrometheusServer,
    recording: Recording,
}

/// The longest a start may take before the test fails; it takes about a second.
const START: Duration = Duration::from_mins(2);
/// How often a port is tried that another process may have taken since it was found free.
const PORTS_TRIED: u32 = 3;

impl PrometheusServer {
    /// Starts a Prometheus with the `OpenMetrics` text that `write` writes, whose samples must be older than three
    /// hours: that is how far its head may reach back.
    ///
    /// Fails when a tool is missing, when `write` fails, or when Prometheus does not get ready.
    pub fn start(
        write: impl FnOnce(BufWriter<File>) -> io::Result<BufWriter<File>>,
    ) -> Result<Self, PrometheusError> {
        Self::start_below("", write)
    }

    /// As [`PrometheusServer::start`], answering below the path `prefix`, as in `/prometheus`.
    pub fn start_below(
        prefix: &'static str,
        write: impl FnOnce(BufWriter<File>) -> io::Result<BufWriter<File>>,
    ) -> Result<Self, PrometheusError> {
        let folder = TempDir::new().map_err(PrometheusError::Folder)?;
        backfill(write, folder.path())?;
        let (process, address) = serve(folder.path(), prefix, "scrape_configs: []\n")?;
        Ok(Self { process, address, prefix, http: http_client()?, _folder: folder })
    }

    /// Starts a Prometheus that scrapes `/metrics` of `target` every `seconds`.
    ///
    /// Fails when Prometheus is missing or does not get ready.
    pub fn scraping(target: SocketAddr, seconds: u32) -> Result<Self, PrometheusError> {
        let folder = TempDir::new().map_err(PrometheusError::Folder)?;
        let config = format!(
            "global: {{scrape_interval: {seconds}s, scrape_timeout: {seconds}s}}\n\
             scrape_configs: [{{job_name: test, static_configs: [{{targets: ['{target}']}}]}}]\n"
        );
        let (process, address) = serve(folder.path(), "", &config)?;
        Ok(Self { process, address, prefix: "", http: http_client()?, _folder: folder })
    }

    /// Its base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}{}", self.address, self.prefix)
    }

    /// Evaluates `expression` at `time`.
    ///
    /// Fails when Prometheus refuses the expression or cannot be reached.
    pub async fn ask(&self, expression: &str, time: Timestamp) -> Result<Answered, QueryError> {
        let parameters = [("query", expression), ("time", &time.to_string())];
        let request = self.http.get(format!("{}/api/v1/query", self.url())).query(&parameters);
        let answer: Answer = request.send().await?.error_for_status()?.json().await?;
        let measured = answer.data.result.into_iter().map(Measured::try_from);
        let measured = measured.collect::<Result<_, _>>()?;
        Ok(Answered { measured, warnings: [answer.warnings, answer.infos].concat() })
    }
}

impl Prometheus {
    /// The Prometheus all running tests of this process share; the first to ask waits for the backfill.
    ///
    /// Fails when a tool or the recorded data is missing, or when Prometheus does not get ready.
    pub fn shared() -> Result<Arc<Self>, PrometheusError> {
        static SHARED: Shared<Prometheus> = Shared::new();
        SHARED.get_or_start(|| Self::start(Recording::load(Timestamp::now())?))
    }

    /// Starts a Prometheus with `recording`; fails as [`Prometheus::shared`] does.
    pub fn start(recording: Recording) -> Result<Self, PrometheusError> {
        let server =
            PrometheusServer::start(|out| write_cluster_metrics(&recording.datasets, out))?;
        Ok(Self { server, recording })
    }

    /// Its base URL.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// What it holds.
    #[must_use]
    pub const fn recording(&self) -> &Recording {
        &self.recording
    }

    /// What it has written to its log.
    #[must_use]
    pub fn log(&self) -> String {
        self.server.process.log()
    }

    /// Evaluates `expression` at `time`.
    ///
    /// Fails when Prometheus refuses the expression or cannot be reached.
    pub async fn query(
        &self,
        expression: &str,
        time: Timestamp,
    ) -> Result<Vec<Measured>, QueryError> {
        Ok(self.server.ask(expression, time).await?.measured)
    }
}

/// What the running tests of this process share; it ends with the last of them.
pub(crate) struct Shared<T> {
    // Weak, because what a static holds is never dropped and the process would stay behind.
    running: Mutex<Weak<T>>,
}

impl<T> Shared<T> {
    pub(crate) const fn new() -> Self {
        Self { running: Mutex::new(Weak::new()) }
    }

    /// What is running, or what `start` starts; who asks meanwhile waits for it.
    pub(crate) fn get_or_start<E>(
        &self,
        start: impl FnOnce() -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = running.upgrade() {
            return Ok(shared);
        }
        let started = Arc::new(start()?);
        *running = Arc::downgrade(&started);
        Ok(started)
    }
}

/// What a query was answered with.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// The elements.
    pub measured: Vec<Measured>,
    /// What Prometheus remarked.
    pub warnings: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Answer {
    data: AnswerData,
    #[serde(default)]
    warnings: Vec<String>,
    #[serde(default)]
    infos: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct AnswerData {
    result: Vec<Element>,
}

#[derive(Debug, Deserialize)]
struct Element {
    metric: BTreeMap<String, String>,
    value: (f64, String),
}

impl TryFrom<Element> for Measured {
    type Error = QueryError;

    fn try_from(element: Element) -> Result<Self, QueryError> {
        let (_, text) = element.value;
        let value = text.parse().map_err(|_| QueryError::NotANumber(text))?;
        Ok(Self { labels: element.metric, value })
    }
}

/// Fills `folder/data` with blocks.
fn backfill(
    write: impl FnOnce(BufWriter<File>) -> io::Result<BufWriter<File>>,
    folder: &Path,
) -> Result<(), PrometheusError> {
    let samples = folder.join("samples.txt");
    let file = File::create(&samples).map_err(PrometheusError::Folder)?;
    write(BufWriter::new(file)).map_err(PrometheusError::Folder)?;
    // One large block: promtool reads the whole text once per block.
    let mut promtool = Command::new(tools::promtool()?);
    promtool.args(["tsdb", "create-blocks-from", "--max-block-duration=1000h", "openmetrics"]);
    let made = promtool.arg(&samples).arg(folder.join("data")).output();
    let made = made.map_err(|error| PrometheusError::Backfill(error.to_string()))?;
    if !made.status.success() {
        return Err(PrometheusError::Backfill(String::from_utf8_lossy(&made.stderr).into_owned()));
    }
    fs::remove_file(&samples).map_err(PrometheusError::Folder)
}

fn serve(
    folder: &Path,
    prefix: &str,
    settings: &str,
) -> Result<(Process, SocketAddr), PrometheusError> {
    let config = folder.join("prometheus.yml");
    fs::write(&config, settings).map_err(PrometheusError::Folder)?;
    let program = tools::prometheus()?;
    let mut tried = 0;
    loop {
        tried += 1;
        let port = free_port().map_err(PrometheusError::Port)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut command = Command::new(&program);
        command.arg(flag("config.file", config.display()));
        command.arg(flag("storage.tsdb.path", folder.join("data").display()));
        command.arg("--storage.tsdb.retention.time=10y");
        command.arg(flag("web.listen-address", address));
        if !prefix.is_empty() {
            command.arg(flag("web.route-prefix", prefix));
        }
        let process = Process::spawn("prometheus", &mut command)?;
        match process.wait_for_line("Server is ready", START) {
            Ok(_) => return Ok((process, address)),
            Err(error) if tried == PORTS_TRIED || !port_was_taken(&process) => {
                return Err(error.into());
            }
            Err(_) => {}
        }
    }
}

fn port_was_taken(process: &Process) -> bool {
    process.log().contains("address already in use")
}

fn flag(name: &str, value: impl std::fmt::Display) -> String {
    format!("--{name}={value}")
}

fn http_client() -> Result<reqwest::Client, PrometheusError> {
    // An error means that a provider is installed already.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    // No pool: an idle connection lives on the runtime of the test that opened it and dies with that test.
    let builder = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).timeout(START);
    builder.build().map_err(PrometheusError::Client)
}
