//! What was collected, in memory or in a store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mora_core::{Dataset, Lookback, WorkloadRef};
use mora_store::{Store, StoreError};

/// What was collected over the newest lookback.
#[derive(Debug)]
pub(crate) enum History {
    /// In memory, until the next collection.
    Memory(Mutex<BTreeMap<WorkloadRef, Arc<Dataset>>>),
    /// On disk, for months; read when it is wanted.
    Kept {
        /// The store.
        store: Arc<Store>,
        /// The newest lookback; `None` before the first collection.
        lookback: Mutex<Option<Lookback>>,
    },
}

impl History {
    pub(crate) fn in_memory() -> Self {
        Self::Memory(Mutex::default())
    }

    pub(crate) fn kept(store: Arc<Store>) -> Self {
        Self::Kept { store, lookback: Mutex::default() }
    }

    /// The workloads of which anything is known, in order.
    pub(crate) fn workloads(&self) -> Vec<WorkloadRef> {
        match self {
            Self::Memory(datasets) => guard(datasets).keys().cloned().collect(),
            Self::Kept { store, .. } => store.workloads(),
        }
    }

    /// What was observed of `workload` over the newest lookback; `None` where nothing was.
    ///
    /// Fails when the store cannot be read.
    pub(crate) async fn dataset(
        &self,
        workload: &WorkloadRef,
    ) -> Result<Option<Arc<Dataset>>, StoreError> {
        let (store, lookback) = match self {
            Self::Memory(datasets) => return Ok(guard(datasets).get(workload).cloned()),
            Self::Kept { store, lookback } => (store.clone(), *guard(lookback)),
        };
        let Some(lookback) = lookback else { return Ok(None) };
        let workload = workload.clone();
        blocking(move || Ok(store.dataset(&workload, &lookback)?.map(Arc::new))).await
    }
}

/// Runs `work`, which waits for a disk, where it holds up no other task.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        // Nothing cancels it, so it panicked; so do we.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// The guard, also after a panic elsewhere: what it guards is replaced whole.
pub(crate) fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
