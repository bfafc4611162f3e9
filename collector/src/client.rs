//! Asking a running collector.

use std::time::Duration;

use jiff::Timestamp;
use mora_core::{Signal, WorkloadRef};
use mora_proto::v1::collector_service_client::CollectorServiceClient;
use mora_proto::{FieldError, required, timestamp_from_wire, v1};
use mora_runtime::{EndpointError, Security, call_failure};
use thiserror::Error;
use tonic::transport::Channel;
use tonic::{Request, Status};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The collector reads the history of every workload for its answer.
const DEADLINE: Duration = Duration::from_mins(2);

/// A running collector.
#[derive(Debug, Clone)]
pub struct CollectorClient {
    endpoint: String,
    channel: Channel,
}

/// Why a collector gave no answer.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The endpoint is no address.
    #[error("the collector has no usable address")]
    Endpoint(#[from] EndpointError),
    /// The call failed.
    #[error(
        "the collector at {endpoint} did not answer: {}; check that it runs there",
        call_failure(status)
    )]
    Call {
        /// Its address.
        endpoint: String,
        /// Its answer.
        status: Box<Status>,
    },
    /// The answer cannot be understood.
    #[error("the collector is of another version: its answer cannot be understood")]
    Answer(#[from] FieldError),
}

/// What a collector says of one workload.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkloadSummary {
    /// The workload.
    pub workload: WorkloadRef,
    /// First observation; `None` where there is none.
    pub data_from: Option<Timestamp>,
    /// The instant after the newest observation; `None` where there is none.
    pub data_until: Option<Timestamp>,
    /// By signal, those of which anything was observed.
    pub signals: Vec<SignalSummary>,
    /// Why its data may not be learned from, a sentence without a full stop each; empty where it may.
    pub faults: Vec<String>,
    /// Times at which it was not its usual self.
    pub marks: usize,
    /// When its worker was last trained; `None` before the first time.
    pub trained_at: Option<Timestamp>,
    /// Why its worker will be trained next; `None` where it need not be yet.
    pub due: Option<String>,
    /// Its newest training job since the collector started; `None` before that.
    pub job: Option<JobSummary>,
}

/// What a collector says of one signal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignalSummary {
    /// The signal.
    pub signal: Signal,
    /// Share of the steps from its first observation to the end of the dataset that were observed, in [0, 1].
    pub completeness: f64,
    /// Runs of missing steps.
    pub gaps: u32,
}

/// Where a training job stands.
#[derive(Debug, Clone, PartialEq)]
pub struct JobSummary {
    /// Its state, one word in lower case.
    pub state: &'static str,
    /// Share of the fit that is done, in [0, 1].
    pub progress: f64,
    /// What is being done, or why it ended as it did.
    pub message: String,
    /// The version that was published, refused or kept; empty until then.
    pub version: String,
}

impl CollectorClient {
    /// The collector at `endpoint`, such as `http://127.0.0.1:50062`, spoken to as `security` says; connects at the first call.
    ///
    /// Fails when the text is no address.
    pub fn new(endpoint: &str, security: &Security) -> Result<Self, EndpointError> {
        let channel = security.channel(endpoint, CONNECT_TIMEOUT)?;
        Ok(Self { endpoint: endpoint.to_owned(), channel })
    }

    /// What is known of the workloads of `namespace`, of all where it is empty, in order.
    ///
    /// Fails when the collector cannot be reached or cannot read its store.
    pub async fn workloads(&self, namespace: &str) -> Result<Vec<WorkloadSummary>, ClientError> {
        let mut request =
            Request::new(v1::ListWorkloadsRequest { namespace: namespace.to_owned() });
        request.set_timeout(DEADLINE);
        let answer =
            CollectorServiceClient::new(self.channel.clone()).list_workloads(request).await;
        let answer = answer.map_err(|status| ClientError::Call {
            endpoint: self.endpoint.clone(),
            status: Box::new(status),
        })?;
        Ok(answer.into_inner().workloads.into_iter().map(summary).collect::<Result<_, _>>()?)
    }
}

fn summary(wire: v1::WorkloadStatus) -> Result<WorkloadSummary, FieldError> {
    let time =
        |time: Option<_>, name| time.map(|time| timestamp_from_wire(Some(time), name)).transpose();
    let signal = |wire: v1::SignalStatus| {
        Ok(SignalSummary {
            signal: Signal::try_from(wire.signal())?,
            completeness: wire.completeness,
            gaps: wire.gaps,
        })
    };
    Ok(WorkloadSummary {
        workload: required(wire.workload, "workload")?,
        data_from: time(wire.data_from, "data_from")?,
        data_until: time(wire.data_until, "data_until")?,
        signals: wire.signals.into_iter().map(signal).collect::<Result<_, FieldError>>()?,
        faults: wire.faults,
        marks: wire.marks.len(),
        trained_at: time(wire.trained_at, "trained_at")?,
        due: Some(wire.due).filter(|due| !due.is_empty()),
        job: wire.training.map(job),
    })
}

fn job(wire: v1::TrainingJob) -> JobSummary {
    let state = match wire.state() {
        v1::TrainingState::Unspecified => "unknown",
        v1::TrainingState::Receiving => "receiving",
        v1::TrainingState::Fitting => "fitting",
        v1::TrainingState::Published => "published",
        v1::TrainingState::Refused => "refused",
        v1::TrainingState::Failed => "failed",
        v1::TrainingState::Cancelled => "cancelled",
        v1::TrainingState::Kept => "kept",
    };
    JobSummary { state, progress: wire.progress, message: wire.message, version: wire.version }
}
