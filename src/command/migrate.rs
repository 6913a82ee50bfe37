//! MIGRATE: its row and its words. What it does stands in the executor, for it talks to another server
//! while it holds no lock.

use super::keys::{KeyFlags, KeySpec, KeyUse, Keys};
use super::spec::{Arity, Control, Flags, Handler, Spec};
use crate::error::CommandError;
use crate::protocol::{Request, parse_integer};
use std::time::Duration;

const MOVES: KeyFlags = KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::DELETE);
const KEY_AT: usize = 3;
const OPTIONS_AT: usize = 6;
const TIMEOUT_MS_DEFAULT: u64 = 1000;

pub(super) const COMMANDS: &[Spec] = &[Spec {
    name: "MIGRATE",
    arity: Arity::at_least(6),
    keys: Keys::Located {
        specs: &[
            KeySpec::one(KEY_AT, MOVES),
            KeySpec::all_behind("KEYS", -2, MOVES.and(KeyFlags::INCOMPLETE)),
        ],
        locate: located,
        reaches: None,
    },
    handler: Handler::Control(Control::Migrate),
    flags: Flags::KEYSPACE.and(Flags::DANGEROUS),
    since: "2.6.0",
    summary: "Atomically transfers a key from one Redis instance to another.",
    syntax: "host port:integer key-selector=(key|empty-string='\"\"') destination-db:integer timeout:integer [COPY@3.0.0] [REPLACE@3.0.0] authentication=[AUTH auth~password@4.0.7|AUTH2 auth2=(username password)@6.0.0] [KEYS keys:key#1~key...@3.0.6]",
    complexity: "This command actually executes a DUMP+DEL in the source instance, and a RESTORE in the target instance. See the pages of these commands for time complexity. Also an O(N) data transfer between the two instances is performed.",
    history: &[
        ("3.0.0", "Added the `COPY` and `REPLACE` options."),
        ("3.0.6", "Added the `KEYS` option."),
        ("4.0.7", "Added the `AUTH` option."),
        ("6.0.0", "Added the `AUTH2` option."),
    ],
    tips: &["nondeterministic_output"],
    ..Spec::REST
}];

/// What is to go where.
#[derive(Debug, PartialEq, Eq)]
pub struct Migration<'r> {
    /// The target's name or address.
    pub host: &'r [u8],
    /// The target's port, as it was written.
    pub port: &'r [u8],
    /// The database that it goes to.
    pub db: i64,
    /// The longest that the target may be silent.
    pub patience: Duration,
    /// Whether the keys stay here as well.
    pub copies: bool,
    /// Whether keys of these names may be replaced there.
    pub replaces: bool,
    /// What is sent behind AUTH: a password, or a user's name and password.
    pub credentials: &'r [&'r [u8]],
    /// The keys.
    pub keys: &'r [&'r [u8]],
}

impl<'r> Migration<'r> {
    /// Reads the words of a request.
    pub fn read(words: &'r [&'r [u8]]) -> Result<Self, CommandError> {
        let mut migration = Self {
            host: words[1],
            port: words[2],
            db: 0,
            patience: Duration::ZERO,
            copies: false,
            replaces: false,
            credentials: &[],
            keys: &words[KEY_AT..=KEY_AT],
        };
        let mut at = OPTIONS_AT;
        while let Some(word) = words.get(at) {
            let (begin, end) = (at + 1, at + 1 + operands(word));
            let operands = words.get(begin..end).ok_or(CommandError::Syntax)?;
            at = end;
            match word.to_ascii_uppercase().as_slice() {
                b"COPY" => migration.copies = true,
                b"REPLACE" => migration.replaces = true,
                b"AUTH" | b"AUTH2" => migration.credentials = operands,
                b"KEYS" if !words[KEY_AT].is_empty() => {
                    return Err(CommandError::MIGRATED_KEY_NOT_EMPTY);
                }
                b"KEYS" => {
                    migration.keys = &words[begin..];
                    break;
                }
                _ => return Err(CommandError::Syntax),
            }
        }
        let number = |word: &[u8]| parse_integer(word).ok_or(CommandError::NotInteger);
        let timeout = number(words[5])?;
        migration.db = number(words[4])?;
        let timeout = u64::try_from(timeout).ok().filter(|ms| *ms > 0);
        migration.patience = Duration::from_millis(timeout.unwrap_or(TIMEOUT_MS_DEFAULT));
        Ok(migration)
    }
}

/// How many words belong to an option.
fn operands(option: &[u8]) -> usize {
    match option.to_ascii_uppercase().as_slice() {
        b"AUTH" => 1,
        b"AUTH2" => 2,
        _ => 0,
    }
}

/// The keys of a request; none where it names some twice over.
fn located(request: &Request) -> Vec<KeyUse> {
    let word = |index: usize| request.get(index).unwrap_or_default();
    let mut at = OPTIONS_AT;
    while at < request.len() {
        if word(at).eq_ignore_ascii_case(b"KEYS") {
            if !word(KEY_AT).is_empty() {
                return Vec::new();
            }
            if at + 1 < request.len() {
                return (at + 1..request.len()).map(|index| (index, MOVES)).collect();
            }
        }
        at += 1 + operands(word(at));
    }
    vec![(KEY_AT, MOVES)]
}
