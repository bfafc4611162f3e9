//! A map that forgets its oldest entries.

use std::collections::{BTreeMap, HashMap};

/// Values by key, at most so many; the key that was new the longest ago goes first.
#[derive(Debug)]
pub(crate) struct Bounded<V> {
    capacity: usize,
    entries: HashMap<String, (u64, V)>,
    ages: BTreeMap<u64, String>,
    next: u64,
}

impl<V> Bounded<V> {
    /// An empty map of at most `capacity` entries.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, entries: HashMap::new(), ages: BTreeMap::new(), next: 0 }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&V> {
        self.entries.get(key).map(|(_, value)| value)
    }

    /// Sets a value; a known key keeps its age.
    pub(crate) fn set(&mut self, key: &str, value: V) {
        if let Some((_, old)) = self.entries.get_mut(key) {
            *old = value;
            return;
        }
        if self.entries.len() >= self.capacity
            && let Some((_, oldest)) = self.ages.pop_first()
        {
            self.entries.remove(&oldest);
        }
        self.entries.insert(key.to_owned(), (self.next, value));
        self.ages.insert(self.next, key.to_owned());
        self.next += 1;
    }

    pub(crate) fn forget(&mut self, key: &str) {
        if let Some((age, _)) = self.entries.remove(key) {
            self.ages.remove(&age);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_key_goes_and_a_forgotten_one_makes_room() {
        let mut map = Bounded::new(2);
        map.set("a", 1);
        map.set("b", 2);
        map.set("a", 3);
        map.set("c", 4);
        assert_eq!(["a", "b", "c"].map(|key| map.get(key).copied()), [None, Some(2), Some(4)]);
        map.forget("b");
        map.forget("b");
        map.set("d", 5);
        assert_eq!(["c", "d"].map(|key| map.get(key).copied()), [Some(4), Some(5)]);
        assert_eq!((map.entries.len(), map.ages.len()), (2, 2));
    }
}
