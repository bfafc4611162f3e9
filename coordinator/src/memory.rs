//! The plans a server can be asked about.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::Record;

/// Plans remembered: a day of them every half an hour.
const REMEMBERED: usize = 48;

/// The last plans with what they were made of, the newest last.
#[derive(Debug)]
pub(crate) struct Memory {
    plans: Mutex<VecDeque<Arc<Record>>>,
    newest: watch::Sender<Option<Arc<Record>>>,
}

impl Default for Memory {
    fn default() -> Self {
        Self { plans: Mutex::default(), newest: watch::Sender::new(None) }
    }
}

impl Memory {
    /// Takes `record` in as the newest, unless its plan is known; returns whether it was not.
    pub(crate) fn remember(&self, record: Arc<Record>) -> bool {
        let mut plans = self.plans();
        if plans.iter().any(|known| known.plan.id == record.plan.id) {
            return false;
        }
        if plans.len() == REMEMBERED {
            plans.pop_front();
        }
        plans.push_back(Arc::clone(&record));
        // Under the guard, so that watchers see plans in the order of the memory.
        self.newest.send_replace(Some(record));
        true
    }

    /// The newest plan, if there is any.
    pub(crate) fn newest(&self) -> Option<Arc<Record>> {
        self.plans().back().cloned()
    }

    /// The plan `id`, if it is remembered.
    pub(crate) fn find(&self, id: &str) -> Option<Arc<Record>> {
        self.plans().iter().find(|record| record.plan.id == id).cloned()
    }

    /// The newest plan, now and whenever it changes.
    pub(crate) fn watch(&self) -> watch::Receiver<Option<Arc<Record>>> {
        self.newest.subscribe()
    }

    /// The guard, also after a panic elsewhere: every change under it is complete in itself.
    fn plans(&self) -> MutexGuard<'_, VecDeque<Arc<Record>>> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
