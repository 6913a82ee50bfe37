//! Sorted-set commands that wait until there is a member.
//!
//! Each attempt runs the whole command: the first one, and every one after a key became a sorted set.

use super::args::Args;
use super::keys::{KeyFlags, Keys};
use super::sorted_set::{Extreme, pop, pop_several};
use super::spec::{Arity, Attempt, Flags, Handler, Nothing, Spec, Wait};
use crate::error::CommandError;
use crate::keyspace::{Change, Wanted, WriteView};
use crate::protocol::Reply;
use crate::value::{SortedSet, Type};
use std::time::Duration;

const TAKES: KeyFlags = KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::DELETE);
const GOT_DOUBLE: &[(&str, &str)] =
    &[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")];

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "BZPOPMIN",
        arity: Arity::at_least(3),
        keys: Keys::range(1, -2, 1, TAKES),
        handler: Handler::Wait(bzpopmin),
        event: "zpopmin",
        flags: Flags::BLOCKING.and(Flags::FAST),
        since: "5.0.0",
        summary: "Removes and returns the member with the lowest score from one or more sorted sets. Blocks until a member is available otherwise. Deletes the sorted set if the last element was popped.",
        syntax: "key... timeout:double",
        complexity: "O(log(N)) with N being the number of elements in the sorted set.",
        history: GOT_DOUBLE,
        ..Spec::REST
    },
    Spec {
        name: "BZPOPMAX",
        arity: Arity::at_least(3),
        keys: Keys::range(1, -2, 1, TAKES),
        handler: Handler::Wait(bzpopmax),
        event: "zpopmax",
        flags: Flags::BLOCKING.and(Flags::FAST),
        since: "5.0.0",
        summary: "Removes and returns the member with the highest score from one or more sorted sets. Blocks until a member available otherwise.  Deletes the sorted set if the last element was popped.",
        syntax: "key... timeout:double",
        complexity: "O(log(N)) with N being the number of elements in the sorted set.",
        history: GOT_DOUBLE,
        ..Spec::REST
    },
    Spec {
        name: "BZMPOP",
        arity: Arity::at_least(5),
        keys: Keys::counted(2, TAKES),
        handler: Handler::Wait(bzmpop),
        flags: Flags::BLOCKING,
        since: "7.0.0",
        summary: "Removes and returns a member by score from one or more sorted sets. Blocks until a member is available otherwise. Deletes the sorted set if the last element was popped.",
        syntax: "timeout:double numkeys key... where=(MIN|MAX) [COUNT count]",
        complexity: "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the sorted set, and M being the number of elements popped.",
        ..Spec::REST
    },
];

type Attempted<'v> = Result<Attempt<'v>, CommandError>;

/// A wait for a sorted set.
fn wait<'v>(time: Option<Duration>) -> Attempt<'v> {
    Attempt::Wait(Wait {
        wanted: Wanted::Type(Type::SortedSet),
        time,
        otherwise: Nothing::NullArray,
    })
}

fn bzpopmin<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Attempted<'v> {
    pop_one(view, args, Extreme::Min)
}

fn bzpopmax<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Attempted<'v> {
    pop_one(view, args, Extreme::Max)
}

fn pop_one<'v>(view: &mut WriteView<'_, '_>, args: &mut Args<'v>, end: Extreme) -> Attempted<'v> {
    let (keys, time) = args.keys_and_wait_time(view.now_ms())?;
    for key in keys {
        let popped = view.change(key, |set: &mut SortedSet| Ok(Change::of(1, pop(set, end, 1))))?;
        if let Some((member, score)) = popped.unwrap_or_default().pop() {
            let reply = vec![Reply::bulk(key.bytes), Reply::bulk(member), Reply::Double(score)];
            return Ok(Attempt::Done(Reply::Array(reply)));
        }
    }
    Ok(wait(time))
}

fn bzmpop<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Attempted<'v> {
    let time = args.wait_time(view.now_ms())?;
    Ok(pop_several(view, args)?.map_or_else(|| wait(time), Attempt::Done))
}
