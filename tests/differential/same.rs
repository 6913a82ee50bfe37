//! Which replies are the same although their bytes are not: what the clock, chance or the order of a
//! hash table decides, and what Redis 7.2 says otherwise than 7.0.

use super::support::reply::Reply;

/// How far apart two clocks' readings may be, since the servers are asked one after the other.
const CLOCK_SECONDS: u64 = 300;

/// Whether a reply of redist says the same as the real server's.
pub fn same(words: &[Vec<u8>], ours: &Reply, real: &Reply) -> bool {
    let name = words.first().map(|name| name.to_ascii_uppercase()).unwrap_or_default();
    match &name[..] {
        b"KEYS" => sorted(ours) == sorted(real),
        b"SCAN" => match (ours, real) {
            (Reply::Array(ours), Reply::Array(real)) => {
                // Cursors are each server's own; a count so large makes one call return everything.
                let is_whole = words[1] == b"0" && words.iter().any(|word| word == b"1000000");
                !is_whole || (ours[0] == real[0] && sorted(&ours[1]) == sorted(&real[1]))
            }
            _ => is_unknown_type(words, ours),
        },
        // Versions and numbers of connections.
        b"HELLO" => matches!(
            (ours, real),
            (Reply::Array(_), Reply::Array(_)) | (Reply::Map(_), Reply::Map(_))
        ),
        b"RANDOMKEY" => matches!((ours, real), (Reply::Bulk(_), Reply::Bulk(_))),
        b"TTL" | b"EXPIRETIME" => are_close(ours, real, CLOCK_SECONDS),
        b"PTTL" | b"PEXPIRETIME" => are_close(ours, real, CLOCK_SECONDS * 1000),
        // Arguments are looked at before the key since 7.4, and by us.
        b"BITCOUNT" | b"BITPOS" => {
            matches!((ours, real), (Reply::Error(_), Reply::Int(0 | -1)))
        }
        // Redis counts references where it shares small integers, which a copy ends; we share nothing.
        b"OBJECT" if words[1].eq_ignore_ascii_case(b"REFCOUNT") => {
            matches!((ours, real), (Reply::Int(_), Reply::Int(_)))
        }
        b"OBJECT" => are_close(ours, real, CLOCK_SECONDS),
        _ => false,
    }
}

fn sorted(reply: &Reply) -> Option<Vec<String>> {
    let Reply::Array(items) = reply else { return None };
    let mut items: Vec<String> = items.iter().map(Reply::to_string).collect();
    items.sort();
    Some(items)
}

/// Positive numbers that differ by time passed; -1 and -2 mean something else.
fn are_close(ours: &Reply, real: &Reply, distance: u64) -> bool {
    match (ours, real) {
        (Reply::Int(ours), Reply::Int(real)) => {
            *ours >= 0 && *real >= 0 && ours.abs_diff(*real) <= distance
        }
        _ => false,
    }
}

/// `SCAN … TYPE foo` is an error since 7.2.
fn is_unknown_type(words: &[Vec<u8>], ours: &Reply) -> bool {
    let Reply::Error(text) = ours else { return false };
    words.iter().any(|word| word.eq_ignore_ascii_case(b"TYPE"))
        && text.starts_with(b"ERR unknown type name '")
}
