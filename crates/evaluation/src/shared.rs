//! What several runs use, made once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Slot<V> = Arc<Mutex<Option<Arc<V>>>>;

/// Values that are expensive to make, each made by whoever asks first; others that ask for the same wait for it, and those that
/// ask for another do not.
#[derive(Debug)]
pub struct Shared<K, V> {
    slots: Mutex<BTreeMap<K, Slot<V>>>,
}

impl<K, V> Default for Shared<K, V> {
    fn default() -> Self {
        Self { slots: Mutex::new(BTreeMap::new()) }
    }
}

impl<K: Ord + Clone, V> Shared<K, V> {
    /// The value of `key`, made by `make` where it is not there.
    ///
    /// Fails when `make` does; who asks next tries again.
    pub fn get<E>(&self, key: &K, make: impl FnOnce() -> Result<V, E>) -> Result<Arc<V>, E> {
        let slot = Arc::clone(locked(&self.slots).entry(key.clone()).or_default());
        let mut slot = locked(&slot);
        if let Some(value) = &*slot {
            return Ok(Arc::clone(value));
        }
        let value = Arc::new(make()?);
        *slot = Some(Arc::clone(&value));
        Ok(value)
    }

    /// Drops what is kept of `key`; who holds it keeps it.
    pub fn forget(&self, key: &K) {
        locked(&self.slots).remove(key);
    }
}

/// A value is put into its slot whole or not at all, so one that a panic left behind is good.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn a_value_is_made_once_until_it_is_forgotten_and_a_failure_is_not_kept() {
        let shared: Shared<u8, u8> = Shared::default();
        assert_eq!(shared.get(&1, || Err("no")), Err("no"));
        let value = |value: u8| *shared.get(&1, || Ok::<_, Infallible>(value)).unwrap();
        assert_eq!((value(5), value(6)), (5, 5));
        shared.forget(&1);
        assert_eq!(value(6), 6);
    }
}
