//! List commands that wait until there is an element.
//!
//! Each attempt runs the whole command: the first one, and every one after a key became a list.

use super::args::Args;
use super::keys::{KeyFlags, KeySpec, Keys};
use super::list::{end, move_one, pop_several};
use super::spec::{Arity, Attempt, Flags, Handler, Nothing, Spec, Wait};
use crate::error::CommandError;
use crate::keyspace::{Key, Wanted, WriteView};
use crate::protocol::Reply;
use crate::value::{End, Type};
use std::time::Duration;

const TAKES: KeyFlags = KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::DELETE);
const ADDS: KeyFlags = KeyFlags::RW.and(KeyFlags::INSERT);
const MOVES: Keys = Keys::Specs(&[KeySpec::one(1, TAKES), KeySpec::one(2, ADDS)]);
const GOT_DOUBLE: &[(&str, &str)] =
    &[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")];

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "BLPOP",
        arity: Arity::at_least(3),
        keys: Keys::range(1, -2, 1, TAKES),
        handler: Handler::Wait(blpop),
        event: "lpop",
        flags: Flags::BLOCKING,
        since: "2.0.0",
        summary: "Removes and returns the first element in a list. Blocks until an element is available otherwise. Deletes the list if the last element was popped.",
        syntax: "key... timeout:double",
        complexity: "O(N) where N is the number of provided keys.",
        history: GOT_DOUBLE,
        ..Spec::REST
    },
    Spec {
        name: "BRPOP",
        arity: Arity::at_least(3),
        keys: Keys::range(1, -2, 1, TAKES),
        handler: Handler::Wait(brpop),
        event: "rpop",
        flags: Flags::BLOCKING,
        since: "2.0.0",
        summary: "Removes and returns the last element in a list. Blocks until an element is available otherwise. Deletes the list if the last element was popped.",
        syntax: "key... timeout:double",
        complexity: "O(N) where N is the number of provided keys.",
        history: GOT_DOUBLE,
        ..Spec::REST
    },
    Spec {
        name: "BLMOVE",
        arity: Arity::exactly(6),
        keys: MOVES,
        handler: Handler::Wait(blmove),
        flags: Flags::DENY_OOM.and(Flags::BLOCKING),
        since: "6.2.0",
        summary: "Pops an element from a list, pushes it to another list and returns it. Blocks until an element is available otherwise. Deletes the list if the last element was moved.",
        syntax: "source:key destination:key wherefrom=(LEFT|RIGHT) whereto=(LEFT|RIGHT) timeout:double",
        ..Spec::REST
    },
    Spec {
        name: "BRPOPLPUSH",
        arity: Arity::exactly(4),
        keys: MOVES,
        handler: Handler::Wait(brpoplpush),
        flags: Flags::DENY_OOM.and(Flags::BLOCKING),
        since: "2.2.0",
        summary: "Pops an element from a list, pushes it to another list and returns it. Block until an element is available otherwise. Deletes the list if the last element was popped.",
        syntax: "source:key destination:key timeout:double",
        history: GOT_DOUBLE,
        deprecated: Some(("6.2.0", "`BLMOVE` with the `RIGHT` and `LEFT` arguments")),
        ..Spec::REST
    },
    Spec {
        name: "BLMPOP",
        arity: Arity::at_least(5),
        keys: Keys::counted(2, TAKES),
        handler: Handler::Wait(blmpop),
        flags: Flags::BLOCKING,
        since: "7.0.0",
        summary: "Pops the first element from one of multiple lists. Blocks until an element is available otherwise. Deletes the list if the last element was popped.",
        syntax: "timeout:double numkeys key... where=(LEFT|RIGHT) [COUNT count]",
        complexity: "O(N+M) where N is the number of provided keys and M is the number of elements returned.",
        ..Spec::REST
    },
];

type Attempted<'v> = Result<Attempt<'v>, CommandError>;

/// The reply, or a wait for a list.
fn or_wait(reply: Option<Reply<'_>>, time: Option<Duration>, otherwise: Nothing) -> Attempt<'_> {
    reply.map_or(
        Attempt::Wait(Wait { wanted: Wanted::Type(Type::List), time, otherwise }),
        Attempt::Done,
    )
}

fn blpop<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Attempted<'v> {
    pop(view, args, End::Left)
}

fn brpop<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Attempted<'v> {
    pop(view, args, End::Right)
}

fn pop<'v>(view: &mut WriteView<'_, '_>, args: &mut Args<'v>, end: End) -> Attempted<'v> {
    let (keys, time) = args.keys_and_wait_time(view.now_ms())?;
    for key in keys {
        if let Some(popped) = super::list::pop_one(view, key, end)? {
            let reply = Reply::Array(vec![Reply::bulk(key.bytes), Reply::bulk(popped)]);
            return Ok(Attempt::Done(reply));
        }
    }
    Ok(or_wait(None, time, Nothing::NullArray))
}

fn blmove<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Attempted<'v> {
    let (source, destination) = (args.key()?, args.key()?);
    let (from, to) = (end(args)?, end(args)?);
    move_or_wait(view, args, (source, from), (destination, to))
}

fn brpoplpush<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Attempted<'v> {
    let (source, destination) = (args.key()?, args.key()?);
    move_or_wait(view, args, (source, End::Right), (destination, End::Left))
}

fn move_or_wait<'v>(
    view: &mut WriteView<'_, '_>,
    args: &mut Args<'v>,
    from: (Key<'_>, End),
    to: (Key<'_>, End),
) -> Attempted<'v> {
    let time = args.wait_time(view.now_ms())?;
    Ok(or_wait(move_one(view, from, to)?, time, Nothing::Null))
}

fn blmpop<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Attempted<'v> {
    let time = args.wait_time(view.now_ms())?;
    Ok(or_wait(pop_several(view, args)?, time, Nothing::NullArray))
}
