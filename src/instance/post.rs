//! The clients for whom others have put something into the outbox, on their way to the postmen who
//! send it.

use super::registry::SharedRecord;
use crate::limits;
use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};

/// The queue between those who send something to clients and the postmen.
#[derive(Default)]
pub struct Post {
    state: Mutex<State>,
    /// How many clients wait; changed under `state`.
    waiting: AtomicUsize,
    /// A postman is needed, or all are to go home.
    called: Condvar,
}

thread_local! {
    /// Whether this thread serves those itself to whom it sends something.
    static ATTENDING: Cell<bool> = const { Cell::new(false) };
}

/// See [`Post::attend`].
pub struct Attending<'p> {
    post: &'p Post,
}

impl Drop for Attending<'_> {
    fn drop(&mut self) {
        ATTENDING.set(false);
        self.post.wake();
    }
}

#[derive(Default)]
struct State {
    clients: VecDeque<SharedRecord>,
    /// Postmen who sleep and were not yet woken.
    sleeping: usize,
    closed: bool,
}

impl Post {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("moving records does not panic")
    }

    /// Adds a client; an outbox says when that is needed. A postman is woken, unless this thread
    /// [attends](Self::attend).
    pub fn add(&self, record: SharedRecord) {
        let mut state = self.state();
        state.clients.push_back(record);
        self.waiting.store(state.clients.len(), Ordering::Relaxed);
        drop(state);
        if !ATTENDING.get() {
            self.wake();
        }
    }

    /// Lets this thread serve those clients itself, if they are [few](Self::take_few), to whom it sends
    /// something until the end of what this gives. Then a postman is woken for the others.
    pub fn attend(&self) -> Attending<'_> {
        ATTENDING.set(true);
        Attending { post: self }
    }

    /// Whether clients wait: one load. Whoever has added one sees it, unless it is served already.
    pub fn has_clients(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Wakes a postman if clients wait and none is on his way.
    pub fn wake(&self) {
        if !self.has_clients() {
            return;
        }
        let mut state = self.state();
        if state.sleeping > 0 && !state.clients.is_empty() {
            state.sleeping -= 1;
            drop(state);
            self.called.notify_one();
        }
    }

    fn take_some(&self, state: &mut State, count_max: usize, into: &mut Vec<SharedRecord>) {
        let count = state.clients.len().min(count_max);
        into.extend(state.clients.drain(..count));
        self.waiting.store(state.clients.len(), Ordering::Relaxed);
    }

    /// Moves all clients into `into`, to be served at once, if they are few; otherwise a postman is
    /// woken.
    pub fn take_few(&self, into: &mut Vec<SharedRecord>) {
        let mut state = self.state();
        if state.clients.len() > limits::POST_SELF_SERVED_CLIENTS_MAX {
            drop(state);
            return self.wake();
        }
        self.take_some(&mut state, limits::POST_SELF_SERVED_CLIENTS_MAX, into);
    }

    /// A postman waits for clients and moves some into `into`. `false` once he is to go home.
    pub fn take(&self, into: &mut Vec<SharedRecord>) -> bool {
        let mut state = self.state();
        while state.clients.is_empty() && !state.closed {
            state.sleeping += 1;
            state = self.called.wait(state).expect("moving records does not panic");
        }
        self.take_some(&mut state, limits::POST_ROUND_CLIENTS_MAX, into);
        !into.is_empty()
    }

    /// Sends the postmen home once they have been everywhere.
    pub fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.sleeping = 0;
        drop(state);
        self.called.notify_all();
    }
}
