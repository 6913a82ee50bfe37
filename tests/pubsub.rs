//! Messages to many subscribers at once: all of them, in order, whoever reads slowly.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use redist::Server;
use std::io::Read;
use std::net::SocketAddr;
use std::thread;
use support::client::{Client, frame};
use support::reply::Reply;
use support::watch::{self, Panics, eventually};

const CHANNEL: &str = "news";
/// Messages that a publisher sends before it reads the replies.
const PIPELINED: usize = 50;

/// What a publisher sends as its message of this number.
fn payload(publisher: usize, number: usize) -> String {
    format!("{publisher:02}:{number:08}")
}

/// How many messages go around: more in a release build, which hands over some millions in a second.
/// `REDIST_PUBSUB_MESSAGES` says otherwise.
fn message_count() -> usize {
    let wanted = std::env::var("REDIST_PUBSUB_MESSAGES").ok();
    let usual = if cfg!(debug_assertions) { 2_000 } else { 20_000 };
    wanted.map_or(usual, |text| text.parse().expect("a number of messages"))
}

/// Subscribes; the confirmation says that every message from now on is to come.
fn subscriber(address: SocketAddr) -> Client {
    let mut client = Client::connect(address);
    assert_eq!(client.ask(&format!("SUBSCRIBE {CHANNEL}")), "['subscribe' 'news' :1]");
    client
}

/// Reads so many messages. Those of each publisher come in order; gives the order of all of them.
fn read_all(client: &mut Client, publishers: usize, count: usize) -> Vec<u8> {
    let example = frame(&["message", CHANNEL, &payload(0, 0)]);
    let head = example.len() - payload(0, 0).len() - 2;
    let mut next = vec![0; publishers];
    let mut order = Vec::with_capacity(count);
    let mut message = example.clone();
    for _ in 0..count {
        client.reader().read_exact(&mut message).unwrap();
        assert_eq!(message[..head], example[..head]);
        let text = std::str::from_utf8(&message[head..]).unwrap();
        let (publisher, number) = text.trim_end().split_once(':').unwrap();
        let (publisher, number): (usize, usize) =
            (publisher.parse().unwrap(), number.parse().unwrap());
        assert_eq!(number, next[publisher], "of publisher {publisher}");
        next[publisher] += 1;
        order.push(publisher as u8);
    }
    order
}

/// Sends so many messages, each of which reaches so many subscribers.
fn publish_all(address: SocketAddr, publisher: usize, count: usize, receivers: usize) {
    let mut client = Client::connect(address);
    for first in (0..count).step_by(PIPELINED) {
        let last = count.min(first + PIPELINED);
        let requests = (first..last)
            .flat_map(|number| frame(&["PUBLISH", CHANNEL, &payload(publisher, number)]));
        client.send(&requests.collect::<Vec<u8>>()).unwrap();
        for _ in first..last {
            assert_eq!(client.read().unwrap(), Reply::Int(receivers as i64));
        }
    }
}

/// Lets some publish and all others read. The order in which messages came is the same for everybody.
fn play(address: SocketAddr, subscribers: &mut [Client], publishers: usize, stuck: usize) {
    let each = message_count() / publishers;
    let receivers = subscribers.len() + stuck;
    thread::scope(|scope| {
        for publisher in 0..publishers {
            scope.spawn(move || publish_all(address, publisher, each, receivers));
        }
        let readers: Vec<_> = subscribers
            .iter_mut()
            .map(|client| scope.spawn(move || read_all(client, publishers, each * publishers)))
            .collect();
        let mut orders = readers.into_iter().map(|reader| reader.join().unwrap());
        let first = orders.next().unwrap();
        assert!(orders.all(|order| order == first), "not everybody saw the same order");
    });
}

#[test]
fn every_subscriber_gets_every_message_in_the_same_order() {
    let _alone = watch::alone();
    Panics::watch();
    let server = Server::builder().port(0).start().unwrap();
    let count = watch::connections_possible(500);
    let mut subscribers: Vec<Client> = (0..count).map(|_| subscriber(server.addr())).collect();
    let started = std::time::Instant::now();
    play(server.addr(), &mut subscribers, 4, 0);
    println!("{count} subscribers, {} messages: {:?}", message_count(), started.elapsed());
    for client in &mut subscribers {
        assert_eq!(client.unexpected(), None);
    }
    // With the connections end the subscriptions.
    drop(subscribers);
    let mut admin = Client::connect(server.addr());
    eventually("nobody subscribes", || admin.ask("PUBSUB NUMSUB news") == "['news' :0]");
    assert_eq!(admin.ask("PUBSUB CHANNELS"), "[]");
    server.stop().unwrap();
    Panics::assert_none();
}

#[test]
fn one_who_does_not_read_delays_nobody_and_is_disconnected() {
    let _together = watch::together();
    Panics::watch();
    let builder = Server::builder().port(0);
    let builder = builder.directive("client-output-buffer-limit", "pubsub 64mb 0 0").unwrap();
    let server = builder.start().unwrap();
    let mut admin = Client::connect(server.addr());
    let mut subscribers: Vec<Client> = (0..5).map(|_| subscriber(server.addr())).collect();
    let mut stuck = subscriber(server.addr());
    assert_eq!(stuck.ask("SUBSCRIBE ballast"), "['subscribe' 'ballast' :2]");
    // More than sockets hold, but less than may wait.
    let ballast = "x".repeat(1024 * 1024);
    for _ in 0..32 {
        assert_eq!(admin.ask(&format!("PUBLISH ballast {ballast}")), ":1");
    }
    play(server.addr(), &mut subscribers, 2, 1);
    // Three times more than may wait is enough for every size of sockets.
    let mut delivered = 0;
    while admin.ask(&format!("PUBLISH ballast {ballast}")) == ":1" {
        delivered += 1;
        assert!(delivered < 3 * 64, "it is never cut off");
    }
    eventually("it is gone", || admin.ask("PUBSUB NUMSUB ballast") == "['ballast' :0]");
    play(server.addr(), &mut subscribers, 2, 0);
    drop((stuck, subscribers, admin));
    server.stop().unwrap();
    Panics::assert_none();
}
