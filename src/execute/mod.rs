//! The one door to the data: find, admit, lock, run, encode, unlock, tell.
//!
//! What runs is a list of calls as one critical section: of one for a client's command, of many for
//! EXEC. In the same section those are served who wait for what it made ready.

mod account;
mod batch;
mod migrate;
mod refusal;
mod script;
mod section;
#[cfg(test)]
mod testing;
mod transaction;
mod waiting;

use crate::command::{self, Control, Flags, Found, Handler, Spec, help};
use crate::error::CommandError;
use crate::instance::{Client, Closing, Instance, PauseMode, Ran};
use crate::keyspace::Mode;
use crate::protocol::{Reply, Request, encode, encode_error};
use account::{Source, account, show};
pub use batch::Batch;
use refusal::{find, refuse};
use section::{Call, Performed, Section, handler_for, lock_plan, reap_seen, settle};
use std::iter;
use std::panic::{self, AssertUnwindSafe};
use std::time::{Duration, Instant};
use transaction::{Controlled, control};

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

/// Runs the first request of a batch, and those behind it that go with it, and appends their replies to `out`.
/// `behind` are the bytes behind the first request, which the batch was gathered from.
///
/// A handler that panics ends its own connection only, unless it was in the middle of a change: then
/// the server stops rather than serve half of it.
pub fn execute(
    instance: &Instance,
    client: &mut Client,
    batch: &mut Batch,
    behind: &[u8],
    out: &mut Vec<u8>,
) -> Execution {
    client.unsent_bytes = out.len();
    let execution = contain(instance, client, out, |client, out| {
        if batch.run(instance, client, behind, out) {
            Execution::Done
        } else {
            dispatch(instance, client, batch.first(), out)
        }
    });
    if client.caching_given && execution == Execution::Done {
        forget_caching(client, batch.first());
    }
    execution
}

/// What CLIENT CACHING said holds for one command, or transaction.
fn forget_caching(client: &mut Client, request: &Request) {
    let keeps = |found: Found| found.spec.flags.has(Flags::KEEPS_CACHING);
    client.caching_given = client.is_queueing() || command::find(request).is_ok_and(keeps);
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
    } else {
        // Others of its batch may have run before it.
        settle(instance, client);
    }
    Execution::Done
}

fn dispatch(
    instance: &Instance,
    client: &mut Client,
    request: &mut Request,
    out: &mut Vec<u8>,
) -> Execution {
    let found = match find(client, request) {
        Ok(Some(found)) => found,
        Ok(None) => return Execution::Done,
        Err(error) => {
            match help::answer(request).filter(|_| request.inline) {
                Some(Ok(page)) => encode(page, client.protocol, out),
                Some(Err(error)) => encode_error(&error, out),
                None => {
                    client.fail_queue();
                    refuse(instance, error, None, request.inline, out);
                }
            }
            return Execution::Done;
        }
    };
    let spec = found.spec;
    if let Err(mut error) = admit(instance, found, client, request) {
        client.fail_queue();
        if matches!(spec.handler, Handler::Control(Control::Run)) {
            instance.discard_transaction(client);
            error = CommandError::exec_aborted(&error);
        }
        instance.stats.rejected(client.id(), found.id);
        refuse(instance, error, Some(found), request.inline, out);
        return Execution::Done;
    }
    if is_paused(instance, client, pause_mode(spec)) {
        return Execution::AfterPause;
    }
    let runs_now = matches!(spec.handler, Handler::Control(control) if control.runs_while_queueing())
        || spec.flags.has(Flags::UNQUEUED);
    if client.is_queueing() && !runs_now {
        client.queue(request);
        encode(Reply::status("QUEUED"), client.protocol, out);
        return Execution::Done;
    }
    if !out.is_empty() && runs_after_replies(client, spec) {
        return Execution::AfterReplies;
    }
    run(instance, client, found, request, out)
}

/// Whether this client may run this command now. Looks at flags and variants, never at names. A batch skips
/// this while nothing could be refused, which `batch` decides: what is added here belongs there as well.
fn admit(
    instance: &Instance,
    found: Found,
    client: &Client,
    request: &Request,
) -> Result<(), CommandError> {
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
    if client.is_queueing() && !spec.is_for_transactions() {
        return Err(CommandError::NOT_IN_TRANSACTION);
    }
    if instance.scripts.watch.is_on() && !spec.flags.has(Flags::ALLOW_BUSY) {
        let patience = Duration::from_millis(client.settings.busy_reply_threshold);
        if !instance.scripts.watch.wait(patience) {
            return Err(CommandError::BUSY_WITH_SCRIPT);
        }
    }
    if instance.loading.is_on() && !spec.flags.has(Flags::LOADING) {
        return Err(CommandError::LOADING);
    }
    let saving = &instance.saving;
    if spec.is_write() && saving.has_failed() && client.settings.stop_writes_on_bgsave_error {
        let failure = saving.history().failure.filter(|_| instance.saves_at_the_end());
        if let Some(reason) = failure {
            return Err(CommandError::because(CommandError::NOT_SAVED, &reason));
        }
    }
    let reads =
        matches!(spec.handler, Handler::Read(_) | Handler::WaitToRead(_) | Handler::Walk(_));
    let works_on_keys = reads || spec.has_write_handler();
    if works_on_keys && client.record.monitor.is_on() {
        return Err(CommandError::MONITORS_ONLY);
    }
    Ok(())
}

/// Whether earlier replies are on their way before a command runs: it may wait for long, or let go
/// ahead of its own reply what others have sent.
fn runs_after_replies(client: &Client, spec: &Spec) -> bool {
    let flags = spec.flags;
    flags.has(Flags::BLOCKING) || (flags.has(Flags::SUBSCRIBER) && client.record.listens())
}

/// Which pauses a command has to wait for.
fn pause_mode(spec: &Spec) -> PauseMode {
    if spec.waits_like_writes() { PauseMode::Writes } else { PauseMode::Everything }
}

/// Whether a command has to wait for the end of a pause (CLIENT PAUSE).
fn is_paused(instance: &Instance, client: &Client, mode: PauseMode) -> bool {
    // One who monitors is served like a replica, which is never paused.
    instance.pause.holds(mode, || instance.now_ms()) && !client.record.monitor.is_on()
}

/// Whether those who monitor are shown this command: what administrators do is nobody else's business.
fn is_monitored(instance: &Instance, spec: &Spec) -> bool {
    let hidden = spec.flags.has(Flags::SKIP_MONITOR) || spec.flags.has(Flags::ADMIN);
    !instance.monitors.is_empty() && !hidden
}

/// Runs an admitted command and accounts for it.
fn run(
    instance: &Instance,
    client: &mut Client,
    found: Found,
    request: &mut Request,
    out: &mut Vec<u8>,
) -> Execution {
    let monitored = is_monitored(instance, found.spec);
    request.whole = monitored;
    let started = Instant::now();
    let Some(succeeded) = call(instance, client, found, request, out) else {
        return Execution::AfterPause;
    };
    let took = started.elapsed().saturating_sub(std::mem::take(&mut client.waited));
    let ran = Ran::new(took, succeeded);
    account(instance, client, found, iter::once((&*request, ran)));
    if monitored {
        show(instance, client, Source::Client, found, request, took);
    }
    Execution::Done
}

/// Runs a command in a critical section of its own. Whether it succeeded; `None` if it has to wait
/// for the end of a pause.
fn call(
    instance: &Instance,
    client: &mut Client,
    found: Found,
    request: &mut Request,
    out: &mut Vec<u8>,
) -> Option<bool> {
    match handler_for(found.spec, request) {
        Handler::Control(what) => {
            let call = Call { found, request, known_hash: None };
            match control(instance, client, what, &call, out) {
                Controlled::Answer(Ok(reply)) => encode(reply, client.protocol, out),
                Controlled::Answer(Err(error)) => {
                    refuse(instance, error, Some(found), call.request.inline, out);
                    return Some(false);
                }
                Controlled::Failed(error) => {
                    encode_error(&error, out);
                    return Some(false);
                }
                Controlled::Written => {}
                Controlled::AfterPause => return None,
            }
            Some(true)
        }
        Handler::Read(_) | Handler::Walk(_) | Handler::Answer(_) | Handler::Client(_) => {
            let performed = look(instance, client, found, request, out);
            Some(matches!(performed, Performed::Answered(true)))
        }
        // Where there is something to read, shared locks are enough.
        Handler::WaitToRead(_) => match look(instance, client, found, request, out) {
            Performed::Answered(succeeded) => Some(succeeded),
            Performed::Waits(_) => change(instance, client, found, request, out),
        },
        Handler::Write(_) | Handler::ReadOrWrite(..) | Handler::Wait(_) => {
            change(instance, client, found, request, out)
        }
        Handler::Container => unreachable!("a container alone is not admitted"),
    }
}

/// Runs a command that changes no key.
fn look(
    instance: &Instance,
    client: &mut Client,
    found: Found,
    request: &mut Request,
    out: &mut Vec<u8>,
) -> Performed {
    let (plan, known_hash) = match found.spec.handler {
        Handler::Walk(_) | Handler::Answer(_) | Handler::Client(_) => Default::default(),
        _ => lock_plan(instance, Some(client.db), found.spec.keys, request),
    };
    let mut call = Call { found, request, known_hash };
    let mut section = Section::enter(instance, &plan, Mode::Shared);
    let performed = section.perform(client, &mut call, out);
    let now_ms = section.now_ms();
    drop(section);
    if instance.reaper.is_paused() {
        reap_seen(instance, client, &call, now_ms);
    }
    settle(instance, client);
    performed
}

/// Runs a command that may change keys, or wait for somebody else to do so. `None` if it has to wait
/// for the end of a pause.
fn change(
    instance: &Instance,
    client: &mut Client,
    found: Found,
    request: &mut Request,
    out: &mut Vec<u8>,
) -> Option<bool> {
    let (plan, known_hash) = lock_plan(instance, Some(client.db), found.spec.keys, request);
    let mut call = Call { found, request, known_hash };
    let section = Section::enter(instance, &plan, Mode::Exclusive);
    // Whoever paused writes while we waited for the locks has been told that none runs.
    if is_paused(instance, client, pause_mode(found.spec)) {
        return None;
    }
    let waits = matches!(found.spec.handler, Handler::Wait(_));
    let (performed, unserved) = section.contain(client, |section, client| {
        let mut unserved = Vec::new();
        if waits {
            unserved = waiting::serve_earlier(section, client, &call);
        }
        let performed = section.perform(client, &mut call, out);
        if let Performed::Waits(wait) = performed {
            waiting::park(section, client, &mut call, wait);
        }
        unserved.append(&mut waiting::serve(section, &mut client.effects));
        (performed, unserved)
    });
    settle(instance, client);
    waiting::serve_later(instance, client, unserved);
    Some(match performed {
        Performed::Answered(succeeded) => succeeded,
        Performed::Waits(wait) => {
            waiting::await_answer(instance, client, &mut call, (wait, &plan), out)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::testing::{
        PANIC_AMID, PANIC_BEFORE, PANIC_IN_READ, READ, WRITE, client, found, request,
    };
    use super::*;
    use crate::clock::Clock;
    use crate::config::Settings;
    use crate::keyspace::{LockPlan, Shards};

    /// What `execute` does, but for a row that the table does not have.
    fn run_row(spec: &'static Spec, instance: &Instance, client: &mut Client) -> Vec<u8> {
        let mut request = request(spec);
        let mut out = b"earlier".to_vec();
        contain(instance, client, &mut out, |client, out| {
            run(instance, client, found(spec), &mut request, out)
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
        let run_it = |spec: &'static Spec| {
            let (mut request, mut out) = (request(spec), Vec::new());
            let mut client = client(instance);
            let execution = run(instance, &mut client, found(spec), &mut request, &mut out);
            (execution, out)
        };
        // It was admitted before the pause, and asks for its locks only now.
        instance.pause(PauseMode::Writes, 2_000, Shards::Free(&instance.keyspace));
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
            let pause = scope.spawn(|| {
                instance.pause(PauseMode::Writes, 2_000, Shards::Free(&instance.keyspace));
            });
            while !instance.pause.holds(PauseMode::Writes, || 1_000) {
                std::thread::yield_now();
            }
            std::thread::sleep(Duration::from_millis(5));
            assert!(!pause.is_finished());
            drop(written);
        });
    }
}
