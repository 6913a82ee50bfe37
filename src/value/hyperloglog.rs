//! HyperLogLogs: how many different elements were added, in 12 KB at most, as strings of Redis's own layout.
//!
//! The layout is that of `hyperloglog.c`: sixteen bytes of header (`HYLL`, encoding, three unused, the
//! cached count with its highest bit as "not valid"), then 16384 registers, either dense, six bits each, or
//! sparse, as runs. Every step of the sparse form is Redis's, so strings are equal byte for byte, and
//! counts (Ertl's estimator, arXiv:1702.01284) exactly.

/// Registers; an element's hash chooses one by its lowest 14 bits.
const REGISTER_COUNT: usize = 1 << REGISTER_BITS;
const REGISTER_BITS: u32 = 14;
/// The largest value of a register is one more than the bits of the hash that are left.
const HASH_BITS_LEFT: u32 = 64 - REGISTER_BITS;
const HEADER_BYTES: usize = 16;
const DENSE_BYTES: usize = HEADER_BYTES + REGISTER_COUNT * 6 / 8;
const DENSE: u8 = 0;
const SPARSE: u8 = 1;
/// The highest bit of the cached count: it has to be computed anew.
const STALE_BYTE: usize = 15;
const STALE: u8 = 0x80;
/// The largest value that a sparse run can say.
const SPARSE_VALUE_MAX: u8 = 32;
const SPARSE_VALUE_RUN_MAX: usize = 4;
const SPARSE_ZERO_RUN_MAX: usize = 64;

/// A string whose runs do not add up to the number of registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Corrupted;

/// An empty one, sparse.
pub fn new() -> Vec<u8> {
    let mut bytes = vec![0; HEADER_BYTES];
    bytes[..4].copy_from_slice(b"HYLL");
    bytes[4] = SPARSE;
    push_zeros(REGISTER_COUNT, &mut bytes);
    bytes
}

/// Whether a string looks like one, by its header and length.
pub fn is_valid(bytes: &[u8]) -> bool {
    bytes.len() >= HEADER_BYTES
        && bytes.starts_with(b"HYLL")
        && match bytes[4] {
            DENSE => bytes.len() == DENSE_BYTES,
            SPARSE => true,
            _ => false,
        }
}

/// Whether it is in the dense form.
pub fn is_dense(bytes: &[u8]) -> bool {
    bytes[4] == DENSE
}

/// Adds an element; whether a register changed. The dense form is taken beyond `sparse_bytes_max`.
pub fn add(
    bytes: &mut Vec<u8>,
    element: &[u8],
    sparse_bytes_max: usize,
) -> Result<bool, Corrupted> {
    let (register, value) = register_of(element);
    let changed = raise(bytes, register, value, sparse_bytes_max)?;
    if changed {
        invalidate(bytes);
    }
    Ok(changed)
}

/// Marks the cached count as stale.
pub fn invalidate(bytes: &mut [u8]) {
    bytes[STALE_BYTE] |= STALE;
}

/// The cached count, if it is valid.
pub fn cached_count(bytes: &[u8]) -> Option<u64> {
    let (_, cache) = bytes[..HEADER_BYTES].split_last_chunk::<8>()?;
    (bytes[STALE_BYTE] & STALE == 0).then(|| u64::from_le_bytes(*cache))
}

/// Keeps a count.
pub fn cache_count(bytes: &mut [u8], count: u64) {
    bytes[8..HEADER_BYTES].copy_from_slice(&count.to_le_bytes());
}

/// Raises `registers` to what this one has where it has more.
pub fn merge_into(bytes: &[u8], registers: &mut Registers) -> Result<(), Corrupted> {
    visit_runs(bytes, |start, length, value| {
        for register in &mut registers.values[start..start + length] {
            *register = value.max(*register);
        }
    })
}

/// The number of different elements.
pub fn count(bytes: &[u8]) -> Result<u64, Corrupted> {
    let mut histogram = [0u32; 64];
    visit_runs(bytes, |_, length, value| histogram[usize::from(value & 63)] += length as u32)?;
    Ok(estimate(&histogram))
}

/// Registers that are merged outside of a string.
pub struct Registers {
    values: Box<[u8]>,
}

impl Default for Registers {
    fn default() -> Self {
        Self { values: vec![0; REGISTER_COUNT].into() }
    }
}

impl Registers {
    /// The number of different elements.
    pub fn count(&self) -> u64 {
        let mut histogram = [0u32; 64];
        self.values.iter().for_each(|value| histogram[usize::from(value & 63)] += 1);
        estimate(&histogram)
    }

    /// Stores the registers into a string, whose form is kept unless it must become dense.
    pub fn store(
        &self,
        bytes: &mut Vec<u8>,
        dense: bool,
        sparse_bytes_max: usize,
    ) -> Result<(), Corrupted> {
        if dense {
            make_dense(bytes)?;
        }
        for (register, value) in self.values.iter().enumerate().filter(|(_, value)| **value > 0) {
            raise(bytes, register, *value, sparse_bytes_max)?;
        }
        invalidate(bytes);
        Ok(())
    }
}

/// The register of an element, and the position of the first set bit in the rest of its hash.
fn register_of(element: &[u8]) -> (usize, u8) {
    let hash = murmur_hash_64a(element, 0xadc8_3b19);
    let register = (hash & (REGISTER_COUNT as u64 - 1)) as usize;
    let rest = (hash >> REGISTER_BITS) | (1 << HASH_BITS_LEFT);
    (register, rest.trailing_zeros() as u8 + 1)
}

/// MurmurHash2, 64-bit version A (Austin Appleby, public domain), reading little-endian as Redis does.
fn murmur_hash_64a(bytes: &[u8], seed: u64) -> u64 {
    const M: u64 = 0xc6a4_a793_5bd1_e995;
    const R: u32 = 47;
    let mut hash = seed ^ (bytes.len() as u64).wrapping_mul(M);
    let (words, tail) = bytes.as_chunks::<8>();
    for word in words {
        let mut k = u64::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> R;
        hash = (hash ^ k.wrapping_mul(M)).wrapping_mul(M);
    }
    if !tail.is_empty() {
        let mut last = [0; 8];
        last[..tail.len()].copy_from_slice(tail);
        hash = (hash ^ u64::from_le_bytes(last)).wrapping_mul(M);
    }
    hash = (hash ^ (hash >> R)).wrapping_mul(M);
    hash ^ (hash >> R)
}

/// Raises one register; whether it was lower.
fn raise(
    bytes: &mut Vec<u8>,
    register: usize,
    value: u8,
    sparse_bytes_max: usize,
) -> Result<bool, Corrupted> {
    if is_dense(bytes) {
        return Ok(raise_dense(&mut bytes[HEADER_BYTES..], register, value));
    }
    match raise_sparse(bytes, register, value, sparse_bytes_max)? {
        Sparse::Kept => Ok(false),
        Sparse::Raised => Ok(true),
        Sparse::Full => {
            make_dense(bytes)?;
            Ok(raise_dense(&mut bytes[HEADER_BYTES..], register, value))
        }
    }
}

fn dense_value(registers: &[u8], register: usize) -> u8 {
    let (byte, bit) = (register * 6 / 8, register * 6 % 8);
    let next = registers.get(byte + 1).copied().unwrap_or(0);
    let pair = u16::from_le_bytes([registers[byte], next]);
    ((pair >> bit) & 63) as u8
}

fn raise_dense(registers: &mut [u8], register: usize, value: u8) -> bool {
    if dense_value(registers, register) >= value {
        return false;
    }
    let (byte, bit) = (register * 6 / 8, register * 6 % 8);
    let next = registers.get(byte + 1).copied().unwrap_or(0);
    let pair = u16::from_le_bytes([registers[byte], next]);
    let pair = (pair & !(63 << bit)) | (u16::from(value) << bit);
    let [low, high] = pair.to_le_bytes();
    registers[byte] = low;
    // The last register ends with the last byte.
    if let Some(next) = registers.get_mut(byte + 1) {
        *next = high;
    }
    true
}

/// A run of the sparse form.
#[derive(Debug, Clone, Copy)]
struct Run {
    /// Zero for registers that were never raised.
    value: u8,
    length: usize,
    /// Bytes that the run takes.
    bytes: usize,
}

fn run_at(bytes: &[u8], at: usize) -> Option<Run> {
    let first = *bytes.get(at)?;
    Some(match first {
        0x00..=0x3F => Run { value: 0, length: usize::from(first) + 1, bytes: 1 },
        0x40..=0x7F => {
            let length = (usize::from(first & 0x3F) << 8) | usize::from(*bytes.get(at + 1)?);
            Run { value: 0, length: length + 1, bytes: 2 }
        }
        _ => Run { value: ((first >> 2) & 0x1F) + 1, length: usize::from(first & 3) + 1, bytes: 1 },
    })
}

fn push_zeros(length: usize, out: &mut Vec<u8>) {
    if length > SPARSE_ZERO_RUN_MAX {
        let length = length - 1;
        out.extend_from_slice(&[0x40 | (length >> 8) as u8, length as u8]);
    } else if length > 0 {
        out.push((length - 1) as u8);
    }
}

fn value_run(value: u8, length: usize) -> u8 {
    0x80 | ((value - 1) << 2) | (length - 1) as u8
}

fn push_run(value: u8, length: usize, out: &mut Vec<u8>) {
    if value == 0 {
        push_zeros(length, out);
    } else if length > 0 {
        out.push(value_run(value, length));
    }
}

enum Sparse {
    Kept,
    Raised,
    /// The sparse form cannot hold it.
    Full,
}

/// `hllSparseSet`: finds the run, splits it around the register, and joins what has become equal.
fn raise_sparse(
    bytes: &mut Vec<u8>,
    register: usize,
    value: u8,
    bytes_max: usize,
) -> Result<Sparse, Corrupted> {
    if value > SPARSE_VALUE_MAX {
        return Ok(Sparse::Full);
    }
    let (mut at, mut start, mut previous) = (HEADER_BYTES, 0, None);
    let run = loop {
        let run = run_at(bytes, at).ok_or(Corrupted)?;
        if register < start + run.length {
            break run;
        }
        previous = Some(at);
        at += run.bytes;
        start += run.length;
    };
    if run.value >= value {
        return Ok(Sparse::Kept);
    }
    let mut replacement = Vec::with_capacity(5);
    push_run(run.value, register - start, &mut replacement);
    push_run(value, 1, &mut replacement);
    push_run(run.value, start + run.length - 1 - register, &mut replacement);
    if replacement.len() > run.bytes && bytes.len() + replacement.len() - run.bytes > bytes_max {
        return Ok(Sparse::Full);
    }
    bytes.splice(at..at + run.bytes, replacement);
    join_runs(bytes, previous.unwrap_or(HEADER_BYTES));
    Ok(Sparse::Raised)
}

/// Joins neighbouring runs of one value, looking at five from here on as Redis does.
fn join_runs(bytes: &mut Vec<u8>, mut at: usize) {
    for _ in 0..5 {
        let Some(run) = run_at(bytes, at) else { return };
        if run.value > 0
            && let Some(next) = run_at(bytes, at + 1)
            && next.value == run.value
            && run.length + next.length <= SPARSE_VALUE_RUN_MAX
        {
            bytes[at + 1] = value_run(run.value, run.length + next.length);
            bytes.remove(at);
        } else {
            at += run.bytes;
        }
    }
}

fn make_dense(bytes: &mut Vec<u8>) -> Result<(), Corrupted> {
    if is_dense(bytes) {
        return Ok(());
    }
    let mut dense = vec![0; DENSE_BYTES];
    dense[..HEADER_BYTES].copy_from_slice(&bytes[..HEADER_BYTES]);
    dense[4] = DENSE;
    visit_runs(bytes, |start, length, value| {
        for register in start..start + length {
            raise_dense(&mut dense[HEADER_BYTES..], register, value);
        }
    })?;
    *bytes = dense;
    Ok(())
}

/// Shows every run of registers with its value; of a dense one every register.
fn visit_runs(bytes: &[u8], mut visit: impl FnMut(usize, usize, u8)) -> Result<(), Corrupted> {
    if is_dense(bytes) {
        let registers = &bytes[HEADER_BYTES..];
        (0..REGISTER_COUNT)
            .for_each(|register| visit(register, 1, dense_value(registers, register)));
        return Ok(());
    }
    let (mut at, mut start) = (HEADER_BYTES, 0);
    while at < bytes.len() {
        let run = run_at(bytes, at).ok_or(Corrupted)?;
        if start + run.length > REGISTER_COUNT {
            return Err(Corrupted);
        }
        visit(start, run.length, run.value);
        at += run.bytes;
        start += run.length;
    }
    if start == REGISTER_COUNT { Ok(()) } else { Err(Corrupted) }
}

/// Ertl's estimator ("New cardinality estimation algorithms for HyperLogLog sketches", algorithm 6).
fn estimate(histogram: &[u32; 64]) -> u64 {
    const ALPHA_INFINITE: f64 = 0.721_347_520_444_481_7;
    let m = REGISTER_COUNT as f64;
    let of = |value: u32| f64::from(histogram[value as usize]);
    let mut z = m * tau((m - of(HASH_BITS_LEFT + 1)) / m);
    for value in (1..=HASH_BITS_LEFT).rev() {
        z = (z + of(value)) * 0.5;
    }
    z += m * sigma(of(0) / m);
    (ALPHA_INFINITE * m * m / z).round() as u64
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let former = z;
        z += x * y;
        y += y;
        if z == former {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let former = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if z == former {
            return z / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPARSE_BYTES_MAX: usize = 3000;

    #[test]
    fn estimates_are_close_and_forms_agree() {
        let (mut sparse, mut dense) = (new(), new());
        make_dense(&mut dense).unwrap();
        let mut next_check = 1;
        for number in 1..=50_000u64 {
            let element = format!("element:{number}");
            add(&mut sparse, element.as_bytes(), SPARSE_BYTES_MAX).unwrap();
            add(&mut dense, element.as_bytes(), SPARSE_BYTES_MAX).unwrap();
            if number == next_check {
                next_check *= 3;
                let estimate = count(&sparse).unwrap();
                assert_eq!(estimate, count(&dense).unwrap());
                assert!(
                    estimate.abs_diff(number) as f64 <= 0.03 * number as f64 + 0.5,
                    "{estimate} of {number}"
                );
                let mut registers = Registers::default();
                merge_into(&sparse, &mut registers).unwrap();
                assert_eq!(registers.count(), estimate);
            }
        }
        assert!(is_dense(&sparse) && sparse == dense);
    }

    #[test]
    fn an_element_twice_changes_nothing() {
        let mut bytes = new();
        assert_eq!(add(&mut bytes, b"a", SPARSE_BYTES_MAX), Ok(true));
        assert_eq!(add(&mut bytes, b"a", SPARSE_BYTES_MAX), Ok(false));
        assert_eq!((cached_count(&bytes), count(&bytes)), (None, Ok(1)));
        cache_count(&mut bytes, 1);
        assert_eq!(cached_count(&bytes), Some(1));
    }

    #[test]
    fn damaged_strings_are_noticed() {
        let mut bytes = new();
        add(&mut bytes, b"a", SPARSE_BYTES_MAX).unwrap();
        assert!(is_valid(&bytes) && !is_valid(&bytes[..15]) && !is_valid(b"HYLL\x02xxxxxxxxxxxx"));
        bytes.push(0);
        assert_eq!(count(&bytes), Err(Corrupted));
        bytes.truncate(HEADER_BYTES + 1);
        assert_eq!(count(&bytes), Err(Corrupted));
    }
}
