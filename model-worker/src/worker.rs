//! One workload's worker: its library, its serving model and its training jobs.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use mora_core::{Signal, SignalForecast, WorkloadRef};
use mora_forecast::{FitOptions, Progress, SignalModel};
use mora_proto::v1::forecast_service_server::ForecastServiceServer;
use mora_proto::v1::training_service_server::TrainingServiceServer;
use mora_runtime::{GrpcServer, Readiness, ServeError, with_causes};
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;

use crate::fit::{TrainError, Upload, fit_signals};
use crate::jobs::{Job, JobState, Jobs, lock};
use crate::service::Service;
use crate::{Library, LibraryError, Manifest, WorkerConfig, WorkloadModel};

const FORECAST_SERVICE: &str = "mora.v1.ForecastService";
const SERVICES: [&str; 2] = [FORECAST_SERVICE, "mora.v1.TrainingService"];
/// A challenger may lose this much skill by chance: two back-tests of one model differ by less.
const TOLERATED_LOSS: f64 = 1.1;

/// Why a worker cannot start.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The model library cannot be used.
    #[error("cannot open the model library")]
    Library(#[from] LibraryError),
}

/// The state behind the services of one worker.
pub struct Worker {
    pub(crate) workload: WorkloadRef,
    pub(crate) config: WorkerConfig,
    pub(crate) library: Library,
    pub(crate) jobs: Jobs,
    pub(crate) tasks: TaskTracker,
    model: RwLock<Option<Arc<WorkloadModel>>>,
    refused: Mutex<Vec<(String, String)>>,
    processors: Arc<Semaphore>,
    readiness: Readiness,
}

impl Worker {
    /// The worker of `workload`; loads the version that served last, or the newest intact one before it.
    ///
    /// `processors` bounds how many fits run at once in this process. Fails when the library cannot
    /// be listed; a corrupted version is logged by file and passed over.
    pub async fn open(
        workload: WorkloadRef,
        config: WorkerConfig,
        processors: Arc<Semaphore>,
    ) -> Result<Arc<Self>, OpenError> {
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
            processors,
            readiness,
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
        let routes = Routes::new(ForecastServiceServer::new(Service(self.clone())))
            .add_service(TrainingServiceServer::new(Service(self.clone())));
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

    /// Fits and publishes the rows of `job`, which tells how that went.
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
        let header = &job.header;
        let options = FitOptions {
            slot: header.slot,
            horizon: self.config.horizon_slots,
            seed: header.seed,
            origins: self.config.origins,
        };
        let mut observe = |signal: Signal, progress: Progress| {
            job.update(|status| {
                status.progress = progress.share;
                status.message = format!("{}: {}", signal, progress.stage);
            });
            if job.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let fitted = fit_signals(upload, &options, &mut observe)?;
        let manifest = self.manifest_of(job, &fitted.signals)?;
        let skills = manifest.signals.clone();
        if let Some(reason) =
            self.model().and_then(|champion| challenge(&champion.manifest, &manifest))
        {
            job.update(|status| {
                status.skills = skills;
                status.message.clone_from(&reason);
                status.state = JobState::Refused;
            });
            return Ok(());
        }
        let version = manifest.version.clone();
        let model = self.library.publish(manifest, fitted.signals, self.config.keep_versions)?;
        *self.model.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(model));
        job.update(|status| {
            status.progress = 1.0;
            status.skills = skills;
            status.version = version;
            status.message = published_message(&fitted.left_out);
            status.state = JobState::Published;
        });
        Ok(())
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
            signals: signals.iter().map(|(signal, model)| (*signal, model.summary())).collect(),
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
}

fn published_message(left_out: &[String]) -> String {
    if left_out.is_empty() {
        "published".to_owned()
    } else {
        format!("published without {}", left_out.join("; "))
    }
}

/// Why the challenger must not replace the champion; `None` when it may.
///
/// Compared is the mean pinball ratio to the baseline, each on the days of its own back-test. A champion
/// whose data is a week older has no such claim: its figures are of another time.
fn challenge(champion: &Manifest, challenger: &Manifest) -> Option<String> {
    let age = challenger.data_until.duration_since(champion.data_until);
    let (old, new) = (mean_ratio(champion)?, mean_ratio(challenger)?);
    let worse = new > old * TOLERATED_LOSS && age < jiff::SignedDuration::from_hours(7 * 24);
    worse.then(|| {
        format!(
            "refused: pinball ratio {new:.3} in its back-test, where version {} has {old:.3}",
            champion.version
        )
    })
}

fn mean_ratio(manifest: &Manifest) -> Option<f64> {
    let ratio = |summary: &SignalForecast| summary.skill.pinball_ratio;
    let ratios: Vec<f64> = manifest.signals.values().filter_map(ratio).collect();
    (!ratios.is_empty()).then(|| ratios.iter().sum::<f64>() / ratios.len() as f64)
}

type Refusals = Vec<(String, String)>;

fn load_newest(library: &Library) -> Result<(Option<WorkloadModel>, Refusals), LibraryError> {
    let current = library.current()?;
    let versions = library.versions()?;
    let rest = versions.iter().filter(|version| Some(*version) != current.as_ref());
    let mut refused = Vec::new();
    for version in current.iter().chain(rest) {
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
