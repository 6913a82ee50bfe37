//! Set commands.
//!
//! A set exists exactly while it has members: the view removes one that a handler leaves empty.

use super::args::{Args, repeats};
use super::element::{choose_positions, reply};
use super::keys::{KeyFlags, KeySpec, Keys};
use super::scan::{Cursor, ScanOptions};
use super::spec::{Arity, Flags, Handler, Spec};
use crate::error::CommandError;
use crate::keyspace::{Change, Key, ReadView, WriteView};
use crate::protocol::{Outcome, Reply, Shape};
use crate::value::{Element, EncodingLimits, Set, SetRef};

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "SADD",
        arity: Arity::at_least(3),
        keys: Keys::one(1, KeyFlags::RW.and(KeyFlags::INSERT)),
        handler: Handler::Write(sadd),
        flags: Flags::DENY_OOM.and(Flags::FAST),
        summary: "Adds one or more members to a set. Creates the key if it doesn't exist.",
        syntax: "key member...",
        complexity: "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.",
        history: &[("2.4.0", "Accepts multiple `member` arguments.")],
        ..Spec::REST
    },
    Spec {
        name: "SCARD",
        arity: Arity::exactly(2),
        keys: Keys::one(1, KeyFlags::RO),
        handler: Handler::Read(scard),
        flags: Flags::FAST,
        summary: "Returns the number of members in a set.",
        syntax: "key",
        ..Spec::REST
    },
    Spec {
        name: "SDIFF",
        arity: Arity::at_least(2),
        keys: Keys::range(1, -1, 1, KeyFlags::RO.and(KeyFlags::ACCESS)),
        handler: Handler::Read(sdiff),
        summary: "Returns the difference of multiple sets.",
        syntax: "key...",
        complexity: "O(N) where N is the total number of elements in all given sets.",
        tips: &["nondeterministic_output_order"],
        ..Spec::REST
    },
    Spec {
        name: "SDIFFSTORE",
        arity: Arity::at_least(3),
        keys: Keys::Specs(&[
            KeySpec::one(1, KeyFlags::OW.and(KeyFlags::UPDATE)),
            KeySpec::range(2, -1, 1, KeyFlags::RO.and(KeyFlags::ACCESS)),
        ]),
        handler: Handler::Write(sdiffstore),
        flags: Flags::DENY_OOM,
        summary: "Stores the difference of multiple sets in a key.",
        syntax: "destination:key key...",
        complexity: "O(N) where N is the total number of elements in all given sets.",
        ..Spec::REST
    },
    Spec {
        name: "SINTER",
        arity: Arity::at_least(2),
        keys: Keys::range(1, -1, 1, KeyFlags::RO.and(KeyFlags::ACCESS)),
        handler: Handler::Read(sinter),
        summary: "Returns the intersect of multiple sets.",
        syntax: "key...",
        complexity: "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
        tips: &["nondeterministic_output_order"],
        ..Spec::REST
    },
    Spec {
        name: "SINTERCARD",
        arity: Arity::at_least(3),
        keys: Keys::counted(1, KeyFlags::RO.and(KeyFlags::ACCESS)),
        handler: Handler::Read(sintercard),
        since: "7.0.0",
        summary: "Returns the number of members of the intersect of multiple sets.",
        syntax: "numkeys key... [LIMIT limit:integer]",
        complexity: "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
        ..Spec::REST
    },
    Spec {
        name: "SINTERSTORE",
        arity: Arity::at_least(3),
        keys: Keys::Specs(&[
            KeySpec::one(1, KeyFlags::OW.and(KeyFlags::UPDATE)),
            KeySpec::range(2, -1, 1, KeyFlags::RO.and(KeyFlags::ACCESS)),
        ]),
        handler: Handler::Write(sinterstore),
        flags: Flags::DENY_OOM,
        summary: "Stores the intersect of multiple sets in a key.",
        syntax: "destination:key key...",
        complexity: "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
        ..Spec::REST
    },
    Spec {
        name: "SISMEMBER",
        arity: Arity::exactly(3),
        keys: Keys::one(1, KeyFlags::RO),
        handler: Handler::Read(sismember),
        flags: Flags::FAST,
        summary: "Determines whether a member belongs to a set.",
        syntax: "key member",
        ..Spec::REST
    },
    Spec {
        name: "SMEMBERS",
        arity: Arity::exactly(2),
        keys: Keys::one(1, KeyFlags::RO.and(KeyFlags::ACCESS)),
        handler: Handler::Read(smembers),
        summary: "Returns all members of a set.",
        syntax: "key",
        complexity: "O(N) where N is the set cardinality.",
        tips: &["nondeterministic_output_order"],
        ..Spec::REST
    },
    Spec {
        name: "SMISMEMBER",
        arity: Arity::at_least(3),
        keys: Keys::one(1, KeyFlags::RO.and(KeyFlags::ACCESS)),
        handler: Handler::Read(smismember),
        flags: Flags::FAST,
        since: "6.2.0",
        summary: "Determines whether multiple members belong to a set.",
        syntax: "key member...",
        complexity: "O(N) where N is the number of elements being checked for membership",
        ..Spec::REST
    },
    Spec {
        name: "SMOVE",
        arity: Arity::exactly(4),
        keys: Keys::Specs(&[
            KeySpec::one(1, KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::DELETE)),
            KeySpec::one(2, KeyFlags::RW.and(KeyFlags::INSERT)),
        ]),
        handler: Handler::Write(smove),
        flags: Flags::FAST,
        summary: "Moves a member from one set to another.",
        syntax: "source:key destination:key member",
        ..Spec::REST
    },
    Spec {
        name: "SPOP",
        arity: Arity::at_least(2),
        keys: Keys::one(1, KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::DELETE)),
        handler: Handler::Write(spop),
        flags: Flags::FAST,
        summary: "Returns one or more random members from a set after removing them. Deletes the set if the last member was popped.",
        syntax: "key [count@3.2.0]",
        complexity: "Without the count argument O(1), otherwise O(N) where N is the value of the passed count.",
        history: &[("3.2.0", "Added the `count` argument.")],
        tips: &["nondeterministic_output"],
        ..Spec::REST
    },
    Spec {
        name: "SRANDMEMBER",
        arity: Arity::at_least(2),
        keys: Keys::one(1, KeyFlags::RO.and(KeyFlags::ACCESS)),
        handler: Handler::Read(srandmember),
        summary: "Get one or multiple random members from a set",
        syntax: "key [count@2.6.0]",
        complexity: "Without the count argument O(1), otherwise O(N) where N is the absolute value of the passed count.",
        history: &[("2.6.0", "Added the optional `count` argument.")],
        tips: &["nondeterministic_output"],
        ..Spec::REST
    },
    Spec {
        name: "SREM",
        arity: Arity::at_least(3),
        keys: Keys::one(1, KeyFlags::RW.and(KeyFlags::DELETE)),
        handler: Handler::Write(srem),
        flags: Flags::FAST,
        summary: "Removes one or more members from a set. Deletes the set if the last member was removed.",
        syntax: "key member...",
        complexity: "O(N) where N is the number of members to be removed.",
        history: &[("2.4.0", "Accepts multiple `member` arguments.")],
        ..Spec::REST
    },
    Spec {
        name: "SSCAN",
        arity: Arity::at_least(3),
        keys: Keys::one(1, KeyFlags::RO.and(KeyFlags::ACCESS)),
        handler: Handler::Read(sscan),
        since: "2.8.0",
        summary: "Iterates over members of a set.",
        syntax: "key cursor [MATCH pattern] [COUNT count]",
        complexity: "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection.",
        tips: &["nondeterministic_output"],
        ..Spec::REST
    },
    Spec {
        name: "SUNION",
        arity: Arity::at_least(2),
        keys: Keys::range(1, -1, 1, KeyFlags::RO.and(KeyFlags::ACCESS)),
        handler: Handler::Read(sunion),
        summary: "Returns the union of multiple sets.",
        syntax: "key...",
        complexity: "O(N) where N is the total number of elements in all given sets.",
        tips: &["nondeterministic_output_order"],
        ..Spec::REST
    },
    Spec {
        name: "SUNIONSTORE",
        arity: Arity::at_least(3),
        keys: Keys::Specs(&[
            KeySpec::one(1, KeyFlags::OW.and(KeyFlags::UPDATE)),
            KeySpec::range(2, -1, 1, KeyFlags::RO.and(KeyFlags::ACCESS)),
        ]),
        handler: Handler::Write(sunionstore),
        flags: Flags::DENY_OOM,
        summary: "Stores the union of multiple sets in a key.",
        syntax: "destination:key key...",
        complexity: "O(N) where N is the total number of elements in all given sets.",
        ..Spec::REST
    },
];

fn all(set: SetRef<'_>) -> Reply<'_> {
    Reply::Stream(Shape::Set, Box::new(set.iter().map(reply)))
}

fn empty_set<'v>() -> Reply<'v> {
    Reply::Set(Vec::new())
}

fn sadd<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, members) = (args.key()?, args.rest());
    let limits = view.encoding_limits();
    let make = || Set::for_member(members.clone().next().unwrap_or_default(), &limits);
    let added = view.change_or_make(key, make, |set| {
        let added = members.clone().filter(|member| set.insert(member, &limits)).count();
        Ok(Change::counted(added))
    })?;
    Ok(Reply::count(added))
}

fn srem<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, members) = (args.key()?, args.rest());
    let removed = view.change(key, |set: &mut Set| {
        Ok(Change::counted(members.filter(|member| set.remove(member)).count()))
    })?;
    Ok(Reply::count(removed.unwrap_or(0)))
}

fn scard<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let set = view.collection::<Set>(args.key()?)?;
    Ok(Reply::count(set.map_or(0, SetRef::len)))
}

fn sismember<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, member) = (args.key()?, args.bytes()?);
    let set = view.collection::<Set>(key)?;
    Ok(Reply::flag(set.is_some_and(|set| set.contains(member))))
}

fn smismember<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, members) = (args.key()?, args.rest());
    let set = view.collection::<Set>(key)?;
    let is_member = |member: &[u8]| Reply::flag(set.is_some_and(|set| set.contains(member)));
    Ok(Reply::Array(members.map(is_member).collect()))
}

fn smembers<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    Ok(view.collection::<Set>(args.key()?)?.map_or_else(empty_set, all))
}

fn smove<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (source, destination, member) = (args.key()?, args.key()?, args.bytes()?);
    if !view.contains(source) {
        return Ok(Reply::Int(0));
    }
    view.expect_type::<Set>(source)?;
    view.expect_type::<Set>(destination)?;
    if source.bytes == destination.bytes {
        let set = view.look_at::<Set>(source)?;
        return Ok(Reply::flag(set.is_some_and(|set| set.contains(member))));
    }
    view.call_changes("srem");
    let removed =
        view.change(source, |set: &mut Set| Ok(Change::counted(usize::from(set.remove(member)))))?;
    if removed != Some(1) {
        return Ok(Reply::Int(0));
    }
    view.call_changes("sadd");
    let limits = view.encoding_limits();
    let make = || Set::for_member(member, &limits);
    view.change_or_make(destination, make, |set| {
        Ok(Change::counted(usize::from(set.insert(member, &limits))))
    })?;
    Ok(Reply::Int(1))
}

fn spop<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let key = args.key()?;
    let mut rng = view.rng();
    if args.is_empty() {
        let popped = view.change(key, |set: &mut Set| {
            Ok(Change::of(1, set.remove_at(rng.usize(..set.len()))))
        })?;
        return Ok(popped.flatten().map_or(Reply::Null, Reply::bulk));
    }
    // Too many arguments are seen before a count that is none.
    if args.len() > 1 {
        return Err(CommandError::Syntax);
    }
    let count = args.count()?;
    let Some(length) = view.look_at::<Set>(key)?.map(SetRef::len) else { return Ok(empty_set()) };
    if count >= length {
        // The whole set is the reply, and is freed when the reply was written.
        let popped = view.take_collection::<Set>(key)?;
        let members = popped
            .iter()
            .flat_map(|set| set.as_ref().iter())
            .map(|member| member.bytes().into_owned());
        return Ok(Reply::Set(members.map(Reply::bulk).collect()));
    }
    let popped = view.change(key, |set: &mut Set| {
        let mut popped = Vec::with_capacity(count);
        for _ in 0..count {
            popped.extend(set.remove_at(rng.usize(..set.len())));
        }
        Ok(Change::of(popped.len(), popped))
    })?;
    Ok(Reply::Set(popped.unwrap_or_default().into_iter().map(Reply::bulk).collect()))
}

fn srandmember<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let key = args.key()?;
    let mut rng = view.rng();
    if args.is_empty() {
        let set = view.collection::<Set>(key)?;
        let member = set.and_then(|set| set.at(rng.usize(..set.len())));
        return Ok(member.map_or(Reply::Null, reply));
    }
    // Too many arguments are seen before a count that is none.
    if args.len() > 1 {
        return Err(CommandError::Syntax);
    }
    let count = args.signed_count()?;
    let Some(set) = view.collection::<Set>(key)? else { return Ok(Reply::Array(Vec::new())) };
    if count < 0 {
        let repeats = repeats(count);
        let length = set.len();
        let members = (0..repeats).filter_map(move |_| set.at(rng.usize(..length)));
        let members = members.map(reply);
        return Ok(Reply::stream(Shape::Array, repeats, members));
    }
    let count = usize::try_from(count).unwrap_or(usize::MAX).min(set.len());
    if count == set.len() {
        return Ok(Reply::Stream(Shape::Array, Box::new(set.iter().map(reply))));
    }
    let positions = choose_positions(&mut rng, set.len(), count);
    Ok(Reply::Array(
        positions.into_iter().filter_map(|position| set.at(position)).map(reply).collect(),
    ))
}

fn sscan<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, cursor) = (args.key()?, Cursor::parse(args)?);
    let Some(set) = view.collection::<Set>(key)? else { return Ok(Cursor::END.reply(Vec::new())) };
    let options = ScanOptions::for_members(args)?;
    let mut shown = Vec::new();
    let next = set.scan(cursor.0, options.count, |member| {
        if options.matches(&member.bytes()) {
            shown.push(reply(member));
        }
    });
    Ok(Cursor(next).reply(shown))
}

/// The sets that an operation works on, in the order of their keys; a missing key is `None`.
type Operands<'v> = Vec<Option<SetRef<'v>>>;

fn read_operands<'v>(
    view: &'v ReadView<'_>,
    keys: impl Iterator<Item = Key<'v>>,
) -> Result<Operands<'v>, CommandError> {
    keys.map(|key| view.collection::<Set>(key)).collect()
}

fn stored_operands<'a, 'v>(
    view: &'a WriteView<'_, '_>,
    keys: impl Iterator<Item = Key<'v>>,
) -> Result<Operands<'a>, CommandError> {
    keys.map(|key| view.look_at::<Set>(key)).collect()
}

/// Shows the members that all sets have, in the order of the smallest one.
fn intersect<'v>(operands: Operands<'v>, mut show: impl FnMut(Element<'v>) -> bool) {
    let Some(mut sets) = operands.into_iter().collect::<Option<Vec<SetRef<'_>>>>() else { return };
    sets.sort_by_key(|set| set.len());
    let Some((smallest, others)) = sets.split_first() else { return };
    for member in smallest.iter() {
        let bytes = member.bytes();
        if others.iter().all(|set| set.contains(&bytes)) && !show(member) {
            return;
        }
    }
}

fn union(operands: Operands<'_>, limits: &EncodingLimits) -> Set {
    collect(operands.into_iter().flatten().flat_map(SetRef::iter), limits)
}

fn difference(operands: Operands<'_>, limits: &EncodingLimits) -> Set {
    let mut operands = operands.into_iter();
    let Some(first) = operands.next().flatten() else { return collect(std::iter::empty(), limits) };
    let others: Vec<SetRef<'_>> = operands.flatten().collect();
    // Looking every member up in the others is cheap unless these are many and small.
    let lookups = first.len().saturating_mul(others.len()) / 2;
    if lookups <= first.len() + others.iter().map(|set| set.len()).sum::<usize>() {
        let stays = |member: &Element<'_>| {
            let bytes = member.bytes();
            !others.iter().any(|set| set.contains(&bytes))
        };
        return collect(first.iter().filter(stays), limits);
    }
    let mut result = first.to_value();
    for member in others.iter().flat_map(|set| set.iter()) {
        result.remove(&member.bytes());
    }
    // In the encoding that suits what is left.
    collect(result.as_ref().iter(), limits)
}

fn collect<'a>(mut members: impl Iterator<Item = Element<'a>>, limits: &EncodingLimits) -> Set {
    let Some(first) = members.next() else { return Set::for_member(b"", limits) };
    let mut set = Set::for_member(&first.bytes(), limits);
    for member in std::iter::once(first).chain(members) {
        set.insert(&member.bytes(), limits);
    }
    set
}

/// A computed set as a reply; it is freed when the reply was written.
fn computed<'v>(set: SetRef<'_>) -> Reply<'v> {
    Reply::Set(
        set.iter()
            .map(|member| match member {
                Element::Int(value) => Reply::BulkInt(value),
                Element::Bytes(bytes) => Reply::bulk(bytes.to_vec()),
            })
            .collect(),
    )
}

fn sinter<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let operands = read_operands(view, args.keys())?;
    let mut members = Vec::new();
    intersect(operands, |member| {
        members.push(reply(member));
        true
    });
    Ok(Reply::Set(members))
}

fn sintercard<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let count = args.numkeys()?;
    let keys: Vec<Key<'_>> = (0..count).map(|_| args.key()).collect::<Result<_, _>>()?;
    let mut limit = 0;
    while !args.is_empty() {
        if args.len() < 2 || !args.word("LIMIT") {
            return Err(CommandError::Syntax);
        }
        limit = usize::try_from(args.integer().map_err(|_| CommandError::NEGATIVE_LIMIT)?)
            .map_err(|_| CommandError::NEGATIVE_LIMIT)?;
    }
    let operands = read_operands(view, keys.into_iter())?;
    let mut found = 0;
    intersect(operands, |_| {
        found += 1;
        found != limit
    });
    Ok(Reply::count(found))
}

fn sunion<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let operands = read_operands(view, args.keys())?;
    Ok(computed(union(operands, &view.encoding_limits()).as_ref()))
}

fn sdiff<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let operands = read_operands(view, args.keys())?;
    Ok(computed(difference(operands, &view.encoding_limits()).as_ref()))
}

fn sinterstore<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    store(view, args, |operands, limits| {
        let mut members = Vec::new();
        intersect(operands, |member| {
            members.push(member);
            true
        });
        collect(members.into_iter(), limits)
    })
}

fn sunionstore<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    store(view, args, union)
}

fn sdiffstore<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    store(view, args, difference)
}

fn store<'v>(
    view: &mut WriteView<'_, '_>,
    args: &mut Args<'v>,
    operation: fn(Operands<'_>, &EncodingLimits) -> Set,
) -> Outcome<'v> {
    let (destination, keys) = (args.key()?, args.keys());
    let result = operation(stored_operands(view, keys)?, &view.encoding_limits());
    let length = result.len();
    view.store_collection(destination, result);
    Ok(Reply::count(length))
}
