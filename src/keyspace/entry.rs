//! A key with its value, deadline and access clock.
//!
//! There may be very many, so an entry takes as little memory as it can: a short string stands behind
//! its key in one allocation, and a deadline takes memory only where there is one.

use super::access::Access;
use super::short::ShortBytes;
use crate::error::CommandError;
use crate::limits;
use crate::value::{Collection, NewValue, StringRef, StringValue, Value, ValueRef};

/// One key of a database.
///
/// A key with the eight bytes of its deadline before it, if it has one, is called a head here.
#[derive(Debug)]
pub struct Entry {
    body: Body,
    /// When it was used.
    pub access: Access,
    /// Where in a joined body the string begins.
    head_bytes: u16,
    /// Whether the string of a joined body is an integer of eight bytes.
    is_integer: bool,
    has_deadline: bool,
}

#[derive(Debug)]
enum Body {
    /// The head and behind it a string that was stored whole.
    Joined(Box<[u8]>),
    Apart(Box<Apart>),
}

#[derive(Debug)]
struct Apart {
    head: ShortBytes,
    value: Value,
}

const DEADLINE_BYTES: usize = size_of::<u64>();

/// These sizes are what a key costs: the last is what an allocator of 16-byte steps with a word of
/// its own gives without waste.
const _: () = assert!(size_of::<Entry>() == 24 && size_of::<Apart>() == 56);
const _: () = assert!(limits::JOINED_BYTES_MAX <= u16::MAX as usize);

/// The bytes of a deadline in a head.
fn deadline_bytes(deadline_ms: Option<u64>) -> ([u8; DEADLINE_BYTES], usize) {
    match deadline_ms {
        Some(deadline_ms) => (deadline_ms.to_le_bytes(), DEADLINE_BYTES),
        None => ([0; DEADLINE_BYTES], 0),
    }
}

impl Entry {
    /// A key without deadline.
    pub fn new<'v>(key: &[u8], value: impl Into<NewValue<'v>>, access: Access) -> Self {
        Self::with_deadline(key, value.into(), access, None)
    }

    /// A key that may have a deadline. The database's index has to agree: only `Database` gives one.
    pub(super) fn with_deadline(
        key: &[u8],
        value: NewValue<'_>,
        access: Access,
        deadline_ms: Option<u64>,
    ) -> Self {
        let (deadline, deadline_bytes) = deadline_bytes(deadline_ms);
        let deadline = &deadline[..deadline_bytes];
        let head_bytes = deadline.len() + key.len();
        let joins = |string: &StringRef<'_>| {
            let string_bytes = match string {
                StringRef::Int(_) => size_of::<i64>(),
                StringRef::Fixed(bytes) => bytes.len(),
                StringRef::Growing(_) => return false,
            };
            head_bytes + string_bytes <= limits::JOINED_BYTES_MAX
        };
        let string = value.as_string().filter(joins);
        let is_integer = matches!(string, Some(StringRef::Int(_)));
        let body = match string {
            Some(StringRef::Int(value)) => {
                Body::Joined([deadline, key, &value.to_le_bytes()].concat().into())
            }
            Some(StringRef::Fixed(bytes) | StringRef::Growing(bytes)) => {
                Body::Joined([deadline, key, bytes].concat().into())
            }
            None => {
                let head = ShortBytes::joined(deadline, key);
                Body::Apart(Box::new(Apart { head, value: value.into_value() }))
            }
        };
        Self {
            body,
            access,
            // Of no use where it does not fit.
            head_bytes: u16::try_from(head_bytes).unwrap_or(0),
            is_integer,
            has_deadline: deadline_ms.is_some(),
        }
    }

    /// The same value, deadline and access clock under another name.
    pub(super) fn renamed(mut self, key: &[u8]) -> Self {
        let (access, deadline_ms) = (std::mem::take(&mut self.access), self.deadline_ms());
        if let Some(string) = self.joined() {
            return Self::with_deadline(key, string.into(), access, deadline_ms);
        }
        Self::with_deadline(key, self.into_value().into(), access, deadline_ms)
    }

    /// Takes everything but the access clock from another entry.
    fn become_used(&mut self, mut other: Self) {
        std::mem::swap(&mut self.access, &mut other.access);
        *self = other;
    }

    fn head(&self) -> &[u8] {
        match &self.body {
            Body::Joined(bytes) => &bytes[..usize::from(self.head_bytes)],
            Body::Apart(apart) => &apart.head,
        }
    }

    /// The key's bytes.
    pub fn key(&self) -> &[u8] {
        if self.has_deadline { &self.head()[DEADLINE_BYTES..] } else { self.head() }
    }

    /// What the key holds.
    pub fn value(&self) -> ValueRef<'_> {
        match &self.body {
            Body::Joined(bytes) => ValueRef::String(self.string_in(bytes)),
            Body::Apart(apart) => apart.value.as_ref(),
        }
    }

    /// The string of a joined body.
    fn joined(&self) -> Option<StringRef<'_>> {
        match &self.body {
            Body::Joined(bytes) => Some(self.string_in(bytes)),
            Body::Apart(_) => None,
        }
    }

    fn string_in<'b>(&self, bytes: &'b [u8]) -> StringRef<'b> {
        let string = &bytes[usize::from(self.head_bytes)..];
        match string.first_chunk() {
            Some(value) if self.is_integer => StringRef::Int(i64::from_le_bytes(*value)),
            _ => StringRef::Fixed(string),
        }
    }

    /// The value of a body that is apart.
    fn apart_mut(&mut self) -> Option<&mut Value> {
        match &mut self.body {
            Body::Joined(_) => None,
            Body::Apart(apart) => Some(&mut apart.value),
        }
    }

    /// What the key held.
    pub fn into_value(self) -> Value {
        match self.body {
            Body::Joined(ref bytes) => self.string_in(bytes).to_value().into(),
            Body::Apart(apart) => apart.value,
        }
    }

    /// The collection that the key holds, to change it.
    pub(super) fn collection_mut<T: Collection>(&mut self) -> Result<&mut T, CommandError> {
        self.apart_mut().and_then(T::of_mut).ok_or(CommandError::WrongType)
    }

    /// Removes at most `count` elements that are due; gives their number and whether any are left.
    pub(super) fn remove_due_elements(&mut self, now_ms: u64, count: usize) -> (usize, bool) {
        self.apart_mut().map_or((0, true), |value| value.remove_due(now_ms, count))
    }

    /// Changes the string that the key holds.
    pub(super) fn change_string<R>(
        &mut self,
        change: impl FnOnce(&mut StringValue) -> R,
    ) -> Result<R, CommandError> {
        let mut string = self.take_string()?;
        let result = change(&mut string);
        self.put_string(string);
        Ok(result)
    }

    /// The string, to be put back.
    fn take_string(&mut self) -> Result<StringValue, CommandError> {
        if let Some(string) = self.joined() {
            return Ok(string.to_value());
        }
        let value = self.apart_mut().ok_or(CommandError::WrongType)?;
        Ok(std::mem::replace(value.as_string_mut()?, StringValue::Int(0)))
    }

    fn put_string(&mut self, string: StringValue) {
        if self.overwrite(string.as_ref()) {
            return;
        }
        match self.apart_mut() {
            Some(value) if matches!(string, StringValue::Growing(_)) => *value = string.into(),
            _ => {
                let (access, deadline_ms) = (Access::default(), self.deadline_ms());
                let other = Self::with_deadline(self.key(), string.into(), access, deadline_ms);
                self.become_used(other);
            }
        }
    }

    /// Puts a string in the place of one that takes as much; whether it does.
    pub(super) fn overwrite(&mut self, string: StringRef<'_>) -> bool {
        let Body::Joined(bytes) = &mut self.body else { return false };
        let place = &mut bytes[usize::from(self.head_bytes)..];
        match string {
            StringRef::Int(value) if self.is_integer => {
                place.copy_from_slice(&value.to_le_bytes());
                true
            }
            StringRef::Fixed(bytes) if !self.is_integer && bytes.len() == place.len() => {
                place.copy_from_slice(bytes);
                true
            }
            _ => false,
        }
    }

    /// Unix time in milliseconds from which on the key is absent.
    pub fn deadline_ms(&self) -> Option<u64> {
        if !self.has_deadline {
            return None;
        }
        self.head().first_chunk().map(|deadline_ms| u64::from_le_bytes(*deadline_ms))
    }

    /// Whether the key is absent at this time although it is still stored.
    pub fn is_expired(&self, now_ms: u64) -> bool {
        self.deadline_ms().is_some_and(|deadline| deadline <= now_ms)
    }

    /// Sets or clears the deadline. Of a stored entry only `Database` does so, whose index has to agree.
    pub(super) fn set_deadline(&mut self, deadline_ms: Option<u64>) {
        if self.deadline_ms() == deadline_ms {
            return;
        }
        let (deadline, deadline_bytes) = deadline_bytes(deadline_ms);
        let head: &mut [u8] = match &mut self.body {
            Body::Joined(bytes) => bytes,
            Body::Apart(apart) => &mut apart.head,
        };
        if let (true, Some(_)) = (self.has_deadline, deadline_ms) {
            head[..DEADLINE_BYTES].copy_from_slice(&deadline);
        } else if let Some(string) = self.joined() {
            let access = Access::default();
            let other = Self::with_deadline(self.key(), string.into(), access, deadline_ms);
            self.become_used(other);
        } else {
            let head = ShortBytes::joined(&deadline[..deadline_bytes], self.key());
            if let Body::Apart(apart) = &mut self.body {
                apart.head = head;
            }
            self.has_deadline = deadline_ms.is_some();
        }
    }

    /// Bytes of the entry and of what it owns; what the elements of a large collection take is estimated
    /// from so many of them.
    pub fn memory_bytes(&self, samples: usize) -> usize {
        let owned = match &self.body {
            Body::Joined(bytes) => bytes.len(),
            Body::Apart(apart) => {
                size_of::<Apart>() + apart.head.heap_bytes() + apart.value.heap_bytes(samples)
            }
        };
        size_of::<Self>() + owned
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::AccessPolicy;
    use crate::value::{EncodingLimits, Set};

    const LONG: [u8; 2000] = [b'x'; 2000];

    fn values() -> Vec<Value> {
        let limits = EncodingLimits::default();
        let mut set = Set::for_member(b"m", &limits);
        set.insert(b"m", &limits);
        let strings = [
            StringValue::Int(i64::MIN),
            StringValue::Fixed(b"eight by".as_slice().into()),
            StringValue::Fixed(Box::default()),
            StringValue::Fixed(LONG.into()),
            StringValue::Growing(b"grown".to_vec()),
        ];
        strings.into_iter().map(Value::from).chain([set.into()]).collect()
    }

    fn entry(key: &[u8], value: Value) -> Entry {
        Entry::new(key, value, Access::new(0, AccessPolicy::Recency))
    }

    #[test]
    fn deadlines_and_names_come_and_go_without_touching_the_value() {
        for value in values() {
            let shown = format!("{value:?}");
            for key in [&b""[..], b"k", b"of twenty-one bytes..", &LONG] {
                let mut entry = entry(key, value.clone());
                for deadline in [Some(5), Some(7), None, None, Some(9)] {
                    entry.set_deadline(deadline);
                    assert_eq!((entry.key(), entry.deadline_ms()), (key, deadline));
                    assert_eq!(format!("{:?}", entry.value().to_value()), shown);
                }
                assert!(entry.is_expired(9) && !entry.is_expired(8));
                for name in [&b"other"[..], &LONG, b"k"] {
                    entry = entry.renamed(name);
                    assert_eq!((entry.key(), entry.deadline_ms()), (name, Some(9)));
                }
                assert_eq!(format!("{:?}", entry.into_value()), shown);
            }
        }
    }

    #[test]
    fn a_string_is_changed_whatever_its_form() {
        for value in values() {
            for into in values() {
                let mut entry = entry(b"key", value.clone());
                entry.set_deadline(Some(3));
                let shown = format!("{into:?}");
                let is_string = matches!(value, Value::String(_));
                let Value::String(into) = into else { continue };
                let changed = entry.change_string(|string| *string = into);
                assert_eq!(changed.is_ok(), is_string);
                let shown = if is_string { shown } else { format!("{value:?}") };
                assert_eq!(format!("{:?}", entry.value().to_value()), shown);
                assert_eq!((entry.key(), entry.deadline_ms()), (&b"key"[..], Some(3)));
            }
        }
    }

    #[test]
    fn only_a_string_that_takes_as_much_is_overwritten() {
        let fixed = StringRef::Fixed;
        let cases = [
            (StringRef::Int(1), StringRef::Int(i64::MAX), true),
            (StringRef::Int(1), fixed(b"8 bytes."), false),
            (fixed(b"8 bytes."), StringRef::Int(1), false),
            (fixed(b"same"), fixed(b"size"), true),
            (fixed(b"same"), fixed(b"other"), false),
            (fixed(b"same"), StringRef::Growing(b"size"), false),
            (StringRef::Growing(b"same"), fixed(b"size"), false),
        ];
        for (former, new, expected) in cases {
            let mut entry = entry(b"key", former.to_value().into());
            assert_eq!(entry.overwrite(new), expected, "{former:?} {new:?}");
            let shown = if expected { new } else { former };
            assert_eq!(format!("{:?}", entry.value()), format!("String({shown:?})"));
        }
    }
}
