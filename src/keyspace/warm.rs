//! Asking memory for keys, and for elements of what they hold, before commands do.
//!
//! Whoever looks a key up waits for memory several times, one wait after the other: for its line in the
//! index, for its entry, for its bytes. In a large database that is half of what a command takes. A
//! processor can wait for several keys at once, but not across the locks of commands.

use super::shard::Shard;
use super::{Key, Keyspace, Locked, shard_index};
use crate::limits;
use crate::value::Words;
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

impl Locked<'_> {
    /// Brings elements of a collection into the processor's cache [for commands to come](crate::value::ValueRef::warm). The
    /// shard of its key must be locked.
    pub fn warm_elements(&self, db: usize, key: Key<'_>, first: Words<'_>, last: Words<'_>) {
        let database = self.shard(key.hash).database(db);
        if let Some(entry) = database.and_then(|database| database.get(key)) {
            entry.value().warm(first, last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::LockPlan;
    use super::super::testing::Bench;
    use super::*;
    use crate::value::{EncodingLimits, Hash, Set, SortedSet, StringValue, Value};

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

    #[test]
    fn elements_stay_what_they_are() {
        let mut bench = Bench::new(1);
        let names: Vec<Vec<u8>> = (0..1000).map(|n| format!("m{n}").into_bytes()).collect();
        let limits = EncodingLimits::default();
        let mut set = Set::for_member(&names[0], &limits);
        let (mut hash, mut sorted) = (Hash::default(), SortedSet::default());
        for name in &names {
            set.insert(name, &limits);
            hash.set(name, b"value", &limits);
            sorted.insert(name, 1.0, &limits);
        }
        sorted.settle(4, &limits);
        let values: [Value; 4] =
            [StringValue::Int(1).into(), set.into(), hash.into(), sorted.into()];
        for value in values {
            let before = format!("{value:?}");
            bench.write(b"a", |view, key| view.set(key, value));
            let key = bench.keyspace.key(b"a");
            let locked = bench.keyspace.lock_shared(&LockPlan::for_hash(key.hash));
            let words = array::from_fn(|n| [Some(&b"m7"[..]), Some(b"absent"), None][n % 3]);
            locked.warm_elements(0, key, words, words);
            locked.warm_elements(7, key, words, words);
            let entry = locked.shard(key.hash).database(0).and_then(|db| db.get(key));
            let after = entry.map(|entry| format!("{:?}", entry.value().to_value()));
            assert_eq!(after, Some(before));
        }
    }
}
