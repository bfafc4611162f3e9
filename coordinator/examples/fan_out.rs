//! Many workers on loopback, or the fan-out that asks them, for `scripts/bench-fan-out`.
//!
//! Usage: `fan_out serve COUNT FILE` or `fan_out ask FILE [RUNS]`. The first starts COUNT gRPC servers in one process, writes
//! their addresses to FILE, one a line, and serves until its standard input ends. Each answers a full `ForecastPeak` after 20
//! to 200 ms of its own; one in a hundred, at least one, is slow, every other of these on its first call only; behind one in a
//! hundred, at least one, nothing listens. The second asks them all and prints one row of a table for each run; variables such as `MORA__FAN_OUT__CONCURRENCY`
//! configure it.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use jiff::Timestamp;
use mimalloc::MiMalloc;
use mora_coordinator::{Answers, CoordinatorConfig, Endpoint, Workers};
use mora_core::{
    Confidence, Forecast, MemberWeight, Quantile, RequestRecord, RiskPrice, Rung, Signal,
    SignalForecast, Skill, Step, WorkloadRef,
};
use mora_planning::ForecastRequest;
use mora_proto::v1;
use mora_proto::v1::forecast_service_server::{ForecastService, ForecastServiceServer};
use mora_runtime::load_config;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// That of the coordinator.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const SEED: u64 = 1;
const QUICKEST_MS: u64 = 20;
const SLOWEST_MS: u64 = 200;
const SLOW: Duration = Duration::from_secs(5);
const SLOTS: usize = 24;
/// Linux counts processor time of a process in hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["serve", count, file] => serve(count.parse()?, Path::new(file)),
        ["ask", file] => ask(Path::new(file), 1),
        ["ask", file, runs] => ask(Path::new(file), runs.parse()?),
        _ => anyhow::bail!("usage: fan_out serve COUNT FILE | fan_out ask FILE [RUNS]"),
    }
}

/// How a worker answers.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Role {
    Healthy,
    SlowOnce,
    Slow,
    Dead,
}

impl Role {
    /// The role of each of `count` workers.
    fn all(count: usize) -> impl Iterator<Item = Self> {
        let few = (count / 100).max(1);
        (0..count).map(move |index| match index {
            _ if index < few => Self::Dead,
            _ if index < 2 * few && (index - few).is_multiple_of(2) => Self::SlowOnce,
            _ if index < 2 * few => Self::Slow,
            _ => Self::Healthy,
        })
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::SlowOnce => "slow-once",
            Self::Slow => "slow",
            Self::Dead => "dead",
        }
    }
}

#[tokio::main]
async fn serve(count: usize, file: &Path) -> anyhow::Result<()> {
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let mut lines = String::new();
    let mut serving = tokio::task::JoinSet::new();
    // Held until all are bound, so that no other worker gets the port of a dead one.
    let mut dead = Vec::new();
    for (index, role) in Role::all(count).enumerate() {
        let workload = WorkloadRef::deployment("made", &format!("w{index}"))?;
        let latency_ms = random.random_range(QUICKEST_MS..=SLOWEST_MS);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        lines += &format!("{workload} http://{address} {} {latency_ms}\n", role.name());
        if role == Role::Dead {
            dead.push(listener);
        } else {
            let latency = Duration::from_millis(latency_ms);
            let answer = (&forecast(workload, Timestamp::UNIX_EPOCH)).into();
            let worker = Worker { answer, role, latency, asked: AtomicBool::new(false) };
            let server = Server::builder().add_service(ForecastServiceServer::new(worker));
            // As a worker does: an answer waits for no acknowledgement of its first part.
            let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
            serving.spawn(server.serve_with_incoming(incoming));
        }
    }
    drop(dead);
    // Whole or not at all: the other process waits for it.
    let unfinished = file.with_extension("unfinished");
    std::fs::write(&unfinished, lines)?;
    std::fs::rename(unfinished, file)?;
    tokio::task::spawn_blocking(|| std::io::stdin().lock().read_line(&mut String::new())).await??;
    Ok(())
}

/// A worker with its answer made beforehand: in a cluster it is made on another machine.
struct Worker {
    answer: v1::ForecastPeakResponse,
    role: Role,
    latency: Duration,
    asked: AtomicBool,
}

#[tonic::async_trait]
impl ForecastService for Worker {
    async fn forecast_peak(
        &self,
        _: Request<v1::ForecastPeakRequest>,
    ) -> Result<Response<v1::ForecastPeakResponse>, Status> {
        let first = !self.asked.swap(true, Ordering::Relaxed);
        let slow = self.role == Role::Slow || (self.role == Role::SlowOnce && first);
        tokio::time::sleep(if slow { SLOW } else { self.latency }).await;
        Ok(Response::new(self.answer.clone()))
    }

    async fn get_model(
        &self,
        _: Request<v1::GetModelRequest>,
    ) -> Result<Response<v1::GetModelResponse>, Status> {
        Err(Status::unimplemented("this worker only forecasts"))
    }

    async fn list_models(
        &self,
        _: Request<v1::ListModelsRequest>,
    ) -> Result<Response<v1::ListModelsResponse>, Status> {
        Err(Status::unimplemented("this worker only forecasts"))
    }
}

/// As much as a trained worker answers: a day of three signals at four quantiles, with members and records.
fn forecast(workload: WorkloadRef, start: Timestamp) -> Forecast {
    Forecast {
        workload,
        model_version: "20260101T000000Z-1".to_owned(),
        start,
        slot: Step::HOUR,
        data_until: start,
        replicas: 2,
        signals: Signal::ALL.into_iter().map(|signal| (signal, signal_forecast())).collect(),
        warnings: Vec::new(),
    }
}

fn signal_forecast() -> SignalForecast {
    let value = |quantile: f64, slot: usize| {
        let hour = slot as f64 / 24.0;
        (1.0 + quantile) * (1.5 + (std::f64::consts::TAU * hour).sin())
    };
    let path = |quantile: f64| (0..SLOTS).map(|slot| value(quantile, slot)).collect::<Vec<f64>>();
    let paths = quantiles().into_iter().map(|quantile| (quantile, path(quantile.get()))).collect();
    let members = ["hour_of_week", "prophet", "lstm", "holt_winters"];
    SignalForecast {
        paths,
        requests: path(0.97),
        request_records: [20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 1280.0].map(record).to_vec(),
        rung: Rung::Ensemble,
        members: members
            .map(|member| MemberWeight { member: member.to_owned(), weight: 0.25 })
            .to_vec(),
        skill: Skill { pinball_ratio: Some(0.8), origins: 14 },
        confidence: quantiles().pop().map(|stated| Confidence {
            stated,
            observed: 0.991,
            slots: 336,
        }),
    }
}

fn quantiles() -> Vec<Quantile> {
    [0.5, 0.9, 0.95, 0.99].into_iter().filter_map(|quantile| Quantile::new(quantile).ok()).collect()
}

/// One worker as the other process wrote it down.
struct Listed {
    role: String,
    latency_ms: u64,
}

#[tokio::main]
async fn ask(file: &Path, runs: usize) -> anyhow::Result<()> {
    let (mut endpoints, mut listed) = (BTreeMap::new(), BTreeMap::new());
    for line in std::fs::read_to_string(file)?.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let [workload, endpoint, role, latency_ms] = fields[..] else {
            anyhow::bail!("not a worker: {line}");
        };
        let workload: WorkloadRef = workload.parse()?;
        let (role, latency_ms) = (role.to_owned(), latency_ms.parse()?);
        endpoints.insert(workload.clone(), Endpoint(endpoint.to_owned()));
        listed.insert(workload, Listed { role, latency_ms });
    }
    let config = load_config::<CoordinatorConfig>(None)?;
    let workers = if runs > 1 { Workers::kept(&config) } else { Workers::once(&config) }?;
    for _ in 0..runs {
        let processor = processor_seconds()?;
        let began = Instant::now();
        let answers = workers.ask(endpoints.clone(), &request()).await;
        let wall = began.elapsed();
        let row = row(&listed, &answers, wall, processor_seconds()? - processor)?;
        writeln!(std::io::stdout(), "{row}")?;
    }
    Ok(())
}

fn request() -> ForecastRequest {
    ForecastRequest {
        start: Timestamp::UNIX_EPOCH,
        slot: Step::HOUR,
        slots: SLOTS,
        quantiles: quantiles(),
        risk_price: RiskPrice::DEFAULT,
    }
}

/// One row of the table in `docs/benchmarks.md`.
fn row(
    listed: &BTreeMap<WorkloadRef, Listed>,
    answers: &Answers,
    wall: Duration,
    processor_seconds: f64,
) -> anyhow::Result<String> {
    let healthy = listed.values().filter(|worker| worker.role == Role::Healthy.name());
    let slowest = healthy.map(|worker| worker.latency_ms).max().context("no healthy worker")?;
    let mut missing: BTreeMap<&str, usize> = BTreeMap::new();
    for (workload, _) in answers.iter().filter(|(_, answer)| answer.is_err()) {
        *missing.entry(&listed[workload].role).or_default() += 1;
    }
    let missing: Vec<String> = missing.iter().map(|(role, n)| format!("{n} {role}")).collect();
    let wall_ms = wall.as_secs_f64() * 1e3;
    let bound_ms = slowest as f64 * 1.25 + 250.0;
    Ok(format!(
        "| {} | {wall_ms:.0} | {slowest} | {:.2} | {bound_ms:.0} | {processor_seconds:.2} | {:.0} | {} | {} |",
        answers.len(),
        wall_ms / slowest as f64,
        peak_memory_mebibytes()?,
        answers.values().filter(|answer| answer.is_ok()).count(),
        if missing.is_empty() { "none".to_owned() } else { missing.join(", ") },
    ))
}

/// Processor time this process has used.
fn processor_seconds() -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit_once(')').context("no command in the statistics")?.1;
    let ticks = |index: usize| -> anyhow::Result<f64> {
        Ok(fields.split_whitespace().nth(index).context("a field is missing")?.parse()?)
    };
    // The 14th and 15th field of the file; the text starts at the third.
    Ok((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
}

fn peak_memory_mebibytes() -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()).context("no VmHWM")?;
    Ok(kibibytes.parse::<f64>()? / 1024.0)
}

fn record(price: f64) -> RequestRecord {
    RequestRecord { price, overhead: 1.4, above: 0.01, days: 14 }
}
