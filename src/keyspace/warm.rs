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
    /// Brings the entries of keys with these hashes into the processor's cache, of the first
    /// [`LOOK_AHEAD_REQUESTS`](limits::LOOK_AHEAD_REQUESTS). Waits for no lock, and changes nothing that
    /// anybody could see.
    pub fn warm(&self, db: usize, hashes: &[Option<u64>]) {
        const COUNT: usize = limits::LOOK_AHEAD_REQUESTS;
        let shards: [Option<RwLockReadGuard<'_, Shard>>; COUNT] = array::from_fn(|index| {
            let hash = (*hashes.get(index)?)?;
            self.slots[shard_index(hash)].shard.try_read().ok()
        });
        // What stands in one pass is waited for together.
        let entries: [_; COUNT] = array::from_fn(|index| {
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
        let hashes = [Some(hash), None, Some(keyspace.hash(b"b")), Some(hash)];
        let locked = keyspace.lock_exclusive(&LockPlan::for_hash(hash));
        keyspace.warm(0, &hashes);
        keyspace.warm(7, &hashes[1..]);
        drop(locked);
        keyspace.warm(0, &hashes);
        drop(keyspace.lock_exclusive(&LockPlan::All));
    }
}
