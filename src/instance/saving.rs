//! Saving: what is asked of the thread that saves, and how it went.

use crate::limits;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// What the thread that saves is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaveJob {
    /// To write a snapshot.
    Save,
    /// To write one, unless this says not to, and let the server end.
    Stop {
        /// Whether to write one.
        save: bool,
        /// Whether to end even if that fails.
        force: bool,
    },
    /// To read back what was written, over what there is (DEBUG RELOAD).
    Reload {
        /// Whether to write a snapshot first.
        save: bool,
        /// Whether what there is goes before.
        flush: bool,
        /// Whether what is read replaces keys that are there.
        merge: bool,
    },
}

/// Why a job is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTaken {
    /// Another one is under way.
    Busy,
    /// The server ends.
    Ending,
}

/// How the last snapshots went.
#[derive(Debug, Clone, Default)]
pub struct SaveHistory {
    /// When the last one was complete, in unix seconds; at first when the server started.
    pub last_seconds: i64,
    /// Why the last attempt failed, if it did.
    pub failure: Option<String>,
    /// How long the last attempt took.
    pub last_took: Option<Duration>,
    /// How many were complete.
    pub count: u64,
    /// Changes that the last complete one contains.
    pub saved_changes: u64,
    /// When the last attempt began.
    pub tried: Option<Instant>,
}

/// The state of saving.
#[derive(Default)]
pub struct Saving {
    state: Mutex<State>,
    changed: Condvar,
    /// Whether the last attempt failed, for those who only want to know that.
    has_failed: AtomicBool,
    /// Keys that the snapshot under way will hold, and that it holds already.
    keys_total: AtomicU64,
    keys_saved: AtomicU64,
}

#[derive(Default)]
struct State {
    /// What was asked for and has not begun.
    job: Option<SaveJob>,
    /// When what is under way was asked for.
    running: Option<Instant>,
    /// A snapshot is to follow what is under way.
    scheduled: bool,
    /// Jobs taken, those whose moment is fixed, and jobs done: the number of the last, to wait for one.
    taken: u64,
    fixed: u64,
    done: u64,
    /// Of the last jobs, latest last: their numbers, and why they failed, if they did.
    results: VecDeque<(u64, Option<String>)>,
    closed: bool,
    history: SaveHistory,
}

impl Saving {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("setting fields does not panic")
    }

    /// The server begins, at this time in unix seconds: as if it had been saved then.
    pub fn begin(&self, now_seconds: i64) {
        self.state().history.last_seconds = now_seconds;
    }

    /// Asks for a job; gives its number.
    ///
    /// # Errors
    /// Where another one is under way, or the server ends.
    pub fn request(&self, job: SaveJob) -> Result<u64, NotTaken> {
        let mut state = self.state();
        if state.closed {
            return Err(NotTaken::Ending);
        }
        if state.running.is_some() {
            return Err(NotTaken::Busy);
        }
        state.job = Some(job);
        state.running = Some(Instant::now());
        state.taken += 1;
        self.changed.notify_all();
        Ok(state.taken)
    }

    /// Asks for a snapshot when what is under way is done.
    pub fn schedule(&self) {
        self.state().scheduled = true;
        self.changed.notify_all();
    }

    /// Asks for a job as soon as no other is under way, and waits until it is done.
    ///
    /// # Errors
    /// Why it failed.
    pub fn run(&self, job: SaveJob) -> Result<(), String> {
        let number = loop {
            match self.request(job) {
                Ok(number) => break number,
                Err(NotTaken::Ending) => return Err("the server ends".to_owned()),
                Err(NotTaken::Busy) => {
                    let state = self.state();
                    let is_busy = |state: &mut State| !state.closed && state.running.is_some();
                    drop(self.changed.wait_while(state, is_busy));
                }
            }
        };
        self.wait_for(number)
    }

    /// Waits until later changes are no longer part of what a job saves.
    pub fn wait_for_moment(&self, number: u64) {
        let is_to_come =
            |state: &mut State| !state.closed && state.fixed < number && state.done < number;
        drop(self.changed.wait_while(self.state(), is_to_come));
    }

    /// The moment is fixed that the job under way saves.
    pub fn fix_moment(&self) {
        let mut state = self.state();
        state.fixed = state.taken;
        self.changed.notify_all();
    }

    /// Waits until a job is done.
    ///
    /// # Errors
    /// Why it failed.
    pub fn wait_for(&self, number: u64) -> Result<(), String> {
        let is_open = |state: &mut State| !state.closed && state.done < number;
        let state = self.changed.wait_while(self.state(), is_open);
        let state = state.expect("setting fields does not panic");
        let result = state.results.iter().find(|(done, _)| *done == number);
        match result {
            Some((_, None)) => Ok(()),
            Some((_, Some(reason))) => Err(reason.clone()),
            None => Err("the server ends".to_owned()),
        }
    }

    /// The next job for the thread that saves, as soon as there is one; `None` at the end.
    pub fn next_job(&self) -> Option<SaveJob> {
        let is_idle = |state: &mut State| !state.closed && state.job.is_none() && !state.scheduled;
        let state = self.changed.wait_while(self.state(), is_idle);
        let mut state = state.expect("setting fields does not panic");
        if state.closed {
            return None;
        }
        let now = Instant::now();
        state.history.tried = Some(now);
        Some(state.job.take().unwrap_or_else(|| {
            state.scheduled = false;
            state.running = Some(now);
            state.taken += 1;
            SaveJob::Save
        }))
    }

    /// A job is done: why it failed, if it did.
    pub fn finish_job(&self, result: Result<(), String>) {
        let mut state = self.state();
        state.running = None;
        state.done = state.taken;
        let number = state.done;
        state.results.push_back((number, result.err()));
        if state.results.len() > limits::SAVE_RESULTS_KEPT {
            state.results.pop_front();
        }
        self.changed.notify_all();
    }

    /// A snapshot was attempted. If it is complete: when, in unix seconds, and how many changes it
    /// contains.
    pub fn note_snapshot(&self, result: Result<(i64, u64), String>) {
        let mut state = self.state();
        let took = state.running.map(|since| since.elapsed());
        let history = &mut state.history;
        history.last_took = took;
        self.has_failed.store(result.is_err(), Ordering::SeqCst);
        match result {
            Ok((seconds, changes)) => {
                history.last_seconds = seconds;
                history.saved_changes = changes;
                history.count += 1;
                history.failure = None;
            }
            Err(reason) => history.failure = Some(reason),
        }
    }

    /// Ends the thread that saves, and every wait.
    pub fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }

    /// For how long something has been under way.
    pub fn running(&self) -> Option<Duration> {
        self.state().running.map(|since| since.elapsed())
    }

    /// How the last snapshots went.
    pub fn history(&self) -> SaveHistory {
        self.state().history.clone()
    }

    /// Whether the last attempt failed.
    pub fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }

    /// A snapshot of so many keys begins.
    pub fn expect_keys(&self, total: u64) {
        self.keys_saved.store(0, Ordering::Relaxed);
        self.keys_total.store(total, Ordering::Relaxed);
    }

    /// So many more keys are in the snapshot.
    pub fn add_keys(&self, count: u64) {
        self.keys_saved.fetch_add(count, Ordering::Relaxed);
    }

    /// Keys that the snapshot under way holds already, and that it will hold.
    pub fn keys(&self) -> (u64, u64) {
        (self.keys_saved.load(Ordering::Relaxed), self.keys_total.load(Ordering::Relaxed))
    }
}

/// A moment after which a snapshot is due: so many changes, and so many seconds since the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SavePoint {
    /// Seconds since the last snapshot.
    pub seconds: i64,
    /// Changes since then.
    pub changes: u64,
}

impl SavePoint {
    /// The points in the words of the directive `save`.
    pub fn all(words: &[String]) -> impl Iterator<Item = Self> {
        words.chunks_exact(2).map(|pair| Self {
            // The directive takes numbers only.
            seconds: pair[0].parse().unwrap_or(i64::MAX),
            changes: pair[1].parse().unwrap_or(u64::MAX),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_done_one_after_the_other() {
        let saving = Saving::default();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while let Some(job) = saving.next_job() {
                    assert!(saving.running().is_some());
                    saving.finish_job(match job {
                        SaveJob::Save => Ok(()),
                        _ => Err("no".to_owned()),
                    });
                }
            });
            let waiters: Vec<_> = (0..4)
                .map(|number| {
                    let saving = &saving;
                    scope.spawn(move || match number % 2 {
                        0 => assert_eq!(saving.run(SaveJob::Save), Ok(())),
                        _ => {
                            let stop = SaveJob::Stop { save: true, force: false };
                            assert_eq!(saving.run(stop), Err("no".to_owned()));
                        }
                    })
                })
                .collect();
            waiters.into_iter().for_each(|waiter| waiter.join().expect("it got its own result"));
            saving.close();
        });
        assert_eq!(saving.request(SaveJob::Save), Err(NotTaken::Ending));
        assert_eq!(saving.run(SaveJob::Save), Err("the server ends".to_owned()));
    }
}
