//! Client-side caching under load: what a client holds is what the server holds.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use redist::Server;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use support::client::{Client, frame};
use support::reply::Reply;
use support::watch::{self, Panics};

const KEYS: usize = 20;
const READERS: usize = 6;
const WRITERS: usize = 3;
const WRITES: usize = 2_000;

/// A client that keeps what it has read until it is told that it has changed.
struct CachingClient {
    client: Client,
    cache: HashMap<Vec<u8>, Reply>,
    /// How often it was told something.
    told: usize,
}

impl CachingClient {
    fn new(address: SocketAddr, options: &str) -> Self {
        let mut client = Client::connect(address);
        client.ask("HELLO 3");
        assert_eq!(client.ask(&format!("CLIENT TRACKING ON {options}")), "+OK");
        Self { client, cache: HashMap::new(), told: 0 }
    }

    /// The reply to a request; what comes before it is taken note of.
    fn ask(&mut self, words: &[impl AsRef<[u8]>]) -> Reply {
        self.client.send(&frame(words)).unwrap();
        loop {
            match self.client.read().unwrap() {
                Reply::Push(items) => self.forget(&items),
                reply => return reply,
            }
        }
    }

    fn forget(&mut self, items: &[Reply]) {
        assert_eq!(items[0], Reply::Bulk(b"invalidate".to_vec()));
        self.told += 1;
        let Reply::Array(keys) = &items[1] else { return self.cache.clear() };
        for key in keys {
            let Reply::Bulk(key) = key else { panic!("a key") };
            self.cache.remove(key);
        }
    }

    fn read(&mut self, key: &[u8]) {
        if !self.cache.contains_key(key) {
            let value = self.ask(&[b"GET", key]);
            self.cache.insert(key.to_vec(), value);
        }
    }

    /// Reads two keys at one moment.
    fn read_together(&mut self, keys: [&[u8]; 2]) {
        self.ask(&["MULTI"]);
        keys.iter().for_each(|key| drop(self.ask(&[b"GET", *key])));
        let Reply::Array(values) = self.ask(&["EXEC"]) else { panic!("EXEC answers an array") };
        for (key, value) in keys.into_iter().zip(values) {
            self.cache.insert(key.to_vec(), value);
        }
    }
}

fn key(rng: &mut fastrand::Rng) -> String {
    format!("key-{}", rng.usize(..KEYS))
}

fn write(address: SocketAddr, number: usize) {
    let mut rng = fastrand::Rng::with_seed(number as u64);
    let mut client = Client::connect(address);
    for round in 0..WRITES {
        let line = match rng.u8(..10) {
            0 => format!("DEL {}", key(&mut rng)),
            1 => format!("RENAME {} {}", key(&mut rng), key(&mut rng)),
            2 => format!("MSET {} a-{round} {} b-{round}", key(&mut rng), key(&mut rng)),
            3 if round % 50 == 0 => "FLUSHALL".to_owned(),
            4 => format!("GETDEL {}", key(&mut rng)),
            _ => format!("SET {} {number}-{round}", key(&mut rng)),
        };
        client.ask(&line);
    }
}

fn coherence(options: &str) {
    let _together = watch::together();
    Panics::watch();
    let server = Server::builder().port(0).start().unwrap();
    let address = server.addr();
    let mut readers: Vec<CachingClient> =
        (0..READERS).map(|_| CachingClient::new(address, options)).collect();
    let writing = AtomicUsize::new(WRITERS);
    thread::scope(|scope| {
        for number in 0..WRITERS {
            let writing = &writing;
            scope.spawn(move || {
                write(address, number);
                writing.fetch_sub(1, Ordering::SeqCst);
            });
        }
        for (number, reader) in readers.iter_mut().enumerate() {
            let writing = &writing;
            scope.spawn(move || {
                let mut rng = fastrand::Rng::with_seed(100 + number as u64);
                while writing.load(Ordering::SeqCst) > 0 {
                    let (one, two) = (key(&mut rng), key(&mut rng));
                    reader.read(one.as_bytes());
                    if rng.u8(..8) == 0 {
                        reader.read_together([one.as_bytes(), two.as_bytes()]);
                    }
                }
            });
        }
    });
    let mut plain = Client::connect(address);
    plain.ask("HELLO 3");
    for reader in &mut readers {
        // Whoever wrote has been answered, so what there is to tell comes before this reply.
        reader.ask(&["PING"]);
        assert!(reader.told > 0);
        for (key, held) in &reader.cache {
            let stored = plain.request(&[b"GET", &key[..]]).unwrap();
            assert_eq!(*held, stored, "{}", String::from_utf8_lossy(key));
        }
    }
    drop(readers);
    watch::eventually("nobody tracks", || !server.instance().tracking.is_on());
    server.stop().unwrap();
    Panics::assert_none();
}

#[test]
fn what_clients_hold_of_what_they_have_read_is_what_the_server_holds() {
    coherence("");
}

#[test]
fn what_clients_hold_of_prefixes_is_what_the_server_holds() {
    coherence("BCAST PREFIX key-");
}
