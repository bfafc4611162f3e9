//! Why a collection failed.

use mora_core::QualityGatesError;
use mora_runtime::TlsError;
use mora_store::StoreError;
use thiserror::Error;

use crate::SourceError;

/// Why a collection failed.
#[derive(Debug, Error)]
pub enum CollectError {
    /// The source cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// What was collected cannot be kept.
    #[error("what was collected cannot be kept")]
    Store(#[from] StoreError),
    /// A quality gate cannot be kept or broken.
    #[error("the configuration of `quality` cannot be used")]
    Quality(#[source] QualityGatesError),
    /// The certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The configuration cannot be used.
    #[error("configuration key `{key}`: {problem}")]
    Setting {
        /// The key.
        key: &'static str,
        /// What is wrong with it and what to write instead.
        problem: String,
    },
}
