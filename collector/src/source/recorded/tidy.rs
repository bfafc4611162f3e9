//! Tidy files of any kind: a header, then rows of cells.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use jiff::Timestamp;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;

use super::error::RecordedError;

const INSTANT: &str =
    "an instant; use Unix seconds, as in 1760000400, or RFC 3339, as in 2025-10-09T09:00:00Z";
const AMOUNT: &str = "an amount; use a number that is at least 0, or leave the cell empty where nothing was observed";

/// A tidy CSV, gzip-compressed CSV or Parquet file: named columns, and one observation per row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TidyFile {
    path: PathBuf,
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    Gzip,
    Parquet,
}

/// One row of a [`TidyFile`]; columns are counted from 0.
#[derive(Debug)]
pub struct Row<'a> {
    path: &'a Path,
    names: &'a [String],
    line: u64,
    cells: &'a [Cell],
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

/// What is done with each row.
type Visit<'a> = dyn FnMut(&Row<'_>) -> Result<(), RecordedError> + 'a;

impl TidyFile {
    /// The file at `path`; fails when its name does not end in `.csv`, `.csv.gz` or `.parquet`.
    pub fn new(path: &Path) -> Result<Self, RecordedError> {
        let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase());
        let ends = |suffix: &str| name.as_ref().is_some_and(|name| name.ends_with(suffix));
        let format = match () {
            () if ends(".csv") => Format::Csv,
            () if ends(".csv.gz") => Format::Gzip,
            () if ends(".parquet") => Format::Parquet,
            () => return Err(RecordedError::Format { path: path.to_owned() }),
        };
        Ok(Self { path: path.to_owned(), format })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of its columns, in order; fails when it cannot be read.
    pub fn columns(&self) -> Result<Vec<String>, RecordedError> {
        if self.format == Format::Parquet {
            return Ok(names_of(&self.parquet()?));
        }
        self.header(&mut self.csv()?)
    }

    /// Shows every row to `visit`, in order; fails at the first that is broken or that `visit` refuses.
    pub fn visit(&self, visit: &mut Visit<'_>) -> Result<(), RecordedError> {
        if self.format == Format::Parquet {
            self.visit_parquet(visit)
        } else {
            self.visit_csv(visit)
        }
    }

    fn open(&self) -> Result<File, RecordedError> {
        let refused = |source| RecordedError::Read { path: self.path.clone(), source };
        File::open(&self.path).map_err(refused)
    }

    fn csv(&self) -> Result<csv::Reader<Box<dyn Read>>, RecordedError> {
        let file = self.open()?;
        let zipped = self.format == Format::Gzip;
        let input: Box<dyn Read> =
            if zipped { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
        Ok(csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(input))
    }

    fn header(
        &self,
        reader: &mut csv::Reader<Box<dyn Read>>,
    ) -> Result<Vec<String>, RecordedError> {
        let header = reader.headers().map_err(|source| self.broken_csv(source))?;
        Ok(header.iter().map(str::to_owned).collect())
    }

    fn visit_csv(&self, visit: &mut Visit<'_>) -> Result<(), RecordedError> {
        let mut reader = self.csv()?;
        let names = self.header(&mut reader)?;
        for record in reader.records() {
            let record = record.map_err(|source| self.broken_csv(source))?;
            let line = record.position().map_or(0, csv::Position::line);
            let cells: Vec<Cell> = record.iter().map(text_cell).collect();
            visit(&Row { path: &self.path, names: &names, line, cells: &cells })?;
        }
        Ok(())
    }

    fn parquet(&self) -> Result<SerializedFileReader<File>, RecordedError> {
        SerializedFileReader::new(self.open()?).map_err(|source| self.broken_parquet(source))
    }

    fn visit_parquet(&self, visit: &mut Visit<'_>) -> Result<(), RecordedError> {
        let broken = |source| self.broken_parquet(source);
        let reader = self.parquet()?;
        let names = names_of(&reader);
        for (index, row) in reader.get_row_iter(None).map_err(broken)?.enumerate() {
            let row = row.map_err(broken)?;
            let cells: Vec<Cell> =
                row.get_column_iter().map(|(_, field)| parquet_cell(field)).collect();
            let line = index as u64 + 1;
            visit(&Row { path: &self.path, names: &names, line, cells: &cells })?;
        }
        Ok(())
    }

    fn broken_csv(&self, source: csv::Error) -> RecordedError {
        RecordedError::Csv { path: self.path.clone(), source }
    }

    fn broken_parquet(&self, source: parquet::errors::ParquetError) -> RecordedError {
        RecordedError::Parquet { path: self.path.clone(), source: Box::new(source) }
    }
}

impl Row<'_> {
    /// Line of a CSV, the header being the first; row of a Parquet file, from 1.
    #[must_use]
    pub const fn line(&self) -> u64 {
        self.line
    }

    /// The text in `column`; a number as it is written; `None` where the cell is empty or an instant.
    #[must_use]
    pub fn text(&self, column: usize) -> Option<String> {
        match self.cell(column) {
            Cell::Text(text) => Some(text.clone()),
            Cell::Number(number) => Some(number.to_string()),
            Cell::Empty | Cell::Instant(_) => None,
        }
    }

    /// The instant in `column`, in seconds since the Unix epoch; a number is taken as it stands.
    ///
    /// Fails when the cell is empty or is neither a number nor RFC 3339.
    pub fn instant(&self, column: usize) -> Result<f64, RecordedError> {
        let second = match self.cell(column) {
            Cell::Instant(second) | Cell::Number(second) => Some(*second),
            Cell::Text(text) => instant_of(text),
            Cell::Empty => None,
        };
        second.filter(|second| second.is_finite()).ok_or_else(|| self.refuse_instant(column))
    }

    /// The amount in `column`, at least 0; `None` where it is empty or not finite.
    ///
    /// Fails when the cell is no number, or negative.
    pub fn amount(&self, column: usize) -> Result<Option<f64>, RecordedError> {
        let number = match self.cell(column) {
            Cell::Empty => return Ok(None),
            Cell::Number(number) => Some(*number),
            Cell::Text(text) => text.parse::<f64>().ok(),
            Cell::Instant(_) => None,
        };
        match number {
            Some(number) if !number.is_finite() => Ok(None),
            Some(number) if number >= 0.0 => Ok(Some(number)),
            _ => Err(self.refuse(column, AMOUNT)),
        }
    }

    /// The error that the instant in `column` cannot be used.
    pub(super) fn refuse_instant(&self, column: usize) -> RecordedError {
        self.refuse(column, INSTANT)
    }

    /// The error that the cell in `column` is not `accepted`.
    pub(super) fn refuse(&self, column: usize, accepted: &'static str) -> RecordedError {
        let text = match self.cell(column) {
            Cell::Empty => String::new(),
            Cell::Text(text) => text.clone(),
            Cell::Number(number) | Cell::Instant(number) => number.to_string(),
        };
        let column = self.names.get(column).cloned().unwrap_or_default();
        let (path, line) = (self.path.to_owned(), self.line);
        RecordedError::Cell { path, line, column, text, accepted }
    }

    /// Whether the cell in `column` is text, and which.
    pub(super) fn written(&self, column: usize) -> Option<&str> {
        match self.cell(column) {
            Cell::Text(text) => Some(text),
            _ => None,
        }
    }

    fn cell(&self, column: usize) -> &Cell {
        self.cells.get(column).unwrap_or(&Cell::Empty)
    }
}

fn names_of(reader: &SerializedFileReader<File>) -> Vec<String> {
    let schema = reader.metadata().file_metadata().schema();
    schema.get_fields().iter().map(|field| field.name().to_owned()).collect()
}

fn text_cell(text: &str) -> Cell {
    if text.is_empty() { Cell::Empty } else { Cell::Text(text.to_owned()) }
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

/// Seconds since the Unix epoch of a number of them or of an RFC 3339 text.
fn instant_of(text: &str) -> Option<f64> {
    let number = text.parse::<f64>().ok();
    number.or_else(|| {
        let timestamp: Timestamp = text.parse().ok()?;
        Some(timestamp.as_second() as f64 + f64::from(timestamp.subsec_nanosecond()) / 1e9)
    })
}
