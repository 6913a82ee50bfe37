//! BITFIELD: integers of any width inside a string, read, written and counted up in one call.

use super::{READS_AND_CHANGES, bit_offset};
use crate::command::args::Args;
use crate::command::keys::KeyFlags;
use crate::error::CommandError;
use crate::keyspace::{Change, ReadView, WriteView};
use crate::protocol::number::parse_integer;
use crate::protocol::{Outcome, Reply, Request};
use crate::value::bitfield::{Field, Overflow};
use crate::value::{StringRef, StringValue};

struct Step {
    field: Field,
    action: Action,
}

enum Action {
    Get,
    Set(i64, Overflow),
    Increment(i64, Overflow),
}

/// The steps of a call, and the bytes that those need which write.
struct Steps {
    steps: Vec<Step>,
    written_bytes: Option<usize>,
}

impl Steps {
    fn parse(args: &mut Args<'_>, bytes_max: usize) -> Result<Self, CommandError> {
        let mut steps = Vec::new();
        let mut overflow = Overflow::default();
        let mut written_bytes = None;
        while !args.is_empty() {
            // A word that has too little behind it is no better than an unknown one.
            let left = args.len();
            if left >= 2 && args.word("OVERFLOW") {
                overflow = parse_overflow(args)?;
                continue;
            }
            if left >= 3 && args.word("GET") {
                let field = parse_field(args, bytes_max)?;
                steps.push(Step { field, action: Action::Get });
                continue;
            }
            let action: fn(i64, Overflow) -> Action = if left >= 4 && args.word("SET") {
                Action::Set
            } else if left >= 4 && args.word("INCRBY") {
                Action::Increment
            } else {
                return Err(CommandError::Syntax);
            };
            let field = parse_field(args, bytes_max)?;
            written_bytes = written_bytes.max(usize::try_from(field.end_bytes()).ok());
            steps.push(Step { field, action: action(args.integer()?, overflow) });
        }
        Ok(Self { steps, written_bytes })
    }

    /// What steps answer that only read.
    fn read<'v>(&self, string: Option<StringRef<'_>>) -> Reply<'v> {
        let bytes = string.map(StringRef::bytes).unwrap_or_default();
        Reply::Array(self.steps.iter().map(|step| Reply::Int(step.field.get(&bytes))).collect())
    }

    /// Takes all steps. The change counts those that gave a field another number.
    fn run<'v>(&self, bytes: &mut [u8]) -> Change<Reply<'v>> {
        let mut changed = 0;
        let replies = self.steps.iter().map(|Step { field, action }| {
            let former = field.get(bytes);
            let (current, is_set) = match *action {
                Action::Get => return Reply::Int(former),
                Action::Set(value, overflow) => (field.sum(value, 0, overflow), true),
                Action::Increment(by, overflow) => (field.sum(former, by, overflow), false),
            };
            let Some(current) = current else { return Reply::Null };
            field.set(bytes, current);
            changed += usize::from(current != former);
            Reply::Int(if is_set { former } else { current })
        });
        let replies = Reply::Array(replies.collect());
        Change::of(changed, replies)
    }
}

fn parse_overflow(args: &mut Args<'_>) -> Result<Overflow, CommandError> {
    if args.word("WRAP") {
        Ok(Overflow::Wrap)
    } else if args.word("SAT") {
        Ok(Overflow::Saturate)
    } else if args.word("FAIL") {
        Ok(Overflow::Fail)
    } else {
        Err(CommandError::BITFIELD_OVERFLOW)
    }
}

/// A type such as `i16` or `u8`, and an offset in bits, or with `#` in fields of that type.
fn parse_field(args: &mut Args<'_>, bytes_max: usize) -> Result<Field, CommandError> {
    let (is_signed, width) = match args.bytes()? {
        [b'i', width @ ..] => (true, width),
        [b'u', width @ ..] => (false, width),
        _ => return Err(CommandError::BITFIELD_TYPE),
    };
    let width = parse_integer(width).and_then(|width| u32::try_from(width).ok());
    let width_max = if is_signed { 64 } else { 63 };
    let width = width.filter(|width| (1..=width_max).contains(width));
    let width = width.ok_or(CommandError::BITFIELD_TYPE)?;
    let offset = match args.bytes()? {
        [b'#', index @ ..] => bit_offset(index, i64::from(width), bytes_max)?,
        index => bit_offset(index, 1, bytes_max)?,
    };
    Ok(Field { offset, width, is_signed })
}

/// What BITFIELD does with its key: it changes it only if a step does.
pub(super) fn key_use(request: &Request) -> KeyFlags {
    let args: Vec<&[u8]> = request.iter().skip(2).map(|(arg, _)| arg).collect();
    let mut left = args.as_slice();
    while let [word, rest @ ..] = left {
        // Whatever is not understood may write.
        let argument_count = match () {
            () if word.eq_ignore_ascii_case(b"GET") => 2,
            () if word.eq_ignore_ascii_case(b"OVERFLOW") => 1,
            () => return READS_AND_CHANGES,
        };
        let Some(rest) = rest.get(argument_count..) else { return READS_AND_CHANGES };
        left = rest;
    }
    KeyFlags::RO.and(KeyFlags::ACCESS)
}

pub(super) fn bitfield<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let key = args.key()?;
    let steps = Steps::parse(args, view.string_bytes_max())?;
    let Some(len) = steps.written_bytes else { return Ok(steps.read(view.string(key)?)) };
    let replies = view.change_string(key, |string| {
        let has_grown = string.len() < len;
        let Change { count, result, .. } = steps.run(string.padded(len));
        Change::of(count.max(usize::from(has_grown)), result)
    })?;
    Ok(replies.unwrap_or_else(|| {
        // Even where every step fails, the key comes into being.
        let mut bytes = vec![0; len];
        let replies = steps.run(&mut bytes).result;
        view.set(key, StringValue::Growing(bytes));
        replies
    }))
}

pub(super) fn bitfield_ro<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let key = args.key()?;
    let steps = Steps::parse(args, view.string_bytes_max())?;
    if steps.written_bytes.is_some() {
        return Err(CommandError::BITFIELD_READ_ONLY);
    }
    Ok(steps.read(view.string(key)?))
}
