//! What an arm sees of its cluster, as a source that a collector collects from.

use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use mora_collector::{Lookback, MetricsSource, SourceError};
use mora_core::Dataset;

type OfOneInstant = Option<(Lookback, Vec<Dataset>)>;

/// The datasets of one instant, which are collected once.
#[derive(Debug, Clone, Default)]
pub(super) struct Observed(Arc<Mutex<OfOneInstant>>);

impl Observed {
    /// Lets the next collection, which must be over `lookback`, find `datasets`.
    pub(super) fn put(&self, lookback: Lookback, datasets: Vec<Dataset>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((lookback, datasets));
    }

    fn take(&self, lookback: &Lookback) -> Result<Vec<Dataset>, SourceError> {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let found = found.filter(|(of, datasets)| of == lookback && !datasets.is_empty());
        found.map(|(_, datasets)| datasets).ok_or_else(|| SourceError::NoData {
            namespace: "simulated".to_owned(),
            hint: format!(
                "the cluster was not looked at from {} to {}",
                lookback.from, lookback.to
            ),
        })
    }
}

impl MetricsSource for Observed {
    fn collect<'a>(
        &'a self,
        lookback: &'a Lookback,
    ) -> BoxFuture<'a, Result<Vec<Dataset>, SourceError>> {
        async move { self.take(lookback) }.boxed()
    }

    fn describe(&self) -> String {
        "a simulated cluster".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use mora_core::Step;

    use super::*;

    #[tokio::test]
    async fn what_was_seen_is_collected_once_and_only_over_its_own_lookback() {
        let to = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24);
        let day = Lookback { from: Timestamp::UNIX_EPOCH, to, step: Step::MINUTE };
        let seen = vec![Dataset::new("shop/cart".parse().unwrap())];
        let observed = Observed::default();
        assert!(observed.collect(&day).await.is_err(), "nothing was seen yet");
        observed.put(day, seen.clone());
        assert_eq!(observed.collect(&day).await.unwrap(), seen);
        assert!(observed.collect(&day).await.is_err(), "it was collected");
        observed.put(Lookback { to: to + SignedDuration::from_mins(1), ..day }, seen);
        let error = observed.collect(&day).await.unwrap_err().to_string();
        assert!(error.contains("was not looked at"), "{error}");
    }
}
