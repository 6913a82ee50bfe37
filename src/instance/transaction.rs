//! What a client has queued behind MULTI and what it watches.

use super::client::Client;
use super::{Gauge, Instance};
use crate::keyspace::{LockPlan, Locked, WatchFlag};
use crate::protocol::Request;
use std::sync::Arc;

/// A key that is to stay as it is until EXEC.
#[derive(Debug, PartialEq, Eq)]
pub struct WatchedKey {
    /// Its database.
    pub db: usize,
    /// The key.
    pub key: Box<[u8]>,
}

/// A client's transaction: nothing at all, or keys that it watches, or also commands that it queues.
#[derive(Default)]
pub struct Transaction {
    queue: Option<Vec<Request>>,
    /// Whether a command could not be queued, so that nothing of this will run.
    failed: bool,
    watched: Vec<WatchedKey>,
    flag: Arc<WatchFlag>,
}

/// What others see of a transaction.
#[derive(Debug, Default)]
pub struct TransactionGauges {
    /// Number of commands queued and one more, or 0 where none is queued.
    pub queued: Gauge,
    /// Bytes of memory that they take.
    pub queued_bytes: Gauge,
    /// Number of keys watched.
    pub watched: Gauge,
}

impl Client {
    /// Whether commands are queued rather than run.
    pub fn is_queueing(&self) -> bool {
        self.transaction.queue.is_some()
    }

    /// Queues commands from now on.
    pub fn start_queue(&mut self) {
        self.transaction.queue = Some(Vec::new());
        self.record.transaction.queued.set(1);
    }

    /// Queues a command; the request is empty afterwards.
    pub fn queue(&mut self, request: &mut Request) {
        let Some(queue) = &mut self.transaction.queue else { return };
        let gauges = &self.record.transaction;
        let bytes = gauges.queued_bytes.get() + request.memory_bytes() as u64;
        gauges.queued_bytes.set(bytes);
        queue.push(std::mem::take(request));
        gauges.queued.set_count(queue.len() + 1);
    }

    /// Takes note that a command was refused: if others are queued, none of them will run.
    pub fn fail_queue(&mut self) {
        self.transaction.failed |= self.is_queueing();
    }

    /// Whether a command was refused since the queue began.
    pub fn has_failed_queue(&self) -> bool {
        self.transaction.failed
    }

    /// Ends the queue and gives what is in it; `None` if there is none.
    pub fn take_queue(&mut self) -> Option<Vec<Request>> {
        self.transaction.failed = false;
        self.record.transaction.queued.set(0);
        self.record.transaction.queued_bytes.set(0);
        self.transaction.queue.take()
    }

    /// Puts back what was taken, to be run another time.
    pub fn return_queue(&mut self, queue: Vec<Request>) {
        self.start_queue();
        queue.into_iter().for_each(|mut request| self.queue(&mut request));
    }

    /// The keys that are watched.
    pub fn watched(&self) -> &[WatchedKey] {
        &self.transaction.watched
    }

    /// Whether a watched key has changed.
    pub fn has_seen_change(&self) -> bool {
        self.transaction.flag.is_raised()
    }

    /// Watches keys of the database that is selected. Their locks must be exclusive.
    pub fn watch<'a>(
        &mut self,
        keys: impl Iterator<Item = &'a [u8]>,
        instance: &Instance,
        locked: &mut Locked<'_>,
        now_ms: u64,
    ) {
        let Transaction { watched, flag, .. } = &mut self.transaction;
        for key in keys {
            let new = WatchedKey { db: self.db, key: key.into() };
            if !watched.contains(&new) {
                locked.watch(self.db, instance.keyspace.key(key), flag, now_ms);
                watched.push(new);
            }
        }
        self.record.transaction.watched.set_count(watched.len());
        *self.record.watch_flag() = Arc::clone(flag);
    }

    /// Watches nothing any more. The locks of what was watched must be exclusive. Whether any of it
    /// has changed or passed its deadline.
    pub fn unwatch(&mut self, instance: &Instance, locked: &mut Locked<'_>, now_ms: u64) -> bool {
        let mut changed = self.has_seen_change();
        let flag = std::mem::take(&mut self.transaction.flag);
        for WatchedKey { db, key } in self.transaction.watched.drain(..) {
            changed |= locked.unwatch(db, instance.keyspace.key(&key), &flag, now_ms);
        }
        self.record.transaction.watched.set(0);
        *self.record.watch_flag() = Arc::default();
        changed
    }
}

impl Instance {
    /// What has to be locked for a client to watch nothing any more.
    pub fn watch_plan(&self, client: &Client) -> LockPlan {
        LockPlan::for_hashes(
            client.watched().iter().map(|watched| self.keyspace.hash(&watched.key)),
        )
    }

    /// Lets a client watch nothing any more.
    pub fn unwatch(&self, client: &mut Client) {
        if !client.watched().is_empty() {
            let mut locked = self.keyspace.lock_exclusive(&self.watch_plan(client));
            client.unwatch(self, &mut locked, self.now_ms());
        }
    }

    /// Forgets what a client queues and watches.
    pub fn discard_transaction(&self, client: &mut Client) {
        client.take_queue();
        self.unwatch(client);
    }
}
