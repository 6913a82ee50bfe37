//! A Redis-compatible server: the Redis that you can read in a weekend, embed in a test, and run
//! small in production.
//!
//! # Embedding
//!
//! A server lives on background threads until its handle is dropped. Its clock is yours to move, so
//! that no test of a time-to-live sleeps.
//!
//! ```
//! use std::time::Duration;
//!
//! let server = redist::Server::builder().port(0).start()?;
//! let mut connection = redis::Client::open(server.url())?.get_connection()?;
//!
//! redis::cmd("SET").arg("session").arg("open").arg("PX").arg(60_000).exec(&mut connection)?;
//! let value: Option<String> = redis::cmd("GET").arg("session").query(&mut connection)?;
//! assert_eq!(value.as_deref(), Some("open"));
//!
//! server.advance(Duration::from_secs(61));
//! let value: Option<String> = redis::cmd("GET").arg("session").query(&mut connection)?;
//! assert_eq!(value, None);
//!
//! server.stop()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Server`], [`Builder`] and [`Clock`] are the library. The other modules are public to be read
//! here, as the map of the house; they may change with any version.
//!
//! # The house
//!
//! One OS thread serves one connection with blocking reads and writes; a slow command keeps its own
//! client waiting and nobody else. The rooms, from the street to the cellar, each of which imports
//! only what lies below it:
//!
//! | room | what it does |
//! |---|---|
//! | `main.rs`, `program` | the program: configuration, log lines, Ctrl-C, exit code |
//! | `server` | listeners, the bounded pool of scoped threads, the loader of the snapshot, the thread that saves, the reaper of due keys, the janitor who frees what nobody waits for, a clean stop |
//! | `session` | one connection: read a request, execute it, write the reply; and the postman, who brings what others send |
//! | [`execute`] | the one door to the data: find, admit, lock, run, encode, unlock, tell |
//! | [`command`] | one row for each command, one file for each family |
//! | [`instance`] | what all clients share: who is connected, what was counted, the slow log |
//! | [`script`] | Lua: what scripts see, the interpreters that run them, values to and from Lua |
//! | [`persist`] | data as bytes: DUMP's payloads and snapshots, checked to the last byte |
//! | [`keyspace`] | shards with a lock each, the views that commands get, expiry |
//! | [`value`] | the data types, which know no protocol and no commands |
//! | [`protocol`], [`glob`], [`config`], [`clock`], [`error`], [`limits`] | what everyone may use |
//!
//! # The path of a request
//!
//! `session` reads a [`Request`](protocol::Request) from a `BufRead`: an array of bulk strings, or a
//! line that somebody typed. [`execute::execute`] finds its row in the table, admits it (arity,
//! authentication), reads off the row which arguments are keys, locks the shards of these keys, shared
//! or exclusive after the type of the handler, and hands the handler a view of just them. The handler
//! returns a [`Reply`](protocol::Reply), which may borrow from the store; it is encoded into the session's buffer before the locks are let go. Then counters are counted, what
//! was removed is freed, and the reaper hears of a new deadline. Replies are sent when the next read
//! would block, so a pipeline costs one write. Before it does, one session at a time stays awake for some
//! microseconds, if nobody else has anything to do: the next request of a lone client then wakes no thread.
//!
//! Of a pipeline up to eight plain requests about one key each, or none, go this way as one batch: memory is
//! asked for all of their keys together, before any lock is taken, since waiting for it is half of a lookup in a
//! large database; neighbours that need the same lock share it, and have the elements of a large collection
//! asked for together as well; the clock is read once for each; and what follows a section is done once. A lock
//! that is not free is tried for as long as such a section may take before its session goes to sleep.
//! Long pipelines that change one key, or run scripts, take turns as a whole: whoever has requests for a shard that
//! take longer than to be woken queues up for it, and passes it on after a pipeline rather than after a batch.
//!
//! # What a key costs
//!
//! A key is an [`Entry`](keyspace::Entry) of 24 bytes in a page of its shard, and five to ten bytes of the
//! shard's hash table. A short string or a small set of integers stands behind its key in one
//! allocation; any other value is apart. Small collections are kept in Redis's own formats without
//! spare room, and elements of large ones in pages, found by eight-byte lines of a hash table.
//! `cargo bench --bench memory` measures all of it beside redis-server.
//!
//! # What always holds
//!
//! - **A command never locks, does I/O, or asks for the time.** What it may touch is the type of its
//!   handler; time and randomness are arguments; what it changed is recorded by the view.
//! - **No two critical sections deadlock**: a walk over all keys (KEYS, SCAN) holds one lock at a time, and who
//!   needs several and finds one of them taken lets go of the others while it waits. One section at a time
//!   may wait while it holds some: a script, which locks what it touches when it touches it, or who was
//!   unlucky too often.
//! - **Nothing large is freed under a lock.** What a write replaces is dropped after its locks.
//! - **An expired key is absent to everyone at once**, whenever the reaper comes to remove it.
//! - **A number that a client sends never sizes an allocation**; memory grows with bytes received.
//! - **A snapshot is one moment.** It begins with every shard locked for an instant; then each is encoded once, by
//!   the thread that saves or by the first who is about to change it. No process forks, and nobody waits for
//!   longer than one shard takes.
//! - **Data from elsewhere is checked to the last byte before it is believed**: a payload or a snapshot
//!   that is damaged changes nothing, and is never written to.
//! - **A panic in a handler ends one connection.** If it came in the middle of a change, the server
//!   stops with an error instead of serving half of it.
//! - **Whoever writes to a client that is not their own never waits**: it goes through a bounded
//!   queue, and who reads too slowly is disconnected.
//! - **A stop joins every thread.** None is detached, so none outlives its server.
//!
//! The layering, and what commands must not name, is held by a test (`tests/layers.rs`); the replies
//! by transcripts that are also played to the real redis-server (`tests/transcripts/`).

pub mod clock;
pub mod command;
pub mod config;
mod counted;
pub mod error;
pub mod execute;
pub mod glob;
mod hashing;
pub mod instance;
pub mod keyspace;
pub mod limits;
mod pages;
pub mod persist;
pub mod protocol;
pub mod script;
mod server;
mod session;
pub mod value;

pub use clock::Clock;
pub use server::{Builder, Server};

/// The Redis whose behaviour this is: what HELLO, INFO and LOLWUT tell clients, which choose their
/// features by it.
pub const REDIS_VERSION: &str = "7.2.7";
/// The version of this program.
pub const REDIST_VERSION: &str = env!("CARGO_PKG_VERSION");
