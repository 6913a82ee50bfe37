//! Keys go when they are due, whoever looks or does not, and nobody waits for it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use redist::{Clock, Server};
use std::time::{Duration, Instant};
use support::client::{Client, frame};

/// Sets so many keys to expire at a unix time, in one go.
fn fill(client: &mut Client, count: usize, deadline_ms: i64) {
    for first in (0..count).step_by(1000) {
        let numbers = first..count.min(first + 1000);
        let mut batch = Vec::new();
        for number in numbers.clone() {
            let words = ["SET", &format!("key:{number}"), "value", "PX", "3600000"];
            batch.extend(frame(&words));
            let words = ["PEXPIREAT", &format!("key:{number}"), &deadline_ms.to_string()];
            batch.extend(frame(&words));
        }
        client.send(&batch).unwrap();
        for _ in numbers {
            assert_eq!(client.read().unwrap().to_string(), "+OK");
            assert_eq!(client.read().unwrap().to_string(), ":1");
        }
    }
}

/// Waits until nothing is stored any more; how long that took.
fn wait_until_empty(client: &mut Client) -> Duration {
    let started = Instant::now();
    while client.ask("DBSIZE") != ":0" {
        assert!(started.elapsed() < Duration::from_secs(20), "keys that are due stay");
        std::thread::sleep(Duration::from_millis(1));
    }
    started.elapsed()
}

/// Keys are counted a moment after they are gone.
fn wait_until_counted(server: &Server, count: u64) {
    let started = Instant::now();
    while server.instance().stats.expired() != count {
        let counted = server.instance().stats.expired();
        assert!(started.elapsed() < Duration::from_secs(20), "{counted} instead of {count}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn the_reaper_wakes_by_itself() {
    let server = Server::builder().port(0).start().unwrap();
    let mut client = Client::connect(server.addr());
    // The second deadline is sooner than the one that the reaper already sleeps towards.
    assert_eq!(client.ask("SET late v PX 3600000"), "+OK");
    assert_eq!(client.ask("SET soon v PX 20"), "+OK");
    let started = Instant::now();
    while client.ask("DBSIZE") != ":1" {
        assert!(started.elapsed() < Duration::from_secs(20), "a key that is due stays");
    }
    // 10 ms is what it should be; a busy machine may take longer, but not until the reaper would
    // have looked at the clock anyway.
    assert!(started.elapsed() < Duration::from_millis(700), "{:?}", started.elapsed());
    assert_eq!(client.ask("EXISTS late soon"), ":1");
    wait_until_counted(&server, 1);
}

#[test]
fn a_moved_clock_leaves_nothing_that_is_due() {
    let server = Server::builder().port(0).clock(Clock::standing_at(1_000_000)).start().unwrap();
    let mut client = Client::connect(server.addr());
    fill(&mut client, 3000, 1_000_500);
    server.advance(Duration::from_millis(499));
    assert_eq!(client.ask("DBSIZE"), ":3000");
    server.advance(Duration::from_millis(1));
    assert_eq!(client.ask("DBSIZE"), ":0");
    wait_until_counted(&server, 3000);
}

#[test]
fn many_keys_due_at_once_keep_nobody_waiting() {
    const COUNT: usize = 50_000;
    let server = Server::builder().port(0).clock(Clock::standing_at(1_000_000)).start().unwrap();
    let mut client = Client::connect(server.addr());
    fill(&mut client, COUNT, 1_000_500);
    assert_eq!(client.ask("SET stays v"), "+OK");
    // Not by Server::advance, which would wait for the reaper.
    server.instance().clock.advance(Duration::from_millis(500));
    server.instance().reaper.ring();
    let mut slowest = Duration::ZERO;
    let mut number = 0;
    while client.ask("DBSIZE") != ":1" {
        let asked = Instant::now();
        assert_eq!(client.ask("GET stays"), "'v'");
        assert_eq!(client.ask(&format!("EXISTS key:{number}")), ":0");
        number = (number + 997) % COUNT;
        slowest = slowest.max(asked.elapsed());
    }
    wait_until_counted(&server, COUNT as u64);
    println!("slowest pair of requests meanwhile: {slowest:?}");
    assert!(slowest < Duration::from_millis(500), "{slowest:?}");
}

#[test]
fn no_wake_up_is_lost() {
    let server = Server::builder().port(0).start().unwrap();
    let address = server.addr();
    for round in 0..5u64 {
        std::thread::scope(|scope| {
            for thread in 0..4u64 {
                scope.spawn(move || {
                    let mut client = Client::connect(address);
                    let mut rng = 1 + round * 4 + thread;
                    for number in 0..200 {
                        rng = rng.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        let ttl = 1 + (rng >> 33) % 15;
                        client.ask(&format!("SET key:{thread}:{number} v PX {ttl}"));
                    }
                });
            }
        });
        let took = wait_until_empty(&mut Client::connect(address));
        assert!(took < Duration::from_millis(700), "{took:?} in round {round}");
    }
}

#[test]
fn while_the_reaper_is_paused_whoever_comes_by_a_due_key_removes_it() {
    let server = Server::builder().port(0).clock(Clock::standing_at(1_000_000)).start().unwrap();
    let mut client = Client::connect(server.addr());
    server.instance().reaper.set_paused(true);
    for key in ["a", "b", "c", "d", "e"] {
        assert_eq!(client.ask(&format!("SET {key} v PX 500")), "+OK");
    }
    assert_eq!(client.ask("SET stays v"), "+OK");
    server.advance(Duration::from_secs(1));
    let cases = [
        ("DBSIZE", ":6"),
        ("EXISTS a b", ":0"),
        ("DBSIZE", ":4"),
        ("GET c", "$-1"),
        ("DBSIZE", ":3"),
        ("PERSIST d", ":0"),
        ("DBSIZE", ":2"),
        ("KEYS s*", "['stays']"),
        ("DBSIZE", ":1"),
    ];
    for (request, reply) in cases {
        assert_eq!(client.ask(request), reply, "{request}");
    }
    wait_until_counted(&server, 5);
    server.instance().reaper.set_paused(false);
}
