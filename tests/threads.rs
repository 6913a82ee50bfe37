//! What many threads at once must not break: sums, pairs, the number of keys, the clean stop.
//!
//! Every test drives a server with a thread for each of its clients and checks an invariant that no
//! order of their commands may violate.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use redist::Server;
use redist::config::Settings;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use support::client::{Client, frame};
use support::reply::Reply;
use support::watch::{self, Panics, eventually};

/// Much longer than a stop takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn start(settings: Settings) -> Server {
    Panics::watch();
    Server::builder().settings(settings).port(0).start().unwrap()
}

fn stop(server: Server) {
    server.stop().unwrap();
    Panics::assert_none();
}

/// Runs `work` with a client of its own in each of `count` threads.
fn clients(address: SocketAddr, count: usize, work: impl Fn(usize, &mut Client) + Sync) {
    thread::scope(|scope| {
        for number in 0..count {
            let work = &work;
            scope.spawn(move || work(number, &mut Client::connect(address)));
        }
    });
}

#[test]
fn increments_of_many_clients_sum_up() {
    let _together = watch::together();
    let server = start(Settings::default());
    const CLIENTS: usize = 8;
    const ROUNDS: usize = 200;
    const PIPELINED: usize = 10;
    clients(server.addr(), CLIENTS, |_, client| {
        for _ in 0..ROUNDS {
            client.send(&frame(&["INCR", "sum"]).repeat(PIPELINED)).unwrap();
            let mut last = 0;
            for _ in 0..PIPELINED {
                let Reply::Int(value) = client.read().unwrap() else { panic!("an integer") };
                assert!(value > last, "{value} after {last}");
                last = value;
            }
        }
    });
    let sum = format!("'{}'", CLIENTS * ROUNDS * PIPELINED);
    assert_eq!(Client::connect(server.addr()).ask("GET sum"), sum);
    stop(server);
}

/// Keys that lie in different shards, in this order and another: who locks in the order in which they
/// are named would wait for somebody who waits for him.
const KEYS: [&str; 6] = ["one", "two", "three", "four", "five", "six"];

#[test]
fn keys_that_are_written_together_are_read_together() {
    let _together = watch::together();
    let server = start(Settings::default());
    clients(server.addr(), 10, |number, client| {
        const WRITE: &str = "for i = 2, #ARGV do redis.call('SET', ARGV[i], ARGV[1]) end";
        const READ: &str =
            "local r = {} for i = 1, #ARGV do r[i] = redis.call('GET', ARGV[i]) end return r";
        let mut keys = KEYS;
        keys.rotate_left(number % KEYS.len());
        if number % 4 >= 2 {
            keys.reverse();
        }
        for round in 0..500 {
            let value = format!("{number}-{round}");
            if number == 6 {
                let words = [&["EVAL", WRITE, "0", &value], &keys[..]].concat();
                assert_eq!(client.request(&words).unwrap().to_string(), "$-1");
            } else if number % 2 == 0 {
                let pairs: Vec<&str> = keys.iter().flat_map(|key| [*key, &value]).collect();
                let words = [&["MSET"], &pairs[..]].concat();
                assert_eq!(client.request(&words).unwrap().to_string(), "+OK");
            } else {
                let read: &[&str] = match number {
                    7 => &["EVAL", READ, "0"],
                    9 => &["EVAL_RO", READ, "0"],
                    _ => &["MGET"],
                };
                let words = [read, &keys[..]].concat();
                let Reply::Array(values) = client.request(&words).unwrap() else {
                    panic!("an array")
                };
                assert!(values.iter().all(|value| *value == values[0]), "torn: {values:?}");
            }
        }
    });
    stop(server);
}

#[test]
fn keys_that_are_renamed_and_moved_are_never_lost_or_doubled() {
    let _together = watch::together();
    let server = start(Settings::default());
    const PLACES: usize = 12;
    const TOKENS: usize = 5;
    let mut client = Client::connect(server.addr());
    for token in 0..TOKENS {
        assert_eq!(client.ask(&format!("SET place-{token} token-{token}")), "+OK");
    }
    let watching = AtomicBool::new(true);
    let places: Vec<String> = (0..PLACES).map(|place| format!("place-{place}")).collect();
    thread::scope(|scope| {
        // From outside it always looks like one moment: every token is there once, in either database.
        scope.spawn(|| {
            let mut client = Client::connect(server.addr());
            let words = [vec!["MGET".to_owned()], places.clone()].concat();
            while watching.load(Ordering::Relaxed) {
                let Reply::Array(values) = client.request(&words).unwrap() else {
                    panic!("an array")
                };
                let mut tokens: Vec<String> = values.iter().map(Reply::to_string).collect();
                tokens.retain(|token| token != "$-1");
                tokens.sort();
                let count = tokens.len();
                tokens.dedup();
                assert_eq!(tokens.len(), count, "a token is in two places");
                assert_eq!(count, TOKENS, "a token is nowhere");
            }
        });
        clients(server.addr(), 6, |number, client| {
            let mut rng = fastrand::Rng::with_seed(number as u64);
            for _ in 0..500 {
                let (from, to) = (rng.usize(..PLACES), rng.usize(..PLACES));
                client.ask(&format!("RENAMENX place-{from} place-{to}"));
            }
        });
        watching.store(false, Ordering::Relaxed);
    });
    assert_eq!(client.ask("DBSIZE"), format!(":{TOKENS}"));
    stop(server);
}

#[test]
fn databases_that_are_swapped_keep_their_keys_together() {
    let _together = watch::together();
    let server = start(Settings::default());
    for db in 0..2 {
        let mut client = Client::connect(server.addr());
        client.ask(&format!("SELECT {db}"));
        for key in KEYS {
            assert_eq!(client.ask(&format!("SET {key} {db}")), "+OK");
        }
    }
    let swaps = AtomicUsize::new(0);
    clients(server.addr(), 5, |number, client| {
        client.ask(&format!("SELECT {}", number % 2));
        let words = [&["MGET"], &KEYS[..]].concat();
        for round in 0..300 {
            match number {
                0 => {
                    assert_eq!(client.ask("SWAPDB 0 1"), "+OK");
                    swaps.fetch_add(1, Ordering::Relaxed);
                }
                1 => {
                    client.ask(&format!("COPY {} copy-{round} DB 2 REPLACE", KEYS[round % 6]));
                }
                _ => {
                    let Reply::Array(values) = client.request(&words).unwrap() else {
                        panic!("an array")
                    };
                    assert!(values.iter().all(|value| *value == values[0]), "torn: {values:?}");
                }
            }
        }
    });
    let mut client = Client::connect(server.addr());
    let expected = format!("'{}'", swaps.into_inner() % 2);
    assert_eq!(client.ask("GET one"), expected);
    assert_eq!(client.ask("DBSIZE"), format!(":{}", KEYS.len()));
    client.ask("SELECT 2");
    assert_eq!(client.ask("DBSIZE"), ":300");
    stop(server);
}

#[test]
fn keys_that_come_and_go_leave_nothing_behind() {
    let _together = watch::together();
    let server = start(Settings::default());
    clients(server.addr(), 6, |number, client| {
        let mut rng = fastrand::Rng::with_seed(number as u64);
        for _ in 0..500 {
            let key = rng.usize(..50);
            client.ask(&match rng.u8(..5) {
                0 => format!("SET key-{key} value PX {}", rng.usize(1..20)),
                1 => format!("SET key-{key} value EX 100"),
                2 => format!("DEL key-{key}"),
                3 => format!("RENAME key-{key} key-{}", rng.usize(..50)),
                _ => format!("GETEX key-{key} PX 1"),
            });
        }
    });
    server.advance(Duration::from_secs(1000));
    assert_eq!(Client::connect(server.addr()).ask("DBSIZE"), ":0");
    stop(server);
}

#[test]
fn a_stop_under_load_joins_every_thread() {
    let _alone = watch::alone();
    for round in 0..3 {
        let server = start(Settings::default());
        let address = server.addr();
        let busy = AtomicUsize::new(0);
        thread::scope(|scope| {
            for number in 0..24 {
                let busy = &busy;
                scope.spawn(move || {
                    let mut client = Client::connect(address);
                    assert_eq!(client.ask("PING"), "+PONG");
                    busy.fetch_add(1, Ordering::Relaxed);
                    let big = frame(&["SET".into(), format!("big-{number}"), "x".repeat(1 << 20)]);
                    match number % 4 {
                        // Idle until the server ends the connection.
                        0 => assert!(client.read_to_end().is_ok_and(|bytes| bytes.is_empty())),
                        // One request after the other, each answered or the connection closed.
                        1 => while matches!(client.request(&["PING"]), Ok(Reply::Status(_))) {},
                        // Large requests and replies that nobody reads.
                        2 => {
                            let _ = client.send(&big);
                            let get = frame(&["GET".into(), format!("big-{number}")]);
                            while client.send(&get).is_ok() {}
                        }
                        // New connections all the time, which are refused from some moment on.
                        _ => while std::net::TcpStream::connect(address).is_ok() {},
                    }
                });
            }
            eventually("everybody is served", || busy.load(Ordering::Relaxed) == 24);
            if round > 0 {
                thread::sleep(Duration::from_millis(50));
            }
            // On a thread of its own, so that a stop that hangs fails this test.
            let (stopped, is_stopped) = mpsc::channel();
            thread::spawn(move || stopped.send(server.stop()));
            is_stopped.recv_timeout(PATIENCE).expect("the server stops").unwrap();
        });
        match watch::server_threads() {
            Some(names) => assert_eq!(names, Vec::<String>::new(), "threads are left"),
            None => println!("skipped: this system does not tell which threads there are"),
        }
        assert!(std::net::TcpStream::connect(address).is_err(), "nobody listens any more");
        Panics::assert_none();
    }
}

#[test]
fn several_servers_live_side_by_side() {
    let _together = watch::together();
    let servers: Vec<Server> = (0..3).map(|_| start(Settings::default())).collect();
    for (number, server) in servers.iter().enumerate() {
        let mut client = Client::connect(server.addr());
        assert_eq!(client.ask(&format!("SET k {number}")), "+OK");
    }
    let mut servers = servers.into_iter();
    stop(servers.next().unwrap());
    for (number, server) in (1..).zip(servers) {
        assert_eq!(Client::connect(server.addr()).ask("GET k"), format!("'{number}'"));
        stop(server);
    }
}

#[test]
fn one_client_more_than_allowed_is_told_so() {
    let _together = watch::together();
    let server = start(Settings { maxclients: 3, ..Settings::default() });
    let mut admitted: Vec<Client> = (0..3).map(|_| Client::connect(server.addr())).collect();
    for client in &mut admitted {
        assert_eq!(client.ask("PING"), "+PONG");
    }
    for _ in 0..5 {
        let refusal = Client::connect(server.addr()).read_to_end().unwrap();
        assert_eq!(String::from_utf8_lossy(&refusal), "-ERR max number of clients reached\r\n");
    }
    for client in &mut admitted {
        assert_eq!(client.ask("PING"), "+PONG");
    }
    // Once somebody goes there is room again.
    admitted.pop();
    eventually("there is room again", || {
        Client::connect(server.addr())
            .request(&["PING"])
            .is_ok_and(|reply| reply.to_string() == "+PONG")
    });
    drop(admitted);
    stop(server);
}

fn many_connections(count: usize) {
    let _together = watch::together();
    let count = watch::connections_possible(count);
    let server = start(Settings { maxclients: count, ..Settings::default() });
    let mut clients: Vec<Client> = (0..count).map(|_| Client::connect(server.addr())).collect();
    for client in &mut clients {
        client.send(b"PING\r\n").unwrap();
    }
    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.read().unwrap().to_string(), "+PONG", "client {number} of {count}");
    }
    assert_eq!(server.instance().clients.len(), count);
    // The server ends them all.
    stop(server);
    for client in &mut clients {
        assert_eq!(client.read().unwrap(), Reply::Closed);
    }
}

#[test]
fn a_thousand_connections_are_served_at_once() {
    many_connections(1000);
}

#[test]
#[ignore = "takes twenty thousand file descriptors and some seconds"]
fn ten_thousand_connections_are_served_at_once() {
    many_connections(10_000);
}
