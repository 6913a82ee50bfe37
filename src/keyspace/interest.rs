//! Who is interested in the keys of a shard: clients that watch them (WATCH) and clients that wait for
//! them (BLPOP and its kin).
//!
//! It stands behind the shard's lock, so whoever changes a key learns in the same critical section
//! whom that concerns: no change goes unseen, and no wake-up is lost.

use crate::value::Type;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether anything that a client watches has changed.
#[derive(Debug, Default)]
pub struct WatchFlag(AtomicBool);

impl WatchFlag {
    /// Whether it has.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    fn raise(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// One client that watches a key.
struct Watcher {
    flag: Arc<WatchFlag>,
    /// Whether the key was past its deadline already, so that its removal is no change.
    was_expired: bool,
}

/// For what clients wait at a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// That it becomes a collection of a type.
    Type(Type),
    /// That something is added to the collection of a type that it is, or that it is no such any more.
    More(Type),
}

impl Wanted {
    /// Whether that may be so where a key holds a value of this type, or nothing.
    fn may_be(self, kind: Option<Type>) -> bool {
        match self {
            Self::Type(wanted) => kind == Some(wanted),
            Self::More(_) => true,
        }
    }
}

/// One client that waits at a key.
struct Waiter {
    client: u64,
    wanted: Wanted,
}

/// The interest in one key.
#[derive(Default)]
struct Interest {
    watchers: Vec<Watcher>,
    /// Longest waiting first.
    waiters: VecDeque<Waiter>,
}

impl Interest {
    fn is_empty(&self) -> bool {
        self.watchers.is_empty() && self.waiters.is_empty()
    }
}

/// The interest in all keys of a shard: by database, then by key.
#[derive(Default)]
pub(super) struct Interests {
    databases: BTreeMap<usize, BTreeMap<Box<[u8]>, Interest>>,
}

impl Interests {
    /// Whether nobody is interested in anything, which is nearly always so.
    pub(super) fn is_empty(&self) -> bool {
        self.databases.is_empty()
    }

    fn get(&self, db: usize, key: &[u8]) -> Option<&Interest> {
        self.databases.get(&db)?.get(key)
    }

    fn get_mut(&mut self, db: usize, key: &[u8]) -> Option<&mut Interest> {
        self.databases.get_mut(&db)?.get_mut(key)
    }

    fn get_or_make(&mut self, db: usize, key: &[u8]) -> &mut Interest {
        self.databases.entry(db).or_default().entry(key.into()).or_default()
    }

    /// Forgets a key in which nobody is interested any more.
    fn tidy(&mut self, db: usize, key: &[u8]) {
        let Some(keys) = self.databases.get_mut(&db) else { return };
        if keys.get(key).is_some_and(Interest::is_empty) {
            keys.remove(key);
        }
        if keys.is_empty() {
            self.databases.remove(&db);
        }
    }

    /// Raises this flag when the key changes.
    pub(super) fn watch(&mut self, db: usize, key: &[u8], flag: &Arc<WatchFlag>, expired: bool) {
        let watcher = Watcher { flag: Arc::clone(flag), was_expired: expired };
        self.get_or_make(db, key).watchers.push(watcher);
    }

    /// Ends what [`watch`](Self::watch) began.
    pub(super) fn unwatch(&mut self, db: usize, key: &[u8], flag: &Arc<WatchFlag>) {
        if let Some(interest) = self.get_mut(db, key) {
            interest.watchers.retain(|watcher| !Arc::ptr_eq(&watcher.flag, flag));
            self.tidy(db, key);
        }
    }

    /// Whether the owner of this flag has seen the key past its deadline from the start.
    pub(super) fn was_expired(&self, db: usize, key: &[u8], flag: &Arc<WatchFlag>) -> bool {
        let mut watchers = self.get(db, key).into_iter().flat_map(|interest| &interest.watchers);
        watchers.any(|watcher| Arc::ptr_eq(&watcher.flag, flag) && watcher.was_expired)
    }

    /// Takes note that a key has changed.
    pub(super) fn touch(&mut self, db: usize, key: &[u8]) {
        if let Some(interest) = self.get(db, key) {
            interest.watchers.iter().for_each(|watcher| watcher.flag.raise());
        }
    }

    /// Takes note that a key past its deadline was removed.
    pub(super) fn touch_expired(&mut self, db: usize, key: &[u8]) {
        let Some(interest) = self.get_mut(db, key) else { return };
        for watcher in &mut interest.watchers {
            // Gone is what it was to this watcher; from now on any change counts.
            if !std::mem::take(&mut watcher.was_expired) {
                watcher.flag.raise();
            }
        }
    }

    /// Takes note that those keys of a database have changed for which this holds.
    pub(super) fn touch_where(&mut self, db: usize, changed: impl Fn(&[u8]) -> bool) {
        let keys = self.databases.get(&db).into_iter().flatten();
        for (_, interest) in keys.filter(|(key, _)| changed(key)) {
            interest.watchers.iter().for_each(|watcher| watcher.flag.raise());
        }
    }

    /// Lets a client wait for a key, behind those who already do.
    pub(super) fn wait(&mut self, db: usize, key: &[u8], client: u64, wanted: Wanted) {
        let waiters = &mut self.get_or_make(db, key).waiters;
        // A key that a command names twice is waited for once.
        if waiters.back().is_none_or(|last| last.client != client) {
            waiters.push_back(Waiter { client, wanted });
        }
    }

    /// Ends what [`wait`](Self::wait) began.
    pub(super) fn withdraw(&mut self, db: usize, key: &[u8], client: u64) {
        if let Some(interest) = self.get_mut(db, key) {
            let waiters = &mut interest.waiters;
            if let Some(position) = waiters.iter().position(|waiter| waiter.client == client) {
                waiters.remove(position);
            }
            self.tidy(db, key);
        }
    }

    /// Those who wait for a key to hold such a value, or none, longest first.
    pub(super) fn waiters(
        &self,
        db: usize,
        key: &[u8],
        kind: Option<Type>,
    ) -> impl Iterator<Item = u64> + use<'_> {
        let interest = self.get(db, key).into_iter();
        let waiters = interest.flat_map(|interest| &interest.waiters);
        waiters.filter(move |waiter| waiter.wanted.may_be(kind)).map(|waiter| waiter.client)
    }

    /// The keys of a database that anybody waits for.
    pub(super) fn waited_for(&self, db: usize) -> impl Iterator<Item = &[u8]> {
        let keys = self.databases.get(&db).into_iter().flatten();
        keys.filter(|(_, interest)| !interest.waiters.is_empty()).map(|(key, _)| &**key)
    }

    /// Number of keys that anybody waits for.
    pub(super) fn waited_count(&self) -> usize {
        let keys = self.databases.values().flat_map(BTreeMap::values);
        keys.filter(|interest| !interest.waiters.is_empty()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_raised_by_what_changes_and_nothing_else() {
        type Event = fn(&mut Interests);
        // (what happens, whether that concerns who watched a live key, and an expired one)
        let cases: &[(&str, Event, bool, bool)] = &[
            ("nothing", |_| {}, false, false),
            ("a change", |all| all.touch(0, b"k"), true, true),
            ("another database", |all| all.touch(1, b"k"), false, false),
            ("another key", |all| all.touch(0, b"other"), false, false),
            ("its removal at its deadline", |all| all.touch_expired(0, b"k"), true, false),
            (
                "a change after that",
                |all| {
                    all.touch_expired(0, b"k");
                    all.touch(0, b"k");
                },
                true,
                true,
            ),
            ("the end of all", |all| all.touch_where(0, |key| key == b"k"), true, true),
            ("the end of others", |all| all.touch_where(0, |key| key != b"k"), false, false),
        ];
        for (name, event, live, expired) in cases {
            for (was_expired, expected) in [(false, live), (true, expired)] {
                let (mut interests, flag) = (Interests::default(), Arc::default());
                interests.watch(0, b"k", &flag, was_expired);
                event(&mut interests);
                assert_eq!(flag.is_raised(), *expected, "{name}, expired before: {was_expired}");
                interests.unwatch(0, b"k", &flag);
                assert!(interests.is_empty());
            }
        }
    }

    #[test]
    fn those_who_wait_are_kept_in_order_and_by_type() {
        let mut interests = Interests::default();
        let wait = [(3, Type::List), (1, Type::SortedSet), (2, Type::List)];
        for (client, wanted) in wait.map(|(client, kind)| (client, Wanted::Type(kind))) {
            interests.wait(0, b"k", client, wanted);
            interests.wait(0, b"k", client, wanted);
        }
        interests.wait(0, b"k", 4, Wanted::More(Type::Stream));
        let waiters = |all: &Interests, kind| all.waiters(0, b"k", kind).collect::<Vec<_>>();
        assert_eq!(waiters(&interests, Some(Type::List)), [3, 2, 4]);
        assert_eq!(waiters(&interests, Some(Type::SortedSet)), [1, 4]);
        assert_eq!(waiters(&interests, None), [4]);
        interests.withdraw(0, b"k", 4);
        assert_eq!(interests.waited_for(0).collect::<Vec<_>>(), [b"k"]);
        interests.withdraw(0, b"k", 3);
        assert_eq!(waiters(&interests, Some(Type::List)), [2]);
        (1..=2).for_each(|client| interests.withdraw(0, b"k", client));
        assert!(interests.is_empty() && interests.waited_count() == 0);
    }
}
