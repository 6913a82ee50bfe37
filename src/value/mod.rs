//! The data types. They know no protocol, no commands and no keys.

pub mod bitfield;
pub mod bits;
mod dense;
pub mod geohash;
mod hash;
pub mod hyperloglog;
mod intset;
mod limits;
mod list;
mod listpack;
mod ranked;
mod set;
mod sorted_set;
pub mod stream;
mod string;
pub mod subsequence;

pub use hash::{Hash, Stored};
pub use intset::{Intset, IntsetRef};
pub use limits::EncodingLimits;
pub use list::{End, List, Node};
pub use listpack::{Element, Listpack};
pub use set::{Set, SetRef};
pub use sorted_set::SortedSet;
pub use stream::Stream;
pub use string::{StringRef, StringValue};

use crate::error::CommandError;
use crate::limits::WARMED_TOGETHER;

/// What a key holds.
#[derive(Debug, Clone)]
pub enum Value {
    /// Bytes, or an integer kept as one.
    String(StringValue),
    /// A sequence.
    List(List),
    /// A map.
    Hash(Hash),
    /// A set.
    Set(Set),
    /// A set in the order of scores.
    SortedSet(SortedSet),
    /// A log of entries.
    Stream(Box<Stream>),
}

/// The name that TYPE answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// `string`.
    String,
    /// `list`.
    List,
    /// `hash`.
    Hash,
    /// `set`.
    Set,
    /// `zset`.
    SortedSet,
    /// `stream`.
    Stream,
}

impl Type {
    /// The name that TYPE answers and SCAN's TYPE option takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::List => "list",
            Self::Hash => "hash",
            Self::Set => "set",
            Self::SortedSet => "zset",
            Self::Stream => "stream",
        }
    }
}

/// What a key holds, to look at. A key may keep it in another form than [`Value`].
#[derive(Debug, Clone, Copy)]
pub enum ValueRef<'a> {
    /// Bytes, or an integer kept as one.
    String(StringRef<'a>),
    /// A sequence.
    List(&'a List),
    /// A map.
    Hash(&'a Hash),
    /// A set.
    Set(SetRef<'a>),
    /// A set in the order of scores.
    SortedSet(&'a SortedSet),
    /// A log of entries.
    Stream(&'a Stream),
}

/// What a key is about to hold.
#[derive(Debug)]
pub enum NewValue<'a> {
    /// A string that belongs to somebody else, such as a request.
    Lent(StringRef<'a>),
    /// A value to keep.
    Owned(Value),
}

impl NewValue<'_> {
    /// The same to look at.
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Self::Lent(string) => ValueRef::String(*string),
            Self::Owned(value) => value.as_ref(),
        }
    }

    /// The value, copied if need be.
    pub fn into_value(self) -> Value {
        match self {
            Self::Lent(string) => string.to_value().into(),
            Self::Owned(value) => value,
        }
    }
}

impl<'a> From<StringRef<'a>> for NewValue<'a> {
    fn from(string: StringRef<'a>) -> Self {
        Self::Lent(string)
    }
}

impl<V: Into<Value>> From<V> for NewValue<'_> {
    fn from(value: V) -> Self {
        Self::Owned(value.into())
    }
}

impl Value {
    /// The same to look at.
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Self::String(string) => ValueRef::String(string.as_ref()),
            Self::List(list) => ValueRef::List(list),
            Self::Hash(hash) => ValueRef::Hash(hash),
            Self::Set(set) => ValueRef::Set(set.as_ref()),
            Self::SortedSet(sorted_set) => ValueRef::SortedSet(sorted_set),
            Self::Stream(stream) => ValueRef::Stream(stream),
        }
    }

    /// Removes at most `count` elements that are due; gives their number and whether any are left.
    pub fn remove_due(&mut self, now_ms: u64, count: usize) -> (usize, bool) {
        match self {
            Self::Hash(hash) => (hash.remove_due(now_ms, count), !hash.is_empty()),
            _ => (0, true),
        }
    }

    /// Bytes on the heap behind this value, as far as they can be known without the allocator; what the
    /// elements of a large collection take is estimated from so many of them.
    pub fn heap_bytes(&self, samples: usize) -> usize {
        match self {
            Self::String(string) => string.heap_bytes(),
            Self::List(list) => list.heap_bytes(),
            Self::Hash(hash) => hash.heap_bytes(samples),
            Self::Set(set) => set.heap_bytes(samples),
            Self::SortedSet(sorted_set) => sorted_set.heap_bytes(samples),
            Self::Stream(stream) => stream.heap_bytes(samples),
        }
    }

    /// The string to change, or the error that a command for strings answers.
    pub fn as_string_mut(&mut self) -> Result<&mut StringValue, CommandError> {
        match self {
            Self::String(string) => Ok(string),
            _ => Err(CommandError::WrongType),
        }
    }
}

/// A word of each of several commands, as far as there are so many.
pub type Words<'w> = [Option<&'w [u8]>; WARMED_TOGETHER];

impl<'a> ValueRef<'a> {
    /// Which type it is.
    pub fn kind(self) -> Type {
        match self {
            Self::String(_) => Type::String,
            Self::List(_) => Type::List,
            Self::Hash(_) => Type::Hash,
            Self::Set(_) => Type::Set,
            Self::SortedSet(_) => Type::SortedSet,
            Self::Stream(_) => Type::Stream,
        }
    }

    /// The name that OBJECT ENCODING answers.
    pub fn encoding(self) -> &'static str {
        match self {
            Self::String(string) => string.encoding(),
            Self::List(list) => list.encoding(),
            Self::Hash(hash) => hash.encoding(),
            Self::Set(set) => set.encoding(),
            Self::SortedSet(sorted_set) => sorted_set.encoding(),
            Self::Stream(_) => "stream",
        }
    }

    /// When the first of its elements is due that can be so by themselves, in unix milliseconds.
    pub fn earliest_deadline_ms(self) -> Option<u64> {
        match self {
            Self::Hash(hash) => hash.earliest_deadline_ms(),
            _ => None,
        }
    }

    /// Brings elements into the processor's cache that commands are about to look for. Each looks for the
    /// first word behind its key, or for the last one, in a sorted set: nearly all do.
    pub fn warm(self, first: Words<'_>, last: Words<'_>) {
        match self {
            Self::Hash(hash) => hash.warm(first),
            Self::Set(SetRef::Table(table)) => table.warm(first),
            Self::SortedSet(SortedSet::Ranked(ranked)) => ranked.warm(last),
            _ => {}
        }
    }

    /// About how many allocations it takes, and has to give back.
    pub fn parts(self) -> usize {
        match self.encoding() {
            "listpack" | "intset" => 1,
            _ => match self {
                Self::String(_) => 1,
                Self::List(list) => list.len(),
                Self::Hash(hash) => hash.len(),
                Self::Set(set) => set.len(),
                Self::SortedSet(sorted_set) => sorted_set.len(),
                Self::Stream(stream) => stream.nodes().len() + stream.groups.len(),
            },
        }
    }

    /// The string, or the error that a command for strings answers.
    pub fn as_string(self) -> Result<StringRef<'a>, CommandError> {
        match self {
            Self::String(string) => Ok(string),
            _ => Err(CommandError::WrongType),
        }
    }

    /// A copy of its own.
    pub fn to_value(self) -> Value {
        match self {
            Self::String(string) => string.to_value().into(),
            Self::List(list) => list.clone().into(),
            Self::Hash(hash) => hash.clone().into(),
            Self::Set(set) => set.to_value().into(),
            Self::SortedSet(sorted_set) => sorted_set.clone().into(),
            Self::Stream(stream) => stream.clone().into(),
        }
    }
}

impl From<StringValue> for Value {
    fn from(string: StringValue) -> Self {
        Self::String(string)
    }
}

/// A type that has elements.
pub trait Collection: Into<Value> + 'static {
    /// What there is to look at.
    type Ref<'a>: Copy;
    /// Whether who waits for such a collection waits for what is added to it, not only for the first
    /// element: whoever is served takes nothing away.
    const SERVES_ALL: bool = false;
    /// The collection in a value, if it is of this type.
    fn of(value: ValueRef<'_>) -> Option<Self::Ref<'_>>;
    /// The collection out of a value, if it is of this type.
    fn from_value(value: Value) -> Option<Self>;
    /// The same, to change it.
    fn of_mut(value: &mut Value) -> Option<&mut Self>;
    /// Whether its key ends to exist: most types exist only while they have elements.
    fn is_over(&self) -> bool;
}

macro_rules! collection {
    ($($type:ident: $look:ty),*) => {$(
        impl From<$type> for Value {
            fn from(collection: $type) -> Self {
                Self::$type(collection)
            }
        }

        impl Collection for $type {
            type Ref<'a> = $look;

            fn of(value: ValueRef<'_>) -> Option<Self::Ref<'_>> {
                if let ValueRef::$type(collection) = value { Some(collection) } else { None }
            }

            fn from_value(value: Value) -> Option<Self> {
                if let Value::$type(collection) = value { Some(collection) } else { None }
            }

            fn of_mut(value: &mut Value) -> Option<&mut Self> {
                if let Value::$type(collection) = value { Some(collection) } else { None }
            }

            fn is_over(&self) -> bool {
                self.is_empty()
            }
        }
    )*};
}

collection!(List: &'a List, Hash: &'a Hash, Set: SetRef<'a>, SortedSet: &'a SortedSet);

impl From<Stream> for Value {
    fn from(stream: Stream) -> Self {
        Self::Stream(Box::new(stream))
    }
}

impl Collection for Stream {
    type Ref<'a> = &'a Self;
    const SERVES_ALL: bool = true;

    fn of(value: ValueRef<'_>) -> Option<&Self> {
        if let ValueRef::Stream(stream) = value { Some(stream) } else { None }
    }

    fn from_value(value: Value) -> Option<Self> {
        if let Value::Stream(stream) = value { Some(*stream) } else { None }
    }

    fn of_mut(value: &mut Value) -> Option<&mut Self> {
        if let Value::Stream(stream) = value { Some(stream) } else { None }
    }

    fn is_over(&self) -> bool {
        false
    }
}

const _: () = assert!(size_of::<Value>() == 32);

/// The sum over all positions of a table, as that of so many of them, evenly spread, lets expect.
fn estimate_sum(length: usize, samples: usize, at: impl Fn(usize) -> usize) -> usize {
    let samples = samples.min(length);
    if samples == 0 {
        return 0;
    }
    let place = |sample: usize| (sample as u128 * length as u128 / samples as u128) as usize;
    let sum: usize = (0..samples).map(|sample| at(place(sample))).sum();
    (sum as u128 * length as u128 / samples as u128) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_estimated_from_samples() {
        let table: &[(&[usize], usize, usize)] = &[
            (&[], 5, 0),
            (&[7], 0, 0),
            (&[7], 5, 7),
            (&[1, 2, 3, 4], usize::MAX, 10),
            (&[1, 2, 3, 4], 4, 10),
            (&[1, 2, 3, 4], 2, 8),
            (&[6; 1000], 5, 6000),
            (&[6; 1000], 7, 6000),
        ];
        for (numbers, samples, expected) in table {
            let found = estimate_sum(numbers.len(), *samples, |place| numbers[place]);
            assert_eq!(found, *expected, "{samples} of {numbers:?}");
        }
        // Nothing overflows on the way.
        assert_eq!(estimate_sum(1 << 40, 2, |_| 1 << 20), 1 << 60);
    }

    #[test]
    fn the_memory_of_a_table_is_told_by_a_few_of_its_elements_as_by_all() {
        let limits = EncodingLimits::default();
        let members = || (0..1000).map(|number: u32| format!("member:{number:04}").into_bytes());
        let mut set = Set::for_member(b"first", &limits);
        members().for_each(|member| assert!(set.insert(&member, &limits)));
        let mut hash = Hash::default();
        members().for_each(|field| assert!(hash.set(&field, b"0123456789", &limits)));
        let mut sorted_set = SortedSet::ranked();
        members().for_each(|member| assert!(sorted_set.insert(&member, 1.0, &limits).is_none()));
        for value in [Value::from(set), Value::from(hash), Value::from(sorted_set)] {
            let (few, all) = (value.heap_bytes(5), value.heap_bytes(usize::MAX));
            assert!(all > 11_000 && few.abs_diff(all) < all / 100, "{few} of {all}");
        }
    }
}
