//! One shard: for every database a table of entries and an ordered index of their deadlines.

use super::entries::{Entries, Place};
use super::entry::Entry;
use super::interest::Interests;
use super::view::{Deadline, Key, Moment};
use crate::value::NewValue;
use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;

/// The part of the keyspace behind one lock. Databases come into being when first written to.
#[derive(Default)]
pub struct Shard {
    databases: Vec<Database>,
    /// The snapshot that it was last shown to.
    pub(super) epoch: AtomicU64,
    /// Who has to hear of changes to its keys.
    pub(super) interests: Interests,
}

impl Shard {
    pub(super) fn database(&self, index: usize) -> Option<&Database> {
        self.databases.get(index)
    }

    pub(super) fn database_mut(&mut self, index: usize) -> &mut Database {
        if self.databases.len() <= index {
            self.databases.resize_with(index + 1, Database::default);
        }
        &mut self.databases[index]
    }

    pub(super) fn databases(&self) -> impl Iterator<Item = (usize, &Database)> {
        self.databases.iter().enumerate()
    }

    /// Every database with its index, and who is interested in their keys.
    pub(super) fn parts_mut(
        &mut self,
    ) -> (impl Iterator<Item = (usize, &mut Database)>, &mut Interests) {
        (self.databases.iter_mut().enumerate(), &mut self.interests)
    }

    /// Exchanges two databases; gives keys that somebody waits for, as (database, key), and that are
    /// there now.
    pub(super) fn swap(
        &mut self,
        first: usize,
        second: usize,
        hasher: impl Fn(&[u8]) -> u64,
    ) -> Vec<(usize, Box<[u8]>)> {
        self.database_mut(first.max(second));
        self.databases.swap(first, second);
        let Self { databases, interests, .. } = self;
        if first == second || interests.is_empty() {
            return Vec::new();
        }
        let there = |db: usize, key: &[u8]| databases[db].contains(key, &hasher);
        for db in [first, second] {
            interests.touch_where(db, |key| there(first, key) || there(second, key));
        }
        let waited_for = |db| interests.waited_for(db).map(move |key| (db, key.into()));
        [first, second].into_iter().flat_map(waited_for).collect()
    }

    /// Takes every database out, or the one named.
    pub(super) fn take(
        &mut self,
        only: Option<usize>,
        hasher: impl Fn(&[u8]) -> u64,
    ) -> Vec<Database> {
        if !self.interests.is_empty() {
            for (db, database) in self.databases.iter().enumerate() {
                if only.is_none_or(|only| only == db) {
                    self.interests.touch_where(db, |key| database.contains(key, &hasher));
                }
            }
        }
        match only {
            None => std::mem::take(&mut self.databases),
            Some(index) if index < self.databases.len() => {
                vec![std::mem::take(&mut self.databases[index])]
            }
            Some(_) => Vec::new(),
        }
    }

    /// The earliest deadline of any key, in unix milliseconds, or `u64::MAX`.
    pub(super) fn earliest_ms(&self) -> u64 {
        self.databases.iter().filter_map(Database::earliest_ms).min().unwrap_or(u64::MAX)
    }
}

/// Whether the value that another replaces is of use to whoever stores that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Former {
    Wanted,
    Unwanted,
}

/// Where a value was stored.
pub(super) enum Stored {
    /// Where nothing was.
    New,
    /// Over the former value, in the same bytes.
    Over,
    /// In the place of this entry.
    For(Entry),
    /// In the place of this entry, which was past its deadline, so that the key was absent.
    ForExpired(Entry),
}

/// A value of which elements were removed that were due.
pub(super) struct Trimmed {
    /// Its key.
    pub(super) key: Box<[u8]>,
    /// How many elements.
    pub(super) removed: usize,
    /// The entry, if that left it empty.
    pub(super) emptied: Option<Entry>,
}

/// The keys of one database in one shard.
#[derive(Default)]
pub struct Database {
    entries: Entries,
    /// When keys are due.
    deadlines: Deadlines,
    /// When the first of the elements in a key's value is due, where elements can be.
    inner_deadlines: Deadlines,
}

/// (deadline in unix milliseconds, hash of the key) for each entry that has a deadline. Two keys of
/// one shard with the same 64-bit hash and the same deadline share a line; the reaper removes both,
/// and readers go by the entry alone.
#[derive(Default)]
struct Deadlines {
    lines: BTreeSet<(u64, u64)>,
    /// Of the deadlines in all lines: INFO shows their mean, and must not walk them for it.
    sum_ms: u128,
}

impl Deadlines {
    fn insert(&mut self, deadline_ms: u64, hash: u64) {
        if self.lines.insert((deadline_ms, hash)) {
            self.sum_ms += u128::from(deadline_ms);
        }
    }

    fn remove(&mut self, deadline_ms: u64, hash: u64) {
        if self.lines.remove(&(deadline_ms, hash)) {
            self.sum_ms -= u128::from(deadline_ms);
        }
    }

    /// Replaces what is known of one key.
    fn change(&mut self, hash: u64, former_ms: Option<u64>, deadline_ms: Option<u64>) {
        if former_ms == deadline_ms {
            return;
        }
        if let Some(former_ms) = former_ms {
            self.remove(former_ms, hash);
        }
        if let Some(deadline_ms) = deadline_ms {
            self.insert(deadline_ms, hash);
        }
    }

    fn first_due(&self, now_ms: u64) -> Option<(u64, u64)> {
        self.lines.first().copied().filter(|(deadline_ms, _)| *deadline_ms <= now_ms)
    }
}

impl Database {
    /// Number of keys stored, expired ones that were not yet removed included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no key is stored.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of keys with a deadline.
    pub fn volatile_len(&self) -> usize {
        self.deadlines.lines.len()
    }

    /// Number of keys whose deadline has passed, but which were not yet removed.
    pub fn due_len(&self, now_ms: u64) -> usize {
        self.deadlines.lines.range(..=(now_ms, u64::MAX)).count()
    }

    /// Sum of the deadlines in unix milliseconds, for the mean time to live that INFO shows.
    pub fn deadline_sum_ms(&self) -> u128 {
        self.deadlines.sum_ms
    }

    /// Whether any element of a value has a deadline of its own.
    pub fn has_inner_deadlines(&self) -> bool {
        !self.inner_deadlines.lines.is_empty()
    }

    /// Bytes of the table, slots in use included, but not what keys and values own.
    pub fn table_bytes(&self) -> usize {
        self.entries.heap_bytes()
    }

    /// Bytes of the indexes of deadlines.
    pub fn deadline_bytes(&self) -> usize {
        let lines = self.deadlines.lines.len() + self.inner_deadlines.lines.len();
        lines * size_of::<(u64, u64)>()
    }

    /// Every entry in no order, expired ones included.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    pub(super) fn find(&self, key: Key<'_>) -> Option<Place> {
        self.entries.find(key.hash, |entry| entry.key() == key.bytes)
    }

    pub(super) fn at_mut(&mut self, place: Place) -> &mut Entry {
        self.entries.at_mut(place)
    }

    /// An entry whose key may have this hash. Its key was not looked at.
    pub(super) fn likely_entry(&self, hash: u64) -> Option<&Entry> {
        self.entries.likely(hash)
    }

    /// Whether a key is stored, be it past its deadline or not.
    fn contains(&self, key: &[u8], hasher: impl Fn(&[u8]) -> u64) -> bool {
        self.entries.find(hasher(key), |entry| entry.key() == key).is_some()
    }

    pub(super) fn get(&self, key: Key<'_>) -> Option<&Entry> {
        self.find(key).map(|place| self.entries.at(place))
    }

    pub(super) fn get_mut(&mut self, key: Key<'_>) -> Option<&mut Entry> {
        self.find(key).map(|place| self.entries.at_mut(place))
    }

    /// Stores a value, whatever the key held. The deadline must lie in the future. A former value that is
    /// unwanted may be overwritten in place.
    pub(super) fn store(
        &mut self,
        key: Key<'_>,
        value: NewValue<'_>,
        deadline: Deadline,
        former: Former,
        moment: Moment,
        hasher: impl Fn(&[u8]) -> u64,
    ) -> Stored {
        let Some(place) = self.find(key) else {
            let access = moment.new_access();
            let entry = Entry::with_deadline(key.bytes, value, access, deadline.after(None));
            self.insert_absent(key.hash, entry, hasher);
            return Stored::New;
        };
        let entry = self.entries.at_mut(place);
        let former_ms = entry.deadline_ms();
        let was_expired = entry.is_expired(moment.now_ms);
        let deadline_ms = deadline.after(former_ms.filter(|_| !was_expired));
        self.deadlines.change(key.hash, former_ms, deadline_ms);
        if former == Former::Unwanted
            && !was_expired
            && former_ms.is_some() == deadline_ms.is_some()
            && entry.overwrite(value.as_ref())
        {
            entry.set_deadline(deadline_ms);
            moment.touch(&entry.access);
            return Stored::Over;
        }
        let former_inner_ms = entry.value().earliest_deadline_ms();
        self.inner_deadlines.change(
            key.hash,
            former_inner_ms,
            value.as_ref().earliest_deadline_ms(),
        );
        let access = moment.new_access();
        let mut new = Entry::with_deadline(key.bytes, value, access, deadline_ms);
        if !was_expired {
            std::mem::swap(&mut new.access, &mut entry.access);
            moment.touch(&new.access);
        }
        let former = std::mem::replace(entry, new);
        if was_expired { Stored::ForExpired(former) } else { Stored::For(former) }
    }

    /// Makes room for so many more entries.
    pub(super) fn reserve(&mut self, count: usize, hasher: impl Fn(&[u8]) -> u64) {
        self.entries.reserve(count, hasher);
    }

    /// Stores an entry whose key is known to be absent.
    pub(super) fn insert_absent(&mut self, hash: u64, entry: Entry, hasher: impl Fn(&[u8]) -> u64) {
        self.deadlines.change(hash, None, entry.deadline_ms());
        self.inner_deadlines.change(hash, None, entry.value().earliest_deadline_ms());
        self.entries.insert(hash, entry, hasher);
    }

    pub(super) fn remove(&mut self, key: Key<'_>, hasher: impl Fn(&[u8]) -> u64) -> Option<Entry> {
        let place = self.find(key)?;
        let entry = self.entries.remove(key.hash, place, hasher);
        self.deadlines.change(key.hash, entry.deadline_ms(), None);
        self.inner_deadlines.change(key.hash, entry.value().earliest_deadline_ms(), None);
        Some(entry)
    }

    /// An entry at random, each with the same chance; `None` if there is none.
    pub(super) fn random(&self, rng: &mut fastrand::Rng) -> Option<&Entry> {
        self.entries.random(rng)
    }

    /// Sets or clears a stored key's deadline; gives back the former one.
    pub(super) fn set_deadline(&mut self, key: Key<'_>, deadline_ms: Option<u64>) -> Option<u64> {
        let entry = self.get_mut(key)?;
        let former = entry.deadline_ms();
        if former != deadline_ms {
            entry.set_deadline(deadline_ms);
            self.deadlines.change(key.hash, former, deadline_ms);
        }
        former
    }

    /// Takes note that a stored value's elements have changed, and with them when the first is due.
    pub(super) fn note_inner_deadline(
        &mut self,
        hash: u64,
        former_ms: Option<u64>,
        deadline_ms: Option<u64>,
    ) {
        self.inner_deadlines.change(hash, former_ms, deadline_ms);
    }

    /// When the first key, or the first element in one, is due.
    fn earliest_ms(&self) -> Option<u64> {
        let indexes = [&self.deadlines, &self.inner_deadlines];
        let firsts = indexes.into_iter().filter_map(|deadlines| deadlines.lines.first());
        firsts.map(|(deadline_ms, _)| *deadline_ms).min()
    }

    /// Removes one key that is due, if any is.
    pub(super) fn pop_due(&mut self, now_ms: u64, hasher: impl Fn(&[u8]) -> u64) -> Option<Entry> {
        loop {
            let (deadline, hash) = self.deadlines.first_due(now_ms)?;
            let due = |entry: &Entry| {
                entry.deadline_ms() == Some(deadline) && hasher(entry.key()) == hash
            };
            let found = self.entries.find(hash, due);
            let removed = found.map(|place| self.entries.remove(hash, place, &hasher));
            // The line stays until no entry is left that shares it.
            if self.entries.find(hash, due).is_none() {
                self.deadlines.remove(deadline, hash);
            }
            if let Some(entry) = removed {
                self.inner_deadlines.change(hash, entry.value().earliest_deadline_ms(), None);
                return Some(entry);
            }
        }
    }

    /// Removes a key if it is due by now.
    pub(super) fn remove_due(
        &mut self,
        key: Key<'_>,
        now_ms: u64,
        hasher: impl Fn(&[u8]) -> u64,
    ) -> Option<Entry> {
        // Where no key has a deadline, which is often, there is nothing to look up.
        if self.deadlines.lines.is_empty() {
            return None;
        }
        self.get(key).filter(|entry| entry.is_expired(now_ms))?;
        self.remove(key, hasher)
    }

    /// Removes at most `count` due elements of one value, if any has some.
    pub(super) fn trim_due(
        &mut self,
        now_ms: u64,
        count: usize,
        hasher: impl Fn(&[u8]) -> u64,
    ) -> Option<Trimmed> {
        loop {
            let (deadline, hash) = self.inner_deadlines.first_due(now_ms)?;
            let has_due = |entry: &Entry| {
                entry.value().earliest_deadline_ms() == Some(deadline)
                    && hasher(entry.key()) == hash
            };
            let mut trimmed = None;
            if let Some(place) = self.entries.find(hash, has_due) {
                let entry = self.entries.at_mut(place);
                let (removed, some_left) = entry.remove_due_elements(now_ms, count);
                let next_ms = entry.value().earliest_deadline_ms();
                self.inner_deadlines.change(hash, None, next_ms);
                let key = entry.key().into();
                let emptied = (!some_left).then(|| self.entries.remove(hash, place, &hasher));
                trimmed = Some(Trimmed { key, removed, emptied });
            }
            // As above, the line stays until no entry is left that shares it.
            if self.entries.find(hash, has_due).is_none() {
                self.inner_deadlines.remove(deadline, hash);
            }
            if let Some(Trimmed { emptied: Some(entry), .. }) = &trimmed {
                self.deadlines.change(hash, entry.deadline_ms(), None);
            }
            if trimmed.is_some() {
                return trimmed;
            }
        }
    }
}
