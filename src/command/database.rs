//! Commands about whole databases.

use super::args::Args;
use super::keys::Keys;
use super::spec::{Arity, Flags, Handler, Spec};
use crate::error::CommandError;
use crate::keyspace::{Freeing, Walk, WriteView};
use crate::protocol::{Outcome, Reply};

const GOT_MODES: &[(&str, &str)] = &[
    ("4.0.0", "Added the `ASYNC` flushing mode modifier."),
    ("6.2.0", "Added the `SYNC` flushing mode modifier."),
];
const ALL_SHARDS: &[&str] = &["request_policy:all_shards", "response_policy:all_succeeded"];

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "DBSIZE",
        arity: Arity::exactly(1),
        handler: Handler::Walk(dbsize),
        flags: Flags::KEYSPACE.and(Flags::FAST),
        summary: "Returns the number of keys in the database.",
        tips: &["request_policy:all_shards", "response_policy:agg_sum"],
        ..Spec::REST
    },
    Spec {
        name: "FLUSHALL",
        arity: Arity::at_least(1),
        keys: Keys::EVERY,
        handler: Handler::Write(flushall),
        flags: Flags::KEYSPACE.and(Flags::DANGEROUS),
        summary: "Removes all keys from all databases.",
        syntax: "flush-type=[ASYNC@4.0.0|SYNC@6.2.0]",
        complexity: "O(N) where N is the total number of keys in all databases",
        history: GOT_MODES,
        tips: ALL_SHARDS,
        ..Spec::REST
    },
    Spec {
        name: "FLUSHDB",
        arity: Arity::at_least(1),
        keys: Keys::EVERY,
        handler: Handler::Write(flushdb),
        flags: Flags::KEYSPACE.and(Flags::DANGEROUS),
        summary: "Remove all keys from the current database.",
        syntax: "flush-type=[ASYNC@4.0.0|SYNC@6.2.0]",
        complexity: "O(N) where N is the number of keys in the selected database",
        history: GOT_MODES,
        tips: ALL_SHARDS,
        ..Spec::REST
    },
    Spec {
        name: "SWAPDB",
        arity: Arity::exactly(3),
        keys: Keys::EVERY,
        handler: Handler::Write(swapdb),
        flags: Flags::KEYSPACE.and(Flags::DANGEROUS).and(Flags::FAST),
        since: "4.0.0",
        summary: "Swaps two Redis databases.",
        syntax: "index1:integer index2:integer",
        complexity: "O(N) where N is the count of clients watching or blocking on keys from both databases.",
        ..Spec::REST
    },
];

fn dbsize<'v>(walk: &'v Walk<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    Ok(Reply::count(walk.len()))
}

fn parse_freeing(args: &mut Args<'_>) -> Result<Freeing, CommandError> {
    let freeing = if args.word("ASYNC") {
        Freeing::Later
    } else {
        args.word("SYNC");
        Freeing::Now
    };
    args.end()?;
    Ok(freeing)
}

fn flushall<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let freeing = parse_freeing(args)?;
    view.clear(None, freeing);
    Ok(Reply::Ok)
}

fn flushdb<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let freeing = parse_freeing(args)?;
    view.clear(Some(view.db()), freeing);
    Ok(Reply::Ok)
}

fn swapdb<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let first = args.small_integer().map_err(|_| CommandError::INVALID_FIRST_DB)?;
    let second = args.small_integer().map_err(|_| CommandError::INVALID_SECOND_DB)?;
    let existing = |index: i32| {
        let index = usize::try_from(index).ok();
        index.filter(|index| *index < view.database_count()).ok_or(CommandError::DB_OUT_OF_RANGE)
    };
    let (first, second) = (existing(first)?, existing(second)?);
    view.swap_databases(first, second);
    Ok(Reply::Ok)
}
