//! Strings: bytes, or a 64-bit integer where the bytes are its digits.

use crate::limits;
use crate::protocol::number::{parse_integer, write_integer};
use std::borrow::Cow;

/// A string in the form that takes the least memory.
///
/// The forms are told apart by OBJECT ENCODING alone: an integer is `int`; fixed bytes are `embstr`
/// up to 44 bytes and `raw` above; bytes that were changed in place are `raw` at any length.
#[derive(Debug, Clone)]
pub enum StringValue {
    /// The digits of an integer, as `string2ll` reads it.
    Int(i64),
    /// Bytes that were stored whole.
    Fixed(Box<[u8]>),
    /// Bytes that grow: what APPEND, SETRANGE and SETBIT leave.
    Growing(Vec<u8>),
}

impl StringValue {
    /// Stores bytes, as an integer if they are one.
    pub fn new(bytes: Vec<u8>) -> Self {
        match StringRef::new(&bytes) {
            StringRef::Int(value) => Self::Int(value),
            _ => Self::Fixed(bytes.into()),
        }
    }

    /// The same to look at.
    pub fn as_ref(&self) -> StringRef<'_> {
        match self {
            Self::Int(value) => StringRef::Int(*value),
            Self::Fixed(bytes) => StringRef::Fixed(bytes),
            Self::Growing(bytes) => StringRef::Growing(bytes),
        }
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.as_ref().len()
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes to change in place; from now on the encoding is `raw`.
    pub fn growing(&mut self) -> &mut Vec<u8> {
        if !matches!(self, Self::Growing(_)) {
            let bytes = match std::mem::replace(self, Self::Int(0)) {
                Self::Int(value) => StringRef::Int(value).bytes().into_owned(),
                Self::Fixed(bytes) => bytes.into_vec(),
                Self::Growing(bytes) => bytes,
            };
            *self = Self::Growing(bytes);
        }
        match self {
            Self::Growing(bytes) => bytes,
            Self::Int(_) | Self::Fixed(_) => unreachable!("was made growing above"),
        }
    }

    /// Adds bytes at the end.
    pub fn append(&mut self, bytes: &[u8]) {
        let own = self.growing();
        reserve(own, bytes.len());
        own.extend_from_slice(bytes);
    }

    /// The bytes to change in place, zeros added up to `len` if there are fewer.
    pub fn padded(&mut self, len: usize) -> &mut Vec<u8> {
        let own = self.growing();
        if let Some(missing) = len.checked_sub(own.len()) {
            reserve(own, missing);
            own.resize(len, 0);
        }
        own
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Int(_) => 0,
            Self::Fixed(bytes) => bytes.len(),
            Self::Growing(bytes) => bytes.capacity(),
        }
    }
}

/// A string that is stored, to look at. Where its bytes are is nobody's business.
#[derive(Debug, Clone, Copy)]
pub enum StringRef<'a> {
    /// The digits of an integer.
    Int(i64),
    /// Bytes that were stored whole.
    Fixed(&'a [u8]),
    /// Bytes that were changed in place.
    Growing(&'a [u8]),
}

impl<'a> StringRef<'a> {
    /// Bytes to be stored whole, as an integer if they are one.
    pub fn new(bytes: &'a [u8]) -> Self {
        if bytes.len() > limits::INTEGER_TEXT_BYTES_MAX {
            return Self::Fixed(bytes);
        }
        parse_integer(bytes).map_or(Self::Fixed(bytes), Self::Int)
    }

    /// The bytes; digits are made when it is an integer.
    pub fn bytes(self) -> Cow<'a, [u8]> {
        match self {
            Self::Int(value) => {
                let mut digits = Vec::with_capacity(limits::INTEGER_TEXT_BYTES_MAX);
                write_integer(value, &mut digits);
                Cow::Owned(digits)
            }
            Self::Fixed(bytes) | Self::Growing(bytes) => Cow::Borrowed(bytes),
        }
    }

    /// Length in bytes.
    pub fn len(self) -> usize {
        match self {
            Self::Int(value) => {
                let digits = value.unsigned_abs().checked_ilog10().unwrap_or(0) + 1;
                digits as usize + usize::from(value < 0)
            }
            Self::Fixed(bytes) | Self::Growing(bytes) => bytes.len(),
        }
    }

    /// Whether it has no bytes.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The integer whose digits these bytes are.
    pub fn as_integer(self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(value),
            Self::Fixed(bytes) | Self::Growing(bytes) => parse_integer(bytes),
        }
    }

    /// The name that OBJECT ENCODING answers.
    pub fn encoding(self) -> &'static str {
        match self {
            Self::Int(_) => "int",
            Self::Fixed(bytes) if bytes.len() <= limits::EMBSTR_BYTES_MAX => "embstr",
            Self::Fixed(_) | Self::Growing(_) => "raw",
        }
    }

    /// A copy of its own.
    pub fn to_value(self) -> StringValue {
        match self {
            Self::Int(value) => StringValue::Int(value),
            Self::Fixed(bytes) => StringValue::Fixed(bytes.into()),
            Self::Growing(bytes) => StringValue::Growing(bytes.into()),
        }
    }
}

/// Makes room as Redis does: twice what is needed, but no more than a bounded spare.
fn reserve(bytes: &mut Vec<u8>, additional: usize) {
    if bytes.capacity() - bytes.len() < additional {
        let spare = (bytes.len() + additional).min(limits::STRING_SPARE_BYTES_MAX);
        bytes.reserve_exact(additional + spare);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_counted_as_they_are_printed() {
        for value in [0, 9, 10, -1, -10, i64::MAX, i64::MIN] {
            let string = StringRef::Int(value);
            assert_eq!(string.len(), string.bytes().len(), "{value}");
        }
    }

    #[test]
    fn a_string_that_was_changed_in_place_is_raw() {
        let mut string = StringRef::new(b"12").to_value();
        assert_eq!(string.as_ref().encoding(), "int");
        string.append(b"3");
        let changed = string.as_ref();
        assert_eq!((changed.encoding(), changed.as_integer()), ("raw", Some(123)));
        assert_eq!(string.padded(5), b"123\0\0");
        assert_eq!(string.padded(2), b"123\0\0", "nothing is cut off");
    }

    #[test]
    fn spare_room_is_bounded() {
        let mut string = StringValue::Growing(vec![0; 8 * limits::STRING_SPARE_BYTES_MAX]);
        string.append(b"x");
        let StringValue::Growing(bytes) = string else { panic!("it was growing") };
        assert!(bytes.capacity() - bytes.len() <= limits::STRING_SPARE_BYTES_MAX);
    }
}
