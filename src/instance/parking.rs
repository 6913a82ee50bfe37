//! Where a client's thread sleeps while its command waits, and what wakes it: its time is over,
//! another client lets it go on, the reason to wait is gone, the peer hangs up, the connection is to
//! end.

use crate::limits;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How CLIENT UNBLOCK lets a waiting client go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unblock {
    /// As if its time were over.
    AsTimeout,
    /// With an error.
    WithError,
}

/// Why a client that waited goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// Its time is over, or there is no reason to wait any more.
    TimeOver,
    /// Another client said so.
    Unblocked(Unblock),
    /// Its connection is to end, or has ended.
    Closing,
}

/// How long a blocked client waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Until something happens.
    Endless,
    /// Until its time is over.
    Bounded,
    /// Until a pause is over: CLIENT UNBLOCK does not let it go on.
    Paused,
}

/// What one client's thread sleeps in. It is looked at whether the peer is still there about as often
/// as `HANG_UP_LOOK_MS` says.
#[derive(Debug, Default)]
pub struct Parking {
    state: Mutex<State>,
    changed: Condvar,
    /// Set once, when the connection is to end; changed under `state`.
    closing: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    /// Whether a command waits, and how.
    blocked: Option<Patience>,
    /// How to go on.
    unblock: Option<Unblock>,
}

impl Parking {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("setting a field does not panic")
    }

    /// Wakes the thread, and lets it never sleep here again.
    pub fn close(&self) {
        let state = self.state();
        self.closing.store(true, Ordering::SeqCst);
        self.changed.notify_all();
        drop(state);
    }

    /// Whether the connection is to end.
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// Lets a thread that is blocked look again whether it still has to wait. What made it wait must
    /// have changed before.
    pub fn wake(&self) {
        // Under the lock, so that the thread is not between looking and sleeping.
        let state = self.state();
        self.changed.notify_all();
        drop(state);
    }

    /// How long the thread, which waits inside a command, goes on waiting; `None` if it does not wait.
    pub fn blocked(&self) -> Option<Patience> {
        self.state().blocked
    }

    /// Lets a blocked thread go on; whether it was blocked.
    pub fn unblock(&self, how: Unblock) -> bool {
        let mut state = self.state();
        let waits = matches!(state.blocked, Some(Patience::Endless | Patience::Bounded));
        if !waits || state.unblock.is_some() {
            return false;
        }
        state.unblock = Some(how);
        self.changed.notify_all();
        true
    }

    /// Sleeps as one who is blocked, as long as there is a reason; without a time, until something
    /// happens.
    pub fn block(
        &self,
        patience: Patience,
        time: Option<Duration>,
        reason: impl Fn() -> bool,
        has_hung_up: impl Fn() -> bool,
    ) -> Wake {
        self.state().blocked = Some(patience);
        let wake = self.sleep(time, reason, has_hung_up);
        let state = std::mem::take(&mut *self.state());
        match state.unblock {
            // It came when the time was just over; the other client was told that it worked.
            Some(how) if wake == Wake::TimeOver => Wake::Unblocked(how),
            _ => wake,
        }
    }

    /// Sleeps for this time.
    pub fn sleep(
        &self,
        time: Option<Duration>,
        reason: impl Fn() -> bool,
        has_hung_up: impl Fn() -> bool,
    ) -> Wake {
        // A time that the clock cannot express never comes.
        let end = time.and_then(|time| Instant::now().checked_add(time));
        let asleep = |state: &mut State| !self.is_closing() && state.unblock.is_none() && reason();
        loop {
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            let look = Duration::from_millis(limits::HANG_UP_LOOK_MS);
            let nap = left.map_or(look, |left| left.min(look));
            let wait = self.changed.wait_timeout_while(self.state(), nap, asleep);
            let (state, waited) = wait.expect("setting a field does not panic");
            let unblock = state.unblock;
            drop(state);
            match unblock {
                _ if self.is_closing() => return Wake::Closing,
                Some(how) => return Wake::Unblocked(how),
                None if !waited.timed_out() || left == Some(nap) => return Wake::TimeOver,
                None if has_hung_up() => self.close(),
                None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_ends_for_each_of_its_reasons() {
        let never = || false;
        let always = || true;
        let parking = Parking::default();
        let long = Some(Duration::from_secs(600));
        assert_eq!(parking.sleep(Some(Duration::ZERO), always, never), Wake::TimeOver);
        assert_eq!(parking.sleep(long, never, never), Wake::TimeOver);
        assert_eq!(parking.sleep(long, always, always), Wake::Closing, "the peer hung up");
        assert_eq!(parking.sleep(long, always, never), Wake::Closing, "it stays closed");
    }

    #[test]
    fn another_thread_unblocks_but_ends_no_pause() {
        for (patience, expected) in [
            (Patience::Endless, Wake::Unblocked(Unblock::WithError)),
            (Patience::Paused, Wake::Closing),
        ] {
            let parking = Parking::default();
            assert!(!parking.unblock(Unblock::WithError), "nobody is blocked yet");
            std::thread::scope(|scope| {
                let sleeper = scope.spawn(|| parking.block(patience, None, || true, || false));
                while parking.blocked().is_none() {
                    std::thread::yield_now();
                }
                assert_eq!(parking.unblock(Unblock::WithError), patience != Patience::Paused);
                if patience == Patience::Paused {
                    parking.close();
                }
                assert_eq!(sleeper.join().unwrap(), expected);
            });
            assert_eq!(parking.blocked(), None);
        }
    }
}
