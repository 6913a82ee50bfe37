//! Runs of redis-benchmark.
//!
//! Latencies are its own. Throughput is counted in the server while it runs: with `--threads`
//! redis-benchmark itself tells the end of a run by a tick of a quarter of a second.

use crate::support::{Client, Measured, frame, load};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Keys, members and fields are drawn from so many.
pub const RANDOM_KEYS: usize = 100_000;
/// How often the server is asked how far it is.
const LOOK: Duration = Duration::from_millis(3);

/// A place in the grid.
#[derive(Clone, Copy)]
pub struct Point {
    pub threads: usize,
    pub connections: usize,
    pub pipeline: usize,
}

/// One of redis-benchmark's tests.
pub struct Test {
    pub name: &'static str,
    /// As one of redis-benchmark's own, or as a command line.
    words: &'static [&'static str],
    /// How many requests it can be expected to get through while there is one PING.
    share: f64,
    /// Brings about what a run of so many requests needs to find.
    prepare: fn(&mut Client, usize),
}

const fn plain(name: &'static str, words: &'static [&'static str]) -> Test {
    Test { name, words, share: 0.7, prepare: |_, _| {} }
}

pub const TESTS: &[Test] = &[
    plain("PING", &["-t", "ping_mbulk"]),
    plain("SET", &["-t", "set"]),
    plain("GET", &["-t", "get"]),
    plain("INCR", &["-t", "incr"]),
    Test { prepare: |client, _| forget(client, "mylist"), ..plain("LPUSH", &["-t", "lpush"]) },
    Test {
        prepare: |client, count| fill(client, "RPUSH", "mylist", count),
        ..plain("RPOP", &["-t", "rpop"])
    },
    plain("SADD", &["-t", "sadd"]),
    plain("HSET", &["-t", "hset"]),
    Test { share: 0.4, ..plain("ZADD", &["-t", "zadd"]) },
    Test {
        prepare: |client, count| fill(client, "SADD", "myset", count),
        ..plain("SPOP", &["-t", "spop"])
    },
    Test {
        share: 0.1,
        prepare: |client, _| fill(client, "RPUSH", "mylist", 1000),
        ..plain("LRANGE_100", &["LRANGE", "mylist", "0", "99"])
    },
    Test { share: 0.15, ..plain("MSET", &["-t", "mset"]) },
];

fn forget(client: &mut Client, key: &str) {
    client.ask(&format!("UNLINK {key}"));
}

/// A collection of so many elements and no others.
fn fill(client: &mut Client, command: &str, key: &str, count: usize) {
    const TOGETHER: usize = 100;
    forget(client, key);
    let requests = (0..count).step_by(TOGETHER).map(|first| {
        let mut words = vec![command.to_owned(), key.to_owned()];
        words.extend((first..first + TOGETHER).map(|number| format!("element:{number:012}")));
        frame(&words)
    });
    load(client, requests);
}

/// A server with the keys that redis-benchmark reads, and a connection to it.
pub fn filled(server: Measured) -> (Measured, Client) {
    let mut client = server.client();
    let set = |number: usize| frame(&["SET", &format!("key:{number:012}"), "xxx"]);
    load(&mut client, (0..RANDOM_KEYS).map(set));
    (server, client)
}

/// What one run found.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// Requests in a second.
    pub throughput: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// Microseconds of the server's processor time in user mode for each request; not a number where
    /// the system does not tell.
    pub user_us: f64,
}

impl Point {
    /// A guess, for a first run.
    pub fn expected_throughput(&self, test: &Test) -> f64 {
        let alone = if self.connections == 1 { 15_000.0 } else { 50_000.0 };
        test.share * alone * (self.pipeline as f64).powf(0.7)
    }

    /// Requests that take about so long; enough for every connection to send a few pipelines.
    pub fn requests(&self, throughput: f64, length: Duration) -> usize {
        let least = 3 * self.connections * self.pipeline;
        ((throughput * length.as_secs_f64()) as usize).max(least)
    }

    /// Runs a test against one server.
    pub fn run(&self, server: &Measured, client: &mut Client, test: &Test, count: usize) -> Run {
        (test.prepare)(client, count);
        let user_before = server.user_seconds();
        let mut asked = 0.0;
        let mut run = self.bench(server.address.port(), test, count, || {
            asked += 1.0;
            processed(client) - asked
        });
        let user_seconds = server.user_seconds().zip(user_before).map(|(end, start)| end - start);
        run.user_us = user_seconds.map_or(f64::NAN, |seconds| seconds * 1e6 / count as f64);
        run
    }

    /// Runs a test against whoever listens at this port and tells how many requests it has answered.
    pub fn bench(
        &self,
        port: u16,
        test: &Test,
        count: usize,
        answered: impl FnMut() -> f64,
    ) -> Run {
        let mut command = Command::new("redis-benchmark");
        command.args(["-p", &port.to_string(), "--csv"]);
        command.args(["-n", &count.to_string(), "-r", &RANDOM_KEYS.to_string()]);
        command.args(["-c", &self.connections.to_string(), "-P", &self.pipeline.to_string()]);
        if self.threads > 1 {
            command.args(["--threads", &self.threads.to_string()]);
        }
        command.args(test.words).stdout(Stdio::piped()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        let counted = watch(child, answered);
        let (reported, p50_ms, p99_ms) = parse(&counted.report, test.name);
        let throughput = counted.throughput(count).unwrap_or(reported);
        Run { throughput, p50_ms, p99_ms, user_us: f64::NAN }
    }
}

/// How far the server was at which time, and what redis-benchmark printed in the end.
struct Counted {
    commands: Vec<(Instant, f64)>,
    report: String,
}

fn watch(mut child: Child, mut answered: impl FnMut() -> f64) -> Counted {
    let mut commands = Vec::new();
    while child.try_wait().unwrap().is_none() {
        let count = answered();
        commands.push((Instant::now(), count));
        std::thread::sleep(LOOK);
    }
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "redis-benchmark failed");
    Counted { commands, report: String::from_utf8_lossy(&output.stdout).into_owned() }
}

fn processed(client: &mut Client) -> f64 {
    let info = client.ask("INFO stats");
    let (_, rest) = info.split_once("total_commands_processed:").unwrap();
    rest.split('\\').next().unwrap().parse().unwrap()
}

impl Counted {
    /// Requests in a second, without the beginning and the end of the run.
    fn throughput(&self, count: usize) -> Option<f64> {
        let (_, end) = self.commands.last()?;
        let left = |share: f64| end - share * count as f64;
        let middle: Vec<&(Instant, f64)> = self
            .commands
            .iter()
            .filter(|(_, count)| (left(0.9)..left(0.05)).contains(count))
            .collect();
        let ((started, first), (ended, last)) = (middle.first()?, middle.last()?);
        // Where it was over between two looks, redis-benchmark has to be believed.
        (last > first).then(|| (last - first) / (*ended - *started).as_secs_f64())
    }
}

/// Throughput, p50 and p99 of the last line.
fn parse(report: &str, name: &str) -> (f64, f64, f64) {
    let line = report.lines().last().unwrap_or_default();
    let numbers: Vec<f64> =
        line.split(',').filter_map(|cell| cell.trim_matches('"').parse().ok()).collect();
    match numbers[..] {
        [throughput, _, _, p50_ms, _, p99_ms, _] => (throughput, p50_ms, p99_ms),
        _ => panic!("redis-benchmark says of {name}: {report}"),
    }
}
