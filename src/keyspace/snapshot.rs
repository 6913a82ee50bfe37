//! One moment of the whole keyspace, looked at while that goes on changing.
//!
//! A snapshot begins with every shard locked for an instant. From then on each shard is shown once as
//! it was in that instant: by whoever saves, a shard after the other, or, before it is changed, by the
//! first who is about to change it (copy on first write). So nobody waits for longer than one shard
//! takes, and nothing is copied but what is to be written anyway.

use super::locks::POISONED;
use super::shard::{Database, Shard};
use super::{Keyspace, LockPlan};
use crate::limits;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// Who is shown the shards of a snapshot.
pub trait SnapshotTaker: Send + Sync {
    /// Looks at a shard: its databases with their indexes. The shard is locked.
    fn take(&self, databases: &mut dyn Iterator<Item = (usize, &Database)>);
}

/// What there is in the instant of a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SnapshotExtent {
    /// For each database the number of keys, and of those among them that have a deadline.
    pub databases: Vec<(u64, u64)>,
    /// Whether any element of a value has a deadline of its own.
    pub has_inner_deadlines: bool,
}

/// The snapshot that is being taken, if one is.
#[derive(Default)]
pub(super) struct Snapshots {
    /// Changes with each snapshot, under all locks. A shard with another number was not yet shown.
    epoch: AtomicU64,
    taker: Mutex<Option<Arc<dyn SnapshotTaker>>>,
}

impl Keyspace {
    fn taker(&self) -> MutexGuard<'_, Option<Arc<dyn SnapshotTaker>>> {
        self.snapshots.taker.lock().expect("replacing a pointer does not panic")
    }

    /// Begins a snapshot of this moment; there must be no other. `make` is told what there is.
    pub fn begin_snapshot(&self, make: impl FnOnce(&SnapshotExtent) -> Arc<dyn SnapshotTaker>) {
        let mut locked = self.lock_exclusive(&LockPlan::All);
        let mut extent = SnapshotExtent::default();
        for (_, shard) in locked.shards_mut() {
            for (db, database) in shard.databases() {
                if extent.databases.len() <= db {
                    extent.databases.resize(db + 1, (0, 0));
                }
                let (keys, volatile) = &mut extent.databases[db];
                *keys += database.len() as u64;
                *volatile += database.volatile_len() as u64;
                extent.has_inner_deadlines |= database.has_inner_deadlines();
            }
        }
        *self.taker() = Some(make(&extent));
        self.snapshots.epoch.fetch_add(1, Ordering::Relaxed);
    }

    /// Shows a shard unless somebody has done so before. Readers go on meanwhile.
    pub fn take_shard(&self, index: usize) {
        let shard = self.read_shard(index);
        self.before_change(&shard);
    }

    /// Ends a snapshot; shards that were not yet shown will not be.
    pub fn end_snapshot(&self) {
        *self.taker() = None;
    }

    /// Whether a snapshot has begun and was not ended.
    pub fn has_snapshot(&self) -> bool {
        self.taker().is_some()
    }

    /// Shows a shard that is about to be changed, if a snapshot waits for it. It is locked.
    #[inline]
    pub(super) fn before_change(&self, shard: &Shard) {
        // The epoch changes under all locks, of which one is held.
        if shard.epoch.load(Ordering::Relaxed) != self.snapshots.epoch.load(Ordering::Relaxed) {
            self.show(shard);
        }
    }

    #[cold]
    fn show(&self, shard: &Shard) {
        let taker = self.taker().clone();
        if let Some(taker) = taker {
            taker.take(&mut shard.databases());
        }
        // One saver at a time shows shards under a shared lock, and a writer has it for itself.
        shard.epoch.store(self.snapshots.epoch.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Empties every database, and gives what they held.
    pub fn take_everything(&self) -> Vec<Database> {
        let mut taken = Vec::new();
        for index in 0..limits::SHARD_COUNT {
            let mut shard = self.slots[index].shard.write().expect(POISONED);
            taken.append(&mut shard.take(None, |key| self.hash(key)));
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::testing::Bench;
    use crate::keyspace::{Freeing, Telling};
    use std::collections::BTreeMap;

    /// Keeps what it is shown, as text.
    #[derive(Default)]
    struct Keeper(Mutex<BTreeMap<String, String>>);

    impl SnapshotTaker for Keeper {
        fn take(&self, databases: &mut dyn Iterator<Item = (usize, &Database)>) {
            let mut kept = self.0.lock().expect("nothing panics with it");
            for (db, database) in databases {
                for entry in database.iter() {
                    let name = format!("{db}:{}", String::from_utf8_lossy(entry.key()));
                    let former = kept.insert(name, format!("{:?}", entry.value().to_value()));
                    assert!(former.is_none(), "a key is shown twice");
                }
            }
        }
    }

    /// What the keyspace holds.
    fn everything(bench: &Bench) -> BTreeMap<String, String> {
        let keeper = Arc::new(Keeper::default());
        bench.keyspace.begin_snapshot(|_| keeper.clone());
        (0..limits::SHARD_COUNT).for_each(|index| bench.keyspace.take_shard(index));
        bench.keyspace.end_snapshot();
        let kept = keeper.0.lock().expect("nothing panics with it");
        kept.clone()
    }

    #[test]
    fn what_changes_after_a_snapshot_began_is_not_in_it() {
        type Change = fn(&mut Bench, &mut fastrand::Rng);
        let changes: &[Change] = &[
            |bench, rng| bench.set(format!("key:{}", rng.usize(..600)).as_bytes()),
            |bench, rng| {
                bench.remove(format!("key:{}", rng.usize(..300)).as_bytes());
            },
            |bench, rng| bench.set_until(format!("key:{}", rng.usize(..300)).as_bytes(), 5),
            |bench, _| {
                bench.keyspace.reap(10, &Telling::NOTHING);
            },
            |bench, _| drop(bench.write_all(|view| view.swap_databases(0, 1))),
            |bench, _| drop(bench.write_all(|view| view.clear(Some(1), Freeing::Now))),
        ];
        for seed in 0..3 {
            let mut bench = Bench::new(seed);
            let mut rng = fastrand::Rng::with_seed(seed);
            for number in 0..300u64 {
                bench.set_until(format!("key:{number}").as_bytes(), 8 + number % 4);
            }
            let expected = everything(&bench);
            let keeper = Arc::new(Keeper::default());
            bench.keyspace.begin_snapshot(|extent| {
                assert_eq!(extent.databases.iter().map(|(keys, _)| keys).sum::<u64>(), 300);
                keeper.clone()
            });
            for index in 0..limits::SHARD_COUNT {
                for _ in 0..rng.usize(..3) {
                    changes[rng.usize(..changes.len())](&mut bench, &mut rng);
                }
                bench.keyspace.take_shard(index);
            }
            bench.keyspace.end_snapshot();
            let kept = keeper.0.lock().expect("nothing panics with it");
            assert_eq!(*kept, expected, "seed {seed}");
        }
    }
}
