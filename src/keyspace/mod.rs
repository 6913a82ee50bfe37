//! Keys in shards, each behind a lock of its own.
//!
//! A key's shard follows from its hash alone, not from its database, so a command that touches one
//! key in two databases needs one lock. Commands never lock: the executor locks the shards of the
//! keys that a command declared, and hands it a [`ReadView`] or a [`WriteView`]
//! of just those; what walks every key does so through a [`Walk`], one shard at a time.
//!
//! Nothing here performs I/O, reads the clock, or knows a command by name.

mod access;
mod collection;
mod effects;
mod entries;
mod entry;
mod events;
mod interest;
mod locks;
mod notes;
mod queue;
mod reap;
mod restore;
mod shard;
mod short;
mod snapshot;
#[cfg(test)]
mod testing;
mod view;
mod walk;
mod warm;

pub use access::{Access, AccessMode, AccessPolicy, Usage};
pub use collection::Change;
pub use effects::{DueFields, Effects, Freeing, Garbage, KeyName};
pub use entry::Entry;
pub use events::{EventName, KeyEvent, Telling, Told};
pub use interest::{Wanted, WatchFlag};
pub use locks::{LockPlan, Locked, Mode, Shards};
pub use queue::{Front, Goal};
pub use reap::Due;
pub use restore::Restored;
pub use shard::Database;
pub use snapshot::{SnapshotExtent, SnapshotTaker};
pub use view::{Deadline, Key, Moment, ReadView, WriteView};
pub use walk::Walk;

use crate::hashing::hash_bytes;
use crate::limits;
use queue::Queue;
use shard::Shard;
use snapshot::Snapshots;
use std::collections::hash_map::RandomState;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, RwLock};

/// Every key of every database.
pub struct Keyspace {
    /// SipHash with random keys: SCAN's cursors show parts of hashes to clients, so the hash must stay
    /// unpredictable to those who have seen some of its output.
    hasher: RandomState,
    slots: Box<[Slot]>,
    /// Held by whoever waits for locks while they hold some, for which they need no order then.
    turn: Mutex<()>,
    turn_queue: Queue,
    database_count: usize,
    snapshots: Snapshots,
}

/// A shard with what is known of it without its lock.
struct Slot {
    shard: RwLock<Shard>,
    /// No key of the shard is due before this unix time in milliseconds; `u64::MAX` if none ever is.
    /// Changed under the exclusive lock alone. It may be too early: when the key that was due first
    /// is deleted, it stays until the reaper has looked.
    earliest_ms: AtomicU64,
    queue: Queue,
}

impl Keyspace {
    /// An empty keyspace of so many databases.
    pub fn new(database_count: usize) -> Self {
        let slots = (0..limits::SHARD_COUNT)
            .map(|_| Slot {
                shard: RwLock::new(Shard::default()),
                earliest_ms: AtomicU64::new(u64::MAX),
                queue: Queue::default(),
            })
            .collect();
        Self {
            hasher: RandomState::new(),
            slots,
            turn: Mutex::default(),
            turn_queue: Queue::default(),
            database_count,
            snapshots: Snapshots::default(),
        }
    }

    /// How many databases there are; SELECT takes indexes below this.
    pub fn database_count(&self) -> usize {
        self.database_count
    }

    /// The hash of a key, which is the same in every database.
    pub fn hash(&self, key: &[u8]) -> u64 {
        hash_bytes(&self.hasher, key)
    }

    /// A key with its hash.
    pub fn key<'v>(&self, bytes: &'v [u8]) -> Key<'v> {
        Key { bytes, hash: self.hash(bytes) }
    }

    /// The earliest deadline of any key, in unix milliseconds, or `u64::MAX`.
    pub fn earliest_deadline_ms(&self) -> u64 {
        self.slots
            .iter()
            .map(|slot| slot.earliest_ms.load(Ordering::SeqCst))
            .min()
            .unwrap_or(u64::MAX)
    }
}

/// Where a key stands in the order that SCAN walks: 48 bits of its hash, so that a cursor is a number
/// that every client can hold. The table of a shard uses the bits above and below (its tag is the
/// highest seven), so that within one shard they still tell keys apart.
fn scan_position(hash: u64) -> u64 {
    (hash << 7) >> 16
}

/// The number of values that [`scan_position`] can take.
const SCAN_POSITION_COUNT: u64 = 1 << 48;

/// The shard of a key: the first bits of its scan position, so that SCAN walks shard after shard.
pub fn shard_index(hash: u64) -> usize {
    // SHARD_BITS is at most 16, so this is far below usize::MAX on any machine.
    (scan_position(hash) >> (48 - limits::SHARD_BITS)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_spread_over_all_shards() {
        let keyspace = Keyspace::new(1);
        let mut counts = vec![0; limits::SHARD_COUNT];
        for number in 0..limits::SHARD_COUNT * 64 {
            counts[shard_index(keyspace.hash(format!("key:{number}").as_bytes()))] += 1;
        }
        assert!(counts.iter().all(|count| (16..160).contains(count)), "{counts:?}");
    }
}
