//! Unions, intersections and differences of sorted sets; plain sets take part with a score of 1.

use super::args::Args;
use super::keys::{KeyFlags, KeySpec, Keys};
use super::sorted_set::scored_stream;
use super::spec::{Arity, Flags, Handler, Spec};
use crate::error::CommandError;
use crate::keyspace::{Key, ReadView, WriteView};
use crate::protocol::{Outcome, Reply};
use crate::value::{EncodingLimits, SetRef, SortedSet, ValueRef};
use std::borrow::Cow;
use std::collections::HashMap;

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "ZUNION",
        arity: Arity::at_least(3),
        keys: Keys::counted(1, KeyFlags::RO.and(KeyFlags::ACCESS)),
        handler: Handler::Read(zunion),
        since: "6.2.0",
        summary: "Returns the union of multiple sorted sets.",
        syntax: "numkeys key... [WEIGHTS weight:integer...] [AGGREGATE aggregate=(SUM|MIN|MAX)] [WITHSCORES]",
        complexity: "O(N)+O(M*log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of elements in the resulting sorted set.",
        ..Spec::REST
    },
    Spec {
        name: "ZINTER",
        arity: Arity::at_least(3),
        keys: Keys::counted(1, KeyFlags::RO.and(KeyFlags::ACCESS)),
        handler: Handler::Read(zinter),
        since: "6.2.0",
        summary: "Returns the intersect of multiple sorted sets.",
        syntax: "numkeys key... [WEIGHTS weight:integer...] [AGGREGATE aggregate=(SUM|MIN|MAX)] [WITHSCORES]",
        complexity: "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of input sorted sets and M being the number of elements in the resulting sorted set.",
        ..Spec::REST
    },
    Spec {
        name: "ZDIFF",
        arity: Arity::at_least(3),
        keys: Keys::counted(1, KeyFlags::RO.and(KeyFlags::ACCESS)),
        handler: Handler::Read(zdiff),
        since: "6.2.0",
        summary: "Returns the difference between multiple sorted sets.",
        syntax: "numkeys key... [WITHSCORES]",
        complexity: "O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the size of the first set, and K is the size of the result set.",
        ..Spec::REST
    },
    Spec {
        name: "ZUNIONSTORE",
        arity: Arity::at_least(4),
        keys: Keys::Specs(&[
            KeySpec::one(1, KeyFlags::OW.and(KeyFlags::UPDATE)),
            KeySpec::counted(2, KeyFlags::RO.and(KeyFlags::ACCESS)),
        ]),
        handler: Handler::Write(zunionstore),
        flags: Flags::DENY_OOM,
        since: "2.0.0",
        summary: "Stores the union of multiple sorted sets in a key.",
        syntax: "destination:key numkeys key... [WEIGHTS weight:integer...] [AGGREGATE aggregate=(SUM|MIN|MAX)]",
        complexity: "O(N)+O(M log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of elements in the resulting sorted set.",
        ..Spec::REST
    },
    Spec {
        name: "ZINTERSTORE",
        arity: Arity::at_least(4),
        keys: Keys::Specs(&[
            KeySpec::one(1, KeyFlags::OW.and(KeyFlags::UPDATE)),
            KeySpec::counted(2, KeyFlags::RO.and(KeyFlags::ACCESS)),
        ]),
        handler: Handler::Write(zinterstore),
        flags: Flags::DENY_OOM,
        since: "2.0.0",
        summary: "Stores the intersect of multiple sorted sets in a key.",
        syntax: "destination:key numkeys key... [WEIGHTS weight:integer...] [AGGREGATE aggregate=(SUM|MIN|MAX)]",
        complexity: "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of input sorted sets and M being the number of elements in the resulting sorted set.",
        ..Spec::REST
    },
    Spec {
        name: "ZDIFFSTORE",
        arity: Arity::at_least(4),
        keys: Keys::Specs(&[
            KeySpec::one(1, KeyFlags::OW.and(KeyFlags::UPDATE)),
            KeySpec::counted(2, KeyFlags::RO.and(KeyFlags::ACCESS)),
        ]),
        handler: Handler::Write(zdiffstore),
        flags: Flags::DENY_OOM,
        since: "6.2.0",
        summary: "Stores the difference of multiple sorted sets in a key.",
        syntax: "destination:key numkeys key...",
        complexity: "O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the size of the first set, and K is the size of the result set.",
        ..Spec::REST
    },
    Spec {
        name: "ZINTERCARD",
        arity: Arity::at_least(3),
        keys: Keys::counted(1, KeyFlags::RO.and(KeyFlags::ACCESS)),
        handler: Handler::Read(zintercard),
        since: "7.0.0",
        summary: "Returns the number of members of the intersect of multiple sorted sets.",
        syntax: "numkeys key... [LIMIT limit]",
        complexity: "O(N*K) worst case with N being the smallest input sorted set, K being the number of input sorted sets.",
        ..Spec::REST
    },
];

/// What takes part in an operation.
#[derive(Clone, Copy)]
enum Operand<'a> {
    Missing,
    Plain(SetRef<'a>),
    Scored(&'a SortedSet),
}

impl<'a> Operand<'a> {
    fn new(value: Option<ValueRef<'a>>) -> Result<Self, CommandError> {
        match value {
            None => Ok(Self::Missing),
            Some(ValueRef::Set(set)) => Ok(Self::Plain(set)),
            Some(ValueRef::SortedSet(set)) => Ok(Self::Scored(set)),
            Some(_) => Err(CommandError::WrongType),
        }
    }

    fn len(self) -> usize {
        match self {
            Self::Missing => 0,
            Self::Plain(set) => set.len(),
            Self::Scored(set) => set.len(),
        }
    }

    fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Self::Missing => None,
            Self::Plain(set) => set.contains(member).then_some(1.0),
            Self::Scored(set) => set.score(member),
        }
    }

    fn iter(self) -> impl Iterator<Item = (Cow<'a, [u8]>, f64)> {
        let (plain, scored) = match self {
            Self::Missing => (None, None),
            Self::Plain(set) => (Some(set), None),
            Self::Scored(set) => (None, Some(set)),
        };
        let plain =
            plain.into_iter().flat_map(|set| set.iter().map(|member| (member.bytes(), 1.0)));
        plain.chain(scored.into_iter().flat_map(|set| set.iter_from(0)))
    }
}

/// How the scores of one member become one.
#[derive(Clone, Copy)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn join(self, a: f64, b: f64) -> f64 {
        match self {
            // Infinities of both signs make no number, and count as none.
            Self::Sum => number_or_zero(a + b),
            Self::Min => a.min(b),
            Self::Max => a.max(b),
        }
    }
}

fn number_or_zero(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Union,
    Inter,
    Diff,
}

/// An operation with its operands' keys.
struct Call<'v> {
    operation: Operation,
    keys: Vec<Key<'v>>,
}

/// The options behind the keys.
struct Options {
    weights: Vec<f64>,
    aggregate: Aggregate,
    with_scores: bool,
}

impl<'v> Call<'v> {
    fn parse(operation: Operation, name: &str, args: &mut Args<'v>) -> Result<Self, CommandError> {
        let count = args.integer()?;
        if count < 1 {
            return Err(CommandError::no_input_keys(name));
        }
        let count = usize::try_from(count).ok().filter(|count| *count <= args.len());
        let count = count.ok_or(CommandError::Syntax)?;
        let keys = (0..count).map(|_| args.key()).collect::<Result<_, _>>()?;
        Ok(Self { operation, keys })
    }

    /// Options come behind the keys' types, as Redis looks at them.
    fn options(&self, args: &mut Args<'v>, stores: bool) -> Result<Options, CommandError> {
        let count = self.keys.len();
        let mut options =
            Options { weights: vec![1.0; count], aggregate: Aggregate::Sum, with_scores: false };
        let joins = self.operation != Operation::Diff;
        while !args.is_empty() {
            if joins && args.len() > count && args.word("WEIGHTS") {
                for weight in &mut options.weights {
                    *weight = args.double().map_err(|_| CommandError::WEIGHT_NOT_FLOAT)?;
                }
            } else if joins && args.len() >= 2 && args.word("AGGREGATE") {
                options.aggregate = if args.word("SUM") {
                    Aggregate::Sum
                } else if args.word("MIN") {
                    Aggregate::Min
                } else if args.word("MAX") {
                    Aggregate::Max
                } else {
                    return Err(CommandError::Syntax);
                };
            } else if !stores && args.word("WITHSCORES") {
                options.with_scores = true;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }

    /// The result, not settled in an encoding yet, and the length of its longest member.
    fn run(
        &self,
        operands: Vec<Operand<'_>>,
        options: &Options,
        limits: &EncodingLimits,
    ) -> (SortedSet, usize) {
        let mut weighted: Vec<_> =
            operands.into_iter().zip(options.weights.iter().copied()).collect();
        if self.operation != Operation::Diff {
            // Smallest first: an intersection is bounded by it, and sums of doubles depend on the order.
            weighted.sort_by_key(|(operand, _)| operand.len());
        }
        let scores = match self.operation {
            Operation::Union => union(&weighted, options.aggregate),
            Operation::Inter => intersection(&weighted, options.aggregate),
            Operation::Diff => difference(&weighted),
        };
        let longest = scores.iter().map(|(member, _)| member.len()).max().unwrap_or(0);
        let mut result = SortedSet::ranked();
        for (member, score) in scores {
            result.insert(&member, score, limits);
        }
        (result, longest)
    }
}

type Weighted<'a> = (Operand<'a>, f64);
type Scores<'a> = Vec<(Cow<'a, [u8]>, f64)>;

fn union<'a>(operands: &[Weighted<'a>], aggregate: Aggregate) -> Scores<'a> {
    let mut scores: HashMap<Cow<'a, [u8]>, f64> = HashMap::new();
    for (operand, weight) in operands {
        for (member, score) in operand.iter() {
            let score = number_or_zero(weight * score);
            let joined = |former: &mut f64| *former = aggregate.join(*former, score);
            scores.entry(member).and_modify(joined).or_insert(score);
        }
    }
    scores.into_iter().collect()
}

fn intersection<'a>(operands: &[Weighted<'a>], aggregate: Aggregate) -> Scores<'a> {
    let Some(((smallest, weight), others)) = operands.split_first() else { return Vec::new() };
    let joined = |(member, score): (Cow<'a, [u8]>, f64)| {
        let mut score = number_or_zero(weight * score);
        for (operand, weight) in others {
            score = aggregate.join(score, weight * operand.score(&member)?);
        }
        Some((member, score))
    };
    smallest.iter().filter_map(joined).collect()
}

fn difference<'a>(operands: &[Weighted<'a>]) -> Scores<'a> {
    let Some(((first, _), others)) = operands.split_first() else { return Vec::new() };
    // Looking every member up in the others is cheap unless these are many and small.
    let lookups = first.len().saturating_mul(others.len()) / 2;
    if lookups <= first.len() + others.iter().map(|(other, _)| other.len()).sum::<usize>() {
        let stays = |(member, _): &(Cow<'a, [u8]>, f64)| {
            !others.iter().any(|(other, _)| other.score(member).is_some())
        };
        return first.iter().filter(stays).collect();
    }
    let mut left: HashMap<Cow<'a, [u8]>, f64> = first.iter().collect();
    for (member, _) in others.iter().flat_map(|(other, _)| other.iter()) {
        left.remove(&member);
    }
    left.into_iter().collect()
}

fn zunion<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    show(view, args, Operation::Union, "zunion")
}

fn zinter<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    show(view, args, Operation::Inter, "zinter")
}

fn zdiff<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    show(view, args, Operation::Diff, "zdiff")
}

fn show<'v>(
    view: &'v ReadView<'_>,
    args: &mut Args<'v>,
    operation: Operation,
    name: &str,
) -> Outcome<'v> {
    let call = Call::parse(operation, name, args)?;
    let operands = read_operands(view, &call.keys)?;
    let options = call.options(args, false)?;
    let (result, _) = call.run(operands, &options, &view.encoding_limits());
    // The result is not in the view, so its members are given away.
    let members: Vec<_> = result
        .iter_from(0)
        .map(|(member, score)| (Cow::Owned(member.into_owned()), score))
        .collect();
    let count = members.len();
    Ok(scored_stream(members.into_iter(), count, options.with_scores))
}

fn read_operands<'v>(
    view: &'v ReadView<'_>,
    keys: &[Key<'v>],
) -> Result<Vec<Operand<'v>>, CommandError> {
    keys.iter().map(|key| Operand::new(view.get(*key))).collect()
}

fn zunionstore<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    store(view, args, Operation::Union, "zunionstore")
}

fn zinterstore<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    store(view, args, Operation::Inter, "zinterstore")
}

fn zdiffstore<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    store(view, args, Operation::Diff, "zdiffstore")
}

fn store<'v>(
    view: &mut WriteView<'_, '_>,
    args: &mut Args<'v>,
    operation: Operation,
    name: &str,
) -> Outcome<'v> {
    let destination = args.key()?;
    let call = Call::parse(operation, name, args)?;
    let stored = |key: &Key<'v>| Operand::new(view.entry(*key).map(|entry| entry.value()));
    let operands = call.keys.iter().map(stored).collect::<Result<_, _>>()?;
    let options = call.options(args, true)?;
    let limits = view.encoding_limits();
    let (mut result, longest) = call.run(operands, &options, &limits);
    result.settle(longest, &limits);
    let length = result.len();
    view.store_collection(destination, result);
    Ok(Reply::count(length))
}

fn zintercard<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let call = Call::parse(Operation::Inter, "zintercard", args)?;
    let mut operands = read_operands(view, &call.keys)?;
    let mut limit = 0;
    while !args.is_empty() {
        if args.len() < 2 || !args.word("LIMIT") {
            return Err(CommandError::Syntax);
        }
        limit = args.count().map_err(|_| CommandError::NEGATIVE_LIMIT)?;
    }
    operands.sort_by_key(|operand| operand.len());
    let Some((smallest, others)) = operands.split_first() else { return Ok(Reply::Int(0)) };
    let common = smallest
        .iter()
        .filter(|(member, _)| others.iter().all(|other| other.score(member).is_some()));
    Ok(Reply::count(common.take(if limit == 0 { usize::MAX } else { limit }).count()))
}
