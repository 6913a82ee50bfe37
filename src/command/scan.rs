//! Commands that look at all keys of a database.

use super::args::Args;
use super::spec::{Arity, Flags, Handler, Spec};
use crate::error::CommandError;
use crate::glob;
use crate::keyspace::Walk;
use crate::protocol::{Outcome, Reply, Strings};

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "KEYS",
        arity: Arity::exactly(2),
        handler: Handler::Walk(keys),
        flags: Flags::KEYSPACE.and(Flags::DANGEROUS),
        summary: "Returns all key names that match a pattern.",
        syntax: "pattern",
        complexity: "O(N) with N being the number of keys in the database, under the assumption that the key names in the database and the given pattern have limited length.",
        tips: &["request_policy:all_shards", "nondeterministic_output_order"],
        ..Spec::REST
    },
    Spec {
        name: "RANDOMKEY",
        arity: Arity::exactly(1),
        handler: Handler::Walk(randomkey),
        flags: Flags::KEYSPACE,
        summary: "Returns a random key name from the database.",
        tips: &["request_policy:all_shards", "response_policy:special", "nondeterministic_output"],
        ..Spec::REST
    },
    Spec {
        name: "SCAN",
        arity: Arity::at_least(2),
        handler: Handler::Walk(scan),
        flags: Flags::KEYSPACE,
        since: "2.8.0",
        summary: "Iterates over the key names in the database.",
        syntax: "cursor [MATCH pattern] [COUNT count] [TYPE type@6.0.0]",
        complexity: "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection.",
        history: &[("6.0.0", "Added the `TYPE` subcommand.")],
        tips: &["nondeterministic_output", "request_policy:special", "response_policy:special"],
        ..Spec::REST
    },
];

/// What SCAN shows without COUNT.
const COUNT_DEFAULT: usize = 10;

fn keys<'v>(walk: &'v Walk<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let pattern = Pattern(args.bytes()?);
    let mut found = Strings::default();
    walk.for_each_batch(|keys| found.extend(keys.iter().filter(|key| pattern.matches(key))));
    Ok(Reply::Strings(found))
}

fn randomkey<'v>(walk: &'v Walk<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    Ok(walk.random_key().map_or(Reply::Null, |key| Reply::bulk(key.into_vec())))
}

fn scan<'v>(walk: &'v Walk<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let cursor = Cursor::parse(args)?;
    let options = ScanOptions::parse(args, |args, options| {
        let is_type = args.word("TYPE");
        if is_type {
            options.kind = Some(parse_type(args.bytes()?)?);
        }
        Ok(is_type)
    })?;
    // Patterns are tried when no lock is held: one of them may take its time.
    let mut seen = Strings::default();
    let next = walk.scan(cursor.0, options.count, |entry| {
        if options.kind.is_none_or(|kind| entry.value().kind().name() == kind) {
            seen.push(entry.key());
        }
    });
    let mut found = Strings::default();
    found.extend(seen.iter().filter(|key| options.matches(key)));
    Ok(Reply::Array(vec![Reply::text(next.to_string()), Reply::Strings(found)]))
}

/// Where a scan goes on: 0 is its start and its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor(pub(super) u64);

impl Cursor {
    /// The end of a scan.
    pub(super) const END: Self = Self(0);

    /// The next argument as a cursor.
    pub(super) fn parse(args: &mut Args<'_>) -> Result<Self, CommandError> {
        parse_cursor(args.bytes()?).map(Self).ok_or(CommandError::INVALID_CURSOR)
    }

    /// One step of a scan as a reply.
    pub(super) fn reply(self, shown: Vec<Reply<'_>>) -> Reply<'_> {
        Reply::Array(vec![Reply::text(self.0.to_string()), Reply::Array(shown)])
    }
}

/// The options that all scans have.
pub(super) struct ScanOptions<'v> {
    pattern: Pattern<'v>,
    /// About how many elements to look at.
    pub(super) count: usize,
    /// The only type to show, of SCAN.
    kind: Option<&'static str>,
}

impl<'v> ScanOptions<'v> {
    /// Reads all options; `other` reads those that not all scans have, and says whether it did.
    pub(super) fn parse(
        args: &mut Args<'v>,
        mut other: impl FnMut(&mut Args<'v>, &mut Self) -> Result<bool, CommandError>,
    ) -> Result<Self, CommandError> {
        let mut options = Self { pattern: Pattern(b"*"), count: COUNT_DEFAULT, kind: None };
        while !args.is_empty() {
            if args.len() >= 2 && args.word("COUNT") {
                let count = args.integer()?;
                if count < 1 {
                    return Err(CommandError::Syntax);
                }
                options.count = usize::try_from(count).unwrap_or(usize::MAX);
            } else if args.len() >= 2 && args.word("MATCH") {
                options.pattern = Pattern(args.bytes()?);
            } else if !other(args, &mut options)? {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }

    /// The options of a scan through the members of one key.
    pub(super) fn for_members(args: &mut Args<'v>) -> Result<Self, CommandError> {
        Self::parse(args, |args, _| {
            if args.word("NOVALUES") {
                Err(CommandError::NOVALUES_OUTSIDE_HSCAN)
            } else {
                Ok(false)
            }
        })
    }

    /// Whether an element is to be shown.
    pub(super) fn matches(&self, element: &[u8]) -> bool {
        self.pattern.matches(element)
    }
}

/// A pattern for keys. A lone star matches the empty key, too, which other patterns of stars do not.
struct Pattern<'p>(&'p [u8]);

impl Pattern<'_> {
    fn matches(&self, key: &[u8]) -> bool {
        self.0 == b"*" || glob::matches(self.0, key)
    }
}

/// A cursor as Redis reads it, with C's `strtoul`: an optional sign, digits up to a NUL byte, nothing
/// at all is 0, and a negative number wraps around.
fn parse_cursor(text: &[u8]) -> Option<u64> {
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    let (negative, digits) = match text {
        [] => return Some(0),
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let cursor: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(if negative { cursor.wrapping_neg() } else { cursor })
}

/// The name of a type as TYPE answers it. Types that no key here can have are known by name, too.
fn parse_type(name: &[u8]) -> Result<&'static str, CommandError> {
    ["string", "list", "set", "zset", "hash", "stream"]
        .into_iter()
        .find(|known| known.as_bytes().eq_ignore_ascii_case(name))
        .ok_or_else(|| CommandError::quoting("ERR unknown type name ", name, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_strtoul_reads_it() {
        let cases: &[(&[u8], Option<u64>)] = &[
            (b"0", Some(0)),
            (b"", Some(0)),
            (b"\0x", Some(0)),
            (b"007", Some(7)),
            (b"+5", Some(5)),
            (b"-1", Some(u64::MAX)),
            (b"18446744073709551615", Some(u64::MAX)),
            (b"18446744073709551616", None),
            (b" 1", None),
            (b"1 ", None),
            (b"0x1", None),
            (b"+", None),
            (b"--1", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_cursor(text), *expected, "{:?}", String::from_utf8_lossy(text));
        }
    }
}
