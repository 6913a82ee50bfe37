//! The data types. They know no protocol, no commands and no keys.

mod hash;
pub mod hyperloglog;
mod intset;
mod limits;
mod list;
mod listpack;
mod ranked;
mod set;
mod sorted_set;
mod string;

pub use hash::Hash;
pub use intset::Intset;
pub use limits::EncodingLimits;
pub use list::{End, List};
pub use listpack::{Element, Listpack};
pub use set::Set;
pub use sorted_set::SortedSet;
pub use string::StringValue;

use crate::error::CommandError;

/// What a key holds.
#[derive(Debug, Clone)]
pub enum Value {
    /// Bytes, or an integer kept as one.
    String(StringValue),
}

/// The name that TYPE answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// `string`.
    String,
}

impl Type {
    /// The name that TYPE answers and SCAN's TYPE option takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
        }
    }
}

impl Value {
    /// Which type it is.
    pub fn kind(&self) -> Type {
        match self {
            Self::String(_) => Type::String,
        }
    }

    /// The name that OBJECT ENCODING answers.
    pub fn encoding(&self) -> &'static str {
        match self {
            Self::String(string) => string.encoding(),
        }
    }

    /// Bytes on the heap behind this value, as far as they can be known without the allocator.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::String(string) => string.heap_bytes(),
        }
    }
}

impl Value {
    /// The string, or the error that a command for strings answers.
    pub fn as_string(&self) -> Result<&StringValue, CommandError> {
        match self {
            Self::String(string) => Ok(string),
        }
    }

    /// The string to change, or the error that a command for strings answers.
    pub fn as_string_mut(&mut self) -> Result<&mut StringValue, CommandError> {
        match self {
            Self::String(string) => Ok(string),
        }
    }
}

impl From<StringValue> for Value {
    fn from(string: StringValue) -> Self {
        Self::String(string)
    }
}
