//! What is known of a client: what its own thread keeps, and what others may see and do.

use super::gauge::{Gauge, Switch};
use super::monitor::Shown;
use super::notice::{Notice, Outgoing};
use super::outbox::{Outbox, Put};
use super::parked::ParkingPlace;
use super::parking::{Parking, Patience, Unblock, Wake};
use super::post::Post;
use super::pubsub::Subscriptions;
use super::tracking::{Scope, Tracker, TrackingOptions};
use super::transaction::{Transaction, TransactionGauges};
use crate::clock::Clock;
use crate::config::{BufferLimit, BufferLimits, Settings};
use crate::keyspace::{Effects, WatchFlag};
use crate::limits::{self, UNLIMITED_OUTBOX_BYTES_MAX};
use crate::protocol::Protocol;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// A connection as others may end it.
pub trait Wire: Send + Sync {
    /// Takes no more requests; replies in flight still go out.
    fn shut_input(&self);
    /// Ends both directions at once.
    fn shut(&self);
    /// Sends some of these bytes, as many as there is room for; `WouldBlock` if there is none. One thread
    /// at a time sends.
    fn write_at_once(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;
    /// Sends some of these bytes, however long there is no room for any.
    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;
    /// Whether the peer has closed its side and nothing of it is left to read. Only the thread that
    /// reads from the connection may ask, or others while that waits.
    fn has_hung_up(&self) -> bool;
    /// The number by which the system knows it, where it does.
    fn descriptor(&self) -> Option<i64>;
}

/// What others see of a client.
pub struct ClientRecord {
    /// Its number, never reused.
    pub id: u64,
    /// Its address.
    pub peer: SocketAddr,
    /// Our address that it connected to.
    pub local: SocketAddr,
    /// When it connected, in unix milliseconds.
    pub connected_ms: u64,
    /// When something last came from it or went to it, in unix milliseconds.
    pub active_ms: Gauge,
    /// The database that it has selected.
    pub db: Gauge,
    /// 2 or 3.
    pub protocol: Gauge,
    /// CLIENT NO-EVICT.
    pub no_evict: Switch,
    /// CLIENT NO-TOUCH.
    pub no_touch: Switch,
    /// MONITOR; set by the registry.
    pub monitor: Switch,
    /// What it subscribes to.
    pub subscriptions: Subscriptions,
    /// What it has asked to be told of.
    pub tracker: Tracker,
    /// CLIENT REPLY OFF: it is not even told what it monitors.
    pub muted: Switch,
    /// Bytes received and not yet answered.
    pub query_bytes: Gauge,
    /// Bytes of its current request's arguments.
    pub args_bytes: Gauge,
    /// Bytes of replies that the connection has no room for.
    pub reply_bytes: Gauge,
    /// Bytes that its reply buffer has room for.
    pub reply_room_bytes: Gauge,
    /// The most that its reply buffer ever held.
    pub reply_peak_bytes: Gauge,
    /// Bytes read from it.
    pub input_bytes: Gauge,
    /// Bytes written to it.
    pub output_bytes: Gauge,
    /// Since when, in unix milliseconds, more waits for it than its soft limit; 0 while it does not.
    pub slow_since_ms: Gauge,
    /// The last command: its number in the table, or `u64::MAX`.
    command: Gauge,
    /// What it has queued and what it watches.
    pub transaction: TransactionGauges,
    watch_flag: Mutex<Arc<WatchFlag>>,
    pub(super) parked_call: ParkingPlace,
    texts: Mutex<ClientTexts>,
    wire: Box<dyn Wire>,
    outbox: Outbox,
    /// Whether it has asked for what others send, so that this waits for replies to its commands.
    listens: Switch,
    post: Arc<Post>,
    parking: Parking,
}

/// What a client says of itself.
#[derive(Debug, Clone, Default)]
pub struct ClientTexts {
    /// CLIENT SETNAME.
    pub name: String,
    /// CLIENT SETINFO LIB-NAME.
    pub library_name: String,
    /// CLIENT SETINFO LIB-VER.
    pub library_version: String,
    /// The user it authenticated as.
    pub user: String,
}

impl ClientRecord {
    /// A client that has just connected.
    pub fn new(
        id: u64,
        peer: SocketAddr,
        local: SocketAddr,
        now_ms: u64,
        wire: Box<dyn Wire>,
        post: Arc<Post>,
    ) -> Self {
        let texts = ClientTexts { user: "default".to_owned(), ..ClientTexts::default() };
        Self {
            id,
            peer,
            local,
            connected_ms: now_ms,
            active_ms: Gauge::new(now_ms),
            db: Gauge::default(),
            protocol: Gauge::new(2),
            no_evict: Switch::default(),
            no_touch: Switch::default(),
            monitor: Switch::default(),
            subscriptions: Subscriptions::default(),
            tracker: Tracker::default(),
            muted: Switch::default(),
            query_bytes: Gauge::default(),
            args_bytes: Gauge::default(),
            reply_bytes: Gauge::default(),
            reply_room_bytes: Gauge::default(),
            reply_peak_bytes: Gauge::default(),
            input_bytes: Gauge::default(),
            output_bytes: Gauge::default(),
            slow_since_ms: Gauge::default(),
            command: Gauge::new(u64::MAX),
            transaction: TransactionGauges::default(),
            watch_flag: Mutex::default(),
            parked_call: ParkingPlace::default(),
            texts: Mutex::new(texts),
            wire,
            outbox: Outbox::default(),
            listens: Switch::default(),
            post,
            parking: Parking::default(),
        }
    }

    /// What the client says of itself, to read or change.
    pub fn texts(&self) -> MutexGuard<'_, ClientTexts> {
        self.texts.lock().expect("setting a text does not panic")
    }

    /// The flag of what it watches.
    pub fn watch_flag(&self) -> MutexGuard<'_, Arc<WatchFlag>> {
        self.watch_flag.lock().expect("setting a flag does not panic")
    }

    /// The queue through which others write to this client.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// A command of the client asks for what others send: from now on this waits for replies.
    pub fn listen(&self) {
        if !self.listens() {
            self.outbox.hold();
            self.listens.set(true);
        }
    }

    /// Whether what others send waits for replies to the client's commands.
    pub fn listens(&self) -> bool {
        self.listens.is_on()
    }

    /// The protocol that it has chosen.
    pub fn speaks(&self) -> Protocol {
        Protocol::with_number(self.protocol.get())
    }

    /// Sends this client from any thread what it has not asked for. Whether it is there to get it: a
    /// client that reads too slowly is cut off.
    pub fn push(self: &Arc<Self>, notice: &Notice, limits: &BufferLimits) -> bool {
        let hard_bytes = match self.buffer_limit(limits).hard_bytes {
            0 => UNLIMITED_OUTBOX_BYTES_MAX,
            bytes => usize::try_from(bytes).unwrap_or(usize::MAX),
        };
        let put = self.outbox.push(notice, hard_bytes);
        if put == Put::Full {
            self.kill_as_too_slow();
        }
        self.see_to(put);
        !matches!(put, Put::Full | Put::Closed)
    }

    /// Adds the client to the post if what was put into the outbox needs it.
    pub fn see_to(self: &Arc<Self>, put: Put) {
        if put == Put::ToPost {
            self.post.add(Arc::clone(self));
        }
    }

    /// Sends some of this, as much as there is room for, and forgets it; how many bytes that were. Only
    /// for whom the outbox lets send.
    ///
    /// # Errors
    /// Those of the connection; `WouldBlock` if it has no room.
    pub fn send_at_once(&self, outgoing: &mut Outgoing) -> io::Result<usize> {
        outgoing.send_some(|slices| self.wire.write_at_once(slices))
    }

    /// The same, however long there is no room.
    ///
    /// # Errors
    /// Those of the connection.
    pub fn send(&self, outgoing: &mut Outgoing) -> io::Result<usize> {
        outgoing.send_some(|slices| self.wire.write(slices))
    }

    /// The limit of its class.
    pub fn buffer_limit(&self, limits: &BufferLimits) -> BufferLimit {
        if self.subscriptions.is_empty() { limits.normal } else { limits.pubsub }
    }

    /// Sends ahead of the reply to the client's command what others have sent since it began.
    pub fn send_held(self: &Arc<Self>) {
        self.see_to(self.outbox.release());
        self.outbox.hold();
    }

    /// Ends the connection of a client for which more waits than its limit allows.
    pub fn kill_as_too_slow(&self) {
        log::warn!(
            "Client {} at {} is disconnected: more waits for it than client-output-buffer-limit allows",
            self.id,
            self.peer
        );
        self.kill();
    }

    /// Ends the connection now, whatever it does.
    pub fn kill(&self) {
        self.parking.close();
        self.wire.shut();
    }

    /// Takes no more requests from this client; replies in flight still go out.
    pub fn finish(&self) {
        self.parking.close();
        self.wire.shut_input();
    }

    /// Whether the connection is to end.
    pub fn is_closing(&self) -> bool {
        self.parking.is_closing()
    }

    /// Lets the client's thread sleep, until its connection is to end at the latest. `false` if
    /// that was why it woke.
    pub fn park(&self, time: Duration) -> bool {
        let wake = self.parking.sleep(Some(time), || true, || self.wire.has_hung_up());
        wake != Wake::Closing
    }

    /// Whether its peer is gone. Only for a client whose thread waits.
    pub fn has_hung_up(&self) -> bool {
        self.wire.has_hung_up()
    }

    fn block(self: &Arc<Self>, time: Option<Duration>, reason: impl Fn() -> bool) -> Wake {
        let patience = if time.is_some() { Patience::Bounded } else { Patience::Endless };
        // Its reply is far away: what others send need not wait for it.
        self.see_to(self.outbox.release());
        // What this thread has sent cannot wait until the command is over.
        self.post.wake();
        let wake = self.parking.block(patience, time, reason, || self.wire.has_hung_up());
        if self.listens() {
            self.outbox.hold();
        }
        wake
    }

    /// Lets the client's thread wait for the end of a pause. `false` if its connection is to end.
    pub fn sit_out(&self, time: Duration, is_paused: impl Fn() -> bool) -> bool {
        let hung_up = || self.wire.has_hung_up();
        let wake = self.parking.block(Patience::Paused, Some(time), is_paused, hung_up);
        wake != Wake::Closing
    }

    /// Lets the client's thread look again whether it still has to wait. What made it wait must have
    /// changed before.
    pub fn wake(&self) {
        self.parking.wake();
    }

    /// How this client, which waits inside a command, goes on waiting; `None` if it does not wait.
    pub fn blocked(&self) -> Option<Patience> {
        self.parking.blocked()
    }

    /// Lets a blocked client go on; whether it was blocked.
    pub fn unblock(&self, how: Unblock) -> bool {
        self.parking.unblock(how)
    }

    /// Notes the command that it asks for: a number in the table, or none if there is no such command.
    pub fn note_command(&self, command: Option<u16>) {
        self.command.set(command.map_or(u64::MAX, u64::from));
    }

    /// The number of its last command, if it named one that exists.
    pub fn last_command(&self) -> Option<u16> {
        u16::try_from(self.command.get()).ok()
    }

    /// Seconds since the client connected.
    pub fn age_seconds(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.connected_ms) / 1000
    }

    /// Seconds since something came from it or went to it.
    pub fn idle_seconds(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.active_ms.get()) / 1000
    }

    /// The number by which the system knows its socket, where it does.
    pub fn descriptor(&self) -> Option<i64> {
        self.wire.descriptor()
    }

    /// Bytes of memory that it takes, but for the stack of its thread.
    pub fn memory_bytes(&self) -> usize {
        let texts = self.texts();
        let texts_bytes = texts.name.len()
            + texts.library_name.len()
            + texts.library_version.len()
            + texts.user.len();
        let gauges = [&self.args_bytes, &self.reply_room_bytes].map(|gauge| gauge.get() as usize);
        // Requests are read into a buffer that is there from the start and grows when one is large.
        let query_bytes = limits::READ_BUFFER_BYTES.max(self.query_bytes.get() as usize);
        size_of::<Self>()
            + size_of::<Client>()
            + texts_bytes
            + self.subscriptions.memory_bytes()
            + query_bytes
            + gauges.iter().sum::<usize>()
            + self.outbox.len()
    }
}

/// Whether replies are sent (CLIENT REPLY).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReplyMode {
    /// They are.
    #[default]
    On,
    /// None is.
    Off,
    /// The next one is not.
    SkipNext,
    /// This one is not, the next one is.
    SkipThis,
}

/// How the connection goes on after a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// The reply is sent, then the connection closed (QUIT, CLIENT KILL of oneself).
    AfterReply,
    /// The connection is closed without a word (POST, SHUTDOWN).
    AtOnce,
}

/// What a client's own thread keeps of it.
pub struct Client {
    /// What others see.
    pub record: Arc<ClientRecord>,
    /// The database selected.
    pub db: usize,
    /// The protocol chosen with HELLO.
    pub protocol: Protocol,
    /// Whether commands other than AUTH and HELLO are admitted.
    pub authenticated: bool,
    /// CLIENT REPLY.
    pub reply_mode: ReplyMode,
    /// Set by a command that ends the connection.
    pub closing: Option<Closing>,
    /// Set when the client has taken another name, which its thread then carries too.
    pub renamed: bool,
    /// Bytes of replies to earlier requests of the same pipeline, which go out with the next one.
    pub unsent_bytes: usize,
    /// What those who monitor are to be told once the reply is on its way.
    pub shown: Vec<Shown>,
    /// The settings when the current request was read.
    pub settings: Arc<Settings>,
    /// How long the current command has waited, which does not count as running.
    pub waited: Duration,
    /// What it queues behind MULTI, and what it watches.
    pub transaction: Transaction,
    /// Whether commands may wait.
    pub may_wait: bool,
    /// The record of the current critical section.
    pub effects: Effects,
    /// CLIENT TRACKING.
    tracking: Option<TrackingOptions>,
    /// Whether CLIENT CACHING was said for the command to come.
    pub caching_given: bool,
    /// Seeds critical sections.
    pub rng: fastrand::Rng,
}

impl Client {
    /// A client that has just connected.
    pub fn new(record: Arc<ClientRecord>, settings: Arc<Settings>) -> Self {
        Self {
            record,
            db: 0,
            protocol: Protocol::default(),
            authenticated: settings.requirepass.is_empty(),
            reply_mode: ReplyMode::default(),
            closing: None,
            renamed: false,
            unsent_bytes: 0,
            shown: Vec::new(),
            settings,
            waited: Duration::ZERO,
            transaction: Transaction::default(),
            may_wait: true,
            effects: Effects::default(),
            tracking: None,
            caching_given: false,
            rng: fastrand::Rng::new(),
        }
    }

    /// The client's number.
    pub fn id(&self) -> u64 {
        self.record.id
    }

    /// Waits as a blocked client does, whom CLIENT UNBLOCK lets go on; without a time, until something
    /// happens. Where nobody may wait the time is over at once.
    pub fn block(&mut self, time: Option<Duration>, clock: &Clock) -> Wake {
        if self.may_wait { self.block_while(time, clock, |_| true) } else { Wake::TimeOver }
    }

    /// The same until the command that it has left behind is run.
    pub fn block_for_answer(&mut self, time: Option<Duration>, clock: &Clock) -> Wake {
        self.block_while(time, clock, |record| !record.is_answered())
    }

    fn block_while(
        &mut self,
        time: Option<Duration>,
        clock: &Clock,
        reason: impl Fn(&ClientRecord) -> bool,
    ) -> Wake {
        let started = Instant::now();
        // Who moves the clock by hand wakes those who wait.
        let end_us = time.and_then(|time| i64::try_from(time.as_micros()).ok());
        let end_us = end_us.and_then(|time| clock.now_us().checked_add(time));
        let is_over = || end_us.is_some_and(|end| clock.now_us() >= end);
        let wake = self.record.block(time, || !is_over() && reason(&self.record));
        self.waited += started.elapsed();
        wake
    }

    /// Whether the reply to the current command is not sent.
    pub fn is_muted(&self) -> bool {
        matches!(self.reply_mode, ReplyMode::Off | ReplyMode::SkipThis)
    }

    /// Tracks, or no more.
    pub fn track(&mut self, options: Option<TrackingOptions>) {
        self.tracking = options;
        self.caching_given &= options.is_some();
    }

    /// What it tracks.
    pub fn tracking(&self) -> Option<TrackingOptions> {
        self.tracking
    }

    /// Whether the keys that it reads now are to be remembered.
    pub fn caches_reads(&self) -> bool {
        self.tracking.is_some_and(|options| match options.scope {
            Scope::Read => true,
            Scope::OptIn => self.caching_given,
            Scope::OptOut => !self.caching_given,
            Scope::Broadcast => false,
        })
    }

    /// Whether only commands about subscriptions are admitted: a client that speaks RESP2 cannot tell
    /// messages from replies.
    pub fn is_subscriber(&self) -> bool {
        self.protocol == Protocol::Resp2 && !self.record.subscriptions.is_empty()
    }

    /// Selects a database, which must be below the number of databases.
    pub fn select(&mut self, db: usize) {
        self.db = db;
        self.record.db.set_count(db);
    }

    /// Takes a name; an empty one is none.
    pub fn rename(&mut self, name: String) {
        self.record.texts().name = name;
        self.renamed = true;
    }

    /// Forgets what the client chose, but not what it said of its library: RESET.
    pub fn reset(&mut self) {
        self.select(0);
        self.speak(Protocol::default());
        self.authenticated = self.settings.requirepass.is_empty();
        self.rename(String::new());
        // A reply to be skipped is this one.
        if self.reply_mode == ReplyMode::Off {
            self.set_reply_mode(ReplyMode::On);
        }
        self.record.no_evict.set(false);
        self.record.no_touch.set(false);
        self.track(None);
    }

    /// Chooses whether replies are sent.
    pub fn set_reply_mode(&mut self, mode: ReplyMode) {
        self.reply_mode = mode;
        self.record.muted.set(mode == ReplyMode::Off);
    }

    /// Whether it has to authenticate before anything else.
    pub fn must_authenticate(&self) -> bool {
        // A password that is taken away lets everybody in.
        !self.authenticated && !self.settings.requirepass.is_empty()
    }

    /// Chooses a protocol.
    pub fn speak(&mut self, protocol: Protocol) {
        self.protocol = protocol;
        self.record.protocol.set(protocol.number().unsigned_abs());
    }
}
