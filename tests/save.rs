//! Saving: that what is written is one moment, that Redis reads it, and that no end of the program
//! leaves half of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use redist::{Builder, Server};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use support::client::{Client, frame};
use support::peer::{Folder, RealRedis};
use support::program::{Program, command};
use support::reply::Reply;

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

#[test]
fn a_snapshot_is_one_moment() {
    const PAIRS: usize = 500;
    let folder = Folder::new();
    let server = builder(folder.path()).start().unwrap();
    let address = server.addr();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for writer in 0..4 {
            let done = &done;
            scope.spawn(move || {
                let mut client = Client::connect(address);
                let mut rng = fastrand::Rng::with_seed(writer);
                let mut round = 0u64;
                while !done.load(Ordering::Relaxed) {
                    round += 1;
                    let pair = rng.usize(..PAIRS);
                    let value = format!("{writer}:{round}");
                    // The two of a pair are always the same, and counted together.
                    client.ask(&format!("MSET first:{pair} {value} second:{pair} {value}"));
                    for line in ["MULTI", "INCR sum:a", "INCR sum:b", "EXEC"] {
                        client.ask(line);
                    }
                }
            });
        }
        for round in 0..8 {
            let mut client = Client::connect(address);
            assert_eq!(client.ask("SAVE"), "+OK");
            let copy = Folder::new();
            std::fs::copy(folder.path().join("dump.rdb"), copy.path().join("dump.rdb")).unwrap();
            let loaded = builder(copy.path()).start().unwrap();
            let mut reader = Client::connect(loaded.addr());
            reader.ask("CONFIG SET save \"\"");
            for pair in 0..PAIRS {
                let both =
                    reader.request(&["MGET", &format!("first:{pair}"), &format!("second:{pair}")]);
                let Reply::Array(both) = both.unwrap() else { panic!("an array") };
                assert_eq!(both[0], both[1], "pair {pair} in round {round}");
            }
            assert_eq!(reader.ask("GET sum:a"), reader.ask("GET sum:b"), "round {round}");
        }
        done.store(true, Ordering::Relaxed);
    });
    Client::connect(address).ask("CONFIG SET save \"\"");
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
        let sets: Vec<u8> = (0..KEYS)
            .flat_map(|key| frame(&["SET".into(), format!("key:{key}"), format!("{value}")]))
            .collect();
        client.send(&sets).unwrap();
        (0..KEYS).for_each(|_| assert_eq!(client.read().unwrap().to_string(), "+OK"));
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
