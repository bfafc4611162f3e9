//! Asking every worker at once, within bounds of time and number.
//!
//! A call passes through tower layers, from the outside in:
//!
//! | layer | what it does |
//! | --- | --- |
//! | `tower::retry` | asks again after a passing failure, within a budget for all workers |
//! | [`breaker`] | does not ask a worker that failed several times in a row |
//! | `tower::limit` | bounds how many workers are asked at once |
//! | [`hedge`] | asks a second time when the first call is much slower than those of the others |
//! | `tower::timeout` | bounds one call |
//!
//! The breaker and the hedge are our own. `tower::hedge` decides when a call begins after how long it is repeated, but here all
//! calls begin together, before any answer has shown how long one takes; and the first of the two to end wins, even by failing.
//! `tower-resilience` has one circuit per layer where one per worker is needed, a fixed delay for hedging, and a clock that tests
//! cannot pause.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use mora_core::{Forecast, WorkloadRef};
use mora_planning::{ForecastRequest, validate};
use thiserror::Error;
use tokio::time::{Instant, timeout_at};
use tower::layer::layer_fn;
use tower::util::BoxCloneService;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};

mod breaker;
mod cut_off;
mod hedge;
mod limits;
mod pace;
mod retry;

use breaker::{Breaker, Circuits};
use cut_off::CutOff;
use hedge::{Hedge, Hedges};
use pace::{Pace, Progress};

pub use limits::FanOutLimits;

/// Where a worker listens: a URL such as `http://cart-worker:50051`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint(pub String);

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What one worker is asked.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Whose forecast.
    pub workload: WorkloadRef,
    /// Where its worker listens.
    pub endpoint: Endpoint,
    /// What to forecast.
    pub request: Arc<ForecastRequest>,
    /// Whether the call is to have a connection of its own: what is slow may be the connection.
    pub apart: bool,
}

/// Why one call to a worker gave no forecast; the text is a sentence without a full stop.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AskError {
    /// The worker may answer if asked again: it could not be reached, was busy or restarting.
    #[error("{0}")]
    Transient(String),
    /// Asking again would not help.
    #[error("{0}")]
    Permanent(String),
}

/// For each workload its forecast, or the reason there is none as a sentence without a full stop.
pub type Answers = BTreeMap<WorkloadRef, Result<Forecast, String>>;

type Stack = BoxCloneService<Ask, Forecast, AskError>;

/// Asks workers through a service that makes one call; remembers from one run to the next which of them fail.
#[derive(Debug)]
pub struct FanOut<S> {
    caller: S,
    limits: FanOutLimits,
    circuits: Circuits,
}

impl<S> FanOut<S>
where
    S: Service<Ask, Response = Forecast, Error = AskError> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    /// A fan-out over `caller` with every circuit closed.
    pub fn new(caller: S, limits: FanOutLimits) -> Self {
        Self {
            caller,
            limits,
            circuits: Circuits::new(limits.breaker_failures, limits.breaker_pause),
        }
    }

    /// Asks all `workers` and returns, for each, its forecast or the reason there is none.
    ///
    /// When the time for all is up, or the last few have had their bounded time beyond the others, the answers that
    /// arrived are kept. A forecast that is not an answer to `request`, or not possible, is refused with its reason.
    pub async fn ask(
        &self,
        workers: BTreeMap<WorkloadRef, Endpoint>,
        request: &ForecastRequest,
    ) -> Answers {
        let pace = Arc::new(Pace::default());
        let stack = self.stack(&pace, workers.len());
        let shared = Arc::new(request.clone());
        let calls: FuturesUnordered<_> = workers
            .iter()
            .map(|(workload, endpoint)| {
                let (workload, endpoint) = (workload.clone(), endpoint.clone());
                let ask = Ask { workload, endpoint, request: shared.clone(), apart: false };
                answer(stack.clone(), ask)
            })
            .collect();
        let mut cut_off = CutOff::new(self.limits, workers.len(), Instant::now());
        let mut answers = gather(calls, &mut cut_off).await;
        for (workload, endpoint) in workers {
            answers.entry(workload).or_insert_with_key(|workload| {
                Err(self.late(&endpoint, pace.progress(workload), &cut_off))
            });
        }
        answers
    }

    /// The layers around the caller, for one run with `count` workers.
    fn stack(&self, pace: &Arc<Pace>, count: usize) -> Stack {
        let limits = self.limits;
        let circuits = self.circuits.clone();
        let hedges = Arc::new(Hedges::new(limits, count, pace.clone()));
        let service = ServiceBuilder::new()
            .layer(retry::layer(limits, count))
            .layer(layer_fn(move |inner| Breaker::new(inner, circuits.clone())))
            .concurrency_limit(limits.concurrency.max(1))
            .layer(layer_fn(move |inner| Hedge::new(inner, hedges.clone())))
            .map_err(move |error| without_box(error, limits))
            .timeout(limits.per_call)
            .service(self.caller.clone());
        BoxCloneService::new(service)
    }

    /// Why there is no answer of a worker whose time is up; one that was being asked has failed.
    fn late(&self, endpoint: &Endpoint, progress: Option<Progress>, cut_off: &CutOff) -> String {
        let why = cut_off.reason();
        match progress {
            None => format!("its worker at {endpoint} was not asked: {why}"),
            Some(Progress::Failed(error)) => {
                format!("its worker at {endpoint} failed: {error}; it was not asked again: {why}")
            }
            Some(Progress::UnderWay { since }) => {
                let waited = since.elapsed().as_millis();
                let reason = format!("it had not answered after {waited} ms: {why}");
                self.circuits.failed(endpoint, &reason, Instant::now());
                format!("its worker at {endpoint} was too slow: {reason}")
            }
        }
    }
}

/// The answers that come before the time is up.
async fn gather(
    mut calls: FuturesUnordered<impl Future<Output = (WorkloadRef, Result<Forecast, String>)>>,
    cut_off: &mut CutOff,
) -> Answers {
    let mut answers = Answers::new();
    while let Ok(Some((workload, answer))) = timeout_at(cut_off.at(), calls.next()).await {
        cut_off.ended(answer.is_ok(), Instant::now());
        answers.insert(workload, answer);
    }
    answers
}

/// Asks one worker and checks what it says.
async fn answer(stack: Stack, ask: Ask) -> (WorkloadRef, Result<Forecast, String>) {
    let (workload, request) = (ask.workload.clone(), ask.request.clone());
    let failed = format!("its worker at {} failed: ", ask.endpoint);
    let answer = stack.oneshot(ask).await.map_err(|error| format!("{failed}{error}"));
    let checked = answer.and_then(|forecast| {
        validate(&forecast, &workload, &request).map_err(|error| error.to_string())?;
        Ok(forecast)
    });
    (workload, checked)
}

/// The error a caller or the timeout around it put in a box.
fn without_box(error: BoxError, limits: FanOutLimits) -> AskError {
    match error.downcast::<AskError>() {
        Ok(error) => *error,
        Err(_) => AskError::Transient(format!("it did not answer within {:?}", limits.per_call)),
    }
}

#[cfg(test)]
mod tests;
