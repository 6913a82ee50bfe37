//! Bitmap commands: strings seen as bits.

mod bitfield;

use super::args::Args;
use super::keys::{KeyFlags, KeySpec, Keys};
use super::spec::{Arity, Flags, Handler, Spec};
use crate::error::CommandError;
use crate::keyspace::{Change, ReadView, WriteView};
use crate::protocol::number::parse_integer;
use crate::protocol::{Outcome, Reply};
use crate::value::bits::{self, Operation};
use crate::value::{StringRef, StringValue};
use std::borrow::Cow;
use std::ops::Range;

const READS: Keys = Keys::one(1, KeyFlags::RO.and(KeyFlags::ACCESS));
const READS_AND_CHANGES: KeyFlags = KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::UPDATE);
/// The destination, then the sources.
const BITOP_KEYS: &[KeySpec] = &[
    KeySpec::one(2, KeyFlags::OW.and(KeyFlags::UPDATE)),
    KeySpec::range(3, -1, 1, KeyFlags::RO.and(KeyFlags::ACCESS)),
];

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "SETBIT",
        arity: Arity::exactly(4),
        keys: Keys::one(1, READS_AND_CHANGES),
        handler: Handler::Write(setbit),
        flags: Flags::DENY_OOM,
        since: "2.2.0",
        summary: "Sets or clears the bit at offset of the string value. Creates the key if it doesn't exist.",
        syntax: "key offset value:integer",
        ..Spec::REST
    },
    Spec {
        name: "GETBIT",
        arity: Arity::exactly(3),
        keys: READS,
        handler: Handler::Read(getbit),
        flags: Flags::FAST,
        since: "2.2.0",
        summary: "Returns a bit value by offset.",
        syntax: "key offset",
        ..Spec::REST
    },
    Spec {
        name: "BITCOUNT",
        arity: Arity::at_least(2),
        keys: READS,
        handler: Handler::Read(bitcount),
        since: "2.6.0",
        summary: "Counts the number of set bits (population counting) in a string.",
        syntax: "key range=[start end unit=[BYTE|BIT]@7.0.0]",
        complexity: "O(N)",
        history: &[("7.0.0", "Added the `BYTE|BIT` option.")],
        ..Spec::REST
    },
    Spec {
        name: "BITPOS",
        arity: Arity::at_least(3),
        keys: READS,
        handler: Handler::Read(bitpos),
        since: "2.8.7",
        summary: "Finds the first set (1) or clear (0) bit in a string.",
        syntax: "key bit:integer range=[start end-unit-block=[end unit=[BYTE|BIT]@7.0.0]]",
        complexity: "O(N)",
        history: &[("7.0.0", "Added the `BYTE|BIT` option.")],
        ..Spec::REST
    },
    Spec {
        name: "BITOP",
        arity: Arity::at_least(4),
        keys: Keys::Specs(BITOP_KEYS),
        handler: Handler::Write(bitop),
        event: "set",
        flags: Flags::DENY_OOM,
        since: "2.6.0",
        summary: "Performs bitwise operations on multiple strings, and stores the result.",
        syntax: "operation=(AND|OR|XOR|NOT) destkey:key key...",
        complexity: "O(N)",
        ..Spec::REST
    },
    Spec {
        name: "BITFIELD",
        arity: Arity::at_least(2),
        keys: Keys::one(1, READS_AND_CHANGES.and(KeyFlags::VARIABLE_FLAGS))
            .noted("This command allows both access and modification of the key")
            .varying(bitfield::key_use),
        handler: Handler::ReadOrWrite(bitfield::bitfield_ro, bitfield::bitfield),
        event: "setbit",
        flags: Flags::DENY_OOM,
        since: "3.2.0",
        summary: "Performs arbitrary bitfield integer operations on strings.",
        syntax: "key operation=[GET get-block=(encoding offset)|write=([OVERFLOW overflow-block=(WRAP|SAT|FAIL)] write-operation=(SET set-block=(encoding offset value:integer)|INCRBY incrby-block=(encoding offset increment)))]...",
        complexity: "O(1) for each subcommand specified",
        ..Spec::REST
    },
    Spec {
        name: "BITFIELD_RO",
        arity: Arity::at_least(2),
        keys: READS,
        handler: Handler::Read(bitfield::bitfield_ro),
        flags: Flags::FAST,
        since: "6.0.0",
        summary: "Performs arbitrary read-only bitfield integer operations on strings.",
        syntax: "key [GET get-block=(encoding offset)]...token",
        complexity: "O(1) for each subcommand specified",
        ..Spec::REST
    },
];

/// The index of a bit: an integer times `unit`. The longest string that may be built bounds it, so
/// that no client can make a string longer than that by naming one bit.
fn bit_offset(text: &[u8], unit: i64, bytes_max: usize) -> Result<u64, CommandError> {
    let offset = parse_integer(text)
        .and_then(|offset| offset.checked_mul(unit))
        .and_then(|offset| u64::try_from(offset).ok())
        .filter(|offset| *offset / 8 < bytes_max as u64);
    offset.ok_or(CommandError::BIT_OFFSET)
}

fn setbit<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, offset, bit) = (args.key()?, args.bytes()?, args.bytes()?);
    let offset = bit_offset(offset, 1, view.string_bytes_max())?;
    let bit = match bit {
        b"0" => false,
        b"1" => true,
        _ => return Err(CommandError::BIT_VALUE),
    };
    // Below the longest string's length, which is a usize.
    let len = (offset / 8) as usize + 1;
    let former = view.change_string(key, |string| {
        let has_grown = string.len() < len;
        let bytes = string.padded(len);
        let former = bits::get(bytes, offset);
        bits::set(bytes, offset, bit);
        Change::of(usize::from(has_grown || former != bit), former)
    })?;
    Ok(Reply::flag(former.unwrap_or_else(|| {
        // Zeros straight from the allocator: of a long string only what is used takes memory.
        let mut bytes = vec![0; len];
        bits::set(&mut bytes, offset, bit);
        view.set(key, StringValue::Growing(bytes));
        false
    })))
}

fn getbit<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, offset) = (args.key()?, args.bytes()?);
    let offset = bit_offset(offset, 1, view.string_bytes_max())?;
    let string = view.string(key)?;
    Ok(Reply::flag(string.is_some_and(|string| bits::get(&string.bytes(), offset))))
}

/// A part of a string as BITCOUNT and BITPOS name it. Negative offsets count from the end.
struct Span {
    start: i64,
    /// Inclusive; `None` is the end of the string.
    end: Option<i64>,
    counts_bits: bool,
}

impl Span {
    const WHOLE: Self = Self { start: 0, end: None, counts_bits: false };

    /// The bits that are meant, in a string of this length; an empty range if there are none.
    fn bits(&self, len: usize) -> Range<u64> {
        // A string's length, even in bits, fits by far: no machine has that much memory.
        let (len, unit_bits) = if self.counts_bits { (len as i64 * 8, 1) } else { (len as i64, 8) };
        let from_start = |offset: i64| if offset < 0 { (len + offset).max(0) } else { offset };
        let start = from_start(self.start);
        let end = self.end.map_or(len, |end| from_start(end).min(len - 1) + 1);
        if start >= end { 0..0 } else { start as u64 * unit_bits..end as u64 * unit_bits }
    }
}

fn parse_unit(args: &mut Args<'_>) -> Result<bool, CommandError> {
    if args.word("BIT") {
        Ok(true)
    } else if args.word("BYTE") {
        Ok(false)
    } else {
        Err(CommandError::Syntax)
    }
}

fn bitcount<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let key = args.key()?;
    let span = match args.len() {
        0 => Span::WHOLE,
        units @ (2 | 3) => {
            let (start, end) = (args.integer()?, args.integer()?);
            let counts_bits = units == 3 && parse_unit(args)?;
            Span { start, end: Some(end), counts_bits }
        }
        _ => return Err(CommandError::Syntax),
    };
    let Some(string) = view.string(key)? else { return Ok(Reply::Int(0)) };
    // BITPOS finds something in such a range where both ends lie before the string.
    if matches!(span, Span { start, end: Some(end), .. } if start < 0 && end < start) {
        return Ok(Reply::Int(0));
    }
    let count = bits::count(&string.bytes(), span.bits(string.len()));
    Ok(Reply::Int(i64::try_from(count).unwrap_or(i64::MAX)))
}

fn bitpos<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, wanted) = (args.key()?, args.integer()?);
    let wanted = match wanted {
        0 => false,
        1 => true,
        _ => return Err(CommandError::BIT_ARGUMENT),
    };
    let span = match args.len() {
        0 => Span::WHOLE,
        1 => Span { start: args.integer()?, ..Span::WHOLE },
        2 => Span { start: args.integer()?, end: Some(args.integer()?), counts_bits: false },
        3 => {
            let (start, end) = (args.integer()?, args.bytes()?);
            // Redis reads the unit before the end.
            let counts_bits = parse_unit(args)?;
            let end = parse_integer(end).ok_or(CommandError::NotInteger)?;
            Span { start, end: Some(end), counts_bits }
        }
        _ => return Err(CommandError::Syntax),
    };
    let Some(string) = view.string(key)? else {
        // A missing key is an endless row of zeros.
        return Ok(Reply::Int(if wanted { -1 } else { 0 }));
    };
    let bytes = string.bytes();
    let range = span.bits(bytes.len());
    let found = bits::first(&bytes, wanted, range.clone());
    // Zeros follow behind the end, unless an end was named.
    let behind = (!wanted && span.end.is_none() && !range.is_empty()).then_some(range.end);
    let position = found.or(behind).and_then(|position| i64::try_from(position).ok());
    Ok(Reply::Int(position.unwrap_or(-1)))
}

fn bitop<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let operation = if args.word("AND") {
        Some(Operation::And)
    } else if args.word("OR") {
        Some(Operation::Or)
    } else if args.word("XOR") {
        Some(Operation::Xor)
    } else if args.word("NOT") {
        None
    } else {
        return Err(CommandError::Syntax);
    };
    let (destination, sources) = (args.key()?, args.keys().collect::<Vec<_>>());
    if operation.is_none() && sources.len() != 1 {
        return Err(CommandError::BITOP_NOT_SOURCES);
    }
    for source in &sources {
        view.string(*source)?;
    }
    let result = {
        let strings = sources.iter().map(|source| match view.entry(*source) {
            Some(entry) => entry.value().as_string().map(StringRef::bytes),
            None => Ok(Cow::Borrowed(&[][..])),
        });
        let strings = strings.collect::<Result<Vec<_>, _>>()?;
        let strings: Vec<&[u8]> = strings.iter().map(|string| &**string).collect();
        match operation {
            Some(operation) => bits::combine(operation, &strings),
            None => strings.first().map(|string| bits::invert(string)).unwrap_or_default(),
        }
    };
    let len = result.len();
    if len == 0 {
        view.remove(destination);
    } else {
        view.set(destination, StringValue::Growing(result));
    }
    Ok(Reply::count(len))
}
