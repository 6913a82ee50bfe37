//! Removing keys that are due, and elements of values (fields of hashes) that are so by themselves.
//!
//! Nobody ever sees what is due, so all that this is good for is memory, DBSIZE and the count
//! of expired keys; it may take its time, but it must not take anybody else's. So it removes a few
//! keys under each lock and frees what they held between locks.

use super::events::{Telling, Told};
use super::view::Key;
use super::{Keyspace, Slot, shard_index};
use crate::limits;
use std::sync::atomic::Ordering;

/// What a round of reaping did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// Keys removed.
    pub removed: u64,
    /// Elements removed from values.
    pub removed_elements: u64,
    /// Whether anything is left that was due already.
    pub more: bool,
    /// What is to be told of it.
    pub told: Told,
}

impl Keyspace {
    /// Removes due keys and elements, a bounded number of each shard, so that all shards take turns.
    pub fn reap(&self, now_ms: u64, telling: &Telling) -> Due {
        let mut due = Due::default();
        for (index, slot) in self.slots.iter().enumerate() {
            if slot.earliest_ms.load(Ordering::SeqCst) <= now_ms {
                self.reap_shard((index, slot), now_ms, telling, &mut due);
            }
        }
        due
    }

    /// Removes due keys and elements of one shard.
    fn reap_shard(
        &self,
        (index, slot): (usize, &Slot),
        now_ms: u64,
        telling: &Telling,
        due: &mut Due,
    ) {
        // A shard that somebody panicked on is declared sound in a moment, or the server ends.
        let Ok(mut guard) = slot.shard.write() else { return };
        self.before_change(&guard);
        let (mut removed, mut emptied, mut elements) = (Vec::new(), Vec::new(), 0);
        let (databases, interests) = guard.parts_mut();
        'full: for (db, database) in databases {
            while let Some(entry) = database.pop_due(now_ms, |key| self.hash(key)) {
                debug_assert_eq!(shard_index(self.hash(entry.key())), index);
                interests.touch_expired(db, entry.key());
                due.told.expired(telling, db, entry.key());
                removed.push(entry);
                if removed.len() == limits::REAP_STEP_KEYS_MAX {
                    break 'full;
                }
            }
            while elements < limits::REAP_STEP_ELEMENTS_MAX {
                let left = limits::REAP_STEP_ELEMENTS_MAX - elements;
                let trimmed = database.trim_due(now_ms, left, |key| self.hash(key));
                let Some(trimmed) = trimmed else { break };
                elements += trimmed.removed;
                interests.touch(db, &trimmed.key);
                due.told.trimmed(telling, db, &trimmed.key, trimmed.emptied.is_some());
                // A handful of keys may hold a lot, so they too are freed without the lock.
                emptied.extend(trimmed.emptied);
            }
        }
        let earliest_ms = guard.earliest_ms();
        slot.earliest_ms.store(earliest_ms, Ordering::SeqCst);
        drop(guard);
        due.removed += removed.len() as u64;
        due.removed_elements += elements as u64;
        due.more |= earliest_ms <= now_ms;
    }

    /// Removes one key if it is due: for readers who came by it while nobody else removes keys.
    pub fn reap_key(&self, db: usize, key: Key<'_>, now_ms: u64, telling: &Telling) -> Due {
        let mut due = Due::default();
        let mut guard = self.write_shard(shard_index(key.hash));
        let (mut databases, interests) = guard.parts_mut();
        let database = databases.nth(db);
        let removed = database
            .and_then(|(_, database)| database.remove_due(key, now_ms, |key| self.hash(key)));
        if removed.is_some() {
            interests.touch_expired(db, key.bytes);
            due.told.expired(telling, db, key.bytes);
            due.removed = 1;
        }
        drop(databases);
        drop(guard);
        due
    }

    /// Removes every due key of one database.
    pub fn reap_database(&self, db: usize, now_ms: u64, telling: &Telling) -> Due {
        let mut due = Due::default();
        for shard in 0..limits::SHARD_COUNT {
            loop {
                let mut guard = self.write_shard(shard);
                let (mut databases, interests) = guard.parts_mut();
                let Some((_, database)) = databases.nth(db) else { break };
                let pop = || database.pop_due(now_ms, |key| self.hash(key));
                let removed: Vec<_> =
                    std::iter::from_fn(pop).take(limits::REAP_STEP_KEYS_MAX).collect();
                for entry in &removed {
                    interests.touch_expired(db, entry.key());
                    due.told.expired(telling, db, entry.key());
                }
                drop(databases);
                drop(guard);
                due.removed += removed.len() as u64;
                if removed.len() < limits::REAP_STEP_KEYS_MAX {
                    break;
                }
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::testing::Bench;
    use crate::keyspace::{Change, Freeing};
    use crate::value::Hash;

    fn keys(removed: u64, more: bool) -> Due {
        Due { removed, more, ..Due::default() }
    }

    #[test]
    fn what_is_due_goes_and_nothing_else() {
        let mut bench = Bench::new(1);
        for number in 0u64..1000 {
            bench.set_until(format!("due:{number}").as_bytes(), 1 + number % 10);
            bench.set_until(format!("later:{number}").as_bytes(), 11);
            bench.set(format!("never:{number}").as_bytes());
        }
        assert_eq!(bench.keyspace.reap(0, &Telling::NOTHING), keys(0, false));
        assert_eq!(bench.keyspace.reap(4, &Telling::NOTHING), keys(400, false));
        assert_eq!(bench.keyspace.reap(10, &Telling::NOTHING), keys(600, false));
        assert_eq!(bench.stored(), 2000);
        assert_eq!(bench.keyspace.earliest_deadline_ms(), 11);
        assert_eq!(bench.keyspace.reap(11, &Telling::NOTHING), keys(1000, false));
        assert_eq!(bench.keyspace.earliest_deadline_ms(), u64::MAX);
    }

    #[test]
    fn one_round_removes_a_bounded_number_under_a_lock() {
        let mut bench = Bench::new(2);
        let step = limits::REAP_STEP_KEYS_MAX;
        for key in bench.keys_of_one_shard(2 * step + 1) {
            bench.set_until(&key, 5);
        }
        let step = step as u64;
        assert_eq!(bench.keyspace.reap(5, &Telling::NOTHING), keys(step, true));
        assert_eq!(bench.keyspace.reap(5, &Telling::NOTHING), keys(step, true));
        assert_eq!(bench.keyspace.reap(5, &Telling::NOTHING), keys(1, false));
    }

    #[test]
    fn the_earliest_deadline_follows_every_change() {
        type Change = fn(&mut Bench);
        let changes: &[(&str, Change, u64)] = &[
            ("set", |bench| bench.set_until(b"k", 500), 500),
            ("a later one", |bench| bench.set_until(b"other", 900), 500),
            ("an earlier one", |bench| bench.set_until(b"third", 300), 300),
            ("sooner", |bench| assert!(bench.write(b"k", |v, k| v.set_deadline(k, 200))), 200),
            (
                "renamed",
                |bench| {
                    let keys: [&[u8]; 2] = [b"k", b"new"];
                    let [from, to] = keys.map(|key| bench.keyspace.hash(key));
                    let (from, to) = (Key::with_hash(keys[0], from), Key::with_hash(keys[1], to));
                    assert!(bench.write_many(&keys, |view| view.relocate(from, 0, to)).0);
                },
                200,
            ),
            (
                "copied to another database",
                |bench| {
                    assert!(bench.write(b"new", |view, key| view.duplicate(key, 1, key)));
                },
                200,
            ),
            ("swapped", |bench| drop(bench.write_all(|view| view.swap_databases(0, 1))), 200),
            (
                "one database cleared",
                |bench| {
                    drop(bench.write_all(|view| view.clear(Some(1), Freeing::Now)));
                },
                200,
            ),
            (
                "all cleared",
                |bench| drop(bench.write_all(|view| view.clear(None, Freeing::Now))),
                u64::MAX,
            ),
        ];
        let mut bench = Bench::new(3);
        for (what, change, expected) in changes {
            change(&mut bench);
            bench.keyspace.reap(0, &Telling::NOTHING);
            assert_eq!(bench.keyspace.earliest_deadline_ms(), *expected, "{what}");
        }
    }

    #[test]
    fn a_deadline_that_was_taken_away_wakes_at_most_once() {
        let changes: [fn(&mut Bench); 3] = [
            |bench| assert!(bench.remove(b"k")),
            |bench| assert!(bench.write(b"k", |view, key| view.persist(key))),
            |bench| bench.set(b"k"),
        ];
        for change in changes {
            let mut bench = Bench::new(4);
            bench.set_until(b"k", 500);
            change(&mut bench);
            assert_eq!(bench.keyspace.reap(500, &Telling::NOTHING), keys(0, false));
            assert_eq!(bench.keyspace.earliest_deadline_ms(), u64::MAX);
        }
    }

    #[test]
    fn a_swapped_database_keeps_its_deadlines() {
        let mut bench = Bench::new(5);
        bench.set_until(b"k", 500);
        drop(bench.write_all(|view| view.swap_databases(0, 1)));
        assert_eq!(bench.stored(), 0);
        assert_eq!(bench.keyspace.reap(500, &Telling::NOTHING), keys(1, false));
    }

    #[test]
    fn readers_remove_what_they_came_by() {
        let mut bench = Bench::new(6);
        ["a", "b", "c"].iter().for_each(|key| bench.set_until(key.as_bytes(), 5));
        bench.set(b"stays");
        bench.now_ms = 5;
        assert!(!bench.contains(b"a") && bench.stored() == 4);
        let reap_key = |db, name: &[u8]| {
            let keyspace = &bench.keyspace;
            keyspace.reap_key(db, keyspace.key(name), 5, &Telling::NOTHING).removed
        };
        let cases: [(usize, &[u8], u64); 4] =
            [(0, b"a", 1), (0, b"a", 0), (0, b"stays", 0), (1, b"b", 0)];
        for (db, name, removed) in cases {
            assert_eq!(reap_key(db, name), removed);
        }
        for (db, removed) in [(1, 0), (0, 2)] {
            assert_eq!(
                bench.keyspace.reap_database(db, 5, &Telling::NOTHING),
                keys(removed, false)
            );
        }
        assert_eq!(bench.stored(), 1);
    }

    fn set_field(bench: &mut Bench, key: &[u8], field: &[u8], deadline_ms: Option<u64>) {
        bench.write(key, |view, key| {
            let limits = view.encoding_limits();
            let set = view.change_or_make(key, Hash::default, |hash| {
                hash.set(field, b"v", &limits);
                hash.set_deadline(field, deadline_ms);
                Ok(Change::none(()))
            });
            set.expect("the key holds nothing else");
        });
    }

    #[test]
    fn elements_that_are_due_go_and_with_the_last_one_the_key() {
        let mut bench = Bench::new(7);
        for (field, deadline_ms) in [("a", Some(5)), ("b", Some(7)), ("c", None)] {
            set_field(&mut bench, b"stays", field.as_bytes(), deadline_ms);
            set_field(&mut bench, b"goes", field.as_bytes(), deadline_ms.or(Some(9)));
        }
        bench.write(b"goes", |view, key| view.set_deadline(key, 50));
        assert_eq!(bench.keyspace.earliest_deadline_ms(), 5);
        let reaped = |removed_elements| Due { removed_elements, ..Due::default() };
        assert_eq!(bench.keyspace.reap(6, &Telling::NOTHING), reaped(2));
        assert_eq!(bench.keyspace.earliest_deadline_ms(), 7);
        assert_eq!(bench.keyspace.reap(9, &Telling::NOTHING), reaped(3));
        assert_eq!((bench.stored(), bench.contains(b"stays")), (1, true));
        assert_eq!(bench.keyspace.earliest_deadline_ms(), u64::MAX);
    }

    #[test]
    fn one_round_removes_a_bounded_number_of_elements() {
        let mut bench = Bench::new(8);
        let step = limits::REAP_STEP_ELEMENTS_MAX;
        for number in 0..2 * step + 1 {
            set_field(&mut bench, b"h", number.to_string().as_bytes(), Some(5));
        }
        let step = step as u64;
        for (removed_elements, more) in [(step, true), (step, true), (1, false)] {
            assert_eq!(
                bench.keyspace.reap(5, &Telling::NOTHING),
                Due { removed_elements, more, ..Due::default() }
            );
        }
        assert_eq!(bench.stored(), 0);
    }

    #[test]
    fn elements_keep_their_deadlines_wherever_their_key_goes() {
        let mut bench = Bench::new(9);
        set_field(&mut bench, b"k", b"f", Some(500));
        assert!(bench.write(b"k", |view, key| view.duplicate(key, 1, key)));
        bench.set(b"k");
        assert_eq!(bench.keyspace.reap(0, &Telling::NOTHING), keys(0, false));
        assert_eq!(bench.keyspace.earliest_deadline_ms(), 500);
        drop(bench.write_all(|view| view.clear(Some(0), Freeing::Now)));
        let reaped = Due { removed_elements: 1, ..Due::default() };
        assert_eq!(bench.keyspace.reap(500, &Telling::NOTHING), reaped);
        assert_eq!(bench.keyspace.earliest_deadline_ms(), u64::MAX);
    }
}
