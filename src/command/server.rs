//! Commands about the server as a whole.

use super::args::Args;
use super::spec::{Arity, Context, Flags, Handler, Spec};
use crate::error::CommandError;
use crate::instance::{Closing, SaveJob};
use crate::protocol::{Outcome, Reply};

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "TIME",
        arity: Arity::exactly(1),
        handler: Handler::Client(time),
        flags: Flags::LOADING.and(Flags::STALE).and(Flags::FAST),
        since: "2.6.0",
        summary: "Returns the server time.",
        tips: &["nondeterministic_output"],
        ..Spec::REST
    },
    Spec {
        name: "SHUTDOWN",
        arity: Arity::at_least(1),
        handler: Handler::Client(shutdown),
        flags: Flags::ADMIN
            .and(Flags::NO_SCRIPT)
            .and(Flags::LOADING)
            .and(Flags::STALE)
            .and(Flags::NO_MULTI)
            .and(Flags::ALLOW_BUSY),
        since: "1.0.0",
        summary: "Synchronously saves the database(s) to disk and shuts down the Redis server.",
        syntax: "save-selector=[NOSAVE|SAVE] [NOW@7.0.0] [FORCE@7.0.0] [ABORT@7.0.0]",
        complexity: "O(N) when saving, where N is the total number of keys in all databases when saving data, otherwise O(1)",
        history: &[("7.0.0", "Added the `NOW`, `FORCE` and `ABORT` modifiers.")],
        ..Spec::REST
    },
];

fn time<'v>(context: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    let (seconds, micros) = (context.now_us / 1_000_000, context.now_us % 1_000_000);
    Ok(Reply::Array(vec![Reply::BulkInt(seconds), Reply::BulkInt(micros)]))
}

/// The options of SHUTDOWN.
#[derive(Default)]
struct Shutdown {
    save: bool,
    nosave: bool,
    /// There are no replicas to wait for, so this changes nothing.
    now: bool,
    force: bool,
    abort: bool,
}

impl Shutdown {
    fn parse(args: &mut Args<'_>) -> Result<Self, CommandError> {
        let mut options = Self::default();
        while !args.is_empty() {
            let Self { save, nosave, now, force, abort } = &mut options;
            let words = [
                ("NOSAVE", nosave),
                ("SAVE", save),
                ("NOW", now),
                ("FORCE", force),
                ("ABORT", abort),
            ];
            let option = words.into_iter().find(|(word, _)| args.word(word));
            *option.ok_or(CommandError::Syntax)?.1 = true;
        }
        let Self { save, nosave, now, force, abort } = options;
        if save && nosave || abort && (save || nosave || now || force) {
            return Err(CommandError::Syntax);
        }
        Ok(options)
    }
}

fn shutdown<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let options = Shutdown::parse(args)?;
    if options.abort {
        // A stop cannot be taken back, and it ends connections before they could ask.
        return Err(CommandError::NO_SHUTDOWN);
    }
    log::warn!("User requested shutdown...");
    let instance = context.instance;
    let save = options.save || (!options.nosave && instance.saves_at_the_end());
    let stopped = instance.saving.run(SaveJob::Stop { save, force: options.force });
    if stopped.is_err() && !instance.stop.is_requested() {
        return Err(CommandError::SHUTDOWN_FAILED);
    }
    context.client.closing = Some(Closing::AtOnce);
    Ok(Reply::Nothing)
}
