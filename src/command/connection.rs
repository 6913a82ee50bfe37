//! Connection commands.

use super::args::Args;
use super::spec::{Arity, Context, Flags, Handler, Spec};
use crate::error::CommandError;
use crate::instance::Closing;
use crate::protocol::{Outcome, Reply};

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "PING",
        arity: Arity::at_least(1),
        handler: Handler::Client(ping),
        flags: Flags::FAST,
        since: "1.0.0",
        summary: "Returns the server's liveliness response.",
        syntax: "[message]",
        complexity: "O(1)",
        ..Spec::REST
    },
    Spec {
        name: "ECHO",
        arity: Arity::exactly(2),
        handler: Handler::Client(echo),
        flags: Flags::FAST,
        since: "1.0.0",
        summary: "Returns the given string.",
        syntax: "message",
        complexity: "O(1)",
        ..Spec::REST
    },
    Spec {
        name: "QUIT",
        arity: Arity::at_least(1),
        handler: Handler::Client(quit),
        flags: Flags::FAST.and(Flags::NO_AUTH).and(Flags::LOADING).and(Flags::STALE),
        since: "1.0.0",
        summary: "Closes the connection.",
        syntax: "",
        complexity: "O(1)",
        ..Spec::REST
    },
];

fn ping<'v>(_: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let mut rest = args.rest();
    match (rest.next(), rest.next()) {
        (None, _) => Ok(Reply::status("PONG")),
        (Some(message), None) => Ok(Reply::bulk(message)),
        _ => Err(CommandError::Arity("ping".into())),
    }
}

fn echo<'v>(_: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    Ok(Reply::bulk(args.bytes()?))
}

fn quit<'v>(context: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    context.client.closing = Some(Closing::AfterReply);
    Ok(Reply::Ok)
}
