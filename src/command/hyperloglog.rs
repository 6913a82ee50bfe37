//! HyperLogLog commands: strings of a certain form that tell how many different elements they have seen.
//!
//! The strings are Redis's own, byte for byte, and any string command may read or damage them. Whatever
//! is no HyperLogLog is refused before it is touched; only damage inside the runs is noticed later.

use super::args::Args;
use super::keys::{KeyFlags, KeySpec, Keys};
use super::spec::{Arity, Flags, Handler, Spec};
use crate::error::CommandError;
use crate::keyspace::{Change, Key, WriteView};
use crate::protocol::{Outcome, Reply};
use crate::value::StringValue;
use crate::value::hyperloglog::{self, Corrupted, Registers};

/// The destination, whose elements stay, then the sources.
const PFMERGE_KEYS: &[KeySpec] = &[
    KeySpec::one(1, KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::INSERT)),
    KeySpec::range(2, -1, 1, KeyFlags::RO.and(KeyFlags::ACCESS)),
];

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "PFADD",
        arity: Arity::at_least(2),
        keys: Keys::one(1, KeyFlags::RW.and(KeyFlags::INSERT)),
        handler: Handler::Write(pfadd),
        flags: Flags::DENY_OOM.and(Flags::FAST),
        since: "2.8.9",
        summary: "Adds elements to a HyperLogLog key. Creates the key if it doesn't exist.",
        syntax: "key [element...]",
        complexity: "O(1) to add every element.",
        ..Spec::REST
    },
    Spec {
        name: "PFCOUNT",
        arity: Arity::at_least(2),
        keys: Keys::range(1, -1, 1, KeyFlags::RW.and(KeyFlags::ACCESS)).noted(
            "RW because it may change the internal representation of the key, and propagate to replicas",
        ),
        handler: Handler::Write(pfcount),
        flags: Flags::READ_ONLY,
        since: "2.8.9",
        summary: "Returns the approximated cardinality of the set(s) observed by the HyperLogLog key(s).",
        syntax: "key...",
        complexity: "O(1) with a very small average constant time when called with a single key. O(N) with N being the number of keys, and much bigger constant times, when called with multiple keys.",
        ..Spec::REST
    },
    Spec {
        name: "PFMERGE",
        arity: Arity::at_least(2),
        keys: Keys::Specs(PFMERGE_KEYS),
        handler: Handler::Write(pfmerge),
        event: "pfadd",
        flags: Flags::DENY_OOM,
        since: "2.8.9",
        summary: "Merges one or more HyperLogLog values into a single key.",
        syntax: "destkey:key [sourcekey:key...]",
        complexity: "O(N) to merge N HyperLogLogs, but with high constant times.",
        ..Spec::REST
    },
];

fn damaged(_: Corrupted) -> CommandError {
    CommandError::HYPERLOGLOG_CORRUPTED
}

/// Refuses a key that holds something else than a HyperLogLog; whether there is one.
fn is_there(view: &WriteView<'_, '_>, key: Key<'_>) -> Result<bool, CommandError> {
    let Some(entry) = view.entry(key) else { return Ok(false) };
    let string = entry.value().as_string()?;
    if hyperloglog::is_valid(&string.bytes()) {
        Ok(true)
    } else {
        Err(CommandError::HYPERLOGLOG_INVALID)
    }
}

/// Raises `registers` to what the key has; whether the key is dense. A key that is not there has nothing.
fn merge(
    view: &mut WriteView<'_, '_>,
    key: Key<'_>,
    registers: &mut Registers,
) -> Result<bool, CommandError> {
    is_there(view, key)?;
    let Some(string) = view.string(key)? else { return Ok(false) };
    let bytes = string.bytes();
    hyperloglog::merge_into(&bytes, registers).map_err(damaged)?;
    Ok(hyperloglog::is_dense(&bytes))
}

fn pfadd<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, elements) = (args.key()?, args.rest());
    let sparse_bytes_max = view.encoding_limits().hll_sparse_max_bytes;
    let add_all = |bytes: &mut Vec<u8>| {
        let mut count = 0;
        for element in elements {
            count += usize::from(hyperloglog::add(bytes, element, sparse_bytes_max)?);
        }
        Ok::<_, Corrupted>(count)
    };
    if !is_there(view, key)? {
        let mut bytes = hyperloglog::new();
        add_all(&mut bytes).map_err(damaged)?;
        hyperloglog::invalidate(&mut bytes);
        view.set(key, StringValue::Growing(bytes));
        return Ok(Reply::flag(true));
    }
    let changed = view.change_string(key, |string| {
        let changed = add_all(string.growing());
        Change::of(changed.unwrap_or(0), changed)
    })?;
    let count = changed.unwrap_or(Ok(0)).map_err(damaged)?;
    Ok(Reply::flag(count > 0))
}

fn pfcount<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    if args.len() == 1 {
        return count_one(view, args.key()?);
    }
    let mut registers = Registers::default();
    for key in args.keys() {
        merge(view, key, &mut registers)?;
    }
    Ok(reply(registers.count()))
}

/// Counts one key, and keeps the count in the key until the next element comes.
fn count_one<'v>(view: &mut WriteView<'_, '_>, key: Key<'v>) -> Outcome<'v> {
    is_there(view, key)?;
    let Some(string) = view.string(key)? else { return Ok(Reply::Int(0)) };
    let bytes = string.bytes();
    if let Some(count) = hyperloglog::cached_count(&bytes) {
        return Ok(reply(count));
    }
    let count = hyperloglog::count(&bytes).map_err(damaged)?;
    view.change_string(key, |string| {
        hyperloglog::cache_count(string.growing(), count);
        Change::counted(1)
    })?;
    Ok(reply(count))
}

/// A damaged cache may say any number; Redis shows it as a signed one.
fn reply<'v>(count: u64) -> Reply<'v> {
    Reply::Int(count.cast_signed())
}

fn pfmerge<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let destination = args.key()?;
    let sparse_bytes_max = view.encoding_limits().hll_sparse_max_bytes;
    let mut registers = Registers::default();
    let mut dense = merge(view, destination, &mut registers)?;
    for source in args.keys() {
        dense |= merge(view, source, &mut registers)?;
    }
    let store =
        |bytes: &mut Vec<u8>| registers.store(bytes, dense, sparse_bytes_max).map_err(damaged);
    if !is_there(view, destination)? {
        let mut bytes = hyperloglog::new();
        store(&mut bytes)?;
        view.set(destination, StringValue::Growing(bytes));
        return Ok(Reply::Ok);
    }
    view.update_string(destination, |string| store(string.growing()))?;
    Ok(Reply::Ok)
}
