//! DUMP and RESTORE between redist and the real server: every type in every size class, both ways.

mod support;

use redist::Server;
use support::client::Client;
use support::peer::RealRedis;
use support::reply::Reply;

/// A key with the requests that make it.
struct Sample {
    key: String,
    requests: Vec<Vec<Vec<u8>>>,
    /// Whether both servers have one encoding and one order for it, so that its bytes are equal.
    is_alike: bool,
}

impl Sample {
    fn new(key: String, words: Vec<Vec<u8>>, is_alike: bool) -> Self {
        let (command, elements) = words.split_first().expect("a command");
        // Long requests in pieces, of which each has whole pairs.
        let request = |part: &[Vec<u8>]| [&[command.clone(), key.clone().into()], part].concat();
        let requests = elements.chunks(200).map(request).collect();
        Self { key, requests, is_alike }
    }
}

fn word(rng: &mut fastrand::Rng, length: usize) -> Vec<u8> {
    let alphabet = if rng.bool() { b'a'..=b'd' } else { 0..=255 };
    (0..length).map(|_| rng.u8(alphabet.clone())).collect()
}

/// Something short, something long, or a number.
fn element(rng: &mut fastrand::Rng) -> Vec<u8> {
    match rng.u8(..8) {
        0 => rng.i64(-200..200).to_string().into_bytes(),
        1 => (rng.i64(..) >> rng.u32(..63)).to_string().into_bytes(),
        2 => {
            let length = rng.usize(..80);
            word(rng, length)
        }
        _ => format!("element:{}", rng.u32(..100_000)).into_bytes(),
    }
}

/// A stream with entries of all kinds, of which some were deleted or trimmed.
fn stream(rng: &mut fastrand::Rng, key: String) -> Sample {
    let request = |words: &[&[u8]]| {
        let words = [words[0], key.as_bytes()].into_iter().chain(words[1..].iter().copied());
        words.map(<[u8]>::to_vec).collect::<Vec<_>>()
    };
    let (mut requests, mut ids) = (Vec::new(), Vec::<String>::new());
    let (mut ms, mut sequence) = (rng.u64(..1 << 40), 0);
    for _ in 0..rng.usize(1..300) {
        let (name, value) = (element(rng), element(rng));
        sequence += 1;
        if rng.u8(..3) == 0 {
            (ms, sequence) = (ms + rng.u64(1..100_000), rng.u64(..100));
        }
        let id = format!("{ms}-{sequence}");
        ids.push(id.clone());
        let last = &ids[rng.usize(..ids.len())];
        let kept = rng.u32(..300).to_string();
        requests.push(match rng.u8(..12) {
            0 => request(&[b"XADD", id.as_bytes(), &name, &value, b"other", &name]),
            1 | 2 => request(&[b"XADD", id.as_bytes(), &name, &value]),
            3 => request(&[b"XDEL", last.as_bytes()]),
            4 => request(&[b"XADD", b"MAXLEN", kept.as_bytes(), id.as_bytes(), b"a", &value]),
            5 => request(&[b"XTRIM", b"MINID", b"~", last.as_bytes()]),
            _ => request(&[b"XADD", id.as_bytes(), b"a", &value, b"b", &name]),
        });
    }
    Sample { key, requests, is_alike: true }
}

fn samples(rng: &mut fastrand::Rng) -> Vec<Sample> {
    let mut samples = Vec::new();
    let mut add = |name: &str, command: &str, elements: Vec<Vec<u8>>, is_alike| {
        let key = format!("{name}:{}", samples.len());
        let words = [vec![command.as_bytes().to_vec()], elements].concat();
        samples.push(Sample::new(key, words, is_alike));
    };
    for length in [0, 1, 11, 20, 21, 44, 63, 64, 100, 300, 5000, 16_383, 16_384, 100_000] {
        for _ in 0..3 {
            add("string", "SET", vec![word(rng, length)], true);
        }
    }
    for number in [0, -1, 127, 128, -129, 40_000, i64::from(i32::MAX), 1 << 31, i64::MIN] {
        add("number", "SET", vec![number.to_string().into()], true);
    }
    for count in [1, 2, 10, 60, 128, 129, 512, 513, 3000] {
        let mut many = || (0..count).map(|_| element(rng)).collect::<Vec<_>>();
        // The first node of a long list is filled up to its very limit since 7.2.
        add("list", "RPUSH", many(), count < 500);
        add("list", "LPUSH", many(), count < 500);
        // In tables of elements each server has an order of its own.
        add("set", "SADD", many(), false);
        let (first, second) = (many(), many());
        let pairs = |first: Vec<Vec<u8>>, second: Vec<Vec<u8>>| {
            first.into_iter().zip(second).flat_map(|(a, b)| [a, b]).collect::<Vec<_>>()
        };
        let is_short = first.iter().chain(&second).all(|text| text.len() <= 64);
        add("hash", "HSET", pairs(first, second), count <= 512 && is_short);
        let members = many();
        let whole = (0..count).map(|_| rng.i32(-50..50).to_string().into_bytes()).collect();
        add("zset", "ZADD", pairs(whole, members.clone()), true);
        let halves = (0..count).map(|_| (rng.f64() - 0.5).to_string().into_bytes()).collect();
        // Scores have 17 digits in a listpack of 7.0, and as many as they need in ours.
        let is_large = count > 128 || members.iter().any(|member| member.len() > 64);
        add("zset", "ZADD", pairs(halves, members), is_large);
        let ints = (0..count).map(|_| (rng.i64(..) >> rng.u32(..60)).to_string().into_bytes());
        add("ints", "SADD", ints.collect(), count <= 512);
    }
    // Such long elements are nodes by themselves since 7.2.
    add("list", "RPUSH", vec![word(rng, 9000), b"a".to_vec(), word(rng, 20_000)], false);
    add("hyperloglog", "PFADD", (0..50).map(|_| element(rng)).collect(), true);
    add("hyperloglog", "PFADD", (0..5000).map(|_| element(rng)).collect(), true);
    samples.extend((0..30).map(|number| stream(rng, format!("stream:{number}"))));
    samples
}

fn bulk(reply: Reply, key: &str) -> Vec<u8> {
    match reply {
        Reply::Bulk(bytes) => bytes,
        other => panic!("{key}: {other}"),
    }
}

fn ask(client: &mut Client, words: &[&[u8]]) -> Reply {
    client.request(words).expect("a reply")
}

/// The payload of a key that is stored here, restored there under the same name.
fn carry(from: &mut Client, to: &mut Client, key: &str) -> Vec<u8> {
    let payload = bulk(ask(from, &[b"DUMP", key.as_bytes()]), key);
    let restored = ask(to, &[b"RESTORE", key.as_bytes(), b"0", &payload, b"REPLACE"]);
    assert_eq!(restored.to_string(), "+OK", "{key}");
    payload
}

#[test]
fn payloads_cross_between_both_servers() {
    let Some(real) = RealRedis::start(&[]) else { return };
    let builder = Server::builder().port(0).directive("enable-debug-command", "yes");
    let ours = builder.expect("a directive").start().expect("a server starts");
    let (mut ours, mut real) = (Client::connect(ours.addr()), Client::connect(real.address()));
    for sample in samples(&mut fastrand::Rng::with_seed(1)) {
        let Sample { key, requests, is_alike } = sample;
        for request in &requests {
            for client in [&mut ours, &mut real] {
                let reply = client.request(request).expect("a reply");
                assert!(!matches!(reply, Reply::Error(_)), "{key}: {reply}");
            }
        }
        let digest = |client: &mut Client| {
            ask(client, &[b"DEBUG", b"DIGEST-VALUE", key.as_bytes()]).to_string()
        };
        let expected = digest(&mut real);
        assert_eq!(digest(&mut ours), expected, "{key}: what was stored");
        let our_payload = bulk(ask(&mut ours, &[b"DUMP", key.as_bytes()]), &key);
        let real_payload = carry(&mut real, &mut ours, &key);
        assert_eq!(digest(&mut ours), expected, "{key}: carried to redist");
        carry(&mut ours, &mut real, &key);
        assert_eq!(digest(&mut real), expected, "{key}: and back");
        if is_alike {
            assert_eq!(our_payload, real_payload, "{key}");
        }
    }
    assert_eq!(ours.ask("DEBUG DIGEST"), real.ask("DEBUG DIGEST"));
}
