//! Where measurements come from.

use futures::future::BoxFuture;
use mora_core::{Dataset, Lookback};

/// An error of what stands behind a trait of this crate.
pub type Foreign = Box<dyn std::error::Error + Send + Sync>;

/// Something that knows what was used.
pub trait Measure: Send + Sync {
    /// What was observed of every workload in `namespace` at the `expected` instants, ordered by workload.
    ///
    /// Fails when nothing answers, or nothing was observed at all.
    fn datasets<'a>(
        &'a self,
        namespace: &'a str,
        expected: &'a Lookback,
    ) -> BoxFuture<'a, Result<Vec<Dataset>, Foreign>>;

    /// Where the measurements come from, for people; no secrets.
    fn describe(&self) -> String;
}
