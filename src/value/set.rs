//! Sets: few integers sorted, few others in a listpack, many in a table with positions.

use super::estimate_sum;
use super::intset::Intset;
use super::limits::EncodingLimits;
use super::listpack::{Element, Listpack};
use crate::counted::Counted;
use crate::protocol::number::parse_integer;
use indexmap::IndexSet;

/// A set of byte strings with a random member in constant time.
#[derive(Debug, Clone)]
pub enum Set {
    /// Integers only (encoding `intset`).
    Ints(Intset),
    /// Few and short (encoding `listpack`).
    Packed(Listpack),
    /// Any (encoding `hashtable`). Behind a pointer, so that small sets do not pay for it.
    Table(Box<IndexSet<Box<[u8]>>>),
}

/// A member: bytes, or the integer whose digits they would be.
pub type Member<'a> = Element<'a>;

impl Set {
    /// An empty set in the encoding that suits its first member.
    pub fn for_member(first: &[u8], limits: &EncodingLimits) -> Self {
        if parse_integer(first).is_some() && limits.set_max_intset_entries > 0 {
            Self::Ints(Intset::new())
        } else if first.len() <= limits.set_max_listpack_value
            && limits.set_max_listpack_entries > 0
        {
            Self::Packed(Listpack::new())
        } else {
            Self::Table(Box::default())
        }
    }

    /// A set of integers that was stored whole.
    pub fn from_ints(ints: Intset, limits: &EncodingLimits) -> Self {
        let is_large = ints.len() > limits.set_max_intset_entries;
        Self::Ints(ints).outgrown(is_large)
    }

    /// A compact set that was stored whole; no member occurs twice.
    pub fn from_pack(pack: Listpack, limits: &EncodingLimits) -> Self {
        let is_large = pack.len() > limits.set_max_listpack_entries;
        Self::Packed(pack).outgrown(is_large)
    }

    fn outgrown(mut self, is_large: bool) -> Self {
        if is_large {
            self.make_table(0);
        }
        self
    }

    /// Number of members.
    pub fn len(&self) -> usize {
        match self {
            Self::Ints(ints) => ints.len(),
            Self::Packed(pack) => pack.len(),
            Self::Table(table) => table.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name that OBJECT ENCODING answers.
    pub fn encoding(&self) -> &'static str {
        match self {
            Self::Ints(_) => "intset",
            Self::Packed(_) => "listpack",
            Self::Table(_) => "hashtable",
        }
    }

    /// Bytes on the heap, of which members are estimated from so many of them.
    pub fn heap_bytes(&self, samples: usize) -> usize {
        /// What `IndexSet` keeps for a member: its hash, its place, and its share of the index.
        const SLOT_BYTES: usize =
            size_of::<u64>() + size_of::<Box<[u8]>>() + size_of::<usize>() + 1;
        match self {
            Self::Ints(ints) => ints.heap_bytes(),
            Self::Packed(pack) => pack.heap_bytes(),
            Self::Table(table) => {
                let bytes_at =
                    |position| table.get_index(position).map_or(0, |member| member.len());
                table.capacity() * SLOT_BYTES + estimate_sum(table.len(), samples, bytes_at)
            }
        }
    }

    /// Whether it is a member.
    pub fn contains(&self, member: &[u8]) -> bool {
        match self {
            Self::Ints(ints) => parse_integer(member).is_some_and(|value| ints.contains(value)),
            Self::Packed(pack) => pack.find(member, 0, 1).is_some(),
            Self::Table(table) => table.contains(member),
        }
    }

    /// Adds a member; whether it was new.
    pub fn insert(&mut self, member: &[u8], limits: &EncodingLimits) -> bool {
        match self {
            Self::Ints(ints) => match parse_integer(member) {
                Some(value) => {
                    let is_new = ints.insert(value);
                    if is_new && ints.len() > limits.set_max_intset_entries {
                        self.outgrow_ints(limits);
                    }
                    is_new
                }
                None => {
                    self.leave_ints(member, limits);
                    self.insert(member, limits)
                }
            },
            Self::Packed(pack) => {
                if pack.find(member, 0, 1).is_some() {
                    return false;
                }
                let fits = pack.len() < limits.set_max_listpack_entries
                    && member.len() <= limits.set_max_listpack_value;
                if fits {
                    pack.push(member);
                    return true;
                }
                self.make_table(1);
                self.insert(member, limits)
            }
            Self::Table(table) => {
                // A look first: a member that is there needs no allocation.
                !table.contains(member) && table.insert(member.into())
            }
        }
    }

    /// An integer set that has become too large goes on as a listpack if that is allowed to be as large.
    fn outgrow_ints(&mut self, limits: &EncodingLimits) {
        let Self::Ints(ints) = self else { return };
        if ints.len() <= limits.set_max_listpack_entries
            && longest_digits(ints) <= limits.set_max_listpack_value
        {
            self.make_pack();
        } else {
            self.make_table(0);
        }
    }

    /// Makes room for a member that is no integer.
    fn leave_ints(&mut self, member: &[u8], limits: &EncodingLimits) {
        let Self::Ints(ints) = self else { return };
        let fits = ints.len() < limits.set_max_listpack_entries
            && member.len() <= limits.set_max_listpack_value
            && longest_digits(ints) <= limits.set_max_listpack_value;
        if fits { self.make_pack() } else { self.make_table(1) }
    }

    fn make_pack(&mut self) {
        let mut pack = Listpack::new();
        self.iter().for_each(|member| pack.push(&member.bytes()));
        *self = Self::Packed(pack);
    }

    fn make_table(&mut self, more: usize) {
        let mut table = IndexSet::with_capacity(self.len() + more);
        table.extend(self.iter().map(|member| Box::from(&*member.bytes())));
        *self = Self::Table(Box::new(table));
    }

    /// Removes a member; whether it was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match self {
            Self::Ints(ints) => parse_integer(member).is_some_and(|value| ints.remove(value)),
            Self::Packed(pack) => match pack.find(member, 0, 1) {
                Some(position) => {
                    pack.remove(position, 1);
                    true
                }
                None => false,
            },
            Self::Table(table) => {
                let removed = table.swap_remove(member);
                if removed {
                    shrink(table);
                }
                removed
            }
        }
    }

    /// The member at a position, which must be below the length. Positions change when members go.
    pub fn at(&self, position: usize) -> Option<Member<'_>> {
        match self {
            Self::Ints(ints) => (position < ints.len()).then(|| Element::Int(ints.get(position))),
            Self::Packed(pack) => pack.seek(position).map(|position| pack.get(position)),
            Self::Table(table) => table.get_index(position).map(|member| Element::Bytes(member)),
        }
    }

    /// Removes the member at a position and gives it.
    pub fn remove_at(&mut self, position: usize) -> Option<Vec<u8>> {
        match self {
            Self::Ints(ints) => {
                let value = (position < ints.len()).then(|| ints.get(position))?;
                ints.remove(value);
                Some(value.to_string().into_bytes())
            }
            Self::Packed(pack) => {
                let position = pack.seek(position)?;
                let member = pack.get(position).bytes().into_owned();
                pack.remove(position, 1);
                Some(member)
            }
            Self::Table(table) => {
                let member = table.swap_remove_index(position)?;
                shrink(table);
                Some(member.into_vec())
            }
        }
    }

    /// The members: integers ascending, few in the order they came, many in no order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Member<'_>> + '_ {
        let members: Box<dyn Iterator<Item = Member<'_>> + '_> = match self {
            Self::Ints(ints) => Box::new(ints.iter().map(Element::Int)),
            Self::Packed(pack) => Box::new(pack.iter()),
            Self::Table(table) => Box::new(table.iter().map(|member| Element::Bytes(member))),
        };
        Counted::new(members, self.len())
    }

    /// Shows about `count` members from a cursor on and gives the cursor to go on from, 0 at the end.
    ///
    /// Compact sets are shown whole. A table is walked from its last position to its first: a removal
    /// moves the last member into the gap, so a member that stays is never skipped.
    pub fn scan<'a>(&'a self, cursor: u64, count: usize, mut show: impl FnMut(Member<'a>)) -> u64 {
        let Self::Table(table) = self else {
            self.iter().for_each(show);
            return 0;
        };
        let (positions, next) = scan_positions(cursor, count, table.len());
        for position in positions.rev() {
            if let Some(member) = table.get_index(position) {
                show(Element::Bytes(member));
            }
        }
        next
    }
}

/// The positions that one step of a scan from the end shows, and the cursor behind it. A cursor is the
/// number of positions left; 0 is start and end.
pub(super) fn scan_positions(
    cursor: u64,
    count: usize,
    length: usize,
) -> (std::ops::Range<usize>, u64) {
    let left = match usize::try_from(cursor) {
        Ok(0) => length,
        Ok(left) => left.min(length),
        Err(_) => length,
    };
    let next = left.saturating_sub(count.max(1));
    (next..left, next as u64)
}

fn shrink(table: &mut IndexSet<Box<[u8]>>) {
    if table.capacity() > 64 && table.len() < table.capacity() / 4 {
        table.shrink_to(table.len() * 2);
    }
}

fn longest_digits(ints: &Intset) -> usize {
    let ends = [ints.iter().next(), ints.iter().next_back()];
    ends.into_iter().flatten().map(|value| Element::Int(value).len()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeSet, HashMap};

    #[test]
    fn random_changes_equal_those_of_a_tree() {
        let limits = EncodingLimits {
            set_max_intset_entries: 8,
            set_max_listpack_entries: 16,
            ..EncodingLimits::default()
        };
        for seed in 0..40 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut set = Set::for_member(if rng.bool() { b"1" } else { b"a" }, &limits);
            let mut model = BTreeSet::new();
            let range = rng.i64(4..200);
            for _ in 0..300 {
                let number = rng.i64(0..range);
                let member = if seed % 3 == 0 || number % 7 > 0 {
                    number.to_string()
                } else {
                    format!("m{number}")
                }
                .into_bytes();
                match rng.u8(..8) {
                    0..5 => assert_eq!(set.insert(&member, &limits), model.insert(member.clone())),
                    5..7 => assert_eq!(set.remove(&member), model.remove(&member)),
                    _ => {
                        let position = rng.usize(..200);
                        let at = set.at(position).map(|member| member.bytes().into_owned());
                        let removed = set.remove_at(position);
                        assert_eq!(at, removed);
                        assert!(removed.is_none_or(|member| model.remove(&member)));
                    }
                }
                assert_eq!(set.contains(&member), model.contains(&member));
                assert_eq!(set.len(), model.len());
            }
            let members: BTreeSet<Vec<u8>> =
                set.iter().map(|member| member.bytes().into_owned()).collect();
            assert_eq!(members, model);
        }
    }

    #[test]
    fn encodings_follow_the_limits() {
        let limits = EncodingLimits::default();
        let mut set = Set::for_member(b"1", &limits);
        set.insert(b"1", &limits);
        assert_eq!(set.encoding(), "intset");
        set.insert(b"a", &limits);
        assert_eq!(set.encoding(), "listpack");
        set.insert(&[b'x'; 65], &limits);
        assert_eq!(set.encoding(), "hashtable");
        let mut ints = Set::for_member(b"1", &limits);
        (0..513).for_each(|value: i32| assert!(ints.insert(value.to_string().as_bytes(), &limits)));
        assert_eq!(ints.encoding(), "hashtable");
    }

    #[test]
    fn a_scan_shows_whatever_stays() {
        let limits = EncodingLimits { set_max_listpack_entries: 0, ..EncodingLimits::default() };
        let mut rng = fastrand::Rng::with_seed(1);
        let mut set = Set::for_member(b"a", &limits);
        (0..500).for_each(|number: i32| {
            assert!(set.insert(format!("stays:{number}").as_bytes(), &limits))
        });
        (0..500).for_each(|number: i32| {
            assert!(set.insert(format!("goes:{number}").as_bytes(), &limits))
        });
        let (mut cursor, mut shown) = (0, HashMap::<Vec<u8>, u32>::new());
        loop {
            cursor = set.scan(cursor, 7, |member| {
                *shown.entry(member.bytes().into_owned()).or_default() += 1
            });
            set.remove(format!("goes:{}", rng.u32(..500)).as_bytes());
            set.insert(format!("comes:{}", rng.u32(..500)).as_bytes(), &limits);
            if cursor == 0 {
                break;
            }
        }
        let stayed = (0..500).map(|number| format!("stays:{number}").into_bytes());
        stayed.for_each(|member| assert!(shown.contains_key(&member)));
    }
}
