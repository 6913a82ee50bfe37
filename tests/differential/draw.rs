//! Draws commands: the words of a template come from pools, and now and then something is wrong
//! with them.
//!
//! A template is a line such as `SET key value ?NX|XX ?expiry`: words in capitals stand for
//! themselves, others name a pool, `a|b` draws one of them, `?a` draws `a` or nothing, `a+` draws it
//! one to four times. Behind `=` nothing is made wrong.

use super::families::{FAMILIES, KEYS_OF_ANY_TYPE};
use fastrand::Rng;

/// A command: its name and arguments.
pub type Words = Vec<Vec<u8>>;

/// A source of commands that follows from a seed.
pub struct Draw {
    rng: Rng,
    templates: Vec<&'static str>,
    /// Counts deadlines, so that no two are so close that the time between two commands decides
    /// which of them is later.
    deadlines: i64,
}

const KEYS: &[&[u8]] = &[
    b"a",
    b"b",
    b"c",
    b"d",
    b"e",
    b"a",
    b"b",
    b"c",
    b"{tag}one",
    b"key with space",
    b"\0\xff\r\n",
    b"",
];
const LISTS: &[&[u8]] = &[b"list:1", b"list:2", b"list:3"];
/// Elements to be sorted. Two that differ behind a zero byte alone would have no order.
const TEXTS: &[&[u8]] = &[
    b"1", b"2", b"3", b"10", b"-1", b"1.5", b"1e3", b"a", b"b", b"B", b"ab", b"Z", b"", b"1", b"2",
    b"3", b"inf", b"0x10", b"\xe9",
];
/// Where SORT looks for weights and values: some name strings, some fields of hashes.
const SORT_PATTERNS: &[&[u8]] = &[
    b"*",
    b"#",
    b"hash:*->a",
    b"hash:1->*",
    b"hash:*->",
    b"nosort",
    b"a",
    b"list:*",
    b"none:*",
    b"*->a",
    b"",
    b"**",
    b"->*",
];
const HASHES: &[&[u8]] = &[b"hash:1", b"hash:2"];
const SETS: &[&[u8]] = &[b"set:1", b"set:2", b"set:3"];
const SORTED_SETS: &[&[u8]] = &[b"zset:1", b"zset:2", b"zset:3"];
const HYPERLOGLOGS: &[&[u8]] = &[b"hll:1", b"hll:2", b"hll:3"];
const INDEXES_OF_PLACES: &[&[u8]] = &[b"geo:1", b"geo:2", b"geo:3"];
const UNITS: &[&[u8]] = &[b"m", b"km", b"km", b"FT", b"mi", b"parsec"];
/// Sorted sets whose members all have one score.
const SETS_BY_NAME: &[&[u8]] = &[b"lex:1", b"lex:2"];
const MEMBERS: &[&[u8]] = &[
    b"a",
    b"b",
    b"c",
    b"d",
    b"e",
    b"f",
    b"g",
    b"a",
    b"b",
    b"c",
    b"0",
    b"1",
    b"2",
    b"3",
    b"-1",
    b"ab",
    b"abc",
    b"",
    b"\0\xff",
    b"01",
    b"9223372036854775807",
    b"9223372036854775808",
    b"a member of more than sixty-four bytes, which no listpack takes by default",
];
const SCORES: &[&[u8]] = &[
    b"0",
    b"1",
    b"2",
    b"3",
    b"1",
    b"2",
    b"3",
    b"-1",
    b"1.5",
    b"-0",
    b"0.1",
    b"0.2",
    b"3.3",
    b"-2.75",
    b"10",
    b"1e3",
    b"1e17",
    b"12345678.9",
    b"1e-7",
    b"inf",
    b"-inf",
    b"+inf",
    b"nan",
    b"1e308",
    b"5e-324",
    b"",
    b"abc",
    b"(1",
    b"0x10",
    b"1e400",
    b" 1",
    b"1 ",
];
const SCORE_BOUNDS: &[&[u8]] = &[
    b"-inf", b"+inf", b"-inf", b"+inf", b"(1", b"1", b"2", b"(2", b"2.5", b"0", b"(0.1", b"3.3",
    b"10", b"inf", b"(", b"", b"abc", b"(-inf", b"[1", b"nan", b" 1", b"1 ", b"( 1", b"1\x002",
    b"1e400", b"  ",
];
const LEX_BOUNDS: &[&[u8]] = &[
    b"-", b"+", b"-", b"+", b"[a", b"(a", b"[c", b"(c", b"(e", b"[", b"(", b"a", b"", b"[\xff",
    b"[ab", b"(1",
];
const COUNTS: &[&[u8]] = &[
    b"0",
    b"1",
    b"2",
    b"3",
    b"1",
    b"2",
    b"10",
    b"-1",
    b"-5",
    b"100000",
    b"abc",
    b"",
    b"1.5",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"9223372036854775808",
    b"4294967297",
];
/// How many random ones are asked for. A large negative number would really be answered.
const COUNTS_OF_SOME: &[&[u8]] = &[
    b"0",
    b"1",
    b"2",
    b"3",
    b"-1",
    b"-3",
    b"100000",
    b"abc",
    b"",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"9223372036854775808",
];
/// None or all: what a random choice removes would be another thing on each side.
const COUNTS_OF_ALL: &[&[u8]] =
    &[b"0", b"100000", b"-1", b"abc", b"", b"9223372036854775807", b"-9223372036854775808"];
const VALUES: &[&[u8]] = &[
    b"",
    b"0",
    b"1",
    b"-1",
    b"10",
    b"12345",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"9223372036854775808",
    b"-9223372036854775809",
    b"3.14",
    b"-0.5",
    b"1e10",
    b" 1",
    b"1 ",
    b"+5",
    b"01",
    b"-0",
    b"0x10",
    b"inf",
    b"nan",
    b"foobar",
    b"Hello, World!",
    b"\0\x01\xff\xfe\x80",
    b"\r\n",
    b"a value of forty-four bytes, the last embstr.",
    b"a value of forty-five bytes, the first raw one",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    b"ohmytext",
    b"mynewtext",
];
const INTEGERS: &[&[u8]] = &[
    b"0",
    b"1",
    b"-1",
    b"2",
    b"5",
    b"10",
    b"100",
    b"-100",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"9223372036854775808",
    b"-9223372036854775809",
    b"abc",
    b"",
    b"1.5",
    b" 1",
    b"+1",
    b"01",
    b"2147483648",
    b"-2147483649",
];
const INDEXES: &[&[u8]] = &[
    b"0",
    b"1",
    b"2",
    b"3",
    b"5",
    b"7",
    b"8",
    b"10",
    b"100",
    b"-1",
    b"-2",
    b"-3",
    b"-5",
    b"-10",
    b"-100",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"9223372036854775808",
    b"x",
];
const OFFSETS: &[&[u8]] = &[
    b"0",
    b"1",
    b"2",
    b"3",
    b"5",
    b"7",
    b"8",
    b"9",
    b"15",
    b"31",
    b"63",
    b"64",
    b"100",
    b"1000",
    b"-1",
    b"4294967296",
    b"9223372036854775807",
    b"x",
    b"1.0",
];
const FLOATS: &[&[u8]] = &[
    b"0",
    b"1",
    b"-1",
    b"1.5",
    b"-2.25",
    b"3.0e3",
    b"1e308",
    b"-1e308",
    b"1e17",
    b"0.1",
    b"0.0000001",
    b"1e-17",
    b"1.0000000000000001",
    b"123456789.123456789",
    b"5e-324",
    b"1e400",
    b"inf",
    b"-inf",
    b"+inf",
    b"nan",
    b"",
    b"abc",
    b" 1",
    b"1 ",
    b"0x1p3",
    b"1e",
    b".5",
    b"5.",
];
const PATTERNS: &[&[u8]] = &[
    b"*",
    b"*",
    b"a*",
    b"?",
    b"[a-c]",
    b"[^a]",
    b"[c-a]",
    b"[a",
    b"\\a",
    b"\\",
    b"{tag}*",
    b"*e*",
    b"",
    b"**",
    b"k?y*",
    b"[\\a]",
    b"[^]",
    b"key with*",
    b"*\xff*",
];
const DATABASES: &[&[u8]] =
    &[b"0", b"0", b"0", b"1", b"1", b"2", b"15", b"16", b"-1", b"x", b"", b"9223372036854775807"];
const BITS: &[&[u8]] = &[b"0", b"1", b"0", b"1", b"2", b"-1", b"x"];
const BITFIELD_TYPES: &[&[u8]] = &[
    b"u1", b"u2", b"u7", b"u8", b"u16", b"u31", b"u32", b"u33", b"u63", b"i1", b"i2", b"i8",
    b"i15", b"i32", b"i63", b"i64", b"u64", b"i65", b"u0", b"i0", b"x8", b"u", b"8", b"u8x", b"U8",
    b"u-1",
];
const BITFIELD_OFFSETS: &[&[u8]] = &[
    b"0",
    b"1",
    b"3",
    b"7",
    b"8",
    b"15",
    b"63",
    b"64",
    b"100",
    b"#0",
    b"#1",
    b"#2",
    b"#10",
    b"-1",
    b"#-1",
    b"#",
    b"x",
    b"#x",
    b"4294967296",
];
const TYPES: &[&[u8]] = &[b"string", b"list", b"hash", b"STRING", b"zset"];
/// How many seconds to wait. None that is taken makes a sequence last, so rows with one are not spoiled;
/// 7.0 takes less than a millisecond, of either sign, for none at all and waits forever.
const TIMEOUTS: &[&[u8]] =
    &[b"0.001", b"0.001", b"0.001", b"0.001", b"-1", b"abc", b"", b"nan", b" 1", b"1e"];
const NAMES: &[&[u8]] = &[b"app", b"a-b", b"", b"with space", b"new\nline", b"\xff"];
const NONSENSE: &[&[u8]] = &[
    b"NX", b"XX", b"EX", b"PX", b"GET", b"KEEPTTL", b"PERSIST", b"100000", b"foo", b"", b"\r\n",
    b"-1", b"BIT", b"COUNT",
];

/// Numbers that are wrong in most places. None is a time-to-live that ends while the servers are
/// compared.
const SPOILERS: &[&[u8]] = &[
    b"0",
    b"-1",
    b"abc",
    b"",
    b"1.5",
    b"100000000000000",
    b"9223372036854775807",
    b"9223372036854775808",
];

impl Draw {
    /// The commands of this seed, among those that redist knows.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        // One family gets further in a thousand commands than all of them.
        let chosen = rng.usize(..2 * FAMILIES.len());
        let last = FAMILIES.len() - 1;
        let families = FAMILIES.iter().enumerate();
        let templates = families
            .filter(|(index, _)| *index == chosen || (chosen > last && *index < last))
            .map(|(_, family)| family)
            .chain([&KEYS_OF_ANY_TYPE])
            .flat_map(|(_, rows)| rows.iter())
            .filter(|(_, template)| is_known(template))
            .flat_map(|(weight, template)| std::iter::repeat_n(*template, *weight))
            .collect();
        Self { rng, templates, deadlines: 0 }
    }

    pub fn sequence(&mut self, count: usize) -> Vec<Words> {
        (0..count).map(|_| self.command()).collect()
    }

    fn command(&mut self) -> Words {
        let template = self.templates[self.rng.usize(..self.templates.len())];
        let mut words = Vec::new();
        for part in template.trim_start_matches('=').split(' ') {
            self.part(part, &mut words);
        }
        if !template.starts_with('=') {
            self.spoil(&mut words);
        }
        words
    }

    fn one_of(&mut self, pool: &[&[u8]]) -> Vec<u8> {
        pool[self.rng.usize(..pool.len())].to_vec()
    }

    fn part(&mut self, part: &str, words: &mut Words) {
        if let Some(optional) = part.strip_prefix('?') {
            if self.rng.bool() {
                self.part(optional, words);
            }
        } else if let Some(repeated) = part.strip_suffix('+') {
            for _ in 0..self.rng.usize(1..5) {
                self.part(repeated, words);
            }
        } else if part.contains('|') {
            let choices: Vec<&str> = part.split('|').collect();
            let choice = choices[self.rng.usize(..choices.len())];
            self.part(choice, words);
        } else if is_pool(part) {
            self.pool(part, words);
        } else {
            // Commands and options are taken in any case.
            let word = if self.rng.u8(..8) == 0 {
                part.chars()
                    .map(|c| if self.rng.bool() { c.to_ascii_lowercase() } else { c })
                    .collect()
            } else {
                part.to_owned()
            };
            words.push(word.into_bytes());
        }
    }

    fn pool(&mut self, name: &str, words: &mut Words) {
        let word = match name {
            "key" => self.key(KEYS),
            "list" => self.key(LISTS),
            "hash" => self.key(HASHES),
            "set" => self.key(SETS),
            "zset" => self.key(SORTED_SETS),
            "hll" => self.key(HYPERLOGLOGS),
            "geo" => self.key(INDEXES_OF_PLACES),
            "unit" => self.one_of(UNITS),
            "radius" => self.radius(),
            "place" => return self.place(words),
            "place-member" => {
                self.place(words);
                self.member()
            }
            "extent" => return self.extent(words),
            "sortable" => {
                let pool = if self.rng.bool() { LISTS } else { SETS };
                self.key(pool)
            }
            "text" => self.one_of(TEXTS),
            "by" => self.one_of(SORT_PATTERNS),
            "get" => {
                let get = [b"GET".to_vec(), self.one_of(SORT_PATTERNS)];
                return words.extend(get);
            }
            "any" => {
                let pool = [KEYS, LISTS, HASHES, SETS, SORTED_SETS][self.rng.usize(..5)];
                self.one_of(pool)
            }
            "lists" => return self.numbered(LISTS, words),
            "sets" => return self.numbered(SETS, words),
            "zsets" => return self.numbered(SORTED_SETS, words),
            "weighted-zsets" => return self.weighted(words),
            "member" | "field" => self.member(),
            "field-value" => {
                let pair = [self.member(), self.value()];
                return words.extend(pair);
            }
            "score" => self.one_of(SCORES),
            "score-member" => {
                let pair = [self.one_of(SCORES), self.member()];
                return words.extend(pair);
            }
            "zero-member" => {
                let pair = [b"0".to_vec(), self.member()];
                return words.extend(pair);
            }
            "lexset" => {
                let pool = if self.rng.u8(..24) == 0 { KEYS } else { SETS_BY_NAME };
                self.one_of(pool)
            }
            "score-bound" => self.one_of(SCORE_BOUNDS),
            "lex-bound" => self.one_of(LEX_BOUNDS),
            "limit" => {
                let limit = [b"LIMIT".to_vec(), self.one_of(COUNTS), self.one_of(COUNTS)];
                return words.extend(limit);
            }
            "count" => self.one_of(COUNTS),
            "count-of-some" => self.one_of(COUNTS_OF_SOME),
            "count-of-all" => self.one_of(COUNTS_OF_ALL),
            "value" => self.value(),
            "pair" => {
                let pair = [self.one_of(KEYS), self.value()];
                return words.extend(pair);
            }
            "integer" => self.one_of(INTEGERS),
            "index" => self.one_of(INDEXES),
            "offset" => self.one_of(OFFSETS),
            "float" => self.one_of(FLOATS),
            "pattern" => self.one_of(PATTERNS),
            "db" => self.one_of(DATABASES),
            "bit" => self.one_of(BITS),
            "bitfield-type" => self.one_of(BITFIELD_TYPES),
            "bitfield-offset" => self.one_of(BITFIELD_OFFSETS),
            "type" => self.one_of(TYPES),
            "timeout" => self.one_of(TIMEOUTS),
            "name" => self.one_of(NAMES),
            "nonsense" => self.one_of(NONSENSE),
            "expiry" => {
                let option = ["EX", "PX", "EXAT", "PXAT"][self.rng.usize(..4)];
                words.push(option.as_bytes().to_vec());
                match option {
                    "EX" => self.deadline(0, 1),
                    "PX" => self.deadline(0, 1000),
                    "EXAT" => self.deadline(FAR_FUTURE, 1),
                    _ => self.deadline(FAR_FUTURE, 1000),
                }
            }
            "seconds" => self.deadline(0, 1),
            "milliseconds" => self.deadline(0, 1000),
            "unix-seconds" => self.deadline(FAR_FUTURE, 1),
            "unix-milliseconds" => self.deadline(FAR_FUTURE, 1000),
            "bitfield-operation" => return self.bitfield_operation(words),
            other => panic!("no pool {other}"),
        };
        words.push(word);
    }

    /// Mostly a key of this type.
    fn key(&mut self, pool: &[&[u8]]) -> Vec<u8> {
        let others = [KEYS, LISTS, HASHES, SETS, SORTED_SETS];
        let pool = if self.rng.u8(..24) == 0 { others[self.rng.usize(..5)] } else { pool };
        self.one_of(pool)
    }

    /// A longitude and a latitude, hardly ever the same twice.
    fn place(&mut self, words: &mut Words) {
        let edge = if self.rng.u8(..20) == 0 { 1.01 } else { 1.0 };
        for half in [180.0, 85.0] {
            let degrees = (self.rng.f64() * 2.0 - 1.0) * half * edge;
            words.push(degrees.to_string().into_bytes());
        }
    }

    fn radius(&mut self) -> Vec<u8> {
        10f64.powf(self.rng.f64() * 5.0).to_string().into_bytes()
    }

    fn extent(&mut self, words: &mut Words) {
        let sides = if self.rng.bool() { 1 } else { 2 };
        words.push(if sides == 1 { b"BYRADIUS".to_vec() } else { b"BYBOX".to_vec() });
        for _ in 0..sides {
            words.push(self.radius());
        }
        words.push(self.one_of(UNITS));
    }

    /// Some keys, and before them how many, which is wrong now and then.
    fn numbered(&mut self, pool: &[&[u8]], words: &mut Words) {
        let count = self.rng.usize(1..4);
        let told =
            if self.rng.u8(..10) == 0 { self.one_of(COUNTS) } else { count.to_string().into() };
        words.push(told);
        for _ in 0..count {
            words.push(self.key(pool));
        }
    }

    fn weighted(&mut self, words: &mut Words) {
        let start = words.len();
        // A set is taken for a sorted set.
        let pool = if self.rng.u8(..4) == 0 { SETS } else { SORTED_SETS };
        self.numbered(pool, words);
        if self.rng.bool() {
            let count = words.len() - start - 1;
            words.push(b"WEIGHTS".to_vec());
            for _ in 0..if self.rng.u8(..10) == 0 { count + 1 } else { count } {
                words.push(self.one_of(SCORES));
            }
        }
        if self.rng.bool() {
            let kind = ["SUM", "MIN", "MAX", "min", "x"][self.rng.usize(..5)];
            words.extend([b"AGGREGATE".to_vec(), kind.into()]);
        }
    }

    fn member(&mut self) -> Vec<u8> {
        match self.rng.u8(..12) {
            0 => self.value(),
            1 => self.rng.u8(..20).to_string().into_bytes(),
            _ => self.one_of(MEMBERS),
        }
    }

    fn value(&mut self) -> Vec<u8> {
        match self.rng.u8(..10) {
            0 => (0..self.rng.usize(..30)).map(|_| self.rng.u8(..)).collect(),
            1 => vec![b'x'; self.rng.usize(..200)],
            2 => self.rng.i32(..).to_string().into_bytes(),
            _ => self.one_of(VALUES),
        }
    }

    /// A time-to-live or a deadline that is far from any other, or one that is refused or past.
    fn deadline(&mut self, from_seconds: i64, unit: i64) -> Vec<u8> {
        const ODD: &[&[u8]] = &[
            b"0",
            b"-1",
            b"-1000",
            b"abc",
            b"",
            b"1.5",
            b"9223372036854775807",
            b"9223372036854775808",
            b"-9223372036854775808",
            b"9223372036854776",
            b"4611686018427387904",
        ];
        if self.rng.u8(..6) == 0 {
            return self.one_of(ODD);
        }
        self.deadlines += 1;
        // Up or down, so that GT and LT find both.
        let step =
            1000 * if self.rng.bool() { self.deadlines } else { 2000 - self.deadlines % 2000 };
        let half = if from_seconds == 0 { 500 } else { 0 };
        ((from_seconds + step + half) * unit).to_string().into_bytes()
    }

    fn bitfield_operation(&mut self, words: &mut Words) {
        let operation = ["GET", "SET", "INCRBY", "OVERFLOW"][self.rng.usize(..4)];
        words.push(operation.as_bytes().to_vec());
        if operation == "OVERFLOW" {
            let kind = ["WRAP", "SAT", "FAIL", "wrap", "x"][self.rng.usize(..5)];
            return words.push(kind.as_bytes().to_vec());
        }
        words.push(self.one_of(BITFIELD_TYPES));
        words.push(self.one_of(BITFIELD_OFFSETS));
        if operation != "GET" {
            words.push(self.one_of(INTEGERS));
        }
    }

    /// One command in eight has something wrong with it.
    fn spoil(&mut self, words: &mut Words) {
        if self.rng.u8(..8) > 0 {
            return;
        }
        let at = self.rng.usize(..words.len()).max(1);
        match self.rng.u8(..5) {
            0 => words.truncate(at),
            1 if at < words.len() => drop(words.remove(at)),
            2 => words.push(self.one_of(NONSENSE)),
            3 => words.insert(at.min(words.len()), self.one_of(NONSENSE)),
            _ if at < words.len() => words[at] = self.one_of(SPOILERS),
            _ => {}
        }
    }
}

/// Commands that templates begin with.
pub fn names() -> impl Iterator<Item = &'static str> {
    let rows = FAMILIES.iter().chain([&KEYS_OF_ANY_TYPE]).flat_map(|(_, rows)| rows.iter());
    rows.flat_map(|(_, template)| {
        let first = template.trim_start_matches('=').split(' ').next().unwrap_or_default();
        first.split('|')
    })
}

/// Whether redist has the command that a template begins with.
fn is_known(template: &str) -> bool {
    let mut words = template.trim_start_matches('=').split([' ', '|']);
    let (name, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let is_in_container = |row: &redist::command::Found| {
        row.container.is_some_and(|container| container.name == name)
    };
    let is_container = redist::command::all().any(|row| is_in_container(&row));
    redist::command::all().any(|row| match row.container {
        None => row.spec.name == name && !is_container,
        Some(_) => is_in_container(&row) && (row.spec.name == second || is_pool(second)),
    })
}

fn is_pool(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_lowercase())
}

/// Unix seconds beyond what any clock or limit that matters shows, also as a length or bit offset.
const FAR_FUTURE: i64 = 6_000_000_000;

/// A command as transcripts write it.
pub fn as_transcript(words: &Words) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_graphic() && !b"\"'\\".contains(byte);
    let quoted = |word: &Vec<u8>| {
        if !word.is_empty() && word.iter().all(is_plain) {
            return String::from_utf8_lossy(word).into_owned();
        }
        let escape = |byte: &u8| match byte {
            b'"' => "\\\"".to_owned(),
            b'\\' => "\\\\".to_owned(),
            b' '..=b'~' => char::from(*byte).to_string(),
            other => format!("\\x{other:02x}"),
        };
        format!("\"{}\"", word.iter().map(escape).collect::<String>())
    };
    format!("> {}", words.iter().map(quoted).collect::<Vec<_>>().join(" "))
}
