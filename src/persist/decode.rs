//! Values from a snapshot, in every encoding that Redis 5 to 7.4 writes and in most older ones.
//!
//! What is taken is checked to the last byte: packs add up, no member or field occurs twice, scores
//! are numbers. So nothing that was loaded can surprise whoever works with it later.

mod hash;
mod stream;

use super::code::{self, kind};
use super::error::{Fault, LoadError};
use super::foreign;
use super::reader::{Reader, Text};
use super::ziplist::{read_ziplist, read_zipmap};
use crate::limits;
use crate::protocol::number::parse_rounded_double;
use crate::value::{
    Element, EncodingLimits, Intset, List, Listpack, Node, Set, SortedSet, StringValue, Value,
};
use std::borrow::Cow;
use std::io::Read;

type Loaded<T> = Result<T, LoadError>;

/// Reads values; keeps its room from one to the next.
pub(super) struct Decoder {
    limits: EncodingLimits,
    /// A member, a field.
    first: Vec<u8>,
    /// A field's value.
    second: Vec<u8>,
}

impl Decoder {
    /// A decoder of values that take the encodings which suit these limits.
    pub(super) fn new(limits: EncodingLimits) -> Self {
        Self { limits, first: Vec::new(), second: Vec::new() }
    }

    /// The value that is stored in this way; `None` if it is a collection of nothing.
    pub(super) fn value<R: Read>(
        &mut self,
        kind: u8,
        reader: &mut Reader<R>,
    ) -> Loaded<Option<Value>> {
        let offset = reader.position();
        let value = match kind {
            kind::STRING => string(reader)?.into(),
            kind::LIST => self.list(reader)?.into(),
            kind::LIST_ZIPLIST => {
                let pack = ziplist(reader)?;
                List::collect(pack.iter().map(Element::bytes), &self.limits).into()
            }
            kind::LIST_QUICKLIST => {
                self.nodes(reader, |reader| ziplist(reader).map(Node::Packed))?
            }
            kind::LIST_QUICKLIST_2 => self.nodes(reader, node)?,
            kind::SET => self.set(reader)?.into(),
            kind::SET_INTSET => Set::from_ints(ints(reader)?, &self.limits).into(),
            kind::SET_LISTPACK => {
                let pack = listpack(reader)?;
                check_unique(&pack, Layout::Members, offset)?;
                Set::from_pack(pack, &self.limits).into()
            }
            kind::SORTED_SET_TEXT => self.sorted_set(reader, score_text)?.into(),
            kind::SORTED_SET => {
                self.sorted_set(reader, |reader| Ok(f64::from_le_bytes(reader.array()?)))?.into()
            }
            kind::SORTED_SET_ZIPLIST => self.sorted_pack(ziplist(reader)?, offset)?.into(),
            kind::SORTED_SET_LISTPACK => self.sorted_pack(listpack(reader)?, offset)?.into(),
            kind::HASH => self.hash(reader)?.into(),
            kind::HASH_ZIPMAP => {
                self.hash_pack(pack(reader, "zipmap", |bytes| read_zipmap(&bytes))?, offset)?.into()
            }
            kind::HASH_ZIPLIST => self.hash_pack(ziplist(reader)?, offset)?.into(),
            kind::HASH_LISTPACK => self.hash_pack(listpack(reader)?, offset)?.into(),
            kind::HASH_DEADLINES => self.hash_with_deadlines(reader, true)?.into(),
            kind::HASH_DEADLINES_RC => self.hash_with_deadlines(reader, false)?.into(),
            kind::HASH_LISTPACK_DEADLINES | kind::HASH_LISTPACK_DEADLINES_RC => {
                if kind == kind::HASH_LISTPACK_DEADLINES {
                    // The earliest deadline, which may be out of date.
                    reader.array::<8>()?;
                }
                self.hash_triples(&listpack(reader)?, offset)?.into()
            }
            // A stream exists without entries, too.
            kind::STREAM | kind::STREAM_2 | kind::STREAM_3 => {
                return stream::read(kind, reader).map(|stream| Some(stream.into()));
            }
            other => return Err(unsupported(other, offset)),
        };
        Ok((!is_empty(&value)).then_some(value))
    }

    fn list<R: Read>(&mut self, reader: &mut Reader<R>) -> Loaded<List> {
        let mut left = reader.count()?;
        let mut failure = None;
        let elements = std::iter::from_fn(|| {
            left = left.checked_sub(1)?;
            reader.owned_string().map_err(|error| failure = Some(error)).ok().map(Cow::Owned)
        });
        let list = List::collect(elements, &self.limits);
        failure.map_or(Ok(list), Err)
    }

    fn nodes<R: Read>(
        &mut self,
        reader: &mut Reader<R>,
        node: impl Fn(&mut Reader<R>) -> Loaded<Node>,
    ) -> Loaded<Value> {
        let count = reader.count()?;
        let mut nodes = Vec::new();
        for _ in 0..count {
            nodes.push(node(reader)?);
        }
        Ok(List::from_nodes(nodes, &self.limits).into())
    }

    fn set<R: Read>(&mut self, reader: &mut Reader<R>) -> Loaded<Set> {
        let count = reader.count()?;
        let mut set = Set::Packed(Listpack::new());
        for index in 0..count {
            reader.string(&mut self.first)?;
            if index == 0 {
                set = Set::for_member(&self.first, &self.limits);
            }
            if !set.insert(&self.first, &self.limits) {
                return Err(reader.damage("a member of a set occurs twice"));
            }
        }
        Ok(set)
    }

    fn sorted_set<R: Read>(
        &mut self,
        reader: &mut Reader<R>,
        score: impl Fn(&mut Reader<R>) -> Loaded<f64>,
    ) -> Loaded<SortedSet> {
        let count = reader.count()?;
        let (mut sorted_set, mut longest) = (SortedSet::ranked(), 0);
        for _ in 0..count {
            reader.string(&mut self.first)?;
            let score = score(reader)?;
            if score.is_nan() {
                return Err(reader.damage("a score that is not a number"));
            }
            longest = longest.max(self.first.len());
            if sorted_set.insert(&self.first, score, &self.limits).is_some() {
                return Err(reader.damage("a member of a sorted set occurs twice"));
            }
        }
        sorted_set.settle(longest, &self.limits);
        Ok(sorted_set)
    }

    fn sorted_pack(&self, pack: Listpack, offset: u64) -> Loaded<SortedSet> {
        check_unique(&pack, Layout::Pairs, offset)?;
        SortedSet::from_pack(pack, &self.limits)
            .ok_or_else(|| damage(offset, "a score that is not a number"))
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::String(_) => false,
        Value::List(list) => list.is_empty(),
        Value::Hash(hash) => hash.is_empty(),
        Value::Set(set) => set.is_empty(),
        Value::SortedSet(sorted_set) => sorted_set.is_empty(),
        Value::Stream(_) => false,
    }
}

fn damage(offset: u64, reason: impl Into<Cow<'static, str>>) -> LoadError {
    LoadError::new(offset, Fault::Damaged(reason.into()))
}

fn unsupported(kind: u8, offset: u64) -> LoadError {
    match foreign::name(kind) {
        Some(_) => LoadError::new(offset, Fault::Unsupported(foreign::REASON.into())),
        None => damage(offset, format!("a value cannot be of kind {kind}")),
    }
}

fn string<R: Read>(reader: &mut Reader<R>) -> Loaded<StringValue> {
    Ok(match reader.text()? {
        Text::Int(value) => StringValue::Int(value),
        Text::Bytes(bytes) => StringValue::new(bytes),
    })
}

/// A score as text behind its length, or one of three lengths that stand for what has no digits.
fn score_text<R: Read>(reader: &mut Reader<R>) -> Loaded<f64> {
    let length = match reader.byte()? {
        253 => return Ok(f64::NAN),
        254 => return Ok(f64::INFINITY),
        255 => return Ok(f64::NEG_INFINITY),
        length => length,
    };
    let mut text = Vec::with_capacity(usize::from(length));
    for _ in 0..length {
        text.push(reader.byte()?);
    }
    parse_rounded_double(&text).ok_or_else(|| reader.damage("a score that is not a number"))
}

/// A string that is a collection by itself.
fn pack<R: Read, P>(
    reader: &mut Reader<R>,
    name: &str,
    parse: impl FnOnce(Vec<u8>) -> Option<P>,
) -> Loaded<P> {
    let offset = reader.position();
    let bytes = reader.owned_string()?;
    if bytes.len() > limits::PACK_BYTES_MAX {
        return Err(damage(offset, format!("a {name} of {} bytes is too large", bytes.len())));
    }
    parse(bytes).ok_or_else(|| damage(offset, format!("an invalid {name}")))
}

fn listpack<R: Read>(reader: &mut Reader<R>) -> Loaded<Listpack> {
    pack(reader, "listpack", Listpack::from_bytes)
}

fn ziplist<R: Read>(reader: &mut Reader<R>) -> Loaded<Listpack> {
    pack(reader, "ziplist", |bytes| read_ziplist(&bytes))
}

fn ints<R: Read>(reader: &mut Reader<R>) -> Loaded<Intset> {
    // Redis takes one without elements for damage, too.
    let is_used = |ints: &Intset| !ints.as_ref().is_empty();
    pack(reader, "integer set", |bytes| Intset::from_bytes(bytes).filter(is_used))
}

fn node<R: Read>(reader: &mut Reader<R>) -> Loaded<Node> {
    match reader.length()? {
        code::NODE_PACKED => Ok(Node::Packed(listpack(reader)?)),
        code::NODE_PLAIN => Ok(Node::Plain(reader.owned_string()?.into())),
        other => Err(reader.damage(format!("a part of a list cannot be of kind {other}"))),
    }
}

/// What the elements of a pack are.
#[derive(Clone, Copy)]
enum Layout {
    /// Each is a member.
    Members = 1,
    /// Each second one belongs to the one before it.
    Pairs = 2,
    /// Two belong to the one before them.
    Triples = 3,
}

/// An error unless a pack has whole groups of elements, and no two of them begin with the same.
fn check_unique(pack: &Listpack, layout: Layout, offset: u64) -> Loaded<()> {
    let mut names: Vec<Element<'_>> = pack.iter().step_by(layout as usize).collect();
    if names.len() * layout as usize != pack.len() {
        return Err(damage(offset, "an incomplete pair of elements"));
    }
    names.sort_unstable();
    if names.is_sorted_by(|a, b| a < b) {
        Ok(())
    } else {
        Err(damage(offset, "an element occurs twice where each must be another"))
    }
}
