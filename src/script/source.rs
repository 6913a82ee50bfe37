//! Scripts as they were sent, and the line at their head that says what they may do.

use crate::error::CommandError;

/// The SHA-1 of a script, by which it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 20]);

impl Digest {
    /// Length of its name.
    pub const HEX_BYTES: usize = 40;

    /// Of these bytes.
    pub fn of(text: &[u8]) -> Self {
        Self(sha1_smol::Sha1::from(text).digest().bytes())
    }

    /// From 40 hexadecimal digits of either case.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let digits: &[u8; Self::HEX_BYTES] = text.try_into().ok()?;
        let mut bytes = [0; 20];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |at: usize| char::from(pair[at]).to_digit(16);
            *byte = u8::try_from(digit(0)? << 4 | digit(1)?).ok()?;
        }
        Some(Self(bytes))
    }

    /// 40 hexadecimal digits.
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A script that can be run.
#[derive(Debug)]
pub struct Script {
    /// Its name.
    pub digest: Digest,
    /// What was sent.
    pub text: Vec<u8>,
    /// Where Lua begins in it.
    start: usize,
    /// Whether its first line says what it may do.
    has_header: bool,
    /// Whether its first line says that it writes nothing.
    is_read_only: bool,
}

/// The word with which a first line begins that is not Lua.
const MARK: &[u8] = b"#!";
/// What scripts may say of themselves. There is no memory limit, cluster or replica here for which
/// the others would make a difference.
const FLAGS: [&[u8]; 5] =
    [NO_WRITES, b"allow-oom", b"allow-stale", b"no-cluster", b"allow-cross-slot-keys"];
const NO_WRITES: &[u8] = b"no-writes";

impl Script {
    /// Reads the first line. Whether the rest is Lua an interpreter has to say.
    pub fn new(text: Vec<u8>, digest: Digest) -> Result<Self, CommandError> {
        let mut script = Self { digest, text, start: 0, has_header: false, is_read_only: false };
        if script.text.starts_with(MARK) {
            let end = script.text.iter().position(|byte| *byte == b'\n');
            script.start = end.ok_or(CommandError::INVALID_SHEBANG)?;
            script.has_header = true;
            script.is_read_only = read_header(&script.text[..script.start])?;
        }
        Ok(script)
    }

    /// The Lua in it.
    pub fn lua(&self) -> &[u8] {
        &self.text[self.start..]
    }

    /// Whether it may write where writing is not forbidden anyway.
    pub fn may_write(&self) -> bool {
        !self.is_read_only
    }

    /// Whether it says of itself that it may write.
    pub fn declares_writes(&self) -> bool {
        self.has_header && !self.is_read_only
    }
}

/// Whether a first line says that the script writes nothing.
fn read_header(line: &[u8]) -> Result<bool, CommandError> {
    let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let engine = words.next().unwrap_or_default();
    if engine != b"#!lua" {
        return Err(CommandError::showing("ERR Unexpected engine in script shebang: ", engine));
    }
    let mut is_read_only = false;
    for word in words {
        let Some(flags) = word.strip_prefix(b"flags=") else {
            return Err(CommandError::showing("ERR Unknown lua shebang option: ", word));
        };
        for flag in flags.split(|byte| *byte == b',').filter(|flag| !flag.is_empty()) {
            if !FLAGS.contains(&flag) {
                return Err(CommandError::showing("ERR Unexpected flag in script shebang: ", flag));
            }
            is_read_only |= flag == NO_WRITES;
        }
    }
    Ok(is_read_only)
}
