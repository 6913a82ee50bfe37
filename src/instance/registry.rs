//! Who is connected.

use super::client::ClientRecord;
use super::notice::Notice;
use crate::config::BufferLimits;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// What others see of a client, for as long as anybody looks.
pub type SharedRecord = Arc<ClientRecord>;

/// Every connected client by id, and the ones that watch all others (MONITOR).
#[derive(Default)]
pub struct Registry {
    clients: Mutex<BTreeMap<u64, SharedRecord>>,
    last_id: AtomicU64,
    monitors: Mutex<Vec<SharedRecord>>,
    monitor_count: AtomicUsize,
}

impl Registry {
    /// An id that no client had before.
    pub fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn clients(&self) -> MutexGuard<'_, BTreeMap<u64, SharedRecord>> {
        self.clients.lock().expect("moving records does not panic")
    }

    fn monitors(&self) -> MutexGuard<'_, Vec<SharedRecord>> {
        self.monitors.lock().expect("moving records does not panic")
    }

    /// Adds a client.
    pub fn add(&self, record: SharedRecord) {
        self.clients().insert(record.id, record);
    }

    /// Removes a client that is gone.
    pub fn remove(&self, id: u64) {
        self.remove_monitor(id);
        self.clients().remove(&id);
    }

    /// Ends a client's connection, whatever it does; gives the client unless it was gone already.
    pub fn kill(&self, id: u64) -> Option<SharedRecord> {
        // It is gone for everybody from now on, however long its thread takes to notice.
        let record = self.clients().remove(&id)?;
        self.remove_monitor(id);
        record.kill();
        Some(record)
    }

    /// The client with this id.
    pub fn get(&self, id: u64) -> Option<SharedRecord> {
        self.clients().get(&id).cloned()
    }

    /// Every client, oldest first.
    pub fn all(&self) -> Vec<SharedRecord> {
        self.clients().values().cloned().collect()
    }

    /// Lets every client that waits look again whether it still has to.
    pub fn wake_all(&self) {
        self.all().iter().for_each(|record| record.wake());
    }

    /// Number of clients.
    pub fn len(&self) -> usize {
        self.clients().len()
    }

    /// Whether nobody is connected.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes a client see every command that is run from now on. It has an outbox, which the session
    /// of the client empties.
    pub fn add_monitor(&self, record: SharedRecord) {
        record.open_outbox();
        let mut monitors = self.monitors();
        record.monitor.set(true);
        monitors.push(record);
        self.monitor_count.store(monitors.len(), Ordering::SeqCst);
    }

    /// Makes a client see commands no more.
    pub fn remove_monitor(&self, id: u64) {
        if self.has_monitors() {
            let mut monitors = self.monitors();
            monitors.retain(|record| {
                let stays = record.id != id;
                if !stays {
                    record.monitor.set(false);
                }
                stays
            });
            self.monitor_count.store(monitors.len(), Ordering::SeqCst);
        }
    }

    /// Whether anybody sees every command: one load when nobody does.
    pub fn has_monitors(&self) -> bool {
        self.monitor_count.load(Ordering::SeqCst) > 0
    }

    /// Sends a line to everyone who sees every command.
    pub fn tell_monitors(&self, line: &[u8], limits: &BufferLimits) {
        let notice = Notice::line(line);
        // Under the lock: all monitors see commands in the same order.
        for record in self.monitors().iter().filter(|record| !record.muted.is_on()) {
            record.push(&notice, limits);
        }
    }
}
