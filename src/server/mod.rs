//! The listener and its accept loop, the worker pool, the reaper, and a clean stop.

mod listen;
mod load;
mod pool;
mod save;

use crate::clock::Clock;
use crate::command;
use crate::config::{self, Refusal, Settings};
use crate::instance::{Instance, LoadProgress, Phase};
use crate::limits;
use crate::session;
use load::Snapshot;
use pool::Pool;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A running server. Dropping it stops it.
pub struct Server {
    instance: Arc<Instance>,
    address: SocketAddr,
    thread: Option<JoinHandle<io::Result<()>>>,
}

/// What a server is started with.
#[derive(Default)]
pub struct Builder {
    settings: Settings,
    config_file: Option<PathBuf>,
    clock: Option<Clock>,
    keeps_snapshot: bool,
}

impl Builder {
    /// The TCP port; 0 takes a free one.
    pub fn port(mut self, port: u16) -> Self {
        self.settings.port = port;
        self
    }

    /// A directive by its name in `redis.conf`, with its value as it would stand there:
    /// `.directive("requirepass", "s3cret")?`.
    ///
    /// # Errors
    /// When there is no such directive, it takes no such value, or redist does not go by it yet.
    pub fn directive(mut self, name: &str, value: &str) -> Result<Self, Refusal> {
        let directive = config::find(name).ok_or_else(|| Refusal::Unknown(name.to_owned()))?;
        directive
            .set_strictly(&mut self.settings, &[value])
            .map_err(|reason| Refusal::value(name, reason))?;
        Ok(self)
    }

    /// The value of every directive.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// The file that the settings came from, which CONFIG REWRITE writes.
    pub fn config_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.config_file = Some(path.into());
        self
    }

    /// The clock that deadlines go by; the system's if none is given.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Loads the snapshot that the directives `dir` and `dbfilename` name, if there is one, and writes
    /// it when the directive `save` says so, and at the end. Without this a server starts empty,
    /// whatever lies in its working directory, and writes nothing unless a client asks it to.
    pub fn keeps_snapshot(mut self) -> Self {
        self.keeps_snapshot = true;
        self
    }

    /// Listens, loads what there is to load, and serves on background threads.
    ///
    /// # Errors
    /// As [`launch`](Self::launch), and when data cannot be loaded.
    pub fn start(self) -> io::Result<Server> {
        self.launch()?.loaded(|_| {})
    }

    /// The same, but does not wait until everything is loaded: until then clients are told that it
    /// is being loaded.
    ///
    /// # Errors
    /// When no address can be listened on, there is a snapshot that cannot be opened, or the system
    /// refuses a thread.
    pub fn launch(mut self) -> io::Result<Server> {
        // As CONFIG GET shows it. A folder that is not there is the trouble of those who write to it.
        if let Ok(dir) = std::path::absolute(&self.settings.dir) {
            let dir: PathBuf = dir.components().collect();
            self.settings.dir = dir.to_string_lossy().into_owned();
        }
        let snapshot = if self.keeps_snapshot { Snapshot::open(&self.settings)? } else { None };
        let listeners = listen::listen(&self.settings)?;
        let Some(first) = listeners.first() else {
            unreachable!("listening on no address is an error");
        };
        let address = first.local_addr()?;
        let clock = self.clock.unwrap_or(Clock::system());
        let instance = Arc::new(Instance::new(self.settings, clock, command::COMMAND_COUNT));
        instance.port.store(address.port(), Ordering::Relaxed);
        instance.saving.begin(instance.clock.now_ms() / 1000);
        instance.saves_by_itself.store(self.keeps_snapshot, Ordering::Relaxed);
        if let Some(file) = self.config_file {
            instance.config.came_from(file);
        }
        if let Some(snapshot) = &snapshot {
            snapshot.announce(&instance);
        }
        let shared = Arc::clone(&instance);
        let thread = std::thread::Builder::new()
            .name("redist".to_owned())
            .spawn(move || run(&shared, listeners, snapshot))?;
        Ok(Server { instance, address, thread: Some(thread) })
    }
}

impl Server {
    /// A server with Redis's defaults, to be changed before it starts.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where it listens: the first of its addresses.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The same as client libraries on this machine take it: `redis://127.0.0.1:6379`.
    pub fn url(&self) -> String {
        format!("redis://{}", reachable(self.address))
    }

    /// Moves the server's clock forward. When this returns, keys that are due by then are gone.
    pub fn advance(&self, by: Duration) {
        self.instance.clock.advance(by);
        self.instance.clients.wake_all();
        if !self.instance.reaper.is_paused() {
            while self.instance.reap().more {}
        }
        self.instance.reaper.ring();
    }

    /// The state behind the server.
    pub fn instance(&self) -> &Arc<Instance> {
        &self.instance
    }

    /// Waits until what there was at the start is loaded, or the server is to end; shows now and then
    /// how far that has come.
    ///
    /// # Errors
    /// When it cannot be loaded: the file, the byte and the reason. The server has ended then.
    pub fn loaded(mut self, mut show: impl FnMut(LoadProgress)) -> io::Result<Self> {
        let patience = Duration::from_millis(limits::LOAD_SHOWN_MS);
        loop {
            match self.instance.loading.wait(patience) {
                Phase::Running => show(self.instance.loading.progress()),
                Phase::Over | Phase::Abandoned => return Ok(self),
                Phase::Failed(_) => return self.join().map(|()| self),
            }
        }
    }

    /// Waits until the server ends.
    ///
    /// # Errors
    /// When it had to end because its data could not be loaded, or no longer be trusted.
    pub fn wait(mut self) -> io::Result<()> {
        self.join()
    }

    /// Saves if it is to, answers the commands that run, closes every connection and waits for all
    /// threads.
    ///
    /// # Errors
    /// As [`wait`](Self::wait), and when saving failed.
    pub fn stop(mut self) -> io::Result<()> {
        let saved = self.instance.shut_down();
        self.instance.stop.request();
        self.join()?;
        saved.map_err(io::Error::other)
    }

    fn join(&mut self) -> io::Result<()> {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(io::Error::other("the server's thread panicked")),
            None => Ok(()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(reason) = self.instance.shut_down() {
            log::error!("{reason}");
        }
        self.instance.stop.request();
        if let Err(error) = self.join() {
            log::error!("{error}");
        }
    }
}

/// Serves until the server is to end, then ends everything and joins every thread. Each listener
/// belongs to its accept loop and is closed with it, so that whoever comes later is refused at once.
fn run(
    instance: &Instance,
    listeners: Vec<TcpListener>,
    snapshot: Option<Snapshot>,
) -> io::Result<()> {
    let pool = Pool::new(instance);
    let addresses: Vec<SocketAddr> =
        listeners.iter().map(TcpListener::local_addr).collect::<io::Result<_>>()?;
    crossbeam::thread::scope(|scope| {
        for listener in listeners {
            let pool = &pool;
            scope.builder().name("accept".to_owned()).spawn(move |scope| {
                accept(instance, &listener, pool, scope);
            })?;
        }
        if let Some(snapshot) = snapshot {
            scope.builder().name("loader".to_owned()).spawn(move |_| snapshot.load(instance))?;
        }
        scope.builder().name("saver".to_owned()).spawn(|_| save::run(instance))?;
        scope.builder().name("reaper".to_owned()).spawn(|_| reap(instance))?;
        scope.builder().name("janitor".to_owned()).spawn(|_| instance.janitor.run())?;
        for _ in 0..limits::POSTMEN_COUNT {
            let postman = scope.builder().name("postman".to_owned());
            postman.spawn(|scope| session::deliver_post(instance, scope))?;
        }
        keep_house(instance);
        stop(instance, &addresses, &pool);
        Ok(())
    })
    .unwrap_or_else(|_| Err(io::Error::other("a thread of the server panicked")))?;
    match (instance.stop.failure(), instance.loading.wait(Duration::ZERO)) {
        (Some(reason), _) => Err(io::Error::other(reason)),
        (None, Phase::Failed(reason)) => Err(io::Error::other(reason)),
        (None, _) => Ok(()),
    }
}

fn accept<'e>(
    instance: &'e Instance,
    listener: &TcpListener,
    pool: &'e Pool<'e>,
    scope: &crossbeam::thread::Scope<'e>,
) {
    loop {
        match listener.accept() {
            Ok(_) if instance.stop.is_requested() => return,
            Ok((stream, peer)) => pool.submit(stream, listen::canonical(peer), scope),
            Err(error) => {
                log::warn!("Accepting client connection: {error}");
                // Out of descriptors or memory: what could help is that some client goes.
                if instance.stop.wait(Duration::from_millis(50)) {
                    return;
                }
            }
        }
    }
}

/// Removes keys when they are due.
fn reap(instance: &Instance) {
    let alarm = &instance.reaper;
    while !instance.stop.is_requested() {
        if alarm.is_paused() {
            alarm.sleep(None);
            continue;
        }
        if let Some(rest) = instance.pause.rest(instance.now_ms()) {
            alarm.sleep(Some(rest));
            continue;
        }
        if instance.reap().more {
            std::thread::yield_now();
            continue;
        }
        let mut earliest = instance.keyspace.earliest_deadline_ms();
        alarm.aim(earliest);
        // A deadline set between looking and aiming did not ring.
        earliest = earliest.min(instance.keyspace.earliest_deadline_ms());
        if earliest == u64::MAX {
            alarm.sleep(None);
        } else {
            let left_ms = earliest.saturating_sub(instance.now_ms());
            let sleep_ms = left_ms.clamp(limits::REAP_PAUSE_MS_MIN, limits::REAP_PAUSE_MS_MAX);
            alarm.sleep(Some(Duration::from_millis(sleep_ms)));
        }
    }
}

/// Does what has to be done now and then, until the server is to end.
fn keep_house(instance: &Instance) {
    while !instance.stop.wait(Duration::from_secs(1)) {
        instance.tick();
        let timeout = instance.config.settings().timeout;
        if timeout == 0 {
            continue;
        }
        let now_ms = instance.now_ms();
        for record in instance.clients.all() {
            // Those who wait by their own wish, or ours, are not idle.
            let waits = || {
                let listens = record.monitor.is_on() || !record.subscriptions.is_empty();
                listens || record.blocked().is_some()
            };
            if record.idle_seconds(now_ms) > timeout && !waits() {
                log::debug!("Closing idle client {}", record.peer);
                instance.kill(record.id);
            }
        }
    }
}

/// Ends everything: first nobody new, then no new requests, then, after a grace for replies in
/// flight to clients that are slow to read, no connections.
fn stop(instance: &Instance, addresses: &[SocketAddr], pool: &Pool<'_>) {
    instance.reaper.ring();
    instance.saving.close();
    instance.janitor.close();
    pool.stop();
    addresses.iter().copied().for_each(wake);
    instance.clients.all().iter().for_each(|record| record.finish());
    let grace_ends = Instant::now() + Duration::from_millis(limits::STOP_GRACE_MS);
    if !pool.wait_until_idle(grace_ends) {
        instance.scripts.watch.end();
        instance.clients.all().iter().for_each(|record| record.kill());
    }
    instance.post.close();
}

/// Lets an accept loop return by connecting to it.
fn wake(address: SocketAddr) {
    // Under a flood of connections ours may not get through in time, or find the loop gone with its
    // listener already: then another connection has woken it.
    let patience = Duration::from_millis(limits::WAKE_PATIENCE_MS);
    if let Err(error) = TcpStream::connect_timeout(&reachable(address), patience) {
        log::debug!("Nobody to wake on {address}: {error}");
    }
}

/// An address to connect to where one listens: all addresses are reached through the loopback.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}
