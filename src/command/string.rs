//! String commands.
//!
//! A string that changes in place becomes `raw` for OBJECT ENCODING, as in Redis; one that is stored
//! whole takes the form that fits it.

mod lcs;
mod number;
mod set;

use super::args::Args;
use super::keys::{KeyFlags, Keys};
use super::spec::{Arity, Flags, Handler, Spec};
use crate::error::CommandError;
use crate::keyspace::{ReadView, WriteView};
use crate::limits;
use crate::protocol::{Outcome, Reply};
use crate::value::{NewValue, StringRef, StringValue, ValueRef};
use std::borrow::Cow;
use std::ops::Range;

const READS: Keys = Keys::one(1, KeyFlags::RO.and(KeyFlags::ACCESS));
const READS_AND_CHANGES: KeyFlags = KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::UPDATE);
const CHANGES: Keys = Keys::one(1, READS_AND_CHANGES);
const GROWS_FAST: Flags = Flags::DENY_OOM.and(Flags::FAST);

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "GET",
        arity: Arity::exactly(2),
        keys: READS,
        handler: Handler::Read(get),
        flags: Flags::FAST,
        summary: "Returns the string value of a key.",
        syntax: "key",
        ..Spec::REST
    },
    Spec {
        name: "SET",
        arity: Arity::at_least(3),
        keys: Keys::one(1, READS_AND_CHANGES.and(KeyFlags::VARIABLE_FLAGS))
            .noted("RW and ACCESS due to the optional `GET` argument")
            .varying(set::key_use),
        handler: Handler::Write(set::set),
        flags: Flags::DENY_OOM,
        summary: "Sets the string value of a key, ignoring its type. The key is created if it doesn't exist.",
        syntax: "key value condition=[NX|XX|IFEQ comparison-value@8.1.0]@2.6.12 [GET@6.2.0] \
                 expiration=[EX seconds@2.6.12|PX milliseconds@2.6.12|EXAT unix-time-seconds@6.2.0|\
                 PXAT unix-time-milliseconds@6.2.0|KEEPTTL@6.0.0]",
        history: &[
            ("2.6.12", "Added the `EX`, `PX`, `NX` and `XX` options."),
            ("6.0.0", "Added the `KEEPTTL` option."),
            ("6.2.0", "Added the `GET`, `EXAT` and `PXAT` option."),
            ("7.0.0", "Allowed the `NX` and `GET` options to be used together."),
        ],
        ..Spec::REST
    },
    Spec {
        name: "SETNX",
        arity: Arity::exactly(3),
        keys: Keys::one(1, KeyFlags::OW.and(KeyFlags::INSERT)),
        handler: Handler::Write(set::setnx),
        event: "set",
        flags: GROWS_FAST,
        summary: "Set the string value of a key only when the key doesn't exist.",
        syntax: "key value",
        deprecated: Some(("2.6.12", "`SET` with the `NX` argument")),
        ..Spec::REST
    },
    Spec {
        name: "SETEX",
        arity: Arity::exactly(4),
        keys: Keys::one(1, KeyFlags::OW.and(KeyFlags::UPDATE)),
        handler: Handler::Write(set::setex),
        event: "set",
        flags: Flags::DENY_OOM,
        since: "2.0.0",
        summary: "Sets the string value and expiration time of a key. Creates the key if it doesn't exist.",
        syntax: "key seconds value",
        deprecated: Some(("2.6.12", "`SET` with the `EX` argument")),
        ..Spec::REST
    },
    Spec {
        name: "PSETEX",
        arity: Arity::exactly(4),
        keys: Keys::one(1, KeyFlags::OW.and(KeyFlags::UPDATE)),
        handler: Handler::Write(set::psetex),
        event: "set",
        flags: Flags::DENY_OOM,
        since: "2.6.0",
        summary: "Sets both string value and expiration time in milliseconds of a key. The key is created if it doesn't exist.",
        syntax: "key milliseconds value",
        deprecated: Some(("2.6.12", "`SET` with the `PX` argument")),
        ..Spec::REST
    },
    Spec {
        name: "MGET",
        arity: Arity::at_least(2),
        keys: Keys::range(1, -1, 1, KeyFlags::RO.and(KeyFlags::ACCESS)),
        handler: Handler::Read(mget),
        flags: Flags::FAST,
        summary: "Atomically returns the string values of one or more keys.",
        syntax: "key...",
        complexity: "O(N) where N is the number of keys to retrieve.",
        tips: &["request_policy:multi_shard"],
        ..Spec::REST
    },
    Spec {
        name: "MSET",
        arity: Arity::at_least(3),
        keys: Keys::range(1, -1, 2, KeyFlags::OW.and(KeyFlags::UPDATE)),
        handler: Handler::Write(set::mset),
        event: "set",
        flags: Flags::DENY_OOM,
        since: "1.0.1",
        summary: "Atomically creates or modifies the string values of one or more keys.",
        syntax: "data=(key value)...",
        complexity: "O(N) where N is the number of keys to set.",
        tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
        ..Spec::REST
    },
    Spec {
        name: "MSETNX",
        arity: Arity::at_least(3),
        keys: Keys::range(1, -1, 2, KeyFlags::OW.and(KeyFlags::INSERT)),
        handler: Handler::Write(set::msetnx),
        event: "set",
        flags: Flags::DENY_OOM,
        since: "1.0.1",
        summary: "Atomically modifies the string values of one or more keys only when all keys don't exist.",
        syntax: "data=(key value)...",
        complexity: "O(N) where N is the number of keys to set.",
        ..Spec::REST
    },
    Spec {
        name: "GETSET",
        arity: Arity::exactly(3),
        keys: CHANGES,
        handler: Handler::Write(set::getset),
        event: "set",
        flags: GROWS_FAST,
        summary: "Returns the previous string value of a key after setting it to a new value.",
        syntax: "key value",
        deprecated: Some(("6.2.0", "`SET` with the `!GET` argument")),
        ..Spec::REST
    },
    Spec {
        name: "GETDEL",
        arity: Arity::exactly(2),
        keys: Keys::one(1, KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::DELETE)),
        handler: Handler::Write(set::getdel),
        flags: Flags::FAST,
        since: "6.2.0",
        summary: "Returns the string value of a key after deleting the key.",
        syntax: "key",
        ..Spec::REST
    },
    Spec {
        name: "GETEX",
        arity: Arity::at_least(2),
        keys: CHANGES.noted("RW and UPDATE because it changes the TTL"),
        handler: Handler::Write(set::getex),
        flags: Flags::FAST,
        since: "6.2.0",
        summary: "Returns the string value of a key after setting its expiration time.",
        syntax: "key expiration=[EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|PERSIST]",
        ..Spec::REST
    },
    Spec {
        name: "DELIFEQ",
        arity: Arity::exactly(3),
        keys: Keys::one(1, KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::DELETE)),
        handler: Handler::Write(set::delifeq),
        flags: Flags::FAST,
        since: "9.0.0",
        summary: "Deletes a key if its string value equals the given one.",
        syntax: "key value",
        ..Spec::REST
    },
    Spec {
        name: "APPEND",
        arity: Arity::exactly(3),
        keys: Keys::one(1, KeyFlags::RW.and(KeyFlags::INSERT)),
        handler: Handler::Write(append),
        flags: GROWS_FAST,
        since: "2.0.0",
        summary: "Appends a string to the value of a key. Creates the key if it doesn't exist.",
        syntax: "key value",
        complexity: "O(1). The amortized time complexity is O(1) assuming the appended value is small and the already present value is of any size, since the dynamic string library used by Redis will double the free space available on every reallocation.",
        ..Spec::REST
    },
    Spec {
        name: "STRLEN",
        arity: Arity::exactly(2),
        keys: Keys::one(1, KeyFlags::RO),
        handler: Handler::Read(strlen),
        flags: Flags::FAST,
        since: "2.2.0",
        summary: "Returns the length of a string value.",
        syntax: "key",
        ..Spec::REST
    },
    Spec {
        name: "INCR",
        arity: Arity::exactly(2),
        keys: CHANGES,
        handler: Handler::Write(number::incr),
        event: "incrby",
        flags: GROWS_FAST,
        summary: "Increments the integer value of a key by one. Uses 0 as initial value if the key doesn't exist.",
        syntax: "key",
        ..Spec::REST
    },
    Spec {
        name: "DECR",
        arity: Arity::exactly(2),
        keys: CHANGES,
        handler: Handler::Write(number::decr),
        event: "incrby",
        flags: GROWS_FAST,
        summary: "Decrements the integer value of a key by one. Uses 0 as initial value if the key doesn't exist.",
        syntax: "key",
        ..Spec::REST
    },
    Spec {
        name: "INCRBY",
        arity: Arity::exactly(3),
        keys: CHANGES,
        handler: Handler::Write(number::incrby),
        flags: GROWS_FAST,
        summary: "Increments the integer value of a key by a number. Uses 0 as initial value if the key doesn't exist.",
        syntax: "key increment",
        ..Spec::REST
    },
    Spec {
        name: "DECRBY",
        arity: Arity::exactly(3),
        keys: CHANGES,
        handler: Handler::Write(number::decrby),
        event: "incrby",
        flags: GROWS_FAST,
        summary: "Decrements a number from the integer value of a key. Uses 0 as initial value if the key doesn't exist.",
        syntax: "key decrement",
        ..Spec::REST
    },
    Spec {
        name: "INCRBYFLOAT",
        arity: Arity::exactly(3),
        keys: CHANGES,
        handler: Handler::Write(number::incrbyfloat),
        flags: GROWS_FAST,
        since: "2.6.0",
        summary: "Increment the floating point value of a key by a number. Uses 0 as initial value if the key doesn't exist.",
        syntax: "key increment:double",
        ..Spec::REST
    },
    Spec {
        name: "SETRANGE",
        arity: Arity::exactly(4),
        keys: Keys::one(1, KeyFlags::RW.and(KeyFlags::UPDATE)),
        handler: Handler::Write(setrange),
        flags: Flags::DENY_OOM,
        since: "2.2.0",
        summary: "Overwrites a part of a string value with another by an offset. Creates the key if it doesn't exist.",
        syntax: "key offset value",
        complexity: "O(1), not counting the time taken to copy the new string in place. Usually, this string is very small so the amortized complexity is O(1). Otherwise, complexity is O(M) with M being the length of the value argument.",
        ..Spec::REST
    },
    Spec {
        name: "GETRANGE",
        arity: Arity::exactly(4),
        keys: READS,
        handler: Handler::Read(getrange),
        since: "2.4.0",
        summary: "Returns a substring of the string stored at a key.",
        syntax: "key start end",
        complexity: "O(N) where N is the length of the returned string. The complexity is ultimately determined by the returned length, but because creating a substring from an existing string is very cheap, it can be considered O(1) for small strings.",
        ..Spec::REST
    },
    Spec {
        name: "SUBSTR",
        arity: Arity::exactly(4),
        keys: READS,
        handler: Handler::Read(getrange),
        summary: "Returns a substring from a string value.",
        syntax: "key start end",
        complexity: "O(N) where N is the length of the returned string. The complexity is ultimately determined by the returned length, but because creating a substring from an existing string is very cheap, it can be considered O(1) for small strings.",
        deprecated: Some(("2.0.0", "`GETRANGE`")),
        ..Spec::REST
    },
    Spec {
        name: "LCS",
        arity: Arity::at_least(3),
        keys: Keys::range(1, 2, 1, KeyFlags::RO.and(KeyFlags::ACCESS)),
        handler: Handler::Read(lcs::lcs),
        since: "7.0.0",
        summary: "Finds the longest common substring.",
        syntax: "key1:key key2:key [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]",
        complexity: "O(N*M) where N and M are the lengths of s1 and s2, respectively",
        ..Spec::REST
    },
];

/// A string as a reply: the digits of an integer are made when they are written.
fn reply(string: StringRef<'_>) -> Reply<'_> {
    match string {
        StringRef::Int(value) => Reply::BulkInt(value),
        StringRef::Fixed(bytes) | StringRef::Growing(bytes) => Reply::Bulk(Cow::Borrowed(bytes)),
    }
}

/// The same for a string that is no longer stored.
fn reply_owned<'v>(string: StringValue) -> Reply<'v> {
    match string {
        StringValue::Int(value) => Reply::BulkInt(value),
        StringValue::Fixed(bytes) => Reply::Bulk(Cow::Owned(bytes.into_vec())),
        StringValue::Growing(bytes) => Reply::Bulk(Cow::Owned(bytes)),
    }
}

/// The next argument as a value to store: a long one is moved, not copied.
fn take_string<'v>(args: &mut Args<'v>) -> Result<NewValue<'v>, CommandError> {
    if args.peek().is_some_and(|bytes| bytes.len() > limits::JOINED_BYTES_MAX) {
        return args.take().map(|bytes| StringValue::Fixed(bytes.into()).into());
    }
    args.bytes().map(|bytes| StringRef::new(bytes).into())
}

fn get<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    Ok(view.string(args.key()?)?.map_or(Reply::Null, reply))
}

fn mget<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let values = args.keys().map(|key| match view.get(key) {
        Some(ValueRef::String(string)) => reply(string),
        _ => Reply::Null,
    });
    Ok(Reply::Array(values.collect()))
}

fn strlen<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    Ok(Reply::count(view.string(args.key()?)?.map_or(0, StringRef::len)))
}

fn getrange<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, start, end) = (args.key()?, args.integer()?, args.integer()?);
    let Some(string) = view.string(key)? else { return Ok(Reply::bulk(&[][..])) };
    let range = slice_range(start, end, string.len());
    Ok(Reply::Bulk(match string.bytes() {
        Cow::Borrowed(bytes) => Cow::Borrowed(&bytes[range]),
        Cow::Owned(digits) => Cow::Owned(digits[range].to_vec()),
    }))
}

/// The part of a string between two offsets of which negative ones count from its end. An end before
/// the beginning still means the first byte, unless both offsets are negative and in wrong order.
fn slice_range(start: i64, end: i64, len: usize) -> Range<usize> {
    if start < 0 && end < 0 && start > end {
        return 0..0;
    }
    // A string's length is below isize::MAX, hence fits.
    let length = len as i64;
    let from_start = |offset: i64| if offset < 0 { (length + offset).max(0) } else { offset };
    let (start, end) = (from_start(start), from_start(end).min(length - 1));
    if start > end { 0..0 } else { start as usize..end as usize + 1 }
}

fn append<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, bytes) = (args.key()?, args.bytes()?);
    let len_max = view.string_bytes_max();
    let appended = view.update_string(key, |string| {
        within(len_max, string.len(), bytes.len())?;
        string.append(bytes);
        Ok(string.len())
    })?;
    let len = appended.unwrap_or_else(|| {
        view.set(key, StringRef::new(bytes));
        bytes.len()
    });
    Ok(Reply::count(len))
}

fn setrange<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, offset, bytes) = (args.key()?, args.integer()?, args.bytes()?);
    let offset = usize::try_from(offset).map_err(|_| CommandError::OFFSET_OUT_OF_RANGE)?;
    if bytes.is_empty() {
        let string = view.entry(key).map(|entry| entry.value().as_string()).transpose()?;
        return Ok(Reply::count(string.map_or(0, StringRef::len)));
    }
    let len_max = view.string_bytes_max();
    let end = within(len_max, offset, bytes.len());
    let len = view.update_string(key, |string| {
        let end = end.clone()?;
        string.padded(end)[offset..end].copy_from_slice(bytes);
        Ok(string.len())
    })?;
    if let Some(len) = len {
        return Ok(Reply::count(len));
    }
    // Zeros straight from the allocator: of a long string only what is used takes memory.
    let mut string = vec![0; end?];
    string[offset..].copy_from_slice(bytes);
    let len = string.len();
    view.set(key, StringValue::Growing(string));
    Ok(Reply::count(len))
}

/// The length of a string that gets longer, if it may.
fn within(len_max: usize, len: usize, additional: usize) -> Result<usize, CommandError> {
    let total = len.checked_add(additional).filter(|total| *total <= len_max);
    total.ok_or(CommandError::STRING_TOO_LONG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_select_a_part_of_a_string() {
        let cases = [
            (0, -1, "hello"),
            (1, 3, "ell"),
            (-3, -2, "ll"),
            (-2, -3, ""),
            (3, 1, ""),
            (0, 100, "hello"),
            (5, 9, ""),
            (-100, 0, "h"),
            (0, -100, "h"),
            (-100, -200, ""),
            (-200, -100, "h"),
            (i64::MIN, i64::MAX, "hello"),
        ];
        for (start, end, expected) in cases {
            assert_eq!(&"hello"[slice_range(start, end, 5)], expected, "{start} {end}");
        }
        assert_eq!(slice_range(0, -1, 0), 0..0);
    }
}
