//! Reading rows and turning their cells into observations.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use jiff::Timestamp;
use mora_core::WorkloadRef;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;

use super::config::{Column, RecordedConfig};
use super::error::RecordedError;

const INSTANT: &str =
    "an instant; use Unix seconds, as in 1760000400, or RFC 3339, as in 2025-10-09T09:00:00Z";
const AMOUNT: &str = "an amount; use a number that is at least 0, or leave the cell empty where nothing was observed";
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

/// A cell as the file format has it.
#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Empty,
    Text(String),
    Number(f64),
    /// An instant, in seconds since the Unix epoch.
    Instant(f64),
}

/// Gives every row of the file of `config` to `observe`, in order; fails at the first that is not usable.
pub(super) fn read_rows(
    config: &RecordedConfig,
    observe: &mut dyn FnMut(Observation) -> Result<(), RecordedError>,
) -> Result<(), RecordedError> {
    let path = &config.path;
    let name =
        path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let ends = |suffix: &str| name.ends_with(suffix);
    if !(ends(".csv") || ends(".csv.gz") || ends(".parquet")) {
        return Err(RecordedError::Format { path: path.clone() });
    }
    let file =
        File::open(path).map_err(|source| RecordedError::Read { path: path.clone(), source })?;
    if ends(".parquet") {
        return read_parquet(config, file, observe);
    }
    let input: Box<dyn Read> =
        if ends(".gz") { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    read_csv(config, input, observe)
}

fn read_csv(
    config: &RecordedConfig,
    input: Box<dyn Read>,
    observe: &mut dyn FnMut(Observation) -> Result<(), RecordedError>,
) -> Result<(), RecordedError> {
    let broken = |source| RecordedError::Csv { path: config.path.clone(), source };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(input);
    let header: Vec<String> = reader.headers().map_err(broken)?.iter().map(str::to_owned).collect();
    let layout = Layout::new(config, &header)?;
    for record in reader.records() {
        let record = record.map_err(broken)?;
        let line = record.position().map_or(0, csv::Position::line);
        observe(
            layout.observation(line, |index| text_cell(record.get(index).unwrap_or_default()))?,
        )?;
    }
    Ok(())
}

fn text_cell(text: &str) -> Cell {
    if text.is_empty() { Cell::Empty } else { Cell::Text(text.to_owned()) }
}

fn read_parquet(
    config: &RecordedConfig,
    file: File,
    observe: &mut dyn FnMut(Observation) -> Result<(), RecordedError>,
) -> Result<(), RecordedError> {
    let broken =
        |source| RecordedError::Parquet { path: config.path.clone(), source: Box::new(source) };
    let reader = SerializedFileReader::new(file).map_err(broken)?;
    let schema = reader.metadata().file_metadata().schema();
    let header: Vec<String> = schema.get_fields().iter().map(|f| f.name().to_owned()).collect();
    let layout = Layout::new(config, &header)?;
    for (index, row) in reader.get_row_iter(None).map_err(broken)?.enumerate() {
        let row = row.map_err(broken)?;
        let cells: Vec<Cell> =
            row.get_column_iter().map(|(_, field)| parquet_cell(field)).collect();
        let cell = |index: usize| cells.get(index).cloned().unwrap_or(Cell::Empty);
        observe(layout.observation(index as u64 + 1, cell)?)?;
    }
    Ok(())
}

fn parquet_cell(field: &Field) -> Cell {
    match field {
        Field::Null => Cell::Empty,
        Field::Str(text) => text_cell(text.trim()),
        Field::Bytes(bytes) => text_cell(&String::from_utf8_lossy(bytes.data())),
        Field::Byte(value) => Cell::Number(f64::from(*value)),
        Field::Short(value) => Cell::Number(f64::from(*value)),
        Field::Int(value) => Cell::Number(f64::from(*value)),
        Field::Long(value) => Cell::Number(*value as f64),
        Field::UByte(value) => Cell::Number(f64::from(*value)),
        Field::UShort(value) => Cell::Number(f64::from(*value)),
        Field::UInt(value) => Cell::Number(f64::from(*value)),
        Field::ULong(value) => Cell::Number(*value as f64),
        Field::Float16(value) => Cell::Number(value.to_f64()),
        Field::Float(value) => Cell::Number(f64::from(*value)),
        Field::Double(value) => Cell::Number(*value),
        Field::TimestampMillis(value) => Cell::Instant(*value as f64 / 1e3),
        Field::TimestampMicros(value) => Cell::Instant(*value as f64 / 1e6),
        other => Cell::Text(other.to_string()),
    }
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

    fn observation(
        &self,
        line: u64,
        cell: impl Fn(usize) -> Cell,
    ) -> Result<Observation, RecordedError> {
        let name = |place: &Option<Place>| match place.as_ref().map(|place| cell(place.index)) {
            Some(Cell::Text(text)) => Some(text),
            Some(Cell::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let amount = |place: &Option<Place>| match place {
            Some(place) => self.amount(line, place, &cell(place.index)),
            None => Ok(None),
        };
        let workload = self.workload(line, cell(self.workload.index))?;
        Ok(Observation {
            line,
            container: name(&self.container).unwrap_or_else(|| self.config.container.clone()),
            pod: name(&self.pod).unwrap_or_else(|| workload.name().to_owned()),
            second: self.second(line, &cell(self.timestamp.index))?,
            cpu: amount(&self.cpu)?,
            memory: amount(&self.memory)?,
            request_rate: amount(&self.request_rate)?,
            replicas: amount(&self.replicas)?,
            workload,
        })
    }

    fn workload(&self, line: u64, cell: Cell) -> Result<WorkloadRef, RecordedError> {
        let Cell::Text(text) = cell else {
            return Err(self.refuse(line, &self.workload, &cell, NAME));
        };
        let parsed = if text.contains('/') {
            text.parse()
        } else {
            WorkloadRef::deployment(&self.config.namespace, &text)
        };
        parsed.map_err(|source| RecordedError::Workload {
            path: self.config.path.clone(),
            line,
            column: self.workload.name.clone(),
            source,
        })
    }

    fn second(&self, line: u64, cell: &Cell) -> Result<f64, RecordedError> {
        let second = match cell {
            Cell::Instant(second) | Cell::Number(second) => Some(*second),
            Cell::Text(text) => instant_of(text),
            Cell::Empty => None,
        };
        let usable = second.filter(|second| second.is_finite() && second.abs() < TOO_LATE);
        usable.ok_or_else(|| self.refuse(line, &self.timestamp, cell, INSTANT))
    }

    fn amount(&self, line: u64, place: &Place, cell: &Cell) -> Result<Option<f64>, RecordedError> {
        let number = match cell {
            Cell::Empty => return Ok(None),
            Cell::Number(number) => Some(*number),
            Cell::Text(text) => text.parse::<f64>().ok(),
            Cell::Instant(_) => None,
        };
        match number {
            Some(number) if !number.is_finite() => Ok(None),
            Some(number) if number >= 0.0 => Ok(Some(number * place.scale)),
            _ => Err(self.refuse(line, place, cell, AMOUNT)),
        }
    }

    fn refuse(
        &self,
        line: u64,
        place: &Place,
        cell: &Cell,
        accepted: &'static str,
    ) -> RecordedError {
        let text = match cell {
            Cell::Empty => String::new(),
            Cell::Text(text) => text.clone(),
            Cell::Number(number) | Cell::Instant(number) => number.to_string(),
        };
        let (path, column) = (self.config.path.clone(), place.name.clone());
        RecordedError::Cell { path, line, column, text, accepted }
    }
}

/// Seconds since the Unix epoch of a number of them or of an RFC 3339 text.
fn instant_of(text: &str) -> Option<f64> {
    let number = text.parse::<f64>().ok();
    number.or_else(|| {
        let timestamp: Timestamp = text.parse().ok()?;
        Some(timestamp.as_second() as f64 + f64::from(timestamp.subsec_nanosecond()) / 1e9)
    })
}
