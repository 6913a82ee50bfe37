//! The entries of one database in one shard.
//!
//! They lie densely in pages, and a hash table finds their places. A hash table that held the entries
//! themselves would be half empty on average, which is cheap for places of four bytes only, and when it
//! grows it would move them all.

use super::entry::Entry;
use crate::limits;
use crate::pages::Pages;
use hashbrown::HashTable;

/// Entries by the hash of their keys.
#[derive(Default)]
pub(super) struct Entries {
    pages: Pages<Entry>,
    /// The place of each entry.
    index: HashTable<u32>,
}

/// Where an entry is. Valid until one is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(u32);

impl Entries {
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// Bytes of the table and the entries, without what they own.
    pub(super) fn heap_bytes(&self) -> usize {
        self.index.allocation_size() + self.pages.heap_bytes()
    }

    /// Every entry in no order that means anything.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.pages.iter()
    }

    /// Some entry, each with the same chance.
    pub(super) fn random(&self, rng: &mut fastrand::Rng) -> Option<&Entry> {
        let count = self.len();
        (count > 0).then(|| &self.pages[rng.usize(..count)])
    }

    /// The place of an entry whose key has this hash.
    pub(super) fn find(&self, hash: u64, is_wanted: impl Fn(&Entry) -> bool) -> Option<Place> {
        let found = self.index.find(hash, |place| is_wanted(&self.pages[*place as usize]));
        found.copied().map(Place)
    }

    /// An entry whose key may have this hash, as far as the index tells.
    pub(super) fn likely(&self, hash: u64) -> Option<&Entry> {
        self.index.iter_hash(hash).next().map(|place| &self.pages[*place as usize])
    }

    pub(super) fn at(&self, place: Place) -> &Entry {
        &self.pages[place.0 as usize]
    }

    pub(super) fn at_mut(&mut self, place: Place) -> &mut Entry {
        &mut self.pages[place.0 as usize]
    }

    /// Adds an entry whose key has this hash and is in none of the others.
    pub(super) fn insert(&mut self, hash: u64, entry: Entry, hasher: impl Fn(&[u8]) -> u64) {
        let place = u32::try_from(self.pages.len()).expect("a shard has fewer than 2^32 keys");
        self.pages.push(entry);
        let Self { pages, index } = self;
        index.insert_unique(hash, place, |place| hasher(pages[*place as usize].key()));
    }

    /// Makes room for so many more, whose keys need not be hashed again for it later.
    pub(super) fn reserve(&mut self, count: usize, hasher: impl Fn(&[u8]) -> u64) {
        let Self { pages, index } = self;
        index.reserve(count, |place| hasher(pages[*place as usize].key()));
    }

    /// Removes the entry at a place, whose key has this hash.
    pub(super) fn remove(
        &mut self,
        hash: u64,
        Place(place): Place,
        hasher: impl Fn(&[u8]) -> u64,
    ) -> Entry {
        if let Ok(found) = self.index.find_entry(hash, |other| *other == place) {
            found.remove();
        }
        let entry = self.pages.swap_remove(place as usize);
        let moved = self.pages.len() as u32;
        if place < moved {
            let hash = hasher(self.pages[place as usize].key());
            let line = self.index.find_mut(hash, |other| *other == moved);
            *line.expect("every entry is in the index") = place;
        }
        self.shrink_if_sparse(hasher);
        entry
    }

    /// Gives memory back when most of the index is empty. What is kept has room to double, so that an
    /// index whose size goes up and down is not moved each time.
    fn shrink_if_sparse(&mut self, hasher: impl Fn(&[u8]) -> u64) {
        let Self { pages, index } = self;
        let (used, all) = (index.len(), index.num_buckets());
        if all > limits::TABLE_SLOTS_KEPT && used < all / limits::TABLE_SLOTS_PER_KEY_MAX {
            index.shrink_to(used * 2, |place| hasher(pages[*place as usize].key()));
        }
    }
}
