//! Sorted set commands about members, scores and ranks.
//!
//! A sorted set exists exactly while it has members: the view removes one that a handler leaves empty.

use super::args::{Args, repeats};
use super::element::choose_positions;
use super::keys::{KeyFlags, Keys};
use super::scan::{Cursor, ScanOptions};
use super::sorted_set_range::{LexRange, ScoreRange};
use super::spec::{Arity, Flags, Handler, Spec};
use crate::error::CommandError;
use crate::keyspace::{Change, Key, ReadView, WriteView};
use crate::protocol::number::{format_double, parse_double};
use crate::protocol::{Outcome, Reply, Shape};
use crate::value::{EncodingLimits, SortedSet};
use std::borrow::Cow;

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "ZADD",
        arity: Arity::at_least(4),
        keys: Keys::one(1, KeyFlags::RW.and(KeyFlags::UPDATE)),
        handler: Handler::Write(zadd),
        flags: Flags::DENY_OOM.and(Flags::FAST),
        since: "1.2.0",
        summary: "Adds one or more members to a sorted set, or updates their scores. Creates the key if it doesn't exist.",
        syntax: "key condition=[NX|XX]@3.0.2 comparison=[GT|LT]@6.2.0 [change='CH'@3.0.2] [increment='INCR'@3.0.2] data=(score member)...",
        complexity: "O(log(N)) for each item added, where N is the number of elements in the sorted set.",
        history: &[
            ("2.4.0", "Accepts multiple elements."),
            ("3.0.2", "Added the `XX`, `NX`, `CH` and `INCR` options."),
            ("6.2.0", "Added the `GT` and `LT` options."),
        ],
        ..Spec::REST
    },
    Spec {
        name: "ZCARD",
        arity: Arity::exactly(2),
        keys: Keys::one(1, KeyFlags::RO),
        handler: Handler::Read(zcard),
        flags: Flags::FAST,
        since: "1.2.0",
        summary: "Returns the number of members in a sorted set.",
        syntax: "key",
        ..Spec::REST
    },
    Spec {
        name: "ZCOUNT",
        arity: Arity::exactly(4),
        keys: Keys::one(1, KeyFlags::RO.and(KeyFlags::ACCESS)),
        handler: Handler::Read(zcount),
        flags: Flags::FAST,
        since: "2.0.0",
        summary: "Returns the count of members in a sorted set that have scores within a range.",
        syntax: "key min:double max:double",
        complexity: "O(log(N)) with N being the number of elements in the sorted set.",
        ..Spec::REST
    },
    Spec {
        name: "ZINCRBY",
        arity: Arity::exactly(4),
        keys: Keys::one(1, KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::UPDATE)),
        handler: Handler::Write(zincrby),
        event: "zincr",
        flags: Flags::DENY_OOM.and(Flags::FAST),
        since: "1.2.0",
        summary: "Increments the score of a member in a sorted set.",
        syntax: "key increment member",
        complexity: "O(log(N)) where N is the number of elements in the sorted set.",
        ..Spec::REST
    },
    Spec {
        name: "ZLEXCOUNT",
        arity: Arity::exactly(4),
        keys: Keys::one(1, KeyFlags::RO.and(KeyFlags::ACCESS)),
        handler: Handler::Read(zlexcount),
        flags: Flags::FAST,
        since: "2.8.9",
        summary: "Returns the number of members in a sorted set within a lexicographical range.",
        syntax: "key min max",
        complexity: "O(log(N)) with N being the number of elements in the sorted set.",
        ..Spec::REST
    },
    Spec {
        name: "ZMSCORE",
        arity: Arity::at_least(3),
        keys: Keys::one(1, KeyFlags::RO.and(KeyFlags::ACCESS)),
        handler: Handler::Read(zmscore),
        flags: Flags::FAST,
        since: "6.2.0",
        summary: "Returns the score of one or more members in a sorted set.",
        syntax: "key member...",
        complexity: "O(N) where N is the number of members being requested.",
        ..Spec::REST
    },
    Spec {
        name: "ZRANK",
        arity: Arity::at_least(3),
        keys: Keys::one(1, KeyFlags::RO.and(KeyFlags::ACCESS)),
        handler: Handler::Read(zrank),
        flags: Flags::FAST,
        since: "2.0.0",
        summary: "Returns the index of a member in a sorted set ordered by ascending scores.",
        syntax: "key member [WITHSCORE]",
        complexity: "O(log(N))",
        history: &[("7.2.0", "Added the optional `WITHSCORE` argument.")],
        ..Spec::REST
    },
    Spec {
        name: "ZREVRANK",
        arity: Arity::at_least(3),
        keys: Keys::one(1, KeyFlags::RO.and(KeyFlags::ACCESS)),
        handler: Handler::Read(zrevrank),
        flags: Flags::FAST,
        since: "2.0.0",
        summary: "Returns the index of a member in a sorted set ordered by descending scores.",
        syntax: "key member [WITHSCORE]",
        complexity: "O(log(N))",
        history: &[("7.2.0", "Added the optional `WITHSCORE` argument.")],
        ..Spec::REST
    },
    Spec {
        name: "ZREM",
        arity: Arity::at_least(3),
        keys: Keys::one(1, KeyFlags::RW.and(KeyFlags::DELETE)),
        handler: Handler::Write(zrem),
        flags: Flags::FAST,
        since: "1.2.0",
        summary: "Removes one or more members from a sorted set. Deletes the sorted set if all members were removed.",
        syntax: "key member...",
        complexity: "O(M*log(N)) with N being the number of elements in the sorted set and M the number of elements to be removed.",
        history: &[("2.4.0", "Accepts multiple elements.")],
        ..Spec::REST
    },
    Spec {
        name: "ZSCORE",
        arity: Arity::exactly(3),
        keys: Keys::one(1, KeyFlags::RO.and(KeyFlags::ACCESS)),
        handler: Handler::Read(zscore),
        flags: Flags::FAST,
        since: "1.2.0",
        summary: "Returns the score of a member in a sorted set.",
        syntax: "key member",
        ..Spec::REST
    },
    Spec {
        name: "ZPOPMIN",
        arity: Arity::at_least(2),
        keys: Keys::one(1, KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::DELETE)),
        handler: Handler::Write(zpopmin),
        flags: Flags::FAST,
        since: "5.0.0",
        summary: "Returns the lowest-scoring members from a sorted set after removing them. Deletes the sorted set if the last member was popped.",
        syntax: "key [count]",
        complexity: "O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of elements popped.",
        ..Spec::REST
    },
    Spec {
        name: "ZPOPMAX",
        arity: Arity::at_least(2),
        keys: Keys::one(1, KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::DELETE)),
        handler: Handler::Write(zpopmax),
        flags: Flags::FAST,
        since: "5.0.0",
        summary: "Returns the highest-scoring members from a sorted set after removing them. Deletes the sorted set if the last member was popped.",
        syntax: "key [count]",
        complexity: "O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of elements popped.",
        ..Spec::REST
    },
    Spec {
        name: "ZMPOP",
        arity: Arity::at_least(4),
        keys: Keys::counted(1, KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::DELETE)),
        handler: Handler::Write(zmpop),
        since: "7.0.0",
        summary: "Returns the highest- or lowest-scoring members from one or more sorted sets after removing them. Deletes the sorted set if the last member was popped.",
        syntax: "numkeys key... where=(MIN|MAX) [COUNT count]",
        complexity: "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the sorted set, and M being the number of elements popped.",
        ..Spec::REST
    },
    Spec {
        name: "ZRANDMEMBER",
        arity: Arity::at_least(2),
        keys: Keys::one(1, KeyFlags::RO.and(KeyFlags::ACCESS)),
        handler: Handler::Read(zrandmember),
        since: "6.2.0",
        summary: "Returns one or more random members from a sorted set.",
        syntax: "key options=[count [WITHSCORES]]",
        complexity: "O(N) where N is the number of members returned",
        tips: &["nondeterministic_output"],
        ..Spec::REST
    },
    Spec {
        name: "ZSCAN",
        arity: Arity::at_least(3),
        keys: Keys::one(1, KeyFlags::RO.and(KeyFlags::ACCESS)),
        handler: Handler::Read(zscan),
        since: "2.8.0",
        summary: "Iterates over members and scores of a sorted set.",
        syntax: "key cursor [MATCH pattern] [COUNT count]",
        complexity: "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection.",
        tips: &["nondeterministic_output"],
        ..Spec::REST
    },
];

/// Which members ZADD changes, and what it answers.
#[derive(Clone, Copy, Default)]
pub(super) struct AddOptions {
    pub only_new: bool,
    pub only_known: bool,
    only_greater: bool,
    only_less: bool,
    pub count_changed: bool,
    increment: bool,
}

/// What became of one member.
enum Added {
    /// The options forbade a change.
    Refused,
    /// It was new.
    New(f64),
    /// It was there and has another score now.
    Moved(f64),
    /// It was there and had this score already.
    Same(f64),
}

impl AddOptions {
    fn parse(args: &mut Args<'_>) -> Self {
        let mut options = Self::default();
        loop {
            let slot = if args.word("NX") {
                &mut options.only_new
            } else if args.word("XX") {
                &mut options.only_known
            } else if args.word("CH") {
                &mut options.count_changed
            } else if args.word("INCR") {
                &mut options.increment
            } else if args.word("GT") {
                &mut options.only_greater
            } else if args.word("LT") {
                &mut options.only_less
            } else {
                return options;
            };
            *slot = true;
        }
    }

    fn check(self, pair_count: usize) -> Result<(), CommandError> {
        if self.only_new && self.only_known {
            return Err(CommandError::XX_AND_NX);
        }
        let conditions = [self.only_greater, self.only_less, self.only_new];
        if conditions.into_iter().filter(|condition| *condition).count() > 1 {
            return Err(CommandError::GT_LT_AND_NX);
        }
        if self.increment && pair_count > 1 {
            return Err(CommandError::INCR_OF_SEVERAL);
        }
        Ok(())
    }

    fn add(
        self,
        set: &mut SortedSet,
        score: f64,
        member: &[u8],
        limits: &EncodingLimits,
    ) -> Result<Added, CommandError> {
        let Some(former) = set.score(member) else {
            if self.only_known {
                return Ok(Added::Refused);
            }
            set.insert(member, score, limits);
            return Ok(Added::New(score));
        };
        if self.only_new {
            return Ok(Added::Refused);
        }
        let score = if self.increment { former + score } else { score };
        if score.is_nan() {
            return Err(CommandError::SCORE_NOT_A_NUMBER);
        }
        if (self.only_less && score >= former) || (self.only_greater && score <= former) {
            return Ok(Added::Refused);
        }
        if score == former {
            return Ok(Added::Same(score));
        }
        set.insert(member, score, limits);
        Ok(Added::Moved(score))
    }

    /// Adds members with their scores, which are no NaN, and answers as ZADD does.
    pub fn add_all<'v>(
        self,
        view: &mut WriteView<'_, '_>,
        key: Key<'v>,
        pairs: &[(f64, &[u8])],
    ) -> Outcome<'v> {
        view.expect_type::<SortedSet>(key)?;
        if self.increment {
            view.call_changes("zincr");
        }
        let limits = view.encoding_limits();
        let first = pairs.first().map_or(&b""[..], |(_, member)| member);
        let make = || SortedSet::for_member(first, &limits);
        let (new, moved, last) = view.change_or_make(key, make, |set| {
            let (mut new, mut moved, mut last) = (0, 0, None);
            for (score, member) in pairs {
                last = match self.add(set, *score, member, &limits)? {
                    Added::Refused => None,
                    Added::Same(score) => Some(score),
                    Added::New(score) => {
                        new += 1;
                        Some(score)
                    }
                    Added::Moved(score) => {
                        moved += 1;
                        Some(score)
                    }
                };
            }
            Ok(Change::of(new + moved, (new, moved, last)))
        })?;
        Ok(if self.increment {
            last.map_or(Reply::Null, Reply::Double)
        } else {
            Reply::count(if self.count_changed { new + moved } else { new })
        })
    }
}

fn zadd<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let key = args.key()?;
    let options = AddOptions::parse(args);
    add(view, key, options, args)
}

fn zincrby<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let key = args.key()?;
    add(view, key, AddOptions { increment: true, ..AddOptions::default() }, args)
}

fn add<'v>(
    view: &mut WriteView<'_, '_>,
    key: Key<'v>,
    options: AddOptions,
    args: &mut Args<'v>,
) -> Outcome<'v> {
    let rest = args.rest();
    if rest.len() == 0 || !rest.len().is_multiple_of(2) {
        return Err(CommandError::Syntax);
    }
    options.check(rest.len() / 2)?;
    let mut words = rest.clone();
    let mut pairs = Vec::with_capacity(rest.len() / 2);
    while let (Some(score), Some(member)) = (words.next(), words.next()) {
        pairs.push((parse_double(score).ok_or(CommandError::NotFloat)?, member));
    }
    options.add_all(view, key, &pairs)
}

fn zrem<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, members) = (args.key()?, args.rest());
    let removed = view.change(key, |set: &mut SortedSet| {
        Ok(Change::counted(members.filter(|member| set.remove(member).is_some()).count()))
    })?;
    Ok(Reply::count(removed.unwrap_or(0)))
}

fn zcard<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let set = view.collection::<SortedSet>(args.key()?)?;
    Ok(Reply::count(set.map_or(0, SortedSet::len)))
}

fn zscore<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, member) = (args.key()?, args.bytes()?);
    let set = view.collection::<SortedSet>(key)?;
    Ok(set.and_then(|set| set.score(member)).map_or(Reply::Null, Reply::Double))
}

fn zmscore<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, members) = (args.key()?, args.rest());
    let set = view.collection::<SortedSet>(key)?;
    let score = |member: &[u8]| set.and_then(|set| set.score(member));
    Ok(Reply::Array(
        members.map(|member| score(member).map_or(Reply::Null, Reply::Double)).collect(),
    ))
}

fn zrank<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    rank(view, args, "zrank", |_, rank| rank)
}

fn zrevrank<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    rank(view, args, "zrevrank", |length, rank| length - 1 - rank)
}

fn rank<'v>(
    view: &'v ReadView<'_>,
    args: &mut Args<'v>,
    name: &'static str,
    seen_from: fn(usize, usize) -> usize,
) -> Outcome<'v> {
    let (key, member) = (args.key()?, args.bytes()?);
    if args.len() > 1 {
        return Err(CommandError::Arity(name.into()));
    }
    let with_score = args.word("WITHSCORE");
    args.end()?;
    let set = view.collection::<SortedSet>(key)?;
    let found =
        set.and_then(|set| Some((seen_from(set.len(), set.rank(member)?), set.score(member)?)));
    Ok(match (found, with_score) {
        (None, false) => Reply::Null,
        (None, true) => Reply::NullArray,
        (Some((rank, _)), false) => Reply::count(rank),
        (Some((rank, score)), true) => Reply::Array(vec![Reply::count(rank), Reply::Double(score)]),
    })
}

fn zcount<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, min, max) = (args.key()?, args.bytes()?, args.bytes()?);
    let range = ScoreRange::parse(min, max)?;
    let set = view.collection::<SortedSet>(key)?;
    Ok(Reply::count(set.map_or(0, |set| range.ranks(set).len())))
}

fn zlexcount<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, min, max) = (args.key()?, args.bytes()?, args.bytes()?);
    let range = LexRange::parse(min, max)?;
    let set = view.collection::<SortedSet>(key)?;
    Ok(Reply::count(set.map_or(0, |set| range.ranks(set).len())))
}

/// Which end is popped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Extreme {
    Min,
    Max,
}

impl Extreme {
    fn parse(args: &mut Args<'_>) -> Result<Self, CommandError> {
        if args.word("MIN") {
            Ok(Self::Min)
        } else if args.word("MAX") {
            Ok(Self::Max)
        } else {
            Err(CommandError::Syntax)
        }
    }
}

/// Takes members away from one end.
pub(super) fn pop(set: &mut SortedSet, end: Extreme, count: usize) -> Vec<(Vec<u8>, f64)> {
    let (length, count) = (set.len(), count.min(set.len()));
    let own = |(member, score): (Cow<'_, [u8]>, f64)| (member.into_owned(), score);
    let popped = match end {
        Extreme::Min => set.iter_from(0).take(count).map(own).collect(),
        Extreme::Max => set.iter_back_from(length).take(count).map(own).collect(),
    };
    set.remove_ranks(match end {
        Extreme::Min => 0..count,
        Extreme::Max => length - count..length,
    });
    popped
}

fn zpopmin<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    pop_one_key(view, args, Extreme::Min)
}

fn zpopmax<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    pop_one_key(view, args, Extreme::Max)
}

fn pop_one_key<'v>(view: &mut WriteView<'_, '_>, args: &mut Args<'v>, end: Extreme) -> Outcome<'v> {
    let key = args.key()?;
    if args.len() > 1 {
        return Err(CommandError::Syntax);
    }
    let count = if args.is_empty() { None } else { Some(args.count()?) };
    view.expect_type::<SortedSet>(key)?;
    if count == Some(0) {
        return Ok(Reply::Array(Vec::new()));
    }
    let popped = view.change(key, |set: &mut SortedSet| {
        let popped = pop(set, end, count.unwrap_or(1));
        Ok(Change::of(popped.len(), popped))
    })?;
    let pairs = popped.unwrap_or_default().into_iter();
    let pairs = pairs.map(|(member, score)| (Reply::bulk(member), Reply::Double(score)));
    Ok(match count {
        // A single one is flat in both protocols.
        None => Reply::Array(pairs.flat_map(|(member, score)| [member, score]).collect()),
        Some(_) => Reply::Pairs(pairs.collect()),
    })
}

fn zmpop<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    Ok(pop_several(view, args)?.unwrap_or(Reply::NullArray))
}

/// Takes members off the first of several sorted sets that is there; `None` if none is.
pub(super) fn pop_several<'v>(
    view: &mut WriteView<'_, '_>,
    args: &mut Args<'v>,
) -> Result<Option<Reply<'v>>, CommandError> {
    let (keys, end, count) = args.multi_pop(Extreme::parse)?;
    view.call_changes(if end == Extreme::Min { "zpopmin" } else { "zpopmax" });
    for key in keys {
        let popped = view.change(key, |set: &mut SortedSet| {
            let popped = pop(set, end, count);
            Ok(Change::of(popped.len(), popped))
        })?;
        if let Some(popped) = popped {
            let pair =
                |(member, score)| Reply::Array(vec![Reply::bulk(member), Reply::Double(score)]);
            let pairs = Reply::Array(popped.into_iter().map(pair).collect());
            return Ok(Some(Reply::Array(vec![Reply::bulk(key.bytes), pairs])));
        }
    }
    Ok(None)
}

fn zrandmember<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let key = args.key()?;
    let mut rng = view.rng();
    if args.is_empty() {
        let set = view.collection::<SortedSet>(key)?;
        let member = set.and_then(|set| set.at(rng.usize(..set.len())));
        return Ok(member.map_or(Reply::Null, |(member, _)| Reply::Bulk(member)));
    }
    let count = args.signed_count()?;
    let with_scores = args.word("WITHSCORES");
    args.end()?;
    if with_scores && !(-i64::MAX / 2..=i64::MAX / 2).contains(&count) {
        return Err(CommandError::OUT_OF_RANGE);
    }
    let Some(set) = view.collection::<SortedSet>(key)? else { return Ok(Reply::Array(Vec::new())) };
    let length = set.len();
    let (ranks, shown): (Box<dyn Iterator<Item = usize>>, usize) = if count < 0 {
        let repeats = repeats(count);
        (Box::new((0..repeats).map(move |_| rng.usize(..length))), repeats)
    } else {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        if count >= length {
            (Box::new(0..length), length)
        } else {
            (Box::new(choose_positions(&mut rng, length, count).into_iter()), count)
        }
    };
    Ok(scored_stream(ranks.filter_map(|rank| set.at(rank)), shown, with_scores))
}

/// Members, with their scores if these are asked for, as a reply that is made while it is written.
pub(super) fn scored_stream<'v>(
    members: impl Iterator<Item = (Cow<'v, [u8]>, f64)> + 'v,
    count: usize,
    with_scores: bool,
) -> Reply<'v> {
    if with_scores {
        let items = members.flat_map(|(member, score)| [Reply::Bulk(member), Reply::Double(score)]);
        Reply::stream(Shape::Pairs, 2 * count, items)
    } else {
        Reply::stream(Shape::Array, count, members.map(|(member, _)| Reply::Bulk(member)))
    }
}

fn zscan<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, cursor) = (args.key()?, Cursor::parse(args)?);
    let Some(set) = view.collection::<SortedSet>(key)? else {
        return Ok(Cursor::END.reply(Vec::new()));
    };
    let options = ScanOptions::for_members(args)?;
    let mut shown = Vec::new();
    let next = set.scan(cursor.0, options.count, |member, score| {
        if options.matches(member) {
            // Strings in both protocols.
            shown.extend([Reply::bulk(member.to_vec()), Reply::text(format_double(score))]);
        }
    });
    Ok(Cursor(next).reply(shown))
}
