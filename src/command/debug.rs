//! DEBUG: for tests of clients and of this server.
//!
//! One command, which tells its subcommands apart itself, as in Redis. It has no subcommand that
//! could crash or stall the server: SLEEP lets one client's thread sleep and nobody else.

use super::args::Args;
use super::spec::{Arity, Context, Flags, Handler, Spec};
use crate::config::Permission;
use crate::error::CommandError;
use crate::instance::SaveJob;
use crate::keyspace::Entry;
use crate::persist::{Fingerprint, Survey, stored_bytes};
use crate::protocol::{Outcome, Protocol, Reply};
use std::time::Duration;

pub(super) const COMMANDS: &[Spec] = &[Spec {
    name: "DEBUG",
    arity: Arity::at_least(2),
    handler: Handler::Client(debug),
    flags: Flags::ADMIN
        .and(Flags::NO_SCRIPT)
        .and(Flags::LOADING)
        .and(Flags::STALE)
        .and(Flags::SYSTEM)
        .and(Flags::WALKS),
    since: "1.0.0",
    summary: "A container for debugging commands.",
    complexity: "Depends on subcommand.",
    ..Spec::REST
}];

/// A subcommand: its name, how many arguments follow it, what it does.
type Subcommand = (&'static str, usize, for<'v> fn(&mut Context<'_>, &mut Args<'v>) -> Outcome<'v>);

/// Any number of arguments.
const ANY: usize = usize::MAX;

const SUBCOMMANDS: &[Subcommand] = &[
    ("DIGEST", 0, digest),
    ("DIGEST-VALUE", ANY, digest_value),
    ("ERROR", 1, error),
    ("LOG", 1, log),
    ("RELOAD", ANY, reload),
    ("OBJECT", 1, object),
    ("PROTOCOL", 1, protocol),
    ("SET-ACTIVE-EXPIRE", 1, set_active_expire),
    ("SLEEP", 1, sleep),
    ("HELP", 0, help),
];

fn debug<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let is_allowed = match context.client.settings.enable_debug_command {
        Permission::No => false,
        Permission::Local => context.client.record.peer.ip().to_canonical().is_loopback(),
        Permission::Yes => true,
    };
    if !is_allowed {
        return Err(CommandError::DEBUG_NOT_ALLOWED);
    }
    let name = args.bytes()?;
    let is_it = |(known, length, _): &&Subcommand| {
        name.eq_ignore_ascii_case(known.as_bytes()) && (*length == ANY || args.len() == *length)
    };
    match SUBCOMMANDS.iter().find(is_it) {
        Some((_, _, run)) => run(context, args),
        None => {
            let name = name.to_vec();
            Err(CommandError::UnknownSubcommandOrArity { name, container: "DEBUG" })
        }
    }
}

fn digest<'v>(context: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    let (mut survey, now_ms) = (Survey::default(), context.walk().now_ms());
    context.shards.for_each_database(|db, database| {
        for entry in database.iter().filter(|entry| !entry.is_expired(now_ms)) {
            survey.add(db, entry.key(), entry.value(), entry.deadline_ms().is_some());
        }
    });
    Ok(Reply::status(survey.fingerprint().to_string()))
}

fn digest_value<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let walk = context.walk();
    let of_entry =
        |entry: &Entry| Fingerprint::of_value(entry.value(), entry.deadline_ms().is_some());
    let of_key = |key| walk.entry(key, of_entry).unwrap_or_default();
    Ok(Reply::Array(args.rest().map(|key| Reply::status(of_key(key).to_string())).collect()))
}

fn error<'v>(_: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    // A reply that succeeds in being an error: it is not counted among the failures.
    Ok(Reply::Error(CommandError::Bytes(args.take()?)))
}

fn log<'v>(_: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    log::warn!("DEBUG LOG: {}", String::from_utf8_lossy(args.bytes()?));
    Ok(Reply::Ok)
}

fn reload<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (mut save, mut flush, mut merge) = (true, true, false);
    while !args.is_empty() {
        if args.word("NOSAVE") {
            save = false;
        } else if args.word("NOFLUSH") {
            flush = false;
        } else if args.word("MERGE") {
            merge = true;
        } else {
            return Err(CommandError::RELOAD_OPTIONS);
        }
    }
    if !context.client.may_wait {
        return Err(CommandError::NOT_IN_TRANSACTION);
    }
    let reloaded = context.instance.saving.run(SaveJob::Reload { save, flush, merge });
    reloaded.map_err(|reason| CommandError::because("ERR ", &reason))?;
    Ok(Reply::Ok)
}

fn object<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let walk = context.walk();
    let compresses = context.client.settings.rdbcompression;
    let described = walk.entry(args.bytes()?, |entry| describe(entry, compresses, walk.now_ms()));
    described.map(Reply::status).ok_or(CommandError::NO_SUCH_KEY)
}

fn describe(entry: &Entry, compresses: bool, now_ms: u64) -> String {
    /// The bits of the second of the last use that Redis keeps.
    const LRU_MASK: u64 = 0xff_ffff;
    let idle = u64::from(entry.access.idle_seconds(now_ms));
    let used = (now_ms / 1000).saturating_sub(idle) & LRU_MASK;
    format!(
        "Value at:{:p} refcount:1 encoding:{} serializedlength:{} lru:{used} lru_seconds_idle:{idle}",
        entry,
        entry.value().encoding(),
        stored_bytes(entry.value(), compresses),
    )
}

fn set_active_expire<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    // What is no number counts as 0, as C's atoi has it.
    let is_active = args.integer().unwrap_or(0) != 0;
    context.instance.reaper.set_paused(!is_active);
    Ok(Reply::Ok)
}

/// Longer than any server runs.
const SLEEP_SECONDS_MAX: f64 = 1e9;

fn sleep<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    // What is no number counts as 0, as C's strtod has it.
    let seconds = args.double().unwrap_or(0.0).clamp(0.0, SLEEP_SECONDS_MAX);
    context.client.record.park(Duration::from_secs_f64(seconds));
    Ok(Reply::Ok)
}

/// What DEBUG PROTOCOL answers for a double, byte for byte as Redis does.
#[allow(clippy::approx_constant, reason = "it is not meant to be more exact")]
const DOUBLE: f64 = 3.141;

fn protocol<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let three = || (0..3).map(Reply::Int).collect();
    Ok(match args.bytes()?.to_ascii_lowercase().as_slice() {
        b"string" => Reply::text("Hello World"),
        b"integer" => Reply::Int(12345),
        b"double" => Reply::Double(DOUBLE),
        b"bignum" => Reply::BigNumber(b"1234567999999999999999999999999999999".into()),
        b"null" => Reply::Null,
        b"array" => Reply::Array(three()),
        b"set" => Reply::Set(three()),
        b"map" => Reply::Map((0..3).map(|key| (Reply::Int(key), Reply::Bool(key == 1))).collect()),
        b"attrib" => Reply::Attributed(
            vec![(
                Reply::text("key-popularity"),
                Reply::Array(vec![Reply::text("key:123"), Reply::Int(90)]),
            )],
            Box::new(Reply::text("Some real reply following the attribute")),
        ),
        b"push" if context.client.protocol == Protocol::Resp2 => {
            return Err(CommandError::NOT_IN_RESP2);
        }
        b"push" => Reply::Several(vec![
            Reply::Push(vec![Reply::text("server-cpu-usage"), Reply::Int(42)]),
            Reply::text("Some real reply following the push reply"),
        ]),
        b"verbatim" => Reply::Verbatim("This is a verbatim\nstring".into()),
        b"true" => Reply::Bool(true),
        b"false" => Reply::Bool(false),
        _ => return Err(CommandError::WRONG_PROTOCOL_TYPE),
    })
}

fn help<'v>(_: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    Ok(Reply::lines(HELP.iter().copied()))
}

const HELP: &[&str] = &[
    "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "DIGEST",
    "    Output a hex signature representing the current DB content.",
    "DIGEST-VALUE <key> [<key> ...]",
    "    Output a hex signature of the values of all the specified keys.",
    "ERROR <string>",
    "    Return a Redis protocol error with <string> as message. Useful for clients",
    "    unit tests to simulate Redis errors.",
    "LOG <message>",
    "    Write <message> to the server log.",
    "OBJECT <key>",
    "    Show low level info about `key` and associated value.",
    "PROTOCOL <type>",
    "    Reply with a test value of the specified type. <type> can be: string,",
    "    integer, double, bignum, null, array, set, map, attrib, push, verbatim,",
    "    true, false.",
    "RELOAD [option ...]",
    "    Save the RDB on disk and reload it back to memory. Valid <option> values:",
    "    * MERGE: conflicting keys will be loaded from RDB.",
    "    * NOFLUSH: the existing database will not be removed before load, but",
    "      conflicting keys will generate an exception and kill the server.",
    "    * NOSAVE: the database will be loaded from an existing RDB file.",
    "    Examples:",
    "    * DEBUG RELOAD: verify that the server is able to persist, flush and reload",
    "      the database.",
    "    * DEBUG RELOAD NOSAVE: replace the current database with the contents of an",
    "      existing RDB file.",
    "    * DEBUG RELOAD NOSAVE NOFLUSH MERGE: add the contents of an existing RDB",
    "      file to the database.",
    "SET-ACTIVE-EXPIRE <0|1>",
    "    Setting it to 0 disables expiring keys in background when they are not",
    "    accessed (otherwise the Redis behavior). Setting it to 1 reenables back the",
    "    default.",
    "SLEEP <seconds>",
    "    Stop the server for <seconds>. Decimals allowed.",
    "HELP",
    "    Print this help.",
];
