//! Groups of consumers: what each consumer was given and has not acknowledged yet.

use super::{Stream, StreamId};
use std::collections::{BTreeMap, BTreeSet};

/// A group of consumers. What waits for a consumer waits in its group, and the other way round.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// The last id that was given to any of them.
    pub last_id: StreamId,
    /// How many entries were given to them since the stream began, if that is known.
    pub entries_read: Option<i64>,
    pending: BTreeMap<StreamId, Pending>,
    consumers: BTreeMap<ConsumerNumber, Consumer>,
    numbers: BTreeMap<Box<[u8]>, ConsumerNumber>,
}

/// Tells the consumers of a group apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConsumerNumber(u64);

/// An entry that was given to a consumer and that it has not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// To whom.
    pub consumer: ConsumerNumber,
    /// When it was last given to anybody, in unix milliseconds.
    pub delivered_ms: i64,
    /// How often.
    pub deliveries: u64,
}

/// A member of a group.
#[derive(Debug, Clone)]
pub struct Consumer {
    /// Its name.
    pub name: Box<[u8]>,
    /// When it last asked for something, in unix milliseconds.
    pub seen_ms: i64,
    /// When it last got something.
    pub active_ms: Option<i64>,
    pending: BTreeSet<StreamId>,
}

impl Consumer {
    /// The ids that wait for it.
    pub fn pending(&self) -> &BTreeSet<StreamId> {
        &self.pending
    }
}

impl Group {
    /// A group that has been given everything up to an id.
    pub fn new(last_id: StreamId, entries_read: Option<i64>) -> Self {
        Self { last_id, entries_read, ..Self::default() }
    }

    /// Its consumers in the order of their names.
    pub fn consumers(&self) -> impl ExactSizeIterator<Item = &Consumer> {
        self.numbers.values().map(|number| &self.consumers[number])
    }

    /// What waits for any of its consumers.
    pub fn pending(&self) -> &BTreeMap<StreamId, Pending> {
        &self.pending
    }

    /// The number of the consumer with this name.
    pub fn number(&self, name: &[u8]) -> Option<ConsumerNumber> {
        self.numbers.get(name).copied()
    }

    /// The consumer with this number, which comes from this group.
    pub fn consumer(&self, number: ConsumerNumber) -> &Consumer {
        &self.consumers[&number]
    }

    /// The same, to change it.
    pub fn consumer_mut(&mut self, number: ConsumerNumber) -> &mut Consumer {
        self.consumers.get_mut(&number).expect("the number of a consumer comes from its group")
    }

    /// Adds a consumer; `None` if there is one of this name.
    pub fn add_consumer(&mut self, name: &[u8], now_ms: i64) -> Option<ConsumerNumber> {
        if self.numbers.contains_key(name) {
            return None;
        }
        let last = self.consumers.last_key_value();
        let number = ConsumerNumber(last.map_or(0, |(number, _)| number.0 + 1));
        let consumer = Consumer {
            name: name.into(),
            seen_ms: now_ms,
            active_ms: None,
            pending: BTreeSet::new(),
        };
        self.consumers.insert(number, consumer);
        self.numbers.insert(name.into(), number);
        Some(number)
    }

    /// Removes a consumer with all that waits for it; gives the number of those entries.
    pub fn remove_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let consumer = self.consumers.remove(&self.numbers.remove(name)?)?;
        consumer.pending.iter().for_each(|id| {
            self.pending.remove(id);
        });
        Some(consumer.pending.len())
    }

    /// Lets an entry wait for a consumer, whoever it waited for.
    pub fn assign(&mut self, id: StreamId, pending: Pending) {
        if let Some(former) = self.pending.insert(id, pending)
            && former.consumer != pending.consumer
        {
            self.consumer_mut(former.consumer).pending.remove(&id);
        }
        self.consumer_mut(pending.consumer).pending.insert(id);
    }

    /// Lets an entry wait no more; whether it did.
    pub fn acknowledge(&mut self, id: StreamId) -> bool {
        let Some(pending) = self.pending.remove(&id) else { return false };
        self.consumer_mut(pending.consumer).pending.remove(&id);
        true
    }

    /// Bytes on the heap behind it, roughly.
    pub(super) fn heap_bytes(&self) -> usize {
        const PENDING_BYTES: usize = 2 * size_of::<StreamId>() + size_of::<Pending>();
        let names: usize = self.consumers().map(|consumer| 2 * consumer.name.len()).sum();
        size_of::<Self>()
            + self.pending.len() * PENDING_BYTES
            + self.consumers.len() * size_of::<Consumer>()
            + names
    }
}

impl Stream {
    /// Whether entries were deleted one by one from this id on.
    fn has_gaps_from(&self, id: StreamId) -> bool {
        let gap = self.max_deleted_id;
        !self.is_empty() && gap != StreamId::MIN && id <= gap
    }

    /// How many entries were ever added up to an id, if that can be told.
    pub fn entries_up_to(&self, id: StreamId) -> Option<i64> {
        let added = self.entries_added as i64;
        let is_last = id == self.last_id;
        if added == 0 || is_last || (self.is_empty() && id < self.last_id) {
            return Some(added);
        }
        if id > self.last_id {
            return None;
        }
        let first = self.first_id();
        let is_whole = self.max_deleted_id == StreamId::MIN || self.max_deleted_id < first;
        let before = added - self.len() as i64;
        match id.cmp(&first) {
            std::cmp::Ordering::Less if is_whole => Some(before),
            std::cmp::Ordering::Equal if is_whole => Some(before + 1),
            _ => None,
        }
    }

    /// How many entries a group has not been given yet, if that can be told.
    pub fn lag(&self, group: &Group) -> Option<i64> {
        let added = self.entries_added as i64;
        let known = group.entries_read.filter(|_| !self.has_gaps_from(group.last_id));
        match known {
            _ if added == 0 => Some(0),
            Some(read) => Some(added - read),
            None => self.entries_up_to(group.last_id).map(|read| added - read),
        }
    }

    /// Gives a consumer at most so many entries that its group has not had; gives their ids. They wait
    /// for it to acknowledge them, unless it said that it will not.
    pub fn deliver(
        &mut self,
        name: &[u8],
        to: ConsumerNumber,
        most: usize,
        acknowledges: bool,
        now_ms: i64,
    ) -> Vec<StreamId> {
        let mut groups = std::mem::take(&mut self.groups);
        let Some(group) = groups.get_mut(name) else {
            self.groups = groups;
            return Vec::new();
        };
        let first = group.last_id.next().unwrap_or(StreamId::MAX);
        let entries = self.entries(first, StreamId::MAX).filter(|entry| entry.id > group.last_id);
        let ids: Vec<StreamId> = entries.take(most).map(|entry| entry.id).collect();
        for id in &ids {
            group.entries_read = self.entries_read_after(group, *id);
            group.last_id = *id;
            if acknowledges {
                let pending = Pending { consumer: to, delivered_ms: now_ms, deliveries: 1 };
                group.assign(*id, pending);
                group.consumer_mut(to).active_ms = Some(now_ms);
            }
        }
        self.groups = groups;
        ids
    }

    /// How many entries a group has been given once it is given this one, if that can be told.
    fn entries_read_after(&self, group: &Group, id: StreamId) -> Option<i64> {
        match group.entries_read {
            Some(read) if !self.has_gaps_from(id) => Some(read + 1),
            read if self.entries_added == 0 => read,
            _ => self.entries_up_to(id),
        }
    }
}
