//! Stream commands that change entries.
//!
//! A stream stays when its last entry goes: only DEL and its kin remove its key.

use super::args::Args;
use super::keys::{KeyFlags, Keys};
use super::spec::{Arity, Flags, Handler, Spec};
use super::stream_id;
use crate::error::CommandError;
use crate::keyspace::{Change, Key, ReadView, WriteView};
use crate::limits;
use crate::protocol::{Outcome, Reply};
use crate::value::stream::{NewId, Refusal, Stream, StreamId, Trim, TrimUntil, WrittenId};

const UPDATES: KeyFlags = KeyFlags::RW.and(KeyFlags::UPDATE);
const DELETES: KeyFlags = KeyFlags::RW.and(KeyFlags::DELETE);
const VARIES: &[&str] = &["nondeterministic_output"];

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "XADD",
        arity: Arity::at_least(5),
        keys: Keys::one(1, UPDATES)
            .noted("UPDATE instead of INSERT because of the optional trimming feature"),
        handler: Handler::Write(xadd),
        flags: Flags::DENY_OOM.and(Flags::FAST),
        since: "5.0.0",
        summary: "Appends a new message to a stream. Creates the key if it doesn't exist.",
        syntax: "key [NOMKSTREAM@6.2.0] trim=[strategy=(MAXLEN|MINID@6.2.0) operator=[equal='='|approximately='~'] threshold [LIMIT count@6.2.0]] id-selector=(auto-id='*'|id) data=(field value)...",
        complexity: "O(1) when adding a new entry, O(N) when trimming where N being the number of entries evicted.",
        history: &[
            (
                "6.2.0",
                "Added the `NOMKSTREAM` option, `MINID` trimming strategy and the `LIMIT` option.",
            ),
            ("7.0.0", "Added support for the `<ms>-*` explicit ID form."),
        ],
        tips: VARIES,
        ..Spec::REST
    },
    Spec {
        name: "XLEN",
        arity: Arity::exactly(2),
        keys: Keys::one(1, KeyFlags::RO),
        handler: Handler::Read(xlen),
        flags: Flags::FAST,
        since: "5.0.0",
        summary: "Return the number of messages in a stream.",
        syntax: "key",
        ..Spec::REST
    },
    Spec {
        name: "XDEL",
        arity: Arity::at_least(3),
        keys: Keys::one(1, DELETES),
        handler: Handler::Write(xdel),
        flags: Flags::FAST,
        since: "5.0.0",
        summary: "Returns the number of messages after removing them from a stream.",
        syntax: "key id...",
        complexity: "O(1) for each single item to delete in the stream, regardless of the stream size.",
        ..Spec::REST
    },
    Spec {
        name: "XTRIM",
        arity: Arity::at_least(4),
        keys: Keys::one(1, DELETES),
        handler: Handler::Write(xtrim),
        since: "5.0.0",
        summary: "Deletes messages from the beginning of a stream.",
        syntax: "key trim=(strategy=(MAXLEN|MINID@6.2.0) operator=[equal='='|approximately='~'] threshold [LIMIT count@6.2.0])",
        complexity: "O(N), with N being the number of evicted entries. Constant times are very small however, since entries are organized in macro nodes containing multiple entries that can be released with a single deallocation.",
        history: &[("6.2.0", "Added the `MINID` trimming strategy and the `LIMIT` option.")],
        tips: VARIES,
        ..Spec::REST
    },
    Spec {
        name: "XSETID",
        arity: Arity::at_least(3),
        keys: Keys::one(1, UPDATES),
        handler: Handler::Write(xsetid),
        flags: Flags::DENY_OOM.and(Flags::FAST),
        since: "5.0.0",
        summary: "An internal command for replicating stream values.",
        syntax: "key last-id [ENTRIESADDED entries-added:integer@7.0.0] [MAXDELETEDID max-deleted-id@7.0.0]",
        history: &[("7.0.0", "Added the `entries_added` and `max_deleted_entry_id` arguments.")],
        ..Spec::REST
    },
];

/// What stands before the fields of XADD, or behind the key of XTRIM.
struct Options {
    makes_stream: bool,
    trim: Option<Trim>,
    /// `None` is an id by the time.
    id: Option<WrittenId>,
}

/// Whether options are followed by an id.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Add,
    Trim,
}

fn options(
    args: &mut Args<'_>,
    purpose: Purpose,
    node_entries_max: usize,
) -> Result<Options, CommandError> {
    let mut options = Options { makes_stream: true, trim: None, id: None };
    let mut limit = None;
    while let Some(next) = args.peek() {
        let has_more = args.len() > 1;
        if purpose == Purpose::Add && next == b"*" {
            args.bytes()?;
            break;
        } else if has_more && args.word("MAXLEN") {
            let roughly = operator(args, &options)?;
            let length = u64::try_from(args.integer()?);
            let length = length.map_err(|_| CommandError::STREAM_MAXLEN_NEGATIVE)?;
            options.trim = Some(Trim { until: TrimUntil::Length(length), roughly, limit: 0 });
        } else if has_more && args.word("MINID") {
            let roughly = operator(args, &options)?;
            let id = stream_id::strict(args.bytes()?, 0)?;
            options.trim = Some(Trim { until: TrimUntil::Id(id), roughly, limit: 0 });
        } else if has_more && args.word("LIMIT") {
            let count = u64::try_from(args.integer()?);
            limit = Some(count.map_err(|_| CommandError::STREAM_LIMIT_NEGATIVE)?);
        } else if purpose == Purpose::Trim {
            return Err(CommandError::Syntax);
        } else if args.word("NOMKSTREAM") {
            options.makes_stream = false;
        } else {
            let id = StreamId::parse(args.bytes()?).ok_or(CommandError::STREAM_ID)?;
            options.id = Some(id);
            break;
        }
    }
    match (&mut options.trim, limit) {
        (None, Some(1..)) => return Err(CommandError::STREAM_LIMIT_ALONE),
        (None, _) if purpose == Purpose::Trim => return Err(CommandError::STREAM_NO_TRIM),
        (None | Some(Trim { roughly: false, .. }), Some(_)) => {
            return Err(CommandError::STREAM_LIMIT_EXACT);
        }
        (Some(trim), Some(limit)) => trim.limit = limit,
        (Some(trim), None) if trim.roughly => trim.limit = usual_limit(node_entries_max),
        (_, None) => {}
    }
    Ok(options)
}

/// Whether a trim is a rough one.
fn operator(args: &mut Args<'_>, options: &Options) -> Result<bool, CommandError> {
    if options.trim.is_some() {
        return Err(CommandError::STREAM_TRIM_TWICE);
    }
    let has_more = args.len() > 1;
    let roughly = has_more && args.word("~");
    if has_more && !roughly {
        args.word("=");
    }
    Ok(roughly)
}

/// How many entries a rough trim removes at most that does not say so.
fn usual_limit(node_entries_max: usize) -> u64 {
    let entries = (node_entries_max as u64).saturating_mul(limits::STREAM_TRIM_NODES);
    match entries {
        0 => limits::STREAM_TRIM_ENTRIES,
        entries => entries.min(limits::STREAM_TRIM_ENTRIES_MAX),
    }
}

fn xadd<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, limits) = (args.key()?, view.encoding_limits());
    let options = options(args, Purpose::Add, limits.stream_node_max_entries)?;
    let words = args.rest();
    if words.len() == 0 || !words.len().is_multiple_of(2) {
        return Err(CommandError::Arity("xadd".into()));
    }
    let id = match options.id {
        None => NewId::Now(view.now_ms()),
        Some(WrittenId::AnySequence(ms)) => NewId::At(ms),
        Some(WrittenId::Milliseconds(ms)) => NewId::Given(StreamId { ms, sequence: 0 }),
        Some(WrittenId::Full(id)) => NewId::Given(id),
    };
    if id == NewId::Given(StreamId::MIN) {
        return Err(CommandError::STREAM_ID_ZERO);
    }
    let names = words.clone().step_by(2);
    let fields: Vec<_> = names.zip(words.skip(1).step_by(2)).collect();
    let append = |stream: &mut Stream| {
        let id = stream.append(id, fields.iter().copied(), &limits).map_err(|why| match why {
            Refusal::NotLast => CommandError::STREAM_ID_NOT_LAST,
            Refusal::Exhausted => CommandError::STREAM_EXHAUSTED,
            Refusal::TooLarge => CommandError::STREAM_ENTRY_TOO_LARGE,
        })?;
        Ok(Change::of(1, id))
    };
    let id = match options.makes_stream {
        true => Some(view.change_or_make(key, Stream::default, append)?),
        false => view.change(key, append)?,
    };
    let Some(id) = id else { return Ok(Reply::Null) };
    if let Some(trim) = options.trim {
        // It belongs to what counts as one change, but has a name of its own.
        let trimmed = |stream: &mut Stream| {
            let change = Change::none(());
            Ok(if stream.trim(trim) > 0 { change.touching() } else { change })
        };
        view.call_changes("xtrim");
        view.change(key, trimmed)?;
    }
    Ok(stream_id::reply(id))
}

fn xlen<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let stream = view.collection::<Stream>(args.key()?)?;
    Ok(Reply::count(stream.map_or(0, Stream::len)))
}

/// Whether there is a stream; another type is an error before anything else is.
fn exists(view: &WriteView<'_, '_>, key: Key<'_>) -> Result<bool, CommandError> {
    view.look_at::<Stream>(key).map(|stream| stream.is_some())
}

fn xdel<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let key = args.key()?;
    // Redis looks for the key before it reads the ids.
    if !exists(view, key)? {
        return Ok(Reply::Int(0));
    }
    let ids = args.rest().map(|id| stream_id::strict(id, 0));
    let ids = ids.collect::<Result<Vec<_>, _>>()?;
    let removed = view.change(key, |stream: &mut Stream| {
        let removed = ids.iter().filter(|id| stream.remove(**id)).count();
        Ok(Change::counted(removed))
    })?;
    Ok(Reply::count(removed.unwrap_or(0)))
}

fn xtrim<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let key = args.key()?;
    let node_entries_max = view.encoding_limits().stream_node_max_entries;
    let options = options(args, Purpose::Trim, node_entries_max)?;
    let trim = options.trim.ok_or(CommandError::STREAM_NO_TRIM)?;
    let removed = view.change(key, |stream: &mut Stream| Ok(Change::counted(stream.trim(trim))))?;
    Ok(Reply::count(removed.unwrap_or(0)))
}

fn xsetid<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, id) = (args.key()?, stream_id::strict(args.bytes()?, 0)?);
    let (mut added, mut deleted) = (None, StreamId::MIN);
    while !args.is_empty() {
        let has_more = args.len() > 1;
        if has_more && args.word("ENTRIESADDED") {
            let count = u64::try_from(args.integer()?);
            added = Some(count.map_err(|_| CommandError::STREAM_ADDED_NEGATIVE)?);
        } else if has_more && args.word("MAXDELETEDID") {
            deleted = stream_id::strict(args.bytes()?, 0)?;
            if id < deleted {
                return Err(CommandError::STREAM_BELOW_GIVEN_DELETED);
            }
        } else {
            return Err(CommandError::Syntax);
        }
    }
    let changed = view.change(key, |stream: &mut Stream| {
        if id < stream.max_deleted_id {
            return Err(CommandError::STREAM_BELOW_DELETED);
        }
        if !stream.is_empty() && id < stream.newest_id() {
            return Err(CommandError::STREAM_BELOW_LAST);
        }
        if added.is_some_and(|added| added < stream.len() as u64) {
            return Err(CommandError::STREAM_ADDED_TOO_SMALL);
        }
        stream.last_id = id;
        stream.entries_added = added.unwrap_or(stream.entries_added);
        if deleted != StreamId::MIN {
            stream.max_deleted_id = deleted;
        }
        Ok(Change::of(1, ()))
    })?;
    changed.map(|()| Reply::Ok).ok_or(CommandError::NO_SUCH_KEY)
}
