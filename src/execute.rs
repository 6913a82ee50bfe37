//! The one door to the data: find, admit, lock, run, encode, unlock, tell.

use crate::command::{self, Args, Context, FindError, Flags, Found, Handler, Keys, help};
use crate::error::{CommandError, c_string};
use crate::instance::{Client, Closing, Instance, LatencyEvent, PauseMode, SlowEntry};
use crate::keyspace::{
    AccessMode, AccessPolicy, DueFields, LockPlan, Moment, ReadView, Walk, WriteView,
};
use crate::protocol::{Outcome, Protocol, Request, encode, encode_error};
use crate::value::EncodingLimits;
use std::panic::{self, AssertUnwindSafe};
use std::time::{Duration, Instant};

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Execution {
    /// It was answered.
    Done,
    /// Nothing has happened: it is to be executed again when the pause is over.
    AfterPause,
    /// Nothing has happened: it is to be executed again when earlier replies are sent, since it may
    /// wait for long.
    AfterReplies,
}

/// Runs one request of a client and appends its reply to `out`.
///
/// A handler that panics ends its own connection only, unless it was in the middle of a change: then
/// the server stops rather than serve half of it.
pub fn execute(
    instance: &Instance,
    client: &mut Client,
    request: &mut Request,
    out: &mut Vec<u8>,
) -> Execution {
    client.unsent_bytes = out.len();
    contain(instance, client, out, |client, out| dispatch(instance, client, request, out))
}

/// Lets a panic end this client's connection only.
fn contain(
    instance: &Instance,
    client: &mut Client,
    out: &mut Vec<u8>,
    run: impl FnOnce(&mut Client, &mut Vec<u8>) -> Execution,
) -> Execution {
    let replied = out.len();
    if let Ok(execution) = panic::catch_unwind(AssertUnwindSafe(|| run(client, out))) {
        return execution;
    }
    out.truncate(replied);
    client.closing = Some(Closing::AtOnce);
    log::error!("a command of client {} panicked; its connection is closed", client.id());
    if client.effects.is_changing() {
        instance
            .stop
            .fail("a command panicked while it changed data, which can no longer be trusted");
    }
    Execution::Done
}

fn dispatch(
    instance: &Instance,
    client: &mut Client,
    request: &mut Request,
    out: &mut Vec<u8>,
) -> Execution {
    match find(client, request) {
        Ok(None) => {}
        Ok(Some(found)) => match admit(found, client, request) {
            Ok(()) if is_paused(instance, client, found) => return Execution::AfterPause,
            Ok(()) if !out.is_empty() && runs_after_replies(client, found) => {
                return Execution::AfterReplies;
            }
            Ok(()) => return run(instance, client, found, request, out),
            Err(error) => {
                instance.stats.rejected(client.id(), found.id);
                refuse(instance, error, Some(found), request.inline, out);
            }
        },
        Err(error) => match help::answer(request).filter(|_| request.inline) {
            Some(Ok(page)) => encode(page, client.protocol, out),
            Some(Err(error)) => encode_error(&error, out),
            None => refuse(instance, error, None, request.inline, out),
        },
    }
    Execution::Done
}

/// Answers an error and counts it. Who typed the request also gets a hint.
fn refuse(
    instance: &Instance,
    error: CommandError,
    found: Option<Found>,
    inline: bool,
    out: &mut Vec<u8>,
) {
    instance.stats.error(&error.code());
    let error = if inline { help::explained(error, found) } else { error };
    encode_error(&error, out);
}

/// Finds the command; `None` if the connection is to end without a reply.
fn find(client: &mut Client, request: &Request) -> Result<Option<Found>, CommandError> {
    let found = command::find(request);
    client.record.note_command(found.as_ref().ok().map(|found| found.id));
    let error = match found {
        Ok(found) => return Ok(Some(found)),
        Err(error) => error,
    };
    let name = request.get(0).unwrap_or_default();
    match error {
        FindError::UnknownSubcommand(container) => {
            let name = request.get(1).unwrap_or_default();
            Err(CommandError::UnknownSubcommand {
                name: shown(name, SHOWN_BYTES_MAX).to_vec(),
                container: container.spec.name,
            })
        }
        // A browser that was led here by a foreign page sends these (cross-protocol scripting).
        FindError::Unknown
            if name.eq_ignore_ascii_case(b"POST") || name.eq_ignore_ascii_case(b"Host:") =>
        {
            log::warn!(
                "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to Redis. \
                 This is likely due to an attacker attempting to use Cross Protocol Scripting to compromise your Redis instance. \
                 Connection from {} aborted.",
                client.record.peer
            );
            client.closing = Some(Closing::AtOnce);
            Ok(None)
        }
        FindError::Unknown => Err(unknown_command(request)),
    }
}

/// How much of a name, and of all arguments together, an error shows.
const SHOWN_BYTES_MAX: usize = 128;

fn unknown_command(request: &Request) -> CommandError {
    let mut beginning = Vec::new();
    for (arg, _) in request.iter().skip(1) {
        if beginning.len() >= SHOWN_BYTES_MAX {
            break;
        }
        let arg = shown(arg, SHOWN_BYTES_MAX - beginning.len());
        beginning.push(b'\'');
        beginning.extend_from_slice(arg);
        beginning.extend_from_slice(b"' ");
    }
    let name = request.get(0).unwrap_or_default();
    let name = shown(name, SHOWN_BYTES_MAX).to_vec();
    CommandError::UnknownCommand { name, beginning }
}

/// What an error shows of a word: so many bytes at most, up to a zero byte.
fn shown(word: &[u8], bytes_max: usize) -> &[u8] {
    let word = c_string(word);
    &word[..word.len().min(bytes_max)]
}

/// Whether this client may run this command now. Looks at flags and variants, never at names.
fn admit(found: Found, client: &Client, request: &Request) -> Result<(), CommandError> {
    let spec = found.spec;
    if !spec.arity.admits(request.len()) || matches!(spec.handler, Handler::Container) {
        return Err(CommandError::Arity(found.full_name().into()));
    }
    if client.must_authenticate() && !spec.flags.has(Flags::NO_AUTH) {
        return Err(CommandError::NoAuth);
    }
    if client.is_subscriber() && !spec.flags.has(Flags::SUBSCRIBER) {
        return Err(CommandError::subscribed(&found.full_name()));
    }
    let works_on_keys =
        matches!(spec.handler, Handler::Read(_) | Handler::Write(_) | Handler::Walk(_));
    if works_on_keys && client.record.monitor.is_on() {
        return Err(CommandError::MONITORS_ONLY);
    }
    Ok(())
}

/// Whether earlier replies are on their way before a command runs: it may wait for long, or let go
/// ahead of its own reply what others have sent.
fn runs_after_replies(client: &Client, found: Found) -> bool {
    let flags = found.spec.flags;
    flags.has(Flags::BLOCKING) || (flags.has(Flags::SUBSCRIBER) && client.record.outbox().is_some())
}

/// Whether a command has to wait for the end of a pause (CLIENT PAUSE).
fn is_paused(instance: &Instance, client: &Client, found: Found) -> bool {
    let mode = match found.spec.handler {
        Handler::Write(_) => PauseMode::Writes,
        _ => PauseMode::Everything,
    };
    // One who monitors is served like a replica, which is never paused.
    instance.pause.holds(mode, || instance.now_ms()) && !client.record.monitor.is_on()
}

/// Runs an admitted command and accounts for it.
fn run(
    instance: &Instance,
    client: &mut Client,
    found: Found,
    request: &mut Request,
    out: &mut Vec<u8>,
) -> Execution {
    // What administrators do is nobody else's business.
    let flags = found.spec.flags;
    let hidden = flags.has(Flags::SKIP_MONITOR) || flags.has(Flags::ADMIN);
    let monitored = instance.clients.has_monitors() && !hidden;
    request.whole = monitored;
    let started = Instant::now();
    let Some(succeeded) = call(instance, client, found, request, out) else {
        return Execution::AfterPause;
    };
    let took = started.elapsed().saturating_sub(std::mem::take(&mut client.waited));
    instance.stats.ran(client.id(), found.id, took, !succeeded);
    if client.settings.latency_tracking {
        instance.stats.took(client.id(), found.id, took);
    }
    note_if_slow(instance, client, found, request, took);
    let is_fast = found.spec.flags.has(Flags::FAST);
    let event = if is_fast { LatencyEvent::FastCommand } else { LatencyEvent::Command };
    instance.note_latency(event, took, client.settings.latency_monitor_threshold);
    if monitored {
        let line = monitor_line(instance, client, request);
        client.monitor_lines.extend_from_slice(&line);
    }
    Execution::Done
}

/// The critical section and what comes right behind it. Whether the command succeeded; `None` if it
/// has to wait first.
fn call(
    instance: &Instance,
    client: &mut Client,
    found: Found,
    request: &mut Request,
    out: &mut Vec<u8>,
) -> Option<bool> {
    let spec = found.spec;
    let skip = if found.container.is_some() { 2 } else { 1 };
    let keyspace = &instance.keyspace;
    let mut moment = Moment {
        now_ms: 0,
        seed: client.rng.u64(..),
        access: access_mode(client, found),
        encoding: EncodingLimits::new(&client.settings),
        string_bytes_max: usize::try_from(client.settings.proto_max_bulk_len).unwrap_or(usize::MAX),
        compresses_dumps: client.settings.rdbcompression,
    };
    let (plan, known_hash) = lock_plan(instance, spec.keys, request);
    let (protocol, inline) = (client.protocol, request.inline);
    let write = |result: Outcome<'_>, protocol: Protocol, out: &mut Vec<u8>| match result {
        Ok(reply) => {
            encode(reply, protocol, out);
            true
        }
        Err(error) => {
            refuse(instance, error, Some(found), inline, out);
            false
        }
    };
    // The time is read with the locks held, so that time never runs backwards for a key.
    let succeeded = match spec.handler {
        Handler::Read(handler) => {
            let locked = keyspace.lock_shared(&plan);
            moment.now_ms = instance.now_ms();
            let view = ReadView::new(&locked, client.db, moment);
            let mut args = Args::new(request, skip, keyspace, known_hash);
            let succeeded = write(handler(&view, &mut args), protocol, out);
            view.record(&mut client.effects);
            drop(locked);
            if instance.reaper.is_paused() {
                reap_keys(instance, client.db, spec.keys, request, moment.now_ms);
                remove_due_fields(instance, client, moment);
            }
            settle(instance, client);
            succeeded
        }
        Handler::Write(handler) => {
            let mut locked = keyspace.lock_exclusive(&plan);
            // Whoever paused writes while we waited for the locks has been told that none runs.
            if is_paused(instance, client, found) {
                return None;
            }
            moment.now_ms = instance.now_ms();
            let run = AssertUnwindSafe(|| {
                let mut view = WriteView::new(&mut locked, &mut client.effects, client.db, moment);
                let mut args = Args::new(request, skip, keyspace, known_hash);
                write(handler(&mut view, &mut args), protocol, out)
            });
            let succeeded = match panic::catch_unwind(run) {
                Ok(succeeded) => succeeded,
                Err(panic) => {
                    // Unwinding poisons what is locked: that is for half a change alone.
                    if !client.effects.is_changing() {
                        drop(locked);
                    }
                    panic::resume_unwind(panic)
                }
            };
            drop(locked);
            settle(instance, client);
            succeeded
        }
        Handler::Walk(handler) => {
            moment.now_ms = instance.now_ms();
            let walk = Walk::new(keyspace, client.db, moment);
            let mut args = Args::new(request, skip, keyspace, known_hash);
            let succeeded = write(handler(&walk, &mut args), protocol, out);
            if instance.reaper.is_paused() && walk.saw_overdue() {
                instance.stats.add_expired(keyspace.reap_database(client.db, moment.now_ms));
            }
            succeeded
        }
        Handler::Client(handler) => {
            let now_us = instance.clock.now_us();
            let mut args = Args::new(request, skip, keyspace, known_hash);
            // The reply is encoded in the protocol that the command leaves behind: HELLO answers
            // in the new one already.
            let mut context = Context { instance, client, now_us };
            let result = handler(&mut context, &mut args);
            write(result, client.protocol, out)
        }
        Handler::Container => unreachable!("a container alone is not admitted"),
    };
    Some(succeeded)
}

/// How this client's commands leave traces on the keys that they use.
fn access_mode(client: &Client, found: Found) -> AccessMode {
    let settings = &client.settings;
    let policy = if settings.maxmemory_policy.is_lfu() {
        AccessPolicy::Frequency {
            log_factor: settings.lfu_log_factor,
            decay_minutes: settings.lfu_decay_time,
        }
    } else {
        AccessPolicy::Recency
    };
    let untouched = client.record.no_touch.is_on() && !found.spec.flags.has(Flags::ALWAYS_TOUCHES);
    AccessMode { policy, untouched }
}

/// What a critical section needs locked, and the hash of its key if it is just one.
fn lock_plan(
    instance: &Instance,
    keys: Keys,
    request: &Request,
) -> (LockPlan, Option<(usize, u64)>) {
    if keys.is_every(request) {
        return (LockPlan::All, None);
    }
    let mut first = None;
    let hashes = keys.positions(request).map(|index| {
        let hash = instance.keyspace.hash(request.get(index).unwrap_or_default());
        first.get_or_insert((index, hash));
        hash
    });
    let plan = LockPlan::for_hashes(hashes);
    (plan, first)
}

/// Removes keys of a reading request that are due. The reaper does so within milliseconds, but while
/// it is paused (DEBUG SET-ACTIVE-EXPIRE 0) whoever comes by such a key has to, as in Redis.
fn reap_keys(instance: &Instance, db: usize, keys: Keys, request: &Request, now_ms: u64) {
    let keyspace = &instance.keyspace;
    let was_due = |index: &usize| {
        let key = keyspace.key(request.get(*index).unwrap_or_default());
        keyspace.reap_key(db, key, now_ms)
    };
    instance.stats.add_expired(keys.positions(request).filter(was_due).count() as u64);
}

/// Removes the fields past their deadline that a reader came across, for the same reason.
fn remove_due_fields(instance: &Instance, client: &mut Client, moment: Moment) {
    // What expires is a change as well, and has to wait like one.
    if client.effects.due.is_empty() || instance.pause.rest(moment.now_ms).is_some() {
        return;
    }
    let due = std::mem::take(&mut client.effects.due);
    let keyspace = &instance.keyspace;
    let plan = LockPlan::for_hashes(due.iter().map(|due| keyspace.hash(&due.key)));
    let mut locked = keyspace.lock_exclusive(&plan);
    let mut view = WriteView::new(&mut locked, &mut client.effects, client.db, moment);
    for DueFields { key, field } in &due {
        view.remove_due(keyspace.key(key), field.as_deref());
    }
}

/// Counts what happened, frees what was removed, lets the reaper know: all without locks.
fn settle(instance: &Instance, client: &mut Client) {
    let id = client.id();
    let effects = &mut client.effects;
    instance.stats.record(id, effects);
    if let Some(deadline_ms) = effects.deadline_ms.take() {
        instance.reaper.ring_for(deadline_ms);
    }
    if effects.lazy_garbage.pieces() > 0 {
        instance.janitor.take(&mut effects.lazy_garbage);
    }
    effects.clear();
}

fn note_if_slow(
    instance: &Instance,
    client: &Client,
    found: Found,
    request: &Request,
    took: Duration,
) {
    let Ok(limit_us) = u64::try_from(client.settings.slowlog_log_slower_than) else { return };
    if took < Duration::from_micros(limit_us) || found.spec.flags.has(Flags::SKIP_SLOWLOG) {
        return;
    }
    let entry = SlowEntry {
        id: 0,
        at_seconds: instance.clock.now_ms() / 1000,
        micros: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        args: SlowEntry::shorten(request.iter()),
        address: client.record.peer.to_string(),
        name: client.record.texts().name.clone(),
    };
    instance.slowlog.push(entry, client.settings.slowlog_max_len);
}

/// One command as MONITOR shows it.
fn monitor_line(instance: &Instance, client: &Client, request: &Request) -> Vec<u8> {
    let now_us = instance.clock.now_us();
    let (seconds, micros) = (now_us / 1_000_000, now_us % 1_000_000);
    let mut line =
        format!("+{seconds}.{micros:06} [{} {}]", client.db, client.record.peer).into_bytes();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::command::{Arity, Group, KeyFlags, Spec};
    use crate::config::Settings;
    use crate::instance::{ClientRecord, Wire};
    use crate::protocol::Reply;
    use crate::value::StringValue;
    use std::net::{Ipv4Addr, SocketAddr};
    use std::sync::Arc;

    struct NoWire;

    impl Wire for NoWire {
        fn shut_input(&self) {}
        fn shut(&self) {}
        fn has_hung_up(&self) -> bool {
            false
        }
        fn descriptor(&self) -> Option<i64> {
            None
        }
    }

    fn client(instance: &Instance) -> Client {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let (id, wire) = (instance.clients.next_id(), Box::new(NoWire));
        let record = ClientRecord::new(id, address, address, 0, wire);
        Client::new(Arc::new(record), instance.config.settings())
    }

    const fn row(name: &'static str, handler: Handler) -> Spec {
        let keys = Keys::one(1, KeyFlags::RW);
        Spec { name, arity: Arity::exactly(2), keys, handler, ..Spec::REST }
    }

    static READ: Spec = row(
        "READ",
        Handler::Read(|view, args| Ok(Reply::Bool(view.string(args.key()?)?.is_some()))),
    );
    static PANIC_IN_READ: Spec =
        row("PANIC-IN-READ", Handler::Read(|_, _| panic!("while reading")));
    static PANIC_BEFORE: Spec =
        row("PANIC-BEFORE", Handler::Write(|_, _| panic!("before any change")));
    static PANIC_AMID: Spec = row(
        "PANIC-AMID",
        Handler::Write(|view, args| {
            view.set(args.key()?, StringValue::new(b"half".to_vec()));
            panic!("amid a change")
        }),
    );

    /// What `execute` does, but for a row that the table does not have.
    fn run_row(spec: &'static Spec, instance: &Instance, client: &mut Client) -> Vec<u8> {
        let found = Found { spec, container: None, group: Group::String, id: 0 };
        let mut request = Request::from_args([spec.name.as_bytes(), &b"k"[..]]);
        let mut out = b"earlier".to_vec();
        contain(instance, client, &mut out, |client, out| {
            run(instance, client, found, &mut request, out)
        });
        out
    }

    #[test]
    fn a_panic_before_any_change_ends_its_connection_only() {
        let instance = Instance::new(Settings::default(), Clock::system(), command::COMMAND_COUNT);
        std::thread::scope(|scope| {
            for spec in [&PANIC_IN_READ, &PANIC_BEFORE] {
                let instance = &instance;
                scope.spawn(move || {
                    for _ in 0..100 {
                        let mut client = client(instance);
                        assert_eq!(run_row(spec, instance, &mut client), b"earlier");
                        assert_eq!(client.closing, Some(Closing::AtOnce));
                    }
                });
                scope.spawn(move || {
                    let mut client = client(instance);
                    for _ in 0..20_000 {
                        assert_eq!(run_row(&READ, instance, &mut client), b"earlier:0\r\n");
                        assert_eq!(client.closing, None);
                    }
                });
            }
        });
        assert!(!instance.stop.is_requested());
    }

    #[test]
    fn a_panic_amid_a_change_stops_the_server() {
        let instance = Instance::new(Settings::default(), Clock::system(), command::COMMAND_COUNT);
        let mut first = client(&instance);
        assert_eq!(run_row(&PANIC_AMID, &instance, &mut first), b"earlier");
        assert!(instance.stop.failure().is_some_and(|text| text.contains("panicked")));
        // Nobody sees half a change.
        let mut second = client(&instance);
        assert_eq!(run_row(&READ, &instance, &mut second), b"earlier");
        assert_eq!(second.closing, Some(Closing::AtOnce));
    }

    #[test]
    fn a_write_that_gets_its_locks_once_writes_are_paused_waits() {
        let settings = Settings::default();
        let instance = &Instance::new(settings, Clock::standing_at(1_000), command::COMMAND_COUNT);
        static WRITE: Spec = row(
            "WRITE",
            Handler::Write(|view, args| {
                view.set(args.key()?, StringValue::new(b"new".to_vec()));
                Ok(Reply::Ok)
            }),
        );
        let run_it = |spec: &'static Spec| {
            let found = Found { spec, container: None, group: Group::String, id: 0 };
            let mut request = Request::from_args([spec.name.as_bytes(), &b"k"[..]]);
            let mut out = Vec::new();
            let execution = run(instance, &mut client(instance), found, &mut request, &mut out);
            (execution, out)
        };
        // It was admitted before the pause, and asks for its locks only now.
        instance.pause(PauseMode::Writes, 2_000);
        assert_eq!(run_it(&WRITE), (Execution::AfterPause, vec![]));
        assert_eq!(run_it(&READ), (Execution::Done, b":0\r\n".to_vec()));
        instance.unpause();
        assert_eq!(run_it(&WRITE), (Execution::Done, b"+OK\r\n".to_vec()));
    }

    #[test]
    fn a_pause_is_confirmed_when_the_last_write_is_over() {
        let settings = Settings::default();
        let instance = &Instance::new(settings, Clock::standing_at(1_000), command::COMMAND_COUNT);
        std::thread::scope(|scope| {
            let written = instance.keyspace.lock_exclusive(&LockPlan::One(7));
            let pause = scope.spawn(|| instance.pause(PauseMode::Writes, 2_000));
            while !instance.pause.holds(PauseMode::Writes, || 1_000) {
                std::thread::yield_now();
            }
            std::thread::sleep(Duration::from_millis(5));
            assert!(!pause.is_finished());
            drop(written);
        });
    }
}
