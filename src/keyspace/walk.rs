//! Walking every key, one shard at a time, so that whoever walks stops nobody.

use super::entry::Entry;
use super::shard::Database;
use super::view::Moment;
use super::{SCAN_POSITION_COUNT, Shards, scan_position, shard_index};
use crate::limits;
use crate::protocol::Strings;
use std::cell::Cell;

/// A database as seen by a command that looks at all of its keys.
///
/// No two locks are ever held at once, so what is shown is not one moment: a key that is there from
/// start to end of a walk is seen exactly once, others may or may not be.
pub struct Walk<'k> {
    shards: Shards<'k>,
    db: usize,
    moment: Moment,
    saw_overdue: Cell<bool>,
}

impl<'k> Walk<'k> {
    /// A walk over one database.
    pub fn new(shards: Shards<'k>, db: usize, moment: Moment) -> Self {
        Self { shards, db, moment, saw_overdue: Cell::new(false) }
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
            let guard = self.shards.shard(shard);
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
        let key = self.shards.keyspace().key(key);
        let guard = self.shards.shard(shard_index(key.hash));
        let entry = guard.database(self.db)?.get(key)?;
        self.is_live(entry).then(|| visit(entry))
    }

    /// Number of keys stored, as DBSIZE counts: expired ones that were not yet removed included.
    pub fn len(&self) -> usize {
        let mut count = 0;
        self.shards.for_each_database(|db, database| {
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
        let guard = self.shards.shard(shard);
        let Some(database) = guard.database(self.db) else { return (0, None) };
        let mut rest: Vec<(u64, &Entry)> = database
            .iter()
            .map(|entry| (scan_position(self.shards.keyspace().hash(entry.key())), entry))
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
            let guard = self.shards.shard(shard);
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
            let length = self.shards.shard(shard).database(self.db).map_or(0, Database::len);
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

    /// Whether the walk came by a key that is due and was not removed yet.
    pub fn saw_overdue(&self) -> bool {
        self.saw_overdue.get()
    }

    fn is_live(&self, entry: &Entry) -> bool {
        let is_expired = entry.is_expired(self.moment.now_ms);
        if is_expired {
            self.saw_overdue.set(true);
        }
        !is_expired
    }
}

impl Shards<'_> {
    /// Shows every database of every shard with its index.
    pub fn for_each_database(self, mut visit: impl FnMut(usize, &Database)) {
        for shard in 0..limits::SHARD_COUNT {
            let guard = self.shard(shard);
            guard.databases().for_each(|(db, database)| visit(db, database));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::testing::Bench;
    use crate::keyspace::{Freeing, Telling};
    use std::collections::{BTreeMap, BTreeSet};

    /// One whole SCAN; between its steps `meanwhile` changes what it likes.
    fn scan(
        bench: &mut Bench,
        count: impl Fn(&mut fastrand::Rng) -> usize,
        mut meanwhile: impl FnMut(&mut Bench),
    ) -> BTreeMap<Vec<u8>, usize> {
        let mut seen = BTreeMap::new();
        let mut cursor = 0;
        for _ in 0..100_000 {
            let count = count(&mut bench.rng);
            cursor = bench.walk().scan(cursor, count, |entry| {
                *seen.entry(entry.key().to_vec()).or_default() += 1;
            });
            if cursor == 0 {
                return seen;
            }
            meanwhile(bench);
        }
        panic!("the scan does not end");
    }

    fn name(kind: &str, number: usize) -> Vec<u8> {
        format!("{kind}:{number}").into_bytes()
    }

    #[test]
    fn a_scan_shows_exactly_once_what_stays() {
        for seed in 0..12 {
            let mut bench = Bench::new(seed);
            // From a handful of keys to several in each shard.
            let staying = 1 << bench.rng.usize(0..13);
            (0..staying).for_each(|number| bench.set(&name("stays", number)));
            // The table grows and shrinks by this much at a time, in waves.
            let wave = 1 << bench.rng.usize(0..12);
            let mut guests: Vec<Vec<u8>> = Vec::new();
            let mut born = 0;
            let seen = scan(
                &mut bench,
                |rng| 1 << rng.usize(0..10),
                |bench| {
                    let grows = guests.len() < wave;
                    for _ in 0..bench.rng.usize(0..=wave) {
                        if grows {
                            guests.push(name("guest", born));
                            born += 1;
                            if let Some(guest) = guests.last() {
                                bench.set(guest);
                            }
                        } else if !guests.is_empty() {
                            let leaving = guests.swap_remove(bench.rng.usize(..guests.len()));
                            assert!(bench.remove(&leaving));
                        }
                    }
                    // Some that stay get another value or a deadline meanwhile: still the same keys.
                    let number = bench.rng.usize(..staying);
                    bench.set_until(&name("stays", number), 1_000_000);
                },
            );
            let stayed: BTreeSet<_> =
                seen.keys().filter(|key| key.starts_with(b"stays")).cloned().collect();
            assert_eq!(
                stayed,
                (0..staying).map(|number| name("stays", number)).collect(),
                "{seed}"
            );
            assert!(seen.values().all(|times| *times == 1), "seed {seed} shows a key twice");
        }
    }

    #[test]
    fn a_scan_with_any_count_ends_and_shows_everything() {
        let mut bench = Bench::new(1);
        (0..500).for_each(|number| bench.set(&name("key", number)));
        for count in [1, 2, 10, 499, 500, 501, usize::MAX] {
            let mut steps = 1;
            let seen = scan(&mut bench, |_| count, |_| steps += 1);
            assert_eq!(seen.len(), 500, "COUNT {count}");
            // About as many keys in a step as asked for.
            assert!(steps <= 500 / count + 2, "COUNT {count} took {steps} steps");
        }
    }

    #[test]
    fn a_full_shard_takes_a_bounded_number_of_steps_with_few_keys_each() {
        let mut bench = Bench::new(2);
        let steps_max = limits::SCAN_STEPS_PER_SHARD_MAX;
        let keys = bench.keys_of_one_shard(5 * steps_max);
        keys.iter().for_each(|key| bench.set(key));
        let (mut cursor, mut seen, mut steps) = (0, 0, 0);
        while seen < keys.len() {
            let mut shown = 0;
            cursor = bench.walk().scan(cursor, 1, |_| shown += 1);
            assert!(shown <= 5, "{shown} keys in a step");
            seen += shown;
            steps += 1;
        }
        // The last step may find the shard's end or come back for it.
        assert!(steps <= steps_max + 1, "{steps} steps");
        assert_eq!(bench.walk().scan(cursor, 1, |_| {}), 0);
    }

    #[test]
    fn a_cursor_from_nowhere_does_no_harm() {
        let mut bench = Bench::new(3);
        (0..100).for_each(|number| bench.set(&name("key", number)));
        for cursor in [1, SCAN_POSITION_COUNT - 1, SCAN_POSITION_COUNT, u64::MAX] {
            let next = bench.walk().scan(cursor, 10, |_| {});
            assert!(next == 0 || next > cursor);
        }
    }

    #[test]
    fn nothing_that_is_due_is_shown() {
        let mut bench = Bench::new(4);
        for number in 0..200 {
            bench.set_until(&name("due", number), 5);
            bench.set(&name("stays", number));
        }
        bench.now_ms = 5;
        let mut walked = 0;
        bench.walk().for_each_batch(|keys| walked += keys.len());
        assert_eq!(walked, 200);
        assert_eq!(scan(&mut bench, |_| 7, |_| {}).len(), 200);
        for _ in 0..200 {
            let chosen = bench.walk().random_key().expect("there are keys");
            assert!(chosen.starts_with(b"stays"));
        }
        assert_eq!(bench.walk().len(), 400, "they count until they are removed");
        (0..200).for_each(|number| assert!(bench.remove(&name("stays", number))));
        assert_eq!(bench.walk().random_key(), None);
    }

    #[test]
    fn every_key_is_as_likely_to_be_chosen_at_random() {
        let mut bench = Bench::new(5);
        // All in one shard, where a table's free slots could make a difference; and in many.
        let together = bench.keys_of_one_shard(20);
        let apart: Vec<_> = (0..20).map(|number| name("key", number)).collect();
        for keys in [&together, &apart] {
            drop(bench.write_all(|view| view.clear(None, Freeing::Now)));
            keys.iter().for_each(|key| bench.set(key));
            let mut chosen: BTreeMap<Box<[u8]>, usize> = BTreeMap::new();
            for _ in 0..50 * keys.len() {
                *chosen.entry(bench.walk().random_key().expect("there are keys")).or_default() += 1;
            }
            assert_eq!(chosen.len(), keys.len());
            assert!(chosen.values().all(|times| (15..=100).contains(times)), "{chosen:?}");
        }
    }

    #[test]
    fn memory_is_given_back_when_keys_go() {
        let mut bench = Bench::new(5);
        let keys = bench.keys_of_one_shard(400);
        let check = |bench: &Bench, keys: usize| {
            /// What lists of pages take, and tables besides slots.
            const REST_BYTES: usize = 256;
            let slots = (limits::TABLE_SLOTS_PER_KEY_MAX * keys).max(limits::TABLE_SLOTS_KEPT);
            let pages = 4 * keys * size_of::<Entry>();
            let most = pages + slots * (size_of::<u32>() + 1) + REST_BYTES;
            assert!(bench.table_bytes() <= most, "{} for {keys} keys", bench.table_bytes());
        };
        let fill = |bench: &mut Bench, deadline_ms| {
            keys.iter().for_each(|key| bench.set_until(key, deadline_ms));
        };
        fill(&mut bench, 5);
        for (gone, key) in keys.iter().enumerate() {
            assert!(bench.remove(key));
            check(&bench, keys.len() - gone - 1);
        }
        fill(&mut bench, 5);
        while bench.keyspace.reap(5, &Telling::NOTHING).more {
            let stored = bench.stored();
            check(&bench, stored);
        }
        fill(&mut bench, 5);
        drop(bench.write_all(|view| view.clear(Some(0), Freeing::Now)));
        assert_eq!((bench.stored(), bench.table_bytes()), (0, 0));
    }
}
