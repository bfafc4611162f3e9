//! The gRPC services of a worker: wire messages in, wire messages out.

use std::pin::Pin;
use std::sync::Arc;

use mora_core::{Signal, SignalForecast, WorkloadRef};
use mora_proto::v1::forecast_service_server::ForecastService;
use mora_proto::v1::training_service_server::TrainingService;
use mora_proto::{FieldError, duration_to_wire, required, timestamp_to_wire, v1};
use mora_runtime::{OpenCall, with_causes};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

use crate::jobs::{BeginError, Job, JobState, JobStatus, UploadError};
use crate::request::{job_header, peak_query};
use crate::{LibraryError, Manifest, Worker, WorkloadModel};

/// The services over a shared worker.
#[derive(Clone)]
pub(crate) struct Service(pub(crate) Arc<Worker>);

type Responses = Pin<Box<dyn Stream<Item = Result<v1::TrainResponse, Status>> + Send>>;

#[tonic::async_trait]
impl ForecastService for Service {
    async fn forecast_peak(
        &self,
        request: Request<v1::ForecastPeakRequest>,
    ) -> Result<Response<v1::ForecastPeakResponse>, Status> {
        let request = request.into_inner();
        self.check_workload(request.workload.clone())?;
        let model = self.current().await?.ok_or_else(|| {
            Status::failed_precondition(
                "no model has been published yet; train this workload first",
            )
        })?;
        let query = peak_query(&request, model.manifest.slot, model.manifest.data_until)?;
        let forecast = tokio::task::spawn_blocking(move || model.forecast(&query));
        let forecast = forecast.await.map_err(|error| Status::internal(error.to_string()))?;
        let forecast = forecast.map_err(|error| Status::internal(error.to_string()))?;
        Ok(Response::new((&forecast).into()))
    }

    async fn get_model(
        &self,
        request: Request<v1::GetModelRequest>,
    ) -> Result<Response<v1::GetModelResponse>, Status> {
        let request = request.into_inner();
        self.check_workload(request.workload)?;
        let serving = self.current().await?;
        let version = match (request.version.as_str(), serving) {
            ("", Some(model)) => model.manifest.version.clone(),
            ("", None) => return Err(Status::not_found("no model has been published yet")),
            (version, _) => version.to_owned(),
        };
        let versions = self.0.library.versions().map_err(|error| library_status(&error))?;
        if !versions.contains(&version) {
            return Err(Status::not_found(format!("no version {version} in the model library")));
        }
        Ok(Response::new(v1::GetModelResponse { model: Some(self.describe(&version)) }))
    }

    async fn list_models(
        &self,
        request: Request<v1::ListModelsRequest>,
    ) -> Result<Response<v1::ListModelsResponse>, Status> {
        if let Some(workload) = request.into_inner().workload {
            self.check_workload(Some(workload))?;
        }
        self.current().await?;
        let versions = self.0.library.versions().map_err(|error| library_status(&error))?;
        let models = versions.iter().map(|version| self.describe(version)).collect();
        let workload = Some((&self.0.workload).into());
        Ok(Response::new(v1::ListModelsResponse { models, workload }))
    }
}

#[tonic::async_trait]
impl TrainingService for Service {
    type TrainStream = Responses;

    async fn train(
        &self,
        request: Request<Streaming<v1::TrainRequest>>,
    ) -> Result<Response<Responses>, Status> {
        let open = OpenCall::of(&request);
        let mut incoming = request.into_inner();
        let first = incoming.message().await?.and_then(|message| message.content);
        let Some(v1::train_request::Content::Header(header)) = first else {
            return Err(FieldError::new("header", "must be the first message").into());
        };
        let (workload, header) = job_header(header).map_err(|error| error.within("header"))?;
        self.check_own(&workload)?;
        let job = self.0.jobs.begin(header).map_err(begin_status)?;
        let (responses, receiver) = mpsc::channel(16);
        let service = self.clone();
        self.0.tasks.spawn(async move {
            if let Err(status) = service.receive_and_watch(&job, incoming, &responses).await {
                // The client may be gone; then nobody wants the status.
                let _gone = responses.send(Err(status)).await;
            }
        });
        Ok(Response::new(Box::pin(open.hold(ReceiverStream::new(receiver)))))
    }

    async fn get_training_job(
        &self,
        request: Request<v1::GetTrainingJobRequest>,
    ) -> Result<Response<v1::GetTrainingJobResponse>, Status> {
        let job = self.job(&request.into_inner().job_id)?;
        Ok(Response::new(v1::GetTrainingJobResponse { job: Some(job_to_wire(&job.status())) }))
    }

    async fn cancel_training_job(
        &self,
        request: Request<v1::CancelTrainingJobRequest>,
    ) -> Result<Response<v1::CancelTrainingJobResponse>, Status> {
        let job = self.job(&request.into_inner().job_id)?;
        job.cancel();
        Ok(Response::new(v1::CancelTrainingJobResponse { job: Some(job_to_wire(&job.status())) }))
    }
}

impl Service {
    /// The model that serves, after a look at what the library says should.
    async fn current(&self) -> Result<Option<Arc<WorkloadModel>>, Status> {
        let worker = self.0.clone();
        let current = tokio::task::spawn_blocking(move || worker.current_model());
        current.await.map_err(|error| Status::internal(error.to_string()))
    }

    fn check_workload(&self, wire: Option<v1::WorkloadRef>) -> Result<(), Status> {
        let workload: WorkloadRef = required(wire, "workload")?;
        self.check_own(&workload)
    }

    fn check_own(&self, workload: &WorkloadRef) -> Result<(), Status> {
        if *workload == self.0.workload {
            return Ok(());
        }
        let own = &self.0.workload;
        Err(Status::not_found(format!("this worker is responsible for {own}, not for {workload}")))
    }

    fn job(&self, id: &str) -> Result<Arc<Job>, Status> {
        let job = self.0.jobs.get(id);
        job.ok_or_else(|| {
            Status::not_found(format!("no training job {id} since this worker started"))
        })
    }

    async fn receive_and_watch(
        &self,
        job: &Arc<Job>,
        mut incoming: Streaming<v1::TrainRequest>,
        responses: &mpsc::Sender<Result<v1::TrainResponse, Status>>,
    ) -> Result<(), Status> {
        let mut watch = job.watch();
        let first = watch.borrow_and_update().clone();
        let mut listening = responses.send(Ok(response(&first))).await.is_ok();
        while job.status().state == JobState::Receiving && !job.is_complete() {
            let Some(message) = incoming.next().await else { return Ok(()) };
            receive(job, message?)?;
        }
        if let Some(upload) = job.take().map_err(upload_status)? {
            self.0.tasks.spawn(self.0.clone().train(job.clone(), upload));
        }
        while listening && !watch.borrow().state.is_final() {
            if watch.changed().await.is_err() {
                break;
            }
            let status = watch.borrow_and_update().clone();
            listening = responses.send(Ok(response(&status))).await.is_ok();
        }
        Ok(())
    }

    fn describe(&self, version: &str) -> v1::Model {
        let serving = self.0.model().is_some_and(|model| model.manifest.version == version);
        match self.0.library.manifest(version) {
            Ok(manifest) => {
                let rejection = manifest.rejection().filter(|_| !serving).map(str::to_owned);
                let refusal = self.0.refusal(version).or(rejection).unwrap_or_default();
                model_to_wire(&manifest, serving, refusal)
            }
            Err(error) => v1::Model {
                version: version.to_owned(),
                refusal: error.to_string(),
                ..v1::Model::default()
            },
        }
    }
}

fn receive(job: &Job, message: v1::TrainRequest) -> Result<(), Status> {
    let Some(v1::train_request::Content::Chunk(chunk)) = message.content else {
        return Err(FieldError::new("chunk", "must be what follows the header").into());
    };
    let mut columns = Vec::with_capacity(chunk.columns.len());
    for (index, column) in chunk.columns.into_iter().enumerate() {
        let values = Vec::try_from(column);
        columns.push(values.map_err(|e| e.within(&format!("chunk.columns[{index}]")))?);
    }
    job.append(chunk.offset as usize, columns).map_err(upload_status)
}

fn upload_status(error: UploadError) -> Status {
    let field = match error {
        UploadError::Offset { .. } => "chunk.offset",
        UploadError::Columns { .. } | UploadError::Ragged | UploadError::TooMany(_) => {
            "chunk.columns"
        }
        UploadError::Checksum => "header.checksum",
    };
    FieldError::new(field, error).into()
}

fn begin_status(error: BeginError) -> Status {
    match error {
        BeginError::Busy(_) => Status::aborted(error.to_string()),
        BeginError::Different(_) => FieldError::new("header.job_id", error).into(),
    }
}

fn library_status(error: &LibraryError) -> Status {
    Status::internal(with_causes(error))
}

fn response(status: &JobStatus) -> v1::TrainResponse {
    v1::TrainResponse { job: Some(job_to_wire(status)) }
}

fn job_to_wire(status: &JobStatus) -> v1::TrainingJob {
    let state = match status.state {
        JobState::Receiving => v1::TrainingState::Receiving,
        JobState::Fitting => v1::TrainingState::Fitting,
        JobState::Published => v1::TrainingState::Published,
        JobState::Refused => v1::TrainingState::Refused,
        JobState::Kept => v1::TrainingState::Kept,
        JobState::Failed => v1::TrainingState::Failed,
        JobState::Cancelled => v1::TrainingState::Cancelled,
    };
    v1::TrainingJob {
        job_id: status.id.clone(),
        state: state.into(),
        next_offset: status.next_offset as u64,
        progress: status.progress,
        message: status.message.clone(),
        version: status.version.clone(),
        skills: status.skills.iter().map(|(signal, s)| skill_to_wire(*signal, s)).collect(),
    }
}

fn skill_to_wire(signal: Signal, summary: &SignalForecast) -> v1::SignalSkill {
    v1::SignalSkill {
        signal: v1::Signal::from(signal).into(),
        skill: Some(summary.skill.into()),
        confidence: summary.confidence.map(Into::into),
        members: summary.members.iter().map(Into::into).collect(),
    }
}

fn model_to_wire(manifest: &Manifest, serving: bool, refusal: String) -> v1::Model {
    let signals = manifest.signals.iter().map(|(signal, summary)| v1::SignalForecast {
        signal: v1::Signal::from(*signal).into(),
        ..summary.into()
    });
    v1::Model {
        version: manifest.version.clone(),
        serving,
        data_until: Some(timestamp_to_wire(manifest.data_until)),
        data_from: Some(timestamp_to_wire(manifest.data_from)),
        slot: Some(duration_to_wire(manifest.slot.times(1))),
        signals: signals.collect(),
        refusal,
    }
}
