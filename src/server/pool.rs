//! The worker pool: a thread for each connection, at most `maxclients` of them.
//!
//! The bound is the client limit. Connections never queue for a worker: behind clients that wait for
//! each other (BLPOP) a queue would be a deadlock, so one too many is told so and closed.

use super::listen::is_kept_out;
use crate::error::CommandError;
use crate::instance::Instance;
use crate::limits;
use crate::session;
use crossbeam::thread::Scope;
use std::collections::VecDeque;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::Ordering;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

pub struct Pool<'e> {
    instance: &'e Instance,
    state: Mutex<State>,
    /// A connection was handed to one worker, or all are to end.
    handed: Condvar,
    /// A worker has ended.
    ended: Condvar,
}

#[derive(Default)]
struct State {
    /// Connections that an idle worker, or one about to start, will take at once.
    handed: VecDeque<(TcpStream, SocketAddr)>,
    /// Connections handed over or being served.
    connections: usize,
    /// Workers that wait for a connection.
    idle: usize,
    /// Workers whose threads are being started.
    starting: usize,
    /// Workers in all: never more than `maxclients`, since one is started for a connection alone.
    total: usize,
    stopping: bool,
}

impl State {
    /// Notes that another worker starts if there are more connections than workers to take them.
    fn begin_worker(&mut self) -> bool {
        let wanted = self.handed.len() > self.idle + self.starting;
        if wanted {
            self.starting += 1;
            self.total += 1;
        }
        wanted
    }
}

impl<'e> Pool<'e> {
    pub fn new(instance: &'e Instance) -> Self {
        Self { instance, state: Mutex::default(), handed: Condvar::new(), ended: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("counting does not panic")
    }

    /// Gives a connection to an idle worker or a new one, or refuses it.
    ///
    /// Starting a thread takes longer than connecting to us does. So while one starts, those who come
    /// just queue, and it starts the next one: else a burst of connections would overflow the
    /// system's queue, and whoever is dropped there tries again after a second.
    pub fn submit(&'e self, stream: TcpStream, peer: SocketAddr, scope: &Scope<'e>) {
        let settings = self.instance.config.settings();
        self.instance.stats.connections_received.fetch_add(1, Ordering::Relaxed);
        if is_kept_out(&settings, peer.ip()) {
            return self.refuse(&stream, &CommandError::PROTECTED_MODE);
        }
        let mut state = self.state();
        if state.connections >= settings.maxclients {
            drop(state);
            return self.refuse(&stream, &CommandError::MAX_CLIENTS);
        }
        state.connections += 1;
        state.handed.push_back((stream, peer));
        let starts = state.starting == 0 && state.begin_worker();
        drop(state);
        self.handed.notify_one();
        if starts {
            self.start_worker(scope);
        }
    }

    /// Starts a worker that was noted. Where the system has no thread for it, a connection is refused
    /// for each thread that is missing.
    fn start_worker(&'e self, scope: &Scope<'e>) {
        loop {
            let thread = scope.builder().stack_size(limits::WORKER_STACK_BYTES);
            let Err(error) = thread.spawn(move |scope| self.work(scope)) else { return };
            log::warn!("No thread for another client: {error}");
            let mut state = self.state();
            state.starting -= 1;
            state.total -= 1;
            let nobody_comes = state.handed.len() > state.idle + state.starting;
            let refused = if nobody_comes { state.handed.pop_back() } else { None };
            state.connections -= usize::from(refused.is_some());
            let again = state.starting == 0 && state.begin_worker();
            drop(state);
            if let Some((stream, _)) = refused {
                self.refuse(&stream, &CommandError::MAX_CLIENTS);
            }
            if !again {
                return;
            }
        }
    }

    fn refuse(&self, mut stream: &TcpStream, error: &CommandError) {
        self.instance.stats.connections_rejected.fetch_add(1, Ordering::Relaxed);
        // A fresh socket has room for one line; a peer that is gone already is not told.
        let _ = stream.write_all(format!("-{error}\r\n").as_bytes());
    }

    /// A worker: serves one connection after the other, and ends when none comes for a while.
    fn work(&'e self, scope: &Scope<'e>) {
        let mut state = self.state();
        state.starting -= 1;
        let first = state.handed.pop_front();
        let starts = state.begin_worker();
        drop(state);
        if starts {
            self.start_worker(scope);
        }
        let mut connection = first.or_else(|| self.next(self.state()));
        while let Some((stream, peer)) = connection {
            session::serve(self.instance, stream, peer);
            let mut state = self.state();
            state.connections -= 1;
            connection = self.next(state);
        }
        self.state().total -= 1;
        self.ended.notify_all();
    }

    fn next(&self, mut state: MutexGuard<'_, State>) -> Option<(TcpStream, SocketAddr)> {
        if let Some(handed) = state.handed.pop_front() {
            return Some(handed);
        }
        state.idle += 1;
        let patience = Duration::from_millis(limits::WORKER_IDLE_MS);
        let waiting = |state: &mut State| state.handed.is_empty() && !state.stopping;
        let wait = self.handed.wait_timeout_while(state, patience, waiting);
        let (mut state, _) = wait.expect("counting does not panic");
        state.idle -= 1;
        state.handed.pop_front()
    }

    /// Lets idle workers end, now and from now on.
    pub fn stop(&self) {
        self.state().stopping = true;
        self.handed.notify_all();
    }

    /// Waits until every worker has ended. `false` if some have not by then.
    pub fn wait_until_idle(&self, until: Instant) -> bool {
        let patience = until.saturating_duration_since(Instant::now());
        let wait = self.ended.wait_timeout_while(self.state(), patience, |state| state.total > 0);
        let (state, _) = wait.expect("counting does not panic");
        state.total == 0
    }
}
