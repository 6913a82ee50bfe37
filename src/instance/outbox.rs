//! Bytes on their way to one client from several threads, in the order they were put in.
//!
//! Others who put something in never wait: a client that reads too slowly for the bound is cut off.
//! The client's own replies wait for room, so that one who sends requests and reads no replies holds
//! up itself.

use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// The queue between those who write to a client and the thread that owns its socket's sending side.
#[derive(Default)]
pub struct Outbox {
    state: Mutex<State>,
    /// There is something to send, or nothing more will come.
    filled: Condvar,
    /// There is room again, or the client is gone.
    drained: Condvar,
}

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    /// Bytes that were taken and are being sent.
    leaving: usize,
    closed: bool,
}

impl State {
    fn len(&self) -> usize {
        self.bytes.len() + self.leaving
    }
}

/// What became of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is queued.
    Queued,
    /// There was no room for it in time.
    Full,
    /// The client is gone.
    Closed,
}

impl Outbox {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("appending bytes does not panic")
    }

    /// Queues bytes. `false` if that goes beyond `bytes_max` or the client is gone; the caller then
    /// closes the connection.
    pub fn put(&self, bytes: &[u8], bytes_max: usize) -> bool {
        let mut state = self.state();
        if state.closed || state.len() + bytes.len() > bytes_max {
            return false;
        }
        state.bytes.extend_from_slice(bytes);
        drop(state);
        self.filled.notify_one();
        true
    }

    /// Queues bytes, however many, once less than `bytes_max` wait; gives up after `patience`.
    pub fn put_patiently(&self, bytes: &[u8], bytes_max: usize, patience: Duration) -> Put {
        let full = |state: &mut State| !state.closed && state.len() >= bytes_max;
        let wait = self.drained.wait_timeout_while(self.state(), patience, full);
        let (mut state, _) = wait.expect("appending bytes does not panic");
        if state.closed {
            return Put::Closed;
        }
        if state.len() >= bytes_max {
            return Put::Full;
        }
        state.bytes.extend_from_slice(bytes);
        drop(state);
        self.filled.notify_one();
        Put::Queued
    }

    /// Says that what was taken before is sent, waits for more, and swaps it into `into`, which is
    /// empty. `false` once closed and empty.
    pub fn take(&self, into: &mut Vec<u8>) -> bool {
        let mut state = self.state();
        state.leaving = 0;
        self.drained.notify_all();
        let waiting = |state: &mut State| state.bytes.is_empty() && !state.closed;
        let wait = self.filled.wait_while(state, waiting);
        let mut state = wait.expect("appending bytes does not panic");
        std::mem::swap(&mut state.bytes, into);
        state.leaving = into.len();
        !into.is_empty()
    }

    /// Takes no more; what is queued is still sent.
    pub fn close(&self) {
        self.state().closed = true;
        self.filled.notify_all();
        self.drained.notify_all();
    }

    /// Bytes that wait or are being sent.
    pub fn len(&self) -> usize {
        self.state().len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_being_sent_still_counts() {
        let outbox = Outbox::default();
        let mut taken = Vec::new();
        assert!(outbox.put(b"abc", 5));
        assert!(outbox.take(&mut taken));
        assert_eq!((taken.as_slice(), outbox.len()), (&b"abc"[..], 3));
        assert!(!outbox.put(b"def", 5));
        assert!(outbox.put(b"de", 5));
        taken.clear();
        assert!(outbox.take(&mut taken));
        assert_eq!((taken.as_slice(), outbox.len()), (&b"de"[..], 2));
    }

    #[test]
    fn a_reply_waits_for_room_and_not_for_ever() {
        let outbox = Outbox::default();
        let at_once = Duration::ZERO;
        assert_eq!(outbox.put_patiently(b"a long reply", 5, at_once), Put::Queued);
        assert_eq!(outbox.put_patiently(b"x", 5, at_once), Put::Full);
        outbox.close();
        assert_eq!(outbox.put_patiently(b"x", 5, at_once), Put::Closed);
        let mut taken = Vec::new();
        assert!(outbox.take(&mut taken), "what is queued is still sent");
        taken.clear();
        assert!(!outbox.take(&mut taken));
    }
}
