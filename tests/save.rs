//! Saving: that what is written is one moment, that Redis reads it, and that no end of the program
//! leaves half of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use redist::persist::{Content, Loader, Record};
use redist::value::EncodingLimits;
use redist::{Builder, Server};
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use support::client::{Client, frame, load};
use support::peer::{Folder, RealRedis};
use support::program::{Program, command};
use support::reply::Reply;
use support::watch::eventually;

fn builder(folder: &Path) -> Builder {
    let folder = folder.to_str().unwrap();
    Server::builder()
        .port(0)
        .directive("dir", folder)
        .and_then(|builder| builder.directive("enable-debug-command", "yes"))
        .unwrap()
        .keeps_snapshot()
}

/// Keys of every type, in compact and large forms, some with deadlines, in several databases.
fn fill(client: &mut Client, rng: &mut fastrand::Rng) {
    for db in [0, 3, 15] {
        client.ask(&format!("SELECT {db}"));
        for number in 0..200 {
            let key = format!("key:{number}");
            let size = if number % 20 == 0 { 600 } else { rng.usize(1..12) };
            let mut words = match number % 6 {
                0 => vec!["RPUSH".to_owned(), key.clone()],
                1 => vec!["SADD".to_owned(), key.clone()],
                2 => vec!["HSET".to_owned(), key.clone()],
                3 => vec!["ZADD".to_owned(), key.clone()],
                4 => vec!["SET".to_owned(), key.clone(), "x".repeat(rng.usize(0..300))],
                _ => vec!["SADD".to_owned(), key.clone()],
            };
            for element in 0..size {
                let text = format!("{}{element}", "e".repeat(rng.usize(0..90)));
                match number % 6 {
                    0 | 1 => words.push(text),
                    2 => words.extend([text, rng.i32(..).to_string()]),
                    3 => words.extend([format!("{}", rng.f64() * 1000.0), text]),
                    4 => {}
                    _ => words.push(rng.i16(..).to_string()),
                }
            }
            assert!(!matches!(client.request(&words).unwrap(), Reply::Error(_)), "{words:?}");
            if rng.bool() {
                client.ask(&format!("EXPIRE {key} 100000"));
            }
        }
    }
    client.ask("SELECT 0");
}

#[test]
fn what_is_saved_is_the_same_everywhere() {
    let (ours, theirs) = (Folder::new(), Folder::new());
    let server = builder(ours.path()).start().unwrap();
    let mut client = Client::connect(server.addr());
    fill(&mut client, &mut fastrand::Rng::with_seed(1));
    let digest = client.ask("DEBUG DIGEST");
    assert!(digest.len() > 40 && !digest.contains("0000000000"), "{digest}");
    assert_eq!(client.ask("DEBUG RELOAD"), "+OK");
    assert_eq!(client.ask("DEBUG DIGEST"), digest);
    assert_eq!(client.ask("SAVE"), "+OK");
    let path = |folder: &Folder| folder.path().to_str().unwrap().to_owned();
    let start_real = |folder: &Folder| {
        let setting = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        RealRedis::start(&[
            setting("dir", &path(folder)),
            setting("enable-debug-command", "yes"),
            setting("enable-protected-configs", "yes"),
            setting("save", ""),
        ])
    };
    // Redis reads our file.
    let Some(real) = start_real(&ours) else { return };
    let mut other = Client::connect(real.address());
    assert_eq!(other.ask("DEBUG DIGEST"), digest);
    // And we read the one that it makes of it.
    assert_eq!(other.ask(&format!("CONFIG SET dir {}", path(&theirs))), "+OK");
    assert_eq!(other.ask("SAVE"), "+OK");
    let reader = builder(theirs.path()).start().unwrap();
    assert_eq!(Client::connect(reader.addr()).ask("DEBUG DIGEST"), digest);
}

#[test]
fn a_stop_saves_and_a_start_brings_it_back() {
    let folder = Folder::new();
    let server = builder(folder.path()).start().unwrap();
    let mut client = Client::connect(server.addr());
    client.ask("SET k v");
    server.stop().unwrap();
    let server = builder(folder.path()).start().unwrap();
    assert_eq!(Client::connect(server.addr()).ask("GET k"), "'v'");
    // Without save points a stop leaves the file as it is.
    let mut client = Client::connect(server.addr());
    client.ask("CONFIG SET save \"\"");
    client.ask("SET k w");
    server.stop().unwrap();
    let server = builder(folder.path()).start().unwrap();
    assert_eq!(Client::connect(server.addr()).ask("GET k"), "'v'");
}

/// Writes what only a snapshot of one moment holds in order, until told to stop: both keys of a pair change
/// together, both sums too, and of a writer's two steps the first is ahead by one at most.
fn write_in_order(client: &mut Client, writer: u64, pairs: usize, done: &AtomicBool) {
    let mut rng = fastrand::Rng::with_seed(writer);
    for round in 0.. {
        if done.load(Ordering::Relaxed) {
            return;
        }
        let pair = rng.usize(..pairs);
        let value = format!("{writer}:{round}");
        let lines = [
            format!("MSET first:{pair} {value} second:{pair} {value}"),
            "MULTI".to_owned(),
            "INCR sum:a".to_owned(),
            "INCR sum:b".to_owned(),
            "EXEC".to_owned(),
            format!("INCR step:{writer}:a"),
            format!("INCR step:{writer}:b"),
        ];
        let words = lines.iter().map(|line| line.split(' ').collect::<Vec<_>>());
        client.send(&words.flat_map(|words| frame(&words)).collect::<Vec<u8>>()).unwrap();
        for line in &lines {
            assert!(!matches!(client.read().unwrap(), Reply::Error(_)), "{line}");
        }
    }
}

/// The strings of a snapshot, as they would be read.
fn strings(path: &Path) -> HashMap<String, String> {
    let bytes = std::fs::read(path).unwrap();
    let records =
        Loader::new(&bytes[..], Some(bytes.len() as u64), EncodingLimits::default()).unwrap();
    let entry = |record: Result<Record, _>| {
        let Record { key, content: Content::Value(value), .. } = record.unwrap() else {
            panic!("only values were written")
        };
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (text(&key), text(&value.as_ref().as_string().unwrap().bytes()))
    };
    records.map(entry).collect()
}

/// Ends the writers even if the test fails.
struct SetWhenDropped<'a>(&'a AtomicBool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// `REDIST_SNAPSHOT_PAIRS=500000` takes its moments of a million keys.
#[test]
fn a_snapshot_is_one_moment() {
    const WRITERS: u64 = 4;
    let pairs = std::env::var("REDIST_SNAPSHOT_PAIRS").map_or(5000, |count| count.parse().unwrap());
    let folder = Folder::new();
    let server = builder(folder.path()).start().unwrap();
    let mut client = Client::connect(server.addr());
    client.ask("CONFIG SET save \"\"");
    let pair =
        |pair| frame(&["MSET", &format!("first:{pair}"), "0", &format!("second:{pair}"), "0"]);
    load(&mut client, (0..pairs).map(pair));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (done, mut client) = (&done, Client::connect(server.addr()));
            scope.spawn(move || write_in_order(&mut client, writer, pairs, done));
        }
        let _end = SetWhenDropped(&done);
        let mut sum_before = 0;
        for round in 0..8 {
            // What comes before is in it, what comes after is not.
            client.ask(&format!("SET moment before:{round}"));
            assert_eq!(client.ask("BGSAVE"), "+Background saving started");
            client.ask(&format!("SET moment after:{round}"));
            eventually("the save ends", || {
                client.ask("INFO persistence").contains("rdb_bgsave_in_progress:0")
            });
            assert!(client.ask("INFO persistence").contains("rdb_last_bgsave_status:ok"));
            let strings = strings(&folder.path().join("dump.rdb"));
            let number =
                |key: &str| strings.get(key).map_or(0, |text| text.parse::<u64>().unwrap());
            for pair in 0..pairs {
                let (first, second) = (format!("first:{pair}"), format!("second:{pair}"));
                assert_eq!(strings[&first], strings[&second], "{pair} in round {round}");
            }
            assert_eq!(strings["moment"], format!("before:{round}"));
            let sum = number("sum:a");
            assert_eq!(sum, number("sum:b"), "round {round}");
            assert!(sum > sum_before || round == 0, "writers went on in round {round}");
            sum_before = sum;
            for writer in 0..WRITERS {
                let (first, second) =
                    (number(&format!("step:{writer}:a")), number(&format!("step:{writer}:b")));
                assert!(first == second || first == second + 1, "{first} {second}: {round}");
            }
        }
    });
    server.stop().unwrap();
}

#[test]
fn a_kill_at_any_moment_leaves_a_whole_file() {
    const KEYS: usize = 3000;
    let rounds = std::env::var("REDIST_KILLS").map_or(12, |count| count.parse().unwrap());
    let folder = Folder::new();
    let start = || {
        let mut command = command(&["--port", "auto", "--dir", folder.path().to_str().unwrap()]);
        command.env("REDIST_SAVE", "");
        Program::start(command)
    };
    let set_all = |client: &mut Client, value: usize| {
        let set = |key| frame(&["SET".into(), format!("key:{key}"), format!("{value}")]);
        load(client, (0..KEYS).map(set));
    };
    let mut rng = fastrand::Rng::with_seed(1);
    let mut saved = 0;
    {
        let program = start();
        set_all(&mut program.client(), 0);
        assert_eq!(program.client().ask("SAVE"), "+OK");
        program.signal("-KILL");
    }
    for round in 1..=rounds {
        let program = start();
        let mut client = program.client();
        // All keys have the same value: that of the last save that was complete, or of the one that
        // was killed after it had replaced the file.
        let value: usize = client.ask("GET key:0").trim_matches('\'').parse().unwrap();
        assert!(value == saved || value == round - 1, "{value} in round {round}");
        for key in 0..KEYS {
            assert_eq!(client.ask(&format!("GET key:{key}")), format!("'{value}'"));
        }
        saved = value;
        set_all(&mut client, round);
        assert!(client.ask("BGSAVE").starts_with("+Background"));
        // Spinning, since a sleep is longer than a save.
        (0..rng.usize(..3_000_000)).for_each(|step| _ = std::hint::black_box(step));
        program.signal("-KILL");
        drop(program);
    }
}
