//! How long it takes to save a database and to load it.

use crate::support::{Client, Measured, folder, frame, load, print_table};
use crate::{Extent, Spread};
use std::thread;
use std::time::{Duration, Instant};

const KEYS: usize = 5_000_000;
const ROUNDS: usize = 3;
/// How often a server is asked whether it is done.
const LOOK: Duration = Duration::from_millis(2);

/// Starts one of the servers with directives.
type Start = fn(&[(&str, &str)]) -> Measured;

pub fn measure(extent: &Extent) {
    let keys = if extent.quick { KEYS / 20 } else { KEYS };
    let starts: [Start; 2] =
        [Measured::redist_with, |directives| Measured::redis_with(directives).unwrap()];
    let subjects = starts.map(|start| (start, folder()));
    let subjects = subjects.each_ref().map(|(start, folder)| {
        let folder = folder.path().to_str().unwrap();
        move || start(&[("dir", folder), ("save", "")])
    });
    // SAVE, BGSAVE and loading, each of both servers.
    let mut seconds: [[Vec<f64>; 2]; 3] = Default::default();
    let running = subjects.each_ref().map(|start| {
        let server = start();
        let set = |number: usize| {
            frame(&["SET".to_owned(), format!("key:{number:012}"), format!("{number:032}")])
        };
        load(&mut server.client(), (0..keys).map(set));
        server
    });
    for _ in 0..ROUNDS {
        for (index, server) in running.iter().enumerate() {
            let mut client = server.client();
            seconds[0][index].push(timed(|| assert_eq!(save(&mut client), "+OK")));
            seconds[1][index].push(timed(|| save_in_the_background(&mut client)));
        }
    }
    drop(running);
    for _ in 0..ROUNDS {
        for (index, start) in subjects.iter().enumerate() {
            let mut server = None;
            seconds[2][index].push(timed(|| {
                let started = server.insert(start());
                let mut client = started.client();
                while client.ask("DBSIZE") != format!(":{keys}") {
                    thread::sleep(LOOK);
                }
            }));
        }
    }
    println!("\n{keys} keys of 16 bytes with values of 32, seconds:\n");
    let rows: Vec<Vec<String>> = ["SAVE", "BGSAVE", "start and load"]
        .iter()
        .zip(&seconds)
        .map(|(what, [ours, theirs])| {
            let ratio = Spread::of_ratios(ours.iter().copied(), theirs.iter().copied());
            let median =
                |times: &[f64]| format!("{:.2}", Spread::of(times.iter().copied()).median());
            vec![(*what).to_owned(), median(ours), median(theirs), ratio.to_string()]
        })
        .collect();
    print_table(&["", "redist", "Redis", "ratio"], &rows);
}

fn timed(run: impl FnOnce()) -> f64 {
    let started = Instant::now();
    run();
    started.elapsed().as_secs_f64()
}

/// It may take longer than a client of the tests waits for a reply.
fn save(client: &mut Client) -> String {
    client.stream().set_read_timeout(None).unwrap();
    client.ask("SAVE")
}

fn save_in_the_background(client: &mut Client) {
    assert!(client.ask("BGSAVE").starts_with("+Background saving started"));
    while !client.ask("INFO persistence").contains("rdb_bgsave_in_progress:0") {
        thread::sleep(LOOK);
    }
}
