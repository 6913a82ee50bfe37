//! Requests that a client has pipelined, run together.
//!
//! What most commands do is little beside what is done around them: to lock, to read the clock, to settle.
//! Plain requests about one key each share that, and their keys are asked for together. Clients cannot tell
//! this from running them one by one, at once after each other.

use super::account::account;
use super::section::{Call, Performed, Section, settle};
use super::waiting::{self, Unserved};
use super::{is_paused, pause_mode};
use crate::command::{Found, Handler, find_name};
use crate::instance::{Client, Instance, PauseMode, ReplyMode};
use crate::keyspace::LockPlan;
use crate::limits;
use crate::protocol::Request;
use std::time::{Duration, Instant};

/// A request to run, and plain ones behind it that are here already.
pub struct Batch {
    /// The first is the one to run. Behind the plain ones there is room for others.
    requests: Vec<Request>,
    plain: Vec<Plain>,
    ran: Vec<Ran>,
}

/// A request about one key that nothing special happens to.
#[derive(Clone, Copy)]
struct Plain {
    found: Found,
    key_index: usize,
    hash: u64,
    writes: bool,
    /// Its length as it was sent; none of the first request, which was read already.
    bytes: usize,
}

/// What became of a plain request.
#[derive(Clone, Copy)]
struct Ran {
    took: Duration,
    succeeded: bool,
}

impl Default for Batch {
    fn default() -> Self {
        Self { requests: vec![Request::default()], plain: Vec::new(), ran: Vec::new() }
    }
}

impl Batch {
    /// The request that is to run in any case.
    pub fn first(&mut self) -> &mut Request {
        &mut self.requests[0]
    }

    /// Looks at the first request, and at those at the beginning of these bytes, which follow it.
    pub fn gather(&mut self, instance: &Instance, client: &Client, mut bytes: &[u8]) {
        self.plain.clear();
        self.ran.clear();
        if !is_usual(instance, client) {
            return;
        }
        self.plain.extend(Plain::new(instance, &mut self.requests[0], 0));
        while (1..limits::BATCH_REQUESTS_MAX).contains(&self.plain.len()) {
            if self.requests.len() == self.plain.len() {
                self.requests.push(Request::default());
            }
            let request = &mut self.requests[self.plain.len()];
            let Some(length) = request.copy_small(bytes, limits::BATCHED_BYTES_MAX) else { break };
            let Some(plain) = Plain::new(instance, request, length) else { break };
            self.plain.push(plain);
            bytes = &bytes[length..];
        }
        let mut hashes = self.plain.iter().map(|plain| plain.hash);
        let first = hashes.next();
        if hashes.any(|hash| Some(hash) != first) {
            let hashes = self.plain.iter().map(|plain| plain.hash);
            instance.keyspace.warm(client.db, hashes);
        }
    }

    /// Bytes of the requests behind the first that were run.
    pub fn ran_bytes(&self) -> usize {
        self.plain[..self.ran.len()].iter().map(|plain| plain.bytes).sum()
    }

    /// Runs the first request and those behind it as far as they are plain; whether it ran any.
    pub(super) fn run(
        &mut self,
        instance: &Instance,
        client: &mut Client,
        out: &mut Vec<u8>,
    ) -> bool {
        let mut since = Instant::now();
        let mut unserved = Unserved::new();
        while unserved.is_empty()
            && self.ran.len() < self.plain.len()
            && out.len() <= limits::WRITE_BUFFER_BYTES_MAX
            && is_usual(instance, client)
        {
            let ran_count = self.ran.len();
            unserved = self.run_section(instance, client, &mut since, out);
            if self.ran.len() == ran_count {
                break;
            }
        }
        if self.ran.is_empty() {
            return false;
        }
        settle(instance, client);
        waiting::serve_later(instance, client, unserved);
        for ((request, plain), ran) in self.requests.iter().zip(&self.plain).zip(&self.ran) {
            account(instance, client, plain.found, request, ran.took, ran.succeeded);
        }
        true
    }

    /// Runs the next request, and those behind it that need the same lock, as one critical section. It runs
    /// none if a pause has begun meanwhile.
    fn run_section(
        &mut self,
        instance: &Instance,
        client: &mut Client,
        since: &mut Instant,
        out: &mut Vec<u8>,
    ) -> Unserved {
        let next = self.ran.len();
        let first = self.plain[next];
        let plan = LockPlan::for_hash(first.hash);
        let section = Section::enter(instance, &plan, first.writes);
        // Whoever paused writes while we waited for the lock has been told that none runs.
        if is_paused(instance, client, pause_mode(first.found.spec)) {
            return Unserved::new();
        }
        let began = *since;
        let fits = |plain: &Plain| {
            LockPlan::for_hash(plain.hash) == plan && (first.writes || !plain.writes)
        };
        section.contain(client, |section, client| {
            let mut unserved = Unserved::new();
            let requests = &mut self.requests[next..];
            for (request, plain) in requests.iter_mut().zip(&self.plain[next..]) {
                if !fits(plain) {
                    break;
                }
                client.record.note_command(Some(plain.found.id));
                let known_hash = Some((plain.key_index, plain.hash));
                let mut call = Call { found: plain.found, request, known_hash };
                let performed = section.perform(client, &mut call, out);
                if !client.effects.ready.is_empty() {
                    unserved = waiting::serve(section, &mut client.effects);
                }
                client.effects.has_changed();
                let now = Instant::now();
                self.ran.push(Ran {
                    took: now - *since,
                    succeeded: matches!(performed, Performed::Answered(true)),
                });
                *since = now;
                let is_long = now - began > SECTION_TIME_MAX;
                if is_long || !unserved.is_empty() || out.len() > limits::WRITE_BUFFER_BYTES_MAX {
                    break;
                }
            }
            unserved
        })
    }
}

const SECTION_TIME_MAX: Duration = Duration::from_micros(limits::BATCH_SECTION_US_MAX);

impl Plain {
    fn new(instance: &Instance, request: &mut Request, bytes: usize) -> Option<Self> {
        let found = find_name(request.get(0)?)?;
        let writes = match found.spec.handler {
            Handler::Read(_) => false,
            Handler::Write(_) => true,
            _ => return None,
        };
        let key_index = found.spec.keys.only_index()?;
        let key = request.get(key_index).filter(|_| found.spec.arity.admits(request.len()))?;
        let hash = instance.keyspace.hash(key);
        request.whole = false;
        Some(Self { found, key_index, hash, writes, bytes })
    }
}

/// Whether requests of this client about keys are just run: they may, and nobody waits for them, watches
/// them, or is told of them in turn with their replies.
fn is_usual(instance: &Instance, client: &Client) -> bool {
    let may_run = !client.must_authenticate()
        && !instance.loading.is_on()
        && !instance.scripts.watch.is_on()
        && !instance.saving.has_failed()
        && !is_paused(instance, client, PauseMode::Writes);
    let is_alone = !client.record.listens()
        && !client.caches_reads()
        && !client.caching_given
        && !client.record.monitor.is_on()
        && instance.monitors.is_empty()
        && !instance.reaper.is_paused();
    may_run && is_alone && !client.is_queueing() && client.reply_mode == ReplyMode::On
}
