//! What all clients of one server share: the keyspace, the configuration, the clock, who is
//! connected, what was counted.
//!
//! Knows no sockets and no commands; several instances live side by side in one process.

mod client;
mod gauge;
mod histogram;
mod janitor;
mod latency;
mod loading;
mod memory;
mod monitor;
mod notice;
mod outbox;
mod parked;
mod parking;
mod pause;
mod post;
mod process;
mod pubsub;
mod registry;
mod saving;
mod scripts;
mod slowlog;
mod stats;
mod stop;
#[cfg(test)]
pub mod testing;
mod tracking;
mod transaction;
mod vigil;

pub use client::{Client, ClientRecord, ClientTexts, Closing, ReplyMode, Wire};
pub use gauge::{Gauge, Switch};
pub use histogram::{Distribution, Histogram};
pub use janitor::Janitor;
pub use latency::{LatencyEvent, LatencyMonitor, LatencySample, LatencySeries};
pub use loading::{LoadProgress, Loading, Phase};
pub use memory::{DatabaseUse, MemoryUse};
pub use monitor::{MonitorFilter, Monitors, Seen, Shown};
pub use notice::{Notice, Outgoing};
pub use outbox::{Outbox, Put};
pub use parked::ParkedCall;
pub use parking::{Parking, Patience, Unblock, Wake};
pub use pause::{Pause, PauseMode};
pub use post::Post;
pub use process::{CpuTimes, Memory, Process};
pub use pubsub::{PubSub, Subscriptions, Topic};
pub use registry::{Registry, SharedRecord};
pub use saving::{NotTaken, SaveHistory, SaveJob, SavePoint, Saving};
pub use scripts::Scripts;
pub use slowlog::{SlowEntry, Slowlog};
pub use stats::{CommandCounters, Ran, Rates, Stats, Tally};
pub use stop::Stop;
pub use tracking::{Scope, Tracker, Tracking, TrackingOptions};
pub use transaction::{Transaction, TransactionGauges, WatchedKey};
pub use vigil::{Habit, Vigil, Watch};

use crate::clock::Clock;
use crate::config::{Config, EventClasses, Settings};
use crate::keyspace::{Due, EventName, KeyEvent, KeyName, Keyspace, Shards, Telling, Told};
use crate::limits;
use std::cell::LazyCell;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// One server's state.
pub struct Instance {
    /// The data.
    pub keyspace: Keyspace,
    /// The directives.
    pub config: Config,
    /// The time.
    pub clock: Clock,
    /// Who is connected.
    pub clients: Registry,
    /// Who sees what they run.
    pub monitors: Monitors,
    /// What they cache.
    pub tracking: Tracking,
    /// What they subscribe to.
    pub pubsub: PubSub,
    /// For whom others have something to send.
    pub post: Arc<Post>,
    /// Whether they have to wait.
    pub pause: Pause,
    /// Which of their sessions stays awake.
    pub vigil: Vigil,
    /// What was counted.
    pub stats: Stats,
    /// What took longer than it should.
    pub latency: LatencyMonitor,
    /// Which commands were slow.
    pub slowlog: Slowlog,
    /// The scripts that clients have sent.
    pub scripts: Scripts,
    /// Whether data is being loaded.
    pub loading: Loading,
    /// What is asked of the thread that saves.
    pub saving: Saving,
    /// Whether snapshots are written without having been asked for.
    pub saves_by_itself: AtomicBool,
    /// Whether and how the server is to end.
    pub stop: Stop,
    /// When the server was started.
    pub started: Instant,
    /// 40 hexadecimal digits, different in every run.
    pub run_id: String,
    /// 40 hexadecimal digits that name the history of this data.
    pub replication_id: String,
    /// The process that all this happens in.
    pub process: Process,
    /// The TCP port in use, which a directive of 0 does not tell.
    pub port: AtomicU16,
    /// Wakes the reaper.
    pub reaper: Alarm,
    /// Frees what nobody should wait for.
    pub janitor: Janitor,
}

impl Instance {
    /// A server that holds nothing and listens nowhere yet.
    pub fn new(settings: Settings, clock: Clock, command_count: usize) -> Self {
        let random_id = || (0..40).map(|_| fastrand::digit(16)).collect();
        Self {
            keyspace: Keyspace::new(settings.databases),
            latency: LatencyMonitor::default(),
            slowlog: Slowlog::default(),
            config: Config::new(settings),
            clock,
            clients: Registry::default(),
            monitors: Monitors::default(),
            tracking: Tracking::default(),
            pubsub: PubSub::default(),
            post: Arc::default(),
            pause: Pause::default(),
            vigil: Vigil::default(),
            stats: Stats::new(command_count),
            scripts: Scripts::default(),
            loading: Loading::default(),
            saving: Saving::default(),
            saves_by_itself: AtomicBool::new(false),
            stop: Stop::default(),
            started: Instant::now(),
            run_id: random_id(),
            replication_id: random_id(),
            process: Process::default(),
            port: AtomicU16::new(0),
            reaper: Alarm::default(),
            janitor: Janitor::default(),
        }
    }

    /// Removes what is due now; what the reaper does whenever it wakes.
    pub fn reap(&self) -> Due {
        // What expires is a change as well.
        if self.pause.rest(self.now_ms()).is_some() {
            return Due::default();
        }
        let started = Instant::now();
        let telling = self.telling(&self.config.settings(), EventName::NONE);
        let due = self.count_reaped(self.keyspace.reap(self.now_ms(), &telling));
        let took = started.elapsed();
        self.stats.add_reaped(took);
        let threshold_ms = self.config.settings().latency_monitor_threshold;
        self.note_latency(LatencyEvent::ExpireCycle, took, threshold_ms);
        due
    }

    /// Counts what was removed since it was due, and tells of it.
    pub fn count_reaped(&self, due: Due) -> Due {
        self.stats.add_expired(due.removed);
        self.stats.add_expired_elements(due.removed_elements);
        self.tell(&due.told, None);
        due
    }

    /// What others want to be told of changes that have this name.
    pub fn telling(&self, settings: &Settings, event: EventName) -> Telling {
        let classes = settings.notify_keyspace_events;
        let is_heard = classes.has_channel() && self.pubsub.has_subscribers();
        let classes = if is_heard { classes } else { EventClasses::NONE };
        Telling { classes, touched: self.tracking.is_on(), event, then: EventName::NONE }
    }

    /// Keeps what took as long as the directive `latency-monitor-threshold` says; 0 keeps nothing.
    pub fn note_latency(&self, event: LatencyEvent, took: Duration, threshold_ms: u64) {
        if threshold_ms == 0 {
            return;
        }
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        if ms >= threshold_ms {
            let at_seconds = self.clock.now_ms() / 1000;
            self.latency.add(event, LatencySample { at_seconds, ms });
        }
    }

    /// The TCP port that clients connect to; 0 while nobody can.
    pub fn port_in_use(&self) -> u16 {
        self.port.load(Ordering::Relaxed)
    }

    /// Sends a message to everyone who subscribes to this channel, by name or by pattern; how often it
    /// was sent. Waits for no subscriber. While nobody subscribes to anything it costs one load.
    pub fn publish(&self, channel: &[u8], message: &[u8]) -> usize {
        self.pubsub.publish(channel, message, self.delivery())
    }

    /// Sends a message to everyone who subscribes to this shard channel, in the same way.
    pub fn publish_shard(&self, channel: &[u8], message: &[u8]) -> usize {
        self.pubsub.publish_shard(channel, message, self.delivery())
    }

    /// Tells subscribers what happened to keys, and those who cache them that they have changed. `by` is
    /// the client whose command it was.
    pub fn tell(&self, told: &Told, by: Option<u64>) {
        if told.is_empty() {
            return;
        }
        self.invalidate(told, by);
        if told.events.is_empty() {
            return;
        }
        let classes = self.config.settings().notify_keyspace_events;
        for KeyEvent { what, key: KeyName { db, key } } in &told.events {
            let name = what.name.to_ascii_lowercase();
            if classes.has(EventClasses::BY_KEY) {
                let channel = [format!("__keyspace@{db}__:").as_bytes(), key].concat();
                self.publish(&channel, name.as_bytes());
            }
            if classes.has(EventClasses::BY_EVENT) {
                self.publish(format!("__keyevent@{db}__:{name}").as_bytes(), key);
            }
        }
    }

    /// Sends a client something that it has not asked for.
    fn push(&self, record: &SharedRecord, notice: &Notice) {
        record.push(notice, &self.config.settings().client_output_buffer_limit);
    }

    fn delivery(&self) -> impl FnMut(&SharedRecord, &Notice) -> bool {
        let settings = LazyCell::new(|| self.config.settings());
        move |record, notice| record.push(notice, &settings.client_output_buffer_limit)
    }

    /// Ends a client's connection, whatever it does. `false` if it was gone already.
    pub fn kill(&self, id: u64) -> bool {
        let Some(record) = self.clients.kill(id) else { return false };
        self.forget(&record);
        true
    }

    /// Sends a client nothing any more.
    pub fn forget(&self, record: &ClientRecord) {
        self.monitors.remove(record.id);
        self.pubsub.leave(record);
        self.tracking.stop(record);
    }

    /// Disconnects clients for which too much has waited for too long.
    fn cut_off_slow_clients(&self) {
        let limits = self.config.settings().client_output_buffer_limit;
        let now_ms = self.now_ms();
        for record in self.clients.all() {
            let limit = record.buffer_limit(&limits);
            // Replies that are stuck are counted here, or there, or in both places.
            let waiting = record.reply_bytes.get().max(record.outbox().fewest() as u64);
            let is_slow = limit.soft_bytes > 0 && waiting > limit.soft_bytes;
            if !is_slow {
                record.slow_since_ms.set(0);
            } else if record.slow_since_ms.get() == 0 {
                record.slow_since_ms.set(now_ms);
            }
            let too_long = is_slow
                && now_ms.saturating_sub(record.slow_since_ms.get()) / 1000 > limit.soft_seconds;
            if too_long || (limit.hard_bytes > 0 && waiting > limit.hard_bytes) {
                record.kill_as_too_slow();
            }
        }
    }

    /// Does what has to be done about once a second.
    pub fn tick(&self) {
        self.cut_off_slow_clients();
        self.stats.sample(Instant::now());
        self.save_if_due();
        // Notes the peak where the kernel does not.
        self.process.memory();
    }

    /// Changes since the last complete snapshot.
    pub fn unsaved_changes(&self) -> u64 {
        self.stats.changes().saturating_sub(self.saving.history().saved_changes)
    }

    /// Whether snapshots are written by themselves, at the end too: there are save points.
    pub fn saves_at_the_end(&self) -> bool {
        let has_points = !self.config.settings().save.is_empty();
        self.saves_by_itself.load(Ordering::Relaxed) && has_points && !self.loading.is_on()
    }

    /// Lets the server end as Ctrl-C does: a snapshot is written first where that is usual.
    ///
    /// # Errors
    /// Why that failed; the server goes on.
    pub fn shut_down(&self) -> Result<(), String> {
        let stop = SaveJob::Stop { save: self.saves_at_the_end(), force: false };
        match self.saving.run(stop) {
            // It is ending already.
            Err(_) if self.stop.is_requested() => Ok(()),
            result => result,
        }
    }

    /// Asks for a snapshot when one is due.
    fn save_if_due(&self) {
        if !self.saves_at_the_end() {
            return;
        }
        let (history, changes) = (self.saving.history(), self.unsaved_changes());
        let seconds = self.clock.now_ms() / 1000 - history.last_seconds;
        let retries = Duration::from_secs(limits::SAVE_RETRY_SECONDS);
        if history.failure.is_some() && history.tried.is_some_and(|tried| tried.elapsed() < retries)
        {
            return;
        }
        let settings = self.config.settings();
        let due = SavePoint::all(&settings.save)
            .find(|point| changes >= point.changes && seconds > point.seconds && changes > 0);
        if let Some(SavePoint { seconds, changes }) = due {
            // One that is under way already will do.
            if self.saving.request(SaveJob::Save).is_ok() {
                log::info!("{changes} changes in {seconds} seconds. Saving...");
            }
        }
    }

    /// For how long the server has been up.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// Lets commands wait. When this returns, none of them runs any more.
    pub fn pause(&self, mode: PauseMode, until_ms: u64, shards: Shards<'_>) {
        self.pause.start(mode, until_ms, self.now_ms());
        // Writes that hold a lock now may have looked before; the next ones to get it look again.
        shards.wait_for_writes();
    }

    /// Lets commands that wait go on.
    pub fn unpause(&self) {
        self.pause.end();
        self.clients.wake_all();
        self.reaper.ring();
    }

    /// Unix time in milliseconds as deadlines count it.
    pub fn now_ms(&self) -> u64 {
        u64::try_from(self.clock.now_ms()).unwrap_or(0)
    }
}

/// What the reaper sleeps on: it is woken when a deadline comes into being that is earlier than the
/// one it sleeps towards, when a test moves the clock, and when the server stops.
#[derive(Default)]
pub struct Alarm {
    state: Mutex<AlarmState>,
    changed: Condvar,
    paused: AtomicBool,
    /// The deadline slept towards, readable without the lock.
    target_ms: std::sync::atomic::AtomicU64,
}

#[derive(Default)]
struct AlarmState {
    rung: bool,
}

impl Alarm {
    /// Wakes the reaper.
    pub fn ring(&self) {
        self.state.lock().expect("setting a flag does not panic").rung = true;
        self.changed.notify_all();
    }

    /// Wakes the reaper if it sleeps past this deadline.
    pub fn ring_for(&self, deadline_ms: u64) {
        if deadline_ms < self.target_ms.load(Ordering::SeqCst) {
            self.ring();
        }
    }

    /// Says what the reaper is about to sleep towards. Look for earlier deadlines once more after
    /// this and before the sleep: those set before it did not ring.
    pub fn aim(&self, target_ms: u64) {
        self.target_ms.store(target_ms, Ordering::SeqCst);
    }

    /// Sleeps until rung or until the time is over.
    pub fn sleep(&self, time: Option<Duration>) {
        let state = self.state.lock().expect("setting a flag does not panic");
        let mut state = match time {
            Some(time) => {
                let wait = self.changed.wait_timeout_while(state, time, |state| !state.rung);
                wait.expect("setting a flag does not panic").0
            }
            None => {
                let wait = self.changed.wait_while(state, |state| !state.rung);
                wait.expect("setting a flag does not panic")
            }
        };
        state.rung = false;
    }

    /// DEBUG SET-ACTIVE-EXPIRE: whether due keys are left where they are.
    pub fn set_paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::SeqCst);
        self.ring();
    }

    /// Whether due keys are left where they are.
    pub fn is_paused(&self) -> bool {
        self.paused.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Far longer than a test takes: a sleep that lasts this long was not woken.
    const LONG: Duration = Duration::from_secs(60);

    /// A server whose limits for subscribers are these, and a subscriber that reads nothing.
    fn slow_subscriber(limits: &str) -> (Instance, SharedRecord) {
        let clock = Clock::standing_at(1_000_000);
        let instance = Instance::new(Settings::default(), clock, 0);
        instance.config.set(&[("client-output-buffer-limit", limits)]).unwrap();
        let record = testing::record(1, &instance.post);
        instance.clients.add(Arc::clone(&record));
        instance.pubsub.subscribe(&record, Topic::Channel, b"news");
        record.send_held();
        (instance, record)
    }

    #[test]
    fn a_subscriber_for_whom_too_much_waits_is_disconnected_at_once() {
        let (instance, record) = slow_subscriber("pubsub 100 0 0");
        assert_eq!(instance.publish(b"news", &[b'x'; 30]), 1);
        assert!(!record.is_closing());
        assert_eq!(instance.publish(b"news", &[b'x'; 30]), 0);
        assert!(record.is_closing());
    }

    #[test]
    fn a_subscriber_for_whom_much_waits_is_disconnected_after_a_while() {
        let (instance, record) = slow_subscriber("pubsub 0 50 10");
        let publish = || assert_eq!(instance.publish(b"news", b"hello"), 1);
        let wait = |seconds| {
            instance.clock.advance(Duration::from_secs(seconds));
            instance.tick();
        };
        publish();
        wait(100);
        publish();
        wait(0);
        wait(0);
        wait(10);
        assert!(!record.is_closing(), "not longer than the seconds");
        // Once it has read almost everything it starts anew.
        record.send_held();
        let mut taken = Outgoing::default();
        assert!(record.outbox().collect(&mut taken));
        publish();
        record.outbox().sent();
        publish();
        publish();
        wait(5);
        wait(5);
        wait(5);
        assert!(!record.is_closing());
        wait(6);
        assert!(record.is_closing());
    }

    fn is_woken(alarm: &Alarm, patience: Duration) -> bool {
        let started = Instant::now();
        alarm.sleep(Some(patience));
        started.elapsed() < patience
    }

    #[test]
    fn a_ring_before_the_sleep_is_not_lost() {
        let alarm = Alarm::default();
        alarm.ring();
        assert!(is_woken(&alarm, LONG));
        assert!(!is_woken(&alarm, Duration::from_millis(5)), "one ring wakes once");
    }

    #[test]
    fn only_an_earlier_deadline_rings() {
        let alarm = Alarm::default();
        alarm.aim(100);
        for (deadline_ms, wakes) in [(100, false), (101, false), (99, true)] {
            alarm.ring_for(deadline_ms);
            let patience = if wakes { LONG } else { Duration::from_millis(5) };
            assert_eq!(is_woken(&alarm, patience), wakes, "{deadline_ms}");
        }
        alarm.aim(u64::MAX);
        alarm.ring_for(u64::MAX - 1);
        assert!(is_woken(&alarm, LONG), "nothing to sleep towards");
    }
}
