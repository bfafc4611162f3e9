//! Tables as Parquet, without knowing what is in them.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, Type as PhysicalType};
use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

/// The values of one column.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Column {
    Text(Vec<String>),
    Integer(Vec<i64>),
    /// Missing numbers are null.
    Real(Vec<Option<f64>>),
}

/// Columns of one length with their names.
pub(super) type Table = Vec<(String, Column)>;

/// The table as the bytes of a Parquet file, the same for the same table.
pub(super) fn encode(table: &Table) -> Result<Vec<u8>, ParquetError> {
    let fields = table.iter().map(|(name, column)| match column {
        Column::Text(_) => format!("required binary {name} (STRING);"),
        Column::Integer(_) => format!("required int64 {name};"),
        Column::Real(_) => format!("optional double {name};"),
    });
    let schema = format!("message mora_evaluation {{ {} }}", fields.collect::<String>());
    let schema = Arc::new(parse_message_type(&schema)?);
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
    let mut group = file.next_row_group()?;
    for (_, column) in table {
        match column {
            Column::Text(values) => {
                let values: Vec<ByteArray> = values.iter().map(|v| v.as_str().into()).collect();
                write::<ByteArrayType>(&mut group, &values, None)?;
            }
            Column::Integer(values) => write::<Int64Type>(&mut group, values, None)?,
            Column::Real(values) => {
                let levels: Vec<i16> = values.iter().map(|v| i16::from(v.is_some())).collect();
                let values: Vec<f64> = values.iter().copied().flatten().collect();
                write::<DoubleType>(&mut group, &values, Some(&levels))?;
            }
        }
    }
    group.close()?;
    file.into_inner()
}

fn write<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    values: &[T::T],
    levels: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let missing = || ParquetError::General("the schema has no such column".to_owned());
    let mut column = group.next_column()?.ok_or_else(missing)?;
    column.typed::<T>().write_batch(values, levels, None)?;
    column.close()
}

/// The table in the Parquet file at `path`.
///
/// Fails when it is missing, damaged, or holds columns of another kind.
pub(super) fn read(path: &Path) -> Result<Table, ParquetError> {
    let file = File::open(path).map_err(|error| ParquetError::External(Box::new(error)))?;
    let file = SerializedFileReader::new(file)?;
    let schema = file.metadata().file_metadata().schema_descr_ptr();
    let mut table: Table = Vec::new();
    for index in 0..file.num_row_groups() {
        let group = file.get_row_group(index)?;
        for (place, column) in schema.columns().iter().enumerate() {
            let part = part(group.as_ref(), place, column.physical_type())?;
            if index == 0 {
                table.push((column.name().to_owned(), part));
            } else {
                append(&mut table[place].1, part);
            }
        }
    }
    Ok(table)
}

fn append(column: &mut Column, part: Column) {
    match (column, part) {
        (Column::Text(all), Column::Text(more)) => all.extend(more),
        (Column::Integer(all), Column::Integer(more)) => all.extend(more),
        (Column::Real(all), Column::Real(more)) => all.extend(more),
        // A column has one kind in all row groups of a file.
        _ => {}
    }
}

fn part(
    group: &dyn RowGroupReader,
    place: usize,
    kind: PhysicalType,
) -> Result<Column, ParquetError> {
    match kind {
        PhysicalType::BYTE_ARRAY => {
            let (bytes, _) = values::<ByteArrayType>(group, place)?;
            let texts = bytes.iter().map(|bytes| Ok(bytes.as_utf8()?.to_owned()));
            texts.collect::<Result<_, ParquetError>>().map(Column::Text)
        }
        PhysicalType::INT64 => Ok(Column::Integer(values::<Int64Type>(group, place)?.0)),
        PhysicalType::DOUBLE => {
            let (values, levels) = values::<DoubleType>(group, place)?;
            let mut values = values.into_iter();
            let cell = |level: &i16| if *level > 0 { values.next() } else { None };
            Ok(Column::Real(levels.iter().map(cell).collect()))
        }
        other => Err(ParquetError::General(format!("a column holds {other}"))),
    }
}

fn values<T: DataType>(
    group: &dyn RowGroupReader,
    place: usize,
) -> Result<(Vec<T::T>, Vec<i16>), ParquetError> {
    let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
    let mut reader = get_typed_column_reader::<T>(group.get_column_reader(place)?);
    let (mut values, mut levels) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    reader.read_records(rows, Some(&mut levels), None, &mut values)?;
    Ok((values, levels))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_to_the_last_bit_and_the_bytes_are_the_same() {
        let table: Table = vec![
            ("name".to_owned(), Column::Text(vec!["a".to_owned(), String::new(), "ä".to_owned()])),
            ("seed".to_owned(), Column::Integer(vec![1, -2, i64::MAX])),
            ("x".to_owned(), Column::Real(vec![Some(0.1 + 0.2), None, Some(-0.0)])),
        ];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.parquet");
        let bytes = encode(&table).unwrap();
        assert_eq!(bytes, encode(&table).unwrap());
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(read(&path).unwrap(), table);
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        assert!(read(&path).is_err());
    }
}
