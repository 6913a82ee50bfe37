//! The wish that the server end, and what waits for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// Set once by Ctrl-C, SHUTDOWN or a handle; never taken back.
#[derive(Default)]
pub struct Stop {
    requested: AtomicBool,
    failure: Mutex<Option<&'static str>>,
    changed: Condvar,
}

impl Stop {
    fn failure_guard(&self) -> MutexGuard<'_, Option<&'static str>> {
        self.failure.lock().expect("setting a text does not panic")
    }

    /// Asks the server to end.
    pub fn request(&self) {
        // Under the lock, so that nobody is between looking and sleeping.
        let failure = self.failure_guard();
        self.requested.store(true, Ordering::SeqCst);
        self.changed.notify_all();
        drop(failure);
    }

    /// Makes the server end with an error.
    pub fn fail(&self, reason: &'static str) {
        self.failure_guard().get_or_insert(reason);
        self.request();
    }

    /// Why the server has to end, if it is an error.
    pub fn failure(&self) -> Option<&'static str> {
        *self.failure_guard()
    }

    /// Whether the server is to end.
    pub fn is_requested(&self) -> bool {
        self.requested.load(Ordering::SeqCst)
    }

    /// Sleeps until the server is to end, or for this time. Whether it is to end.
    pub fn wait(&self, time: Duration) -> bool {
        let wait =
            self.changed.wait_timeout_while(self.failure_guard(), time, |_| !self.is_requested());
        drop(wait.expect("setting a text does not panic"));
        self.is_requested()
    }
}
