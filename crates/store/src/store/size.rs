//! How large a store is.

use std::fs;

use super::Store;
use crate::day::DayFolder;
use crate::error::StoreError;

/// How large a store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreSize {
    /// Days with anything observed.
    pub days: usize,
    /// Of these, days that are over and kept by workload.
    pub sealed_days: usize,
    /// Commits not yet compacted into the files of a day.
    pub rounds: usize,
    /// Files of series.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

impl Store {
    /// How large the store is; fails when a file is missing.
    pub fn size(&self) -> Result<StoreSize, StoreError> {
        let state = self.read_state();
        let mut size = StoreSize::default();
        for (day, files) in &state.manifest.days {
            let folder = DayFolder::new(self.root(), *day);
            let mut paths: Vec<_> = files.rounds.iter().map(|round| folder.round(*round)).collect();
            size.days += 1;
            size.rounds += paths.len();
            if let Some(sealed) = files.sealed {
                size.sealed_days += 1;
                let workloads = folder.sealed_workloads(sealed)?;
                paths.extend(workloads.iter().map(|w| folder.sealed_file(sealed, w)));
            }
            size.files += paths.len();
            for path in paths {
                size.bytes += fs::metadata(&path).map_err(StoreError::file(&path))?.len();
            }
        }
        Ok(size)
    }
}
