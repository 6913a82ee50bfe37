//! What calls cost as collections grow, beside redis-server's where that is installed.
//!
//! `cargo bench --bench costs` prints Markdown: microseconds for each call on collections of growing
//! sizes. Where COMMAND DOCS promises that size does not matter and it does, or where our cost grows
//! by a higher order than Redis's, the ratio of the two grows from left to right. `cargo bench --bench
//! costs -- ZRANK quick` measures the calls that contain a word, on all sizes but the largest.
//!
//! Calls are sent many at a time, so that what is measured is not the way to the server and back, and
//! of several rounds the fastest counts: anything slower was somebody else's doing.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on fails")]

mod support;

use std::time::{Duration, Instant};
use support::{Client, Measured, frame, load, print_table};

const SIZES: [usize; 3] = [1_000, 100_000, 1_000_000];
/// Elements that one command adds to a collection.
const TOGETHER: usize = 100;
const ROUNDS: usize = 15;
/// How long one round takes at most, about, and how many calls it sends at most.
const ROUND: Duration = Duration::from_millis(10);
const ROUND_CALLS: usize = 500;
/// Steps of a walk whose cursors are used in turn.
const WALK_STEPS: usize = 200;

/// The collections: the words before the elements, the words of the element with number `{i}`.
/// The first ones are small whatever the size.
const COLLECTIONS: &[(&str, &str)] = &[
    ("RPUSH list", "e{i}"),
    ("SADD set", "m{i}"),
    ("HSET hash", "f{i} value:{i}"),
    ("ZADD sorted", "{i} m{i}"),
    ("ZADD lex", "0 m{i}"),
    ("GEOADD geo", "{longitude} {latitude} m{i}"),
    ("MSET", "key:{i} value:{i}"),
];

const SMALL: &[&str] = &[
    "SADD small m1 m2 m3 m4 x",
    "ZADD smallsorted 1 m1 2 m2 3 m3 4 m4 5 x",
    "SETBIT text {bits} 1",
];

/// Calls as one would type them; those that `;` separates are counted as one, so that a collection
/// keeps its size. `{any}` is any of its numbers, `{fresh}` none of them and the same in one call,
/// `{cursor}` one that a walk with this call gave.
const CALLS: &[&str] = &[
    "LINDEX list {near}",
    "LINDEX list {middle}",
    "LINDEX list -{near}",
    "LSET list {middle} e{middle}",
    "LRANGE list {middle} {middle9}",
    "LINSERT list BEFORE e{near} x; LREM list 1 x",
    "LINSERT list BEFORE e{middle} x; LREM list 1 x",
    "RPUSH list x; LREM list -1 x",
    "LPUSH list x; LPOP list",
    "RPUSH list x y z; LTRIM list 0 -4",
    "LPOS list e{near}",
    "LPOS list e{middle}",
    // Turns the list, so this has to be the last one.
    "RPOPLPUSH list list",
    "SISMEMBER set m{any}",
    "SADD set x{fresh}; SREM set x{fresh}",
    "SRANDMEMBER set",
    "SRANDMEMBER set 10",
    "SRANDMEMBER set -10",
    "SADD set a{fresh} b{fresh} c{fresh} d{fresh}; SPOP set 4",
    "SSCAN set {cursor}",
    "SINTER small set",
    "SINTERCARD 2 set small LIMIT 1",
    "SDIFF small set",
    "HGET hash f{any}",
    "HSET hash x{fresh} v; HDEL hash x{fresh}",
    "HRANDFIELD hash",
    "HRANDFIELD hash 10",
    "HRANDFIELD hash -10",
    "HSCAN hash {cursor}",
    "HPEXPIRE hash 1000000 FIELDS 1 f{any}; HPERSIST hash FIELDS 1 f{any}",
    "ZSCORE sorted m{any}",
    "ZADD sorted {any} x{fresh}; ZREM sorted x{fresh}",
    "ZINCRBY sorted 0.5 m{any}",
    "ZRANK sorted m{any}",
    "ZREVRANK sorted m{any}",
    "ZRANGE sorted {middle} {middle9}",
    "ZRANGE sorted {middle} {middle9} REV",
    "ZRANGE sorted {any} +inf BYSCORE LIMIT 0 10",
    "ZRANGE lex [m{any} + BYLEX LIMIT 0 10",
    "ZCOUNT sorted {near} {middle}",
    "ZLEXCOUNT lex - [m{any}",
    "ZADD sorted -1 x{fresh}; ZPOPMIN sorted",
    "ZADD sorted {any}.5 x{fresh}; ZREMRANGEBYSCORE sorted {any}.5 {any}.5",
    "ZRANDMEMBER sorted",
    "ZRANDMEMBER sorted 10",
    "ZRANDMEMBER sorted -10",
    "ZSCAN sorted {cursor}",
    "ZINTER 2 smallsorted sorted",
    "ZINTERCARD 2 sorted smallsorted LIMIT 1",
    "ZDIFF 2 smallsorted sorted",
    "GEODIST geo m{any} m{near}",
    "GEOSEARCH geo FROMMEMBER m{any} BYRADIUS 1 km",
    "GEOSEARCH geo FROMMEMBER m{any} BYRADIUS 20000 km COUNT 10 ANY",
    "GETRANGE text {middle} {middle9}",
    "SETRANGE text {middle} x",
    "GETBIT text {any}",
    "BITFIELD text INCRBY u8 {any} 1",
    "GET key:{any}",
    "SET key:{any} v",
    "SET key:{any} v PX 100000000",
    "RANDOMKEY",
    "DBSIZE",
    "SCAN {cursor}",
    "MEMORY USAGE list",
    "MEMORY USAGE set",
    "MEMORY USAGE hash",
    "MEMORY USAGE sorted",
    "OBJECT ENCODING list",
];

/// One server and what a call needs to know of it.
struct Side {
    server: Measured,
    client: Client,
    rng: fastrand::Rng,
    size: usize,
    /// Numbers handed out so far that are no element's.
    fresh: usize,
    cursors: Vec<String>,
}

impl Side {
    fn new(server: Measured) -> Self {
        let client = server.client();
        let rng = fastrand::Rng::with_seed(1);
        Self { server, client, rng, size: 0, fresh: 0, cursors: Vec::new() }
    }

    fn fill(&mut self, size: usize) {
        self.size = size;
        self.client.ask("FLUSHALL");
        for line in SMALL {
            let request = self.request(line);
            load(&mut self.client, std::iter::once(request));
        }
        for (start, element) in COLLECTIONS {
            let rng = &mut self.rng;
            let requests = (0..size).step_by(TOGETHER).map(|first| {
                let mut words: Vec<String> = start.split(' ').map(str::to_owned).collect();
                for number in first..first + TOGETHER {
                    let line = element
                        .replace("{i}", &number.to_string())
                        .replace("{longitude}", &(rng.f64() * 360.0 - 180.0).to_string())
                        .replace("{latitude}", &(rng.f64() * 170.0 - 85.0).to_string());
                    words.extend(line.split(' ').map(str::to_owned));
                }
                frame(&words)
            });
            load(&mut self.client, requests);
        }
    }

    /// A request with all its placeholders filled in.
    fn request(&mut self, line: &str) -> Vec<u8> {
        let any = self.rng.usize(..self.size);
        let filled = self.filled(line, any);
        frame(&filled.split(' ').collect::<Vec<_>>())
    }

    fn filled(&mut self, line: &str, any: usize) -> String {
        let middle = self.size / 2;
        let mut line = line
            .replace("{near}", "10")
            .replace("{middle}", &middle.to_string())
            .replace("{middle9}", &(middle + 9).to_string())
            .replace("{bits}", &(8 * self.size).to_string())
            .replace("{any}", &any.to_string())
            .replace("{fresh}", &self.fresh.to_string());
        if line.contains("{cursor}") {
            let at = self.rng.usize(..self.cursors.len());
            line = line.replace("{cursor}", &self.cursors[at]);
        }
        line
    }

    /// The requests of one call.
    fn call(&mut self, call: &str) -> Vec<u8> {
        self.fresh += 1;
        let any = self.rng.usize(..self.size);
        let filled = self.filled(call, any);
        filled.split("; ").flat_map(|line| frame(&line.split(' ').collect::<Vec<_>>())).collect()
    }

    /// Walks for the cursors that a call needs; whether the server knows the call at all.
    fn prepare(&mut self, call: &str) -> bool {
        if call.contains("{cursor}") {
            self.cursors = vec!["0".to_owned()];
            while self.cursors.len() < WALK_STEPS {
                let last = self.cursors.last().unwrap().clone();
                let line = call.replace("{cursor}", &last);
                let reply = self.client.ask(&line);
                let cursor = reply.split('\'').nth(1).unwrap().to_owned();
                if cursor == "0" {
                    break;
                }
                self.cursors.push(cursor);
            }
        }
        let requests = self.call(call);
        self.client.send(&requests).unwrap();
        let replies: Vec<String> =
            call.split("; ").map(|_| self.client.read().unwrap().to_string()).collect();
        let unknown = replies.iter().any(|reply| reply.starts_with("-ERR unknown command"));
        assert!(unknown || replies.iter().all(|reply| !reply.starts_with('-')), "{replies:?}");
        !unknown
    }

    /// Microseconds for one of so many calls.
    fn time(&mut self, call: &str, count: usize) -> f64 {
        let requests: Vec<u8> = (0..count).flat_map(|_| self.call(call)).collect();
        let started = Instant::now();
        self.client.send(&requests).unwrap();
        for _ in 0..count * call.split("; ").count() {
            self.client.read().unwrap();
        }
        started.elapsed().as_secs_f64() * 1e6 / count as f64
    }
}

/// Microseconds for one call on either side; nothing where the command is not known.
fn measure(sides: &mut [Side], call: &str) -> Vec<Option<f64>> {
    let counts: Vec<usize> = sides
        .iter_mut()
        .map(|side| {
            if !side.prepare(call) {
                return 0;
            }
            let estimate = side.time(call, 1).min(side.time(call, 1));
            ((ROUND.as_micros() as f64 / estimate) as usize * 10).clamp(1, ROUND_CALLS)
        })
        .collect();
    let mut fastest = vec![None; sides.len()];
    for _ in 0..ROUNDS {
        for ((side, count), fastest) in sides.iter_mut().zip(&counts).zip(&mut fastest) {
            if *count > 0 {
                let micros = side.time(call, *count);
                *fastest = Some(fastest.map_or(micros, |fastest: f64| fastest.min(micros)));
            }
        }
    }
    fastest
}

/// What COMMAND DOCS says of the first command of a call, without the explanation.
fn complexity(call: &str) -> &'static str {
    let mut words = call.split(' ');
    let (name, next) = (words.next().unwrap(), words.next());
    let row = redist::command::all()
        .filter(|row| match row.container {
            None => row.spec.name == name,
            Some(container) => container.name == name && Some(row.spec.name) == next,
        })
        .last()
        .unwrap_or_else(|| panic!("{name} is a command"));
    let text = row.spec.complexity;
    let text = &text[text.find("O(").unwrap_or(0)..];
    let mut depth = 0;
    let end = text.find(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth == 0 && c == ')'
    });
    end.map_or(text, |end| &text[..=end])
}

fn main() {
    let words: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let quick = words.iter().any(|word| word == "quick");
    let sizes = if quick { &SIZES[..SIZES.len() - 1] } else { &SIZES[..] };
    let wanted: Vec<&String> = words.iter().filter(|word| *word != "quick").collect();
    let calls: Vec<&str> = CALLS
        .iter()
        .filter(|call| wanted.is_empty() || wanted.iter().any(|word| call.contains(*word)))
        .copied()
        .collect();
    let mut sides: Vec<Side> = [Some(Measured::redist()), Measured::redis()]
        .into_iter()
        .flatten()
        .map(Side::new)
        .collect();
    // For each size and each call what each side took.
    let mut costs = Vec::new();
    for size in sizes {
        sides.iter_mut().for_each(|side| side.fill(*size));
        costs.push(calls.iter().map(|call| measure(&mut sides, call)).collect::<Vec<_>>());
    }
    report(&sides, sizes, &calls, &costs);
}

fn report(sides: &[Side], sizes: &[usize], calls: &[&str], costs: &[Vec<Vec<Option<f64>>>]) {
    let names: Vec<&str> = sides.iter().map(|side| side.server.name).collect();
    println!("\nMicroseconds for each call, {}, and their ratio:\n", names.join(" / "));
    let mut head = vec!["call".to_owned(), "COMMAND DOCS".to_owned()];
    head.extend(sizes.iter().map(|size| format!("{size} elements")));
    head.push("growth of the ratio".to_owned());
    let rows: Vec<Vec<String>> = calls
        .iter()
        .enumerate()
        .map(|(index, call)| {
            let costs: Vec<&[Option<f64>]> = costs.iter().map(|size| &size[index][..]).collect();
            let mut row = vec![format!("`{call}`"), complexity(call).to_owned()];
            row.extend(costs.iter().map(|sides| cell(sides)));
            let ratios: Vec<f64> = costs.iter().filter_map(|sides| ratio(sides)).collect();
            let growth = match (ratios.first(), ratios.last()) {
                (Some(first), Some(last)) => format!("{:.1}", last / first),
                _ => "–".to_owned(),
            };
            row.push(growth);
            row
        })
        .collect();
    print_table(&head.iter().map(String::as_str).collect::<Vec<_>>(), &rows);
}

fn cell(sides: &[Option<f64>]) -> String {
    let costs: Vec<String> = sides
        .iter()
        .map(|cost| cost.map_or("–".to_owned(), |micros| format!("{micros:.2}")))
        .collect();
    let ratio = ratio(sides).map_or(String::new(), |ratio| format!(", {ratio:.1}"));
    format!("{}{ratio}", costs.join(" / "))
}

fn ratio(sides: &[Option<f64>]) -> Option<f64> {
    match sides {
        [Some(ours), Some(theirs)] => Some(ours / theirs),
        _ => None,
    }
}
