//! Asking again after a passing failure.

use std::sync::Arc;
use std::time::Duration;

use mora_core::Forecast;
use tower::retry::backoff::{Backoff, ExponentialBackoff, ExponentialBackoffMaker, MakeBackoff};
use tower::retry::budget::{Budget, TpsBudget};
use tower::retry::{Policy, RetryLayer};
use tower::util::rng::HasherRng;

use super::{Ask, AskError, FanOutLimits};

/// Wait before the first repetition; it doubles with each, up to the longest. Each worker is asked by one caller, so
/// there is nothing for jitter to spread.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How long what was given to the budget can be spent, and what is in it without: ten repetitions.
const BUDGET_WINDOW: Duration = Duration::from_secs(10);
const LEAST_PER_SECOND: u32 = 1;

/// The retry layer of a run with `count` workers.
pub(super) fn layer(limits: FanOutLimits, count: usize) -> RetryLayer<RetryTransient> {
    let share = limits.retry_share.clamp(0.0, 1.0) as f32;
    let budget = TpsBudget::new(BUDGET_WINDOW, LEAST_PER_SECOND, share);
    (0..count).for_each(|_| budget.deposit());
    let maker = ExponentialBackoffMaker::new(FIRST_PAUSE, LONGEST_PAUSE, 0.0, HasherRng::default());
    let backoff = maker.expect("the pauses are in order").make_backoff();
    RetryLayer::new(RetryTransient { left: limits.retries, backoff, budget: Arc::new(budget) })
}

/// Repeats what failed for a passing reason while there are repetitions left for this worker and for all.
#[derive(Debug, Clone)]
pub(super) struct RetryTransient {
    left: u32,
    backoff: ExponentialBackoff,
    budget: Arc<TpsBudget>,
}

impl Policy<Ask, Forecast, AskError> for RetryTransient {
    type Future = <ExponentialBackoff as Backoff>::Future;

    fn retry(
        &mut self,
        _: &mut Ask,
        answer: &mut Result<Forecast, AskError>,
    ) -> Option<Self::Future> {
        let transient = matches!(answer, Err(AskError::Transient(_)));
        if !transient || self.left == 0 || !self.budget.withdraw() {
            return None;
        }
        self.left -= 1;
        Some(self.backoff.next_backoff())
    }

    fn clone_request(&mut self, ask: &Ask) -> Option<Ask> {
        Some(ask.clone())
    }
}
