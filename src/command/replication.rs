//! Replication as a server without replicas sees it: nobody has acknowledged anything, ever.

use super::args::{Args, parse_timeout};
use super::spec::{Arity, Context, Flags, Handler, Spec};
use crate::error::CommandError;
use crate::instance::{Unblock, Wake};
use crate::protocol::{Outcome, Reply};
use std::time::Duration;

pub(super) const COMMANDS: &[Spec] = &[Spec {
    name: "ROLE",
    arity: Arity::exactly(1),
    handler: Handler::Client(role),
    flags: Flags::ADMIN_CATEGORY
        .and(Flags::DANGEROUS)
        .and(Flags::NO_SCRIPT)
        .and(Flags::LOADING)
        .and(Flags::STALE)
        .and(Flags::FAST),
    since: "2.8.12",
    summary: "Returns the replication role.",
    ..Spec::REST
}];

pub(super) const WAITING_COMMANDS: &[Spec] = &[
    Spec {
        name: "WAIT",
        arity: Arity::exactly(3),
        handler: Handler::Client(wait),
        flags: Flags::BLOCKING.and(Flags::CONNECTION),
        since: "3.0.0",
        summary: "Blocks until the asynchronous replication of all preceding write commands sent by the connection is completed.",
        syntax: "numreplicas:integer timeout",
        tips: &["request_policy:all_shards", "response_policy:agg_min"],
        ..Spec::REST
    },
    Spec {
        name: "WAITAOF",
        arity: Arity::exactly(4),
        handler: Handler::Client(waitaof),
        flags: Flags::BLOCKING.and(Flags::CONNECTION),
        since: "7.2.0",
        summary: "Blocks until all of the preceding write commands sent by the connection are written to the append-only file of the master and/or replicas.",
        syntax: "numlocal:integer numreplicas:integer timeout",
        tips: &["request_policy:all_shards", "response_policy:agg_min"],
        ..Spec::REST
    },
];

fn role<'v>(_: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    Ok(Reply::Array(vec![Reply::text("master"), Reply::Int(0), Reply::Array(Vec::new())]))
}

/// Waits for replicas that never come, and answers as for a timeout unless told otherwise.
fn wait_for_nobody<'v>(
    context: &mut Context<'_>,
    time: Option<Duration>,
    reply: Reply<'v>,
) -> Outcome<'v> {
    match context.client.block(time, &context.instance.clock) {
        Wake::TimeOver | Wake::Unblocked(Unblock::AsTimeout) => Ok(reply),
        Wake::Unblocked(Unblock::WithError) => Err(CommandError::UNBLOCKED),
        Wake::Closing => Ok(Reply::Nothing),
    }
}

fn wait<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let replicas = args.integer()?;
    let time = parse_timeout(args.bytes()?, context.now_ms())?;
    if replicas <= 0 { Ok(Reply::Int(0)) } else { wait_for_nobody(context, time, Reply::Int(0)) }
}

fn waitaof<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let local = args.integer()?;
    if !(0..=1).contains(&local) {
        return Err(CommandError::NOT_ZERO_OR_ONE);
    }
    let replicas = args.integer().ok().filter(|replicas| *replicas >= 0);
    let replicas = replicas.ok_or(CommandError::NOT_POSITIVE)?;
    let time = parse_timeout(args.bytes()?, context.now_ms())?;
    if local > 0 {
        return Err(CommandError::NO_APPEND_ONLY_FILE);
    }
    let reply = Reply::Array(vec![Reply::Int(0), Reply::Int(0)]);
    if replicas == 0 { Ok(reply) } else { wait_for_nobody(context, time, reply) }
}
