//! A cell's dataset as a tidy table, in CSV and in Parquet.

use std::io;
use std::sync::Arc;

use jiff::Timestamp;
use mora_core::{Dataset, Series};
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use thiserror::Error;

use crate::Cell;

/// The columns, in order. A row is one value of one metric; `pod` and `container` are empty for what is measured of the workload
/// as a whole.
pub const EXPORT_COLUMNS: [&str; 10] = [
    "time",
    "scenario",
    "replicas",
    "users",
    "workload",
    "pod",
    "container",
    "metric",
    "value",
    "unit",
];

const SCHEMA: &str = "message experiment {
    required int64 time (TIMESTAMP(MILLIS,true));
    required binary scenario (STRING);
    required int32 replicas (INTEGER(32,false));
    required int32 users (INTEGER(32,false));
    required binary workload (STRING);
    required binary pod (STRING);
    required binary container (STRING);
    required binary metric (STRING);
    required double value;
    required binary unit (STRING);
}";

/// Why a dataset cannot be written.
#[derive(Debug, Error)]
pub enum ExportError {
    /// As CSV.
    #[error("the dataset cannot be written as CSV")]
    Csv(#[from] csv::Error),
    /// As Parquet.
    #[error("the dataset cannot be written as Parquet")]
    Parquet(#[from] ParquetError),
    /// To the disk.
    #[error("the dataset cannot be written; free some space")]
    Io(#[from] io::Error),
}

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    time: Timestamp,
    workload: String,
    pod: String,
    container: String,
    metric: &'static str,
    value: f64,
    unit: &'static str,
}

/// Every observed value of `datasets`, gaps left out, in the order of workload, metric, pod and time.
pub(crate) fn rows(datasets: &[Dataset]) -> Vec<Row> {
    let mut rows = Vec::new();
    for dataset in datasets {
        let mut add = |place: (&str, &str), metric: (&'static str, &'static str), of: &Series| {
            let row = |(index, value): (usize, &Option<f64>)| {
                Some(Row {
                    time: of.time(index),
                    workload: dataset.workload.to_string(),
                    pod: place.0.to_owned(),
                    container: place.1.to_owned(),
                    metric: metric.0,
                    value: (*value)?,
                    unit: metric.1,
                })
            };
            rows.extend(of.values().iter().enumerate().filter_map(row));
        };
        for (container, usage) in &dataset.containers {
            for (pod, series) in &usage.cpu {
                add((pod, container), ("cpu", "cores"), series);
            }
            for (pod, series) in &usage.memory {
                add((pod, container), ("memory", "bytes"), series);
            }
        }
        let whole = [
            (("request_rate", "1/s"), &dataset.request_rate),
            (("replicas", "pods"), &dataset.replicas),
        ];
        for (metric, series) in whole {
            if let Some(series) = series {
                add(("", ""), metric, series);
            }
        }
        for (indicator, series) in &dataset.indicators {
            add(("", ""), (indicator.as_str(), indicator.unit()), series);
        }
    }
    rows
}

/// `rows` of `cell` as CSV with a header; times are RFC 3339.
pub(crate) fn csv(cell: &Cell, rows: &[Row]) -> Result<Vec<u8>, ExportError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(EXPORT_COLUMNS)?;
    let (replicas, users) = (cell.replicas.to_string(), cell.users.to_string());
    for row in rows {
        writer.write_record([
            &row.time.to_string(),
            &cell.scenario,
            &replicas,
            &users,
            &row.workload,
            &row.pod,
            &row.container,
            row.metric,
            &row.value.to_string(),
            row.unit,
        ])?;
    }
    Ok(writer.into_inner().map_err(csv::IntoInnerError::into_error)?)
}

/// `rows` of `cell` as Parquet, compressed with Snappy.
pub(crate) fn parquet(cell: &Cell, rows: &[Row]) -> Result<Vec<u8>, ExportError> {
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
    let mut group = writer.next_row_group()?;
    let numbers = |value: u32| vec![value as i32; rows.len()];
    let times: Vec<i64> = rows.iter().map(|row| row.time.as_millisecond()).collect();
    let values: Vec<f64> = rows.iter().map(|row| row.value).collect();
    column::<Int64Type>(&mut group, &times)?;
    texts(&mut group, rows, |_| &cell.scenario)?;
    column::<Int32Type>(&mut group, &numbers(cell.replicas))?;
    column::<Int32Type>(&mut group, &numbers(cell.users))?;
    texts(&mut group, rows, |row| &row.workload)?;
    texts(&mut group, rows, |row| &row.pod)?;
    texts(&mut group, rows, |row| &row.container)?;
    texts(&mut group, rows, |row| row.metric)?;
    column::<DoubleType>(&mut group, &values)?;
    texts(&mut group, rows, |row| row.unit)?;
    group.close()?;
    Ok(writer.into_inner()?)
}

fn texts<'a>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    rows: &'a [Row],
    text: impl Fn(&'a Row) -> &'a str,
) -> Result<(), ParquetError> {
    let values: Vec<ByteArray> = rows.iter().map(|row| ByteArray::from(text(row))).collect();
    column::<ByteArrayType>(group, &values)
}

fn column<T: parquet::data_type::DataType>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    values: &[T::T],
) -> Result<(), ParquetError> {
    // The schema has as many columns as are written here.
    let missing = || ParquetError::General("a column more than the schema has".to_owned());
    let mut column = group.next_column()?.ok_or_else(missing)?;
    column.typed::<T>().write_batch(values, None, None)?;
    column.close()
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;

    use super::*;
    use crate::gates::tests::{dataset, five_minutes};

    fn cell() -> Cell {
        Cell { scenario: "browsing".to_owned(), replicas: 2, users: 50 }
    }

    fn two_workloads() -> Vec<Dataset> {
        let expected = five_minutes();
        let mut frontend = dataset("shop/frontend", 2, 0.25, &expected);
        let rate = vec![Some(3.0), None, Some(5.0)];
        frontend.request_rate = Series::new(expected.from, expected.step, rate).ok();
        vec![dataset("shop/cart", 1, 0.125, &expected), frontend]
    }

    #[test]
    fn csv_and_parquet_hold_the_same_rows_and_no_gap() {
        let rows = rows(&two_workloads());
        assert_eq!(rows.len(), 20 * 2 + 20 * 4 + 2);
        let text = String::from_utf8(csv(&cell(), &rows).unwrap()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], EXPORT_COLUMNS.join(","));
        assert_eq!(
            lines[1],
            "1970-01-01T00:00:00Z,browsing,2,50,shop/Deployment/cart,pod-0,server,cpu,0.125,cores"
        );
        assert_eq!(
            *lines.last().unwrap(),
            "1970-01-01T00:00:30Z,browsing,2,50,shop/Deployment/frontend,,,request_rate,5,1/s"
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.parquet");
        std::fs::write(&path, parquet(&cell(), &rows).unwrap()).unwrap();
        let reader = SerializedFileReader::new(std::fs::File::open(path).unwrap()).unwrap();
        let read: Vec<String> = reader
            .get_row_iter(None)
            .unwrap()
            .map(|row| {
                let row = row.unwrap();
                row.get_column_iter()
                    .map(|(_, field)| as_in_csv(field))
                    .collect::<Vec<_>>()
                    .join(",")
            })
            .collect();
        assert_eq!(read, lines[1..]);
    }

    fn as_in_csv(field: &Field) -> String {
        match field {
            Field::TimestampMillis(time) => Timestamp::from_millisecond(*time).unwrap().to_string(),
            Field::Str(text) => text.clone(),
            Field::UInt(number) => number.to_string(),
            Field::Double(value) => value.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nothing_observed_is_a_table_without_rows() {
        let empty = rows(&[]);
        assert_eq!(csv(&cell(), &empty).unwrap(), (EXPORT_COLUMNS.join(",") + "\n").into_bytes());
        assert!(parquet(&cell(), &empty).unwrap().starts_with(b"PAR1"));
    }
}
