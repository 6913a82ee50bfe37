//! What one client subscribes to.

use super::Topic;
use indexmap::IndexSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// The names of what a client subscribes to. They change only together with the server's own books,
/// which the lock of each kind is held for.
#[derive(Default)]
pub struct Subscriptions {
    names: [Mutex<IndexSet<Arc<[u8]>>>; 3],
    counts: [AtomicUsize; 3],
}

impl Subscriptions {
    pub(super) fn of(&self, topic: Topic) -> MutexGuard<'_, IndexSet<Arc<[u8]>>> {
        self.names[topic as usize].lock().expect("subscribing does not panic")
    }

    pub(super) fn count_of(&self, topic: Topic) -> &AtomicUsize {
        &self.counts[topic as usize]
    }

    /// Number of channels, patterns or shard channels.
    pub fn count(&self, topic: Topic) -> usize {
        self.count_of(topic).load(Ordering::SeqCst)
    }

    /// Whether there is none at all.
    pub fn is_empty(&self) -> bool {
        self.counts.iter().all(|count| count.load(Ordering::SeqCst) == 0)
    }

    /// The names of one kind; as long as none was left, in the order of subscription.
    pub fn names(&self, topic: Topic) -> Vec<Arc<[u8]>> {
        self.of(topic).iter().cloned().collect()
    }

    /// Bytes of memory that they take.
    pub fn memory_bytes(&self) -> usize {
        /// An entry of the set, and its slot in the set's table.
        const ENTRY_BYTES: usize = size_of::<Arc<[u8]>>() + 2 * size_of::<usize>();
        let bytes = |names: &Mutex<IndexSet<Arc<[u8]>>>| {
            let names = names.lock().expect("subscribing does not panic");
            names.capacity() * ENTRY_BYTES + names.iter().map(|name| name.len()).sum::<usize>()
        };
        if self.is_empty() { 0 } else { self.names.iter().map(bytes).sum() }
    }
}
