//! Views of keys that hold lists, hashes, sets, sorted sets and streams.
//!
//! A collection exists exactly while it has elements, unless its type says otherwise: whatever a
//! command leaves empty is removed here, and a key comes into being with its first element, so no
//! command tests for either.

use super::entries::Place;
use super::entry::Entry;
use super::events::EventName;
use super::view::{Key, ReadView, WriteView};
use crate::error::CommandError;
use crate::limits;
use crate::value::{Collection, EncodingLimits, Hash};

/// What a change did, for the record: how many elements came, went or got another value, and what to
/// answer. A change of none leaves the key unmodified in every sense.
pub struct Change<R> {
    /// Number of elements that changed.
    pub count: usize,
    /// Number of elements that were removed because they were past their deadline.
    pub expired: usize,
    /// Whether the key counts as changed even if no element has.
    pub touches: bool,
    /// What the caller wants to know.
    pub result: R,
}

impl Change<usize> {
    /// A change whose extent is what the caller wants to know, as SADD and HDEL do.
    pub fn counted(count: usize) -> Self {
        Self { count, expired: 0, touches: false, result: count }
    }
}

impl<R> Change<R> {
    /// A change of so many elements.
    pub fn of(count: usize, result: R) -> Self {
        Self { count, expired: 0, touches: false, result }
    }

    /// No change at all.
    pub fn none(result: R) -> Self {
        Self { count: 0, expired: 0, touches: false, result }
    }

    /// The same, but the key counts as changed even if no element has.
    pub fn touching(self) -> Self {
        Self { touches: true, ..self }
    }

    /// The same with so many elements removed because they were past their deadline.
    pub fn with_expired(self, expired: usize) -> Self {
        Self { count: self.count + expired, expired, ..self }
    }
}

impl ReadView<'_> {
    /// The collection at a key: counted as hit or miss, and its access clock moved.
    pub fn collection<T: Collection>(
        &self,
        key: Key<'_>,
    ) -> Result<Option<T::Ref<'_>>, CommandError> {
        self.get(key).map(|value| T::of(value).ok_or(CommandError::WrongType)).transpose()
    }

    /// How large a collection may grow before it leaves its compact form.
    pub fn encoding_limits(&self) -> EncodingLimits {
        self.moment().encoding
    }
}

impl WriteView<'_, '_> {
    /// The collection at a key, to look at: counted as hit or miss, and its access clock moved.
    pub fn collection<T: Collection>(
        &mut self,
        key: Key<'_>,
    ) -> Result<Option<T::Ref<'_>>, CommandError> {
        self.get(key).map(|value| T::of(value).ok_or(CommandError::WrongType)).transpose()
    }

    /// The collection at a key without any trace, together with others.
    pub fn look_at<T: Collection>(&self, key: Key<'_>) -> Result<Option<T::Ref<'_>>, CommandError> {
        let value = self.entry(key).map(Entry::value);
        value.map(|value| T::of(value).ok_or(CommandError::WrongType)).transpose()
    }

    /// Removes a key and gives the collection that it held.
    pub fn take_collection<T: Collection>(
        &mut self,
        key: Key<'_>,
    ) -> Result<Option<T>, CommandError> {
        self.expect_type::<T>(key)?;
        if self.contains(key) {
            self.tell(key, self.moment.telling.event);
        }
        Ok(self.take(key).and_then(|entry| T::from_value(entry.into_value())))
    }

    /// The error that a command for another type answers, before it parses or does more.
    pub fn expect_type<T: Collection>(&self, key: Key<'_>) -> Result<(), CommandError> {
        match self.entry(key) {
            Some(entry) if T::of(entry.value()).is_none() => Err(CommandError::WrongType),
            _ => Ok(()),
        }
    }

    /// Changes the collection at a key; `None` if there is no such key. An `Err` of `change` promises
    /// that it changed nothing. A collection that it leaves empty is removed.
    pub fn change<T: Collection, R>(
        &mut self,
        key: Key<'_>,
        change: impl FnOnce(&mut T) -> Result<Change<R>, CommandError>,
    ) -> Result<Option<R>, CommandError> {
        self.remove_expired(key);
        let Some(place) = self.place(key) else { return Ok(None) };
        self.change_at(key, place, change).map(Some)
    }

    fn change_at<T: Collection, R>(
        &mut self,
        key: Key<'_>,
        place: Place,
        change: impl FnOnce(&mut T) -> Result<Change<R>, CommandError>,
    ) -> Result<R, CommandError> {
        let moment = self.moment();
        let entry = self.stored_at(key, place);
        moment.touch(&entry.access);
        let former_ms = entry.value().earliest_deadline_ms();
        let (changed, is_over) = entry.change_collection(|collection: &mut T| {
            let changed = change(collection);
            (changed, collection.is_over())
        })?;
        let Change { count, expired, touches, result } = changed?;
        let kind = entry.value().kind();
        let deadline_ms = entry.value().earliest_deadline_ms();
        self.note_inner_deadline(key, former_ms, deadline_ms);
        self.note_element_changes(key, count, expired);
        if touches && count == 0 {
            self.note_touch(key);
        }
        if is_over {
            self.discard_stored(key);
        } else if T::SERVES_ALL && count > 0 {
            self.note_ready(key, kind);
        }
        Ok(result)
    }

    /// Changes what belongs to the collection at a key besides its elements, such as who has read
    /// them: it counts as a change, but the key is what it was to those who watch it. Whoever is to
    /// hear of it is told by [`tell_change`](WriteView::tell_change).
    pub fn change_beside<T: Collection, R>(
        &mut self,
        key: Key<'_>,
        change: impl FnOnce(&mut T) -> Result<Change<R>, CommandError>,
    ) -> Result<Option<R>, CommandError> {
        self.remove_expired(key);
        let moment = self.moment();
        let Some(entry) = self.stored_mut(key) else { return Ok(None) };
        moment.touch(&entry.access);
        let Change { count, result, .. } = entry.change_collection(change)??;
        let kind = entry.value().kind();
        self.effects.changes += count as u64;
        // An attempt of one who waits must not make itself ready again.
        if T::SERVES_ALL && count > 0 {
            self.note_ready(key, kind);
        }
        Ok(Some(result))
    }

    /// Changes the collection at a key, which comes into being by `make` if there is none.
    pub fn change_or_make<T: Collection, R>(
        &mut self,
        key: Key<'_>,
        make: impl FnOnce() -> T,
        change: impl FnOnce(&mut T) -> Result<Change<R>, CommandError>,
    ) -> Result<R, CommandError> {
        self.remove_expired(key);
        if let Some(place) = self.place(key) {
            return self.change_at(key, place, change);
        }
        let mut collection = make();
        let Change { count, result, .. } = change(&mut collection)?;
        if !collection.is_over() {
            let entry = Entry::new(key.bytes, collection.into(), self.moment().new_access());
            self.insert(key, entry);
            self.note_changes(key, count);
        } else if count > 0 {
            // It came and went.
            self.note_changes(key, count);
            self.tell(key, EventName::DEL);
        }
        Ok(result)
    }

    /// Removes fields of a hash that are past their deadline: one, or the longest due of all.
    pub fn remove_due(&mut self, key: Key<'_>, field: Option<&[u8]>) {
        let now_ms = self.now_ms();
        let removed = self.change(key, |hash: &mut Hash| {
            let count = match field {
                Some(field) if hash.live(field, now_ms).is_none() => {
                    usize::from(hash.remove(field))
                }
                Some(_) => 0,
                None => hash.remove_due(now_ms, limits::DUE_ELEMENTS_PER_COMMAND_MAX),
            };
            Ok(Change::none(()).with_expired(count))
        });
        // Whoever wants a hash where none is will be told so.
        removed.unwrap_or_default();
    }

    /// Stores a collection that was computed, whatever the key held; an empty one removes the key.
    /// Whether the key holds something now.
    pub fn store_collection<T: Collection>(&mut self, key: Key<'_>, collection: T) -> bool {
        if collection.is_over() {
            self.remove(key);
            return false;
        }
        self.set(key, collection);
        true
    }

    /// Gives something large away, to be freed after the locks are released. Until then it can be
    /// looked at, so that a reply shows what was taken out without a copy.
    pub fn discard<T: Collection>(&mut self, collection: T) -> T::Ref<'_> {
        T::of(self.discard_value(collection.into()).as_ref())
            .expect("it was made from this type right here")
    }
}
