//! Reading runs.

use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::path::{Path, PathBuf};

use mora_core::WorkloadRef;
use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::file::statistics::Statistics;

use crate::error::StoreError;
use crate::runs::Run;
use crate::what::What;

/// The runs of a file in order, a row group in memory at a time.
pub(crate) struct Reader {
    path: PathBuf,
    file: SerializedFileReader<File>,
    next_group: usize,
    pending: VecDeque<Run>,
}

impl Reader {
    /// The file at `path`; fails when it is missing or damaged.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let file = File::open(path).map_err(StoreError::file(path))?;
        let file = SerializedFileReader::new(file).map_err(StoreError::damaged(path))?;
        Ok(Self { path: path.to_owned(), file, next_group: 0, pending: VecDeque::new() })
    }

    /// The workload of the next run; `None` at the end. Fails when the file is damaged.
    pub(crate) fn peek(&mut self) -> Result<Option<&WorkloadRef>, StoreError> {
        while self.pending.is_empty() && self.next_group < self.file.num_row_groups() {
            self.pending = self.group(self.next_group)?.into();
            self.next_group += 1;
        }
        Ok(self.pending.front().map(|run| &run.workload))
    }

    /// The next run; `None` at the end. Fails when the file is damaged.
    pub(crate) fn next(&mut self) -> Result<Option<Run>, StoreError> {
        self.peek()?;
        Ok(self.pending.pop_front())
    }

    /// The workloads it holds runs of, from the first column alone; fails when the file is damaged.
    pub(crate) fn workloads(&self) -> Result<BTreeSet<WorkloadRef>, StoreError> {
        let mut workloads = BTreeSet::new();
        for index in 0..self.file.num_row_groups() {
            let names = self.file.get_row_group(index).and_then(|group| {
                let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
                text(group.as_ref(), 0, rows)
            });
            let names = names.map_err(StoreError::damaged(&self.path))?;
            workloads.extend(names.iter().filter_map(|name| name.parse().ok()));
        }
        Ok(workloads)
    }

    fn group(&self, index: usize) -> Result<Vec<Run>, StoreError> {
        let group = self.file.get_row_group(index).map_err(StoreError::damaged(&self.path))?;
        runs(group.as_ref()).map_err(StoreError::damaged(&self.path))
    }

    /// Whether row group `index` may hold runs of `workload`.
    fn may_hold(&self, index: usize, workload: &str) -> bool {
        match self.file.metadata().row_group(index).column(0).statistics() {
            Some(Statistics::ByteArray(known)) => {
                let below = known.min_opt().is_none_or(|min| min.data() <= workload.as_bytes());
                below && known.max_opt().is_none_or(|max| workload.as_bytes() <= max.data())
            }
            _ => true,
        }
    }
}

/// The runs of `workload` in the file at `path`; fails when it is missing or damaged.
pub(crate) fn runs_of_workload(
    path: &Path,
    workload: &WorkloadRef,
) -> Result<Vec<Run>, StoreError> {
    let reader = Reader::open(path)?;
    let name = workload.to_string();
    let mut found = Vec::new();
    for index in 0..reader.file.num_row_groups() {
        if reader.may_hold(index, &name) {
            found.extend(reader.group(index)?.into_iter().filter(|run| run.workload == *workload));
        }
    }
    Ok(found)
}

/// The runs of one row group; those of a metric that this version does not know are left out.
fn runs(group: &dyn RowGroupReader) -> Result<Vec<Run>, ParquetError> {
    let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
    let [workloads, metrics, containers, subjects] =
        [0, 1, 2, 3].map(|index| text(group, index, rows));
    let (workloads, metrics, containers, subjects) = (workloads?, metrics?, containers?, subjects?);
    let starts = column::<Int64Type>(group, 4, rows)?;
    let steps = column::<Int32Type>(group, 5, rows)?;
    let mut values = lists(group, 6, rows)?.into_iter();
    let mut runs = Vec::with_capacity(rows);
    for row in 0..rows {
        let bad = |what: String| ParquetError::General(what);
        let workload = workloads[row].parse().map_err(|_| bad(format!("`{}`", workloads[row])))?;
        let values = values.next().ok_or_else(|| bad("a row has no values".to_owned()))?;
        let step = u32::try_from(steps[row]).ok().filter(|step| *step > 0);
        let step = step.ok_or_else(|| bad(format!("a step of {} s", steps[row])))?;
        let what = What::of(&metrics[row], &containers[row], &subjects[row]);
        runs.extend(what.map(|what| Run { workload, what, start: starts[row], step, values }));
    }
    Ok(runs)
}

fn text(
    group: &dyn RowGroupReader,
    index: usize,
    rows: usize,
) -> Result<Vec<String>, ParquetError> {
    let bytes = column::<ByteArrayType>(group, index, rows)?;
    bytes.iter().map(|bytes| Ok(bytes.as_utf8()?.to_owned())).collect()
}

fn column<T: DataType>(
    group: &dyn RowGroupReader,
    index: usize,
    rows: usize,
) -> Result<Vec<T::T>, ParquetError> {
    let mut reader = get_typed_column_reader::<T>(group.get_column_reader(index)?);
    let mut values = Vec::with_capacity(rows);
    reader.read_records(rows, None, None, &mut values)?;
    if values.len() == rows {
        return Ok(values);
    }
    Err(ParquetError::General(format!("column {index} has {} of {rows} values", values.len())))
}

fn lists(
    group: &dyn RowGroupReader,
    index: usize,
    rows: usize,
) -> Result<Vec<Vec<Option<f64>>>, ParquetError> {
    let mut reader = get_typed_column_reader::<DoubleType>(group.get_column_reader(index)?);
    let (mut definition, mut repetition, mut values) = (Vec::new(), Vec::new(), Vec::new());
    reader.read_records(rows, Some(&mut definition), Some(&mut repetition), &mut values)?;
    let mut observed = values.into_iter();
    let mut lists: Vec<Vec<Option<f64>>> = Vec::with_capacity(rows);
    for (definition, repetition) in definition.into_iter().zip(repetition) {
        if repetition == 0 {
            lists.push(Vec::new());
        }
        let value = if definition == 2 { observed.next() } else { None };
        if let Some(list) = lists.last_mut() {
            list.push(value);
        }
    }
    Ok(lists)
}
