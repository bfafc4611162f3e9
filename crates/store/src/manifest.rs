//! Which files count, and how far each scope was collected.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::atomically::write_atomically;
use crate::error::StoreError;

const FORMAT: u32 = 1;
const NAME: &str = "MANIFEST.json";

/// The state of a store; what it does not name does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    format: u32,
    /// The number of the next file or folder.
    pub(crate) next: u64,
    /// Until when each scope was collected.
    pub(crate) collected: BTreeMap<String, Timestamp>,
    /// The files of each day.
    pub(crate) days: BTreeMap<Date, DayFiles>,
}

/// The files of one day.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DayFiles {
    /// The folder with one file per workload, once there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sealed: Option<u64>,
    /// The rounds beside it, oldest first.
    pub(crate) rounds: Vec<u64>,
}

impl Manifest {
    /// The manifest of the store in `root`; a new one where there is none yet. Fails when there is one that is none.
    pub(crate) fn load(root: &Path) -> Result<Self, StoreError> {
        let path = path(root);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::new()),
            Err(error) => return Err(StoreError::file(&path)(error)),
        };
        let refuse = |problem: String| StoreError::Manifest { path: path.clone(), problem };
        let manifest: Self =
            serde_json::from_slice(&text).map_err(|error| refuse(error.to_string()))?;
        if manifest.format == FORMAT {
            return Ok(manifest);
        }
        Err(refuse(format!("its format is {} and this version reads {FORMAT}", manifest.format)))
    }

    fn new() -> Self {
        Self { format: FORMAT, next: 1, collected: BTreeMap::new(), days: BTreeMap::new() }
    }

    /// Makes this the state of the store in `root`.
    pub(crate) fn save(&self, root: &Path) -> Result<(), StoreError> {
        let path = path(root);
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| StoreError::file(&path)(error.into()))?;
        write_atomically(&path, &text).map_err(StoreError::file(&path))
    }

    /// A number that no file or folder has yet.
    pub(crate) const fn number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }
}

fn path(root: &Path) -> PathBuf {
    root.join(NAME)
}
