//! Integers of any width inside a string of bits.

/// An integer of a string: up to 64 bits if it has a sign, up to 63 otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Index of its first and highest bit.
    pub offset: u64,
    /// Number of its bits.
    pub width: u32,
    /// Whether the highest bit is a sign, in two's complement.
    pub is_signed: bool,
}

/// What becomes of a number that does not fit its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overflow {
    /// The bits that fit are kept.
    #[default]
    Wrap,
    /// The nearest number that fits is taken.
    Saturate,
    /// Nothing is written.
    Fail,
}

impl Field {
    /// Number of bytes that a string needs to hold this field.
    pub fn end_bytes(self) -> u64 {
        (self.offset + u64::from(self.width)).div_ceil(8)
    }

    /// The number in this field; a string that ends before is read as if zeros followed.
    pub fn get(self, bytes: &[u8]) -> i64 {
        let mut window = [0; WINDOW_BYTES];
        let bytes = usize::try_from(self.offset / 8).ok().and_then(|first| bytes.get(first..));
        let bytes = bytes.unwrap_or_default();
        let len = bytes.len().min(window.len());
        window[..len].copy_from_slice(&bytes[..len]);
        // The bits behind the field fall out to the right, those before it are cut off below.
        let bits = (u128::from_be_bytes(window) >> self.shift()) as u64;
        self.number(bits)
    }

    /// Writes the lowest bits of a number into this field, for which the string must be long enough.
    pub fn set(self, bytes: &mut [u8], value: i64) {
        let first = (self.offset / 8) as usize;
        let bytes = &mut bytes[first..self.end_bytes() as usize];
        let mut window = [0; WINDOW_BYTES];
        window[..bytes.len()].copy_from_slice(bytes);
        let mask = u128::from(self.mask()) << self.shift();
        let value = (u128::from(value as u64) << self.shift()) & mask;
        let changed = (u128::from_be_bytes(window) & !mask) | value;
        bytes.copy_from_slice(&changed.to_be_bytes()[..bytes.len()]);
    }

    /// What to write for `value + increment`, where `value` need not fit the field; `None` if it
    /// does not fit and is to fail.
    pub fn sum(self, value: i64, increment: i64, overflow: Overflow) -> Option<i64> {
        let limit = if self.is_signed {
            self.signed_limit(value, increment)
        } else {
            self.unsigned_limit(value as u64, increment)
        };
        match (limit, overflow) {
            (Some(_), Overflow::Fail) => None,
            (Some(limit), Overflow::Saturate) => Some(limit),
            _ => Some(self.number(value.wrapping_add(increment) as u64)),
        }
    }

    /// The limit that a sum goes beyond, if it does.
    fn signed_limit(self, value: i64, increment: i64) -> Option<i64> {
        let max = (self.mask() >> 1) as i64;
        let min = !max;
        // As Redis computes it: far below the least number of a narrow field these wrap around, and
        // the number saturates at the upper limit.
        let (room_above, room_below) = (max.wrapping_sub(value), min.wrapping_sub(value));
        let is_narrow = self.width < 64;
        if value > max || (increment > room_above && (is_narrow || (value >= 0 && increment > 0))) {
            Some(max)
        } else if value < min
            || (increment < room_below && (is_narrow || (value < 0 && increment < 0)))
        {
            Some(min)
        } else {
            None
        }
    }

    fn unsigned_limit(self, value: u64, increment: i64) -> Option<i64> {
        let max = self.mask();
        match value.checked_add_signed(increment) {
            // An unsigned field has 63 bits at most.
            _ if value > max => Some(max as i64),
            None if increment < 0 => Some(0),
            Some(sum) if sum <= max => None,
            _ => Some(max as i64),
        }
    }

    /// The lowest bits of `bits` as a number of this field's kind.
    fn number(self, bits: u64) -> i64 {
        let unused = 64 - self.width;
        if self.is_signed {
            ((bits << unused) as i64) >> unused
        } else {
            (bits & self.mask()) as i64
        }
    }

    fn mask(self) -> u64 {
        u64::MAX >> (64 - self.width)
    }

    /// Number of bits behind the field in a window that begins with its first byte.
    fn shift(self) -> u32 {
        // A remainder of eight.
        u128::BITS - (self.offset % 8) as u32 - self.width
    }
}

/// A field with the bits around it touches nine bytes at most.
const WINDOW_BYTES: usize = size_of::<u128>();

#[cfg(test)]
mod tests {
    use super::*;

    fn field(is_signed: bool, width: u32, offset: u64) -> Field {
        Field { offset, width, is_signed }
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else_changes() {
        let mut rng = fastrand::Rng::with_seed(5);
        for _ in 0..2000 {
            let is_signed = rng.bool();
            let field = field(is_signed, rng.u32(1..=63 + u32::from(is_signed)), rng.u64(..100));
            let before: Vec<u8> = (0..field.end_bytes()).map(|_| rng.u8(..)).collect();
            let mut bytes = before.clone();
            let value = field.number(rng.u64(..));
            field.set(&mut bytes, value);
            assert_eq!(field.get(&bytes), value, "{field:?}");
            let inside = field.offset..field.offset + u64::from(field.width);
            for index in (0..before.len() as u64 * 8).filter(|index| !inside.contains(index)) {
                let bits = (
                    crate::value::bits::get(&bytes, index),
                    crate::value::bits::get(&before, index),
                );
                assert_eq!(bits.0, bits.1, "bit {index} around {field:?}");
            }
        }
    }

    #[test]
    fn a_field_behind_the_end_is_zero() {
        assert_eq!(field(false, 16, 0).get(&[0xab]), 0xab00);
        assert_eq!(field(true, 64, 8).get(&[0xab]), 0);
        assert_eq!(field(true, 8, u64::MAX / 2).get(&[0xab]), 0);
    }

    #[test]
    fn sums_that_do_not_fit_wrap_saturate_or_fail() {
        let (i8, u8) = (field(true, 8, 0), field(false, 8, 0));
        let (i64, u63) = (field(true, 64, 0), field(false, 63, 0));
        // Field, value, increment; wrapped, saturated. What fits is the same in both.
        let cases = [
            (i8, 100, 27, 127, 127),
            (i8, 100, 28, -128, 127),
            (i8, -100, -29, 127, -128),
            (i8, 300, 0, 44, 127),
            (i8, -300, 0, -44, -128),
            (i8, i64::MIN, 0, 0, 127),
            (u8, 250, 5, 255, 255),
            (u8, 250, 6, 0, 255),
            (u8, 5, -6, 255, 0),
            (u8, -1, 0, 255, 255),
            (i64, i64::MAX, 1, i64::MIN, i64::MAX),
            (i64, i64::MIN, -1, i64::MAX, i64::MIN),
            (i64, i64::MIN, i64::MAX, -1, -1),
            (i64, i64::MAX, i64::MIN, -1, -1),
            (u63, i64::MAX, 1, 0, i64::MAX),
            (u63, 0, i64::MIN, 0, 0),
        ];
        for (field, value, increment, wrapped, saturated) in cases {
            let sum = |overflow| field.sum(value, increment, overflow);
            let name = format!("{field:?} {value} {increment}");
            assert_eq!(sum(Overflow::Wrap), Some(wrapped), "{name}");
            assert_eq!(sum(Overflow::Saturate), Some(saturated), "{name}");
            let fits = i128::from(value) + i128::from(increment) == i128::from(wrapped);
            assert_eq!(sum(Overflow::Fail), fits.then_some(wrapped), "{name}");
        }
    }
}
