//! Hashes: few short fields in a listpack, many in a table with positions; fields may have deadlines.

use super::limits::EncodingLimits;
use super::listpack::{Element, Listpack, Position};
use super::set::scan_positions;
use indexmap::IndexMap;
use std::collections::HashMap;

/// A map from field to value, both byte strings.
#[derive(Debug, Clone)]
pub struct Hash {
    fields: Fields,
    /// Unix milliseconds from which on a field is absent, where one has such a time. Kept beside the
    /// fields, so that hashes without deadlines pay a pointer.
    deadlines: Option<Box<Deadlines>>,
}

#[derive(Debug, Clone)]
enum Fields {
    /// Fields and values in turn.
    Packed(Listpack),
    Table(IndexMap<Box<[u8]>, Box<[u8]>>),
}

#[derive(Debug, Clone, Default)]
struct Deadlines {
    of_field: HashMap<Box<[u8]>, u64>,
}

/// A field or a value.
pub type Text<'a> = Element<'a>;

impl Default for Hash {
    fn default() -> Self {
        Self { fields: Fields::Packed(Listpack::new()), deadlines: None }
    }
}

impl Hash {
    /// Number of fields stored, those past their deadline included.
    pub fn len(&self) -> usize {
        match &self.fields {
            Fields::Packed(pack) => pack.len() / 2,
            Fields::Table(table) => table.len(),
        }
    }

    /// Whether no field is stored.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name that OBJECT ENCODING answers.
    pub fn encoding(&self) -> &'static str {
        match (&self.fields, &self.deadlines) {
            (Fields::Packed(_), None) => "listpack",
            (Fields::Packed(_), Some(_)) => "listpackex",
            (Fields::Table(_), _) => "hashtable",
        }
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        /// What `IndexMap` keeps for a field: its hash, both texts' places, and its share of the index.
        const SLOT_BYTES: usize =
            size_of::<u64>() + 2 * size_of::<Box<[u8]>>() + size_of::<usize>() + 1;
        let fields = match &self.fields {
            Fields::Packed(pack) => pack.heap_bytes(),
            Fields::Table(table) => {
                let texts: usize =
                    table.iter().map(|(field, value)| field.len() + value.len()).sum();
                table.capacity() * SLOT_BYTES + texts
            }
        };
        let deadlines = self.deadlines.as_ref().map_or(0, |deadlines| {
            deadlines
                .of_field
                .keys()
                .map(|field| field.len() + size_of::<(Box<[u8]>, u64)>() + 1)
                .sum()
        });
        fields + deadlines
    }

    /// Goes over to a table if one of these texts, about to be stored, is too long for a listpack.
    pub fn expect<'a>(
        &mut self,
        mut texts: impl Iterator<Item = &'a [u8]>,
        limits: &EncodingLimits,
    ) {
        if matches!(self.fields, Fields::Packed(_))
            && texts.any(|text| text.len() > limits.hash_max_listpack_value)
        {
            self.make_table();
        }
    }

    fn make_table(&mut self) {
        if let Fields::Packed(_) = self.fields {
            let boxed = |text: Text<'_>| Box::from(&*text.bytes());
            let mut table = IndexMap::with_capacity(self.len() + 1);
            table.extend(self.iter().map(|(field, value)| (boxed(field), boxed(value))));
            self.fields = Fields::Table(table);
        }
    }

    fn position(pack: &Listpack, field: &[u8]) -> Option<(Position, Position)> {
        let field = pack.find(field, 0, 2)?;
        Some((field, pack.next(field)?))
    }

    /// The value of a field, whether past its deadline or not.
    pub fn get(&self, field: &[u8]) -> Option<Text<'_>> {
        match &self.fields {
            Fields::Packed(pack) => Self::position(pack, field).map(|(_, value)| pack.get(value)),
            Fields::Table(table) => table.get(field).map(|value| Element::Bytes(value)),
        }
    }

    /// Sets a field and leaves its deadline alone; whether it was new.
    pub fn set(&mut self, field: &[u8], value: &[u8], limits: &EncodingLimits) -> bool {
        self.expect([field, value].into_iter(), limits);
        match &mut self.fields {
            Fields::Packed(pack) => {
                if let Some((_, position)) = Self::position(pack, field) {
                    pack.replace(position, value);
                    return false;
                }
                pack.push(field);
                pack.push(value);
                if pack.len() / 2 > limits.hash_max_listpack_entries {
                    self.make_table();
                }
                true
            }
            Fields::Table(table) => match table.get_mut(field) {
                Some(slot) => {
                    *slot = value.into();
                    false
                }
                None => table.insert(field.into(), value.into()).is_none(),
            },
        }
    }

    /// Removes a field with its deadline; whether it was there.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        self.set_deadline(field, None);
        match &mut self.fields {
            Fields::Packed(pack) => match Self::position(pack, field) {
                Some((position, _)) => {
                    pack.remove(position, 2);
                    true
                }
                None => false,
            },
            Fields::Table(table) => {
                let removed = table.swap_remove(field).is_some();
                if removed && table.capacity() > 64 && table.len() < table.capacity() / 4 {
                    table.shrink_to(table.len() * 2);
                }
                removed
            }
        }
    }

    /// Field and value at a position, which must be below the length. Positions change when fields go.
    pub fn at(&self, position: usize) -> Option<(Text<'_>, Text<'_>)> {
        match &self.fields {
            Fields::Packed(pack) => {
                let field = pack.seek(2 * position)?;
                Some((pack.get(field), pack.get(pack.next(field)?)))
            }
            Fields::Table(table) => {
                let (field, value) = table.get_index(position)?;
                Some((Element::Bytes(field), Element::Bytes(value)))
            }
        }
    }

    /// Fields with their values: few in the order they came, many in no order.
    pub fn iter(&self) -> impl Iterator<Item = (Text<'_>, Text<'_>)> + '_ {
        let (pack, table) = match &self.fields {
            Fields::Packed(pack) => (Some(pack), None),
            Fields::Table(table) => (None, Some(table)),
        };
        let packed = pack.into_iter().flat_map(|pack| {
            let mut texts = pack.iter();
            std::iter::from_fn(move || Some((texts.next()?, texts.next()?)))
        });
        let tabled = table.into_iter().flatten();
        packed.chain(tabled.map(|(field, value)| (Element::Bytes(field), Element::Bytes(value))))
    }

    /// Shows about `count` fields from a cursor on and gives the cursor to go on from, 0 at the end. As
    /// for sets, compact hashes are shown whole and tables from their last position to their first.
    pub fn scan<'a>(
        &'a self,
        cursor: u64,
        count: usize,
        mut show: impl FnMut(Text<'a>, Text<'a>),
    ) -> u64 {
        let Fields::Table(table) = &self.fields else {
            self.iter().for_each(|(field, value)| show(field, value));
            return 0;
        };
        let (positions, next) = scan_positions(cursor, count, table.len());
        for position in positions.rev() {
            if let Some((field, value)) = table.get_index(position) {
                show(Element::Bytes(field), Element::Bytes(value));
            }
        }
        next
    }

    /// When a field becomes absent, in unix milliseconds.
    pub fn deadline_ms(&self, field: &[u8]) -> Option<u64> {
        self.deadlines.as_ref()?.of_field.get(field).copied()
    }

    /// Sets or clears a field's deadline; the former one.
    pub fn set_deadline(&mut self, field: &[u8], deadline_ms: Option<u64>) -> Option<u64> {
        match deadline_ms {
            Some(deadline_ms) => {
                self.deadlines.get_or_insert_default().of_field.insert(field.into(), deadline_ms)
            }
            None => self.deadlines.as_mut()?.of_field.remove(field),
        }
    }

    /// Makes the encoding one that can hold deadlines, as HEXPIRE does even when it sets none.
    pub fn prepare_deadlines(&mut self) {
        self.deadlines.get_or_insert_default();
    }

    /// Whether a field is past its deadline.
    pub fn is_expired(&self, field: &[u8], now_ms: u64) -> bool {
        self.deadline_ms(field).is_some_and(|deadline| deadline <= now_ms)
    }

    /// Whether any field has a deadline.
    pub fn is_volatile(&self) -> bool {
        self.deadlines.as_ref().is_some_and(|deadlines| !deadlines.of_field.is_empty())
    }

    /// The earliest deadline of any field.
    pub fn earliest_deadline_ms(&self) -> Option<u64> {
        self.deadlines.as_ref()?.of_field.values().copied().min()
    }

    /// Removes the fields past their deadline; gives their number.
    pub fn remove_expired(&mut self, now_ms: u64) -> usize {
        let Some(deadlines) = &self.deadlines else { return 0 };
        let due = deadlines.of_field.iter().filter(|(_, deadline)| **deadline <= now_ms);
        let due: Vec<Box<[u8]>> = due.map(|(field, _)| field.clone()).collect();
        due.iter().for_each(|field| {
            self.remove(field);
        });
        due.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn random_changes_equal_those_of_a_tree() {
        let limits = EncodingLimits { hash_max_listpack_entries: 12, ..EncodingLimits::default() };
        for seed in 0..30 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let (mut hash, mut model) = (Hash::default(), BTreeMap::<Vec<u8>, Vec<u8>>::new());
            let range = rng.u32(3..60);
            for _ in 0..400 {
                let field = rng.u32(0..range).to_string().into_bytes();
                let value = vec![b'v'; rng.usize(..if seed % 5 == 0 { 80 } else { 20 })];
                if rng.u8(..3) > 0 {
                    assert_eq!(
                        hash.set(&field, &value, &limits),
                        model.insert(field.clone(), value).is_none()
                    );
                } else {
                    assert_eq!(hash.remove(&field), model.remove(&field).is_some());
                }
                let value = hash.get(&field).map(|value| value.bytes().into_owned());
                assert_eq!(value.as_ref(), model.get(&field));
                assert_eq!(hash.len(), model.len());
            }
            let all: BTreeMap<Vec<u8>, Vec<u8>> = hash
                .iter()
                .map(|(field, value)| (field.bytes().into_owned(), value.bytes().into_owned()))
                .collect();
            assert_eq!(all, model);
        }
    }

    #[test]
    fn fields_past_their_deadline_are_removed_together() {
        let limits = EncodingLimits::default();
        let mut hash = Hash::default();
        for (field, deadline) in [("a", Some(5)), ("b", None), ("c", Some(9))] {
            hash.set(field.as_bytes(), b"v", &limits);
            if deadline.is_some() {
                hash.set_deadline(field.as_bytes(), deadline);
            }
        }
        assert_eq!((hash.encoding(), hash.earliest_deadline_ms()), ("listpackex", Some(5)));
        assert_eq!(
            (hash.remove_expired(5), hash.len(), hash.earliest_deadline_ms()),
            (1, 2, Some(9))
        );
        assert!(hash.get(b"a").is_none() && hash.is_volatile());
    }
}
