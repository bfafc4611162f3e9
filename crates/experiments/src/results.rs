//! The folder in which an experiment keeps what it has done: datasets, state and journal.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use mora_core::{Dataset, WorkloadRef, hexadecimal};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::export::{self, ExportError};
use crate::summary::FileRecord;
use crate::{
    Attempt, BedName, Cell, CellOutcome, ExperimentGates, IsolationConfig, Journal, JournalError,
    LoadConfig, Manifest, Matrix, Outstanding, Timing,
};

const SETUP: &str = "experiment.json";
const JOURNAL: &str = "journal.jsonl";
const OUTCOME: &str = "cell.json";
const ACCEPTED: &str = "cells";
const REJECTED: &str = "rejected";

/// What is the same for all cells of a results folder, so that they can be compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// The workload that is measured.
    pub target: WorkloadRef,
    /// Where it runs.
    pub bed: BedName,
    /// How long everything takes.
    pub timing: Timing,
    /// What a cell must be like to be accepted.
    pub gates: ExperimentGates,
    /// How the other workloads are over-provisioned.
    pub isolation: IsolationConfig,
    /// How load is made.
    pub load: LoadConfig,
}

/// Why a results folder cannot be used.
#[derive(Debug, Error)]
pub enum ResultsError {
    /// A file cannot be read or written.
    #[error("{} cannot be {what}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was attempted.
        what: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{} cannot be understood; move the folder away and begin anew", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Another process works with it.
    #[error("another process works with {}; wait for it, or use another folder", .0.display())]
    Busy(PathBuf),
    /// There are changes that were not undone.
    #[error(
        "{} changes of an earlier run are not restored; run the command with --restore (or --resume, which restores first) and --results {}",
        .changes, .folder.display()
    )]
    Unrestored {
        /// How many.
        changes: usize,
        /// The folder.
        folder: PathBuf,
    },
    /// It holds cells already.
    #[error(
        "{} holds an experiment already; go on with it by --resume, or use another --results",
        .0.display()
    )]
    Taken(PathBuf),
    /// The cells in it came about differently.
    #[error(
        "the cells in {} were made with another {differing}; use the same, or another --results",
        folder.display()
    )]
    Differs {
        /// The folder.
        folder: PathBuf,
        /// What differs, keys with commas between them.
        differing: String,
    },
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A dataset cannot be written.
    #[error(transparent)]
    Export(#[from] ExportError),
}

/// A results folder that this process alone works with.
#[derive(Debug)]
pub struct Results {
    folder: PathBuf,
    /// What was changed and is not restored.
    pub journal: Journal,
    finished: BTreeMap<Cell, CellOutcome>,
    // Held until the process ends, however it ends.
    _lock: File,
}

impl Results {
    /// Opens `folder`, which need not exist.
    ///
    /// Fails when another process has it open, or a file in it cannot be used.
    pub fn open(folder: &Path) -> Result<Self, ResultsError> {
        fs::create_dir_all(folder).map_err(failed(folder, "made"))?;
        let path = folder.join("lock");
        let lock = File::create(&path).map_err(failed(&path, "opened"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ResultsError::Busy(folder.to_owned())),
            Err(TryLockError::Error(source)) => return Err(failed(&path, "locked")(source)),
        }
        let journal = Journal::open(&folder.join(JOURNAL))?;
        sync(folder)?;
        let finished = finished(folder)?;
        Ok(Self { folder: folder.to_owned(), journal, finished, _lock: lock })
    }

    /// What `folder`, which need not exist, holds: changes to restore, and cells that are done. Nothing is touched.
    ///
    /// Fails when a file in it cannot be used.
    pub fn peek(
        folder: &Path,
    ) -> Result<(Vec<Outstanding>, BTreeMap<Cell, CellOutcome>), ResultsError> {
        Ok((Journal::peek(&folder.join(JOURNAL))?, finished(folder)?))
    }

    /// Begins with `setup`, or goes on with it if `resume`.
    ///
    /// Fails when changes are not restored, when cells are done already and they are not to be resumed from, and when they
    /// came about in another way.
    pub fn begin(&self, setup: &Setup, resume: bool) -> Result<(), ResultsError> {
        let changes = self.journal.outstanding().len();
        if changes > 0 {
            return Err(ResultsError::Unrestored { changes, folder: self.folder.clone() });
        }
        let path = self.folder.join(SETUP);
        if !self.finished.is_empty() {
            if !resume {
                return Err(ResultsError::Taken(self.folder.clone()));
            }
            let differing = differing(&read_json(&path)?, setup);
            if !differing.is_empty() {
                let folder = self.folder.clone();
                return Err(ResultsError::Differs { folder, differing: differing.join(", ") });
            }
        }
        write_json(&path, setup)
    }

    /// What became of `cell`, if it is done.
    #[must_use]
    pub fn outcome(&self, cell: &Cell) -> Option<&CellOutcome> {
        self.finished.get(cell)
    }

    /// Where the own files of the load of a try of `cell` go; what an unfinished try left there is removed.
    ///
    /// Fails when that cannot be removed, or the folder above it cannot be made.
    pub fn load_folder(&self, cell: &Cell, attempt: usize) -> Result<PathBuf, ResultsError> {
        let above = self.folder.join("load");
        fs::create_dir_all(&above).map_err(failed(&above, "made"))?;
        let path = above.join(format!("{}-{attempt}", cell.slug()));
        remove(&path)?;
        Ok(path)
    }

    /// Keeps `cell` with its `attempts` and the `datasets` of the last of them; it is there as a whole or not at all.
    ///
    /// Fails when it cannot be written.
    pub fn keep(
        &mut self,
        cell: &Cell,
        attempts: Vec<Attempt>,
        datasets: &[Dataset],
    ) -> Result<&CellOutcome, ResultsError> {
        let accepted = attempts.last().is_some_and(|last| last.reasons.is_empty());
        let rows = export::rows(datasets);
        let files = [
            ("data.csv", export::csv(cell, &rows)?),
            ("data.parquet", export::parquet(cell, &rows)?),
        ];
        let records = files.iter().map(|(name, content)| ((*name).to_owned(), record(content)));
        let outcome = CellOutcome {
            cell: cell.clone(),
            accepted,
            attempts,
            rows: rows.len() as u64,
            files: records.collect(),
        };
        let new = self.folder.join("new");
        remove(&new)?;
        fs::create_dir_all(&new).map_err(failed(&new, "made"))?;
        for (name, content) in &files {
            write(&new.join(name), content)?;
        }
        write_json(&new.join(OUTCOME), &outcome)?;
        let above = self.folder.join(if accepted { ACCEPTED } else { REJECTED });
        fs::create_dir_all(&above).map_err(failed(&above, "made"))?;
        let path = above.join(cell.slug());
        fs::rename(&new, &path).map_err(failed(&path, "put in place"))?;
        sync(&above)?;
        Ok(self.finished.entry(cell.clone()).insert_entry(outcome).into_mut())
    }

    /// Writes what the folder holds of `matrix`.
    ///
    /// Fails when it cannot be written.
    pub fn write_manifest(&self, setup: &Setup, matrix: &Matrix) -> Result<(), ResultsError> {
        let cells = matrix.cells();
        let done = cells.iter().filter_map(|cell| self.outcome(cell)).cloned().collect();
        let manifest = Manifest::new(setup.clone(), matrix.clone(), done);
        write_json(&self.folder.join("manifest.json"), &manifest)
    }
}

/// The cells that are done in `folder`, which need not exist; it is only read.
///
/// Fails when a file in it cannot be used.
fn finished(folder: &Path) -> Result<BTreeMap<Cell, CellOutcome>, ResultsError> {
    let mut finished = BTreeMap::new();
    for part in [ACCEPTED, REJECTED].map(|part| folder.join(part)) {
        let entries = match fs::read_dir(&part) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(&part, "read")(error)),
        };
        for entry in entries {
            let path = entry.map_err(failed(&part, "read"))?.path().join(OUTCOME);
            let outcome: CellOutcome = read_json(&path)?;
            finished.insert(outcome.cell.clone(), outcome);
        }
    }
    Ok(finished)
}

/// The keys of what differs and makes cells incomparable: where the application is reached does not.
fn differing(kept: &Value, setup: &Setup) -> Vec<String> {
    // What was read from this type can be written as JSON.
    let wanted = serde_json::to_value(setup).unwrap_or_default();
    let mut differing: Vec<String> = ["target", "timing", "gates", "isolation"]
        .into_iter()
        .filter(|key| kept[key] != wanted[key])
        .map(str::to_owned)
        .collect();
    let of_load = ["think_milliseconds", "properties"].into_iter();
    let of_load = of_load.filter(|key| kept["load"][key] != wanted["load"][key]);
    differing.extend(of_load.map(|key| format!("load.{key}")));
    differing
}

fn record(content: &[u8]) -> FileRecord {
    let sha256 = hexadecimal(&Sha256::digest(content));
    FileRecord { sha256, bytes: content.len() as u64 }
}

fn failed(path: &Path, what: &'static str) -> impl Fn(io::Error) -> ResultsError {
    move |source| ResultsError::File { path: path.to_owned(), what, source }
}

fn remove(path: &Path) -> Result<(), ResultsError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(failed(path, "removed")(error))
        }
        _ => Ok(()),
    }
}

fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, ResultsError> {
    let text = fs::read(path).map_err(failed(path, "read"))?;
    serde_json::from_slice(&text)
        .map_err(|source| ResultsError::Content { path: path.to_owned(), source })
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), ResultsError> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|source| ResultsError::Content { path: path.to_owned(), source })?;
    write(path, (text + "\n").as_bytes())
}

/// Writes the whole file or leaves what was there.
fn write(path: &Path, content: &[u8]) -> Result<(), ResultsError> {
    let new = path.with_extension("new");
    let written = || {
        let mut file = File::create(&new)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    written().map_err(failed(path, "written"))?;
    path.parent().map_or(Ok(()), sync)
}

/// Makes renames in `folder` outlive a power failure.
fn sync(folder: &Path) -> Result<(), ResultsError> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(failed(folder, "written"))
}
