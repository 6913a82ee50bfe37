//! Values for a snapshot, in the encodings that Redis 7.0 writes and every later version reads. Only
//! fields with deadlines need the encodings of Redis 7.4.

mod stream;

use super::code::{self, kind};
use super::lzf::Compressor;
use crate::limits;
use crate::protocol::number::{parse_integer, write_integer};
use crate::value::{Hash, List, Listpack, Node, SetRef, SortedSet, StringRef, ValueRef};
use std::io::{self, Write};

/// Writes values; keeps its room from one to the next.
pub(super) struct Encoder {
    /// Whether long strings are compressed: the directive `rdbcompression`.
    compresses: bool,
    /// Made for the first string that is long enough.
    compressor: Option<Compressor>,
    packed: Vec<u8>,
    text: Vec<u8>,
}

/// The version of the format that a value needs.
pub(super) fn version(value: ValueRef<'_>) -> u16 {
    match value.earliest_deadline_ms() {
        Some(_) => code::VERSION_WITH_FIELD_DEADLINES,
        None => code::VERSION,
    }
}

/// How a value is stored.
pub(super) fn kind(value: ValueRef<'_>) -> u8 {
    match value {
        ValueRef::String(_) => kind::STRING,
        ValueRef::List(_) => kind::LIST_QUICKLIST_2,
        ValueRef::Set(set) => match set {
            SetRef::Ints(_) => kind::SET_INTSET,
            // Redis 7.0 knows no sets in listpacks.
            SetRef::Packed(_) | SetRef::Table(_) => kind::SET,
        },
        ValueRef::SortedSet(sorted_set) => match sorted_set {
            SortedSet::Packed(_) => kind::SORTED_SET_LISTPACK,
            SortedSet::Ranked(_) => kind::SORTED_SET,
        },
        ValueRef::Hash(hash) => match (hash.as_pack(), hash.earliest_deadline_ms()) {
            (Some(_), None) => kind::HASH_LISTPACK,
            (None, None) => kind::HASH,
            (Some(_), Some(_)) => kind::HASH_LISTPACK_DEADLINES,
            (None, Some(_)) => kind::HASH_DEADLINES,
        },
        ValueRef::Stream(_) => kind::STREAM_2,
    }
}

impl Encoder {
    pub(super) fn new(compresses: bool) -> Self {
        Self { compresses, compressor: None, packed: Vec::new(), text: Vec::new() }
    }

    /// Writes a value behind its kind.
    pub(super) fn value(&mut self, value: ValueRef<'_>, out: &mut impl Write) -> io::Result<()> {
        match value {
            ValueRef::String(StringRef::Int(value)) => self.integer(value, out),
            ValueRef::String(string) => self.string(&string.bytes(), out),
            ValueRef::List(list) => self.list(list, out),
            ValueRef::Set(set) => self.set(set, out),
            ValueRef::SortedSet(sorted_set) => self.sorted_set(sorted_set, out),
            ValueRef::Hash(hash) => self.hash(hash, out),
            ValueRef::Stream(stream) => self.stream(stream, out),
        }
    }

    fn list(&mut self, list: &List, out: &mut impl Write) -> io::Result<()> {
        length(list.nodes().len() as u64, out)?;
        for node in list.nodes() {
            match node {
                Node::Packed(pack) => {
                    length(code::NODE_PACKED, out)?;
                    self.string(pack.as_bytes(), out)?;
                }
                Node::Plain(bytes) => {
                    length(code::NODE_PLAIN, out)?;
                    self.string(bytes, out)?;
                }
            }
        }
        Ok(())
    }

    fn set(&mut self, set: SetRef<'_>, out: &mut impl Write) -> io::Result<()> {
        if let SetRef::Ints(ints) = set {
            return self.string(ints.as_bytes(), out);
        }
        length(set.len() as u64, out)?;
        set.iter().try_for_each(|member| self.string(&member.bytes(), out))
    }

    fn sorted_set(&mut self, sorted_set: &SortedSet, out: &mut impl Write) -> io::Result<()> {
        if let SortedSet::Packed(pack) = sorted_set {
            return self.string(pack.as_bytes(), out);
        }
        let count = sorted_set.len();
        length(count as u64, out)?;
        // The last one first, as Redis does: its skip list is built from the head.
        sorted_set.iter_back_from(count).try_for_each(|(member, score)| {
            self.string(&member, out)?;
            out.write_all(&score.to_le_bytes())
        })
    }

    fn hash(&mut self, hash: &Hash, out: &mut impl Write) -> io::Result<()> {
        let Some(minimum_ms) = hash.earliest_deadline_ms() else {
            if let Some(pack) = hash.as_pack() {
                return self.string(pack.as_bytes(), out);
            }
            length(hash.len() as u64, out)?;
            return hash.iter().try_for_each(|(field, value)| {
                self.string(&field.bytes(), out)?;
                self.string(&value.bytes(), out)
            });
        };
        out.write_all(&minimum_ms.to_le_bytes())?;
        if hash.as_pack().is_some() {
            return self.string(triples(hash).as_bytes(), out);
        }
        length(hash.len() as u64, out)?;
        hash.iter_stored().try_for_each(|(field, stored)| {
            length(stored.deadline_ms.map_or(0, |deadline_ms| deadline_ms - minimum_ms + 1), out)?;
            self.string(&field.bytes(), out)?;
            self.string(&stored.value.bytes(), out)
        })
    }

    /// Writes a string: as an integer where it is one, and compressed where that is shorter.
    pub(super) fn string(&mut self, bytes: &[u8], out: &mut impl Write) -> io::Result<()> {
        if bytes.len() <= limits::SNAPSHOT_INTEGER_TEXT_BYTES_MAX
            && let Some(value) = parse_integer(bytes).and_then(|value| i32::try_from(value).ok())
        {
            return small_integer(value, out);
        }
        if self.compresses && bytes.len() > limits::UNCOMPRESSED_BYTES_MAX {
            self.packed.clear();
            let compressor = self.compressor.get_or_insert_with(Compressor::new);
            if compressor.compress(bytes, bytes.len() - COMPRESSED_OVERHEAD_BYTES, &mut self.packed)
            {
                out.write_all(&[code::STRING_COMPRESSED])?;
                length(self.packed.len() as u64, out)?;
                length(bytes.len() as u64, out)?;
                return out.write_all(&self.packed);
            }
        }
        length(bytes.len() as u64, out)?;
        out.write_all(bytes)
    }

    fn integer(&mut self, value: i64, out: &mut impl Write) -> io::Result<()> {
        if let Ok(value) = i32::try_from(value) {
            return small_integer(value, out);
        }
        self.text.clear();
        write_integer(value, &mut self.text);
        // As long as Redis allows, its digits are not compressed.
        length(self.text.len() as u64, out)?;
        out.write_all(&self.text)
    }
}

/// What a string has to become shorter by to be worth compressing.
const COMPRESSED_OVERHEAD_BYTES: usize = 4;

/// Fields, values and deadlines in turn.
fn triples(hash: &Hash) -> Listpack {
    let mut pack = Listpack::new();
    let mut digits = Vec::new();
    for (field, stored) in hash.iter_stored() {
        pack.push(&field.bytes());
        pack.push(&stored.value.bytes());
        digits.clear();
        // Deadlines have 46 bits.
        write_integer(stored.deadline_ms.unwrap_or(0) as i64, &mut digits);
        pack.push(&digits);
    }
    pack
}

fn small_integer(value: i32, out: &mut impl Write) -> io::Result<()> {
    if let Ok(value) = i8::try_from(value) {
        out.write_all(&[code::STRING_INT_8])?;
        return out.write_all(&value.to_le_bytes());
    }
    if let Ok(value) = i16::try_from(value) {
        out.write_all(&[code::STRING_INT_16])?;
        return out.write_all(&value.to_le_bytes());
    }
    out.write_all(&[code::STRING_INT_32])?;
    out.write_all(&value.to_le_bytes())
}

/// Writes a length: in 6, 14, 32 or 64 bits.
pub(super) fn length(length: u64, out: &mut impl Write) -> io::Result<()> {
    if let Ok(narrow) = u32::try_from(length) {
        return match narrow {
            0..0x40 => out.write_all(&[narrow as u8]),
            0x40..0x4000 => out.write_all(&[0x40 | (narrow >> 8) as u8, narrow as u8]),
            _ => {
                out.write_all(&[code::LENGTH_32_BITS])?;
                out.write_all(&narrow.to_be_bytes())
            }
        };
    }
    out.write_all(&[code::LENGTH_64_BITS])?;
    out.write_all(&length.to_be_bytes())
}
