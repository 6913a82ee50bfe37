//! Numbers that look random and are the same in every run, those of Redis: `drand48` from POSIX.

/// The generator behind `math.random`.
#[derive(Debug)]
pub(super) struct Random(u64);

const MULTIPLIER: u64 = 0x5_DEEC_E66D;
const INCREMENT: u64 = 0xB;
const MASK: u64 = (1 << 48) - 1;

impl Random {
    /// As every server begins.
    pub fn fresh() -> Self {
        Self(0x1234_ABCD_330E)
    }

    /// With this seed.
    pub fn new(seed: i32) -> Self {
        // As POSIX's srand48 has it: the seed above a fixed 16 bits.
        Self((u64::from(seed.cast_unsigned()) << 16) | 0x330E)
    }

    /// A number of at least 0 and less than 1, in steps of 2^-31.
    pub fn fraction(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT) & MASK;
        let bits = (self.0 >> 17) as i64;
        let limit = i64::from(i32::MAX);
        (bits % limit) as f64 / limit as f64
    }
}
