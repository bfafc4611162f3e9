//! Writing runs.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Compression, Encoding};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;

use super::SCHEMA;
use crate::atomically::{finish, unfinished};
use crate::error::StoreError;
use crate::runs::Run;

/// A file that is there, under its name, once it is finished.
pub(crate) struct Writer {
    path: PathBuf,
    file: SerializedFileWriter<File>,
    values_per_group: usize,
    pending: Vec<Run>,
    values: usize,
}

impl Writer {
    /// A file at `path` whose row groups are full at `values_per_group` values; fails when it cannot be made.
    pub(crate) fn create(path: &Path, values_per_group: usize) -> Result<Self, StoreError> {
        let unfinished = unfinished(path);
        let file = File::create(&unfinished).map_err(StoreError::file(&unfinished))?;
        let damaged = || StoreError::damaged(path);
        let schema = Arc::new(parse_message_type(SCHEMA).map_err(damaged())?);
        let file =
            SerializedFileWriter::new(file, schema, Arc::new(properties())).map_err(damaged())?;
        Ok(Self { path: path.to_owned(), file, values_per_group, pending: Vec::new(), values: 0 })
    }

    /// Adds the next run in order; fails when the file cannot be written.
    pub(crate) fn add(&mut self, run: Run) -> Result<(), StoreError> {
        let full = self.values >= self.values_per_group;
        if full && self.pending.last().is_some_and(|last| last.workload != run.workload) {
            self.write_group()?;
        }
        self.values += run.values.len();
        self.pending.push(run);
        Ok(())
    }

    /// Writes the rest and gives the file its name; fails when it cannot be written.
    pub(crate) fn finish(mut self) -> Result<(), StoreError> {
        self.write_group()?;
        let file = self.file.into_inner().map_err(StoreError::damaged(&self.path))?;
        file.sync_all().map_err(StoreError::file(&self.path))?;
        finish(&unfinished(&self.path), &self.path).map_err(StoreError::file(&self.path))
    }

    fn write_group(&mut self) -> Result<(), StoreError> {
        let runs = std::mem::take(&mut self.pending);
        self.values = 0;
        if runs.is_empty() {
            return Ok(());
        }
        write_group(&mut self.file, &runs).map_err(StoreError::damaged(&self.path))
    }
}

fn properties() -> WriterProperties {
    let values = ColumnPath::new(["values", "list", "element"].map(str::to_owned).to_vec());
    WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_statistics_truncate_length(None)
        // Usage hardly ever repeats to the last bit.
        .set_column_dictionary_enabled(values.clone(), false)
        .set_column_encoding(values, Encoding::BYTE_STREAM_SPLIT)
        .build()
}

fn write_group(file: &mut SerializedFileWriter<File>, runs: &[Run]) -> Result<(), ParquetError> {
    let mut group = file.next_row_group()?;
    let texts = |of: &dyn Fn(&Run) -> String| -> Vec<ByteArray> {
        runs.iter().map(|run| of(run).into_bytes().into()).collect()
    };
    column::<ByteArrayType>(&mut group, &texts(&|run| run.workload.to_string()), None)?;
    column::<ByteArrayType>(&mut group, &texts(&|run| run.what.metric().to_owned()), None)?;
    column::<ByteArrayType>(&mut group, &texts(&|run| run.what.container().to_owned()), None)?;
    column::<ByteArrayType>(&mut group, &texts(&|run| run.what.subject()), None)?;
    let starts: Vec<i64> = runs.iter().map(|run| run.start).collect();
    column::<Int64Type>(&mut group, &starts, None)?;
    let steps: Vec<i32> = runs.iter().map(|run| run.step.cast_signed()).collect();
    column::<Int32Type>(&mut group, &steps, None)?;
    write_values(&mut group, runs)?;
    group.close()?;
    Ok(())
}

fn write_values(
    group: &mut SerializedRowGroupWriter<'_, File>,
    runs: &[Run],
) -> Result<(), ParquetError> {
    let all = || runs.iter().flat_map(|run| run.values.iter());
    // 2: a value, 1: an element without one; the first of a list begins a row.
    let definition: Vec<i16> = all().map(|value| 1 + i16::from(value.is_some())).collect();
    let lengths = runs.iter().map(|run| run.values.len());
    let repetition: Vec<i16> =
        lengths.flat_map(|length| (0..length).map(|index| i16::from(index > 0))).collect();
    let values: Vec<f64> = all().copied().flatten().collect();
    column::<DoubleType>(group, &values, Some((&definition, &repetition)))
}

fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    values: &[T::T],
    levels: Option<(&[i16], &[i16])>,
) -> Result<(), ParquetError> {
    let missing = || ParquetError::General("the schema has no such column".to_owned());
    let mut column = group.next_column()?.ok_or_else(missing)?;
    let (definition, repetition) = levels.unzip();
    column.typed::<T>().write_batch(values, definition, repetition)?;
    column.close()
}
