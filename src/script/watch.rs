//! Scripts that run for long: who has to be told, and how they are ended.
//!
//! A script that is done soon is never seen here. While none runs for long, others pay one load.

use crate::limits;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// One script while it runs.
#[derive(Debug)]
pub struct Run {
    started: Instant,
    /// Whether it has changed anything, so that it cannot be ended any more.
    wrote: AtomicBool,
    killed: AtomicBool,
    is_listed: AtomicBool,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            wrote: AtomicBool::new(false),
            killed: AtomicBool::new(false),
            is_listed: AtomicBool::new(false),
        }
    }
}

impl Run {
    /// Takes note that it has changed something.
    pub fn note_write(&self) {
        self.wrote.store(true, Ordering::Relaxed);
    }

    /// Whether somebody has asked that it end.
    pub fn is_killed(&self) -> bool {
        self.killed.load(Ordering::Relaxed)
    }
}

/// Why no script was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KillError {
    /// None runs for long.
    NotBusy,
    /// It has written.
    Unkillable,
}

/// The scripts of one server that run for long.
#[derive(Debug, Default)]
pub struct Watch {
    /// How many there are; changed under `runs`.
    count: AtomicUsize,
    runs: Mutex<Vec<Arc<Run>>>,
    changed: Condvar,
    is_ending: AtomicBool,
}

impl Watch {
    fn runs(&self) -> MutexGuard<'_, Vec<Arc<Run>>> {
        self.runs.lock().expect("a list of scripts is changed in steps that do not panic")
    }

    /// Called by a script every now and then. Whether it may go on.
    pub(super) fn look(&self, run: &Arc<Run>) -> bool {
        let is_long = run.started.elapsed() >= Duration::from_millis(limits::SHORT_SCRIPT_MS_MAX);
        if is_long && !run.is_listed.swap(true, Ordering::Relaxed) {
            let mut runs = self.runs();
            runs.push(Arc::clone(run));
            self.count.store(runs.len(), Ordering::SeqCst);
            self.changed.notify_all();
        }
        !run.is_killed() && !self.is_ending.load(Ordering::Relaxed)
    }

    /// Called when a script is over.
    pub fn finish(&self, run: &Arc<Run>) {
        if run.is_listed.load(Ordering::Relaxed) {
            let mut runs = self.runs();
            runs.retain(|other| !Arc::ptr_eq(other, run));
            self.count.store(runs.len(), Ordering::SeqCst);
            self.changed.notify_all();
        }
    }

    /// Whether any script runs for long.
    pub fn is_on(&self) -> bool {
        self.count.load(Ordering::Relaxed) != 0
    }

    /// Waits until no script runs for long any more. `false` if one is still running after so much
    /// time since it began.
    pub fn wait(&self, patience: Duration) -> bool {
        let mut runs = self.runs();
        while let Some(longest) = runs.iter().map(|run| run.started.elapsed()).max() {
            let Some(rest) = patience.checked_sub(longest).filter(|rest| !rest.is_zero()) else {
                return false;
            };
            let waited = self.changed.wait_timeout(runs, rest);
            runs = waited.expect("a list of scripts is changed in steps that do not panic").0;
        }
        true
    }

    /// Ends the scripts that run for long.
    pub fn kill(&self) -> Result<(), KillError> {
        let runs = self.runs();
        if runs.is_empty() {
            return Err(KillError::NotBusy);
        }
        if runs.iter().any(|run| run.wrote.load(Ordering::Relaxed)) {
            return Err(KillError::Unkillable);
        }
        runs.iter().for_each(|run| run.killed.store(true, Ordering::Relaxed));
        Ok(())
    }

    /// Ends every script for good, since the server ends. One that runs later ends as soon as it is
    /// looked at.
    pub fn end(&self) {
        self.is_ending.store(true, Ordering::Relaxed);
    }
}
