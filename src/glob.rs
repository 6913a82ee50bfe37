//! Glob patterns as KEYS, SCAN, PSUBSCRIBE and CONFIG GET take them.
//!
//! Equal to Redis's `stringmatchlen`, oddities included, but without its recursion: only the last
//! star is ever tried again, since whatever an earlier star could do by taking more, the last one
//! can do too. The cost is at most the product of both lengths, never exponential.
//!
//! The oddities: bytes in a range are compared as signed numbers, `[^` at the end of a pattern takes
//! any byte, a class that is never closed ends with the pattern, an escaped byte in a class keeps
//! its case, and nothing but the empty pattern matches the empty text.

/// Stars behind which Redis gives up (`stringmatchlen` in 7.2.6 and later).
const STARS_MAX: usize = 1000;

/// Whether the whole text matches the pattern.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    Matcher { pattern, fold: |byte: u8| byte }.matches(text)
}

/// The same, where a letter stands for itself in either case.
pub fn matches_ignoring_case(pattern: &[u8], text: &[u8]) -> bool {
    Matcher { pattern, fold: |byte: u8| byte.to_ascii_lowercase() }.matches(text)
}

/// The literal texts that a pattern begins and ends with: whatever it matches begins and ends so too.
/// A pattern without wildcards is both.
pub fn literal_ends(pattern: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut beginning = None;
    let mut text = Vec::new();
    let mut at = 0;
    while let Some(&byte) = pattern.get(at) {
        match byte {
            b'*' | b'?' | b'[' => {
                beginning.get_or_insert_with(|| text.clone());
                text.clear();
                at = if byte == b'[' { class_end(pattern, at + 1) } else { at + 1 };
            }
            b'\\' if at + 1 < pattern.len() => {
                text.push(pattern[at + 1]);
                at += 2;
            }
            literal => {
                text.push(literal);
                at += 1;
            }
        }
    }
    (beginning.unwrap_or_else(|| text.clone()), text)
}

/// Where a class ends whose `[` stands right before `at`.
fn class_end(pattern: &[u8], at: usize) -> usize {
    let any = Matcher { pattern, fold: |byte: u8| byte };
    any.class_match(at, 0).1
}

struct Matcher<'p, F> {
    pattern: &'p [u8],
    /// What two bytes have to agree in.
    fold: F,
}

/// Where to go on when what follows the last star does not match: one byte later.
#[derive(Clone, Copy)]
struct Retry {
    pattern_at: usize,
    text_at: usize,
}

impl<F: Fn(u8) -> u8> Matcher<'_, F> {
    fn matches(&self, text: &[u8]) -> bool {
        let (mut at, mut text_at) = (0, 0);
        let mut retry: Option<Retry> = None;
        let mut stars = 0;
        while let Some(&byte) = text.get(text_at) {
            if self.pattern.get(at) == Some(&b'*') {
                at = self.skip_stars(at);
                if at == self.pattern.len() {
                    return true;
                }
                stars += 1;
                if stars > STARS_MAX {
                    return false;
                }
                retry = Some(Retry { pattern_at: at, text_at });
                continue;
            }
            if let Some(next) = self.step(at, byte) {
                at = next;
                text_at += 1;
                if text_at < text.len() {
                    continue;
                }
                at = self.skip_stars(at);
                if at == self.pattern.len() {
                    return true;
                }
            }
            let Some(last) = &mut retry else { return false };
            last.text_at += 1;
            Retry { pattern_at: at, text_at } = *last;
        }
        text.is_empty() && self.pattern.is_empty()
    }

    fn skip_stars(&self, at: usize) -> usize {
        at + self.pattern[at..].iter().take_while(|byte| **byte == b'*').count()
    }

    /// Matches one byte with what stands at `at`, which is no star; gives what follows there.
    fn step(&self, at: usize, byte: u8) -> Option<usize> {
        match self.pattern.get(at)? {
            b'?' => Some(at + 1),
            b'[' => self.class(at + 1, byte),
            b'\\' if at + 1 < self.pattern.len() => self.literal(at + 1, byte),
            _ => self.literal(at, byte),
        }
    }

    fn literal(&self, at: usize, byte: u8) -> Option<usize> {
        ((self.fold)(self.pattern[at]) == (self.fold)(byte)).then_some(at + 1)
    }

    /// A class whose `[` stands right before `at`.
    fn class(&self, at: usize, byte: u8) -> Option<usize> {
        let (matches, next) = self.class_match(at, byte);
        matches.then_some(next)
    }

    /// Whether it takes this byte, and what follows it.
    fn class_match(&self, mut at: usize, byte: u8) -> (bool, usize) {
        let negated = self.pattern.get(at) == Some(&b'^');
        if negated {
            at += 1;
        }
        let mut found = false;
        let next = loop {
            match &self.pattern[at..] {
                [] => break at,
                [b'\\', escaped, ..] => {
                    found |= *escaped == byte;
                    at += 2;
                }
                [b']', ..] => break at + 1,
                [first, b'-', last, ..] => {
                    found |= self.in_range(*first, *last, byte);
                    at += 3;
                }
                [single, ..] => {
                    found |= (self.fold)(*single) == (self.fold)(byte);
                    at += 1;
                }
            }
        };
        (found != negated, next)
    }

    /// The ends may come in either order. They change case after they were put in order, as in Redis.
    fn in_range(&self, first: u8, last: u8, byte: u8) -> bool {
        let (first, last) =
            if first.cast_signed() > last.cast_signed() { (last, first) } else { (first, last) };
        let fold = |byte: u8| (self.fold)(byte).cast_signed();
        (fold(first)..=fold(last)).contains(&fold(byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_redis() {
        let cases: &[(&[u8], &[u8], bool)] = &[
            (b"", b"", true),
            (b"*", b"", false),
            (b"", b"a", false),
            (b"*", b"a", true),
            (b"a*", b"a", true),
            (b"a***", b"a", true),
            (b"*a", b"banana", true),
            (b"*n*n*", b"banana", true),
            (b"*n*n*n*", b"banana", false),
            (b"h?llo", b"hello", true),
            (b"h?llo", b"hllo", false),
            (b"h[ae]llo", b"hillo", false),
            (b"h[^e]llo", b"hello", false),
            (b"h[^e]llo", b"hallo", true),
            (b"h[b-a]llo", b"hallo", true),
            (b"h[!e]llo", b"h!llo", true),
            (b"a\\*b", b"a*b", true),
            (b"a\\*b", b"axb", false),
            (b"a\\", b"a\\", true),
            (b"[", b"[", false),
            (b"[^", b"x", true),
            (b"[]", b"]", false),
            (b"[]a]", b"a]", false),
            (b"[a", b"a", true),
            (b"[a-", b"-", true),
            (b"[a-]", b"b", false),
            (b"[a-]", b"^", true),
            (b"[\\]]", b"]", true),
            (b"[\\a-c]", b"b", false),
            (b"[\\a-c]", b"-", true),
            (b"[\\", b"\\", true),
            (b"[\x7f-\x80]", b"m", true),
            (b"[\x01-\xff]", b"\x00", true),
            (b"A", b"a", false),
            (b"*\x00b", b"a\x00b", true),
            (b"?*?", b"a", false),
            (b"?*?", b"ab", true),
        ];
        for (pattern, text, expected) in cases {
            let shown = (String::from_utf8_lossy(pattern), String::from_utf8_lossy(text));
            assert_eq!(matches(pattern, text), *expected, "{shown:?}");
        }
    }

    #[test]
    fn case_is_ignored_where_asked_for() {
        let cases: &[(&[u8], &[u8], bool)] = &[
            (b"MaxMemory*", b"maxmemory-policy", true),
            (b"[A-C]X", b"bx", true),
            (b"[\\A]", b"a", false),
            (b"\\A", b"a", true),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(matches_ignoring_case(pattern, text), *expected, "{pattern:?} {text:?}");
        }
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let text = vec![b'a'; 20_000];
        assert!(!matches(b"*a*a*a*a*a*a*a*a*a*a*b", &text));
        assert!(!matches("a*".repeat(STARS_MAX).as_bytes(), &[b'a'; STARS_MAX - 1]));
        assert!(matches("a*".repeat(STARS_MAX).as_bytes(), &text));
    }
}
