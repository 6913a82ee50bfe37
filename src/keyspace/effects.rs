//! What a critical section changed, recorded by the view as its mutators are called.
//!
//! No command counts its changes or frees what it replaced: the executor looks here afterwards.

use super::entry::Entry;
use super::events::Told;
use super::shard::Database;
use crate::limits;
use crate::value::Value;
use std::collections::VecDeque;

/// The record of one critical section; reused by a session from command to command.
#[derive(Default)]
pub struct Effects {
    /// Changes to the keyspace, as Redis counts `dirty`.
    pub changes: u64,
    /// Lookups by reading commands that found their key.
    pub hits: u64,
    /// Lookups by reading commands that found nothing.
    pub misses: u64,
    /// Keys removed because their deadline had passed.
    pub expired: u64,
    /// Elements of values removed because their deadline had passed.
    pub expired_elements: u64,
    /// Fields past their deadline that a reader came across: they are to be removed afterwards.
    pub due: Vec<DueFields>,
    /// Whether a walk came by a key that is due and was not removed yet.
    pub saw_overdue: bool,
    /// What is to be told to others.
    pub told: Told,
    /// Whether databases were emptied or exchanged.
    pub flushed: bool,
    /// Keys that became what somebody waits for.
    pub ready: VecDeque<KeyName>,
    /// Whether a change is under way: set by a mutator before it touches anything.
    pub(super) changing: bool,
    /// The earliest deadline that was set, in unix milliseconds.
    pub deadline_ms: Option<u64>,
    /// What was removed or replaced. It is dropped after the locks are released, since freeing ten
    /// million elements takes long.
    pub garbage: Garbage,
    /// What was removed and is to be freed by somebody for whom no client waits.
    pub lazy_garbage: Garbage,
}

impl Effects {
    /// Whether data was being changed when this record was left.
    pub fn is_changing(&self) -> bool {
        self.changing
    }

    /// Says that the changes under way are complete.
    pub fn has_changed(&mut self) {
        self.changing = false;
    }

    /// Frees what was removed and starts a new record.
    pub fn clear(&mut self) {
        // Field by field, since this runs for every command and most of it is empty.
        let Self {
            changes,
            hits,
            misses,
            expired,
            expired_elements,
            due,
            saw_overdue,
            told,
            flushed,
            ready,
            changing,
            deadline_ms,
            garbage,
            lazy_garbage,
        } = self;
        for count in [changes, hits, misses, expired, expired_elements] {
            *count = 0;
        }
        for is_so in [saw_overdue, flushed, changing] {
            *is_so = false;
        }
        *deadline_ms = None;
        if !due.is_empty() {
            *due = Vec::new();
        }
        if !told.is_empty() {
            *told = Told::default();
        }
        if !ready.is_empty() {
            *ready = VecDeque::new();
        }
        garbage.drop_contents();
        lazy_garbage.drop_contents();
    }

    /// Throws away what a key held.
    pub(super) fn discard(&mut self, entry: Entry, freeing: Freeing) {
        // A few allocations are freed sooner than somebody else is told of them.
        let is_lazy = freeing == Freeing::Later && entry.value().parts() > limits::FREED_PARTS_MAX;
        let garbage = if is_lazy { &mut self.lazy_garbage } else { &mut self.garbage };
        garbage.entries.push(entry);
    }
}

/// A key and its database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyName {
    /// Its database.
    pub db: usize,
    /// The key.
    pub key: Box<[u8]>,
}

/// When what a command removes is freed. Either way no lock is held then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freeing {
    /// Before its client is answered.
    Now,
    /// When it comes to it, if it takes long.
    Later,
}

/// Fields past their deadline that were seen under a shared lock.
pub struct DueFields {
    /// The key of their hash.
    pub key: Box<[u8]>,
    /// The field, or all that are due.
    pub field: Option<Box<[u8]>>,
}

/// Values on their way out of the critical section.
#[derive(Default)]
pub struct Garbage {
    pub(super) values: Vec<Value>,
    pub(super) entries: Vec<Entry>,
    pub(super) databases: Vec<Database>,
}

impl Garbage {
    /// Frees what was collected and keeps the room for the next command.
    fn drop_contents(&mut self) {
        if self.pieces() > 0 {
            self.values.clear();
            self.entries.clear();
            self.databases.clear();
        }
    }

    /// Number of things to free one after the other.
    pub fn pieces(&self) -> usize {
        self.values.len() + self.entries.len() + self.databases.len()
    }

    /// Number of keys that were removed with these things.
    pub fn keys(&self) -> u64 {
        let databases: usize = self.databases.iter().map(Database::len).sum();
        (self.entries.len() + databases) as u64
    }

    /// Adds what is in another, which is empty then.
    pub fn append(&mut self, other: &mut Self) {
        self.values.append(&mut other.values);
        self.entries.append(&mut other.entries);
        self.databases.append(&mut other.databases);
    }

    /// Frees one thing; gives the number of keys that were removed with it, or `None` if nothing
    /// is left.
    pub fn free_piece(&mut self) -> Option<u64> {
        if let Some(database) = self.databases.pop() {
            return Some(database.len() as u64);
        }
        if self.entries.pop().is_some() {
            return Some(1);
        }
        self.values.pop().map(|_| 0)
    }
}
