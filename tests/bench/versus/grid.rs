//! Throughput and latency over threads of the client, connections, pipelines and commands.

use crate::runs::{Point, Run, Test, filled};
use crate::support::{Client, Measured, print_table};
use crate::{Extent, Spread};
use std::time::Duration;

const ROUNDS: usize = 5;

/// The points of the grid: threads of the client, connections, pipelines.
const GRID: [&[usize]; 3] = [&[1, 2], &[1, 8, 50, 200], &[1, 16, 100]];
const CORNERS: [&[usize]; 3] = [&[1, 2], &[1, 200], &[1, 100]];
/// Tests of the corners: they stand for reading, writing, a large reply and an ordered collection.
const CORNER_TESTS: [&str; 4] = ["SET", "GET", "ZADD", "LRANGE_100"];

/// Runs of redist and of Redis, in turns.
type Rounds = [Vec<Run>; 2];

pub fn measure(extent: &Extent) {
    let mut servers = [Measured::redist(), Measured::redis().unwrap()].map(filled);
    let tests = extent.chosen(|test| !extent.quick || CORNER_TESTS.contains(&test.name));
    let [threads, connections, pipelines] = if extent.quick { CORNERS } else { GRID };
    let length = Duration::from_millis(if extent.quick { 120 } else { 400 });
    let mut summary = Vec::new();
    for &threads in threads {
        // Several threads share one connection no better than one does.
        for &connections in connections.iter().filter(|connections| **connections >= threads) {
            for &pipeline in pipelines {
                let point = Point { threads, connections, pipeline };
                let rounds: Vec<Rounds> =
                    tests.iter().map(|test| rounds(&mut servers, point, test, length)).collect();
                show(point, &tests, &rounds);
                summary.push(summed_up(point, &rounds));
            }
        }
    }
    println!("\nThe grid, geometric means over the commands, redist to Redis:\n");
    let head = [
        "`--threads`",
        "connections",
        "pipeline",
        "throughput",
        "p50 latency",
        "p99 latency",
        "user time",
    ];
    print_table(&head, &summary);
}

fn rounds(
    servers: &mut [(Measured, Client); 2],
    point: Point,
    test: &Test,
    length: Duration,
) -> Rounds {
    let mut rounds: Rounds = Default::default();
    let expected = point.expected_throughput(test);
    let mut throughput = [expected; 2];
    // A first round finds out how many requests take how long, and does not count.
    for round in 0..=ROUNDS {
        for (index, (server, client)) in servers.iter_mut().enumerate() {
            let count = point.requests(throughput[index], length);
            let run = point.run(server, client, test, count);
            // A stumble of the machine is not to make all runs that follow too short to be measured.
            throughput[index] = run.throughput.max(expected / 4.0);
            if round > 0 {
                rounds[index].push(run);
            }
        }
    }
    rounds
}

/// Of each round, redist's figure as a multiple of Redis's.
fn ratios([ours, theirs]: &Rounds, figure: fn(&Run) -> f64) -> Spread {
    Spread::of_ratios(ours.iter().map(figure), theirs.iter().map(figure))
}

const FIGURES: [fn(&Run) -> f64; 3] = [|run| run.throughput, |run| run.p50_ms, |run| run.p99_ms];

/// The same of processor time, over all rounds: a single run is too short for the tick that counts it.
fn user_ratio(rounds: &Rounds) -> f64 {
    let [ours, theirs] =
        rounds.each_ref().map(|runs| runs.iter().map(|run| run.user_us).sum::<f64>());
    ours / theirs
}

fn show(point: Point, tests: &[&Test], rounds: &[Rounds]) {
    println!(
        "\n`redis-benchmark -c {} -P {} --threads {}`:\n",
        point.connections, point.pipeline, point.threads
    );
    let rows: Vec<Vec<String>> = tests
        .iter()
        .zip(rounds)
        .map(|(test, rounds)| {
            let medians = rounds
                .each_ref()
                .map(|runs| Spread::of(runs.iter().map(|run| run.throughput / 1000.0)).median());
            let mut row = vec![test.name.to_owned()];
            row.extend(medians.map(|median| format!("{median:.1}")));
            row.extend(FIGURES.map(|figure| ratios(rounds, figure).to_string()));
            row.push(format!("{:.2}", user_ratio(rounds)));
            row
        })
        .collect();
    let head = [
        "",
        "redist, 1000/s",
        "Redis, 1000/s",
        "throughput, ratio",
        "p50 latency, ratio",
        "p99 latency, ratio",
        "user time, ratio",
    ];
    print_table(&head, &rows);
}

fn summed_up(point: Point, rounds: &[Rounds]) -> Vec<String> {
    let mut row =
        [point.threads, point.connections, point.pipeline].map(|n| n.to_string()).to_vec();
    let mean = |ratio: &dyn Fn(&Rounds) -> f64| {
        let logarithms: f64 = rounds.iter().map(|rounds| ratio(rounds).ln()).sum();
        format!("{:.2}", (logarithms / rounds.len() as f64).exp())
    };
    row.extend(FIGURES.map(|figure| mean(&|rounds| ratios(rounds, figure).median())));
    row.push(mean(&user_ratio));
    row
}
