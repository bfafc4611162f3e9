//! Leaving a worker alone that keeps failing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use mora_core::Forecast;
use tokio::time::Instant;
use tower::Service;

use super::{Ask, AskError, Endpoint};

/// A worker that has not been asked for so long is forgotten: its address may be gone for good.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(1);

/// The workers that have failed lately; kept from one run to the next.
#[derive(Debug, Clone)]
pub(super) struct Circuits {
    most_failures: u32,
    pause: Duration,
    failing: Arc<Mutex<BTreeMap<Endpoint, Circuit>>>,
}

/// A worker that failed the last time it was asked.
#[derive(Debug)]
struct Circuit {
    failures: u32,
    reason: String,
    /// Last failure or trial; the worker is left alone for a pause from then on, if it failed often enough.
    since: Instant,
}

impl Circuits {
    /// Circuits that open after `most_failures` in a row, 0 meaning never, and let one call in `pause` through then.
    pub(super) fn new(most_failures: u32, pause: Duration) -> Self {
        Self { most_failures, pause, failing: Arc::default() }
    }

    /// Whether the worker may be asked at `now`; fails with the reason it may not.
    ///
    /// After a pause one caller may; the others wait for another pause, or until it succeeds.
    fn admit(&self, endpoint: &Endpoint, now: Instant) -> Result<(), AskError> {
        let mut failing = self.failing();
        let Some(circuit) = failing.get_mut(endpoint) else { return Ok(()) };
        if self.most_failures == 0 || circuit.failures < self.most_failures {
            return Ok(());
        }
        let again = circuit.since + self.pause;
        if again <= now {
            circuit.since = now;
            return Ok(());
        }
        let seconds = again.duration_since(now).as_secs_f64().ceil();
        let (failures, reason) = (circuit.failures, &circuit.reason);
        Err(AskError::Permanent(format!(
            "it failed {failures} times in a row and is left alone for another {seconds} s; the last time: {reason}"
        )))
    }

    /// Notes a failure at `now`.
    pub(super) fn failed(&self, endpoint: &Endpoint, reason: &str, now: Instant) {
        let mut failing = self.failing();
        failing.retain(|_, circuit| now.duration_since(circuit.since) < FORGOTTEN_AFTER);
        let failures = failing.get(endpoint).map_or(0, |circuit| circuit.failures);
        let failures = failures.saturating_add(1);
        let circuit = Circuit { failures, reason: reason.to_owned(), since: now };
        failing.insert(endpoint.clone(), circuit);
    }

    fn succeeded(&self, endpoint: &Endpoint) {
        self.failing().remove(endpoint);
    }

    /// The guard, also after a panic elsewhere: every change under it is complete in itself.
    fn failing(&self) -> MutexGuard<'_, BTreeMap<Endpoint, Circuit>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Refuses calls to workers whose circuit is open.
#[derive(Debug, Clone)]
pub(super) struct Breaker<S> {
    inner: S,
    circuits: Circuits,
}

impl<S> Breaker<S> {
    pub(super) fn new(inner: S, circuits: Circuits) -> Self {
        Self { inner, circuits }
    }
}

impl<S> Service<Ask> for Breaker<S>
where
    S: Service<Ask, Response = Forecast, Error = AskError>,
    S::Future: Send + 'static,
{
    type Response = Forecast;
    type Error = AskError;
    type Future = BoxFuture<'static, Result<Forecast, AskError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), AskError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, ask: Ask) -> Self::Future {
        let endpoint = ask.endpoint.clone();
        if let Err(refusal) = self.circuits.admit(&endpoint, Instant::now()) {
            return ready(Err(refusal)).boxed();
        }
        let circuits = self.circuits.clone();
        let call = self.inner.call(ask);
        async move {
            let answer = call.await;
            match &answer {
                Err(AskError::Transient(reason)) => {
                    circuits.failed(&endpoint, reason, Instant::now());
                }
                // A refusal is an answer: the worker is there.
                Ok(_) | Err(AskError::Permanent(_)) => circuits.succeeded(&endpoint),
            }
            answer
        }
        .boxed()
    }
}
