//! Natural numbers of any size: just what reading and printing extended-precision numbers takes.

/// A natural number: base 2^32, the least digit first, no zeros at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Natural {
    limbs: Vec<u32>,
}

/// The greatest power of ten that fits a limb, and its exponent.
const CHUNK: u32 = 10u32.pow(CHUNK_DIGITS);
const CHUNK_DIGITS: u32 = 9;
const LIMB_BITS: usize = u32::BITS as usize;

impl Natural {
    /// The number with these digits, the greatest first.
    pub(super) fn from_digits(digits: &[u8], base: u32) -> Self {
        let mut number = Self { limbs: Vec::new() };
        // So many digits fit a limb in any base up to 16.
        for chunk in digits.chunks(7) {
            let (scale, value) = chunk.iter().fold((1, 0), |(scale, value), digit| {
                (scale * base, value * base + u32::from(*digit))
            });
            number.multiply_add(scale, value);
        }
        number
    }

    fn multiply_add(&mut self, factor: u32, addend: u32) {
        let mut carry = u64::from(addend);
        for limb in &mut self.limbs {
            let product = u64::from(*limb) * u64::from(factor) + carry;
            // The low half stays, the high half is carried on.
            *limb = product as u32;
            carry = product >> LIMB_BITS;
        }
        if carry != 0 {
            self.limbs.push(carry as u32);
        }
    }

    pub(super) fn multiply_by_power_of_ten(&mut self, exponent: u32) {
        (0..exponent / CHUNK_DIGITS).for_each(|_| self.multiply_add(CHUNK, 0));
        self.multiply_add(10u32.pow(exponent % CHUNK_DIGITS), 0);
    }

    /// Divides and gives the remainder.
    fn divide(&mut self, divisor: u32) -> u32 {
        let mut rest = 0;
        for limb in self.limbs.iter_mut().rev() {
            let value = (rest << LIMB_BITS) | u64::from(*limb);
            // The rest is below the divisor, so the quotient is below 2^32.
            *limb = (value / u64::from(divisor)) as u32;
            rest = value % u64::from(divisor);
        }
        while self.limbs.last() == Some(&0) {
            self.limbs.pop();
        }
        rest as u32
    }

    /// Divides; whether anything was left over.
    pub(super) fn divide_by_power_of_ten(&mut self, exponent: u32) -> bool {
        let mut has_rest = false;
        for _ in 0..exponent / CHUNK_DIGITS {
            has_rest |= self.divide(CHUNK) != 0;
        }
        has_rest | (self.divide(10u32.pow(exponent % CHUNK_DIGITS)) != 0)
    }

    pub(super) fn shift_left(&mut self, bits: usize) {
        self.multiply_add(1 << (bits % LIMB_BITS), 0);
        if !self.limbs.is_empty() {
            self.limbs.splice(0..0, std::iter::repeat_n(0, bits / LIMB_BITS));
        }
    }

    /// Number of bits up to the highest that is set.
    pub(super) fn bit_len(&self) -> usize {
        match self.limbs.last() {
            Some(last) => self.limbs.len() * LIMB_BITS - last.leading_zeros() as usize,
            None => 0,
        }
    }

    /// The highest bits, 97 of them at least if there are so many; how many were left out below, and
    /// whether any of those is set.
    pub(super) fn leading_bits(&self) -> (u128, usize, bool) {
        let (low, high) = self.limbs.split_at(self.limbs.len().saturating_sub(4));
        let bits = high.iter().rev().fold(0, |bits, limb| bits << LIMB_BITS | u128::from(*limb));
        (bits, low.len() * LIMB_BITS, low.iter().any(|limb| *limb != 0))
    }

    /// The decimal digits.
    pub(super) fn into_decimal(mut self) -> String {
        let mut chunks = Vec::new();
        while !self.limbs.is_empty() {
            chunks.push(self.divide(CHUNK));
        }
        let mut text = chunks.pop().unwrap_or(0).to_string();
        for chunk in chunks.into_iter().rev() {
            text.push_str(&format!("{chunk:09}"));
        }
        text
    }
}

impl From<u64> for Natural {
    fn from(value: u64) -> Self {
        let mut number = Self { limbs: vec![value as u32, (value >> LIMB_BITS) as u32] };
        while number.limbs.last() == Some(&0) {
            number.limbs.pop();
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_read_and_printed() {
        for text in ["0", "7", "4294967296", "1000000000", "123456789012345678901234567890"] {
            let digits: Vec<u8> = text.bytes().map(|digit| digit - b'0').collect();
            assert_eq!(Natural::from_digits(&digits, 10).into_decimal(), text);
        }
        assert_eq!(Natural::from_digits(&[15; 16], 16), Natural::from(u64::MAX));
    }

    #[test]
    fn multiplying_dividing_and_shifting_agree() {
        let mut number = Natural::from(u64::MAX);
        number.multiply_by_power_of_ten(40);
        assert_eq!(number.clone().into_decimal(), format!("{}{}", u64::MAX, "0".repeat(40)));
        assert!(!number.divide_by_power_of_ten(40));
        assert_eq!(number, Natural::from(u64::MAX));
        number.shift_left(100);
        assert_eq!(
            (number.bit_len(), number.leading_bits()),
            (164, (u128::from(u64::MAX) << 36, 64, false))
        );
        number.shift_left(0);
        assert!(number.divide_by_power_of_ten(2), "2^64 - 1 has the factor 5 just once");
    }
}
