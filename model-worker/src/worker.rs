//! One workload's worker: its library, its serving model and its training jobs.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use mora_core::{Series, Signal, SignalForecast, Step, WorkloadRef};
use mora_forecast::{FitOptions, ForecastError, Progress, SignalModel};
use mora_proto::v1::forecast_service_server::ForecastServiceServer;
use mora_proto::v1::training_service_server::TrainingServiceServer;
use mora_runtime::{GrpcServer, Readiness, Security, ServeError, TlsError, with_causes};
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;

use crate::fit::{Fitted, TrainError, Upload, fit_signals};
use crate::jobs::{Job, JobState, JobStatus, Jobs, lock};
use crate::retrain::due;
use crate::service::Service;
use crate::{Decision, Library, LibraryError, Manifest, WorkerConfig, WorkloadModel};

const FORECAST_SERVICE: &str = "mora.v1.ForecastService";
const SERVICES: [&str; 2] = [FORECAST_SERVICE, "mora.v1.TrainingService"];

/// Why a worker cannot start.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The model library cannot be used.
    #[error("cannot open the model library")]
    Library(#[from] LibraryError),
    /// The certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// The state behind the services of one worker.
pub struct Worker {
    pub(crate) workload: WorkloadRef,
    pub(crate) config: WorkerConfig,
    pub(crate) library: Library,
    pub(crate) jobs: Jobs,
    pub(crate) tasks: TaskTracker,
    model: RwLock<Option<Arc<WorkloadModel>>>,
    refused: Mutex<Refusals>,
    /// Held while the version that serves is replaced.
    changing: Mutex<()>,
    processors: Arc<Semaphore>,
    readiness: Readiness,
    security: Security,
}

impl Worker {
    /// The worker of `workload`; loads the version that served last, or the newest intact one before it.
    ///
    /// `processors` bounds how many fits run at once in this process. Fails when the library cannot
    /// be listed or certificates cannot be used; a corrupted version is logged by file and passed over.
    pub async fn open(
        workload: WorkloadRef,
        config: WorkerConfig,
        processors: Arc<Semaphore>,
    ) -> Result<Arc<Self>, OpenError> {
        let security = Security::open(config.tls.as_ref())?;
        let library = Library::open(&config.library, &workload)?;
        let (model, refused) = load_newest(&library)?;
        let readiness = Readiness::unready(&SERVICES).await;
        Ok(Arc::new(Self {
            workload,
            config,
            library,
            jobs: Jobs::default(),
            tasks: TaskTracker::new(),
            model: RwLock::new(model.map(Arc::new)),
            refused: Mutex::new(refused),
            changing: Mutex::new(()),
            processors,
            readiness,
            security,
        }))
    }

    /// Serves on `server` until `stop` is cancelled, then ends running jobs.
    ///
    /// Health of the forecast service is SERVING only while there is a model. Fails when the transport does.
    pub async fn serve(
        self: Arc<Self>,
        server: GrpcServer,
        stop: CancellationToken,
    ) -> Result<(), ServeError> {
        let limits = self.config.limits;
        let server = server.secured(self.security.clone()).await?.limited(limits);
        let forecast = ForecastServiceServer::new(Service(self.clone()))
            .max_decoding_message_size(limits.message_bytes);
        let training = TrainingServiceServer::new(Service(self.clone()))
            .max_decoding_message_size(limits.message_bytes);
        let routes = Routes::new(forecast).add_service(training);
        for service in ["", SERVICES[1]] {
            self.readiness.ready_service(service).await;
        }
        if self.model().is_some() {
            self.readiness.ready_service(FORECAST_SERVICE).await;
        }
        let served = server.serve(routes, self.readiness.clone(), stop).await;
        self.jobs.cancel_all();
        self.tasks.close();
        self.tasks.wait().await;
        served
    }

    /// The model that serves; `None` before the first was published.
    pub fn model(&self) -> Option<Arc<WorkloadModel>> {
        self.model.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why `version` does not serve, where it was refused or found corrupted.
    pub(crate) fn refusal(&self, version: &str) -> Option<String> {
        let refused = lock(&self.refused);
        refused.iter().find(|(name, _)| name == version).map(|(_, reason)| reason.clone())
    }

    /// Fits the rows of `job` where that is due, and publishes what is no worse; the job tells how that went.
    pub(crate) async fn train(self: Arc<Self>, job: Arc<Job>, upload: Upload) {
        // The semaphore is never closed.
        let _processor = self.processors.clone().acquire_owned().await;
        let worker = self.clone();
        let fitting = job.clone();
        let outcome =
            tokio::task::spawn_blocking(move || worker.fit_and_publish(&fitting, upload)).await;
        match outcome {
            Ok(Ok(())) => self.readiness.ready_service(FORECAST_SERVICE).await,
            Ok(Err(JobError::Train(TrainError::Cancelled))) => {
                job.fail(JobState::Cancelled, "cancelled while fitting".to_owned());
            }
            Ok(Err(error)) => job.fail(JobState::Failed, with_causes(&error)),
            Err(error) => job.fail(JobState::Failed, format!("the fit ended abnormally: {error}")),
        }
        let status = job.status();
        tracing::info!(job = %status.id, workload = %self.workload, state = ?status.state, version = %status.version, "{}", status.message);
    }

    fn fit_and_publish(&self, job: &Job, upload: Upload) -> Result<(), JobError> {
        let observed = upload.series()?;
        let Some(cause) = self.cause(job, &observed)? else { return Ok(()) };
        let options = FitOptions {
            slot: job.header.slot,
            horizon: horizon(self.config.horizon_slots, job.header.slot),
            seed: job.header.seed,
            origins: self.config.origins,
            members: self.config.members.clone(),
            holidays: self.config.holidays.clone(),
            tuning_budget: self.config.tuning_budget,
            ..FitOptions::default()
        };
        let mut observe = |signal: Signal, progress: Progress| {
            job.update(|status| {
                status.progress = progress.share;
                status.message = format!("{}: {} ({cause})", signal, progress.stage);
            });
            if job.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let fitted = fit_signals(&observed, &options, &mut observe)?;
        self.challenge(job, fitted)
    }

    /// Why the upload is worth a fit; `None`, and the job is done, where the version that serves may stay.
    fn cause(
        &self,
        job: &Job,
        observed: &BTreeMap<Signal, Series>,
    ) -> Result<Option<String>, JobError> {
        let Some(model) = self.current_model() else {
            return Ok(Some("no version serves".to_owned()));
        };
        let slot = job.header.slot;
        if job.header.force {
            return Ok(Some("asked for".to_owned()));
        }
        if slot != model.manifest.slot {
            return Ok(Some(format!("slots of {} s are asked for", slot.seconds())));
        }
        let ends = observed.values().map(Series::end).max();
        let now = ends.unwrap_or(model.manifest.data_until);
        let reason =
            due(&model, observed, now, &self.config.retrain).map_err(JobError::Champion)?;
        if reason.is_none() {
            job.update(|status| {
                status.progress = 1.0;
                status.skills.clone_from(&model.manifest.signals);
                status.version.clone_from(&model.manifest.version);
                "kept: the version that serves is not due for a new fit"
                    .clone_into(&mut status.message);
                status.state = JobState::Kept;
            });
        }
        Ok(reason.map(|reason| reason.to_string()))
    }

    /// Keeps what was fitted as a version, and lets it serve unless it is clearly worse than the one that does.
    fn challenge(&self, job: &Job, fitted: Fitted) -> Result<(), JobError> {
        let _changing = lock(&self.changing);
        self.refresh();
        let decision = self.model().map(|champion| {
            let WorkerConfig { challenger_tolerance, retrain, .. } = &self.config;
            Decision::reach(&champion, &fitted.signals, *challenger_tolerance, retrain)
        });
        let decision = decision.transpose().map_err(JobError::Champion)?;
        let manifest = Manifest { decision, ..self.manifest_of(job, &fitted.signals)? };
        let model = self.library.store(manifest, fitted.signals)?;
        let published = model.manifest.rejection().is_none();
        let ended = Ended::of(&model.manifest, &fitted.left_out);
        if published {
            self.library.serve(&model.manifest.version)?;
            self.replace(model);
        }
        for version in self.library.prune(self.config.keep_versions)? {
            tracing::debug!(workload = %self.workload, version, "removed");
        }
        job.update(|status| ended.tell(status));
        Ok(())
    }

    /// The model that serves, after a look at `CURRENT`: a version that was rolled back to is loaded.
    ///
    /// Where that version cannot be loaded, the one before goes on serving. Reads a file: not for the async runtime.
    pub fn current_model(&self) -> Option<Arc<WorkloadModel>> {
        // While a version is being published the old one answers.
        if let Ok(_changing) = self.changing.try_lock() {
            self.refresh();
        }
        self.model()
    }

    /// Loads the version that `CURRENT` names, where another serves; only while `changing` is held.
    fn refresh(&self) {
        let current = match self.library.current() {
            Ok(Some(current)) => current,
            Ok(None) => return,
            Err(error) => return tracing::error!("{}", with_causes(&error)),
        };
        let serves = self.model().is_some_and(|model| model.manifest.version == current);
        if serves || self.refusal(&current).is_some() {
            return;
        }
        match self.library.load(&current) {
            Ok(model) => {
                tracing::info!(workload = %self.workload, version = current, "serves, as the library says");
                self.replace(model);
            }
            Err(error) => {
                tracing::error!(version = current, "refused: {}", with_causes(&error));
                lock(&self.refused).push((current, with_causes(&error)));
            }
        }
    }

    fn replace(&self, model: WorkloadModel) {
        *self.model.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(model));
    }

    fn manifest_of(
        &self,
        job: &Job,
        signals: &BTreeMap<Signal, SignalModel>,
    ) -> Result<Manifest, LibraryError> {
        let header = &job.header;
        let until = signals.values().map(SignalModel::data_until).max();
        let data_until = until.unwrap_or(header.start);
        let stem = data_until.strftime("%Y%m%dT%H%M%SZ").to_string();
        Ok(Manifest {
            schema: Manifest::SCHEMA,
            written_by: format!("mora-model-worker {}", env!("CARGO_PKG_VERSION")),
            version: self.library.free_version(&stem)?,
            workload: self.workload.clone(),
            data_from: signals.values().map(SignalModel::data_from).min().unwrap_or(header.start),
            data_until,
            slot: header.slot,
            replicas: header.replicas,
            seed: header.seed,
            origins: self.config.origins,
            horizon_slots: self.config.horizon_slots,
            signals: signals.iter().map(|(signal, model)| (*signal, model.summary())).collect(),
            decision: None,
            files: BTreeMap::new(),
        })
    }
}

#[derive(Debug, Error)]
enum JobError {
    #[error(transparent)]
    Train(#[from] TrainError),
    #[error("the fitted model could not be published")]
    Library(#[from] LibraryError),
    /// The certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("the version that serves does not say what it would have answered")]
    Champion(#[source] ForecastError),
}

/// How a job ended.
struct Ended {
    state: JobState,
    version: String,
    message: String,
    skills: BTreeMap<Signal, SignalForecast>,
}

impl Ended {
    /// With a version that was published or refused, without the signals `left_out`.
    fn of(manifest: &Manifest, left_out: &[String]) -> Self {
        let (state, mut message) = match &manifest.decision {
            Some(decision) if !decision.published => {
                (JobState::Refused, format!("refused, {} serves on", decision.champion))
            }
            _ => (JobState::Published, "published".to_owned()),
        };
        if let Some(decision) = &manifest.decision {
            message += &format!(": {}", decision.reason);
        }
        if !left_out.is_empty() {
            message += &format!("; without {}", left_out.join("; "));
        }
        let (version, skills) = (manifest.version.clone(), manifest.signals.clone());
        Self { state, version, message, skills }
    }

    fn tell(self, status: &mut JobStatus) {
        status.progress = 1.0;
        status.skills = self.skills;
        status.version = self.version;
        status.message = self.message;
        status.state = self.state;
    }
}

/// `slots` held to the 7 days that a model answers, in slots of width `slot`.
fn horizon(slots: usize, slot: Step) -> usize {
    slots.min(7 * 86_400 / slot.seconds() as usize)
}

type Refusals = Vec<(String, String)>;

fn load_newest(library: &Library) -> Result<(Option<WorkloadModel>, Refusals), LibraryError> {
    let current = library.current()?;
    let rejected = |version: &String| {
        library.manifest(version).is_ok_and(|manifest| manifest.rejection().is_some())
    };
    let mut rest = library.versions()?;
    rest.retain(|version| Some(version) != current.as_ref());
    // What was rejected is better than nothing, and nothing else.
    rest.sort_by_key(rejected);
    let mut refused = Vec::new();
    for version in current.iter().chain(&rest) {
        match library.load(version) {
            Ok(model) => return Ok((Some(model), refused)),
            Err(error) => {
                tracing::error!(version, "refused: {}", with_causes(&error));
                refused.push((version.clone(), with_causes(&error)));
            }
        }
    }
    Ok((None, refused))
}
