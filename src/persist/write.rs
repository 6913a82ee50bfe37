//! Writing whole files.
//!
//! A file consists of a header, keys, and an end with a checksum. Keys may be encoded apart from the
//! file, as a [`Section`] in memory, by whoever holds their locks; then the file's thread writes them.

use super::checksum::Checksum;
use super::code::{self, opcode};
use super::encode::{self, Encoder};
use crate::keyspace::Usage;
use crate::limits;
use crate::value::ValueRef;
use std::io::{self, Write};

/// A key for a file.
#[derive(Clone, Copy)]
pub struct Item<'a> {
    /// The number of its database.
    pub db: usize,
    /// Its name.
    pub key: &'a [u8],
    /// What it holds.
    pub value: ValueRef<'a>,
    /// Unix time in milliseconds from which on it is absent.
    pub deadline_ms: Option<u64>,
    /// When, or how often, it was used, as far as the file should tell.
    pub usage: Usage,
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// Whether long strings are compressed: the directive `rdbcompression`.
    pub compresses: bool,
    /// Whether it ends with a checksum: the directive `rdbchecksum`.
    pub has_checksum: bool,
    /// Whether some field of a hash has a deadline: such a file needs Redis 7.4, others 7.0.
    pub has_field_deadlines: bool,
}

/// Encodes keys one behind the other.
struct Items {
    encoder: Encoder,
    has_field_deadlines: bool,
    /// The database of the last one.
    db: Option<usize>,
}

impl Items {
    fn new(format: Format) -> Self {
        let Format { compresses, has_field_deadlines, .. } = format;
        Self { encoder: Encoder::new(compresses), has_field_deadlines, db: None }
    }

    fn select(&mut self, db: usize, out: &mut impl Write) -> io::Result<()> {
        if self.db != Some(db) {
            out.write_all(&[opcode::SELECT])?;
            encode::length(db as u64, out)?;
            self.db = Some(db);
        }
        Ok(())
    }

    fn write(&mut self, item: Item<'_>, out: &mut impl Write) -> io::Result<()> {
        if encode::version(item.value) > code::VERSION && !self.has_field_deadlines {
            return Err(io::Error::other("a field has a deadline that the file cannot hold"));
        }
        self.select(item.db, out)?;
        if let Some(deadline_ms) = item.deadline_ms {
            out.write_all(&[opcode::DEADLINE_MS])?;
            out.write_all(&deadline_ms.to_le_bytes())?;
        }
        if let Some(seconds) = item.usage.idle_seconds {
            out.write_all(&[opcode::IDLE])?;
            encode::length(seconds, out)?;
        }
        if let Some(frequency) = item.usage.frequency {
            out.write_all(&[opcode::FREQUENCY, frequency])?;
        }
        out.write_all(&[encode::kind(item.value)])?;
        self.encoder.string(item.key, out)?;
        self.encoder.value(item.value, out)
    }
}

/// Keys as they will stand in a file.
pub struct Section {
    items: Items,
    bytes: Vec<u8>,
    count: u64,
}

impl Section {
    /// One without keys, for a file of this format.
    pub fn new(format: Format) -> Self {
        Self { items: Items::new(format), bytes: Vec::new(), count: 0 }
    }

    /// Adds a key.
    ///
    /// # Errors
    /// When the format cannot hold it.
    pub fn add(&mut self, item: Item<'_>) -> io::Result<()> {
        self.count += 1;
        self.items.write(item, &mut self.bytes)
    }

    /// Number of keys.
    pub fn key_count(&self) -> u64 {
        self.count
    }

    /// The encoded keys.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes the keys out, to be filled again.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.items.db = None;
        self.count = 0;
    }
}

/// Writes a file.
pub struct Writer<W: Write> {
    out: Summed<W>,
    items: Items,
    format: Format,
}

impl<W: Write> Writer<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// When `out` takes no more, as for everything below.
    pub fn new(out: W, format: Format) -> io::Result<Self> {
        let version = if format.has_field_deadlines {
            code::VERSION_WITH_FIELD_DEADLINES
        } else {
            code::VERSION
        };
        let mut out = Summed::new(out);
        out.write_all(code::MAGIC)?;
        write!(out, "{version:04}")?;
        Ok(Self { out, items: Items::new(format), format })
    }

    /// Writes something about the file.
    ///
    /// # Errors
    /// As above.
    pub fn aux(&mut self, name: &str, value: &str) -> io::Result<()> {
        self.out.write_all(&[opcode::AUX])?;
        self.items.encoder.string(name.as_bytes(), &mut self.out)?;
        self.items.encoder.string(value.as_bytes(), &mut self.out)
    }

    /// Says how many keys a database will have, and how many of them with a deadline.
    ///
    /// # Errors
    /// As above.
    pub fn database(&mut self, db: usize, keys: u64, volatile: u64) -> io::Result<()> {
        self.items.select(db, &mut self.out)?;
        self.out.write_all(&[opcode::RESIZE])?;
        encode::length(keys, &mut self.out)?;
        encode::length(volatile, &mut self.out)
    }

    /// Writes a key.
    ///
    /// # Errors
    /// As above, and when the format cannot hold it.
    pub fn key(&mut self, item: Item<'_>) -> io::Result<()> {
        self.items.write(item, &mut self.out)
    }

    /// Writes keys that were encoded before.
    ///
    /// # Errors
    /// As above.
    pub fn section(&mut self, section: &Section) -> io::Result<()> {
        // It says itself of which databases its keys are.
        self.items.db = None;
        self.out.write_all(&section.bytes)
    }

    /// How many bytes the file has so far.
    pub fn bytes_written(&self) -> u64 {
        self.out.written + self.out.buffer.len() as u64
    }

    /// Ends the file, and gives back what it was written to.
    ///
    /// # Errors
    /// As above.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[opcode::END])?;
        self.out.flush()?;
        let checksum = if self.format.has_checksum { self.out.checksum.value() } else { 0 };
        self.out.out.write_all(&checksum.to_le_bytes())?;
        self.out.out.flush()?;
        Ok(self.out.out)
    }
}

/// Passes large pieces on, and sums them.
struct Summed<W> {
    out: W,
    buffer: Vec<u8>,
    checksum: Checksum,
    written: u64,
}

impl<W: Write> Summed<W> {
    fn new(out: W) -> Self {
        let buffer = Vec::with_capacity(limits::SNAPSHOT_BUFFER_BYTES);
        Self { out, buffer, checksum: Checksum::new(), written: 0 }
    }

    fn pass(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.checksum.add(bytes);
        self.written += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    fn empty(&mut self) -> io::Result<()> {
        let buffer = std::mem::take(&mut self.buffer);
        let result = self.pass(&buffer);
        self.buffer = buffer;
        self.buffer.clear();
        result
    }
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() + bytes.len() > limits::SNAPSHOT_BUFFER_BYTES {
            self.empty()?;
        }
        if bytes.len() > limits::SNAPSHOT_BUFFER_BYTES {
            self.pass(bytes)?;
        } else {
            self.buffer.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.empty()?;
        self.out.flush()
    }
}
