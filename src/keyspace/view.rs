//! What a command sees of the keyspace: the keys whose shards are locked, at one moment.
//!
//! A key past its deadline is absent from every view; a [`WriteView`] also removes it when it gets
//! in the way. Mutators record what they do in the [`Effects`], so no command counts, frees or
//! announces anything itself.

use super::access::{Access, AccessMode, AccessPolicy, Usage};
use super::collection::Change;
use super::effects::{DueFields, Effects, Freeing, KeyName};
use super::entries::Place;
use super::entry::Entry;
use super::events::{EventName, Telling, Told};
use super::locks::Locked;
use super::shard::{Database, Former, Stored};
use crate::error::CommandError;
use crate::value::{EncodingLimits, NewValue, StringRef, StringValue, Value, ValueRef};
use std::cell::{Cell, RefCell};
use std::sync::atomic::Ordering;

/// A key's bytes with their hash, which is computed once per command.
#[derive(Debug, Clone, Copy)]
pub struct Key<'v> {
    /// The key.
    pub bytes: &'v [u8],
    pub(super) hash: u64,
}

impl<'v> Key<'v> {
    /// A key whose hash was computed by [`Keyspace::hash`](super::Keyspace::hash) before.
    pub fn with_hash(bytes: &'v [u8], hash: u64) -> Self {
        Self { bytes, hash }
    }
}

/// Time and randomness of one critical section: arguments, not things to ask for.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Unix time in milliseconds.
    pub now_ms: u64,
    /// Seeds whatever the command chooses at random.
    pub seed: u64,
    /// What becomes of access clocks.
    pub access: AccessMode,
    /// How large a collection may grow before it leaves its compact form.
    pub encoding: EncodingLimits,
    /// The longest string that a command may build, in bytes: the directive `proto-max-bulk-len`.
    pub string_bytes_max: usize,
    /// What others want to be told.
    pub telling: Telling,
    /// Whether long strings are compressed in what DUMP gives: the directive `rdbcompression`.
    pub compresses_dumps: bool,
}

impl Moment {
    /// A moment for whoever only looks, and leaves no traces.
    pub fn for_looking(now_ms: u64, encoding: EncodingLimits) -> Self {
        Self {
            now_ms,
            seed: 0,
            access: AccessMode { untouched: true, ..AccessMode::default() },
            encoding,
            string_bytes_max: 0,
            telling: Telling::NOTHING,
            compresses_dumps: false,
        }
    }

    /// Notes a use of a key, unless the client leaves no traces.
    pub(super) fn touch(&self, access: &Access) {
        if !self.access.untouched {
            self.touch_anyway(access);
        }
    }

    /// Notes a use of a key.
    fn touch_anyway(&self, access: &Access) {
        access.touch(self.now_ms, self.access.policy, self.seed);
    }

    /// The access clock of a key that is made now.
    pub(super) fn new_access(&self) -> Access {
        Access::new(self.now_ms, self.access.policy)
    }
}

/// When a value that is stored will be due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deadline {
    /// Never.
    Never,
    /// When the value that it replaces would have been.
    Kept,
    /// At this unix time in milliseconds.
    At(u64),
}

impl Deadline {
    /// The deadline of a key that had the deadline `former`.
    pub(super) fn after(self, former: Option<u64>) -> Option<u64> {
        match self {
            Self::Never => None,
            Self::Kept => former,
            Self::At(deadline_ms) => Some(deadline_ms),
        }
    }
}

/// Keys under shared locks.
pub struct ReadView<'l> {
    locked: &'l Locked<'l>,
    db: usize,
    moment: Moment,
    hits: Cell<u64>,
    misses: Cell<u64>,
    due: RefCell<Vec<DueFields>>,
    told: RefCell<Told>,
}

impl<'l> ReadView<'l> {
    /// A view of one database.
    pub fn new(locked: &'l Locked<'l>, db: usize, moment: Moment) -> Self {
        Self {
            locked,
            db,
            moment,
            hits: Cell::new(0),
            misses: Cell::new(0),
            due: RefCell::default(),
            told: RefCell::default(),
        }
    }

    /// Adds what was looked up to the record.
    pub fn record(&self, effects: &mut Effects) {
        effects.hits += self.hits.get();
        effects.misses += self.misses.get();
        // Most often there is nothing, and this runs for every command.
        let (mut due, mut told) = (self.due.borrow_mut(), self.told.borrow_mut());
        if !due.is_empty() {
            effects.due.append(&mut due);
        }
        if !told.events.is_empty() {
            effects.told.events.append(&mut told.events);
        }
    }

    /// Has a field removed that is past its deadline, or all such fields of a hash, as soon as the
    /// shared locks are released.
    pub fn note_due(&self, key: Key<'_>, field: Option<&[u8]>) {
        let due = DueFields { key: key.bytes.into(), field: field.map(Box::from) };
        self.due.borrow_mut().push(due);
    }

    /// Unix time in milliseconds, the same for the whole critical section.
    pub fn now_ms(&self) -> u64 {
        self.moment.now_ms
    }

    /// The longest string that a command may build, in bytes.
    pub fn string_bytes_max(&self) -> usize {
        self.moment.string_bytes_max
    }

    /// Whether long strings are compressed in what DUMP gives.
    pub fn compresses_dumps(&self) -> bool {
        self.moment.compresses_dumps
    }

    /// A generator with this critical section's seed.
    pub fn rng(&self) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.moment.seed)
    }

    /// The moment of this critical section.
    pub(super) fn moment(&self) -> Moment {
        self.moment
    }

    /// A key whose name the command has made itself. Its row must declare that.
    pub fn key<'k>(&self, bytes: &'k [u8]) -> Key<'k> {
        self.locked.keyspace.key(bytes)
    }

    /// The entry of a key without any trace: not counted, not touched.
    pub fn entry(&self, key: Key<'_>) -> Option<&'l Entry> {
        live(self.locked, self.db, key, self.moment.now_ms)
    }

    /// The entry of a key: counted as hit or miss, its access clock left alone.
    pub fn peek(&self, key: Key<'_>) -> Option<&'l Entry> {
        let entry = self.entry(key);
        let counter = if entry.is_some() { &self.hits } else { &self.misses };
        counter.set(counter.get() + 1);
        let telling = &self.moment.telling;
        if entry.is_none() && telling.tells(EventName::KEY_MISS) {
            self.told.borrow_mut().event(telling, EventName::KEY_MISS, self.db, key.bytes);
        }
        entry
    }

    /// The value of a key: counted, and its access clock moved.
    pub fn get(&self, key: Key<'_>) -> Option<ValueRef<'l>> {
        let entry = self.peek(key)?;
        self.moment.touch(&entry.access);
        Some(entry.value())
    }

    /// Whether a key is there: counted, and its access clock moved whatever the client asked for.
    pub fn touch(&self, key: Key<'_>) -> bool {
        self.peek(key).map(|entry| self.moment.touch_anyway(&entry.access)).is_some()
    }

    /// What access clocks keep.
    pub fn access_policy(&self) -> AccessPolicy {
        self.moment.access.policy
    }

    /// The string at a key.
    pub fn string(&self, key: Key<'_>) -> Result<Option<StringRef<'l>>, CommandError> {
        self.get(key).map(ValueRef::as_string).transpose()
    }
}

fn live<'l>(locked: &'l Locked<'_>, db: usize, key: Key<'_>, now_ms: u64) -> Option<&'l Entry> {
    let entry = locked.shard(key.hash).database(db)?.get(key)?;
    (!entry.is_expired(now_ms)).then_some(entry)
}

/// Keys under exclusive locks.
pub struct WriteView<'l, 'k> {
    pub(super) locked: &'l mut Locked<'k>,
    pub(super) effects: &'l mut Effects,
    pub(super) db: usize,
    pub(super) moment: Moment,
}

impl<'l, 'k> WriteView<'l, 'k> {
    /// A view of one database.
    pub fn new(
        locked: &'l mut Locked<'k>,
        effects: &'l mut Effects,
        db: usize,
        moment: Moment,
    ) -> Self {
        Self { locked, effects, db, moment }
    }

    /// Looks at the keys as a reading command does; what it finds may be kept until the view changes
    /// something.
    pub fn looking<'s, R>(&'s mut self, look: impl FnOnce(&ReadView<'s>) -> R) -> R {
        let view = ReadView::new(self.locked, self.db, self.moment);
        let result = look(&view);
        view.record(self.effects);
        result
    }

    /// A key by its name.
    pub fn key<'n>(&self, bytes: &'n [u8]) -> Key<'n> {
        self.locked.keyspace.key(bytes)
    }

    /// The same keys in another database, which must be below the number of databases.
    pub fn in_db(&mut self, db: usize) -> WriteView<'_, 'k> {
        WriteView { locked: self.locked, effects: self.effects, db, moment: self.moment }
    }

    /// The database that this view shows.
    pub fn db(&self) -> usize {
        self.db
    }

    /// How many databases there are.
    pub fn database_count(&self) -> usize {
        self.locked.keyspace.database_count
    }

    /// Unix time in milliseconds, the same for the whole critical section.
    pub fn now_ms(&self) -> u64 {
        self.moment.now_ms
    }

    /// The longest string that a command may build, in bytes.
    pub fn string_bytes_max(&self) -> usize {
        self.moment.string_bytes_max
    }

    /// A generator with this critical section's seed.
    pub fn rng(&self) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.moment.seed)
    }

    /// The entry of a key without any trace: not counted, not touched.
    pub fn entry(&self, key: Key<'_>) -> Option<&Entry> {
        live(self.locked, self.db, key, self.moment.now_ms)
    }

    /// The value of a key for a reply: counted as hit or miss, and its access clock moved.
    pub fn get(&mut self, key: Key<'_>) -> Option<ValueRef<'_>> {
        let entry = live(self.locked, self.db, key, self.moment.now_ms);
        match entry {
            Some(entry) => {
                self.effects.hits += 1;
                self.moment.touch(&entry.access);
            }
            None => self.effects.misses += 1,
        }
        entry.map(Entry::value)
    }

    /// The string at a key, for a reply: counted and touched.
    pub fn string(&mut self, key: Key<'_>) -> Result<Option<StringRef<'_>>, CommandError> {
        self.get(key).map(ValueRef::as_string).transpose()
    }

    /// Whether the key is there.
    pub fn contains(&self, key: Key<'_>) -> bool {
        self.entry(key).is_some()
    }

    /// Changes the string at a key; `None` if there is no such key. An `Err` of `change` promises
    /// that it changed nothing.
    pub fn update_string<R>(
        &mut self,
        key: Key<'_>,
        change: impl FnOnce(&mut StringValue) -> Result<R, CommandError>,
    ) -> Result<Option<R>, CommandError> {
        self.remove_expired(key);
        let moment = self.moment;
        let Some(entry) = self.database(key).get_mut(key) else { return Ok(None) };
        moment.touch(&entry.access);
        let result = entry.change_string(change)??;
        self.note_changes(key, 1);
        Ok(Some(result))
    }

    /// Changes the string at a key, perhaps; `None` if there is no such key. A change of
    /// none leaves the key unmodified in every sense but its encoding.
    pub fn change_string<R>(
        &mut self,
        key: Key<'_>,
        change: impl FnOnce(&mut StringValue) -> Change<R>,
    ) -> Result<Option<R>, CommandError> {
        self.remove_expired(key);
        let moment = self.moment;
        let Some(entry) = self.database(key).get_mut(key) else { return Ok(None) };
        moment.touch(&entry.access);
        let Change { count, result, .. } = entry.change_string(change)?;
        self.note_changes(key, count);
        Ok(Some(result))
    }

    /// Stores a value, whatever the key held, without deadline.
    pub fn set<'n>(&mut self, key: Key<'_>, value: impl Into<NewValue<'n>>) {
        self.store(key, value, Deadline::Never);
    }

    /// Stores a value, whatever the key held. A deadline that has passed leaves no key.
    pub fn store<'n>(&mut self, key: Key<'_>, value: impl Into<NewValue<'n>>, deadline: Deadline) {
        let former = self.replace(key, value.into(), deadline, Former::Unwanted);
        self.effects.garbage.entries.extend(former);
    }

    /// Stores a value as [`store`](Self::store) does and gives the one that it replaces.
    pub fn exchange<'n>(
        &mut self,
        key: Key<'_>,
        value: impl Into<NewValue<'n>>,
        deadline: Deadline,
    ) -> Option<Value> {
        self.replace(key, value.into(), deadline, Former::Wanted).map(Entry::into_value)
    }

    /// Stores a value and gives the entry that it replaces, if it did not overwrite it.
    fn replace(
        &mut self,
        key: Key<'_>,
        value: NewValue<'_>,
        deadline: Deadline,
        former: Former,
    ) -> Option<Entry> {
        let moment = self.moment;
        self.effects.changing = true;
        if matches!(deadline, Deadline::At(deadline_ms) if deadline_ms <= moment.now_ms) {
            // To a client it was stored and expired at once.
            self.effects.expired += 1;
            if let NewValue::Owned(value) = value {
                self.effects.garbage.values.push(value);
            }
            self.remove_expired(key);
            let former = self.take_stored(key);
            self.note_changes(key, 1);
            self.tell(key, EventName::EXPIRED);
            return former;
        }
        let keyspace = self.locked.keyspace;
        let hasher = |key: &[u8]| keyspace.hash(key);
        self.note_deadline(key, value.as_ref().earliest_deadline_ms());
        self.note_ready(key, value.as_ref().kind());
        let stored = self.database(key).store(key, value, deadline, former, moment, hasher);
        self.note_deadline(key, deadline.after(None));
        let (is_new, former) = match stored {
            Stored::New => (true, None),
            Stored::Over => (false, None),
            Stored::For(entry) => (false, Some(entry)),
            Stored::ForExpired(entry) => {
                self.effects.expired += 1;
                self.effects.garbage.entries.push(entry);
                self.tell(key, EventName::EXPIRED);
                (true, None)
            }
        };
        if is_new {
            self.tell(key, EventName::NEW);
        }
        self.note_changes(key, 1);
        former
    }

    /// Puts an entry where none is.
    pub(super) fn insert(&mut self, key: Key<'_>, entry: Entry) {
        let keyspace = self.locked.keyspace;
        self.note_deadline(key, entry.deadline_ms());
        self.note_deadline(key, entry.value().earliest_deadline_ms());
        self.note_ready(key, entry.value().kind());
        self.database(key).insert_absent(key.hash, entry, |key| keyspace.hash(key));
        self.tell(key, EventName::NEW);
    }

    /// Removes a key; whether it was there.
    pub fn remove(&mut self, key: Key<'_>) -> bool {
        self.remove_freeing(key, Freeing::Now)
    }

    /// The same, and says when what it held is freed.
    pub fn remove_freeing(&mut self, key: Key<'_>, freeing: Freeing) -> bool {
        self.take(key).map(|entry| self.effects.discard(entry, freeing)).is_some()
    }

    /// Removes a key and gives its entry.
    pub fn take(&mut self, key: Key<'_>) -> Option<Entry> {
        self.remove_expired(key);
        let entry = self.take_stored(key)?;
        self.note_change_as(key, EventName::DEL);
        Some(entry)
    }

    fn take_stored(&mut self, key: Key<'_>) -> Option<Entry> {
        let keyspace = self.locked.keyspace;
        self.database(key).remove(key, |key| keyspace.hash(key))
    }

    /// Moves a key to another name, another database or both, over whatever is there. Its deadline
    /// and its access clock go along. Whether it was there.
    pub fn relocate(&mut self, from: Key<'_>, to_db: usize, to: Key<'_>) -> bool {
        self.remove_expired(from);
        let Some(entry) = self.take_stored(from) else { return false };
        self.moment.touch(&entry.access);
        let moves = to_db != self.db;
        self.in_db(to_db).put(to, entry.renamed(to.bytes));
        self.touched(from);
        let (left, came) = match moves {
            true => (EventName::MOVE_FROM, EventName::MOVE_TO),
            false => (EventName::RENAME_FROM, EventName::RENAME_TO),
        };
        self.tell(from, left);
        self.in_db(to_db).note_change_as(to, came);
        true
    }

    /// Copies a key to another name, another database or both, over whatever is there. The copy has
    /// the same deadline and was never used. Whether the key was there.
    pub fn duplicate(&mut self, from: Key<'_>, to_db: usize, to: Key<'_>) -> bool {
        let moment = self.moment;
        let Some(entry) = self.entry(from) else { return false };
        moment.touch(&entry.access);
        let mut copy = Entry::new(to.bytes, entry.value().to_value(), moment.new_access());
        copy.set_deadline(entry.deadline_ms());
        let mut there = self.in_db(to_db);
        there.put(to, copy);
        there.note_change_as(to, EventName::COPY_TO);
        true
    }

    /// Puts a key over whatever is there, as it was kept elsewhere. Its deadline lies in the future.
    pub fn restore(&mut self, key: Key<'_>, value: Value, deadline_ms: Option<u64>, usage: Usage) {
        let Moment { now_ms, access, .. } = self.moment;
        let access = Access::with_usage(now_ms, access.policy, usage);
        self.put(key, Entry::with_deadline(key.bytes, value.into(), access, deadline_ms));
        self.note_changes(key, 1);
    }

    /// Puts an entry over whatever is there, of which the caller takes note.
    fn put(&mut self, key: Key<'_>, entry: Entry) {
        self.remove_expired(key);
        if let Some(former) = self.take_stored(key) {
            self.effects.garbage.entries.push(former);
        }
        self.insert(key, entry);
    }

    /// Notes a use of a key without counting it; whether the key is there.
    pub fn touch(&mut self, key: Key<'_>) -> bool {
        self.remove_expired(key);
        self.entry(key).map(|entry| self.moment.touch(&entry.access)).is_some()
    }

    /// Sets a key's deadline in unix milliseconds; whether the key is there. A deadline that has
    /// passed removes the key.
    pub fn set_deadline(&mut self, key: Key<'_>, deadline_ms: u64) -> bool {
        if deadline_ms <= self.moment.now_ms {
            return self.remove(key);
        }
        if !self.contains(key) {
            return false;
        }
        self.effects.changing = true;
        self.database(key).set_deadline(key, Some(deadline_ms));
        self.note_change_as(key, EventName::EXPIRE);
        self.note_deadline(key, Some(deadline_ms));
        true
    }

    /// Takes a key's deadline away; whether it had one.
    pub fn persist(&mut self, key: Key<'_>) -> bool {
        if self.entry(key).and_then(Entry::deadline_ms).is_none() {
            return false;
        }
        self.effects.changing = true;
        self.database(key).set_deadline(key, None);
        self.note_change_as(key, EventName::PERSIST);
        true
    }

    /// Empties one database, or all. The command's row must declare every key.
    pub fn clear(&mut self, only: Option<usize>, freeing: Freeing) {
        self.effects.changing = true;
        let garbage = match freeing {
            Freeing::Now => &mut self.effects.garbage.databases,
            Freeing::Later => &mut self.effects.lazy_garbage.databases,
        };
        let keyspace = self.locked.keyspace;
        if only.is_none() {
            // As in Redis: what is being saved is not worth it any more, and is a lot to look at now.
            keyspace.end_snapshot();
        }
        let slots = &keyspace.slots;
        let mut count = 0;
        for (index, shard) in self.locked.shards_mut() {
            for db in (0..keyspace.database_count).filter(|db| only.is_none_or(|only| only == *db))
            {
                let waited_for = shard.interests.waited_for(db);
                let names = waited_for.map(|key| KeyName { db, key: key.into() });
                self.effects.ready.extend(names);
            }
            let taken = shard.take(only, |key| keyspace.hash(key));
            count += taken.iter().map(Database::len).sum::<usize>();
            garbage.extend(taken.into_iter().filter(|database| !database.is_empty()));
            slots[index].earliest_ms.store(shard.earliest_ms(), Ordering::SeqCst);
        }
        self.effects.changes += count as u64;
        self.effects.told.flushed |= self.moment.telling.touched;
        self.effects.flushed = true;
    }

    /// Exchanges two databases. The command's row must declare every key.
    pub fn swap_databases(&mut self, first: usize, second: usize) {
        self.effects.changing = true;
        let keyspace = self.locked.keyspace;
        for (_, shard) in self.locked.shards_mut() {
            let ready = shard.swap(first, second, |key| keyspace.hash(key));
            self.effects.ready.extend(ready.into_iter().map(|(db, key)| KeyName { db, key }));
        }
        self.effects.changes += 1;
        self.effects.flushed = true;
    }

    /// How large a collection may grow before it leaves its compact form.
    pub fn encoding_limits(&self) -> EncodingLimits {
        self.moment.encoding
    }

    /// The moment of this critical section.
    pub(super) fn moment(&self) -> Moment {
        self.moment
    }

    /// The entry of a key, whether past its deadline or not.
    pub(super) fn stored_mut(&mut self, key: Key<'_>) -> Option<&mut Entry> {
        self.database(key).get_mut(key)
    }

    /// Where the entry of a key is, whether past its deadline or not.
    pub(super) fn place(&mut self, key: Key<'_>) -> Option<Place> {
        self.database(key).find(key)
    }

    pub(super) fn stored_at(&mut self, key: Key<'_>, place: Place) -> &mut Entry {
        self.database(key).at_mut(place)
    }

    /// Takes note that the elements of a stored value have changed.
    pub(super) fn note_inner_deadline(
        &mut self,
        key: Key<'_>,
        former_ms: Option<u64>,
        deadline_ms: Option<u64>,
    ) {
        if former_ms != deadline_ms {
            self.database(key).note_inner_deadline(key.hash, former_ms, deadline_ms);
            self.note_deadline(key, deadline_ms);
        }
    }

    /// Removes a key that a change has left empty.
    pub(super) fn discard_stored(&mut self, key: Key<'_>) {
        let entry = self.take_stored(key);
        self.effects.garbage.entries.extend(entry);
        self.tell(key, EventName::DEL);
    }

    pub(super) fn discard_value(&mut self, value: Value) -> &Value {
        let values = &mut self.effects.garbage.values;
        values.push(value);
        values.last().expect("one was just pushed")
    }

    fn database(&mut self, key: Key<'_>) -> &mut Database {
        self.locked.shard_mut(key.hash).database_mut(self.db)
    }

    /// Readers leave an expired key where it is; whoever wants to write there removes it first.
    pub(super) fn remove_expired(&mut self, key: Key<'_>) {
        self.effects.changing = true;
        let (keyspace, now_ms) = (self.locked.keyspace, self.moment.now_ms);
        let removed = self.database(key).remove_due(key, now_ms, |key| keyspace.hash(key));
        if let Some(entry) = removed {
            self.effects.expired += 1;
            self.effects.garbage.entries.push(entry);
            self.note_expiry(key);
        }
    }

    /// Lets the reaper know of a deadline. The shard's lock is held, so that the reaper, who holds it
    /// too when it corrects the slot, cannot overwrite this with what it saw before.
    fn note_deadline(&mut self, key: Key<'_>, deadline_ms: Option<u64>) {
        let Some(deadline_ms) = deadline_ms else { return };
        let slot = &self.locked.keyspace.slots[super::shard_index(key.hash)];
        slot.earliest_ms.fetch_min(deadline_ms, Ordering::SeqCst);
        let earliest = self.effects.deadline_ms.get_or_insert(deadline_ms);
        *earliest = deadline_ms.min(*earliest);
    }
}
