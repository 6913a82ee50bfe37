//! Which events on keys are told to subscribers: the directive `notify-keyspace-events`.

use super::settings::Setting;
use super::value::{Value, ValueError};
use std::fmt;

/// A set of classes of events, and of the channels on which they are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventClasses(u16);

impl EventClasses {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Commands on keys of any type: `g`.
    pub const GENERIC: Self = Self(1);
    /// String commands: `$`.
    pub const STRING: Self = Self(1 << 1);
    /// List commands: `l`.
    pub const LIST: Self = Self(1 << 2);
    /// Set commands: `s`.
    pub const SET: Self = Self(1 << 3);
    /// Hash commands: `h`.
    pub const HASH: Self = Self(1 << 4);
    /// Sorted-set commands: `z`.
    pub const SORTED_SET: Self = Self(1 << 5);
    /// Keys that were removed at their deadline: `x`.
    pub const EXPIRED: Self = Self(1 << 6);
    /// Keys that were removed to make room: `e`.
    pub const EVICTED: Self = Self(1 << 7);
    /// Stream commands: `t`.
    pub const STREAM: Self = Self(1 << 8);
    /// Of modules: `d`.
    pub const MODULE: Self = Self(1 << 9);
    /// Keys that came into being: `n`; not among all.
    pub const NEW: Self = Self(1 << 10);
    /// Keys that were looked for in vain: `m`; not among all.
    pub const KEY_MISS: Self = Self(1 << 11);
    /// On a channel for each key: `K`.
    pub const BY_KEY: Self = Self(1 << 12);
    /// On a channel for each event: `E`.
    pub const BY_EVENT: Self = Self(1 << 13);
    /// All classes that `A` stands for.
    const ALL: Self = Self((1 << 10) - 1);

    /// The letters in the order in which Redis prints them.
    const LETTERS: [(Self, char); 14] = [
        (Self::GENERIC, 'g'),
        (Self::STRING, '$'),
        (Self::LIST, 'l'),
        (Self::SET, 's'),
        (Self::HASH, 'h'),
        (Self::SORTED_SET, 'z'),
        (Self::EXPIRED, 'x'),
        (Self::EVICTED, 'e'),
        (Self::STREAM, 't'),
        (Self::MODULE, 'd'),
        (Self::NEW, 'n'),
        (Self::BY_KEY, 'K'),
        (Self::BY_EVENT, 'E'),
        (Self::KEY_MISS, 'm'),
    ];

    /// Reads letters, `A` for all.
    ///
    /// # Errors
    /// The reason, as Redis words it.
    pub fn parse(letters: &str) -> Result<Self, ValueError> {
        let mut classes = Self::NONE;
        for letter in letters.chars() {
            let known = Self::LETTERS.iter().find(|(_, known)| *known == letter);
            let class = known.map(|(class, _)| *class);
            let class = class.or((letter == 'A').then_some(Self::ALL));
            let class = class
                .ok_or(ValueError::new("Invalid event class character. Use 'Ag$lshzxeKEtmdn'."))?;
            classes = Self(classes.0 | class.0);
        }
        Ok(classes)
    }

    /// Whether all of these are among them.
    pub fn has(self, classes: Self) -> bool {
        self.0 & classes.0 == classes.0
    }

    /// Whether there is a channel on which anything is told.
    pub fn has_channel(self) -> bool {
        self.has(Self::BY_KEY) || self.has(Self::BY_EVENT)
    }
}

impl fmt::Display for EventClasses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.has(Self::ALL);
        if all {
            f.write_str("A")?;
        }
        // Redis prints no `n` behind `A`, although that does not contain it.
        let is_told = |class: Self| all && (Self::ALL.has(class) || class == Self::NEW);
        let shown = Self::LETTERS.iter().filter(|(class, _)| self.has(*class) && !is_told(*class));
        shown.into_iter().try_for_each(|(_, letter)| write!(f, "{letter}"))
    }
}

impl Setting for EventClasses {
    fn value(&self) -> Value {
        Value::Text(self.to_string())
    }

    fn put(&mut self, value: Value) {
        let Value::Text(letters) = value else { unreachable!("the directive takes text") };
        // The directive's kind has accepted them.
        *self = Self::parse(&letters).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_printed_as_redis_does() {
        for (given, printed) in [
            ("", ""),
            ("A", "A"),
            ("EKA", "AKE"),
            ("g$", "g$"),
            ("Kn", "nK"),
            ("AnKEm", "AKEm"),
            ("mKE", "KEm"),
            ("g$lshzxetdn", "A"),
        ] {
            let classes = EventClasses::parse(given).expect("valid letters");
            assert_eq!(classes.to_string(), printed, "{given}");
        }
        assert!(EventClasses::parse("Kq").is_err());
    }
}
