//! CLIENT PAUSE: commands that wait for a while.
//!
//! While nobody is paused this costs a command one load.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

/// Which commands wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PauseMode {
    /// Those that change data.
    Writes = 1,
    /// All.
    Everything = 2,
}

/// Whether and until when commands wait.
#[derive(Debug, Default)]
pub struct Pause {
    /// The mode as a number, 0 without a pause; changed under `state`.
    level: AtomicU8,
    state: Mutex<Option<State>>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    mode: PauseMode,
    until_ms: u64,
}

impl Pause {
    fn state(&self) -> MutexGuard<'_, Option<State>> {
        self.state.lock().expect("comparing numbers does not panic")
    }

    /// Forgets a pause that is over.
    fn current(&self, now_ms: u64) -> MutexGuard<'_, Option<State>> {
        let mut state = self.state();
        if state.is_some_and(|state| state.until_ms <= now_ms) {
            *state = None;
            self.level.store(0, Ordering::SeqCst);
        }
        state
    }

    /// Pauses. Of two pauses at once the wider one counts, and the one that ends later.
    pub fn start(&self, mode: PauseMode, until_ms: u64, now_ms: u64) {
        if until_ms <= now_ms {
            return;
        }
        let mut state = self.current(now_ms);
        let merged = match *state {
            None => State { mode, until_ms },
            Some(old) => State { mode: old.mode.max(mode), until_ms: old.until_ms.max(until_ms) },
        };
        *state = Some(merged);
        self.level.store(merged.mode as u8, Ordering::SeqCst);
    }

    /// Ends a pause early.
    pub fn end(&self) {
        let mut state = self.state();
        *state = None;
        self.level.store(0, Ordering::SeqCst);
    }

    /// Whether a command of this kind waits now.
    pub fn holds(&self, mode: PauseMode, now_ms: impl FnOnce() -> u64) -> bool {
        // What holds everything holds more than what holds writes.
        let level = self.level.load(Ordering::SeqCst);
        let holding = match mode {
            PauseMode::Writes => level > 0,
            PauseMode::Everything => level == PauseMode::Everything as u8,
        };
        holding && self.current(now_ms()).is_some()
    }

    /// How long the pause goes on, if there is one.
    pub fn rest(&self, now_ms: u64) -> Option<Duration> {
        if self.level.load(Ordering::SeqCst) == 0 {
            return None;
        }
        let state = *self.current(now_ms);
        state.map(|state| Duration::from_millis(state.until_ms - now_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::PauseMode::{Everything, Writes};
    use super::*;

    #[test]
    fn the_wider_and_the_later_of_two_pauses_count() {
        // (pauses as mode and end, a moment, whether it holds writes and everything then)
        type Case = (&'static [(PauseMode, u64)], u64, bool, bool);
        let cases: [Case; 7] = [
            (&[], 0, false, false),
            (&[(Writes, 10)], 9, true, false),
            (&[(Writes, 10)], 10, false, false),
            (&[(Everything, 10)], 9, true, true),
            (&[(Writes, 20), (Everything, 10)], 15, true, true),
            (&[(Everything, 10), (Writes, 20)], 15, true, true),
            (&[(Writes, 0)], 0, false, false),
        ];
        for (pauses, now_ms, writes, everything) in cases {
            let pause = Pause::default();
            pauses.iter().for_each(|(mode, until_ms)| pause.start(*mode, *until_ms, 0));
            let holds = |mode| pause.holds(mode, || now_ms);
            assert_eq!((holds(Writes), holds(Everything)), (writes, everything), "{pauses:?}");
        }
    }

    #[test]
    fn a_pause_that_is_over_is_forgotten() {
        let pause = Pause::default();
        pause.start(Everything, 10, 0);
        pause.start(Writes, 30, 20);
        assert!(!pause.holds(Everything, || 21));
        assert_eq!(pause.rest(21), Some(Duration::from_millis(9)));
        pause.end();
        assert_eq!(pause.rest(21), None);
    }
}
