//! Lists: a short sequence in one listpack, a long one as a deque of bounded listpacks.

use super::limits::EncodingLimits;
use super::listpack::{self, Element, Listpack};
use crate::counted::Counted;
use std::borrow::Cow;
use std::collections::{VecDeque, vec_deque};
use std::ops::Range;

/// A sequence of byte strings with cheap ends.
///
/// A node holds at most what `list-max-listpack-size` allows, so inserting moves few bytes wherever it
/// happens, and finding an index means counting nodes, not elements.
#[derive(Debug, Clone, Default)]
pub struct List {
    /// No node is empty. Behind a pointer, so that a list is no larger than other values.
    #[allow(clippy::box_collection, reason = "the deque itself is large for a value")]
    nodes: Box<VecDeque<Node>>,
    len: usize,
    /// Whether the list has outgrown one listpack (encoding `quicklist`).
    outgrown: bool,
}

/// A part of a list.
#[derive(Debug, Clone)]
pub enum Node {
    /// Elements, at least one.
    Packed(Listpack),
    /// One element that is larger than a node.
    Plain(Box<[u8]>),
}

/// Which end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The head.
    Left,
    /// The tail.
    Right,
}

impl End {
    /// The other end.
    pub fn opposite(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }
}

/// What a node may hold.
#[derive(Clone, Copy)]
struct NodeLimit {
    bytes: usize,
    count: usize,
}

impl NodeLimit {
    fn new(limits: &EncodingLimits) -> Self {
        match limits.list_max_listpack_size {
            size if size < 0 => {
                let level = size.unsigned_abs().min(5) as u32 - 1;
                Self { bytes: 4096 << level, count: usize::MAX }
            }
            // Even by count a node is no larger than this (quicklist.c: SIZE_SAFETY_LIMIT).
            count => {
                Self { bytes: 8192, count: usize::try_from(count).unwrap_or(usize::MAX).max(1) }
            }
        }
    }

    fn admits(self, bytes: usize, count: usize) -> bool {
        bytes <= self.bytes && count <= self.count
    }

    fn has_room_in(self, pack: &Listpack, element: &[u8]) -> bool {
        let bytes = pack.size_bytes() + element.len() + ENTRY_OVERHEAD_BYTES;
        self.admits(bytes, pack.len() + 1)
    }

    /// Whether an element is too large to share a node.
    fn is_exceeded_by(self, element: &[u8]) -> bool {
        element.len() + ENTRY_OVERHEAD_BYTES > self.bytes
    }
}

/// What an element takes in a pack besides its bytes, estimated (quicklist.c: SIZE_ESTIMATE_OVERHEAD).
/// Going by the very estimate puts the borders of nodes where Redis has them.
const ENTRY_OVERHEAD_BYTES: usize = 8;

impl Node {
    fn new(element: &[u8], limit: NodeLimit) -> Self {
        if limit.is_exceeded_by(element) {
            return Self::Plain(element.into());
        }
        let mut pack = Listpack::new();
        pack.push(element);
        Self::Packed(pack)
    }

    fn len(&self) -> usize {
        match self {
            Self::Packed(pack) => pack.len(),
            Self::Plain(_) => 1,
        }
    }

    fn get(&self, index: usize) -> Option<Element<'_>> {
        match self {
            Self::Packed(pack) => pack.seek(index).map(|position| pack.get(position)),
            Self::Plain(bytes) => (index == 0).then_some(Element::Bytes(bytes)),
        }
    }

    fn has_room(&self, element: &[u8], limit: NodeLimit) -> bool {
        matches!(self, Self::Packed(pack) if limit.has_room_in(pack, element))
    }

    fn push(&mut self, end: End, element: &[u8]) {
        match self {
            Self::Packed(pack) if end == End::Left => pack.push_front(element),
            Self::Packed(pack) => pack.push(element),
            Self::Plain(_) => unreachable!("a plain node has no room"),
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::Packed(pack) => pack.heap_bytes(),
            Self::Plain(bytes) => bytes.len(),
        }
    }
}

impl List {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The name that OBJECT ENCODING answers.
    pub fn encoding(&self) -> &'static str {
        if self.outgrown { "quicklist" } else { "listpack" }
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        let nodes: usize = self.nodes.iter().map(Node::heap_bytes).sum();
        size_of_val(&*self.nodes) + nodes + self.nodes.capacity() * size_of::<Node>()
    }

    /// A list of elements whose number is not known beforehand: its encoding goes by the outcome alone.
    pub fn collect<'e>(
        elements: impl Iterator<Item = Cow<'e, [u8]>>,
        limits: &EncodingLimits,
    ) -> Self {
        let limit = NodeLimit::new(limits);
        let mut list = Self { outgrown: true, ..Self::default() };
        elements.for_each(|element| list.push_expected(End::Right, &element, limit));
        list.with_encoding_by_size(limit)
    }

    /// A list of nodes that were stored as they are.
    pub fn from_nodes(nodes: impl IntoIterator<Item = Node>, limits: &EncodingLimits) -> Self {
        let is_used = |node: &Node| !matches!(node, Node::Packed(pack) if pack.is_empty());
        let nodes: VecDeque<Node> = nodes.into_iter().filter(is_used).collect();
        let len = nodes.iter().map(Node::len).sum();
        Self { nodes: Box::new(nodes), len, outgrown: true }
            .with_encoding_by_size(NodeLimit::new(limits))
    }

    /// The parts that the list consists of.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = &Node> {
        self.nodes.iter()
    }

    fn with_encoding_by_size(mut self, limit: NodeLimit) -> Self {
        let fits = |node: &Node| match node {
            Node::Packed(pack) => limit.admits(pack.size_bytes(), pack.len()),
            Node::Plain(_) => false,
        };
        self.outgrown = self.nodes.len() > 1 || !self.nodes.iter().all(fits);
        self
    }

    /// Adds elements at one end, one after the other.
    pub fn push_all<'e>(
        &mut self,
        end: End,
        elements: impl Iterator<Item = &'e [u8]> + Clone,
        limits: &EncodingLimits,
    ) {
        self.expect(elements.clone(), limits);
        let limit = NodeLimit::new(limits);
        elements.for_each(|element| self.push_expected(end, element, limit));
    }

    /// Adds an element at one end.
    pub fn push(&mut self, end: End, element: &[u8], limits: &EncodingLimits) {
        self.push_all(end, std::iter::once(element), limits);
    }

    /// Chooses the encoding for what is about to come. As in Redis it goes by all that one command
    /// brings, and by its plain length: what a pack adds to each element does not count here.
    fn expect<'e>(&mut self, elements: impl Iterator<Item = &'e [u8]>, limits: &EncodingLimits) {
        if self.outgrown {
            return;
        }
        let (count, bytes) =
            elements.fold((0, 0), |(count, bytes), element| (count + 1, bytes + element.len()));
        let present = match self.nodes.front() {
            Some(Node::Packed(pack)) => pack.size_bytes(),
            _ => Listpack::EMPTY_BYTES,
        };
        self.outgrown = !NodeLimit::new(limits).admits(present + bytes, self.len + count);
    }

    fn push_expected(&mut self, end: End, element: &[u8], limit: NodeLimit) {
        if !self.outgrown && self.nodes.is_empty() {
            // Most lists stay with one node; a deque left to itself starts with room for four.
            self.nodes.reserve_exact(1);
            self.nodes.push_back(Node::Packed(Listpack::new()));
        }
        let outgrown = self.outgrown;
        let node = match end {
            End::Left => self.nodes.front_mut(),
            End::Right => self.nodes.back_mut(),
        };
        match node {
            Some(node) if !outgrown || node.has_room(element, limit) => node.push(end, element),
            full => {
                if let Some(Node::Packed(pack)) = full {
                    pack.shrink();
                }
                let node = Node::new(element, limit);
                match end {
                    End::Left => self.nodes.push_front(node),
                    End::Right => self.nodes.push_back(node),
                }
            }
        }
        self.len += 1;
    }

    /// Removes an element at one end.
    pub fn pop(&mut self, end: End, limits: &EncodingLimits) -> Option<Vec<u8>> {
        let element = self.pop_unsettled(end);
        self.settle(limits);
        element
    }

    /// Moves an element from one end to the other, or takes it and puts it back; gives the element.
    pub fn rotate(&mut self, from: End, to: End, limits: &EncodingLimits) -> Option<Vec<u8>> {
        let element = self.pop_unsettled(from)?;
        self.push(to, &element, limits);
        self.settle(limits);
        Some(element)
    }

    fn pop_unsettled(&mut self, end: End) -> Option<Vec<u8>> {
        let node = match end {
            End::Left => self.nodes.front_mut(),
            End::Right => self.nodes.back_mut(),
        }?;
        let (element, is_empty) = match node {
            Node::Plain(bytes) => (std::mem::take(bytes).into_vec(), true),
            Node::Packed(pack) => {
                let position = match end {
                    End::Left => pack.first(),
                    End::Right => pack.last(),
                }?;
                let element = pack.get(position).bytes().into_owned();
                pack.remove(position, 1);
                (element, pack.is_empty())
            }
        };
        if is_empty {
            match end {
                End::Left => self.nodes.pop_front(),
                End::Right => self.nodes.pop_back(),
            };
        }
        self.len -= 1;
        Some(element)
    }

    /// Cuts at most `count` elements off one end; they stay in their order.
    pub fn take(&mut self, end: End, count: usize, limits: &EncodingLimits) -> Self {
        if count >= self.len {
            return std::mem::take(self);
        }
        let index = match end {
            End::Left => count,
            End::Right => self.len - count,
        };
        let Some(border) = self.border_at(index) else { return Self::default() };
        // Either costs by the number of nodes that go, not of those that stay.
        let nodes = match end {
            End::Left => self.nodes.drain(..border).collect(),
            End::Right => self.nodes.split_off(border),
        };
        self.len -= count;
        self.settle(limits);
        Self { nodes: Box::new(nodes), len: count, outgrown: true }
    }

    /// Makes an element the first of its node; gives the node's number.
    fn border_at(&mut self, index: usize) -> Option<usize> {
        let (number, inner) = self.locate(index)?;
        match &mut self.nodes[number] {
            Node::Packed(pack) if inner > 0 => {
                let tail = pack.split_off(inner);
                self.nodes.insert(number + 1, Node::Packed(tail));
                Some(number + 1)
            }
            _ => Some(number),
        }
    }

    /// Gives room back, and goes back to one listpack if the list has shrunk enough: to half the limit,
    /// so that a list at the limit does not go to and fro.
    fn settle(&mut self, limits: &EncodingLimits) {
        if self.nodes.capacity() > 4 * self.nodes.len() + 16 {
            self.nodes.shrink_to(2 * self.nodes.len());
        }
        let limit = NodeLimit::new(limits);
        if let (1, Some(Node::Packed(pack))) = (self.nodes.len(), self.nodes.front()) {
            let half = match limits.list_max_listpack_size {
                size if size < 0 => pack.size_bytes() <= limit.bytes / 2,
                _ => pack.len() <= limit.count / 2,
            };
            self.outgrown &= !half;
        }
    }

    /// The node that holds an index, and the index within it; counted from the nearer end.
    fn locate(&self, index: usize) -> Option<(usize, usize)> {
        if index >= self.len {
            return None;
        }
        if index <= self.len / 2 {
            let mut rest = index;
            for (number, node) in self.nodes.iter().enumerate() {
                match rest.checked_sub(node.len()) {
                    None => return Some((number, rest)),
                    Some(behind) => rest = behind,
                }
            }
        } else {
            let mut from_end = self.len - index;
            for (number, node) in self.nodes.iter().enumerate().rev() {
                match from_end.checked_sub(node.len()) {
                    None | Some(0) => return Some((number, node.len() - from_end)),
                    Some(before) => from_end = before,
                }
            }
        }
        None
    }

    /// The element at an index.
    pub fn get(&self, index: usize) -> Option<Element<'_>> {
        let (node, inner) = self.locate(index)?;
        self.nodes[node].get(inner)
    }

    /// Replaces the element at an index; whether there is one.
    pub fn set(&mut self, index: usize, element: &[u8], limits: &EncodingLimits) -> bool {
        let Some((number, inner)) = self.locate(index) else { return false };
        self.expect(std::iter::once(element), limits);
        let limit = NodeLimit::new(limits);
        match &mut self.nodes[number] {
            Node::Packed(pack) if !self.outgrown || !limit.is_exceeded_by(element) => {
                if let Some(position) = pack.seek(inner) {
                    pack.replace(position, element);
                }
                if self.outgrown {
                    self.split(number, limit);
                }
            }
            Node::Plain(bytes) if limit.is_exceeded_by(element) => *bytes = element.into(),
            _ => {
                // Between a packed and a plain node the element changes its place.
                self.remove_at(number, inner);
                match self.locate(index) {
                    Some(place) => self.insert_at(place, End::Left, element, limit),
                    None => self.push_expected(End::Right, element, limit),
                }
            }
        }
        self.settle(limits);
        true
    }

    /// Inserts an element on one side of another, which has this index.
    pub fn insert(&mut self, pivot: usize, side: End, element: &[u8], limits: &EncodingLimits) {
        self.expect(std::iter::once(element), limits);
        let limit = NodeLimit::new(limits);
        match self.locate(pivot) {
            Some(place) => self.insert_at(place, side, element, limit),
            None => self.push_expected(End::Right, element, limit),
        }
    }

    /// Inserts beside the element at (node, index within it), where quicklist.c does: in this node, else
    /// at the near end of the next one, else in a node of its own, between the halves of this one if
    /// need be.
    fn insert_at(&mut self, place: (usize, usize), side: End, element: &[u8], limit: NodeLimit) {
        let (number, inner) = place;
        let at = if side == End::Left { inner } else { inner + 1 };
        self.len += 1;
        let outgrown = self.outgrown;
        let node = &mut self.nodes[number];
        let length = node.len();
        match node {
            Node::Packed(pack) if !outgrown || limit.has_room_in(pack, element) => {
                return match pack.seek(at) {
                    Some(position) => pack.insert_before(position, element),
                    None => pack.push(element),
                };
            }
            Node::Packed(pack) if 0 < at && at < length => {
                let tail = pack.split_off(at);
                self.nodes.insert(number + 1, Node::Packed(tail));
                let near = if side == End::Left { number } else { number + 1 };
                if self.nodes[near].has_room(element, limit) {
                    self.nodes[near].push(side.opposite(), element);
                } else {
                    self.nodes.insert(number + 1, Node::new(element, limit));
                }
                return self
                    .merge_around(if side == End::Left { number + 1 } else { number }, limit);
            }
            Node::Packed(_) | Node::Plain(_) => {}
        }
        let neighbour = match side {
            End::Left => number.checked_sub(1),
            End::Right => Some(number + 1),
        };
        match neighbour.and_then(|neighbour| self.nodes.get_mut(neighbour)) {
            Some(node) if node.has_room(element, limit) => node.push(side.opposite(), element),
            _ => self.nodes.insert(number + at.min(1), Node::new(element, limit)),
        }
    }

    /// Joins what a split has left small, as quicklist.c does, so that lists do not fall to pieces.
    fn merge_around(&mut self, mut center: usize, limit: NodeLimit) {
        self.merge(center + 1, limit);
        for before in [2, 1] {
            if center >= before && self.merge(center - before, limit) {
                center -= 1;
            }
        }
        self.merge(center, limit);
    }

    /// Joins a node with the next one if that gives no more than a node; whether it did.
    fn merge(&mut self, left: usize, limit: NodeLimit) -> bool {
        let (Some(Node::Packed(first)), Some(Node::Packed(second))) =
            (self.nodes.get(left), self.nodes.get(left + 1))
        else {
            return false;
        };
        let bytes = first.size_bytes() + second.size_bytes() - Listpack::EMPTY_BYTES;
        if !limit.admits(bytes, first.len() + second.len()) {
            return false;
        }
        let second = self.nodes.remove(left + 1);
        if let (Some(Node::Packed(first)), Some(Node::Packed(second))) =
            (self.nodes.get_mut(left), second)
        {
            first.append(&second);
        }
        true
    }

    fn remove_at(&mut self, number: usize, inner: usize) {
        let is_empty = match &mut self.nodes[number] {
            Node::Plain(_) => true,
            Node::Packed(pack) => {
                if let Some(position) = pack.seek(inner) {
                    pack.remove(position, 1);
                }
                pack.is_empty()
            }
        };
        if is_empty {
            self.nodes.remove(number);
        }
        self.len -= 1;
    }

    /// Splits a node that has grown beyond its limit.
    fn split(&mut self, number: usize, limit: NodeLimit) {
        if let Node::Packed(pack) = &mut self.nodes[number]
            && !limit.admits(pack.size_bytes(), pack.len())
            && pack.len() > 1
        {
            let tail = pack.split_off(pack.len() / 2);
            self.nodes.insert(number + 1, Node::Packed(tail));
            self.split(number + 1, limit);
            self.split(number, limit);
        }
    }

    /// Removes elements equal to `wanted`, at most `count`, from one end on; gives their number.
    pub fn remove(
        &mut self,
        wanted: &[u8],
        count: usize,
        end: End,
        limits: &EncodingLimits,
    ) -> usize {
        let element = Element::new(wanted);
        let (mut removed, mut seen, mut emptied) = (0, 0, 0);
        let mut look = |node: &mut Node| {
            seen += 1;
            removed += match node {
                Node::Plain(bytes) if **bytes == *wanted => {
                    *node = Node::Packed(Listpack::new());
                    1
                }
                Node::Plain(_) => 0,
                Node::Packed(pack) => remove_packed(pack, element, count - removed, end),
            };
            emptied += usize::from(node.len() == 0);
            removed < count
        };
        match end {
            End::Left => self.nodes.iter_mut().all(&mut look),
            End::Right => self.nodes.iter_mut().rev().all(&mut look),
        };
        if emptied > 0 {
            self.drop_empty(end, seen);
        }
        if removed > 0 {
            self.len -= removed;
            self.settle(limits);
        }
        removed
    }

    /// Drops the empty ones among so many nodes at one end. The others are not even looked at: an element
    /// near the end of a long list is to be removed in no time.
    fn drop_empty(&mut self, end: End, count: usize) {
        let part = match end {
            End::Left => 0..count,
            End::Right => self.nodes.len() - count..self.nodes.len(),
        };
        let kept: Vec<Node> = self.nodes.drain(part).filter(|node| node.len() > 0).collect();
        match end {
            End::Left => kept.into_iter().rev().for_each(|node| self.nodes.push_front(node)),
            End::Right => self.nodes.extend(kept),
        }
    }

    /// Keeps this part of the elements; gives whole nodes that were cut off, for their owner to drop.
    pub fn trim(&mut self, kept: Range<usize>, limits: &EncodingLimits) -> Self {
        if kept.is_empty() {
            return std::mem::take(self);
        }
        let mut cut = self.cut(End::Right, self.len.saturating_sub(kept.end), limits);
        let mut front = self.cut(End::Left, kept.start, limits);
        cut.len += front.len;
        cut.nodes.append(&mut front.nodes);
        cut
    }

    /// Removes elements at one end; gives those that need dropping.
    fn cut(&mut self, end: End, count: usize, limits: &EncodingLimits) -> Self {
        let node = match end {
            End::Left => self.nodes.front_mut(),
            End::Right => self.nodes.back_mut(),
        };
        match node {
            // A list that is kept at its length loses an element or two at a time.
            Some(Node::Packed(pack)) if count < pack.len() => {
                let start = match end {
                    End::Left => pack.first(),
                    End::Right => pack.seek(pack.len() - count),
                };
                if let Some(start) = start.filter(|_| count > 0) {
                    pack.remove(start, count);
                    self.len -= count;
                    self.settle(limits);
                }
                Self::default()
            }
            _ => self.take(end, count, limits),
        }
    }

    /// The elements from an index on.
    fn iter_from(&self, index: usize) -> impl Iterator<Item = Element<'_>> + '_ {
        let (number, inner) = self.locate(index).unwrap_or((self.nodes.len(), 0));
        Elements::of(self.nodes.range(number..)).skip(inner)
    }

    /// The elements in order, from one end on.
    pub fn iter(&self, from: End) -> impl ExactSizeIterator<Item = Element<'_>> + '_ {
        let (forth, back) = match from {
            End::Left => (Some(Elements::of(self.nodes.iter())), None),
            End::Right => {
                (None, Some(self.nodes.iter().rev().flat_map(|node| node_iter(node).rev())))
            }
        };
        let inner = forth.into_iter().flatten().chain(back.into_iter().flatten());
        Counted::new(inner, self.len)
    }

    /// The elements with these indexes.
    pub fn range(&self, part: Range<usize>) -> impl ExactSizeIterator<Item = Element<'_>> + '_ {
        let left = part.end.min(self.len).saturating_sub(part.start);
        Counted::new(self.iter_from(part.start), left)
    }
}

/// The elements of some nodes.
struct Elements<'l> {
    nodes: vec_deque::Iter<'l, Node>,
    /// What is left of the node before these.
    pack: Option<listpack::Iter<'l>>,
}

impl<'l> Elements<'l> {
    fn of(nodes: vec_deque::Iter<'l, Node>) -> Self {
        Self { nodes, pack: None }
    }
}

impl<'l> Iterator for Elements<'l> {
    type Item = Element<'l>;

    fn next(&mut self) -> Option<Element<'l>> {
        loop {
            if let Some(element) = self.pack.as_mut().and_then(Iterator::next) {
                return Some(element);
            }
            match self.nodes.next()? {
                Node::Packed(pack) => self.pack = Some(pack.iter()),
                Node::Plain(bytes) => {
                    self.pack = None;
                    return Some(Element::Bytes(bytes));
                }
            }
        }
    }
}

fn node_iter(node: &Node) -> impl DoubleEndedIterator<Item = Element<'_>> + '_ {
    let (pack, plain) = match node {
        Node::Packed(pack) => (Some(pack), None),
        Node::Plain(bytes) => (None, Some(Element::Bytes(bytes))),
    };
    pack.into_iter().flat_map(Listpack::iter).chain(plain)
}

fn remove_packed(pack: &mut Listpack, wanted: Element<'_>, count: usize, end: End) -> usize {
    let mut removed = 0;
    match end {
        End::Left => {
            let mut next = pack.first();
            while let Some(position) = next
                && removed < count
            {
                if pack.get(position) == wanted {
                    next = pack.remove(position, 1);
                    removed += 1;
                } else {
                    next = pack.next(position);
                }
            }
        }
        End::Right => {
            let mut next = pack.last();
            while let Some(position) = next
                && removed < count
            {
                next = pack.previous(position);
                if pack.get(position) == wanted {
                    pack.remove(position, 1);
                    removed += 1;
                }
            }
        }
    }
    removed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(list: &List) -> Vec<Vec<u8>> {
        list.iter(End::Left).map(|element| element.bytes().into_owned()).collect()
    }

    fn element(rng: &mut fastrand::Rng) -> Vec<u8> {
        match rng.u8(..20) {
            0 => vec![b'x'; rng.usize(..9000)],
            1..8 => rng.i64(-5..5).to_string().into_bytes(),
            _ => format!("element:{}", rng.u32(..50)).into_bytes(),
        }
    }

    #[test]
    fn random_changes_equal_those_of_a_vector() {
        for (seed, size) in [(1, -2), (2, 3), (3, -1), (4, 128), (5, 1)] {
            let limits =
                EncodingLimits { list_max_listpack_size: size, ..EncodingLimits::default() };
            let mut rng = fastrand::Rng::with_seed(seed);
            let (mut list, mut model): (List, Vec<Vec<u8>>) = Default::default();
            for _ in 0..3000 {
                let (element, index) = (element(&mut rng), rng.usize(..=model.len()));
                match rng.u8(..16) {
                    0..4 => {
                        list.push(End::Right, &element, &limits);
                        model.push(element);
                    }
                    4..6 => {
                        list.push(End::Left, &element, &limits);
                        model.insert(0, element);
                    }
                    6 => assert_eq!(list.pop(End::Right, &limits), model.pop()),
                    7 if !model.is_empty() => {
                        assert_eq!(list.pop(End::Left, &limits), Some(model.remove(0)))
                    }
                    8..10 => {
                        let side = if rng.bool() { End::Left } else { End::Right };
                        list.insert(index, side, &element, &limits);
                        let behind = usize::from(side == End::Right && index < model.len());
                        model.insert(index + behind, element);
                    }
                    10 => {
                        let there = index < model.len();
                        assert_eq!(list.set(index, &element, &limits), there);
                        if there {
                            model[index] = element;
                        }
                    }
                    11 => {
                        let (count, end) =
                            (rng.usize(1..4), if rng.bool() { End::Left } else { End::Right });
                        let mut expected = 0;
                        while expected < count {
                            let found = match end {
                                End::Left => model.iter().position(|other| *other == element),
                                End::Right => model.iter().rposition(|other| *other == element),
                            };
                            let Some(found) = found else { break };
                            model.remove(found);
                            expected += 1;
                        }
                        assert_eq!(list.remove(&element, count, end, &limits), expected);
                    }
                    12 if rng.bool() && !model.is_empty() => {
                        let to = if rng.bool() { End::Left } else { End::Right };
                        let moved = model.pop().into_iter().collect::<Vec<_>>();
                        assert_eq!(list.rotate(End::Right, to, &limits).as_ref(), moved.first());
                        let at = if to == End::Left { 0 } else { model.len() };
                        model.splice(at..at, moved);
                    }
                    13 if rng.u8(..20) == 0 => {
                        let count = rng.usize(..=model.len());
                        let (end, expected) = if rng.bool() {
                            (End::Left, model.drain(..count).collect::<Vec<_>>())
                        } else {
                            (End::Right, model.split_off(model.len() - count))
                        };
                        assert_eq!(contents(&list.take(end, count, &limits)), expected);
                    }
                    12 if rng.u8(..10) == 0 && !model.is_empty() => {
                        let stop = rng.usize(..model.len());
                        let start = rng.usize(..=stop);
                        let cut = list.trim(start..stop + 1, &limits);
                        assert!(cut.len() <= model.len() - (stop + 1 - start));
                        model = model[start..=stop].to_vec();
                    }
                    _ => {
                        let got = list.get(index).map(|element| element.bytes().into_owned());
                        assert_eq!(got.as_ref(), model.get(index));
                        let range: Vec<_> = list
                            .range(index..index + 4)
                            .map(|element| element.bytes().into_owned())
                            .collect();
                        assert_eq!(range, model[index..(index + 4).min(model.len())]);
                    }
                }
                assert_eq!(list.len(), model.len());
            }
            assert_eq!(contents(&list), model);
            let back: Vec<_> =
                list.iter(End::Right).map(|element| element.bytes().into_owned()).collect();
            assert_eq!(back, model.into_iter().rev().collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_encoding_follows_the_limit_and_returns_at_half_of_it() {
        let limits = EncodingLimits { list_max_listpack_size: 3, ..EncodingLimits::default() };
        let mut list = List::default();
        for expected in ["listpack", "listpack", "listpack", "quicklist"] {
            list.push(End::Right, b"a", &limits);
            assert_eq!(list.encoding(), expected);
        }
        for expected in ["quicklist", "quicklist", "listpack"] {
            list.pop(End::Right, &limits);
            assert_eq!(list.encoding(), expected);
        }
    }

    /// What one pack takes by its plain length may be more than what a node takes by the estimate.
    #[test]
    fn elements_about_as_large_as_a_node_go_anywhere() {
        let limits = EncodingLimits::default();
        for length in 8170..8200 {
            let large = vec![b'x'; length];
            for end in [End::Left, End::Right] {
                let mut list = List::default();
                list.push(end, &large, &limits);
                assert_eq!(list.encoding() == "listpack", length + 7 <= 8192, "{length}");
                list.push(end, b"a", &limits);
                list.insert(0, End::Left, b"b", &limits);
                list.insert(1, End::Right, &large, &limits);
                assert!(list.set(1, b"small", &limits) && list.set(0, &large, &limits));
                let last: &[u8] = if end == End::Left { &large } else { b"a" };
                assert_eq!(contents(&list), [&large[..], b"small", &large[..], last]);
                list.rotate(End::Right, End::Left, &limits);
                assert_eq!(contents(&list), [last, &large[..], b"small", &large[..]]);
            }
        }
    }

    #[test]
    fn a_collected_list_is_a_listpack_if_it_fits_in_one() {
        let limits = EncodingLimits { list_max_listpack_size: 3, ..EncodingLimits::default() };
        for (count, expected) in [(0, "listpack"), (3, "listpack"), (4, "quicklist")] {
            let elements = (0..count).map(|_| Cow::Borrowed(&b"a"[..]));
            let list = List::collect(elements, &limits);
            assert_eq!((list.len(), list.encoding()), (count, expected));
        }
    }
}
