//! XGROUP: groups of consumers and their members.

use super::args::Args;
use super::keys::{KeyFlags, Keys};
use super::spec::{Arity, Context, Flags, Handler, Spec};
use super::stream_id;
use crate::error::CommandError;
use crate::keyspace::{Change, Key, WriteView};
use crate::protocol::{Outcome, Reply};
use crate::value::stream::{Group, Stream, StreamId};

pub(super) const COMMANDS: &[Spec] = &[Spec {
    name: "XGROUP",
    arity: Arity::at_least(2),
    since: "5.0.0",
    summary: "A container for consumer groups commands.",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..Spec::REST
}];

const INSERTS: Keys = Keys::one(2, KeyFlags::RW.and(KeyFlags::INSERT));
const DELETES: Keys = Keys::one(2, KeyFlags::RW.and(KeyFlags::DELETE));

const SUBCOMMANDS: &[Spec] = &[
    Spec {
        name: "CREATE",
        arity: Arity::at_least(5),
        keys: INSERTS,
        handler: Handler::Write(create),
        event: "xgroup-create",
        flags: Flags::DENY_OOM,
        since: "5.0.0",
        summary: "Creates a consumer group.",
        syntax: "key group id-selector=(id|new-id='$') [MKSTREAM] [ENTRIESREAD entriesread:integer]",
        history: &[("7.0.0", "Added the `entries_read` named argument.")],
        ..Spec::REST
    },
    Spec {
        name: "CREATECONSUMER",
        arity: Arity::exactly(5),
        keys: INSERTS,
        handler: Handler::Write(create_consumer),
        event: "xgroup-createconsumer",
        flags: Flags::DENY_OOM,
        since: "6.2.0",
        summary: "Creates a consumer in a consumer group.",
        syntax: "key group consumer",
        ..Spec::REST
    },
    Spec {
        name: "DELCONSUMER",
        arity: Arity::exactly(5),
        keys: DELETES,
        handler: Handler::Write(delete_consumer),
        event: "xgroup-delconsumer",
        since: "5.0.0",
        summary: "Deletes a consumer from a consumer group.",
        syntax: "key group consumer",
        ..Spec::REST
    },
    Spec {
        name: "DESTROY",
        arity: Arity::exactly(4),
        keys: DELETES,
        handler: Handler::Write(destroy),
        event: "xgroup-destroy",
        since: "5.0.0",
        summary: "Destroys a consumer group.",
        syntax: "key group",
        complexity: "O(N) where N is the number of entries in the group's pending entries list (PEL).",
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
        name: "SETID",
        arity: Arity::at_least(5),
        keys: Keys::one(2, KeyFlags::RW.and(KeyFlags::UPDATE)),
        handler: Handler::Write(set_id),
        event: "xgroup-setid",
        since: "5.0.0",
        summary: "Sets the last-delivered ID of a consumer group.",
        syntax: "key group id-selector=(id|new-id='$') [ENTRIESREAD entriesread:integer]",
        history: &[("7.0.0", "Added the optional `entries_read` argument.")],
        ..Spec::REST
    },
];

/// Whether there is a stream; another type is an error before anything else is.
fn exists(view: &WriteView<'_, '_>, key: Key<'_>) -> Result<bool, CommandError> {
    view.look_at::<Stream>(key).map(|stream| stream.is_some())
}

/// Changes a group, which has to be there.
fn change_group<R>(
    view: &mut WriteView<'_, '_>,
    (key, name): (Key<'_>, &[u8]),
    change: impl FnOnce(&mut Group) -> Change<R>,
) -> Result<R, CommandError> {
    let changed = view.change_beside(key, |stream: &mut Stream| {
        let group = stream.groups.get_mut(name);
        let group = group.ok_or_else(|| CommandError::no_group_of_key(name, key.bytes))?;
        let change = change(group);
        Ok(Change::of(change.count, (change.count, change.result)))
    })?;
    let (count, result) = changed.ok_or(CommandError::GROUP_NEEDS_KEY)?;
    if count > 0 {
        view.tell_change(key);
    }
    Ok(result)
}

/// From where a group reads a stream.
fn start(text: &[u8], stream: &Stream) -> Result<StreamId, CommandError> {
    if text == b"$" { Ok(stream.last_id) } else { stream_id::strict(text, 0) }
}

/// What stands behind the id.
#[derive(Default)]
struct Options {
    makes_stream: bool,
    entries_read: Option<i64>,
}

fn options(args: &mut Args<'_>, may_make: bool) -> Result<Options, CommandError> {
    let mut options = Options::default();
    while !args.is_empty() {
        if may_make && args.word("MKSTREAM") {
            options.makes_stream = true;
        } else if args.len() > 1 && args.word("ENTRIESREAD") {
            let count = args.integer()?;
            if count < -1 {
                return Err(CommandError::ENTRIES_READ);
            }
            options.entries_read = Some(count).filter(|count| *count >= 0);
        } else {
            return Err(args.wrong_subcommand("XGROUP"));
        }
    }
    Ok(options)
}

fn create<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, name, id) = (args.key()?, args.bytes()?, args.bytes()?);
    let Options { makes_stream, entries_read } = options(args, true)?;
    if exists(view, key)? {
        view.change_beside(key, |stream: &mut Stream| {
            let group = Group::new(start(id, stream)?, entries_read);
            if stream.groups.contains_key(name) {
                return Err(CommandError::GROUP_EXISTS);
            }
            stream.groups.insert(name.into(), group);
            Ok(Change::of(1, ()))
        })?;
        view.tell_change(key);
        return Ok(Reply::Ok);
    }
    if !makes_stream {
        return Err(CommandError::GROUP_NEEDS_KEY);
    }
    let mut stream = Stream::default();
    let group = Group::new(start(id, &stream)?, entries_read);
    stream.groups.insert(name.into(), group);
    view.set(key, stream);
    Ok(Reply::Ok)
}

fn set_id<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, name, id) = (args.key()?, args.bytes()?, args.bytes()?);
    let Options { entries_read, .. } = options(args, false)?;
    let changed = view.change_beside(key, |stream: &mut Stream| {
        if !stream.groups.contains_key(name) {
            return Err(CommandError::no_group_of_key(name, key.bytes));
        }
        let last_id = start(id, stream)?;
        if let Some(group) = stream.groups.get_mut(name) {
            group.last_id = last_id;
            group.entries_read = entries_read;
        }
        Ok(Change::of(1, ()))
    })?;
    changed.ok_or(CommandError::GROUP_NEEDS_KEY)?;
    view.tell_change(key);
    Ok(Reply::Ok)
}

fn destroy<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, name) = (args.key()?, args.bytes()?);
    let removed = view.change_beside(key, |stream: &mut Stream| {
        let removed = stream.groups.remove(name).is_some();
        Ok(Change::of(usize::from(removed), removed))
    })?;
    let removed = removed.ok_or(CommandError::GROUP_NEEDS_KEY)?;
    if removed {
        view.tell_change(key);
    }
    Ok(Reply::flag(removed))
}

fn create_consumer<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, name, consumer) = (args.key()?, args.bytes()?, args.bytes()?);
    let now_ms = view.now_ms() as i64;
    let created = change_group(view, (key, name), |group| {
        let created = group.add_consumer(consumer, now_ms).is_some();
        Change::of(usize::from(created), created)
    })?;
    Ok(Reply::flag(created))
}

fn delete_consumer<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, name, consumer) = (args.key()?, args.bytes()?, args.bytes()?);
    let waited = change_group(view, (key, name), |group| {
        let removed = group.remove_consumer(consumer);
        Change::of(usize::from(removed.is_some()), removed)
    })?;
    Ok(Reply::count(waited.unwrap_or(0)))
}

fn help<'v>(_: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    Ok(Reply::lines(HELP.iter().copied()))
}

const HELP: &[&str] = &[
    "XGROUP <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CREATE <key> <groupname> <id|$> [option]",
    "    Create a new consumer group. Options are:",
    "    * MKSTREAM",
    "      Create the empty stream if it does not exist.",
    "    * ENTRIESREAD entries_read",
    "      Set the group's entries_read counter (internal use).",
    "CREATECONSUMER <key> <groupname> <consumer>",
    "    Create a new consumer in the specified group.",
    "DELCONSUMER <key> <groupname> <consumer>",
    "    Remove the specified consumer.",
    "DESTROY <key> <groupname>",
    "    Remove the specified group.",
    "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
    "    Set the current group ID and entries_read counter.",
    "HELP",
    "    Print this help.",
];
