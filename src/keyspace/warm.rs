//! Asking memory for keys before commands do.
//!
//! Whoever looks a key up waits for memory several times, one wait after the other: for its line in the
//! index, for its entry, for its bytes. In a large database that is half of what a command takes. A
//! processor can wait for several keys at once, but not across the locks of commands.

use super::shard::Shard;
use super::{Keyspace, shard_index};
use crate::limits;
use std::array;
use std::hint::black_box;
use std::sync::RwLockReadGuard;

impl Keyspace {
    /// Brings the entries of keys with these hashes into the processor's cache. Waits for no lock, and
    /// changes nothing that anybody could see.
    pub fn warm(&self, db: usize, hashes: impl IntoIterator<Item = u64>) {
        let mut hashes = hashes.into_iter().fuse().peekable();
        while hashes.peek().is_some() {
            self.warm_some(db, array::from_fn(|_| hashes.next()));
        }
    }

    fn warm_some(&self, db: usize, hashes: [Option<u64>; limits::WARMED_TOGETHER]) {
        let shards: [Option<RwLockReadGuard<'_, Shard>>; limits::WARMED_TOGETHER] =
            hashes.map(|hash| self.slots[shard_index(hash?)].shard.try_read().ok());
        // What stands in one pass is waited for together.
        let entries: [_; limits::WARMED_TOGETHER] = array::from_fn(|index| {
            shards[index].as_ref()?.database(db)?.likely_entry(hashes[index]?)
        });
        for entry in entries.into_iter().flatten() {
            black_box(entry.key().first().copied());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::LockPlan;
    use super::*;

    #[test]
    fn it_passes_over_what_is_locked_or_absent() {
        let keyspace = Keyspace::new(1);
        let hash = keyspace.hash(b"a");
        let hashes = [hash, keyspace.hash(b"b"), hash];
        let locked = keyspace.lock_exclusive(&LockPlan::for_hash(hash));
        keyspace.warm(0, hashes);
        keyspace.warm(7, hashes);
        drop(locked);
        keyspace.warm(0, hashes);
        drop(keyspace.lock_exclusive(&LockPlan::All));
    }
}
