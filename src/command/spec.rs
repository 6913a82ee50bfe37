//! What one row of the table says.

use super::args::Args;
use super::keys::{KeyFlags, KeyUse, Keys};
use crate::config::EventClasses;
use crate::error::CommandError;
use crate::instance::{Client, Instance, MemoryUse};
use crate::keyspace::{Moment, ReadView, Shards, Walk, Wanted, WriteView};
use crate::protocol::{Outcome, Reply, Request};
use crate::value::EncodingLimits;
use std::time::Duration;

/// One command, or one subcommand of a container such as CONFIG.
#[derive(Clone, Copy)]
pub struct Spec {
    /// In capitals; of a subcommand without its container.
    pub name: &'static str,
    /// How many arguments, the name included; for a subcommand the container's name too.
    pub arity: Arity,
    /// Which arguments are keys. Drives locks, COMMAND GETKEYS and later WATCH.
    pub keys: Keys,
    /// What runs.
    pub handler: Handler,
    /// What the handler's type cannot say.
    pub flags: Flags,
    /// What its changes are called in keyspace notifications, if not by its own name.
    pub event: &'static str,
    /// The Redis version that introduced it.
    pub since: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// The arguments, in the notation of `syntax.rs`.
    pub syntax: &'static str,
    /// Cost in big-O notation.
    pub complexity: &'static str,
    /// Changes since: version and what changed.
    pub history: &'static [(&'static str, &'static str)],
    /// Hints for clients that spread commands over a cluster, as COMMAND INFO lists them.
    pub tips: &'static [&'static str],
    /// Version from which on it is deprecated, and what replaces it.
    pub deprecated: Option<(&'static str, &'static str)>,
    /// The subcommands of a container.
    pub subcommands: &'static [Spec],
}

impl Spec {
    /// What most rows leave out.
    pub const REST: Self = Self {
        name: "",
        arity: Arity::at_least(1),
        keys: Keys::NONE,
        handler: Handler::Container,
        flags: Flags::NONE,
        event: "",
        since: "1.0.0",
        summary: "",
        syntax: "",
        complexity: "O(1)",
        history: &[],
        tips: &[],
        deprecated: None,
        subcommands: &[],
    };
}

/// How many arguments a command takes, its name included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arity(i16);

impl Arity {
    /// Just so many.
    pub const fn exactly(count: i16) -> Self {
        Self(count)
    }

    /// So many or more.
    pub const fn at_least(count: i16) -> Self {
        Self(-count)
    }

    /// Whether so many will do.
    pub fn admits(self, count: usize) -> bool {
        let wanted = usize::from(self.0.unsigned_abs());
        if self.0 < 0 { count >= wanted } else { count == wanted }
    }

    /// As COMMAND prints it: negative for "or more".
    pub fn number(self) -> i64 {
        i64::from(self.0)
    }
}

/// What runs a command. The variant is its permission: lock mode, "is it a write" and the ACL
/// category follow from it.
#[derive(Clone, Copy)]
pub enum Handler {
    /// Sees keys under shared locks; an expired key is absent and stays where it is.
    Read(for<'v> fn(&'v ReadView<'_>, &mut Args<'v>) -> Outcome<'v>),
    /// Changes keys under exclusive locks.
    Write(for<'v> fn(&'v mut WriteView<'_, '_>, &mut Args<'v>) -> Outcome<'v>),
    /// Changes keys where the request names one to be written; otherwise it only reads, and shared locks
    /// are enough.
    ReadOrWrite(
        for<'v> fn(&'v ReadView<'_>, &mut Args<'v>) -> Outcome<'v>,
        for<'v> fn(&'v mut WriteView<'_, '_>, &mut Args<'v>) -> Outcome<'v>,
    ),
    /// Changes keys like a write, or finds that it has to wait for somebody else to do so first.
    Wait(for<'v> fn(&'v mut WriteView<'_, '_>, &mut Args<'v>) -> Result<Attempt<'v>, CommandError>),
    /// Reads keys, or finds that it has to wait for somebody to add to them.
    WaitToRead(for<'v> fn(&'v ReadView<'_>, &mut Args<'v>) -> Result<Attempt<'v>, CommandError>),
    /// Walks the whole keyspace one shard at a time: never holds two locks.
    Walk(for<'v> fn(&'v Walk<'_>, &mut Args<'v>) -> Outcome<'v>),
    /// Answers from the request and what its client is. Touches nothing.
    Answer(for<'v> fn(&'v Client, &mut Args<'v>) -> Outcome<'v>),
    /// Touches the client or the server, never keys.
    Client(for<'v> fn(&mut Context<'_>, &mut Args<'v>) -> Outcome<'v>),
    /// The executor itself runs it, for it decides how others run.
    Control(Control),
    /// Has subcommands and runs none by itself.
    Container,
}

/// The commands that the executor itself runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Queues the commands that follow: MULTI.
    Queue,
    /// Runs what was queued as one critical section: EXEC.
    Run,
    /// Forgets what was queued: DISCARD.
    Discard,
    /// Lets EXEC do nothing once a key has changed: WATCH.
    Watch,
    /// Watches nothing any more: UNWATCH.
    Unwatch,
    /// Sends keys to another server: MIGRATE.
    Migrate,
    /// Runs a script as one critical section: EVAL.
    Script(ScriptName, ScriptAccess),
}

impl Control {
    /// Whether it runs at once where other commands are queued.
    pub fn runs_while_queueing(self) -> bool {
        !matches!(self, Self::Unwatch | Self::Script(..))
    }
}

/// How a client says which script it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScriptName {
    /// By the script itself.
    Text,
    /// By its SHA-1.
    Digest,
}

/// What a script may do with keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScriptAccess {
    /// Only look at them.
    Read,
    /// All.
    Write,
}

/// What a command that may have to wait comes to.
pub enum Attempt<'v> {
    /// There was something to do.
    Done(Reply<'v>),
    /// There is nothing to do yet, and nothing was changed.
    Wait(Wait),
}

/// For what and how long a command waits. It waits for those keys of its row whose data it gives back.
#[derive(Debug, Clone, Copy)]
pub struct Wait {
    /// What has to become of one of its keys.
    pub wanted: Wanted,
    /// How long; without end if there is none.
    pub time: Option<Duration>,
    /// What is answered where nobody may wait. When the time is over it is no array, as in Redis.
    pub otherwise: Nothing,
}

/// A reply that says that there is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nothing {
    /// No string.
    Null,
    /// No array.
    NullArray,
}

impl Nothing {
    /// The reply.
    pub fn reply<'v>(self) -> Reply<'v> {
        match self {
            Self::Null => Reply::Null,
            Self::NullArray => Reply::NullArray,
        }
    }
}

impl Spec {
    /// Whether it changes keys in a way that clients can see.
    pub fn is_write(&self) -> bool {
        self.has_write_handler() && !self.flags.has(Flags::READ_ONLY)
    }

    /// Whether it may change keys, visibly or not, and so needs exclusive locks.
    pub fn has_write_handler(&self) -> bool {
        matches!(
            self.handler,
            Handler::Write(_)
                | Handler::ReadOrWrite(..)
                | Handler::Wait(_)
                | Handler::Control(Control::Migrate)
        )
    }

    /// Whether it can be part of a transaction. All of its keys are locked then, which is no time to talk to
    /// another server.
    pub fn is_for_transactions(&self) -> bool {
        let talks = matches!(self.handler, Handler::Control(Control::Migrate));
        !talks && !self.flags.has(Flags::NO_MULTI)
    }

    /// Whether this request of a command that may read or write only reads.
    pub fn only_reads(&self, request: &Request) -> bool {
        let reads = |uses: Vec<KeyUse>| uses.iter().all(|(_, flags)| flags.has(KeyFlags::RO));
        self.keys.uses(request).is_some_and(reads)
    }

    /// Whether what it runs may change keys.
    pub fn may_write(&self) -> bool {
        let script =
            matches!(self.handler, Handler::Control(Control::Script(_, ScriptAccess::Write)));
        self.has_write_handler() || script
    }

    /// Whether a pause of writes holds it too: it may change keys, or tell others something.
    pub fn waits_like_writes(&self) -> bool {
        self.may_write() || self.flags.has(Flags::TELLS)
    }

    /// Whether it looks at every key, one shard at a time.
    pub fn walks(&self) -> bool {
        matches!(self.handler, Handler::Walk(_)) || self.flags.has(Flags::WALKS)
    }

    /// Whether it reads keys and changes none.
    pub fn is_read(&self) -> bool {
        matches!(self.handler, Handler::Read(_) | Handler::WaitToRead(_) | Handler::Walk(_))
            || self.flags.has(Flags::READ_ONLY)
    }

    /// The flags that COMMAND INFO shows, in its order.
    pub fn flag_names(&self) -> impl Iterator<Item = &'static str> {
        let write = self.is_write().then_some("write");
        let read = self.is_read().then_some("readonly");
        let movable = self.keys.legacy().movable.then_some("movablekeys");
        write.into_iter().chain(read).chain(self.flags.names()).chain(movable)
    }
}

/// What a handler that touches the client or the server gets.
pub struct Context<'c> {
    /// The server.
    pub instance: &'c Instance,
    /// The client that asks.
    pub client: &'c mut Client,
    /// Every shard, to look at.
    pub shards: Shards<'c>,
    /// Unix time in microseconds.
    pub now_us: i64,
}

impl Context<'_> {
    /// Unix time in milliseconds.
    pub fn now_ms(&self) -> u64 {
        u64::try_from(self.now_us / 1000).unwrap_or(0)
    }

    /// A walk over the keys of the client's database, for what administrators ask about them. It
    /// leaves no traces.
    pub fn walk(&self) -> Walk<'_> {
        let now_ms = self.now_ms();
        // The client's own settings: the defaults would be read from every directive's row each time.
        let encoding = EncodingLimits::new(&self.client.settings);
        let moment = Moment::for_looking(now_ms, encoding);
        Walk::new(self.shards, self.client.db, moment)
    }

    /// What memory is used for.
    pub fn memory_use(&self) -> MemoryUse {
        self.instance.memory_use(self.shards)
    }
}

/// What the handler's type cannot say of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags(u32);

impl Flags {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Refused when memory is full.
    pub const DENY_OOM: Self = Self(1);
    /// For administrators.
    pub const ADMIN: Self = Self(1 << 1);
    /// Not from a script.
    pub const NO_SCRIPT: Self = Self(1 << 2);
    /// May make the client wait.
    pub const BLOCKING: Self = Self(1 << 3);
    /// Allowed while a data set is loaded.
    pub const LOADING: Self = Self(1 << 4);
    /// Allowed on a replica whose data is stale.
    pub const STALE: Self = Self(1 << 5);
    /// MONITOR does not show it.
    pub const SKIP_MONITOR: Self = Self(1 << 6);
    /// The slow log does not keep it.
    pub const SKIP_SLOWLOG: Self = Self(1 << 7);
    /// Constant or logarithmic time.
    pub const FAST: Self = Self(1 << 8);
    /// Allowed before authentication.
    pub const NO_AUTH: Self = Self(1 << 9);
    /// Not inside MULTI.
    pub const NO_MULTI: Self = Self(1 << 10);
    /// Allowed while a script runs too long.
    pub const ALLOW_BUSY: Self = Self(1 << 11);
    /// Not while a replica loads asynchronously.
    pub const NO_ASYNC_LOADING: Self = Self(1 << 13);
    /// Works on keys, but none has to be named.
    pub const NO_MANDATORY_KEYS: Self = Self(1 << 14);
    /// For subscriptions.
    pub const PUBSUB: Self = Self(1 << 15);
    /// In the ACL category of commands about keys as such.
    pub const KEYSPACE: Self = Self(1 << 16);
    /// In the ACL category of dangerous commands.
    pub const DANGEROUS: Self = Self(1 << 17);
    /// Moves access clocks even for a client that asked not to (TOUCH).
    pub const ALWAYS_TOUCHES: Self = Self(1 << 24);
    /// Looks at every key although its handler is one for clients.
    pub const WALKS: Self = Self(1 << 25);
    /// Runs at once where other commands are queued.
    pub const UNQUEUED: Self = Self(1 << 26);
    /// In the ACL category of connection commands.
    pub const CONNECTION: Self = Self(1 << 18);
    /// In the ACL categories of lists, sets and sorted sets: SORT reads all three.
    pub const COLLECTIONS: Self = Self(1 << 19);
    /// In the ACL category of administrators' commands, but not itself marked as one.
    pub const ADMIN_CATEGORY: Self = Self(1 << 20);
    /// Counts as a read although its handler sees no keys, or changes what no client sees.
    pub const READ_ONLY: Self = Self(1 << 21);
    /// Only for a client that has said ASKING.
    pub const ASKING: Self = Self(1 << 22);
    /// Allowed to a client that subscribes to something and speaks RESP2.
    pub const SUBSCRIBER: Self = Self(1 << 27);
    /// Tells others something although it changes no key: scripts that only read may not.
    pub const TELLS: Self = Self(1 << 28);
    /// What CLIENT CACHING said holds for the command behind this one still.
    pub const KEEPS_CACHING: Self = Self(1 << 29);
    /// Between servers, or for their developers: COMMAND DOCS marks it.
    pub const SYSTEM: Self = Self(1 << 23);

    /// The names of those that COMMAND INFO shows, in its order; behind `write` and `readonly`.
    const NAMES: [(Self, &'static str); 16] = [
        (Self::DENY_OOM, "denyoom"),
        (Self::ADMIN, "admin"),
        (Self::PUBSUB, "pubsub"),
        (Self::NO_SCRIPT, "noscript"),
        (Self::BLOCKING, "blocking"),
        (Self::LOADING, "loading"),
        (Self::STALE, "stale"),
        (Self::SKIP_MONITOR, "skip_monitor"),
        (Self::SKIP_SLOWLOG, "skip_slowlog"),
        (Self::ASKING, "asking"),
        (Self::FAST, "fast"),
        (Self::NO_AUTH, "no_auth"),
        (Self::NO_MANDATORY_KEYS, "no_mandatory_keys"),
        (Self::NO_ASYNC_LOADING, "no_async_loading"),
        (Self::NO_MULTI, "no_multi"),
        (Self::ALLOW_BUSY, "allow_busy"),
    ];

    /// The names of those that are set and that COMMAND INFO shows.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(flag, _)| self.has(*flag)).map(|(_, name)| name)
    }

    /// Both.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of these are set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// The families, as COMMAND DOCS and HELP name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Bit operations on strings.
    Bitmap,
    /// Clients and connections.
    Connection,
    /// Keys of any type.
    Generic,
    /// Places on earth.
    Geo,
    /// Hashes.
    Hash,
    /// Cardinality estimates.
    HyperLogLog,
    /// Lists.
    List,
    /// Publish and subscribe.
    PubSub,
    /// Functions and scripts.
    Scripting,
    /// The server.
    Server,
    /// Sets.
    Set,
    /// Sorted sets.
    SortedSet,
    /// Streams.
    Stream,
    /// Strings.
    String,
    /// Transactions.
    Transactions,
}

impl Group {
    /// All, in the order in which people want to read them.
    pub const ALL: [Self; 15] = [
        Self::String,
        Self::Bitmap,
        Self::Generic,
        Self::List,
        Self::Hash,
        Self::Set,
        Self::SortedSet,
        Self::HyperLogLog,
        Self::Geo,
        Self::Stream,
        Self::PubSub,
        Self::Transactions,
        Self::Scripting,
        Self::Connection,
        Self::Server,
    ];

    /// The name in COMMAND DOCS.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bitmap => "bitmap",
            Self::Connection => "connection",
            Self::Generic => "generic",
            Self::Geo => "geo",
            Self::Hash => "hash",
            Self::HyperLogLog => "hyperloglog",
            Self::List => "list",
            Self::PubSub => "pubsub",
            Self::Scripting => "scripting",
            Self::Server => "server",
            Self::Set => "set",
            Self::SortedSet => "sorted-set",
            Self::Stream => "stream",
            Self::String => "string",
            Self::Transactions => "transactions",
        }
    }

    /// The class of keyspace notifications to which its changes belong.
    pub fn event_class(self) -> EventClasses {
        match self {
            Self::String | Self::Bitmap | Self::HyperLogLog => EventClasses::STRING,
            Self::List => EventClasses::LIST,
            Self::Set => EventClasses::SET,
            Self::Hash => EventClasses::HASH,
            Self::SortedSet | Self::Geo => EventClasses::SORTED_SET,
            Self::Stream => EventClasses::STREAM,
            _ => EventClasses::GENERIC,
        }
    }

    /// What it is about, for people.
    pub fn description(self) -> &'static str {
        match self {
            Self::Bitmap => "bits and small integers inside strings",
            Self::Connection => "this connection and all others",
            Self::Generic => "keys of any type: expiry, names, copies, scans",
            Self::Geo => "places on earth: distances and searches",
            Self::Hash => "fields with values under one key",
            Self::HyperLogLog => "how many different elements, roughly",
            Self::List => "elements in order, added and taken at both ends",
            Self::PubSub => "messages to whoever listens now",
            Self::Scripting => "functions and scripts that run in the server",
            Self::Server => "the server: configuration, state, statistics",
            Self::Set => "different elements without order",
            Self::SortedSet => "elements ordered by a score",
            Self::Stream => "a log of entries, read by many or shared among a group",
            Self::String => "bytes, text, numbers and counters",
            Self::Transactions => "several commands as one",
        }
    }

    /// The ACL category of the whole family, if it has one.
    pub fn category(self) -> Option<&'static str> {
        match self {
            Self::Generic | Self::Server | Self::PubSub => None,
            Self::SortedSet => Some("sortedset"),
            Self::Transactions => Some("transaction"),
            other => Some(other.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn every_flag_has_a_bit_of_its_own() {
        let declared = include_str!("spec.rs").lines().filter_map(|line| {
            let (_, bit) = line.split_once(": Self = Self(1 << ")?;
            bit.strip_suffix(");")
        });
        let mut bits = HashSet::new();
        for bit in declared {
            assert!(bits.insert(bit), "bit {bit} has two meanings");
        }
        assert!(bits.len() > 20, "the flags are where they are looked for");
    }
}
