//! Walking every key, one shard at a time, so that whoever walks stops nobody.

use super::entry::Entry;
use super::shard::Database;
use super::view::Moment;
use super::{Keyspace, SCAN_POSITION_COUNT, scan_position, shard_index};
use crate::limits;
use crate::protocol::Strings;

/// A database as seen by a command that looks at all of its keys.
///
/// No two locks are ever held at once, so what is shown is not one moment: a key that is there from
/// start to end of a walk is seen exactly once, others may or may not be.
pub struct Walk<'k> {
    keyspace: &'k Keyspace,
    db: usize,
    moment: Moment,
}

impl<'k> Walk<'k> {
    /// A walk over one database.
    pub fn new(keyspace: &'k Keyspace, db: usize, moment: Moment) -> Self {
        Self { keyspace, db, moment }
    }

    /// Unix time in milliseconds; keys that are due by then are not shown.
    pub fn now_ms(&self) -> u64 {
        self.moment.now_ms
    }

    /// Shows every key, a batch at a time. No lock is held meanwhile, so that what is done with the
    /// keys may take its time.
    pub fn for_each_batch(&self, mut visit: impl FnMut(&Strings)) {
        let mut batch = Strings::default();
        for shard in 0..limits::SHARD_COUNT {
            let guard = self.keyspace.read_shard(shard);
            let Some(database) = guard.database(self.db) else { continue };
            let live = database.iter().filter(|entry| self.is_live(entry));
            batch.extend(live.map(Entry::key));
            drop(guard);
            visit(&batch);
            batch.clear();
        }
    }

    /// Shows the entry of one key.
    pub fn entry<R>(&self, key: &[u8], visit: impl FnOnce(&Entry) -> R) -> Option<R> {
        let key = self.keyspace.key(key);
        let guard = self.keyspace.read_shard(shard_index(key.hash));
        let entry = guard.database(self.db)?.get(key)?;
        self.is_live(entry).then(|| visit(entry))
    }

    /// Number of keys stored, as DBSIZE counts: expired ones that were not yet removed included.
    pub fn len(&self) -> usize {
        let mut count = 0;
        self.keyspace.for_each_database(|db, database| {
            if db == self.db {
                count += database.len();
            }
        });
        count
    }

    /// Whether no key is stored.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shows about `count` keys from a cursor on and gives the cursor to go on from, 0 at the end.
    ///
    /// Keys are walked in the order of their hashes. A key's hash never changes, so a key that is
    /// there from the first call to the last is shown exactly once, whatever comes and goes
    /// meanwhile: a stronger promise than Redis's.
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(&Entry)) -> u64 {
        if cursor >= SCAN_POSITION_COUNT {
            return 0;
        }
        let shard_span = SCAN_POSITION_COUNT >> limits::SHARD_BITS;
        let mut missing = count.max(1);
        let mut position = cursor;
        while position < SCAN_POSITION_COUNT {
            let shard = (position / shard_span) as usize;
            let (shown, next) = self.scan_shard(shard, position, missing, &mut visit);
            if let Some(next) = next {
                return next;
            }
            position = (shard as u64 + 1) * shard_span;
            missing = missing.saturating_sub(shown);
            if missing == 0 {
                break;
            }
        }
        if position < SCAN_POSITION_COUNT { position } else { 0 }
    }

    /// Shows keys of one shard; gives their number and, if some are left, where to go on.
    fn scan_shard(
        &self,
        shard: usize,
        from: u64,
        count: usize,
        visit: &mut impl FnMut(&Entry),
    ) -> (usize, Option<u64>) {
        let guard = self.keyspace.read_shard(shard);
        let Some(database) = guard.database(self.db) else { return (0, None) };
        let mut rest: Vec<(u64, &Entry)> = database
            .iter()
            .map(|entry| (scan_position(self.keyspace.hash(entry.key())), entry))
            .filter(|(position, _)| *position >= from)
            .collect();
        // Each step looks at the whole shard, so steps must not be many more than keys.
        let step = count.max(database.len() / limits::SCAN_STEPS_PER_SHARD_MAX);
        let next = if rest.len() > step {
            let (_, (last, _), _) = rest.select_nth_unstable_by_key(step - 1, |(at, _)| *at);
            let last = *last;
            rest.retain(|(position, _)| *position <= last);
            Some(last + 1)
        } else {
            None
        };
        let live = rest.iter().filter(|(_, entry)| self.is_live(entry));
        live.for_each(|(_, entry)| visit(entry));
        (rest.len(), next.filter(|next| *next < SCAN_POSITION_COUNT))
    }

    /// A key chosen at random.
    ///
    /// A shard is chosen by its share of keys, then a key in it, so no key is more likely than
    /// another. Keys that are due count until they are removed, so one may be chosen; then the
    /// choice is made again, and after a few times among those alone that are not due.
    pub fn random_key(&self) -> Option<Box<[u8]>> {
        let mut rng = fastrand::Rng::with_seed(self.moment.seed);
        for _ in 0..limits::RANDOM_KEYS_TRIED_MAX {
            let shard = self.random_shard(&mut rng)?;
            let guard = self.keyspace.read_shard(shard);
            let chosen = guard.database(self.db).and_then(|database| database.random(&mut rng));
            if let Some(entry) = chosen.filter(|entry| self.is_live(entry)) {
                return Some(entry.key().into());
            }
        }
        self.random_live_key(&mut rng)
    }

    /// A shard that holds keys, each with a chance after their number. One pass, one lock at a time:
    /// the shard looked at replaces the choice made so far with the chance of its share.
    fn random_shard(&self, rng: &mut fastrand::Rng) -> Option<usize> {
        let (mut chosen, mut seen) = (None, 0);
        for shard in 0..limits::SHARD_COUNT {
            let length = self.keyspace.read_shard(shard).database(self.db).map_or(0, Database::len);
            seen += length;
            if length > 0 && rng.usize(..seen) < length {
                chosen = Some(shard);
            }
        }
        chosen
    }

    /// The same choice among keys that are not due, which takes a look at each.
    fn random_live_key(&self, rng: &mut fastrand::Rng) -> Option<Box<[u8]>> {
        let (mut chosen, mut seen) = (None, 0);
        self.for_each_batch(|keys| {
            seen += keys.len();
            if !keys.is_empty() && rng.usize(..seen) < keys.len() {
                chosen = keys.iter().nth(rng.usize(..keys.len())).map(Box::from);
            }
        });
        chosen
    }

    fn is_live(&self, entry: &Entry) -> bool {
        !entry.is_expired(self.moment.now_ms)
    }
}

/// What a round of reaping did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Keys removed.
    pub removed: u64,
    /// Whether keys are left that were due already.
    pub more: bool,
}

impl Keyspace {
    /// Shows every database of every shard with its index, one shard locked at a time.
    pub fn for_each_database(&self, mut visit: impl FnMut(usize, &Database)) {
        for shard in 0..limits::SHARD_COUNT {
            let guard = self.read_shard(shard);
            guard.databases().for_each(|(db, database)| visit(db, database));
        }
    }

    /// Removes due keys, a bounded number under each lock; what they held is freed between locks.
    pub fn reap(&self, now_ms: u64) -> Due {
        use std::sync::atomic::Ordering;
        let mut due = Due { removed: 0, more: false };
        for (index, slot) in self.slots.iter().enumerate() {
            if slot.earliest_ms.load(Ordering::Relaxed) > now_ms {
                continue;
            }
            let mut removed = Vec::new();
            let mut guard = self.write_shard(index);
            for db in 0..self.database_count {
                if guard.database(db).is_none() {
                    break;
                }
                while removed.len() < limits::REAP_STEP_KEYS_MAX
                    && let Some(entry) =
                        guard.database_mut(db).pop_due(now_ms, |key| self.hash(key))
                {
                    debug_assert_eq!(shard_index(self.hash(entry.key())), index);
                    removed.push(entry);
                }
            }
            let earliest = guard.earliest_ms();
            slot.earliest_ms.store(earliest, Ordering::Relaxed);
            drop(guard);
            due.removed += removed.len() as u64;
            due.more |= earliest <= now_ms;
        }
        due
    }
}
