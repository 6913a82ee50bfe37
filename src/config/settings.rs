//! The values of the directives that redist goes by, each with its type.

use super::buffer_limits::BufferLimits;
use super::directives;
use super::event_classes::EventClasses;
use super::value::Value;

/// Declares the fields once, for the struct and for the blank one that the defaults are written into.
macro_rules! settings {
    ($($(#[$doc:meta])* $name:ident: $kind:ty,)*) => {
        /// The value of every directive that redist goes by. [`Settings::default`] takes each
        /// default from the directive's row.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Settings {
            $($(#[$doc])* pub $name: $kind,)*
        }

        impl Settings {
            fn blank() -> Self {
                Self { $($name: Default::default(),)* }
            }
        }
    };
}

settings! {
    /// TCP port; 0 takes a free one.
    port: u16,
    /// Addresses to listen on; one behind `-` may be missing.
    bind: Vec<String>,
    /// Whether clients from elsewhere are refused while there is no password.
    protected_mode: bool,
    /// Most clients at once.
    maxclients: usize,
    /// Seconds after which an idle client is disconnected; 0 is never.
    timeout: u64,
    /// The password of the default user; empty is none.
    requirepass: String,
    /// Longest argument in bytes.
    proto_max_bulk_len: i64,
    /// How much may wait for clients that read too slowly.
    client_output_buffer_limit: BufferLimits,
    /// Keys of which is known who caches them; 0 is no limit.
    tracking_table_max_keys: usize,
    /// Number of databases.
    databases: usize,
    /// The least important log lines that are written.
    loglevel: LogLevel,
    /// Path of the log; empty is standard error.
    logfile: String,
    /// Where the program writes its process id; empty is nowhere.
    pidfile: String,
    /// Where the program writes the port that it listens on; empty is nowhere.
    port_file: String,
    /// Working directory.
    dir: String,
    /// What is evicted when memory is full; also which of access time and frequency keys keep.
    maxmemory_policy: MaxmemoryPolicy,
    /// How slowly a key's access counter grows.
    lfu_log_factor: u32,
    /// Minutes after which an unused key's access counter sinks by one; 0 is never.
    lfu_decay_time: u32,
    /// Whom DEBUG is allowed to.
    enable_debug_command: Permission,
    /// Whether distributions of commands' durations are kept.
    latency_tracking: bool,
    /// The percentiles that INFO shows of them.
    latency_tracking_info_percentiles: Vec<String>,
    /// Which events on keys are published.
    notify_keyspace_events: EventClasses,
    /// Milliseconds from which on the latency monitor keeps a sample; 0 keeps none.
    latency_monitor_threshold: u64,
    /// Microseconds from which on a command is kept in the slow log; negative is never.
    slowlog_log_slower_than: i64,
    /// Milliseconds that a script may run before others are told that the server is busy.
    busy_reply_threshold: u64,
    /// Entries that the slow log keeps.
    slowlog_max_len: usize,
    /// Most elements of a compact list, or, negative, its size class (-1 is 4 kb … -5 is 64 kb).
    list_max_listpack_size: i64,
    /// List nodes at either end that are never compressed; 0 compresses none.
    list_compress_depth: usize,
    /// Most fields of a compact hash.
    hash_max_listpack_entries: usize,
    /// Longest field or value of a compact hash in bytes.
    hash_max_listpack_value: usize,
    /// Most members of a set of integers.
    set_max_intset_entries: usize,
    /// Most members of a compact set.
    set_max_listpack_entries: usize,
    /// Longest member of a compact set in bytes.
    set_max_listpack_value: usize,
    /// Most members of a compact sorted set.
    zset_max_listpack_entries: usize,
    /// Longest member of a compact sorted set in bytes.
    zset_max_listpack_value: usize,
    /// Largest node of a stream in bytes; 0 is no limit.
    stream_node_max_bytes: usize,
    /// Most entries of a stream's node; 0 is no limit.
    stream_node_max_entries: usize,
    /// Largest sparse HyperLogLog in bytes.
    hll_sparse_max_bytes: usize,
    /// Name of the snapshot in the working directory.
    dbfilename: String,
    /// When a snapshot is due: pairs of seconds and changes.
    save: Vec<String>,
    /// Whether snapshots end with a checksum.
    rdbchecksum: bool,
    /// Whether writes are refused once a snapshot has failed.
    stop_writes_on_bgsave_error: bool,
    /// Whether long strings are compressed where data becomes bytes.
    rdbcompression: bool,
    /// Accepted for compatibility: eviction frees outside of every lock either way.
    lazyfree_lazy_eviction: bool,
    /// Accepted for compatibility: expiry frees outside of every lock either way.
    lazyfree_lazy_expire: bool,
    /// Accepted for compatibility: what a command replaces is freed outside of every lock either way.
    lazyfree_lazy_server_del: bool,
    /// Accepted for compatibility: DEL frees outside of every lock either way.
    lazyfree_lazy_user_del: bool,
    /// Accepted for compatibility: FLUSHALL frees outside of every lock either way.
    lazyfree_lazy_user_flush: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let mut settings = Self::blank();
        for directive in directives::all() {
            directive
                .set_to_default(&mut settings)
                .expect("a test sets every directive to its default");
        }
        settings
    }
}

/// A field's type: how it is read from and written as the value of a directive.
pub trait Setting {
    /// The field as a value.
    fn value(&self) -> Value;
    /// Takes a value that the directive's kind has accepted.
    fn put(&mut self, value: Value);
}

/// The kind of a row and the type of its field do not belong together, which the tests would show.
#[track_caller]
fn mismatch(value: &Value) -> ! {
    unreachable!("the kind of a directive gives its field {value:?}")
}

impl Setting for bool {
    fn value(&self) -> Value {
        Value::Flag(*self)
    }

    fn put(&mut self, value: Value) {
        match value {
            Value::Flag(flag) => *self = flag,
            other => mismatch(&other),
        }
    }
}

impl Setting for String {
    fn value(&self) -> Value {
        Value::Text(self.clone())
    }

    fn put(&mut self, value: Value) {
        match value {
            Value::Text(text) => *self = text,
            other => mismatch(&other),
        }
    }
}

impl Setting for Vec<String> {
    fn value(&self) -> Value {
        Value::Words(self.clone())
    }

    fn put(&mut self, value: Value) {
        match value {
            Value::Words(words) => *self = words,
            other => mismatch(&other),
        }
    }
}

macro_rules! integer_settings {
    ($($kind:ty)*) => {$(
        impl Setting for $kind {
            fn value(&self) -> Value {
                // Came from an i64.
                Value::Number(i64::try_from(*self).unwrap_or(i64::MAX))
            }

            fn put(&mut self, value: Value) {
                match value {
                    // A row's bounds are within its field's type, or at the top of it.
                    Value::Number(number) => *self = <$kind>::try_from(number).unwrap_or(<$kind>::MAX),
                    other => mismatch(&other),
                }
            }
        }
    )*};
}

integer_settings!(u16 u32 u64 usize i64);

/// Declares an enumeration whose variants have the names that configuration files use.
macro_rules! choices {
    ($(#[$doc:meta])* $kind:ident { $($(#[$variant_doc:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub enum $kind {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $kind {
            /// Every name in the order in which errors list them.
            pub const NAMES: &[&str] = &[$($name,)*];
            const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name as configuration files use it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }

        impl Setting for $kind {
            fn value(&self) -> Value {
                Value::Choice(self.name())
            }

            fn put(&mut self, value: Value) {
                match Self::ALL.iter().find(|choice| value == Value::Choice(choice.name())) {
                    Some(choice) => *self = *choice,
                    None => mismatch(&value),
                }
            }
        }
    };
}

choices! {
    /// To whom something dangerous is allowed.
    Permission {
        /// To nobody.
        #[default]
        No = "no",
        /// To every client.
        Yes = "yes",
        /// To clients on this machine.
        Local = "local",
    }
}

choices! {
    /// How important a log line has to be.
    LogLevel {
        /// Everything.
        Debug = "debug",
        /// Rarely useful things too.
        Verbose = "verbose",
        /// What one wants to know in production.
        #[default]
        Notice = "notice",
        /// Critical things only.
        Warning = "warning",
        /// Nothing at all.
        Nothing = "nothing",
    }
}

choices! {
    /// What is evicted when memory is full.
    MaxmemoryPolicy {
        /// Of keys with a time to live, one not used for long.
        VolatileLru = "volatile-lru",
        /// Of keys with a time to live, one seldom used.
        VolatileLfu = "volatile-lfu",
        /// Of keys with a time to live, any.
        VolatileRandom = "volatile-random",
        /// Of keys with a time to live, one due soon.
        VolatileTtl = "volatile-ttl",
        /// A key not used for long.
        AllkeysLru = "allkeys-lru",
        /// A key seldom used.
        AllkeysLfu = "allkeys-lfu",
        /// Any key.
        AllkeysRandom = "allkeys-random",
        /// Nothing: writes are refused.
        #[default]
        Noeviction = "noeviction",
    }
}

impl MaxmemoryPolicy {
    /// Whether keys keep how often they were used instead of when.
    pub fn is_lfu(self) -> bool {
        matches!(self, Self::VolatileLfu | Self::AllkeysLfu)
    }

    /// Whether it goes by how keys are used at all.
    pub fn is_by_usage(self) -> bool {
        self.is_lfu() || matches!(self, Self::VolatileLru | Self::AllkeysLru)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_reaches_its_field() {
        let settings = Settings::default();
        assert_eq!(settings.port, 6379);
        assert_eq!(settings.bind, ["127.0.0.1", "-::1"]);
        assert_eq!(settings.maxclients, 10_000);
        assert_eq!(settings.proto_max_bulk_len, 512 * 1024 * 1024);
        assert_eq!(settings.maxmemory_policy, MaxmemoryPolicy::Noeviction);
        assert_eq!(settings.loglevel, LogLevel::Notice);
    }
}
