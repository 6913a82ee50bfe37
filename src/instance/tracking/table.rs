//! Which clients have read which keys since these changed last.

use crate::hashing::hash_bytes;
use crate::limits;
use hashbrown::hash_table::{Entry, HashTable};
use std::collections::hash_map::RandomState;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

/// Keys with the ids of those who have read them, spread among locks.
pub struct Table {
    hasher: RandomState,
    shards: Box<[Mutex<HashTable<Readers>>]>,
    keys: AtomicUsize,
    items: AtomicUsize,
    /// Where a key to forget is looked for next.
    next: AtomicUsize,
}

struct Readers {
    key: Box<[u8]>,
    hash: u64,
    /// In ascending order.
    ids: Vec<u64>,
}

impl Default for Table {
    fn default() -> Self {
        let shards = (0..1 << limits::TOPIC_SHARD_BITS).map(|_| Mutex::default()).collect();
        let [keys, items, next] = Default::default();
        Self { hasher: RandomState::new(), shards, keys, items, next }
    }
}

impl Table {
    fn shard(&self, hash: u64) -> MutexGuard<'_, HashTable<Readers>> {
        // Tables look at the upper seven bits as well as at the lowest.
        let index = (hash >> 32) as usize % self.shards.len();
        self.shards[index].lock().expect("moving ids does not panic")
    }

    /// Number of keys.
    pub fn key_count(&self) -> usize {
        self.keys.load(Ordering::Relaxed)
    }

    /// Number of readers of each key, added up.
    pub fn item_count(&self) -> usize {
        self.items.load(Ordering::Relaxed)
    }

    /// Adds a reader.
    pub fn remember(&self, id: u64, key: &[u8]) {
        let hash = hash_bytes(&self.hasher, key);
        let mut shard = self.shard(hash);
        match shard.entry(hash, |readers| *readers.key == *key, |readers| readers.hash) {
            Entry::Occupied(mut found) => {
                let ids = &mut found.get_mut().ids;
                let Err(place) = ids.binary_search(&id) else { return };
                ids.insert(place, id);
            }
            Entry::Vacant(place) => {
                place.insert(Readers { key: key.into(), hash, ids: vec![id] });
                self.keys.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.items.fetch_add(1, Ordering::Relaxed);
    }

    /// Forgets a key, and gives its readers.
    pub fn take(&self, key: &[u8]) -> Vec<u64> {
        if self.key_count() == 0 {
            return Vec::new();
        }
        let hash = hash_bytes(&self.hasher, key);
        let mut shard = self.shard(hash);
        let Ok(found) = shard.find_entry(hash, |readers| *readers.key == *key) else {
            return Vec::new();
        };
        let (Readers { ids, .. }, _) = found.remove();
        self.keys.fetch_sub(1, Ordering::Relaxed);
        self.items.fetch_sub(ids.len(), Ordering::Relaxed);
        ids
    }

    /// Some key, behind another lock each time if there is one.
    pub fn any_key(&self) -> Option<Box<[u8]>> {
        (0..self.shards.len()).find_map(|_| {
            let index = self.next.fetch_add(1, Ordering::Relaxed) % self.shards.len();
            let shard = self.shards[index].lock().expect("moving ids does not panic");
            shard.iter().next().map(|readers| readers.key.clone())
        })
    }

    /// Forgets everything.
    pub fn clear(&self) {
        for shard in &self.shards {
            let taken = std::mem::take(&mut *shard.lock().expect("moving ids does not panic"));
            let items: usize = taken.iter().map(|readers| readers.ids.len()).sum();
            self.keys.fetch_sub(taken.len(), Ordering::Relaxed);
            self.items.fetch_sub(items, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn readers_are_remembered_once_until_they_are_taken() {
        let table = Table::default();
        for (id, key) in [(3, "a"), (1, "a"), (3, "a"), (2, "b"), (2, "c")] {
            table.remember(id, key.as_bytes());
        }
        assert_eq!((table.key_count(), table.item_count()), (3, 4));
        assert_eq!(table.take(b"a"), [1, 3]);
        assert_eq!(table.take(b"a"), Vec::<u64>::new());
        assert_eq!((table.key_count(), table.item_count()), (2, 2));
        table.clear();
        assert_eq!((table.key_count(), table.item_count(), table.any_key()), (0, 0, None));
    }

    #[test]
    fn keys_to_forget_come_from_all_over() {
        let table = Table::default();
        let keys: BTreeSet<Box<[u8]>> = (0..100u8).map(|key| [key].into()).collect();
        keys.iter().for_each(|key| table.remember(1, key));
        let chosen: BTreeSet<_> = (0..table.shards.len()).filter_map(|_| table.any_key()).collect();
        let used = table.shards.iter().filter(|shard| !shard.lock().unwrap().is_empty());
        assert_eq!(chosen.len(), used.count());
        assert!(chosen.is_subset(&keys) && chosen.len() > 1);
    }
}
