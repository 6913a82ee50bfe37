//! Lists: a short sequence in one listpack, a long one as a deque of bounded listpacks.

use super::limits::EncodingLimits;
use super::listpack::{Element, Listpack};
use std::borrow::Cow;
use std::collections::VecDeque;

/// A sequence of byte strings with cheap ends.
///
/// A node holds at most what `list-max-listpack-size` allows, so inserting moves few bytes wherever it
/// happens, and finding an index means counting nodes, not elements.
#[derive(Debug, Clone, Default)]
pub struct List {
    /// No node is empty.
    nodes: VecDeque<Node>,
    len: usize,
    /// Whether the list has outgrown one listpack (encoding `quicklist`).
    outgrown: bool,
}

#[derive(Debug, Clone)]
enum Node {
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
}

impl Node {
    fn new(element: &[u8], limit: NodeLimit) -> Self {
        if Listpack::cost_bytes(element) > limit.bytes {
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
        match self {
            Self::Packed(pack) => {
                limit.admits(pack.size_bytes() + Listpack::cost_bytes(element), pack.len() + 1)
            }
            Self::Plain(_) => false,
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
        nodes + self.nodes.capacity() * size_of::<Node>()
    }

    /// Says what is about to be pushed at once, since the encoding goes by all of it.
    pub fn expect(&mut self, elements: impl Iterator<Item = usize>, limits: &EncodingLimits) {
        if self.outgrown {
            return;
        }
        let (count, bytes) =
            elements.fold((0, 0), |(count, bytes), length| (count + 1, bytes + length));
        let present = match self.nodes.front() {
            Some(Node::Packed(pack)) => pack.size_bytes(),
            _ => 0,
        };
        self.outgrown = !NodeLimit::new(limits).admits(present + bytes, self.len + count);
    }

    /// Adds an element at one end.
    pub fn push(&mut self, end: End, element: &[u8], limits: &EncodingLimits) {
        let limit = NodeLimit::new(limits);
        let node = match end {
            End::Left => self.nodes.front_mut(),
            End::Right => self.nodes.back_mut(),
        };
        match node {
            Some(Node::Packed(pack))
                if limit
                    .admits(pack.size_bytes() + Listpack::cost_bytes(element), pack.len() + 1) =>
            {
                match end {
                    End::Left => pack.push_front(element),
                    End::Right => pack.push(element),
                }
            }
            other => {
                self.outgrown |= other.is_some() || Listpack::cost_bytes(element) > limit.bytes;
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
    pub fn pop(&mut self, end: End) -> Option<Vec<u8>> {
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

    /// Goes back to one listpack if the list has shrunk enough: to half the limit, so that a list at the
    /// limit does not go to and fro.
    pub fn settle(&mut self, limits: &EncodingLimits) {
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
        let limit = NodeLimit::new(limits);
        match &mut self.nodes[number] {
            Node::Packed(pack) if Listpack::cost_bytes(element) <= limit.bytes => {
                if let Some(position) = pack.seek(inner) {
                    pack.replace(position, element);
                }
            }
            Node::Plain(bytes) if Listpack::cost_bytes(element) > limit.bytes => {
                *bytes = element.into()
            }
            _ => {
                // Between a packed and a plain node the element changes its place.
                self.remove_at(number, inner);
                self.insert_at(number, inner, element, limit);
                self.outgrown = true;
                return true;
            }
        }
        let fits = self.nodes[number].fits(limit);
        if !fits {
            self.outgrown = true;
            self.split(number, limit);
        }
        true
    }

    /// Inserts an element so that it gets this index, which is at most the length.
    pub fn insert(&mut self, index: usize, element: &[u8], limits: &EncodingLimits) {
        if index == 0 {
            return self.push(End::Left, element, limits);
        }
        let limit = NodeLimit::new(limits);
        match self.locate(index) {
            None => self.push(End::Right, element, limits),
            Some((number, inner)) => self.insert_at(number, inner, element, limit),
        }
    }

    fn insert_at(&mut self, number: usize, inner: usize, element: &[u8], limit: NodeLimit) {
        self.len += 1;
        // At a node's start the node before may have room.
        if inner == 0
            && let Some(before) = number.checked_sub(1)
            && self.nodes[before].has_room(element, limit)
            && let Node::Packed(pack) = &mut self.nodes[before]
        {
            return pack.push(element);
        }
        let has_room = self.nodes.get(number).is_some_and(|node| node.has_room(element, limit));
        match self.nodes.get_mut(number) {
            Some(Node::Packed(pack)) if has_room => match pack.seek(inner) {
                Some(position) => pack.insert_before(position, element),
                None => pack.push(element),
            },
            Some(Node::Packed(pack)) if inner > 0 => {
                self.outgrown = true;
                let tail = pack.seek(inner).map(|position| pack.split_off(position));
                if let Some(tail) = tail.filter(|tail| !tail.is_empty()) {
                    self.nodes.insert(number + 1, Node::Packed(tail));
                }
                if self.nodes[number].has_room(element, limit)
                    && let Node::Packed(pack) = &mut self.nodes[number]
                {
                    pack.push(element);
                } else {
                    self.nodes.insert(number + 1, Node::new(element, limit));
                }
            }
            _ => {
                self.outgrown |= !self.nodes.is_empty();
                self.nodes.insert(number, Node::new(element, limit));
            }
        }
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
            && pack.len() > 1
            && let Some(middle) = pack.seek(pack.len() / 2)
        {
            let tail = pack.split_off(middle);
            self.nodes.insert(number + 1, Node::Packed(tail));
            for half in [number + 1, number] {
                if !self.nodes[half].fits(limit) {
                    self.split(half, limit);
                }
            }
        }
    }

    /// Removes elements equal to `wanted`, at most `count`, from one end; gives their number.
    pub fn remove(&mut self, wanted: &[u8], count: usize, end: End) -> usize {
        let element = Element::new(wanted);
        let mut removed = 0;
        let mut keep = |node: &mut Node| {
            if removed == count {
                return true;
            }
            match node {
                Node::Plain(bytes) => {
                    let is_wanted = **bytes == *wanted;
                    removed += usize::from(is_wanted);
                    !is_wanted
                }
                Node::Packed(pack) => {
                    removed += remove_packed(pack, element, count - removed, end);
                    !pack.is_empty()
                }
            }
        };
        match end {
            End::Left => self.nodes.retain_mut(keep),
            End::Right => {
                for number in (0..self.nodes.len()).rev() {
                    if !keep(&mut self.nodes[number]) {
                        self.nodes.remove(number);
                    }
                }
            }
        }
        self.len -= removed;
        removed
    }

    /// Keeps the elements from `start` to `stop`, both included and below the length; gives what was
    /// cut off, for its owner to drop.
    pub fn trim(&mut self, start: usize, stop: usize) -> Self {
        let mut cut = self.drop_behind(stop + 1);
        cut.nodes.extend(self.drop_before(start).nodes);
        cut
    }

    fn drop_behind(&mut self, keep: usize) -> Self {
        let mut cut = Self::default();
        if let Some((number, inner)) = self.locate(keep) {
            cut.nodes = self.nodes.split_off(number + 1);
            if inner == 0 {
                cut.nodes.extend(self.nodes.pop_back());
            } else if let Some(Node::Packed(pack)) = self.nodes.back_mut()
                && let Some(position) = pack.seek(inner)
            {
                pack.remove(position, usize::MAX);
            }
            self.len = keep;
        }
        cut
    }

    fn drop_before(&mut self, start: usize) -> Self {
        let mut cut = Self::default();
        if let Some((number, inner)) = self.locate(start) {
            let kept = self.nodes.split_off(number);
            cut.nodes = std::mem::replace(&mut self.nodes, kept);
            if let Some(Node::Packed(pack)) = self.nodes.front_mut()
                && let Some(first) = pack.first()
            {
                pack.remove(first, inner);
            }
            self.len -= start;
        }
        cut
    }

    /// The elements from an index on.
    pub fn iter_from(&self, index: usize) -> impl Iterator<Item = Element<'_>> + '_ {
        let (number, inner) = self.locate(index).unwrap_or((self.nodes.len(), 0));
        self.nodes.range(number..).enumerate().flat_map(move |(count, node)| {
            let skip = if count == 0 { inner } else { 0 };
            node_iter(node).skip(skip)
        })
    }

    /// The elements from the last one to the first.
    pub fn iter_back(&self) -> impl Iterator<Item = Element<'_>> + '_ {
        self.nodes.iter().rev().flat_map(|node| node_iter(node).rev())
    }

    /// The elements in order.
    pub fn iter(&self) -> impl Iterator<Item = Element<'_>> + '_ {
        self.nodes.iter().flat_map(node_iter)
    }

    /// The elements with these indexes, `stop` included.
    pub fn range(
        &self,
        start: usize,
        stop: usize,
    ) -> impl ExactSizeIterator<Item = Cow<'_, [u8]>> + '_ {
        let count = if start >= self.len { 0 } else { stop.min(self.len - 1) + 1 - start };
        Counted { inner: self.iter_from(start).map(Element::bytes), count }
    }
}

impl Node {
    fn fits(&self, limit: NodeLimit) -> bool {
        match self {
            Self::Packed(pack) => limit.admits(pack.size_bytes(), pack.len()),
            Self::Plain(_) => true,
        }
    }
}

/// An iterator whose length is known from elsewhere.
struct Counted<I> {
    inner: I,
    count: usize,
}

impl<I: Iterator> Iterator for Counted<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.count = self.count.checked_sub(1)?;
        self.inner.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.count, Some(self.count))
    }
}

impl<I: Iterator> ExactSizeIterator for Counted<I> {}

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
        list.iter().map(|element| element.bytes().into_owned()).collect()
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
                    6 => assert_eq!(list.pop(End::Right), model.pop()),
                    7 if !model.is_empty() => {
                        assert_eq!(list.pop(End::Left), Some(model.remove(0)))
                    }
                    8..10 => {
                        list.insert(index, &element, &limits);
                        model.insert(index, element);
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
                        assert_eq!(list.remove(&element, count, end), expected);
                    }
                    12 if rng.u8(..10) == 0 && !model.is_empty() => {
                        let stop = rng.usize(..model.len());
                        let start = rng.usize(..=stop);
                        list.trim(start, stop);
                        model = model[start..=stop].to_vec();
                    }
                    _ => {
                        let got = list.get(index).map(|element| element.bytes().into_owned());
                        assert_eq!(got.as_ref(), model.get(index));
                        let range: Vec<_> =
                            list.range(index, index + 3).map(Cow::into_owned).collect();
                        assert_eq!(range, model[index..(index + 4).min(model.len())]);
                    }
                }
                assert_eq!(list.len(), model.len());
            }
            assert_eq!(contents(&list), model);
            let back: Vec<_> =
                list.iter_back().map(|element| element.bytes().into_owned()).collect();
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
            list.pop(End::Right);
            list.settle(&limits);
            assert_eq!(list.encoding(), expected);
        }
    }
}
