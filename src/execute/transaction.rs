//! MULTI and what belongs to it: commands that are queued and then run as one critical section.

use super::account::{Source, account, show};
use super::section::{Call, Performed, Section, lock_plan, plan_inside, reap_seen, settle};
use super::{is_paused, migrate, script, waiting};
use crate::command::{self, Control, Found, Handler};
use crate::error::CommandError;
use crate::instance::{Client, Instance, PauseMode, Ran};
use crate::keyspace::{LockPlan, Mode};
use crate::protocol::{Reply, Request, encode, encode_array_header};
use std::iter;
use std::time::Instant;

/// What a command of the executor itself comes to.
pub(super) enum Controlled {
    /// A reply, or an error.
    Answer(Result<Reply<'static>, CommandError>),
    /// An error that was counted already.
    Failed(CommandError),
    /// The replies stand in the buffer already.
    Written,
    /// It has to wait for the end of a pause.
    AfterPause,
}

impl From<CommandError> for Controlled {
    fn from(error: CommandError) -> Self {
        Self::Answer(Err(error))
    }
}

const OK: Controlled = Controlled::Answer(Ok(Reply::Ok));

/// Runs a command that decides how others run.
pub(super) fn control(
    instance: &Instance,
    client: &mut Client,
    control: Control,
    call: &Call<'_>,
    out: &mut Vec<u8>,
) -> Controlled {
    match control {
        Control::Script(name, access) => script::run(instance, client, (name, access), call, out),
        Control::Queue if client.is_queueing() => CommandError::NESTED_MULTI.into(),
        Control::Queue => {
            client.start_queue();
            OK
        }
        Control::Discard if !client.is_queueing() => CommandError::DISCARD_WITHOUT_MULTI.into(),
        Control::Discard => {
            instance.discard_transaction(client);
            OK
        }
        Control::Watch if client.is_queueing() => CommandError::WATCH_INSIDE_MULTI.into(),
        Control::Watch => {
            watch(instance, client, call);
            OK
        }
        Control::Unwatch => {
            instance.unwatch(client);
            OK
        }
        Control::Migrate => migrate::run(instance, client, call),
        Control::Run => run(instance, client, out),
    }
}

fn watch(instance: &Instance, client: &mut Client, call: &Call<'_>) {
    // Nothing will run anyway.
    if client.has_seen_change() {
        return;
    }
    let keys = call.found.spec.keys;
    let (plan, _) = lock_plan(instance, Some(client.db), keys, call.request);
    let mut section = Section::enter(instance, &plan, Mode::Exclusive);
    let positions = keys.positions(call.request);
    let names = positions.filter_map(|index| call.request.get(index));
    let now_ms = section.now_ms();
    client.watch(names, instance, &mut section.locked, now_ms);
}

/// A queued command with its row.
fn queued(request: &mut Request) -> Call<'_> {
    let Ok(found) = command::find(request) else {
        unreachable!("only what was found is queued");
    };
    Call { found, request, known_hash: None }
}

/// EXEC: the queued commands as one critical section over the keys of all, and of those watched.
fn run(instance: &Instance, client: &mut Client, out: &mut Vec<u8>) -> Controlled {
    let failed = client.has_failed_queue();
    let Some(mut requests) = client.take_queue() else {
        return CommandError::EXEC_WITHOUT_MULTI.into();
    };
    if failed {
        instance.unwatch(client);
        return CommandError::EXEC_ABORTED.into();
    }
    let mut calls: Vec<Call<'_>> = requests.iter_mut().map(queued).collect();
    let writes = calls.iter().any(|call| call.found.spec.may_write());
    let waits = calls.iter().any(|call| call.found.spec.waits_like_writes());
    let mode = if waits { PauseMode::Writes } else { PauseMode::Everything };
    let plan = calls.iter().map(|call| plan_of(instance, client.db, call));
    let plan = plan.fold(instance.watch_plan(client), LockPlan::and);
    let has_script = calls.iter().any(|call| is_script(call.found));
    let changes = writes || has_script || !client.watched().is_empty();
    let lock_mode = if changes { Mode::Exclusive } else { Mode::Shared };
    let mut section = Section::enter(instance, &plan, lock_mode);
    if is_paused(instance, client, mode) {
        drop(section);
        drop(calls);
        client.return_queue(requests);
        return Controlled::AfterPause;
    }
    let now_ms = section.now_ms();
    if client.unwatch(instance, &mut section.locked, now_ms) {
        return Controlled::Answer(Ok(Reply::NullArray));
    }
    encode_array_header(calls.len(), out);
    client.may_wait = false;
    let unserved = section.contain(client, |section, client| {
        calls.iter_mut().for_each(|call| perform_inside(section, client, call, out));
        waiting::serve(section, &mut client.effects)
    });
    client.may_wait = true;
    if instance.reaper.is_paused() {
        for call in &calls {
            reap_seen(instance, client, call, now_ms);
        }
    }
    settle(instance, client);
    waiting::serve_later(instance, client, unserved);
    Controlled::Written
}

fn is_script(found: Found) -> bool {
    matches!(found.spec.handler, Handler::Control(Control::Script(..)))
}

/// What a queued command needs locked.
fn plan_of(instance: &Instance, db: usize, call: &Call<'_>) -> LockPlan {
    if is_script(call.found) {
        // Only who begins with a script may lock more on the way.
        LockPlan::All
    } else {
        plan_inside(instance, Some(db), call.found, call.request).0
    }
}

/// Runs one queued command. Nobody waits inside a transaction.
fn perform_inside(
    section: &mut Section<'_>,
    client: &mut Client,
    call: &mut Call<'_>,
    out: &mut Vec<u8>,
) {
    let instance = section.instance;
    let Found { spec, id, .. } = call.found;
    client.record.note_command(Some(id));
    let monitored = super::is_monitored(instance, spec);
    call.request.whole = monitored;
    let started = Instant::now();
    let succeeded = match spec.handler {
        Handler::Control(Control::Script(name, access)) => {
            script::run_inside(section, client, (name, access), call, out)
        }
        // What was watched is not any more.
        Handler::Control(_) => {
            encode(Reply::Ok, client.protocol, out);
            true
        }
        _ => match section.perform(client, call, out) {
            Performed::Answered(succeeded) => succeeded,
            Performed::Waits(wait) => {
                encode(wait.otherwise.reply(), client.protocol, out);
                true
            }
        },
    };
    let took = started.elapsed();
    let ran = Ran::new(took, succeeded);
    account(instance, client, call.found, iter::once((&*call.request, ran)));
    if monitored {
        show(instance, client, Source::Client, call.found, call.request, took);
    }
}
