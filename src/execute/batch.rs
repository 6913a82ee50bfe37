//! Requests that a client has pipelined, run together.
//!
//! What most commands do is little beside what is done around them: to lock, to read the clock, to settle.
//! Plain requests about one key each share that, and their keys are asked for together. Scripts share the turn.
//! Clients cannot tell this from running them one by one, at once after each other.

use super::account::account;
use super::section::{Call, Performed, Section, settle};
use super::waiting::{self, Unserved};
use super::{is_paused, pause_mode, script};
use crate::clock::Stopwatch;
use crate::command::{Control, Found, Handler, find_name};
use crate::instance::{Client, Instance, PauseMode, Ran, ReplyMode};
use crate::keyspace::{Front, Goal, Key, Keyspace, LockPlan, Locked, Mode, shard_index};
use crate::limits;
use crate::protocol::Request;
use std::array;

/// A request to run, and plain ones behind it that are here already.
pub struct Batch {
    /// The first is the one to run. Behind the plain ones there is room for others.
    requests: Vec<Request>,
    plain: Vec<Plain>,
    ran: Vec<Ran>,
    /// Bytes of the requests behind the first that were run, as they were sent.
    ran_bytes: usize,
    /// Nanoseconds that one of the last requests took at least: a guess at what the next will take.
    pace_ns: u64,
}

/// A request about one key, or none, or a script, that nothing special happens to.
#[derive(Clone, Copy)]
struct Plain {
    found: Found,
    /// The index of its key, with its hash.
    key: Option<(usize, u64)>,
    needs: Needs,
    /// Its length as it was sent; none if it was read already.
    bytes: usize,
}

/// What a request needs so as to run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    /// To read the shard of its key.
    ToRead,
    /// To change it.
    ToWrite,
    /// To lock more and more while it runs.
    Turn,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            requests: vec![Request::default()],
            plain: Vec::new(),
            ran: Vec::new(),
            ran_bytes: 0,
            pace_ns: 0,
        }
    }
}

impl Batch {
    /// The request that is to run in any case.
    pub fn first(&mut self) -> &mut Request {
        &mut self.requests[0]
    }

    /// Looks at the first request, and at those at the beginning of these bytes, which follow it.
    pub fn gather(&mut self, instance: &Instance, client: &Client, behind: &[u8]) {
        self.ran_bytes = 0;
        self.gather_from(instance, client, 0, behind);
    }

    /// The same for a first request that took so many bytes.
    fn gather_from(
        &mut self,
        instance: &Instance,
        client: &Client,
        first_bytes: usize,
        mut bytes: &[u8],
    ) {
        self.plain.clear();
        self.ran.clear();
        if !is_usual(client) || !is_quiet(instance) {
            return;
        }
        let first = &mut self.requests[0];
        let found = first.get(0).and_then(find_name);
        self.plain.extend(found.and_then(|found| Plain::of(found, instance, first, first_bytes)));
        while (1..limits::BATCH_REQUESTS_MAX).contains(&self.plain.len()) {
            if self.requests.len() == self.plain.len() {
                self.requests.push(Request::default());
            }
            let (before, behind) = self.requests.split_at_mut(self.plain.len());
            let request = &mut behind[0];
            let next = &bytes[..bytes.len().min(limits::BATCHED_BYTES_MAX)];
            let Some(length) = request.copy_small(next) else { break };
            // Most often it is the same command again.
            let is_alike = before.last().is_some_and(|last| last.get(0) == request.get(0));
            let last = self.plain.last().filter(|_| is_alike);
            let found = last.map(|last| last.found).or_else(|| find_name(request.get(0)?));
            let plain = found.and_then(|found| Plain::of(found, instance, request, length));
            let Some(plain) = plain else { break };
            self.plain.push(plain);
            bytes = &bytes[length..];
        }
        let mut hashes = self.plain.iter().filter_map(Plain::hash);
        let first = hashes.next();
        if hashes.any(|hash| Some(hash) != first) {
            let hashes = self.plain.iter().filter_map(Plain::hash);
            instance.keyspace.warm(client.db, hashes);
        }
    }

    /// Bytes of the requests behind the first that were run.
    pub fn ran_bytes(&self) -> usize {
        self.ran_bytes
    }

    /// Runs the first request and those behind it as far as they are plain; whether it ran any. `behind` are
    /// the bytes that were gathered from.
    pub(super) fn run(
        &mut self,
        instance: &Instance,
        client: &mut Client,
        behind: &[u8],
        out: &mut Vec<u8>,
    ) -> bool {
        let front = self.queue_up(instance, behind);
        let leads = front.is_some();
        if !self.run_gathered(instance, client, leads, out) {
            return false;
        }
        if leads {
            // Whoever has come to the front stays there for as long as there is enough to do, but not for ever.
            let until_us = instance.clock.now_us() + limits::QUEUE_FRONT_US_MAX;
            while instance.clock.now_us() < until_us && self.gather_more(instance, client, behind) {
                self.run_gathered(instance, client, leads, out);
            }
        }
        true
    }

    /// Stands in a queue if what is here for one shard will take long, as it seems.
    fn queue_up<'i>(&self, instance: &'i Instance, behind: &[u8]) -> Option<Front<'i>> {
        let gathered = self.plain.get(1..)?;
        let gathered_bytes: usize = gathered.iter().map(|plain| plain.bytes).sum();
        // If all are about as long as these.
        let count = (behind.len() * gathered.len()).checked_div(gathered_bytes)? as u64;
        let is_much = count * self.pace_ns >= limits::QUEUEING_NS_MIN;
        self.goal().filter(|_| is_much).map(|goal| instance.keyspace.queue_up(goal))
    }

    /// What all of these requests have to be the only one for.
    fn goal(&self) -> Option<Goal> {
        let goal = self.plain.first()?.goal();
        goal.filter(|_| self.plain.iter().all(|plain| plain.goal() == goal))
    }

    /// Goes on to the requests behind those that have run, if they have the same goal.
    fn gather_more(&mut self, instance: &Instance, client: &Client, behind: &[u8]) -> bool {
        let has_ran = self.ran.len() == self.plain.len();
        let last = self.goal().filter(|_| has_ran && !client.record.is_closing());
        let rest = &behind[self.ran_bytes..];
        let Some((last, bytes)) = last.zip(self.requests[0].copy_small(rest)) else { return false };
        self.gather_from(instance, client, bytes, &rest[bytes..]);
        self.goal() == Some(last)
    }

    /// Runs what was gathered, at the front of a queue or not; whether it ran any.
    fn run_gathered(
        &mut self,
        instance: &Instance,
        client: &mut Client,
        leads: bool,
        out: &mut Vec<u8>,
    ) -> bool {
        let watch = instance.clock.start();
        let mut now_ns = 0;
        let mut unserved = Unserved::new();
        while unserved.is_empty()
            && self.ran.len() < self.plain.len()
            && out.len() <= limits::WRITE_BUFFER_BYTES_MAX
        {
            let ran_count = self.ran.len();
            unserved = self.run_section(instance, client, leads, (&watch, &mut now_ns), out);
            if self.ran.len() == ran_count {
                break;
            }
        }
        if self.ran.is_empty() {
            return false;
        }
        self.pace_ns = self.ran.iter().map(|ran| ran.nanos).min().unwrap_or(0);
        settle(instance, client);
        waiting::serve_later(instance, client, unserved);
        self.account(instance, client);
        let ran = &self.plain[..self.ran.len()];
        self.ran_bytes += ran.iter().map(|plain| plain.bytes).sum::<usize>();
        true
    }

    /// Has the elements asked for together that these requests are about if all want the same collection.
    fn warm_elements(&self, section: &Section<'_>, db: usize, next: usize) {
        let [first, second, ..] = self.plain[next..] else { return };
        let Some((key_index, hash)) = first.key.filter(|(_, hash)| second.hash() == Some(*hash))
        else {
            return;
        };
        let is_alike = |plain: &&Plain| plain.hash() == Some(hash);
        let count = self.plain[next..].iter().take_while(is_alike).count();
        let requests = &self.requests[next..next + count];
        let Some(key) = requests[0].get(key_index) else { return };
        let key = Key::with_hash(key, hash);
        let first = array::from_fn(|at| requests.get(at)?.get(key_index + 1));
        let last = array::from_fn(|at| requests.get(at).and_then(|it| it.get(it.len() - 1)));
        section.locked.warm_elements(db, key, first, last);
    }

    /// Counts what has run: a command that ran several times in a row once.
    fn account(&self, instance: &Instance, client: &Client) {
        let mut start = 0;
        for alike in self.plain[..self.ran.len()].chunk_by(|a, b| a.found.id == b.found.id) {
            let these = start..start + alike.len();
            start = these.end;
            let requests = &self.requests[these.clone()];
            let ran = requests.iter().zip(self.ran[these].iter().copied());
            account(instance, client, alike[0].found, ran);
        }
    }

    /// Runs the next request, and those behind it that need the same lock, as one critical section. It runs
    /// none if a pause has begun meanwhile. `now_ns` is what the watch showed last.
    fn run_section(
        &mut self,
        instance: &Instance,
        client: &mut Client,
        leads: bool,
        (watch, now_ns): (&Stopwatch<'_>, &mut u64),
        out: &mut Vec<u8>,
    ) -> Unserved {
        let next = self.ran.len();
        let first = self.plain[next];
        let mut since_ns = *now_ns;
        let locked = first.try_lock(&instance.keyspace).unwrap_or_else(|| {
            let locked = first.lock(&instance.keyspace);
            *now_ns = watch.nanos();
            locked
        });
        let section = Section::of(instance, locked, watch.unix_us(*now_ns));
        // Whoever paused writes while we waited for the lock has been told that none runs.
        if is_paused(instance, client, pause_mode(first.found.spec)) {
            return Unserved::new();
        }
        // Much can have happened while others ran scripts.
        if first.needs == Needs::Turn && !is_quiet(instance) {
            return Unserved::new();
        }
        // One script at a time, where others come by without queueing up: or they would wait for long.
        let is_shared = first.needs != Needs::Turn || leads;
        let until_ns = if is_shared { *now_ns + limits::BATCH_SECTION_NS_MAX } else { 0 };
        section.contain(client, |section, client| {
            self.warm_elements(section, client.db, next);
            let mut unserved = Unserved::new();
            let requests = &mut self.requests[next..];
            for (request, plain) in requests.iter_mut().zip(&self.plain[next..]) {
                if !plain.fits(&first) {
                    break;
                }
                client.record.note_command(Some(plain.found.id));
                let mut call = Call { found: plain.found, request, known_hash: plain.key };
                let succeeded = match plain.found.spec.handler {
                    Handler::Control(Control::Script(name, access)) => {
                        section.go_on(watch.unix_us(*now_ns));
                        script::run_inside(section, client, (name, access), &call, out)
                    }
                    _ => {
                        let performed = section.perform(client, &mut call, out);
                        matches!(performed, Performed::Answered(true))
                    }
                };
                if !client.effects.ready.is_empty() {
                    unserved = waiting::serve(section, &mut client.effects);
                }
                client.effects.has_changed();
                *now_ns = watch.nanos();
                self.ran.push(Ran { nanos: *now_ns - since_ns, succeeded });
                since_ns = *now_ns;
                let is_long = *now_ns > until_ns;
                if is_long || !unserved.is_empty() || out.len() > limits::WRITE_BUFFER_BYTES_MAX {
                    break;
                }
            }
            unserved
        })
    }
}

impl Plain {
    fn of(found: Found, instance: &Instance, request: &mut Request, bytes: usize) -> Option<Self> {
        let needs = match found.spec.handler {
            Handler::Read(_) => Needs::ToRead,
            Handler::Write(_) => Needs::ToWrite,
            Handler::Answer(_) => Needs::Nothing,
            Handler::Control(Control::Script(..)) => Needs::Turn,
            _ => return None,
        };
        if !found.spec.arity.admits(request.len()) {
            return None;
        }
        let key = if matches!(needs, Needs::ToRead | Needs::ToWrite) {
            let index = found.spec.keys.only_index()?;
            Some((index, instance.keyspace.hash(request.get(index)?)))
        } else {
            None
        };
        request.whole = false;
        Some(Self { found, key, needs, bytes })
    }

    fn hash(&self) -> Option<u64> {
        self.key.map(|(_, hash)| hash)
    }

    fn shard(&self) -> Option<usize> {
        self.hash().map(shard_index)
    }

    fn lock<'k>(&self, keyspace: &'k Keyspace) -> Locked<'k> {
        match self.needs {
            Needs::Turn => keyspace.lock_as_needed(Mode::Exclusive),
            _ => keyspace.lock(&self.plan(), self.mode()),
        }
    }

    /// The same without waiting.
    fn try_lock<'k>(&self, keyspace: &'k Keyspace) -> Option<Locked<'k>> {
        match self.needs {
            Needs::Turn => None,
            _ => keyspace.try_lock(&self.plan(), self.mode()),
        }
    }

    fn plan(&self) -> LockPlan {
        self.shard().map_or(LockPlan::None, LockPlan::One)
    }

    fn mode(&self) -> Mode {
        if self.needs == Needs::ToWrite { Mode::Exclusive } else { Mode::Shared }
    }

    /// Whether it can run in the section of another.
    fn fits(&self, first: &Self) -> bool {
        match self.needs {
            Needs::Nothing => first.needs != Needs::Turn,
            Needs::ToRead => self.shard() == first.shard(),
            Needs::ToWrite | Needs::Turn => self.goal() == first.goal(),
        }
    }

    /// What it has to be the only one for.
    fn goal(&self) -> Option<Goal> {
        match self.needs {
            Needs::Nothing | Needs::ToRead => None,
            Needs::ToWrite => self.shard().map(Goal::Shard),
            Needs::Turn => Some(Goal::Turn),
        }
    }
}

/// Whether requests of this client about keys are just run: it may run them, and nobody is told of them in turn
/// with their replies.
fn is_usual(client: &Client) -> bool {
    !client.must_authenticate()
        && !client.is_queueing()
        && client.reply_mode == ReplyMode::On
        && !client.record.listens()
        && !client.record.monitor.is_on()
        && !client.caches_reads()
        && !client.caching_given
}

/// Whether this holds for all clients just now: commands need not wait, and nobody watches them.
fn is_quiet(instance: &Instance) -> bool {
    !instance.loading.is_on()
        && !instance.scripts.watch.is_on()
        && !instance.saving.has_failed()
        && !instance.pause.holds(PauseMode::Writes, || instance.now_ms())
        && instance.monitors.is_empty()
        && !instance.reaper.is_paused()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{
        PANIC_AMID, PANIC_BEFORE, PANIC_IN_READ, READ, WRITE, client, found, request,
    };
    use super::super::{Execution, execute};
    use super::*;
    use crate::clock::Clock;
    use crate::command::{COMMAND_COUNT, Spec};
    use crate::config::Settings;
    use crate::instance::Closing;
    use crate::keyspace::Shards;

    fn instance() -> Instance {
        Instance::new(Settings::default(), Clock::standing_at(1_000), COMMAND_COUNT)
    }

    /// A batch of rows that the table does not have.
    fn batch(instance: &Instance, rows: &[&'static Spec]) -> Batch {
        let mut requests: Vec<Request> = rows.iter().map(|spec| request(spec)).collect();
        let plain = requests.iter_mut().zip(rows);
        let plain = plain.map(|(request, spec)| Plain::of(found(spec), instance, request, 1));
        let plain = plain.collect::<Option<_>>().expect("these are plain");
        Batch { requests, plain, ..Batch::default() }
    }

    #[test]
    fn plain_requests_run_together_and_others_are_left() {
        let instance = &instance();
        let mut client = client(instance);
        let mut batch = Batch::default();
        *batch.first() = Request::from_args([&b"SET"[..], b"a", b"1"]);
        let together = b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n*2\r\n$4\r\nINCR\r\n$1\r\na\r\n";
        for (behind, is_left) in [
            (&b"*1\r\n$4\r\nTIME\r\n"[..], "looks at the server"),
            (b"GET a\r\n", "was typed"),
            (b"*2\r\n$3\r\nGET\r\n$1\r\n", "is not here whole"),
            (b"*1\r\n$3\r\nGET\r\n", "has too few arguments"),
            (b"*3\r\n$4\r\nMGET\r\n$1\r\na\r\n$1\r\nb\r\n", "is about several keys"),
        ] {
            let mut out = Vec::new();
            batch.gather(instance, &client, &[together, behind].concat());
            assert_eq!(execute(instance, &mut client, &mut batch, b"", &mut out), Execution::Done);
            assert_eq!(out, b"+OK\r\n$1\r\n1\r\n:2\r\n", "what {is_left}");
            assert_eq!(batch.ran_bytes(), together.len(), "what {is_left}");
        }
        assert_eq!(instance.stats.changes(), 10);
    }

    #[test]
    fn what_takes_long_where_one_at_a_time_may_is_done_at_the_front_of_a_queue() {
        let instance = &instance();
        let keyspace = &instance.keyspace;
        let run_all = |request: &[u8], pace_ns| {
            let (mut client, mut out) = (client(instance), Vec::new());
            let mut batch = Batch { pace_ns, ..Batch::default() };
            batch.first().copy_small(request).expect("it is whole");
            let behind = request.repeat(99);
            batch.gather(instance, &client, &behind);
            execute(instance, &mut client, &mut batch, &behind, &mut out);
            batch.ran_bytes() / request.len() + 1
        };
        let incr = &b"*2\r\n$4\r\nINCR\r\n$1\r\na\r\n"[..];
        let eval = &b"*3\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n$1\r\n0\r\n"[..];
        let long_ns = limits::QUEUEING_NS_MIN / 50;
        for (request, goal) in
            [(incr, Goal::Shard(shard_index(keyspace.hash(b"a")))), (eval, Goal::Turn)]
        {
            assert_eq!(run_all(request, 0), limits::BATCH_REQUESTS_MAX);
            assert_eq!(run_all(request, long_ns), 100);
            std::thread::scope(|scope| {
                let front = keyspace.queue_up(goal);
                let queueing = scope.spawn(|| run_all(request, long_ns));
                while keyspace.queue_length(goal) < 2 {
                    std::thread::yield_now();
                }
                drop(front);
                assert_eq!(queueing.join().expect("it does not panic"), 100);
            });
            assert_eq!(keyspace.queue_length(goal), 0);
        }
    }

    #[test]
    fn scripts_run_in_turn_and_wait_for_whoever_has_it() {
        let instance = &instance();
        let eval =
            |text: &str| format!("*3\r\n$4\r\nEVAL\r\n${}\r\n{text}\r\n$1\r\n0\r\n", text.len());
        let run_all = |texts: [&str; 3]| {
            let (mut client, mut out) = (client(instance), Vec::new());
            let mut batch = Batch { pace_ns: limits::QUEUEING_NS_MIN, ..Batch::default() };
            batch.first().copy_small(eval(texts[0]).as_bytes()).expect("it is whole");
            let behind: String = texts[1..].iter().map(|text| eval(text)).collect();
            batch.gather(instance, &client, behind.as_bytes());
            execute(instance, &mut client, &mut batch, behind.as_bytes(), &mut out);
            String::from_utf8(out).expect("these replies are text")
        };
        // What one of them has locked, or must not do, is nothing to the next.
        let reads = "#!lua flags=no-writes\nreturn redis.call('GET', 'a')";
        let writes = "return redis.call('INCR', 'a')";
        assert_eq!(run_all([writes, reads, writes]), ":1\r\n$1\r\n1\r\n:2\r\n");
        assert!(run_all(["?", "error('no')", writes]).ends_with(":3\r\n"));
        std::thread::scope(|scope| {
            let turn = instance.keyspace.lock_as_needed(Mode::Shared);
            let waits = scope.spawn(|| run_all([writes, writes, writes]));
            drop(turn);
            assert_eq!(waits.join().expect("it does not panic"), ":4\r\n:5\r\n:6\r\n");
        });
    }

    #[test]
    fn a_transaction_queues_one_request_at_a_time() {
        let instance = &instance();
        let mut client = client(instance);
        client.start_queue();
        let (mut batch, mut out) = (Batch::default(), Vec::new());
        *batch.first() = Request::from_args([&b"GET"[..], b"a"]);
        batch.gather(instance, &client, b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n");
        execute(instance, &mut client, &mut batch, b"", &mut out);
        assert_eq!((&out[..], batch.ran_bytes()), (&b"+QUEUED\r\n"[..], 0));
    }

    #[test]
    fn a_pause_lets_what_is_gathered_wait() {
        let instance = &instance();
        let (mut client, mut out) = (client(instance), Vec::new());
        let mut batch = batch(instance, &[&WRITE, &WRITE]);
        // It has begun while we waited for the lock.
        instance.pause(PauseMode::Writes, 2_000, Shards::Free(&instance.keyspace));
        let watch = (&instance.clock.start(), &mut 0);
        assert!(batch.run_section(instance, &mut client, false, watch, &mut out).is_empty());
        assert!(!batch.run(instance, &mut client, b"", &mut out));
        assert_eq!((batch.ran.len(), out.len()), (0, 0));
        instance.unpause();
        assert!(batch.run(instance, &mut client, b"", &mut out));
        assert_eq!(out, b"+OK\r\n+OK\r\n");
    }

    #[test]
    fn a_panic_keeps_what_ran_before_it() {
        for last in [&PANIC_IN_READ, &PANIC_BEFORE] {
            let instance = &instance();
            let (mut first, mut out) = (client(instance), Vec::new());
            execute(instance, &mut first, &mut batch(instance, &[&WRITE, last]), b"", &mut out);
            assert_eq!((first.closing, out.len()), (Some(Closing::AtOnce), 0));
            assert_eq!((instance.stop.failure(), instance.stats.changes()), (None, 1));
            let mut second = client(instance);
            execute(instance, &mut second, &mut batch(instance, &[&READ]), b"", &mut out);
            assert_eq!(out, b":1\r\n");
        }
    }

    #[test]
    fn a_panic_amid_a_change_stops_the_server() {
        let instance = &instance();
        let (mut client, mut out) = (client(instance), Vec::new());
        execute(instance, &mut client, &mut batch(instance, &[&WRITE, &PANIC_AMID]), b"", &mut out);
        assert!(instance.stop.failure().is_some_and(|text| text.contains("panicked")));
    }
}
