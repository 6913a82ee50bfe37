//! The clients for whom others have put something into the outbox, on their way to the postmen who
//! send it.

use super::registry::SharedRecord;
use crate::limits;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};

/// The queue between those who send something to clients and the postmen.
#[derive(Default)]
pub struct Post {
    state: Mutex<State>,
    /// A client was added, or all postmen are to go home.
    called: Condvar,
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

    /// Lets a postman come to a client. An outbox says when that is needed, once until he has come.
    pub fn call(&self, record: SharedRecord) {
        let mut state = self.state();
        state.clients.push_back(record);
        let wakes = state.sleeping > 0;
        if wakes {
            state.sleeping -= 1;
        }
        drop(state);
        if wakes {
            self.called.notify_one();
        }
    }

    /// Waits for clients and moves some into `into`. `false` once postmen are to go home.
    pub fn take(&self, into: &mut Vec<SharedRecord>) -> bool {
        let mut state = self.state();
        while state.clients.is_empty() && !state.closed {
            state.sleeping += 1;
            state = self.called.wait(state).expect("moving records does not panic");
        }
        let count = state.clients.len().min(limits::POST_ROUND_CLIENTS_MAX);
        into.extend(state.clients.drain(..count));
        count > 0
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
