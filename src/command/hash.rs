//! Hash commands.
//!
//! A hash exists exactly while it has fields: the view removes one that a handler leaves empty. A field
//! past its deadline is absent from every reply here.

use super::args::{Args, repeats};
use super::element::{choose_positions, reply, reply_or_null};
use super::keys::{KeyFlags, Keys};
use super::scan::{Cursor, ScanOptions};
use super::spec::{Arity, Flags, Handler, Spec};
use crate::error::CommandError;
use crate::keyspace::{Change, Key, ReadView, WriteView};
use crate::protocol::extended::Extended;
use crate::protocol::number::parse_integer;
use crate::protocol::{Outcome, Reply, Shape};
use crate::value::{Element, Hash};

const READS: Keys = Keys::one(1, KeyFlags::RO.and(KeyFlags::ACCESS));
const LOOKS: Keys = Keys::one(1, KeyFlags::RO);
const UPDATES: Keys = Keys::one(1, KeyFlags::RW.and(KeyFlags::UPDATE));
const COUNTS: Keys = Keys::one(1, KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::UPDATE));
const GROWS: Flags = Flags::DENY_OOM.and(Flags::FAST);

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "HDEL",
        arity: Arity::at_least(3),
        keys: Keys::one(1, KeyFlags::RW.and(KeyFlags::DELETE)),
        handler: Handler::Write(hdel),
        flags: Flags::FAST,
        since: "2.0.0",
        summary: "Deletes one or more fields and their values from a hash. Deletes the hash if no fields remain.",
        syntax: "key field...",
        complexity: "O(N) where N is the number of fields to be removed.",
        history: &[("2.4.0", "Accepts multiple `field` arguments.")],
        ..Spec::REST
    },
    Spec {
        name: "HEXISTS",
        arity: Arity::exactly(3),
        keys: LOOKS,
        handler: Handler::Read(hexists),
        flags: Flags::FAST,
        since: "2.0.0",
        summary: "Determines whether a field exists in a hash.",
        syntax: "key field",
        ..Spec::REST
    },
    Spec {
        name: "HGET",
        arity: Arity::exactly(3),
        keys: READS,
        handler: Handler::Read(hget),
        flags: Flags::FAST,
        since: "2.0.0",
        summary: "Returns the value of a field in a hash.",
        syntax: "key field",
        ..Spec::REST
    },
    Spec {
        name: "HGETALL",
        arity: Arity::exactly(2),
        keys: READS,
        handler: Handler::Read(hgetall),
        since: "2.0.0",
        summary: "Returns all fields and values in a hash.",
        syntax: "key",
        complexity: "O(N) where N is the size of the hash.",
        tips: &["nondeterministic_output_order"],
        ..Spec::REST
    },
    Spec {
        name: "HINCRBY",
        arity: Arity::exactly(4),
        keys: COUNTS,
        handler: Handler::Write(hincrby),
        flags: GROWS,
        since: "2.0.0",
        summary: "Increments the integer value of a field in a hash by a number. Uses 0 as initial value if the field doesn't exist.",
        syntax: "key field increment",
        ..Spec::REST
    },
    Spec {
        name: "HINCRBYFLOAT",
        arity: Arity::exactly(4),
        keys: COUNTS,
        handler: Handler::Write(hincrbyfloat),
        flags: GROWS,
        since: "2.6.0",
        summary: "Increments the floating point value of a field by a number. Uses 0 as initial value if the field doesn't exist.",
        syntax: "key field increment:double",
        ..Spec::REST
    },
    Spec {
        name: "HKEYS",
        arity: Arity::exactly(2),
        keys: READS,
        handler: Handler::Read(hkeys),
        since: "2.0.0",
        summary: "Returns all fields in a hash.",
        syntax: "key",
        complexity: "O(N) where N is the size of the hash.",
        tips: &["nondeterministic_output_order"],
        ..Spec::REST
    },
    Spec {
        name: "HLEN",
        arity: Arity::exactly(2),
        keys: LOOKS,
        handler: Handler::Read(hlen),
        flags: Flags::FAST,
        since: "2.0.0",
        summary: "Returns the number of fields in a hash.",
        syntax: "key",
        ..Spec::REST
    },
    Spec {
        name: "HMGET",
        arity: Arity::at_least(3),
        keys: READS,
        handler: Handler::Read(hmget),
        flags: Flags::FAST,
        since: "2.0.0",
        summary: "Returns the values of all fields in a hash.",
        syntax: "key field...",
        complexity: "O(N) where N is the number of fields being requested.",
        ..Spec::REST
    },
    Spec {
        name: "HMSET",
        arity: Arity::at_least(4),
        keys: UPDATES,
        handler: Handler::Write(hmset),
        event: "hset",
        flags: GROWS,
        since: "2.0.0",
        summary: "Sets the values of multiple fields.",
        syntax: "key data=(field value)...",
        complexity: "O(N) where N is the number of fields being set.",
        deprecated: Some(("4.0.0", "`HSET` with multiple field-value pairs")),
        ..Spec::REST
    },
    Spec {
        name: "HRANDFIELD",
        arity: Arity::at_least(2),
        keys: READS,
        handler: Handler::Read(hrandfield),
        since: "6.2.0",
        summary: "Returns one or more random fields from a hash.",
        syntax: "key options=[count [WITHVALUES]]",
        complexity: "O(N) where N is the number of fields returned",
        tips: &["nondeterministic_output"],
        ..Spec::REST
    },
    Spec {
        name: "HSCAN",
        arity: Arity::at_least(3),
        keys: READS,
        handler: Handler::Read(hscan),
        since: "2.8.0",
        summary: "Iterates over fields and values of a hash.",
        syntax: "key cursor [MATCH pattern] [COUNT count] [NOVALUES@7.4.0]",
        complexity: "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection.",
        tips: &["nondeterministic_output"],
        ..Spec::REST
    },
    Spec {
        name: "HSET",
        arity: Arity::at_least(4),
        keys: UPDATES,
        handler: Handler::Write(hset),
        flags: GROWS,
        since: "2.0.0",
        summary: "Creates or modifies the value of a field in a hash.",
        syntax: "key data=(field value)...",
        complexity: "O(1) for each field/value pair added, so O(N) to add N field/value pairs when the command is called with multiple field/value pairs.",
        history: &[("4.0.0", "Accepts multiple `field` and `value` arguments.")],
        ..Spec::REST
    },
    Spec {
        name: "HSETNX",
        arity: Arity::exactly(4),
        keys: Keys::one(1, KeyFlags::RW.and(KeyFlags::INSERT)),
        handler: Handler::Write(hsetnx),
        event: "hset",
        flags: GROWS,
        since: "2.0.0",
        summary: "Sets the value of a field in a hash only when the field doesn't exist.",
        syntax: "key field value",
        ..Spec::REST
    },
    Spec {
        name: "HSTRLEN",
        arity: Arity::exactly(3),
        keys: LOOKS,
        handler: Handler::Read(hstrlen),
        flags: Flags::FAST,
        since: "3.2.0",
        summary: "Returns the length of the value of a field.",
        syntax: "key field",
        ..Spec::REST
    },
    Spec {
        name: "HVALS",
        arity: Arity::exactly(2),
        keys: READS,
        handler: Handler::Read(hvals),
        since: "2.0.0",
        summary: "Returns all values in a hash.",
        syntax: "key",
        complexity: "O(N) where N is the size of the hash.",
        tips: &["nondeterministic_output_order"],
        ..Spec::REST
    },
];

/// The fields and values that HSET and HMSET take: pairs, or the error names the command.
fn pairs<'v>(
    args: &mut Args<'v>,
    command: &'static str,
) -> Result<impl ExactSizeIterator<Item = &'v [u8]> + Clone + use<'v>, CommandError> {
    let texts = args.rest();
    if texts.len().is_multiple_of(2) { Ok(texts) } else { Err(CommandError::Arity(command.into())) }
}

fn hset<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    Ok(Reply::count(set_pairs(view, args, "hset")?))
}

fn hmset<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    set_pairs(view, args, "hmset")?;
    Ok(Reply::Ok)
}

/// Sets fields and takes their deadlines away; gives how many are new.
fn set_pairs(
    view: &mut WriteView<'_, '_>,
    args: &mut Args<'_>,
    command: &'static str,
) -> Result<usize, CommandError> {
    let (key, mut texts) = (args.key()?, pairs(args, command)?);
    let limits = view.encoding_limits();
    view.change_or_make(key, Hash::default, |hash| {
        hash.expect(texts.clone(), &limits);
        let (count, mut added) = (texts.len() / 2, 0);
        while let (Some(field), Some(value)) = (texts.next(), texts.next()) {
            if hash.set(field, value, &limits) {
                added += 1;
            } else {
                hash.set_deadline(field, None);
            }
        }
        Ok(Change::of(count, added))
    })
}

fn hsetnx<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, field, value) = (args.key()?, args.bytes()?, args.bytes()?);
    let (limits, now_ms) = (view.encoding_limits(), view.now_ms());
    let set = view.change_or_make(key, Hash::default, |hash| {
        if hash.live(field, now_ms).is_some() {
            return Ok(Change::none(0));
        }
        let expired = usize::from(hash.remove(field));
        hash.set(field, value, &limits);
        Ok(Change::of(1, 1).with_expired(expired))
    })?;
    Ok(Reply::Int(set))
}

/// Finds values in the hash at a key. Who looks for a field that is due has it removed.
fn lookup<'v>(
    view: &'v ReadView<'_>,
    key: Key<'v>,
) -> Result<impl Fn(&[u8]) -> Option<Element<'v>> + use<'v>, CommandError> {
    let hash = view.collection::<Hash>(key)?;
    Ok(move |field: &[u8]| {
        let stored = hash?.get(field)?;
        if stored.is_due(view.now_ms()) {
            view.note_due(key, Some(field));
            return None;
        }
        Some(stored.value)
    })
}

fn hget<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, field) = (args.key()?, args.bytes()?);
    Ok(reply_or_null(lookup(view, key)?(field)))
}

fn hmget<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, fields) = (args.key()?, args.rest());
    let value = lookup(view, key)?;
    Ok(Reply::Stream(Shape::Array, Box::new(fields.map(move |field| reply_or_null(value(field))))))
}

fn hexists<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, field) = (args.key()?, args.bytes()?);
    Ok(Reply::flag(lookup(view, key)?(field).is_some()))
}

fn hstrlen<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, field) = (args.key()?, args.bytes()?);
    Ok(Reply::count(lookup(view, key)?(field).map_or(0, Element::len)))
}

/// Counts fields that are due until they are removed, as Redis does.
fn hlen<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let hash = view.collection::<Hash>(args.key()?)?;
    Ok(Reply::count(hash.map_or(0, Hash::len)))
}

fn hgetall<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let both = |field, value| [reply(field), reply(value)];
    live_fields(view, args, Shape::Map, both, Reply::Map(Vec::new()))
}

fn hkeys<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    live_fields(view, args, Shape::Array, |field, _| [reply(field)], Reply::Array(Vec::new()))
}

fn hvals<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    live_fields(view, args, Shape::Array, |_, value| [reply(value)], Reply::Array(Vec::new()))
}

/// What is shown of each field of a hash, or `nothing` if there is no hash.
fn live_fields<'v, const PARTS: usize>(
    view: &'v ReadView<'_>,
    args: &mut Args<'v>,
    shape: Shape,
    show: impl Fn(Element<'v>, Element<'v>) -> [Reply<'v>; PARTS] + 'v,
    nothing: Reply<'v>,
) -> Outcome<'v> {
    let Some(hash) = view.collection::<Hash>(args.key()?)? else { return Ok(nothing) };
    let now_ms = view.now_ms();
    let length = PARTS * (hash.len() - hash.due_len(now_ms));
    let shown = hash.iter_live(now_ms).flat_map(move |(field, value)| show(field, value));
    Ok(Reply::stream(shape, length, shown))
}

fn hdel<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, fields) = (args.key()?, args.rest());
    let removed = view.change(key, |hash: &mut Hash| {
        Ok(Change::counted(fields.filter(|field| hash.remove(field)).count()))
    })?;
    Ok(Reply::count(removed.unwrap_or(0)))
}

/// Removes a field that is past its deadline; how many that were.
pub(super) fn remove_if_due(hash: &mut Hash, field: &[u8], now_ms: u64) -> usize {
    let is_due = hash.get(field).is_some_and(|stored| stored.is_due(now_ms));
    usize::from(is_due && hash.remove(field))
}

fn hincrby<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, field, by) = (args.key()?, args.bytes()?, args.integer()?);
    let (limits, now_ms) = (view.encoding_limits(), view.now_ms());
    let sum = view.change_or_make(key, Hash::default, |hash| {
        let former = match hash.live(field, now_ms) {
            Some(Element::Int(former)) => former,
            Some(Element::Bytes(text)) => {
                parse_integer(text).ok_or(CommandError::HASH_NOT_INTEGER)?
            }
            None => 0,
        };
        let sum = former.checked_add(by).ok_or(CommandError::INCREMENT_OVERFLOW)?;
        let expired = remove_if_due(hash, field, now_ms);
        hash.set(field, sum.to_string().as_bytes(), &limits);
        Ok(Change::of(1, sum).with_expired(expired))
    })?;
    Ok(Reply::Int(sum))
}

fn hincrbyfloat<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, field, by) = (args.key()?, args.bytes()?, args.bytes()?);
    let by = Extended::parse(by).ok_or(CommandError::NotFloat)?;
    if !by.is_finite() {
        return Err(CommandError::NOT_FINITE);
    }
    let (limits, now_ms) = (view.encoding_limits(), view.now_ms());
    let sum = view.change_or_make(key, Hash::default, |hash| {
        let former = match hash.live(field, now_ms) {
            Some(Element::Int(former)) => Extended::from(former),
            Some(Element::Bytes(text)) => {
                Extended::parse(text).ok_or(CommandError::HASH_NOT_FLOAT)?
            }
            None => Extended::from(0),
        };
        let sum = former.checked_add(by).ok_or(CommandError::INCREMENT_NOT_FINITE)?.to_string();
        let expired = remove_if_due(hash, field, now_ms);
        hash.set(field, sum.as_bytes(), &limits);
        Ok(Change::of(1, sum).with_expired(expired))
    })?;
    Ok(Reply::text(sum))
}

fn hrandfield<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let key = args.key()?;
    let (mut rng, now_ms) = (view.rng(), view.now_ms());
    if args.is_empty() {
        let hash = view.collection::<Hash>(key)?;
        let field = hash.and_then(|hash| match hash.due_len(now_ms) {
            0 => hash.at(rng.usize(..hash.len())),
            due => {
                view.note_due(key, None);
                let live = hash.len() - due;
                hash.iter_live(now_ms).nth(rng.usize(..live.max(1)))
            }
        });
        return Ok(field.map_or(Reply::Null, |(field, _)| reply(field)));
    }
    let count = args.signed_count()?;
    let with_values = args.word("WITHVALUES");
    args.end()?;
    if with_values && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(CommandError::OUT_OF_RANGE);
    }
    let Some(hash) = view.collection::<Hash>(key)? else { return Ok(Reply::Array(Vec::new())) };
    if hash.due_len(now_ms) > 0 {
        view.note_due(key, None);
    }
    let choice = Choice::new(hash, now_ms);
    Ok(if with_values {
        choice.reply(count, rng, Shape::Pairs, |field, value| [reply(field), reply(value)])
    } else {
        choice.reply(count, rng, Shape::Array, |field, _| [reply(field)])
    })
}

/// The fields among which random ones are chosen.
enum Choice<'v> {
    /// All of a table, where any position is found at once.
    All(&'v Hash),
    /// The fields of a compact hash, or those that are not due.
    Listed(Vec<(Element<'v>, Element<'v>)>),
}

impl<'v> Choice<'v> {
    fn new(hash: &'v Hash, now_ms: u64) -> Self {
        if hash.is_compact() || hash.due_len(now_ms) > 0 {
            Self::Listed(hash.iter_live(now_ms).collect())
        } else {
            Self::All(hash)
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::All(hash) => hash.len(),
            Self::Listed(fields) => fields.len(),
        }
    }

    fn at(&self, position: usize) -> Option<(Element<'v>, Element<'v>)> {
        match self {
            Self::All(hash) => hash.at(position),
            Self::Listed(fields) => fields.get(position).copied(),
        }
    }

    /// So many different fields, or as many as there are; of a negative count just so many, and some of
    /// them perhaps again.
    fn reply<const PARTS: usize>(
        self,
        count: i64,
        mut rng: fastrand::Rng,
        shape: Shape,
        show: impl Fn(Element<'v>, Element<'v>) -> [Reply<'v>; PARTS] + 'v,
    ) -> Reply<'v> {
        let length = self.len();
        let show = move |(field, value)| show(field, value);
        if length == 0 {
            return Reply::Array(Vec::new());
        }
        if count < 0 {
            let repeats = repeats(count);
            let chosen = (0..repeats).filter_map(move |_| self.at(rng.usize(..length)));
            return Reply::stream(shape, PARTS * repeats, chosen.flat_map(show));
        }
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(length);
        if count == length {
            let all = (0..length).filter_map(move |position| self.at(position));
            return Reply::stream(shape, PARTS * length, all.flat_map(show));
        }
        let positions = choose_positions(&mut rng, length, count);
        let chosen = positions.into_iter().filter_map(move |position| self.at(position));
        Reply::stream(shape, PARTS * count, chosen.flat_map(show))
    }
}

fn hscan<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, cursor) = (args.key()?, Cursor::parse(args)?);
    let Some(hash) = view.collection::<Hash>(key)? else {
        return Ok(Cursor::END.reply(Vec::new()));
    };
    let mut with_values = true;
    let options = ScanOptions::parse(args, |args, _| {
        let is_word = args.word("NOVALUES");
        with_values &= !is_word;
        Ok(is_word)
    })?;
    let mut shown = Vec::new();
    let next = hash.scan(cursor.0, options.count, view.now_ms(), |field, value| {
        if options.matches(&field.bytes()) {
            shown.push(reply(field));
            shown.extend(with_values.then(|| reply(value)));
        }
    });
    Ok(Cursor(next).reply(shown))
}
