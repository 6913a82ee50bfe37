//! A key with its value, deadline and access clock.

use super::access::Access;
use crate::error::CommandError;
use crate::value::{Collection, StringValue, Value, ValueRef};

/// One slot of a database's table.
///
/// A deadline takes memory only where there is one: it then stands in the eight bytes before the
/// key, in the key's own allocation.
#[derive(Debug)]
pub struct Entry {
    /// The key, behind eight bytes of deadline if `has_deadline`.
    bytes: Box<[u8]>,
    value: Value,
    /// When it was used.
    pub access: Access,
    has_deadline: bool,
}

const DEADLINE_BYTES: usize = size_of::<u64>();

impl Entry {
    /// A key without deadline.
    pub fn new(key: &[u8], value: Value, access: Access) -> Self {
        Self::with_deadline(key, value, access, None)
    }

    /// A key that may have a deadline. The database's index has to agree: only `Database` gives one.
    pub(super) fn with_deadline(
        key: &[u8],
        value: Value,
        access: Access,
        deadline_ms: Option<u64>,
    ) -> Self {
        let bytes = match deadline_ms {
            Some(deadline) => [&deadline.to_le_bytes(), key].concat().into(),
            None => key.into(),
        };
        Self { bytes, value, access, has_deadline: deadline_ms.is_some() }
    }

    /// The same value, deadline and access clock under another name.
    pub(super) fn renamed(self, key: &[u8]) -> Self {
        if self.key() == key {
            return self;
        }
        let deadline_ms = self.deadline_ms();
        Self::with_deadline(key, self.value, self.access, deadline_ms)
    }

    /// The key's bytes.
    pub fn key(&self) -> &[u8] {
        if self.has_deadline { &self.bytes[DEADLINE_BYTES..] } else { &self.bytes }
    }

    /// What the key holds.
    pub fn value(&self) -> ValueRef<'_> {
        self.value.as_ref()
    }

    /// What the key held.
    pub fn into_value(self) -> Value {
        self.value
    }

    /// Changes the string that the key holds.
    pub(super) fn change_string<R>(
        &mut self,
        change: impl FnOnce(&mut StringValue) -> R,
    ) -> Result<R, CommandError> {
        Ok(change(self.value.as_string_mut()?))
    }

    /// The collection that the key holds, to change it.
    pub(super) fn collection_mut<T: Collection>(&mut self) -> Result<&mut T, CommandError> {
        T::of_mut(&mut self.value).ok_or(CommandError::WrongType)
    }

    /// Removes at most `count` elements that are due; gives their number and whether any are left.
    pub(super) fn remove_due_elements(&mut self, now_ms: u64, count: usize) -> (usize, bool) {
        self.value.remove_due(now_ms, count)
    }

    /// Unix time in milliseconds from which on the key is absent.
    pub fn deadline_ms(&self) -> Option<u64> {
        if !self.has_deadline {
            return None;
        }
        let (deadline, _) = self.bytes.split_first_chunk::<DEADLINE_BYTES>()?;
        Some(u64::from_le_bytes(*deadline))
    }

    /// Whether the key is absent at this time although it is still stored.
    pub fn is_expired(&self, now_ms: u64) -> bool {
        self.deadline_ms().is_some_and(|deadline| deadline <= now_ms)
    }

    /// Sets or clears the deadline. Of a stored entry only `Database` does so, whose index has to agree.
    pub(super) fn set_deadline(&mut self, deadline_ms: Option<u64>) {
        match (deadline_ms, self.has_deadline) {
            (Some(deadline), true) => {
                self.bytes[..DEADLINE_BYTES].copy_from_slice(&deadline.to_le_bytes());
            }
            (Some(deadline), false) => {
                self.bytes = [&deadline.to_le_bytes(), &*self.bytes].concat().into();
                self.has_deadline = true;
            }
            (None, true) => {
                self.bytes = self.bytes[DEADLINE_BYTES..].into();
                self.has_deadline = false;
            }
            (None, false) => {}
        }
    }

    /// Bytes of the slot and of what it owns.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.bytes.len() + self.value.heap_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::AccessPolicy;
    use crate::value::StringValue;

    #[test]
    fn a_deadline_comes_and_goes_without_touching_the_key() {
        let mut entry =
            Entry::new(b"k", StringValue::Int(1).into(), Access::new(0, AccessPolicy::Recency));
        for deadline in [Some(5), Some(7), None, None, Some(9)] {
            entry.set_deadline(deadline);
            assert_eq!((entry.key(), entry.deadline_ms()), (&b"k"[..], deadline));
        }
        assert!(entry.is_expired(9) && !entry.is_expired(8));
    }
}
