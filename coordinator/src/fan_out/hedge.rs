//! A second call where the first is much slower than those of the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Either, pending, select};
use mora_core::Forecast;
use tokio::time::{Instant, sleep_until};
use tower::{Service, ServiceExt};

use super::pace::Pace;
use super::{Ask, AskError, FanOutLimits};

/// A call shorter than this is not worth a second one, however fast the others are.
const LEAST: Duration = Duration::from_millis(50);

/// When second calls are made in one run, and how many more may be.
#[derive(Debug)]
pub(super) struct Hedges {
    pace: Arc<Pace>,
    factor: f64,
    left: AtomicUsize,
}

impl Hedges {
    /// For a run with `count` workers.
    pub(super) fn new(limits: FanOutLimits, count: usize, pace: Arc<Pace>) -> Self {
        let left = (limits.hedge_share.max(0.0) * count as f64).ceil() as usize;
        Self { pace, factor: limits.hedge_factor, left: AtomicUsize::new(left) }
    }

    /// Ends when a call that began at `began` is much slower than the others and a second one may be made; else never.
    async fn wanted(&self, began: Instant) {
        if self.factor <= 0.0 {
            return pending().await;
        }
        let mut typical = self.pace.typical();
        loop {
            let long = typical.borrow_and_update().map(|t| t.mul_f64(self.factor).max(LEAST));
            let slow = async {
                match long {
                    Some(long) => sleep_until(began + long).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = slow => break,
                changed = typical.changed() => if changed.is_err() { return pending().await },
            }
        }
        if !self.take() {
            pending::<()>().await;
        }
    }

    /// Takes one of the second calls that are left.
    fn take(&self) -> bool {
        let less = |left: usize| left.checked_sub(1);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

/// Makes a second call beside one that is much slower than the others, over a connection of its own; the first to
/// succeed answers.
#[derive(Debug, Clone)]
pub(super) struct Hedge<S> {
    inner: S,
    hedges: Arc<Hedges>,
}

impl<S> Hedge<S> {
    pub(super) fn new(inner: S, hedges: Arc<Hedges>) -> Self {
        Self { inner, hedges }
    }
}

impl<S> Service<Ask> for Hedge<S>
where
    S: Service<Ask, Response = Forecast, Error = AskError> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Forecast;
    type Error = AskError;
    type Future = BoxFuture<'static, Result<Forecast, AskError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), AskError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, ask: Ask) -> Self::Future {
        let first = self.inner.call(ask.clone());
        let (spare, hedges) = (self.inner.clone(), self.hedges.clone());
        async move {
            let began = Instant::now();
            let workload = ask.workload.clone();
            hedges.pace.begin(&workload, began);
            let answer = raced(first, spare, ask, &hedges).await;
            match &answer {
                Ok(_) => hedges.pace.answered(&workload, began.elapsed()),
                Err(error) => hedges.pace.failed(&workload, &error.to_string()),
            }
            answer
        }
        .boxed()
    }
}

/// The answer of `first`, or of a second call made when it is wanted.
async fn raced<S>(
    first: S::Future,
    spare: S,
    ask: Ask,
    hedges: &Hedges,
) -> Result<Forecast, AskError>
where
    S: Service<Ask, Response = Forecast, Error = AskError>,
{
    let mut first = Box::pin(first);
    tokio::select! {
        biased;
        answer = &mut first => return answer,
        () = hedges.wanted(Instant::now()) => {}
    }
    let second = Box::pin(spare.oneshot(Ask { apart: true, ..ask }));
    match select(first, second).await {
        // What fails for a passing reason leaves the other its chance.
        Either::Left((Err(AskError::Transient(error)), second)) => {
            second.await.map_err(|_| AskError::Transient(error))
        }
        Either::Right((Err(AskError::Transient(_)), first)) => first.await,
        Either::Left((answer, _)) | Either::Right((answer, _)) => answer,
    }
}
