//! MONITOR: what others run, as it happens; all of it as in Redis, or what one looks for.

use super::args::Args;
use super::spec::{Arity, Context, Flags, Handler, Spec};
use super::table;
use crate::error::CommandError;
use crate::instance::MonitorFilter;
use crate::protocol::{Outcome, Reply};
use std::time::Duration;

pub(super) const COMMANDS: &[Spec] = &[Spec {
    name: "MONITOR",
    arity: Arity::at_least(1),
    handler: Handler::Client(monitor),
    flags: Flags::ADMIN.and(Flags::NO_SCRIPT).and(Flags::LOADING).and(Flags::STALE),
    since: "1.0.0",
    summary: "Listens for all requests received by the server in real-time.",
    syntax: "[MATCH pattern] [CMD command...] [ID client-id:integer...] [DB index] \
             [SLOWER microseconds:integer]",
    complexity: "",
    ..Spec::REST
}];

fn monitor<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let filter = read_filter(args, context.instance.keyspace.database_count())?;
    let monitors = &context.instance.monitors;
    if monitors.filter(context.client.id()).as_ref() == Some(&filter) {
        // Redis is silent as well.
        return Ok(Reply::Nothing);
    }
    if !context.client.may_wait {
        return Err(CommandError::MONITOR_INSIDE_MULTI);
    }
    monitors.add(context.client.record.clone(), filter);
    Ok(Reply::Ok)
}

/// Options in any order, each once; a list ends where the next option begins.
fn read_filter(args: &mut Args<'_>, databases: usize) -> Result<MonitorFilter, CommandError> {
    let mut filter = MonitorFilter::default();
    while !args.is_empty() {
        if filter.pattern.is_none() && args.word("MATCH") {
            filter.pattern = Some(args.bytes()?.into());
        } else if filter.commands.is_empty() && args.word("CMD") {
            let mut names = Vec::new();
            read_list(args, |args| {
                names.push(args.bytes()?);
                Ok(())
            })?;
            for name in names {
                filter.commands.extend(numbers_of(name)?);
            }
        } else if filter.clients.is_empty() && args.word("ID") {
            let error = CommandError::CLIENT_ID_TOO_SMALL;
            read_list(args, |args| {
                filter.clients.push(args.positive(error.clone())? as u64);
                Ok(())
            })?;
        } else if filter.db.is_none() && args.word("DB") {
            filter.db = Some(args.db(databases)?);
        } else if filter.slower.is_none() && args.word("SLOWER") {
            let micros = u64::try_from(args.integer()?).map_err(|_| CommandError::NOT_POSITIVE)?;
            filter.slower = Some(Duration::from_micros(micros));
        } else {
            return Err(CommandError::Syntax);
        }
    }
    Ok(filter)
}

/// Reads one and all that follow up to the next option.
fn read_list<'v>(
    args: &mut Args<'v>,
    mut read: impl FnMut(&mut Args<'v>) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    read(args)?;
    let is_option = |word: &[u8]| {
        let options = ["MATCH", "CMD", "ID", "DB", "SLOWER"];
        options.iter().any(|option| word.eq_ignore_ascii_case(option.as_bytes()))
    };
    while args.peek().is_some_and(|word| !is_option(word)) {
        read(args)?;
    }
    Ok(())
}

/// The numbers of a command, and of its subcommands.
fn numbers_of(name: &[u8]) -> Result<impl Iterator<Item = u16>, CommandError> {
    let found = table::find_full_name(name).ok_or_else(|| CommandError::no_such_command(name))?;
    Ok(std::iter::once(found.id).chain(table::subcommands(found).map(|found| found.id)))
}
