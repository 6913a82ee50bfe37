//! Client-side caching: which client may hold a copy of which key, and telling it when the copy is out
//! of date.
//!
//! A key is remembered while the lock under which it was read is held, and clients are told of a change
//! once the locks of the change are released. So whoever read before the change is told, and who read
//! behind it is told at worst for nothing. A client gets its reply before it is told that the reply is
//! out of date, since what others send waits for replies (see [`Outbox`](super::Outbox)).
//!
//! As in Redis a key is known by its name alone, whatever its database.

mod prefixes;
mod table;

use super::Instance;
use super::client::ClientRecord;
use super::gauge::Switch;
use super::notice::Notice;
use super::registry::SharedRecord;
use crate::keyspace::{KeyName, Told};
use crate::protocol::{Protocol, Reply};
use prefixes::Prefixes;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use table::Table;

/// The channel on which a client that speaks RESP2 is told.
const CHANNEL: &str = "__redis__:invalidate";

/// What a client has asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrackingOptions {
    /// Which keys it is told of.
    pub scope: Scope,
    /// Whether its own changes are no news to it.
    pub no_loop: bool,
    /// The client that is told instead; 0 is itself.
    pub redirect: u64,
}

/// Which keys a client is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scope {
    /// Those that it reads.
    #[default]
    Read,
    /// Those that it reads with the command behind CLIENT CACHING YES.
    OptIn,
    /// Those that it reads, but for the command behind CLIENT CACHING NO.
    OptOut,
    /// Those that begin with one of its prefixes.
    Broadcast,
}

/// What others see of a client's tracking.
#[derive(Default)]
pub struct Tracker {
    options: Mutex<Option<TrackingOptions>>,
    prefixes: Mutex<BTreeSet<Arc<[u8]>>>,
    /// Whether the client that is told instead was found to be gone.
    pub is_broken: Switch,
}

impl Tracker {
    /// What the client has asked for, if it tracks.
    pub fn options(&self) -> Option<TrackingOptions> {
        *self.options.lock().expect("copying does not panic")
    }

    fn prefixes_mut(&self) -> MutexGuard<'_, BTreeSet<Arc<[u8]>>> {
        self.prefixes.lock().expect("moving text does not panic")
    }

    /// The prefixes that it has asked for.
    pub fn prefixes(&self) -> Vec<Arc<[u8]>> {
        self.prefixes_mut().iter().cloned().collect()
    }
}

/// Who caches what.
#[derive(Default)]
pub struct Tracking {
    table: Table,
    prefixes: RwLock<Prefixes>,
    prefix_count: AtomicUsize,
    clients: RwLock<HashMap<u64, SharedRecord>>,
    client_count: AtomicUsize,
}

impl Tracking {
    /// Whether any client tracks: one load.
    pub fn is_on(&self) -> bool {
        self.client_count() > 0
    }

    /// Number of clients that track.
    pub fn client_count(&self) -> usize {
        self.client_count.load(Ordering::SeqCst)
    }

    /// Number of keys that somebody may hold.
    pub fn key_count(&self) -> usize {
        self.table.key_count()
    }

    /// Number of keys that each client may hold, added up.
    pub fn item_count(&self) -> usize {
        self.table.item_count()
    }

    /// Number of different prefixes.
    pub fn prefix_count(&self) -> usize {
        self.prefix_count.load(Ordering::SeqCst)
    }

    /// Lets a client track, and adds to its prefixes. Only a command of the client itself may ask.
    pub fn start(&self, record: &SharedRecord, options: TrackingOptions, prefixes: &[&[u8]]) {
        record.listen();
        let mut own = record.tracker.prefixes_mut();
        let mut all = self.prefixes.write().expect("moving records does not panic");
        for prefix in prefixes {
            let prefix: Arc<[u8]> = (*prefix).into();
            if own.insert(Arc::clone(&prefix)) {
                all.add(prefix, record);
            }
        }
        self.prefix_count.store(all.len(), Ordering::SeqCst);
        drop(all);
        record.tracker.is_broken.set(false);
        *record.tracker.options.lock().expect("copying does not panic") = Some(options);
        let mut clients = self.clients.write().expect("moving records does not panic");
        clients.insert(record.id, Arc::clone(record));
        self.client_count.store(clients.len(), Ordering::SeqCst);
    }

    /// Lets a client track no more. What it may hold is forgotten when it changes.
    pub fn stop(&self, record: &ClientRecord) {
        let options = record.tracker.options.lock().expect("copying does not panic").take();
        // One that is starting just now has none yet, or none any more.
        if options.is_none() && !self.is_on() {
            return;
        }
        record.tracker.is_broken.set(false);
        let mut own = record.tracker.prefixes_mut();
        let mut all = self.prefixes.write().expect("moving records does not panic");
        for prefix in std::mem::take(&mut *own) {
            all.remove(&prefix, record.id);
        }
        self.prefix_count.store(all.len(), Ordering::SeqCst);
        drop(all);
        let mut clients = self.clients.write().expect("moving records does not panic");
        clients.remove(&record.id);
        self.client_count.store(clients.len(), Ordering::SeqCst);
    }

    /// Takes note that a client has read a key, whose lock is held.
    pub fn remember(&self, id: u64, key: &[u8]) {
        self.table.remember(id, key);
    }

    fn client(&self, id: u64) -> Option<SharedRecord> {
        self.clients.read().expect("moving records does not panic").get(&id).cloned()
    }

    fn all_clients(&self) -> Vec<SharedRecord> {
        let clients = self.clients.read().expect("moving records does not panic");
        clients.values().cloned().collect()
    }

    /// Those who have read a key and do not know that it has changed.
    fn take_readers(&self, key: &[u8]) -> Vec<(SharedRecord, TrackingOptions)> {
        let readers = self.table.take(key).into_iter().filter_map(|id| self.client(id));
        let tracking = readers.filter_map(|record| {
            let options = record.tracker.options()?;
            (options.scope != Scope::Broadcast).then_some((record, options))
        });
        tracking.collect()
    }
}

/// Those who listen to a prefix, and the keys that they are to be told of.
type Concerned<'k> = (Vec<SharedRecord>, BTreeSet<&'k [u8]>);

/// What clients are to forget.
struct Invalidation<'k> {
    /// `None` is everything.
    keys: Option<Vec<&'k [u8]>>,
}

impl Invalidation<'_> {
    fn reply(&self) -> Reply<'_> {
        let Some(keys) = &self.keys else { return Reply::Null };
        Reply::Array(keys.iter().map(|key| Reply::bulk(*key)).collect())
    }

    /// For a client that understands pushes. `protocol` is that of the client that tracks.
    fn push(&self, protocol: Protocol) -> Notice {
        Notice::push_only(vec![Reply::text("invalidate"), self.reply()], protocol)
    }

    /// For a subscriber who does not.
    fn message(&self, protocol: Protocol) -> Notice {
        Notice::push(vec![Reply::text("message"), Reply::text(CHANNEL), self.reply()], protocol)
    }
}

impl Instance {
    /// Tells clients that what they hold is out of date. `by` is the client that has changed it.
    pub(super) fn invalidate(&self, told: &Told, by: Option<u64>) {
        if told.flushed {
            self.tracking.table.clear();
            for record in self.tracking.all_clients() {
                if let Some(options) = record.tracker.options() {
                    self.send_invalidation(&record, options, &Invalidation { keys: None });
                }
            }
        }
        for KeyName { key, .. } in &told.touched {
            self.invalidate_key(key, by);
        }
        if self.tracking.prefix_count() > 0 {
            self.broadcast(&told.touched, by);
        }
    }

    fn invalidate_key(&self, key: &[u8], by: Option<u64>) {
        for (record, options) in self.tracking.take_readers(key) {
            if !(options.no_loop && by == Some(record.id)) {
                self.send_invalidation(&record, options, &Invalidation { keys: Some(vec![key]) });
            }
        }
    }

    /// Tells those who listen to prefixes: all keys of a prefix together, in order.
    fn broadcast(&self, touched: &[KeyName], by: Option<u64>) {
        let mut found: BTreeMap<Arc<[u8]>, Concerned<'_>> = BTreeMap::new();
        let prefixes = self.tracking.prefixes.read().expect("moving records does not panic");
        for KeyName { key, .. } in touched {
            prefixes.for_each_of(key, |prefix, clients| {
                let (_, keys) = found
                    .entry(Arc::clone(prefix))
                    .or_insert_with(|| (clients.cloned().collect(), BTreeSet::new()));
                keys.insert(key);
            });
        }
        drop(prefixes);
        for (clients, keys) in found.into_values() {
            let invalidation = Invalidation { keys: Some(keys.into_iter().collect()) };
            for record in clients {
                let options = record.tracker.options().unwrap_or_default();
                if !(options.no_loop && by == Some(record.id)) {
                    self.send_invalidation(&record, options, &invalidation);
                }
            }
        }
    }

    fn send_invalidation(
        &self,
        record: &SharedRecord,
        options: TrackingOptions,
        what: &Invalidation<'_>,
    ) {
        let protocol = record.speaks();
        if options.redirect == 0 {
            self.push(record, &what.push(protocol));
            return;
        }
        match self.clients.get(options.redirect) {
            None => {
                record.tracker.is_broken.set(true);
                let id = Reply::Int(options.redirect as i64);
                let items = vec![Reply::text("tracking-redir-broken"), id];
                self.push(record, &Notice::push_only(items, protocol));
            }
            Some(target) if target.speaks().has_pushes() => {
                self.push(&target, &what.push(protocol));
            }
            Some(target) if !target.subscriptions.is_empty() => {
                self.push(&target, &what.message(protocol));
            }
            // It could not tell it from a reply.
            Some(_) => {}
        }
    }

    /// Keeps the table of what clients may hold within its limit: keys beyond it are forgotten, and
    /// their readers told so.
    pub fn limit_tracking(&self, keys_max: usize) {
        while keys_max > 0 && self.tracking.key_count() > keys_max {
            let Some(key) = self.tracking.table.any_key() else { return };
            self.invalidate_key(&key, None);
        }
    }
}
