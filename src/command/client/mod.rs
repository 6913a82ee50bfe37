//! CLIENT: who is connected, and how one client acts on others.

mod filter;
mod line;
mod tracking;

use super::args::{Args, parse_timeout};
use super::connection::read_name;
use super::spec::{Arity, Context, Flags, Handler, Spec};
use crate::error::CommandError;
use crate::instance::{Closing, PauseMode, ReplyMode, Unblock};
use crate::protocol::number::parse_integer;
use crate::protocol::{Outcome, Reply};
use filter::{Kill, List};
use tracking::{caching, getredir, tracking, trackinginfo};

/// What almost every subcommand is.
const COMMON: Flags = Flags::NO_SCRIPT
    .and(Flags::LOADING)
    .and(Flags::STALE)
    .and(Flags::CONNECTION)
    .and(Flags::KEEPS_CACHING);
/// What those are that act on others.
const ADMIN: Flags = COMMON.and(Flags::ADMIN);

pub(super) const COMMANDS: &[Spec] = &[Spec {
    name: "CLIENT",
    arity: Arity::at_least(2),
    handler: Handler::Container,
    since: "2.4.0",
    summary: "A container for client connection commands.",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..Spec::REST
}];

const SUBCOMMANDS: &[Spec] = &[
    Spec {
        name: "CACHING",
        arity: Arity::exactly(3),
        handler: Handler::Client(caching),
        flags: COMMON,
        since: "6.0.0",
        summary: "Instructs the server whether to track the keys in the next request.",
        syntax: "mode=(YES|NO)",
        ..Spec::REST
    },
    Spec {
        name: "GETNAME",
        arity: Arity::exactly(2),
        handler: Handler::Client(getname),
        flags: COMMON,
        since: "2.6.9",
        summary: "Returns the name of the connection.",
        ..Spec::REST
    },
    Spec {
        name: "GETREDIR",
        arity: Arity::exactly(2),
        handler: Handler::Client(getredir),
        flags: COMMON,
        since: "6.0.0",
        summary: "Returns the client ID to which the connection's tracking notifications are redirected.",
        ..Spec::REST
    },
    Spec {
        name: "HELP",
        arity: Arity::exactly(2),
        handler: Handler::Client(help),
        flags: Flags::LOADING.and(Flags::STALE).and(Flags::CONNECTION).and(Flags::KEEPS_CACHING),
        since: "5.0.0",
        summary: "Returns helpful text about the different subcommands.",
        ..Spec::REST
    },
    Spec {
        name: "ID",
        arity: Arity::exactly(2),
        handler: Handler::Client(id),
        flags: COMMON,
        since: "5.0.0",
        summary: "Returns the unique client ID of the connection.",
        ..Spec::REST
    },
    Spec {
        name: "INFO",
        arity: Arity::exactly(2),
        handler: Handler::Client(info),
        flags: COMMON,
        since: "6.2.0",
        summary: "Returns information about the connection.",
        tips: &["nondeterministic_output"],
        ..Spec::REST
    },
    Spec {
        name: "KILL",
        arity: Arity::at_least(3),
        handler: Handler::Client(kill),
        flags: ADMIN,
        since: "2.4.0",
        summary: "Terminates open connections.",
        syntax: "filter=(old-format~'ip:port'!2.8.12|new-format=([ID client-id:integer@2.8.12]\
                 |[TYPE client-type=(NORMAL|MASTER@3.2.0|SLAVE|REPLICA@5.0.0|PUBSUB)@2.8.12]\
                 |[USER username]|[ADDR addr~'ip:port']|[LADDR laddr~'ip:port'@6.2.0]\
                 |[SKIPME skipme=(YES|NO)]|[MAXAGE maxage:integer@7.4.0])...)",
        complexity: "O(N) where N is the number of client connections",
        history: &[
            ("2.8.12", "Added new filter format."),
            ("2.8.12", "`ID` option."),
            ("3.2.0", "Added `master` type in for `TYPE` option."),
            (
                "5.0.0",
                "Replaced `slave` `TYPE` with `replica`. `slave` still supported for backward compatibility.",
            ),
            ("6.2.0", "`LADDR` option."),
        ],
        ..Spec::REST
    },
    Spec {
        name: "LIST",
        arity: Arity::at_least(2),
        handler: Handler::Client(list),
        flags: ADMIN,
        since: "2.4.0",
        summary: "Lists open connections.",
        syntax: "[TYPE client-type=(NORMAL|MASTER|REPLICA|PUBSUB)@5.0.0] [ID client-id:integer...@6.2.0]",
        complexity: "O(N) where N is the number of client connections",
        history: &[
            ("2.8.12", "Added unique client `id` field."),
            ("5.0.0", "Added optional `TYPE` filter."),
            ("6.0.0", "Added `user` field."),
            (
                "6.2.0",
                "Added `argv-mem`, `tot-mem`, `laddr` and `redir` fields and the optional `ID` filter.",
            ),
            ("7.0.0", "Added `resp`, `multi-mem`, `rbs` and `rbp` fields."),
            ("7.0.3", "Added `ssub` field."),
        ],
        tips: &["nondeterministic_output"],
        ..Spec::REST
    },
    Spec {
        name: "NO-EVICT",
        arity: Arity::exactly(3),
        handler: Handler::Client(no_evict),
        flags: ADMIN,
        since: "7.0.0",
        summary: "Sets the client eviction mode of the connection.",
        syntax: "enabled=(ON|OFF)",
        ..Spec::REST
    },
    Spec {
        name: "NO-TOUCH",
        arity: Arity::exactly(3),
        handler: Handler::Client(no_touch),
        flags: COMMON,
        since: "7.2.0",
        summary: "Controls whether commands sent by the client affect the LRU/LFU of accessed keys.",
        syntax: "enabled=(ON|OFF)",
        ..Spec::REST
    },
    Spec {
        name: "PAUSE",
        arity: Arity::at_least(3),
        handler: Handler::Client(pause),
        flags: ADMIN.and(Flags::WALKS),
        since: "3.0.0",
        summary: "Suspends commands processing.",
        syntax: "timeout mode=[WRITE|ALL]@6.2.0",
        history: &[("6.2.0", "`CLIENT PAUSE WRITE` mode added along with the `mode` option.")],
        ..Spec::REST
    },
    Spec {
        name: "REPLY",
        arity: Arity::exactly(3),
        handler: Handler::Client(reply),
        flags: COMMON,
        since: "3.2.0",
        summary: "Instructs the server whether to reply to commands.",
        syntax: "action=(ON|OFF|SKIP)",
        ..Spec::REST
    },
    Spec {
        name: "SETINFO",
        arity: Arity::exactly(4),
        handler: Handler::Client(setinfo),
        flags: COMMON,
        since: "7.2.0",
        summary: "Sets information specific to the client or connection.",
        syntax: "attr=(LIB-NAME libname|LIB-VER libver)",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
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
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..Spec::REST
    },
    Spec {
        name: "TRACKING",
        arity: Arity::at_least(3),
        handler: Handler::Client(tracking),
        flags: COMMON,
        since: "6.0.0",
        summary: "Controls server-assisted client-side caching for the connection.",
        syntax: "status=(ON|OFF) [REDIRECT client-id:integer] [PREFIX prefix...token] [BCAST] [OPTIN] \
                 [OPTOUT] [NOLOOP]",
        complexity: "O(1). Some options may introduce additional complexity.",
        ..Spec::REST
    },
    Spec {
        name: "TRACKINGINFO",
        arity: Arity::exactly(2),
        handler: Handler::Client(trackinginfo),
        flags: COMMON,
        since: "6.2.0",
        summary: "Returns information about server-assisted client-side caching for the connection.",
        ..Spec::REST
    },
    Spec {
        name: "UNBLOCK",
        arity: Arity::at_least(3),
        handler: Handler::Client(unblock),
        flags: ADMIN,
        since: "5.0.0",
        summary: "Unblocks a client blocked by a blocking command from a different connection.",
        syntax: "client-id:integer unblock-type=[TIMEOUT|ERROR]",
        complexity: "O(log N) where N is the number of client connections",
        ..Spec::REST
    },
    Spec {
        name: "UNPAUSE",
        arity: Arity::exactly(2),
        handler: Handler::Client(unpause),
        flags: ADMIN,
        since: "6.2.0",
        summary: "Resumes processing commands from paused clients.",
        complexity: "O(N) Where N is the number of paused clients",
        ..Spec::REST
    },
];

/// Redis's text, but for what is newer (MAXAGE).
const HELP: &[&str] = &[
    "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CACHING (YES|NO)",
    "    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.",
    "GETREDIR",
    "    Return the client ID we are redirecting to when tracking is enabled.",
    "GETNAME",
    "    Return the name of the current connection.",
    "ID",
    "    Return the ID of the current connection.",
    "INFO",
    "    Return information about the current client connection.",
    "KILL <ip:port>",
    "    Kill connection made from <ip:port>.",
    "KILL <option> <value> [<option> <value> [...]]",
    "    Kill connections. Options are:",
    "    * ADDR (<ip:port>|<unixsocket>:0)",
    "      Kill connections made from the specified address",
    "    * LADDR (<ip:port>|<unixsocket>:0)",
    "      Kill connections made to specified local address",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Kill connections by type.",
    "    * USER <username>",
    "      Kill connections authenticated by <username>.",
    "    * SKIPME (YES|NO)",
    "      Skip killing current connection (default: yes).",
    "    * MAXAGE <maxage>",
    "      Kill connections older than the specified age.",
    "LIST [options ...]",
    "    Return information about client connections. Options:",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Return clients of specified type.",
    "UNPAUSE",
    "    Stop the current client pause, resuming traffic.",
    "PAUSE <timeout> [WRITE|ALL]",
    "    Suspend all, or just write, clients for <timeout> milliseconds.",
    "REPLY (ON|OFF|SKIP)",
    "    Control the replies sent to the current connection.",
    "SETNAME <name>",
    "    Assign the name <name> to the current connection.",
    "SETINFO <option> <value>",
    "    Set client meta attr. Options are:",
    "    * LIB-NAME: the client lib name.",
    "    * LIB-VER: the client lib version.",
    "UNBLOCK <clientid> [TIMEOUT|ERROR]",
    "    Unblock the specified blocked client.",
    "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
    "         [OPTIN] [OPTOUT] [NOLOOP]",
    "    Control server assisted client side caching.",
    "TRACKINGINFO",
    "    Report tracking status for the current connection.",
    "NO-EVICT (ON|OFF)",
    "    Protect current client connection from eviction.",
    "NO-TOUCH (ON|OFF)",
    "    Will not touch LRU/LFU stats when this mode is on.",
    "HELP",
    "    Print this help.",
];

fn help<'v>(_: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    Ok(Reply::lines(HELP.iter().copied()))
}

fn getname<'v>(context: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    let name = context.client.record.texts().name.clone();
    Ok(if name.is_empty() { Reply::Null } else { Reply::text(name) })
}

fn setname<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    context.client.rename(read_name(args.bytes()?)?);
    Ok(Reply::Ok)
}

fn setinfo<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (option, value) = (args.bytes()?, args.bytes()?);
    let is_name = option.eq_ignore_ascii_case(b"LIB-NAME");
    if !is_name && !option.eq_ignore_ascii_case(b"LIB-VER") {
        return Err(CommandError::quoting("ERR Unrecognized option ", option, ""));
    }
    let value = read_name(value).map_err(|_| CommandError::invalid_client_info(option))?;
    let mut texts = context.client.record.texts();
    if is_name {
        texts.library_name = value;
    } else {
        texts.library_version = value;
    }
    Ok(Reply::Ok)
}

fn id<'v>(context: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    Ok(Reply::Int(context.client.id() as i64))
}

fn info<'v>(context: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    Ok(Reply::Verbatim(line::describe(context, [context.client.record.clone()]).into()))
}

fn list<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let list = List::read(args)?;
    let records = list.select(&context.instance.clients);
    Ok(Reply::Verbatim(line::describe(context, records).into()))
}

fn kill<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let kill = Kill::read(args)?;
    let (own_id, now_ms) = (context.client.id(), context.instance.now_ms());
    let mut killed = 0;
    for record in context.instance.clients.all() {
        if !kill.wants(&record, own_id, now_ms) {
            continue;
        }
        if record.id == own_id {
            // It still gets the reply.
            context.client.closing = Some(Closing::AfterReply);
            killed += 1;
        } else if context.instance.kill(record.id) {
            killed += 1;
        }
    }
    match (kill.is_old_form, killed) {
        (true, 0) => Err(CommandError::NO_SUCH_CLIENT),
        (true, _) => Ok(Reply::Ok),
        (false, killed) => Ok(Reply::count(killed)),
    }
}

fn on_or_off(args: &mut Args<'_>) -> Result<bool, CommandError> {
    if args.word("ON") {
        return Ok(true);
    }
    if args.word("OFF") { Ok(false) } else { Err(CommandError::Syntax) }
}

fn no_evict<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    context.client.record.no_evict.set(on_or_off(args)?);
    Ok(Reply::Ok)
}

fn no_touch<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    context.client.record.no_touch.set(on_or_off(args)?);
    Ok(Reply::Ok)
}

fn reply<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let client = &mut *context.client;
    if args.word("ON") {
        client.set_reply_mode(ReplyMode::On);
        return Ok(Reply::Ok);
    }
    if args.word("OFF") {
        client.set_reply_mode(ReplyMode::Off);
    } else if !args.word("SKIP") {
        return Err(CommandError::Syntax);
    } else if client.reply_mode != ReplyMode::Off {
        client.set_reply_mode(ReplyMode::SkipNext);
    }
    Ok(Reply::Nothing)
}

fn pause<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let time = args.bytes()?;
    let mode = match args.len() {
        0 => PauseMode::Everything,
        1 if args.word("WRITE") => PauseMode::Writes,
        1 if args.word("ALL") => PauseMode::Everything,
        1 => return Err(CommandError::PAUSE_MODE),
        _ => return Err(args.wrong_subcommand("CLIENT")),
    };
    if let Some(time) = parse_timeout(time, context.now_ms())? {
        let time_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let until_ms = context.instance.now_ms().saturating_add(time_ms);
        context.instance.pause(mode, until_ms, context.shards);
    }
    Ok(Reply::Ok)
}

fn unpause<'v>(context: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    context.instance.unpause();
    Ok(Reply::Ok)
}

fn unblock<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let id = args.bytes()?;
    let how = match args.len() {
        0 => Unblock::AsTimeout,
        1 if args.word("TIMEOUT") => Unblock::AsTimeout,
        1 if args.word("ERROR") => Unblock::WithError,
        1 => return Err(CommandError::UNBLOCK_REASON),
        _ => return Err(args.wrong_subcommand("CLIENT")),
    };
    let id = parse_integer(id).ok_or(CommandError::NotInteger)?;
    let target = u64::try_from(id).ok().and_then(|id| context.instance.clients.get(id));
    Ok(Reply::flag(target.is_some_and(|record| record.unblock(how))))
}
