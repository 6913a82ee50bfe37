//! What the shape itself allows: a server that also has a blocking thread for each connection, and answers
//! without looking at what it is asked.

use crate::runs::{Point, Run, Test, filled};
use crate::support::{Client, Measured, print_table};
use crate::{Extent, Spread};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

const ROUNDS: usize = 5;
const READ_BYTES: usize = 16 * 1024;

/// Threads of the client, connections, pipeline.
const POINTS: [(usize, usize, usize); 12] = [
    (1, 1, 1),
    (1, 50, 1),
    (1, 200, 1),
    (2, 8, 1),
    (2, 50, 1),
    (2, 200, 1),
    (1, 1, 16),
    (1, 50, 16),
    (2, 200, 16),
    (1, 1, 100),
    (1, 50, 100),
    (2, 200, 100),
];
/// Unless others are named.
const TEST: &str = "SET";

/// The server that answers OK to everything, until the program ends.
struct Echo {
    port: u16,
    answered: Arc<AtomicU64>,
}

impl Echo {
    fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let answered = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&answered);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counter = Arc::clone(&counter);
                // How a connection ends is its client's business.
                thread::spawn(move || answer(stream, &counter));
            }
        });
        Ok(Self { port, answered })
    }
}

fn answer(mut stream: TcpStream, answered: &AtomicU64) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; READ_BYTES];
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        // Each request begins with an asterisk, and the test's arguments have none.
        let requests = buffer[..count].iter().filter(|byte| **byte == b'*').count();
        stream.write_all(&b"+OK\r\n".repeat(requests))?;
        answered.fetch_add(requests as u64, Ordering::Relaxed);
    }
}

pub fn measure(extent: &Extent) {
    let mut servers = [Measured::redist(), Measured::redis().unwrap()].map(filled);
    let echo = Echo::start().unwrap();
    let length = Duration::from_millis(if extent.quick { 200 } else { 500 });
    for test in extent.chosen(|test| test.name == TEST) {
        measure_test(test, &mut servers, &echo, length);
    }
}

fn measure_test(test: &Test, servers: &mut [(Measured, Client); 2], echo: &Echo, length: Duration) {
    let mut rows = Vec::new();
    for (threads, connections, pipeline) in POINTS {
        let point = Point { threads, connections, pipeline };
        let mut runs: [Vec<Run>; 3] = Default::default();
        let mut count = point.requests(point.expected_throughput(test), length);
        // A first round finds out how many requests take how long, and does not count.
        for round in 0..=ROUNDS {
            let [ours, theirs] =
                servers.each_mut().map(|(server, client)| point.run(server, client, test, count));
            let echoed = point
                .bench(echo.port, test, count, || echo.answered.load(Ordering::Relaxed) as f64);
            if round == 0 {
                count = point.requests(ours.throughput, length);
                continue;
            }
            for (runs, run) in runs.iter_mut().zip([ours, theirs, echoed]) {
                runs.push(run);
            }
        }
        let figures = |figure: fn(&Run) -> f64| {
            runs.each_ref().map(|runs| runs.iter().map(figure).collect::<Vec<f64>>())
        };
        let medians = |figures: &[Vec<f64>; 3]| {
            figures.each_ref().map(|figures| Spread::of(figures.iter().copied()).median())
        };
        let throughputs = figures(|run| run.throughput / 1000.0);
        let [ours, theirs, echoed] = throughputs.each_ref().map(|runs| runs.iter().copied());
        let mut row = [threads, connections, pipeline].map(|n| n.to_string()).to_vec();
        row.extend(medians(&throughputs).map(|median| format!("{median:.1}")));
        row.push(Spread::of_ratios(echoed.clone(), theirs).to_string());
        row.push(Spread::of_ratios(ours, echoed).to_string());
        row.extend(medians(&figures(|run| run.p99_ms)).map(|median| format!("{median:.2}")));
        rows.push(row);
    }
    println!(
        "\n{}, 1000 requests in a second and p99 latency in milliseconds, also of a server of this shape \
         that does nothing:\n",
        test.name
    );
    let head = [
        "`--threads`",
        "connections",
        "pipeline",
        "redist",
        "Redis",
        "nothing",
        "nothing to Redis",
        "redist to nothing",
        "p99: redist",
        "Redis",
        "nothing",
    ];
    print_table(&head, &rows);
}
