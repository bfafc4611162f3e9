//! The gRPC service of the collector.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::BoxStream;
use mora_core::{Mark, MarkKind, QualityReport, Series, Signal, WorkloadRef};
use mora_proto::v1::collector_service_server::{CollectorService, CollectorServiceServer};
use mora_proto::{dataset_parts, required, timestamp_to_wire, v1};
use mora_runtime::{GrpcServer, OpenCall, Readiness, ServeError, with_causes};
use mora_store::StoreError;
use tokio_stream::Iter;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::quality::quality;
use crate::{Collector, WorkloadState};

/// Histories read from the store at once.
const READ_AT_ONCE: usize = 4;
const SERVICES: [&str; 1] = ["mora.v1.CollectorService"];

/// Serves what `collector` has observed on `server` until `stop` is cancelled, as securely as it calls others.
///
/// Fails when the transport does, and when the address for probes cannot be bound.
pub async fn serve(
    collector: Arc<Collector>,
    server: GrpcServer,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let limits = collector.limits();
    let server = server.secured(collector.security().clone()).await?.limited(limits);
    let readiness = Readiness::unready(&SERVICES).await;
    readiness.ready().await;
    let service = CollectorServiceServer::new(Service(collector))
        .max_decoding_message_size(limits.message_bytes);
    server.serve(Routes::new(service), readiness, stop).await
}

struct Service(Arc<Collector>);

type Parts = BoxStream<'static, Result<v1::ExportDatasetResponse, Status>>;
type Watching = Iter<std::vec::IntoIter<Result<v1::WatchExperimentResponse, Status>>>;

#[tonic::async_trait]
impl CollectorService for Service {
    type ExportDatasetStream = Parts;
    type WatchExperimentStream = Watching;

    async fn list_workloads(
        &self,
        request: Request<v1::ListWorkloadsRequest>,
    ) -> Result<Response<v1::ListWorkloadsResponse>, Status> {
        let namespace = request.into_inner().namespace;
        let wanted =
            |workload: &WorkloadRef| namespace.is_empty() || workload.namespace() == namespace;
        let workloads = self.0.jobs().into_iter().map(|(workload, _)| workload).filter(wanted);
        // Each is read from the store.
        let states = workloads.map(|workload| {
            let collector = self.0.clone();
            async move { collector.state(&workload).await }
        });
        let mut states = futures::stream::iter(states).buffered(READ_AT_ONCE);
        let mut workloads = Vec::new();
        while let Some(state) = states.next().await {
            workloads.extend(state.map_err(|error| unreadable(&error))?.map(status_to_wire));
        }
        Ok(Response::new(v1::ListWorkloadsResponse { workloads }))
    }

    async fn export_dataset(
        &self,
        request: Request<v1::ExportDatasetRequest>,
    ) -> Result<Response<Parts>, Status> {
        let open = OpenCall::of(&request);
        let workload: WorkloadRef = required(request.into_inner().workload, "workload")?;
        let dataset = self.0.dataset(&workload).await.map_err(|error| unreadable(&error))?;
        let dataset = dataset.ok_or_else(|| {
            Status::not_found(format!(
                "{workload} is not under collection; check the configured namespaces"
            ))
        })?;
        let parts: Vec<_> = dataset_parts(&dataset).into_iter().map(Ok).collect();
        Ok(Response::new(open.hold(tokio_stream::iter(parts)).boxed()))
    }

    async fn list_nodes(
        &self,
        _: Request<v1::ListNodesRequest>,
    ) -> Result<Response<v1::ListNodesResponse>, Status> {
        self.0.list_nodes().await.map(Response::new)
    }

    async fn start_experiment(
        &self,
        _: Request<v1::StartExperimentRequest>,
    ) -> Result<Response<v1::StartExperimentResponse>, Status> {
        Err(no_experiments())
    }

    async fn watch_experiment(
        &self,
        _: Request<v1::WatchExperimentRequest>,
    ) -> Result<Response<Watching>, Status> {
        Err(no_experiments())
    }
}

fn no_experiments() -> Status {
    Status::unimplemented("this build collects but does not run experiments")
}

fn unreadable(error: &StoreError) -> Status {
    Status::data_loss(with_causes(error))
}

fn status_to_wire(state: WorkloadState) -> v1::WorkloadStatus {
    let WorkloadState { dataset, report, job, trained, due } = state;
    let signals = dataset.signals();
    let to_wire = |(signal, series): (&Signal, &Series)| {
        signal_to_wire(*signal, series, report.signals.get(signal))
    };
    v1::WorkloadStatus {
        workload: Some((&dataset.workload).into()),
        data_from: signals.values().map(Series::start).min().map(timestamp_to_wire),
        data_until: dataset.end().map(timestamp_to_wire),
        signals: signals.iter().map(to_wire).collect(),
        training: job,
        faults: report.faults(),
        trained_at: trained.map(|trained| timestamp_to_wire(trained.at)),
        due: due.map(|due| due.to_string()).unwrap_or_default(),
        marks: report.marks.iter().map(mark_to_wire).collect(),
    }
}

fn signal_to_wire(
    signal: Signal,
    series: &Series,
    report: Option<&QualityReport>,
) -> v1::SignalStatus {
    let quality = quality(series);
    v1::SignalStatus {
        signal: v1::Signal::from(signal).into(),
        coverage: quality.coverage,
        gaps: quality.gaps,
        longest_gap_steps: quality.longest_gap_steps,
        completeness: report.map_or(0.0, |report| report.quality.completeness),
        variation: report.and_then(|report| report.quality.variation),
    }
}

fn mark_to_wire(mark: &Mark) -> v1::Mark {
    let kind = match mark.kind {
        MarkKind::StartUp => v1::MarkKind::StartUp,
        MarkKind::Rollout => v1::MarkKind::Rollout,
        MarkKind::OutOfMemory => v1::MarkKind::OutOfMemory,
    };
    v1::Mark {
        kind: kind.into(),
        from: Some(timestamp_to_wire(mark.from)),
        to: Some(timestamp_to_wire(mark.to)),
        pod: mark.pod.clone(),
    }
}
