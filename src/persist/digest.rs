//! DEBUG DIGEST: a fingerprint of data that does not depend on its encoding or on the order of what has
//! no order, so that two servers can be compared. The algorithm is Redis 7.0's (`debug.c`).

use crate::protocol::number::format_17_digits;
use crate::value::stream::StreamId;
use crate::value::{Element, End, Type, ValueRef};
use sha1_smol::Sha1;
use std::collections::BTreeMap;

const DIGEST_BYTES: usize = 20;

/// The fingerprint of one thing, or of many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fingerprint([u8; DIGEST_BYTES]);

impl Fingerprint {
    /// The fingerprint of a value, and of whether its key has a deadline.
    pub fn of_value(value: ValueRef<'_>, has_deadline: bool) -> Self {
        let mut fingerprint = Self::default();
        fingerprint.mix_value(value, has_deadline);
        fingerprint
    }

    /// Takes in something whose place among others does not matter.
    fn add(&mut self, bytes: &[u8]) {
        let digest = Sha1::from(bytes).digest().bytes();
        self.0.iter_mut().zip(digest).for_each(|(own, other)| *own ^= other);
    }

    /// Takes in something that comes next.
    fn mix(&mut self, bytes: &[u8]) {
        self.add(bytes);
        self.0 = Sha1::from(self.0).digest().bytes();
    }

    fn mix_value(&mut self, value: ValueRef<'_>, has_deadline: bool) {
        self.mix(&type_number(value.kind()).to_be_bytes());
        match value {
            ValueRef::String(string) => self.mix(&string.bytes()),
            ValueRef::List(list) => {
                list.iter(End::Left).for_each(|element| self.mix(&element.bytes()));
            }
            ValueRef::Set(set) => set.iter().for_each(|member| self.add(&member.bytes())),
            ValueRef::SortedSet(sorted_set) => {
                sorted_set.iter_from(0).for_each(|(member, score)| {
                    self.add(&Self::of_pair(&member, format_17_digits(score).as_bytes()).0);
                });
            }
            ValueRef::Hash(hash) => hash.iter_stored().for_each(|(field, stored)| {
                let text = Element::bytes;
                let mut pair = Self::of_pair(&text(field), &text(stored.value));
                if stored.deadline_ms.is_some() {
                    pair.add(b"!!hexpire!!");
                }
                self.add(&pair.0);
            }),
            ValueRef::Stream(stream) => {
                for entry in stream.entries(StreamId::MIN, StreamId::MAX) {
                    // With a dot, other than anywhere else.
                    self.mix(format!("{}.{}", entry.id.ms, entry.id.sequence).as_bytes());
                    for (name, value) in entry.fields {
                        self.mix(&name.bytes());
                        self.mix(&value.bytes());
                    }
                }
            }
        }
        if has_deadline {
            self.add(b"!!expire!!");
        }
    }

    fn of_pair(first: &[u8], second: &[u8]) -> Self {
        let mut pair = Self::default();
        pair.mix(first);
        pair.mix(second);
        pair
    }
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The number of a type in Redis (`server.h`).
fn type_number(kind: Type) -> u32 {
    match kind {
        Type::String => 0,
        Type::List => 1,
        Type::Set => 2,
        Type::SortedSet => 3,
        Type::Hash => 4,
        Type::Stream => 6,
    }
}

/// The fingerprint of keys with their values in databases, taken in in any order.
#[derive(Debug, Default)]
pub struct Survey(BTreeMap<usize, Fingerprint>);

impl Survey {
    /// Takes a key with its value in.
    pub fn add(&mut self, db: usize, key: &[u8], value: ValueRef<'_>, has_deadline: bool) {
        let mut fingerprint = Fingerprint::default();
        fingerprint.mix(key);
        fingerprint.mix_value(value, has_deadline);
        self.0.entry(db).or_default().add(&fingerprint.0);
    }

    /// The fingerprint of all; zeros if there is nothing.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut all = Fingerprint::default();
        for (db, keys) in &self.0 {
            let db = u32::try_from(*db).expect("there are fewer databases");
            all.mix(&db.to_be_bytes());
            all.0.iter_mut().zip(keys.0).for_each(|(own, other)| *own ^= other);
        }
        all
    }
}
