//! Asking model-workers, the collector and another coordinator over gRPC.

mod recommendations;

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use mora_core::{Dataset, Forecast, Signal, WorkloadRef};
use mora_proto::v1::collector_service_client::CollectorServiceClient;
use mora_proto::v1::forecast_service_client::ForecastServiceClient;
use mora_proto::{DatasetError, dataset_from_parts, duration_to_wire, timestamp_to_wire, v1};
use mora_runtime::{EndpointError, Security, call_failure, tls_failure};
use thiserror::Error;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tower::Service;

use mora_planning::ForecastRequest;

use crate::channels::Channels;
use crate::fan_out::{Ask, AskError};

pub use recommendations::{CoordinatorClient, CoordinatorError};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Datasets fetched at once: the collector has to copy each.
const EXPORTS_AT_ONCE: usize = 4;

/// Asks workers over gRPC.
#[derive(Debug, Clone)]
pub struct GrpcWorkers {
    /// Told to the worker, which gives up then too.
    deadline: Duration,
    channels: Arc<Channels>,
}

impl GrpcWorkers {
    /// Asks with `deadline` per call, as `security` says, and keeps at most `kept` connections open for further calls.
    #[must_use]
    pub fn new(security: Security, deadline: Duration, kept: usize) -> Self {
        let connect_timeout = CONNECT_TIMEOUT.min(deadline);
        Self { deadline, channels: Arc::new(Channels::new(security, connect_timeout, kept)) }
    }

    async fn ask(self, ask: Ask) -> Result<Forecast, AskError> {
        let endpoint = &ask.endpoint;
        let channel =
            if ask.apart { self.channels.apart(endpoint) } else { self.channels.shared(endpoint) };
        let channel = channel.map_err(|error| AskError::Permanent(error.to_string()))?;
        let mut message = Request::new(peak_to_wire(&ask.workload, &ask.request));
        message.set_timeout(self.deadline);
        let answer = ForecastServiceClient::new(channel).forecast_peak(message).await;
        let answer = answer.map_err(|status| ask_error(&status)).inspect_err(|error| {
            if matches!(error, AskError::Transient(_)) {
                self.channels.forget(endpoint);
            }
        })?;
        Forecast::try_from(answer.into_inner())
            .map_err(|field| AskError::Permanent(format!("it answered with a bad {field}")))
    }
}

impl Service<Ask> for GrpcWorkers {
    type Response = Forecast;
    type Error = AskError;
    type Future = BoxFuture<'static, Result<Forecast, AskError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), AskError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, ask: Ask) -> Self::Future {
        self.clone().ask(ask).boxed()
    }
}

fn peak_to_wire(workload: &WorkloadRef, request: &ForecastRequest) -> v1::ForecastPeakRequest {
    v1::ForecastPeakRequest {
        workload: Some(workload.into()),
        signals: Signal::ALL.iter().map(|signal| v1::Signal::from(*signal).into()).collect(),
        horizon: Some(duration_to_wire(request.slot.times(request.slots))),
        slot: Some(duration_to_wire(request.slot.times(1))),
        quantiles: request.quantiles.iter().map(|quantile| quantile.get()).collect(),
        start: Some(timestamp_to_wire(request.start)),
        risk_price: Some(request.risk_price.get()),
    }
}

/// What a failed call means; a caller that names the worker says which.
fn ask_error(status: &Status) -> AskError {
    if let Some(failure) = tls_failure(status) {
        return AskError::Permanent(failure.to_string());
    }
    let reason = match status.code() {
        Code::Unavailable => "nothing answers there".to_owned(),
        Code::DeadlineExceeded | Code::Cancelled => "it did not answer in time".to_owned(),
        Code::Unimplemented => {
            "it has no ForecastService: it is no worker, or of another version".to_owned()
        }
        _ if status.source().is_some() => call_failure(status),
        _ => format!("it refused: {}", status.message()),
    };
    match status.code() {
        // A deadline that the transport sees pass first is reported as cancelled.
        Code::Unavailable
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::DeadlineExceeded
        | Code::Cancelled => AskError::Transient(reason),
        _ => AskError::Permanent(reason),
    }
}

/// Why the collector's data cannot be used.
#[derive(Debug, Error)]
pub enum CollectorError {
    /// The endpoint is no address.
    #[error("the collector has no usable address; mend the key `collector`")]
    Endpoint(#[from] EndpointError),
    /// The call failed.
    #[error(
        "the collector at {endpoint} did not answer: {}; check that it runs and the key `collector`",
        call_failure(status)
    )]
    Call {
        /// Its address.
        endpoint: String,
        /// Its answer.
        status: Box<Status>,
    },
    /// A dataset cannot be understood.
    #[error("the collector sent a dataset that cannot be used")]
    Dataset(#[from] DatasetError),
    /// A listed workload cannot be understood.
    #[error("the collector listed a workload that cannot be used")]
    Workload(#[source] mora_proto::FieldError),
}

/// Everything the collector at `endpoint` has observed, by workload; it is spoken to as `security` says.
///
/// Fails when it cannot be reached within `deadline` per call or answers what cannot be understood.
pub(crate) async fn fetch_datasets(
    endpoint: &str,
    security: &Security,
    deadline: Duration,
) -> Result<BTreeMap<WorkloadRef, Dataset>, CollectorError> {
    let channel = security.channel(endpoint, CONNECT_TIMEOUT.min(deadline))?;
    let mut client = CollectorServiceClient::new(channel.clone());
    let mut request = Request::new(v1::ListWorkloadsRequest::default());
    request.set_timeout(deadline);
    let listed =
        client.list_workloads(request).await.map_err(|status| call_error(endpoint, status))?;
    let mut workloads = Vec::new();
    for status in listed.into_inner().workloads {
        let workload = mora_proto::required(status.workload, "workload");
        workloads.push(workload.map_err(CollectorError::Workload)?);
    }
    let exports =
        workloads.into_iter().map(|workload| export(channel.clone(), endpoint, workload, deadline));
    let mut exports = futures::stream::iter(exports).buffer_unordered(EXPORTS_AT_ONCE);
    let mut datasets = BTreeMap::new();
    while let Some(dataset) = exports.next().await {
        let dataset = dataset?;
        datasets.insert(dataset.workload.clone(), dataset);
    }
    Ok(datasets)
}

async fn export(
    channel: Channel,
    endpoint: &str,
    workload: WorkloadRef,
    deadline: Duration,
) -> Result<Dataset, CollectorError> {
    let call = |status| call_error(endpoint, status);
    let wire = v1::ExportDatasetRequest { workload: Some((&workload).into()) };
    let mut request = Request::new(wire);
    request.set_timeout(deadline);
    // One pod's series of 30 days at one minute is 350 kB; 64 MiB leaves room for finer steps.
    let mut client = CollectorServiceClient::new(channel).max_decoding_message_size(64 << 20);
    let mut stream = client.export_dataset(request).await.map_err(call)?.into_inner();
    let mut parts = Vec::new();
    while let Some(part) = stream.message().await.map_err(call)? {
        parts.push(part);
    }
    Ok(dataset_from_parts(workload, parts)?)
}

fn call_error(endpoint: &str, status: Status) -> CollectorError {
    CollectorError::Call { endpoint: endpoint.to_owned(), status: Box::new(status) }
}
