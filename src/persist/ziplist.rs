//! Ziplists and zipmaps, the compact collections of Redis before 7.0: they are read, never written.
//!
//! A ziplist is ten bytes of header (total length, offset of the last entry, number of entries, all
//! little-endian), entries, and 0xFF. An entry begins with the length of the one before it, in one byte
//! or, behind 0xFE, in four. A zipmap is the number of its pairs, then lengths with keys and values in
//! turn, and 0xFF; behind the length of a value stands the number of unused bytes that follow the value.

use crate::value::{Element, Listpack};

const HEADER_BYTES: usize = 4 + 4 + 2;
const END: u8 = 0xff;
/// The number of entries when there are too many for the header.
const COUNT_UNKNOWN: u16 = u16::MAX;
/// The number of pairs of a zipmap when there are too many for it, and from here on.
const PAIRS_UNKNOWN: u8 = 254;
/// A length in four bytes follows.
const WIDE: u8 = 254;

/// The entries of a ziplist as a listpack, if it is one through and through.
pub(super) fn read_ziplist(bytes: &[u8]) -> Option<Listpack> {
    let total = u32::from_le_bytes(*bytes.first_chunk()?);
    let last = u32::from_le_bytes(*bytes.get(4..)?.first_chunk()?);
    let count = u16::from_le_bytes(*bytes.get(8..)?.first_chunk()?);
    if usize::try_from(total) != Ok(bytes.len()) {
        return None;
    }
    let (&end, inner) = bytes.split_last()?;
    let mut rest = inner.get(HEADER_BYTES..)?;
    let mut pack = Listpack::new();
    let (mut at, mut seen, mut before) = (HEADER_BYTES, 0, 0);
    let mut start_of_last = HEADER_BYTES;
    while !rest.is_empty() {
        let (element, length) = entry(rest, before)?;
        pack.push(&element.bytes());
        (start_of_last, before) = (at, length);
        at += length;
        seen += 1;
        rest = &rest[length..];
    }
    let counted = count == COUNT_UNKNOWN || usize::from(count) == seen;
    (end == END && counted && usize::try_from(last) == Ok(start_of_last)).then_some(pack)
}

/// The first of these entries and its length; `before` is the length of the one before it.
fn entry(bytes: &[u8], before: usize) -> Option<(Element<'_>, usize)> {
    let (first, rest) = bytes.split_first()?;
    let (claimed, rest) = match *first {
        END => return None,
        WIDE => {
            let (length, rest) = rest.split_first_chunk()?;
            (usize::try_from(u32::from_le_bytes(*length)).ok()?, rest)
        }
        length => (usize::from(length), rest),
    };
    let (element, rest) = element(rest)?;
    (claimed == before).then_some((element, bytes.len() - rest.len()))
}

fn element(bytes: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&form, rest) = bytes.split_first()?;
    let integer = |count: usize| {
        let (data, rest) = rest.split_at_checked(count)?;
        let mut wide = [if data[count - 1] & 0x80 == 0 { 0 } else { 0xff }; 8];
        wide[..count].copy_from_slice(data);
        Some((Element::Int(i64::from_le_bytes(wide)), rest))
    };
    match form {
        0x00..=0x3f => text(rest, usize::from(form)),
        0x40..=0x7f => {
            let (low, rest) = rest.split_first()?;
            text(rest, usize::from(form & 0x3f) << 8 | usize::from(*low))
        }
        0x80 => {
            let (length, rest) = rest.split_first_chunk()?;
            text(rest, usize::try_from(u32::from_be_bytes(*length)).ok()?)
        }
        0xc0 => integer(2),
        0xd0 => integer(4),
        0xe0 => integer(8),
        0xf0 => integer(3),
        0xfe => integer(1),
        0xf1..=0xfd => Some((Element::Int(i64::from(form & 0x0f) - 1), rest)),
        _ => None,
    }
}

fn text(bytes: &[u8], length: usize) -> Option<(Element<'_>, &[u8])> {
    let (text, rest) = bytes.split_at_checked(length)?;
    Some((Element::Bytes(text), rest))
}

/// Keys and values of a zipmap in turn as a listpack, if it is one through and through.
pub(super) fn read_zipmap(bytes: &[u8]) -> Option<Listpack> {
    let (&count, rest) = bytes.split_first()?;
    let (&end, mut rest) = rest.split_last()?;
    let mut pack = Listpack::new();
    let mut pairs = 0usize;
    while !rest.is_empty() {
        let (length, behind) = zipmap_length(rest)?;
        let (key, behind) = behind.split_at_checked(length)?;
        let (length, behind) = zipmap_length(behind)?;
        let (unused, behind) = behind.split_first()?;
        let (value, behind) = behind.split_at_checked(length)?;
        rest = behind.get(usize::from(*unused)..)?;
        pack.push(key);
        pack.push(value);
        pairs += 1;
    }
    let counted = count >= PAIRS_UNKNOWN || usize::from(count) == pairs;
    (end == END && counted).then_some(pack)
}

fn zipmap_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    match first {
        END => None,
        WIDE => {
            let (length, rest) = rest.split_first_chunk()?;
            Some((usize::try_from(u32::from_le_bytes(*length)).ok()?, rest))
        }
        length => Some((usize::from(length), rest)),
    }
}
