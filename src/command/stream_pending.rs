//! Stream commands for consumers: reading for a group, acknowledging, claiming what others have.

use super::args::Args;
use super::keys::{KeyFlags, KeySpec, Keys};
use super::spec::{Arity, Attempt, Flags, Handler, Nothing, Spec, Wait};
use super::stream_id;
use super::stream_read::{Purpose, entries, entry, options};
use crate::error::CommandError;
use crate::keyspace::{Change, Key, ReadView, Wanted, WriteView};
use crate::protocol::{Outcome, Reply};
use crate::value::Type;
use crate::value::stream::{ConsumerNumber, Group, Pending, Stream, StreamId};

const READS: KeyFlags = KeyFlags::RO.and(KeyFlags::ACCESS);

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "XREADGROUP",
        arity: Arity::at_least(7),
        keys: Keys::alike(KeySpec::half_behind("STREAMS", 4, READS)),
        handler: Handler::Wait(xreadgroup),
        event: "xgroup-createconsumer",
        flags: Flags::BLOCKING,
        since: "5.0.0",
        summary: "Returns new or historical messages from a stream for a consumer in a group. Blocks until a message is available otherwise.",
        syntax: "GROUP group-block=(group consumer) [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS streams=(key... id...)",
        complexity: "For each stream mentioned: O(M) with M being the number of elements returned. If M is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1). On the other side when XREADGROUP blocks, XADD will pay the O(N) time in order to serve the N clients blocked on the stream getting new data.",
        ..Spec::REST
    },
    Spec {
        name: "XACK",
        arity: Arity::at_least(4),
        keys: Keys::one(1, KeyFlags::RW.and(KeyFlags::UPDATE)),
        handler: Handler::Write(xack),
        flags: Flags::FAST,
        since: "5.0.0",
        summary: "Returns the number of messages that were successfully acknowledged by the consumer group member of a stream.",
        syntax: "key group id...",
        complexity: "O(1) for each message ID processed.",
        ..Spec::REST
    },
    Spec {
        name: "XPENDING",
        arity: Arity::at_least(3),
        keys: Keys::one(1, READS),
        handler: Handler::Read(xpending),
        since: "5.0.0",
        summary: "Returns the information and entries from a stream consumer group's pending entries list.",
        syntax: "key group filters=[[IDLE min-idle-time:integer@6.2.0] start:string end:string count [consumer]]",
        complexity: "O(N) with N being the number of elements returned, so asking for a small fixed number of entries per call is O(1). O(M), where M is the total number of entries scanned when used with the IDLE filter. When the command returns just the summary and the list of consumers is small, it runs in O(1) time; otherwise, an additional O(N) time for iterating every consumer.",
        history: &[("6.2.0", "Added the `IDLE` option and exclusive range intervals.")],
        tips: &["nondeterministic_output"],
        ..Spec::REST
    },
];

/// The group of a stream that a command needs.
pub(super) fn group<'s>(
    stream: Option<&'s Stream>,
    key: Key<'_>,
    name: &[u8],
) -> Result<&'s Group, CommandError> {
    let group = stream.and_then(|stream| stream.groups.get(name));
    group.ok_or_else(|| CommandError::no_group(key.bytes, name))
}

/// The consumer of a name, who has just been heard of; a new one is told of.
pub(super) fn hear_of(
    view: &mut WriteView<'_, '_>,
    (key, name): (Key<'_>, &[u8]),
    consumer: &[u8],
) -> Result<ConsumerNumber, CommandError> {
    let now_ms = view.now_ms() as i64;
    let heard = view.change_beside(key, |stream: &mut Stream| {
        let group = stream.groups.get_mut(name);
        let group = group.ok_or_else(|| CommandError::no_group(key.bytes, name))?;
        if let Some(number) = group.number(consumer) {
            group.consumer_mut(number).seen_ms = now_ms;
            return Ok(Change::none(Some((number, false))));
        }
        let added = group.add_consumer(consumer, now_ms);
        Ok(Change::of(1, added.map(|number| (number, true))))
    })?;
    let (number, is_new) =
        heard.flatten().ok_or_else(|| CommandError::no_group(key.bytes, name))?;
    if is_new {
        view.tell_change(key);
    }
    Ok(number)
}

/// What a consumer wants of a stream.
#[derive(Clone, Copy)]
enum From {
    /// What its group has not had.
    Unseen,
    /// What waits for it behind an id.
    After(StreamId),
}

/// What it gets.
enum Got {
    Unseen(Vec<StreamId>),
    Waiting(Vec<StreamId>),
}

fn xreadgroup<'v>(
    view: &'v mut WriteView<'_, '_>,
    args: &mut Args<'v>,
) -> Result<Attempt<'v>, CommandError> {
    let options = options(args, Purpose::ForGroup, view.now_ms())?;
    let (name, consumer) = options.group.ok_or(CommandError::GROUP_MISSING)?;
    let count = args.len() / 2;
    let keys = (0..count).map(|_| args.key()).collect::<Result<Vec<Key<'v>>, _>>()?;
    let mut wishes = Vec::with_capacity(count);
    for key in keys {
        let stream = view.look_at::<Stream>(key)?;
        if stream.is_none_or(|stream| !stream.groups.contains_key(name)) {
            return Err(CommandError::no_group_to_read(key.bytes, name));
        }
        let from = match args.bytes()? {
            b">" => From::Unseen,
            b"$" => return Err(CommandError::GROUP_READS_NO_LAST),
            b"+" => return Err(CommandError::GROUP_READS_NO_NEWEST),
            id => From::After(stream_id::strict(id, 0)?),
        };
        wishes.push((key, from));
    }
    let mut served = Vec::new();
    for (key, from) in wishes {
        let number = hear_of(view, (key, name), consumer)?;
        let now_ms = view.now_ms() as i64;
        let got = view.change_beside(key, |stream: &mut Stream| match from {
            From::Unseen => {
                let acknowledges = options.acknowledges;
                let ids = stream.deliver(name, number, options.most, acknowledges, now_ms);
                Ok(Change::of(usize::from(!ids.is_empty()), Got::Unseen(ids)))
            }
            From::After(id) => Ok(Change::none(Got::Waiting(repeat(
                stream,
                (name, number),
                id,
                options.most,
                now_ms,
            )))),
        })?;
        served.extend(got.map(|got| (key, got)));
    }
    served.retain(|(_, got)| !matches!(got, Got::Unseen(ids) if ids.is_empty()));
    let time = match options.wait {
        Some(time) if served.is_empty() => time,
        _ if served.is_empty() => return Ok(Attempt::Done(Reply::NullArray)),
        _ => return given(view, served).map(Attempt::Done),
    };
    let wanted = Wanted::More(Type::Stream);
    Ok(Attempt::Wait(Wait { wanted, time, otherwise: Nothing::NullArray }))
}

/// Delivers again what waits for a consumer behind an id; gives the ids, those of deleted entries too.
fn repeat(
    stream: &mut Stream,
    (name, number): (&[u8], ConsumerNumber),
    after: StreamId,
    most: usize,
    now_ms: i64,
) -> Vec<StreamId> {
    let Some(group) = stream.groups.get(name) else { return Vec::new() };
    let first = after.next().unwrap_or(StreamId::MAX);
    let waiting = group.consumer(number).pending().range(first..);
    let ids: Vec<StreamId> = waiting.take(most).copied().collect();
    let there: Vec<bool> = ids.iter().map(|id| stream.get(*id).is_some()).collect();
    let Some(group) = stream.groups.get_mut(name) else { return Vec::new() };
    for (id, _) in ids.iter().zip(there).filter(|(_, there)| *there) {
        let deliveries = group.pending()[id].deliveries.saturating_add(1);
        group.assign(*id, Pending { consumer: number, delivered_ms: now_ms, deliveries });
    }
    ids
}

/// The reply with what a consumer got.
fn given<'v>(view: &'v WriteView<'_, '_>, served: Vec<(Key<'v>, Got)>) -> Outcome<'v> {
    let mut reply = Vec::with_capacity(served.len());
    for (key, got) in served {
        let Some(stream) = view.look_at::<Stream>(key)? else { continue };
        let shown = match got {
            Got::Unseen(ids) => {
                let ends = ids.first().zip(ids.last());
                let (first, last) = ends.map_or((StreamId::MAX, StreamId::MIN), |(a, b)| (*a, *b));
                entries(stream, first, last, ids.len())
            }
            Got::Waiting(ids) => {
                let gone = |id| Reply::Array(vec![stream_id::reply(id), Reply::NullArray]);
                let shown =
                    ids.into_iter().map(|id| stream.get(id).map_or_else(|| gone(id), entry));
                Reply::Array(shown.collect())
            }
        };
        reply.push((Reply::bulk(key.bytes), shown));
    }
    Ok(Reply::Named(reply))
}

fn xack<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, name) = (args.key()?, args.bytes()?);
    // Redis looks for the group before it reads the ids.
    if view.look_at::<Stream>(key)?.is_none_or(|stream| !stream.groups.contains_key(name)) {
        return Ok(Reply::Int(0));
    }
    let ids = args.rest().map(|id| stream_id::strict(id, 0)).collect::<Result<Vec<_>, _>>()?;
    let done = view.change_beside(key, |stream: &mut Stream| {
        let done = stream
            .groups
            .get_mut(name)
            .map_or(0, |group| ids.iter().filter(|id| group.acknowledge(**id)).count());
        Ok(Change::counted(done))
    })?;
    Ok(Reply::count(done.unwrap_or(0)))
}

/// Which of a group's pending entries are shown.
struct Filter<'v> {
    idle_ms_min: i64,
    start: StreamId,
    end: StreamId,
    most: usize,
    consumer: Option<&'v [u8]>,
}

fn filter<'v>(args: &mut Args<'v>) -> Result<Option<Filter<'v>>, CommandError> {
    match args.len() {
        0 => return Ok(None),
        3..=6 => {}
        _ => return Err(CommandError::Syntax),
    }
    let mut idle_ms_min = 0;
    if args.word("IDLE") {
        idle_ms_min = args.integer()?;
        if args.len() < 3 {
            return Err(CommandError::Syntax);
        }
    }
    let (start, end) = (args.bytes()?, args.bytes()?);
    let most = usize::try_from(args.integer()?).unwrap_or(0);
    let (start, end) = (stream_id::start(start)?, stream_id::end(end)?);
    let consumer = if args.is_empty() { None } else { Some(args.bytes()?) };
    Ok(Some(Filter { idle_ms_min, start, end, most, consumer }))
}

fn xpending<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, name) = (args.key()?, args.bytes()?);
    let filter = filter(args)?;
    let group = group(view.collection::<Stream>(key)?, key, name)?;
    Ok(match filter {
        None => summary(group),
        Some(filter) => pending(group, &filter, view.now_ms() as i64),
    })
}

fn summary(group: &Group) -> Reply<'_> {
    let ids = group.pending().keys();
    let (first, last) = (ids.clone().next(), ids.clone().next_back());
    let id = |id: Option<&StreamId>| id.map_or(Reply::Null, |id| stream_id::reply(*id));
    let busy = group.consumers().filter(|consumer| !consumer.pending().is_empty());
    let busy = busy.map(|consumer| {
        let count = Reply::BulkInt(consumer.pending().len() as i64);
        Reply::Array(vec![Reply::bulk(&*consumer.name), count])
    });
    let busy: Vec<_> = busy.collect();
    let consumers = if busy.is_empty() { Reply::NullArray } else { Reply::Array(busy) };
    Reply::Array(vec![Reply::count(group.pending().len()), id(first), id(last), consumers])
}

fn pending<'v>(group: &'v Group, filter: &Filter<'_>, now_ms: i64) -> Reply<'v> {
    let range = filter.start..=filter.end;
    if range.is_empty() {
        return Reply::Array(vec![]);
    }
    let ids: Box<dyn Iterator<Item = &StreamId>> = match filter.consumer {
        None => Box::new(group.pending().range(range).map(|(id, _)| id)),
        Some(name) => match group.number(name) {
            Some(number) => Box::new(group.consumer(number).pending().range(range)),
            None => return Reply::Array(vec![]),
        },
    };
    let idle_ms = |id: &StreamId| now_ms.saturating_sub(group.pending()[id].delivered_ms);
    let ids = ids.filter(|id| filter.idle_ms_min == 0 || idle_ms(id) >= filter.idle_ms_min);
    let shown = ids.take(filter.most).map(|id| {
        let pending = group.pending()[id];
        Reply::Array(vec![
            stream_id::reply(*id),
            Reply::bulk(&*group.consumer(pending.consumer).name),
            Reply::Int(idle_ms(id).max(0)),
            Reply::Int(pending.deliveries as i64),
        ])
    });
    Reply::Array(shown.collect())
}
