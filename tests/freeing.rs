//! Who frees what commands remove: its client, or for UNLINK and ASYNC somebody nobody waits for.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use redist::Server;
use std::time::{Duration, Instant};
use support::client::Client;

/// Large enough that freeing it is worth another thread.
fn add_large_set(client: &mut Client, key: &str) {
    let mut words = vec!["SADD".to_owned(), key.to_owned()];
    words.extend((0..1000).map(|number| format!("member:{number}")));
    assert_eq!(client.request(&words).unwrap().to_string(), ":1000");
}

#[test]
fn what_is_unlinked_is_freed_by_the_janitor() {
    let server = Server::builder().port(0).start().unwrap();
    let mut client = Client::connect(server.addr());
    let mut freed = 0;
    // A request, and how many keys the janitor frees for it.
    let cases = [
        ("UNLINK large", 1),
        ("UNLINK small nokey", 0),
        ("DEL large", 0),
        ("SET large v", 0),
        ("EXPIRE large -1", 0),
        ("FLUSHDB", 0),
        ("FLUSHDB SYNC", 0),
        ("FLUSHDB ASYNC", 2),
        ("FLUSHALL", 0),
        ("FLUSHALL ASYNC", 2),
    ];
    for (request, keys) in cases {
        client.ask("FLUSHALL");
        add_large_set(&mut client, "large");
        client.ask("SET small v");
        assert!(!client.ask(request).starts_with('-'), "{request}");
        freed += keys;
        let started = Instant::now();
        let janitor = &server.instance().janitor;
        while (janitor.freed(), janitor.pending()) != (freed, 0) {
            let now = (janitor.freed(), janitor.pending());
            assert!(started.elapsed() < Duration::from_secs(20), "{request}: {now:?}");
        }
    }
    let info = client.ask("INFO memory");
    assert!(info.contains("lazyfreed_objects:5") && info.contains("lazyfree_pending_objects:0"));
    client.ask("CONFIG RESETSTAT");
    assert!(client.ask("INFO memory").contains("lazyfreed_objects:0"));
    server.stop().unwrap();
}
