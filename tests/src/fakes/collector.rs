//! A collector that has what a test gives it.

use mora_core::{Dataset, WorkloadRef};
use mora_proto::v1::collector_service_server::CollectorService;
use mora_proto::{dataset_parts, required, v1};
use tokio_stream::Iter;
use tonic::{Request, Response, Status};

type Parts = Iter<std::vec::IntoIter<Result<v1::ExportDatasetResponse, Status>>>;
type Watched = Iter<std::vec::IntoIter<Result<v1::WatchExperimentResponse, Status>>>;

/// Serves datasets.
pub(super) struct FakeCollector(Vec<Dataset>);

impl FakeCollector {
    pub(super) const fn of(datasets: Vec<Dataset>) -> Self {
        Self(datasets)
    }
}

#[tonic::async_trait]
impl CollectorService for FakeCollector {
    type ExportDatasetStream = Parts;
    type WatchExperimentStream = Watched;

    async fn list_workloads(
        &self,
        _: Request<v1::ListWorkloadsRequest>,
    ) -> Result<Response<v1::ListWorkloadsResponse>, Status> {
        let status = |dataset: &Dataset| v1::WorkloadStatus {
            workload: Some((&dataset.workload).into()),
            ..v1::WorkloadStatus::default()
        };
        let workloads = self.0.iter().map(status).collect();
        Ok(Response::new(v1::ListWorkloadsResponse { workloads }))
    }

    async fn export_dataset(
        &self,
        request: Request<v1::ExportDatasetRequest>,
    ) -> Result<Response<Parts>, Status> {
        let wanted: WorkloadRef = required(request.into_inner().workload, "workload")?;
        let found = self.0.iter().find(|dataset| dataset.workload == wanted);
        let found = found.ok_or_else(|| Status::not_found("the test gave no such dataset"))?;
        let parts: Vec<_> = dataset_parts(found).into_iter().map(Ok).collect();
        Ok(Response::new(tokio_stream::iter(parts)))
    }

    async fn list_nodes(
        &self,
        _: Request<v1::ListNodesRequest>,
    ) -> Result<Response<v1::ListNodesResponse>, Status> {
        Ok(Response::new(v1::ListNodesResponse::default()))
    }

    async fn start_experiment(
        &self,
        _: Request<v1::StartExperimentRequest>,
    ) -> Result<Response<v1::StartExperimentResponse>, Status> {
        Err(Status::unimplemented("a fake runs no experiments"))
    }

    async fn watch_experiment(
        &self,
        _: Request<v1::WatchExperimentRequest>,
    ) -> Result<Response<Watched>, Status> {
        Err(Status::unimplemented("a fake runs no experiments"))
    }
}
