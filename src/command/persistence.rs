//! Commands that write snapshots. The work is done by a thread of its own; SAVE waits for it.

use super::args::Args;
use super::spec::{Arity, Context, Flags, Handler, Spec};
use crate::error::CommandError;
use crate::instance::{NotTaken, SaveJob};
use crate::protocol::{Outcome, Reply};

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "SAVE",
        arity: Arity::exactly(1),
        handler: Handler::Client(save),
        flags: Flags::ADMIN.and(Flags::NO_SCRIPT).and(Flags::NO_ASYNC_LOADING).and(Flags::NO_MULTI),
        summary: "Synchronously saves the database(s) to disk.",
        complexity: "O(N) where N is the total number of keys in all databases",
        ..Spec::REST
    },
    Spec {
        name: "BGSAVE",
        arity: Arity::at_least(1),
        handler: Handler::Client(bgsave),
        flags: Flags::ADMIN.and(Flags::NO_SCRIPT).and(Flags::NO_ASYNC_LOADING),
        summary: "Asynchronously saves the database(s) to disk.",
        syntax: "[SCHEDULE@3.2.2]",
        history: &[("3.2.2", "Added the `SCHEDULE` option.")],
        ..Spec::REST
    },
    Spec {
        name: "LASTSAVE",
        arity: Arity::exactly(1),
        handler: Handler::Client(lastsave),
        flags: Flags::ADMIN_CATEGORY
            .and(Flags::DANGEROUS)
            .and(Flags::LOADING)
            .and(Flags::STALE)
            .and(Flags::FAST),
        summary: "Returns the Unix timestamp of the last successful save to disk.",
        tips: &["nondeterministic_output"],
        ..Spec::REST
    },
];

fn save<'v>(context: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    let saving = &context.instance.saving;
    let number = match saving.request(SaveJob::Save) {
        Ok(number) => number,
        Err(NotTaken::Busy) => return Err(CommandError::SAVE_IN_PROGRESS),
        Err(NotTaken::Ending) => return Ok(Reply::Nothing),
    };
    saving.wait_for(number).map_err(|reason| CommandError::because("ERR ", &reason))?;
    Ok(Reply::Ok)
}

fn bgsave<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    // It is for a server that rewrites its log at the moment.
    args.word("SCHEDULE");
    args.end()?;
    let saving = &context.instance.saving;
    if saving.running().is_some() {
        return Err(CommandError::SAVE_IN_PROGRESS);
    }
    if !context.client.may_wait {
        // A transaction's changes are saved as a whole, once it is over.
        saving.schedule();
        return Ok(Reply::status("Background saving scheduled"));
    }
    match saving.request(SaveJob::Save) {
        Ok(number) => {
            saving.wait_for_moment(number);
            Ok(Reply::status("Background saving started"))
        }
        Err(_) => Err(CommandError::SAVE_IN_PROGRESS),
    }
}

fn lastsave<'v>(context: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    Ok(Reply::Int(context.instance.saving.history().last_seconds))
}
