//! CONFIG: the directives at run time.

use super::args::Args;
use super::spec::{Arity, Context, Flags, Handler, Spec};
use crate::config::{self, Refusal};
use crate::error::CommandError;
use crate::glob;
use crate::protocol::{Outcome, Reply};
use std::borrow::Cow;

const ADMIN: Flags = Flags::ADMIN.and(Flags::NO_SCRIPT).and(Flags::LOADING).and(Flags::STALE);
const EVERY_NODE: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

pub(super) const COMMANDS: &[Spec] = &[Spec {
    name: "CONFIG",
    arity: Arity::at_least(2),
    handler: Handler::Container,
    since: "2.0.0",
    summary: "A container for server configuration commands.",
    complexity: "Depends on subcommand.",
    subcommands: &[
        Spec {
            name: "GET",
            arity: Arity::at_least(3),
            handler: Handler::Client(get),
            flags: ADMIN,
            since: "2.0.0",
            summary: "Returns the effective values of configuration parameters.",
            syntax: "parameter...",
            complexity: "O(N) when N is the number of configuration parameters provided",
            history: &[(
                "7.0.0",
                "Added the ability to pass multiple pattern parameters in one call",
            )],
            ..Spec::REST
        },
        Spec {
            name: "SET",
            arity: Arity::at_least(4),
            handler: Handler::Client(set),
            flags: ADMIN,
            since: "2.0.0",
            summary: "Sets configuration parameters in-flight.",
            syntax: "data=(parameter value)...",
            complexity: "O(N) when N is the number of configuration parameters provided",
            history: &[("7.0.0", "Added the ability to set multiple parameters in one call.")],
            tips: EVERY_NODE,
            ..Spec::REST
        },
        Spec {
            name: "RESETSTAT",
            arity: Arity::exactly(2),
            handler: Handler::Client(reset_stat),
            flags: ADMIN,
            since: "2.0.0",
            summary: "Resets the server's statistics.",
            tips: EVERY_NODE,
            ..Spec::REST
        },
        Spec {
            name: "REWRITE",
            arity: Arity::exactly(2),
            handler: Handler::Client(rewrite),
            flags: ADMIN,
            since: "2.8.0",
            summary: "Persists the effective configuration to file.",
            tips: EVERY_NODE,
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
    ],
    ..Spec::REST
}];

/// A directive that a pattern found, as `name` in the reply.
struct Match<'v> {
    name: Cow<'v, str>,
    directive: &'static config::Directive,
}

/// The directives that a pattern finds. A name is looked up and shown as it was typed.
fn find<'v>(pattern: &'v [u8]) -> Vec<Match<'v>> {
    if pattern.iter().any(|byte| b"[*?".contains(byte)) {
        return config::all_names()
            .filter(|(_, name)| glob::matches_ignoring_case(pattern, name.as_bytes()))
            .map(|(directive, name)| Match { name: name.into(), directive })
            .collect();
    }
    let name = String::from_utf8_lossy(pattern);
    config::find(&name).map(|directive| Match { name, directive }).into_iter().collect()
}

fn get<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let mut matches: Vec<Match<'v>> = Vec::new();
    for found in args.rest().flat_map(find) {
        if !matches.iter().any(|other| other.name.eq_ignore_ascii_case(&found.name)) {
            matches.push(found);
        }
    }
    let settings = context.instance.config.settings();
    let pair = |found: Match<'v>| {
        let value = match found.directive.name {
            // A port of 0 asked for any; the one that was found says more.
            "port" => context.instance.port_in_use().to_string(),
            _ => found.directive.get(&settings).to_string(),
        };
        (Reply::text(found.name), Reply::text(value))
    };
    Ok(Reply::Map(matches.into_iter().map(pair).collect()))
}

fn set<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let mut given = Vec::new();
    while !args.is_empty() {
        let name = String::from_utf8_lossy(args.bytes()?);
        let is_secret = config::find(&name).is_some_and(|directive| directive.is_secret);
        given.push((name, if is_secret { args.secret()? } else { args.bytes()?.to_vec() }));
    }
    let mut pairs = Vec::new();
    for (name, value) in &given {
        let value = std::str::from_utf8(value).map_err(|_| CommandError::CONFIG_NOT_TEXT)?;
        pairs.push((&**name, value));
    }
    match context.instance.config.set(&pairs) {
        Ok(()) => {
            // They hold for this command already: the slow log keeps the one that opens it.
            context.client.settings = context.instance.config.settings();
            Ok(Reply::Ok)
        }
        Err(Refusal::Unknown(name)) => Err(CommandError::UnknownDirective(name)),
        Err(Refusal::Value { name, reason }) => {
            Err(CommandError::ConfigSet { name, reason: reason.to_string() })
        }
    }
}

fn reset_stat<'v>(context: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    context.instance.stats.reset();
    context.instance.janitor.reset();
    Ok(Reply::Ok)
}

fn rewrite<'v>(context: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    match context.instance.config.rewrite() {
        Ok(true) => Ok(Reply::Ok),
        Ok(false) => Err(CommandError::NO_CONFIG_FILE),
        Err(reason) => Err(CommandError::ConfigRewrite(reason)),
    }
}

fn help<'v>(_: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    Ok(Reply::lines([
        "CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "GET <pattern>",
        "    Return parameters matching the glob-like <pattern> and their values.",
        "SET <directive> <value>",
        "    Set the configuration <directive> to <value>.",
        "RESETSTAT",
        "    Reset statistics reported by the INFO command.",
        "REWRITE",
        "    Rewrite the configuration file.",
        "HELP",
        "    Print this help.",
    ]))
}
