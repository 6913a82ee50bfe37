//! XCLAIM and XAUTOCLAIM: consumers take over what others were given and have not acknowledged.

use super::args::Args;
use super::keys::{KeyFlags, Keys};
use super::spec::{Arity, Flags, Handler, Spec};
use super::stream_id;
use super::stream_pending::{group, hear_of};
use super::stream_read::entry;
use crate::error::CommandError;
use crate::keyspace::{Change, Key, WriteView};
use crate::limits;
use crate::protocol::number::parse_integer;
use crate::protocol::{Outcome, Reply};
use crate::value::stream::{ConsumerNumber, Group, Pending, Stream, StreamId};

const VARIES: &[&str] = &["nondeterministic_output"];

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "XCLAIM",
        arity: Arity::at_least(6),
        keys: Keys::one(1, KeyFlags::RW.and(KeyFlags::UPDATE)),
        handler: Handler::Write(xclaim),
        event: "xgroup-createconsumer",
        flags: Flags::FAST,
        since: "5.0.0",
        summary: "Changes, or acquires, ownership of a message in a consumer group, as if the message was delivered a consumer group member.",
        syntax: "key group consumer min-idle-time id... [IDLE ms:integer] [TIME unix-time-milliseconds] [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID lastid]",
        complexity: "O(log N) with N being the number of messages in the PEL of the consumer group.",
        tips: VARIES,
        ..Spec::REST
    },
    Spec {
        name: "XAUTOCLAIM",
        arity: Arity::at_least(6),
        keys: Keys::one(1, KeyFlags::RW.and(KeyFlags::DELETE)),
        handler: Handler::Write(xautoclaim),
        event: "xgroup-createconsumer",
        flags: Flags::FAST,
        since: "6.2.0",
        summary: "Changes, or acquires, ownership of messages in a consumer group, as if the messages were delivered to as consumer group member.",
        syntax: "key group consumer min-idle-time start:string [COUNT count] [JUSTID]",
        complexity: "O(1) if COUNT is small.",
        history: &[(
            "7.0.0",
            "Added an element to the reply array, containing deleted entries the command cleared from the PEL",
        )],
        tips: VARIES,
        ..Spec::REST
    },
];

/// The next argument as a number, or the error of a claim that says what it is for.
fn number(args: &mut Args<'_>, what: &str, command: &str) -> Result<i64, CommandError> {
    let number = parse_integer(args.bytes()?);
    number.ok_or_else(|| CommandError::invalid_claim_number(what, command))
}

/// What stands behind the ids of XCLAIM.
struct Options {
    delivered_ms: i64,
    deliveries: Option<u64>,
    forces: bool,
    shows_entries: bool,
    last_id: StreamId,
}

fn options(args: &mut Args<'_>, now_ms: i64) -> Result<Options, CommandError> {
    const NAME: &str = "XCLAIM";
    let (mut forces, mut shows_entries) = (false, true);
    let (mut delivered_ms, mut deliveries, mut last_id) = (now_ms, None, StreamId::MIN);
    while !args.is_empty() {
        let has_more = args.len() > 1;
        if args.word("FORCE") {
            forces = true;
        } else if args.word("JUSTID") {
            shows_entries = false;
        } else if has_more && args.word("IDLE") {
            delivered_ms = now_ms.saturating_sub(number(args, "IDLE option", NAME)?);
        } else if has_more && args.word("TIME") {
            delivered_ms = number(args, "TIME option", NAME)?;
        } else if has_more && args.word("RETRYCOUNT") {
            deliveries = u64::try_from(number(args, "RETRYCOUNT option", NAME)?).ok();
        } else if has_more && args.word("LASTID") {
            last_id = stream_id::strict(args.bytes()?, 0)?;
        } else {
            return Err(CommandError::unknown_claim_option(args.bytes()?));
        }
    }
    // Clients compute it by their own clocks, so what cannot be is taken for now.
    if !(0..=now_ms).contains(&delivered_ms) {
        delivered_ms = now_ms;
    }
    Ok(Options { delivered_ms, deliveries, forces, shows_entries, last_id })
}

/// What a claim has done: ids that a consumer has now, and ids of entries that are gone.
#[derive(Default)]
struct Claimed {
    ids: Vec<StreamId>,
    gone: Vec<StreamId>,
}

impl Claimed {
    fn count(&self) -> usize {
        self.ids.len() + self.gone.len()
    }
}

fn xclaim<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, name, consumer) = (args.key()?, args.bytes()?, args.bytes()?);
    // Redis looks for the group before it reads the rest.
    group(view.look_at::<Stream>(key)?, key, name)?;
    let now_ms = view.now_ms() as i64;
    let idle_ms_min = number(args, "min-idle-time", "XCLAIM")?;
    let mut ids = Vec::new();
    while let Some(id) = args.peek().and_then(|text| stream_id::strict(text, 0).ok()) {
        args.bytes()?;
        ids.push(id);
    }
    let options = options(args, now_ms)?;
    let number = hear_of(view, (key, name), consumer)?;
    let claimed = change_group(view, (key, name), |stream, group| {
        let moves_on = options.last_id > group.last_id;
        group.last_id = group.last_id.max(options.last_id);
        let mut claimed = Claimed::default();
        for id in &ids {
            claim(stream, group, (*id, number), idle_ms_min, &options, &mut claimed, now_ms);
        }
        Change::of(claimed.count() + usize::from(moves_on), claimed)
    })?;
    shown(view, key, claimed.ids, options.shows_entries)
}

/// Claims one entry for XCLAIM.
fn claim(
    stream: &Stream,
    group: &mut Group,
    (id, number): (StreamId, ConsumerNumber),
    idle_ms_min: i64,
    options: &Options,
    claimed: &mut Claimed,
    now_ms: i64,
) {
    let pending = group.pending().get(&id).copied();
    if stream.get(id).is_none() {
        if group.acknowledge(id) {
            claimed.gone.push(id);
        }
        return;
    }
    let deliveries = match pending {
        Some(pending) => {
            let idle_ms = now_ms.saturating_sub(pending.delivered_ms);
            if idle_ms_min > 0 && idle_ms < idle_ms_min {
                return;
            }
            pending.deliveries
        }
        // One that waited for nobody counts as delivered once.
        None if options.forces => 1,
        None => return,
    };
    let deliveries = options.deliveries.unwrap_or_else(|| more(deliveries, options.shows_entries));
    let delivered_ms = options.delivered_ms;
    group.assign(id, Pending { consumer: number, delivered_ms, deliveries });
    group.consumer_mut(number).active_ms = Some(now_ms);
    claimed.ids.push(id);
}

/// How often an entry was delivered once it has been claimed.
fn more(deliveries: u64, shows_entries: bool) -> u64 {
    deliveries.saturating_add(u64::from(shows_entries))
}

fn change_group<R>(
    view: &mut WriteView<'_, '_>,
    (key, name): (Key<'_>, &[u8]),
    change: impl FnOnce(&Stream, &mut Group) -> Change<R>,
) -> Result<R, CommandError> {
    let changed = view.change_beside(key, |stream: &mut Stream| {
        let mut groups = std::mem::take(&mut stream.groups);
        let changed = groups.get_mut(name).map(|group| change(stream, group));
        stream.groups = groups;
        changed.ok_or_else(|| CommandError::no_group(key.bytes, name))
    })?;
    changed.ok_or_else(|| CommandError::no_group(key.bytes, name))
}

/// Entries, or their ids alone.
fn shown<'v>(
    view: &'v WriteView<'_, '_>,
    key: Key<'_>,
    ids: Vec<StreamId>,
    shows_entries: bool,
) -> Outcome<'v> {
    let stream = view.look_at::<Stream>(key)?.filter(|_| shows_entries);
    let show = |id| match stream.and_then(|stream| stream.get(id)) {
        Some(found) => entry(found),
        None => stream_id::reply(id),
    };
    Ok(Reply::Array(ids.into_iter().map(show).collect()))
}

/// The next entries to claim, and where to go on after them: from the beginning once all were seen.
fn window(
    stream: &Stream,
    group: &Group,
    start: StreamId,
    (idle_ms_min, most, now_ms): (i64, usize, i64),
) -> (StreamId, Vec<StreamId>) {
    let (mut ids, mut pending) = (Vec::new(), group.pending().range(start..));
    let mut looks_left = most.saturating_mul(limits::CLAIM_LOOKS_PER_ENTRY);
    while looks_left > 0 && ids.len() < most {
        let Some((id, pending)) = pending.next() else { break };
        looks_left -= 1;
        let idle_ms = now_ms.saturating_sub(pending.delivered_ms);
        if idle_ms_min <= 0 || idle_ms >= idle_ms_min || stream.get(*id).is_none() {
            ids.push(*id);
        }
    }
    (pending.next().map_or(StreamId::MIN, |(id, _)| *id), ids)
}

fn xautoclaim<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, name, consumer) = (args.key()?, args.bytes()?, args.bytes()?);
    let idle_ms_min = number(args, "min-idle-time", "XAUTOCLAIM")?;
    let start = stream_id::start(args.bytes()?)?;
    let (mut most, mut shows_entries) = (limits::CLAIMED_ENTRIES_USUALLY, true);
    while !args.is_empty() {
        if args.len() > 1 && args.word("COUNT") {
            most = args.positive(CommandError::CLAIM_COUNT)?;
            if most > limits::CLAIMED_ENTRIES_MAX {
                return Err(CommandError::CLAIM_COUNT);
            }
        } else if args.word("JUSTID") {
            shows_entries = false;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    group(view.look_at::<Stream>(key)?, key, name)?;
    let now_ms = view.now_ms() as i64;
    let number = hear_of(view, (key, name), consumer)?;
    let (next, claimed) = change_group(view, (key, name), |stream, group| {
        let (next, seen) = window(stream, group, start, (idle_ms_min, most, now_ms));
        let mut claimed = Claimed::default();
        for id in seen {
            if stream.get(id).is_none() {
                group.acknowledge(id);
                claimed.gone.push(id);
                continue;
            }
            let deliveries = more(group.pending()[&id].deliveries, shows_entries);
            let pending = Pending { consumer: number, delivered_ms: now_ms, deliveries };
            group.assign(id, pending);
            group.consumer_mut(number).active_ms = Some(now_ms);
            claimed.ids.push(id);
        }
        Change::of(claimed.count(), (next, claimed))
    })?;
    let gone = claimed.gone.iter().map(|id| stream_id::reply(*id)).collect();
    let shown = shown(view, key, claimed.ids, shows_entries)?;
    Ok(Reply::Array(vec![stream_id::reply(next), shown, Reply::Array(gone)]))
}
