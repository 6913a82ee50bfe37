//! Locking a set of shards, always in ascending order, so that no two critical sections deadlock.

use super::shard::Shard;
use super::{Keyspace, shard_index};
use crate::limits;
use std::sync::{RwLockReadGuard, RwLockWriteGuard};

/// Which shards a critical section needs.
#[derive(Debug, Default, Clone)]
pub enum LockPlan {
    /// None: the command touches no key.
    #[default]
    None,
    /// The shard of one key: the usual case, without allocation.
    One(usize),
    /// Several shards, ascending and without repetition.
    Some(Vec<usize>),
    /// Every shard.
    All,
}

impl LockPlan {
    /// The plan for keys with these hashes.
    pub fn for_hashes(mut hashes: impl ExactSizeIterator<Item = u64>) -> Self {
        match hashes.len() {
            0 => Self::None,
            1 => hashes.next().map_or(Self::None, |hash| Self::One(shard_index(hash))),
            _ => {
                let mut shards: Vec<usize> = hashes.map(shard_index).collect();
                shards.sort_unstable();
                shards.dedup();
                Self::Some(shards)
            }
        }
    }
}

enum Guard<'k> {
    Shared(RwLockReadGuard<'k, Shard>),
    Exclusive(RwLockWriteGuard<'k, Shard>),
}

impl Guard<'_> {
    fn get(&self) -> &Shard {
        match self {
            Self::Shared(guard) => guard,
            Self::Exclusive(guard) => guard,
        }
    }
}

enum Guards<'k> {
    None,
    One(usize, Guard<'k>),
    /// Ascending by shard.
    Some(Vec<(usize, Guard<'k>)>),
}

/// Shards that are locked for as long as this lives.
pub struct Locked<'k> {
    pub(super) keyspace: &'k Keyspace,
    guards: Guards<'k>,
}

/// A lock is poisoned only by a panic in the middle of a change. Serving half a change would be
/// worse than stopping, and the text says which it was.
const POISONED: &str = "a command panicked while it changed this shard; its data cannot be trusted";

impl Keyspace {
    /// Locks for reading: others may read the same shards meanwhile.
    pub fn lock_shared(&self, plan: &LockPlan) -> Locked<'_> {
        self.lock(plan, |keyspace, shard| Guard::Shared(keyspace.read_shard(shard)))
    }

    /// Locks for writing: nobody else sees these shards meanwhile.
    pub fn lock_exclusive(&self, plan: &LockPlan) -> Locked<'_> {
        self.lock(plan, |keyspace, shard| Guard::Exclusive(keyspace.write_shard(shard)))
    }

    /// One shard alone, for reading.
    pub(super) fn read_shard(&self, shard: usize) -> RwLockReadGuard<'_, Shard> {
        self.slots[shard].shard.read().expect(POISONED)
    }

    /// One shard alone, for writing.
    pub(super) fn write_shard(&self, shard: usize) -> RwLockWriteGuard<'_, Shard> {
        self.slots[shard].shard.write().expect(POISONED)
    }

    fn lock<'k>(
        &'k self,
        plan: &LockPlan,
        lock: impl Fn(&'k Self, usize) -> Guard<'k>,
    ) -> Locked<'k> {
        let several = |shards: &mut dyn Iterator<Item = usize>| {
            Guards::Some(shards.map(|shard| (shard, lock(self, shard))).collect())
        };
        let guards = match plan {
            LockPlan::None => Guards::None,
            LockPlan::One(shard) => Guards::One(*shard, lock(self, *shard)),
            LockPlan::Some(shards) => several(&mut shards.iter().copied()),
            LockPlan::All => several(&mut (0..limits::SHARD_COUNT)),
        };
        Locked { keyspace: self, guards }
    }
}

impl Locked<'_> {
    /// The shard of a key. A key that the command did not declare is our mistake.
    pub(super) fn shard(&self, hash: u64) -> &Shard {
        let wanted = shard_index(hash);
        let guard = match &self.guards {
            Guards::One(shard, guard) if *shard == wanted => Some(guard),
            Guards::Some(guards) => guards
                .binary_search_by_key(&wanted, |(shard, _)| *shard)
                .ok()
                .map(|position| &guards[position].1),
            Guards::None | Guards::One(..) => None,
        };
        guard.expect("a command touches only keys that its row declares").get()
    }

    /// The same, to change it.
    pub(super) fn shard_mut(&mut self, hash: u64) -> &mut Shard {
        let wanted = shard_index(hash);
        let guard = match &mut self.guards {
            Guards::One(shard, guard) if *shard == wanted => Some(guard),
            Guards::Some(guards) => guards
                .binary_search_by_key(&wanted, |(shard, _)| *shard)
                .ok()
                .map(|position| &mut guards[position].1),
            Guards::None | Guards::One(..) => None,
        };
        match guard.expect("a command touches only keys that its row declares") {
            Guard::Exclusive(guard) => guard,
            Guard::Shared(_) => unreachable!("a write view is made from exclusive locks"),
        }
    }

    /// Every locked shard, to change it.
    pub(super) fn shards_mut(&mut self) -> impl Iterator<Item = (usize, &mut Shard)> {
        let (one, several) = match &mut self.guards {
            Guards::None => (None, None),
            Guards::One(shard, guard) => (Some((*shard, guard)), None),
            Guards::Some(guards) => (None, Some(guards)),
        };
        let several = several.into_iter().flatten().map(|(shard, guard)| (*shard, guard));
        one.into_iter().chain(several).map(|(index, guard)| match guard {
            Guard::Exclusive(guard) => (index, &mut **guard),
            Guard::Shared(_) => unreachable!("a write view is made from exclusive locks"),
        })
    }
}
