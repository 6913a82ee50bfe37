//! What commands on lists, hashes, sets and sorted sets share: elements as replies, and indexes that
//! count from either end.

use crate::protocol::Reply;
use crate::value::Element;
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

#[cfg(test)]
mod tests {
    use super::*;

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
