//! What a write view takes note of as its mutators are called: for those who watch a key, who wait for
//! it, and who want to be told of it.

use super::effects::KeyName;
use super::events::{EventName, KeyEvent};
use super::view::{Key, WriteView};
use crate::config::EventClasses;
use crate::value::Type;

impl WriteView<'_, '_> {
    /// What changes by this command are called from now on, where that is not the command's name.
    pub fn call_changes(&mut self, name: &'static str) {
        self.moment.telling.event.name = name;
    }

    /// What changes by this command mean besides, of which others are told right behind.
    pub fn changes_also_mean(&mut self, what: EventName) {
        self.moment.telling.then = what;
    }

    /// The same for a command whose family does not tell the class.
    pub fn call_changes_of(&mut self, class: EventClasses, name: &'static str) {
        self.moment.telling.event = EventName { class, name };
    }

    /// Does something of which others are told later, in [`tell_withheld`](Self::tell_withheld).
    pub fn withholding<R>(&mut self, run: impl FnOnce(&mut Self) -> R) -> (R, Vec<KeyEvent>) {
        let before = self.effects.told.events.len();
        let result = run(self);
        (result, self.effects.told.events.split_off(before))
    }

    /// Tells what was withheld.
    pub fn tell_withheld(&mut self, mut events: Vec<KeyEvent>) {
        self.effects.told.events.append(&mut events);
    }

    /// Tells of an event on a key, if anybody may hear of it.
    pub fn tell(&mut self, key: Key<'_>, what: EventName) {
        self.effects.told.event(&self.moment.telling, what, self.db, key.bytes);
    }

    /// Tells of a change to a key by the name that the command's changes have.
    pub fn tell_change(&mut self, key: Key<'_>) {
        self.tell(key, self.moment.telling.event);
    }

    /// Takes note of so many changes to what a key holds; none is none.
    pub(super) fn note_changes(&mut self, key: Key<'_>, count: usize) {
        self.effects.changes += count as u64;
        if count > 0 {
            self.note_touch(key);
        }
    }

    /// The same for elements, of which so many were removed since they were past their deadline.
    pub(super) fn note_element_changes(&mut self, key: Key<'_>, count: usize, expired: usize) {
        self.effects.expired_elements += expired as u64;
        if expired > 0 {
            self.effects.changes += expired as u64;
            self.touched(key);
            self.tell(key, EventName::FIELD_EXPIRED);
        }
        self.note_changes(key, count - expired);
    }

    /// Takes note of a change that has a name of its own.
    pub(super) fn note_change_as(&mut self, key: Key<'_>, what: EventName) {
        self.effects.changes += 1;
        self.touched(key);
        self.tell(key, what);
    }

    /// Takes note that a command has changed a key, if only in name.
    pub(super) fn note_touch(&mut self, key: Key<'_>) {
        self.touched(key);
        self.tell(key, self.moment.telling.event);
        self.tell(key, self.moment.telling.then);
    }

    /// Takes note that a key is not what it was.
    pub(super) fn touched(&mut self, key: Key<'_>) {
        let db = self.db;
        self.effects.told.touch(&self.moment.telling, db, key.bytes);
        let interests = &mut self.locked.shard_mut(key.hash).interests;
        if !interests.is_empty() {
            interests.touch(db, key.bytes);
            self.note_gone(key);
        }
    }

    /// Takes note that a key may no longer hold what somebody waits at it for.
    fn note_gone(&mut self, key: Key<'_>) {
        let db = self.db;
        if self.locked.shard(key.hash).interests.waiters(db, key.bytes, None).next().is_some() {
            self.effects.ready.push_back(KeyName { db, key: key.bytes.into() });
        }
    }

    /// Takes note that a key past its deadline was removed.
    pub(super) fn note_expiry(&mut self, key: Key<'_>) {
        let db = self.db;
        self.effects.told.touch(&self.moment.telling, db, key.bytes);
        self.locked.shard_mut(key.hash).interests.touch_expired(db, key.bytes);
        self.note_gone(key);
        self.tell(key, EventName::EXPIRED);
    }

    /// Takes note that a key holds a value of this type from now on.
    pub(super) fn note_ready(&mut self, key: Key<'_>, kind: Type) {
        let db = self.db;
        let interests = &self.locked.shard(key.hash).interests;
        if !interests.is_empty() && interests.waiters(db, key.bytes, Some(kind)).next().is_some() {
            self.effects.ready.push_back(KeyName { db, key: key.bytes.into() });
        }
    }
}
