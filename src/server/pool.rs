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
    /// Workers that wait for a connection.
    idle: usize,
    /// Workers in all.
    total: usize,
    stopping: bool,
}

impl<'e> Pool<'e> {
    pub fn new(instance: &'e Instance) -> Self {
        Self { instance, state: Mutex::default(), handed: Condvar::new(), ended: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("counting does not panic")
    }

    /// Gives a connection to an idle worker or a new one, or refuses it.
    pub fn submit(&'e self, stream: TcpStream, peer: SocketAddr, scope: &Scope<'e>) {
        let settings = self.instance.config.settings();
        self.instance.stats.connections_received.fetch_add(1, Ordering::Relaxed);
        if is_kept_out(&settings, peer.ip()) {
            return self.refuse(&stream, &CommandError::PROTECTED_MODE);
        }
        let mut state = self.state();
        if state.idle > state.handed.len() {
            state.handed.push_back((stream, peer));
            self.handed.notify_one();
            return;
        }
        if state.total >= settings.maxclients {
            drop(state);
            return self.refuse(&stream, &CommandError::MAX_CLIENTS);
        }
        state.total += 1;
        state.handed.push_back((stream, peer));
        drop(state);
        let thread = scope.builder().stack_size(limits::WORKER_STACK_BYTES);
        if let Err(error) = thread.spawn(move |scope| self.work(scope)) {
            log::warn!("No thread for another client: {error}");
            let mut state = self.state();
            state.total -= 1;
            let refused = state.handed.pop_back();
            drop(state);
            if let Some((stream, _)) = refused {
                self.refuse(&stream, &CommandError::MAX_CLIENTS);
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
        while let Some((stream, peer)) = self.next() {
            session::serve(self.instance, stream, peer, scope);
        }
        self.state().total -= 1;
        self.ended.notify_all();
    }

    fn next(&self) -> Option<(TcpStream, SocketAddr)> {
        let mut state = self.state();
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
