//! CLIENT: who is connected.

use super::args::Args;
use super::connection::read_name;
use super::spec::{Arity, Context, Flags, Handler, Spec};
use crate::protocol::{Outcome, Reply};

/// What almost every subcommand is.
const COMMON: Flags = Flags::NO_SCRIPT.and(Flags::LOADING).and(Flags::STALE).and(Flags::CONNECTION);

pub(super) const COMMANDS: &[Spec] = &[Spec {
    name: "CLIENT",
    arity: Arity::at_least(2),
    handler: Handler::Container,
    since: "2.4.0",
    summary: "A container for client connection commands.",
    complexity: "Depends on subcommand.",
    subcommands: &[
        Spec {
            name: "GETNAME",
            arity: Arity::exactly(2),
            handler: Handler::Client(getname),
            flags: COMMON,
            since: "2.6.9",
            summary: "Returns the name of the connection.",
            complexity: "O(1)",
            ..Spec::REST
        },
        Spec {
            name: "ID",
            arity: Arity::exactly(2),
            handler: Handler::Client(id),
            flags: COMMON,
            since: "5.0.0",
            summary: "Returns the unique client ID of the connection.",
            complexity: "O(1)",
            ..Spec::REST
        },
        Spec {
            name: "SETNAME",
            arity: Arity::exactly(3),
            handler: Handler::Client(setname),
            flags: COMMON,
            since: "2.6.9",
            summary: "Sets the connection name.",
            syntax: "connection-name",
            complexity: "O(1)",
            tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
            ..Spec::REST
        },
    ],
    ..Spec::REST
}];

fn getname<'v>(context: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    let name = context.client.record.texts().name.clone();
    Ok(if name.is_empty() { Reply::Null } else { Reply::text(name) })
}

fn id<'v>(context: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    Ok(Reply::Int(context.client.id() as i64))
}

fn setname<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    context.client.rename(read_name(args.bytes()?)?);
    Ok(Reply::Ok)
}
