//! Integer sets: sorted integers in one allocation, in Redis's own format.
//!
//! The format is that of `intset.c`: four bytes width of an element (2, 4 or 8), four bytes count, then
//! the elements in ascending order, all little-endian. The width is that of the widest element ever held.

const HEADER_BYTES: usize = 8;

/// A set of 64-bit integers.
#[derive(Clone, PartialEq, Eq)]
pub struct Intset {
    /// Always a valid integer set. Without spare room: most sets of integers are small and many.
    bytes: Box<[u8]>,
}

impl Default for Intset {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Intset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.as_ref(), f)
    }
}

impl Intset {
    /// An empty set.
    pub fn new() -> Self {
        Self { bytes: [2, 0, 0, 0, 0, 0, 0, 0].into() }
    }

    /// A set from bytes in Redis's format, if they are one: complete, ascending, without repetition.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let width = u32::from_le_bytes(*bytes.first_chunk::<4>()?);
        let count = u32::from_le_bytes(*bytes.get(4..)?.first_chunk::<4>()?);
        let length = u64::from(width) * u64::from(count) + HEADER_BYTES as u64;
        if !matches!(width, 2 | 4 | 8) || u64::try_from(bytes.len()) != Ok(length) {
            return None;
        }
        let set = Self { bytes: bytes.into() };
        set.as_ref().iter().is_sorted_by(|a, b| a < b).then_some(set)
    }

    /// The same to look at.
    pub fn as_ref(&self) -> IntsetRef<'_> {
        IntsetRef { bytes: &self.bytes }
    }

    /// Bytes allocated.
    pub fn heap_bytes(&self) -> usize {
        self.bytes.len()
    }

    fn width(&self) -> usize {
        self.as_ref().width()
    }

    /// Adds an element; whether it was new.
    pub fn insert(&mut self, value: i64) -> bool {
        let needed = width_of(value);
        if needed > self.width() {
            self.widen(needed);
        }
        let Err(index) = self.as_ref().search(value) else { return false };
        let width = self.width();
        let at = HEADER_BYTES + index * width;
        let mut bytes = std::mem::take(&mut self.bytes).into_vec();
        let length = bytes.len();
        bytes.reserve_exact(width);
        bytes.resize(length + width, 0);
        bytes.copy_within(at..length, at + width);
        bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
        self.bytes = bytes.into();
        self.write_count();
        true
    }

    /// Removes an element; whether it was there.
    pub fn remove(&mut self, value: i64) -> bool {
        let Ok(index) = self.as_ref().search(value) else { return false };
        let at = HEADER_BYTES + index * self.width();
        let width = self.width();
        let mut bytes = std::mem::take(&mut self.bytes).into_vec();
        bytes.drain(at..at + width);
        self.bytes = bytes.into();
        self.write_count();
        true
    }

    fn widen(&mut self, width: usize) {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + (self.as_ref().len() + 1) * width);
        bytes.extend_from_slice(&(width as u32).to_le_bytes());
        bytes.extend_from_slice(&self.bytes[4..HEADER_BYTES]);
        for value in self.as_ref().iter() {
            bytes.extend_from_slice(&value.to_le_bytes()[..width]);
        }
        self.bytes = bytes.into();
    }

    fn write_count(&mut self) {
        let count = u32::try_from(self.as_ref().len())
            .expect("a set of integers is kept small by its owner");
        self.bytes[4..HEADER_BYTES].copy_from_slice(&count.to_le_bytes());
    }
}

/// A set of 64-bit integers to look at, wherever its bytes are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct IntsetRef<'a> {
    /// Always a valid integer set.
    bytes: &'a [u8],
}

impl std::fmt::Debug for IntsetRef<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl<'a> IntsetRef<'a> {
    /// The set in these bytes, which [`as_bytes`](Self::as_bytes) has given.
    pub(crate) fn of_bytes(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The set in Redis's format.
    pub fn as_bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// A copy of its own.
    pub fn to_owned(self) -> Intset {
        Intset { bytes: self.bytes.into() }
    }

    /// Number of elements.
    pub fn len(self) -> usize {
        (self.bytes.len() - HEADER_BYTES) / self.width()
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.bytes.len() == HEADER_BYTES
    }

    fn width(self) -> usize {
        usize::from(self.bytes[0])
    }

    /// The element with this rank.
    pub fn at(self, index: usize) -> Option<i64> {
        (index < self.len()).then(|| self.get(index))
    }

    fn get(self, index: usize) -> i64 {
        let width = self.width();
        let start = HEADER_BYTES + index * width;
        let data = &self.bytes[start..start + width];
        let mut wide = [if data[width - 1] & 0x80 == 0 { 0 } else { 0xFF }; 8];
        wide[..width].copy_from_slice(data);
        i64::from_le_bytes(wide)
    }

    /// The elements in ascending order.
    pub fn iter(self) -> impl ExactSizeIterator<Item = i64> + DoubleEndedIterator + Clone + 'a {
        (0..self.len()).map(move |index| self.get(index))
    }

    /// The rank of an element, or where it would be inserted.
    fn search(self, value: i64) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.get(middle).cmp(&value) {
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// Whether it is an element.
    pub fn contains(self, value: i64) -> bool {
        self.search(value).is_ok()
    }
}

/// The bytes that a value needs.
fn width_of(value: i64) -> usize {
    if i16::try_from(value).is_ok() {
        2
    } else if i32::try_from(value).is_ok() {
        4
    } else {
        8
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn random_changes_equal_those_of_a_tree() {
        let mut rng = fastrand::Rng::with_seed(3);
        for bits in [6, 15, 16, 31, 32, 63] {
            let (mut set, mut model) = (Intset::new(), BTreeSet::new());
            for _ in 0..500 {
                let value = rng.i64(..) >> (63 - bits);
                if rng.u8(..3) > 0 {
                    assert_eq!(set.insert(value), model.insert(value));
                } else {
                    assert_eq!(set.remove(value), model.remove(&value));
                }
                assert_eq!(set.as_ref().contains(value), model.contains(&value));
            }
            assert!(set.as_ref().iter().eq(model.iter().copied()));
            assert_eq!(Intset::from_bytes(set.as_ref().as_bytes().to_vec()), Some(set));
        }
    }

    #[test]
    fn what_is_no_set_is_refused() {
        let good = [2, 0, 0, 0, 2, 0, 0, 0, 1, 0, 2, 0];
        assert!(Intset::from_bytes(good.to_vec()).is_some());
        for (at, value) in [(0, 3), (0, 4), (4, 3), (8, 2), (8, 3)] {
            let mut bad = good;
            bad[at] = value;
            assert!(Intset::from_bytes(bad.to_vec()).is_none(), "{bad:?}");
        }
        for end in 0..good.len() {
            assert!(Intset::from_bytes(good[..end].to_vec()).is_none());
        }
    }
}
