//! The store: commits, reading, compaction, retention.

mod compact;
mod size;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use jiff::Timestamp;
use jiff::civil::Date;
use mora_core::{Dataset, Lookback, WorkloadRef};

use crate::day::{self, DayFolder, day_of, end_of};
use crate::error::StoreError;
use crate::file::{Reader, VALUES_PER_GROUP, Writer, runs_of_workload};
use crate::manifest::Manifest;
use crate::runs::{Gathered, Run, runs_of};

pub use size::StoreSize;

/// A folder with what was collected, open in one process at a time.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    state: RwLock<State>,
    // Held open: the lock goes with the file.
    _lock: File,
}

#[derive(Debug)]
struct State {
    manifest: Manifest,
    /// The days in which something was observed of each workload.
    days: BTreeMap<WorkloadRef, BTreeSet<Date>>,
}

/// What is committed together: everything observed of a scope, such as a namespace, from one instant until another.
#[derive(Debug, Clone, Copy)]
pub struct Chunk<'a> {
    /// Whose.
    pub scope: &'a str,
    /// Its start; not before what was collected already.
    pub from: Timestamp,
    /// The instant after its last step; of the same day (UTC) as its start, at most the first instant of the next.
    pub until: Timestamp,
}

impl Store {
    /// Opens the store in `root`, which is made where there is none, and removes what an unfinished commit left.
    ///
    /// Fails when another process has it open, when it cannot be read or written, and when it is no store.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(root).map_err(StoreError::file(root))?;
        let lock = lock(root)?;
        let manifest = Manifest::load(root)?;
        for day in day::found(root)? {
            DayFolder::new(root, day).clean(manifest.days.get(&day))?;
        }
        let days = index(root, &manifest)?;
        let state = RwLock::new(State { manifest, days });
        Ok(Self { root: root.to_owned(), state, _lock: lock })
    }

    /// Its folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Until when `scope` was collected; `None` before its first commit.
    #[must_use]
    pub fn collected(&self, scope: &str) -> Option<Timestamp> {
        self.read_state().manifest.collected.get(scope).copied()
    }

    /// Commits what was observed in `chunk`; afterwards it is there also when the process or the machine stops.
    ///
    /// Fails when the chunk was collected already or is not of one day, and when it cannot be written; then nothing of
    /// it is there.
    pub fn commit(&self, chunk: Chunk<'_>, datasets: &[Dataset]) -> Result<(), StoreError> {
        let mut state = self.write_state();
        check(&chunk, state.manifest.collected.get(chunk.scope))?;
        let mut manifest = state.manifest.clone();
        let day = day_of(chunk.from);
        let mut datasets: Vec<&Dataset> = datasets.iter().collect();
        datasets.sort_by(|a, b| a.workload.cmp(&b.workload));
        if !datasets.is_empty() {
            let folder = DayFolder::new(&self.root, day);
            folder.create()?;
            let round = manifest.number();
            write_round(&folder.round(round), &datasets, chunk.until)?;
            manifest.days.entry(day).or_default().rounds.push(round);
        }
        manifest.collected.insert(chunk.scope.to_owned(), chunk.until);
        manifest.save(&self.root)?;
        state.manifest = manifest;
        for dataset in datasets {
            state.days.entry(dataset.workload.clone()).or_default().insert(day);
        }
        Ok(())
    }

    /// The workloads of which anything was observed, in order.
    #[must_use]
    pub fn workloads(&self) -> Vec<WorkloadRef> {
        self.read_state().days.keys().cloned().collect()
    }

    /// What was observed of `workload` over `lookback`; `None` where nothing was.
    ///
    /// Fails when a file is missing or damaged.
    pub fn dataset(
        &self,
        workload: &WorkloadRef,
        lookback: &Lookback,
    ) -> Result<Option<Dataset>, StoreError> {
        let mut gathered = Gathered::new(workload.clone(), *lookback);
        let wanted = |day: &Date| {
            // A chunk's kills and the start of its first step may lie a little before the chunk.
            let near = jiff::SignedDuration::from_hours(1);
            let end = end_of(*day).saturating_add(near).unwrap_or(Timestamp::MAX);
            lookback.from < end && *day <= day_of(lookback.to)
        };
        self.visit(workload, wanted, |run| gathered.add(&run))?;
        Ok(gathered.finish())
    }

    /// Every run of values that is stored of `workload`, as it is in the files.
    ///
    /// Fails when a file is missing or damaged.
    pub fn runs(&self, workload: &WorkloadRef) -> Result<Vec<Run>, StoreError> {
        let mut runs = Vec::new();
        self.visit(workload, |_| true, |run| runs.push(run))?;
        Ok(runs)
    }

    /// Removes the days that ended before `oldest`, and gives their number.
    ///
    /// Fails when they cannot be removed; what is no longer in the manifest goes at the next opening then.
    pub fn forget_before(&self, oldest: Timestamp) -> Result<usize, StoreError> {
        let mut state = self.write_state();
        let old = |day: &Date| end_of(*day) <= oldest;
        let forgotten: Vec<Date> = state.manifest.days.keys().copied().filter(old).collect();
        if forgotten.is_empty() {
            return Ok(0);
        }
        let mut manifest = state.manifest.clone();
        manifest.days.retain(|day, _| !old(day));
        manifest.save(&self.root)?;
        state.manifest = manifest;
        state.days.retain(|_, days| {
            days.retain(|day| !old(day));
            !days.is_empty()
        });
        for day in &forgotten {
            DayFolder::new(&self.root, *day).clean(None)?;
        }
        Ok(forgotten.len())
    }

    /// Calls `each` with the runs of `workload` in the days that are `wanted`, in the order in which they were committed.
    fn visit(
        &self,
        workload: &WorkloadRef,
        wanted: impl Fn(&Date) -> bool,
        mut each: impl FnMut(Run),
    ) -> Result<(), StoreError> {
        // Held while files are read: a compaction removes what it has replaced.
        let state = self.read_state();
        let days = state.days.get(workload).into_iter().flatten();
        for day in days.filter(|day| wanted(day)) {
            let Some(files) = state.manifest.days.get(day) else { continue };
            let folder = DayFolder::new(&self.root, *day);
            let sealed = files.sealed.map(|sealed| folder.sealed_file(sealed, workload));
            for path in sealed.into_iter().filter(|path| path.exists()) {
                runs_of_workload(&path, workload)?.into_iter().for_each(&mut each);
            }
            for round in &files.rounds {
                let runs = runs_of_workload(&folder.round(*round), workload)?;
                runs.into_iter().for_each(&mut each);
            }
        }
        Ok(())
    }

    // The guards, also after a panic elsewhere: the state is replaced whole, after its files are written.
    fn read_state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_state(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lock(root: &Path) -> Result<File, StoreError> {
    let path = root.join("LOCK");
    let file = File::create(&path).map_err(StoreError::file(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(root.to_owned())),
        Err(TryLockError::Error(error)) => Err(StoreError::file(&path)(error)),
    }
}

fn check(chunk: &Chunk<'_>, collected: Option<&Timestamp>) -> Result<(), StoreError> {
    let problem = match collected {
        Some(until) if chunk.from < *until => {
            format!("it was collected until {until}")
        }
        _ if chunk.until <= chunk.from => "it ends before it begins".to_owned(),
        _ if chunk.until > end_of(day_of(chunk.from)) => "it is not of one day".to_owned(),
        _ => return Ok(()),
    };
    let (scope, from, until) = (chunk.scope.to_owned(), chunk.from, chunk.until);
    Err(StoreError::Chunk { scope, from, until, problem })
}

fn write_round(path: &Path, datasets: &[&Dataset], until: Timestamp) -> Result<(), StoreError> {
    let mut writer = Writer::create(path, VALUES_PER_GROUP)?;
    for dataset in datasets {
        for run in runs_of(dataset, until) {
            writer.add(run)?;
        }
    }
    writer.finish()
}

/// The days of each workload.
fn index(
    root: &Path,
    manifest: &Manifest,
) -> Result<BTreeMap<WorkloadRef, BTreeSet<Date>>, StoreError> {
    let mut index: BTreeMap<WorkloadRef, BTreeSet<Date>> = BTreeMap::new();
    for (day, files) in &manifest.days {
        let folder = DayFolder::new(root, *day);
        let mut workloads = BTreeSet::new();
        if let Some(sealed) = files.sealed {
            workloads.extend(folder.sealed_workloads(sealed)?);
        }
        for round in &files.rounds {
            workloads.extend(Reader::open(&folder.round(*round))?.workloads()?);
        }
        for workload in workloads {
            index.entry(workload).or_default().insert(*day);
        }
    }
    Ok(index)
}
