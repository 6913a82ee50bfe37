//! OBJECT: what is known of a key besides its value.

use super::args::Args;
use super::keys::{KeyFlags, Keys};
use super::spec::{Arity, Context, Flags, Handler, Spec};
use crate::error::CommandError;
use crate::keyspace::{AccessPolicy, Entry, ReadView};
use crate::protocol::{Outcome, Reply};
use crate::value::{StringRef, ValueRef};

pub(super) const COMMANDS: &[Spec] = &[Spec {
    name: "OBJECT",
    arity: Arity::at_least(2),
    since: "2.2.3",
    summary: "A container for object introspection commands.",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..Spec::REST
}];

const SUBCOMMANDS: &[Spec] = &[
    Spec {
        name: "ENCODING",
        handler: Handler::Read(encoding),
        summary: "Returns the internal encoding of a Redis object.",
        ..ABOUT_KEY
    },
    Spec {
        name: "FREQ",
        handler: Handler::Read(freq),
        since: "4.0.0",
        summary: "Returns the logarithmic access frequency counter of a Redis object.",
        ..ABOUT_KEY
    },
    Spec {
        name: "HELP",
        arity: Arity::exactly(2),
        handler: Handler::Client(help),
        flags: Flags::KEYSPACE.and(Flags::LOADING).and(Flags::STALE),
        since: "6.2.0",
        summary: "Returns helpful text about the different subcommands.",
        ..Spec::REST
    },
    Spec {
        name: "IDLETIME",
        handler: Handler::Read(idletime),
        summary: "Returns the time since the last access to a Redis object.",
        ..ABOUT_KEY
    },
    Spec {
        name: "REFCOUNT",
        handler: Handler::Read(refcount),
        summary: "Returns the reference count of a value of a key.",
        ..ABOUT_KEY
    },
];

/// What the subcommands about a key have in common.
const ABOUT_KEY: Spec = Spec {
    arity: Arity::exactly(3),
    keys: Keys::one(2, KeyFlags::RO),
    flags: Flags::KEYSPACE,
    since: "2.2.3",
    syntax: "key",
    tips: &["nondeterministic_output"],
    ..Spec::REST
};

/// Integers from 0 up to this one are shared in Redis.
const SHARED_INTEGER_MAX: i64 = 9999;
/// The reference count that Redis shows for what it never frees.
const REFCOUNT_OF_SHARED: i64 = i32::MAX as i64;

/// Tells something of a key; null if there is none.
fn tell<'v>(
    view: &'v ReadView<'_>,
    args: &mut Args<'v>,
    tell: impl FnOnce(&'v Entry) -> Outcome<'v>,
) -> Outcome<'v> {
    view.peek(args.key()?).map_or(Ok(Reply::Null), tell)
}

fn encoding<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    tell(view, args, |entry| Ok(Reply::text(entry.value().encoding())))
}

fn refcount<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    tell(view, args, |entry| {
        let is_shared =
            matches!(entry.value(), ValueRef::String(StringRef::Int(0..=SHARED_INTEGER_MAX)));
        Ok(Reply::Int(if is_shared { REFCOUNT_OF_SHARED } else { 1 }))
    })
}

fn idletime<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    tell(view, args, |entry| match view.access_policy() {
        AccessPolicy::Recency => {
            Ok(Reply::Int(i64::from(entry.access.idle_seconds(view.now_ms()))))
        }
        AccessPolicy::Frequency { .. } => Err(CommandError::NOT_TRACKING_IDLE_TIME),
    })
}

fn freq<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    tell(view, args, |entry| match view.access_policy() {
        AccessPolicy::Recency => Err(CommandError::NOT_TRACKING_FREQUENCY),
        policy @ AccessPolicy::Frequency { .. } => {
            Ok(Reply::Int(i64::from(entry.access.frequency(view.now_ms(), policy))))
        }
    })
}

fn help<'v>(_: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    Ok(Reply::lines([
        "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "ENCODING <key>",
        "    Return the kind of internal representation used in order to store the value",
        "    associated with a <key>.",
        "FREQ <key>",
        "    Return the access frequency index of the <key>. The returned integer is",
        "    proportional to the logarithm of the recent access frequency of the key.",
        "IDLETIME <key>",
        "    Return the idle time of the <key>, that is the approximated number of",
        "    seconds elapsed since the last access to the key.",
        "REFCOUNT <key>",
        "    Return the number of references of the value associated with the specified",
        "    <key>.",
        "HELP",
        "    Print this help.",
    ]))
}
