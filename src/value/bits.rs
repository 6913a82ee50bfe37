//! Strings as bits: bit 0 is the highest of the first byte.
//!
//! What looks at whole strings takes many bytes in a step.

use std::ops::Range;

/// Number of bits in a string.
pub fn bit_len(bytes: &[u8]) -> u64 {
    // A string is shorter than isize::MAX / 8 bytes on every machine that could hold it.
    bytes.len() as u64 * 8
}

/// The bit at an index; 0 behind the end.
pub fn get(bytes: &[u8], index: u64) -> bool {
    let byte = usize::try_from(index / 8).ok().and_then(|at| bytes.get(at)).unwrap_or(&0);
    byte & mask(index) != 0
}

/// Sets the bit at an index, which must be there.
pub fn set(bytes: &mut [u8], index: u64, bit: bool) {
    let byte = &mut bytes[position(index)];
    *byte = if bit { *byte | mask(index) } else { *byte & !mask(index) };
}

/// Where a bit's byte is. Strings are addressable, so this fits for every bit that exists.
fn position(index: u64) -> usize {
    (index / 8) as usize
}

fn mask(index: u64) -> u8 {
    0x80 >> (index % 8)
}

/// How many bits of a string are set.
fn count_all(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let words = words.iter().map(|word| u64::from(u64::from_ne_bytes(*word).count_ones()));
    words.sum::<u64>() + rest.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>()
}

/// How many bits in a range are set. The range must lie in the string.
pub fn count(bytes: &[u8], range: Range<u64>) -> u64 {
    let Some(edges) = Edges::new(&range) else { return 0 };
    let inner = &bytes[edges.first + 1..edges.last.max(edges.first + 1)];
    edges.outer(bytes).map(|(_, byte)| u64::from(byte.count_ones())).sum::<u64>() + count_all(inner)
}

/// What is compared in one step of a search.
const BLOCK_BYTES: usize = 64;

/// The first bit in a range that is as wanted. The range must lie in the string.
pub fn first(bytes: &[u8], wanted: bool, range: Range<u64>) -> Option<u64> {
    let edges = Edges::new(&range)?;
    let flip = if wanted { 0 } else { 0xff };
    let first_in = |at: usize, byte: u8| (at as u64) * 8 + u64::from(byte.leading_zeros());
    let outer =
        |at: usize| Some((at, (bytes[at] ^ flip) & edges.mask(at))).filter(|(_, byte)| *byte != 0);
    if let Some((at, byte)) = outer(edges.first) {
        return Some(first_in(at, byte));
    }
    if edges.last == edges.first {
        return None;
    }
    let inner = &bytes[edges.first + 1..edges.last];
    let (blocks, _) = inner.as_chunks::<BLOCK_BYTES>();
    let plain = [flip; BLOCK_BYTES];
    let boring = blocks.iter().take_while(|block| **block == plain).count() * BLOCK_BYTES;
    let found = inner[boring..].iter().position(|byte| *byte != flip);
    if let Some(at) = found {
        let at = edges.first + 1 + boring + at;
        return Some(first_in(at, bytes[at] ^ flip));
    }
    outer(edges.last).map(|(at, byte)| first_in(at, byte))
}

/// The bytes at both ends of a range of bits, of which only some bits may belong to it.
struct Edges {
    first: usize,
    last: usize,
    first_mask: u8,
    last_mask: u8,
}

impl Edges {
    /// The ends of a range, unless it is empty.
    fn new(range: &Range<u64>) -> Option<Self> {
        let last_bit = range.end.checked_sub(1).filter(|last| *last >= range.start)?;
        Some(Self {
            first: position(range.start),
            last: position(last_bit),
            first_mask: 0xff >> (range.start % 8),
            last_mask: 0xff << (7 - last_bit % 8),
        })
    }

    /// Which bits of a byte belong to the range.
    fn mask(&self, at: usize) -> u8 {
        let first = if at == self.first { self.first_mask } else { 0xff };
        let last = if at == self.last { self.last_mask } else { 0xff };
        first & last
    }

    /// The outer bytes, one or two, without the bits that do not belong to the range.
    fn outer<'b>(&'b self, bytes: &'b [u8]) -> impl Iterator<Item = (usize, u8)> + 'b {
        let last = (self.last != self.first).then_some(self.last);
        [self.first].into_iter().chain(last).map(|at| (at, bytes[at] & self.mask(at)))
    }
}

/// How two bits make one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Both.
    And,
    /// Either or both.
    Or,
    /// One, but not both.
    Xor,
}

/// Joins strings bit by bit. The result is as long as the longest; shorter ones count as if zeros
/// followed.
pub fn combine(operation: Operation, sources: &[&[u8]]) -> Vec<u8> {
    let len = sources.iter().map(|source| source.len()).max().unwrap_or(0);
    let Some((first, others)) = sources.split_first() else { return Vec::new() };
    let mut result = Vec::with_capacity(len);
    result.extend_from_slice(first);
    result.resize(len, 0);
    for source in others {
        let (common, rest) = result.split_at_mut(source.len());
        // Plain loops over bytes, which the compiler turns into loops over registers.
        let pairs = common.iter_mut().zip(*source);
        match operation {
            Operation::And => {
                pairs.for_each(|(result, byte)| *result &= byte);
                rest.fill(0);
            }
            Operation::Or => pairs.for_each(|(result, byte)| *result |= byte),
            Operation::Xor => pairs.for_each(|(result, byte)| *result ^= byte),
        }
    }
    result
}

/// Every bit the other way round.
pub fn invert(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| !byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naive(bytes: &[u8], range: Range<u64>) -> impl Iterator<Item = (u64, bool)> {
        range.map(|index| (index, get(bytes, index)))
    }

    #[test]
    fn counting_and_searching_agree_with_looking_at_each_bit() {
        let mut rng = fastrand::Rng::with_seed(3);
        for _ in 0..2000 {
            let len = rng.usize(1..200);
            let byte = *rng.choice(&[0u8, 0xff, 0x10]).unwrap();
            let mut bytes = vec![byte; len];
            for _ in 0..rng.usize(..3) {
                let at = rng.usize(..len);
                bytes[at] = rng.u8(..);
            }
            let end = rng.u64(..=bit_len(&bytes));
            let range = rng.u64(..=end)..end;
            let expected = naive(&bytes, range.clone()).filter(|(_, bit)| *bit).count() as u64;
            assert_eq!(count(&bytes, range.clone()), expected, "{bytes:?} {range:?}");
            for wanted in [false, true] {
                let found = naive(&bytes, range.clone()).find(|(_, bit)| *bit == wanted);
                let expected = found.map(|(index, _)| index);
                assert_eq!(first(&bytes, wanted, range.clone()), expected, "{bytes:?} {range:?}");
            }
        }
    }

    #[test]
    fn bits_are_numbered_from_the_highest() {
        let mut bytes = [0, 0];
        set(&mut bytes, 0, true);
        set(&mut bytes, 15, true);
        assert_eq!(bytes, [0x80, 0x01]);
        set(&mut bytes, 0, false);
        assert!(!get(&bytes, 0) && get(&bytes, 15) && !get(&bytes, u64::MAX));
    }

    #[test]
    fn shorter_strings_are_padded_with_zeros() {
        let sources: [&[u8]; 2] = [&[0b1100, 0xff], &[0b1010]];
        assert_eq!(combine(Operation::And, &sources), [0b1000, 0]);
        assert_eq!(combine(Operation::Or, &sources), [0b1110, 0xff]);
        assert_eq!(combine(Operation::Xor, &sources), [0b0110, 0xff]);
        assert_eq!(combine(Operation::And, &[&[], &[1]]), [0]);
        assert_eq!(combine(Operation::And, &[]), []);
        assert_eq!(invert(&[0b1100]), [0b1111_0011]);
    }
}
