//! Model versions on disk, one directory per workload.
//!
//! `<root>/<namespace>/<Kind>.<name>/<version>/` holds a manifest and the model files it lists with
//! their checksums; `CURRENT` names the version that serves. A version appears by a rename and is
//! never changed afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use mora_core::{Signal, WorkloadRef};
use mora_forecast::{LoadError, SaveError, SignalModel};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::{FileDigest, Manifest, WorkloadModel};

const MANIFEST: &str = "manifest.json";
const CURRENT: &str = "CURRENT";

/// Why a version cannot be read or written.
#[derive(Debug, Error)]
pub enum LibraryError {
    /// The file system refused.
    #[error("cannot {action} {}; check that the model library is writable and has space", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file's content is not what was written.
    #[error("model file {} is corrupted: its checksum is not the one in its manifest; train again or roll back", .0.display())]
    Corrupted(PathBuf),
    /// The manifest cannot be understood.
    #[error("{} is not a manifest this build reads; train again or use the build that wrote it", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Why, where it is not JSON of the right shape.
        #[source]
        source: Option<serde_json::Error>,
    },
    /// The files are intact but do not make a model.
    #[error("the {signal} model in {} cannot be loaded; train again", path.display())]
    Load {
        /// The signal.
        signal: Signal,
        /// The version's directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: LoadError,
    },
    /// A fitted model cannot be written down.
    #[error("the {signal} model cannot be saved")]
    Save {
        /// The signal.
        signal: Signal,
        /// Why.
        #[source]
        source: SaveError,
    },
}

/// The versions of one workload.
#[derive(Debug, Clone)]
pub struct Library {
    directory: PathBuf,
}

impl Library {
    /// The versions of `workload` below `root`; creates the directory.
    ///
    /// Fails when the directory cannot be created.
    pub fn open(root: &Path, workload: &WorkloadRef) -> Result<Self, LibraryError> {
        let name = format!("{}.{}", workload.kind(), workload.name());
        let directory = root.join(workload.namespace()).join(name);
        fs::create_dir_all(&directory).map_err(io_error("create", &directory))?;
        Ok(Self { directory })
    }

    /// The names of all versions, newest first.
    pub fn versions(&self) -> Result<Vec<String>, LibraryError> {
        let entries = fs::read_dir(&self.directory).map_err(io_error("list", &self.directory))?;
        let mut versions: Vec<String> = entries
            .filter_map(Result::ok)
            .filter(|entry| entry.path().join(MANIFEST).is_file())
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| !name.starts_with('.'))
            .collect();
        versions.sort_by(|a, b| b.cmp(a));
        Ok(versions)
    }

    /// The name of the version that serves; `None` before the first was published.
    pub fn current(&self) -> Result<Option<String>, LibraryError> {
        let path = self.directory.join(CURRENT);
        match fs::read_to_string(&path) {
            Ok(name) => Ok(Some(name.trim().to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error("read", &path)(error)),
        }
    }

    /// The manifest of `version`.
    pub fn manifest(&self, version: &str) -> Result<Manifest, LibraryError> {
        let path = self.directory.join(version).join(MANIFEST);
        let bytes = fs::read(&path).map_err(io_error("read", &path))?;
        let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|source| {
            LibraryError::Manifest { path: path.clone(), source: Some(source) }
        })?;
        if manifest.schema != Manifest::SCHEMA {
            return Err(LibraryError::Manifest { path, source: None });
        }
        Ok(manifest)
    }

    /// Loads `version` after checking every file against its checksum.
    pub fn load(&self, version: &str) -> Result<WorkloadModel, LibraryError> {
        let manifest = self.manifest(version)?;
        let directory = self.directory.join(version);
        let mut by_signal: BTreeMap<Signal, BTreeMap<String, Vec<u8>>> = BTreeMap::new();
        for (name, digest) in &manifest.files {
            let bytes = read_checked(&directory.join(name), digest)?;
            let Some((signal, file)) = name.split_once('/') else { continue };
            let Ok(signal) = signal.parse() else { continue };
            by_signal.entry(signal).or_default().insert(file.to_owned(), bytes);
        }
        let load = |(signal, files): (Signal, BTreeMap<String, Vec<u8>>)| {
            SignalModel::load(&files)
                .map(|model| (signal, model))
                .map_err(|source| LibraryError::Load { signal, path: directory.clone(), source })
        };
        let signals = by_signal.into_iter().map(load).collect::<Result<_, _>>()?;
        Ok(WorkloadModel { manifest, signals })
    }

    /// Writes a version and makes it the one that serves; then removes all but the newest `keep`.
    ///
    /// On failure the version that served still does. Gives the complete model.
    pub fn publish(
        &self,
        mut manifest: Manifest,
        signals: BTreeMap<Signal, SignalModel>,
        keep: usize,
    ) -> Result<WorkloadModel, LibraryError> {
        let partial = self.directory.join(format!(".{}.partial", manifest.version));
        if partial.exists() {
            fs::remove_dir_all(&partial).map_err(io_error("remove", &partial))?;
        }
        for (signal, model) in &signals {
            let files =
                model.save().map_err(|source| LibraryError::Save { signal: *signal, source })?;
            for file in files {
                let name = format!("{signal}/{}", file.name);
                write_synced(&partial.join(&name), &file.bytes)?;
                manifest.files.insert(name, digest(&file.bytes));
            }
        }
        let record = serde_json::to_vec_pretty(&manifest).map_err(|source| {
            LibraryError::Manifest { path: partial.clone(), source: Some(source) }
        })?;
        write_synced(&partial.join(MANIFEST), &record)?;
        let directory = self.directory.join(&manifest.version);
        fs::rename(&partial, &directory).map_err(io_error("rename", &partial))?;
        self.make_current(&manifest.version)?;
        self.prune(keep)?;
        Ok(WorkloadModel { manifest, signals })
    }

    /// A name for a new version: `stem` with the number after the highest taken one.
    pub fn free_version(&self, stem: &str) -> Result<String, LibraryError> {
        let taken = self.versions()?;
        let newest = taken
            .iter()
            .filter_map(|name| name.strip_prefix(stem)?.strip_prefix('-')?.parse::<u32>().ok())
            .max();
        Ok(format!("{stem}-{:04}", newest.unwrap_or(0) + 1))
    }

    fn make_current(&self, version: &str) -> Result<(), LibraryError> {
        let next = self.directory.join(".CURRENT.next");
        write_synced(&next, version.as_bytes())?;
        fs::rename(&next, self.directory.join(CURRENT)).map_err(io_error("rename", &next))
    }

    fn prune(&self, keep: usize) -> Result<(), LibraryError> {
        let current = self.current()?;
        let old = self.versions()?.into_iter().skip(keep.max(1));
        for version in old.filter(|version| Some(version) != current.as_ref()) {
            let path = self.directory.join(version);
            fs::remove_dir_all(&path).map_err(io_error("remove", &path))?;
        }
        Ok(())
    }
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LibraryError {
    let path = path.to_owned();
    move |source| LibraryError::Io { action, path, source }
}

fn digest(bytes: &[u8]) -> FileDigest {
    let sha256 = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    FileDigest { bytes: bytes.len() as u64, sha256 }
}

fn read_checked(path: &Path, expected: &FileDigest) -> Result<Vec<u8>, LibraryError> {
    let bytes = fs::read(path).map_err(io_error("read", path))?;
    if digest(&bytes) == *expected {
        Ok(bytes)
    } else {
        Err(LibraryError::Corrupted(path.to_owned()))
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), LibraryError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(io_error("create", parent))?;
    }
    let mut file = fs::File::create(path).map_err(io_error("create", path))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(io_error("write", path))
}
