//! Turning the rows of a recording into observations.

use std::path::Path;

use mora_core::WorkloadRef;

use super::config::{Column, RecordedConfig};
use super::error::RecordedError;
use super::tidy::{Row, TidyFile};

const NAME: &str = "a name; write the workload's name in every row";
/// Seconds after which a number must be milliseconds: the year 5138.
const TOO_LATE: f64 = 1e11;

/// One row, checked.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Observation {
    /// Line of a CSV, the header being the first; row of a Parquet file, from 1.
    pub(super) line: u64,
    pub(super) workload: WorkloadRef,
    pub(super) container: String,
    pub(super) pod: String,
    pub(super) second: f64,
    pub(super) cpu: Option<f64>,
    pub(super) memory: Option<f64>,
    pub(super) request_rate: Option<f64>,
    pub(super) replicas: Option<f64>,
}

/// Gives every row of the file of `config` to `observe`, in order; fails at the first that is not usable.
pub(super) fn read_rows(
    config: &RecordedConfig,
    observe: &mut dyn FnMut(Observation) -> Result<(), RecordedError>,
) -> Result<(), RecordedError> {
    let file = TidyFile::new(&config.path)?;
    let layout = Layout::new(config, &file.columns()?)?;
    file.visit(&mut |row| observe(layout.observation(row)?))
}

/// Where each thing stands in a row.
struct Layout<'a> {
    config: &'a RecordedConfig,
    workload: Place,
    timestamp: Place,
    container: Option<Place>,
    pod: Option<Place>,
    cpu: Option<Place>,
    memory: Option<Place>,
    request_rate: Option<Place>,
    replicas: Option<Place>,
}

struct Place {
    index: usize,
    name: String,
    scale: f64,
}

/// The header of a file.
struct Header<'a> {
    path: &'a Path,
    names: &'a [String],
}

impl Header<'_> {
    fn required(
        &self,
        named: Option<&str>,
        default: &str,
        key: &'static str,
    ) -> Result<Place, RecordedError> {
        let column = named.unwrap_or(default);
        let place = self.names.iter().position(|name| name == column);
        place.map(|index| Place { index, name: column.to_owned(), scale: 1.0 }).ok_or_else(|| {
            RecordedError::MissingColumn {
                path: self.path.to_owned(),
                column: column.to_owned(),
                key,
                present: self.names.join(", "),
            }
        })
    }

    fn optional(
        &self,
        named: Option<&str>,
        default: &str,
        key: &'static str,
    ) -> Result<Option<Place>, RecordedError> {
        match self.required(named, default, key) {
            Err(_) if named.is_none() => Ok(None),
            place => place.map(Some),
        }
    }

    fn scaled(
        &self,
        named: Option<&Column>,
        default: &str,
        key: &'static str,
    ) -> Result<Option<Place>, RecordedError> {
        let place = self.optional(named.map(|column| column.name.as_str()), default, key)?;
        let scale = named.map_or(1.0, |column| column.scale);
        Ok(place.map(|place| Place { scale, ..place }))
    }
}

impl<'a> Layout<'a> {
    fn new(config: &'a RecordedConfig, names: &[String]) -> Result<Self, RecordedError> {
        let header = Header { path: &config.path, names };
        let columns = &config.columns;
        let layout = Self {
            config,
            workload: header.required(columns.workload.as_deref(), "workload", "workload")?,
            timestamp: header.required(columns.timestamp.as_deref(), "ts", "timestamp")?,
            container: header.optional(columns.container.as_deref(), "container", "container")?,
            pod: header.optional(columns.pod.as_deref(), "pod", "pod")?,
            cpu: header.scaled(columns.cpu.as_ref(), "cpu_cores", "cpu")?,
            memory: header.scaled(columns.memory.as_ref(), "memory_bytes", "memory")?,
            request_rate: header.scaled(
                columns.request_rate.as_ref(),
                "request_rate",
                "request_rate",
            )?,
            replicas: header.scaled(columns.replicas.as_ref(), "replicas", "replicas")?,
        };
        if layout.cpu.is_none() && layout.memory.is_none() && layout.request_rate.is_none() {
            header.required(None, "cpu_cores", "cpu")?;
        }
        Ok(layout)
    }

    fn observation(&self, row: &Row<'_>) -> Result<Observation, RecordedError> {
        let name = |place: &Option<Place>| place.as_ref().and_then(|place| row.text(place.index));
        let amount = |place: &Option<Place>| {
            let Some(place) = place else { return Ok(None) };
            Ok(row.amount(place.index)?.map(|amount| amount * place.scale))
        };
        let workload = self.workload(row)?;
        Ok(Observation {
            line: row.line(),
            container: name(&self.container).unwrap_or_else(|| self.config.container.clone()),
            pod: name(&self.pod).unwrap_or_else(|| workload.name().to_owned()),
            second: self.second(row)?,
            cpu: amount(&self.cpu)?,
            memory: amount(&self.memory)?,
            request_rate: amount(&self.request_rate)?,
            replicas: amount(&self.replicas)?,
            workload,
        })
    }

    fn workload(&self, row: &Row<'_>) -> Result<WorkloadRef, RecordedError> {
        let place = &self.workload;
        let text = row.written(place.index).ok_or_else(|| row.refuse(place.index, NAME))?;
        let parsed = if text.contains('/') {
            text.parse()
        } else {
            WorkloadRef::deployment(&self.config.namespace, text)
        };
        parsed.map_err(|source| RecordedError::Workload {
            path: self.config.path.clone(),
            line: row.line(),
            column: place.name.clone(),
            source,
        })
    }

    fn second(&self, row: &Row<'_>) -> Result<f64, RecordedError> {
        let column = self.timestamp.index;
        let second = row.instant(column)?;
        if second.abs() < TOO_LATE { Ok(second) } else { Err(row.refuse_instant(column)) }
    }
}
