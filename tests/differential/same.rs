//! Which replies are the same although their bytes are not: what the clock, chance or the order of a
//! hash table decides, and what Redis 7.2 says otherwise than 7.0.

use super::support::reply::Reply;

/// How far apart two clocks' readings may be, since the servers are asked one after the other.
const CLOCK_SECONDS: u64 = 300;

/// Compares the replies of one sequence; of a transaction's those to each command that was queued.
#[derive(Default)]
pub struct Same<'c> {
    queued: Vec<&'c [Vec<u8>]>,
}

impl<'c> Same<'c> {
    /// Whether redist's reply says the same as the real server's.
    pub fn replies(&mut self, words: &'c [Vec<u8>], ours: &Reply, real: &Reply) -> bool {
        let is_queued = |reply: &Reply| matches!(reply, Reply::Status(text) if text == b"QUEUED");
        if is_queued(ours) && is_queued(real) {
            self.queued.push(words);
            return true;
        }
        let ends = ["EXEC", "DISCARD", "RESET"];
        if !ends.iter().any(|name| words[0].eq_ignore_ascii_case(name.as_bytes())) {
            return ours == real || same(words, ours, real);
        }
        let queued = std::mem::take(&mut self.queued);
        match (ours, real) {
            (Reply::Array(ours), Reply::Array(real)) => {
                let replies = ours.iter().zip(real);
                ours.len() == real.len()
                    && queued
                        .iter()
                        .zip(replies)
                        .all(|(words, (ours, real))| ours == real || same(words, ours, real))
            }
            _ => ours == real,
        }
    }
}

/// Whether a reply of redist says the same as the real server's.
fn same(words: &[Vec<u8>], ours: &Reply, real: &Reply) -> bool {
    let name = words.first().map(|name| name.to_ascii_uppercase()).unwrap_or_default();
    match &name[..] {
        // Without an order of their own.
        b"KEYS" | b"SMEMBERS" | b"SINTER" | b"SUNION" | b"SDIFF" | b"SPOP" | b"HKEYS"
        | b"HVALS" => same_items(ours, real, 1),
        b"HGETALL" => same_items(ours, real, 2),
        b"SCAN" => same_scan(words, 1, 1, ours, real) || is_unknown_type(words, ours),
        b"SSCAN" => same_scan(words, 2, 1, ours, real),
        b"HSCAN" | b"ZSCAN" => same_scan(words, 2, 2, ours, real),
        // What weighs the same, or does not weigh at all, comes in any order.
        b"SORT" | b"SORT_RO" if has(words, "BY") => match (ours, real) {
            (Reply::Array(all), Reply::Array(others)) if has(words, "LIMIT") => {
                all.len() == others.len()
            }
            _ => same_items(ours, real, 1),
        },
        // Chance decides which, not how many.
        b"RANDOMKEY" | b"SRANDMEMBER" | b"HRANDFIELD" | b"ZRANDMEMBER" => match (ours, real) {
            (Reply::Array(ours), Reply::Array(real)) => ours.len() == real.len(),
            (Reply::Bulk(_), Reply::Bulk(_)) => true,
            _ => false,
        },
        // Versions and numbers of connections.
        b"HELLO" => {
            matches!(
                (ours, real),
                (Reply::Array(_), Reply::Array(_)) | (Reply::Map(_), Reply::Map(_))
            )
        }
        b"TTL" | b"EXPIRETIME" => are_close(ours, real, CLOCK_SECONDS),
        b"PTTL" | b"PEXPIRETIME" => are_close(ours, real, CLOCK_SECONDS * 1000),
        b"OBJECT" => same_object(words, ours, real),
        // Arguments are looked at before the key since 7.4, and by us.
        b"BITCOUNT" | b"BITPOS" => {
            matches!((ours, real), (Reply::Error(_), Reply::Int(0 | -1) | Reply::Error(_)))
        }
        // 7.0 overflows.
        b"LPOS" => {
            matches!(ours, Reply::Error(text) if text.starts_with(b"ERR value is out of range, value must"))
        }
        _ if name.starts_with(b"Z") || name.starts_with(b"BZ") => same_scores(ours, real),
        _ => false,
    }
}

fn has(words: &[Vec<u8>], wanted: &str) -> bool {
    words.iter().any(|word| word.eq_ignore_ascii_case(wanted.as_bytes()))
}

fn same_items(ours: &Reply, real: &Reply, step: usize) -> bool {
    let items = |reply: &Reply| {
        let (Reply::Array(items) | Reply::Set(items) | Reply::Map(items)) = reply else {
            return None;
        };
        let texts: Vec<String> = items.iter().map(Reply::to_string).collect();
        let mut groups: Vec<String> = texts.chunks(step).map(|group| group.join(" ")).collect();
        groups.sort();
        Some(groups)
    };
    std::mem::discriminant(ours) == std::mem::discriminant(real)
        && items(ours).is_some_and(|ours| Some(ours) == items(real))
}

/// Cursors are each server's own; a count so large makes one call return everything.
fn same_scan(words: &[Vec<u8>], cursor: usize, step: usize, ours: &Reply, real: &Reply) -> bool {
    let (Reply::Array(ours), Reply::Array(real)) = (ours, real) else { return false };
    let is_whole = words[cursor] == b"0" && words.iter().any(|word| word == b"1000000");
    !is_whole || (ours[0] == real[0] && same_items(&rounded(&ours[1]), &rounded(&real[1]), step))
}

fn same_object(words: &[Vec<u8>], ours: &Reply, real: &Reply) -> bool {
    match (&words[1].to_ascii_uppercase()[..], ours, real) {
        // Redis counts references where it shares small integers, which a copy ends; we share nothing.
        (b"REFCOUNT", Reply::Int(_), Reply::Int(_)) => true,
        // Small sets and lists are listpacks since 7.2.
        (b"ENCODING", Reply::Bulk(ours), Reply::Bulk(real)) => {
            ours == b"listpack" && (real == b"hashtable" || real == b"quicklist")
        }
        _ => are_close(ours, real, CLOCK_SECONDS),
    }
}

/// Scores are printed with as few digits as tell them apart since 7.2, with 17 before.
fn same_scores(ours: &Reply, real: &Reply) -> bool {
    rounded(ours) == rounded(real)
}

/// The reply with every number in it printed in one manner.
fn rounded(reply: &Reply) -> Reply {
    let number = |text: &str| text.parse::<f64>().map(|number| number.to_string());
    let all = |items: &[Reply]| items.iter().map(rounded).collect();
    match reply {
        Reply::Bulk(bytes) => match std::str::from_utf8(bytes).map(number) {
            Ok(Ok(text)) => Reply::Bulk(text.into()),
            _ => reply.clone(),
        },
        Reply::Double(text) => number(text).map_or(reply.clone(), Reply::Double),
        Reply::Array(items) => Reply::Array(all(items)),
        Reply::Map(items) => Reply::Map(all(items)),
        other => other.clone(),
    }
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
    has(words, "TYPE") && text.starts_with(b"ERR unknown type name '")
}
