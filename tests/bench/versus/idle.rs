//! Ten thousand connections that are held open and silent while others work.

use crate::runs::{Point, TESTS, Test, filled};
use crate::support::{Client, Measured, print_table};
use crate::{Extent, Spread};
use std::time::Duration;

const CONNECTIONS: usize = 10_000;
const MAXCLIENTS: &str = "11000";
const WORKING: usize = 50;
const ROUNDS: usize = 5;
const TESTED: [&str; 2] = ["SET", "GET"];

pub fn measure(extent: &Extent) {
    // Each server's connections are ours too, on the other end, besides what else is open.
    let descriptors = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1024) as usize;
    let wanted = if extent.quick { CONNECTIONS / 10 } else { CONNECTIONS };
    let connections = wanted.min(descriptors.saturating_sub(200) / 2);
    let directives = [("maxclients", MAXCLIENTS)];
    let mut servers =
        [Measured::redist_with(&directives), Measured::redis_with(&directives).unwrap()]
            .map(filled);
    let tests: Vec<&Test> = TESTS.iter().filter(|test| TESTED.contains(&test.name)).collect();
    let length = Duration::from_millis(if extent.quick { 200 } else { 500 });
    let mut rows = Vec::new();
    rows.extend(tests.iter().map(|test| working(&mut servers, test, length, 0)));
    let mut held = Vec::new();
    let bytes = servers.each_ref().map(|(server, _)| {
        let before = server.resident_bytes().unwrap_or_default();
        held.extend((0..connections).map(|_| greeted(server)));
        let grown = server.resident_bytes().unwrap_or_default().saturating_sub(before);
        grown as f64 / connections as f64 / 1024.0
    });
    rows.extend(tests.iter().map(|test| working(&mut servers, test, length, connections)));
    println!("\n{WORKING} connections at work, 1000 requests in a second:\n");
    print_table(&["", "silent connections", "redist", "Redis", "ratio"], &rows);
    let [ours, theirs] = bytes;
    println!(
        "\nA silent connection, of {connections}, takes {ours:.1} KiB of resident memory in redist and \
         {theirs:.1} KiB in Redis."
    );
}

/// A connection that has been used once, as those of a pool have.
fn greeted(server: &Measured) -> Client {
    let mut client = server.client();
    assert_eq!(client.ask("PING"), "+PONG");
    client
}

fn working(
    servers: &mut [(Measured, Client); 2],
    test: &Test,
    length: Duration,
    silent: usize,
) -> Vec<String> {
    let point = Point { threads: 1, connections: WORKING, pipeline: 1 };
    let count = point.requests(point.expected_throughput(test), length);
    let mut throughput = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for ((server, client), throughput) in servers.iter_mut().zip(&mut throughput) {
            throughput.push(point.run(server, client, test, count).throughput);
        }
    }
    let [ours, theirs] = &throughput;
    let ratio = Spread::of_ratios(ours.iter().copied(), theirs.iter().copied());
    let median = |runs: &[f64]| {
        let median = Spread::of(runs.iter().copied()).median();
        format!("{:.1}", median / 1000.0)
    };
    let name = test.name.to_owned();
    vec![name, silent.to_string(), median(ours), median(theirs), ratio.to_string()]
}
