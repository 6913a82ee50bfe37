//! Items with dense positions, found by a part of themselves.
//!
//! It does what `IndexMap` does, so that members can be chosen and walked by position, in less memory:
//! a line of the hash table has four bytes for a position and four for a hash, and items are in pages.
//! With the hash in the line a growing table looks at no item.

use crate::hashing::hash_with;
use crate::pages::Pages;
use hashbrown::HashTable;
use std::collections::hash_map::RandomState;
use std::hash::Hasher;

/// What is kept in a [`Dense`].
pub(super) trait Item {
    /// What an item is found by.
    type Key<'k>: Copy;
    /// The key of this one.
    fn key(&self) -> Self::Key<'_>;
    /// Has its key read, which may lie elsewhere.
    fn warm(&self);
    /// Has a key hashed.
    fn feed(key: Self::Key<'_>, hasher: &mut impl Hasher);
    /// Whether this is the key.
    fn has_key(&self, key: Self::Key<'_>) -> bool;
}

/// Items with positions from 0 on and different keys.
#[derive(Debug, Clone)]
pub(super) struct Dense<T> {
    items: Pages<T>,
    index: HashTable<Line>,
    hasher: RandomState,
}

#[derive(Debug, Clone, Copy)]
struct Line {
    position: u32,
    /// Half of the key's hash.
    hash: u32,
}

impl Line {
    /// As many bits as a table goes by: it takes the lowest and the highest ones.
    fn spread(hash: u32) -> u64 {
        const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
        u64::from(hash).wrapping_mul(ODD)
    }
}

impl<T> Default for Dense<T> {
    fn default() -> Self {
        Self { items: Pages::default(), index: HashTable::new(), hasher: RandomState::new() }
    }
}

impl<T: Item> Dense<T> {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self { index: HashTable::with_capacity(capacity), ..Self::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// Bytes on the heap, without what the items own.
    pub(super) fn heap_bytes(&self) -> usize {
        self.items.heap_bytes() + self.index.allocation_size()
    }

    fn hash(&self, key: T::Key<'_>) -> u32 {
        hash_with(&self.hasher, |hasher| T::feed(key, hasher)) as u32
    }

    /// Where the item with this key is.
    pub(super) fn position(&self, key: T::Key<'_>) -> Option<usize> {
        let hash = self.hash(key);
        let is_wanted =
            |line: &Line| line.hash == hash && self.items[line.position as usize].has_key(key);
        self.index.find(Line::spread(hash), is_wanted).map(|line| line.position as usize)
    }

    /// Brings the items with these keys into the processor's cache.
    pub(super) fn warm<const N: usize>(&self, keys: [Option<T::Key<'_>>; N]) {
        // What stands in one pass is waited for together.
        let hashes = keys.map(|key| key.map(|key| self.hash(key)));
        let lines = hashes.map(|hash| {
            let hash = hash?;
            self.index.iter_hash(Line::spread(hash)).find(|line| line.hash == hash)
        });
        let items = lines.map(|line| self.items.get(line?.position as usize));
        items.into_iter().flatten().for_each(|item| item.warm());
    }

    pub(super) fn at(&self, position: usize) -> Option<&T> {
        self.items.get(position)
    }

    /// The item at a position, whose key must stay what it is.
    pub(super) fn at_mut(&mut self, position: usize) -> &mut T {
        &mut self.items[position]
    }

    /// Adds an item whose key no other has, behind the others.
    pub(super) fn push(&mut self, item: T) {
        let position = u32::try_from(self.len()).expect("fewer than 2^32 elements");
        let hash = self.hash(item.key());
        self.items.push(item);
        let line = Line { position, hash };
        self.index.insert_unique(Line::spread(hash), line, |line| Line::spread(line.hash));
    }

    /// Removes the item at a position, which the last one takes.
    pub(super) fn swap_remove(&mut self, position: usize) -> T {
        let hash = Line::spread(self.hash(self.items[position].key()));
        let found = self.index.find_entry(hash, |line| line.position as usize == position);
        found.expect("every item has a line").remove();
        let item = self.items.swap_remove(position);
        let moved = self.len();
        if position < moved {
            let hash = Line::spread(self.hash(self.items[position].key()));
            let line = self.index.find_mut(hash, |line| line.position as usize == moved);
            // It fits, since it is below another that does.
            line.expect("every item has a line").position = position as u32;
        }
        if self.index.capacity() > 64 && moved < self.index.capacity() / 4 {
            self.index.shrink_to(moved * 2, |line| Line::spread(line.hash));
        }
        item
    }

    /// The items in the order of their positions.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Item for u16 {
        type Key<'k> = u16;

        fn key(&self) -> u16 {
            *self
        }

        fn warm(&self) {}

        fn feed(key: u16, hasher: &mut impl Hasher) {
            hasher.write_u16(key);
        }

        fn has_key(&self, key: u16) -> bool {
            *self == key
        }
    }

    #[test]
    fn random_changes_equal_those_of_a_vector() {
        let mut rng = fastrand::Rng::with_seed(9);
        let (mut dense, mut model) = (Dense::default(), Vec::new());
        for round in 0..30_000 {
            let number = rng.u16(..2000);
            let position = model.iter().position(|other| *other == number);
            assert_eq!(dense.position(number), position);
            match position {
                None if rng.u8(..10) < if round < 15_000 { 9 } else { 2 } => {
                    dense.push(number);
                    model.push(number);
                }
                Some(position) if rng.u8(..10) < 8 => {
                    assert_eq!(dense.swap_remove(position), model.swap_remove(position));
                }
                _ => {}
            }
            assert_eq!((dense.len(), dense.at(model.len())), (model.len(), None));
        }
        assert!(dense.iter().eq(&model) && model.len() > 100);
    }
}
