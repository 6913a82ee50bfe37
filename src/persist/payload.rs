//! One value by itself, as DUMP gives it and RESTORE takes it: kind, value, and ten bytes with the
//! version of the format and a checksum of all before it.

use super::checksum::Checksum;
use super::code;
use super::decode::Decoder;
use super::encode::{self, Encoder};
use super::error::LoadError;
use super::reader::Reader;
use crate::value::{EncodingLimits, Value, ValueRef};
use std::io;

/// Why a payload is not taken.
#[derive(Debug)]
pub enum PayloadError {
    /// Its version is too high, its checksum is wrong, or it is too short to have either.
    Footer,
    /// What it holds is no value.
    Value(LoadError),
}

/// The payload of a value; whether long strings are compressed.
pub fn dump(value: ValueRef<'_>, compresses: bool) -> Vec<u8> {
    let mut payload = vec![encode::kind(value)];
    Encoder::new(compresses)
        .value(value, &mut payload)
        .expect("a vector takes whatever is written to it");
    payload.extend_from_slice(&encode::version(value).to_le_bytes());
    let checksum = Checksum::of(&payload);
    payload.extend_from_slice(&checksum.to_le_bytes());
    payload
}

/// How many bytes a value takes in a snapshot.
pub fn stored_bytes(value: ValueRef<'_>, compresses: bool) -> u64 {
    let mut counter = Counter(0);
    Encoder::new(compresses).value(value, &mut counter).expect("counting does not fail");
    counter.0
}

struct Counter(u64);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The value of a payload, whose strings have at most `string_bytes_max` bytes each.
///
/// # Errors
/// When it is not a payload, or is damaged.
pub fn restore(
    payload: &[u8],
    limits: EncodingLimits,
    string_bytes_max: usize,
) -> Result<Value, PayloadError> {
    let (summed, checksum) = payload.split_last_chunk::<8>().ok_or(PayloadError::Footer)?;
    let (body, version) = summed.split_last_chunk::<2>().ok_or(PayloadError::Footer)?;
    if u16::from_le_bytes(*version) > code::VERSION_MAX
        || u64::from_le_bytes(*checksum) != Checksum::of(summed)
    {
        return Err(PayloadError::Footer);
    }
    let length = u64::try_from(body.len()).unwrap_or(u64::MAX);
    let mut reader = Reader::new(body, Some(length)).with_strings_up_to(string_bytes_max);
    read(&mut reader, limits).map_err(PayloadError::Value)
}

fn read(reader: &mut Reader<&[u8]>, limits: EncodingLimits) -> Result<Value, LoadError> {
    let kind = reader.byte()?;
    let value = Decoder::new(limits).value(kind, reader)?;
    let value = value.ok_or_else(|| reader.damage("a collection of nothing"))?;
    if reader.is_at_end()? { Ok(value) } else { Err(reader.damage("bytes behind the value")) }
}
