//! The longest common subsequence of two strings.

/// A common part: where it begins in either string, and its length. Never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommonPart {
    /// Offset in the first string.
    pub first: usize,
    /// Offset in the second string.
    pub second: usize,
    /// Length in bytes.
    pub len: usize,
}

/// The parts of which the longest common subsequence consists, the last one first. Where several
/// subsequences are equally long, it is the one that Redis finds.
///
/// Takes one bit for each pair of bytes, where the textbook's table takes a number: the bit tells
/// whether the subsequence of both beginnings gets longer with the second string's last byte, and
/// that is all that is needed to find the way back.
pub fn common_parts(first: &[u8], second: &[u8]) -> Vec<CommonPart> {
    // A row is cut to whole bytes: a word for each byte of the first string would be too much where
    // the second one is short.
    let row_bytes = second.len().div_ceil(8);
    let mut rows: Vec<u8> = Vec::with_capacity(first.len() * row_bytes);
    let mut growth = Growth::new(second);
    let masks = masks(first, second);
    for (index, byte) in first.iter().enumerate() {
        growth.extend(&masks[usize::from(*byte)]);
        rows.extend(growth.words.iter().flat_map(|word| word.to_le_bytes()));
        rows.truncate((index + 1) * row_bytes);
    }
    let mut parts: Vec<CommonPart> = Vec::new();
    let (mut i, mut j) = (first.len(), second.len());
    while i > 0 && j > 0 {
        if first[i - 1] == second[j - 1] {
            match parts.last_mut() {
                Some(part) if part.first == i && part.second == j => {
                    *part = CommonPart { first: i - 1, second: j - 1, len: part.len + 1 };
                }
                _ => parts.push(CommonPart { first: i - 1, second: j - 1, len: 1 }),
            }
            (i, j) = (i - 1, j - 1);
        } else if rows[(i - 1) * row_bytes + (j - 1) / 8] & (1 << ((j - 1) % 8)) == 0 {
            // The last byte of the second string counts here, so leaving it out would cost.
            i -= 1;
        } else {
            j -= 1;
        }
    }
    parts
}

/// The length of the longest common subsequence.
pub fn common_len(first: &[u8], second: &[u8]) -> usize {
    let mut growth = Growth::new(second);
    let masks = masks(first, second);
    first.iter().for_each(|byte| growth.extend(&masks[usize::from(*byte)]));
    // The bits behind the second string's end match nothing and so stay set.
    growth.words.iter().map(|word| word.count_zeros() as usize).sum()
}

/// For every byte of the first string, where it stands in the second one; indexed by the byte.
fn masks(first: &[u8], second: &[u8]) -> Vec<Vec<u64>> {
    let mut masks = vec![Vec::new(); 256];
    for byte in first {
        let mask = &mut masks[usize::from(*byte)];
        if mask.is_empty() {
            mask.resize(words(second.len()), 0);
        }
    }
    for (index, byte) in second.iter().enumerate() {
        if let Some(word) = masks[usize::from(*byte)].get_mut(index / WORD_BITS) {
            *word |= 1 << (index % WORD_BITS);
        }
    }
    masks
}

const WORD_BITS: usize = u64::BITS as usize;

fn words(bits: usize) -> usize {
    bits.div_ceil(WORD_BITS)
}

/// Where the longest common subsequence of what was seen of the first string and the beginnings of
/// the second one grows: a bit is clear where it is one byte longer than at the bit before. This is
/// the algorithm of Crochemore and Hyyrö, which takes a word of bits in a step.
struct Growth {
    words: Vec<u64>,
}

impl Growth {
    /// Nothing of the first string was seen yet.
    fn new(second: &[u8]) -> Self {
        Self { words: vec![u64::MAX; words(second.len())] }
    }

    /// Sees the next byte of the first string.
    fn extend(&mut self, mask: &[u64]) {
        let mut carry = false;
        for (word, mask) in self.words.iter_mut().zip(mask) {
            let matches = *word & mask;
            let (sum, first_carry) = word.overflowing_add(matches);
            let (sum, second_carry) = sum.overflowing_add(u64::from(carry));
            carry = first_carry || second_carry;
            *word = sum | (*word & !mask);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The textbook's table, walked back as Redis does.
    fn by_table(first: &[u8], second: &[u8]) -> (usize, Vec<u8>) {
        let mut table = vec![vec![0usize; second.len() + 1]; first.len() + 1];
        for i in 1..=first.len() {
            for j in 1..=second.len() {
                table[i][j] = if first[i - 1] == second[j - 1] {
                    table[i - 1][j - 1] + 1
                } else {
                    table[i - 1][j].max(table[i][j - 1])
                };
            }
        }
        let (mut i, mut j, mut found) = (first.len(), second.len(), Vec::new());
        while i > 0 && j > 0 {
            if first[i - 1] == second[j - 1] {
                found.push((i - 1, j - 1));
                (i, j) = (i - 1, j - 1);
            } else if table[i - 1][j] > table[i][j - 1] {
                i -= 1;
            } else {
                j -= 1;
            }
        }
        let steps = found.iter().flat_map(|(i, j)| [*i as u8, *j as u8]).collect();
        (table[first.len()][second.len()], steps)
    }

    #[test]
    fn a_bit_for_a_pair_finds_what_the_table_finds() {
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..400 {
            let alphabet = rng.u8(1..6);
            let mut string = |len_max| -> Vec<u8> {
                let len = rng.usize(..=len_max);
                (0..len).map(|_| rng.u8(..alphabet)).collect()
            };
            let (first, second) = (string(150), string(200));
            let parts = common_parts(&first, &second);
            let steps: Vec<u8> = parts
                .iter()
                .flat_map(|part| {
                    let offsets = (0..part.len).rev();
                    offsets.flat_map(|at| [(part.first + at) as u8, (part.second + at) as u8])
                })
                .collect();
            let (len, expected) = by_table(&first, &second);
            assert_eq!(steps, expected, "{first:?} {second:?}");
            assert_eq!(common_len(&first, &second), len);
        }
    }

    #[test]
    fn parts_come_from_the_end() {
        let parts = common_parts(b"ohmytext", b"mynewtext");
        let text = CommonPart { first: 4, second: 5, len: 4 };
        let my = CommonPart { first: 2, second: 0, len: 2 };
        assert_eq!(parts, [text, my]);
    }
}
