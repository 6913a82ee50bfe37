//! Freeing what nobody should wait for: what UNLINK and FLUSHALL ASYNC took away.
//!
//! Everything that a command removes is freed when no lock is held, but by default on the thread of
//! its client, who waits for it. What comes here is freed on a thread of its own instead.

use crate::keyspace::Garbage;
use crate::limits;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};

/// The queue between those who throw things away and the thread that frees them.
#[derive(Default)]
pub struct Janitor {
    state: Mutex<State>,
    changed: Condvar,
    /// Keys that wait to be freed, or are being freed.
    pending: AtomicU64,
    /// Keys that were freed.
    freed: AtomicU64,
}

#[derive(Default)]
struct State {
    garbage: Garbage,
    closed: bool,
}

impl Janitor {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("moving garbage does not panic")
    }

    /// Takes what was thrown away, unless that has piled up already: then the caller frees it, so
    /// that nobody throws away faster than is freed.
    pub fn take(&self, garbage: &mut Garbage) {
        let mut state = self.state();
        if state.garbage.pieces() > limits::JANITOR_PIECES_MAX {
            return;
        }
        self.pending.fetch_add(garbage.keys(), Ordering::Relaxed);
        state.garbage.append(garbage);
        drop(state);
        self.changed.notify_one();
    }

    /// Frees what comes in until closed. What is left then ends with the process.
    pub fn run(&self) {
        loop {
            let waiting = |state: &mut State| state.garbage.pieces() == 0 && !state.closed;
            let wait = self.changed.wait_while(self.state(), waiting);
            let mut state = wait.expect("moving garbage does not panic");
            if state.closed {
                return;
            }
            let mut garbage = std::mem::take(&mut state.garbage);
            drop(state);
            while let Some(keys) = garbage.free_piece() {
                self.pending.fetch_sub(keys, Ordering::Relaxed);
                self.freed.fetch_add(keys, Ordering::Relaxed);
                if self.state().closed {
                    break;
                }
            }
        }
    }

    /// Lets the thread end.
    pub fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }

    /// Keys that wait to be freed, or are being freed.
    pub fn pending(&self) -> u64 {
        self.pending.load(Ordering::Relaxed)
    }

    /// Keys that were freed since the start or the last [`reset`](Self::reset).
    pub fn freed(&self) -> u64 {
        self.freed.load(Ordering::Relaxed)
    }

    /// Counts what was freed from zero.
    pub fn reset(&self) {
        self.freed.store(0, Ordering::Relaxed);
    }
}
