//! Recorded series: tidy CSV, gzip-compressed CSV, and Parquet.

mod config;
mod error;
mod rows;
mod table;
mod tidy;

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use mora_core::Dataset;

use super::{Lookback, MetricsSource, SourceError};
use rows::read_rows;
use table::Table;

pub use config::{Column, RecordedColumns, RecordedConfig};
pub use error::RecordedError;
pub use tidy::{Row, TidyFile};

/// A file that was read and checked whole.
#[derive(Debug, Clone)]
pub struct RecordedSource {
    config: RecordedConfig,
    table: Arc<Table>,
}

impl RecordedSource {
    /// Reads the file of `config`.
    ///
    /// Fails at the first row that cannot be used, and when a column is missing or nothing is in the file.
    pub fn open(config: RecordedConfig) -> Result<Self, RecordedError> {
        let mut table = Table::default();
        read_rows(&config, &mut |row| table.insert(&config, row))?;
        if table.span().is_none() {
            return Err(RecordedError::Empty { path: config.path });
        }
        Ok(Self { config, table: Arc::new(table) })
    }

    /// The first and the last instant in the file.
    #[must_use]
    pub fn span(&self) -> (Timestamp, Timestamp) {
        let (first, last) = self.table.span().unwrap_or((0.0, 0.0));
        let instant =
            |second: f64| Timestamp::from_second(second.floor() as i64).unwrap_or(Timestamp::MAX);
        (instant(first), instant(last))
    }

    fn datasets(&self, lookback: &Lookback) -> Result<Vec<Dataset>, SourceError> {
        let datasets = self.table.datasets(lookback);
        if !datasets.is_empty() {
            return Ok(datasets);
        }
        let (first, last) = self.span();
        let path = self.config.path.display();
        let hint = format!(
            "{path} holds {first} to {last}, the lookback asks for {} to {}; end the lookback within the recording",
            lookback.from, lookback.to
        );
        Err(SourceError::NoData { namespace: self.config.namespace.clone(), hint })
    }
}

impl MetricsSource for RecordedSource {
    fn collect<'a>(
        &'a self,
        lookback: &'a Lookback,
    ) -> BoxFuture<'a, Result<Vec<Dataset>, SourceError>> {
        async move { self.datasets(lookback) }.boxed()
    }

    fn describe(&self) -> String {
        format!("the recording {}", self.config.path.display())
    }

    fn newest(&self, now: Timestamp) -> Timestamp {
        let after_last = self.span().1.saturating_add(jiff::SignedDuration::from_secs(1));
        after_last.unwrap_or(Timestamp::MAX).min(now)
    }
}

#[cfg(test)]
mod tests;
