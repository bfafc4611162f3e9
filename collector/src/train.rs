//! The client side of a training job: one dataset streamed into one worker.

use std::collections::BTreeMap;
use std::time::Duration;

use mora_core::{Dataset, Series, Signal, Step, WorkloadRef};
use mora_proto::v1::train_request::Content;
use mora_proto::v1::training_service_client::TrainingServiceClient;
use mora_proto::{TrainingColumns, duration_to_wire, timestamp_to_wire, v1};
use mora_runtime::{EndpointError, Security, call_failure, tls_failure};
use mora_store::StoreError;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Status};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Chunks in flight: the worker's pace holds the sender back.
const CHUNKS_IN_FLIGHT: usize = 4;
const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// What is asked of a worker besides the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrainingOptions {
    /// Width of the slots to forecast.
    pub slot: Step,
    /// Seed of everything random in the fit.
    pub seed: u64,
    /// Longest time for the whole job.
    pub deadline: Duration,
    /// Fit even where the version that serves is not due for it.
    pub force: bool,
}

/// What a worker is to learn from.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingData {
    /// Whose.
    pub workload: WorkloadRef,
    /// Its signals, at one step.
    pub signals: BTreeMap<Signal, Series>,
    /// Replicas at the end.
    pub replicas: u32,
}

impl From<&Dataset> for TrainingData {
    fn from(dataset: &Dataset) -> Self {
        Self {
            workload: dataset.workload.clone(),
            signals: dataset.signals(),
            replicas: dataset.current_replicas(),
        }
    }
}

/// Why a worker was not trained.
#[derive(Debug, Error)]
pub enum TrainError {
    /// Nothing was observed.
    #[error("nothing was observed of {0}; check that its pods run and are scraped")]
    NoData(WorkloadRef),
    /// What was collected cannot be read.
    #[error("the history of {workload} cannot be read")]
    Store {
        /// The workload.
        workload: WorkloadRef,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// The endpoint is no address.
    #[error("the worker of {workload} has no usable address")]
    Endpoint {
        /// The workload.
        workload: WorkloadRef,
        /// Why.
        #[source]
        source: EndpointError,
    },
    /// The worker refused or could not be reached.
    #[error("the worker of {workload} at {endpoint} did not train: {}", call_failure(status))]
    Worker {
        /// The workload.
        workload: WorkloadRef,
        /// Its address.
        endpoint: String,
        /// Its answer.
        status: Box<Status>,
    },
    /// The job took too long.
    #[error("the worker of {workload} did not finish within {} s; give it more processor or raise train.deadline_seconds", deadline.as_secs())]
    Deadline {
        /// The workload.
        workload: WorkloadRef,
        /// The time it had.
        deadline: Duration,
    },
    /// The job ended without a version.
    #[error("the worker of {workload} ended the job without a model: {message}")]
    Failed {
        /// The workload.
        workload: WorkloadRef,
        /// Its reason.
        message: String,
    },
}

/// Streams `data` into the worker at `endpoint`, which is spoken to as `security` says, and waits for the published, refused or kept version.
///
/// `observe` sees every progress message. A broken connection is retried and the upload resumed; the
/// same data is the same job, so nothing is trained twice. Fails when the worker refuses the data,
/// cannot be reached, or does not finish in time.
pub async fn train_worker(
    endpoint: &str,
    security: &Security,
    data: TrainingData,
    options: TrainingOptions,
    observe: &mut (dyn FnMut(&v1::TrainingJob) + Send),
) -> Result<v1::TrainingJob, TrainError> {
    let workload = data.workload.clone();
    let upload =
        TrainingColumns::of(&data.signals).ok_or_else(|| TrainError::NoData(workload.clone()))?;
    let channel = security
        .channel(endpoint, CONNECT_TIMEOUT)
        .map_err(|source| TrainError::Endpoint { workload: workload.clone(), source })?;
    let header = header(&data, &upload, options);
    // The upload may take long, and holds the same once more.
    drop(data);
    let job = retried(&channel, &header, &upload, observe);
    let job = tokio::time::timeout(options.deadline, job).await.map_err(|_| {
        TrainError::Deadline { workload: workload.clone(), deadline: options.deadline }
    })?;
    let job = job.map_err(|status| TrainError::Worker {
        workload: workload.clone(),
        endpoint: endpoint.to_owned(),
        status: Box::new(status),
    })?;
    match job.state() {
        v1::TrainingState::Published | v1::TrainingState::Refused | v1::TrainingState::Kept => {
            Ok(job)
        }
        _ => Err(TrainError::Failed { workload, message: job.message }),
    }
}

fn header(
    data: &TrainingData,
    upload: &TrainingColumns,
    options: TrainingOptions,
) -> v1::TrainHeader {
    let checksum = upload.checksum().get();
    let workload = &data.workload;
    v1::TrainHeader {
        job_id: format!(
            "{}.{}-{checksum:016x}-{}{}",
            workload.namespace(),
            workload.name(),
            options.seed,
            if options.force { "-forced" } else { "" }
        ),
        workload: Some(workload.into()),
        columns: upload.columns.keys().map(|signal| v1::Signal::from(*signal).into()).collect(),
        start: Some(timestamp_to_wire(upload.start)),
        step: Some(duration_to_wire(upload.step.times(1))),
        rows: upload.rows() as u64,
        checksum,
        replicas: data.replicas,
        slot: Some(duration_to_wire(options.slot.times(1))),
        seed: options.seed,
        force: options.force,
    }
}

async fn retried(
    channel: &Channel,
    header: &v1::TrainHeader,
    upload: &TrainingColumns,
    observe: &mut (dyn FnMut(&v1::TrainingJob) + Send),
) -> Result<v1::TrainingJob, Status> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..ATTEMPTS {
        match attempt(channel, header, upload, observe).await {
            Err(status) if may_pass(&status) => {
                tracing::debug!(job = %header.job_id, "trying again: {}", status.message());
            }
            ended => return ended,
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    attempt(channel, header, upload, observe).await
}

/// Whether the next attempt may go better.
fn may_pass(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::Aborted | Code::ResourceExhausted)
        && tls_failure(status).is_none()
}

async fn attempt(
    channel: &Channel,
    header: &v1::TrainHeader,
    upload: &TrainingColumns,
    observe: &mut (dyn FnMut(&v1::TrainingJob) + Send),
) -> Result<v1::TrainingJob, Status> {
    let (sender, receiver) = mpsc::channel(CHUNKS_IN_FLIGHT);
    let first = v1::TrainRequest { content: Some(Content::Header(header.clone())) };
    // The receiver is alive: it is handed to the call below.
    let _sent = sender.send(first).await;
    let mut client = TrainingServiceClient::new(channel.clone());
    let mut responses = client.train(ReceiverStream::new(receiver)).await?.into_inner();
    let job = next_job(&mut responses).await?;
    let offset = usize::try_from(job.next_offset).unwrap_or(usize::MAX);
    let sending = async {
        for chunk in upload.chunks(offset) {
            let message = v1::TrainRequest { content: Some(Content::Chunk(chunk)) };
            if sender.send(message).await.is_err() {
                break;
            }
        }
        drop(sender);
    };
    let watching = watch(job, &mut responses, observe);
    let ((), job) = tokio::join!(sending, watching);
    job
}

async fn watch(
    mut job: v1::TrainingJob,
    responses: &mut tonic::Streaming<v1::TrainResponse>,
    observe: &mut (dyn FnMut(&v1::TrainingJob) + Send),
) -> Result<v1::TrainingJob, Status> {
    observe(&job);
    while !is_final(job.state()) {
        job = next_job(responses).await?;
        observe(&job);
    }
    Ok(job)
}

async fn next_job(
    responses: &mut tonic::Streaming<v1::TrainResponse>,
) -> Result<v1::TrainingJob, Status> {
    let response = responses.message().await?;
    response
        .and_then(|response| response.job)
        .ok_or_else(|| Status::unavailable("the worker ended the stream before the job was done"))
}

const fn is_final(state: v1::TrainingState) -> bool {
    matches!(
        state,
        v1::TrainingState::Published
            | v1::TrainingState::Refused
            | v1::TrainingState::Kept
            | v1::TrainingState::Failed
            | v1::TrainingState::Cancelled
    )
}
