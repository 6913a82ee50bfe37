//! What redist does not have: modules' data, functions. It can be passed over, so that a check
//! of a file sees what is behind it.

use super::code::kind;
use super::error::LoadError;
use super::reader::Reader;
use std::io::Read;

type Loaded<T> = Result<T, LoadError>;

/// What a value of this kind is, if redist has no such type.
pub(super) fn name(kind: u8) -> Option<&'static str> {
    match kind {
        kind::MODULE_OLD | kind::MODULE => Some("module"),
        _ => None,
    }
}

/// Why a value of such a kind cannot be loaded.
pub(super) const REASON: &str = "it is the data of a module, and redist has no modules";

/// Passes over a value of this kind.
pub(super) fn skip<R: Read>(kind: u8, reader: &mut Reader<R>) -> Loaded<()> {
    match kind {
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
