//! What a critical section changed, recorded by the view as its mutators are called.
//!
//! No command counts its changes or frees what it replaced: the executor looks here afterwards.

use super::entry::Entry;
use crate::value::Value;

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
    /// Whether a change is under way: set by a mutator before it touches anything.
    pub(super) changing: bool,
    /// The earliest deadline that was set, in unix milliseconds.
    pub deadline_ms: Option<u64>,
    /// What was removed or replaced. It is dropped after the locks are released, since freeing ten
    /// million elements takes long.
    pub garbage: Garbage,
}

impl Effects {
    /// Whether data was being changed when this record was left.
    pub fn is_changing(&self) -> bool {
        self.changing
    }

    /// Frees what was removed and starts a new record.
    pub fn clear(&mut self) {
        self.garbage.drop_contents();
        let garbage = std::mem::take(&mut self.garbage);
        *self = Self { garbage, ..Self::default() };
    }
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
    pub(super) databases: Vec<super::Database>,
}

impl Garbage {
    /// Frees what was collected and keeps the room for the next command.
    fn drop_contents(&mut self) {
        self.values.clear();
        self.entries.clear();
        self.databases.clear();
    }
}
