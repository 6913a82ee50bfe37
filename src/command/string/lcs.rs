//! LCS: the longest common subsequence of two strings.

use crate::command::args::Args;
use crate::error::CommandError;
use crate::keyspace::ReadView;
use crate::protocol::{Outcome, Reply};
use crate::value::subsequence::{CommonPart, common_len, common_parts};
use crate::value::{StringRef, ValueRef};
use std::borrow::Cow;

/// What Redis would take for each pair of bytes. We take far less, but refuse the same.
const CELL_BYTES: u64 = 4;
/// Redis counts in 32 bits.
const STRING_BYTES_MAX: u64 = u32::MAX as u64 - 1;

#[derive(Default)]
struct Options {
    is_len: bool,
    is_idx: bool,
    match_len_min: i64,
    with_match_len: bool,
}

impl Options {
    fn parse(args: &mut Args<'_>) -> Result<Self, CommandError> {
        let mut options = Self::default();
        while !args.is_empty() {
            if args.word("LEN") {
                options.is_len = true;
            } else if args.word("IDX") {
                options.is_idx = true;
            } else if args.word("WITHMATCHLEN") {
                options.with_match_len = true;
            } else if args.word("MINMATCHLEN") {
                options.match_len_min = args.integer()?;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        if options.is_len && options.is_idx {
            return Err(CommandError::LCS_LENGTH_AND_INDEXES);
        }
        Ok(options)
    }
}

pub(super) fn lcs<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (first, second) = (args.key()?, args.key()?);
    // Redis looks at the keys before it reads the options.
    let (first, second) = (string(view.get(first))?, string(view.get(second))?);
    let options = Options::parse(args)?;
    // A string's length is below isize::MAX, hence fits.
    let (first_len, second_len) = (first.len() as u64, second.len() as u64);
    if first_len >= STRING_BYTES_MAX || second_len >= STRING_BYTES_MAX {
        return Err(CommandError::LCS_TOO_LONG);
    }
    let table_bytes = u128::from(first_len + 1) * u128::from((second_len + 1) * CELL_BYTES);
    if table_bytes > view.string_bytes_max() as u128 {
        return Err(CommandError::LCS_TOO_MUCH_MEMORY);
    }
    if options.is_len {
        return Ok(Reply::count(common_len(&first, &second)));
    }
    let parts = common_parts(&first, &second);
    if options.is_idx {
        return Ok(indexes(&parts, &options));
    }
    let mut subsequence = Vec::new();
    for part in parts.iter().rev() {
        subsequence.extend_from_slice(&first[part.first..part.first + part.len]);
    }
    Ok(Reply::bulk(subsequence))
}

fn string(value: Option<ValueRef<'_>>) -> Result<Cow<'_, [u8]>, CommandError> {
    let string = value.map(ValueRef::as_string).transpose();
    let string = string.map_err(|_| CommandError::LCS_NOT_STRINGS)?;
    Ok(string.map_or(Cow::Borrowed(&[]), StringRef::bytes))
}

fn indexes<'v>(parts: &[CommonPart], options: &Options) -> Reply<'v> {
    let range = |start: usize, len: usize| {
        Reply::Array(vec![Reply::count(start), Reply::count(start + len - 1)])
    };
    let len_min = usize::try_from(options.match_len_min).unwrap_or(0);
    let shown = parts.iter().filter(|part| part.len >= len_min).map(|part| {
        let mut fields = vec![range(part.first, part.len), range(part.second, part.len)];
        if options.with_match_len {
            fields.push(Reply::count(part.len));
        }
        Reply::Array(fields)
    });
    let total = parts.iter().map(|part| part.len).sum();
    Reply::Map(vec![
        (Reply::text("matches"), Reply::Array(shown.collect())),
        (Reply::text("len"), Reply::count(total)),
    ])
}
