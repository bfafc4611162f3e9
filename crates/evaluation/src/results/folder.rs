//! The folder in which the results of an evaluation are kept, run by run.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use mora_store::write_atomically;
use parquet::errors::ParquetError;
use thiserror::Error;

use super::table::{self, Table};
use super::{ResultRow, RunKey, rows};
use crate::configuration::{Configuration, sha256};
use crate::{ArmName, Trace};

const CONFIGURATION: &str = "configuration.json";
const LOCK: &str = "lock";
const RUNS: &str = "runs";
/// Runs that are being taken from merged tables.
const UNFINISHED_RUNS: &str = "runs.unfinished";
const TRACES: &str = "traces";
const MERGED_RUNS: &str = "results.parquet";
const MERGED_TRACES: &str = "traces.parquet";

/// Results of one configuration.
#[derive(Debug)]
pub struct Results {
    folder: PathBuf,
    configuration: Configuration,
    digest: String,
    /// Held as long as runs are added.
    _lock: File,
}

/// Why results cannot be kept or read.
#[derive(Debug, Error)]
pub enum ResultsError {
    /// A file cannot be read or written.
    #[error("{} cannot be {what}; check that its folder is there and may be written", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was attempted.
        what: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There are no results.
    #[error("{} holds no evaluation; name the --results of an earlier run", .0.display())]
    Nothing(PathBuf),
    /// The configuration cannot be understood.
    #[error("{} cannot be understood; move its folder away and begin anew", path.display())]
    Configuration {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A table cannot be written or read.
    #[error("{} is damaged; remove it, and `mora evaluate resume` makes it again", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: ParquetError,
    },
    /// A table holds something else.
    #[error("{} is no table of results ({reason}); remove it, and `mora evaluate resume` makes it again", path.display())]
    Columns {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// The folder is another configuration's.
    #[error(
        "the runs in {} were made with another {differing}; use the same, or another --results",
        folder.display()
    )]
    Differs {
        /// The folder.
        folder: PathBuf,
        /// What differs, keys with commas between them.
        differing: String,
    },
    /// A row is another configuration's.
    #[error("{} was made with another configuration; remove it, or use another --results", .0.display())]
    Foreign(PathBuf),
    /// Another process adds runs.
    #[error("another process works with {}; wait for it, or use another --results", .0.display())]
    Busy(PathBuf),
}

impl ResultsError {
    fn file(path: &Path, what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { path: path.to_owned(), what, source }
    }
}

impl Results {
    /// The results of `configuration` in `folder`, which is made where it is not there; which runs there are may have changed.
    /// Where only the merged tables were kept, their runs count as finished.
    ///
    /// Fails when the folder holds results of another configuration, is in use, or cannot be written.
    pub fn create(folder: &Path, configuration: Configuration) -> Result<Self, ResultsError> {
        for part in [RUNS, TRACES] {
            let path = folder.join(part);
            fs::create_dir_all(&path).map_err(ResultsError::file(&path, "made"))?;
        }
        let lock = locked(folder)?;
        if let Some(known) = configuration_in(folder)?
            && known.digest() != configuration.digest()
        {
            let differing = known.differences(&configuration).join(", ");
            return Err(ResultsError::Differs { folder: folder.to_owned(), differing });
        }
        let results = Self::new(folder, configuration, lock);
        results.part_merged()?;
        results.write_configuration()?;
        Ok(results)
    }

    /// The results in `folder`, to go on with.
    ///
    /// Fails when there are none, they are in use or cannot be read.
    pub fn open(folder: &Path) -> Result<Self, ResultsError> {
        let nothing = || ResultsError::Nothing(folder.to_owned());
        let configuration = configuration_in(folder)?.ok_or_else(nothing)?;
        Self::create(folder, configuration)
    }

    fn new(folder: &Path, configuration: Configuration, lock: File) -> Self {
        let (folder, digest) = (folder.to_owned(), configuration.digest());
        Self { folder, configuration, digest, _lock: lock }
    }

    fn write_configuration(&self) -> Result<(), ResultsError> {
        let path = self.folder.join(CONFIGURATION);
        let text = serde_json::to_vec_pretty(&self.configuration)
            .map_err(|source| ResultsError::Configuration { path: path.clone(), source })?;
        write_atomically(&path, &text).map_err(ResultsError::file(&path, "written"))
    }

    /// Makes the parts of merged tables, all or none, where there are none, so that published results can be gone on with.
    fn part_merged(&self) -> Result<(), ResultsError> {
        let (merged, runs) = (self.folder.join(MERGED_RUNS), self.folder.join(RUNS));
        if !merged.is_file() || !parts(&runs)?.is_empty() {
            return Ok(());
        }
        let rows = load_table(&merged)?;
        if rows.iter().any(|row| row.provenance.configuration != self.digest) {
            return Err(ResultsError::Foreign(merged));
        }
        for trace in load_traces(&self.folder)? {
            write(&self.part(TRACES, &trace.key), &rows::of_traces(std::slice::from_ref(&trace)))?;
        }
        let unfinished = self.folder.join(UNFINISHED_RUNS);
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).map_err(ResultsError::file(&unfinished, "removed"))?;
        }
        fs::create_dir(&unfinished).map_err(ResultsError::file(&unfinished, "made"))?;
        for row in &rows {
            let path = unfinished.join(file_of(&row.key));
            write(&path, &rows::of_rows(std::slice::from_ref(row)))?;
        }
        fs::remove_dir(&runs).map_err(ResultsError::file(&runs, "removed"))?;
        fs::rename(&unfinished, &runs).map_err(ResultsError::file(&unfinished, "renamed"))
    }

    /// What they are the results of.
    #[must_use]
    pub const fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// SHA-256 of what decides them, in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    fn part(&self, part: &str, key: &RunKey) -> PathBuf {
        self.folder.join(part).join(file_of(key))
    }

    /// Whether the run is finished.
    #[must_use]
    pub fn has(&self, key: &RunKey) -> bool {
        self.part(RUNS, key).is_file()
    }

    /// Keeps a finished run, and its course where there is one; the run counts once all is written.
    ///
    /// Fails when it cannot be written.
    pub fn keep(&self, row: &ResultRow, trace: Option<&Trace>) -> Result<(), ResultsError> {
        if let Some(trace) = trace {
            let table = rows::of_traces(std::slice::from_ref(trace));
            write(&self.part(TRACES, &row.key), &table)?;
        }
        write(&self.part(RUNS, &row.key), &rows::of_rows(std::slice::from_ref(row)))
    }

    /// Writes all finished runs as one table, `results.parquet`, and all courses as another, `traces.parquet`, both in order.
    ///
    /// Fails when a part cannot be read or a table cannot be written.
    pub fn merge(&self) -> Result<(), ResultsError> {
        write(&self.folder.join(MERGED_RUNS), &rows::of_rows(&load(&self.folder)?))?;
        write(&self.folder.join(MERGED_TRACES), &rows::of_traces(&load_traces(&self.folder)?))
    }
}

fn locked(folder: &Path) -> Result<File, ResultsError> {
    let path = folder.join(LOCK);
    let file = File::create(&path).map_err(ResultsError::file(&path, "written"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ResultsError::Busy(folder.to_owned())),
        Err(TryLockError::Error(source)) => Err(ResultsError::file(&path, "locked")(source)),
    }
}

/// The configuration whose results `folder` holds; `None` where it holds none.
///
/// Fails when it cannot be read.
pub fn configuration_in(folder: &Path) -> Result<Option<Configuration>, ResultsError> {
    let path = folder.join(CONFIGURATION);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ResultsError::file(&path, "read")(error)),
    };
    let configuration = serde_json::from_slice(&text);
    configuration.map(Some).map_err(|source| ResultsError::Configuration { path, source })
}

/// A file name: readable, and unlike that of any other run.
fn file_of(key: &RunKey) -> String {
    let RunKey { scenario, arm, margin_thousandths, seed } = key;
    let text = format!("{scenario}/{arm}/{margin_thousandths}/{seed}");
    let digest = sha256(text.as_bytes());
    let plain: String =
        scenario.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    let plain: String = plain.chars().take(20).collect();
    format!("{plain}.{arm}.{margin_thousandths}.{seed}.{}.parquet", &digest[..12])
}

fn write(path: &Path, table: &Table) -> Result<(), ResultsError> {
    let damaged = |source| ResultsError::Table { path: path.to_owned(), source };
    let bytes = table::encode(table).map_err(damaged)?;
    write_atomically(path, &bytes).map_err(ResultsError::file(path, "written"))
}

fn read<T>(path: &Path, of: fn(Table) -> Result<Vec<T>, String>) -> Result<Vec<T>, ResultsError> {
    let damaged = |source| ResultsError::Table { path: path.to_owned(), source };
    let table = table::read(path).map_err(damaged)?;
    of(table).map_err(|reason| ResultsError::Columns { path: path.to_owned(), reason })
}

/// The Parquet files in `folder`, in order of name; none where there is no folder.
fn parts(folder: &Path) -> Result<Vec<PathBuf>, ResultsError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(ResultsError::file(folder, "read")(error)),
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let paths: BTreeSet<PathBuf> =
        paths.collect::<Result<_, _>>().map_err(ResultsError::file(folder, "read"))?;
    Ok(paths.into_iter().filter(|path| path.extension().is_some_and(|e| e == "parquet")).collect())
}

/// Scenario, arm in the order of tables, margin, seed.
fn order(key: &RunKey) -> (&str, ArmName, u32, u64) {
    (&key.scenario, key.arm, key.margin_thousandths, key.seed)
}

/// All finished runs in `folder`, in order; without a folder of runs those of its merged table.
///
/// Fails when there are none, or a file cannot be read or is another configuration's.
pub fn load(folder: &Path) -> Result<Vec<ResultRow>, ResultsError> {
    let digest = configuration_in(folder)?.map(|configuration| configuration.digest());
    let mut all = Vec::new();
    for path in parts(&folder.join(RUNS))? {
        let rows = read(&path, rows::to_rows)?;
        let foreign =
            |row: &ResultRow| digest.as_ref().is_some_and(|d| row.provenance.configuration != *d);
        if rows.iter().any(foreign) {
            return Err(ResultsError::Foreign(path));
        }
        all.extend(rows);
    }
    let merged = folder.join(MERGED_RUNS);
    if all.is_empty() && merged.is_file() {
        all = load_table(&merged)?;
    }
    if all.is_empty() {
        return Err(ResultsError::Nothing(folder.to_owned()));
    }
    all.sort_by(|a, b| order(&a.key).cmp(&order(&b.key)));
    Ok(all)
}

/// The rows of one table of results.
///
/// Fails when it cannot be read or is none.
pub fn load_table(path: &Path) -> Result<Vec<ResultRow>, ResultsError> {
    read(path, rows::to_rows)
}

/// The courses of runs in `folder`, in order; without a folder of them those of its merged table.
///
/// Fails when a file cannot be read.
pub fn load_traces(folder: &Path) -> Result<Vec<Trace>, ResultsError> {
    let mut all = Vec::new();
    for path in parts(&folder.join(TRACES))? {
        all.extend(read(&path, rows::to_traces)?);
    }
    let merged = folder.join(MERGED_TRACES);
    if all.is_empty() && merged.is_file() {
        all = read(&merged, rows::to_traces)?;
    }
    all.sort_by(|a, b| order(&a.key).cmp(&order(&b.key)));
    Ok(all)
}

#[cfg(test)]
mod tests;
