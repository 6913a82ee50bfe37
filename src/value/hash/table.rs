//! Many fields in a table with positions.
//!
//! Deadlines are kept beside it by position, so that a field without one pays nothing for them. When
//! a field goes, the last one takes its position, and so does its deadline.

use super::super::estimate_sum;
use super::packed::Packed;
use super::pair::Pair;
use super::{Stored, Text};
use crate::value::Words;
use crate::value::dense::Dense;
use std::collections::{BTreeSet, HashMap};

#[derive(Debug, Clone)]
pub(super) struct Table {
    fields: Dense<Pair>,
    /// `None` while no field has a deadline.
    deadlines: Option<Box<Deadlines>>,
}

/// The deadlines in unix milliseconds.
#[derive(Debug, Clone, Default)]
struct Deadlines {
    of_position: HashMap<usize, u64>,
    /// The same as (deadline, position).
    in_order: BTreeSet<(u64, usize)>,
}

impl Deadlines {
    fn insert(&mut self, position: usize, deadline_ms: u64) {
        self.remove(position);
        self.of_position.insert(position, deadline_ms);
        self.in_order.insert((deadline_ms, position));
    }

    fn remove(&mut self, position: usize) -> Option<u64> {
        let deadline_ms = self.of_position.remove(&position)?;
        self.in_order.remove(&(deadline_ms, position));
        Some(deadline_ms)
    }

    fn due(&self, now_ms: u64) -> impl Iterator<Item = (u64, usize)> {
        self.in_order.range(..=(now_ms, usize::MAX)).copied()
    }
}

impl From<&Packed> for Table {
    fn from(packed: &Packed) -> Self {
        let mut fields = Dense::with_capacity(packed.len() + 1);
        let mut deadlines = Deadlines::default();
        for (field, stored) in packed.iter_stored() {
            if let Some(deadline_ms) = stored.deadline_ms {
                deadlines.insert(fields.len(), deadline_ms);
            }
            fields.push(Pair::new(&field.bytes(), &stored.value.bytes()));
        }
        let is_volatile = !deadlines.in_order.is_empty();
        Self { fields, deadlines: is_volatile.then(|| Box::new(deadlines)) }
    }
}

impl Table {
    pub(super) fn warm(&self, fields: Words<'_>) {
        self.fields.warm(fields);
    }

    pub(super) fn len(&self) -> usize {
        self.fields.len()
    }

    pub(super) fn heap_bytes(&self, samples: usize) -> usize {
        /// A line in each of the two indexes.
        const DEADLINE_BYTES: usize = 2 * size_of::<(u64, usize)>() + 1;
        let bytes_at = |position| self.fields.at(position).map_or(0, Pair::heap_bytes);
        let texts = estimate_sum(self.fields.len(), samples, bytes_at);
        let deadlines = self.deadlines.as_ref().map_or(0, |deadlines| {
            size_of::<Deadlines>() + deadlines.in_order.len() * DEADLINE_BYTES
        });
        size_of::<Self>() + self.fields.heap_bytes() + texts + deadlines
    }

    fn deadline_ms(&self, position: usize) -> Option<u64> {
        self.deadlines.as_ref()?.of_position.get(&position).copied()
    }

    pub(super) fn is_due(&self, position: usize, now_ms: u64) -> bool {
        self.deadline_ms(position).is_some_and(|deadline_ms| deadline_ms <= now_ms)
    }

    pub(super) fn get(&self, field: &[u8]) -> Option<Stored<'_>> {
        let position = self.fields.position(field)?;
        let (_, value) = self.at(position)?;
        Some(Stored { value, deadline_ms: self.deadline_ms(position) })
    }

    pub(super) fn set(&mut self, field: &[u8], value: &[u8]) -> bool {
        let position = self.fields.position(field);
        match position {
            Some(position) => self.fields.at_mut(position).set_value(value),
            None => self.fields.push(Pair::new(field, value)),
        }
        position.is_none()
    }

    pub(super) fn remove(&mut self, field: &[u8]) -> bool {
        let position = self.fields.position(field);
        position.map(|position| self.remove_at(position)).is_some()
    }

    fn remove_at(&mut self, position: usize) {
        if let Some(deadlines) = &mut self.deadlines {
            deadlines.remove(position);
            let last = self.fields.len() - 1;
            if let Some(deadline_ms) = deadlines.remove(last) {
                deadlines.insert(position, deadline_ms);
            }
            self.drop_empty_deadlines();
        }
        self.fields.swap_remove(position);
    }

    fn drop_empty_deadlines(&mut self) {
        self.deadlines.take_if(|deadlines| deadlines.in_order.is_empty());
    }

    pub(super) fn at(&self, position: usize) -> Option<(Text<'_>, Text<'_>)> {
        self.fields.at(position).map(Pair::texts)
    }

    pub(super) fn iter_stored(&self) -> impl Iterator<Item = (Text<'_>, Stored<'_>)> {
        self.fields.iter().enumerate().map(|(position, pair)| {
            let (field, value) = pair.texts();
            (field, Stored { value, deadline_ms: self.deadline_ms(position) })
        })
    }

    pub(super) fn iter_live(&self, now_ms: u64) -> impl Iterator<Item = (Text<'_>, Text<'_>)> {
        let any_due = self.earliest_deadline_ms().is_some_and(|earliest| earliest <= now_ms);
        let live = self
            .fields
            .iter()
            .enumerate()
            .filter(move |(position, _)| !(any_due && self.is_due(*position, now_ms)));
        live.map(|(_, pair)| pair.texts())
    }

    pub(super) fn due_len(&self, now_ms: u64) -> usize {
        self.deadlines.as_ref().map_or(0, |deadlines| deadlines.due(now_ms).count())
    }

    pub(super) fn set_deadline(&mut self, field: &[u8], deadline_ms: Option<u64>) {
        let Some(position) = self.fields.position(field) else { return };
        match (deadline_ms, &mut self.deadlines) {
            (Some(deadline_ms), deadlines) => {
                deadlines.get_or_insert_default().insert(position, deadline_ms);
            }
            (None, Some(deadlines)) => {
                deadlines.remove(position);
                self.drop_empty_deadlines();
            }
            (None, None) => {}
        }
    }

    pub(super) fn earliest_deadline_ms(&self) -> Option<u64> {
        let (deadline_ms, _) = self.deadlines.as_ref()?.in_order.first()?;
        Some(*deadline_ms)
    }

    pub(super) fn remove_due(&mut self, now_ms: u64, count: usize) -> usize {
        let mut removed = 0;
        while removed < count {
            let due = self.deadlines.as_ref().and_then(|deadlines| deadlines.due(now_ms).next());
            let Some((_, position)) = due else { break };
            self.remove_at(position);
            removed += 1;
        }
        removed
    }
}
