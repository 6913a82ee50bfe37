//! What is known of a client: what its own thread keeps, and what others may see and do.

use super::outbox::Outbox;
use crate::config::Settings;
use crate::keyspace::Effects;
use crate::protocol::Protocol;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

/// A connection as others may end it.
pub trait Wire: Send + Sync {
    /// Takes no more requests; replies in flight still go out.
    fn shut_input(&self);
    /// Ends both directions at once.
    fn shut(&self);
    /// Whether the peer has closed its side and nothing of it is left to read. Only the thread that
    /// reads from the connection may ask.
    fn has_hung_up(&self) -> bool;
}

/// How CLIENT UNBLOCK lets a waiting client go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unblock {
    /// As if its time were over.
    AsTimeout,
    /// With an error.
    WithError,
}

/// Why a client that waited goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// Its time is over.
    TimeOver,
    /// Another client said so.
    Unblocked(Unblock),
    /// Its connection is to end, or has ended.
    Closing,
}

/// What a client's thread sleeps in.
#[derive(Debug, Default)]
struct Parking {
    /// Whether a command waits, and if so, whether its time is bounded.
    blocked: Option<Patience>,
    /// How to go on.
    unblock: Option<Unblock>,
}

/// How long a blocked client waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Until something happens.
    Endless,
    /// Until its time is over.
    Bounded,
}

/// How long a sleeping client's connection goes without a look whether the peer is still there.
const HANG_UP_LOOK: Duration = Duration::from_millis(500);

/// What others see of a client.
pub struct ClientRecord {
    /// Its number, never reused.
    pub id: u64,
    /// Its address.
    pub peer: SocketAddr,
    /// Our address that it connected to.
    pub local: SocketAddr,
    /// When it connected.
    pub connected: Instant,
    /// Milliseconds between `connected` and its last request.
    pub active_ms: AtomicU64,
    /// The database that it has selected.
    pub db: AtomicUsize,
    /// 2 or 3.
    pub protocol: AtomicU8,
    /// The last command: its number in the table, or `u16::MAX`.
    pub command: AtomicU16,
    /// CLIENT NO-EVICT.
    pub no_evict: AtomicBool,
    /// CLIENT NO-TOUCH.
    pub no_touch: AtomicBool,
    /// MONITOR.
    pub monitor: AtomicBool,
    /// Bytes of its request buffer in use and allocated.
    pub query_bytes: AtomicUsize,
    /// Bytes of its reply buffer.
    pub reply_bytes: AtomicUsize,
    /// Bytes of its current request's arguments.
    pub args_bytes: AtomicUsize,
    /// Bytes read from it.
    pub input_bytes: AtomicU64,
    /// Bytes written to it.
    pub output_bytes: AtomicU64,
    /// Commands that it ran.
    pub commands: AtomicU64,
    texts: Mutex<ClientTexts>,
    wire: Box<dyn Wire>,
    outbox: OnceLock<Outbox>,
    /// Set once, when the connection is to end; changed under `parking`.
    closing: AtomicBool,
    parking: Mutex<Parking>,
    unparked: Condvar,
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
    pub fn new(id: u64, peer: SocketAddr, local: SocketAddr, wire: Box<dyn Wire>) -> Self {
        let texts = ClientTexts { user: "default".to_owned(), ..ClientTexts::default() };
        Self {
            id,
            peer,
            local,
            connected: Instant::now(),
            active_ms: AtomicU64::new(0),
            db: AtomicUsize::new(0),
            protocol: AtomicU8::new(2),
            command: AtomicU16::new(u16::MAX),
            no_evict: AtomicBool::new(false),
            no_touch: AtomicBool::new(false),
            monitor: AtomicBool::new(false),
            query_bytes: AtomicUsize::new(0),
            reply_bytes: AtomicUsize::new(0),
            args_bytes: AtomicUsize::new(0),
            input_bytes: AtomicU64::new(0),
            output_bytes: AtomicU64::new(0),
            commands: AtomicU64::new(0),
            texts: Mutex::new(texts),
            wire,
            outbox: OnceLock::new(),
            closing: AtomicBool::new(false),
            parking: Mutex::default(),
            unparked: Condvar::new(),
        }
    }

    /// What the client says of itself, to read or change.
    pub fn texts(&self) -> MutexGuard<'_, ClientTexts> {
        self.texts.lock().expect("setting a text does not panic")
    }

    /// The queue through which others write to this client; made when first asked for.
    pub fn open_outbox(&self) -> &Outbox {
        self.outbox.get_or_init(Outbox::default)
    }

    /// The queue, if anybody has asked for it.
    pub fn outbox(&self) -> Option<&Outbox> {
        self.outbox.get()
    }

    /// Sends bytes to this client from any thread; a client that reads too slowly is cut off.
    pub fn push(&self, bytes: &[u8]) {
        /// What Redis allows a subscriber (`client-output-buffer-limit pubsub 32mb`).
        const PUSH_BYTES_MAX: usize = 32 * 1024 * 1024;
        if !self.open_outbox().put(bytes, PUSH_BYTES_MAX) {
            self.kill();
        }
    }

    /// Ends the connection now, whatever it does.
    pub fn kill(&self) {
        self.unpark_for_good();
        self.wire.shut();
    }

    /// Takes no more requests from this client; replies in flight still go out.
    pub fn finish(&self) {
        self.unpark_for_good();
        self.wire.shut_input();
    }

    fn parking(&self) -> MutexGuard<'_, Parking> {
        self.parking.lock().expect("setting a field does not panic")
    }

    fn unpark_for_good(&self) {
        let parking = self.parking();
        self.closing.store(true, Ordering::SeqCst);
        self.unparked.notify_all();
        drop(parking);
    }

    /// Whether the connection is to end.
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// Lets the client's thread sleep, until its connection is to end at the latest. `false` if
    /// that was why it woke.
    pub fn park(&self, time: Duration) -> bool {
        self.sleep(Some(time)) != Wake::Closing
    }

    /// Lets the client's thread wait as a blocked client, whom CLIENT UNBLOCK lets go on; without a
    /// time, until something happens.
    pub fn block(&self, time: Option<Duration>) -> Wake {
        self.parking().blocked =
            Some(if time.is_some() { Patience::Bounded } else { Patience::Endless });
        let wake = self.sleep(time);
        let parking = std::mem::take(&mut *self.parking());
        match parking.unblock {
            // It came when the time was just over; the other client was told that it worked.
            Some(how) if wake == Wake::TimeOver => Wake::Unblocked(how),
            _ => wake,
        }
    }

    /// How long this client, which waits inside a command, goes on waiting; `None` if it does not wait.
    pub fn blocked(&self) -> Option<Patience> {
        self.parking().blocked
    }

    /// Lets a blocked client go on; whether it was blocked.
    pub fn unblock(&self, how: Unblock) -> bool {
        let mut parking = self.parking();
        if parking.blocked.is_none() || parking.unblock.is_some() {
            return false;
        }
        parking.unblock = Some(how);
        self.unparked.notify_all();
        true
    }

    fn sleep(&self, time: Option<Duration>) -> Wake {
        // A time that the clock cannot express never comes.
        let end = time.and_then(|time| Instant::now().checked_add(time));
        let asleep = |parking: &mut Parking| !self.is_closing() && parking.unblock.is_none();
        loop {
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            let nap = left.map_or(HANG_UP_LOOK, |left| left.min(HANG_UP_LOOK));
            let wait = self.unparked.wait_timeout_while(self.parking(), nap, asleep);
            let (parking, _) = wait.expect("setting a field does not panic");
            let unblock = parking.unblock;
            drop(parking);
            match unblock {
                _ if self.is_closing() => return Wake::Closing,
                Some(how) => return Wake::Unblocked(how),
                None if left == Some(nap) => return Wake::TimeOver,
                None if self.wire.has_hung_up() => self.unpark_for_good(),
                None => {}
            }
        }
    }

    /// Notes that it runs a command now.
    pub fn note_command(&self, command: u16, now: Instant) {
        let active = now.saturating_duration_since(self.connected);
        self.active_ms
            .store(u64::try_from(active.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.command.store(command, Ordering::Relaxed);
        self.commands.fetch_add(1, Ordering::Relaxed);
    }

    /// Seconds since the client connected.
    pub fn age_seconds(&self) -> u64 {
        self.connected.elapsed().as_secs()
    }

    /// Seconds since its last request.
    pub fn idle_seconds(&self) -> u64 {
        let active = Duration::from_millis(self.active_ms.load(Ordering::Relaxed));
        self.connected.elapsed().saturating_sub(active).as_secs()
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
    /// Set by MONITOR: its reply goes out before the first line that it makes the client see.
    pub joins_monitors: bool,
    /// The settings when the current request was read.
    pub settings: Arc<Settings>,
    /// How long the current command has waited, which does not count as running.
    pub waited: Duration,
    /// The record of the current critical section.
    pub effects: Effects,
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
            joins_monitors: false,
            settings,
            waited: Duration::ZERO,
            effects: Effects::default(),
            rng: fastrand::Rng::new(),
        }
    }

    /// The client's number.
    pub fn id(&self) -> u64 {
        self.record.id
    }

    /// Waits as a blocked client does: see [`ClientRecord::block`].
    pub fn block(&mut self, time: Option<Duration>) -> Wake {
        let started = Instant::now();
        let wake = self.record.block(time);
        self.waited += started.elapsed();
        wake
    }

    /// Selects a database, which must be below the number of databases.
    pub fn select(&mut self, db: usize) {
        self.db = db;
        self.record.db.store(db, Ordering::Relaxed);
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
            self.reply_mode = ReplyMode::On;
        }
        self.record.no_evict.store(false, Ordering::Relaxed);
        self.record.no_touch.store(false, Ordering::Relaxed);
    }

    /// Whether it has to authenticate before anything else.
    pub fn must_authenticate(&self) -> bool {
        // A password that is taken away lets everybody in.
        !self.authenticated && !self.settings.requirepass.is_empty()
    }

    /// Chooses a protocol.
    pub fn speak(&mut self, protocol: Protocol) {
        self.protocol = protocol;
        // 2 or 3.
        self.record.protocol.store(protocol.number() as u8, Ordering::Relaxed);
    }
}
