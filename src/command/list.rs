//! List commands.
//!
//! A list exists exactly while it has elements: the view removes one that a handler leaves empty.
//! What is cut off a list is shown from where it waits to be freed, not copied out of the list first.

use super::args::Args;
use super::element::{index, index_range, reply, reply_or_null};
use super::keys::{KeyFlags, KeySpec, Keys};
use super::spec::{Arity, Flags, Handler, Spec};
use crate::config::EventClasses;
use crate::error::CommandError;
use crate::keyspace::{Change, EventName, Key, ReadView, WriteView};
use crate::protocol::{Outcome, Reply, Shape};
use crate::value::{Element, End, List};

const ADDS: KeyFlags = KeyFlags::RW.and(KeyFlags::INSERT);
const TAKES: KeyFlags = KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::DELETE);
const MOVES: Keys = Keys::Specs(&[KeySpec::one(1, TAKES), KeySpec::one(2, ADDS)]);
const COST_OF_PUSH: &str = "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.";

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "LPUSH",
        arity: Arity::at_least(3),
        keys: Keys::one(1, ADDS),
        handler: Handler::Write(lpush),
        flags: Flags::DENY_OOM.and(Flags::FAST),
        summary: "Prepends one or more elements to a list. Creates the key if it doesn't exist.",
        syntax: "key element...",
        complexity: COST_OF_PUSH,
        history: &[("2.4.0", "Accepts multiple `element` arguments.")],
        ..Spec::REST
    },
    Spec {
        name: "RPUSH",
        arity: Arity::at_least(3),
        keys: Keys::one(1, ADDS),
        handler: Handler::Write(rpush),
        flags: Flags::DENY_OOM.and(Flags::FAST),
        summary: "Appends one or more elements to a list. Creates the key if it doesn't exist.",
        syntax: "key element...",
        complexity: COST_OF_PUSH,
        history: &[("2.4.0", "Accepts multiple `element` arguments.")],
        ..Spec::REST
    },
    Spec {
        name: "LPUSHX",
        arity: Arity::at_least(3),
        keys: Keys::one(1, ADDS),
        handler: Handler::Write(lpushx),
        event: "lpush",
        flags: Flags::DENY_OOM.and(Flags::FAST),
        since: "2.2.0",
        summary: "Prepends one or more elements to a list only when the list exists.",
        syntax: "key element...",
        complexity: COST_OF_PUSH,
        history: &[("4.0.0", "Accepts multiple `element` arguments.")],
        ..Spec::REST
    },
    Spec {
        name: "RPUSHX",
        arity: Arity::at_least(3),
        keys: Keys::one(1, ADDS),
        handler: Handler::Write(rpushx),
        event: "rpush",
        flags: Flags::DENY_OOM.and(Flags::FAST),
        since: "2.2.0",
        summary: "Appends an element to a list only when the list exists.",
        syntax: "key element...",
        complexity: COST_OF_PUSH,
        history: &[("4.0.0", "Accepts multiple `element` arguments.")],
        ..Spec::REST
    },
    Spec {
        name: "LPOP",
        arity: Arity::at_least(2),
        keys: Keys::one(1, TAKES),
        handler: Handler::Write(lpop),
        flags: Flags::FAST,
        summary: "Returns the first elements in a list after removing it. Deletes the list if the last element was popped.",
        syntax: "key [count@6.2.0]",
        complexity: "O(N) where N is the number of elements returned",
        history: &[("6.2.0", "Added the `count` argument.")],
        ..Spec::REST
    },
    Spec {
        name: "RPOP",
        arity: Arity::at_least(2),
        keys: Keys::one(1, TAKES),
        handler: Handler::Write(rpop),
        flags: Flags::FAST,
        summary: "Returns and removes the last elements of a list. Deletes the list if the last element was popped.",
        syntax: "key [count@6.2.0]",
        complexity: "O(N) where N is the number of elements returned",
        history: &[("6.2.0", "Added the `count` argument.")],
        ..Spec::REST
    },
    Spec {
        name: "LLEN",
        arity: Arity::exactly(2),
        keys: Keys::one(1, KeyFlags::RO),
        handler: Handler::Read(llen),
        flags: Flags::FAST,
        summary: "Returns the length of a list.",
        syntax: "key",
        ..Spec::REST
    },
    Spec {
        name: "LRANGE",
        arity: Arity::exactly(4),
        keys: Keys::one(1, KeyFlags::RO.and(KeyFlags::ACCESS)),
        handler: Handler::Read(lrange),
        summary: "Returns a range of elements from a list.",
        syntax: "key start stop",
        complexity: "O(S+N) where S is the distance of start offset from HEAD for small lists, from nearest end (HEAD or TAIL) for large lists; and N is the number of elements in the specified range.",
        ..Spec::REST
    },
    Spec {
        name: "LINDEX",
        arity: Arity::exactly(3),
        keys: Keys::one(1, KeyFlags::RO.and(KeyFlags::ACCESS)),
        handler: Handler::Read(lindex),
        summary: "Returns an element from a list by its index.",
        syntax: "key index",
        complexity: "O(N) where N is the number of elements to traverse to get to the element at index. This makes asking for the first or the last element of the list O(1).",
        ..Spec::REST
    },
    Spec {
        name: "LSET",
        arity: Arity::exactly(4),
        keys: Keys::one(1, KeyFlags::RW.and(KeyFlags::UPDATE)),
        handler: Handler::Write(lset),
        flags: Flags::DENY_OOM,
        summary: "Sets the value of an element in a list by its index.",
        syntax: "key index element",
        complexity: "O(N) where N is the length of the list. Setting either the first or the last element of the list is O(1).",
        ..Spec::REST
    },
    Spec {
        name: "LINSERT",
        arity: Arity::exactly(5),
        keys: Keys::one(1, ADDS),
        handler: Handler::Write(linsert),
        flags: Flags::DENY_OOM,
        since: "2.2.0",
        summary: "Inserts an element before or after another element in a list.",
        syntax: "key where=(BEFORE|AFTER) pivot element",
        complexity: "O(N) where N is the number of elements to traverse before seeing the value pivot. This means that inserting somewhere on the left end on the list (head) can be considered O(1) and inserting somewhere on the right end (tail) is O(N).",
        ..Spec::REST
    },
    Spec {
        name: "LREM",
        arity: Arity::exactly(4),
        keys: Keys::one(1, KeyFlags::RW.and(KeyFlags::DELETE)),
        handler: Handler::Write(lrem),
        summary: "Removes elements from a list. Deletes the list if the last element was removed.",
        syntax: "key count element",
        complexity: "O(N+M) where N is the length of the list and M is the number of elements removed.",
        ..Spec::REST
    },
    Spec {
        name: "LTRIM",
        arity: Arity::exactly(4),
        keys: Keys::one(1, KeyFlags::RW.and(KeyFlags::DELETE)),
        handler: Handler::Write(ltrim),
        summary: "Removes elements from both ends a list. Deletes the list if all elements were trimmed.",
        syntax: "key start stop",
        complexity: "O(N) where N is the number of elements to be removed by the operation.",
        ..Spec::REST
    },
    Spec {
        name: "LPOS",
        arity: Arity::at_least(3),
        keys: Keys::one(1, KeyFlags::RO.and(KeyFlags::ACCESS)),
        handler: Handler::Read(lpos),
        since: "6.0.6",
        summary: "Returns the index of matching elements in a list.",
        syntax: "key element [RANK rank] [COUNT num-matches:integer] [MAXLEN len]",
        complexity: "O(N) where N is the number of elements in the list, for the average case. When searching for elements near the head or the tail of the list, or when the MAXLEN option is provided, the command may run in constant time.",
        ..Spec::REST
    },
    Spec {
        name: "LMOVE",
        arity: Arity::exactly(5),
        keys: MOVES,
        handler: Handler::Write(lmove),
        flags: Flags::DENY_OOM,
        since: "6.2.0",
        summary: "Returns an element after popping it from one list and pushing it to another. Deletes the list if the last element was moved.",
        syntax: "source:key destination:key wherefrom=(LEFT|RIGHT) whereto=(LEFT|RIGHT)",
        ..Spec::REST
    },
    Spec {
        name: "RPOPLPUSH",
        arity: Arity::exactly(3),
        keys: MOVES,
        handler: Handler::Write(rpoplpush),
        flags: Flags::DENY_OOM,
        since: "1.2.0",
        summary: "Returns the last element of a list after removing and pushing it to another list. Deletes the list if the last element was popped.",
        syntax: "source:key destination:key",
        deprecated: Some(("6.2.0", "`LMOVE` with the `RIGHT` and `LEFT` arguments")),
        ..Spec::REST
    },
    Spec {
        name: "LMPOP",
        arity: Arity::at_least(4),
        keys: Keys::counted(1, TAKES),
        handler: Handler::Write(lmpop),
        since: "7.0.0",
        summary: "Returns multiple elements from a list after removing them. Deletes the list if the last element was popped.",
        syntax: "numkeys key... where=(LEFT|RIGHT) [COUNT count]",
        complexity: "O(N+M) where N is the number of provided keys and M is the number of elements returned.",
        ..Spec::REST
    },
];

/// The next argument as one of two ends.
pub(super) fn end(args: &mut Args<'_>) -> Result<End, CommandError> {
    if args.word("LEFT") {
        Ok(End::Left)
    } else if args.word("RIGHT") {
        Ok(End::Right)
    } else {
        Err(CommandError::Syntax)
    }
}

fn lpush<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    push(view, args, End::Left)
}

fn rpush<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    push(view, args, End::Right)
}

fn push<'v>(view: &mut WriteView<'_, '_>, args: &mut Args<'v>, end: End) -> Outcome<'v> {
    let (key, elements) = (args.key()?, args.rest());
    let limits = view.encoding_limits();
    let length = view.change_or_make(key, List::default, |list| {
        list.push_all(end, elements.clone(), &limits);
        Ok(Change::of(elements.len(), list.len()))
    })?;
    Ok(Reply::count(length))
}

fn lpushx<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    push_if_there(view, args, End::Left)
}

fn rpushx<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    push_if_there(view, args, End::Right)
}

fn push_if_there<'v>(view: &mut WriteView<'_, '_>, args: &mut Args<'v>, end: End) -> Outcome<'v> {
    let (key, elements) = (args.key()?, args.rest());
    let limits = view.encoding_limits();
    let length = view.change(key, |list: &mut List| {
        list.push_all(end, elements.clone(), &limits);
        Ok(Change::of(elements.len(), list.len()))
    })?;
    Ok(Reply::count(length.unwrap_or(0)))
}

fn lpop<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    pop(view, args, "lpop", End::Left)
}

fn rpop<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    pop(view, args, "rpop", End::Right)
}

fn pop<'v>(
    view: &'v mut WriteView<'_, '_>,
    args: &mut Args<'v>,
    name: &'static str,
    end: End,
) -> Outcome<'v> {
    let key = args.key()?;
    if args.len() > 1 {
        return Err(CommandError::Arity(name.into()));
    }
    if args.is_empty() {
        return Ok(pop_one(view, key, end)?.map_or(Reply::Null, Reply::bulk));
    }
    let count = args.count()?;
    Ok(match cut(view, key, end, count)? {
        None => Reply::NullArray,
        Some(popped) => show(view.discard(popped), end),
    })
}

/// Takes one element off a list; `None` if there is no such list.
pub(super) fn pop_one(
    view: &mut WriteView<'_, '_>,
    key: Key<'_>,
    end: End,
) -> Result<Option<Vec<u8>>, CommandError> {
    let limits = view.encoding_limits();
    let popped = view.change(key, |list: &mut List| Ok(Change::of(1, list.pop(end, &limits))))?;
    Ok(popped.flatten())
}

/// Cuts elements off a list; `None` if there is no such list.
fn cut(
    view: &mut WriteView<'_, '_>,
    key: Key<'_>,
    end: End,
    count: usize,
) -> Result<Option<List>, CommandError> {
    let limits = view.encoding_limits();
    view.change(key, |list: &mut List| {
        let cut = list.take(end, count, &limits);
        Ok(Change::of(cut.len(), cut))
    })
}

/// All elements, from the end at which they were taken.
fn show(list: &List, end: End) -> Reply<'_> {
    Reply::Stream(Shape::Array, Box::new(list.iter(end).map(reply)))
}

fn llen<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    Ok(Reply::count(view.collection::<List>(args.key()?)?.map_or(0, List::len)))
}

fn lrange<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, start, stop) = (args.key()?, args.integer()?, args.integer()?);
    let list = view.collection::<List>(key)?;
    Ok(list.map_or(Reply::Array(Vec::new()), |list| {
        let part = list.range(index_range(start, stop, list.len()));
        Reply::Stream(Shape::Array, Box::new(part.map(reply)))
    }))
}

fn lindex<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    // As in Redis no index is wrong for a list that is not there.
    let Some(list) = view.collection::<List>(args.key()?)? else { return Ok(Reply::Null) };
    let index = index(args.integer()?, list.len());
    Ok(reply_or_null(index.and_then(|index| list.get(index))))
}

fn lset<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let key = args.key()?;
    // As in Redis no index is wrong for a list that is not there.
    let length = view.look_at::<List>(key)?.ok_or(CommandError::NO_SUCH_KEY)?.len();
    let (index, element) = (index(args.integer()?, length), args.bytes()?);
    let index = index.ok_or(CommandError::INDEX_OUT_OF_RANGE)?;
    let limits = view.encoding_limits();
    view.change(key, |list: &mut List| Ok(Change::of(1, list.set(index, element, &limits))))?;
    Ok(Reply::Ok)
}

fn linsert<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let key = args.key()?;
    let side = if args.word("BEFORE") {
        End::Left
    } else if args.word("AFTER") {
        End::Right
    } else {
        return Err(CommandError::Syntax);
    };
    let (pivot, element) = (Element::new(args.bytes()?), args.bytes()?);
    let limits = view.encoding_limits();
    let length = view.change(key, |list: &mut List| {
        let Some(index) = list.iter(End::Left).position(|other| other == pivot) else {
            return Ok(Change::none(Reply::Int(-1)));
        };
        list.insert(index, side, element, &limits);
        Ok(Change::of(1, Reply::count(list.len())))
    })?;
    Ok(length.unwrap_or(Reply::Int(0)))
}

fn lrem<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, count, element) = (args.key()?, args.integer()?, args.bytes()?);
    let end = if count < 0 { End::Right } else { End::Left };
    let most = match count.unsigned_abs() {
        0 => usize::MAX,
        count => usize::try_from(count).unwrap_or(usize::MAX),
    };
    let limits = view.encoding_limits();
    let removed = view.change(key, |list: &mut List| {
        Ok(Change::counted(list.remove(element, most, end, &limits)))
    })?;
    Ok(Reply::count(removed.unwrap_or(0)))
}

fn ltrim<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, start, stop) = (args.key()?, args.integer()?, args.integer()?);
    let limits = view.encoding_limits();
    let cut = view.change(key, |list: &mut List| {
        let length = list.len();
        let cut = list.trim(index_range(start, stop, length), &limits);
        // As in Redis the key counts as changed even if nothing was cut off.
        Ok(Change::of(length - list.len(), cut).touching())
    })?;
    cut.map(|cut| view.discard(cut));
    Ok(Reply::Ok)
}

fn lpos<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, wanted) = (args.key()?, Element::new(args.bytes()?));
    let (mut rank, mut count, mut compared_max) = (1, None, 0);
    while !args.is_empty() {
        if args.len() < 2 {
            return Err(CommandError::Syntax);
        } else if args.word("RANK") {
            rank = args.signed_count()?;
            if rank == 0 {
                return Err(CommandError::RANK_ZERO);
            }
        } else if args.word("COUNT") {
            count = Some(args.count().map_err(|_| CommandError::NEGATIVE_COUNT)?);
        } else if args.word("MAXLEN") {
            compared_max = args.count().map_err(|_| CommandError::NEGATIVE_MAXLEN)?;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    let all = |limit: usize| if limit == 0 { usize::MAX } else { limit };
    let list = view.collection::<List>(key)?;
    let from = if rank < 0 { End::Right } else { End::Left };
    let length = list.map_or(0, List::len);
    // A rank beyond the length is not found, whatever it is.
    let before = usize::try_from(rank.unsigned_abs() - 1).unwrap_or(usize::MAX);
    let found = list.into_iter().flat_map(|list| list.iter(from)).take(all(compared_max));
    let found = found
        .enumerate()
        .filter(|(_, element)| *element == wanted)
        .map(move |(index, _)| if from == End::Left { index } else { length - index - 1 });
    let mut found = found.skip(before);
    Ok(match count {
        None => found.next().map_or(Reply::Null, Reply::count),
        Some(count) => {
            let found: Vec<usize> = found.take(all(count)).collect();
            Reply::Stream(Shape::Array, Box::new(found.into_iter().map(Reply::count)))
        }
    })
}

fn lmove<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (source, destination) = (args.key()?, args.key()?);
    let (from, to) = (end(args)?, end(args)?);
    Ok(move_one(view, (source, from), (destination, to))?.unwrap_or(Reply::Null))
}

fn rpoplpush<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (source, destination) = (args.key()?, args.key()?);
    Ok(move_one(view, (source, End::Right), (destination, End::Left))?.unwrap_or(Reply::Null))
}

/// What a pop at this end is called.
fn popped(end: End) -> &'static str {
    if end == End::Left { "lpop" } else { "rpop" }
}

/// What a push at this end is called.
fn pushed(end: End) -> &'static str {
    if end == End::Left { "lpush" } else { "rpush" }
}

/// Moves one element from a list to another; `None` if there is none to move.
pub(super) fn move_one<'v>(
    view: &mut WriteView<'_, '_>,
    (source, from): (Key<'_>, End),
    (destination, to): (Key<'_>, End),
) -> Result<Option<Reply<'v>>, CommandError> {
    let limits = view.encoding_limits();
    if view.look_at::<List>(source)?.is_none() {
        return Ok(None);
    }
    view.expect_type::<List>(destination)?;
    if source.bytes == destination.bytes {
        view.call_changes(pushed(to));
        view.changes_also_mean(EventName { class: EventClasses::LIST, name: popped(from) });
        let rotate = |list: &mut List| Ok(Change::of(1, list.rotate(from, to, &limits)));
        return Ok(view.change(source, rotate)?.flatten().map(Reply::bulk));
    }
    view.call_changes(popped(from));
    let (moved, told) = view.withholding(|view| pop_one(view, source, from));
    let Some(moved) = moved? else { return Ok(None) };
    view.call_changes(pushed(to));
    view.change_or_make(destination, List::default, |list| {
        list.push(to, &moved, &limits);
        Ok(Change::of(1, ()))
    })?;
    // Redis tells of the push first.
    view.tell_withheld(told);
    Ok(Some(Reply::bulk(moved)))
}

fn lmpop<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    Ok(pop_several(view, args)?.unwrap_or(Reply::NullArray))
}

/// Takes elements off the first of several lists that is there; `None` if none is.
pub(super) fn pop_several<'v>(
    view: &'v mut WriteView<'_, '_>,
    args: &mut Args<'v>,
) -> Result<Option<Reply<'v>>, CommandError> {
    let (keys, end, count) = args.multi_pop(end)?;
    view.call_changes(popped(end));
    for key in keys {
        if let Some(popped) = cut(view, key, end, count)? {
            let popped = show(view.discard(popped), end);
            return Ok(Some(Reply::Array(vec![Reply::bulk(key.bytes), popped])));
        }
    }
    Ok(None)
}
