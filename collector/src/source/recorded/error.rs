//! Why a recording cannot be used.

use std::path::PathBuf;

use mora_core::WorkloadError;
use thiserror::Error;

/// Why a recording cannot be used.
#[derive(Debug, Error)]
pub enum RecordedError {
    /// The file cannot be opened or read.
    #[error("cannot read the recording {}; check that it is there and may be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is neither CSV nor Parquet by its name.
    #[error("{} has a name that says no known format; use .csv, .csv.gz or .parquet", path.display())]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// The CSV is broken.
    #[error("{} is not well-formed CSV; mend the line named below", path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: csv::Error,
    },
    /// The Parquet is broken.
    #[error("{} is not Parquet that can be read; write it again, uncompressed or with snappy", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<parquet::errors::ParquetError>,
    },
    /// A column is not there.
    #[error(
        "{} has no column `{column}`, but {present}; name the right one in source.recorded.columns.{key}",
        path.display()
    )]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// The column looked for.
        column: String,
        /// The configuration key that names it.
        key: &'static str,
        /// The columns that are there.
        present: String,
    },
    /// A cell cannot be understood.
    #[error("{}, line {line}, column `{column}`: `{text}` is not {accepted}", path.display())]
    Cell {
        /// The file.
        path: PathBuf,
        /// Line of a CSV, the header being the first; row of a Parquet file, from 1.
        line: u64,
        /// The column.
        column: String,
        /// What stands there.
        text: String,
        /// What could stand there.
        accepted: &'static str,
    },
    /// A workload is not named as Kubernetes would.
    #[error("{}, line {line}, column `{column}`: no workload can be named so", path.display())]
    Workload {
        /// The file.
        path: PathBuf,
        /// Line of a CSV, the header being the first; row of a Parquet file, from 1.
        line: u64,
        /// The column.
        column: String,
        /// Why.
        #[source]
        source: WorkloadError,
    },
    /// Two rows are about the same instant.
    #[error(
        "{}, line {second}: the same workload, container, pod and instant as line {first}; remove one, or name the column that tells them apart in source.recorded.columns",
        path.display()
    )]
    Duplicate {
        /// The file.
        path: PathBuf,
        /// The earlier line.
        first: u64,
        /// The later line.
        second: u64,
    },
    /// There is a header at most.
    #[error("{} holds no rows; record something first", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}
