//! What redist does not have: streams, modules' data, functions. It can be passed over, so that a check
//! of a file sees what is behind it.

use super::code::kind;
use super::error::LoadError;
use super::reader::Reader;
use std::io::Read;

type Loaded<T> = Result<T, LoadError>;

/// What a value of this kind is, if redist has no such type.
pub(super) fn name(kind: u8) -> Option<&'static str> {
    match kind {
        kind::STREAM | kind::STREAM_2 | kind::STREAM_3 => Some("stream"),
        kind::MODULE_OLD | kind::MODULE => Some("module"),
        _ => None,
    }
}

/// Why a value of this kind cannot be loaded.
pub(super) fn reason(name: &str) -> &'static str {
    match name {
        "stream" => "it is a stream, and streams are not built yet",
        _ => "it is the data of a module, and redist has no modules",
    }
}

/// Passes over a value of this kind.
pub(super) fn skip<R: Read>(kind: u8, reader: &mut Reader<R>) -> Loaded<()> {
    match kind {
        kind::STREAM | kind::STREAM_2 | kind::STREAM_3 => skip_stream(kind, reader),
        kind::MODULE => {
            // The module's number, which is its name with a version.
            reader.length()?;
            skip_module(reader)
        }
        _ => Err(reader.damage("a module's data of before Redis 4.0 does not say how long it is")),
    }
}

/// A module's data: parts that say of what kind they are, and an end.
pub(super) fn skip_module<R: Read>(reader: &mut Reader<R>) -> Loaded<()> {
    loop {
        match reader.length()? {
            0 => return Ok(()),
            1 | 2 => {
                reader.length()?;
            }
            3 => reader.skip(4)?,
            4 => reader.skip(8)?,
            5 => {
                reader.skip_string()?;
            }
            other => return Err(reader.damage(format!("a module's data of kind {other}"))),
        }
    }
}

/// The name in a module's number: nine characters of six bits.
pub(super) fn module_name(number: u64) -> String {
    const CHARACTERS: &[u8; 64] =
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let character = |index: u32| CHARACTERS[(number >> (64 - 6 * index)) as usize & 0x3f];
    (1..=9).map(character).map(char::from).collect()
}

const ENTRY_ID_BYTES: u64 = 16;
const TIME_BYTES: u64 = 8;

fn skip_stream<R: Read>(kind: u8, reader: &mut Reader<R>) -> Loaded<()> {
    // The first entry's id and a listpack, for each node.
    for _ in 0..reader.count()? {
        reader.skip_string()?;
        reader.skip_string()?;
    }
    // Length and last id; then first id, highest id deleted, and number of entries ever added.
    let later = kind != kind::STREAM;
    skip_lengths(if later { 8 } else { 3 }, reader)?;
    for _ in 0..reader.count()? {
        // A group: its name, its last id, how much it has read.
        reader.skip_string()?;
        skip_lengths(if later { 3 } else { 2 }, reader)?;
        for _ in 0..reader.count()? {
            // An entry that waits: its id, when and how often it was delivered.
            reader.skip(ENTRY_ID_BYTES + TIME_BYTES)?;
            reader.length()?;
        }
        for _ in 0..reader.count()? {
            // A consumer: its name, when it was seen and active, the ids that wait for it.
            reader.skip_string()?;
            reader.skip(if kind == kind::STREAM_3 { 2 * TIME_BYTES } else { TIME_BYTES })?;
            for _ in 0..reader.count()? {
                reader.skip(ENTRY_ID_BYTES)?;
            }
        }
    }
    Ok(())
}

fn skip_lengths<R: Read>(count: usize, reader: &mut Reader<R>) -> Loaded<()> {
    (0..count).try_for_each(|_| reader.length().map(drop))
}
