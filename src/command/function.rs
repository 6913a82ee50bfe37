//! Functions as a server without scripting sees them: there are none.

use super::args::Args;
use super::spec::{Arity, Context, Flags, Handler, Spec};
use crate::error::CommandError;
use crate::keyspace::WriteView;
use crate::protocol::{Outcome, Reply};

pub(super) const COMMANDS: &[Spec] = &[Spec {
    name: "FUNCTION",
    arity: Arity::at_least(2),
    since: "7.0.0",
    summary: "A container for function commands.",
    complexity: "Depends on subcommand.",
    subcommands: &[
        Spec {
            name: "FLUSH",
            arity: Arity::at_least(2),
            handler: Handler::Write(flush),
            flags: Flags::NO_SCRIPT,
            since: "7.0.0",
            summary: "Deletes all libraries and functions.",
            syntax: "flush-type=[ASYNC|SYNC]",
            complexity: "O(N) where N is the number of functions deleted",
            tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
            ..Spec::REST
        },
        Spec {
            name: "HELP",
            arity: Arity::exactly(2),
            handler: Handler::Client(help),
            flags: Flags::LOADING.and(Flags::STALE),
            since: "7.0.0",
            summary: "Returns helpful text about the different subcommands.",
            ..Spec::REST
        },
        Spec {
            name: "LIST",
            arity: Arity::at_least(2),
            handler: Handler::Client(list),
            flags: Flags::NO_SCRIPT,
            since: "7.0.0",
            summary: "Returns information about all libraries.",
            syntax: "[LIBRARYNAME library-name-pattern:string] [WITHCODE]",
            complexity: "O(N) where N is the number of functions",
            tips: &["nondeterministic_output_order"],
            ..Spec::REST
        },
    ],
    ..Spec::REST
}];

fn flush<'v>(_: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    if args.len() > 1 {
        return Err(args.wrong_subcommand("FUNCTION"));
    }
    if !args.is_empty() && !args.word("ASYNC") && !args.word("SYNC") {
        return Err(CommandError::FUNCTION_FLUSH_MODE);
    }
    Ok(Reply::Ok)
}

fn list<'v>(_: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (mut has_pattern, mut has_withcode) = (false, false);
    while !args.is_empty() {
        if !has_withcode && args.word("WITHCODE") {
            has_withcode = true;
        } else if !has_pattern && args.word("LIBRARYNAME") {
            has_pattern = true;
            args.bytes().map_err(|_| CommandError::LIBRARY_NAME_MISSING)?;
        } else {
            return Err(CommandError::showing("ERR Unknown argument ", args.bytes()?));
        }
    }
    Ok(Reply::Array(Vec::new()))
}

fn help<'v>(_: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    Ok(Reply::lines(HELP.iter().copied()))
}

const HELP: &[&str] = &[
    "FUNCTION <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
    "    Return general information on all the libraries:",
    "    * Library name",
    "    * The engine used to run the Library",
    "    * Library description",
    "    * Functions list",
    "    * Library code (if WITHCODE is given)",
    "    It also possible to get only function that matches a pattern using LIBRARYNAME argument.",
    "FLUSH [ASYNC|SYNC]",
    "    Delete all the libraries.",
    "    When called without the optional mode argument, the behavior is determined by the",
    "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
    "    * ASYNC: Asynchronously flush the libraries.",
    "    * SYNC: Synchronously flush the libraries.",
    "HELP",
    "    Print this help.",
];
