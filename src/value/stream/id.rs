//! The ids of stream entries: when an entry came, and its place among those of the same millisecond.

use std::fmt;

/// The id of an entry. Ids are ordered by time, then by sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct StreamId {
    /// Unix time in milliseconds, by whatever clock.
    pub ms: u64,
    /// The place among entries of the same millisecond.
    pub sequence: u64,
}

/// An id as a person writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrittenId {
    /// `5-3`.
    Full(StreamId),
    /// `5`.
    Milliseconds(u64),
    /// `5-*`: with whatever sequence comes next.
    AnySequence(u64),
}

/// Longer texts are no ids, whatever they say, as in Redis.
const TEXT_BYTES_MAX: usize = 127;

impl StreamId {
    /// Below every id that an entry can have.
    pub const MIN: Self = Self { ms: 0, sequence: 0 };
    /// The last there is.
    pub const MAX: Self = Self { ms: u64::MAX, sequence: u64::MAX };
    /// Length in bytes of its binary form.
    pub const BYTES: usize = 16;

    /// The id right behind.
    pub fn next(self) -> Option<Self> {
        match self.sequence.checked_add(1) {
            Some(sequence) => Some(Self { sequence, ..self }),
            None => Some(Self { ms: self.ms.checked_add(1)?, sequence: 0 }),
        }
    }

    /// The id right before.
    pub fn previous(self) -> Option<Self> {
        match self.sequence.checked_sub(1) {
            Some(sequence) => Some(Self { sequence, ..self }),
            None => Some(Self { ms: self.ms.checked_sub(1)?, sequence: u64::MAX }),
        }
    }

    /// Its binary form in Redis: 128 bits, the highest first, so that its order is that of bytes.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        (u128::from(self.ms) << u64::BITS | u128::from(self.sequence)).to_be_bytes()
    }

    /// The id with this binary form.
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        let bits = u128::from_be_bytes(bytes);
        // The low half is cut off on purpose.
        Self { ms: (bits >> u64::BITS) as u64, sequence: bits as u64 }
    }

    /// Reads an id from text.
    pub fn parse(text: &[u8]) -> Option<WrittenId> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let Some(dash) = text.iter().position(|byte| *byte == b'-') else {
            return parse_number(text).map(WrittenId::Milliseconds);
        };
        let (ms, sequence) = (parse_number(&text[..dash])?, &text[dash + 1..]);
        Some(match sequence {
            b"*" => WrittenId::AnySequence(ms),
            digits => WrittenId::Full(Self { ms, sequence: parse_number(digits)? }),
        })
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.sequence)
    }
}

/// An unsigned number as `strtoull` reads it, which Redis uses here: spaces and a plus may stand before
/// it, and zeros.
fn parse_number(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let is_space = |c: char| c.is_ascii_whitespace() || c == '\x0b';
    let digits = text.trim_start_matches(is_space);
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn id(ms: u64, sequence: u64) -> StreamId {
        StreamId { ms, sequence }
    }

    #[test]
    fn ids_are_read_as_redis_reads_them() {
        use WrittenId::{AnySequence, Full, Milliseconds};
        let cases = [
            ("5-3", Some(Full(id(5, 3)))),
            ("5", Some(Milliseconds(5))),
            ("5-*", Some(AnySequence(5))),
            ("007-010", Some(Full(id(7, 10)))),
            (" 5-+3", Some(Full(id(5, 3)))),
            ("18446744073709551615-18446744073709551615", Some(Full(StreamId::MAX))),
            ("18446744073709551616-0", None),
            ("", None),
            ("-", None),
            ("+", None),
            ("-5", None),
            ("5-", None),
            ("5--3", None),
            ("5-3 ", None),
            ("5-3-1", None),
            ("5-**", None),
            ("x", None),
        ];
        for (text, expected) in cases {
            assert_eq!(StreamId::parse(text.as_bytes()), expected, "{text:?}");
        }
        assert_eq!(StreamId::parse(&[b'0'; 128]), None);
    }

    #[test]
    fn ids_have_neighbours_but_for_the_first_and_the_last() {
        let cases = [
            (Some(id(5, 3)), Some(id(5, 4))),
            (Some(id(5, u64::MAX)), Some(id(6, 0))),
            (None, Some(StreamId::MIN)),
            (Some(StreamId::MAX), None),
        ];
        for (one, other) in cases {
            assert_eq!(one.and_then(StreamId::next), other.filter(|_| one.is_some()));
            assert_eq!(other.and_then(StreamId::previous), one.filter(|_| other.is_some()));
            for id in one.into_iter().chain(other) {
                assert_eq!(StreamId::from_bytes(id.to_bytes()), id);
            }
        }
    }
}
