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
        Self::integer(&bytes).unwrap_or_else(|| Self::Fixed(bytes.into_boxed_slice()))
    }

    /// Stores a copy of bytes, as an integer if they are one.
    pub fn copied(bytes: &[u8]) -> Self {
        Self::integer(bytes).unwrap_or_else(|| Self::Fixed(bytes.into()))
    }

    fn integer(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > limits::INTEGER_TEXT_BYTES_MAX {
            return None;
        }
        parse_integer(bytes).map(Self::Int)
    }

    /// The bytes; digits are made when it is an integer.
    pub fn bytes(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Int(value) => {
                let mut digits = Vec::with_capacity(limits::INTEGER_TEXT_BYTES_MAX);
                write_integer(*value, &mut digits);
                Cow::Owned(digits)
            }
            Self::Fixed(bytes) => Cow::Borrowed(bytes),
            Self::Growing(bytes) => Cow::Borrowed(bytes),
        }
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Int(_) => self.bytes().len(),
            Self::Fixed(bytes) => bytes.len(),
            Self::Growing(bytes) => bytes.len(),
        }
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The integer whose digits these bytes are.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            other => parse_integer(&other.bytes()),
        }
    }

    /// The bytes to change in place; from now on the encoding is `raw`.
    pub fn growing(&mut self) -> &mut Vec<u8> {
        if !matches!(self, Self::Growing(_)) {
            let bytes = match std::mem::replace(self, Self::Int(0)) {
                Self::Int(value) => Self::Int(value).bytes().into_owned(),
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

    /// The name that OBJECT ENCODING answers.
    pub fn encoding(&self) -> &'static str {
        match self {
            Self::Int(_) => "int",
            Self::Fixed(bytes) if bytes.len() <= limits::EMBSTR_BYTES_MAX => "embstr",
            Self::Fixed(_) | Self::Growing(_) => "raw",
        }
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
