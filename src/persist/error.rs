//! What stands in the way of loading data: where in the bytes, and why.

use std::borrow::Cow;
use std::fmt;
use std::io;

/// Data that could not be loaded.
#[derive(Debug)]
pub struct LoadError(Box<Located>);

#[derive(Debug)]
struct Located {
    offset: u64,
    key: Option<(usize, Box<[u8]>)>,
    fault: Fault,
}

/// What is the matter with data.
#[derive(Debug)]
pub enum Fault {
    /// It could not be read.
    Unreadable(io::Error),
    /// It ends where more must come.
    Truncated,
    /// It is not what it has to be.
    Damaged(Cow<'static, str>),
    /// It may be in order, but it is something that redist does not have.
    Unsupported(Cow<'static, str>),
}

impl LoadError {
    /// A fault at an offset in bytes from the beginning.
    pub fn new(offset: u64, fault: Fault) -> Self {
        Self(Box::new(Located { offset, key: None, fault }))
    }

    /// Where it is, in bytes from the beginning.
    pub fn offset(&self) -> u64 {
        self.0.offset
    }

    /// What it is.
    pub fn fault(&self) -> &Fault {
        &self.0.fault
    }

    /// The database and the key at whose value it is, if it is at one.
    pub fn key(&self) -> Option<(usize, &[u8])> {
        self.0.key.as_ref().map(|(db, key)| (*db, &**key))
    }

    /// The same, at the value of a key.
    pub(super) fn at_key(mut self, db: usize, key: &[u8]) -> Self {
        self.0.key = Some((db, key.into()));
        self
    }
}

/// How much of a key's name an error shows.
const SHOWN_BYTES_MAX: usize = 128;

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}", self.0.offset)?;
        if let Some((db, key)) = self.key() {
            let shown = &key[..key.len().min(SHOWN_BYTES_MAX)];
            let more = if shown.len() < key.len() { "..." } else { "" };
            write!(f, ", in key \"{}{more}\" of database {db}", shown.escape_ascii())?;
        }
        match &self.0.fault {
            Fault::Unreadable(error) => write!(f, ": {error}"),
            Fault::Truncated => f.write_str(": it ends in the middle"),
            Fault::Damaged(reason) | Fault::Unsupported(reason) => write!(f, ": {reason}"),
        }
    }
}

impl std::error::Error for LoadError {}
