//! Bytes on their way to one client from several threads, in the order they were put in.
//!
//! Whoever puts something in never waits: a client that reads too slowly for the bound is cut off.

use std::sync::{Condvar, Mutex};

/// The queue between those who write to a client and the thread that owns its socket's sending side.
#[derive(Default)]
pub struct Outbox {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    closed: bool,
}

impl Outbox {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("appending bytes does not panic")
    }

    /// Queues bytes. `false` if that goes beyond `bytes_max` (0 is no bound) or the client is gone;
    /// the caller then closes the connection.
    pub fn put(&self, bytes: &[u8], bytes_max: usize) -> bool {
        let mut state = self.state();
        if state.closed || (bytes_max > 0 && state.bytes.len() + bytes.len() > bytes_max) {
            return false;
        }
        state.bytes.extend_from_slice(bytes);
        drop(state);
        self.changed.notify_one();
        true
    }

    /// Waits for bytes and swaps them into `into`, which is empty. `false` once closed and empty.
    pub fn take(&self, into: &mut Vec<u8>) -> bool {
        let waiting = |state: &mut State| state.bytes.is_empty() && !state.closed;
        let wait = self.changed.wait_while(self.state(), waiting);
        let mut state = wait.expect("appending bytes does not panic");
        std::mem::swap(&mut state.bytes, into);
        !into.is_empty()
    }

    /// Takes no more; what is queued is still sent.
    pub fn close(&self) {
        self.state().closed = true;
        self.changed.notify_one();
    }

    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.state().bytes.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
