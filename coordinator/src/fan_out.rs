//! Asking every worker at once, within bounds of time and number.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use mora_core::{Forecast, Quantile, Step, WorkloadRef};
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::validate;

/// Wait before the first repetition; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Where a worker listens: a URL such as `http://cart-worker:50051`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(pub String);

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What every worker is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct ForecastRequest {
    /// Start of the first slot.
    pub start: Timestamp,
    /// Width of a slot.
    pub slot: Step,
    /// Number of slots, at least 1.
    pub slots: usize,
    /// The quantiles wanted; empty for those the worker prefers.
    pub quantiles: Vec<Quantile>,
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

/// A way to ask one worker for its forecast.
pub trait AskWorker {
    /// Asks the worker at `endpoint` to forecast `workload`; bounded in time by the caller.
    fn ask(
        &self,
        workload: &WorkloadRef,
        endpoint: &Endpoint,
        request: &ForecastRequest,
    ) -> impl Future<Output = Result<Forecast, AskError>> + Send;
}

/// Bounds of one fan-out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FanOutLimits {
    /// Longest time for one call.
    pub per_call: Duration,
    /// Longest time for all workers together.
    pub overall: Duration,
    /// Most calls under way at once; 0 counts as 1.
    pub concurrency: usize,
    /// How often a call that failed for a passing reason is repeated.
    pub retries: u32,
}

impl Default for FanOutLimits {
    fn default() -> Self {
        Self {
            per_call: Duration::from_secs(5),
            overall: Duration::from_secs(30),
            concurrency: 32,
            retries: 1,
        }
    }
}

/// Asks all `workers` and returns, for each, its forecast or the reason there is none.
///
/// When the overall time is up, the answers that arrived are kept. A forecast that is not an answer
/// to `request`, or not possible, is refused with its reason.
pub async fn fan_out<A: AskWorker>(
    asker: &A,
    workers: BTreeMap<WorkloadRef, Endpoint>,
    request: &ForecastRequest,
    limits: FanOutLimits,
) -> BTreeMap<WorkloadRef, Result<Forecast, String>> {
    let deadline = Instant::now() + limits.overall;
    let late = format!("no answer came within the {:?} for all workers", limits.overall);
    let mut answers: BTreeMap<WorkloadRef, Result<Forecast, String>> =
        workers.keys().map(|workload| (workload.clone(), Err(late.clone()))).collect();
    let calls = workers.into_iter().map(|(workload, endpoint)| async move {
        let answer = ask_patiently(asker, &workload, &endpoint, (request, limits)).await;
        (workload, answer)
    });
    let mut calls = futures::stream::iter(calls).buffer_unordered(limits.concurrency.max(1));
    while let Ok(Some((workload, answer))) = timeout_at(deadline, calls.next()).await {
        answers.insert(workload, answer);
    }
    answers
}

/// Asks one worker, again after a passing failure, and checks what it says.
async fn ask_patiently<A: AskWorker>(
    asker: &A,
    workload: &WorkloadRef,
    endpoint: &Endpoint,
    (request, limits): (&ForecastRequest, FanOutLimits),
) -> Result<Forecast, String> {
    let mut pause = FIRST_PAUSE;
    for attempt in 0..=limits.retries {
        let call = timeout(limits.per_call, asker.ask(workload, endpoint, request));
        match call.await {
            Ok(Ok(forecast)) => {
                validate(&forecast, workload, request).map_err(|error| error.to_string())?;
                return Ok(forecast);
            }
            Ok(Err(AskError::Transient(_))) if attempt < limits.retries => {}
            Ok(Err(error)) => return Err(format!("its worker at {endpoint} failed: {error}")),
            Err(_) if attempt < limits.retries => {}
            Err(_) => break,
        }
        sleep(pause).await;
        pause *= 2;
    }
    Err(format!("its worker at {endpoint} did not answer within {:?}", limits.per_call))
}
