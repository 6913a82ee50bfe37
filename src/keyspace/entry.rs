//! A key with its value, deadline and access clock.
//!
//! There may be very many, so an entry takes as little memory as it can: a short string and a small set
//! of integers stand behind their key in one allocation, and a deadline takes memory only where there
//! is one.

use super::access::Access;
use super::short::ShortBytes;
use crate::error::CommandError;
use crate::limits;
use crate::value::{
    Collection, IntsetRef, NewValue, SetRef, StringRef, StringValue, Value, ValueRef,
};

/// One key of a database.
///
/// A key with the eight bytes of its deadline before it, if it has one, is called a head here.
#[derive(Debug)]
pub struct Entry {
    body: Body,
    /// When it was used.
    pub access: Access,
    /// Where in a joined body the value begins.
    head_bytes: u16,
    /// What the value of a joined body is.
    form: Form,
    has_deadline: bool,
}

#[derive(Debug)]
enum Body {
    /// The head and behind it a value in one of the forms.
    Joined(Box<[u8]>),
    Apart(Box<Apart>),
}

/// What can be joined to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A string that was stored whole.
    Text,
    /// A string that is an integer, in eight bytes.
    Integer,
    /// A set of integers in Redis's format.
    Integers,
}

#[derive(Debug)]
struct Apart {
    head: ShortBytes,
    value: Value,
}

const DEADLINE_BYTES: usize = size_of::<u64>();
const INTEGER_BYTES: usize = size_of::<i64>();

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
        let mut integer = [0; INTEGER_BYTES];
        let (body, form) = match Form::of(value.as_ref(), head_bytes, &mut integer) {
            Some((form, bytes)) => (Body::Joined([deadline, key, bytes].concat().into()), form),
            None => {
                let head = ShortBytes::joined(deadline, key);
                let apart = Apart { head, value: value.into_value() };
                (Body::Apart(Box::new(apart)), Form::Text)
            }
        };
        Self {
            body,
            access,
            // Of no use where it does not fit.
            head_bytes: u16::try_from(head_bytes).unwrap_or(0),
            form,
            has_deadline: deadline_ms.is_some(),
        }
    }

    /// The same value, deadline and access clock under another name.
    pub(super) fn renamed(mut self, key: &[u8]) -> Self {
        let (access, deadline_ms) = (std::mem::take(&mut self.access), self.deadline_ms());
        Self::with_deadline(key, self.into_value().into(), access, deadline_ms)
    }

    fn head(&self) -> &[u8] {
        match &self.body {
            Body::Joined(bytes) => &bytes[..usize::from(self.head_bytes)],
            Body::Apart(apart) => &apart.head,
        }
    }

    fn head_mut(&mut self) -> &mut [u8] {
        match &mut self.body {
            Body::Joined(bytes) => &mut bytes[..usize::from(self.head_bytes)],
            Body::Apart(apart) => &mut apart.head,
        }
    }

    /// The key's bytes.
    pub fn key(&self) -> &[u8] {
        if self.has_deadline { &self.head()[DEADLINE_BYTES..] } else { self.head() }
    }

    /// What the key holds.
    pub fn value(&self) -> ValueRef<'_> {
        match &self.body {
            Body::Joined(bytes) => self.form.value(&bytes[usize::from(self.head_bytes)..]),
            Body::Apart(apart) => apart.value.as_ref(),
        }
    }

    /// What the key held.
    pub fn into_value(self) -> Value {
        match self.body {
            Body::Joined(_) => self.value().to_value(),
            Body::Apart(apart) => apart.value,
        }
    }

    /// Changes what the key holds.
    fn change<R>(&mut self, change: impl FnOnce(&mut Value) -> R) -> R {
        match &mut self.body {
            Body::Joined(_) => {
                let mut value = self.value().to_value();
                let result = change(&mut value);
                self.put(value);
                result
            }
            Body::Apart(apart) => {
                let result = change(&mut apart.value);
                let (value, integer) = (apart.value.as_ref(), &mut [0; INTEGER_BYTES]);
                if Form::of(value, apart.head.len(), integer).is_some() {
                    let value = std::mem::replace(&mut apart.value, StringValue::Int(0).into());
                    self.put(value);
                }
                result
            }
        }
    }

    fn put(&mut self, value: Value) {
        if !self.overwrite(value.as_ref()) {
            self.rebuild(value.into(), self.deadline_ms());
        }
    }

    /// Gives the same key with the same access clock another value and another deadline.
    fn rebuild(&mut self, value: NewValue<'_>, deadline_ms: Option<u64>) {
        let mut other = Self::with_deadline(self.key(), value, Access::default(), deadline_ms);
        std::mem::swap(&mut self.access, &mut other.access);
        *self = other;
    }

    /// Changes the string that the key holds.
    pub(super) fn change_string<R>(
        &mut self,
        change: impl FnOnce(&mut StringValue) -> R,
    ) -> Result<R, CommandError> {
        self.change(|value| value.as_string_mut().map(change))
    }

    /// Changes the collection that the key holds.
    pub(super) fn change_collection<T: Collection, R>(
        &mut self,
        change: impl FnOnce(&mut T) -> R,
    ) -> Result<R, CommandError> {
        self.change(|value| T::of_mut(value).map(change).ok_or(CommandError::WrongType))
    }

    /// Removes at most `count` elements that are due; gives their number and whether any are left.
    pub(super) fn remove_due_elements(&mut self, now_ms: u64, count: usize) -> (usize, bool) {
        self.change(|value| value.remove_due(now_ms, count))
    }

    /// Puts a value in the place of one that takes as much; whether it does.
    pub(super) fn overwrite(&mut self, value: ValueRef<'_>) -> bool {
        let Body::Joined(bytes) = &mut self.body else { return false };
        let head_bytes = usize::from(self.head_bytes);
        match Form::of(value, head_bytes, &mut [0; INTEGER_BYTES]) {
            Some((form, new)) if form == self.form && head_bytes + new.len() == bytes.len() => {
                bytes[head_bytes..].copy_from_slice(new);
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
        let (deadline, deadline_bytes) = deadline_bytes(deadline_ms);
        let is_joined = matches!(self.body, Body::Joined(_));
        match (self.has_deadline, deadline_ms) {
            (false, None) => {}
            (true, Some(_)) => self.head_mut()[..DEADLINE_BYTES].copy_from_slice(&deadline),
            _ if is_joined => self.rebuild(self.value().to_value().into(), deadline_ms),
            _ => {
                let head = ShortBytes::joined(&deadline[..deadline_bytes], self.key());
                if let Body::Apart(apart) = &mut self.body {
                    apart.head = head;
                }
                self.has_deadline = deadline_ms.is_some();
            }
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

impl Form {
    /// The form that a value takes behind a head of this length, with the bytes that stand there;
    /// `integer` is room for them. `None` if the value has to be apart.
    fn of<'v>(
        value: ValueRef<'v>,
        head_bytes: usize,
        integer: &'v mut [u8; INTEGER_BYTES],
    ) -> Option<(Self, &'v [u8])> {
        let (form, bytes, bytes_max) = match value {
            ValueRef::String(StringRef::Int(value)) => {
                *integer = value.to_le_bytes();
                (Self::Integer, &integer[..], limits::JOINED_BYTES_MAX)
            }
            ValueRef::String(StringRef::Fixed(bytes)) => {
                (Self::Text, bytes, limits::JOINED_BYTES_MAX)
            }
            ValueRef::Set(SetRef::Ints(ints)) => {
                (Self::Integers, ints.as_bytes(), limits::JOINED_SET_BYTES_MAX)
            }
            _ => return None,
        };
        (head_bytes + bytes.len() <= bytes_max).then_some((form, bytes))
    }

    /// The value in these bytes.
    fn value(self, bytes: &[u8]) -> ValueRef<'_> {
        match (self, bytes.first_chunk()) {
            (Self::Integer, Some(value)) => {
                ValueRef::String(StringRef::Int(i64::from_le_bytes(*value)))
            }
            (Self::Integers, _) => ValueRef::Set(SetRef::Ints(IntsetRef::of_bytes(bytes))),
            (Self::Text | Self::Integer, _) => ValueRef::String(StringRef::Fixed(bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::AccessPolicy;
    use crate::value::{Element, EncodingLimits, Set};

    const LONG: [u8; 2000] = [b'x'; 2000];

    fn values() -> Vec<Value> {
        let limits = EncodingLimits::default();
        let mut set = Set::for_member(b"m", &limits);
        set.insert(b"m", &limits);
        let ints = |count: i32| {
            let mut ints = Set::for_member(b"0", &limits);
            (0..count).for_each(|value| {
                ints.insert(value.to_string().as_bytes(), &limits);
            });
            Value::from(ints)
        };
        let strings = [
            StringValue::Int(i64::MIN),
            StringValue::Fixed(b"eight by".as_slice().into()),
            StringValue::Fixed(Box::default()),
            StringValue::Fixed(LONG.into()),
            StringValue::Growing(b"grown".to_vec()),
        ];
        strings.into_iter().map(Value::from).chain([set.into(), ints(10), ints(500)]).collect()
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
    fn a_set_of_integers_grows_and_shrinks_in_any_form() {
        let limits = EncodingLimits::default();
        let mut entry = entry(b"key", Set::for_member(b"0", &limits).into());
        entry.set_deadline(Some(3));
        let mut model = std::collections::BTreeSet::new();
        let mut rng = fastrand::Rng::with_seed(2);
        for round in 0..2000 {
            let value = rng.i64(0..150);
            let member = value.to_string().into_bytes();
            let changed = entry.change_collection(|set: &mut Set| {
                if round < 1000 { set.insert(&member, &limits) } else { set.remove(&member) }
            });
            let expected = if round < 1000 { model.insert(value) } else { model.remove(&value) };
            assert_eq!(changed, Ok(expected));
            let ValueRef::Set(set) = entry.value() else { panic!("it is a set") };
            let expected = model.iter().map(|value| Element::Int(*value));
            assert_eq!(set.iter().collect::<Vec<_>>(), expected.collect::<Vec<_>>());
            assert_eq!((entry.key(), entry.deadline_ms()), (&b"key"[..], Some(3)));
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
            assert_eq!(entry.overwrite(ValueRef::String(new)), expected, "{former:?} {new:?}");
            let shown = if expected { new } else { former };
            assert_eq!(format!("{:?}", entry.value()), format!("String({shown:?})"));
        }
    }
}
