//! redist beside redis-server, driven by redis-benchmark: throughput, latency and processor time, what a
//! server of this shape could reach, idle connections, what one client's heavy command makes the others
//! wait, and saving and loading.
//!
//! `cargo bench --bench versus` prints Markdown and takes about half an hour; `-- quick` looks at the
//! corners in about two minutes. `-- grid`, `-- limit`, `-- idle`, `-- waits` and `-- saving` measure one
//! part, and any other words are the tests of the grid and of the limit: `-- grid SET GET`.
//!
//! The servers take turns, run by run, so that what else happens on the machine happens to both, and a
//! ratio is one of neighbours. What is shown of it is the median, and the least and the most.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on fails")]

mod grid;
mod idle;
mod limit;
mod runs;
mod saving;
#[path = "../support/mod.rs"]
mod support;
mod waits;

use runs::{TESTS, Test};
use std::fmt;

/// How much is measured.
pub struct Extent {
    /// The corners only.
    pub quick: bool,
    /// Names of tests.
    pub tests: Vec<String>,
}

impl Extent {
    /// The tests that are named; those that this holds for if none is.
    fn chosen(&self, is_usual: impl Fn(&Test) -> bool) -> Vec<&'static Test> {
        let is_chosen = |test: &&Test| match &self.tests[..] {
            [] => is_usual(test),
            names => names.iter().any(|name| name == test.name),
        };
        TESTS.iter().filter(is_chosen).collect()
    }
}

/// A part by its name.
type Part = (&'static str, fn(&Extent));

const PARTS: [Part; 5] = [
    ("grid", grid::measure),
    ("limit", limit::measure),
    ("idle", idle::measure),
    ("waits", waits::measure),
    ("saving", saving::measure),
];

fn main() {
    if !["redis-server", "redis-benchmark"].iter().all(|program| support::has(program)) {
        return;
    }
    let mut words: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let mut take = |wanted: &str| {
        let before = words.len();
        words.retain(|word| word != wanted);
        words.len() < before
    };
    let quick = take("quick");
    let wanted = PARTS.map(|(name, _)| take(name));
    let extent = Extent { quick, tests: words };
    for ((_, measure), is_wanted) in PARTS.iter().zip(wanted) {
        if is_wanted || !wanted.contains(&true) {
            measure(&extent);
        }
    }
}

/// Numbers of several rounds.
pub struct Spread(Vec<f64>);

impl Spread {
    fn of(numbers: impl Iterator<Item = f64>) -> Self {
        let mut numbers: Vec<f64> = numbers.collect();
        numbers.sort_by(f64::total_cmp);
        Self(numbers)
    }

    /// Of each pair, the first as a multiple of the second.
    fn of_ratios(first: impl Iterator<Item = f64>, second: impl Iterator<Item = f64>) -> Self {
        Self::of(first.zip(second).map(|(first, second)| first / second))
    }

    fn median(&self) -> f64 {
        self.0.get(self.0.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(least), Some(most)) = (self.0.first(), self.0.last()) else {
            return f.write_str("–");
        };
        write!(f, "{:.2} ({least:.2} to {most:.2})", self.median())
    }
}
