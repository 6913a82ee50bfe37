//! What happened to keys, for those who subscribe to it (keyspace notifications).

use super::effects::KeyName;
use crate::config::EventClasses;

/// An event: its class, and its name in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventName {
    /// The class by which it is asked for.
    pub class: EventClasses,
    /// As subscribers see it, in lower case.
    pub name: &'static str,
}

impl EventName {
    /// A key was removed.
    pub const DEL: Self = Self::generic("del");
    /// A key got a deadline.
    pub const EXPIRE: Self = Self::generic("expire");
    /// Fields of a hash got deadlines.
    pub const FIELDS_EXPIRE: Self = Self { class: EventClasses::HASH, name: "hexpire" };
    /// Fields of a hash were removed.
    pub const FIELDS_REMOVED: Self = Self { class: EventClasses::HASH, name: "hdel" };
    /// A key lost its deadline.
    pub const PERSIST: Self = Self::generic("persist");
    /// A key lost its name.
    pub const RENAME_FROM: Self = Self::generic("rename_from");
    /// A key got a name.
    pub const RENAME_TO: Self = Self::generic("rename_to");
    /// A key left a database.
    pub const MOVE_FROM: Self = Self::generic("move_from");
    /// A key came to a database.
    pub const MOVE_TO: Self = Self::generic("move_to");
    /// A key is the copy of another.
    pub const COPY_TO: Self = Self::generic("copy_to");
    /// A key was removed at its deadline.
    pub const EXPIRED: Self = Self { class: EventClasses::EXPIRED, name: "expired" };
    /// Fields of a hash were removed at their deadlines.
    pub const FIELD_EXPIRED: Self = Self { class: EventClasses::HASH, name: "hexpired" };
    /// A key came into being.
    pub const NEW: Self = Self { class: EventClasses::NEW, name: "new" };
    /// A key was looked for in vain.
    pub const KEY_MISS: Self = Self { class: EventClasses::KEY_MISS, name: "keymiss" };
    /// None that anybody could ask for.
    pub const NONE: Self = Self { class: EventClasses::NONE, name: "" };

    const fn generic(name: &'static str) -> Self {
        Self { class: EventClasses::GENERIC, name }
    }
}

/// Something that happened to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyEvent {
    /// What.
    pub what: EventName,
    /// To which key.
    pub key: KeyName,
}

/// What of a critical section others want to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Telling {
    /// The classes of events that somebody may hear of.
    pub classes: EventClasses,
    /// Whether the names of all keys that change are wanted.
    pub touched: bool,
    /// What a change by the command is called.
    pub event: EventName,
    /// What else it means.
    pub then: EventName,
}

impl Telling {
    /// Nobody wants to know anything.
    pub const NOTHING: Self = Self {
        classes: EventClasses::NONE,
        touched: false,
        event: EventName::NONE,
        then: EventName::NONE,
    };

    /// Whether anybody may hear of this.
    pub fn tells(&self, what: EventName) -> bool {
        what.class != EventClasses::NONE && self.classes.has(what.class)
    }
}

/// What is to be told once the locks are released.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// What happened, in order.
    pub events: Vec<KeyEvent>,
    /// Keys that are not what they were.
    pub touched: Vec<KeyName>,
    /// Whether a database was emptied.
    pub flushed: bool,
}

impl Told {
    /// Takes note of an event if somebody may hear of it.
    pub(super) fn event(&mut self, telling: &Telling, what: EventName, db: usize, key: &[u8]) {
        if telling.tells(what) {
            self.events.push(KeyEvent { what, key: KeyName { db, key: key.into() } });
        }
    }

    /// Takes note of a key that has changed if somebody wants to know.
    pub(super) fn touch(&mut self, telling: &Telling, db: usize, key: &[u8]) {
        if telling.touched {
            self.touched.push(KeyName { db, key: key.into() });
        }
    }

    /// Takes note of a key that was removed at its deadline.
    pub(super) fn expired(&mut self, telling: &Telling, db: usize, key: &[u8]) {
        self.touch(telling, db, key);
        self.event(telling, EventName::EXPIRED, db, key);
    }

    /// Takes note of a hash of which fields were removed at their deadlines, perhaps all.
    pub(super) fn trimmed(&mut self, telling: &Telling, db: usize, key: &[u8], emptied: bool) {
        self.touch(telling, db, key);
        self.event(telling, EventName::FIELD_EXPIRED, db, key);
        if emptied {
            self.event(telling, EventName::DEL, db, key);
        }
    }

    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.touched.is_empty() && !self.flushed
    }
}
