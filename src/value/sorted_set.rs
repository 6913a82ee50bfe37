//! Sorted sets: few short members in a listpack, many in runs with ranks.

use super::limits::EncodingLimits;
use super::listpack::{Element, Listpack, Position};
use super::ranked::Ranked;
use super::set::scan_positions;
use crate::protocol::number::{format_double, parse_double, write_integer};
use std::borrow::Cow;
use std::ops::Range;

/// Members with scores, ordered by score and then by bytes.
#[derive(Debug, Clone)]
pub enum SortedSet {
    /// Few and short: members and scores in turn, in order (encoding `listpack`).
    Packed(Listpack),
    /// Any (encoding `skiplist`, the name that clients know).
    Ranked(Box<Ranked>),
}

/// A member with its score.
pub type Scored<'a> = (Cow<'a, [u8]>, f64);

impl Default for SortedSet {
    fn default() -> Self {
        Self::Packed(Listpack::new())
    }
}

impl SortedSet {
    /// An empty sorted set in the encoding that suits its first member.
    pub fn for_member(first: &[u8], limits: &EncodingLimits) -> Self {
        if limits.zset_max_listpack_entries == 0 || first.len() > limits.zset_max_listpack_value {
            Self::ranked()
        } else {
            Self::default()
        }
    }

    /// A compact sorted set that was stored whole: members and scores in turn, no member twice. Members
    /// out of order are put in order. `None` if a score is no number.
    pub fn from_pack(pack: Listpack, limits: &EncodingLimits) -> Option<Self> {
        let mut is_ordered = true;
        let mut former: Option<Scored<'_>> = None;
        let mut elements = pack.iter();
        while let Some(member) = elements.next() {
            let score = match elements.next()? {
                Element::Int(score) => score as f64,
                Element::Bytes(text) => parse_double(text)?,
            };
            let member = member.bytes();
            is_ordered &= former.is_none_or(|(other, former_score)| {
                former_score < score || (former_score == score && other < member)
            });
            former = Some((member, score));
        }
        let is_large = pack.len() / 2 > limits.zset_max_listpack_entries;
        let mut sorted_set = Self::Packed(pack);
        if is_large || !is_ordered {
            sorted_set.make_ranked();
        }
        if !is_large && let Self::Ranked(ranked) = &sorted_set {
            sorted_set = Self::Packed(packed(ranked));
        }
        Some(sorted_set)
    }

    /// An empty sorted set for a result that is yet to be settled. A listpack would already lose the
    /// sign of a zero.
    pub fn ranked() -> Self {
        Self::Ranked(Box::default())
    }

    /// Number of members.
    pub fn len(&self) -> usize {
        match self {
            Self::Packed(pack) => pack.len() / 2,
            Self::Ranked(ranked) => ranked.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name that OBJECT ENCODING answers.
    pub fn encoding(&self) -> &'static str {
        match self {
            Self::Packed(_) => "listpack",
            Self::Ranked(_) => "skiplist",
        }
    }

    /// Bytes on the heap, of which members are estimated from so many of them.
    pub fn heap_bytes(&self, samples: usize) -> usize {
        match self {
            Self::Packed(pack) => pack.heap_bytes(),
            Self::Ranked(ranked) => size_of::<Ranked>() + ranked.heap_bytes(samples),
        }
    }

    /// The score of a member.
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match self {
            Self::Packed(pack) => {
                let at = pack.find(member, 0, 2)?;
                Some(score_at(pack, pack.next(at)?))
            }
            Self::Ranked(ranked) => ranked.score(member),
        }
    }

    /// Sets a member's score, which is not NaN; the former one.
    pub fn insert(&mut self, member: &[u8], score: f64, limits: &EncodingLimits) -> Option<f64> {
        let pack = match self {
            Self::Ranked(ranked) => return ranked.insert(member, score),
            Self::Packed(pack) => pack,
        };
        let former = pack.find(member, 0, 2).and_then(|at| {
            let former = score_at(pack, pack.next(at)?);
            if former != score {
                pack.remove(at, 2);
            }
            Some(former)
        });
        match former {
            Some(former) if former == score => return Some(former),
            None if pack.len() / 2 + 1 > limits.zset_max_listpack_entries
                || member.len() > limits.zset_max_listpack_value =>
            {
                self.make_ranked();
                return self.insert(member, score, limits);
            }
            _ => insert_packed(pack, member, score),
        }
        former
    }

    fn make_ranked(&mut self) {
        let mut ranked = Box::<Ranked>::default();
        self.iter_from(0).for_each(|(member, score)| {
            ranked.insert(&member, score);
        });
        *self = Self::Ranked(ranked);
    }

    /// Goes over to, or back from, the encoding that the limits ask for; as for a result stored whole.
    pub fn settle(&mut self, longest_member: usize, limits: &EncodingLimits) {
        let fits = self.len() <= limits.zset_max_listpack_entries
            && longest_member <= limits.zset_max_listpack_value;
        match self {
            Self::Packed(_) if !fits => self.make_ranked(),
            Self::Ranked(ranked) if fits => *self = Self::Packed(packed(ranked)),
            _ => {}
        }
    }

    /// Removes a member; its score.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        match self {
            Self::Packed(pack) => {
                let at = pack.find(member, 0, 2)?;
                let score = score_at(pack, pack.next(at)?);
                pack.remove(at, 2);
                Some(score)
            }
            Self::Ranked(ranked) => ranked.remove(member),
        }
    }

    /// Removes the members with these ranks, which are below the length.
    pub fn remove_ranks(&mut self, ranks: Range<usize>) {
        match self {
            Self::Packed(pack) => {
                if let Some(position) = pack.seek(2 * ranks.start) {
                    pack.remove(position, 2 * ranks.len());
                }
            }
            Self::Ranked(ranked) => ranked.remove_ranks(ranks),
        }
    }

    /// How many members come before this one.
    pub fn rank(&self, member: &[u8]) -> Option<usize> {
        match self {
            Self::Packed(_) => self.iter_from(0).position(|(other, _)| *other == *member),
            Self::Ranked(ranked) => ranked.rank(member),
        }
    }

    /// Number of members from the first on for which `is_before` holds; it must hold for a prefix of the order.
    pub fn partition(&self, is_before: impl Fn(f64, &[u8]) -> bool) -> usize {
        match self {
            Self::Packed(_) => {
                self.iter_from(0).take_while(|(member, score)| is_before(*score, member)).count()
            }
            Self::Ranked(ranked) => ranked.partition(is_before),
        }
    }

    /// The member with this rank.
    pub fn at(&self, rank: usize) -> Option<Scored<'_>> {
        self.iter_from(rank).next()
    }

    /// Members with their scores, from a rank on.
    pub fn iter_from(&self, rank: usize) -> impl Iterator<Item = Scored<'_>> + '_ {
        let (pack, ranked) = match self {
            Self::Packed(pack) => (Some(pack), None),
            Self::Ranked(ranked) => (None, Some(ranked)),
        };
        let packed = pack.into_iter().flat_map(move |pack| {
            let mut next = pack.seek(2 * rank);
            std::iter::from_fn(move || {
                let member = next?;
                let score = pack.next(member)?;
                next = pack.next(score);
                Some((pack.get(member).bytes(), score_at(pack, score)))
            })
        });
        let ranked = ranked.into_iter().flat_map(move |ranked| ranked.iter_from(rank));
        packed.chain(ranked.map(|(member, score)| (Cow::Borrowed(member), score)))
    }

    /// Members with their scores, backwards from below a rank on.
    pub fn iter_back_from(&self, rank: usize) -> impl Iterator<Item = Scored<'_>> + '_ {
        let (pack, ranked) = match self {
            Self::Packed(pack) => (Some(pack), None),
            Self::Ranked(ranked) => (None, Some(ranked)),
        };
        let packed = pack.into_iter().flat_map(move |pack| {
            let mut next = (2 * rank)
                .checked_sub(1)
                .and_then(|index| pack.seek(index))
                .or_else(|| pack.last());
            if rank == 0 {
                next = None;
            }
            std::iter::from_fn(move || {
                let score = next?;
                let member = pack.previous(score)?;
                next = pack.previous(member);
                Some((pack.get(member).bytes(), score_at(pack, score)))
            })
        });
        let ranked = ranked.into_iter().flat_map(move |ranked| ranked.iter_back_from(rank));
        packed.chain(ranked.map(|(member, score)| (Cow::Borrowed(member), score)))
    }

    /// Shows about `count` members from a cursor on and gives the cursor to go on from, 0 at the end. A
    /// member keeps its slot for as long as it stays, so none is skipped or shown twice.
    pub fn scan(&self, cursor: u64, count: usize, mut show: impl FnMut(&[u8], f64)) -> u64 {
        let Self::Ranked(ranked) = self else {
            self.iter_from(0).for_each(|(member, score)| show(&member, score));
            return 0;
        };
        let (slots, next) = scan_positions(cursor, count, ranked.slot_count());
        for slot in slots.rev() {
            if let Some((member, score)) = ranked.at_slot(slot) {
                show(member, score);
            }
        }
        next
    }
}

fn packed(ranked: &Ranked) -> Listpack {
    let mut pack = Listpack::new();
    ranked.iter_from(0).for_each(|(member, score)| {
        pack.push(member);
        pack.push(&score_text(score));
    });
    pack
}

fn insert_packed(pack: &mut Listpack, member: &[u8], score: f64) {
    let score_text = score_text(score);
    let mut next = pack.first();
    while let Some(at) = next {
        let Some(score_position) = pack.next(at) else { break };
        let other = score_at(pack, score_position);
        let is_behind = other > score || (other == score && *pack.get(at).bytes() > *member);
        if is_behind {
            pack.insert_before(at, &score_text);
            return pack.insert_before(at, member);
        }
        next = pack.next(score_position);
    }
    pack.push(member);
    pack.push(&score_text);
}

/// A score as Redis stores it in a listpack: digits of an integer where it is one, so that -0 is 0.
fn score_text(score: f64) -> Vec<u8> {
    const WHOLE_MAX: f64 = (1i64 << 62) as f64;
    if score.fract() == 0.0 && score.abs() <= WHOLE_MAX {
        let mut digits = Vec::new();
        write_integer(score as i64, &mut digits);
        return digits;
    }
    format_double(score).into_bytes()
}

fn score_at(pack: &Listpack, position: Position) -> f64 {
    match pack.get(position) {
        Element::Int(score) => score as f64,
        Element::Bytes(text) => parse_double(text).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_encodings_answer_alike() {
        let packed_limits =
            EncodingLimits { zset_max_listpack_entries: 10_000, ..EncodingLimits::default() };
        let ranked_limits =
            EncodingLimits { zset_max_listpack_entries: 0, ..EncodingLimits::default() };
        let mut rng = fastrand::Rng::with_seed(1);
        let mut packed = SortedSet::for_member(b"m", &packed_limits);
        let mut ranked = SortedSet::for_member(b"m", &ranked_limits);
        for _ in 0..2000 {
            let member = format!("m{}", rng.u32(..60)).into_bytes();
            let score = f64::from(rng.i32(-6..6)) / 4.0 * if rng.u8(..9) == 0 { 1e30 } else { 1.0 };
            match rng.u8(..8) {
                0..5 => {
                    assert_eq!(
                        packed.insert(&member, score, &packed_limits),
                        ranked.insert(&member, score, &ranked_limits)
                    );
                }
                5..7 => assert_eq!(packed.remove(&member), ranked.remove(&member)),
                _ => {
                    let start = rng.usize(..=packed.len());
                    let end = rng.usize(start..=packed.len().min(start + 3));
                    packed.remove_ranks(start..end);
                    ranked.remove_ranks(start..end);
                }
            }
            assert_eq!(packed.rank(&member), ranked.rank(&member));
            assert_eq!(packed.score(&member), ranked.score(&member));
            let below = |other: f64, _: &[u8]| other < score;
            assert_eq!(packed.partition(below), ranked.partition(below));
            let rank = rng.usize(..=packed.len());
            assert!(packed.iter_from(rank).eq(ranked.iter_from(rank)));
            assert!(packed.iter_back_from(rank).eq(ranked.iter_back_from(rank)));
        }
        assert_eq!((packed.encoding(), ranked.encoding()), ("listpack", "skiplist"));
        ranked.settle(3, &packed_limits);
        assert!(ranked.encoding() == "listpack" && packed.iter_from(0).eq(ranked.iter_from(0)));
    }
}
