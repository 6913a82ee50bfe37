//! Scripts: commands that run them, which the executor does, and commands about those that it knows.

use super::args::Args;
use super::keys::{KeyFlags, Keys};
use super::spec::{Arity, Context, Control, Flags, Handler, ScriptAccess, ScriptName, Spec};
use crate::error::CommandError;
use crate::protocol::{Outcome, Reply};
use crate::script::{Digest, KillError};

const RUN: Flags =
    Flags::NO_SCRIPT.and(Flags::STALE).and(Flags::SKIP_MONITOR).and(Flags::NO_MANDATORY_KEYS);
const RUN_READING: Flags = RUN.and(Flags::READ_ONLY);
const WRITTEN: KeyFlags = KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::UPDATE);
const READ: KeyFlags = KeyFlags::RO.and(KeyFlags::ACCESS);
const COMPLEXITY: &str = "Depends on the script that is executed.";

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "EVAL",
        arity: Arity::at_least(3),
        keys: Keys::counted(2, WRITTEN).noted(
            "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE",
        ),
        handler: Handler::Control(Control::Script(ScriptName::Text, ScriptAccess::Write)),
        flags: RUN,
        since: "2.6.0",
        summary: "Executes a server-side Lua script.",
        syntax: "script numkeys [key...] [arg...]",
        complexity: COMPLEXITY,
        ..Spec::REST
    },
    Spec {
        name: "EVALSHA",
        arity: Arity::at_least(3),
        keys: Keys::counted(2, WRITTEN),
        handler: Handler::Control(Control::Script(ScriptName::Digest, ScriptAccess::Write)),
        flags: RUN,
        since: "2.6.0",
        summary: "Executes a server-side Lua script by SHA1 digest.",
        syntax: "sha1 numkeys [key...] [arg...]",
        complexity: COMPLEXITY,
        ..Spec::REST
    },
    Spec {
        name: "EVAL_RO",
        arity: Arity::at_least(3),
        keys: Keys::counted(2, READ).noted(
            "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS",
        ),
        handler: Handler::Control(Control::Script(ScriptName::Text, ScriptAccess::Read)),
        flags: RUN_READING,
        since: "7.0.0",
        summary: "Executes a read-only server-side Lua script.",
        syntax: "script numkeys [key...] [arg...]",
        complexity: COMPLEXITY,
        ..Spec::REST
    },
    Spec {
        name: "EVALSHA_RO",
        arity: Arity::at_least(3),
        keys: Keys::counted(2, READ),
        handler: Handler::Control(Control::Script(ScriptName::Digest, ScriptAccess::Read)),
        flags: RUN_READING,
        since: "7.0.0",
        summary: "Executes a read-only server-side Lua script by SHA1 digest.",
        syntax: "sha1 numkeys [key...] [arg...]",
        complexity: COMPLEXITY,
        ..Spec::REST
    },
    Spec {
        name: "SCRIPT",
        arity: Arity::at_least(2),
        since: "2.6.0",
        summary: "A container for Lua scripts management commands.",
        complexity: "Depends on subcommand.",
        subcommands: SUBCOMMANDS,
        ..Spec::REST
    },
];

const SUBCOMMANDS: &[Spec] = &[
    Spec {
        name: "DEBUG",
        arity: Arity::exactly(3),
        handler: Handler::Client(debug),
        flags: Flags::NO_SCRIPT,
        since: "3.2.0",
        summary: "Sets the debug mode of server-side Lua scripts.",
        syntax: "mode=(YES|SYNC|NO)",
        ..Spec::REST
    },
    Spec {
        name: "EXISTS",
        arity: Arity::at_least(3),
        handler: Handler::Client(exists),
        flags: Flags::NO_SCRIPT,
        since: "2.6.0",
        summary: "Determines whether server-side Lua scripts exist in the script cache.",
        syntax: "sha1...",
        complexity: "O(N) with N being the number of scripts to check (so checking a single script is an O(1) operation).",
        tips: &["request_policy:all_shards", "response_policy:agg_logical_and"],
        ..Spec::REST
    },
    Spec {
        name: "FLUSH",
        arity: Arity::at_least(2),
        handler: Handler::Client(flush),
        flags: Flags::NO_SCRIPT,
        since: "2.6.0",
        summary: "Removes all server-side Lua scripts from the script cache.",
        syntax: "flush-type=[ASYNC|SYNC]@6.2.0",
        complexity: "O(N) with N being the number of scripts in cache",
        history: &[("6.2.0", "Added the `ASYNC` and `SYNC` flushing mode modifiers.")],
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..Spec::REST
    },
    Spec {
        name: "HELP",
        arity: Arity::exactly(2),
        handler: Handler::Client(help),
        flags: Flags::LOADING.and(Flags::STALE),
        since: "5.0.0",
        summary: "Returns helpful text about the different subcommands.",
        ..Spec::REST
    },
    Spec {
        name: "KILL",
        arity: Arity::exactly(2),
        handler: Handler::Client(kill),
        flags: Flags::NO_SCRIPT.and(Flags::ALLOW_BUSY),
        since: "2.6.0",
        summary: "Terminates a server-side Lua script during execution.",
        tips: &["request_policy:all_shards", "response_policy:one_succeeded"],
        ..Spec::REST
    },
    Spec {
        name: "LOAD",
        arity: Arity::exactly(3),
        handler: Handler::Client(load),
        flags: Flags::NO_SCRIPT.and(Flags::STALE),
        since: "2.6.0",
        summary: "Loads a server-side Lua script to the script cache.",
        syntax: "script",
        complexity: "O(N) with N being the length in bytes of the script body.",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..Spec::REST
    },
];

fn load<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let script = context.instance.scripts.load(args.bytes()?)?;
    Ok(Reply::text(script.digest.hex()))
}

fn exists<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let scripts = &context.instance.scripts;
    let is_known = |name| Digest::parse(name).and_then(|digest| scripts.get(digest)).is_some();
    Ok(Reply::Array(args.rest().map(|name| Reply::flag(is_known(name))).collect()))
}

fn flush<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    if args.len() > 1 || !args.is_empty() && !args.word("ASYNC") && !args.word("SYNC") {
        return Err(CommandError::SCRIPT_FLUSH_MODE);
    }
    context.instance.scripts.flush();
    Ok(Reply::Ok)
}

fn kill<'v>(context: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    match context.instance.scripts.watch.kill() {
        Ok(()) => Ok(Reply::Ok),
        Err(KillError::NotBusy) => Err(CommandError::NO_SCRIPT_RUNS),
        Err(KillError::Unkillable) => Err(CommandError::SCRIPT_UNKILLABLE),
    }
}

fn debug<'v>(_: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    if args.word("NO") {
        return Ok(Reply::Ok);
    }
    Err(match args.word("YES") || args.word("SYNC") {
        true => CommandError::NO_SCRIPT_DEBUGGER,
        false => CommandError::SCRIPT_DEBUG_MODE,
    })
}

fn help<'v>(_: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    Ok(Reply::lines(HELP.iter().copied()))
}

const HELP: &[&str] = &[
    "SCRIPT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "DEBUG (YES|SYNC|NO)",
    "    Set the debug mode for subsequent scripts executed.",
    "EXISTS <sha1> [<sha1> ...]",
    "    Return information about the existence of the scripts in the script cache.",
    "FLUSH [ASYNC|SYNC]",
    "    Flush the Lua scripts cache. Very dangerous on replicas.",
    "    When called without the optional mode argument, the behavior is determined by the",
    "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
    "    * ASYNC: Asynchronously flush the scripts cache.",
    "    * SYNC: Synchronously flush the scripts cache.",
    "KILL",
    "    Kill the currently executing Lua script.",
    "LOAD <script>",
    "    Load a script into the scripts cache without executing it.",
    "HELP",
    "    Print this help.",
];
