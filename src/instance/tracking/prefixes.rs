//! Prefixes of keys that clients want to hear of.

use crate::instance::SharedRecord;
use indexmap::IndexMap;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The prefixes with their clients. A key meets only the prefixes that it begins with.
#[derive(Default)]
pub struct Prefixes {
    clients: HashMap<Arc<[u8]>, IndexMap<u64, SharedRecord>>,
    /// How many prefixes there are of each length.
    lengths: BTreeMap<usize, usize>,
}

impl Prefixes {
    /// Number of prefixes.
    pub fn len(&self) -> usize {
        self.clients.len()
    }

    /// Adds a client to a prefix.
    pub fn add(&mut self, prefix: Arc<[u8]>, record: &SharedRecord) {
        let length = prefix.len();
        let clients = self.clients.entry(prefix).or_default();
        if clients.is_empty() {
            *self.lengths.entry(length).or_default() += 1;
        }
        clients.insert(record.id, Arc::clone(record));
    }

    /// Takes a client off a prefix.
    pub fn remove(&mut self, prefix: &[u8], id: u64) {
        let Some(clients) = self.clients.get_mut(prefix) else { return };
        clients.swap_remove(&id);
        if !clients.is_empty() {
            return;
        }
        self.clients.remove(prefix);
        let count = self.lengths.entry(prefix.len()).or_default();
        *count = count.saturating_sub(1);
        if *count == 0 {
            self.lengths.remove(&prefix.len());
        }
    }

    /// Calls `found` with each prefix of this key.
    pub fn for_each_of<'p>(
        &'p self,
        key: &[u8],
        mut found: impl FnMut(&Arc<[u8]>, indexmap::map::Values<'p, u64, SharedRecord>),
    ) {
        for length in self.lengths.range(..=key.len()).map(|(length, _)| *length) {
            if let Some((prefix, clients)) = self.clients.get_key_value(&key[..length]) {
                found(prefix, clients.values());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::testing::record;

    #[test]
    fn a_key_meets_the_prefixes_that_it_begins_with() {
        let mut prefixes = Prefixes::default();
        let (one, two) = (record(1, &Arc::default()), record(2, &Arc::default()));
        for (prefix, record) in [("", &one), ("a", &one), ("ab", &two), ("ab", &one), ("b", &two)] {
            prefixes.add(prefix.as_bytes().into(), record);
        }
        let found = |prefixes: &Prefixes, key: &str| {
            let mut found = Vec::new();
            prefixes.for_each_of(key.as_bytes(), |prefix, clients| {
                found.push((String::from_utf8_lossy(prefix).into_owned(), clients.len()));
            });
            found
        };
        let all = |expected: &[(&str, usize)]| -> Vec<(String, usize)> {
            expected.iter().map(|(prefix, count)| ((*prefix).to_owned(), *count)).collect()
        };
        assert_eq!(found(&prefixes, "abc"), all(&[("", 1), ("a", 1), ("ab", 2)]));
        assert_eq!(found(&prefixes, ""), all(&[("", 1)]));
        prefixes.remove(b"ab", 2);
        prefixes.remove(b"", 1);
        assert_eq!(found(&prefixes, "abc"), all(&[("a", 1), ("ab", 1)]));
        for (prefix, id) in [("a", 1), ("ab", 1), ("b", 2), ("nosuch", 2)] {
            prefixes.remove(prefix.as_bytes(), id);
        }
        assert!(prefixes.len() == 0 && prefixes.lengths.is_empty());
    }
}
