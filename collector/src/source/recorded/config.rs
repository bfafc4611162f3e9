//! What a recording looks like.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A recorded file and how to read it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecordedConfig {
    /// The file; its name ends in `.csv`, `.csv.gz` or `.parquet`.
    pub path: PathBuf,
    /// Namespace of workloads the file names without one.
    pub namespace: String,
    /// Container of rows that name none.
    pub container: String,
    /// Which column holds what.
    pub columns: RecordedColumns,
}

/// The columns of a recording.
///
/// A column that is not named here is looked for under its default name, and may be absent unless it is
/// the workload or the timestamp; a column that is named must be there.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecordedColumns {
    /// Workload, as `name`, `namespace/name` or `namespace/Kind/name`; by default `workload`.
    pub workload: Option<String>,
    /// Instant, in Unix seconds or RFC 3339; by default `ts`.
    pub timestamp: Option<String>,
    /// Container; by default `container`.
    pub container: Option<String>,
    /// Pod; by default `pod`. Rows without one are those of a single pod with the workload's name.
    pub pod: Option<String>,
    /// CPU usage; cores after scaling; by default `cpu_cores`.
    pub cpu: Option<Column>,
    /// Memory working set; bytes after scaling; by default `memory_bytes`.
    pub memory: Option<Column>,
    /// Requests received per second, after scaling; by default `request_rate`.
    pub request_rate: Option<Column>,
    /// Ready replicas of the workload, after scaling; by default `replicas`.
    pub replicas: Option<Column>,
}

/// A column of numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its name in the file.
    pub name: String,
    /// Factor on its values: 0.001 for millicores, 1048576 for MiB.
    #[serde(default = "one")]
    pub scale: f64,
}

const fn one() -> f64 {
    1.0
}

impl Default for RecordedConfig {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            namespace: "default".to_owned(),
            container: "main".to_owned(),
            columns: RecordedColumns::default(),
        }
    }
}
