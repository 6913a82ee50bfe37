//! Iterators whose length is known from elsewhere, such as a collection's from its header.

/// An iterator with its length.
pub struct Counted<I> {
    items: I,
    left: usize,
}

impl<I> Counted<I> {
    /// The first `count` items, of which there are that many.
    pub fn new(items: I, count: usize) -> Self {
        Self { items, left: count }
    }
}

impl<I: Iterator> Iterator for Counted<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.left = self.left.checked_sub(1)?;
        self.items.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<I: Iterator> ExactSizeIterator for Counted<I> {}
