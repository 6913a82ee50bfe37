//! Which arguments of a command are keys, and what it does with them.
//!
//! What a row says here drives locks and WATCH as well as COMMAND: a key that is not found by it is
//! a key that is not locked.

use crate::protocol::Request;
use crate::protocol::number::parse_integer;
use std::vec;

/// Which arguments are keys.
#[derive(Debug, Clone, Copy)]
pub enum Keys {
    /// None.
    NONE,
    /// Every key of every database, as FLUSHALL touches.
    EVERY,
    /// One key, or several that are used alike. `vary` is for a command whose options decide what
    /// it does with its key.
    Alike {
        /// Where they are.
        spec: KeySpec,
        /// What the command does with them in a given request, if its options decide that.
        vary: Option<fn(&Request) -> KeyFlags>,
    },
    /// Keys that are used differently.
    Specs(&'static [KeySpec]),
    /// Keys whose place no specification can tell.
    Located {
        /// As COMMAND lists them.
        specs: &'static [KeySpec],
        /// Where they are in a request.
        locate: fn(&Request) -> Vec<KeyUse>,
        /// Whether a request touches keys that are not among its arguments at all. It then has to hold
        /// every key.
        reaches: Option<fn(&Request) -> bool>,
    },
}

/// A key in a request: its index and what the command does with it.
pub type KeyUse = (usize, KeyFlags);

impl Keys {
    /// One key.
    pub const fn one(index: usize, flags: KeyFlags) -> Self {
        Self::alike(KeySpec::one(index, flags))
    }

    /// Keys from `first` to `last` (-1 is the last argument) in steps of `step`.
    pub const fn range(first: usize, last: i16, step: usize, flags: KeyFlags) -> Self {
        Self::alike(KeySpec::range(first, last, step, flags))
    }

    /// Keys whose number is the argument at `index`, right before them.
    pub const fn counted(index: usize, flags: KeyFlags) -> Self {
        Self::alike(KeySpec::counted(index, flags))
    }

    /// Keys that are used alike.
    pub const fn alike(spec: KeySpec) -> Self {
        Self::Alike { spec, vary: None }
    }

    /// The same with a remark for readers of COMMAND INFO.
    pub const fn noted(self, notes: &'static str) -> Self {
        match self {
            Self::Alike { spec, vary } => Self::Alike { spec: spec.noted(notes), vary },
            other => other,
        }
    }

    /// The same, but what happens to the key depends on the request.
    pub const fn varying(self, vary: fn(&Request) -> KeyFlags) -> Self {
        match self {
            Self::Alike { spec, .. } => Self::Alike { spec, vary: Some(vary) },
            other => other,
        }
    }

    /// The specifications as COMMAND lists them.
    pub fn specs(&self) -> &[KeySpec] {
        match self {
            Self::NONE | Self::EVERY => &[],
            Self::Alike { spec, .. } => std::slice::from_ref(spec),
            Self::Specs(specs) | Self::Located { specs, .. } => specs,
        }
    }

    /// Whether a request has to hold every key.
    pub fn is_every(self, request: &Request) -> bool {
        match self {
            Self::EVERY => true,
            Self::Located { reaches: Some(reaches), .. } => reaches(request),
            _ => false,
        }
    }

    /// The index of the key of a command that has one, always at the same place.
    pub fn only_index(self) -> Option<usize> {
        match self {
            Self::Alike { spec: KeySpec { begin: Begin::Index(index), find, .. }, .. } => {
                matches!(find, Find::Range { last: 0, .. }).then_some(index)
            }
            _ => None,
        }
    }

    /// The indexes of the keys in a request, for locking. What is missing or makes no sense is left
    /// out: the command itself refuses it before it looks at a key.
    pub fn positions(self, request: &Request) -> Positions {
        match self {
            Self::NONE | Self::EVERY => Positions::NONE,
            Self::Alike { spec, .. } => {
                let stepped = spec.positions(request).unwrap_or(Stepped::NONE);
                Positions::Stepped(stepped)
            }
            Self::Specs(specs) => {
                let found = specs.iter().filter_map(|spec| spec.positions(request)).flatten();
                Positions::Listed(found.collect::<Vec<_>>().into_iter())
            }
            Self::Located { locate, .. } => {
                let found = locate(request).into_iter().map(|(index, _)| index);
                Positions::Listed(found.collect::<Vec<_>>().into_iter())
            }
        }
    }

    /// The keys of a request and what happens to each; `None` if the request makes no sense.
    pub fn uses(self, request: &Request) -> Option<Vec<KeyUse>> {
        if let Self::Located { locate, .. } = self {
            return Some(locate(request)).filter(|uses| !uses.is_empty());
        }
        let mut uses = Vec::new();
        for spec in self.specs().iter().filter(|spec| spec.has_key()) {
            let flags = match self {
                Self::Alike { vary: Some(vary), .. } => vary(request),
                _ => spec.flags,
            };
            uses.extend(spec.positions(request)?.map(|index| (index, flags)));
        }
        Some(uses).filter(|uses| !uses.is_empty())
    }

    /// First, last and step as COMMAND told them before it had key specifications, and whether they
    /// do not tell everything.
    pub fn legacy(&self) -> Legacy {
        let (mut first, mut last, mut step, mut movable) = (0, 0, 0, false);
        let specs = self.specs();
        for (number, spec) in specs.iter().enumerate() {
            movable |= spec.flags.has(KeyFlags::INCOMPLETE);
            let (Begin::Index(index), Find::Range { last: relative, step: distance, .. }) =
                (spec.begin, spec.find)
            else {
                movable = true;
                continue;
            };
            // Only keys that stand next to each other make one range.
            if specs.len() > 1 && distance != 1 {
                movable = true;
                continue;
            }
            if number == 0 {
                (first, step) = (index, distance);
            }
            let end = if relative < 0 {
                i64::from(relative)
            } else {
                to_i64(index) + i64::from(relative)
            };
            // Counted from the end is further than any index.
            last = if last < 0 || end < 0 { last.min(end) } else { last.max(end) };
        }
        Legacy { first, last, step, movable }
    }
}

/// How COMMAND told where keys are before it had key specifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Legacy {
    /// Index of the first key, 0 without keys.
    pub first: usize,
    /// Index of the last key; negative counts from the end.
    pub last: i64,
    /// Distance between two keys.
    pub step: usize,
    /// Whether there are, or may be, other keys.
    pub movable: bool,
}

/// Where one or several keys are, and what the command does with them.
#[derive(Debug, Clone, Copy)]
pub struct KeySpec {
    /// Where they begin.
    pub begin: Begin,
    /// How many there are.
    pub find: Find,
    /// What the command does with them.
    pub flags: KeyFlags,
    /// A remark for people, or nothing.
    pub notes: &'static str,
}

/// Where keys begin.
#[derive(Debug, Clone, Copy)]
pub enum Begin {
    /// At an index.
    Index(usize),
    /// Behind a word.
    Keyword {
        /// The word in capitals.
        word: &'static str,
        /// Where the search for it starts; a negative index counts from the end and searches backwards.
        from: i16,
    },
    /// Who knows.
    Unknown,
}

/// How many keys there are.
#[derive(Debug, Clone, Copy)]
pub enum Find {
    /// Up to an index.
    Range {
        /// The last, relative to the first; negative counts from the end of the request.
        last: i16,
        /// Distance between two keys.
        step: usize,
        /// If 2, only the first half of what is left are keys; and so on. 0 is no limit.
        limit: usize,
    },
    /// As many as the argument says at which they begin.
    Counted,
    /// Who knows.
    Unknown,
}

impl KeySpec {
    /// One key.
    pub const fn one(index: usize, flags: KeyFlags) -> Self {
        Self::range(index, index as i16, 1, flags)
    }

    /// Keys from `first` to `last` (-1 is the last argument) in steps of `step`.
    pub const fn range(first: usize, last: i16, step: usize, flags: KeyFlags) -> Self {
        let last = if last < 0 { last } else { last - first as i16 };
        let find = Find::Range { last, step, limit: 0 };
        Self { begin: Begin::Index(first), find, flags, notes: "" }
    }

    /// Keys whose number is the argument at `index`, right before them.
    pub const fn counted(index: usize, flags: KeyFlags) -> Self {
        Self { begin: Begin::Index(index), find: Find::Counted, flags, notes: "" }
    }

    /// The key behind a word.
    pub const fn behind(word: &'static str, from: i16, flags: KeyFlags) -> Self {
        let find = Find::Range { last: 0, step: 1, limit: 0 };
        Self { begin: Begin::Keyword { word, from }, find, flags, notes: "" }
    }

    /// All arguments behind a word.
    pub const fn all_behind(word: &'static str, from: i16, flags: KeyFlags) -> Self {
        let find = Find::Range { last: -1, step: 1, limit: 0 };
        Self { begin: Begin::Keyword { word, from }, find, flags, notes: "" }
    }

    /// The first half of the arguments behind a word.
    pub const fn half_behind(word: &'static str, from: i16, flags: KeyFlags) -> Self {
        let find = Find::Range { last: -1, step: 1, limit: 2 };
        Self { begin: Begin::Keyword { word, from }, find, flags, notes: "" }
    }

    /// Keys that only the command itself can find.
    pub const fn unknown(flags: KeyFlags) -> Self {
        Self { begin: Begin::Unknown, find: Find::Unknown, flags, notes: "" }
    }

    /// The same with a remark for readers of COMMAND INFO.
    pub const fn noted(mut self, notes: &'static str) -> Self {
        self.notes = notes;
        self
    }

    /// Whether these are keys, not only spread over a cluster like keys.
    pub fn has_key(&self) -> bool {
        !self.flags.has(KeyFlags::NOT_KEY)
    }

    /// The indexes of these keys in a request; `None` if it has no sensible ones there.
    fn positions(&self, request: &Request) -> Option<Stepped> {
        let length = to_i64(request.len());
        let first = match self.begin {
            Begin::Index(index) => to_i64(index),
            Begin::Keyword { word, from } => match find_word(request, word, from) {
                Some(index) => to_i64(index) + 1,
                None => return Some(Stepped::NONE),
            },
            Begin::Unknown => return None,
        };
        let (first, last, step) = match self.find {
            Find::Range { last, step, .. } if last >= 0 => (first, first + i64::from(last), step),
            Find::Range { last, step, limit: 0 } => (first, length + i64::from(last), step),
            Find::Range { last, step, limit } => {
                (first, first + (length - first) / to_i64(limit) + i64::from(last), step)
            }
            Find::Counted => {
                let count = parse_integer(request.get(usize::try_from(first).ok()?)?)?;
                (first + 1, first.checked_add(count)?, 1)
            }
            Find::Unknown => return None,
        };
        if last < first || last >= length {
            return None;
        }
        let count = (last - first) / to_i64(step) + 1;
        let (next, left) = (usize::try_from(first).ok()?, usize::try_from(count).ok()?);
        Some(Stepped { next, step, left })
    }
}

/// Indexes of arguments fit by far: they live in memory.
fn to_i64(index: usize) -> i64 {
    index as i64
}

fn find_word(request: &Request, word: &str, from: i16) -> Option<usize> {
    let is_word = |index: &usize| {
        request.get(*index).is_some_and(|arg| arg.eq_ignore_ascii_case(word.as_bytes()))
    };
    match usize::try_from(from) {
        Ok(from) => (from..request.len()).find(is_word),
        Err(_) => {
            let end = (request.len() + 1).saturating_sub(usize::from(from.unsigned_abs()));
            (1..end).rev().find(is_word)
        }
    }
}

/// Indexes at equal distances.
#[derive(Debug, Clone)]
pub struct Stepped {
    next: usize,
    step: usize,
    left: usize,
}

impl Stepped {
    const NONE: Self = Self { next: 0, step: 1, left: 0 };
}

impl Iterator for Stepped {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let index = self.next;
        self.next += self.step;
        Some(index)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Stepped {}

/// The indexes of a request's keys.
#[derive(Debug, Clone)]
pub enum Positions {
    /// The usual case, without allocation.
    Stepped(Stepped),
    /// Any.
    Listed(vec::IntoIter<usize>),
}

impl Positions {
    const NONE: Self = Self::Stepped(Stepped::NONE);
}

impl Iterator for Positions {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        match self {
            Self::Stepped(stepped) => stepped.next(),
            Self::Listed(listed) => listed.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::Stepped(stepped) => stepped.size_hint(),
            Self::Listed(listed) => listed.size_hint(),
        }
    }
}

impl ExactSizeIterator for Positions {}

/// What a command does with a key: how COMMAND INFO's key specifications name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyFlags(u16);

impl KeyFlags {
    /// The names in the order in which Redis lists them.
    pub const NAMES: [&'static str; 11] = [
        "RW",
        "RO",
        "OW",
        "RM",
        "access",
        "update",
        "insert",
        "delete",
        "not_key",
        "incomplete",
        "variable_flags",
    ];
    /// Nothing of all this.
    pub const NONE: Self = Self(0);
    /// Reads and writes.
    pub const RW: Self = Self(1);
    /// Reads only.
    pub const RO: Self = Self(1 << 1);
    /// Overwrites.
    pub const OW: Self = Self(1 << 2);
    /// Removes.
    pub const RM: Self = Self(1 << 3);
    /// Returns or copies the user's data.
    pub const ACCESS: Self = Self(1 << 4);
    /// Changes data.
    pub const UPDATE: Self = Self(1 << 5);
    /// Adds data, changes none.
    pub const INSERT: Self = Self(1 << 6);
    /// Deletes data.
    pub const DELETE: Self = Self(1 << 7);
    /// Is no key, but is spread over a cluster like one.
    pub const NOT_KEY: Self = Self(1 << 8);
    /// There may be more keys than these.
    pub const INCOMPLETE: Self = Self(1 << 9);
    /// Depends on the other arguments.
    pub const VARIABLE_FLAGS: Self = Self(1 << 10);

    /// Both.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of these are set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The names of those that are set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let set = Self::NAMES.into_iter().enumerate();
        set.filter(move |(bit, _)| self.0 & (1 << bit) != 0).map(|(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(keys: Keys, line: &str, expected: Option<&[usize]>) {
        let request = Request::from_args(line.split(' ').map(str::as_bytes));
        let found: Option<Vec<usize>> =
            keys.uses(&request).map(|uses| uses.into_iter().map(|(index, _)| index).collect());
        assert_eq!(found.as_deref(), expected, "{line}");
        let locked: Vec<usize> = keys.positions(&request).collect();
        assert!(expected.is_none_or(|expected| locked == expected), "{line} locks {locked:?}");
        assert_eq!(keys.positions(&request).len(), locked.len(), "{line}");
    }

    const RO: KeyFlags = KeyFlags::RO;
    const STORE: &[KeySpec] = &[KeySpec::one(1, KeyFlags::OW), KeySpec::counted(2, RO)];

    #[test]
    fn keys_are_found_where_a_row_says() {
        check(Keys::NONE, "PING a", None);
        check(Keys::one(1, RO), "GET a", Some(&[1]));
        check(Keys::range(1, -1, 2, RO), "MSET a 1 b 2", Some(&[1, 3]));
        check(Keys::range(1, -1, 2, RO), "MSET a 1 b", Some(&[1, 3]));
        check(Keys::range(1, -2, 1, RO), "BLPOP a b 0", Some(&[1, 2]));
        check(Keys::range(1, -2, 1, RO), "BLPOP a", None);
        check(Keys::range(1, 2, 1, RO), "LCS a b LEN", Some(&[1, 2]));
        check(Keys::counted(1, RO), "ZUNION 2 a b WITHSCORES", Some(&[2, 3]));
        check(Keys::counted(1, RO), "ZUNION 2 a", None);
        check(Keys::counted(1, RO), "ZUNION 0 a", None);
        check(Keys::counted(1, RO), "ZUNION -1 a", None);
        check(Keys::counted(1, RO), "ZUNION 9223372036854775807 a", None);
        check(Keys::counted(1, RO), "ZUNION many a", None);
        check(Keys::Specs(STORE), "ZUNIONSTORE d 2 a b", Some(&[1, 3, 4]));
        check(Keys::Specs(STORE), "ZUNIONSTORE d 3 a b", None);
        let streams = Keys::alike(KeySpec::half_behind("STREAMS", 1, RO));
        check(streams, "XREAD COUNT 1 streams a b 0 0", Some(&[4, 5]));
        check(streams, "XREAD COUNT 1", None);
        let keys = Keys::alike(KeySpec::all_behind("KEYS", -2, RO));
        check(keys, "MIGRATE h p x 0 1 KEYS a b", Some(&[7, 8]));
        check(keys, "MIGRATE h p x 0 1 KEYS", None);
    }

    #[test]
    fn first_last_and_step_are_those_of_adjacent_ranges() {
        let legacy = |keys: Keys| {
            let Legacy { first, last, step, movable } = keys.legacy();
            (first, last, step, movable)
        };
        const MOVE: &[KeySpec] = &[KeySpec::one(1, RO), KeySpec::one(2, RO)];
        const MERGE: &[KeySpec] = &[KeySpec::one(2, RO), KeySpec::range(3, -1, 1, RO)];
        assert_eq!(legacy(Keys::NONE), (0, 0, 0, false));
        assert_eq!(legacy(Keys::one(2, RO)), (2, 2, 1, false));
        assert_eq!(legacy(Keys::range(1, -1, 2, RO)), (1, -1, 2, false));
        assert_eq!(legacy(Keys::counted(1, RO)), (0, 0, 0, true));
        assert_eq!(legacy(Keys::Specs(MOVE)), (1, 2, 1, false));
        assert_eq!(legacy(Keys::Specs(MERGE)), (2, -1, 1, false));
        assert_eq!(legacy(Keys::Specs(STORE)), (1, 1, 1, true));
    }
}
