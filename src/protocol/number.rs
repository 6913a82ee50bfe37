//! Numbers as Redis reads and prints them.

use crate::error::c_string;

/// Reads a signed 64-bit integer as Redis's `string2ll`: decimal digits with an optional minus, no
/// plus, no leading zeros, no spaces, and `-0` is none.
pub fn parse_integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] if digits.len() <= 19 => {}
        _ => return None,
    }
    let mut magnitude: u64 = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        // 19 digits are below 10^19, which fits a u64.
        magnitude = magnitude * 10 + u64::from(digit - b'0');
    }
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// Reads a double as Redis reads an argument: no surrounding space, not NaN, and no number that is
/// too large or too small for a double; decimal, hexadecimal (`0x1.8p3`) and `inf`/`infinity` in any
/// case are accepted.
pub fn parse_double(text: &[u8]) -> Option<f64> {
    let value = parse_rounded_double(text)?;
    let digits = text.split(|byte| matches!(byte, b'e' | b'E' | b'p' | b'P')).next()?;
    let has_digit = |from: u8| digits.iter().any(|byte| (from..=b'9').contains(byte));
    let is_out_of_range =
        (value.is_infinite() && has_digit(b'0')) || (value == 0.0 && has_digit(b'1'));
    (!is_out_of_range).then_some(value)
}

/// The same, but what is too large is infinite and what is too small is zero.
pub fn parse_rounded_double(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let first = unsigned.bytes().next()?;
    let value = if let Some(hex) = unsigned.strip_prefix("0x").or(unsigned.strip_prefix("0X")) {
        let magnitude = parse_hex_float(hex)?;
        if text.starts_with('-') { -magnitude } else { magnitude }
    } else if first.is_ascii_digit() || first == b'.' {
        text.parse::<f64>().ok()?
    } else if unsigned.eq_ignore_ascii_case("inf") || unsigned.eq_ignore_ascii_case("infinity") {
        if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY }
    } else {
        return None;
    };
    Some(value)
}

/// Reads a double as C's `strtod` does where all of a string has to be read and in range: space before
/// it is skipped, nothing at all is 0, and neither NaN nor what overflows or underflows is accepted.
pub fn parse_c_double(text: &[u8]) -> Option<f64> {
    let text = c_string(text);
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let Some(start) = text.iter().position(|byte| !is_space(byte)) else {
        return text.is_empty().then_some(0.0);
    };
    let number = &text[start..];
    let value = parse_double(number)?;
    let has_digits = number.iter().any(u8::is_ascii_digit);
    let is_zero = || {
        let mantissa = number.split(|byte| matches!(byte, b'e' | b'E' | b'p' | b'P')).next();
        mantissa.is_some_and(|mantissa| !mantissa.iter().any(|byte| matches!(byte, b'1'..=b'9')))
    };
    let in_range = match value.abs() {
        0.0 => is_zero(),
        f64::INFINITY => !has_digits,
        size => size >= f64::MIN_POSITIVE,
    };
    in_range.then_some(value)
}

fn parse_hex_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = match text.split_once(['p', 'P']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0f64;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let fraction_bits = i32::try_from(fraction.len()).ok()?.checked_mul(4)?;
    Some(value * 2f64.powi(exponent.checked_sub(fraction_bits)?))
}

/// Appends the decimal digits of `value`.
pub fn write_integer(value: i64, out: &mut Vec<u8>) {
    let mut digits = [0; INTEGER_BYTES_MAX];
    let start = put_integer(value, &mut digits);
    out.extend_from_slice(&digits[start..]);
}

/// The most bytes that an integer takes in decimal digits with its sign.
pub const INTEGER_BYTES_MAX: usize = 20;

/// Puts the decimal digits of `value` at the end of `digits`; where they start.
pub fn put_integer(value: i64, digits: &mut [u8]) -> usize {
    let mut start = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        start -= 1;
        // A remainder of ten is one digit.
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        start -= 1;
        digits[start] = b'-';
    }
    start
}

/// A double as Redis 7.2 prints it (`fpconv_dtoa`): the shortest digits that read back as the same
/// number, plain or scientific by Redis's own rule, and whole numbers up to 2^62 plain.
pub fn format_double(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    if value == 0.0 {
        return if value.is_sign_negative() { "-0" } else { "0" }.to_owned();
    }
    const WHOLE_MAX: f64 = (1i64 << 62) as f64;
    if value.fract() == 0.0 && value.abs() <= WHOLE_MAX {
        return format!("{}", value as i64);
    }
    shortest(value)
}

fn shortest(value: f64) -> String {
    // Rust prints the shortest round-trip digits too; only where the point goes differs.
    let scientific = format!("{:e}", value.abs());
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let count = digits.len() as i32;
    let leading: i32 = exponent.parse().unwrap_or_default();
    let scale = leading - (count - 1);
    let sign = if value < 0.0 { "-" } else { "" };
    let size = leading.abs();
    if scale >= 0 && size < count + 7 {
        return format!("{sign}{digits}{}", "0".repeat(scale as usize));
    }
    if scale < 0 && (scale > -7 || size < 4) {
        let point = count + scale;
        return if point <= 0 {
            format!("{sign}0.{}{digits}", "0".repeat((-point) as usize))
        } else {
            let (whole, fraction) = digits.split_at(point as usize);
            format!("{sign}{whole}.{fraction}")
        };
    }
    let (first, rest) = digits.split_at(1);
    let point = if rest.is_empty() { "" } else { "." };
    let exponent_sign = if leading < 0 { '-' } else { '+' };
    format!("{sign}{first}{point}{rest}e{exponent_sign}{size}")
}

/// A double as C's `%.17g` prints it: 17 digits, plain or scientific by its size.
pub fn format_17_digits(value: f64) -> String {
    if !value.is_finite() {
        return format_double(value);
    }
    let scientific = format!("{value:.16e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let trimmed = |digits: &str| match digits.contains('.') {
        true => digits.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => digits.to_owned(),
    };
    if (-4..17).contains(&exponent) {
        return trimmed(&format!("{value:.*}", (16 - exponent) as usize));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trimmed(mantissa), exponent.abs())
}

/// Prints a finite double with up to 17 digits behind the point and no exponent, as Redis prints a
/// `long double` for people.
pub fn format_long_double(value: f64) -> String {
    let digits = format!("{value:.17}");
    let trimmed = digits.trim_end_matches('0').trim_end_matches('.');
    if trimmed == "-0" { "0".to_owned() } else { trimmed.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_are_read_as_c_reads_them() {
        let ok: [(&[u8], f64); 13] = [
            (b"", 0.0),
            (b" 1", 1.0),
            (b"\t\n\x0b\x0c\r-2.5", -2.5),
            (b"1\0x", 1.0),
            (b"\0", 0.0),
            (b"+5", 5.0),
            (b"1.", 1.0),
            (b".5e1", 5.0),
            (b"-0", -0.0),
            (b"0e9", 0.0),
            (b"0x1p-3", 0.125),
            (b"-INF", f64::NEG_INFINITY),
            (b"infinity", f64::INFINITY),
        ];
        for (text, value) in ok {
            assert_eq!(parse_c_double(text), Some(value), "{}", String::from_utf8_lossy(text));
        }
        for text in
            ["1 ", " ", "nan", "1e400", "-1e400", "1e-400", "1e-320", "0x", "1e", ".", "+-1"]
        {
            assert_eq!(parse_c_double(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn integers_are_read_strictly() {
        let ok: [(&str, i64); 5] = [
            ("0", 0),
            ("-1", -1),
            ("42", 42),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ];
        for (text, value) in ok {
            assert_eq!(parse_integer(text.as_bytes()), Some(value), "{text}");
        }
        for text in [
            "",
            "-",
            "-0",
            "+1",
            "01",
            " 1",
            "1 ",
            "9223372036854775808",
            "-9223372036854775809",
            "1a",
        ] {
            assert_eq!(parse_integer(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn integers_are_printed() {
        for value in [0, 7, -7, 10, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            write_integer(value, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
        }
    }

    #[test]
    fn doubles_are_printed_as_redis_does() {
        let cases = [
            (3.3, "3.3"),
            (1e17, "100000000000000000"),
            (12345678901234567890.0, "12345678901234567000"),
            (0.00001, "0.00001"),
            (123.45678912345679, "123.45678912345679"),
            (1234567.891, "1234567.891"),
            (1.234e-5, "1.234e-5"),
            (5e-324, "5e-324"),
            (1e20, "1e+20"),
            (12345.678912345, "1.2345678912345e+4"),
            (-0.0, "-0"),
            (-1.5, "-1.5"),
        ];
        for (value, text) in cases {
            assert_eq!(format_double(value), text);
        }
    }

    #[test]
    fn doubles_are_printed_with_17_digits() {
        // From printf("%.17g").
        let cases = [
            (3.3, "3.2999999999999998"),
            (0.1, "0.10000000000000001"),
            (1.0, "1"),
            (-2.5, "-2.5"),
            (-0.0, "-0"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (123456789012345678.0, "1.2345678901234568e+17"),
            (0.0001, "0.0001"),
            (0.00001, "1.0000000000000001e-05"),
            (5e-324, "4.9406564584124654e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (value, text) in cases {
            assert_eq!(format_17_digits(value), text);
        }
    }

    #[test]
    fn long_doubles_are_printed_as_redis_does() {
        let cases = [
            (13.361_389_338_970_184, "13.36138933897018433"),
            (38.115_556_395_496_3, "38.11555639549629859"),
            (-1e-5, "-0.00001"),
            (0.0, "0"),
            (-0.0, "0"),
            (-1e-18, "0"),
            (180.0, "180"),
            (0.5, "0.5"),
        ];
        for (value, text) in cases {
            assert_eq!(format_long_double(value), text);
        }
    }

    #[test]
    fn doubles_are_read() {
        assert_eq!(parse_double(b"1.5e3"), Some(1500.0));
        assert_eq!(parse_double(b"0x1.8p1"), Some(3.0));
        assert_eq!(parse_double(b"-INF"), Some(f64::NEG_INFINITY));
        for text in ["", " 1", "1 ", "nan", "e5", "+-1", "0x"] {
            assert_eq!(parse_double(text.as_bytes()), None, "{text}");
        }
    }
}
