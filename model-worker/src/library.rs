//! Model versions on disk, one directory per workload.
//!
//! `<root>/<namespace>/<Kind>.<name>/<version>/` holds a manifest and the model files it lists with
//! their checksums; `CURRENT` names the version that serves. A version appears by a rename and is
//! never changed afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;

use mora_core::{Signal, WorkloadKind, WorkloadRef};
use mora_forecast::{LoadError, SaveError, SignalModel};
use thiserror::Error;

use crate::{FileDigest, Manifest, WorkloadModel};

const MANIFEST: &str = "manifest.json";
const CURRENT: &str = "CURRENT";
const REMOVED: &str = ".removed";

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
    /// There is no such version.
    #[error("there is no version {version} in {}; its versions are {}", path.display(), listed(versions))]
    Unknown {
        /// The version asked for.
        version: String,
        /// The workload's directory.
        path: PathBuf,
        /// The versions there are, newest first.
        versions: Vec<String>,
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
        let library = Self::existing(root, workload);
        let directory = &library.directory;
        fs::create_dir_all(directory).map_err(io_error("create", directory))?;
        Ok(library)
    }

    /// The versions of `workload` below `root`, where [`Library::workloads`] lists it.
    #[must_use]
    pub fn existing(root: &Path, workload: &WorkloadRef) -> Self {
        let name = format!("{}.{}", workload.kind(), workload.name());
        Self { directory: root.join(workload.namespace()).join(name) }
    }

    /// The workloads below `root` that have a version, in order; none where `root` does not exist.
    ///
    /// Fails when a directory cannot be listed.
    pub fn workloads(root: &Path) -> Result<Vec<WorkloadRef>, LibraryError> {
        let mut workloads = Vec::new();
        for namespace in folders(root)? {
            for name in folders(&root.join(&namespace))? {
                let Some(workload) = workload_of(&namespace, &name) else { continue };
                if !Self::existing(root, &workload).versions()?.is_empty() {
                    workloads.push(workload);
                }
            }
        }
        workloads.sort();
        Ok(workloads)
    }

    /// Where the versions are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The names of all versions, newest first.
    pub fn versions(&self) -> Result<Vec<String>, LibraryError> {
        let mut versions = folders(&self.directory)?;
        versions.retain(|name| self.directory.join(name).join(MANIFEST).is_file());
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
        let versions = self.versions()?;
        if !versions.iter().any(|name| name == version) {
            let (version, path) = (version.to_owned(), self.directory.clone());
            return Err(LibraryError::Unknown { version, path, versions });
        }
        let path = self.directory.join(version).join(MANIFEST);
        let bytes = fs::read(&path).map_err(io_error("read", &path))?;
        let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|source| {
            LibraryError::Manifest { path: path.clone(), source: Some(source) }
        })?;
        if manifest.schema != Manifest::SCHEMA {
            return Err(LibraryError::Manifest { path, source: None });
        }
        // A version that was copied by hand goes by the name of its folder: its own files are checked and loaded.
        Ok(Manifest { version: version.to_owned(), ..manifest })
    }

    /// Loads `version` after checking every file against its checksum.
    pub fn load(&self, version: &str) -> Result<WorkloadModel, LibraryError> {
        let manifest = self.manifest(version)?;
        let directory = self.directory.join(version);
        let mut by_signal: BTreeMap<Signal, BTreeMap<String, Vec<u8>>> = BTreeMap::new();
        for (name, bytes) in self.files(&manifest)? {
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

    /// The content of every file `manifest` lists, by path relative to the version.
    ///
    /// Fails when one cannot be read or is not what its checksum says.
    pub fn files(&self, manifest: &Manifest) -> Result<BTreeMap<String, Vec<u8>>, LibraryError> {
        let directory = self.directory.join(&manifest.version);
        let read = |(name, digest): (&String, &FileDigest)| {
            Ok((name.clone(), read_checked(&directory.join(name), digest)?))
        };
        manifest.files.iter().map(read).collect()
    }

    /// Writes a version; it does not serve before [`Library::serve`]. Gives the complete model.
    ///
    /// On failure there is no such version.
    pub fn store(
        &self,
        mut manifest: Manifest,
        signals: BTreeMap<Signal, SignalModel>,
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
                manifest.files.insert(name, FileDigest::of(&file.bytes));
            }
        }
        let record = serde_json::to_vec_pretty(&manifest).map_err(|source| {
            LibraryError::Manifest { path: partial.clone(), source: Some(source) }
        })?;
        write_synced(&partial.join(MANIFEST), &record)?;
        let directory = self.directory.join(&manifest.version);
        fs::rename(&partial, &directory).map_err(io_error("rename", &partial))?;
        Ok(WorkloadModel { manifest, signals })
    }

    /// Makes `version` the one that serves, in one step: a reader of the library finds the old or the new.
    ///
    /// Does not read it: load it first where it was not just stored.
    pub fn serve(&self, version: &str) -> Result<(), LibraryError> {
        // Of this process alone: two that switch at once must not write into one file.
        let next = self.directory.join(format!(".{CURRENT}.{}.next", process::id()));
        write_synced(&next, version.as_bytes())?;
        fs::rename(&next, self.directory.join(CURRENT)).map_err(io_error("rename", &next))
    }

    /// The version to go back to from the one that serves: the newest before it that was not rejected when it was
    /// trained; `None` without one.
    pub fn predecessor(&self) -> Result<Option<String>, LibraryError> {
        let Some(current) = self.current()? else { return Ok(None) };
        let served = |version: &String| {
            self.manifest(version).is_ok_and(|manifest| manifest.rejection().is_none())
        };
        Ok(self.versions()?.into_iter().filter(|name| *name < current).find(served))
    }

    /// The versions beyond the newest `keep`, at least 1, newest first; never the one that serves.
    pub fn prunable(&self, keep: usize) -> Result<Vec<String>, LibraryError> {
        let current = self.current()?;
        let old = self.versions()?.into_iter().skip(keep.max(1));
        Ok(old.filter(|version| Some(version) != current.as_ref()).collect())
    }

    /// Removes the versions [`Library::prunable`] lists and gives their names.
    ///
    /// A version disappears in one step; what an interrupted removal left behind goes with the next one.
    pub fn prune(&self, keep: usize) -> Result<Vec<String>, LibraryError> {
        let prunable = self.prunable(keep)?;
        for version in &prunable {
            let (path, removed) =
                (self.directory.join(version), self.directory.join(format!(".{version}{REMOVED}")));
            fs::rename(&path, &removed).map_err(io_error("rename", &path))?;
        }
        let entries = fs::read_dir(&self.directory).map_err(io_error("list", &self.directory))?;
        let removed = entries.filter_map(Result::ok).map(|entry| entry.path());
        for path in removed.filter(|path| path.to_string_lossy().ends_with(REMOVED)) {
            fs::remove_dir_all(&path).map_err(io_error("remove", &path))?;
        }
        Ok(prunable)
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
}

/// The names of the directories in `path` that are not hidden; none where it does not exist.
fn folders(path: &Path) -> Result<Vec<String>, LibraryError> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io_error("list", path)(error)),
    };
    let folders = entries.filter_map(Result::ok).filter(|entry| entry.path().is_dir());
    let names = folders.filter_map(|entry| entry.file_name().into_string().ok());
    Ok(names.filter(|name| !name.starts_with('.')).collect())
}

fn workload_of(namespace: &str, folder: &str) -> Option<WorkloadRef> {
    let (kind, name) = folder.split_once('.')?;
    let kind = WorkloadKind::ALL.into_iter().find(|known| known.as_str() == kind)?;
    WorkloadRef::new(namespace, kind, name).ok()
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LibraryError {
    let path = path.to_owned();
    move |source| LibraryError::Io { action, path, source }
}

fn read_checked(path: &Path, expected: &FileDigest) -> Result<Vec<u8>, LibraryError> {
    let bytes = fs::read(path).map_err(io_error("read", path))?;
    if FileDigest::of(&bytes) == *expected {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Decision, made};

    fn library() -> (tempfile::TempDir, Library) {
        let root = tempfile::tempdir().unwrap();
        let library = Library::open(root.path(), &"shop/cart".parse().unwrap()).unwrap();
        (root, library)
    }

    /// A stored version `name`, rejected or not.
    fn store(library: &Library, name: &str, rejected: bool) {
        let signals = [(Signal::Cpu, made::fitted(0..2, made::wave))].into();
        let decision = Decision {
            champion: "v0".to_owned(),
            published: !rejected,
            reason: "made".to_owned(),
            comparison: None,
        };
        let manifest = Manifest { decision: Some(decision), ..made::manifest(name, &signals) };
        library.store(manifest, signals).unwrap();
    }

    #[test]
    fn a_stored_version_loads_and_serves_only_when_told() {
        let (root, library) = library();
        assert!(Library::workloads(root.path()).unwrap().is_empty());
        store(&library, "v1", false);
        assert_eq!(library.current().unwrap(), None);
        library.serve("v1").unwrap();
        assert_eq!(library.current().unwrap().as_deref(), Some("v1"));
        let model = library.load("v1").unwrap();
        assert!(model.manifest.files.contains_key("cpu/back_test.json"));
        assert_eq!(Library::workloads(root.path()).unwrap(), ["shop/cart".parse().unwrap()]);
        assert!(Library::workloads(Path::new("/nowhere")).unwrap().is_empty());
    }

    #[test]
    fn an_interrupted_switch_leaves_the_version_that_served_and_the_next_one_succeeds() {
        let (_root, library) = library();
        for name in ["v1", "v2"] {
            store(&library, name, false);
        }
        library.serve("v2").unwrap();
        // What a process that was killed before the rename leaves.
        let next = format!(".CURRENT.{}.next", process::id());
        fs::write(library.directory.join(next), "v").unwrap();
        assert_eq!(library.current().unwrap().as_deref(), Some("v2"));
        library.serve("v1").unwrap();
        assert_eq!(library.current().unwrap().as_deref(), Some("v1"));
        assert_eq!(library.versions().unwrap(), ["v2", "v1"]);
    }

    #[test]
    fn pruning_keeps_the_newest_and_always_what_serves() {
        let (_root, library) = library();
        for name in ["v1", "v2", "v3", "v4"] {
            store(&library, name, name != "v1");
        }
        library.serve("v1").unwrap();
        assert_eq!(library.prunable(2).unwrap(), ["v2"]);
        assert_eq!(library.versions().unwrap().len(), 4);
        // What an interrupted removal leaves.
        fs::create_dir_all(library.directory.join(".v0.removed/cpu")).unwrap();
        assert_eq!(library.prune(2).unwrap(), ["v2"]);
        assert_eq!(library.versions().unwrap(), ["v4", "v3", "v1"]);
        assert!(!library.directory.join(".v0.removed").exists());
        assert_eq!(library.prune(0).unwrap(), ["v3"]);
        assert_eq!(library.versions().unwrap(), ["v4", "v1"]);
    }

    #[test]
    fn the_predecessor_is_the_newest_before_that_was_not_rejected() {
        let (_root, library) = library();
        assert_eq!(library.predecessor().unwrap(), None);
        for name in ["v1", "v2", "v3", "v4"] {
            store(&library, name, name == "v2");
        }
        library.serve("v3").unwrap();
        assert_eq!(library.predecessor().unwrap().as_deref(), Some("v1"));
        library.serve("v1").unwrap();
        assert_eq!(library.predecessor().unwrap(), None);
    }

    #[test]
    fn a_version_copied_by_hand_is_checked_in_its_own_folder() {
        let (_root, library) = library();
        for name in ["v1", "v2"] {
            store(&library, name, false);
        }
        let manifest = |name: &str| library.directory.join(name).join(MANIFEST);
        fs::copy(manifest("v1"), manifest("v2")).unwrap();
        assert_eq!(library.load("v2").unwrap().manifest.version, "v2");
        fs::write(library.directory.join("v2/cpu/model.json"), "{}").unwrap();
        assert!(matches!(library.load("v2"), Err(LibraryError::Corrupted(_))));
        library.load("v1").unwrap();
    }

    #[test]
    fn an_unknown_version_lists_those_there_are() {
        let (_root, library) = library();
        for name in ["v1", "v2"] {
            store(&library, name, false);
        }
        let message = library.load("v3").err().unwrap().to_string();
        assert!(message.contains("v3") && message.contains("v2, v1"), "{message}");
        assert!(library.manifest("../v1").is_err());
    }
}
