//! Hashes: few short fields in a listpack, many in a table with positions; fields may have deadlines.
//!
//! A hash keeps fields that are past their deadline until someone removes them, and says of each
//! when it is due. Deadlines are ordered, so that setting one and finding what is due first costs
//! O(log n) at most.

mod packed;
mod pair;
mod table;

use super::Words;
use super::limits::EncodingLimits;
use super::listpack::{Element, Listpack};
use super::set::scan_positions;
use packed::Packed;
use table::Table;

/// A map from field to value, both byte strings.
#[derive(Debug, Clone)]
pub struct Hash {
    fields: Fields,
}

#[derive(Debug, Clone)]
enum Fields {
    Packed(Packed),
    /// Behind a pointer, so that small hashes do not pay for it.
    Table(Box<Table>),
}

/// A field or a value.
pub type Text<'a> = Element<'a>;

/// What is stored of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored<'a> {
    /// Its value.
    pub value: Text<'a>,
    /// Unix time in milliseconds from which on the field is absent, if there is such a time.
    pub deadline_ms: Option<u64>,
}

impl Stored<'_> {
    /// Whether the field is past its deadline.
    pub fn is_due(&self, now_ms: u64) -> bool {
        self.deadline_ms.is_some_and(|deadline_ms| deadline_ms <= now_ms)
    }
}

impl Default for Hash {
    fn default() -> Self {
        Self { fields: Fields::Packed(Packed::default()) }
    }
}

impl Hash {
    /// Brings these fields into the processor's cache.
    pub fn warm(&self, fields: Words<'_>) {
        if let Fields::Table(table) = &self.fields {
            table.warm(fields);
        }
    }

    /// A compact hash that was stored whole: fields and values in turn, no field twice.
    pub fn from_pack(pack: Listpack, limits: &EncodingLimits) -> Self {
        let mut hash = Self { fields: Fields::Packed(Packed::new(pack)) };
        if hash.len() > limits.hash_max_listpack_entries {
            hash.make_table();
        }
        hash
    }

    /// Fields and values in turn, if the hash is compact; deadlines are not in it.
    pub fn as_pack(&self) -> Option<&Listpack> {
        match &self.fields {
            Fields::Packed(packed) => Some(packed.pack()),
            Fields::Table(_) => None,
        }
    }

    /// Number of fields stored, those past their deadline included.
    pub fn len(&self) -> usize {
        match &self.fields {
            Fields::Packed(packed) => packed.len(),
            Fields::Table(table) => table.len(),
        }
    }

    /// Whether no field is stored.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name that OBJECT ENCODING answers.
    pub fn encoding(&self) -> &'static str {
        match &self.fields {
            Fields::Packed(packed) if packed.can_hold_deadlines() => "listpackex",
            Fields::Packed(_) => "listpack",
            Fields::Table(_) => "hashtable",
        }
    }

    /// Whether finding a field takes a walk through all, which is fine since they are few and short.
    pub fn is_compact(&self) -> bool {
        matches!(self.fields, Fields::Packed(_))
    }

    /// Bytes on the heap, of which fields and values are estimated from so many of them.
    pub fn heap_bytes(&self, samples: usize) -> usize {
        match &self.fields {
            Fields::Packed(packed) => packed.heap_bytes(),
            Fields::Table(table) => table.heap_bytes(samples),
        }
    }

    /// Goes over to a table if these texts, fields and values about to be stored, are too many or one
    /// of them is too long for a listpack.
    pub fn expect<'a>(
        &mut self,
        mut texts: impl ExactSizeIterator<Item = &'a [u8]>,
        limits: &EncodingLimits,
    ) {
        if matches!(self.fields, Fields::Packed(_))
            && (texts.len() / 2 > limits.hash_max_listpack_entries
                || texts.any(|text| text.len() > limits.hash_max_listpack_value))
        {
            self.make_table();
        }
    }

    fn make_table(&mut self) {
        if let Fields::Packed(packed) = &self.fields {
            self.fields = Fields::Table(Box::new(Table::from(packed)));
        }
    }

    /// What is stored of a field, which may be past its deadline.
    pub fn get(&self, field: &[u8]) -> Option<Stored<'_>> {
        match &self.fields {
            Fields::Packed(packed) => packed.get(field),
            Fields::Table(table) => table.get(field),
        }
    }

    /// The value of a field that is not past its deadline.
    pub fn live(&self, field: &[u8], now_ms: u64) -> Option<Text<'_>> {
        self.get(field).filter(|stored| !stored.is_due(now_ms)).map(|stored| stored.value)
    }

    /// Sets a field and leaves its deadline alone; whether it was new.
    pub fn set(&mut self, field: &[u8], value: &[u8], limits: &EncodingLimits) -> bool {
        if field.len().max(value.len()) > limits.hash_max_listpack_value {
            self.make_table();
        }
        match &mut self.fields {
            Fields::Packed(packed) => {
                let is_new = packed.set(field, value);
                if packed.len() > limits.hash_max_listpack_entries {
                    self.make_table();
                }
                is_new
            }
            Fields::Table(table) => table.set(field, value),
        }
    }

    /// Removes a field with its deadline; whether it was there.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        match &mut self.fields {
            Fields::Packed(packed) => packed.remove(field),
            Fields::Table(table) => table.remove(field),
        }
    }

    /// Field and value at a position, which must be below the length. Positions change when fields go
    /// and when deadlines change.
    pub fn at(&self, position: usize) -> Option<(Text<'_>, Text<'_>)> {
        match &self.fields {
            Fields::Packed(packed) => packed.at(position),
            Fields::Table(table) => table.at(position),
        }
    }

    /// Fields with their values: few in the order of their deadlines and then in the order they came,
    /// many in no order.
    pub fn iter(&self) -> impl Iterator<Item = (Text<'_>, Text<'_>)> + '_ {
        self.iter_live(0)
    }

    /// The same with the deadlines.
    pub fn iter_stored(&self) -> impl Iterator<Item = (Text<'_>, Stored<'_>)> + '_ {
        let (packed, table) = match &self.fields {
            Fields::Packed(packed) => (Some(packed.iter_stored()), None),
            Fields::Table(table) => (None, Some(table.iter_stored())),
        };
        packed.into_iter().flatten().chain(table.into_iter().flatten())
    }

    /// The same without fields past their deadline.
    pub fn iter_live(&self, now_ms: u64) -> impl Iterator<Item = (Text<'_>, Text<'_>)> + '_ {
        let (packed, table) = match &self.fields {
            Fields::Packed(packed) => (Some(packed.iter_live(now_ms)), None),
            Fields::Table(table) => (None, Some(table.iter_live(now_ms))),
        };
        packed.into_iter().flatten().chain(table.into_iter().flatten())
    }

    /// Number of fields past their deadline; costs as much as there are.
    pub fn due_len(&self, now_ms: u64) -> usize {
        match &self.fields {
            Fields::Packed(packed) => packed.due_len(now_ms),
            Fields::Table(table) => table.due_len(now_ms),
        }
    }

    /// Shows about `count` fields from a cursor on, without those past their deadline, and gives the
    /// cursor to go on from, 0 at the end. As for sets, compact hashes are shown whole and tables from
    /// their last position to their first.
    pub fn scan<'a>(
        &'a self,
        cursor: u64,
        count: usize,
        now_ms: u64,
        mut show: impl FnMut(Text<'a>, Text<'a>),
    ) -> u64 {
        let Fields::Table(table) = &self.fields else {
            self.iter_live(now_ms).for_each(|(field, value)| show(field, value));
            return 0;
        };
        let (positions, next) = scan_positions(cursor, count, table.len());
        for position in positions.rev().filter(|position| !table.is_due(*position, now_ms)) {
            if let Some((field, value)) = table.at(position) {
                show(field, value);
            }
        }
        next
    }

    /// Sets or clears the deadline of a field, if it is there.
    pub fn set_deadline(&mut self, field: &[u8], deadline_ms: Option<u64>) {
        match &mut self.fields {
            Fields::Packed(packed) => packed.set_deadline(field, deadline_ms),
            Fields::Table(table) => table.set_deadline(field, deadline_ms),
        }
    }

    /// Makes the encoding one that can hold deadlines, as HEXPIRE does even when it sets none.
    pub fn prepare_deadlines(&mut self) {
        if let Fields::Packed(packed) = &mut self.fields {
            packed.prepare_deadlines();
        }
    }

    /// The earliest deadline of any field.
    pub fn earliest_deadline_ms(&self) -> Option<u64> {
        match &self.fields {
            Fields::Packed(packed) => packed.earliest_deadline_ms(),
            Fields::Table(table) => table.earliest_deadline_ms(),
        }
    }

    /// Removes the fields that are due longest, at most `count` of them; gives their number.
    pub fn remove_due(&mut self, now_ms: u64, count: usize) -> usize {
        match &mut self.fields {
            Fields::Packed(packed) => packed.remove_due(now_ms, count),
            Fields::Table(table) => table.remove_due(now_ms, count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Unix time in milliseconds; random deadlines lie below twice as much.
    const NOW_MS: u64 = 20;

    fn limits() -> EncodingLimits {
        EncodingLimits { hash_max_listpack_entries: 12, ..EncodingLimits::default() }
    }

    #[test]
    fn random_changes_equal_those_of_a_tree() {
        for seed in 0..40 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut hash = Hash::default();
            let mut model = BTreeMap::<Vec<u8>, (Vec<u8>, Option<u64>)>::new();
            let range = rng.u32(3..60);
            for _ in 0..400 {
                let field = rng.u32(0..range).to_string().into_bytes();
                match rng.u8(..10) {
                    0..4 => {
                        let value = vec![b'v'; rng.usize(..if seed % 5 == 0 { 80 } else { 20 })];
                        let former = model.get(&field).map(|(_, deadline_ms)| *deadline_ms);
                        assert_eq!(hash.set(&field, &value, &limits()), former.is_none());
                        model.insert(field.clone(), (value, former.flatten()));
                    }
                    4..6 => assert_eq!(hash.remove(&field), model.remove(&field).is_some()),
                    6..9 if seed % 2 == 0 => {
                        let deadline_ms = rng.bool().then(|| rng.u64(1..2 * NOW_MS));
                        hash.set_deadline(&field, deadline_ms);
                        if let Some((_, slot)) = model.get_mut(&field) {
                            *slot = deadline_ms;
                        }
                    }
                    _ if rng.u8(..40) == 0 => {
                        let before = model.len();
                        model.retain(|_, (_, deadline)| deadline.is_none_or(|at| at > NOW_MS));
                        let removed = before - model.len();
                        assert_eq!(hash.due_len(NOW_MS), removed);
                        assert_eq!(hash.remove_due(NOW_MS, usize::MAX), removed);
                    }
                    _ => {}
                }
                let stored = hash
                    .get(&field)
                    .map(|stored| (stored.value.bytes().into_owned(), stored.deadline_ms));
                assert_eq!(stored.as_ref(), model.get(&field));
                assert_eq!(hash.len(), model.len());
                let earliest = model.values().filter_map(|(_, deadline_ms)| *deadline_ms).min();
                assert_eq!(hash.earliest_deadline_ms(), earliest);
            }
            assert_live_fields(&hash, &model);
        }
    }

    fn assert_live_fields(hash: &Hash, model: &BTreeMap<Vec<u8>, (Vec<u8>, Option<u64>)>) {
        let owned = |(field, value): (Text<'_>, Text<'_>)| {
            (field.bytes().into_owned(), value.bytes().into_owned())
        };
        for now_ms in [0, NOW_MS] {
            let live: BTreeMap<Vec<u8>, Vec<u8>> = model
                .iter()
                .filter(|(_, (_, deadline_ms))| deadline_ms.is_none_or(|at| at > now_ms))
                .map(|(field, (value, _))| (field.clone(), value.clone()))
                .collect();
            assert_eq!(hash.iter_live(now_ms).map(owned).collect::<BTreeMap<_, _>>(), live);
            let (mut scanned, mut cursor) = (BTreeMap::new(), 0);
            loop {
                cursor = hash.scan(cursor, 5, now_ms, |field, value| {
                    scanned.extend([owned((field, value))]);
                });
                if cursor == 0 {
                    break;
                }
            }
            assert_eq!(scanned, live);
        }
    }

    #[test]
    fn due_fields_are_removed_the_longest_due_first() {
        for fields_max in [2, 512] {
            let limits = EncodingLimits {
                hash_max_listpack_entries: fields_max,
                ..EncodingLimits::default()
            };
            let mut hash = Hash::default();
            for (field, deadline) in [("a", Some(7)), ("b", None), ("c", Some(5)), ("d", Some(9))] {
                hash.set(field.as_bytes(), b"v", &limits);
                hash.set_deadline(field.as_bytes(), deadline);
            }
            assert_eq!(hash.encoding(), if fields_max == 2 { "hashtable" } else { "listpackex" });
            assert_eq!((hash.remove_due(8, 1), hash.earliest_deadline_ms()), (1, Some(7)));
            assert!(hash.get(b"c").is_none() && hash.live(b"a", 8).is_none());
            assert_eq!((hash.remove_due(8, 9), hash.earliest_deadline_ms()), (1, Some(9)));
            assert_eq!((hash.len(), hash.live(b"d", 8).is_some()), (2, true));
        }
    }
}
