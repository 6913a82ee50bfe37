//! A field with its value in one allocation.

use super::Text;
use crate::value::dense::Item;
use std::hash::Hasher;
use std::hint::black_box;

/// A field and a value, both of any length.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    /// The field's length, seven bits a byte with the lowest first, the field, and the value.
    bytes: Box<[u8]>,
}

impl Pair {
    pub(super) fn new(field: &[u8], value: &[u8]) -> Self {
        let mut length = field.len();
        let length_bytes = length.checked_ilog2().map_or(1, |bits| bits as usize / 7 + 1);
        let mut bytes = Vec::with_capacity(length_bytes + field.len() + value.len());
        while length > 0x7F {
            bytes.push(0x80 | (length & 0x7F) as u8);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.extend_from_slice(field);
        bytes.extend_from_slice(value);
        Self { bytes: bytes.into() }
    }

    /// Where the field begins and where it ends.
    fn borders(&self) -> (usize, usize) {
        let (mut length, mut start) = (0, 0);
        loop {
            let byte = self.bytes[start];
            length |= usize::from(byte & 0x7F) << (7 * start);
            start += 1;
            if byte & 0x80 == 0 {
                return (start, start + length);
            }
        }
    }

    fn field(&self) -> &[u8] {
        let (start, end) = self.borders();
        &self.bytes[start..end]
    }

    /// Field and value.
    pub(super) fn texts(&self) -> (Text<'_>, Text<'_>) {
        let (start, end) = self.borders();
        (Text::Bytes(&self.bytes[start..end]), Text::Bytes(&self.bytes[end..]))
    }

    pub(super) fn set_value(&mut self, value: &[u8]) {
        let (_, end) = self.borders();
        if self.bytes.len() - end == value.len() {
            self.bytes[end..].copy_from_slice(value);
        } else {
            self.bytes = [&self.bytes[..end], value].concat().into();
        }
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.bytes.len()
    }
}

impl Item for Pair {
    type Key<'k> = &'k [u8];

    fn key(&self) -> &[u8] {
        self.field()
    }

    fn warm(&self) {
        black_box(self.bytes.first().copied());
    }

    fn feed(key: &[u8], hasher: &mut impl Hasher) {
        hasher.write(key);
    }

    fn has_key(&self, key: &[u8]) -> bool {
        self.field() == key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_any_length_come_back() {
        let text = vec![b'x'; 3_000_000];
        let lengths = [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152];
        for field in lengths {
            for value in [0, 1, 300] {
                let mut pair = Pair::new(&text[..field], &text[..value]);
                assert_eq!(pair.bytes.len(), pair.borders().0 + field + value, "nothing spare");
                for value in [value, value + 1, 0] {
                    pair.set_value(&text[..value]);
                    let (shown, shown_value) = pair.texts();
                    assert_eq!((shown.len(), shown_value.len()), (field, value));
                }
            }
        }
    }
}
