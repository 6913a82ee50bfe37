//! Patterns that clients subscribe to, found by what a channel's name begins or ends with.
//!
//! A pattern is kept under the literal text that it begins or ends with, whichever is longer. A message
//! then meets only the patterns whose text its channel's name has there, not all of them: what
//! ten thousand clients that each listen to `user.<id>.*` cost the others is a few lookups.

use super::Subscribers;
use crate::glob;
use crate::limits;
use indexmap::IndexMap;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

/// The patterns with their subscribers.
#[derive(Default)]
pub struct Patterns {
    beginnings: Index,
    endings: Index,
}

/// Patterns by a literal text.
#[derive(Default)]
struct Index {
    /// How many texts there are of each length.
    lengths: BTreeMap<usize, usize>,
    texts: HashMap<Box<[u8]>, SamePlace>,
}

/// The patterns that are found by one text.
type SamePlace = IndexMap<Arc<[u8]>, Subscribers>;

/// Where a literal text stands.
enum Place {
    Beginning,
    End,
}

/// The text that a pattern is found by.
fn text_of(pattern: &[u8]) -> (Place, Vec<u8>) {
    let (mut beginning, mut end) = glob::literal_ends(pattern);
    beginning.truncate(limits::PATTERN_INDEX_BYTES_MAX);
    end.drain(..end.len().saturating_sub(limits::PATTERN_INDEX_BYTES_MAX));
    if end.len() > beginning.len() { (Place::End, end) } else { (Place::Beginning, beginning) }
}

impl Patterns {
    /// Changes who subscribes to a pattern; one that nobody subscribes to is forgotten.
    pub fn change<R>(&mut self, pattern: &[u8], change: impl FnOnce(&mut Subscribers) -> R) -> R {
        let (place, text) = text_of(pattern);
        let index = match place {
            Place::Beginning => &mut self.beginnings,
            Place::End => &mut self.endings,
        };
        index.change(&text, pattern, change)
    }

    /// Calls `found` with each pattern that matches the name of a channel, and its subscribers.
    pub fn for_each_match(&self, channel: &[u8], mut found: impl FnMut(&[u8], &Subscribers)) {
        self.beginnings.for_each(
            channel.len(),
            |length| &channel[..length],
            &mut |pattern, clients| {
                if glob::matches(pattern, channel) {
                    found(pattern, clients);
                }
            },
        );
        let end = |length| &channel[channel.len() - length..];
        self.endings.for_each(channel.len(), end, &mut |pattern, clients| {
            if glob::matches(pattern, channel) {
                found(pattern, clients);
            }
        });
    }
}

impl Index {
    fn change<R>(
        &mut self,
        text: &[u8],
        pattern: &[u8],
        change: impl FnOnce(&mut Subscribers) -> R,
    ) -> R {
        if !self.texts.contains_key(text) {
            self.texts.insert(text.into(), SamePlace::default());
            *self.lengths.entry(text.len()).or_default() += 1;
        }
        let patterns = self.texts.get_mut(text).expect("it was inserted if it was not there");
        let subscribers = match patterns.get_mut(pattern) {
            Some(subscribers) => subscribers,
            None => patterns.entry(pattern.into()).or_default(),
        };
        let result = change(subscribers);
        if subscribers.is_empty() {
            patterns.swap_remove(pattern);
        }
        if patterns.is_empty() {
            self.texts.remove(text);
            self.forget_length(text.len());
        }
        result
    }

    fn forget_length(&mut self, length: usize) {
        let count = self.lengths.entry(length).or_default();
        *count = count.saturating_sub(1);
        if *count == 0 {
            self.lengths.remove(&length);
        }
    }

    /// Calls `found` with every pattern whose text is the part of a name that `part` gives for its
    /// length.
    fn for_each<'c>(
        &self,
        name_len: usize,
        part: impl Fn(usize) -> &'c [u8],
        found: &mut impl FnMut(&[u8], &Subscribers),
    ) {
        for length in self.lengths.range(..=name_len).map(|(length, _)| *length) {
            for (pattern, subscribers) in self.texts.get(part(length)).into_iter().flatten() {
                found(pattern, subscribers);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::testing::record;

    /// The patterns that match, sorted.
    fn matching(patterns: &Patterns, channel: &[u8]) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        patterns.for_each_match(channel, |pattern, subscribers| {
            assert!(!subscribers.is_empty());
            found.push(pattern.to_vec());
        });
        found.sort();
        found
    }

    #[test]
    fn the_patterns_found_are_those_that_match() {
        let mut rng = fastrand::Rng::with_seed(7);
        let record = record(1, &Arc::default());
        let parts = ["a", "b", "ab", "*", "?", "[ab]", "[^a]", "\\*", "\\", "[", "a-"];
        let text = |rng: &mut fastrand::Rng, parts: &[&str]| -> Vec<u8> {
            let words = (0..rng.usize(..5)).map(|_| parts[rng.usize(..parts.len())]);
            words.collect::<String>().into_bytes()
        };
        let mut patterns = Patterns::default();
        let mut kept: Vec<Vec<u8>> = Vec::new();
        for _ in 0..2000 {
            let pattern = text(&mut rng, &parts);
            if rng.bool() {
                patterns.change(&pattern, |clients| clients.insert(1, record.clone()));
                kept.push(pattern);
            } else {
                patterns.change(&pattern, |clients| clients.swap_remove(&1));
                kept.retain(|other| *other != pattern);
            }
            kept.sort();
            kept.dedup();
            let channel = text(&mut rng, &["a", "b", "*", "[", "\\", "-"]);
            let expected = kept.iter().filter(|pattern| glob::matches(pattern, &channel));
            assert_eq!(matching(&patterns, &channel), expected.cloned().collect::<Vec<_>>());
        }
        for pattern in kept {
            patterns.change(&pattern, |clients| clients.swap_remove(&1));
        }
        for index in [&patterns.beginnings, &patterns.endings] {
            assert!(index.texts.is_empty() && index.lengths.is_empty());
        }
    }

    #[test]
    fn a_pattern_is_found_by_the_longer_of_its_ends() {
        for (pattern, text) in [
            ("user.7.*", "user.7."),
            ("__key*__:expired", "__:expired"),
            ("*", ""),
            ("news", "news"),
            ("a\\*b*", "a*b"),
            ("[ab]c", "c"),
            ("*[", ""),
        ] {
            assert_eq!(text_of(pattern.as_bytes()).1, text.as_bytes(), "{pattern}");
        }
        let long = "x".repeat(limits::PATTERN_INDEX_BYTES_MAX + 1);
        assert_eq!(text_of(long.as_bytes()).1.len(), limits::PATTERN_INDEX_BYTES_MAX);
    }
}
