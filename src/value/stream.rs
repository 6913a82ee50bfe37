//! Streams: entries in the order of their ids, and groups of consumers that share the work on them.
//!
//! Entries lie in listpacks, some in each, in Redis's own format, and the listpacks in a tree by the
//! id of their first entry. What is deleted in the middle of one is only marked.

mod group;
mod id;
mod node;

pub use group::{Consumer, ConsumerNumber, Group, Pending};
pub use id::{StreamId, WrittenId};
pub use node::{Fields, Node, StreamEntry};

use super::EncodingLimits;
use crate::limits;
use std::collections::BTreeMap;

/// A stream. It exists even without entries.
#[derive(Debug, Clone, Default)]
pub struct Stream {
    /// By the id of their first entry, which may be deleted. None is without entries at all.
    nodes: BTreeMap<StreamId, Node>,
    /// Number of entries that are not deleted.
    length: u64,
    /// The highest id that an entry ever had.
    pub last_id: StreamId,
    /// The highest id of those that were deleted one by one.
    pub max_deleted_id: StreamId,
    /// Number of entries ever added.
    pub entries_added: u64,
    /// By name.
    pub groups: BTreeMap<Box<[u8]>, Group>,
}

/// Why an entry cannot be appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There are entries with this id or higher ones.
    NotLast,
    /// There is no higher id.
    Exhausted,
    /// It takes more memory than a node can have.
    TooLarge,
}

/// How the id of a new entry is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewId {
    /// By the time, in unix milliseconds.
    Now(u64),
    /// This time, and whatever sequence comes next.
    At(u64),
    /// This one.
    Given(StreamId),
}

/// Which entries go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trim {
    /// Until what is reached.
    pub until: TrimUntil,
    /// Whether only whole nodes go, so that a little more may stay.
    pub roughly: bool,
    /// Most entries to remove; 0 is no limit.
    pub limit: u64,
}

/// What a trimmed stream is to be like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrimUntil {
    /// At most so many entries stay.
    Length(u64),
    /// Entries from this id on stay.
    Id(StreamId),
}

impl Stream {
    /// A stream from what was saved; `None` if that cannot be one: nodes overlap, or say together
    /// that they have another number of entries.
    pub fn from_nodes(nodes: BTreeMap<StreamId, Node>, length: u64) -> Option<Self> {
        let (mut highest, mut count) = (None, 0);
        for (base, node) in &nodes {
            for entry in node.entries(*base).filter(|entry| !entry.is_deleted) {
                if highest.is_some_and(|highest| entry.id <= highest) || entry.id < *base {
                    return None;
                }
                highest = Some(entry.id);
            }
            count += node.counts().0 as u64;
        }
        (count == length).then(|| Self {
            nodes,
            length,
            last_id: highest.unwrap_or_default(),
            ..Self::default()
        })
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        // Each takes memory, so there are no more than that.
        self.length as usize
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Its nodes by the id of their first entry.
    pub fn nodes(&self) -> &BTreeMap<StreamId, Node> {
        &self.nodes
    }

    /// How many parts the radix tree would have in which Redis keeps the nodes: a chain of bytes without
    /// a branch is one, and so is each branch and each end.
    pub fn radix_tree_nodes(&self) -> usize {
        let keys: Vec<_> = self.nodes.keys().map(|base| base.to_bytes()).collect();
        radix_tree_nodes(&keys, 0)
    }

    /// The id of the first entry; zeros if there is none.
    pub fn first_id(&self) -> StreamId {
        self.entries(StreamId::MIN, StreamId::MAX).next().map_or(StreamId::MIN, |entry| entry.id)
    }

    /// The id of the last entry; zeros if there is none.
    pub fn newest_id(&self) -> StreamId {
        let mut entries = self.entries(StreamId::MIN, StreamId::MAX);
        entries.next_back().map_or(StreamId::MIN, |entry| entry.id)
    }

    /// Bytes on the heap behind it, as the first nodes, of which so many are looked at, let expect.
    pub fn heap_bytes(&self, samples: usize) -> usize {
        const SLOT_BYTES: usize = size_of::<StreamId>() + size_of::<Node>();
        let looked_at = samples.min(self.nodes.len());
        let packs = self.nodes.values().take(looked_at).map(|node| node.pack().heap_bytes());
        let packs = packs.sum::<usize>() as u128 * self.nodes.len() as u128;
        let groups: usize =
            self.groups.iter().map(|(name, group)| name.len() + group.heap_bytes()).sum();
        let packs = packs.checked_div(looked_at as u128).unwrap_or(0) as usize;
        size_of::<Self>() + self.nodes.len() * SLOT_BYTES + packs + groups
    }

    /// The entries from one id to another, both included.
    pub fn entries(
        &self,
        start: StreamId,
        end: StreamId,
    ) -> impl DoubleEndedIterator<Item = StreamEntry<'_>> + Clone {
        let first = self.nodes.range(..=start).next_back().map_or(start, |(base, _)| *base);
        // A tree takes no range that ends before it begins.
        let range = (first <= end).then(|| self.nodes.range(first..=end));
        let nodes = range.into_iter().flatten();
        nodes.flat_map(move |(base, node)| live_between(*base, node, start, end))
    }

    /// Number of entries from one id to another, both included; not more than `most` are counted.
    pub fn count(&self, start: StreamId, end: StreamId, most: usize) -> usize {
        let first = self.nodes.range(..=start).next_back().map_or(start, |(base, _)| *base);
        if first > end {
            return 0;
        }
        let (mut count, mut nodes) = (0, self.nodes.range(first..=end).peekable());
        while let Some((base, node)) = nodes.next()
            && count < most
        {
            // Whatever lies before the next node lies before the end.
            count += if *base >= start && nodes.peek().is_some() {
                node.counts().0
            } else {
                live_between(*base, node, start, end).take(most - count).count()
            };
        }
        count.min(most)
    }

    /// The entry with this id.
    pub fn get(&self, id: StreamId) -> Option<StreamEntry<'_>> {
        self.entries(id, id).next()
    }

    /// The id that a new entry gets.
    fn choose_id(&self, new: NewId) -> Result<StreamId, Refusal> {
        let id = match new {
            _ if self.last_id == StreamId::MAX => return Err(Refusal::Exhausted),
            NewId::Now(ms) if ms > self.last_id.ms => StreamId { ms, sequence: 0 },
            NewId::Now(_) => self.last_id.next().ok_or(Refusal::Exhausted)?,
            NewId::At(ms) if ms == self.last_id.ms => {
                let sequence = self.last_id.sequence.checked_add(1).ok_or(Refusal::NotLast)?;
                StreamId { ms, sequence }
            }
            NewId::At(ms) => StreamId { ms, sequence: 0 },
            NewId::Given(id) => id,
        };
        if id > self.last_id { Ok(id) } else { Err(Refusal::NotLast) }
    }

    /// Appends an entry; gives its id.
    ///
    /// # Errors
    /// When it cannot: then nothing has changed.
    pub fn append<'f>(
        &mut self,
        id: NewId,
        fields: impl ExactSizeIterator<Item = (&'f [u8], &'f [u8])> + Clone,
        limits: &EncodingLimits,
    ) -> Result<StreamId, Refusal> {
        let id = self.choose_id(id)?;
        let bytes: usize = fields.clone().map(|(name, value)| name.len() + value.len()).sum();
        if bytes > limits::PACK_BYTES_MAX {
            return Err(Refusal::TooLarge);
        }
        let last = self.nodes.iter_mut().next_back();
        match last.filter(|(_, node)| has_room(node, bytes, limits)) {
            Some((base, node)) => node.append(*base, id, fields),
            None => {
                if let Some((_, full)) = self.nodes.iter_mut().next_back() {
                    full.shrink();
                }
                let mut node = Node::new(fields.clone().map(|(name, _)| name));
                node.append(id, id, fields);
                self.nodes.insert(id, node);
            }
        }
        self.length += 1;
        self.last_id = id;
        self.entries_added += 1;
        Ok(id)
    }

    /// Deletes the entry with this id; whether it was there.
    pub fn remove(&mut self, id: StreamId) -> bool {
        let Some((base, node)) = self.nodes.range_mut(..=id).next_back() else { return false };
        let Some(place) = node.find(*base, id) else { return false };
        if node.counts().0 == 1 {
            let base = *base;
            self.nodes.remove(&base);
        } else {
            node.delete([place]);
        }
        self.length -= 1;
        self.max_deleted_id = self.max_deleted_id.max(id);
        true
    }

    /// Removes the first entries; gives their number.
    pub fn trim(&mut self, trim: Trim) -> usize {
        let mut removed = 0;
        while let Some(mut first) = self.nodes.first_entry() {
            let base = *first.key();
            let live = first.get().counts().0 as u64;
            let is_enough =
                matches!(trim.until, TrimUntil::Length(length) if self.length <= length);
            if is_enough || (trim.limit > 0 && removed + live > trim.limit) {
                break;
            }
            let goes_whole = match trim.until {
                TrimUntil::Length(length) => self.length - live >= length,
                TrimUntil::Id(id) => {
                    let last = first.get().entries(base).next_back();
                    last.is_none_or(|last| last.id < id)
                }
            };
            if goes_whole {
                first.remove();
                self.length -= live;
                removed += live;
                continue;
            }
            if !trim.roughly {
                let places = places_to_trim(first.get(), base, trim.until, self.length);
                self.length -= places.len() as u64;
                removed += places.len() as u64;
                first.get_mut().delete(places);
            }
            break;
        }
        removed as usize
    }
}

/// The entries of a node that are not deleted, from one id to another.
fn live_between(
    base: StreamId,
    node: &Node,
    start: StreamId,
    end: StreamId,
) -> impl DoubleEndedIterator<Item = StreamEntry<'_>> + Clone {
    let lies_there =
        move |entry: &StreamEntry<'_>| !entry.is_deleted && start <= entry.id && entry.id <= end;
    node.entries(base).filter(lies_there)
}

/// Whether an entry of so many bytes goes into a node that is there.
fn has_room(node: &Node, bytes: usize, limits: &EncodingLimits) -> bool {
    let bytes_max = match limits.stream_node_max_bytes {
        0 => limits::PACK_BYTES_MAX,
        most => most.min(limits::PACK_BYTES_MAX),
    };
    let (live, deleted) = node.counts();
    let entries_max = limits.stream_node_max_entries;
    node.pack().size_bytes() + bytes < bytes_max
        && (entries_max == 0 || live + deleted < entries_max)
}

/// The parts of the tree of these keys, which are in order and alike in their first bytes.
fn radix_tree_nodes(keys: &[[u8; StreamId::BYTES]], alike: usize) -> usize {
    let (Some(first), Some(last)) = (keys.first(), keys.last()) else { return 1 };
    let common = first.iter().zip(last).take_while(|(one, other)| one == other).count();
    let chain = usize::from(common > alike);
    if common == StreamId::BYTES {
        return chain + 1;
    }
    let branches = keys.chunk_by(|one, other| one[common] == other[common]);
    chain + 1 + branches.map(|keys| radix_tree_nodes(keys, common + 1)).sum::<usize>()
}

/// The first entries of a node, which stays: those that are in the way.
fn places_to_trim(node: &Node, base: StreamId, until: TrimUntil, length: u64) -> Vec<node::Place> {
    let entries = node.entries(base).filter(|entry| !entry.is_deleted);
    match until {
        TrimUntil::Length(wanted) => {
            let surplus = usize::try_from(length.saturating_sub(wanted)).unwrap_or(usize::MAX);
            entries.take(surplus).map(|entry| entry.place).collect()
        }
        TrimUntil::Id(id) => {
            entries.take_while(|entry| entry.id < id).map(|entry| entry.place).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Listpack;

    const fn id(ms: u64, sequence: u64) -> StreamId {
        StreamId { ms, sequence }
    }

    fn limits(entries: usize, bytes: usize) -> EncodingLimits {
        EncodingLimits {
            stream_node_max_entries: entries,
            stream_node_max_bytes: bytes,
            ..EncodingLimits::default()
        }
    }

    fn add(stream: &mut Stream, ms: u64, fields: &[(&str, &str)], limits: &EncodingLimits) {
        let fields = fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let new = NewId::Given(id(ms, 0));
        assert_eq!(stream.append(new, fields, limits), Ok(id(ms, 0)));
    }

    fn shown<'a>(entries: impl Iterator<Item = StreamEntry<'a>>) -> Vec<(u64, Vec<String>)> {
        let text = |element: crate::value::Element<'_>| {
            String::from_utf8(element.bytes().into_owned()).unwrap()
        };
        let fields = |entry: StreamEntry<'a>| {
            entry.fields.flat_map(|(name, value)| [text(name), text(value)]).collect()
        };
        entries.map(|entry| (entry.id.ms, fields(entry))).collect()
    }

    #[test]
    fn ids_go_up_or_are_refused() {
        let last = id(5, 3);
        let table = [
            (last, NewId::Now(7), Ok(id(7, 0))),
            (last, NewId::Now(5), Ok(id(5, 4))),
            (last, NewId::Now(1), Ok(id(5, 4))),
            (last, NewId::At(5), Ok(id(5, 4))),
            (last, NewId::At(6), Ok(id(6, 0))),
            (last, NewId::At(4), Err(Refusal::NotLast)),
            (last, NewId::Given(last), Err(Refusal::NotLast)),
            (last, NewId::Given(id(5, 4)), Ok(id(5, 4))),
            (StreamId::MIN, NewId::At(0), Ok(id(0, 1))),
            (id(5, u64::MAX), NewId::Now(5), Ok(id(6, 0))),
            (id(5, u64::MAX), NewId::At(5), Err(Refusal::NotLast)),
            (StreamId::MAX, NewId::Now(5), Err(Refusal::Exhausted)),
            (StreamId::MAX, NewId::Given(last), Err(Refusal::Exhausted)),
        ];
        for (last_id, new, expected) in table {
            let mut stream = Stream { last_id, ..Stream::default() };
            let fields = [(&b"a"[..], &b"b"[..])].into_iter();
            assert_eq!(stream.append(new, fields, &limits(0, 0)), expected, "{last_id} {new:?}");
            assert_eq!(stream.len(), usize::from(expected.is_ok()));
        }
    }

    #[test]
    fn a_stream_is_what_a_sequence_would_be() {
        let mut rng = fastrand::Rng::with_seed(7);
        let kinds: [&[(&str, &str)]; 4] =
            [&[("a", "1"), ("b", "x")], &[("a", "-77"), ("b", "")], &[("b", "1")], &[("a", "1")]];
        for limits in [limits(0, 0), limits(1, 0), limits(4, 0), limits(100, 60), limits(7, 4096)] {
            let (mut stream, mut model) = (Stream::default(), Vec::<(u64, Vec<String>)>::new());
            for ms in 1..400 {
                match rng.u8(..8) {
                    0 if !model.is_empty() => {
                        let (gone, _) = model.remove(rng.usize(..model.len()));
                        assert!(stream.remove(id(gone, 0)) && !stream.remove(id(gone, 0)));
                    }
                    1 if rng.u8(..8) == 0 => {
                        let wanted = rng.usize(..model.len() + 2);
                        let surplus = model.len().saturating_sub(wanted);
                        let until = TrimUntil::Length(wanted as u64);
                        let trim = Trim { until, roughly: false, limit: 0 };
                        assert_eq!(stream.trim(trim), surplus);
                        model.drain(..surplus);
                    }
                    2 if rng.u8(..8) == 0 => {
                        let first = rng.u64(..=ms);
                        let surplus = model.iter().filter(|(ms, _)| *ms < first).count();
                        let until = TrimUntil::Id(id(first, 0));
                        let trim = Trim { until, roughly: false, limit: 0 };
                        assert_eq!(stream.trim(trim), surplus);
                        model.drain(..surplus);
                    }
                    _ => {
                        let fields = kinds[rng.usize(..4)];
                        add(&mut stream, ms, fields, &limits);
                        let words = fields.iter().flat_map(|(a, b)| [a, b].map(|w| w.to_string()));
                        model.push((ms, words.collect()));
                    }
                }
                let (one, other) = (id(rng.u64(..500), 0), id(rng.u64(..500), 0));
                let within: Vec<_> = model
                    .iter()
                    .filter(|(ms, _)| one <= id(*ms, 0) && id(*ms, 0) <= other)
                    .cloned()
                    .collect();
                assert_eq!(shown(stream.entries(one, other)), within);
                let mut backwards = shown(stream.entries(one, other).rev());
                backwards.reverse();
                assert_eq!(backwards, within);
                for most in [0, 1, 5, usize::MAX] {
                    assert_eq!(stream.count(one, other, most), within.len().min(most));
                }
                assert_eq!(stream.len(), model.len());
                assert_eq!(stream.first_id().ms, model.first().map_or(0, |(ms, _)| *ms));
                assert_eq!(stream.newest_id().ms, model.last().map_or(0, |(ms, _)| *ms));
                for node in stream.nodes().values() {
                    let pack = Listpack::from_bytes(node.pack().as_bytes().to_vec()).unwrap();
                    assert_eq!(Node::from_pack(pack).as_ref(), Some(node));
                }
            }
        }
    }

    #[test]
    fn a_rough_trim_leaves_nodes_whole() {
        let table = [
            (TrimUntil::Length(5), 0, 3),
            (TrimUntil::Length(4), 0, 6),
            (TrimUntil::Length(0), 0, 10),
            (TrimUntil::Length(0), 2, 0),
            (TrimUntil::Length(0), 8, 6),
            (TrimUntil::Id(id(4, 0)), 0, 3),
            (TrimUntil::Id(id(6, 0)), 0, 3),
            (TrimUntil::Id(id(6, 1)), 0, 6),
        ];
        for (until, limit, expected) in table {
            let mut stream = Stream::default();
            (1..=10).for_each(|ms| add(&mut stream, ms, &[("a", "b")], &limits(3, 0)));
            let trim = Trim { until, roughly: true, limit };
            assert_eq!(stream.trim(trim), expected, "{trim:?}");
            assert_eq!(stream.len(), 10 - expected);
        }
    }

    #[test]
    fn a_damaged_node_is_refused_or_can_be_walked() {
        let mut stream = Stream::default();
        for (ms, fields) in [(1, [("a", "1")]), (2, [("a", "x")]), (3, [("b", "y")])] {
            add(&mut stream, ms, &fields, &limits(0, 0));
        }
        stream.remove(id(2, 0));
        let good = stream.nodes()[&id(1, 0)].pack().as_bytes().to_vec();
        for at in 0..good.len() {
            for flip in 1..=255 {
                let mut bad = good.clone();
                bad[at] ^= flip;
                let node = Listpack::from_bytes(bad).and_then(Node::from_pack);
                let Some(node) = node else { continue };
                let there = node.entries(id(1, 0)).count();
                assert_eq!(node.entries(id(1, 0)).rev().count(), there);
            }
        }
    }
}
