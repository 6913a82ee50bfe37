//! What is told of a command that has run: to the statistics, the slow log, and those who monitor.

use crate::command::{Flags, Found};
use crate::instance::{Client, Instance, LatencyEvent, Notice, Ran, Seen, Shown, SlowEntry};
use crate::protocol::Request;
use std::fmt::Display;
use std::time::Duration;

/// Counts a command that has run, once for each of these requests.
pub(super) fn account<'r>(
    instance: &Instance,
    client: &Client,
    found: Found,
    runs: impl Iterator<Item = (&'r Request, Ran)> + Clone,
) {
    let counted = runs.clone().map(|(_, ran)| ran);
    instance.stats.ran(client.id(), found.id, counted, client.settings.latency_tracking);
    let is_fast = found.spec.flags.has(Flags::FAST);
    let event = if is_fast { LatencyEvent::FastCommand } else { LatencyEvent::Command };
    for (request, ran) in runs {
        note_if_slow(instance, client, found, request, ran.nanos);
        let threshold_ms = client.settings.latency_monitor_threshold;
        instance.note_latency(event, Duration::from_nanos(ran.nanos), threshold_ms);
    }
}

fn note_if_slow(instance: &Instance, client: &Client, found: Found, request: &Request, nanos: u64) {
    let Ok(limit_us) = u64::try_from(client.settings.slowlog_log_slower_than) else { return };
    if nanos / 1000 < limit_us || found.spec.flags.has(Flags::SKIP_SLOWLOG) {
        return;
    }
    let entry = SlowEntry {
        id: 0,
        at_seconds: instance.clock.now_ms() / 1000,
        micros: nanos / 1000,
        args: SlowEntry::shorten(request.iter()),
        address: client.record.peer.to_string(),
        name: client.record.texts().name.clone(),
    };
    instance.slowlog.push(entry, client.settings.slowlog_max_len);
}

/// Who has sent a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// A client.
    Client,
    /// A script that a client runs.
    Script,
}

/// Notes that those who monitor are to be shown a command that has run.
pub(super) fn show(
    instance: &Instance,
    client: &mut Client,
    source: Source,
    found: Found,
    request: &Request,
    took: Duration,
) {
    let name_words = if found.container.is_some() { 2 } else { 1 };
    let (id, db, command) = (client.id(), client.db, found.id);
    let to =
        instance.monitors.watching(&Seen { client: id, db, command, name_words, took, request });
    if !to.is_empty() {
        let line = Notice::line(&monitor_line(instance, client, source, request));
        client.shown.push(Shown { line, to });
    }
}

/// One command as MONITOR shows it.
fn monitor_line(
    instance: &Instance,
    client: &Client,
    source: Source,
    request: &Request,
) -> Vec<u8> {
    let now_us = instance.clock.now_us();
    let (seconds, micros) = (now_us / 1_000_000, now_us % 1_000_000);
    let sender: &dyn Display = match source {
        Source::Client => &client.record.peer,
        Source::Script => &"lua",
    };
    let mut line = format!("+{seconds}.{micros:06} [{} {sender}]", client.db).into_bytes();
    for (arg, _) in request.iter() {
        line.extend_from_slice(b" \"");
        escape(arg, &mut line);
        line.push(b'"');
    }
    line.extend_from_slice(b"\r\n");
    line
}

/// Appends bytes as they stand between quotes: what is not printable ASCII as an escape.
fn escape(mut bytes: &[u8], out: &mut Vec<u8>) {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'\\' | b'"');
    while let Some(plain) = bytes.iter().position(|byte| !is_plain(byte)) {
        out.extend_from_slice(&bytes[..plain]);
        match bytes[plain] {
            byte @ (b'\\' | b'"') => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x07 => out.extend_from_slice(b"\\a"),
            0x08 => out.extend_from_slice(b"\\b"),
            other => out.extend_from_slice(format!("\\x{other:02x}").as_bytes()),
        }
        bytes = &bytes[plain + 1..];
    }
    out.extend_from_slice(bytes);
}
