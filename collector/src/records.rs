//! What is known of each workload's training, kept over a restart where there is a store.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use mora_core::WorkloadRef;
use mora_proto::v1;
use mora_store::{StoreError, write_atomically};

use crate::history::guard;
use crate::schedule::Trained;

const NAME: &str = "training.json";

/// What is known of one workload's training.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record {
    /// The newest job; `None` before the first of this process.
    pub(crate) job: Option<v1::TrainingJob>,
    /// What its worker was last trained with.
    pub(crate) trained: Option<Trained>,
    /// When it was last looked at whether its data has changed.
    pub(crate) looked: Option<jiff::Timestamp>,
}

/// The records of all workloads.
#[derive(Debug)]
pub(crate) struct Records {
    path: Option<PathBuf>,
    records: Mutex<BTreeMap<WorkloadRef, Record>>,
}

impl Records {
    /// Records that last as long as the process.
    pub(crate) fn in_memory() -> Self {
        Self { path: None, records: Mutex::default() }
    }

    /// Those kept in `folder`, or none yet.
    ///
    /// Fails when the file is there and cannot be read.
    pub(crate) fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(NAME);
        let record = |trained| Record { trained: Some(trained), ..Record::default() };
        let trained = load(&path)?.into_iter();
        let records = trained.map(|(workload, trained)| (workload, record(trained))).collect();
        Ok(Self { path: Some(path), records: Mutex::new(records) })
    }

    /// The record of `workload`.
    pub(crate) fn of(&self, workload: &WorkloadRef) -> Record {
        guard(&self.records).get(workload).cloned().unwrap_or_default()
    }

    /// Changes the record of `workload`.
    pub(crate) fn change(&self, workload: &WorkloadRef, change: impl FnOnce(&mut Record)) {
        change(guard(&self.records).entry(workload.clone()).or_default());
    }

    /// Keeps what workers were trained with over a restart.
    ///
    /// Fails when the file cannot be written.
    pub(crate) fn save(&self) -> Result<(), StoreError> {
        let Some(path) = &self.path else { return Ok(()) };
        let trained: BTreeMap<String, Trained> = guard(&self.records)
            .iter()
            .filter_map(|(workload, record)| Some((workload.to_string(), record.trained.clone()?)))
            .collect();
        let failed = |source| StoreError::File { path: path.clone(), source };
        let text = serde_json::to_vec_pretty(&trained).map_err(|error| failed(error.into()))?;
        write_atomically(path, &text).map_err(failed)
    }
}

fn load(path: &Path) -> Result<BTreeMap<WorkloadRef, Trained>, StoreError> {
    let failed = |source| StoreError::File { path: path.to_owned(), source };
    let text = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        text => text.map_err(failed)?,
    };
    let named: BTreeMap<String, Trained> =
        serde_json::from_slice(&text).map_err(|error| failed(error.into()))?;
    Ok(named
        .into_iter()
        .filter_map(|(name, trained)| Some((name.parse().ok()?, trained)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn what_workers_were_trained_with_outlives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let workload: WorkloadRef = "shop/StatefulSet/cart".parse().unwrap();
        let at = Timestamp::UNIX_EPOCH;
        let trained = Trained { at, hours: 3.5, daily_cpu: Some((0.1, 1.0 / 3.0)), last_cpu: None };
        let records = Records::open(folder.path()).unwrap();
        records.change(&workload, |record| record.trained = Some(trained.clone()));
        records.change(&"shop/other".parse().unwrap(), |record| record.looked = Some(at));
        records.save().unwrap();
        let again = Records::open(folder.path()).unwrap();
        assert_eq!(again.of(&workload).trained, Some(trained));
        std::fs::write(folder.path().join(NAME), "{").unwrap();
        let error = Records::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("training.json"), "{error}");
        Records::in_memory().save().unwrap();
    }
}
