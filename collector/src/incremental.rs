//! Collecting what is new, chunk by chunk, into a store.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use mora_core::{Dataset, Lookback, Step};
use mora_store::{Chunk, Store};

use crate::error::CollectError;
use crate::history::blocking;
use crate::source::{MetricsSource, settle_callers};

/// A kill is seen a scrape or two after it happened, and may belong to the chunk before.
const KILL_SEEN_LATE: SignedDuration = SignedDuration::from_hours(1);

/// What is wanted of one collection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// Where a scope that was never collected begins, and where all end.
    pub(crate) lookback: Lookback,
    /// Longest chunk; a divisor of a day.
    pub(crate) chunk: SignedDuration,
}

/// What one collection brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Brought {
    /// Chunks committed, of all scopes.
    pub(crate) chunks: usize,
    /// Observations in them.
    pub(crate) samples: usize,
}

/// Collects from `source` what `store` does not have yet, and commits each chunk before the next is asked for.
///
/// Every scope goes on where its last commit ended. Fails when the source or the store does; what was committed stays.
pub(crate) async fn collect(
    source: &dyn MetricsSource,
    store: &Arc<Store>,
    wanted: Wanted,
) -> Result<Brought, CollectError> {
    let mut reached: BTreeMap<String, Timestamp> = source
        .scopes()
        .into_iter()
        .map(|scope| {
            let from = store.collected(&scope).unwrap_or(wanted.lookback.from);
            (scope, from)
        })
        .collect();
    let Some(from) = reached.values().min().copied() else { return Ok(Brought::default()) };
    source.begin(&Lookback { from, ..wanted.lookback }).await?;
    let mut brought = Brought::default();
    while let Some((chunk, scopes)) = next(&reached, wanted) {
        let found = collect_chunk(source, &scopes, &chunk).await?;
        for (scope, datasets) in found {
            brought.chunks += 1;
            brought.samples += datasets.iter().map(observations).sum::<usize>();
            commit(store, scope.clone(), &chunk, datasets).await?;
            reached.insert(scope, chunk.to);
        }
    }
    Ok(brought)
}

/// The next chunk, and the scopes that it is next for; `None` when all have reached the end.
fn next(reached: &BTreeMap<String, Timestamp>, wanted: Wanted) -> Option<(Lookback, Vec<String>)> {
    let from = reached.values().min().copied().filter(|from| *from < wanted.lookback.to)?;
    let width = u32::try_from(wanted.chunk.as_secs()).ok().and_then(Step::from_seconds);
    let width = width.unwrap_or(Step::HOUR);
    // Chunks end at multiples of their length, so that none spans midnight.
    let end = width.floor(from).saturating_add(width.times(1)).unwrap_or(Timestamp::MAX);
    let others = reached.values().copied().filter(|other| *other > from).min();
    let to = others.into_iter().fold(end.min(wanted.lookback.to), Timestamp::min);
    let scopes = reached.iter().filter(|(_, at)| **at == from).map(|(scope, _)| scope.clone());
    Some((Lookback { from, to, step: wanted.lookback.step }, scopes.collect()))
}

/// What was observed of each of `scopes` in `chunk`.
async fn collect_chunk(
    source: &dyn MetricsSource,
    scopes: &[String],
    chunk: &Lookback,
) -> Result<Vec<(String, Vec<Dataset>)>, CollectError> {
    let mut all = Vec::new();
    let mut counts = Vec::new();
    for scope in scopes {
        let datasets = source.collect_scope(scope, chunk).await?;
        counts.push(datasets.len());
        all.extend(datasets);
    }
    settle_callers(&mut all);
    let earliest = chunk.from.saturating_sub(KILL_SEEN_LATE).unwrap_or(chunk.from);
    for usage in all.iter_mut().flat_map(|dataset| dataset.containers.values_mut()) {
        // Prometheus goes on telling of the last kill for days.
        usage.oom_kills.retain(|kill| kill.killed >= earliest);
    }
    let mut all = all.into_iter();
    let split = counts.into_iter().map(|count| all.by_ref().take(count).collect());
    Ok(scopes.iter().cloned().zip(split.collect::<Vec<_>>()).collect())
}

async fn commit(
    store: &Arc<Store>,
    scope: String,
    chunk: &Lookback,
    datasets: Vec<Dataset>,
) -> Result<(), CollectError> {
    let (store, from, until) = (store.clone(), chunk.from, chunk.to);
    let commit = move || store.commit(Chunk { scope: &scope, from, until }, &datasets);
    Ok(blocking(commit).await?)
}

/// The observations of usage, requests and indicators in `dataset`.
pub(crate) fn observations(dataset: &Dataset) -> usize {
    let usage = dataset.containers.values().flat_map(|c| c.cpu.values().chain(c.memory.values()));
    let others = dataset.request_rate.iter().chain(&dataset.replicas);
    let others = others.chain(dataset.calls.values()).chain(dataset.indicators.values());
    usage.chain(others).map(|series| series.observed().count()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    use futures::FutureExt;
    use futures::future::BoxFuture;
    use mora_core::{Series, WorkloadRef};
    use tempfile::TempDir;

    use crate::SourceError;

    /// Two namespaces with one workload each, which have a value for every minute; asks for a chunk are written down.
    #[derive(Default)]
    struct Minutes {
        asked: Mutex<Vec<(String, i64, i64)>>,
        /// Asks that are answered before it fails.
        answers: Option<usize>,
    }

    impl MetricsSource for Minutes {
        fn collect<'a>(
            &'a self,
            _: &'a Lookback,
        ) -> BoxFuture<'a, Result<Vec<Dataset>, SourceError>> {
            unreachable!("only scopes are collected")
        }

        fn scopes(&self) -> Vec<String> {
            vec!["a".to_owned(), "b".to_owned()]
        }

        fn collect_scope<'a>(
            &'a self,
            scope: &'a str,
            chunk: &'a Lookback,
        ) -> BoxFuture<'a, Result<Vec<Dataset>, SourceError>> {
            async move {
                let mut asked = self.asked.lock().unwrap();
                if self.answers == Some(asked.len()) {
                    return Err(SourceError::Ambiguous { found: 0 });
                }
                let hour = |time: Timestamp| time.as_second() / 3600;
                asked.push((scope.to_owned(), hour(chunk.from), hour(chunk.to)));
                let minute = |index| chunk.first_second() / 60 + index as i64;
                let values = (0..chunk.steps()).map(|index| Some(minute(index) as f64)).collect();
                let workload = WorkloadRef::deployment(scope, "only").unwrap();
                let mut dataset = Dataset::new(workload);
                dataset.request_rate = Series::new(chunk.from, chunk.step, values).ok();
                Ok(vec![dataset])
            }
            .boxed()
        }

        fn describe(&self) -> String {
            "minutes".to_owned()
        }
    }

    fn hour(hour: i64) -> Timestamp {
        Timestamp::from_second(hour * 3600).unwrap()
    }

    fn wanted(from: i64, to: i64) -> Wanted {
        let lookback = Lookback { from: hour(from), to: hour(to), step: Step::MINUTE };
        Wanted { lookback, chunk: SignedDuration::from_hours(12) }
    }

    fn values(store: &Store, scope: &str) -> Vec<(i64, f64)> {
        let runs = store.runs(&WorkloadRef::deployment(scope, "only").unwrap()).unwrap();
        runs.iter().flat_map(mora_store::Run::samples).collect()
    }

    #[tokio::test]
    async fn chunks_end_at_multiples_of_their_length_and_a_second_collection_asks_only_for_what_is_new()
     {
        let folder = TempDir::new().unwrap();
        let store = Arc::new(Store::open(folder.path()).unwrap());
        let source = Minutes::default();
        let brought = collect(&source, &store, wanted(7, 30)).await.unwrap();
        assert_eq!(brought, Brought { chunks: 6, samples: 2 * 23 * 60 });
        let brought = collect(&source, &store, wanted(8, 31)).await.unwrap();
        assert_eq!(brought, Brought { chunks: 2, samples: 2 * 60 });
        let asked = source.asked.lock().unwrap().clone();
        let of_a: Vec<_> =
            asked.iter().filter(|(scope, ..)| scope == "a").map(|(_, f, t)| (*f, *t)).collect();
        assert_eq!(of_a, [(7, 12), (12, 24), (24, 30), (30, 31)]);
        let expected: Vec<_> = (7 * 60..31 * 60).map(|m| (m * 60, m as f64)).collect();
        assert_eq!(values(&store, "a"), expected);
        assert_eq!(values(&store, "b"), expected);
    }

    #[tokio::test]
    async fn a_scope_that_lags_catches_up_before_the_others_go_on() {
        let folder = TempDir::new().unwrap();
        let store = Arc::new(Store::open(folder.path()).unwrap());
        let failing = Minutes { answers: Some(2), ..Minutes::default() };
        collect(&failing, &store, wanted(0, 48)).await.unwrap_err();
        let chunk = Chunk { scope: "a", from: hour(12), until: hour(15) };
        store.commit(chunk, &[]).unwrap();
        let source = Minutes::default();
        collect(&source, &store, wanted(0, 24)).await.unwrap();
        let asked = source.asked.lock().unwrap().clone();
        let expected = [("b", 12, 15), ("a", 15, 24), ("b", 15, 24)];
        assert_eq!(asked, expected.map(|(scope, from, to)| (scope.to_owned(), from, to)));
        assert_eq!(values(&store, "b").len(), 24 * 60);
    }

    #[tokio::test]
    async fn what_was_committed_before_a_failure_stays() {
        let folder = TempDir::new().unwrap();
        let store = Arc::new(Store::open(folder.path()).unwrap());
        let failing = Minutes { answers: Some(5), ..Minutes::default() };
        let error = collect(&failing, &store, wanted(0, 48)).await.unwrap_err();
        assert!(matches!(error, CollectError::Source(_)), "{error}");
        assert_eq!(store.collected("a"), Some(hour(24)));
        collect(&Minutes::default(), &store, wanted(0, 48)).await.unwrap();
        assert_eq!(values(&store, "a").len(), 48 * 60);
    }
}
