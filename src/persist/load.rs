//! Whole files, one key at a time.

use super::code::{self, opcode};
use super::decode::Decoder;
use super::error::{Fault, LoadError};
use super::foreign;
use super::reader::Reader;
use crate::keyspace::Usage;
use crate::value::{EncodingLimits, Value};
use std::io::Read;

type Loaded<T> = Result<T, LoadError>;

/// A key out of a file.
#[derive(Debug)]
pub struct Record {
    /// The number of its database.
    pub db: usize,
    /// Its name.
    pub key: Vec<u8>,
    /// Unix time in milliseconds from which on it is absent; negative ones occur.
    pub deadline_ms: Option<i64>,
    /// When, or how often, it was used.
    pub usage: Usage,
    /// How many bytes its value takes in the file.
    pub bytes: u64,
    /// What it holds.
    pub content: Content,
}

/// What a key holds.
#[derive(Debug)]
pub enum Content {
    /// A value.
    Value(Value),
    /// A collection of nothing, which must not be; Redis passes over such a key.
    Empty,
    /// What redist does not have: its name. See [`Loader::passing_over_foreign`].
    Foreign(&'static str),
}

/// Reads a file: an iterator over its keys in the order in which they stand there.
///
/// After an error nothing more comes. The checksum is compared when the last key has been read, so
/// nobody should trust the first key before the iterator has come to its end.
pub struct Loader<R> {
    reader: Reader<R>,
    decoder: Decoder,
    header: Header,
    db: usize,
    announced: Option<(usize, u64)>,
    passes_over_foreign: bool,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    Done,
}

/// What a file says about itself, and about more than keys; it grows while the file is read.
#[derive(Debug, Default)]
pub struct Header {
    /// The version of its format.
    pub version: u16,
    /// Names and values, such as the version of the server that wrote it.
    pub aux: Vec<(Vec<u8>, Vec<u8>)>,
    /// What redist does not have and no key holds, in words.
    pub foreign: Vec<String>,
    /// Whether it has a checksum; known at the end.
    pub has_checksum: bool,
}

/// What stands before a key.
#[derive(Default)]
struct Before {
    deadline_ms: Option<i64>,
    usage: Usage,
}

impl<R: Read> Loader<R> {
    /// Begins to read a file of so many bytes, if that is known. Values take the encodings that suit
    /// `limits`.
    ///
    /// # Errors
    /// When it does not begin as a snapshot does, or is of a later version.
    pub fn new(source: R, length: Option<u64>, limits: EncodingLimits) -> Loaded<Self> {
        let mut reader = Reader::new(source, length);
        let header = Header { version: version(&mut reader)?, ..Header::default() };
        Ok(Self {
            reader,
            decoder: Decoder::new(limits),
            header,
            db: 0,
            announced: None,
            passes_over_foreign: false,
            state: State::Reading,
        })
    }

    /// Goes on behind what redist does not have, where it would be an error.
    pub fn passing_over_foreign(self) -> Self {
        Self { passes_over_foreign: true, ..self }
    }

    /// What the file says about itself, as far as it was read.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// How many bytes were read.
    pub fn offset(&self) -> u64 {
        self.reader.position()
    }

    /// A database of which the file has said since the last call how many keys it has, and a number
    /// that is no higher than there are bytes for.
    pub fn take_announced(&mut self) -> Option<(usize, u64)> {
        self.announced.take()
    }

    /// How many bytes follow the end, if the length of the source is known.
    pub fn left(&self) -> Option<u64> {
        self.reader.left()
    }

    /// The next key; `None` behind the last one.
    fn record(&mut self) -> Loaded<Option<Record>> {
        let mut before = Before::default();
        loop {
            let offset = self.reader.position();
            match self.reader.byte()? {
                opcode::DEADLINE_MS => {
                    before.deadline_ms = Some(i64::from_le_bytes(self.reader.array()?));
                }
                opcode::DEADLINE => {
                    let seconds = i32::from_le_bytes(self.reader.array()?);
                    before.deadline_ms = Some(i64::from(seconds) * 1000);
                }
                opcode::IDLE => before.usage.idle_seconds = Some(self.reader.length()?),
                opcode::FREQUENCY => before.usage.frequency = Some(self.reader.byte()?),
                opcode::SELECT => {
                    let db = self.reader.length()?;
                    let beyond = |_| self.reader.damage(format!("there is no database {db}"));
                    self.db = usize::try_from(db).map_err(beyond)?;
                }
                opcode::RESIZE => {
                    let keys = self.reader.length()?;
                    self.reader.length()?;
                    self.announced = Some((self.db, self.possible_keys(keys)));
                }
                opcode::SLOT_INFO => self.skip_lengths(3)?,
                opcode::AUX => {
                    let pair = (self.reader.owned_string()?, self.reader.owned_string()?);
                    self.header.aux.push(pair);
                }
                opcode::FUNCTION | opcode::FUNCTION_RC => self.function(offset)?,
                opcode::MODULE_AUX => self.module_aux(offset)?,
                opcode::END => {
                    self.check_end()?;
                    return Ok(None);
                }
                kind => return self.key(kind, before).map(Some),
            }
        }
    }

    /// Not more keys than there are bytes for.
    fn possible_keys(&self, announced: u64) -> u64 {
        let left = self.reader.left().unwrap_or(0);
        announced.min(left / KEY_BYTES_MIN)
    }

    fn skip_lengths(&mut self, count: usize) -> Loaded<()> {
        (0..count).try_for_each(|_| self.reader.length().map(drop))
    }

    fn key(&mut self, kind: u8, before: Before) -> Loaded<Record> {
        let Before { deadline_ms, usage } = before;
        let (db, key) = (self.db, self.reader.owned_string()?);
        let start = self.reader.position();
        let content = self.content(kind).map_err(|error| error.at_key(db, &key))?;
        let bytes = self.reader.position() - start;
        Ok(Record { db, key, deadline_ms, usage, bytes, content })
    }

    fn content(&mut self, kind: u8) -> Loaded<Content> {
        match foreign::name(kind) {
            Some(name) if self.passes_over_foreign => {
                foreign::skip(kind, &mut self.reader)?;
                Ok(Content::Foreign(name))
            }
            _ => {
                let value = self.decoder.value(kind, &mut self.reader)?;
                Ok(value.map_or(Content::Empty, Content::Value))
            }
        }
    }

    /// Something that redist does not have stands at an offset.
    fn foreign(&mut self, offset: u64, what: String) -> Loaded<()> {
        if !self.passes_over_foreign {
            return Err(LoadError::new(offset, Fault::Unsupported(what.into())));
        }
        self.header.foreign.push(what);
        Ok(())
    }

    fn function(&mut self, offset: u64) -> Loaded<()> {
        let code = self.reader.owned_string()?;
        let first = code.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let shown = &first[..first.len().min(SHOWN_BYTES_MAX)];
        let what =
            format!("functions are not built yet, and it has some: {}", shown.escape_ascii());
        self.foreign(offset, what)
    }

    fn module_aux(&mut self, offset: u64) -> Loaded<()> {
        let module = foreign::module_name(self.reader.length()?);
        // When the module is to be told, as a length behind its kind.
        self.skip_lengths(2)?;
        foreign::skip_module(&mut self.reader)?;
        self.foreign(offset, format!("redist has no modules, and it has data of \"{module}\""))
    }

    /// Compares the checksum, unless it was not computed.
    fn check_end(&mut self) -> Loaded<()> {
        if self.header.version < code::VERSION_WITH_CHECKSUM {
            return Ok(());
        }
        let computed = self.reader.checksum();
        let offset = self.reader.position();
        let stored = u64::from_le_bytes(self.reader.array()?);
        self.header.has_checksum = stored != 0;
        if stored != 0 && stored != computed {
            let reason =
                format!("its checksum is {stored:016x}, that of its bytes {computed:016x}");
            return Err(LoadError::new(offset, Fault::Damaged(reason.into())));
        }
        Ok(())
    }
}

/// Kind, name and value of a key take a byte at least.
const KEY_BYTES_MIN: u64 = 3;
/// How much of a library's first line an error shows.
const SHOWN_BYTES_MAX: usize = 128;

fn version<R: Read>(reader: &mut Reader<R>) -> Loaded<u16> {
    let fault = |fault| LoadError::new(0, fault);
    let magic: [u8; 9] = reader.array()?;
    if magic.starts_with(b"VALKEY") {
        let reason = "it was written by Valkey 9 or later, whose format is another";
        return Err(fault(Fault::Unsupported(reason.into())));
    }
    let digits =
        magic.strip_prefix(code::MAGIC).filter(|digits| digits.iter().all(u8::is_ascii_digit));
    let Some(digits) = digits else {
        return Err(fault(Fault::Damaged("it does not begin as a snapshot does".into())));
    };
    let version = digits.iter().fold(0, |version, digit| version * 10 + u16::from(digit - b'0'));
    if !(1..=code::VERSION_MAX).contains(&version) {
        let known = code::VERSION_MAX;
        let reason = format!("it is of version {version}, and versions 1 to {known} are known");
        return Err(fault(Fault::Unsupported(reason.into())));
    }
    Ok(version)
}

impl<R: Read> Iterator for Loader<R> {
    type Item = Loaded<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.state == State::Done {
            return None;
        }
        let record = self.record().transpose();
        if !matches!(record, Some(Ok(_))) {
            self.state = State::Done;
        }
        record
    }
}
