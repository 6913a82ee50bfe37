//! Listpacks: a small collection in one allocation, in Redis's own format.
//!
//! The format is that of `listpack.c` (specified in "Listpack specification", S. Sanfilippo, 2017): a
//! header of four bytes total length and two bytes element count, little-endian, then the elements,
//! then 0xFF. An element is its encoding with its data, followed by the length of both in reverse, so
//! that the pack can be walked from its end. Keeping the very format makes saving a copy, and
//! encodings those of Redis to the byte.
//!
//! A pack knows nothing of what its elements mean: hashes keep fields and values in turn, sorted
//! sets members and scores.

use crate::limits;
use crate::protocol::number::{parse_integer, write_integer};
use std::borrow::Cow;

const HEADER_BYTES: usize = 6;
const END: u8 = 0xFF;
/// The count in the header when there are too many elements for it.
const COUNT_UNKNOWN: u16 = u16::MAX;

/// A sequence of byte strings, integers among them kept as integers.
#[derive(Clone, PartialEq, Eq)]
pub struct Listpack {
    /// Always a valid pack: header, elements, end.
    bytes: Vec<u8>,
}

/// An element: bytes, or the integer whose digits they would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Element<'a> {
    /// Bytes that are no integer.
    Bytes(&'a [u8]),
    /// An integer.
    Int(i64),
}

impl<'a> Element<'a> {
    /// An element from bytes, as an integer if they are one.
    pub fn new(bytes: &'a [u8]) -> Self {
        if bytes.len() > limits::INTEGER_TEXT_BYTES_MAX {
            return Self::Bytes(bytes);
        }
        parse_integer(bytes).map_or(Self::Bytes(bytes), Self::Int)
    }

    /// The bytes; digits are made when it is an integer.
    pub fn bytes(self) -> Cow<'a, [u8]> {
        match self {
            Self::Bytes(bytes) => Cow::Borrowed(bytes),
            Self::Int(value) => {
                let mut digits = Vec::with_capacity(limits::INTEGER_TEXT_BYTES_MAX);
                write_integer(value, &mut digits);
                Cow::Owned(digits)
            }
        }
    }

    /// Length of the bytes.
    pub fn len(self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Int(_) => self.bytes().len(),
        }
    }

    /// Whether there are no bytes.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// Where an element starts. Valid until the pack changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(usize);

impl Default for Listpack {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Listpack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Listpack {
    /// Length of a pack without elements.
    pub const EMPTY_BYTES: usize = HEADER_BYTES + 1;

    /// An empty pack.
    pub fn new() -> Self {
        let mut bytes = Vec::with_capacity(Self::EMPTY_BYTES);
        bytes.extend_from_slice(&[7, 0, 0, 0, 0, 0, END]);
        Self { bytes }
    }

    /// The pack in Redis's format.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A pack from bytes in Redis's format, if they are one through and through.
    ///
    /// Digits that stand there as text become an integer, as if they had been pushed: elements are
    /// compared by their form.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let total = u32::from_le_bytes(*bytes.first_chunk::<4>()?);
        let count = u16::from_le_bytes([*bytes.get(4)?, *bytes.get(5)?]);
        if usize::try_from(total) != Ok(bytes.len())
            || bytes.last() != Some(&END)
            || bytes.len() <= HEADER_BYTES
        {
            return None;
        }
        let end = bytes.len() - 1;
        let (mut at, mut seen) = (HEADER_BYTES, 0usize);
        let mut is_usual = true;
        while at < end {
            let (element, body) = decode_checked(&bytes[at..end])?;
            is_usual &= match element {
                Element::Bytes(text) => Element::new(text) == element,
                Element::Int(_) => true,
            };
            let back = back_bytes(body);
            let mut expected = Vec::with_capacity(back);
            write_back(body, &mut expected);
            if bytes.get(at + body..at + body + back)? != expected.as_slice() {
                return None;
            }
            at += body + back;
            seen += 1;
        }
        let counted = count == COUNT_UNKNOWN || usize::from(count) == seen;
        if at != end || !counted {
            return None;
        }
        let pack = Self { bytes };
        Some(if is_usual { pack } else { pack.iter().collect() })
    }

    /// Length of the whole pack in bytes.
    pub fn size_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes allocated.
    pub fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        match u16::from_le_bytes([self.bytes[4], self.bytes[5]]) {
            COUNT_UNKNOWN => self.iter().count(),
            count => usize::from(count),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.bytes.len() == Self::EMPTY_BYTES
    }

    fn end(&self) -> usize {
        self.bytes.len() - 1
    }

    /// The element at a position.
    pub fn get(&self, position: Position) -> Element<'_> {
        decode(&self.bytes[position.0..]).0
    }

    /// Where the first element starts.
    pub fn first(&self) -> Option<Position> {
        (!self.is_empty()).then_some(Position(HEADER_BYTES))
    }

    /// Where the last element starts.
    pub fn last(&self) -> Option<Position> {
        self.before(self.end())
    }

    /// Where the element behind this one starts.
    pub fn next(&self, position: Position) -> Option<Position> {
        let next = position.0 + entry_bytes(&self.bytes[position.0..]);
        (next < self.end()).then_some(Position(next))
    }

    /// Where the element before this one starts.
    pub fn previous(&self, position: Position) -> Option<Position> {
        self.before(position.0)
    }

    fn before(&self, at: usize) -> Option<Position> {
        if at <= HEADER_BYTES {
            return None;
        }
        let (mut body, mut shift, mut back) = (0usize, 0, 0);
        loop {
            back += 1;
            let byte = self.bytes[at - back];
            body |= usize::from(byte & 0x7F) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        Some(Position(at - back - body))
    }

    /// The position of the element with this index, from the nearer end.
    pub fn seek(&self, index: usize) -> Option<Position> {
        let length = self.len();
        if index >= length {
            return None;
        }
        if index <= length / 2 {
            let mut position = self.first()?;
            for _ in 0..index {
                position = self.next(position)?;
            }
            Some(position)
        } else {
            let mut position = self.last()?;
            for _ in index + 1..length {
                position = self.previous(position)?;
            }
            Some(position)
        }
    }

    /// The elements from first to last, or from the end.
    pub fn iter(&self) -> Iter<'_> {
        Iter { pack: self, front: HEADER_BYTES, back: self.end() }
    }

    /// Finds an element among every `step`th, the first being at `from`.
    pub fn find(&self, wanted: &[u8], from: usize, step: usize) -> Option<Position> {
        let wanted = Element::new(wanted);
        let mut next = self.seek(from);
        while let Some(position) = next {
            if self.get(position) == wanted {
                return Some(position);
            }
            next = Some(position);
            for _ in 0..step {
                next = self.next(next?);
            }
        }
        None
    }

    /// Bytes that an element would add.
    pub fn cost_bytes(element: &[u8]) -> usize {
        let body = body_bytes(Element::new(element));
        body + back_bytes(body)
    }

    /// Appends an element.
    pub fn push(&mut self, element: &[u8]) {
        self.insert_at(self.end(), element);
    }

    /// Appends an integer.
    pub fn push_integer(&mut self, value: i64) {
        self.insert_element_at(self.end(), Element::Int(value));
    }

    /// Puts an element first.
    pub fn push_front(&mut self, element: &[u8]) {
        self.insert_at(HEADER_BYTES, element);
    }

    /// Inserts an element before the one at a position.
    pub fn insert_before(&mut self, position: Position, element: &[u8]) {
        self.insert_at(position.0, element);
    }

    /// Inserts an element behind the one at a position.
    pub fn insert_after(&mut self, position: Position, element: &[u8]) {
        self.insert_at(position.0 + entry_bytes(&self.bytes[position.0..]), element);
    }

    fn insert_at(&mut self, at: usize, element: &[u8]) {
        self.insert_element_at(at, Element::new(element));
    }

    fn insert_element_at(&mut self, at: usize, element: Element<'_>) {
        let body = body_bytes(element);
        let added = body + back_bytes(body);
        self.reserve(added);
        if at == self.end() {
            self.bytes.pop();
            write_entry(element, body, &mut self.bytes);
            self.bytes.push(END);
        } else {
            let tail_bytes = self.bytes.len() - at;
            self.bytes.resize(self.bytes.len() + added, 0);
            self.bytes.copy_within(at..at + tail_bytes, at + added);
            let mut slot = &mut self.bytes[at..at + added];
            write_entry(element, body, &mut slot);
        }
        self.count_more(1);
    }

    /// Makes room: exactly what is needed in a small pack, of which there may be very many, and in a
    /// larger one an eighth more, so that it is not moved for each element.
    fn reserve(&mut self, added: usize) {
        let length = self.bytes.len();
        if self.bytes.capacity() - length < added {
            let spare = if length < limits::PACK_WITHOUT_SPARE_BYTES_MAX { 0 } else { length / 8 };
            self.bytes.reserve_exact(added + spare);
        }
    }

    /// Gives spare room back: for a pack that will hardly grow again.
    pub fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
    }

    /// Replaces the element at a position.
    pub fn replace(&mut self, position: Position, element: &[u8]) {
        self.replace_element(position, Element::new(element));
    }

    /// Replaces the element at a position by an integer.
    pub fn replace_integer(&mut self, position: Position, value: i64) {
        self.replace_element(position, Element::Int(value));
    }

    fn replace_element(&mut self, position: Position, element: Element<'_>) {
        let old = entry_bytes(&self.bytes[position.0..]);
        let body = body_bytes(element);
        let new = body + back_bytes(body);
        let tail = position.0 + old;
        if new > old {
            self.reserve(new - old);
            let length = self.bytes.len();
            self.bytes.resize(length + new - old, 0);
            self.bytes.copy_within(tail..length, position.0 + new);
        } else if new < old {
            self.bytes.drain(position.0 + new..tail);
        }
        let mut slot = &mut self.bytes[position.0..position.0 + new];
        write_entry(element, body, &mut slot);
        self.write_total();
    }

    /// Removes `count` elements from a position on; gives where the one behind them starts.
    pub fn remove(&mut self, position: Position, count: usize) -> Option<Position> {
        let (mut end, mut removed) = (position.0, 0);
        while removed < count && end < self.end() {
            end += entry_bytes(&self.bytes[end..]);
            removed += 1;
        }
        let known = u16::from_le_bytes([self.bytes[4], self.bytes[5]]);
        self.bytes.drain(position.0..end);
        if self.bytes.capacity() > 2 * self.bytes.len() + 64 {
            self.bytes.shrink_to_fit();
        }
        self.write_total();
        let count = match known {
            COUNT_UNKNOWN => self.iter().count(),
            known => usize::from(known) - removed,
        };
        self.write_count(count);
        (position.0 < self.end()).then_some(position)
    }

    /// Splits off the elements from an index on.
    pub fn split_off(&mut self, index: usize) -> Self {
        let length = self.len();
        let Some(position) = self.seek(index) else { return Self::new() };
        let mut tail = Self::new();
        tail.bytes.truncate(HEADER_BYTES);
        tail.bytes.extend_from_slice(&self.bytes[position.0..]);
        self.bytes.truncate(position.0);
        self.bytes.push(END);
        self.bytes.shrink_to_fit();
        for (half, count) in [(&mut *self, index), (&mut tail, length - index)] {
            half.write_total();
            half.write_count(count);
        }
        tail
    }

    /// Appends the elements of another pack.
    pub fn append(&mut self, other: &Self) {
        let count = self.len() + other.len();
        self.bytes.pop();
        self.bytes.reserve_exact(other.bytes.len());
        self.bytes.extend_from_slice(&other.bytes[HEADER_BYTES..]);
        self.write_total();
        self.write_count(count);
    }

    fn count_more(&mut self, more: u16) {
        self.write_total();
        let count = u16::from_le_bytes([self.bytes[4], self.bytes[5]]);
        if count != COUNT_UNKNOWN {
            self.write_count(usize::from(count) + usize::from(more));
        }
    }

    fn write_count(&mut self, count: usize) {
        let count = u16::try_from(count).unwrap_or(COUNT_UNKNOWN);
        self.bytes[4..6].copy_from_slice(&count.to_le_bytes());
    }

    fn write_total(&mut self) {
        let total =
            u32::try_from(self.bytes.len()).expect("a pack is kept far below 4 GB by its owner");
        self.bytes[..4].copy_from_slice(&total.to_le_bytes());
    }
}

impl<'a> FromIterator<Element<'a>> for Listpack {
    fn from_iter<T: IntoIterator<Item = Element<'a>>>(elements: T) -> Self {
        let mut pack = Self::new();
        elements.into_iter().for_each(|element| pack.push(&element.bytes()));
        pack
    }
}

/// The elements of a pack from both ends.
#[derive(Clone)]
pub struct Iter<'a> {
    pack: &'a Listpack,
    front: usize,
    back: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        if self.front >= self.back {
            return None;
        }
        let (element, body) = decode(&self.pack.bytes[self.front..]);
        self.front += body + back_bytes(body);
        Some(element)
    }
}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.front >= self.back {
            return None;
        }
        let position = self.pack.before(self.back)?;
        self.back = position.0;
        Some(self.pack.get(position))
    }
}

impl<'a> IntoIterator for &'a Listpack {
    type Item = Element<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// Length of encoding and data.
fn body_bytes(element: Element<'_>) -> usize {
    match element {
        Element::Bytes(bytes) => match bytes.len() {
            0..64 => 1 + bytes.len(),
            64..4096 => 2 + bytes.len(),
            _ => 5 + bytes.len(),
        },
        Element::Int(value) => match value {
            0..=127 => 1,
            -4096..=4095 => 2,
            -0x8000..=0x7FFF => 3,
            -0x80_0000..=0x7F_FFFF => 4,
            -0x8000_0000..=0x7FFF_FFFF => 5,
            _ => 9,
        },
    }
}

/// Length of the reversed length of a body.
fn back_bytes(body: usize) -> usize {
    match body {
        0..128 => 1,
        128..16_384 => 2,
        16_384..2_097_152 => 3,
        2_097_152..268_435_456 => 4,
        _ => 5,
    }
}

/// Length of a whole entry that is known to be valid.
fn entry_bytes(bytes: &[u8]) -> usize {
    let (_, body) = decode(bytes);
    body + back_bytes(body)
}

fn write_entry(element: Element<'_>, body: usize, out: &mut impl std::io::Write) {
    const FITS: &str = "room for the entry was made";
    let mut put = |bytes: &[u8]| out.write_all(bytes).expect(FITS);
    match element {
        Element::Bytes(bytes) => {
            match bytes.len() {
                length @ 0..64 => put(&[0x80 | length as u8]),
                length @ 64..4096 => put(&[0xE0 | (length >> 8) as u8, length as u8]),
                length => {
                    put(&[0xF0]);
                    put(&(length as u32).to_le_bytes());
                }
            }
            put(bytes);
        }
        Element::Int(value) => match body {
            1 => put(&[value as u8]),
            2 => {
                let bits = (value & 0x1FFF) as u16;
                put(&[0xC0 | (bits >> 8) as u8, bits as u8]);
            }
            _ => {
                let mark = match body {
                    3 => 0xF1,
                    4 => 0xF2,
                    5 => 0xF3,
                    _ => 0xF4,
                };
                put(&[mark]);
                put(&value.to_le_bytes()[..body - 1]);
            }
        },
    }
    let mut back = Vec::with_capacity(5);
    write_back(body, &mut back);
    put(&back);
}

/// The length of a body, seven bits a byte, so that it is read from its last byte on.
fn write_back(body: usize, out: &mut Vec<u8>) {
    let count = back_bytes(body);
    for index in (0..count).rev() {
        let bits = (body >> (7 * index)) as u8 & 0x7F;
        // Read backwards, every byte but the first one written is followed by another.
        out.push(if index + 1 == count { bits } else { bits | 0x80 });
    }
}

fn decode(bytes: &[u8]) -> (Element<'_>, usize) {
    decode_checked(bytes).expect("a pack holds valid entries only")
}

/// The element at the start of `bytes` and the length of its encoding and data.
fn decode_checked(bytes: &[u8]) -> Option<(Element<'_>, usize)> {
    let first = *bytes.first()?;
    let text = |start: usize, length: usize| {
        let end = start.checked_add(length)?;
        Some((Element::Bytes(bytes.get(start..end)?), end))
    };
    let integer = |count: usize| {
        let data = bytes.get(1..1 + count)?;
        let mut wide = [if data[count - 1] & 0x80 == 0 { 0 } else { 0xFF }; 8];
        wide[..count].copy_from_slice(data);
        Some((Element::Int(i64::from_le_bytes(wide)), 1 + count))
    };
    match first {
        0x00..=0x7F => Some((Element::Int(i64::from(first)), 1)),
        0x80..=0xBF => text(1, usize::from(first & 0x3F)),
        0xC0..=0xDF => {
            let bits = (i64::from(first & 0x1F) << 8) | i64::from(*bytes.get(1)?);
            let value = if bits >= 1 << 12 { bits - (1 << 13) } else { bits };
            Some((Element::Int(value), 2))
        }
        0xE0..=0xEF => text(2, (usize::from(first & 0x0F) << 8) | usize::from(*bytes.get(1)?)),
        0xF0 => {
            let length = u32::from_le_bytes(*bytes.get(1..)?.first_chunk()?);
            text(5, usize::try_from(length).ok()?)
        }
        0xF1 => integer(2),
        0xF2 => integer(3),
        0xF3 => integer(4),
        0xF4 => integer(8),
        0xF5..=0xFF => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(pack: &Listpack) -> Vec<Vec<u8>> {
        pack.iter().map(|element| element.bytes().into_owned()).collect()
    }

    /// Elements on both sides of every encoding's and every reversed length's bound.
    fn edge_elements() -> Vec<Vec<u8>> {
        let integers = [0, 127, 128, -1, 4095, 4096, -4096, -4097, 32767, 32768, -32768, -32769];
        let wide = [
            8_388_607,
            8_388_608,
            -8_388_608,
            -8_388_609,
            i64::from(i32::MAX),
            i64::from(i32::MIN) - 1,
        ];
        let longest = [i64::MAX, i64::MIN];
        let all = integers.into_iter().chain(wide).chain(longest);
        let mut elements: Vec<Vec<u8>> =
            all.map(|value: i64| value.to_string().into_bytes()).collect();
        for length in [0, 1, 63, 64, 125, 126, 127, 4095, 4096, 16_378, 16_379, 16_384] {
            elements.push(vec![b'x'; length]);
        }
        elements
    }

    #[test]
    fn elements_come_back_from_both_ends() {
        let mut pack = Listpack::new();
        let elements = edge_elements();
        elements.iter().for_each(|element| pack.push(element));
        assert_eq!(contents(&pack), elements);
        let backwards: Vec<_> =
            pack.iter().rev().map(|element| element.bytes().into_owned()).collect();
        assert_eq!(backwards, elements.iter().rev().cloned().collect::<Vec<_>>());
        for (index, element) in elements.iter().enumerate() {
            let position = pack.seek(index).unwrap();
            assert_eq!(pack.get(position).bytes(), element.as_slice());
        }
        assert_eq!(Listpack::from_bytes(pack.as_bytes().to_vec()).as_ref(), Some(&pack));
    }

    #[test]
    fn the_bytes_are_those_that_redis_writes() {
        // From a DUMP of `RPUSH l a 1 -1 1000000`.
        let mut pack = Listpack::new();
        for element in ["a", "1", "-1", "1000000"] {
            pack.push(element.as_bytes());
        }
        let expected: &[u8] = &[
            0x14, 0, 0, 0, 4, 0, 0x81, b'a', 2, 1, 1, 0xDF, 0xFF, 2, 0xF2, 0x40, 0x42, 0x0F, 4,
            0xFF,
        ];
        assert_eq!(pack.as_bytes(), expected);
    }

    #[test]
    fn random_changes_equal_those_of_a_vector() {
        let mut rng = fastrand::Rng::with_seed(7);
        let pool = edge_elements();
        for _ in 0..200 {
            let (mut pack, mut model): (_, Vec<Vec<u8>>) = (Listpack::new(), Vec::new());
            for _ in 0..60 {
                let element = &pool[rng.usize(..pool.len())];
                let index = rng.usize(..=model.len());
                match (rng.u8(..6), pack.seek(index)) {
                    (0, _) => {
                        pack.push_front(element);
                        model.insert(0, element.clone());
                    }
                    (1 | 2, None) => {
                        pack.push(element);
                        model.push(element.clone());
                    }
                    (1, Some(position)) => {
                        pack.insert_before(position, element);
                        model.insert(index, element.clone());
                    }
                    (2, Some(position)) => {
                        pack.insert_after(position, element);
                        model.insert(index + 1, element.clone());
                    }
                    (3, Some(position)) => {
                        pack.replace(position, element);
                        model[index] = element.clone();
                    }
                    (4, Some(position)) => {
                        let count = rng.usize(..4);
                        pack.remove(position, count);
                        model.drain(index..(index + count).min(model.len()));
                    }
                    (5, _) => {
                        let tail = pack.split_off(index);
                        assert_eq!(contents(&tail), model[index..]);
                        assert_eq!((tail.len(), pack.len()), (model.len() - index, index));
                        pack.append(&tail);
                    }
                    _ => {}
                }
                assert_eq!(contents(&pack), model);
                assert_eq!(pack.len(), model.len());
                assert!(Listpack::from_bytes(pack.as_bytes().to_vec()).is_some());
            }
        }
    }

    #[test]
    fn damaged_packs_are_refused() {
        let mut pack = Listpack::new();
        edge_elements().iter().take(24).for_each(|element| pack.push(element));
        let good = pack.as_bytes().to_vec();
        for end in 0..good.len() {
            assert!(Listpack::from_bytes(good[..end].to_vec()).is_none(), "cut at {end}");
        }
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x55;
            // A changed byte inside a text leaves a pack; whatever is accepted can be walked.
            if let Some(pack) = Listpack::from_bytes(bad) {
                assert_eq!(pack.iter().count(), pack.iter().rev().count());
            }
        }
    }

    #[test]
    fn digits_that_came_as_text_are_found() {
        let bytes = b"\x0e\0\0\0\x02\0\x8212\x03\x81x\x02\xff";
        let pack = Listpack::from_bytes(bytes.to_vec()).unwrap();
        assert_eq!(pack.iter().collect::<Vec<_>>(), [Element::Int(12), Element::Bytes(b"x")]);
        assert!(pack.find(b"12", 0, 1).is_some());
    }

    #[test]
    fn find_looks_at_every_second_element_of_a_hash() {
        let mut pack = Listpack::new();
        ["a", "b", "b", "a", "12", "x"].iter().for_each(|element| pack.push(element.as_bytes()));
        let at = |index| pack.seek(index);
        assert_eq!(pack.find(b"b", 0, 2), at(2));
        assert_eq!(pack.find(b"a", 1, 2), at(3));
        assert_eq!(pack.find(b"12", 0, 2), at(4));
        assert_eq!(pack.find(b"x", 0, 2), None);
    }
}
