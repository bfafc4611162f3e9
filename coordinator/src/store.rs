//! The folder that holds the last plans and with them what the change gate remembers.
//!
//! One file holds a plan, what it was made of and the state after it, and appears by one rename: there is no instant at which one of
//! both is there without the other. Its name begins with a number that counts up, because the clock of a machine
//! can be set back.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use mora_core::Plan;
use mora_planning::{Evidence, GateState, Policy};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Outcome;
use crate::render::{RenderError, write_whole};

const PLANS: &str = "plans";
const LOCK: &str = "lock";
/// Version of the files; grows when a field changes its meaning.
const SCHEMA: u32 = 1;
/// What `tempfile` begins the names of unfinished files with.
const UNFINISHED: &str = ".tmp";

/// Why plans cannot be kept.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The file system refused.
    #[error("cannot use {} to remember plans; check that the folder under the key `state` is there and writable", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A newer version wrote the newest file.
    #[error(
        "{} was written by a newer version (schema {found}, this one reads up to {known}); update this coordinator, or move the file away to go on from the plan before it",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The newest schema this version reads.
        known: u32,
    },
    /// There is no plan yet.
    #[error("{} holds no plan; let a coordinator make one with this folder as its `state`", .0.display())]
    Empty(PathBuf),
    /// There is no such plan.
    #[error("{} holds no plan {id}; leave the identifier out for the newest, or name another folder", folder.display())]
    Absent {
        /// What was looked for.
        id: String,
        /// Where.
        folder: PathBuf,
    },
    /// The plan cannot be understood.
    #[error("the plan {} cannot be read; let the coordinator make another", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A plan cannot be written.
    #[error("the plan was made but cannot be remembered")]
    Write(#[from] RenderError),
}

/// A folder of plans.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
    keep: usize,
}

/// The store while no other run can use it.
#[derive(Debug)]
pub struct LockedStore {
    store: Store,
    /// Locked until it is closed, also by the end of the process.
    _lock: File,
}

/// What was found in a store.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Remembered {
    /// What the change gate knew after the newest plan.
    pub gate: GateState,
    /// What the reader should know, each a sentence.
    pub warnings: Vec<String>,
}

/// A plan and what it was made of, from which it can be made again and asked what would be if.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Record {
    /// The plan.
    pub plan: Plan,
    /// What was known.
    pub evidence: Evidence,
    /// What had to be respected.
    pub policy: Policy,
}

impl From<Outcome> for Record {
    fn from(outcome: Outcome) -> Self {
        let Outcome { plan, evidence, rules, .. } = outcome;
        Self { plan, evidence, policy: rules.policy }
    }
}

#[derive(Serialize)]
struct Written<'a> {
    schema: u32,
    plan: &'a Plan,
    evidence: &'a Evidence,
    policy: &'a Policy,
    gate: &'a GateState,
}

/// Of a file only the state is read back: a plan of an older version must not cost it.
#[derive(Deserialize)]
struct Read {
    gate: GateState,
}

/// The versions in a file, which are readable whatever else has changed.
#[derive(Deserialize)]
struct Schemas {
    schema: u32,
    gate: GateSchema,
}

#[derive(Deserialize)]
struct GateSchema {
    schema: u32,
}

impl Store {
    /// The store in `folder`, which keeps the last `keep` plans, at least 2; it is made where it is not there.
    ///
    /// Fails when the folder cannot be made.
    pub fn open(folder: &Path, keep: usize) -> Result<Self, StoreError> {
        let plans = folder.join(PLANS);
        fs::create_dir_all(&plans).map_err(at(&plans))?;
        // The one before the newest is what is left when the newest is damaged.
        Ok(Self { folder: folder.to_owned(), keep: keep.max(2) })
    }

    /// Waits until no other run uses the store and keeps others out until the answer is dropped.
    ///
    /// Fails when the file system does not lock.
    pub fn lock(&self) -> Result<LockedStore, StoreError> {
        let path = self.folder.join(LOCK);
        let lock = File::create(&path).map_err(at(&path))?;
        lock.lock().map_err(at(&path))?;
        Ok(LockedStore { store: self.clone(), _lock: lock })
    }

    /// The newest plan in `folder` with what it was made of; nothing is made or locked.
    ///
    /// Fails when there is none, or it cannot be read.
    pub fn newest(folder: &Path) -> Result<Record, StoreError> {
        let path = Self::newest_file(folder)?;
        Self::read(&path.ok_or_else(|| StoreError::Empty(folder.to_owned()))?)
    }

    /// The file of the newest plan in `folder`, where there is one; nothing is made, locked or read.
    ///
    /// Fails when the folder cannot be listed.
    pub(crate) fn newest_file(folder: &Path) -> Result<Option<PathBuf>, StoreError> {
        let store = Self { folder: folder.to_owned(), keep: 2 };
        Ok(store.files()?.pop().map(|(_, path)| path))
    }

    /// The plan `id` in `folder` with what it was made of; nothing is made or locked.
    ///
    /// Fails when there is no such plan, or it cannot be read.
    pub fn named(folder: &Path, id: &str) -> Result<Record, StoreError> {
        let store = Self { folder: folder.to_owned(), keep: 2 };
        let end = format!("-{id}.json");
        let is_named = |path: &PathBuf| {
            path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.ends_with(&end))
        };
        let found = store.files()?.into_iter().rev().find(|(_, path)| is_named(path));
        let absent = || StoreError::Absent { id: id.to_owned(), folder: folder.to_owned() };
        Self::read(&found.ok_or_else(absent)?.1)
    }

    /// The plan in the file `path` with what it was made of; fails when it cannot be read.
    pub(crate) fn read(path: &Path) -> Result<Record, StoreError> {
        let bytes = fs::read(path).map_err(at(path))?;
        refuse_newer(path, &bytes)?;
        serde_json::from_slice(&bytes)
            .map_err(|source| StoreError::Damaged { path: path.to_owned(), source })
    }

    fn plans(&self) -> PathBuf {
        self.folder.join(PLANS)
    }

    /// The files of plans by number, oldest first.
    fn files(&self) -> Result<Vec<(u64, PathBuf)>, StoreError> {
        let numbered = |path: PathBuf| Some((number(&path)?, path));
        let mut files: Vec<_> = self.entries()?.into_iter().filter_map(numbered).collect();
        files.sort();
        Ok(files)
    }

    fn entries(&self) -> Result<Vec<PathBuf>, StoreError> {
        let plans = self.plans();
        let listed = fs::read_dir(&plans).and_then(|entries| {
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()
        });
        listed.map_err(at(&plans))
    }
}

impl LockedStore {
    /// What the newest plan that can be read left behind; a file that is damaged is named in a warning.
    ///
    /// Fails when the folder cannot be read, or when a newer version wrote to it.
    pub fn load(&self) -> Result<Remembered, StoreError> {
        let mut warnings = Vec::new();
        for (_, path) in self.store.files()?.into_iter().rev() {
            let bytes = fs::read(&path).map_err(at(&path))?;
            refuse_newer(&path, &bytes)?;
            match serde_json::from_slice::<Read>(&bytes) {
                Ok(read) => return Ok(Remembered { gate: read.gate, warnings }),
                Err(error) => warnings.push(format!(
                    "{} is damaged ({error}), so the plan before it is what is remembered",
                    path.display()
                )),
            }
        }
        Ok(Remembered { gate: GateState::default(), warnings })
    }

    /// Keeps `outcome` with the state after it and lets go of the oldest plans.
    ///
    /// Fails when the file cannot be written; what was remembered before is then still there.
    pub fn save(&self, outcome: &Outcome, gate: &GateState) -> Result<(), StoreError> {
        let Outcome { plan, evidence, rules, .. } = outcome;
        let policy = &rules.policy;
        let files = self.store.files()?;
        let next = files.last().map_or(1, |(number, _)| number + 1);
        let path = self.store.plans().join(format!("{next:08}-{}.json", plan.id));
        let written = Written { schema: SCHEMA, plan, evidence, policy, gate };
        let text = serde_json::to_string(&written).map_err(RenderError::from)? + "\n";
        write_whole(&path, &text)?;
        let excess = (files.len() + 1).saturating_sub(self.store.keep);
        files
            .iter()
            .take(excess)
            .try_for_each(|(_, path)| fs::remove_file(path).map_err(at(path)))?;
        self.sweep()
    }

    /// Removes what runs left that were ended while they wrote: nobody writes while the store is locked.
    fn sweep(&self) -> Result<(), StoreError> {
        let unfinished = |path: &PathBuf| {
            path.file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(UNFINISHED.as_bytes()))
        };
        let left = self.store.entries()?.into_iter().filter(unfinished);
        left.into_iter().try_for_each(|path| fs::remove_file(&path).map_err(at(&path)))
    }
}

fn refuse_newer(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let Ok(found) = serde_json::from_slice::<Schemas>(bytes) else { return Ok(()) };
    let pairs = [(found.schema, SCHEMA), (found.gate.schema, GateState::SCHEMA)];
    match pairs.into_iter().find(|(found, known)| found > known) {
        None => Ok(()),
        Some((found, known)) => Err(StoreError::Newer { path: path.to_owned(), found, known }),
    }
}

/// The number that the name of a plan's file begins with.
fn number(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?.strip_suffix(".json")?;
    name.split_once('-')?.0.parse().ok()
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { path, source }
}

#[cfg(test)]
pub(crate) mod tests;
