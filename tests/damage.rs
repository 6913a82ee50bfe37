//! Damaged data at random: bits flipped, bytes cut and inserted, lengths forged, in payloads of DUMP and in
//! files. Never a panic, a hang, or memory by a claimed length; and what is taken can be worked with.
//!
//! `REDIST_FUZZ_MUTATIONS=100000` tries more, `REDIST_FUZZ_SEED` others; a failure shows its bytes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use redist::Server;
use redist::persist::{Content, Loader, Survey, dump, restore};
use redist::value::stream::StreamId;
use redist::value::{Element, EncodingLimits, End, Value};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use support::client::Client;
use support::reply::Reply;

/// Mutations of payloads in a usual run; of files there are fewer, since they are longer.
const MUTATIONS: usize = 4000;
const MUTATIONS_PER_FILE_MUTATION: usize = 10;
/// What a process may grow by, as address space: the inputs have less than a hundred kilobytes, of which
/// each compressed byte may stand for 88; the threads of all tests together reserve some hundred
/// megabytes. A forged length that is believed is more than all of this.
const GROWTH_BYTES_MAX: u64 = 2 << 30;

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().expect(name))
}

fn mutations() -> usize {
    number("REDIST_FUZZ_MUTATIONS", MUTATIONS)
}

fn rng() -> fastrand::Rng {
    fastrand::Rng::with_seed(number("REDIST_FUZZ_SEED", 1) as u64)
}

/// Bodies of the payloads in `data/payloads.txt`, without footers.
fn bodies() -> Vec<Vec<u8>> {
    let lines = include_str!("data/payloads.txt").lines();
    let payloads = lines.filter(|line| !line.starts_with('#')).filter_map(|line| {
        let (_, digits) = line.rsplit_once(" | ")?;
        Some(digits.as_bytes().chunks(2).map(hex_byte).collect::<Vec<u8>>())
    });
    let bodies: Vec<_> = payloads.map(|payload| payload[..payload.len() - 10].to_vec()).collect();
    assert!(bodies.len() > 50);
    bodies
}

fn hex_byte(digits: &[u8]) -> u8 {
    u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

static CHECKSUM: crc::Crc<u64> = crc::Crc::<u64>::new(&crc::CRC_64_REDIS);

fn sealed(body: &[u8]) -> Vec<u8> {
    let mut payload = [body, &[12, 0]].concat();
    payload.extend_from_slice(&CHECKSUM.checksum(&payload).to_le_bytes());
    payload
}

/// Bytes that mean something: ends, kinds of lengths, of integers, of strings.
const TELLING: &[u8] = &[
    0, 1, 2, 0x3f, 0x40, 0x7f, 0x80, 0x81, 0xbf, 0xc0, 0xc1, 0xc2, 0xc3, 0xd0, 0xe0, 0xf0, 0xf1,
    0xf4, 0xfd, 0xfe, 0xff,
];

/// Damages bytes in a few places.
fn mutate(bytes: &mut Vec<u8>, others: &[Vec<u8>], rng: &mut fastrand::Rng) {
    for _ in 0..rng.usize(1..4) {
        let length = bytes.len();
        if length == 0 {
            return;
        }
        // The first bytes decide most.
        let at = if rng.u8(..3) == 0 { rng.usize(..length.min(24)) } else { rng.usize(..length) };
        match rng.u8(..9) {
            0 | 1 => bytes[at] ^= 1 << rng.u8(..8),
            2 => bytes[at] = TELLING[rng.usize(..TELLING.len())],
            3 => bytes[at] = rng.u8(..),
            4 => bytes.truncate(at),
            5 => {
                let count = rng.usize(1..9).min(length - at);
                bytes.drain(at..at + count);
            }
            6 => {
                let piece: Vec<u8> = (0..rng.usize(1..9)).map(|_| rng.u8(..)).collect();
                bytes.splice(at..at, piece);
            }
            7 => forge_length(bytes, at, rng),
            _ => {
                let other = &others[rng.usize(..others.len())];
                let from = rng.usize(..other.len());
                bytes.splice(at.., other[from..].iter().copied());
            }
        }
    }
}

/// Puts a length in place of a byte, or over four in the order of either kind of pack.
fn forge_length(bytes: &mut Vec<u8>, at: usize, rng: &mut fastrand::Rng) {
    let claimed = match rng.u8(..4) {
        0 => u32::MAX,
        1 => i32::MAX as u32,
        2 => rng.u32(..),
        _ => rng.u32(..100_000),
    };
    match rng.u8(..4) {
        0 => {
            bytes.splice(at..=at, [&[0x80][..], &claimed.to_be_bytes()].concat());
        }
        1 => {
            let huge = (u64::from(claimed) << 32 | u64::from(rng.u32(..))).to_be_bytes();
            bytes.splice(at..=at, [&[0x81][..], &huge].concat());
        }
        _ => {
            let end = bytes.len().min(at + 4);
            bytes.splice(at..end, claimed.to_le_bytes());
        }
    }
}

/// Walks through all that a value has, from both ends where it has two.
fn look_through(value: &Value) -> usize {
    let length = |element: Element<'_>| element.bytes().len();
    match value.as_ref() {
        redist::value::ValueRef::String(string) => string.bytes().len(),
        redist::value::ValueRef::List(list) => {
            assert_eq!(list.iter(End::Left).count(), list.len());
            assert_eq!(list.iter(End::Right).count(), list.len());
            list.iter(End::Left).map(length).sum()
        }
        redist::value::ValueRef::Set(set) => set.iter().map(length).sum(),
        redist::value::ValueRef::SortedSet(set) => {
            assert_eq!(set.iter_back_from(set.len()).count(), set.len());
            set.iter_from(0).map(|(member, _)| member.len()).sum()
        }
        redist::value::ValueRef::Hash(hash) => {
            assert_eq!(hash.iter_stored().count(), hash.len());
            hash.iter().map(|(field, value)| length(field) + length(value)).sum()
        }
        redist::value::ValueRef::Stream(stream) => {
            let all = || stream.entries(StreamId::MIN, StreamId::MAX);
            assert_eq!((all().count(), all().rev().count()), (stream.len(), stream.len()));
            let waiting = stream.groups.values().map(|group| {
                let of_consumers = group.consumers().map(|consumer| consumer.pending().len());
                assert_eq!(of_consumers.sum::<usize>(), group.pending().len());
                group.pending().len()
            });
            let waiting = waiting.sum::<usize>();
            let words = all().flat_map(|entry| entry.fields);
            waiting + words.map(|(name, value)| length(name) + length(value)).sum::<usize>()
        }
    }
}

fn digest(value: &Value) -> String {
    let mut survey = Survey::default();
    survey.add(0, b"k", value.as_ref(), false);
    survey.fingerprint().to_string()
}

/// Runs a check and shows the bytes if it panics.
fn show_if_it_fails(bytes: &[u8], check: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(check)).is_err() {
        panic!("with these bytes: {}", hex(bytes));
    }
}

/// The most address space that this process has had, where the system tells.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmPeak:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

fn assert_growth_is_bounded(before: Option<u64>) {
    if let (Some(before), Some(after)) = (before, peak_bytes()) {
        let growth = after - before;
        assert!(growth <= GROWTH_BYTES_MAX, "address space has grown by {growth} bytes");
    }
}

#[test]
fn damaged_payloads_are_refused_or_hold_a_value() {
    let (bodies, mut rng, before) = (bodies(), rng(), peak_bytes());
    let limits = EncodingLimits::default();
    let mut taken = 0;
    for _ in 0..mutations() {
        let mut body = bodies[rng.usize(..bodies.len())].clone();
        mutate(&mut body, &bodies, &mut rng);
        let payload = sealed(&body);
        show_if_it_fails(&body, || {
            let Ok(value) = restore(&payload, limits, usize::MAX) else { return };
            taken += 1;
            look_through(&value);
            // It is the same after another journey.
            let again = restore(&dump(value.as_ref(), true), limits, usize::MAX).unwrap();
            assert_eq!(digest(&again), digest(&value));
        });
    }
    assert!(taken > mutations() / 50, "only {taken} were taken: the mutations are too coarse");
    assert_growth_is_bounded(before);
}

/// Commands that look through a key, and change it in every place.
const REQUESTS: &[&str] = &[
    "OBJECT ENCODING k",
    "TYPE k",
    "STRLEN k",
    "APPEND k x",
    "SETRANGE k 3 y",
    "LLEN k",
    "LRANGE k 0 -1",
    "LPOS k a RANK -1",
    "LREM k -1 element:2",
    "LSET k 0 first",
    "LINSERT k AFTER first second",
    "LTRIM k 1 -2",
    "RPOP k 2",
    "LPUSH k new",
    "SCARD k",
    "SMEMBERS k",
    "SISMEMBER k 5",
    "SADD k 77 new",
    "SREM k a 1 77",
    "SPOP k 2",
    "ZCARD k",
    "ZRANGE k 0 -1 WITHSCORES",
    "ZREVRANGE k 0 -1",
    "ZADD k 1.5 new 2 a",
    "ZRANK k new",
    "ZPOPMIN k 2",
    "ZREMRANGEBYRANK k 0 1",
    "HLEN k",
    "HGETALL k",
    "HSET k new value f1 other",
    "HINCRBY k n 5",
    "HTTL k FIELDS 2 f1 f2",
    "HEXPIRE k 100 FIELDS 2 f1 new",
    "HDEL k f1 5 new",
    "PFCOUNT k",
    "COPY k copy REPLACE",
    "DEBUG DIGEST-VALUE k copy",
    "DUMP k",
];

#[test]
fn what_a_server_takes_can_be_worked_with_and_what_it_refuses_leaves_the_key() {
    let server = Server::builder().port(0).directive("enable-debug-command", "yes").unwrap();
    let server = server.start().unwrap();
    let mut client = Client::connect(server.addr());
    let (bodies, mut rng) = (bodies(), rng());
    for _ in 0..mutations() / MUTATIONS_PER_FILE_MUTATION {
        let mut body = bodies[rng.usize(..bodies.len())].clone();
        mutate(&mut body, &bodies, &mut rng);
        client.ask("SET k former");
        let request: [&[u8]; 5] = [b"RESTORE", b"k", b"0", &sealed(&body), b"REPLACE"];
        let reply = client.request(&request).unwrap();
        if reply.to_string() == "-ERR Bad data format" {
            assert_eq!(client.ask("GET k"), "'former'");
            continue;
        }
        assert_eq!(reply.to_string(), "+OK", "{}", hex(&body));
        for request in REQUESTS {
            let words: Vec<&str> = request.split(' ').collect();
            let reply = client.request(&words);
            let is_reply = matches!(&reply, Ok(reply) if *reply != Reply::Closed);
            assert!(is_reply, "{request} is answered {reply:?}: {}", hex(&body));
        }
    }
    server.stop().unwrap();
}

fn files() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/rdb");
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|name| name.extension().is_some_and(|extension| extension == "rdb"));
    names.sort();
    let mut files: Vec<Vec<u8>> = names.iter().map(|name| std::fs::read(name).unwrap()).collect();
    // And one with every payload.
    let mut file = b"REDIS0012\xfa\x09redis-ver\x057.2.7\xfe\x00\xfb\x3c\x00".to_vec();
    for (index, body) in bodies().iter().enumerate() {
        let (kind, value) = body.split_first().unwrap();
        file.extend_from_slice(&[0xfc, 0, 0, 0, 0, 0, 1, 0, 0, 0xf8, 5, *kind]);
        file.extend_from_slice(format!("\x06key:{index:02}").as_bytes());
        file.extend_from_slice(value);
    }
    file.push(0xff);
    files.push(file);
    files
}

#[test]
fn damaged_files_are_refused_or_loaded() {
    let (files, mut rng, before) = (files(), rng(), peak_bytes());
    for round in 0..mutations() / MUTATIONS_PER_FILE_MUTATION {
        let mut bytes = files[rng.usize(..files.len())].clone();
        mutate(&mut bytes, &files, &mut rng);
        // Without a checksum, so that it does not stand in the way.
        if bytes.last() == Some(&0xff) || round % 2 == 0 {
            bytes.extend_from_slice(&[0; 8]);
        }
        show_if_it_fails(&bytes, || {
            // Both what is known to have a length and what is not, which is read in another way.
            for length in [Some(bytes.len() as u64), None] {
                let loader = Loader::new(&*bytes, length, EncodingLimits::default());
                let Ok(loader) = loader else { continue };
                for record in loader.passing_over_foreign() {
                    match record.map(|record| record.content) {
                        Ok(Content::Value(value)) => drop(look_through(&value)),
                        Ok(Content::Empty | Content::Foreign(_)) => {}
                        Err(error) => assert!(error.offset() <= bytes.len() as u64),
                    }
                }
            }
        });
    }
    assert_growth_is_bounded(before);
}
