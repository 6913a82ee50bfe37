//! Whether data is being loaded, and how far that has come. Until it is over clients are told so.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// The state of loading, of which there is at most one in a server's life: at its start.
#[derive(Default)]
pub struct Loading {
    is_on: AtomicBool,
    started_at_seconds: AtomicI64,
    total_bytes: AtomicU64,
    loaded_bytes: AtomicU64,
    loaded_keys: AtomicU64,
    expired_keys: AtomicU64,
    phase: Mutex<Phase>,
    ended: Condvar,
}

/// Where loading stands, or how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Phase {
    /// There is nothing to load, or everything was loaded.
    #[default]
    Over,
    /// Data is being loaded.
    Running,
    /// The server had to end before everything was loaded.
    Abandoned,
    /// Not everything could be loaded; says why.
    Failed(String),
}

/// How far loading has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadProgress {
    /// When it started, in unix seconds.
    pub started_at_seconds: i64,
    /// What there is to load; 0 if that is not known.
    pub total_bytes: u64,
    /// What was loaded of it.
    pub loaded_bytes: u64,
    /// Keys that were loaded.
    pub loaded_keys: u64,
    /// Keys that were past their deadline, and were not.
    pub expired_keys: u64,
}

impl Loading {
    fn phase_guard(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().expect("setting a phase does not panic")
    }

    /// Data of so many bytes is about to be loaded.
    pub fn start(&self, total_bytes: u64, now_seconds: i64) {
        self.total_bytes.store(total_bytes, Ordering::Relaxed);
        self.started_at_seconds.store(now_seconds, Ordering::Relaxed);
        self.is_on.store(true, Ordering::SeqCst);
        *self.phase_guard() = Phase::Running;
    }

    /// A key was loaded; what was read so far.
    pub fn note_key(&self, loaded_bytes: u64, is_expired: bool) {
        let counter = if is_expired { &self.expired_keys } else { &self.loaded_keys };
        counter.fetch_add(1, Ordering::Relaxed);
        self.loaded_bytes.store(loaded_bytes, Ordering::Relaxed);
    }

    /// It is over, one way or the other.
    pub fn end(&self, phase: Phase) {
        let mut guard = self.phase_guard();
        // Nobody is to be shown, or to change, half of what there was.
        self.is_on.store(phase != Phase::Over, Ordering::SeqCst);
        *guard = phase;
        drop(guard);
        self.ended.notify_all();
    }

    /// Whether what should be there is not there, or not yet.
    pub fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// How far it has come.
    pub fn progress(&self) -> LoadProgress {
        LoadProgress {
            started_at_seconds: self.started_at_seconds.load(Ordering::Relaxed),
            total_bytes: self.total_bytes.load(Ordering::Relaxed),
            loaded_bytes: self.loaded_bytes.load(Ordering::Relaxed),
            loaded_keys: self.loaded_keys.load(Ordering::Relaxed),
            expired_keys: self.expired_keys.load(Ordering::Relaxed),
        }
    }

    /// Waits until it is over, or for this time; where it stands then.
    pub fn wait(&self, time: Duration) -> Phase {
        let is_running = |phase: &mut Phase| *phase == Phase::Running;
        let (guard, _) = self
            .ended
            .wait_timeout_while(self.phase_guard(), time, is_running)
            .expect("setting a phase does not panic");
        guard.clone()
    }
}
