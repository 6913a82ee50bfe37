//! Queues in front of shards, for those who have much to change in one, and in front of the turn.
//!
//! Whoever finds a lock taken sleeps, and is woken soon after. With several long pipelines that change one key
//! this happens every few requests, and may take longer than these. In a queue it happens once for each pipeline.
//! Those that are done sooner than somebody is woken come through faster without: they most often find nobody.

use super::Keyspace;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};

/// What a queue is in front of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// To change this shard.
    Shard(usize),
    /// To [lock as needed](Keyspace::lock_as_needed).
    Turn,
}

/// Who wants to be the only one with much to do there, first come, first served.
#[derive(Default)]
pub(super) struct Queue {
    /// Whether somebody is at the front; changed under `behind`.
    is_led: AtomicBool,
    behind: Mutex<VecDeque<Arc<Waiter>>>,
}

struct Waiter {
    thread: Thread,
    is_first: AtomicBool,
}

/// The place at the front of a queue, until this is dropped.
pub struct Front<'k>(&'k Queue);

impl Queue {
    fn behind(&self) -> MutexGuard<'_, VecDeque<Arc<Waiter>>> {
        // Whoever panics with it has left it as it was.
        self.behind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the front.
    fn enter(&self) -> Front<'_> {
        let mut behind = self.behind();
        if !self.is_led.swap(true, Ordering::Relaxed) {
            return Front(self);
        }
        let waiter = Waiter { thread: thread::current(), is_first: AtomicBool::new(false) };
        let waiter = Arc::new(waiter);
        behind.push_back(Arc::clone(&waiter));
        drop(behind);
        while !waiter.is_first.load(Ordering::Acquire) {
            thread::park();
        }
        Front(self)
    }
}

impl Drop for Front<'_> {
    fn drop(&mut self) {
        let mut behind = self.0.behind();
        let next = behind.pop_front();
        self.0.is_led.store(next.is_some(), Ordering::Relaxed);
        drop(behind);
        if let Some(next) = next {
            next.is_first.store(true, Ordering::Release);
            next.thread.unpark();
        }
    }
}

impl Keyspace {
    fn queue(&self, goal: Goal) -> &Queue {
        match goal {
            Goal::Shard(shard) => &self.slots[shard].queue,
            Goal::Turn => &self.turn_queue,
        }
    }

    /// Waits until nobody before has much to do there. It locks nothing, and who waits must not have anything
    /// locked.
    pub fn queue_up(&self, goal: Goal) -> Front<'_> {
        self.queue(goal).enter()
    }

    /// Number of those in the queue, the first one included.
    #[cfg(test)]
    pub fn queue_length(&self, goal: Goal) -> usize {
        let queue = self.queue(goal);
        let behind = queue.behind();
        behind.len() + usize::from(queue.is_led.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_first_is_first_and_alone() {
        let queue = &Queue::default();
        let served = &Mutex::new(Vec::new());
        thread::scope(|scope| {
            let front = queue.enter();
            for number in 0..5 {
                scope.spawn(move || {
                    let _front = queue.enter();
                    served.try_lock().expect("nobody else is at the front").push(number);
                });
                while queue.behind().len() <= number {
                    thread::yield_now();
                }
            }
            drop(front);
        });
        assert_eq!(*served.lock().expect("nothing panics with it"), [0, 1, 2, 3, 4]);
        assert!(!queue.is_led.load(Ordering::Relaxed));
    }
}
