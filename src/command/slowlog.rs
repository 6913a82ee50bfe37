//! The slow log: which commands took longest.

use super::args::Args;
use super::spec::{Arity, Context, Flags, Handler, Spec};
use crate::error::CommandError;
use crate::instance::SlowEntry;
use crate::protocol::{Outcome, Reply};

const OBSERVING: Flags = Flags::ADMIN.and(Flags::LOADING).and(Flags::STALE);

pub(super) const COMMANDS: &[Spec] = &[Spec {
    name: "SLOWLOG",
    arity: Arity::at_least(2),
    since: "2.2.12",
    summary: "A container for slow log commands.",
    complexity: "Depends on subcommand.",
    subcommands: &[
        Spec {
            name: "GET",
            arity: Arity::at_least(2),
            handler: Handler::Client(get),
            flags: OBSERVING,
            since: "2.2.12",
            summary: "Returns the slow log's entries.",
            syntax: "[count]",
            complexity: "O(N) where N is the number of entries returned",
            history: &[("4.0.0", "Added client IP address, port and name to the reply.")],
            tips: &["request_policy:all_nodes", "nondeterministic_output"],
            ..Spec::REST
        },
        Spec {
            name: "LEN",
            arity: Arity::exactly(2),
            handler: Handler::Client(len),
            flags: OBSERVING,
            since: "2.2.12",
            summary: "Returns the number of entries in the slow log.",
            tips: &[
                "request_policy:all_nodes",
                "response_policy:agg_sum",
                "nondeterministic_output",
            ],
            ..Spec::REST
        },
        Spec {
            name: "RESET",
            arity: Arity::exactly(2),
            handler: Handler::Client(reset),
            flags: OBSERVING,
            since: "2.2.12",
            summary: "Clears all entries from the slow log.",
            complexity: "O(N) where N is the number of entries in the slowlog",
            tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
            ..Spec::REST
        },
        Spec {
            name: "HELP",
            arity: Arity::exactly(2),
            handler: Handler::Client(help),
            flags: Flags::LOADING.and(Flags::STALE),
            since: "6.2.0",
            summary: "Show helpful text about the different subcommands",
            ..Spec::REST
        },
    ],
    ..Spec::REST
}];

/// Entries that GET shows if nothing is said.
const SHOWN_COUNT: usize = 10;

fn get<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let count = if args.is_empty() {
        SHOWN_COUNT
    } else {
        match args.integer() {
            Ok(-1) => usize::MAX,
            count => count
                .ok()
                .and_then(|count| usize::try_from(count).ok())
                .ok_or(CommandError::COUNT_BELOW_MINUS_ONE)?,
        }
    };
    if !args.is_empty() {
        return Err(args.wrong_subcommand("SLOWLOG"));
    }
    let entries = context.instance.slowlog.newest(count);
    Ok(Reply::Array(entries.into_iter().map(entry).collect()))
}

fn entry<'v>(entry: SlowEntry) -> Reply<'v> {
    Reply::Array(vec![
        // Both are far below 2^63.
        Reply::Int(entry.id as i64),
        Reply::Int(entry.at_seconds),
        Reply::Int(entry.micros as i64),
        Reply::Array(entry.args.into_iter().map(Reply::bulk).collect()),
        Reply::text(entry.address),
        Reply::text(entry.name),
    ])
}

fn len<'v>(context: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    Ok(Reply::count(context.instance.slowlog.len()))
}

fn reset<'v>(context: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    context.instance.slowlog.clear();
    Ok(Reply::Ok)
}

fn help<'v>(_: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    Ok(Reply::lines(HELP.iter().copied()))
}

const HELP: &[&str] = &[
    "SLOWLOG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "GET [<count>]",
    "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
    "    Entries are made of:",
    "    id, timestamp, time in microseconds, arguments array, client IP and port,",
    "    client name",
    "LEN",
    "    Return the length of the slowlog.",
    "RESET",
    "    Reset the slowlog.",
    "HELP",
    "    Print this help.",
];
