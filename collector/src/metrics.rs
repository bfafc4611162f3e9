//! What the collector does, as OpenMetrics.

use std::fmt::Write;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mora_store::StoreSize;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::collector::TrainingRound;

type Labels = Vec<(&'static str, String)>;
type Number = Gauge<f64, AtomicU64>;
type Counters = Family<Labels, Counter>;

/// Figures of what a collector does.
#[derive(Debug)]
pub struct CollectorMetrics {
    // A scrape during an update would see half a round.
    figures: Mutex<Figures>,
}

#[derive(Debug, Default)]
struct Figures {
    registry: Registry,
    rounds: Counters,
    samples: Counter,
    duration: Number,
    newest: Number,
    bytes: Number,
    files: Number,
    days: Number,
    trainings: Counters,
}

impl Default for CollectorMetrics {
    fn default() -> Self {
        Self { figures: Mutex::new(Figures::registered()) }
    }
}

impl CollectorMetrics {
    /// Takes in the end of a collection that took `took` and brought `samples` observations; without them it failed.
    pub(crate) fn collected(&self, samples: Option<usize>, took: Duration) {
        self.with(|figures| {
            let outcome = if samples.is_some() { "success" } else { "failure" };
            figures.rounds.get_or_create(&vec![("outcome", outcome.to_owned())]).inc();
            figures.samples.inc_by(samples.unwrap_or(0) as u64);
            figures.duration.set(took.as_secs_f64());
            if samples.is_some() {
                figures.newest.set(jiff::Timestamp::now().as_second() as f64);
            }
        });
    }

    /// Takes in how large the store is.
    pub(crate) fn stored(&self, size: StoreSize) {
        self.with(|figures| {
            figures.bytes.set(size.bytes as f64);
            figures.files.set(size.files as f64);
            figures.days.set(size.days as f64);
        });
    }

    /// Takes in a round of training.
    pub(crate) fn trained(&self, round: &TrainingRound) {
        self.with(|figures| {
            for (outcome, count) in [
                ("trained", round.trained.len()),
                ("kept", round.kept.len()),
                ("rejected", round.rejected.len()),
                ("failed", round.failed.len()),
            ] {
                let labels = vec![("outcome", outcome.to_owned())];
                figures.trainings.get_or_create(&labels).inc_by(count as u64);
            }
        });
    }

    /// Everything as OpenMetrics text.
    #[must_use]
    pub fn text(&self) -> String {
        self.with(|figures| {
            let mut text = String::new();
            if encode(&mut text, &figures.registry).is_err() {
                // Writing to a string does not fail; an empty answer would read as "no metrics".
                let _ = writeln!(text, "# EOF");
            }
            text
        })
    }

    fn with<T>(&self, use_figures: impl FnOnce(&mut Figures) -> T) -> T {
        use_figures(&mut self.figures.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Figures {
    fn registered() -> Self {
        let mut figures = Self::default();
        let registry = &mut figures.registry;
        let counters = [
            ("mora_collections", "Collections by outcome", &figures.rounds),
            ("mora_trainings", "Workloads of training rounds by outcome", &figures.trainings),
        ];
        for (name, help, family) in counters {
            registry.register(name, help, family.clone());
        }
        let samples = figures.samples.clone();
        registry.register("mora_collected_samples", "Observations collected", samples);
        let numbers = [
            (
                "mora_collection_duration_seconds",
                "How long the last collection took",
                &figures.duration,
            ),
            (
                "mora_collection_timestamp_seconds",
                "When the last good collection ended",
                &figures.newest,
            ),
            ("mora_store_bytes", "Size of the files of series", &figures.bytes),
            ("mora_store_files", "Files of series", &figures.files),
            ("mora_store_days", "Days of which anything is kept", &figures.days),
        ];
        for (name, help, number) in numbers {
            registry.register(name, help, number.clone());
        }
        figures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_is_counted() {
        let metrics = CollectorMetrics::default();
        metrics.collected(Some(7), Duration::from_millis(1500));
        metrics.collected(None, Duration::from_millis(250));
        metrics.collected(Some(5), Duration::from_millis(500));
        metrics.stored(StoreSize { files: 3, bytes: 4096, days: 2, ..StoreSize::default() });
        let kept = vec!["shop/cart".parse().unwrap()];
        metrics.trained(&TrainingRound { kept, ..TrainingRound::default() });
        let text = metrics.text();
        for line in [
            "mora_collections_total{outcome=\"success\"} 2",
            "mora_collections_total{outcome=\"failure\"} 1",
            "mora_collected_samples_total 12",
            "mora_collection_duration_seconds 0.5",
            "mora_store_bytes 4096.0",
            "mora_trainings_total{outcome=\"kept\"} 1",
            "mora_trainings_total{outcome=\"failed\"} 0",
        ] {
            assert!(text.lines().any(|found| found == line), "no `{line}` in\n{text}");
        }
    }
}
