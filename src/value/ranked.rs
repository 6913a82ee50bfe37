//! Many members with scores, in order: by score, then by bytes.
//!
//! Members live once, in slots; a hash table finds a slot by member, and short sorted runs of slot
//! numbers keep the order, as Python's sortedcontainers does: insertion moves a few hundred numbers, and a
//! tree of run lengths answers ranks. It needs about half the memory of a skip list and its dictionary.

use super::{Words, estimate_sum};
use crate::hashing::hash_bytes;
use hashbrown::HashTable;
use std::cmp::Ordering;
use std::collections::hash_map::RandomState;
use std::hint::black_box;
use std::ops::Range;

/// A run is split when it grows beyond this, and joined with its neighbour below a quarter of it.
const RUN_LENGTH_MAX: usize = 512;

/// Members in the order of their scores.
#[derive(Debug, Clone, Default)]
pub struct Ranked {
    slots: Vec<Slot>,
    /// Slots that are not in use.
    free: Vec<u32>,
    by_member: HashTable<u32>,
    hasher: RandomState,
    /// Slot numbers in order. No run is empty.
    runs: Vec<Vec<u32>>,
    lengths: Fenwick,
}

#[derive(Debug, Clone)]
struct Slot {
    member: Box<[u8]>,
    score: f64,
}

/// Order of members: scores are never NaN.
fn compare(a: (f64, &[u8]), b: (f64, &[u8])) -> Ordering {
    a.0.partial_cmp(&b.0).unwrap_or(Ordering::Equal).then_with(|| a.1.cmp(b.1))
}

impl Ranked {
    /// Number of members.
    pub fn len(&self) -> usize {
        self.by_member.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_member.is_empty()
    }

    /// Bytes on the heap, of which members are estimated from so many of them.
    pub fn heap_bytes(&self, samples: usize) -> usize {
        let bytes_at = |slot: usize| self.slots[slot].member.len();
        let members = estimate_sum(self.slots.len(), samples, bytes_at);
        let runs: usize = self
            .runs
            .iter()
            .map(|run| run.capacity() * size_of::<u32>() + size_of::<Vec<u32>>())
            .sum();
        members
            + self.slots.capacity() * size_of::<Slot>()
            + self.by_member.capacity() * (size_of::<u32>() + 1)
            + runs
    }

    fn slot(&self, id: u32) -> &Slot {
        &self.slots[id as usize]
    }

    fn key(&self, id: u32) -> (f64, &[u8]) {
        let slot = self.slot(id);
        (slot.score, &slot.member)
    }

    fn find(&self, member: &[u8]) -> Option<u32> {
        let hash = hash_bytes(&self.hasher, member);
        self.by_member.find(hash, |id| *self.slot(*id).member == *member).copied()
    }

    /// Brings these members into the processor's cache.
    pub fn warm(&self, members: Words<'_>) {
        // What stands in one pass is waited for together.
        let hashes = members.map(|member| member.map(|member| hash_bytes(&self.hasher, member)));
        let ids = hashes.map(|hash| self.by_member.iter_hash(hash?).next());
        let slots = ids.map(|id| self.slots.get(*id? as usize));
        for slot in slots.into_iter().flatten() {
            black_box(slot.member.first().copied());
        }
    }

    /// The score of a member.
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.find(member).map(|id| self.slot(id).score)
    }

    /// Number of members from the first on for which `is_before` holds; it must hold for a prefix of the order.
    pub fn partition(&self, is_before: impl Fn(f64, &[u8]) -> bool) -> usize {
        let (run, inner) = self.partition_place(is_before);
        self.lengths.sum(run) + inner
    }

    fn partition_place(&self, is_before: impl Fn(f64, &[u8]) -> bool) -> (usize, usize) {
        let before = |id: &u32| {
            let (score, member) = self.key(*id);
            is_before(score, member)
        };
        let run = self.runs.partition_point(|run| run.last().is_some_and(before));
        (run, self.runs.get(run).map_or(0, |run| run.partition_point(before)))
    }

    /// How many members come before this one.
    pub fn rank(&self, member: &[u8]) -> Option<usize> {
        let key = self.key(self.find(member)?);
        Some(self.partition(|score, member| compare((score, member), key) == Ordering::Less))
    }

    /// Sets a member's score; the former one.
    pub fn insert(&mut self, member: &[u8], score: f64) -> Option<f64> {
        match self.find(member) {
            Some(id) => {
                let former = self.slot(id).score;
                // Also for an equal number, since -0 and 0 are printed differently.
                if former.to_bits() != score.to_bits() {
                    self.unlink(id);
                    self.slots[id as usize].score = score;
                    self.link(id);
                }
                Some(former)
            }
            None => {
                let slot = Slot { member: member.into(), score };
                let id = match self.free.pop() {
                    Some(id) => {
                        self.slots[id as usize] = slot;
                        id
                    }
                    None => {
                        self.slots.push(slot);
                        u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 members")
                    }
                };
                let (slots, hasher) = (&self.slots, &self.hasher);
                let hash_of = |id: &u32| hash_bytes(hasher, &slots[*id as usize].member);
                self.by_member.insert_unique(hash_bytes(hasher, member), id, hash_of);
                self.link(id);
                None
            }
        }
    }

    /// Puts a slot into its run.
    fn link(&mut self, id: u32) {
        let (mut run, mut inner) = {
            let key = self.key(id);
            self.partition_place(|score, member| compare((score, member), key) == Ordering::Less)
        };
        if run == self.runs.len() {
            if run == 0 {
                self.runs.push(vec![id]);
                return self.count_runs();
            }
            run -= 1;
            inner = self.runs[run].len();
        }
        self.runs[run].insert(inner, id);
        if self.runs[run].len() > RUN_LENGTH_MAX {
            // Ascending insertion leaves full runs behind instead of half-empty ones.
            let is_tail = run + 1 == self.runs.len() && inner + 1 == self.runs[run].len();
            let at = if is_tail { RUN_LENGTH_MAX } else { RUN_LENGTH_MAX / 2 };
            let tail = self.runs[run].split_off(at);
            self.runs[run].shrink_to_fit();
            self.runs.insert(run + 1, tail);
            self.count_runs();
        } else {
            self.lengths.add(run, 1);
        }
    }

    /// Takes a slot out of its run.
    fn unlink(&mut self, id: u32) {
        let (run, inner) = {
            let key = self.key(id);
            self.partition_place(|score, member| compare((score, member), key) == Ordering::Less)
        };
        self.runs[run].remove(inner);
        self.lengths.add(run, -1);
        self.mend(run);
    }

    /// Joins a run that has become short with its neighbour.
    fn mend(&mut self, run: usize) {
        let length = self.runs[run].len();
        if length >= RUN_LENGTH_MAX / 4 {
            return;
        }
        if length == 0 {
            self.runs.remove(run);
        } else if let Some(next) = self.runs.get(run + 1)
            && next.len() + length <= RUN_LENGTH_MAX
        {
            let next = self.runs.remove(run + 1);
            self.runs[run].extend(next);
        } else {
            return;
        }
        self.count_runs();
    }

    fn count_runs(&mut self) {
        self.lengths = Fenwick::new(self.runs.iter().map(Vec::len));
    }

    /// Removes a member; its score.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let id = self.find(member)?;
        self.unlink(id);
        Some(self.release(id).score)
    }

    /// Forgets a slot that is in no run any more.
    fn release(&mut self, id: u32) -> Slot {
        let hash = hash_bytes(&self.hasher, &self.slot(id).member);
        if let Ok(found) = self.by_member.find_entry(hash, |other| *other == id) {
            found.remove();
        }
        self.free.push(id);
        let empty = Slot { member: Box::default(), score: 0.0 };
        std::mem::replace(&mut self.slots[id as usize], empty)
    }

    /// Removes the members with these ranks.
    pub fn remove_ranks(&mut self, ranks: Range<usize>) {
        let mut left = ranks.len();
        while left > 0 {
            let (run, inner) = self.lengths.find(ranks.start);
            let end = self.runs[run].len().min(inner + left);
            let removed: Vec<u32> = self.runs[run].drain(inner..end).collect();
            left -= removed.len();
            self.lengths.add(run, -(removed.len() as i64));
            removed.into_iter().for_each(|id| drop(self.release(id)));
            self.mend(run);
        }
    }

    /// Members with their scores, from a rank on.
    pub fn iter_from(&self, rank: usize) -> impl Iterator<Item = (&[u8], f64)> + '_ {
        let (run, inner) = self.lengths.find(rank);
        let runs = self.runs.get(run..).unwrap_or_default();
        runs.iter().flatten().skip(inner).map(|id| (&*self.slot(*id).member, self.slot(*id).score))
    }

    /// Members with their scores, backwards from below a rank on.
    pub fn iter_back_from(&self, rank: usize) -> impl Iterator<Item = (&[u8], f64)> + '_ {
        let (run, inner) = self.lengths.find(rank);
        let partial = self.runs.get(run).map_or(&[][..], |run| &run[..inner.min(run.len())]);
        let before = self.runs[..run.min(self.runs.len())].iter().rev();
        let ids = partial.iter().rev().chain(before.flat_map(|run| run.iter().rev()));
        ids.map(|id| (&*self.slot(*id).member, self.slot(*id).score))
    }

    /// The members in no order that means anything, by slot; for cursors and random choice.
    pub fn slot_count(&self) -> usize {
        self.slots.len()
    }

    /// The member in a slot, if the slot is in use.
    pub fn at_slot(&self, slot: usize) -> Option<(&[u8], f64)> {
        let id = u32::try_from(slot).ok()?;
        let Slot { member, score } = self.slots.get(slot)?;
        // A free slot is empty, and so may a member be: then the table knows.
        let in_use = !member.is_empty() || self.find(b"") == Some(id);
        in_use.then_some((&**member, *score))
    }
}

/// Lengths with their prefix sums in logarithmic time (a Fenwick tree).
#[derive(Debug, Clone, Default)]
struct Fenwick {
    /// Element `i` holds the sum of the `lowest bit of i + 1` lengths that end with length `i`.
    sums: Vec<u64>,
}

impl Fenwick {
    fn new(lengths: impl Iterator<Item = usize>) -> Self {
        let mut sums: Vec<u64> = lengths.map(|length| length as u64).collect();
        for index in 0..sums.len() {
            let parent = index | (index + 1);
            if parent < sums.len() {
                sums[parent] += sums[index];
            }
        }
        Self { sums }
    }

    fn add(&mut self, mut index: usize, difference: i64) {
        while index < self.sums.len() {
            self.sums[index] = self.sums[index].wrapping_add_signed(difference);
            index |= index + 1;
        }
    }

    /// The sum of the first `count` lengths.
    fn sum(&self, mut count: usize) -> usize {
        let mut sum = 0;
        while count > 0 {
            sum += self.sums[count - 1];
            count &= count - 1;
        }
        sum as usize
    }

    /// Which run holds a rank, and where in it; behind the last run if none does.
    fn find(&self, rank: usize) -> (usize, usize) {
        let (mut run, mut rest) = (0, rank as u64);
        let mut step = self.sums.len().checked_ilog2().map_or(0, |bits| 1usize << bits);
        while step > 0 {
            if let Some(sum) = self.sums.get(run + step - 1)
                && *sum <= rest
            {
                rest -= sum;
                run += step;
            }
            step /= 2;
        }
        (run, rest as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_changes_equal_those_of_a_sorted_vector() {
        for (seed, scores, names) in [(1, 10, 3000), (2, 100_000, 3000), (3, 1, 2000), (4, 5, 40)] {
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut ranked = Ranked::default();
            let mut model: Vec<(f64, Vec<u8>)> = Vec::new();
            for round in 0..6000 {
                let member = format!("m{}", rng.u32(0..names)).into_bytes();
                let score = f64::from(rng.i32(0..scores));
                let at = model.iter().position(|(_, other)| *other == member);
                assert_eq!(ranked.score(&member), at.map(|at| model[at].0));
                if rng.u8(..10) < if round < 4000 { 7 } else { 3 } {
                    let former = at.map(|at| model.remove(at).0);
                    assert_eq!(ranked.insert(&member, score), former);
                    let key = (score, member.as_slice());
                    let place = model
                        .partition_point(|(score, member)| compare((*score, member), key).is_lt());
                    model.insert(place, (score, member.clone()));
                    assert_eq!(ranked.rank(&member), Some(place));
                } else if rng.u8(..50) == 0 {
                    let start = rng.usize(..=model.len());
                    let end = rng.usize(start..=model.len().min(start + 700));
                    ranked.remove_ranks(start..end);
                    model.drain(start..end);
                } else {
                    assert_eq!(ranked.remove(&member), at.map(|at| model.remove(at).0));
                }
                assert_eq!(ranked.len(), model.len());
                let rank = rng.usize(..=model.len());
                let next =
                    ranked.iter_from(rank).next().map(|(member, score)| (score, member.to_vec()));
                assert_eq!(next.as_ref(), model.get(rank));
                let last = ranked
                    .iter_back_from(rank)
                    .next()
                    .map(|(member, score)| (score, member.to_vec()));
                assert_eq!(last.as_ref(), rank.checked_sub(1).map(|rank| &model[rank]));
            }
            let all = ranked.iter_from(0).map(|(member, score)| (score, member.to_vec()));
            assert!(all.eq(model.iter().cloned()));
            let back =
                ranked.iter_back_from(model.len()).map(|(member, score)| (score, member.to_vec()));
            assert!(back.eq(model.iter().rev().cloned()));
            let by_slot = (0..ranked.slot_count()).filter_map(|slot| ranked.at_slot(slot)).count();
            assert_eq!(by_slot, model.len());
        }
    }
}
