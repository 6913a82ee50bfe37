//! What a directive's value may be, and reading it from text.
//!
//! The errors are Redis's to the byte: they end up in replies to CONFIG SET and in the message of a
//! program that does not start.

use crate::protocol::number::parse_integer;
use std::borrow::Cow;
use std::fmt;

/// What values a directive takes.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// `yes` or `no`.
    Flag,
    /// A whole number within bounds, both included.
    Integer {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// A TCP port; `auto` is 0.
    Port,
    /// Bytes, with an optional unit: `k` is 1000, `kb` 1024, and so on up to `gb`.
    Memory {
        /// The fewest.
        min: i64,
        /// The most.
        max: i64,
    },
    /// Bytes as above, or a percentage.
    MemoryOrPercent,
    /// File permissions in octal digits.
    Octal,
    /// One of some names, in any case.
    Choice(&'static [&'static str]),
    /// Text.
    Text,
    /// Text that a function accepts.
    CheckedText(fn(&str) -> Result<(), ValueError>),
    /// Several words, which a function accepts and may write in another way.
    Words(fn(Vec<String>) -> Result<Vec<String>, ValueError>),
}

/// A value that a kind has accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `yes` or `no`.
    Flag(bool),
    /// A number.
    Number(i64),
    /// File permissions.
    Octal(u32),
    /// A name out of several.
    Choice(&'static str),
    /// Text.
    Text(String),
    /// Several words.
    Words(Vec<String>),
}

impl fmt::Display for Value {
    /// The value as CONFIG GET shows it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => f.write_str(if *flag { "yes" } else { "no" }),
            Self::Number(number) => write!(f, "{number}"),
            Self::Octal(bits) => write!(f, "{bits:o}"),
            Self::Choice(name) => f.write_str(name),
            Self::Text(text) => f.write_str(text),
            Self::Words(words) => f.write_str(&words.join(" ")),
        }
    }
}

/// Why a value is none for a directive; its text is the reason alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueError(Cow<'static, str>);

impl ValueError {
    /// A fixed reason.
    pub const fn new(reason: &'static str) -> Self {
        Self(Cow::Borrowed(reason))
    }

    fn bounds(min: i64, max: i64) -> Self {
        Self(format!("argument must be between {min} and {max} inclusive").into())
    }
}

impl From<String> for ValueError {
    fn from(reason: String) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ValueError {}

const WORD_COUNT: ValueError = ValueError::new("wrong number of arguments");
const NOT_A_FLAG: ValueError = ValueError::new("argument must be 'yes' or 'no'");
const NOT_AN_INTEGER: ValueError = ValueError::new("argument couldn't be parsed into an integer");
const NOT_A_SIZE: ValueError = ValueError::new("argument must be a memory value");
const NOT_A_SIZE_OR_PERCENT: ValueError =
    ValueError::new("argument must be a memory or percent value");
const NOT_OCTAL: ValueError = ValueError::new("argument couldn't be parsed as an octal number");

impl Kind {
    /// Reads a value that came as words, as in a configuration file. A single word that stands for
    /// several, as from CONFIG SET, is split at spaces where the kind takes several.
    ///
    /// # Errors
    /// The reason, as Redis words it.
    pub fn parse(self, words: &[&str]) -> Result<Value, ValueError> {
        if let Self::Words(check) = self {
            let words = match words {
                [word] => word.split(' ').map(str::to_owned).collect(),
                words => words.iter().map(|word| (*word).to_owned()).collect(),
            };
            return check(words).map(Value::Words);
        }
        let [word] = words else { return Err(WORD_COUNT) };
        self.parse_word(word)
    }

    fn parse_word(self, word: &str) -> Result<Value, ValueError> {
        match self {
            Self::Flag if word.eq_ignore_ascii_case("yes") => Ok(Value::Flag(true)),
            Self::Flag if word.eq_ignore_ascii_case("no") => Ok(Value::Flag(false)),
            Self::Flag => Err(NOT_A_FLAG),
            Self::Integer { min, max } => integer(word, min, max),
            Self::Port if word.eq_ignore_ascii_case("auto") => Ok(Value::Number(0)),
            Self::Port => integer(word, 0, u16::MAX.into()),
            Self::Memory { min, max } => {
                let bytes = parse_memory(word).ok_or(NOT_A_SIZE)?;
                within(i64::try_from(bytes).map_err(|_| ValueError::bounds(min, max))?, min, max)
            }
            Self::MemoryOrPercent => match word.strip_suffix('%').map(str::parse::<u32>) {
                Some(Ok(_)) => Ok(Value::Text(word.to_owned())),
                Some(Err(_)) => Err(NOT_A_SIZE_OR_PERCENT),
                None => match parse_memory(word) {
                    Some(bytes) => Ok(Value::Text(bytes.to_string())),
                    None => Err(NOT_A_SIZE_OR_PERCENT),
                },
            },
            Self::Octal => match u32::from_str_radix(word, 8) {
                Ok(bits) if bits <= 0o777 => Ok(Value::Octal(bits)),
                Ok(_) => Err(ValueError::new("argument must be between 0 and 777 inclusive")),
                Err(_) => Err(NOT_OCTAL),
            },
            Self::Choice(names) => choice(word, names).map(Value::Choice),
            Self::CheckedText(check) => check(word).map(|()| Value::Text(word.to_owned())),
            Self::Text | Self::Words(_) => Ok(Value::Text(word.to_owned())),
        }
    }

    /// What `--help` shows in place of a value.
    pub fn placeholder(self) -> Cow<'static, str> {
        match self {
            Self::Flag => "yes|no".into(),
            Self::Integer { .. } => "number".into(),
            Self::Port => "port|auto".into(),
            Self::Memory { .. } => "bytes".into(),
            Self::MemoryOrPercent => "bytes|percent%".into(),
            Self::Octal => "mode".into(),
            Self::Choice(names) => names.join("|").into(),
            Self::Text | Self::CheckedText(_) => "text".into(),
            Self::Words(_) => "word...".into(),
        }
    }
}

fn integer(word: &str, min: i64, max: i64) -> Result<Value, ValueError> {
    within(parse_integer(word.as_bytes()).ok_or(NOT_AN_INTEGER)?, min, max)
}

fn within(number: i64, min: i64, max: i64) -> Result<Value, ValueError> {
    if (min..=max).contains(&number) {
        Ok(Value::Number(number))
    } else {
        Err(ValueError::bounds(min, max))
    }
}

/// The name out of `names` that `word` is in any case.
///
/// # Errors
/// Lists the names.
pub fn choice(word: &str, names: &[&'static str]) -> Result<&'static str, ValueError> {
    let found = names.iter().find(|name| name.eq_ignore_ascii_case(word)).copied();
    found.ok_or_else(|| {
        format!("argument(s) must be one of the following: {}", names.join(", ")).into()
    })
}

/// Units of memory, as Redis's `memtoull` knows them.
const UNITS: [(&str, u64); 8] = [
    ("", 1),
    ("b", 1),
    ("k", 1000),
    ("kb", 1 << 10),
    ("m", 1_000_000),
    ("mb", 1 << 20),
    ("g", 1_000_000_000),
    ("gb", 1 << 30),
];

/// Reads an amount of memory. No digits at all are 0, as for Redis; too much is the most there is.
pub fn parse_memory(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let (_, factor) = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    let number: u64 = if digits.is_empty() { 0 } else { digits.parse().unwrap_or(u64::MAX) };
    Some(number.saturating_mul(*factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: Kind, words: &[&str], expected: &str) {
        let shown = match kind.parse(words) {
            Ok(value) => value.to_string(),
            Err(error) => format!("! {error}"),
        };
        assert_eq!(shown, expected, "{kind:?} {words:?}");
    }

    #[test]
    fn words_become_values_or_redis_s_reasons() {
        let number = Kind::Integer { min: -1, max: 9 };
        let memory = Kind::Memory { min: 1, max: 1 << 20 };
        let names = Kind::Choice(&["no", "always"]);
        let cases: [(Kind, &[&str], &str); 27] = [
            (Kind::Flag, &["YES"], "yes"),
            (Kind::Flag, &["no"], "no"),
            (Kind::Flag, &["1"], "! argument must be 'yes' or 'no'"),
            (Kind::Flag, &[], "! wrong number of arguments"),
            (Kind::Flag, &["yes", "no"], "! wrong number of arguments"),
            (number, &["-1"], "-1"),
            (number, &["10"], "! argument must be between -1 and 9 inclusive"),
            (number, &[" 5"], "! argument couldn't be parsed into an integer"),
            (number, &[""], "! argument couldn't be parsed into an integer"),
            (Kind::Port, &["Auto"], "0"),
            (Kind::Port, &["65536"], "! argument must be between 0 and 65535 inclusive"),
            (memory, &["1k"], "1000"),
            (memory, &["1KB"], "1024"),
            (memory, &["1mb"], "1048576"),
            (memory, &["1gb"], "! argument must be between 1 and 1048576 inclusive"),
            (
                memory,
                &["99999999999999999999"],
                "! argument must be between 1 and 1048576 inclusive",
            ),
            (memory, &["1.5k"], "! argument must be a memory value"),
            (memory, &["-1"], "! argument must be a memory value"),
            (memory, &[""], "! argument must be between 1 and 1048576 inclusive"),
            (Kind::MemoryOrPercent, &["5%"], "5%"),
            (Kind::MemoryOrPercent, &["1kb"], "1024"),
            (Kind::MemoryOrPercent, &["x"], "! argument must be a memory or percent value"),
            (Kind::Octal, &["755"], "755"),
            (Kind::Octal, &["8"], "! argument couldn't be parsed as an octal number"),
            (names, &["ALWAYS"], "always"),
            (names, &["x"], "! argument(s) must be one of the following: no, always"),
            (Kind::Words(Ok), &["a b"], "a b"),
        ];
        for (kind, words, expected) in cases {
            check(kind, words, expected);
        }
    }
}
