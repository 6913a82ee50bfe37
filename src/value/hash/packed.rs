//! Few short fields with their values in turn in one listpack.
//!
//! Once there may be deadlines, fields with one come first, in its order, and those without come last:
//! the order in which Redis keeps and shows them.

use super::{Stored, Text};
use crate::value::listpack::{Element, Listpack, Position};

#[derive(Debug, Clone, Default)]
pub(super) struct Packed {
    pack: Listpack,
    /// The deadline of each field in unix milliseconds by its place, ascending, and `NEVER` for none.
    /// Behind a pointer, so that hashes without deadlines do not pay for them.
    #[allow(clippy::box_collection, reason = "most hashes have none")]
    deadlines_ms: Option<Box<Vec<u64>>>,
}

/// The deadline of a field that has none.
const NEVER: u64 = u64::MAX;

impl Packed {
    pub(super) fn new(pack: Listpack) -> Self {
        Self { pack, deadlines_ms: None }
    }

    pub(super) fn pack(&self) -> &Listpack {
        &self.pack
    }

    pub(super) fn len(&self) -> usize {
        self.pack.len() / 2
    }

    pub(super) fn can_hold_deadlines(&self) -> bool {
        self.deadlines_ms.is_some()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let deadlines = self.deadlines_ms.as_deref();
        let bytes_of =
            |deadlines: &Vec<u64>| size_of_val(deadlines) + deadlines.capacity() * size_of::<u64>();
        self.pack.heap_bytes() + deadlines.map_or(0, bytes_of)
    }

    /// Where a field and its value are.
    fn find(&self, field: &[u8]) -> Option<(Position, Position)> {
        let field = self.pack.find(field, 0, 2)?;
        Some((field, self.pack.next(field)?))
    }

    /// The number of fields before this one.
    fn place(&self, field: &[u8]) -> Option<usize> {
        let field = Element::new(field);
        self.pack.iter().step_by(2).position(|other| other == field)
    }

    fn deadline_ms(&self, place: usize) -> Option<u64> {
        let deadline_ms = self.deadlines_ms.as_ref()?.get(place).copied();
        deadline_ms.filter(|deadline_ms| *deadline_ms != NEVER)
    }

    pub(super) fn get(&self, field: &[u8]) -> Option<Stored<'_>> {
        if self.deadlines_ms.is_none() {
            let (_, value) = self.find(field)?;
            return Some(Stored { value: self.pack.get(value), deadline_ms: None });
        }
        let place = self.place(field)?;
        let (_, value) = self.at(place)?;
        Some(Stored { value, deadline_ms: self.deadline_ms(place) })
    }

    pub(super) fn set(&mut self, field: &[u8], value: &[u8]) -> bool {
        if let Some((_, position)) = self.find(field) {
            self.pack.replace(position, value);
            return false;
        }
        self.pack.push(field);
        self.pack.push(value);
        if let Some(deadlines_ms) = &mut self.deadlines_ms {
            deadlines_ms.push(NEVER);
        }
        true
    }

    pub(super) fn remove(&mut self, field: &[u8]) -> bool {
        if self.can_hold_deadlines()
            && let (Some(place), Some(deadlines_ms)) = (self.place(field), &mut self.deadlines_ms)
        {
            deadlines_ms.remove(place);
        }
        let found = self.find(field);
        found.map(|(field, _)| self.pack.remove(field, 2)).is_some()
    }

    pub(super) fn at(&self, place: usize) -> Option<(Text<'_>, Text<'_>)> {
        let field = self.pack.seek(2 * place)?;
        Some((self.pack.get(field), self.pack.get(self.pack.next(field)?)))
    }

    pub(super) fn iter_live(&self, now_ms: u64) -> impl Iterator<Item = (Text<'_>, Text<'_>)> {
        let mut texts = self.pack.iter().skip(2 * self.due_len(now_ms));
        std::iter::from_fn(move || Some((texts.next()?, texts.next()?)))
    }

    /// Fields with values and deadlines.
    pub(super) fn iter_stored(&self) -> impl Iterator<Item = (Text<'_>, Stored<'_>)> {
        let with_place = self.iter_live(0).enumerate();
        with_place.map(|(place, (field, value))| {
            (field, Stored { value, deadline_ms: self.deadline_ms(place) })
        })
    }

    pub(super) fn due_len(&self, now_ms: u64) -> usize {
        let Some(deadlines_ms) = &self.deadlines_ms else { return 0 };
        deadlines_ms.partition_point(|deadline_ms| *deadline_ms <= now_ms)
    }

    pub(super) fn prepare_deadlines(&mut self) {
        self.deadlines_ms_mut();
    }

    fn deadlines_ms_mut(&mut self) -> &mut Vec<u64> {
        let length = self.len();
        self.deadlines_ms.get_or_insert_with(|| Box::new(vec![NEVER; length]))
    }

    pub(super) fn set_deadline(&mut self, field: &[u8], deadline_ms: Option<u64>) {
        let Some(place) = self.place(field) else { return };
        if self.deadline_ms(place) == deadline_ms {
            return;
        }
        let deadline_ms = deadline_ms.unwrap_or(NEVER);
        let deadlines_ms = self.deadlines_ms_mut();
        deadlines_ms.remove(place);
        let target = deadlines_ms.partition_point(|other_ms| *other_ms <= deadline_ms);
        deadlines_ms.insert(target, deadline_ms);
        if target != place {
            self.relocate(field, target);
        }
    }

    /// Moves a field with its value to another place.
    fn relocate(&mut self, field: &[u8], place: usize) {
        let Some((position, value_position)) = self.find(field) else { return };
        let value = self.pack.get(value_position).bytes().into_owned();
        self.pack.remove(position, 2);
        match self.pack.seek(2 * place) {
            Some(next) => {
                self.pack.insert_before(next, &value);
                self.pack.insert_before(next, field);
            }
            None => {
                self.pack.push(field);
                self.pack.push(&value);
            }
        }
    }

    pub(super) fn earliest_deadline_ms(&self) -> Option<u64> {
        self.deadline_ms(0)
    }

    pub(super) fn remove_due(&mut self, now_ms: u64, count: usize) -> usize {
        let count = self.due_len(now_ms).min(count);
        if let (Some(first), Some(deadlines_ms)) = (self.pack.first(), &mut self.deadlines_ms) {
            deadlines_ms.drain(..count);
            self.pack.remove(first, 2 * count);
        }
        count
    }
}
