//! One session at a time stays awake for its client's next request.
//!
//! To wake a sleeping thread costs more than to serve most requests, above all on a virtual machine.
//! So whoever is about to wait for input may keep watch for some microseconds instead of going to
//! sleep. One only, and only while no other session wakes up: a thread that watches keeps a core from
//! those who have something to do, and would make some of their requests wait for a time slice.

use crate::limits;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

const LENGTH_MAX: Duration = Duration::from_micros(limits::VIGIL_US_MAX);

/// Whether a session is awake.
#[derive(Debug, Default)]
pub struct Vigil {
    kept: AtomicBool,
    /// Counts sessions that were woken.
    woken: AtomicU32,
}

/// The right to stay awake, given back when dropped.
#[derive(Debug)]
pub struct Watch<'v> {
    vigil: &'v Vigil,
    began: Instant,
    woken_before: u32,
}

impl Vigil {
    /// The right to stay awake, unless another has it.
    pub fn keep(&self) -> Option<Watch<'_>> {
        // The load alone lets the many who come in vain share the cache line.
        let taken = self.kept.load(Ordering::Relaxed) || self.kept.swap(true, Ordering::Relaxed);
        let watch = |woken_before| Watch { vigil: self, began: Instant::now(), woken_before };
        (!taken).then(|| watch(self.woken_count()))
    }

    /// How many sessions have been woken so far; it wraps around.
    pub fn woken_count(&self) -> u32 {
        self.woken.load(Ordering::Relaxed)
    }

    /// Says that a session was asleep and has something to do: nobody is to be in its way.
    pub fn has_woken(&self) {
        self.woken.fetch_add(1, Ordering::Relaxed);
    }
}

impl Watch<'_> {
    /// Whether it is time to go to sleep.
    pub fn is_over(&self) -> bool {
        self.vigil.woken_count() != self.woken_before || self.began.elapsed() >= LENGTH_MAX
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.vigil.kept.store(false, Ordering::Relaxed);
    }
}

/// Whether staying awake has been worth it for one session. Where a client's next request takes longer
/// to come, because it thinks or has many others to serve, watching for it only delays the others: so
/// every time in vain is followed by twice as many reads without. Nor is it worth it in company: where others
/// are served between any two requests of a client, one of them would wait for a time slice.
#[derive(Debug, Default)]
pub struct Habit {
    /// How often not to stay awake after the next time in vain.
    penalty_reads: u32,
    /// How often still not.
    asleep_reads: u32,
    /// How many sessions had been woken by the last read.
    woken_before: u32,
}

impl Habit {
    /// Whether to try to stay awake for the next read, when so many sessions have been woken.
    pub fn is_worth_a_try(&mut self, woken_count: u32) -> bool {
        let others = woken_count.wrapping_sub(self.woken_before);
        self.woken_before = woken_count;
        if others > limits::VIGIL_OTHERS_MAX {
            return false;
        }
        let is_worth = self.asleep_reads == 0;
        self.asleep_reads = self.asleep_reads.saturating_sub(1);
        is_worth
    }

    /// Counts its own waking, which is no company.
    pub fn was_woken(&mut self) {
        self.woken_before = self.woken_before.wrapping_add(1);
    }

    /// Learns whether input came while awake.
    pub fn learn(&mut self, input_came: bool) {
        let doubled = (2 * self.penalty_reads + 1).min(limits::VIGIL_PENALTY_READS_MAX);
        self.penalty_reads = if input_came { 0 } else { doubled };
        self.asleep_reads = self.penalty_reads;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_stays_awake_at_a_time() {
        let vigil = Vigil::default();
        let watch = vigil.keep();
        assert!(watch.is_some());
        assert!(vigil.keep().is_none());
        drop(watch);
        assert!(vigil.keep().is_some());
    }

    #[test]
    fn a_watch_is_over_when_somebody_else_has_something_to_do() {
        let vigil = Vigil::default();
        let watch = vigil.keep().expect("nobody else keeps it");
        vigil.has_woken();
        assert!(watch.is_over());
    }

    #[test]
    fn who_stays_awake_in_vain_does_so_ever_more_rarely() {
        let mut habit = Habit::default();
        let mut tries_of = |came: bool| {
            (0..1000)
                .filter(|_| {
                    let tries = habit.is_worth_a_try(0);
                    if tries {
                        habit.learn(came);
                    }
                    tries
                })
                .count()
        };
        assert!(tries_of(false) < 15);
        // Once it was worth it, it is so until it is not.
        assert!(tries_of(true) > 700);
        assert!(tries_of(false) < 15);
    }

    #[test]
    fn who_has_company_goes_to_sleep() {
        let mut habit = Habit::default();
        assert!(!habit.is_worth_a_try(10));
        assert!(habit.is_worth_a_try(11));
        assert!(!habit.is_worth_a_try(13));
        // Nobody is company to himself.
        habit.was_woken();
        habit.was_woken();
        assert!(habit.is_worth_a_try(15));
    }
}
