//! Trains a running worker on a made load, or measures how fast it answers, for `scripts/bench-forecast-peak`.
//!
//! Usage: `load train ENDPOINT` or `load measure ENDPOINT CALLS`. The second prints microseconds of `ForecastPeak`, for all
//! signals and for CPU alone, and of a health check, which does nothing: one call after another, the kinds taking
//! turns. Then eight callers at once give the calls per second.

use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::Context;
use jiff::Timestamp;
use mora_core::{Series, Signal, Step, WorkloadRef};
use mora_proto::v1::forecast_service_client::ForecastServiceClient;
use mora_proto::v1::train_request::Content;
use mora_proto::v1::training_service_client::TrainingServiceClient;
use mora_proto::{TrainingColumns, duration_to_wire, timestamp_to_wire, v1};
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

const DAYS: u32 = 28;
const STEP: u32 = 300;
const CALLERS: usize = 8;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let connect = |endpoint: &str| {
        mora_runtime::Security::default().channel(endpoint, Duration::from_secs(5))
    };
    match arguments.as_slice() {
        ["train", endpoint] => train(connect(endpoint)?).await,
        ["measure", endpoint, calls] => measure(connect(endpoint)?, calls.parse()?).await,
        _ => anyhow::bail!("usage: load train ENDPOINT | load measure ENDPOINT CALLS"),
    }
}

/// Four weeks of every signal with a day and a cycle of six days, which only the LSTM sees.
fn upload() -> anyhow::Result<TrainingColumns> {
    let step = Step::from_seconds(STEP).context("a step has at least one second")?;
    let value = |signal: usize, index: u32| {
        let hour = f64::from(index * STEP) / 3600.0 + 3.0 * signal as f64;
        let ripple = 6.0 * (hour * 12.9898).sin() * (hour * 0.618).cos();
        100.0 + 40.0 * (TAU * hour / 24.0).sin() + 20.0 * (TAU * hour / 144.0).sin() + ripple
    };
    let start = Timestamp::from_second(1_767_225_600)?;
    let mut signals = BTreeMap::new();
    for (index, signal) in Signal::ALL.into_iter().enumerate() {
        let values = (0..DAYS * 86_400 / STEP).map(|i| Some(value(index, i))).collect();
        signals.insert(signal, Series::new(start, step, values)?);
    }
    TrainingColumns::of(&signals).context("nothing to upload")
}

async fn train(channel: Channel) -> anyhow::Result<()> {
    let upload = upload()?;
    let header = v1::TrainHeader {
        job_id: "load".to_owned(),
        workload: request(Vec::new())?.workload,
        columns: upload.columns.keys().map(|signal| v1::Signal::from(*signal).into()).collect(),
        start: Some(timestamp_to_wire(upload.start)),
        step: Some(duration_to_wire(upload.step.times(1))),
        rows: upload.rows() as u64,
        checksum: upload.checksum().get(),
        replicas: 2,
        ..v1::TrainHeader::default()
    };
    let chunks: Vec<Content> = upload.chunks(0).map(Content::Chunk).collect();
    let contents = std::iter::once(Content::Header(header)).chain(chunks);
    let messages: Vec<_> = contents.map(|c| v1::TrainRequest { content: Some(c) }).collect();
    let began = Instant::now();
    let mut client = TrainingServiceClient::new(channel);
    let mut responses = client.train(tokio_stream::iter(messages)).await?.into_inner();
    let mut last = None;
    while let Some(response) = responses.message().await? {
        last = response.job;
    }
    let job = last.context("the worker told nothing")?;
    println!("trained in {:.1} s: {}", began.elapsed().as_secs_f64(), job.message);
    Ok(())
}

fn request(signals: Vec<i32>) -> anyhow::Result<v1::ForecastPeakRequest> {
    let workload: WorkloadRef = "made/load".parse()?;
    let workload = Some((&workload).into());
    Ok(v1::ForecastPeakRequest { workload, signals, ..v1::ForecastPeakRequest::default() })
}

async fn forecast(channel: &Channel, request: &v1::ForecastPeakRequest) -> anyhow::Result<()> {
    ForecastServiceClient::new(channel.clone()).forecast_peak(request.clone()).await?;
    Ok(())
}

async fn nothing(channel: &Channel) -> anyhow::Result<()> {
    HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await?;
    Ok(())
}

async fn micros(call: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<f64> {
    let began = Instant::now();
    call.await?;
    Ok(began.elapsed().as_secs_f64() * 1e6)
}

async fn measure(channel: Channel, calls: usize) -> anyhow::Result<()> {
    let (all, cpu) = (request(Vec::new())?, request(vec![v1::Signal::Cpu.into()])?);
    let mut taken = [const { Vec::new() }; 3];
    for call in 0..calls + 200 {
        let round = [
            micros(forecast(&channel, &all)).await?,
            micros(forecast(&channel, &cpu)).await?,
            micros(nothing(&channel)).await?,
        ];
        // The first calls warm up.
        if call >= 200 {
            taken.iter_mut().zip(round).for_each(|(taken, micros)| taken.push(micros));
        }
    }
    let names = ["ForecastPeak, all signals", "ForecastPeak, CPU alone", "empty call"];
    for (name, mut taken) in names.into_iter().zip(taken) {
        taken.sort_by(f64::total_cmp);
        let quantile = |q: f64| taken[((calls as f64 * q) as usize).min(calls - 1)];
        println!("{name}: p50 {:.0} µs, p99 {:.0} µs", quantile(0.5), quantile(0.99));
    }
    let each = calls.div_ceil(CALLERS);
    let began = Instant::now();
    let caller = |channel: Channel, all: v1::ForecastPeakRequest| async move {
        for _ in 0..each {
            forecast(&channel, &all).await?;
        }
        anyhow::Ok(())
    };
    let callers = (0..CALLERS).map(|_| tokio::spawn(caller(channel.clone(), all.clone())));
    for caller in callers.collect::<Vec<_>>() {
        caller.await??;
    }
    let rate = (each * CALLERS) as f64 / began.elapsed().as_secs_f64();
    println!("ForecastPeak, all signals, {CALLERS} callers: {rate:.0} calls/s");
    Ok(())
}
