//! Commands that wait, as BLPOP does.
//!
//! Where there is nothing to do yet, a client leaves its command behind under the locks of its keys
//! and sleeps. Whoever makes one of these keys what the command waits for runs it on the client's
//! behalf, longest waiting first, in the same critical section: so no wake-up is lost, nobody can take
//! what another has waited for longer, and who pushed sees their own push served.

use super::refusal::refuse;
use super::section::{Answering, Call, Performed, Section, attempt, lock_plan, settle};
use crate::command::{self, Found, KeyFlags, Wait};
use crate::error::CommandError;
use crate::instance::{Client, Instance, ParkedCall, SharedRecord, Unblock, Wake};
use crate::keyspace::{Effects, KeyName, LockPlan, Locked, Mode, Moment, Telling};
use crate::protocol::{Reply, Request, encode};

/// Waiting clients that could not be served, since others held locks that this takes.
pub(super) type Unserved = Vec<(KeyName, LockPlan)>;

/// The keys that a command waits for: those from which it gives something back.
fn waited_keys(found: Found, request: &Request) -> impl Iterator<Item = &[u8]> {
    let uses = found.spec.keys.uses(request).unwrap_or_default().into_iter();
    let taken = uses.filter(|(_, flags)| flags.has(KeyFlags::ACCESS));
    taken.filter_map(|(index, _)| request.get(index))
}

/// Serves those who have waited longer for what this command is about to take.
pub(super) fn serve_earlier(
    section: &mut Section<'_>,
    client: &mut Client,
    call: &Call<'_>,
) -> Unserved {
    let keyspace = &section.instance.keyspace;
    for key in waited_keys(call.found, call.request) {
        let waits = section.locked.waiter(client.db, keyspace.key(key), section.now_ms(), 0);
        if waits.is_some() {
            client.effects.ready.push_back(KeyName { db: client.db, key: key.into() });
        }
    }
    serve(section, &mut client.effects)
}

/// Leaves a command behind. Its keys are locked.
pub(super) fn park(
    section: &mut Section<'_>,
    client: &mut Client,
    call: &mut Call<'_>,
    wait: Wait,
) {
    let moment = section.moment(client, call.found);
    let keyspace = &section.instance.keyspace;
    for key in waited_keys(call.found, call.request) {
        section.locked.wait(client.db, keyspace.key(key), client.id(), wait.wanted);
    }
    client.record.leave_call(ParkedCall {
        request: std::mem::take(call.request),
        db: client.db,
        protocol: client.protocol,
        moment,
        answer: None,
    });
}

/// Sleeps until the command that was left behind has been run, or there is another reason to go on.
/// Whether the reply is no error.
pub(super) fn await_answer(
    instance: &Instance,
    client: &mut Client,
    call: &mut Call<'_>,
    (wait, plan): (Wait, &LockPlan),
    out: &mut Vec<u8>,
) -> bool {
    let wake = client.block_for_answer(wait.time, &instance.clock);
    let parked = if client.record.is_answered() { client.record.take_call() } else { None };
    let ParkedCall { request, answer, .. } = parked.unwrap_or_else(|| {
        let mut locked = instance.keyspace.lock_exclusive(plan);
        let call_left = client.record.take_call();
        let left = call_left.expect("whoever takes it puts it back before they let go of its keys");
        // Somebody may have run it while we waited for the locks.
        if left.answer.is_none() {
            withdraw(&mut locked, instance, client.id(), call.found, &left);
        }
        left
    });
    *call.request = request;
    match (answer, wake) {
        (Some((reply, succeeded)), _) => {
            out.extend_from_slice(&reply);
            succeeded
        }
        (None, Wake::TimeOver | Wake::Unblocked(Unblock::AsTimeout)) => {
            encode(Reply::NullArray, client.protocol, out);
            true
        }
        (None, Wake::Unblocked(Unblock::WithError)) => {
            refuse(instance, CommandError::UNBLOCKED, Some(call.found), call.request.inline, out);
            false
        }
        // There is nobody to answer.
        (None, Wake::Closing) => false,
    }
}

fn withdraw(
    locked: &mut Locked<'_>,
    instance: &Instance,
    client: u64,
    found: Found,
    call: &ParkedCall,
) {
    for key in waited_keys(found, &call.request) {
        locked.withdraw(call.db, instance.keyspace.key(key), client);
    }
}

/// Runs the commands of those who wait for what has become ready in this critical section. This may
/// make other keys ready, for which the same is done.
pub(super) fn serve(section: &mut Section<'_>, effects: &mut Effects) -> Unserved {
    let mut unserved = Vec::new();
    while let Some(ready) = effects.ready.pop_front() {
        if let Some(plan) = serve_key(section, effects, &ready) {
            unserved.push((ready, plan));
        }
    }
    unserved
}

/// Serves those who wait for one key. What has to be locked first, if it could not be.
fn serve_key(
    section: &mut Section<'_>,
    effects: &mut Effects,
    ready: &KeyName,
) -> Option<LockPlan> {
    let (instance, now_ms) = (section.instance, section.now_ms());
    let key = instance.keyspace.key(&ready.key);
    let mut passed = 0;
    while let Some(id) = section.locked.waiter(ready.db, key, now_ms, passed) {
        match instance
            .clients
            .get(id)
            .map_or(Served::Passed, |record| serve_client(section, effects, &record))
        {
            Served::Done => {}
            Served::Passed => passed += 1,
            Served::Needs(plan) => return Some(plan),
        }
    }
    None
}

/// What came of the attempt to serve a client.
enum Served {
    /// It is served and waits no more.
    Done,
    /// It goes on waiting.
    Passed,
    /// This has to be locked first.
    Needs(LockPlan),
}

fn serve_client(section: &mut Section<'_>, effects: &mut Effects, record: &SharedRecord) -> Served {
    let (instance, now_ms) = (section.instance, section.now_ms());
    let Some(mut call) = record.take_call() else { return Served::Passed };
    let Ok(found) = command::find(&call.request) else {
        unreachable!("it was found when its client sent it");
    };
    let (plan, _) = lock_plan(instance, None, found.spec.keys, &call.request);
    let served = if record.is_closing() || record.has_hung_up() {
        // What it would get would be lost.
        Served::Passed
    } else if !section.locked.try_extend(&plan) {
        Served::Needs(plan)
    } else {
        let (protocol, inline) = (call.protocol, call.request.inline);
        let answering = Answering { instance, protocol, inline, found };
        let touched = instance.tracking.is_on();
        let telling = Telling { touched, ..call.moment.telling };
        let at = (call.db, Moment { now_ms, telling, ..call.moment });
        let mut reply = Vec::new();
        let request = &mut call.request;
        match attempt(answering, &mut section.locked, effects, at, request, &mut reply) {
            Performed::Waits(_) => Served::Passed,
            Performed::Answered(succeeded) => {
                withdraw(&mut section.locked, instance, record.id, found, &call);
                call.answer = Some((reply, succeeded));
                Served::Done
            }
        }
    };
    record.leave_call(call);
    if matches!(served, Served::Done) {
        record.wake();
    }
    served
}

/// Serves those who could not be served before, now that no lock is held.
pub(super) fn serve_later(instance: &Instance, client: &mut Client, mut unserved: Unserved) {
    while let Some((ready, plan)) = unserved.pop() {
        let key_plan = LockPlan::for_hashes(std::iter::once(instance.keyspace.hash(&ready.key)));
        client.effects.ready.push_back(ready);
        let section = Section::enter(instance, &plan.and(key_plan), Mode::Exclusive);
        let more = section.contain(client, |section, client| serve(section, &mut client.effects));
        unserved.extend(more);
        settle(instance, client);
    }
}
