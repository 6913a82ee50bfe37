//! INFO: what there is to know of the server, in sections.
//!
//! The sections, the fields and their order are those of Redis 7.2. Every value is true: a field
//! that has no meaning here (an allocator's statistics, an event loop's) is left out, and what is
//! not built shows as what it is, nothing in progress and nothing counted.

use super::args::Args;
use super::spec::{Arity, Context, Flags, Handler, Spec};
use super::table::{self, Found};
use crate::instance::{
    ClientRecord, DatabaseUse, Instance, LoadProgress, MemoryUse, Patience, Tally, Topic,
};
use crate::protocol::{Outcome, Reply};
use std::cell::OnceCell;
use std::fmt::{Display, Write};
use std::time::Duration;

pub(super) const COMMANDS: &[Spec] = &[Spec {
    name: "INFO",
    arity: Arity::at_least(1),
    handler: Handler::Client(info),
    flags: Flags::LOADING.and(Flags::STALE).and(Flags::DANGEROUS).and(Flags::WALKS),
    since: "1.0.0",
    summary: "Returns information and statistics about the server.",
    syntax: "[section...]",
    history: &[("7.0.0", "Added support for taking multiple section arguments.")],
    tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    ..Spec::REST
}];

/// A part of INFO's reply.
struct Section {
    title: &'static str,
    /// The names by which it is asked for.
    names: &'static [&'static str],
    /// Whether it is shown when nothing is asked for.
    is_usual: bool,
    fields: fn(&Report<'_>, &mut Fields),
}

impl Section {
    const fn usual(
        title: &'static str,
        names: &'static [&'static str],
        fields: fn(&Report<'_>, &mut Fields),
    ) -> Self {
        Self { title, names, is_usual: true, fields }
    }

    const fn unusual(
        title: &'static str,
        names: &'static [&'static str],
        fields: fn(&Report<'_>, &mut Fields),
    ) -> Self {
        Self { title, names, is_usual: false, fields }
    }

    fn is_asked_for(&self, word: &[u8]) -> bool {
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        is("all")
            || is("everything")
            || (is("default") && self.is_usual)
            || self.names.iter().any(|name| is(name))
    }
}

const SECTIONS: &[Section] = &[
    Section::usual("Server", &["server"], server),
    Section::usual("Clients", &["clients"], clients),
    Section::usual("Memory", &["memory"], memory),
    Section::usual("Persistence", &["persistence"], persistence),
    Section::usual("Stats", &["stats"], stats),
    Section::usual("Replication", &["replication"], replication),
    Section::usual("CPU", &["cpu"], cpu),
    Section::usual("Modules", &["modules", "module_list"], |_, _| {}),
    Section::unusual("Commandstats", &["commandstats"], commandstats),
    Section::usual("Errorstats", &["errorstats"], errorstats),
    Section::unusual("Latencystats", &["latencystats"], latencystats),
    Section::usual("Cluster", &["cluster"], |_, out| out.add("cluster_enabled", 0)),
    Section::usual("Keyspace", &["keyspace"], keyspace),
];

fn info<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let asked = args.rest();
    let report = Report { context, memory: OnceCell::new() };
    let mut out = Fields::default();
    for section in SECTIONS {
        let is_shown = if asked.len() == 0 {
            section.is_usual
        } else {
            asked.clone().any(|word| section.is_asked_for(word))
        };
        if is_shown {
            out.begin(section.title);
            (section.fields)(&report, &mut out);
        }
    }
    Ok(Reply::Verbatim(out.text.into()))
}

/// The reply as far as it is written.
#[derive(Default)]
struct Fields {
    text: String,
}

impl Fields {
    fn begin(&mut self, title: &str) {
        let gap = if self.text.is_empty() { "" } else { "\r\n" };
        // Writing to a string does not fail.
        let _ = write!(self.text, "{gap}# {title}\r\n");
    }

    fn add(&mut self, name: impl Display, value: impl Display) {
        let _ = write!(self.text, "{name}:{value}\r\n");
    }

    /// Fields that are zero, because what they count does not happen here.
    fn add_zeros(&mut self, names: &[&str]) {
        names.iter().for_each(|name| self.add(name, 0));
    }

    /// A size in bytes, and again for people.
    fn add_size(&mut self, name: &str, bytes: u64) {
        self.add(name, bytes);
        self.add(format_args!("{name}_human"), human(bytes));
    }
}

/// A size as people read it: `1.04M`.
fn human(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["K", "M", "G", "T", "P"];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let mut size = bytes as f64 / 1024.0;
    let mut units = UNITS.iter();
    let mut unit = units.next();
    while size >= 1024.0
        && let Some(next) = units.next()
    {
        size /= 1024.0;
        unit = Some(next);
    }
    format!("{size:.2}{}", unit.unwrap_or(&""))
}

/// What the sections are made from.
struct Report<'r> {
    context: &'r Context<'r>,
    /// Walks all shards, so it is looked at once, and only if a section needs it.
    memory: OnceCell<MemoryUse>,
}

impl Report<'_> {
    fn instance(&self) -> &Instance {
        self.context.instance
    }

    fn now_seconds(&self) -> i64 {
        self.context.now_us / 1_000_000
    }

    fn memory(&self) -> &MemoryUse {
        self.memory.get_or_init(|| self.context.memory_use())
    }

    fn databases(&self) -> &[DatabaseUse] {
        &self.memory().databases
    }
}

fn server(report: &Report<'_>, out: &mut Fields) {
    let instance = report.instance();
    let settings = &report.context.client.settings;
    let uptime = instance.uptime().as_secs();
    out.add("redis_version", crate::REDIS_VERSION);
    out.add("redist_version", crate::REDIST_VERSION);
    out.add("redis_mode", "standalone");
    out.add("os", instance.process.system());
    out.add("arch_bits", usize::BITS);
    // A thread for each client, and nothing that waits for several.
    out.add("multiplexing_api", "threads");
    out.add("process_id", instance.process.id());
    out.add("process_supervised", "no");
    out.add("run_id", &instance.run_id);
    out.add("tcp_port", instance.port_in_use());
    out.add("server_time_usec", report.context.now_us);
    out.add("uptime_in_seconds", uptime);
    out.add("uptime_in_days", uptime / 86400);
    out.add("lru_clock", report.now_seconds() & 0xff_ffff);
    out.add("executable", instance.process.executable().unwrap_or_default());
    let file = instance.config.file().map(|path| path.display().to_string());
    out.add("config_file", file.unwrap_or_default());
    out.add("io_threads_active", 0);
    let addresses: String =
        settings.bind.iter().map(|address| format!(",bind={address}")).collect();
    out.add("listener0", format_args!("name=tcp{addresses},port={}", instance.port_in_use()));
}

fn clients(report: &Report<'_>, out: &mut Fields) {
    let records = report.instance().clients.all();
    let most = |bytes: fn(&ClientRecord) -> u64| records.iter().map(|record| bytes(record)).max();
    let blocked: Vec<Patience> = records.iter().filter_map(|record| record.blocked()).collect();
    out.add("connected_clients", records.len());
    out.add("cluster_connections", 0);
    out.add("maxclients", report.context.client.settings.maxclients);
    out.add("client_recent_max_input_buffer", most(|record| record.query_bytes.get()).unwrap_or(0));
    out.add(
        "client_recent_max_output_buffer",
        most(|record| record.reply_peak_bytes.get()).unwrap_or(0),
    );
    out.add("blocked_clients", blocked.len());
    out.add("tracking_clients", report.instance().tracking.client_count());
    let bounded = blocked.iter().filter(|patience| **patience == Patience::Bounded).count();
    out.add("clients_in_timeout_table", bounded);
    out.add("total_blocking_keys", report.context.shards.waited_key_count());
    out.add_zeros(&["total_blocking_keys_on_nokey"]);
}

fn memory(report: &Report<'_>, out: &mut Fields) {
    let memory = report.memory();
    let process = &memory.process;
    // Without an allocator of our own the pages in memory are what can be counted.
    if process.resident_bytes > 0 {
        out.add_size("used_memory", process.resident_bytes);
        out.add_size("used_memory_rss", process.resident_bytes);
        out.add_size("used_memory_peak", process.peak_bytes);
        out.add("used_memory_peak_perc", format_args!("{:.2}%", memory.peak_percent()));
        out.add("used_memory_overhead", memory.overhead_bytes());
        out.add("used_memory_startup", process.startup_bytes);
        out.add("used_memory_dataset", memory.dataset_bytes());
        out.add("used_memory_dataset_perc", format_args!("{:.2}%", memory.dataset_percent()));
    }
    if let Some(bytes) = report.instance().process.system_memory_bytes() {
        out.add_size("total_system_memory", bytes);
    }
    let scripts = &report.instance().scripts;
    let (interpreters, texts) = (scripts.interpreter_bytes(), scripts.text_bytes());
    out.add("used_memory_lua", interpreters);
    out.add("used_memory_vm_eval", interpreters);
    out.add("used_memory_lua_human", human(interpreters as u64));
    out.add("used_memory_scripts_eval", texts);
    out.add("number_of_cached_scripts", scripts.count());
    out.add_zeros(&["number_of_functions", "number_of_libraries", "used_memory_vm_functions"]);
    out.add_size("used_memory_vm_total", interpreters as u64);
    out.add("used_memory_functions", 0);
    out.add_size("used_memory_scripts", texts as u64);
    out.add_size("maxmemory", 0);
    out.add("maxmemory_policy", report.context.client.settings.maxmemory_policy.name());
    out.add_zeros(&[
        "mem_not_counted_for_evict",
        "mem_replication_backlog",
        "mem_total_replication_buffers",
        "mem_clients_slaves",
    ]);
    out.add("mem_clients_normal", memory.clients_bytes);
    out.add_zeros(&["mem_cluster_links", "mem_aof_buffer"]);
    out.add("mem_allocator", if cfg!(feature = "jemalloc") { "jemalloc" } else { "libc" });
    out.add("active_defrag_running", 0);
    out.add("lazyfree_pending_objects", report.instance().janitor.pending());
    out.add("lazyfreed_objects", report.instance().janitor.freed());
}

fn persistence(report: &Report<'_>, out: &mut Fields) {
    let instance = report.instance();
    let is_loading = instance.loading.is_on();
    out.add("loading", u8::from(is_loading));
    out.add_zeros(&[
        "async_loading",
        "current_cow_peak",
        "current_cow_size",
        "current_cow_size_age",
    ]);
    out.add("current_fork_perc", "0.00");
    let (running, history) = (instance.saving.running(), instance.saving.history());
    let (saved, total) = if running.is_some() { instance.saving.keys() } else { (0, 0) };
    out.add("current_save_keys_processed", saved);
    out.add("current_save_keys_total", total);
    out.add("rdb_changes_since_last_save", instance.unsaved_changes());
    out.add("rdb_bgsave_in_progress", u8::from(running.is_some()));
    out.add("rdb_last_save_time", history.last_seconds);
    out.add("rdb_last_bgsave_status", if history.failure.is_some() { "err" } else { "ok" });
    let seconds = |time: Option<Duration>| time.map_or(-1, |time| time.as_secs() as i64);
    out.add("rdb_last_bgsave_time_sec", seconds(history.last_took));
    out.add("rdb_current_bgsave_time_sec", seconds(running));
    out.add("rdb_saves", history.count);
    out.add_zeros(&["rdb_last_cow_size"]);
    let progress = instance.loading.progress();
    out.add("rdb_last_load_keys_expired", progress.expired_keys);
    out.add("rdb_last_load_keys_loaded", progress.loaded_keys);
    out.add_zeros(&["aof_enabled", "aof_rewrite_in_progress", "aof_rewrite_scheduled"]);
    out.add("aof_last_rewrite_time_sec", -1);
    out.add("aof_current_rewrite_time_sec", -1);
    out.add("aof_last_bgrewrite_status", "ok");
    out.add_zeros(&["aof_rewrites", "aof_rewrites_consecutive_failures"]);
    out.add("aof_last_write_status", "ok");
    out.add_zeros(&["aof_last_cow_size", "module_fork_in_progress", "module_fork_last_cow_size"]);
    if is_loading {
        loading(&progress, report.now_seconds(), out);
    }
}

/// How far loading has come, and when it should be over.
fn loading(progress: &LoadProgress, now_seconds: i64, out: &mut Fields) {
    let LoadProgress { started_at_seconds, total_bytes, loaded_bytes, .. } = *progress;
    let share = if total_bytes == 0 { 0.0 } else { loaded_bytes as f64 / total_bytes as f64 };
    // As Redis, which says 1 as long as it knows nothing.
    let left_seconds = match u64::try_from(now_seconds.saturating_sub(started_at_seconds)) {
        Ok(0) | Err(_) => 1,
        Ok(took) => {
            let left_bytes = total_bytes.saturating_sub(loaded_bytes).max(1);
            took.saturating_mul(left_bytes) / loaded_bytes.saturating_add(1)
        }
    };
    out.add("loading_start_time", started_at_seconds);
    out.add("loading_total_bytes", total_bytes);
    out.add("loading_rdb_used_mem", 0);
    out.add("loading_loaded_bytes", loaded_bytes);
    out.add("loading_loaded_perc", format_args!("{:.2}", share * 100.0));
    out.add("loading_loaded_eta_seconds", left_seconds);
}

fn stats(report: &Report<'_>, out: &mut Fields) {
    let stats = &report.instance().stats;
    let rates = stats.rates();
    let kilobytes = |bytes: f64| format!("{:.2}", bytes / 1024.0);
    out.add("total_connections_received", stats.connections_received());
    out.add("total_commands_processed", stats.commands_processed());
    out.add("instantaneous_ops_per_sec", rates.commands.round());
    out.add("total_net_input_bytes", stats.input_bytes());
    out.add("total_net_output_bytes", stats.output_bytes());
    out.add_zeros(&["total_net_repl_input_bytes", "total_net_repl_output_bytes"]);
    out.add("instantaneous_input_kbps", kilobytes(rates.input_bytes));
    out.add("instantaneous_output_kbps", kilobytes(rates.output_bytes));
    out.add("instantaneous_input_repl_kbps", kilobytes(0.0));
    out.add("instantaneous_output_repl_kbps", kilobytes(0.0));
    out.add("rejected_connections", stats.connections_rejected());
    out.add_zeros(&["sync_full", "sync_partial_ok", "sync_partial_err"]);
    out.add("expired_keys", stats.expired());
    out.add("expired_subkeys", stats.expired_elements());
    let (due, volatile) = report.databases().iter().fold((0, 0), |(due, volatile), database| {
        (due + database.due, volatile + database.volatile)
    });
    let stale = if volatile == 0 { 0.0 } else { due as f64 * 100.0 / volatile as f64 };
    out.add("expired_stale_perc", format_args!("{stale:.2}"));
    out.add("expired_time_cap_reached_count", 0);
    out.add("expire_cycle_cpu_milliseconds", stats.reaped_ms());
    out.add_zeros(&[
        "evicted_keys",
        "evicted_clients",
        "total_eviction_exceeded_time",
        "current_eviction_exceeded_time",
    ]);
    out.add("keyspace_hits", stats.hits());
    out.add("keyspace_misses", stats.misses());
    for (name, topic) in [
        ("pubsub_channels", Topic::Channel),
        ("pubsub_patterns", Topic::Pattern),
        ("pubsubshard_channels", Topic::ShardChannel),
    ] {
        out.add(name, report.instance().pubsub.count(topic));
    }
    out.add_zeros(&[
        "latest_fork_usec",
        "total_forks",
        "migrate_cached_sockets",
        "slave_expires_tracked_keys",
        "active_defrag_hits",
        "active_defrag_misses",
        "active_defrag_key_hits",
        "active_defrag_key_misses",
        "total_active_defrag_time",
        "current_active_defrag_time",
    ]);
    let tracking = &report.instance().tracking;
    out.add("tracking_total_keys", tracking.key_count());
    out.add("tracking_total_items", tracking.item_count());
    out.add("tracking_total_prefixes", tracking.prefix_count());
    out.add("unexpected_error_replies", 0);
    let errors = stats.errors();
    out.add("total_error_replies", errors.values().sum::<u64>());
    out.add("dump_payload_sanitizations", 0);
    out.add("total_reads_processed", stats.reads());
    out.add("total_writes_processed", stats.writes());
    out.add_zeros(&["io_threaded_reads_processed", "io_threaded_writes_processed"]);
    // There are no users but the default one, so only passwords are ever wrong.
    out.add("acl_access_denied_auth", errors.get("WRONGPASS").copied().unwrap_or(0));
    out.add_zeros(&["acl_access_denied_cmd", "acl_access_denied_key", "acl_access_denied_channel"]);
}

fn replication(report: &Report<'_>, out: &mut Fields) {
    out.add("role", "master");
    out.add("connected_slaves", 0);
    out.add("master_failover_state", "no-failover");
    out.add("master_replid", &report.instance().replication_id);
    out.add("master_replid2", "0".repeat(40));
    out.add("master_repl_offset", 0);
    out.add("second_repl_offset", -1);
    out.add_zeros(&[
        "repl_backlog_active",
        "repl_backlog_size",
        "repl_backlog_first_byte_offset",
        "repl_backlog_histlen",
    ]);
}

fn cpu(report: &Report<'_>, out: &mut Fields) {
    let process = &report.instance().process;
    let seconds = |time: Duration| format!("{:.6}", time.as_secs_f64());
    if let Some(times) = process.cpu() {
        out.add("used_cpu_sys", seconds(times.system));
        out.add("used_cpu_user", seconds(times.user));
        out.add("used_cpu_sys_children", seconds(times.children_system));
        out.add("used_cpu_user_children", seconds(times.children_user));
    }
    if let Some(times) = process.cpu_of_main_thread() {
        out.add("used_cpu_sys_main_thread", seconds(times.system));
        out.add("used_cpu_user_main_thread", seconds(times.user));
    }
}

fn commandstats(report: &Report<'_>, out: &mut Fields) {
    for found in table::all() {
        let tally = report.instance().stats.command(found.id);
        let Tally { calls, micros, rejected, failed } = tally;
        if tally == Tally::default() {
            continue;
        }
        let each = if calls == 0 { 0.0 } else { micros as f64 / calls as f64 };
        out.add(
            format_args!("cmdstat_{}", found.full_name()),
            format_args!(
                "calls={calls},usec={micros},usec_per_call={each:.2},rejected_calls={rejected},failed_calls={failed}"
            ),
        );
    }
}

fn errorstats(report: &Report<'_>, out: &mut Fields) {
    for (code, count) in report.instance().stats.errors() {
        out.add(format_args!("errorstat_{code}"), format_args!("count={count}"));
    }
}

fn latencystats(report: &Report<'_>, out: &mut Fields) {
    let percentiles = &report.context.client.settings.latency_tracking_info_percentiles;
    let line = |found: &Found| {
        let distribution = report.instance().stats.distribution(found.id);
        let shown = percentiles.iter().filter_map(|text| {
            let percent: f64 = text.parse().ok()?;
            let micros = distribution.percentile_ns(percent) as f64 / 1000.0;
            Some(format!("p{percent}={micros:.3}"))
        });
        (distribution.count() > 0).then(|| shown.collect::<Vec<_>>().join(","))
    };
    for found in table::all() {
        if let Some(line) = line(&found) {
            out.add(format_args!("latency_percentiles_usec_{}", found.full_name()), line);
        }
    }
}

fn keyspace(report: &Report<'_>, out: &mut Fields) {
    let now_ms = u64::try_from(report.context.now_us / 1000).unwrap_or(0);
    for database in report.databases() {
        out.add(
            format_args!("db{}", database.index),
            format_args!(
                "keys={},expires={},avg_ttl={}",
                database.keys,
                database.volatile,
                database.mean_ttl_ms(now_ms)
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_redis_writes_them() {
        const MB: u64 = 1024 * 1024;
        for (bytes, text) in [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.00K"),
            (1536, "1.50K"),
            (1089168, "1.04M"),
            (25276502016, "23.54G"),
            (MB * MB, "1.00T"),
            (1024 * MB * MB, "1.00P"),
            (u64::MAX, "16384.00P"),
        ] {
            assert_eq!(human(bytes), text);
        }
    }

    #[test]
    fn a_section_is_found_by_its_names_and_by_those_of_groups() {
        let asked_by = |word: &str| {
            let sections = SECTIONS.iter().filter(|section| section.is_asked_for(word.as_bytes()));
            sections.count()
        };
        let counts = [("server", 1), ("SERVER", 1), ("module_list", 1), ("nosuch", 0), ("", 0)];
        for (word, count) in counts.into_iter().chain([("default", 11), ("all", 13)]) {
            assert_eq!(asked_by(word), count, "{word}");
        }
    }
}
