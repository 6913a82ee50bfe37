//! Critical sections: locks that are held, and the commands that run under them at one moment.

use super::refusal::refuse;
use crate::command::{Args, Attempt, Context, Flags, Found, Handler, Keys, Spec, Wait};
use crate::error::CommandError;
use crate::instance::{Client, Instance};
use crate::keyspace::{
    AccessMode, AccessPolicy, DueFields, Effects, EventName, LockPlan, Locked, Mode, Moment,
    ReadView, Walk, WriteView,
};
use crate::protocol::{Protocol, Reply, Request, encode};
use crate::value::EncodingLimits;
use std::panic::{self, AssertUnwindSafe};

/// What became of a command in a critical section.
#[derive(Debug, Clone, Copy)]
pub(super) enum Performed {
    /// It was answered, with an error if this is false.
    Answered(bool),
    /// Nothing has happened, since there is nothing to do yet.
    Waits(Wait),
}

/// A command on its way through a critical section.
pub(super) struct Call<'r> {
    pub(super) found: Found,
    pub(super) request: &'r mut Request,
    /// The index of a key with its hash, if that was needed before.
    pub(super) known_hash: Option<(usize, u64)>,
}

/// How a client is answered.
#[derive(Clone, Copy)]
pub(super) struct Answering<'i> {
    pub(super) instance: &'i Instance,
    pub(super) protocol: Protocol,
    pub(super) inline: bool,
    pub(super) found: Found,
}

impl Answering<'_> {
    /// Encodes a reply, or an error that is counted; whether it was a reply.
    fn answer(&self, result: Result<Reply<'_>, CommandError>, out: &mut Vec<u8>) -> bool {
        match result {
            Ok(reply) => {
                encode(reply, self.protocol, out);
                true
            }
            Err(error) => {
                refuse(self.instance, error, Some(self.found), self.inline, out);
                false
            }
        }
    }

    /// The same for a command that may have found nothing to do yet.
    pub(super) fn answer_attempt(
        &self,
        result: Result<Attempt<'_>, CommandError>,
        out: &mut Vec<u8>,
    ) -> Performed {
        Performed::Answered(match result {
            Ok(Attempt::Wait(wait)) => return Performed::Waits(wait),
            Ok(Attempt::Done(reply)) => self.answer(Ok(reply), out),
            Err(error) => self.answer(Err(error), out),
        })
    }
}

/// Locks that are held at one moment.
pub(super) struct Section<'i> {
    pub(super) instance: &'i Instance,
    pub(super) locked: Locked<'i>,
    /// Unix time in microseconds. It is read with the locks held, or right before if they were free, so that
    /// what others did at a later time is never seen at an earlier one by who waited for them.
    now_us: i64,
}

impl<'i> Section<'i> {
    /// Locks what a plan says.
    pub(super) fn enter(instance: &'i Instance, plan: &LockPlan, mode: Mode) -> Self {
        let locked = instance.keyspace.lock(plan, mode);
        Self::of(instance, locked, instance.clock.now_us())
    }

    /// With what is locked already, at this unix time in microseconds.
    pub(super) fn of(instance: &'i Instance, locked: Locked<'i>, now_us: i64) -> Self {
        Self { instance, locked, now_us }
    }

    /// Locks nothing yet: what the commands to come [need](plan_inside) is locked one after the other.
    pub(super) fn enter_as_needed(instance: &'i Instance) -> Self {
        let locked = instance.keyspace.lock_as_needed(Mode::Exclusive);
        Self::of(instance, locked, instance.clock.now_us())
    }

    /// Lets time go on to this unix time in microseconds.
    pub(super) fn go_on(&mut self, now_us: i64) {
        self.now_us = now_us;
    }

    /// Unix time in milliseconds as deadlines count it.
    pub(super) fn now_ms(&self) -> u64 {
        u64::try_from(self.now_us / 1000).unwrap_or(0)
    }

    /// Time, randomness and limits for one command of this section.
    pub(super) fn moment(&self, client: &mut Client, found: Found) -> Moment {
        let string_bytes_max = usize::try_from(client.settings.proto_max_bulk_len);
        Moment {
            now_ms: self.now_ms(),
            seed: client.rng.u64(..),
            access: access_mode(client, found),
            encoding: EncodingLimits::new(&client.settings),
            string_bytes_max: string_bytes_max.unwrap_or(usize::MAX),
            telling: self.instance.telling(&client.settings, found.event()),
            compresses_dumps: client.settings.rdbcompression,
        }
    }

    /// Runs a command and appends its reply to `out`.
    pub(super) fn perform(
        &mut self,
        client: &mut Client,
        call: &mut Call<'_>,
        out: &mut Vec<u8>,
    ) -> Performed {
        let Call { found, ref mut request, known_hash } = *call;
        let skip = if found.container.is_some() { 2 } else { 1 };
        let instance = self.instance;
        let (protocol, inline) = (client.protocol, request.inline);
        let answering = Answering { instance, protocol, inline, found };
        let moment = self.moment(client, found);
        let handler = handler_for(found.spec, request);
        let mut args = Args::new(request, skip, &instance.keyspace, known_hash);
        let performed = Performed::Answered(match handler {
            Handler::Read(handler) => {
                let view = ReadView::new(&self.locked, client.db, moment);
                let succeeded = answering.answer(handler(&view, &mut args), out);
                view.record(&mut client.effects);
                succeeded
            }
            Handler::Write(handler) => {
                let effects = &mut client.effects;
                let mut view = WriteView::new(&mut self.locked, effects, client.db, moment);
                answering.answer(handler(&mut view, &mut args), out)
            }
            Handler::ReadOrWrite(..) => unreachable!("it is the one or the other by now"),
            Handler::Wait(handler) => {
                let effects = &mut client.effects;
                let mut view = WriteView::new(&mut self.locked, effects, client.db, moment);
                return answering.answer_attempt(handler(&mut view, &mut args), out);
            }
            Handler::WaitToRead(handler) => {
                let view = ReadView::new(&self.locked, client.db, moment);
                let performed = answering.answer_attempt(handler(&view, &mut args), out);
                view.record(&mut client.effects);
                return performed;
            }
            Handler::Walk(handler) => {
                let walk = Walk::new(self.locked.shards(), client.db, moment);
                let succeeded = answering.answer(handler(&walk, &mut args), out);
                client.effects.saw_overdue |= walk.saw_overdue();
                succeeded
            }
            Handler::Answer(handler) => answering.answer(handler(client, &mut args), out),
            Handler::Client(handler) => {
                let (shards, now_us) = (self.locked.shards(), self.now_us);
                let mut context = Context { instance, client, shards, now_us };
                let result = handler(&mut context, &mut args);
                // The reply is encoded in the protocol that the command leaves behind: HELLO answers
                // in the new one already.
                Answering { protocol: client.protocol, ..answering }.answer(result, out)
            }
            Handler::Control(_) | Handler::Container => {
                unreachable!("it is run, or refused, before there is a critical section")
            }
        });
        // Before anybody can change what was read.
        if client.caches_reads() && found.spec.is_read() {
            for index in found.spec.keys.positions(call.request) {
                let key = call.request.get(index).unwrap_or_default();
                instance.tracking.remember(client.id(), key);
            }
        }
        performed
    }

    /// Does something under the locks that may panic.
    pub(super) fn contain<R>(
        mut self,
        client: &mut Client,
        run: impl FnOnce(&mut Self, &mut Client) -> R,
    ) -> R {
        let result = panic::catch_unwind(AssertUnwindSafe(|| run(&mut self, client)));
        result.unwrap_or_else(|panic| {
            // Unwinding poisons what is locked: that is for half a change alone.
            if !client.effects.is_changing() {
                drop(self);
            }
            panic::resume_unwind(panic)
        })
    }
}

/// What runs this request: of a command that may read or write, the one of them.
pub(super) fn handler_for(spec: &Spec, request: &Request) -> Handler {
    match spec.handler {
        Handler::ReadOrWrite(read, _) if spec.only_reads(request) => Handler::Read(read),
        Handler::ReadOrWrite(_, write) => Handler::Write(write),
        other => other,
    }
}

/// How this client's commands leave traces on the keys that they use.
fn access_mode(client: &Client, found: Found) -> AccessMode {
    let policy = AccessPolicy::new(&client.settings);
    let untouched = client.record.no_touch.is_on() && !found.spec.flags.has(Flags::ALWAYS_TOUCHES);
    AccessMode { policy, untouched }
}

/// What a critical section needs locked for a command, and the hash of its first key. The entries of several
/// keys are [brought closer](crate::keyspace::Keyspace::warm) if their database is given, so that locks that
/// are about to be taken are held for less long.
pub(super) fn lock_plan(
    instance: &Instance,
    warmed_db: Option<usize>,
    keys: Keys,
    request: &Request,
) -> (LockPlan, Option<(usize, u64)>) {
    if let Some((index, key)) =
        keys.only_index().and_then(|index| Some((index, request.get(index)?)))
    {
        let hash = instance.keyspace.hash(key);
        return (LockPlan::for_hash(hash), Some((index, hash)));
    }
    if keys.is_every(request) {
        return (LockPlan::All, None);
    }
    let mut first = None;
    let hashes = keys.positions(request).map(|index| {
        let hash = instance.keyspace.hash(request.get(index).unwrap_or_default());
        first.get_or_insert((index, hash));
        hash
    });
    let plan = if hashes.len() > 1 {
        let hashes: Vec<u64> = hashes.collect();
        if let Some(db) = warmed_db {
            instance.keyspace.warm(db, hashes.iter().copied());
        }
        LockPlan::for_hashes(hashes.into_iter())
    } else {
        LockPlan::for_hashes(hashes)
    };
    (plan, first)
}

/// What a command needs locked inside a section of several: also what it would otherwise lock by itself,
/// shard by shard.
pub(super) fn plan_inside(
    instance: &Instance,
    warmed_db: Option<usize>,
    found: Found,
    request: &Request,
) -> (LockPlan, Option<(usize, u64)>) {
    match found.spec.handler {
        _ if found.spec.walks() => (LockPlan::All, None),
        Handler::Answer(_) | Handler::Client(_) | Handler::Control(_) => (LockPlan::None, None),
        _ => lock_plan(instance, warmed_db, found.spec.keys, request),
    }
}

/// Counts what happened, frees what was removed, lets the reaper know: all without locks.
pub(super) fn settle(instance: &Instance, client: &mut Client) {
    let id = client.id();
    let effects = &mut client.effects;
    instance.stats.record(id, effects);
    if let Some(deadline_ms) = effects.deadline_ms.take() {
        instance.reaper.ring_for(deadline_ms);
    }
    if effects.lazy_garbage.pieces() > 0 {
        instance.janitor.take(&mut effects.lazy_garbage);
    }
    instance.tell(&effects.told, Some(id));
    effects.clear();
    if client.caches_reads() {
        instance.limit_tracking(client.settings.tracking_table_max_keys);
    }
}

/// Removes what a command came across that is due. The reaper does so within milliseconds, but while
/// it is paused (DEBUG SET-ACTIVE-EXPIRE 0) whoever comes by it has to, as in Redis.
pub(super) fn reap_seen(instance: &Instance, client: &mut Client, call: &Call<'_>, now_ms: u64) {
    let keyspace = &instance.keyspace;
    let telling = instance.telling(&client.settings, EventName::NONE);
    if std::mem::take(&mut client.effects.saw_overdue) {
        let due = keyspace.reap_database(client.db, now_ms, &telling);
        instance.count_reaped(due);
    }
    let handler = handler_for(call.found.spec, call.request);
    if !matches!(handler, Handler::Read(_) | Handler::WaitToRead(_)) {
        return;
    }
    for index in call.found.spec.keys.positions(call.request) {
        let key = keyspace.key(call.request.get(index).unwrap_or_default());
        instance.count_reaped(keyspace.reap_key(client.db, key, now_ms, &telling));
    }
    remove_due_fields(instance, client, now_ms);
}

/// Removes the fields past their deadline that a reader came across, for the same reason.
fn remove_due_fields(instance: &Instance, client: &mut Client, now_ms: u64) {
    // What expires is a change as well, and has to wait like one.
    if client.effects.due.is_empty() || instance.pause.rest(now_ms).is_some() {
        return;
    }
    let due = std::mem::take(&mut client.effects.due);
    let keyspace = &instance.keyspace;
    let plan = LockPlan::for_hashes(due.iter().map(|due| keyspace.hash(&due.key)));
    let looking = Moment::for_looking(now_ms, EncodingLimits::new(&client.settings));
    let telling = instance.telling(&client.settings, EventName::NONE);
    let moment = Moment { telling, ..looking };
    let mut locked = keyspace.lock_exclusive(&plan);
    let mut view = WriteView::new(&mut locked, &mut client.effects, client.db, moment);
    for DueFields { key, field } in &due {
        view.remove_due(keyspace.key(key), field.as_deref());
    }
}

/// Attempts a command that a client has left behind, on its behalf.
pub(super) fn attempt(
    answering: Answering<'_>,
    locked: &mut Locked<'_>,
    effects: &mut Effects,
    (db, moment): (usize, Moment),
    request: &mut Request,
    out: &mut Vec<u8>,
) -> Performed {
    let mut args = Args::new(request, 1, &answering.instance.keyspace, None);
    match answering.found.spec.handler {
        Handler::Wait(handler) => {
            let mut view = WriteView::new(locked, effects, db, moment);
            answering.answer_attempt(handler(&mut view, &mut args), out)
        }
        Handler::WaitToRead(handler) => {
            let view = ReadView::new(locked, db, moment);
            let performed = answering.answer_attempt(handler(&view, &mut args), out);
            view.record(effects);
            performed
        }
        _ => unreachable!("only what may wait is left behind"),
    }
}
