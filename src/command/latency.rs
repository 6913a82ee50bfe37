//! What took long: distributions for each command, and the latency monitor's events.

use super::args::Args;
use super::spec::{Arity, Context, Flags, Handler, Spec};
use super::table::{self, Found};
use crate::config::Settings;
use crate::error::CommandError;
use crate::instance::{Distribution, LatencyEvent, LatencySample, LatencySeries};
use crate::protocol::{Outcome, Reply};
use std::fmt::Write;

const OBSERVING: Flags = Flags::ADMIN.and(Flags::NO_SCRIPT).and(Flags::LOADING).and(Flags::STALE);
const VARIES: &[&str] =
    &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"];

pub(super) const COMMANDS: &[Spec] = &[Spec {
    name: "LATENCY",
    arity: Arity::at_least(2),
    since: "2.8.13",
    summary: "A container for latency diagnostics commands.",
    complexity: "Depends on subcommand.",
    subcommands: &[
        Spec {
            name: "DOCTOR",
            arity: Arity::exactly(2),
            handler: Handler::Client(doctor),
            flags: OBSERVING,
            since: "2.8.13",
            summary: "Returns a human-readable latency analysis report.",
            tips: VARIES,
            ..Spec::REST
        },
        Spec {
            name: "GRAPH",
            arity: Arity::exactly(3),
            handler: Handler::Client(graph),
            flags: OBSERVING,
            since: "2.8.13",
            summary: "Returns a latency graph for an event.",
            syntax: "event",
            tips: VARIES,
            ..Spec::REST
        },
        Spec {
            name: "HELP",
            arity: Arity::exactly(2),
            handler: Handler::Client(help),
            flags: Flags::LOADING.and(Flags::STALE),
            since: "2.8.13",
            summary: "Returns helpful text about the different subcommands.",
            ..Spec::REST
        },
        Spec {
            name: "HISTOGRAM",
            arity: Arity::at_least(2),
            handler: Handler::Client(histogram),
            flags: OBSERVING,
            since: "7.0.0",
            summary: "Returns the cumulative distribution of latencies of a subset or all commands.",
            syntax: "[command...]",
            complexity: "O(N) where N is the number of commands with latency information being retrieved.",
            tips: VARIES,
            ..Spec::REST
        },
        Spec {
            name: "HISTORY",
            arity: Arity::exactly(3),
            handler: Handler::Client(history),
            flags: OBSERVING,
            since: "2.8.13",
            summary: "Returns timestamp-latency samples for an event.",
            syntax: "event",
            tips: VARIES,
            ..Spec::REST
        },
        Spec {
            name: "LATEST",
            arity: Arity::exactly(2),
            handler: Handler::Client(latest),
            flags: OBSERVING,
            since: "2.8.13",
            summary: "Returns the latest latency samples for all events.",
            tips: VARIES,
            ..Spec::REST
        },
        Spec {
            name: "RESET",
            arity: Arity::at_least(2),
            handler: Handler::Client(reset),
            flags: OBSERVING,
            since: "2.8.13",
            summary: "Resets the latency data for one or more events.",
            syntax: "[event...]",
            tips: &["request_policy:all_nodes", "response_policy:agg_sum"],
            ..Spec::REST
        },
    ],
    ..Spec::REST
}];

/// A number that is far below 2^63.
fn number<'v>(number: u64) -> Reply<'v> {
    Reply::Int(number as i64)
}

fn histogram<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let names = args.rest();
    let is_chosen = |found: &Found| {
        let container = found.container.map_or("", |container| container.name);
        let full_name = found.full_name();
        let is_it = |name: &[u8]| {
            name.eq_ignore_ascii_case(full_name.as_bytes())
                || name.eq_ignore_ascii_case(container.as_bytes())
        };
        names.len() == 0 || names.clone().any(is_it)
    };
    let shown = table::all().filter(is_chosen).filter_map(|found| {
        let distribution = context.instance.stats.distribution(found.id);
        let is_known = distribution.count() > 0;
        is_known.then(|| (Reply::text(found.full_name()), lines(&distribution)))
    });
    Ok(Reply::Map(shown.collect()))
}

fn lines<'v>(distribution: &Distribution) -> Reply<'v> {
    let lines = distribution.cumulative();
    let lines = lines.into_iter().map(|(micros, count)| (number(micros), number(count)));
    Reply::Map(vec![
        (Reply::text("calls"), number(distribution.count())),
        (Reply::text("histogram_usec"), Reply::Map(lines.collect())),
    ])
}

fn latest<'v>(context: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    let events = context.instance.latency.all();
    let shown = events.into_iter().filter_map(|(event, series)| {
        let last = series.samples.back()?;
        Some(Reply::Array(vec![
            Reply::text(event.name()),
            Reply::Int(last.at_seconds),
            number(last.ms),
            number(series.worst_ms),
        ]))
    });
    Ok(Reply::Array(shown.collect()))
}

/// What was seen of the event of this name.
fn series(context: &Context<'_>, name: &[u8]) -> Option<LatencySeries> {
    let events = context.instance.latency.all();
    let mut events = events.into_iter();
    events.find(|(event, _)| event.name().as_bytes() == name).map(|(_, series)| series)
}

fn history<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let samples = series(context, args.bytes()?).unwrap_or_default().samples;
    let pair = |sample: LatencySample| {
        Reply::Array(vec![Reply::Int(sample.at_seconds), number(sample.ms)])
    };
    Ok(Reply::Array(samples.into_iter().map(pair).collect()))
}

fn reset<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let names = args.rest();
    let count = context.instance.latency.forget(|event| {
        names.len() == 0 || names.clone().any(|name| name == event.name().as_bytes())
    });
    Ok(Reply::count(count))
}

fn graph<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let name = args.bytes()?;
    let missing = || CommandError::quoting("ERR No samples available for event ", name, "");
    let series = series(context, name).ok_or_else(missing)?;
    let now_seconds = context.now_us / 1_000_000;
    Ok(Reply::Verbatim(draw(&String::from_utf8_lossy(name), &series, now_seconds).into()))
}

/// Width of a graph in characters.
const GRAPH_COLUMNS: usize = 80;
/// Height of a graph in lines.
const GRAPH_ROWS: i64 = 4;
/// How full a character is, by thirds.
const GRAPH_STEPS: [char; 3] = ['_', 'o', '#'];

/// A series as a picture: a column for each sample, below it how long ago that was, read downwards.
fn draw(name: &str, series: &LatencySeries, now_seconds: i64) -> String {
    let values = || series.samples.iter().map(|sample| sample.ms);
    let (low, high) = (values().min().unwrap_or(0), values().max().unwrap_or(0));
    let mut text = format!(
        "{name} - high {high} ms, low {low} ms (all time high {} ms)\n{}\n",
        series.worst_ms,
        "-".repeat(GRAPH_COLUMNS)
    );
    let columns: Vec<(i64, String)> = series
        .samples
        .iter()
        .map(|sample| {
            let share = (sample.ms - low) as f64 / (high - low).max(1) as f64;
            let steps = GRAPH_ROWS * GRAPH_STEPS.len() as i64;
            let step = ((share * steps as f64) as i64).min(steps - 1);
            (step, ago(now_seconds - sample.at_seconds))
        })
        .collect();
    for (index, part) in columns.chunks(GRAPH_COLUMNS).enumerate() {
        if index > 0 {
            text.push('\n');
        }
        draw_part(part, &mut text);
    }
    text
}

fn draw_part(columns: &[(i64, String)], text: &mut String) {
    let steps = GRAPH_STEPS.len() as i64;
    for row in (0..GRAPH_ROWS).rev() {
        text.extend(columns.iter().map(|(step, _)| match step - row * steps {
            below if below < 0 => ' ',
            within if within < steps => GRAPH_STEPS[within as usize],
            _ => '|',
        }));
        text.push('\n');
    }
    text.push_str(&" ".repeat(columns.len()));
    text.push('\n');
    let label_height = columns.iter().map(|(_, label)| label.len()).max().unwrap_or(0);
    for row in 0..label_height {
        let letter =
            |label: &String| label.as_bytes().get(row).map_or(' ', |byte| char::from(*byte));
        text.extend(columns.iter().map(|(_, label)| letter(label)));
        text.push('\n');
    }
}

/// A time span in the largest unit that fits.
fn ago(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86400),
    }
}

fn doctor<'v>(context: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    let events = context.instance.latency.all();
    let settings = &context.client.settings;
    Ok(Reply::Verbatim(report(&events, settings, context.now_us / 1_000_000).into()))
}

fn report(
    events: &[(LatencyEvent, LatencySeries)],
    settings: &Settings,
    now_seconds: i64,
) -> String {
    if events.is_empty() {
        return if settings.latency_monitor_threshold == 0 {
            "I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this Redis instance. You may use \"CONFIG SET \
             latency-monitor-threshold <milliseconds>.\" in order to enable it. If we weren't in a deep space mission I'd \
             suggest to take a look at https://redis.io/topics/latency-monitor.\n"
        } else {
            "Dave, no latency spike was observed during the lifetime of this Redis instance, not in the slightest bit. I honestly \
             think you ought to sit down calmly, take a stress pill, and think things over.\n"
        }
        .to_owned();
    }
    let mut text = "Dave, I have observed latency spikes in this Redis instance. You don't mind talking about it, do you Dave?\n\n"
        .to_owned();
    for (index, (event, series)) in events.iter().enumerate() {
        let summary = summary(series, now_seconds);
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}. {}: {summary}", index + 1, event.name());
    }
    let advice = advice(events, settings);
    if advice.is_empty() {
        text.push_str(
            "\nWhile there are latency events logged, I'm not able to suggest any easy fix. Please use the Redis community to \
             get some help, providing this report in your help request.\n",
        );
    } else {
        text.push_str("\nI have a few advices for you:\n\n");
        text.push_str(&advice);
    }
    text
}

fn summary(series: &LatencySeries, now_seconds: i64) -> String {
    let count = series.samples.len() as u64;
    let mean = series.samples.iter().map(|sample| sample.ms).sum::<u64>() / count.max(1);
    let deviations = series.samples.iter().map(|sample| sample.ms.abs_diff(mean));
    let deviation = deviations.sum::<u64>() / count.max(1);
    let oldest = series.samples.front().map_or(now_seconds, |sample| sample.at_seconds);
    let period = (now_seconds - oldest).max(1) as f64 / count.max(1) as f64;
    format!(
        "{count} latency spikes (average {mean}ms, mean deviation {deviation}ms, period {period:.2} sec). \
         Worst all time event {}ms.",
        series.worst_ms
    )
}

/// What could help, as far as it is true for this server.
fn advice(events: &[(LatencyEvent, LatencySeries)], settings: &Settings) -> String {
    let has = |event: LatencyEvent| events.iter().any(|(seen, _)| *seen == event);
    let threshold_ms = settings.latency_monitor_threshold;
    let limit_ms = settings.slowlog_log_slower_than / 1000;
    let mut text = String::new();
    if has(LatencyEvent::Command) {
        if settings.slowlog_log_slower_than < 0 {
            let _ = writeln!(
                text,
                "- There are latency issues with potentially slow commands you are using. Try to enable the Slow Log Redis feature \
                 using the command 'CONFIG SET slowlog-log-slower-than {}'. If the Slow log is disabled Redis is not able to log \
                 slow commands execution for you.",
                threshold_ms * 1000
            );
        } else if limit_ms as u64 > threshold_ms {
            let _ = writeln!(
                text,
                "- Your current Slow Log configuration only logs events that are slower than your configured latency monitor \
                 threshold. Please use 'CONFIG SET slowlog-log-slower-than {}'.",
                threshold_ms * 1000
            );
        }
        text.push_str(
            "- Check your Slow Log to understand what are the commands you are running which are too slow to execute. Please \
             check https://redis.io/commands/slowlog for more information.\n",
        );
    }
    if has(LatencyEvent::FastCommand) {
        text.push_str(SCHEDULER_ADVICE);
    }
    if has(LatencyEvent::Command) {
        text.push_str(
            "- Deleting, expiring or evicting (because of maxmemory policy) large objects is a blocking operation. If you have \
             very large objects that are often deleted, expired, or evicted, try to fragment those objects into multiple \
             smaller objects.\n",
        );
    }
    text
}

const SCHEDULER_ADVICE: &str = "- The system is slow to execute Redis code paths not containing system calls. This usually means \
     the system does not provide Redis CPU time to run for long periods. You should try to:\n\
     \x20 1) Lower the system load.\n\
     \x20 2) Use a computer / VM just for Redis if you are running other software in the same system.\n\
     \x20 3) Check if you have a \"noisy neighbour\" problem.\n\
     \x20 4) Check with 'redis-cli --intrinsic-latency 100' what is the intrinsic latency in your system.\n\
     \x20 5) Check if the problem is allocator-related by recompiling Redis with MALLOC=libc, if you are using Jemalloc. \
     However this may create fragmentation problems.\n";

fn help<'v>(_: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    Ok(Reply::lines(HELP.iter().copied()))
}

const HELP: &[&str] = &[
    "LATENCY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "DOCTOR",
    "    Return a human readable latency analysis report.",
    "GRAPH <event>",
    "    Return an ASCII latency graph for the <event> class.",
    "HISTORY <event>",
    "    Return time-latency samples for the <event> class.",
    "LATEST",
    "    Return the latest latency samples for all events.",
    "RESET [<event> ...]",
    "    Reset latency data of one or more <event> classes.",
    "    (default: reset all data for all event classes)",
    "HISTOGRAM [COMMAND ...]",
    "    Return a cumulative distribution of latencies in the format of a histogram for the specified command names.",
    "    If no commands are specified then all histograms are replied.",
    "HELP",
    "    Print this help.",
];
