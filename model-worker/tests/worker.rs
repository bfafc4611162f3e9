//! A worker over real gRPC on loopback, from an empty library to a restart.

use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mora_core::{Series, Signal, Step, WorkloadRef};
use mora_model_worker::{Library, Worker, WorkerConfig};
use mora_proto::v1::forecast_service_client::ForecastServiceClient;
use mora_proto::v1::train_request::Content;
use mora_proto::v1::training_service_client::TrainingServiceClient;
use mora_proto::{TrainingColumns, duration_to_wire, timestamp_to_wire, v1};
use mora_runtime::{GrpcServer, ServeError};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tonic::transport::Channel;

const FIVE_MINUTES: u32 = 300;

fn workload() -> WorkloadRef {
    "shop/cart".parse().unwrap()
}

/// Eight days with a daily season and a ripple, so that a fit is quick and beats a constant.
fn upload() -> TrainingColumns {
    let step = Step::from_seconds(FIVE_MINUTES).unwrap();
    let value = |i: u32| {
        let day = f64::from(i) / 288.0;
        0.5 + 0.3 * (TAU * day).sin() + 0.02 * (f64::from(i) * 1.7).sin()
    };
    let values = (0..8 * 288).map(|i| (i % 97 != 0).then(|| value(i))).collect();
    let start = Timestamp::from_second(1_767_225_600).unwrap();
    let series = Series::new(start, step, values).unwrap();
    TrainingColumns::of(&[(Signal::Cpu, series)].into()).unwrap()
}

fn header(upload: &TrainingColumns, id: &str) -> v1::TrainHeader {
    v1::TrainHeader {
        job_id: id.to_owned(),
        workload: Some((&workload()).into()),
        columns: vec![v1::Signal::Cpu.into()],
        start: Some(timestamp_to_wire(upload.start)),
        step: Some(duration_to_wire(upload.step.times(1))),
        rows: upload.rows() as u64,
        checksum: upload.checksum().get(),
        replicas: 2,
        slot: None,
        seed: 3,
        force: false,
    }
}

struct Running {
    channel: Channel,
    stop: CancellationToken,
    serving: JoinHandle<Result<(), ServeError>>,
}

impl Running {
    async fn start(library: &Path) -> Self {
        let config =
            WorkerConfig { library: library.to_owned(), origins: 3, ..WorkerConfig::default() };
        let server = GrpcServer::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let endpoint = format!("http://{}", server.address());
        let worker = Worker::open(workload(), config, Arc::new(Semaphore::new(1))).await.unwrap();
        let stop = CancellationToken::new();
        let serving = tokio::spawn(worker.serve(server, stop.clone()));
        let channel =
            mora_runtime::Security::default().channel(&endpoint, Duration::from_secs(5)).unwrap();
        Self { channel, stop, serving }
    }

    async fn stop(self) {
        drop(self.channel);
        self.stop.cancel();
        self.serving.await.unwrap().unwrap();
    }

    /// Sends a header and some chunks; gives the last progress message, or the error.
    async fn train(
        &self,
        header: v1::TrainHeader,
        chunks: Vec<v1::TrainChunk>,
    ) -> Result<v1::TrainingJob, tonic::Status> {
        let header = std::iter::once(Content::Header(header));
        let contents = header.chain(chunks.into_iter().map(Content::Chunk));
        let messages: Vec<_> = contents.map(|c| v1::TrainRequest { content: Some(c) }).collect();
        let mut client = TrainingServiceClient::new(self.channel.clone());
        let mut responses = client.train(tokio_stream::iter(messages)).await?.into_inner();
        let mut last = None;
        while let Some(response) = responses.message().await? {
            last = response.job;
        }
        Ok(last.unwrap())
    }

    async fn forecast(&self) -> Result<v1::ForecastPeakResponse, tonic::Status> {
        self.forecast_at(None).await
    }

    async fn forecast_at(
        &self,
        risk_price: Option<f64>,
    ) -> Result<v1::ForecastPeakResponse, tonic::Status> {
        let request = v1::ForecastPeakRequest {
            workload: Some((&workload()).into()),
            risk_price,
            ..v1::ForecastPeakRequest::default()
        };
        let mut client = ForecastServiceClient::new(self.channel.clone());
        client.forecast_peak(request).await.map(tonic::Response::into_inner)
    }

    async fn models(&self) -> Vec<v1::Model> {
        self.list(Some((&workload()).into())).await.unwrap().models
    }

    async fn list(
        &self,
        workload: Option<v1::WorkloadRef>,
    ) -> Result<v1::ListModelsResponse, tonic::Status> {
        let mut client = ForecastServiceClient::new(self.channel.clone());
        let answer = client.list_models(v1::ListModelsRequest { workload }).await;
        answer.map(tonic::Response::into_inner)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trained_worker_answers_and_answers_the_same_after_a_restart() {
    let library = tempfile::tempdir().unwrap();
    let worker = Running::start(library.path()).await;
    assert_eq!(worker.forecast().await.unwrap_err().code(), Code::FailedPrecondition);
    let upload = upload();
    let job = worker.train(header(&upload, "job-1"), upload.chunks(0).collect()).await.unwrap();
    assert_eq!(job.state(), v1::TrainingState::Published, "{}", job.message);
    let before = worker.forecast().await.unwrap();
    let peak = before.signals[0].paths[1].peak.unwrap().value;
    assert!((0.7..1.2).contains(&peak), "the truth peaks at 0.82 cores, the forecast at {peak}");
    worker.stop().await;
    let restarted = Running::start(library.path()).await;
    assert_eq!(restarted.forecast().await.unwrap(), before);
    restarted.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_says_which_workload_it_serves_to_one_who_does_not_know() {
    let library = tempfile::tempdir().unwrap();
    let worker = Running::start(library.path()).await;
    let own = worker.list(None).await.unwrap();
    assert_eq!((own.workload, own.models), (Some((&workload()).into()), Vec::new()));
    let other: mora_core::WorkloadRef = "shop/other".parse().unwrap();
    let refused = worker.list(Some((&other).into())).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_to_request_is_answered_at_the_price_asked_for_with_its_record() {
    let library = tempfile::tempdir().unwrap();
    let worker = Running::start(library.path()).await;
    let upload = upload();
    worker.train(header(&upload, "job-1"), upload.chunks(0).collect()).await.unwrap();
    let answer = |price| {
        let worker = &worker;
        async move { worker.forecast_at(price).await.unwrap().signals.swap_remove(0) }
    };
    let (default, same) = (answer(None).await, answer(Some(80.0)).await);
    assert_eq!(default, same);
    assert_eq!(default.requests.len(), default.paths[0].values.len());
    let sum = |signal: &v1::SignalForecast| signal.requests.iter().sum::<f64>();
    let (cheap, dear) = (answer(Some(20.0)).await, answer(Some(1280.0)).await);
    assert!(sum(&cheap) < sum(&dear), "{} to {}", sum(&cheap), sum(&dear));
    assert_eq!((&cheap.paths, &cheap.request_records), (&dear.paths, &dear.request_records));
    let records = &default.request_records;
    let record = records.iter().find(|r| (r.risk_price - 80.0).abs() < 1e-9).unwrap();
    assert!(record.days >= 3 && record.overhead_ratio > 1.0 && record.above_share < 0.1);
    let described = worker.models().await.swap_remove(0).signals.swap_remove(0);
    assert_eq!((&described.request_records, described.requests.len()), (records, 0));
    let refused = worker.forecast_at(Some(0.0)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("`risk_price`"), "{refused}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrupted_version_is_refused_by_file_name_while_the_one_before_serves() {
    let library = tempfile::tempdir().unwrap();
    let worker = Running::start(library.path()).await;
    let upload = upload();
    let first = worker.train(header(&upload, "job-1"), upload.chunks(0).collect()).await.unwrap();
    let before = worker.forecast().await.unwrap();
    let forced = v1::TrainHeader { force: true, ..header(&upload, "job-2") };
    let second = worker.train(forced, upload.chunks(0).collect()).await.unwrap();
    assert_eq!(second.state(), v1::TrainingState::Published, "{}", second.message);
    assert!(second.message.contains("no worse than the version before"), "{}", second.message);
    worker.stop().await;
    let file =
        library.path().join("shop/Deployment.cart").join(&second.version).join("cpu/model.json");
    let mut bytes = std::fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let restarted = Running::start(library.path()).await;
    let answer = restarted.forecast().await.unwrap();
    assert_eq!((&answer.model_version, &answer.signals), (&first.version, &before.signals));
    let refused =
        restarted.models().await.into_iter().find(|m| m.version == second.version).unwrap();
    assert!(refused.refusal.contains("model.json is corrupted"), "{}", refused.refusal);
    restarted.stop().await;
}

/// The files of a version but its manifest, by path and content.
fn files_of(library: &Path, version: &str) -> BTreeMap<String, Vec<u8>> {
    let root = library.join("shop/Deployment.cart").join(version).join("cpu");
    let entries = std::fs::read_dir(root).unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_upload_and_seed_give_the_same_files() {
    let library = tempfile::tempdir().unwrap();
    let worker = Running::start(library.path()).await;
    let upload = upload();
    let mut versions = Vec::new();
    for id in ["job-1", "job-2"] {
        let header = v1::TrainHeader { force: true, ..header(&upload, id) };
        let job = worker.train(header, upload.chunks(0).collect()).await.unwrap();
        assert_eq!(job.state(), v1::TrainingState::Published, "{}", job.message);
        versions.push(files_of(library.path(), &job.version));
    }
    worker.stop().await;
    assert!(versions[0].contains_key("model.json"));
    assert!(versions[0] == versions[1], "another model from the same data and seed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_upload_resumes_where_it_stopped() {
    let library = tempfile::tempdir().unwrap();
    let worker = Running::start(library.path()).await;
    let upload = upload();
    let whole: Vec<v1::TrainChunk> = upload.chunks(0).collect();
    let column = whole[0].columns[0].clone();
    let half = column.values.len() / 2;
    let gaps = column.gaps.iter().copied().filter(|gap| (*gap as usize) < half).collect();
    let part = v1::Column { values: column.values[..half].to_vec(), gaps };
    let first = v1::TrainChunk { offset: 0, columns: vec![part] };
    let interrupted = worker.train(header(&upload, "job-1"), vec![first]).await.unwrap();
    assert_eq!(interrupted.state(), v1::TrainingState::Receiving);
    let wrong = worker.train(header(&upload, "job-1"), upload.chunks(0).collect()).await;
    assert_eq!(wrong.unwrap_err().code(), Code::InvalidArgument);
    let resumed =
        worker.train(header(&upload, "job-1"), upload.chunks(half).collect()).await.unwrap();
    assert_eq!(resumed.state(), v1::TrainingState::Published, "{}", resumed.message);
    let again = worker.train(header(&upload, "job-1"), Vec::new()).await.unwrap();
    assert_eq!(again.version, resumed.version);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_longer_than_may_be_is_refused_and_the_next_upload_is_not() {
    let library = tempfile::tempdir().unwrap();
    let worker = Running::start(library.path()).await;
    let upload = upload();
    // 5 MB, where 4 MiB may be.
    let column = v1::Column { values: vec![0.5; 640_000], gaps: Vec::new() };
    let long = v1::TrainChunk { offset: 0, columns: vec![column] };
    let refused = worker.train(header(&upload, "job-1"), vec![long]).await.unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange, "{refused:?}");
    let job = worker.train(header(&upload, "job-1"), upload.chunks(0).collect()).await.unwrap();
    assert_eq!(job.state(), v1::TrainingState::Published, "{}", job.message);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_workload_is_not_answered_and_too_little_history_is_no_model() {
    let library = tempfile::tempdir().unwrap();
    let worker = Running::start(library.path()).await;
    let upload = upload();
    let other: WorkloadRef = "shop/other".parse().unwrap();
    let foreign = v1::TrainHeader { workload: Some((&other).into()), ..header(&upload, "job-1") };
    assert_eq!(worker.train(foreign, Vec::new()).await.unwrap_err().code(), Code::NotFound);
    let short = TrainingColumns {
        columns: [(Signal::Cpu, upload.columns[&Signal::Cpu][..36].to_vec())].into(),
        ..upload
    };
    let job = worker.train(header(&short, "job-2"), short.chunks(0).collect()).await.unwrap();
    assert_eq!(job.state(), v1::TrainingState::Failed);
    assert!(job.message.contains("too little history"), "{}", job.message);
    assert_eq!(worker.forecast().await.unwrap_err().code(), Code::FailedPrecondition);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_says_nothing_new_keeps_the_version_unless_forced() {
    let library = tempfile::tempdir().unwrap();
    let worker = Running::start(library.path()).await;
    let upload = upload();
    let first = worker.train(header(&upload, "job-1"), upload.chunks(0).collect()).await.unwrap();
    let second = worker.train(header(&upload, "job-2"), upload.chunks(0).collect()).await.unwrap();
    assert_eq!(second.state(), v1::TrainingState::Kept, "{}", second.message);
    assert_eq!(second.version, first.version);
    assert!(second.message.contains("not due"), "{}", second.message);
    assert_eq!(worker.models().await.len(), 1);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_worker_serves_the_version_it_is_rolled_back_to() {
    let library = tempfile::tempdir().unwrap();
    let worker = Running::start(library.path()).await;
    let upload = upload();
    let first = worker.train(header(&upload, "job-1"), upload.chunks(0).collect()).await.unwrap();
    let forced = v1::TrainHeader { force: true, ..header(&upload, "job-2") };
    let second = worker.train(forced, upload.chunks(0).collect()).await.unwrap();
    assert_eq!(worker.forecast().await.unwrap().model_version, second.version);
    let versions = Library::existing(library.path(), &workload());
    versions.serve(&first.version).unwrap();
    assert_eq!(worker.forecast().await.unwrap().model_version, first.version);
    // A version that cannot be loaded changes nothing.
    std::fs::write(versions.directory().join("CURRENT"), "absent").unwrap();
    assert_eq!(worker.forecast().await.unwrap().model_version, first.version);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clearly_worse_version_is_kept_but_does_not_serve() {
    let library = tempfile::tempdir().unwrap();
    let worker = Running::start(library.path()).await;
    let upload = upload();
    let first = worker.train(header(&upload, "job-1"), upload.chunks(0).collect()).await.unwrap();
    let column = &upload.columns[&Signal::Cpu];
    let from = column.len() - 2 * 288;
    let short = TrainingColumns {
        start: upload.start + upload.step.times(from),
        columns: [(Signal::Cpu, column[from..].to_vec())].into(),
        step: upload.step,
    };
    let forced = v1::TrainHeader { force: true, ..header(&short, "job-2") };
    let second = worker.train(forced, short.chunks(0).collect()).await.unwrap();
    assert_eq!(second.state(), v1::TrainingState::Refused, "{}", second.message);
    let models = worker.models().await;
    let kept = models.iter().find(|model| model.version == second.version).unwrap();
    assert!(!kept.serving && kept.refusal.contains("too short"), "{}", kept.refusal);
    assert_eq!(worker.forecast().await.unwrap().model_version, first.version);
    worker.stop().await;
}
