//! A command that its client has left behind to wait, for whoever makes it possible to run.

use super::client::ClientRecord;
use crate::keyspace::Moment;
use crate::protocol::{Protocol, Request};
use std::sync::MutexGuard;

/// A command that waits, and what is needed to run it without its client's thread.
pub struct ParkedCall {
    /// The command.
    pub request: Request,
    /// Its client's database.
    pub db: usize,
    /// The protocol in which it is answered.
    pub protocol: Protocol,
    /// Limits and randomness; the time is that of whoever runs it.
    pub moment: Moment,
    /// Its reply, and whether that is no error, once somebody has run it.
    pub answer: Option<(Vec<u8>, bool)>,
}

/// Where a client leaves its command: the command is taken out while somebody attempts it.
pub(super) type ParkingPlace = std::sync::Mutex<Option<ParkedCall>>;

impl ClientRecord {
    fn parked(&self) -> MutexGuard<'_, Option<ParkedCall>> {
        self.parked_call.lock().expect("moving a call does not panic")
    }

    /// Leaves a command behind, or puts back one that was taken.
    pub fn leave_call(&self, call: ParkedCall) {
        *self.parked() = Some(call);
    }

    /// Takes the command that waits, to attempt it or to give it up. Whoever does so holds the lock of
    /// a key that it waits for; so nobody else has it in hands.
    pub fn take_call(&self) -> Option<ParkedCall> {
        self.parked().take()
    }

    /// Whether the command that was left behind has been run.
    pub fn is_answered(&self) -> bool {
        self.parked().as_ref().is_some_and(|call| call.answer.is_some())
    }
}
