//! What commands on lists, hashes, sets and sorted sets share: elements as replies, indexes that count
//! from either end, and random choice.

use crate::protocol::Reply;
use crate::value::Element;
use indexmap::IndexSet;
use std::ops::Range;

/// An element as a reply: digits are made when they are written.
pub(super) fn reply(element: Element<'_>) -> Reply<'_> {
    match element {
        Element::Bytes(bytes) => Reply::bulk(bytes),
        Element::Int(value) => Reply::BulkInt(value),
    }
}

/// An element as a reply, or null for what is not there.
pub(super) fn reply_or_null(element: Option<Element<'_>>) -> Reply<'_> {
    element.map_or(Reply::Null, reply)
}

/// The index within a sequence of this length; a negative one counts from its end.
pub(super) fn index(index: i64, length: usize) -> Option<usize> {
    match usize::try_from(index) {
        Ok(index) => Some(index).filter(|index| *index < length),
        Err(_) => length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?),
    }
}

/// The part of a sequence from one index to another, which is included. Negative ones count from the
/// end, and what lies outside is cut off.
pub(super) fn index_range(start: i64, stop: i64, length: usize) -> Range<usize> {
    // A collection's length is below isize::MAX, hence fits.
    let last = length as i64 - 1;
    let from_start = |index: i64| if index < 0 { index.saturating_add(last + 1) } else { index };
    let (start, stop) = (from_start(start).max(0), from_start(stop).min(last));
    if start > stop { 0..0 } else { start as usize..stop as usize + 1 }
}

/// Different positions below a length; every choice of so many is equally likely. It costs by the number
/// of positions, be the length what it may.
pub(super) fn choose_positions(rng: &mut fastrand::Rng, length: usize, count: usize) -> Vec<usize> {
    // The plain way, which looks at every position, is the faster one for a good part of them.
    if count > length / 4 {
        return rng.choose_multiple(0..length, count);
    }
    // Floyd's: a position that is taken stands for the last one, which cannot be.
    let mut chosen = IndexSet::with_capacity(count);
    for last in length - count..length {
        if !chosen.insert(rng.usize(..=last)) {
            chosen.insert(last);
        }
    }
    chosen.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn chosen_positions_are_different_and_equally_likely() {
        const ROUNDS: usize = 3000;
        let mut rng = fastrand::Rng::with_seed(1);
        for (length, count) in [(1, 0), (1, 1), (20, 1), (20, 3), (20, 5), (20, 6), (20, 20)] {
            let mut times = vec![0; length];
            for _ in 0..ROUNDS {
                let chosen = choose_positions(&mut rng, length, count);
                assert_eq!(chosen.iter().collect::<HashSet<_>>().len(), count);
                chosen.into_iter().for_each(|position| times[position] += 1);
            }
            let expected = ROUNDS * count / length;
            let near = expected * 3 / 4..=expected * 5 / 4;
            assert!(times.iter().all(|times| near.contains(times)), "{count}: {times:?}");
        }
        // A choice from all there could ever be takes no time.
        assert_eq!(choose_positions(&mut rng, usize::MAX, 100).len(), 100);
    }

    #[test]
    fn indexes_count_from_either_end_and_ranges_are_cut_to_what_is_there() {
        for (start, stop, expected) in [
            (0, -1, 0..3),
            (0, 0, 0..1),
            (-2, -1, 1..3),
            (-100, 1, 0..2),
            (1, 100, 1..3),
            (2, 1, 0..0),
            (3, 9, 0..0),
            (0, -4, 0..0),
            (i64::MIN, i64::MAX, 0..3),
            (i64::MAX, i64::MIN, 0..0),
        ] {
            assert_eq!(index_range(start, stop, 3), expected, "{start} to {stop}");
        }
        assert_eq!(index_range(0, -1, 0), 0..0);
        let indexes = [0, 2, 3, -1, -3, -4, i64::MIN, i64::MAX].map(|at| index(at, 3));
        assert_eq!(indexes, [Some(0), Some(2), None, Some(2), Some(0), None, None, None]);
    }
}
