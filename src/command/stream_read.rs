//! Stream commands that read entries, or wait for some.

use super::args::{Args, Slot, parse_timeout};
use super::element;
use super::keys::{KeyFlags, KeySpec, Keys};
use super::spec::{Arity, Attempt, Flags, Handler, Nothing, Spec, Wait};
use super::stream_id;
use crate::error::CommandError;
use crate::keyspace::{Key, ReadView, Wanted};
use crate::protocol::{Outcome, Reply, Shape};
use crate::value::Type;
use crate::value::stream::{Stream, StreamEntry, StreamId};
use std::time::Duration;

const READS: KeyFlags = KeyFlags::RO.and(KeyFlags::ACCESS);
const GOT_EXCLUSIVE: &[(&str, &str)] = &[("6.2.0", "Added exclusive ranges.")];

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "XRANGE",
        arity: Arity::at_least(4),
        keys: Keys::one(1, READS),
        handler: Handler::Read(xrange),
        since: "5.0.0",
        summary: "Returns the messages from a stream within a range of IDs.",
        syntax: "key start:string end:string [COUNT count]",
        complexity: "O(N) with N being the number of elements being returned. If N is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1).",
        history: GOT_EXCLUSIVE,
        ..Spec::REST
    },
    Spec {
        name: "XREVRANGE",
        arity: Arity::at_least(4),
        keys: Keys::one(1, READS),
        handler: Handler::Read(xrevrange),
        since: "5.0.0",
        summary: "Returns the messages from a stream within a range of IDs in reverse order.",
        syntax: "key end:string start:string [COUNT count]",
        complexity: "O(N) with N being the number of elements returned. If N is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1).",
        history: GOT_EXCLUSIVE,
        ..Spec::REST
    },
    Spec {
        name: "XREAD",
        arity: Arity::at_least(4),
        keys: Keys::alike(KeySpec::half_behind("STREAMS", 1, READS)),
        handler: Handler::WaitToRead(xread),
        flags: Flags::BLOCKING,
        since: "5.0.0",
        summary: "Returns messages from multiple streams with IDs greater than the ones requested. Blocks until a message is available otherwise.",
        syntax: "[COUNT count] [BLOCK milliseconds] STREAMS streams=(key... id...)",
        complexity: "",
        ..Spec::REST
    },
];

/// An entry as a reply: its id, and its fields with their values.
pub(super) fn entry(entry: StreamEntry<'_>) -> Reply<'_> {
    let mut fields = Vec::with_capacity(2 * entry.fields.len());
    for (name, value) in entry.fields {
        fields.push(element::reply(name));
        fields.push(element::reply(value));
    }
    Reply::Array(vec![stream_id::reply(entry.id), Reply::Array(fields)])
}

/// At most `most` entries from one id to another.
pub(super) fn entries(stream: &Stream, start: StreamId, end: StreamId, most: usize) -> Reply<'_> {
    let count = stream.count(start, end, most);
    Reply::stream(Shape::Array, count, stream.entries(start, end).take(count).map(entry))
}

/// A direction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Ascending,
    Descending,
}

fn xrange<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    range(view, args, Order::Ascending)
}

fn xrevrange<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    range(view, args, Order::Descending)
}

fn range<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>, order: Order) -> Outcome<'v> {
    let (key, first, second) = (args.key()?, args.bytes()?, args.bytes()?);
    let (start, end) = match order {
        Order::Ascending => (first, second),
        Order::Descending => (second, first),
    };
    let (start, end) = (stream_id::start(start)?, stream_id::end(end)?);
    let mut most = usize::MAX;
    while !args.is_empty() {
        if args.len() < 2 || !args.word("COUNT") {
            return Err(CommandError::Syntax);
        }
        most = usize::try_from(args.integer()?).unwrap_or(0);
    }
    let Some(stream) = view.collection::<Stream>(key)? else { return Ok(Reply::Array(vec![])) };
    if most == 0 {
        return Ok(Reply::NullArray);
    }
    Ok(match order {
        Order::Ascending => entries(stream, start, end, most),
        Order::Descending => {
            let count = stream.count(start, end, most);
            let backwards = stream.entries(start, end).rev();
            Reply::stream(Shape::Array, count, backwards.take(count).map(entry))
        }
    })
}

/// Who reads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// XREAD.
    ForOneself,
    /// XREADGROUP.
    ForGroup,
}

/// What stands before the streams.
pub(super) struct Options<'v> {
    /// How long to wait: `None` is not at all, and an endless wait has no time.
    pub(super) wait: Option<Option<Duration>>,
    /// Most entries of each stream.
    pub(super) most: usize,
    /// A group and a consumer.
    pub(super) group: Option<(&'v [u8], &'v [u8])>,
    /// Whether what is read waits until it is acknowledged.
    pub(super) acknowledges: bool,
}

pub(super) fn options<'v>(
    args: &mut Args<'v>,
    purpose: Purpose,
    now_ms: u64,
) -> Result<Options<'v>, CommandError> {
    let mut options = Options { wait: None, most: usize::MAX, group: None, acknowledges: true };
    let for_group = |option| match purpose {
        Purpose::ForGroup => Ok(()),
        Purpose::ForOneself => Err(CommandError::option_of_xreadgroup(option)),
    };
    while !args.is_empty() {
        let more = args.len() - 1;
        if more > 0 && args.word("BLOCK") {
            options.wait = Some(parse_timeout(args.bytes()?, now_ms)?);
        } else if more > 0 && args.word("COUNT") {
            // None and fewer mean all.
            let count = usize::try_from(args.integer()?).unwrap_or(0);
            options.most = if count == 0 { usize::MAX } else { count };
        } else if more > 0 && args.word("STREAMS") {
            return match (args.len() % 2, purpose) {
                (0, _) => Ok(options),
                (_, Purpose::ForOneself) => Err(CommandError::unbalanced_streams("xread", "$")),
                (_, Purpose::ForGroup) => Err(CommandError::unbalanced_streams("xreadgroup", ">")),
            };
        } else if more > 1 && args.word("GROUP") {
            for_group("GROUP")?;
            options.group = Some((args.bytes()?, args.bytes()?));
        } else if args.word("NOACK") {
            for_group("NOACK")?;
            options.acknowledges = false;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    Err(CommandError::Syntax)
}

/// Behind which id XREAD reads a stream, and where that has to be remembered for later attempts.
fn read_after<'v>(
    stream: Option<&Stream>,
    slot: Slot<'v>,
) -> Result<(StreamId, Option<Slot<'v>>), CommandError> {
    match slot.bytes() {
        b"$" => {
            let last = stream.map_or(StreamId::MIN, |stream| stream.last_id);
            Ok((last, Some(slot)))
        }
        b"+" => match stream.map(Stream::newest_id).and_then(StreamId::previous) {
            Some(before_newest) => Ok((before_newest, None)),
            // There is no entry, and whichever comes first is the newest.
            None => {
                let last = stream.map_or(StreamId::MIN, |stream| stream.last_id);
                Ok((last, Some(slot)))
            }
        },
        b">" => Err(CommandError::STREAM_UNSEEN_WITHOUT_GROUP),
        text => Ok((stream_id::strict(text, 0)?, None)),
    }
}

fn xread<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Result<Attempt<'v>, CommandError> {
    let options = options(args, Purpose::ForOneself, view.now_ms())?;
    let count = args.len() / 2;
    let keys = (0..count).map(|_| args.key()).collect::<Result<Vec<Key<'v>>, _>>()?;
    let (mut found, mut later) = (Vec::new(), Vec::new());
    for key in keys {
        let stream = view.collection::<Stream>(key)?;
        let (after, remember) = read_after(stream, args.slot()?)?;
        later.extend(remember.map(|slot| (slot, after)));
        let first = after.next().unwrap_or(StreamId::MAX);
        if let Some(stream) = stream.filter(|stream| stream.newest_id() > after) {
            let entries = entries(stream, first, StreamId::MAX, options.most);
            found.push((Reply::bulk(key.bytes), entries));
        }
    }
    if !found.is_empty() {
        return Ok(Attempt::Done(Reply::Named(found)));
    }
    let Some(time) = options.wait else { return Ok(Attempt::Done(Reply::NullArray)) };
    for (slot, after) in later {
        slot.replace(after.to_string().into_bytes());
    }
    Ok(Attempt::Wait(Wait {
        wanted: Wanted::Type(Type::Stream),
        time,
        otherwise: Nothing::NullArray,
    }))
}
