//! The bytes of a snapshot in order, with their position and their checksum.
//!
//! Nothing is allocated because of a length that was only claimed: a length is compared with what is
//! left where that is known, and memory grows with the bytes that have arrived where it is not.

use super::checksum::Checksum;
use super::code;
use super::error::{Fault, LoadError};
use super::lzf;
use crate::limits;
use crate::protocol::number::write_integer;
use std::borrow::Cow;
use std::io::{self, Read};

type Loaded<T> = Result<T, LoadError>;

/// Reads what Redis writes: bytes, lengths, strings.
pub(super) struct Reader<R> {
    source: R,
    /// What was read ahead stands in `buffer[start..end]`.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// The checksum has taken in the buffer up to here: large pieces are summed faster than bytes.
    summed: usize,
    checksum: Checksum,
    /// The offset of `buffer[0]` in the source.
    offset: u64,
    /// The length of the source in bytes, where it is known.
    length: Option<u64>,
    /// The longest string that is taken, in bytes.
    string_bytes_max: u64,
    /// The compressed form of a string.
    packed: Vec<u8>,
}

/// A length, or what stands in its place.
enum Length {
    Plain(u64),
    /// An integer of so many bytes follows, instead of its digits.
    Integer(usize),
    /// A compressed string follows.
    Compressed,
}

/// A string as it stands in a snapshot.
pub(super) enum Text {
    /// An integer instead of its digits.
    Int(i64),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl<R: Read> Reader<R> {
    /// A reader of a source that has so many bytes, if that is known.
    pub(super) fn new(source: R, length: Option<u64>) -> Self {
        let most = limits::SNAPSHOT_BUFFER_BYTES;
        let size = length.map_or(most, |length| usize::try_from(length).unwrap_or(most).min(most));
        Self {
            source,
            buffer: vec![0; size.max(1)],
            start: 0,
            end: 0,
            summed: 0,
            checksum: Checksum::new(),
            offset: 0,
            length,
            string_bytes_max: u64::MAX,
            packed: Vec::new(),
        }
    }

    /// The same, but longer strings than this are refused.
    pub(super) fn with_strings_up_to(self, bytes: usize) -> Self {
        let string_bytes_max = u64::try_from(bytes).unwrap_or(u64::MAX);
        Self { string_bytes_max, ..self }
    }

    /// Offset of the next byte from the beginning.
    pub(super) fn position(&self) -> u64 {
        self.offset + self.start as u64
    }

    /// Number of bytes that are left, if the length of the source is known.
    pub(super) fn left(&self) -> Option<u64> {
        self.length.map(|length| length.saturating_sub(self.position()))
    }

    /// The checksum of all bytes before the next.
    pub(super) fn checksum(&mut self) -> u64 {
        self.checksum.add(&self.buffer[self.summed..self.start]);
        self.summed = self.start;
        self.checksum.value()
    }

    /// A fault at the next byte.
    pub(super) fn fault(&self, fault: Fault) -> LoadError {
        LoadError::new(self.position(), fault)
    }

    /// Something wrong at the next byte.
    pub(super) fn damage(&self, reason: impl Into<Cow<'static, str>>) -> LoadError {
        self.fault(Fault::Damaged(reason.into()))
    }

    /// Reads ahead once everything that was read ahead is used; whether there is more.
    fn refill(&mut self) -> Loaded<bool> {
        self.checksum();
        self.offset += self.start as u64;
        (self.start, self.end, self.summed) = (0, 0, 0);
        self.end = self.read_source(|source, buffer| source.read(buffer))?;
        Ok(self.end > 0)
    }

    fn read_source(
        &mut self,
        read: impl Fn(&mut R, &mut [u8]) -> io::Result<usize>,
    ) -> Loaded<usize> {
        loop {
            match read(&mut self.source, &mut self.buffer) {
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.fault(Fault::Unreadable(error))),
            }
        }
    }

    /// Whether nothing is left.
    pub(super) fn is_at_end(&mut self) -> Loaded<bool> {
        Ok(self.start == self.end && !self.refill()?)
    }

    /// The next byte.
    pub(super) fn byte(&mut self) -> Loaded<u8> {
        if self.is_at_end()? {
            return Err(self.fault(Fault::Truncated));
        }
        let byte = self.buffer[self.start];
        self.start += 1;
        Ok(byte)
    }

    /// The next bytes, of which there are few.
    pub(super) fn array<const N: usize>(&mut self) -> Loaded<[u8; N]> {
        let mut array = [0; N];
        for byte in &mut array {
            *byte = self.byte()?;
        }
        Ok(array)
    }

    /// Shows the next `count` bytes, in pieces.
    fn pieces(&mut self, count: u64, mut show: impl FnMut(&[u8])) -> Loaded<()> {
        let mut missing = count;
        while missing > 0 {
            if self.is_at_end()? {
                return Err(self.fault(Fault::Truncated));
            }
            let ahead = self.end - self.start;
            let length = usize::try_from(missing).map_or(ahead, |missing| missing.min(ahead));
            show(&self.buffer[self.start..self.start + length]);
            self.start += length;
            missing -= length as u64;
        }
        Ok(())
    }

    /// Appends the next `count` bytes to `out`.
    fn append(&mut self, count: u64, out: &mut Vec<u8>) -> Loaded<()> {
        let promised = if self.length.is_some() { u64::MAX } else { READ_AHEAD_BYTES_MAX };
        out.reserve_exact(usize::try_from(count.min(promised)).unwrap_or(0));
        self.pieces(count, |piece| out.extend_from_slice(piece))
    }

    /// Passes over the next `count` bytes.
    pub(super) fn skip(&mut self, count: u64) -> Loaded<()> {
        self.check_left(count)?;
        self.pieces(count, |_| {})
    }

    /// An error unless so many bytes are left, as far as that is known.
    fn check_left(&self, count: u64) -> Loaded<()> {
        match self.left() {
            Some(left) if count > left => {
                Err(self.damage(format!("{count} bytes are announced, {left} are left")))
            }
            _ => Ok(()),
        }
    }

    fn length_or_form(&mut self) -> Loaded<Length> {
        let offset = self.position();
        let first = self.byte()?;
        let low = u64::from(first & 0x3f);
        Ok(Length::Plain(match (first >> 6, first) {
            (0, _) => low,
            (1, _) => low << 8 | u64::from(self.byte()?),
            (_, code::LENGTH_32_BITS) => u32::from_be_bytes(self.array()?).into(),
            (_, code::LENGTH_64_BITS) => u64::from_be_bytes(self.array()?),
            (_, code::STRING_INT_8) => return Ok(Length::Integer(1)),
            (_, code::STRING_INT_16) => return Ok(Length::Integer(2)),
            (_, code::STRING_INT_32) => return Ok(Length::Integer(4)),
            (_, code::STRING_COMPRESSED) => return Ok(Length::Compressed),
            _ => {
                let reason = format!("a length cannot start with {first:#04x}");
                return Err(LoadError::new(offset, Fault::Damaged(reason.into())));
            }
        }))
    }

    /// A length.
    pub(super) fn length(&mut self) -> Loaded<u64> {
        let offset = self.position();
        match self.length_or_form()? {
            Length::Plain(length) => Ok(length),
            _ => Err(LoadError::new(
                offset,
                Fault::Damaged("a string where a length must be".into()),
            )),
        }
    }

    /// A number of things of which each takes some bytes, at least one.
    pub(super) fn count(&mut self) -> Loaded<u64> {
        let offset = self.position();
        let count = self.length()?;
        match self.left() {
            Some(left) if count > left => {
                let reason = format!("{count} elements are announced, {left} bytes are left");
                Err(LoadError::new(offset, Fault::Damaged(reason.into())))
            }
            _ => Ok(count),
        }
    }

    /// A string, digits or not.
    pub(super) fn text(&mut self) -> Loaded<Text> {
        let mut bytes = Vec::new();
        let number = self.append_text(&mut bytes)?;
        Ok(number.map_or(Text::Bytes(bytes), Text::Int))
    }

    /// A string, which replaces what `out` holds.
    pub(super) fn string(&mut self, out: &mut Vec<u8>) -> Loaded<()> {
        out.clear();
        if let Some(number) = self.append_text(out)? {
            write_integer(number, out);
        }
        Ok(())
    }

    /// A string for keeps.
    pub(super) fn owned_string(&mut self) -> Loaded<Vec<u8>> {
        let mut out = Vec::new();
        self.string(&mut out)?;
        Ok(out)
    }

    /// Passes over a string; gives its length in bytes.
    pub(super) fn skip_string(&mut self) -> Loaded<u64> {
        Ok(match self.length_or_form()? {
            Length::Plain(length) => {
                self.skip(length)?;
                length
            }
            Length::Integer(count) => {
                let mut digits = Vec::new();
                write_integer(self.integer(count)?, &mut digits);
                digits.len() as u64
            }
            Length::Compressed => {
                let (packed, length) = (self.length()?, self.length()?);
                self.skip(packed)?;
                length
            }
        })
    }

    /// Appends a string, unless it stands there as an integer.
    fn append_text(&mut self, out: &mut Vec<u8>) -> Loaded<Option<i64>> {
        match self.length_or_form()? {
            Length::Integer(count) => return self.integer(count).map(Some),
            Length::Plain(length) => {
                self.check_left(length)?;
                self.check_string(length)?;
                self.append(length, out)?;
            }
            Length::Compressed => self.append_compressed(out)?,
        }
        Ok(None)
    }

    fn integer(&mut self, bytes: usize) -> Loaded<i64> {
        Ok(match bytes {
            1 => i8::from_le_bytes(self.array()?).into(),
            2 => i16::from_le_bytes(self.array()?).into(),
            _ => i32::from_le_bytes(self.array()?).into(),
        })
    }

    fn append_compressed(&mut self, out: &mut Vec<u8>) -> Loaded<()> {
        let (packed_length, length) = (self.length()?, self.length()?);
        self.check_left(packed_length)?;
        self.check_string(length)?;
        if length / lzf::EXPANSION_MAX > packed_length {
            return Err(self.damage(format!(
                "{packed_length} bytes cannot be the compressed form of {length}"
            )));
        }
        let offset = self.position();
        let mut packed = std::mem::take(&mut self.packed);
        packed.clear();
        self.append(packed_length, &mut packed)?;
        // It was compared with the length of bytes that are in memory.
        let length = usize::try_from(length).unwrap_or(0);
        if !lzf::decompress(&packed, length, out) {
            return Err(LoadError::new(
                offset,
                Fault::Damaged("an invalid compressed string".into()),
            ));
        }
        self.packed = packed;
        Ok(())
    }

    fn check_string(&self, length: u64) -> Loaded<()> {
        if length > self.string_bytes_max {
            return Err(self.damage(format!("a string of {length} bytes is too long")));
        }
        Ok(())
    }
}

/// What is reserved for a string whose announced length nothing can be compared with.
const READ_AHEAD_BYTES_MAX: u64 = limits::BULK_RESERVE_BYTES_MAX as u64;
