//! What a command answers, as a value.
//!
//! Commands say what they mean; `encode.rs` alone knows how RESP2 and RESP3 write it.

use super::strings::Strings;
use crate::counted::Counted;
use crate::error::CommandError;
use std::borrow::Cow;

/// A handler's result: a reply that may borrow from the view, or an error that means "nothing changed".
pub type Outcome<'v> = Result<Reply<'v>, CommandError>;

/// One reply. The shapes that RESP2 lacks are written as it writes them for Redis.
pub enum Reply<'v> {
    /// `+OK`.
    Ok,
    /// A simple string.
    Status(Cow<'static, str>),
    /// A signed 64-bit integer.
    Int(i64),
    /// A double; in RESP2 a bulk string.
    Double(f64),
    /// A double with up to 17 digits behind the point and no exponent, as Redis prints a `long double`;
    /// in RESP2 a bulk string.
    LongDouble(f64),
    /// A boolean; in RESP2 the integers 1 and 0.
    Bool(bool),
    /// A binary-safe string.
    Bulk(Cow<'v, [u8]>),
    /// The decimal digits of an integer as a bulk string, as GET answers for a counter.
    BulkInt(i64),
    /// The decimal digits of an integer of any size; in RESP2 a bulk string.
    BigNumber(Cow<'v, [u8]>),
    /// No value; in RESP2 the null bulk string.
    Null,
    /// No array; in RESP2 the null array, in RESP3 the same null as [`Reply::Null`].
    NullArray,
    /// Elements in order.
    Array(Vec<Reply<'v>>),
    /// Elements without order; in RESP2 an array.
    Set(Vec<Reply<'v>>),
    /// Keys with values; in RESP2 a flat array.
    Map(Vec<(Reply<'v>, Reply<'v>)>),
    /// Pairs in order: in RESP2 a flat array, in RESP3 an array of two-element arrays.
    Pairs(Vec<(Reply<'v>, Reply<'v>)>),
    /// Names with what belongs to them: in RESP2 an array of two-element arrays, in RESP3 a map.
    Named(Vec<(Reply<'v>, Reply<'v>)>),
    /// A message out of band; in RESP2 an array.
    Push(Vec<Reply<'v>>),
    /// What a client may skip, and the reply that it describes; in RESP2 only the reply.
    Attributed(Vec<(Reply<'v>, Reply<'v>)>, Box<Reply<'v>>),
    /// Replies one after the other: a push before the reply itself.
    Several(Vec<Reply<'v>>),
    /// A simple string of bytes that contain no line end.
    Line(Vec<u8>),
    /// Text in a format that three bytes name; in RESP2 a bulk string.
    Formatted([u8; 3], Vec<u8>),
    /// Text for people; in RESP2 a bulk string.
    Verbatim(Cow<'v, str>),
    /// An error inside an array, as EXEC answers.
    Error(CommandError),
    /// Many replies that are made one by one while they are written.
    Stream(Shape, Box<dyn ExactSizeIterator<Item = Reply<'v>> + 'v>),
    /// Many bulk strings in one allocation.
    Strings(Strings),
    /// Nothing is written: the connection ends, or the answer went another way.
    Nothing,
}

/// What a stream of replies is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Elements in order.
    Array,
    /// Elements without order; in RESP2 an array.
    Set,
    /// Keys and values in turn; in RESP2 a flat array.
    Map,
    /// Firsts and seconds in turn: in RESP2 a flat array, in RESP3 an array of two-element arrays.
    Pairs,
}

impl<'v> Reply<'v> {
    /// A bulk string.
    pub fn bulk(bytes: impl Into<Cow<'v, [u8]>>) -> Self {
        Self::Bulk(bytes.into())
    }

    /// A bulk string from text.
    pub fn text(text: impl Into<Cow<'v, str>>) -> Self {
        match text.into() {
            Cow::Borrowed(text) => Self::Bulk(Cow::Borrowed(text.as_bytes())),
            Cow::Owned(text) => Self::Bulk(Cow::Owned(text.into_bytes())),
        }
    }

    /// A simple string.
    pub fn status(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Status(text.into())
    }

    /// How many there are.
    pub fn count(count: usize) -> Self {
        // A collection's length is below isize::MAX, hence fits.
        Self::Int(count as i64)
    }

    /// The integers 1 and 0, as almost every Redis predicate answers.
    pub fn flag(flag: bool) -> Self {
        Self::Int(i64::from(flag))
    }

    /// Replies that are made one by one while they are written; `count` is how many there will be.
    pub fn stream(shape: Shape, count: usize, items: impl Iterator<Item = Self> + 'v) -> Self {
        Self::Stream(shape, Box::new(Counted::new(items, count)))
    }

    /// The lines of a HELP subcommand: an array of simple strings.
    pub fn lines(lines: impl IntoIterator<Item = impl Into<Cow<'static, str>>>) -> Self {
        Self::Array(lines.into_iter().map(Self::status).collect())
    }
}
