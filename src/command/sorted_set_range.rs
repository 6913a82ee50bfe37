//! Ranges of sorted sets: by rank, by score, by bytes.

use super::args::Args;
use super::element::index_range;
use super::keys::{KeyFlags, KeySpec, Keys};
use super::sorted_set::scored_stream;
use super::spec::{Arity, Flags, Handler, Spec};
use crate::error::{CommandError, c_string};
use crate::keyspace::{Change, Key, ReadView, WriteView};
use crate::protocol::number::parse_rounded_double;
use crate::protocol::{Outcome, Reply};
use crate::value::SortedSet;
use std::ops::Range;

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "ZRANGE",
        arity: Arity::at_least(4),
        keys: Keys::one(1, KeyFlags::RO.and(KeyFlags::ACCESS)),
        handler: Handler::Read(zrange),
        since: "1.2.0",
        summary: "Returns members in a sorted set within a range of indexes.",
        syntax: "key start:string stop:string sortby=[BYSCORE|BYLEX]@6.2.0 [REV@6.2.0] [LIMIT limit=(offset count)@6.2.0] [WITHSCORES]",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements returned.",
        history: &[("6.2.0", "Added the `REV`, `BYSCORE`, `BYLEX` and `LIMIT` options.")],
        ..Spec::REST
    },
    Spec {
        name: "ZRANGESTORE",
        arity: Arity::at_least(5),
        keys: Keys::Specs(&[
            KeySpec::one(1, KeyFlags::OW.and(KeyFlags::UPDATE)),
            KeySpec::one(2, KeyFlags::RO.and(KeyFlags::ACCESS)),
        ]),
        handler: Handler::Write(zrangestore),
        flags: Flags::DENY_OOM,
        since: "6.2.0",
        summary: "Stores a range of members from sorted set in a key.",
        syntax: "dst:key src:key min max sortby=[BYSCORE|BYLEX] [REV] [LIMIT limit=(offset count)]",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements stored into the destination key.",
        ..Spec::REST
    },
    Spec {
        name: "ZREVRANGE",
        arity: Arity::at_least(4),
        keys: Keys::one(1, KeyFlags::RO.and(KeyFlags::ACCESS)),
        handler: Handler::Read(zrevrange),
        since: "1.2.0",
        summary: "Returns members in a sorted set within a range of indexes in reverse order.",
        syntax: "key start stop [WITHSCORES]",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements returned.",
        deprecated: Some(("6.2.0", "`ZRANGE` with the `REV` argument")),
        ..Spec::REST
    },
    Spec {
        name: "ZRANGEBYSCORE",
        arity: Arity::at_least(4),
        keys: Keys::one(1, KeyFlags::RO.and(KeyFlags::ACCESS)),
        handler: Handler::Read(zrangebyscore),
        since: "1.0.5",
        summary: "Returns members in a sorted set within a range of scores.",
        syntax: "key min:double max:double [WITHSCORES@2.0.0] [LIMIT limit=(offset count)]",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).",
        history: &[("2.0.0", "Added the `WITHSCORES` modifier.")],
        deprecated: Some(("6.2.0", "`ZRANGE` with the `BYSCORE` argument")),
        ..Spec::REST
    },
    Spec {
        name: "ZREVRANGEBYSCORE",
        arity: Arity::at_least(4),
        keys: Keys::one(1, KeyFlags::RO.and(KeyFlags::ACCESS)),
        handler: Handler::Read(zrevrangebyscore),
        since: "2.2.0",
        summary: "Returns members in a sorted set within a range of scores in reverse order.",
        syntax: "key max:double min:double [WITHSCORES] [LIMIT limit=(offset count)]",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).",
        history: &[("2.1.6", "`min` and `max` can be exclusive.")],
        deprecated: Some(("6.2.0", "`ZRANGE` with the `REV` and `BYSCORE` arguments")),
        ..Spec::REST
    },
    Spec {
        name: "ZRANGEBYLEX",
        arity: Arity::at_least(4),
        keys: Keys::one(1, KeyFlags::RO.and(KeyFlags::ACCESS)),
        handler: Handler::Read(zrangebylex),
        since: "2.8.9",
        summary: "Returns members in a sorted set within a lexicographical range.",
        syntax: "key min max [LIMIT limit=(offset count)]",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).",
        deprecated: Some(("6.2.0", "`ZRANGE` with the `BYLEX` argument")),
        ..Spec::REST
    },
    Spec {
        name: "ZREVRANGEBYLEX",
        arity: Arity::at_least(4),
        keys: Keys::one(1, KeyFlags::RO.and(KeyFlags::ACCESS)),
        handler: Handler::Read(zrevrangebylex),
        since: "2.8.9",
        summary: "Returns members in a sorted set within a lexicographical range in reverse order.",
        syntax: "key max min [LIMIT limit=(offset count)]",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).",
        deprecated: Some(("6.2.0", "`ZRANGE` with the `REV` and `BYLEX` arguments")),
        ..Spec::REST
    },
    Spec {
        name: "ZREMRANGEBYRANK",
        arity: Arity::exactly(4),
        keys: Keys::one(1, KeyFlags::RW.and(KeyFlags::DELETE)),
        handler: Handler::Write(zremrangebyrank),
        since: "2.0.0",
        summary: "Removes members in a sorted set within a range of indexes. Deletes the sorted set if all members were removed.",
        syntax: "key start stop",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.",
        ..Spec::REST
    },
    Spec {
        name: "ZREMRANGEBYSCORE",
        arity: Arity::exactly(4),
        keys: Keys::one(1, KeyFlags::RW.and(KeyFlags::DELETE)),
        handler: Handler::Write(zremrangebyscore),
        since: "1.2.0",
        summary: "Removes members in a sorted set within a range of scores. Deletes the sorted set if all members were removed.",
        syntax: "key min:double max:double",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.",
        ..Spec::REST
    },
    Spec {
        name: "ZREMRANGEBYLEX",
        arity: Arity::exactly(4),
        keys: Keys::one(1, KeyFlags::RW.and(KeyFlags::DELETE)),
        handler: Handler::Write(zremrangebylex),
        since: "2.8.9",
        summary: "Removes members in a sorted set within a lexicographical range. Deletes the sorted set if all members were removed.",
        syntax: "key min max",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.",
        ..Spec::REST
    },
];

/// Reads a bound with C's `strtod`, as Redis does here alone: nothing at all is 0, space may come
/// first, what follows a zero byte is not seen, and what is too large is infinite.
fn parse_bound(text: &[u8]) -> Option<f64> {
    let text = c_string(text);
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let digits = text.iter().position(|byte| !is_space(byte)).map_or(&b""[..], |at| &text[at..]);
    if text.is_empty() { Some(0.0) } else { parse_rounded_double(digits) }
}

/// Scores between two bounds, each of which may be excluded.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScoreRange {
    min: (f64, bool),
    max: (f64, bool),
}

impl ScoreRange {
    pub(super) fn parse(min: &[u8], max: &[u8]) -> Result<Self, CommandError> {
        let bound = |text: &[u8]| {
            let (text, excluded) =
                text.strip_prefix(b"(").map_or((text, false), |text| (text, true));
            parse_bound(text).map(|score| (score, excluded)).ok_or(CommandError::RANGE_NOT_FLOAT)
        };
        Ok(Self { min: bound(min)?, max: bound(max)? })
    }

    /// The ranks of the members in this range.
    pub(super) fn ranks(self, set: &SortedSet) -> Range<usize> {
        let ((min, without_min), (max, without_max)) = (self.min, self.max);
        let start = set.partition(|score, _| if without_min { score <= min } else { score < min });
        let end = set.partition(|score, _| if without_max { score < max } else { score <= max });
        start..end.max(start)
    }
}

/// Members between two bounds in the order of bytes; of members with one score.
#[derive(Debug, Clone, Copy)]
pub(super) struct LexRange<'v> {
    min: LexBound<'v>,
    max: LexBound<'v>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LexBound<'v> {
    Lowest,
    Highest,
    Including(&'v [u8]),
    Excluding(&'v [u8]),
}

impl<'v> LexRange<'v> {
    pub(super) fn parse(min: &'v [u8], max: &'v [u8]) -> Result<Self, CommandError> {
        let bound = |text: &'v [u8]| match text {
            b"-" => Ok(LexBound::Lowest),
            b"+" => Ok(LexBound::Highest),
            [b'[', member @ ..] => Ok(LexBound::Including(member)),
            [b'(', member @ ..] => Ok(LexBound::Excluding(member)),
            _ => Err(CommandError::RANGE_NOT_LEX),
        };
        Ok(Self { min: bound(min)?, max: bound(max)? })
    }

    /// The ranks of the members in this range.
    pub(super) fn ranks(self, set: &SortedSet) -> Range<usize> {
        let start = set.partition(|_, member| match self.min {
            LexBound::Lowest => false,
            LexBound::Highest => true,
            LexBound::Including(min) => member < min,
            LexBound::Excluding(min) => member <= min,
        });
        let end = set.partition(|_, member| match self.max {
            LexBound::Lowest => false,
            LexBound::Highest => true,
            LexBound::Including(max) => member <= max,
            LexBound::Excluding(max) => member < max,
        });
        start..end.max(start)
    }
}

/// What a range is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Lex,
}

/// A range with its bounds read.
#[derive(Clone, Copy)]
enum Bounds<'v> {
    Rank(i64, i64),
    Score(ScoreRange),
    Lex(LexRange<'v>),
}

impl<'v> Bounds<'v> {
    fn parse(by: By, min: &'v [u8], max: &'v [u8]) -> Result<Self, CommandError> {
        let integer =
            |text| crate::protocol::number::parse_integer(text).ok_or(CommandError::NotInteger);
        Ok(match by {
            By::Rank => Self::Rank(integer(min)?, integer(max)?),
            By::Score => Self::Score(ScoreRange::parse(min, max)?),
            By::Lex => Self::Lex(LexRange::parse(min, max)?),
        })
    }

    /// The ranks of the members in this range; those of a rank range are seen from the end if `reverse`.
    fn ranks(self, set: &SortedSet, reverse: bool) -> Range<usize> {
        match self {
            Self::Score(range) => range.ranks(set),
            Self::Lex(range) => range.ranks(set),
            Self::Rank(start, stop) => {
                let Range { start, end } = index_range(start, stop, set.len());
                if reverse { set.len() - end..set.len() - start } else { start..end }
            }
        }
    }
}

/// A range command with its options.
struct Query<'v> {
    bounds: Bounds<'v>,
    reverse: bool,
    with_scores: bool,
    /// Members to skip, and to show at the most.
    limit: Option<(i64, i64)>,
}

impl<'v> Query<'v> {
    /// Reads bounds and options; what a command fixes is no option of it.
    fn parse(
        args: &mut Args<'v>,
        fixed: Option<(By, bool)>,
        stores: bool,
    ) -> Result<Self, CommandError> {
        let (min, max) = (args.bytes()?, args.bytes()?);
        let (mut by, mut reverse) = (fixed.map(|(by, _)| by), fixed.map(|(_, reverse)| reverse));
        let (mut with_scores, mut limit) = (false, None);
        while !args.is_empty() {
            if !stores && args.word("WITHSCORES") {
                with_scores = true;
            } else if args.len() >= 3 && args.word("LIMIT") {
                limit = Some((args.integer()?, args.integer()?));
            } else if reverse.is_none() && args.word("REV") {
                reverse = Some(true);
            } else if by.is_none() && args.word("BYLEX") {
                by = Some(By::Lex);
            } else if by.is_none() && args.word("BYSCORE") {
                by = Some(By::Score);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        let (by, reverse) = (by.unwrap_or(By::Rank), reverse.unwrap_or(false));
        // A count of -1 is no limit, even where none is allowed.
        if by == By::Rank && limit.is_some_and(|(_, count)| count != -1) {
            return Err(CommandError::LIMIT_OF_RANKS);
        }
        if by == By::Lex && with_scores {
            return Err(CommandError::WITHSCORES_BY_LEX);
        }
        let (min, max) = if reverse && by != By::Rank { (max, min) } else { (min, max) };
        let bounds = Bounds::parse(by, min, max)?;
        Ok(Self { bounds, reverse, with_scores, limit: limit.filter(|_| by != By::Rank) })
    }

    /// The ranks of the members to show, whichever end is shown first.
    fn ranks(&self, set: &SortedSet) -> Range<usize> {
        let Range { start, end } = self.bounds.ranks(set, self.reverse);
        let Some((offset, count)) = self.limit else { return start..end };
        let Ok(offset) = usize::try_from(offset) else { return 0..0 };
        let offset = offset.min(end - start);
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(end - start - offset);
        if self.reverse {
            end - offset - count..end - offset
        } else {
            start + offset..start + offset + count
        }
    }
}

fn show<'v>(view: &'v ReadView<'_>, key: Key<'v>, query: &Query<'v>) -> Outcome<'v> {
    let Some(set) = view.collection::<SortedSet>(key)? else { return Ok(Reply::Array(Vec::new())) };
    let Range { start, end } = query.ranks(set);
    let count = end - start;
    Ok(if query.reverse {
        scored_stream(set.iter_back_from(end), count, query.with_scores)
    } else {
        scored_stream(set.iter_from(start), count, query.with_scores)
    })
}

fn zrange<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, query) = (args.key()?, Query::parse(args, None, false)?);
    show(view, key, &query)
}

fn zrevrange<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, query) = (args.key()?, Query::parse(args, Some((By::Rank, true)), false)?);
    show(view, key, &query)
}

fn zrangebyscore<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, query) = (args.key()?, Query::parse(args, Some((By::Score, false)), false)?);
    show(view, key, &query)
}

fn zrevrangebyscore<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, query) = (args.key()?, Query::parse(args, Some((By::Score, true)), false)?);
    show(view, key, &query)
}

fn zrangebylex<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, query) = (args.key()?, Query::parse(args, Some((By::Lex, false)), false)?);
    show(view, key, &query)
}

fn zrevrangebylex<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, query) = (args.key()?, Query::parse(args, Some((By::Lex, true)), false)?);
    show(view, key, &query)
}

fn zrangestore<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (destination, source) = (args.key()?, args.key()?);
    let query = Query::parse(args, None, true)?;
    let limits = view.encoding_limits();
    let mut result = SortedSet::default();
    if let Some(set) = view.look_at::<SortedSet>(source)? {
        let Range { start, end } = query.ranks(set);
        for (member, score) in set.iter_from(start).take(end - start) {
            result.insert(&member, score, &limits);
        }
    }
    let length = result.len();
    view.store_collection(destination, result);
    Ok(Reply::count(length))
}

fn zremrangebyrank<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    remove(view, args, By::Rank)
}

fn zremrangebyscore<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    remove(view, args, By::Score)
}

fn zremrangebylex<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    remove(view, args, By::Lex)
}

fn remove<'v>(view: &mut WriteView<'_, '_>, args: &mut Args<'v>, by: By) -> Outcome<'v> {
    let (key, min, max) = (args.key()?, args.bytes()?, args.bytes()?);
    let bounds = Bounds::parse(by, min, max)?;
    let removed = view.change(key, |set: &mut SortedSet| {
        let ranks = bounds.ranks(set, false);
        let count = ranks.len();
        set.remove_ranks(ranks);
        Ok(Change::counted(count))
    })?;
    Ok(Reply::count(removed.unwrap_or(0)))
}
