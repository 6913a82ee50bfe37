//! A client as CLIENT LIST and CLIENT INFO describe it: one line of `name=value`, in the order of
//! Redis 7.2.

use crate::command::Context;
use crate::command::table;
use crate::instance::{ClientRecord, Scope, Topic};
use crate::limits;
use std::fmt::Write;
use std::ops::Deref;

/// The lines of these clients.
pub(super) fn describe<R: Deref<Target = ClientRecord>>(
    context: &Context<'_>,
    records: impl IntoIterator<Item = R>,
) -> String {
    let mut lines = String::new();
    let now_ms = context.instance.now_ms();
    for record in records {
        // What a client sends while it runs a pipeline is known to itself alone.
        let unsent_bytes = match record.id == context.client.id() {
            true => context.client.unsent_bytes as u64,
            false => record.reply_bytes.get(),
        };
        // Writing to a string does not fail.
        let _ = describe_one(&record, now_ms, unsent_bytes, &mut lines);
    }
    lines
}

fn describe_one(
    record: &ClientRecord,
    now_ms: u64,
    unsent_bytes: u64,
    out: &mut String,
) -> std::fmt::Result {
    let texts = record.texts().clone();
    let outbox_bytes = record.outbox().len();
    let room = limits::READ_BUFFER_BYTES as u64;
    let command = record.last_command().and_then(table::with_id);
    write!(
        out,
        "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} \
         sub={} psub={} ssub={} multi={} ",
        record.id,
        record.peer,
        record.local,
        record.descriptor().unwrap_or(-1),
        texts.name,
        record.age_seconds(now_ms),
        record.idle_seconds(now_ms),
        flags(record),
        record.db.get(),
        record.subscriptions.count(Topic::Channel),
        record.subscriptions.count(Topic::Pattern),
        record.subscriptions.count(Topic::ShardChannel),
        i128::from(record.transaction.queued.get()) - 1,
    )?;
    write!(
        out,
        "qbuf={} qbuf-free={} argv-mem={} multi-mem={} rbs={} rbp={} obl={} oll={} omem={} tot-mem={} ",
        record.query_bytes.get(),
        room.saturating_sub(record.query_bytes.get()),
        record.args_bytes.get(),
        record.transaction.queued_bytes.get(),
        record.reply_room_bytes.get(),
        record.reply_peak_bytes.get(),
        unsent_bytes,
        usize::from(outbox_bytes > 0),
        outbox_bytes,
        record.memory_bytes(),
    )?;
    writeln!(
        out,
        "events={} cmd={} user={} redir={} resp={} lib-name={} lib-ver={}",
        if record.reply_bytes.get() > 0 || outbox_bytes > 0 { "rw" } else { "r" },
        command.map_or_else(|| "NULL".to_owned(), |found| found.full_name()),
        texts.user,
        record.tracker.options().map_or(-1, |options| options.redirect as i64),
        record.protocol.get(),
        texts.library_name,
        texts.library_version,
    )
}

fn flags(record: &ClientRecord) -> String {
    let tracking = record.tracker.options();
    let all = [
        ('O', record.monitor.is_on()),
        ('P', !record.subscriptions.is_empty()),
        ('x', record.transaction.queued.get() > 0),
        ('b', record.blocked().is_some()),
        ('t', tracking.is_some()),
        ('R', record.tracker.is_broken.is_on()),
        ('B', tracking.is_some_and(|options| options.scope == Scope::Broadcast)),
        ('d', record.watch_flag().is_raised()),
        ('e', record.no_evict.is_on()),
        ('T', record.no_touch.is_on()),
    ];
    let set: String = all.into_iter().filter(|(_, on)| *on).map(|(flag, _)| flag).collect();
    if set.is_empty() { "N".to_owned() } else { set }
}
