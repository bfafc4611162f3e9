//! Fewer and larger files.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;
use mora_core::WorkloadRef;

use super::{State, Store};
use crate::atomically::sync_folder;
use crate::day::{DayFolder, end_of};
use crate::error::StoreError;
use crate::file::{Reader, VALUES_PER_GROUP, Writer};
use crate::manifest::{DayFiles, Manifest};
use crate::runs::{Run, joined};

/// Rounds of a day that goes on from which on they are merged into one.
const MANY_ROUNDS: usize = 32;

impl Store {
    /// Merges the files of every day that no scope is still collecting into one file per workload, and of other days the
    /// many rounds into one; gives the number of days that changed.
    ///
    /// Readers wait meanwhile. Fails when a file is damaged or cannot be written; what was there stays.
    pub fn compact(&self) -> Result<usize, StoreError> {
        let mut state = self.write_state();
        let oldest = state.manifest.collected.values().min().copied().unwrap_or(Timestamp::MIN);
        let days: Vec<Date> = state.manifest.days.keys().copied().collect();
        let mut changed = 0;
        for day in days {
            let files = &state.manifest.days[&day];
            let over = end_of(day) <= oldest;
            if (over && !files.rounds.is_empty()) || files.rounds.len() >= MANY_ROUNDS {
                self.compact_day(&mut state, day, over)?;
                changed += 1;
            }
        }
        Ok(changed)
    }

    fn compact_day(&self, state: &mut State, day: Date, over: bool) -> Result<(), StoreError> {
        let folder = DayFolder::new(&self.root, day);
        let mut manifest: Manifest = state.manifest.clone();
        let number = manifest.number();
        let files = manifest.days.entry(day).or_default();
        let rounds = files.rounds.iter().map(|round| folder.round(*round));
        if over {
            let before = files.sealed;
            seal(&folder, number, before, rounds.collect())?;
            *files = DayFiles { sealed: Some(number), rounds: Vec::new() };
        } else {
            merge(&rounds.collect::<Vec<_>>(), &folder.round(number))?;
            files.rounds = vec![number];
        }
        manifest.save(&self.root)?;
        folder.clean(manifest.days.get(&day))?;
        state.manifest = manifest;
        Ok(())
    }
}

/// Writes the runs of `rounds` and of the folder numbered `before` into the folder numbered `number`.
fn seal(
    folder: &DayFolder,
    number: u64,
    before: Option<u64>,
    rounds: Vec<PathBuf>,
) -> Result<(), StoreError> {
    let mut sources = rounds;
    if let Some(before) = before {
        let workloads = folder.sealed_workloads(before)?;
        sources.extend(workloads.iter().map(|workload| folder.sealed_file(before, workload)));
    }
    let mut folders = Vec::new();
    by_workload(&sources, |workload, runs| {
        let path = folder.sealed_file(number, workload);
        let parent = path.parent().unwrap_or(&path).to_owned();
        if folders.last() != Some(&parent) {
            fs::create_dir_all(&parent).map_err(StoreError::file(&parent))?;
            folders.push(parent);
        }
        write(&path, runs)
    })?;
    let sealed = folder.sealed(number);
    fs::create_dir_all(&sealed).map_err(StoreError::file(&sealed))?;
    let above = sealed.parent().unwrap_or(&sealed);
    for folder in [sealed.as_path(), above] {
        sync_folder(folder).map_err(StoreError::file(folder))?;
    }
    Ok(())
}

fn write(path: &Path, runs: Vec<Run>) -> Result<(), StoreError> {
    let mut writer = Writer::create(path, VALUES_PER_GROUP)?;
    runs.into_iter().try_for_each(|run| writer.add(run))?;
    writer.finish()
}

fn merge(rounds: &[PathBuf], to: &Path) -> Result<(), StoreError> {
    let mut writer = Writer::create(to, VALUES_PER_GROUP)?;
    by_workload(rounds, |_, runs| runs.into_iter().try_for_each(|run| writer.add(run)))?;
    writer.finish()
}

/// Calls `each` with the runs of one workload after the other, joined and in order; a row group of each file is in
/// memory.
fn by_workload(
    paths: &[PathBuf],
    mut each: impl FnMut(&WorkloadRef, Vec<Run>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut readers =
        paths.iter().map(|path| Reader::open(path)).collect::<Result<Vec<_>, StoreError>>()?;
    loop {
        let mut first: Option<WorkloadRef> = None;
        for reader in &mut readers {
            if let Some(workload) = reader.peek()?
                && first.as_ref().is_none_or(|first| workload < first)
            {
                first = Some(workload.clone());
            }
        }
        let Some(workload) = first else { return Ok(()) };
        let mut runs = Vec::new();
        for reader in &mut readers {
            while reader.peek()? == Some(&workload) {
                runs.extend(reader.next()?);
            }
        }
        // Stable: of two runs with one start, the one committed last stays last.
        runs.sort_by(|a, b| a.order().cmp(&b.order()));
        each(&workload, joined(runs))?;
    }
}
