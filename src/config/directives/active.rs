//! The directives that redist goes by.

use super::super::settings::{LogLevel, MaxmemoryPolicy, Permission};
use super::super::value::Kind;
use super::{Directive, I32_MAX, Section, check, choice, field, flag, integer, memory, text};

/// The directives that redist goes by, in the order of `--help`.
pub const SECTIONS: &[Section] = &[
    Section { title: "Network", directives: NETWORK },
    Section { title: "Clients", directives: CLIENTS },
    Section { title: "Process", directives: PROCESS },
    Section { title: "Observing", directives: OBSERVING },
    Section { title: "Memory", directives: MEMORY },
    Section { title: "Snapshots", directives: SNAPSHOTS },
];

const NETWORK: &[Directive] = &[
    Directive::new("port", Kind::Port, "6379")
        .at_start()
        .sets(field!(port), "TCP port; auto or 0 takes a free one"),
    text("port-file", "").at_start().sets(
        field!(port_file),
        "file that gets the port once clients can connect, and is removed at a clean stop",
    ),
    Directive::new("bind", Kind::Words(check::addresses), "127.0.0.1 -::1").at_start().sets(
        field!(bind),
        "addresses to listen on; one behind - may be missing, * and ::* are all of IPv4 and IPv6",
    ),
    flag("protected-mode", "yes").sets(
        field!(protected_mode),
        "whether clients from other machines are refused while there is no password",
    ),
];

const CLIENTS: &[Directive] = &[
    integer("maxclients", "10000", 1, u32::MAX as i64)
        .sets(field!(maxclients), "most clients at once"),
    integer("timeout", "0", 0, I32_MAX)
        .sets(field!(timeout), "seconds after which an idle client is disconnected; 0 is never"),
    text("requirepass", "")
        .secret()
        .sets(field!(requirepass), "the password that clients have to AUTH with"),
    memory("proto-max-bulk-len", "512mb", 1024 * 1024)
        .sets(field!(proto_max_bulk_len), "longest argument, hence longest string"),
    Directive::new(
        "client-output-buffer-limit",
        Kind::Words(check::buffer_limits),
        "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
    )
    .sets(
        field!(client_output_buffer_limit),
        "of classes of clients, the bytes that may wait at all, and those that may for some seconds",
    ),
    integer("tracking-table-max-keys", "1000000", 0, i64::MAX).sets(
        field!(tracking_table_max_keys),
        "keys of which is known who caches them (CLIENT TRACKING); 0 is no limit",
    ),
    integer("databases", "16", 1, I32_MAX)
        .at_start()
        .sets(field!(databases), "number of databases"),
];

const PROCESS: &[Directive] = &[
    choice("loglevel", "notice", LogLevel::NAMES)
        .sets(field!(loglevel), "the least important log lines that are written"),
    text("logfile", "")
        .at_start()
        .sets(field!(logfile), "file that log lines are appended to instead of standard error"),
    text("pidfile", "")
        .at_start()
        .sets(field!(pidfile), "file that gets the process id, and is removed at a clean stop"),
    text("dir", "./").protected().sets(field!(dir), "working directory"),
];

const OBSERVING: &[Directive] = &[
    integer("slowlog-log-slower-than", "10000", -1, i64::MAX).sets(
        field!(slowlog_log_slower_than),
        "microseconds from which on a command is kept in the slow log; -1 is never",
    ),
    integer("busy-reply-threshold", "5000", 0, i64::MAX).alias("lua-time-limit").sets(
        field!(busy_reply_threshold),
        "milliseconds that a script may run before others are told that the server is busy",
    ),
    integer("slowlog-max-len", "128", 0, i64::MAX)
        .sets(field!(slowlog_max_len), "entries that the slow log keeps"),
    integer("latency-monitor-threshold", "0", 0, i64::MAX).sets(
        field!(latency_monitor_threshold),
        "milliseconds from which on LATENCY keeps what took long; 0 keeps nothing",
    ),
    flag("latency-tracking", "yes")
        .sets(field!(latency_tracking), "whether distributions of commands' durations are kept"),
    Directive::new("notify-keyspace-events", Kind::CheckedText(check::event_classes), "").sets(
        field!(notify_keyspace_events),
        "events on keys that are published: classes g$lshzxetdnm or A, K by key and E by event",
    ),
    Directive::new(
        "latency-tracking-info-percentiles",
        Kind::Words(check::percentiles),
        "50 99 99.9",
    )
    .sets(field!(latency_tracking_info_percentiles), "the percentiles that INFO shows of them"),
    choice("enable-debug-command", "no", Permission::NAMES)
        .at_start()
        .sets(field!(enable_debug_command), "whether DEBUG is allowed, or from this machine only"),
];

const MEMORY: &[Directive] = &[
    choice("maxmemory-policy", "noeviction", MaxmemoryPolicy::NAMES).sets(
        field!(maxmemory_policy),
        "whether keys keep when (lru) or how often (lfu) they were used; nothing is evicted yet",
    ),
    integer("lfu-log-factor", "10", 0, I32_MAX)
        .sets(field!(lfu_log_factor), "how slowly a key's access counter grows"),
    integer("lfu-decay-time", "1", 0, I32_MAX)
        .sets(field!(lfu_decay_time), "minutes in which an unused key's access counter sinks by 1"),
    flag("lazyfree-lazy-eviction", "no").sets(field!(lazyfree_lazy_eviction), LAZY),
    flag("lazyfree-lazy-expire", "no").sets(field!(lazyfree_lazy_expire), LAZY),
    flag("lazyfree-lazy-server-del", "no").sets(field!(lazyfree_lazy_server_del), LAZY),
    flag("lazyfree-lazy-user-del", "no").sets(field!(lazyfree_lazy_user_del), LAZY),
    flag("lazyfree-lazy-user-flush", "no").sets(field!(lazyfree_lazy_user_flush), LAZY),
    integer("list-max-listpack-size", "-2", i32::MIN as i64, I32_MAX)
        .alias("list-max-ziplist-size")
        .sets(field!(list_max_listpack_size), "elements of a compact list; -1 to -5: 4 to 64 kb"),
    integer("list-compress-depth", "0", 0, I32_MAX)
        .sets(field!(list_compress_depth), "accepted; lists are not compressed"),
    integer("hash-max-listpack-entries", "512", 0, i64::MAX)
        .alias("hash-max-ziplist-entries")
        .sets(field!(hash_max_listpack_entries), "most fields of a compact hash"),
    memory("hash-max-listpack-value", "64", 0)
        .alias("hash-max-ziplist-value")
        .sets(field!(hash_max_listpack_value), "longest field or value of a compact hash"),
    integer("set-max-intset-entries", "512", 0, i64::MAX)
        .sets(field!(set_max_intset_entries), "most members of a set of integers"),
    integer("set-max-listpack-entries", "128", 0, i64::MAX)
        .sets(field!(set_max_listpack_entries), "most members of a compact set"),
    memory("set-max-listpack-value", "64", 0)
        .sets(field!(set_max_listpack_value), "longest member of a compact set"),
    integer("zset-max-listpack-entries", "128", 0, i64::MAX)
        .alias("zset-max-ziplist-entries")
        .sets(field!(zset_max_listpack_entries), "most members of a compact sorted set"),
    memory("zset-max-listpack-value", "64", 0)
        .alias("zset-max-ziplist-value")
        .sets(field!(zset_max_listpack_value), "longest member of a compact sorted set"),
    memory("stream-node-max-bytes", "4096", 0)
        .sets(field!(stream_node_max_bytes), "largest node of a stream; 0 is no limit"),
    integer("stream-node-max-entries", "100", 0, i64::MAX)
        .sets(field!(stream_node_max_entries), "most entries of a stream's node; 0 is no limit"),
    memory("hll-sparse-max-bytes", "3000", 0)
        .sets(field!(hll_sparse_max_bytes), "largest sparse HyperLogLog"),
];

const SNAPSHOTS: &[Directive] = &[
    Directive::new("dbfilename", Kind::CheckedText(check::file_name), "dump.rdb").protected().sets(
        field!(dbfilename),
        "snapshot in the working directory that is written, and loaded at the start",
    ),
    Directive::new("save", Kind::Words(check::save_points), "3600 1 300 100 60 10000").adds_up().sets(
        field!(save),
        "pairs of seconds and changes after which a snapshot is due; with any, a stop saves too",
    ),
    flag("stop-writes-on-bgsave-error", "yes").sets(
        field!(stop_writes_on_bgsave_error),
        "whether writes are refused once a snapshot has failed",
    ),
    flag("rdbchecksum", "yes")
        .at_start()
        .sets(field!(rdbchecksum), "whether snapshots end with a checksum"),
    flag("rdbcompression", "yes").sets(
        field!(rdbcompression),
        "whether long strings are compressed, in DUMP's payloads too",
    ),
];

const LAZY: &str = "accepted; values are always freed outside of every lock";
