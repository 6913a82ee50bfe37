//! What memory is used for.
//!
//! All numbers are true as far as they can be known without an allocator of one's own: the memory of
//! the process is counted in resident pages, and what a key takes by the sizes of what it owns.

use super::args::Args;
use super::keys::{KeyFlags, Keys};
use super::spec::{Arity, Context, Flags, Handler, Spec};
use crate::error::CommandError;
use crate::instance::MemoryUse;
use crate::keyspace::ReadView;
use crate::protocol::{Outcome, Reply};

const VARIES: &[&str] =
    &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"];

pub(super) const COMMANDS: &[Spec] = &[Spec {
    name: "MEMORY",
    arity: Arity::at_least(2),
    since: "4.0.0",
    summary: "A container for memory diagnostics commands.",
    complexity: "Depends on subcommand.",
    subcommands: &[
        Spec {
            name: "DOCTOR",
            arity: Arity::exactly(2),
            handler: Handler::Client(doctor),
            flags: Flags::WALKS,
            since: "4.0.0",
            summary: "Outputs a memory problems report.",
            tips: VARIES,
            ..Spec::REST
        },
        Spec {
            name: "HELP",
            arity: Arity::exactly(2),
            handler: Handler::Client(help),
            flags: Flags::LOADING.and(Flags::STALE),
            since: "4.0.0",
            summary: "Returns helpful text about the different subcommands.",
            ..Spec::REST
        },
        Spec {
            name: "MALLOC-STATS",
            arity: Arity::exactly(2),
            handler: Handler::Client(malloc_stats),
            since: "4.0.0",
            summary: "Returns the allocator statistics.",
            complexity: "Depends on how much memory is allocated, could be slow",
            tips: VARIES,
            ..Spec::REST
        },
        Spec {
            name: "PURGE",
            arity: Arity::exactly(2),
            handler: Handler::Client(purge),
            since: "4.0.0",
            summary: "Asks the allocator to release memory.",
            complexity: "Depends on how much memory is allocated, could be slow",
            tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
            ..Spec::REST
        },
        Spec {
            name: "STATS",
            arity: Arity::exactly(2),
            handler: Handler::Client(stats),
            flags: Flags::WALKS,
            since: "4.0.0",
            summary: "Returns details about memory usage.",
            tips: VARIES,
            ..Spec::REST
        },
        Spec {
            name: "USAGE",
            arity: Arity::at_least(3),
            keys: Keys::one(2, KeyFlags::RO),
            handler: Handler::Read(usage),
            since: "4.0.0",
            summary: "Estimates the memory usage of a key.",
            syntax: "key [SAMPLES count]",
            complexity: "O(N) where N is the number of samples.",
            ..Spec::REST
        },
    ],
    ..Spec::REST
}];

fn usage<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    const SAMPLES_DEFAULT: usize = 5;
    let (key, mut samples) = (args.key()?, SAMPLES_DEFAULT);
    while !args.is_empty() {
        if !args.word("SAMPLES") || args.is_empty() {
            return Err(CommandError::Syntax);
        }
        samples = match args.integer()? {
            0 => usize::MAX,
            count => usize::try_from(count).map_err(|_| CommandError::Syntax)?,
        };
    }
    Ok(view.entry(key).map_or(Reply::Null, |entry| Reply::count(entry.memory_bytes(samples))))
}

fn malloc_stats<'v>(_: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    Ok(Reply::text("Stats not supported for the current allocator"))
}

fn purge<'v>(_: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    // The system's allocator gives pages back by itself, and Redis answers so without jemalloc.
    Ok(Reply::Ok)
}

fn stats<'v>(context: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    let usage = context.memory_use();
    let databases = usage.databases.iter().map(|database| {
        let overhead = Reply::Map(vec![
            (Reply::text("overhead.hashtable.main"), bytes(database.table_bytes)),
            (Reply::text("overhead.hashtable.expires"), bytes(database.deadline_bytes)),
            (Reply::text("overhead.hashtable.slot-to-keys"), Reply::Int(0)),
        ]);
        (Reply::text(format!("db.{}", database.index)), overhead)
    });
    let number = |name: &'static str, number: u64| (Reply::text(name), bytes(number));
    let share = |name: &'static str, share: f64| (Reply::text(name), Reply::Double(share));
    let mut fields = vec![
        number("peak.allocated", usage.process.peak_bytes),
        number("total.allocated", usage.process.resident_bytes),
        number("startup.allocated", usage.process.startup_bytes),
        number("replication.backlog", 0),
        number("clients.slaves", 0),
        number("clients.normal", usage.clients_bytes),
        number("cluster.links", 0),
        number("aof.buffer", 0),
        number("lua.caches", 0),
        number("functions.caches", 0),
    ];
    fields.extend(databases);
    fields.extend([
        number("overhead.total", usage.overhead_bytes()),
        number("keys.count", usage.key_count()),
        number("keys.bytes-per-key", usage.bytes_per_key()),
        number("dataset.bytes", usage.dataset_bytes()),
        share("dataset.percentage", usage.dataset_percent()),
        share("peak.percentage", usage.peak_percent()),
    ]);
    Ok(Reply::Map(fields))
}

/// A size, which is far below 2^63.
fn bytes<'v>(bytes: u64) -> Reply<'v> {
    Reply::Int(bytes as i64)
}

/// Below this there is too little data for a diagnosis.
const DIAGNOSED_BYTES_MIN: u64 = 5 * 1024 * 1024;

fn doctor<'v>(context: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    Ok(Reply::Verbatim(diagnosis(&context.memory_use()).into()))
}

fn diagnosis(usage: &MemoryUse) -> String {
    if usage.net_bytes() < DIAGNOSED_BYTES_MIN {
        return "Hi Sam, this instance is empty or is using very little memory, my issues detector can't be used in these \
            conditions. Please, leave for your mission on Earth and fill it with some data. The new Sam and I will be back to \
            our programming as soon as I finished rebooting.\n"
            .to_owned();
    }
    let mut issues = String::new();
    if usage.process.peak_bytes as f64 / usage.process.resident_bytes as f64 > 1.5 {
        issues.push_str(
            " * Peak memory: In the past this instance used more than 150% the memory that is currently using. The allocator \
             is normally not able to release memory after a peak, so you can expect to see a big fragmentation ratio, however \
             this is actually harmless and is only due to the memory peak, and if the Redis instance Resident Set Size (RSS) \
             is currently bigger than expected, the memory will be used as soon as you fill the Redis instance with more \
             data. If the memory peak was only occasional and you want to try to reclaim memory, please try the MEMORY PURGE \
             command, otherwise the only other option is to shutdown and restart the instance.\n\n",
        );
    }
    /// Bytes that a client's buffers take on average before that is an issue.
    const CLIENT_BYTES_MAX: u64 = 200 * 1024;
    if usage.clients_bytes > CLIENT_BYTES_MAX * usage.client_count.max(1) {
        issues.push_str(
            " * Big client buffers: The clients output buffers in this instance are greater than 200K per client (on average). \
             This may result from different causes, like Pub/Sub clients subscribed to channels bot not receiving data fast \
             enough, so that data piles on the Redis instance output buffer, or clients sending commands with large replies or \
             very large sequences of commands in the same pipeline. Please use the CLIENT LIST command in order to investigate \
             the issue if it causes problems in your instance, or to understand better why certain clients are using a big \
             amount of memory.\n\n",
        );
    }
    if issues.is_empty() {
        return "Hi Sam, I can't find any memory issue in your instance. I can only account for what occurs on this base.\n"
            .to_owned();
    }
    format!(
        "Sam, I detected a few issues in this Redis instance memory implants:\n\n{issues}\
         I'm here to keep you safe, Sam. I want to help you.\n"
    )
}

fn help<'v>(_: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    Ok(Reply::lines(HELP.iter().copied()))
}

const HELP: &[&str] = &[
    "MEMORY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "DOCTOR",
    "    Return memory problems reports.",
    "MALLOC-STATS",
    "    Return internal statistics report from the memory allocator.",
    "PURGE",
    "    Attempt to purge dirty pages for reclamation by the allocator.",
    "STATS",
    "    Return information about the memory usage of the server.",
    "USAGE <key> [SAMPLES <count>]",
    "    Return memory in bytes used by <key> and its value. Nested values are",
    "    sampled up to <count> times (default: 5, 0 means sample all).",
    "HELP",
    "    Print this help.",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::Memory;

    #[test]
    fn the_doctor_finds_what_there_is_to_find() {
        const MB: u64 = 1024 * 1024;
        let diagnose = |resident_mb: u64, peak_mb: u64, clients_mb: u64| {
            let process = Memory {
                resident_bytes: resident_mb * MB,
                peak_bytes: peak_mb * MB,
                startup_bytes: 4 * MB,
            };
            let clients_bytes = clients_mb * MB;
            diagnosis(&MemoryUse {
                process,
                clients_bytes,
                client_count: 10,
                databases: Vec::new(),
            })
        };
        assert!(diagnose(5, 5, 0).starts_with("Hi Sam, this instance is empty"));
        assert!(diagnose(50, 60, 0).starts_with("Hi Sam, I can't find any"));
        assert!(diagnose(50, 100, 0).contains(" * Peak memory"));
        assert!(diagnose(50, 50, 20).contains(" * Big client buffers"));
    }
}
