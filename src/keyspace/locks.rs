//! Locking shards so that no two critical sections deadlock: who has to wait for one holds no other
//! meanwhile, or else has the turn, which one at a time has and which is taken before any lock.

use super::interest::{Wanted, WatchFlag};
use super::shard::Shard;
use super::{Key, Keyspace, shard_index};
use crate::limits;
use std::mem;
use std::ops::Deref;
use std::sync::{
    Arc, MutexGuard, PoisonError, RwLockReadGuard, RwLockWriteGuard, TryLockError, TryLockResult,
};
use std::time::{Duration, Instant};

/// Which shards a critical section needs.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
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
    /// The plan for a key with this hash.
    pub fn for_hash(hash: u64) -> Self {
        Self::One(shard_index(hash))
    }

    /// The plan for keys with these hashes.
    pub fn for_hashes(mut hashes: impl ExactSizeIterator<Item = u64>) -> Self {
        match hashes.len() {
            0 => Self::None,
            1 => hashes.next().map_or(Self::None, Self::for_hash),
            _ => Self::for_shards(hashes.map(shard_index).collect()),
        }
    }

    fn for_shards(mut shards: Vec<usize>) -> Self {
        shards.sort_unstable();
        shards.dedup();
        Self::Some(shards)
    }

    /// The plan for what both need.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, _) | (_, Self::All) => Self::All,
            (Self::None, plan) | (plan, Self::None) => plan,
            (first, second) => Self::for_shards(first.shards().chain(second.shards()).collect()),
        }
    }

    /// The shards in it, ascending.
    fn shards(&self) -> impl Iterator<Item = usize> {
        let (one, several, all) = match self {
            Self::None => (None, &[][..], 0),
            Self::One(shard) => (Some(*shard), &[][..], 0),
            Self::Some(shards) => (None, &shards[..], 0),
            Self::All => (None, &[][..], limits::SHARD_COUNT),
        };
        one.into_iter().chain(several.iter().copied()).chain(0..all)
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
    mode: Mode,
    /// Lets this wait for more locks.
    turn: Option<MutexGuard<'k, ()>>,
}

/// A lock is poisoned only by a panic in the middle of a change. Serving half a change would be
/// worse than stopping, and the text says which it was.
pub(super) const POISONED: &str =
    "a command panicked while it changed this shard; its data cannot be trusted";

/// Whether others may read meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They may.
    Shared,
    /// Nobody else sees what is locked.
    Exclusive,
}

impl Keyspace {
    /// Locks for reading: others may read the same shards meanwhile.
    pub fn lock_shared(&self, plan: &LockPlan) -> Locked<'_> {
        self.lock(plan, Mode::Shared)
    }

    /// Locks for writing: nobody else sees these shards meanwhile.
    pub fn lock_exclusive(&self, plan: &LockPlan) -> Locked<'_> {
        self.lock(plan, Mode::Exclusive)
    }

    /// Locks nothing yet, but lets what this gives be [extended](Locked::extend). Waits for others who have
    /// that.
    pub fn lock_as_needed(&self, mode: Mode) -> Locked<'_> {
        Locked { keyspace: self, guards: Guards::None, mode, turn: Some(self.turn()) }
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        // Whoever panicked with it has left nothing behind.
        let turn = awake(|| match self.turn.try_lock() {
            Err(TryLockError::WouldBlock) => None,
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Ok(turn) => Some(turn),
        });
        turn.unwrap_or_else(|| self.turn.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// One shard alone, for reading.
    pub(super) fn read_shard(&self, shard: usize) -> RwLockReadGuard<'_, Shard> {
        self.slots[shard].shard.read().expect(POISONED)
    }

    /// One shard alone, to change it.
    pub(super) fn write_shard(&self, shard: usize) -> RwLockWriteGuard<'_, Shard> {
        let guard = self.slots[shard].shard.write().expect(POISONED);
        self.before_change(&guard);
        guard
    }

    fn guard(&self, shard: usize, mode: Mode) -> Guard<'_> {
        awake(|| self.try_guard(shard, mode)).unwrap_or_else(|| match mode {
            Mode::Shared => Guard::Shared(self.read_shard(shard)),
            Mode::Exclusive => Guard::Exclusive(self.slots[shard].shard.write().expect(POISONED)),
        })
    }

    /// The same, but `None` rather than waiting.
    fn try_guard(&self, shard: usize, mode: Mode) -> Option<Guard<'_>> {
        let lock = &self.slots[shard].shard;
        match mode {
            Mode::Shared => unless_busy(lock.try_read()).map(Guard::Shared),
            Mode::Exclusive => unless_busy(lock.try_write()).map(Guard::Exclusive),
        }
    }

    /// Locks what a plan says.
    pub fn lock(&self, plan: &LockPlan, mode: Mode) -> Locked<'_> {
        let guards = match plan {
            LockPlan::None => Guards::None,
            LockPlan::One(shard) => Guards::One(*shard, self.guard(*shard, mode)),
            LockPlan::Some(_) | LockPlan::All => Guards::Some(self.guards(plan, mode)),
        };
        Locked { keyspace: self, guards, mode, turn: None }
    }

    /// The same without waiting; `None` if somebody else holds some of it.
    pub fn try_lock(&self, plan: &LockPlan, mode: Mode) -> Option<Locked<'_>> {
        let guards = match plan {
            LockPlan::None => Guards::None,
            LockPlan::One(shard) => Guards::One(*shard, self.try_guard(*shard, mode)?),
            LockPlan::Some(_) | LockPlan::All => Guards::Some(self.try_guards(plan, mode).ok()?),
        };
        Some(Locked { keyspace: self, guards, mode, turn: None })
    }

    /// Several shards. Who has to wait for one of them holds none of the others meanwhile, or all would
    /// wait who want any of these; but not for ever, since others may always be faster.
    fn guards(&self, plan: &LockPlan, mode: Mode) -> Vec<(usize, Guard<'_>)> {
        const TRIES: usize = 3;
        for _ in 0..TRIES {
            match self.try_guards(plan, mode) {
                Ok(guards) => return guards,
                Err(busy) => drop(self.guard(busy, mode)),
            }
        }
        let _turn = self.turn();
        plan.shards().map(|shard| (shard, self.guard(shard, mode))).collect()
    }

    /// The same without waiting; otherwise the first that is locked by somebody else.
    fn try_guards(&self, plan: &LockPlan, mode: Mode) -> Result<Vec<(usize, Guard<'_>)>, usize> {
        let shards = plan.shards();
        let mut guards = Vec::with_capacity(shards.size_hint().0);
        for shard in shards {
            guards.push((shard, self.try_guard(shard, mode).ok_or(shard)?));
        }
        Ok(guards)
    }
}

/// Tries to lock something for as long as most have it locked: to go to sleep and be woken takes longer. A lock
/// alone does not see to that: while one sleeps in front of it, it lets all who come go to sleep at once.
fn awake<G>(try_lock: impl Fn() -> Option<G>) -> Option<G> {
    const PATIENCE: Duration = Duration::from_nanos(limits::LOCK_AWAKE_NS_MAX);
    // Most often it is free, and no clock is read.
    try_lock().or_else(|| {
        let began = Instant::now();
        loop {
            let guard = try_lock();
            if guard.is_some() || began.elapsed() >= PATIENCE {
                return guard;
            }
        }
    })
}

fn unless_busy<G>(result: TryLockResult<G>) -> Option<G> {
    match result {
        Ok(guard) => Some(guard),
        Err(TryLockError::WouldBlock) => None,
        Err(TryLockError::Poisoned(_)) => panic!("{POISONED}"),
    }
}

impl<'k> Locked<'k> {
    /// Lets go of what was [locked as needed](Keyspace::lock_as_needed). What is locked from now on is locked
    /// in this mode.
    pub fn start_over(&mut self, mode: Mode) {
        if self.turn.is_some() {
            (self.guards, self.mode) = (Guards::None, mode);
        }
    }

    /// Locks what is missing of a plan, without waiting. `false` if somebody else holds some of it.
    pub fn try_extend(&mut self, plan: &LockPlan) -> bool {
        let (keyspace, mode) = (self.keyspace, self.mode);
        self.extend_by(plan, |shard| keyspace.try_guard(shard, mode)).is_some()
    }

    /// Locks what is missing of a plan. Only for what is [locked as needed](Keyspace::lock_as_needed), or
    /// entirely.
    pub fn extend(&mut self, plan: &LockPlan) {
        let (keyspace, mode) = (self.keyspace, self.mode);
        let may_wait = self.turn.is_some();
        let extended = self.extend_by(plan, |shard| may_wait.then(|| keyspace.guard(shard, mode)));
        extended.expect("whoever has everything locked misses nothing, and others have the turn");
    }

    fn extend_by(
        &mut self,
        plan: &LockPlan,
        mut guard: impl FnMut(usize) -> Option<Guard<'k>>,
    ) -> Option<()> {
        let mut more = Vec::new();
        for shard in plan.shards().filter(|shard| !self.holds(*shard)) {
            more.push((shard, guard(shard)?));
        }
        if !more.is_empty() {
            let mut guards = match mem::replace(&mut self.guards, Guards::None) {
                Guards::None => Vec::new(),
                Guards::One(shard, guard) => vec![(shard, guard)],
                Guards::Some(guards) => guards,
            };
            guards.append(&mut more);
            guards.sort_unstable_by_key(|(shard, _)| *shard);
            self.guards = Guards::Some(guards);
        }
        Some(())
    }

    fn holds(&self, wanted: usize) -> bool {
        match &self.guards {
            Guards::None => false,
            Guards::One(shard, _) => *shard == wanted,
            Guards::Some(guards) => {
                guards.binary_search_by_key(&wanted, |(shard, _)| *shard).is_ok()
            }
        }
    }

    /// Every shard, one at a time, without locking any of them again.
    pub fn shards(&'k self) -> Shards<'k> {
        match &self.guards {
            Guards::Some(guards) if guards.len() == limits::SHARD_COUNT => Shards::Held(self),
            _ => Shards::Free(self.keyspace),
        }
    }

    /// Raises a flag when a key changes. Its locks must be exclusive, as for all that follows here.
    pub fn watch(&mut self, db: usize, key: Key<'_>, flag: &Arc<WatchFlag>, now_ms: u64) {
        let shard = self.shard_mut(key.hash);
        let entry = shard.database(db).and_then(|database| database.get(key));
        let is_expired = entry.is_some_and(|entry| entry.is_expired(now_ms));
        shard.interests.watch(db, key.bytes, flag, is_expired);
    }

    /// Ends what [`watch`](Self::watch) began. Whether the key has passed its deadline since then.
    pub fn unwatch(&mut self, db: usize, key: Key<'_>, flag: &Arc<WatchFlag>, now_ms: u64) -> bool {
        let shard = self.shard_mut(key.hash);
        let was_expired = shard.interests.was_expired(db, key.bytes, flag);
        shard.interests.unwatch(db, key.bytes, flag);
        let entry = shard.database(db).and_then(|database| database.get(key));
        !was_expired && entry.is_some_and(|entry| entry.is_expired(now_ms))
    }

    /// Lets a client wait for a key to become a collection of this type, behind those who already do.
    pub fn wait(&mut self, db: usize, key: Key<'_>, client: u64, wanted: Wanted) {
        self.shard_mut(key.hash).interests.wait(db, key.bytes, client, wanted);
    }

    /// Ends what [`wait`](Self::wait) began.
    pub fn withdraw(&mut self, db: usize, key: Key<'_>, client: u64) {
        self.shard_mut(key.hash).interests.withdraw(db, key.bytes, client);
    }

    /// Who waits for what a key holds now, after so many others.
    pub fn waiter(&self, db: usize, key: Key<'_>, now_ms: u64, behind: usize) -> Option<u64> {
        let shard = self.shard(key.hash);
        if shard.interests.is_empty() {
            return None;
        }
        let entry = shard.database(db).and_then(|database| database.get(key));
        let entry = entry.filter(|entry| !entry.is_expired(now_ms));
        let kind = entry.map(|entry| entry.value().kind());
        shard.interests.waiters(db, key.bytes, kind).nth(behind)
    }

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
            Guard::Exclusive(guard) => {
                self.keyspace.before_change(guard);
                guard
            }
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
        let keyspace = self.keyspace;
        one.into_iter().chain(several).map(move |(index, guard)| match guard {
            Guard::Exclusive(guard) => {
                keyspace.before_change(guard);
                (index, &mut **guard)
            }
            Guard::Shared(_) => unreachable!("a write view is made from exclusive locks"),
        })
    }
}

/// Access to every shard, one at a time.
#[derive(Clone, Copy)]
pub enum Shards<'k> {
    /// Each is locked while it is looked at, so that whoever walks stops nobody.
    Free(&'k Keyspace),
    /// All are locked already.
    Held(&'k Locked<'k>),
}

/// A shard to look at.
pub(super) enum ShardRef<'k> {
    Locked(RwLockReadGuard<'k, Shard>),
    Held(&'k Shard),
}

impl Deref for ShardRef<'_> {
    type Target = Shard;

    fn deref(&self) -> &Shard {
        match self {
            Self::Locked(guard) => guard,
            Self::Held(shard) => shard,
        }
    }
}

impl<'k> Shards<'k> {
    pub(super) fn keyspace(self) -> &'k Keyspace {
        match self {
            Self::Free(keyspace) => keyspace,
            Self::Held(locked) => locked.keyspace,
        }
    }

    pub(super) fn shard(self, index: usize) -> ShardRef<'k> {
        match self {
            Self::Free(keyspace) => ShardRef::Locked(keyspace.read_shard(index)),
            Self::Held(locked) => match &locked.guards {
                Guards::Some(guards) => ShardRef::Held(guards[index].1.get()),
                Guards::None | Guards::One(..) => unreachable!("all shards are held"),
            },
        }
    }

    /// Number of keys that any client waits for, in all databases.
    pub fn waited_key_count(self) -> usize {
        (0..limits::SHARD_COUNT).map(|shard| self.shard(shard).interests.waited_count()).sum()
    }

    /// Waits until no change is under way that began before this call.
    pub fn wait_for_writes(self) {
        // Whoever holds every lock knows that.
        if let Self::Free(keyspace) = self {
            keyspace.lock_as_needed(Mode::Shared).extend(&LockPlan::All);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_finds_one_shard_locked_has_let_go_of_the_others() {
        let keyspace = Keyspace::new(1);
        let locked = keyspace.lock_shared(&LockPlan::One(5));
        for plan in [LockPlan::for_shards(vec![3, 5, 7]), LockPlan::All] {
            assert_eq!(keyspace.try_guards(&plan, Mode::Exclusive).err(), Some(5));
            drop(keyspace.lock_exclusive(&LockPlan::for_shards(vec![3, 7])));
            assert!(keyspace.try_guards(&plan, Mode::Shared).is_ok());
        }
        drop(locked);
        assert!(keyspace.try_guards(&LockPlan::All, Mode::Exclusive).is_ok());
    }

    #[test]
    fn who_locks_more_on_the_way_stands_in_nobodys_way_for_ever() {
        let keyspace = &Keyspace::new(1);
        let shards = [7, 3, 5, 900, 11];
        std::thread::scope(|scope| {
            for thread in 0..2 {
                scope.spawn(move || {
                    let mut rng = fastrand::Rng::with_seed(thread);
                    for round in 0..500 {
                        let mode = if round % 3 == 0 { Mode::Shared } else { Mode::Exclusive };
                        let mut locked = keyspace.lock_as_needed(mode);
                        let mut order = shards;
                        rng.shuffle(&mut order);
                        for shard in order {
                            locked.extend(&LockPlan::One(shard));
                            assert!(locked.holds(shard));
                        }
                        if round % 50 == 0 {
                            locked.extend(&LockPlan::All);
                            assert!(matches!(locked.shards(), Shards::Held(_)));
                        }
                    }
                });
                scope.spawn(move || {
                    for round in 0..500 {
                        let plan = match round % 100 {
                            0 => LockPlan::All,
                            _ => LockPlan::for_shards(shards.to_vec()),
                        };
                        drop(keyspace.lock_exclusive(&plan));
                        drop(keyspace.lock_shared(&LockPlan::One(5)));
                        drop(keyspace.lock_exclusive(&LockPlan::One(7)));
                    }
                });
            }
        });
    }

    #[test]
    fn writes_are_over_only_when_nobody_can_lock_more() {
        let keyspace = &Keyspace::new(1);
        std::thread::scope(|scope| {
            let locked = keyspace.lock_as_needed(Mode::Exclusive);
            let waits = scope.spawn(|| Shards::Free(keyspace).wait_for_writes());
            std::thread::sleep(std::time::Duration::from_millis(5));
            assert!(!waits.is_finished());
            drop(locked);
        });
    }
}
