//! COMMAND: what the table says of itself.

use super::args::Args;
use super::category;
use super::keys::{Begin, Find, KeySpec, KeyUse};
use super::spec::{Arity, Context, Flags, Handler, Spec};
use super::syntax::{self, Argument};
use super::table::{self, Found};
use crate::error::CommandError;
use crate::glob;
use crate::protocol::{Outcome, Reply, Request};
use std::borrow::Cow;

pub(super) const COMMANDS: &[Spec] = &[Spec {
    name: "COMMAND",
    arity: Arity::at_least(1),
    handler: Handler::Client(every),
    flags: Flags::LOADING.and(Flags::STALE).and(Flags::CONNECTION),
    since: "2.8.13",
    summary: "Returns detailed information about all commands.",
    syntax: "",
    complexity: "O(N) where N is the total number of Redis commands",
    tips: &["nondeterministic_output_order"],
    subcommands: SUBCOMMANDS,
    ..Spec::REST
}];

const SUBCOMMANDS: &[Spec] = &[
    Spec {
        name: "COUNT",
        arity: Arity::exactly(2),
        handler: Handler::Client(count),
        flags: Flags::LOADING.and(Flags::STALE).and(Flags::CONNECTION),
        since: "2.8.13",
        summary: "Returns a count of commands.",
        syntax: "",
        complexity: "O(1)",
        ..Spec::REST
    },
    Spec {
        name: "INFO",
        arity: Arity::at_least(2),
        handler: Handler::Client(info),
        flags: Flags::LOADING.and(Flags::STALE).and(Flags::CONNECTION),
        since: "2.8.13",
        summary: "Returns information about one, multiple or all commands.",
        syntax: "[command-name]...",
        complexity: "O(N) where N is the number of commands to look up",
        history: &[("7.0.0", "Allowed to be called with no argument to get info on all commands.")],
        tips: &["nondeterministic_output_order"],
        ..Spec::REST
    },
    Spec {
        name: "LIST",
        arity: Arity::at_least(2),
        handler: Handler::Client(list),
        flags: Flags::LOADING.and(Flags::STALE).and(Flags::CONNECTION),
        since: "7.0.0",
        summary: "Returns a list of command names.",
        syntax: "[FILTERBY filterby=(MODULE module-name|ACLCAT category|PATTERN pattern)]",
        complexity: "O(N) where N is the total number of Redis commands",
        tips: &["nondeterministic_output_order"],
        ..Spec::REST
    },
    Spec {
        name: "DOCS",
        arity: Arity::at_least(2),
        handler: Handler::Client(docs),
        flags: Flags::LOADING.and(Flags::STALE).and(Flags::CONNECTION),
        since: "7.0.0",
        summary: "Returns documentary information about one, multiple or all commands.",
        syntax: "[command-name]...",
        complexity: "O(N) where N is the number of commands to look up",
        tips: &["nondeterministic_output_order"],
        ..Spec::REST
    },
    Spec {
        name: "GETKEYS",
        arity: Arity::at_least(3),
        handler: Handler::Client(keys),
        flags: Flags::LOADING.and(Flags::STALE).and(Flags::CONNECTION),
        since: "2.8.13",
        summary: "Extracts the key names from an arbitrary command.",
        syntax: "command [arg]...",
        complexity: "O(N) where N is the number of arguments to the command",
        ..Spec::REST
    },
    Spec {
        name: "GETKEYSANDFLAGS",
        arity: Arity::at_least(3),
        handler: Handler::Client(keys_and_flags),
        flags: Flags::LOADING.and(Flags::STALE).and(Flags::CONNECTION),
        since: "7.0.0",
        summary: "Extracts the key names and access flags for an arbitrary command.",
        syntax: "command [arg]...",
        complexity: "O(N) where N is the number of arguments to the command",
        ..Spec::REST
    },
    Spec {
        name: "HELP",
        arity: Arity::exactly(2),
        handler: Handler::Client(help),
        flags: Flags::LOADING.and(Flags::STALE).and(Flags::CONNECTION),
        since: "5.0.0",
        summary: "Returns helpful text about the different subcommands.",
        syntax: "",
        complexity: "O(1)",
        ..Spec::REST
    },
];

const HELP: &[&str] = &[
    "COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "(no subcommand)",
    "    Return details about all Redis commands.",
    "COUNT",
    "    Return the total number of commands in this Redis server.",
    "LIST",
    "    Return a list of all commands in this Redis server.",
    "INFO [<command-name> ...]",
    "    Return details about multiple Redis commands.",
    "    If no command names are given, documentation details for all",
    "    commands are returned.",
    "DOCS [<command-name> ...]",
    "    Return documentation details about multiple Redis commands.",
    "    If no command names are given, documentation details for all",
    "    commands are returned.",
    "GETKEYS <full-command>",
    "    Return the keys from a full Redis command.",
    "GETKEYSANDFLAGS <full-command>",
    "    Return the keys and the access flags from a full Redis command.",
    "HELP",
    "    Print this help.",
];

fn every<'v>(_: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    Ok(Reply::Array(table::commands().map(entry).collect()))
}

fn count<'v>(_: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    Ok(Reply::count(table::commands().count()))
}

fn info<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    if args.is_empty() {
        return every(context, args);
    }
    let found = args.rest().map(table::find_full_name);
    Ok(Reply::Array(found.map(|found| found.map_or(Reply::Null, entry)).collect()))
}

fn docs<'v>(_: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let documented = |found: Found| (Reply::text(found.full_name()), documentation(found));
    Ok(Reply::Map(if args.is_empty() {
        table::commands().map(documented).collect()
    } else {
        args.rest().filter_map(table::find_full_name).map(documented).collect()
    }))
}

/// Which commands COMMAND LIST shows.
enum Filter<'v> {
    All,
    /// There are no modules, so none of theirs.
    Module,
    Category(&'v [u8]),
    Pattern(&'v [u8]),
}

impl Filter<'_> {
    fn shows(&self, found: &Found) -> bool {
        match self {
            Self::All => true,
            Self::Module => false,
            Self::Category(name) => {
                category::of(found).any(|category| category.as_bytes().eq_ignore_ascii_case(name))
            }
            Self::Pattern(pattern) => {
                glob::matches_ignoring_case(pattern, found.full_name().as_bytes())
            }
        }
    }
}

fn list<'v>(_: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let filter = if args.is_empty() {
        Filter::All
    } else if !args.word("FILTERBY") {
        return Err(CommandError::Syntax);
    } else if args.word("MODULE") {
        args.bytes()?;
        Filter::Module
    } else if args.word("ACLCAT") {
        Filter::Category(args.bytes()?)
    } else if args.word("PATTERN") {
        Filter::Pattern(args.bytes()?)
    } else {
        return Err(CommandError::Syntax);
    };
    args.end()?;
    let shown = table::all().filter(|found| filter.shows(found));
    Ok(Reply::Array(shown.map(|found| Reply::text(found.full_name())).collect()))
}

fn keys<'v>(_: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let request = Request::from_args(args.rest());
    let keys = key_uses(&request)?.into_iter();
    Ok(Reply::Array(keys.map(|(index, _)| argument(&request, index)).collect()))
}

fn keys_and_flags<'v>(_: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let request = Request::from_args(args.rest());
    let keys = key_uses(&request)?.into_iter();
    let pair = |(index, flags): KeyUse| {
        Reply::Array(vec![argument(&request, index), statuses(flags.names())])
    };
    Ok(Reply::Array(keys.map(pair).collect()))
}

fn key_uses(request: &Request) -> Result<Vec<KeyUse>, CommandError> {
    let Ok(Found { spec, .. }) = table::find(request) else {
        return Err(CommandError::INVALID_COMMAND);
    };
    if !spec.keys.specs().iter().any(KeySpec::has_key) {
        return Err(CommandError::NO_KEYS);
    }
    if !spec.arity.admits(request.len()) {
        return Err(CommandError::INVALID_ARGUMENT_COUNT);
    }
    match spec.keys.uses(request) {
        Some(uses) => Ok(uses),
        None if spec.flags.has(Flags::NO_MANDATORY_KEYS) => Ok(Vec::new()),
        None => Err(CommandError::INVALID_ARGUMENTS),
    }
}

fn argument<'v>(request: &Request, index: usize) -> Reply<'v> {
    Reply::bulk(request.get(index).unwrap_or_default().to_vec())
}

fn help<'v>(_: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    Ok(Reply::lines(HELP.iter().copied()))
}

/// What COMMAND INFO says of one command.
fn entry<'v>(found: Found) -> Reply<'v> {
    let spec = found.spec;
    let keys = spec.keys.legacy();
    let categories = category::of(&found).map(|name| format!("@{name}"));
    // No subcommands are a set, some are an array: that is how Redis answers.
    let subcommands = if spec.subcommands.is_empty() {
        Reply::Set(Vec::new())
    } else {
        Reply::Array(table::subcommands(found).map(entry).collect())
    };
    Reply::Array(vec![
        Reply::text(found.full_name()),
        Reply::Int(spec.arity.number()),
        statuses(spec.flag_names()),
        Reply::count(keys.first),
        Reply::Int(keys.last),
        Reply::count(keys.step),
        statuses(categories),
        Reply::Set(spec.tips.iter().map(|tip| Reply::text(*tip)).collect()),
        Reply::Set(spec.keys.specs().iter().map(key_spec).collect()),
        subcommands,
    ])
}

fn key_spec<'v>(spec: &KeySpec) -> Reply<'v> {
    let mut fields = Vec::new();
    if !spec.notes.is_empty() {
        fields.push(field("notes", Reply::text(spec.notes)));
    }
    fields.push(field("flags", statuses(spec.flags.names())));
    let begin = match spec.begin {
        Begin::Index(index) => typed("index", vec![field("index", Reply::count(index))]),
        Begin::Keyword { word, from } => typed(
            "keyword",
            vec![
                field("keyword", Reply::text(word)),
                field("startfrom", Reply::Int(i64::from(from))),
            ],
        ),
        Begin::Unknown => typed("unknown", Vec::new()),
    };
    let find = match spec.find {
        Find::Range { last, step, limit } => typed(
            "range",
            vec![
                field("lastkey", Reply::Int(i64::from(last))),
                field("keystep", Reply::count(step)),
                field("limit", Reply::count(limit)),
            ],
        ),
        Find::Counted => typed(
            "keynum",
            vec![
                field("keynumidx", Reply::Int(0)),
                field("firstkey", Reply::Int(1)),
                field("keystep", Reply::Int(1)),
            ],
        ),
        Find::Unknown => typed("unknown", Vec::new()),
    };
    fields.push(field("begin_search", begin));
    fields.push(field("find_keys", find));
    Reply::Map(fields)
}

type Field<'v> = (Reply<'v>, Reply<'v>);

fn field<'v>(name: &'static str, value: Reply<'v>) -> Field<'v> {
    (Reply::text(name), value)
}

fn typed<'v>(kind: &'static str, spec: Vec<Field<'v>>) -> Reply<'v> {
    Reply::Map(vec![field("type", Reply::text(kind)), field("spec", Reply::Map(spec))])
}

fn statuses<'v>(names: impl Iterator<Item = impl Into<Cow<'static, str>>>) -> Reply<'v> {
    Reply::Set(names.map(Reply::status).collect())
}

/// What COMMAND DOCS says of one command.
fn documentation<'v>(found: Found) -> Reply<'v> {
    let spec = found.spec;
    let mut fields = vec![
        field("summary", Reply::text(spec.summary)),
        field("since", Reply::text(spec.since)),
        field("group", Reply::text(found.group.name())),
    ];
    if !spec.complexity.is_empty() {
        fields.push(field("complexity", Reply::text(spec.complexity)));
    }
    let deprecated = spec.deprecated.map(|_| "deprecated");
    let system = spec.flags.has(Flags::SYSTEM).then_some("syscmd");
    if deprecated.or(system).is_some() {
        fields.push(field("doc_flags", statuses(deprecated.into_iter().chain(system))));
    }
    if let Some((since, replacement)) = spec.deprecated {
        fields.push(field("deprecated_since", Reply::text(since)));
        fields.push(field("replaced_by", Reply::text(replacement)));
    }
    if !spec.history.is_empty() {
        let change = |(version, change): &(&'static str, &'static str)| {
            Reply::Array(vec![Reply::text(*version), Reply::text(*change)])
        };
        fields.push(field("history", Reply::Set(spec.history.iter().map(change).collect())));
    }
    let arguments = syntax::of(spec);
    if !arguments.is_empty() {
        fields.push(field("arguments", argument_list(arguments)));
    }
    if !spec.subcommands.is_empty() {
        let documented = |found: Found| (Reply::text(found.full_name()), documentation(found));
        let subcommands = table::subcommands(found).map(documented);
        fields.push(field("subcommands", Reply::Map(subcommands.collect())));
    }
    Reply::Map(fields)
}

fn argument_list<'v>(arguments: Vec<Argument<'static>>) -> Reply<'v> {
    Reply::Array(arguments.into_iter().map(argument_map).collect())
}

fn argument_map<'v>(argument: Argument<'static>) -> Reply<'v> {
    let mut fields = vec![
        field("name", Reply::text(argument.name)),
        field("type", Reply::text(argument.kind.name())),
    ];
    if let Some(display) = argument.display {
        fields.push(field("display_text", Reply::text(display)));
    }
    if let Some(index) = argument.key_spec {
        fields.push(field("key_spec_index", Reply::count(index)));
    }
    let texts = [
        ("token", argument.token),
        ("since", argument.since),
        ("deprecated_since", argument.deprecated_since),
    ];
    for (name, text) in texts {
        fields.extend(text.map(|text| field(name, Reply::text(text))));
    }
    let flags = [
        ("optional", argument.optional),
        ("multiple", argument.multiple),
        ("multiple_token", argument.multiple_token),
    ];
    if flags.iter().any(|(_, set)| *set) {
        let set = flags.into_iter().filter(|(_, set)| *set).map(|(name, _)| name);
        fields.push(field("flags", statuses(set)));
    }
    if !argument.parts.is_empty() {
        fields.push(field("arguments", argument_list(argument.parts)));
    }
    Reply::Map(fields)
}
