//! Where the files of a day are.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use mora_core::WorkloadRef;

use crate::error::StoreError;
use crate::manifest::DayFiles;

/// The day that holds `time`, in UTC.
pub(crate) fn day_of(time: Timestamp) -> Date {
    time.to_zoned(TimeZone::UTC).date()
}

/// The first instant of the day after `day`; the end of representable time for the last day.
pub(crate) fn end_of(day: Date) -> Timestamp {
    let next = day.tomorrow().ok().and_then(|next| next.to_zoned(TimeZone::UTC).ok());
    next.map_or(Timestamp::MAX, |next| next.timestamp())
}

/// The folder of one day.
#[derive(Debug, Clone)]
pub(crate) struct DayFolder(PathBuf);

impl DayFolder {
    pub(crate) fn new(root: &Path, day: Date) -> Self {
        Self(days(root).join(day.to_string()))
    }

    /// Makes the folders a round is written to; fails when they cannot be made.
    pub(crate) fn create(&self) -> Result<(), StoreError> {
        let rounds = self.0.join("rounds");
        fs::create_dir_all(&rounds).map_err(StoreError::file(&rounds))
    }

    pub(crate) fn round(&self, number: u64) -> PathBuf {
        self.0.join("rounds").join(format!("{number}.parquet"))
    }

    pub(crate) fn sealed(&self, number: u64) -> PathBuf {
        self.0.join(number.to_string())
    }

    /// The file of `workload` within the folder of a day that is over.
    pub(crate) fn sealed_file(&self, number: u64, workload: &WorkloadRef) -> PathBuf {
        let file = format!("{}.{}.parquet", workload.kind(), workload.name());
        self.sealed(number).join(workload.namespace()).join(file)
    }

    /// The workloads with a file in the folder of a day that is over.
    pub(crate) fn sealed_workloads(&self, number: u64) -> Result<Vec<WorkloadRef>, StoreError> {
        let mut workloads = Vec::new();
        for namespace in entries(&self.sealed(number))? {
            let name = file_name(&namespace);
            for file in entries(&namespace)? {
                let file = file_name(&file);
                let parts = file.strip_suffix(".parquet").and_then(|file| file.split_once('.'));
                let workload = parts
                    .and_then(|(kind, workload)| format!("{name}/{kind}/{workload}").parse().ok());
                workloads.extend(workload);
            }
        }
        Ok(workloads)
    }

    /// Removes what `files` does not name, or everything where the day is not known.
    pub(crate) fn clean(&self, files: Option<&DayFiles>) -> Result<(), StoreError> {
        let Some(files) = files else { return remove(&self.0) };
        for path in entries(&self.0)? {
            let name = file_name(&path);
            if name != "rounds" && name.parse() != Ok(files.sealed.unwrap_or(0)) {
                remove(&path)?;
            }
        }
        for path in entries(&self.0.join("rounds"))? {
            let name = file_name(&path);
            let number = name.strip_suffix(".parquet").and_then(|number| number.parse().ok());
            if !number.is_some_and(|number| files.rounds.contains(&number)) {
                remove(&path)?;
            }
        }
        Ok(())
    }
}

/// The days with a folder.
pub(crate) fn found(root: &Path) -> Result<Vec<Date>, StoreError> {
    let folders = entries(&days(root))?;
    Ok(folders.iter().filter_map(|folder| file_name(folder).parse().ok()).collect())
}

fn days(root: &Path) -> PathBuf {
    root.join("days")
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// What is in `folder`; nothing where there is no such folder.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(StoreError::file(folder))?,
    };
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(StoreError::file(folder))).collect()
}

fn remove(path: &Path) -> Result<(), StoreError> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::file(path)(error)),
        _ => Ok(()),
    }
}
