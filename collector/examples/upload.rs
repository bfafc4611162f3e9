//! A long history streamed into a slow worker, for `scripts/bench-upload`.
//!
//! Usage: `upload serve FILE DELAY` or `upload send ADDRESS SAMPLES`. The first serves a training service that takes DELAY
//! milliseconds for every chunk, writes its address to FILE and serves until its standard input ends. The second makes
//! SAMPLES samples of three signals, streams them as the collector does, and prints a row of a table.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::Path;
use std::pin::Pin;
use std::time::{Duration, Instant};

use anyhow::Context;
use jiff::Timestamp;
use mora_collector::{TrainingData, TrainingOptions, train_worker};
use mora_core::{Series, Signal, Step};
use mora_proto::v1;
use mora_proto::v1::train_request::Content;
use mora_proto::v1::training_service_server::{TrainingService, TrainingServiceServer};
use mora_runtime::Security;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["serve", file, delay] => serve(Path::new(file), Duration::from_millis(delay.parse()?)),
        ["send", address, samples] => send(address, samples.parse()?),
        _ => anyhow::bail!("usage: upload serve FILE DELAY | upload send ADDRESS SAMPLES"),
    }
}

/// Takes its time for every chunk and keeps none.
struct Slow {
    delay: Duration,
}

type Responses =
    Pin<Box<dyn tokio_stream::Stream<Item = Result<v1::TrainResponse, Status>> + Send>>;

#[tonic::async_trait]
impl TrainingService for Slow {
    type TrainStream = Responses;

    async fn train(
        &self,
        request: Request<Streaming<v1::TrainRequest>>,
    ) -> Result<Response<Responses>, Status> {
        let mut requests = request.into_inner();
        let (answers, receiver) = mpsc::channel(1);
        let delay = self.delay;
        tokio::spawn(async move {
            let mut rows = 0;
            while let Ok(Some(v1::TrainRequest { content: Some(content) })) =
                requests.message().await
            {
                match content {
                    Content::Header(_) => {
                        let begun = job(v1::TrainingState::Receiving, 0);
                        if answers.send(Ok(begun)).await.is_err() {
                            return;
                        }
                    }
                    Content::Chunk(chunk) => {
                        tokio::time::sleep(delay).await;
                        rows = chunk.offset
                            + chunk.columns.first().map_or(0, |c| c.values.len() as u64);
                    }
                }
            }
            // The sender waits for it, unless it has gone.
            let _gone = answers.send(Ok(job(v1::TrainingState::Published, rows))).await;
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn get_training_job(
        &self,
        _: Request<v1::GetTrainingJobRequest>,
    ) -> Result<Response<v1::GetTrainingJobResponse>, Status> {
        Err(Status::unimplemented("this worker only receives"))
    }

    async fn cancel_training_job(
        &self,
        _: Request<v1::CancelTrainingJobRequest>,
    ) -> Result<Response<v1::CancelTrainingJobResponse>, Status> {
        Err(Status::unimplemented("this worker only receives"))
    }
}

fn job(state: v1::TrainingState, rows: u64) -> v1::TrainResponse {
    let job =
        v1::TrainingJob { state: state.into(), next_offset: rows, ..v1::TrainingJob::default() };
    v1::TrainResponse { job: Some(job) }
}

#[tokio::main]
async fn serve(file: &Path, delay: Duration) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    mora_store::write_atomically(file, format!("http://{}", listener.local_addr()?).as_bytes())?;
    let server = Server::builder().add_service(TrainingServiceServer::new(Slow { delay }));
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let ended =
        tokio::task::spawn_blocking(|| std::io::stdin().lock().read_line(&mut String::new()));
    tokio::select! {
        served = server.serve_with_incoming(incoming) => Ok(served?),
        _ = ended => Ok(()),
    }
}

#[tokio::main]
async fn send(address: &str, samples: usize) -> anyhow::Result<()> {
    let rows = samples / Signal::ALL.len();
    let series = |signal: Signal| {
        let value = |row: usize| Some((row % 1440) as f64 + f64::from(signal as u8));
        Series::new(Timestamp::UNIX_EPOCH, Step::MINUTE, (0..rows).map(value).collect())
    };
    let mut signals = BTreeMap::new();
    for signal in Signal::ALL {
        signals.insert(signal, series(signal)?);
    }
    let data = TrainingData { workload: "made/long".parse()?, signals, replicas: 1 };
    let options = TrainingOptions {
        slot: Step::HOUR,
        seed: 1,
        deadline: Duration::from_mins(30),
        force: false,
    };
    let before = memory("VmRSS:")?;
    let began = Instant::now();
    train_worker(address, &Security::default(), data, options, &mut |_| {}).await?;
    let (took, peak) = (began.elapsed().as_secs_f64(), memory("VmHWM:")?);
    let sent = rows * Signal::ALL.len();
    println!("| {sent} | {took:.1} | {:.0} | {before:.0} | {peak:.0} |", sent as f64 / took);
    Ok(())
}

/// A figure of this process, in MiB.
fn memory(name: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).context("no such figure")?;
    let kibibytes = line.split_whitespace().next().context("no such figure")?;
    Ok(kibibytes.parse::<f64>()? / 1024.0)
}
