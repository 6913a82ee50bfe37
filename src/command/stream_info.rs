//! XINFO: what is known of a stream, its groups and their consumers.

use super::args::Args;
use super::keys::{KeyFlags, Keys};
use super::spec::{Arity, Context, Flags, Handler, Spec};
use super::stream_id;
use super::stream_read::{entries, entry};
use crate::error::CommandError;
use crate::keyspace::ReadView;
use crate::protocol::{Outcome, Reply};
use crate::value::stream::{Consumer, Group, Stream, StreamId};

const READS: KeyFlags = KeyFlags::RO.and(KeyFlags::ACCESS);

pub(super) const COMMANDS: &[Spec] = &[Spec {
    name: "XINFO",
    arity: Arity::at_least(2),
    since: "5.0.0",
    summary: "A container for stream introspection commands.",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..Spec::REST
}];

const SUBCOMMANDS: &[Spec] = &[
    Spec {
        name: "CONSUMERS",
        arity: Arity::exactly(4),
        keys: Keys::one(2, READS),
        handler: Handler::Read(consumers),
        since: "5.0.0",
        summary: "Returns a list of the consumers in a consumer group.",
        syntax: "key group",
        history: &[("7.2.0", "Added the `inactive` field, and changed the meaning of `idle`.")],
        tips: &["nondeterministic_output"],
        ..Spec::REST
    },
    Spec {
        name: "GROUPS",
        arity: Arity::exactly(3),
        keys: Keys::one(2, READS),
        handler: Handler::Read(groups),
        since: "5.0.0",
        summary: "Returns a list of the consumer groups of a stream.",
        syntax: "key",
        history: &[("7.0.0", "Added the `entries-read` and `lag` fields")],
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
        name: "STREAM",
        arity: Arity::at_least(3),
        keys: Keys::one(2, READS),
        handler: Handler::Read(stream),
        since: "5.0.0",
        summary: "Returns information about a stream.",
        syntax: "key full-block=[FULL [COUNT count]]",
        history: &[
            ("6.0.0", "Added the `FULL` modifier."),
            (
                "7.0.0",
                "Added the `max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, `entries-read` and `lag` fields",
            ),
            ("7.2.0", "Added the `active-time` field, and changed the meaning of `seen-time`."),
        ],
        ..Spec::REST
    },
];

/// How much FULL shows of each list that does not say otherwise.
const SHOWN_USUALLY: i64 = 10;

/// A name with what it stands for.
fn field<'v>(name: &'static str, value: Reply<'v>) -> (Reply<'v>, Reply<'v>) {
    (Reply::text(name), value)
}

/// The stream at the next argument.
fn find<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Result<&'v Stream, CommandError> {
    view.collection::<Stream>(args.key()?)?.ok_or(CommandError::NO_SUCH_KEY)
}

/// The limit of FULL's lists, if it is asked for.
fn full(args: &mut Args<'_>) -> Result<Option<usize>, CommandError> {
    let wrong = |args: &Args<'_>| args.wrong_subcommand("XINFO");
    if args.is_empty() {
        return Ok(None);
    }
    let may_be_full = matches!(args.len(), 1 | 3);
    if !may_be_full || !args.word("FULL") {
        return Err(wrong(args));
    }
    let mut count = SHOWN_USUALLY;
    if !args.is_empty() {
        if !args.word("COUNT") {
            return Err(wrong(args));
        }
        count = args.integer()?;
    }
    Ok(Some(match usize::try_from(count) {
        Ok(0) => usize::MAX,
        Ok(count) => count,
        Err(_) => SHOWN_USUALLY as usize,
    }))
}

fn stream<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let stream = find(view, args)?;
    let most = full(args)?;
    let (first, last) = (StreamId::MIN, StreamId::MAX);
    let mut fields = vec![
        field("length", Reply::count(stream.len())),
        field("radix-tree-keys", Reply::count(stream.nodes().len())),
        field("radix-tree-nodes", Reply::count(stream.radix_tree_nodes())),
        field("last-generated-id", stream_id::reply(stream.last_id)),
        field("max-deleted-entry-id", stream_id::reply(stream.max_deleted_id)),
        field("entries-added", Reply::Int(stream.entries_added as i64)),
        field("recorded-first-entry-id", stream_id::reply(stream.first_id())),
    ];
    fields.extend(match most {
        None => {
            let mut all = stream.entries(first, last);
            let newest = stream.entries(first, last).next_back();
            vec![
                field("groups", Reply::count(stream.groups.len())),
                field("first-entry", all.next().map_or(Reply::Null, entry)),
                field("last-entry", newest.map_or(Reply::Null, entry)),
            ]
        }
        Some(most) => {
            let groups = stream.groups.iter();
            let groups = groups.map(|(name, group)| full_group(stream, name, group, most));
            vec![
                field("entries", entries(stream, first, last, most)),
                field("groups", Reply::Array(groups.collect())),
            ]
        }
    });
    Ok(Reply::Map(fields))
}

fn or_null<'v>(number: Option<i64>) -> Reply<'v> {
    number.map_or(Reply::Null, Reply::Int)
}

fn full_group<'v>(stream: &Stream, name: &'v [u8], group: &'v Group, most: usize) -> Reply<'v> {
    let pending = group.pending().iter().take(most).map(|(id, pending)| {
        Reply::Array(vec![
            stream_id::reply(*id),
            Reply::bulk(&*group.consumer(pending.consumer).name),
            Reply::Int(pending.delivered_ms),
            Reply::Int(pending.deliveries as i64),
        ])
    });
    let consumers = group.consumers().map(|consumer| full_consumer(group, consumer, most));
    Reply::Map(vec![
        field("name", Reply::bulk(name)),
        field("last-delivered-id", stream_id::reply(group.last_id)),
        field("entries-read", or_null(group.entries_read)),
        field("lag", or_null(stream.lag(group))),
        field("pel-count", Reply::count(group.pending().len())),
        field("pending", Reply::Array(pending.collect())),
        field("consumers", Reply::Array(consumers.collect())),
    ])
}

fn full_consumer<'v>(group: &Group, consumer: &'v Consumer, most: usize) -> Reply<'v> {
    let pending = consumer.pending().iter().take(most).map(|id| {
        let pending = &group.pending()[id];
        Reply::Array(vec![
            stream_id::reply(*id),
            Reply::Int(pending.delivered_ms),
            Reply::Int(pending.deliveries as i64),
        ])
    });
    Reply::Map(vec![
        field("name", Reply::bulk(&*consumer.name)),
        field("seen-time", Reply::Int(consumer.seen_ms)),
        field("active-time", Reply::Int(consumer.active_ms.unwrap_or(-1))),
        field("pel-count", Reply::count(consumer.pending().len())),
        field("pending", Reply::Array(pending.collect())),
    ])
}

fn groups<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let stream = find(view, args)?;
    let groups = stream.groups.iter().map(|(name, group)| {
        Reply::Map(vec![
            field("name", Reply::bulk(&**name)),
            field("consumers", Reply::count(group.consumers().len())),
            field("pending", Reply::count(group.pending().len())),
            field("last-delivered-id", stream_id::reply(group.last_id)),
            field("entries-read", or_null(group.entries_read)),
            field("lag", or_null(stream.lag(group))),
        ])
    });
    Ok(Reply::Array(groups.collect()))
}

fn consumers<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let key = args.key()?;
    let stream = view.collection::<Stream>(key)?.ok_or(CommandError::NO_SUCH_KEY)?;
    let name = args.bytes()?;
    let group = stream.groups.get(name);
    let group = group.ok_or_else(|| CommandError::no_group_of_key(name, key.bytes))?;
    let now_ms = view.now_ms() as i64;
    let since = |time_ms: i64| Reply::Int(now_ms.saturating_sub(time_ms).max(0));
    let consumers = group.consumers().map(|consumer| {
        Reply::Map(vec![
            field("name", Reply::bulk(&*consumer.name)),
            field("pending", Reply::count(consumer.pending().len())),
            field("idle", since(consumer.seen_ms)),
            field("inactive", consumer.active_ms.map_or(Reply::Int(-1), since)),
        ])
    });
    Ok(Reply::Array(consumers.collect()))
}

fn help<'v>(_: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    Ok(Reply::lines(HELP.iter().copied()))
}

const HELP: &[&str] = &[
    "XINFO <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CONSUMERS <key> <groupname>",
    "    Show consumers of <groupname>.",
    "GROUPS <key>",
    "    Show the stream consumer groups.",
    "STREAM <key> [FULL [COUNT <count>]",
    "    Show information about the stream.",
    "HELP",
    "    Print this help.",
];
