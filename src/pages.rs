//! A vector in pages: little is moved to make room, and little room is kept in reserve.

use std::ops::{Index, IndexMut};

/// Large enough for the list of pages to stay in a processor's cache, small enough to be moved at once.
const PAGE_LEN: usize = 256;

/// Items with dense places from 0 on.
#[derive(Debug, Clone)]
pub(crate) struct Pages<T> {
    /// Each is full but the last, which is not empty.
    pages: Vec<Vec<T>>,
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Self { pages: Vec::new() }
    }
}

impl<T> Pages<T> {
    /// Number of items.
    pub(crate) fn len(&self) -> usize {
        match self.pages.split_last() {
            Some((last, full)) => full.len() * PAGE_LEN + last.len(),
            None => 0,
        }
    }

    /// Adds an item, whose place is the former length.
    pub(crate) fn push(&mut self, item: T) {
        if self.pages.last().is_none_or(|last| last.len() == PAGE_LEN) {
            self.pages.push(Vec::new());
        }
        let last = self.pages.last_mut().expect("one was pushed if there was none");
        if last.len() == last.capacity() {
            // By a quarter: in most databases the first page is the only one.
            last.reserve_exact((last.len() / 4).clamp(2, PAGE_LEN - last.len()));
        }
        last.push(item);
    }

    /// Removes the last item.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let last = self.pages.last_mut()?;
        let item = last.pop();
        if last.is_empty() {
            self.pages.pop();
        } else if last.len() < last.capacity() / 4 {
            last.shrink_to(last.len() * 2);
        }
        item
    }

    /// Removes the item at a place, which the last item takes.
    pub(crate) fn swap_remove(&mut self, place: usize) -> T {
        let last = self.pop().expect("a place is below the length");
        if place == self.len() { last } else { std::mem::replace(&mut self[place], last) }
    }

    /// The item at a place.
    pub(crate) fn get(&self, place: usize) -> Option<&T> {
        self.pages.get(place / PAGE_LEN)?.get(place % PAGE_LEN)
    }

    /// The items in the order of their places.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flatten()
    }

    /// Bytes on the heap, without what the items own.
    pub(crate) fn heap_bytes(&self) -> usize {
        let items: usize = self.pages.iter().map(Vec::capacity).sum();
        self.pages.capacity() * size_of::<Vec<T>>() + items * size_of::<T>()
    }
}

impl<T> Index<usize> for Pages<T> {
    type Output = T;

    fn index(&self, place: usize) -> &T {
        &self.pages[place / PAGE_LEN][place % PAGE_LEN]
    }
}

impl<T> IndexMut<usize> for Pages<T> {
    fn index_mut(&mut self, place: usize) -> &mut T {
        &mut self.pages[place / PAGE_LEN][place % PAGE_LEN]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_changes_equal_those_of_a_vector() {
        let mut rng = fastrand::Rng::with_seed(5);
        let (mut pages, mut model) = (Pages::default(), Vec::new());
        for round in 0..20_000 {
            let grows = if round < 10_000 { 6 } else { 4 };
            if rng.u8(..10) < grows {
                pages.push(round);
                model.push(round);
            } else if !model.is_empty() {
                let place = rng.usize(..model.len());
                assert_eq!(pages.swap_remove(place), model.swap_remove(place));
            }
            assert_eq!(pages.len(), model.len());
        }
        assert!(pages.iter().eq(&model));
        assert!((0..model.len()).all(|place| pages[place] == model[place]));
        while let Some(item) = model.pop() {
            assert_eq!(pages.pop(), Some(item));
        }
        assert_eq!((pages.pop(), pages.pages.len()), (None, 0));
    }
}
