//! MIGRATE: to the real server and back, and what becomes of keys that change while they travel.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use redist::Server;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};
use support::client::{Client, frame};
use support::peer::RealRedis;
use support::reply::{Reply, read_reply};

fn start() -> Server {
    let builder = Server::builder().port(0);
    builder.directive("enable-debug-command", "yes").unwrap().start().unwrap()
}

fn migrate(target: SocketAddr, rest: &str) -> String {
    format!("MIGRATE 127.0.0.1 {} {rest}", target.port())
}

#[test]
fn keys_of_every_type_travel_to_redis_and_back() {
    let Some(real) = RealRedis::start(&[("requirepass".into(), "s3cret".into())]) else { return };
    let server = start();
    let (mut ours, mut theirs) = (Client::connect(server.addr()), Client::connect(real.address()));
    theirs.ask("AUTH s3cret");
    let members: String = (0..1000).map(|number| format!(" {number} member:{number}")).collect();
    for line in [
        "SET string hello",
        "SET counter 42 PX 100000000",
        &format!("RPUSH list {members}"),
        &format!("SADD set {members}"),
        &format!("HSET hash {members}"),
        &format!("ZADD zset {members}"),
        "XADD stream * field value",
        "PFADD hll a b c",
    ] {
        assert!(!ours.ask(line).starts_with('-'), "{line}");
    }
    let (digest, size) = (ours.ask("DEBUG DIGEST"), ours.ask("DBSIZE"));
    let keys = "KEYS string counter list set hash zset stream hll none";
    let there = migrate(real.address(), &format!("\"\" 5 5000 AUTH2 default s3cret {keys}"));
    assert_eq!(ours.ask(&there), "+OK");
    assert_eq!(ours.ask("DBSIZE"), ":0");
    theirs.ask("SELECT 5");
    assert_eq!(theirs.ask("DBSIZE"), size);
    let Reply::Int(ttl_ms) = theirs.request(&["PTTL", "counter"]).unwrap() else {
        panic!("a number")
    };
    assert!((99_000_000..=100_000_000).contains(&ttl_ms), "{ttl_ms}");
    let back = migrate(server.addr(), &format!("\"\" 0 5000 {keys}"));
    assert_eq!(theirs.ask(&back), "+OK");
    assert_eq!(theirs.ask("DBSIZE"), ":0");
    assert_eq!(ours.ask("DEBUG DIGEST"), digest);
}

#[test]
fn a_target_is_asked_as_redis_asks_it() {
    let Some(real) = RealRedis::start(&[]) else { return };
    let Some(target) = RealRedis::start(&[("requirepass".into(), "s3cret".into())]) else { return };
    let server = start();
    let at = target.address();
    let port_of_nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let lines = [
        migrate(at, "k 0 1000"),
        migrate(at, "k 0 1000 AUTH wrong"),
        migrate(at, "k 0 1000 AUTH2 nobody s3cret"),
        migrate(at, "k 99 1000 AUTH s3cret"),
        migrate(at, "k 3 1000 COPY AUTH s3cret"),
        migrate(at, "k 3 1000 COPY AUTH s3cret"),
        migrate(at, "k 3 1000 COPY REPLACE AUTH s3cret"),
        migrate(at, "\"\" 3 1000 AUTH s3cret KEYS k2 k k3 none"),
        "EXISTS k k2 k3".into(),
        "EXISTS k".into(),
        migrate(at, "k 3 -1 REPLACE AUTH s3cret"),
        "DBSIZE".into(),
        "MSET k v k2 v".into(),
        migrate(at, "\"\" 4 0 AUTH s3cret KEYS k2 k k2"),
        "DBSIZE".into(),
        "SET k v".into(),
        migrate(port_of_nobody, "k 0 1000"),
        "MIGRATE nohost.invalid 1 k 0 1000".into(),
        "GET k".into(),
    ];
    let replies = |address: SocketAddr| -> Vec<String> {
        let (mut client, mut there) = (Client::connect(address), Client::connect(at));
        there.ask("AUTH s3cret");
        there.ask("FLUSHALL");
        client.ask("MSET k v k2 v k3 v");
        lines.iter().map(|line| format!("{line} {}", client.ask(line))).collect()
    };
    assert_eq!(replies(server.addr()), replies(real.address()));
}

/// A server that takes everything, after `meanwhile` was done; each batch of requests that it was sent.
fn target(
    batches: usize,
    meanwhile: impl Fn(usize) + Send + 'static,
) -> (SocketAddr, std::thread::JoinHandle<Vec<Vec<String>>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let serving = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = std::io::BufReader::new(stream);
        let take = |batch: usize| {
            // The first begins with SELECT.
            let requests: Vec<String> = (0..if batch == 0 { 2 } else { 1 })
                .map(|_| read_reply(&mut reader).unwrap().to_string())
                .collect();
            meanwhile(batch);
            reader.get_mut().write_all("+OK\r\n".repeat(requests.len()).as_bytes()).unwrap();
            requests
        };
        (0..batches).map(take).collect()
    });
    (address, serving)
}

/// What a target is sent for a key to which somebody does this while it is on its way.
fn sent_if_meanwhile(line: &'static str, reply: &'static str) -> Vec<Vec<String>> {
    let server = start();
    let address = server.addr();
    let mut client = Client::connect(address);
    client.ask("SET k old");
    let (at, serving) = target(2, move |batch| {
        if batch == 0 {
            assert_eq!(Client::connect(address).ask(line), reply);
        }
    });
    assert_eq!(client.ask(&migrate(at, "k 0 10000")), "+OK");
    assert_eq!(client.ask("EXISTS k"), ":0");
    serving.join().unwrap()
}

#[test]
fn a_key_that_changes_on_its_way_is_sent_again() {
    let batches = sent_if_meanwhile("SET k new", "+OK");
    assert!(
        batches[0][1].contains("'RESTORE' 'k' '0'") && batches[0][1].contains("old"),
        "{batches:?}"
    );
    assert!(!batches[0][1].contains("REPLACE"), "{batches:?}");
    assert!(batches[1][0].contains("new") && batches[1][0].ends_with("'REPLACE']"), "{batches:?}");
}

#[test]
fn a_key_that_is_deleted_on_its_way_is_deleted_there_too() {
    assert_eq!(sent_if_meanwhile("DEL k", ":1")[1], ["['DEL' 'k']"]);
}

#[test]
fn a_silent_target_delays_nobody_and_loses_nothing() {
    let server = start();
    let mut client = Client::connect(server.addr());
    client.ask("SET k v");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let at = listener.local_addr().unwrap();
    let reply = client.ask(&migrate(at, "k 0 50"));
    assert_eq!(reply, "-IOERR error or timeout reading to target instance");
    assert_eq!(client.ask("GET k"), "'v'");
    // It would be silent for an hour.
    client
        .send(&frame(&["MIGRATE", "127.0.0.1", &at.port().to_string(), "k", "0", "3600000"]))
        .unwrap();
    let (_first, _second) = (listener.accept().unwrap(), listener.accept().unwrap());
    assert_eq!(Client::connect(server.addr()).ask("SET k other"), "+OK");
    let stopping = Instant::now();
    server.stop().unwrap();
    assert!(stopping.elapsed() < Duration::from_secs(10));
}
