//! Why the store cannot be used.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use parquet::errors::ParquetError;
use thiserror::Error;

/// Why the store cannot be used.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another process writes to it.
    #[error("the store {} is in use by another process; stop that collector, or ask it with `mora export`", .0.display())]
    InUse(PathBuf),
    /// A file or folder cannot be read or written.
    #[error("{} cannot be read or written; check its permissions and the space left", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The manifest is not one.
    #[error("{} is no manifest of a store ({problem}); restore it from a backup, or move the store away to collect anew", path.display())]
    Manifest {
        /// Its path.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A file of series cannot be understood.
    #[error("{} is damaged; restore it from a backup, or move the store away to collect anew", path.display())]
    Damaged {
        /// Its path.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: ParquetError,
    },
    /// A chunk does not follow what was collected before.
    #[error("the chunk from {from} to {until} of `{scope}` was not stored: {problem}")]
    Chunk {
        /// Whose.
        scope: String,
        /// Its start.
        from: Timestamp,
        /// Its end.
        until: Timestamp,
        /// What is wrong with it.
        problem: String,
    },
}

impl StoreError {
    /// The error of an operation on `path`.
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }

    /// The error of reading or writing series in `path`.
    pub(crate) fn damaged(path: &Path) -> impl FnOnce(ParquetError) -> Self {
        let path = path.to_owned();
        move |source| match source {
            ParquetError::External(source) if source.is::<io::Error>() => match source.downcast() {
                Ok(source) => Self::File { path, source: *source },
                Err(source) => Self::Damaged { path, source: ParquetError::External(source) },
            },
            source => Self::Damaged { path, source },
        }
    }
}
