//! Who is connected.

use super::client::ClientRecord;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// What others see of a client, for as long as anybody looks.
pub type SharedRecord = Arc<ClientRecord>;

/// Every connected client by id.
#[derive(Default)]
pub struct Registry {
    clients: Mutex<BTreeMap<u64, SharedRecord>>,
    last_id: AtomicU64,
}

impl Registry {
    /// An id that no client had before.
    pub fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn clients(&self) -> MutexGuard<'_, BTreeMap<u64, SharedRecord>> {
        self.clients.lock().expect("moving records does not panic")
    }

    /// Adds a client.
    pub fn add(&self, record: SharedRecord) {
        self.clients().insert(record.id, record);
    }

    /// Removes a client that is gone.
    pub fn remove(&self, id: u64) {
        self.clients().remove(&id);
    }

    /// Ends a client's connection, whatever it does; gives the client unless it was gone already.
    pub fn kill(&self, id: u64) -> Option<SharedRecord> {
        // It is gone for everybody from now on, however long its thread takes to notice.
        let record = self.clients().remove(&id)?;
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
}
