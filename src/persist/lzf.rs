//! LZF, the compression of strings in snapshots: Redis's very output, so that payloads are equal to the
//! byte.
//!
//! The format (liblzf, M. Lehmann): a byte below 32 announces that many literal bytes and one more; any
//! other holds in its upper three bits the length of a copy less two (7 says that a byte with the rest
//! of the length follows) and in its lower five, with the byte behind, how far back the copy starts less
//! one.

/// The most literal bytes behind one announcement.
const LITERAL_BYTES_MAX: usize = 1 << 5;
/// How far back a copy may start.
const DISTANCE_BYTES_MAX: u32 = 1 << 13;
/// The longest copy.
const COPY_BYTES_MAX: usize = (1 << 8) + (1 << 3);
/// Slots of the table of places, by a hash of the three bytes there.
const SLOT_COUNT: usize = 1 << 16;

/// The most bytes that a compressed byte can stand for: three of them are a copy of the longest kind.
pub(super) const EXPANSION_MAX: u64 = COPY_BYTES_MAX as u64 / 3;

/// A compressor, which keeps its table from string to string.
pub(super) struct Compressor {
    /// Where three bytes with this hash were seen last. Places count on from string to string, so that
    /// those of former strings are too far back, and the table is cleared once in four billion bytes.
    slots: Box<[u32]>,
    /// The place of the current string's first byte.
    base: u32,
}

impl Compressor {
    pub(super) fn new() -> Self {
        Self { slots: vec![0; SLOT_COUNT].into(), base: DISTANCE_BYTES_MAX }
    }

    /// Appends the compressed form of `input` to `out` if it takes at most `bytes_max`; whether it does.
    pub(super) fn compress(&mut self, input: &[u8], bytes_max: usize, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        let fits = self.try_compress(input, start, bytes_max, out).is_some();
        if !fits {
            out.truncate(start);
        }
        fits
    }

    /// Finds a place for the string's bytes behind those of former strings.
    fn advance(&mut self, length: usize) -> Option<u32> {
        let length = u32::try_from(length).ok()?;
        let behind = |base: u32| base.checked_add(length)?.checked_add(DISTANCE_BYTES_MAX);
        let (base, next) = match behind(self.base) {
            Some(next) => (self.base, next),
            None => {
                self.slots.fill(0);
                (DISTANCE_BYTES_MAX, behind(DISTANCE_BYTES_MAX)?)
            }
        };
        self.base = next;
        Some(base)
    }

    fn try_compress(
        &mut self,
        input: &[u8],
        start: usize,
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let base = self.advance(input.len())?;
        // How many bytes are out, and would be with these, as lzf_c.c counts them: it gives up by
        // this number, and what it gives up is not compressed by us either.
        let used = |out: &Vec<u8>| out.len() - start;
        let mut literals = Literals::start(out);
        let (mut at, end) = (0, input.len());
        while at + 2 < end {
            let place = base + at as u32;
            let slot = &mut self.slots[slot(&input[at..])];
            let seen = std::mem::replace(slot, place);
            let distance = place.wrapping_sub(seen).wrapping_sub(1);
            // A copy never starts with the first byte: as in lzf_c.c, where its place marks a free slot.
            let is_match = distance < DISTANCE_BYTES_MAX && seen > base && {
                let seen = (seen - base) as usize;
                input[seen..seen + 3] == input[at..at + 3]
            };
            if !is_match {
                if used(out) >= bytes_max {
                    return None;
                }
                literals.push(input[at], out);
                at += 1;
                continue;
            }
            let spared = usize::from(literals.count == 0);
            if used(out) - spared + 4 >= bytes_max {
                return None;
            }
            literals.stop(out);
            let longest = (end - at - 2).min(COPY_BYTES_MAX);
            let length = copy_length(input, (seen - base) as usize, at, longest);
            write_copy(length, distance, out);
            literals = Literals::start(out);
            at += length;
            if at + 2 >= end {
                break;
            }
            // The last two places inside a copy are noted too, and no others.
            for place in [at - 2, at - 1] {
                self.slots[self::slot(&input[place..])] = base + place as u32;
            }
        }
        if used(out) + 3 > bytes_max {
            return None;
        }
        input[at..].iter().for_each(|byte| literals.push(*byte, out));
        literals.stop(out);
        Some(())
    }
}

/// A run of literal bytes that is being written.
struct Literals {
    /// Where its announcement stands.
    mark: usize,
    count: usize,
}

impl Literals {
    fn start(out: &mut Vec<u8>) -> Self {
        out.push(0);
        Self { mark: out.len() - 1, count: 0 }
    }

    fn push(&mut self, byte: u8, out: &mut Vec<u8>) {
        out.push(byte);
        self.count += 1;
        if self.count == LITERAL_BYTES_MAX {
            out[self.mark] = (LITERAL_BYTES_MAX - 1) as u8;
            *self = Self::start(out);
        }
    }

    /// Announces the run, or takes back the announcement of none.
    fn stop(&self, out: &mut Vec<u8>) {
        match self.count {
            0 => out.truncate(self.mark),
            count => out[self.mark] = (count - 1) as u8,
        }
    }
}

/// The slot of the first three of these bytes.
fn slot(bytes: &[u8]) -> usize {
    let hash = u32::from(bytes[0]) << 16 | u32::from(bytes[1]) << 8 | u32::from(bytes[2]);
    (hash >> 8).wrapping_sub(hash.wrapping_mul(5)) as usize % SLOT_COUNT
}

/// How many bytes from `from` on are those from `at` on; of the first three it was seen before.
fn copy_length(input: &[u8], from: usize, at: usize, longest: usize) -> usize {
    // lzf_c.c compares sixteen more without a look at its bound, which lies two short of the end.
    let longest = if longest > 16 { longest.max(16 + 3) } else { longest };
    let mut length = 3;
    while length < longest && input[from + length] == input[at + length] {
        length += 1;
    }
    length
}

fn write_copy(length: usize, distance: u32, out: &mut Vec<u8>) {
    // Below 2^5 and 2^8.
    let (high, low) = ((distance >> 8) as u8, distance as u8);
    match length - 2 {
        short @ 0..7 => out.push((short as u8) << 5 | high),
        long => out.extend_from_slice(&[7 << 5 | high, (long - 7) as u8]),
    }
    out.push(low);
}

/// Appends what `input` stands for, which must be `length` bytes; whether it is, and is well-formed.
pub(super) fn decompress(input: &[u8], length: usize, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    out.reserve_exact(length);
    try_decompress(input, start, start + length, out).is_some() && out.len() == start + length
}

fn try_decompress(mut input: &[u8], start: usize, end: usize, out: &mut Vec<u8>) -> Option<()> {
    while let Some((&control, rest)) = input.split_first() {
        if usize::from(control) < LITERAL_BYTES_MAX {
            let (literal, rest) = rest.split_at_checked(usize::from(control) + 1)?;
            if out.len() + literal.len() > end {
                return None;
            }
            out.extend_from_slice(literal);
            input = rest;
            continue;
        }
        let mut rest = rest.iter();
        let mut length = usize::from(control >> 5) + 2;
        if length == 7 + 2 {
            length += usize::from(*rest.next()?);
        }
        let distance = usize::from(control & 0x1f) << 8 | usize::from(*rest.next()?);
        let from = out.len().checked_sub(distance + 1).filter(|from| *from >= start)?;
        if out.len() + length > end {
            return None;
        }
        if from + length <= out.len() {
            out.extend_from_within(from..from + length);
        } else {
            // The copy runs into itself: what it has written is what it goes on with.
            (from..from + length).for_each(|at| out.push(out[at]));
        }
        input = rest.as_slice();
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compressed(compressor: &mut Compressor, input: &[u8]) -> Option<Vec<u8>> {
        let mut out = b"before".to_vec();
        let fits = compressor.compress(input, input.len() - 4, &mut out);
        assert!(out.starts_with(b"before") && (fits || out.len() == 6));
        fits.then(|| out.split_off(6))
    }

    /// From DUMP of Redis 7.0.15.
    #[test]
    fn the_bytes_are_those_that_redis_writes() {
        let cases: &[(&[u8], &[u8])] = &[
            (&[b'a'; 21], b"\x01aa\xe0\x0a\x00"),
            (&b"abc".repeat(8), b"\x03abca\xe0\x0a\x02\x00c"),
            (&[b'a'; 300], b"\x01aa\xe0\xff\x00\xe0\x17\x00\x01aa"),
        ];
        let mut compressor = Compressor::new();
        for (input, expected) in cases {
            assert_eq!(compressed(&mut compressor, input).as_deref(), Some(*expected));
        }
    }

    #[test]
    fn whatever_is_compressed_comes_back() {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut compressor = Compressor::new();
        for round in 0..3000 {
            let alphabet = rng.u8(1..=40);
            let length = rng.usize(5..if round % 50 == 0 { 20_000 } else { 400 });
            let mut input: Vec<u8> = (0..length).map(|_| rng.u8(0..alphabet)).collect();
            if rng.bool() {
                let (from, count) = (rng.usize(..length), rng.usize(..600));
                let again: Vec<u8> = input.iter().skip(from).take(count).copied().collect();
                input.extend(again);
            }
            let Some(packed) = compressed(&mut compressor, &input) else { continue };
            assert!(packed.len() <= input.len() - 4);
            let mut out = b"x".to_vec();
            assert!(decompress(&packed, input.len(), &mut out));
            assert_eq!(out[1..], input);
            // Another length is noticed, and so is a cut.
            assert!(!decompress(&packed, input.len() - 1, &mut Vec::new()));
            assert!(!decompress(&packed, input.len() + 1, &mut Vec::new()));
            assert!(!decompress(&packed[..packed.len() - 1], input.len(), &mut Vec::new()));
        }
    }

    #[test]
    fn earlier_strings_leave_no_traces() {
        let mut rng = fastrand::Rng::with_seed(2);
        let mut used = Compressor::new();
        let text = |rng: &mut fastrand::Rng| -> Vec<u8> {
            (0..rng.usize(30..300)).map(|_| rng.u8(b'a'..b'e')).collect()
        };
        for round in 0..300 {
            if round == 200 {
                // The next string no longer fits behind the former ones.
                used.base = u32::MAX - DISTANCE_BYTES_MAX - 10;
            }
            let input = text(&mut rng);
            let fresh = compressed(&mut Compressor::new(), &input);
            assert_eq!(compressed(&mut used, &input), fresh);
        }
    }

    #[test]
    fn damaged_input_is_refused() {
        // Copies from before the start, announcements of what is not there.
        for input in [&b"\x20\x00"[..], b"\x00a\x20\x01", b"\x01a", b"\xe0\x01", b"\x20", b"\xe0"] {
            for length in 0..12 {
                assert!(!decompress(input, length, &mut b"before".to_vec()), "{input:x?}");
            }
        }
        assert!(decompress(b"", 0, &mut Vec::new()));
    }
}
