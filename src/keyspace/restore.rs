//! Putting keys of a snapshot into an empty keyspace.

use super::access::{Access, AccessPolicy, Usage};
use super::entry::Entry;
use super::{Keyspace, shard_index};
use crate::limits;
use crate::value::Value;
use std::sync::atomic::Ordering;

/// A key as it was kept elsewhere.
pub struct Restored<'a> {
    /// The number of its database, below the number of databases.
    pub db: usize,
    /// Its name.
    pub key: &'a [u8],
    /// What it holds.
    pub value: Value,
    /// Unix time in milliseconds from which on it is absent.
    pub deadline_ms: Option<u64>,
    /// When, or how often, it was used.
    pub usage: Usage,
    /// Whether it takes the place of one of its name.
    pub replaces: bool,
}

impl Keyspace {
    /// Makes room for so many keys of one database, so that tables need not grow step by step.
    pub fn reserve(&self, db: usize, count: usize) {
        let of_shard = count / limits::SHARD_COUNT;
        if of_shard <= limits::TABLE_SLOTS_KEPT {
            return;
        }
        for shard in 0..limits::SHARD_COUNT {
            let mut guard = self.write_shard(shard);
            guard.database_mut(db).reserve(of_shard, |key| self.hash(key));
        }
    }

    /// Puts a key in, unless there is one of that name that it does not replace: whether it did. Nobody
    /// hears of it,
    /// and the reaper is to be rung once all keys are in.
    pub fn restore(&self, restored: Restored<'_>, now_ms: u64, policy: AccessPolicy) -> bool {
        let Restored { db, key, value, deadline_ms, usage, replaces } = restored;
        let key = self.key(key);
        let index = shard_index(key.hash);
        let access = Access::with_usage(now_ms, policy, usage);
        let entry = Entry::with_deadline(key.bytes, value.into(), access, deadline_ms);
        let inner_ms = entry.value().earliest_deadline_ms();
        let mut guard = self.write_shard(index);
        let database = guard.database_mut(db);
        if database.get(key).is_some() {
            if !replaces {
                return false;
            }
            drop(database.remove(key, |key| self.hash(key)));
        }
        database.insert_absent(key.hash, entry, |key| self.hash(key));
        for due_ms in deadline_ms.into_iter().chain(inner_ms) {
            self.slots[index].earliest_ms.fetch_min(due_ms, Ordering::SeqCst);
        }
        true
    }
}
