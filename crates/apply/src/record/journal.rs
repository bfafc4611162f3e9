//! Records in a folder, one file per plan.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{AppliedPlan, RecordError, Records, read};

const LOCK: &str = "lock";
/// Records of plans that are kept.
const KEPT: usize = 100;
/// What `tempfile` begins the names of unfinished files with.
const UNFINISHED: &str = ".tmp";

/// A folder of records, each a file that appears and changes by one rename.
#[derive(Debug, Clone)]
pub struct Journal {
    folder: PathBuf,
}

/// The right to change what the records of a folder are about; it ends when this is dropped, or with the process.
#[derive(Debug)]
pub struct Held(#[expect(dead_code, reason = "locked until it is closed")] File);

impl Journal {
    /// The journal of the state folder `state`, in its folder `applied`; nothing is made yet.
    #[must_use]
    pub fn new(state: &Path) -> Self {
        Self { folder: state.join("applied") }
    }

    /// The folder of the records.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Keeps other runs from changing anything until the answer is dropped.
    ///
    /// Fails when another run does, and when the folder cannot be used.
    pub fn hold(&self) -> Result<Held, RecordError> {
        fs::create_dir_all(&self.folder).map_err(at(&self.folder))?;
        let path = self.folder.join(LOCK);
        let file = File::create(&path).map_err(at(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Held(file)),
            Err(TryLockError::WouldBlock) => Err(RecordError::Busy(self.folder.clone())),
            Err(TryLockError::Error(source)) => Err(RecordError::Io { path, source }),
        }
    }

    /// The file of `plan`, whose identifier may come from anywhere and must not lead out of the folder.
    fn path(&self, plan: &str) -> PathBuf {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let name: String = plan.chars().map(|c| if plain(c) { c } else { '_' }).take(200).collect();
        self.folder.join(format!("{name}.json"))
    }

    fn write(&self, applied: &AppliedPlan) -> Result<(), RecordError> {
        fs::create_dir_all(&self.folder).map_err(at(&self.folder))?;
        let path = self.path(&applied.plan);
        let is_new = !path.exists();
        self.replace(&path, applied).map_err(at(&path))?;
        if is_new { self.prune(&path) } else { Ok(()) }
    }

    fn replace(&self, path: &Path, applied: &AppliedPlan) -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&self.folder)?;
        serde_json::to_writer_pretty(&mut file, applied)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        // The rename is on disk only with the folder that it is in.
        File::open(&self.folder)?.sync_all()
    }

    /// Lets go of the oldest records, and of what runs left that were ended while they wrote. Identifiers of plans begin with
    /// the time, so that names are in order.
    fn prune(&self, newest: &Path) -> Result<(), RecordError> {
        let (mut records, mut unfinished) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(&self.folder).map_err(at(&self.folder))? {
            let path = entry.map_err(at(&self.folder))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with(UNFINISHED) {
                unfinished.push(path);
            } else if path.extension().is_some_and(|of| of == "json") && path != newest {
                records.push(path);
            }
        }
        records.sort();
        let excess = (records.len() + 1).saturating_sub(KEPT);
        let gone = records.into_iter().take(excess).chain(unfinished);
        gone.into_iter().try_for_each(|path| fs::remove_file(&path).map_err(at(&path)))
    }
}

impl Records for Journal {
    async fn save(&self, applied: &AppliedPlan) -> Result<(), RecordError> {
        // Tens of kilobytes: less than the change that waits for it takes.
        self.write(applied)
    }

    async fn load(&self, plan: &str) -> Result<Option<AppliedPlan>, RecordError> {
        let path = self.path(plan);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(RecordError::Io { path, source }),
        };
        read(&bytes).map_err(|source| RecordError::Damaged { path, source })?.map(Some)
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> RecordError {
    let path = path.to_owned();
    move |source| RecordError::Io { path, source }
}

#[cfg(test)]
mod tests;
