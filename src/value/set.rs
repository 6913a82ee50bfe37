//! Sets: few integers sorted, few others in a listpack, many in a table with positions.

use super::Words;
use super::dense::{Dense, Item};
use super::estimate_sum;
use super::intset::{Intset, IntsetRef};
use super::limits::EncodingLimits;
use super::listpack::{Element, Listpack};
use crate::counted::Counted;
use crate::protocol::number::parse_integer;
use std::hash::Hasher;
use std::hint::black_box;

/// A set of byte strings with a random member in constant time.
#[derive(Debug, Clone)]
pub enum Set {
    /// Integers only (encoding `intset`).
    Ints(Intset),
    /// Few and short (encoding `listpack`).
    Packed(Listpack),
    /// Any (encoding `hashtable`). Behind a pointer, so that small sets do not pay for it.
    Table(Box<Table>),
}

/// A set to look at. A key may keep it in another form than [`Set`].
#[derive(Debug, Clone, Copy)]
pub enum SetRef<'a> {
    /// Integers only (encoding `intset`).
    Ints(IntsetRef<'a>),
    /// Few and short (encoding `listpack`).
    Packed(&'a Listpack),
    /// Any (encoding `hashtable`).
    Table(&'a Table),
}

/// A member: bytes, or the integer whose digits they would be.
pub type Member<'a> = Element<'a>;

/// Many members in a table with positions.
#[derive(Debug, Clone, Default)]
pub struct Table {
    members: Dense<Kept>,
}

/// A member as a table keeps it: most integers are shorter than their digits.
#[derive(Debug, Clone)]
enum Kept {
    Bytes(Box<[u8]>),
    Int(i64),
}

const _: () = assert!(size_of::<Kept>() == 16);

impl Kept {
    fn new(member: Member<'_>) -> Self {
        match member {
            Element::Bytes(bytes) => Self::Bytes(bytes.into()),
            Element::Int(value) => Self::Int(value),
        }
    }
}

impl Item for Kept {
    type Key<'k> = Member<'k>;

    fn key(&self) -> Member<'_> {
        match self {
            Self::Bytes(bytes) => Element::Bytes(bytes),
            Self::Int(value) => Element::Int(*value),
        }
    }

    fn warm(&self) {
        if let Self::Bytes(bytes) = self {
            black_box(bytes.first().copied());
        }
    }

    fn feed(key: Member<'_>, hasher: &mut impl Hasher) {
        match key {
            Element::Bytes(bytes) => hasher.write(bytes),
            Element::Int(value) => hasher.write_i64(value),
        }
    }

    fn has_key(&self, key: Member<'_>) -> bool {
        self.key() == key
    }
}

impl Table {
    /// Brings these members into the processor's cache.
    pub fn warm(&self, members: Words<'_>) {
        self.members.warm(members.map(|member| member.map(Element::new)));
    }
}

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
        let is_large = ints.as_ref().len() > limits.set_max_intset_entries;
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

    /// The same to look at.
    pub fn as_ref(&self) -> SetRef<'_> {
        match self {
            Self::Ints(ints) => SetRef::Ints(ints.as_ref()),
            Self::Packed(pack) => SetRef::Packed(pack),
            Self::Table(table) => SetRef::Table(table),
        }
    }

    /// Number of members.
    pub fn len(&self) -> usize {
        self.as_ref().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes on the heap, of which members are estimated from so many of them.
    pub fn heap_bytes(&self, samples: usize) -> usize {
        match self {
            Self::Ints(ints) => ints.heap_bytes(),
            Self::Packed(pack) => pack.heap_bytes(),
            Self::Table(table) => {
                let members = &table.members;
                let bytes_at = |position| match members.at(position) {
                    Some(Kept::Bytes(bytes)) => bytes.len(),
                    Some(Kept::Int(_)) | None => 0,
                };
                let texts = estimate_sum(members.len(), samples, bytes_at);
                size_of::<Table>() + members.heap_bytes() + texts
            }
        }
    }

    /// Adds a member; whether it was new.
    pub fn insert(&mut self, member: &[u8], limits: &EncodingLimits) -> bool {
        match self {
            Self::Ints(ints) => match parse_integer(member) {
                Some(value) => {
                    let is_new = ints.insert(value);
                    if is_new && ints.as_ref().len() > limits.set_max_intset_entries {
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
                let member = Element::new(member);
                let is_new = table.members.position(member).is_none();
                if is_new {
                    table.members.push(Kept::new(member));
                }
                is_new
            }
        }
    }

    /// An integer set that has become too large goes on as a listpack if that is allowed to be as large.
    fn outgrow_ints(&mut self, limits: &EncodingLimits) {
        let Self::Ints(ints) = self else { return };
        let ints = ints.as_ref();
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
        let ints = ints.as_ref();
        let fits = ints.len() < limits.set_max_listpack_entries
            && member.len() <= limits.set_max_listpack_value
            && longest_digits(ints) <= limits.set_max_listpack_value;
        if fits { self.make_pack() } else { self.make_table(1) }
    }

    fn make_pack(&mut self) {
        let mut pack = Listpack::new();
        self.as_ref().iter().for_each(|member| pack.push(&member.bytes()));
        *self = Self::Packed(pack);
    }

    fn make_table(&mut self, more: usize) {
        let mut members = Dense::with_capacity(self.len() + more);
        self.as_ref().iter().for_each(|member| members.push(Kept::new(member)));
        *self = Self::Table(Box::new(Table { members }));
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
                let position = table.members.position(Element::new(member));
                position.map(|position| table.members.swap_remove(position)).is_some()
            }
        }
    }

    /// Removes the member at a position and gives it.
    pub fn remove_at(&mut self, position: usize) -> Option<Vec<u8>> {
        match self {
            Self::Ints(ints) => {
                let value = ints.as_ref().at(position)?;
                ints.remove(value);
                Some(Element::Int(value).bytes().into_owned())
            }
            Self::Packed(pack) => {
                let position = pack.seek(position)?;
                let member = pack.get(position).bytes().into_owned();
                pack.remove(position, 1);
                Some(member)
            }
            Self::Table(table) => {
                table.members.at(position)?;
                Some(match table.members.swap_remove(position) {
                    Kept::Bytes(bytes) => bytes.into_vec(),
                    Kept::Int(value) => Element::Int(value).bytes().into_owned(),
                })
            }
        }
    }
}

impl<'a> SetRef<'a> {
    /// Number of members.
    pub fn len(self) -> usize {
        match self {
            Self::Ints(ints) => ints.len(),
            Self::Packed(pack) => pack.len(),
            Self::Table(table) => table.members.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The name that OBJECT ENCODING answers.
    pub fn encoding(self) -> &'static str {
        match self {
            Self::Ints(_) => "intset",
            Self::Packed(_) => "listpack",
            Self::Table(_) => "hashtable",
        }
    }

    /// Whether it is a member.
    pub fn contains(self, member: &[u8]) -> bool {
        match self {
            Self::Ints(ints) => parse_integer(member).is_some_and(|value| ints.contains(value)),
            Self::Packed(pack) => pack.find(member, 0, 1).is_some(),
            Self::Table(table) => table.members.position(Element::new(member)).is_some(),
        }
    }

    /// The member at a position, which must be below the length. Positions change when members go.
    pub fn at(self, position: usize) -> Option<Member<'a>> {
        match self {
            Self::Ints(ints) => ints.at(position).map(Element::Int),
            Self::Packed(pack) => pack.seek(position).map(|position| pack.get(position)),
            Self::Table(table) => table.members.at(position).map(Kept::key),
        }
    }

    /// A copy of its own.
    pub fn to_value(self) -> Set {
        match self {
            Self::Ints(ints) => Set::Ints(ints.to_owned()),
            Self::Packed(pack) => Set::Packed(pack.clone()),
            Self::Table(table) => Set::Table(Box::new(table.clone())),
        }
    }

    /// The members: integers ascending, few in the order they came, many in no order.
    pub fn iter(self) -> impl ExactSizeIterator<Item = Member<'a>> + 'a {
        let members: Box<dyn Iterator<Item = Member<'a>> + 'a> = match self {
            Self::Ints(ints) => Box::new(ints.iter().map(Element::Int)),
            Self::Packed(pack) => Box::new(pack.iter()),
            Self::Table(table) => Box::new(table.members.iter().map(Kept::key)),
        };
        Counted::new(members, self.len())
    }

    /// Shows about `count` members from a cursor on and gives the cursor to go on from, 0 at the end.
    ///
    /// Compact sets are shown whole. A table is walked from its last position to its first: a removal
    /// moves the last member into the gap, so a member that stays is never skipped.
    pub fn scan(self, cursor: u64, count: usize, mut show: impl FnMut(Member<'a>)) -> u64 {
        let Self::Table(table) = self else {
            self.iter().for_each(show);
            return 0;
        };
        let (positions, next) = scan_positions(cursor, count, table.members.len());
        for position in positions.rev() {
            if let Some(member) = table.members.at(position) {
                show(member.key());
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

fn longest_digits(ints: IntsetRef<'_>) -> usize {
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
                        let at =
                            set.as_ref().at(position).map(|member| member.bytes().into_owned());
                        let removed = set.remove_at(position);
                        assert_eq!(at, removed);
                        assert!(removed.is_none_or(|member| model.remove(&member)));
                    }
                }
                assert_eq!(set.as_ref().contains(&member), model.contains(&member));
                assert_eq!(set.len(), model.len());
            }
            let members: BTreeSet<Vec<u8>> =
                set.as_ref().iter().map(|member| member.bytes().into_owned()).collect();
            assert_eq!(members, model);
        }
    }

    #[test]
    fn encodings_follow_the_limits() {
        let limits = EncodingLimits::default();
        let mut set = Set::for_member(b"1", &limits);
        set.insert(b"1", &limits);
        assert_eq!(set.as_ref().encoding(), "intset");
        set.insert(b"a", &limits);
        assert_eq!(set.as_ref().encoding(), "listpack");
        set.insert(&[b'x'; 65], &limits);
        assert_eq!(set.as_ref().encoding(), "hashtable");
        let mut ints = Set::for_member(b"1", &limits);
        (0..513).for_each(|value: i32| assert!(ints.insert(value.to_string().as_bytes(), &limits)));
        assert_eq!(ints.as_ref().encoding(), "hashtable");
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
            cursor = set.as_ref().scan(cursor, 7, |member| {
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
