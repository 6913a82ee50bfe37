//! Numbers with the precision that INCRBYFLOAT and HINCRBYFLOAT have in Redis on x86: 80 bits, 64 of
//! them significant, as the processor's `long double`. They are read, added and printed to the same
//! digit; only the sign of a result that is zero is never seen, as Redis hides it too.
//!
//! What a Redis on another processor (with doubles of 64 or 128 bits in that place) prints may differ
//! in the last digits.

use super::natural::Natural;
use std::cmp::Ordering;
use std::fmt;

/// An extended-precision number: `mantissa * 2^exponent`, or infinite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extended {
    is_negative: bool,
    magnitude: Magnitude,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Magnitude {
    /// Zero has the mantissa 0; of other numbers the highest bit is set, unless the exponent is the
    /// least that there is.
    Finite {
        mantissa: u64,
        exponent: i32,
    },
    Infinite,
}

/// The exponent of the least number above zero.
const EXPONENT_MIN: i32 = -16445;
/// The exponent of the greatest number.
const EXPONENT_MAX: i32 = 16383 - 63;
/// The longest text that Redis reads as a number, in bytes.
const TEXT_BYTES_MAX: usize = 5 * 1024 - 1;
/// Written exponents are cut off here: no text is long enough to make up for it.
const WRITTEN_EXPONENT_MAX: i32 = 1_000_000;
/// Numbers from 10 to the power of this on are infinite.
const POWER_MAX: i32 = 4940;
/// Numbers below 10 to the power of this are zero.
const POWER_MIN: i32 = -4960;
/// Digits behind the point that are printed, and 10 to the power of their number.
const FRACTION_DIGITS: usize = 17;
const FRACTION_SCALE: u64 = 10u64.pow(FRACTION_DIGITS as u32);

impl Extended {
    /// Reads a number as Redis's `string2ld` does: what C's `strtold` takes whole, but no surrounding
    /// space, not NaN, and nothing so great or so small that it would become infinite or zero.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let (is_negative, unsigned) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        let magnitude = match unsigned {
            [b'0', b'x' | b'X', hexadecimal @ ..] => Magnitude::parse_hexadecimal(hexadecimal)?,
            word if word.eq_ignore_ascii_case(b"inf") => Magnitude::Infinite,
            word if word.eq_ignore_ascii_case(b"infinity") => Magnitude::Infinite,
            decimal => Magnitude::parse_decimal(decimal)?,
        };
        Some(Self { is_negative, magnitude })
    }

    /// The sum, rounded to nearest; `None` if it is not finite.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let (mine, others) = (self.finite()?, other.finite()?);
        // Zero goes last whatever its exponent says, and so adds nothing.
        let order = |finite: &Finite| (finite.mantissa != 0, finite.exponent);
        let (great, small) =
            if order(&mine) >= order(&others) { (mine, others) } else { (others, mine) };
        // 63 bits below the greater mantissa and one above it are room enough: what falls out at the
        // lower end leaves a trace in the lowest bit, which is all that rounding needs to know.
        const ROOM_BITS: i32 = 63;
        let first = u128::from(great.mantissa) << ROOM_BITS;
        let second = match small.mantissa {
            0 => 0,
            mantissa => {
                let distance = great.exponent - small.exponent;
                shift_right_sticky(u128::from(mantissa) << ROOM_BITS, distance)
            }
        };
        let (is_negative, sum) = if great.is_negative == small.is_negative {
            (great.is_negative, first + second)
        } else if first >= second {
            (great.is_negative, first - second)
        } else {
            (small.is_negative, second - first)
        };
        let magnitude = Magnitude::round(sum, great.exponent - ROOM_BITS, false);
        Some(Self { is_negative, magnitude }).filter(|sum| sum.is_finite())
    }

    /// Whether it is no infinity.
    pub fn is_finite(self) -> bool {
        self.magnitude != Magnitude::Infinite
    }

    fn finite(self) -> Option<Finite> {
        let Self { is_negative, magnitude } = self;
        match magnitude {
            Magnitude::Finite { mantissa, exponent } => {
                Some(Finite { is_negative, mantissa, exponent })
            }
            Magnitude::Infinite => None,
        }
    }
}

/// The parts of a number that is not infinite.
struct Finite {
    is_negative: bool,
    mantissa: u64,
    exponent: i32,
}

impl From<i64> for Extended {
    fn from(value: i64) -> Self {
        let magnitude = Magnitude::round(u128::from(value.unsigned_abs()), 0, false);
        Self { is_negative: value < 0, magnitude }
    }
}

/// Prints as Redis does for people (`%.17Lf` without trailing zeros): 17 digits behind the point at
/// most, never an exponent.
impl fmt::Display for Extended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is_negative { "-" } else { "" };
        let Magnitude::Finite { mantissa, exponent } = self.magnitude else {
            return write!(f, "{sign}inf");
        };
        let Ok(shift) = u32::try_from(-exponent) else {
            let mut whole = Natural::from(mantissa);
            whole.shift_left(exponent.unsigned_abs() as usize);
            return write!(f, "{sign}{}", whole.into_decimal());
        };
        let (mut whole, rest) = match mantissa.checked_shr(shift) {
            Some(whole) => (u128::from(whole), mantissa - (whole << shift)),
            None => (0, mantissa),
        };
        // Below 2^64 * 10^17, hence below 2^121.
        let mut fraction = round_to_even(u128::from(rest) * u128::from(FRACTION_SCALE), shift);
        if fraction == u128::from(FRACTION_SCALE) {
            (whole, fraction) = (whole + 1, 0);
        }
        match (whole, fraction) {
            (0, 0) => f.write_str("0"),
            (whole, 0) => write!(f, "{sign}{whole}"),
            (whole, fraction) => {
                let digits = format!("{fraction:0FRACTION_DIGITS$}");
                write!(f, "{sign}{whole}.{}", digits.trim_end_matches('0'))
            }
        }
    }
}

/// `value / 2^shift` to the nearest whole number, the even one of two.
fn round_to_even(value: u128, shift: u32) -> u128 {
    if shift == 0 {
        return value;
    }
    let (Some(quotient), Some(half)) = (value.checked_shr(shift), 1u128.checked_shl(shift - 1))
    else {
        // The callers' values are below 2^127, so this is less than a half.
        return 0;
    };
    let rest = value - (quotient << shift);
    match rest.cmp(&half) {
        Ordering::Less => quotient,
        Ordering::Equal => quotient + (quotient & 1),
        Ordering::Greater => quotient + 1,
    }
}

/// Shifts right; if any bit falls out, the lowest one is set.
fn shift_right_sticky(value: u128, shift: i32) -> u128 {
    match value.checked_shr(shift.unsigned_abs()) {
        Some(shifted) => shifted | u128::from((shifted << shift) != value),
        None => u128::from(value != 0),
    }
}

impl Magnitude {
    const ZERO: Self = Self::Finite { mantissa: 0, exponent: EXPONENT_MIN };

    fn parse_decimal(text: &[u8]) -> Option<Self> {
        let (mantissa, mut exponent) = split_exponent(text, b"eE")?;
        let (digits, fraction_len) = digits(mantissa, 10)?;
        exponent -= fraction_len;
        let digits: Vec<u8> = digits.into_iter().skip_while(|digit| *digit == 0).collect();
        if digits.is_empty() {
            return Some(Self::ZERO);
        }
        // Neither needs its exact value, which would take long to compute.
        let power = i32::try_from(digits.len()).ok()? + exponent;
        if !(POWER_MIN..=POWER_MAX).contains(&power) {
            return None;
        }
        let mut number = Natural::from_digits(&digits, 10);
        let scale = exponent.unsigned_abs();
        if exponent >= 0 {
            number.multiply_by_power_of_ten(scale);
            return Self::of_natural(&number, 0, false);
        }
        // The quotient is to have some more bits than a mantissa; 10 takes less than 3.33 of them.
        let shift = (128 + scale as usize * 333 / 100).saturating_sub(number.bit_len());
        number.shift_left(shift);
        let is_inexact = number.divide_by_power_of_ten(scale);
        Self::of_natural(&number, -i32::try_from(shift).ok()?, is_inexact)
    }

    /// What follows `0x`.
    fn parse_hexadecimal(text: &[u8]) -> Option<Self> {
        let (mantissa, exponent) = split_exponent(text, b"pP")?;
        let (digits, fraction_len) = digits(mantissa, 16)?;
        if digits.iter().all(|digit| *digit == 0) {
            return Some(Self::ZERO);
        }
        Self::of_natural(&Natural::from_digits(&digits, 16), exponent - 4 * fraction_len, false)
    }

    /// A number that is not zero; `None` if it is too great or too small to be told from infinity or
    /// zero.
    fn of_natural(number: &Natural, exponent: i32, is_inexact: bool) -> Option<Self> {
        let (leading, shift, is_cut) = number.leading_bits();
        let exponent = exponent.checked_add(i32::try_from(shift).ok()?)?;
        let magnitude = Self::round(leading, exponent, is_inexact || is_cut);
        (magnitude != Self::ZERO && magnitude != Self::Infinite).then_some(magnitude)
    }

    /// The nearest magnitude to `value * 2^exponent`, where `is_inexact` says that the true value is
    /// a little greater; that is allowed only of values with more than 64 bits.
    fn round(value: u128, exponent: i32, is_inexact: bool) -> Self {
        if value == 0 {
            return Self::ZERO;
        }
        // To 127 bits, so that the ones to drop are there and a half of them can be written.
        let leading = value.leading_zeros() as i32;
        let value = shift_right_sticky(value << leading, 1) | u128::from(is_inexact);
        let exponent = exponent - leading + 1;
        let drop = (EXPONENT_MIN - exponent).max(63);
        let rounded = round_to_even(value, drop.unsigned_abs());
        let (mantissa, exponent) = match u64::try_from(rounded) {
            Ok(mantissa) => (mantissa, exponent + drop),
            Err(_) => (1 << 63, exponent + drop + 1),
        };
        match mantissa {
            0 => Self::ZERO,
            _ if exponent > EXPONENT_MAX => Self::Infinite,
            _ => Self::Finite { mantissa, exponent },
        }
    }
}

/// Takes the written exponent off a number, which begins with one of two marks.
fn split_exponent<'t>(text: &'t [u8], marks: &[u8; 2]) -> Option<(&'t [u8], i32)> {
    let Some(at) = text.iter().position(|byte| marks.contains(byte)) else {
        return Some((text, 0));
    };
    let (is_negative, digits) = match &text[at + 1..] {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let exponent = digits.iter().fold(0, |exponent, digit| {
        (exponent * 10 + i32::from(digit - b'0')).min(WRITTEN_EXPONENT_MAX)
    });
    Some((&text[..at], if is_negative { -exponent } else { exponent }))
}

/// The digits of a number without its point, and how many stand behind it.
fn digits(text: &[u8], base: u32) -> Option<(Vec<u8>, i32)> {
    let point = text.iter().position(|byte| *byte == b'.');
    let fraction_len = point.map_or(0, |at| text.len() - at - 1);
    let without_point = text.iter().enumerate().filter(|(index, _)| Some(*index) != point);
    let digits: Option<Vec<u8>> = without_point
        .map(|(_, byte)| {
            char::from(*byte).to_digit(base).and_then(|digit| u8::try_from(digit).ok())
        })
        .collect();
    let digits = digits.filter(|digits| !digits.is_empty())?;
    Some((digits, i32::try_from(fraction_len).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(first: &str, second: &str) -> Option<String> {
        let first = Extended::parse(first.as_bytes())?;
        first.checked_add(Extended::parse(second.as_bytes())?).map(|sum| sum.to_string())
    }

    #[test]
    fn sums_are_those_of_an_x86_long_double() {
        // Each as redis-server 7.0 on x86-64 answered INCRBYFLOAT.
        let cases = [
            ("10.50", "0.1", "10.6"),
            ("5.0e3", "2.0e2", "5200"),
            ("0.1", "0.2", "0.3"),
            ("3.0", "1.1", "4.1"),
            ("1", "-1", "0"),
            ("-0", "0", "0"),
            ("1e-17", "0", "0.00000000000000001"),
            ("5e-18", "0", "0"),
            ("5.1e-18", "0", "0.00000000000000001"),
            ("-1e-30", "0", "0"),
            ("1.000000000000000005", "0", "1"),
            ("18446744073709551615", "0.5", "18446744073709551616"),
            ("18446744073709551616", "1", "18446744073709551616"),
            ("9223372036854775807", "1", "9223372036854775808"),
            ("1e20", "1", "100000000000000000000"),
            ("1e30", "0", "1000000000000000000024696061952"),
            ("0x1.8p3", ".5", "12.5"),
            ("-1.5", "1e-4900", "-1.5"),
            ("99999999999999999.99", "0.01", "100000000000000000"),
            ("0.99999999999999999999", "0", "1"),
            ("1e19", "-0.5", "10000000000000000000"),
            ("123456789.123456789", "987654321.987654321", "1111111111.11111110995989293"),
            ("000.5e1", "-0x.8", "4.5"),
        ];
        for (first, second, expected) in cases {
            assert_eq!(sum(first, second).as_deref(), Some(expected), "{first} + {second}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let long = "1".repeat(TEXT_BYTES_MAX + 1);
        for text in [
            "",
            "-",
            "+",
            ".",
            "e5",
            "1e",
            "1e+",
            "1 ",
            " 1",
            "+-1",
            "1.2.3",
            "0x",
            "0x.",
            "0xp1",
            "0x1p",
            "nan",
            "1f",
            "1_0",
            "in",
            "infinit",
            "1e4933",
            "1e-5000",
            "1e999999999999",
            "1e-999999999999",
            "0x1p16384",
            "0x1p-99999",
            &long,
        ] {
            assert_eq!(Extended::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn infinity_is_read_but_adds_to_nothing() {
        for text in ["inf", "-INF", "+Infinity"] {
            assert!(Extended::parse(text.as_bytes()).is_some(), "{text}");
            assert_eq!(sum(text, "1"), None);
            assert_eq!(sum("1", text), None);
        }
        let greatest = "0xffffffffffffffffp16320";
        assert_eq!(sum(greatest, greatest), None);
        assert!(sum(greatest, "1").is_some());
    }
}
