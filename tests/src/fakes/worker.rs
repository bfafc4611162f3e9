//! A model-worker that goes wrong in one chosen way.

use std::time::Duration;

use mora_core::{Forecast, Quantile, Rung, Signal, SignalForecast, Skill, Step, WorkloadRef};
use mora_proto::v1::forecast_service_server::ForecastService;
use mora_proto::{required, v1};
use tonic::{Request, Response, Status};

const SLOTS: usize = 24;
/// Cores, bytes and requests per second of the forecast's median.
const LEVELS: [(Signal, f64); 3] =
    [(Signal::Cpu, 1.0), (Signal::Memory, 104_857_600.0), (Signal::RequestRate, 20.0)];

/// What is wrong with a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerFault {
    /// Nothing.
    None,
    /// Nobody listens at its address.
    Down,
    /// It answers after a minute.
    Slow,
    /// What listens there speaks another contract.
    WrongVersion,
    /// One of its values is not a number.
    NotANumber,
    /// A higher quantile lies below a lower one.
    Crossing,
    /// Its answer has nothing in it.
    Empty,
    /// It answers for another workload.
    OtherWorkload,
    /// It has no model yet.
    Untrained,
}

/// A worker of one workload with one fault.
pub(super) struct FakeWorker {
    workload: WorkloadRef,
    fault: WorkerFault,
}

impl FakeWorker {
    pub(super) const fn new(workload: WorkloadRef, fault: WorkerFault) -> Self {
        Self { workload, fault }
    }

    fn answer(
        &self,
        request: &v1::ForecastPeakRequest,
    ) -> Result<v1::ForecastPeakResponse, Status> {
        let start =
            request.start.and_then(|start| jiff::Timestamp::from_second(start.seconds).ok());
        let start =
            start.ok_or_else(|| Status::invalid_argument("the coordinator names no start"))?;
        let forecast = Forecast {
            workload: self.workload.clone(),
            model_version: "fake".to_owned(),
            start,
            slot: Step::HOUR,
            data_until: start,
            replicas: 1,
            signals: LEVELS.into_iter().map(|(signal, level)| (signal, even(level))).collect(),
            warnings: Vec::new(),
        };
        Ok((&forecast).into())
    }

    /// The answer with the fault put into it.
    fn spoilt(&self, mut answer: v1::ForecastPeakResponse) -> v1::ForecastPeakResponse {
        match self.fault {
            WorkerFault::NotANumber => answer.signals[0].paths[0].values[7] = f64::NAN,
            WorkerFault::Crossing => answer.signals[0].paths[1].values[7] = 0.1,
            WorkerFault::Empty => answer = v1::ForecastPeakResponse::default(),
            WorkerFault::OtherWorkload => {
                answer
                    .workload
                    .iter_mut()
                    .for_each(|workload| "other".clone_into(&mut workload.name));
            }
            _ => {}
        }
        answer
    }
}

fn even(level: f64) -> SignalForecast {
    let path = |(quantile, factor): (f64, f64)| {
        Some((Quantile::new(quantile).ok()?, vec![factor * level; SLOTS]))
    };
    SignalForecast {
        paths: [(0.5, 1.0), (0.9, 1.1), (0.95, 1.2), (0.99, 1.3)]
            .into_iter()
            .filter_map(path)
            .collect(),
        requests: vec![1.3 * level; SLOTS],
        request_records: Vec::new(),
        rung: Rung::Ensemble,
        members: Vec::new(),
        skill: Skill { pinball_ratio: Some(0.8), origins: 5 },
        confidence: None,
    }
}

#[tonic::async_trait]
impl ForecastService for FakeWorker {
    async fn forecast_peak(
        &self,
        request: Request<v1::ForecastPeakRequest>,
    ) -> Result<Response<v1::ForecastPeakResponse>, Status> {
        let request = request.into_inner();
        let _asked: WorkloadRef = required(request.workload.clone(), "workload")?;
        match self.fault {
            WorkerFault::Slow => tokio::time::sleep(Duration::from_mins(1)).await,
            WorkerFault::Untrained => {
                return Err(Status::failed_precondition("no model has been published yet"));
            }
            _ => {}
        }
        Ok(Response::new(self.spoilt(self.answer(&request)?)))
    }

    async fn get_model(
        &self,
        _: Request<v1::GetModelRequest>,
    ) -> Result<Response<v1::GetModelResponse>, Status> {
        Err(Status::not_found("this worker has no library"))
    }

    async fn list_models(
        &self,
        _: Request<v1::ListModelsRequest>,
    ) -> Result<Response<v1::ListModelsResponse>, Status> {
        Err(Status::not_found("this worker has no library"))
    }
}
