//! Resident memory for each element and each key, beside redis-server's where that is installed.
//!
//! `cargo bench --bench memory` prints Markdown. Every line is measured on servers just started: their
//! resident memory after loading less that before. `cargo bench --bench memory -- hash` measures the
//! lines whose name contains `hash`.

mod support;

use support::{Measured, frame, load, print_table};

/// Elements of each kind of collection, be it in one key or in many.
const ELEMENTS: usize = 1_000_000;
/// Elements of a small collection.
const SMALL: usize = 10;
/// Elements that one command adds.
const TOGETHER: usize = 10;
/// Numbers of plain keys.
const KEYS: [usize; 4] = [1_000_000, 1_500_000, 2_000_000, 3_000_000];

/// A kind of collection and how an element is added to it.
struct Kind {
    name: &'static str,
    command: &'static str,
    /// The words of the element with this number.
    element: fn(usize) -> Vec<String>,
}

const KINDS: &[Kind] = &[
    Kind { name: "list", command: "RPUSH", element: |number| vec![element(number)] },
    Kind { name: "set", command: "SADD", element: |number| vec![element(number)] },
    Kind { name: "set of integers", command: "SADD", element: |number| vec![number.to_string()] },
    Kind {
        name: "hash",
        command: "HSET",
        element: |number| vec![element(number), format!("value:{:04}", number % 10_000)],
    },
    Kind {
        name: "sorted set",
        command: "ZADD",
        element: |number| vec![number.to_string(), element(number)],
    },
];

fn element(number: usize) -> String {
    format!("element:{number:06}")
}

fn main() {
    let wanted = std::env::args().skip(1).find(|word| !word.starts_with('-')).unwrap_or_default();
    let mut rows = Vec::new();
    for kind in KINDS {
        for (size, keys) in [("one", 1), ("100,000 of 10", ELEMENTS / SMALL)] {
            let name = format!("{}, {size}", kind.name);
            if name.contains(&wanted) {
                rows.push(row(name, ELEMENTS, || elements(kind, keys)).0);
            }
        }
    }
    print(&rows, "element");
    let (mut rows, mut ratios) = (Vec::new(), Vec::new());
    for count in KEYS {
        let name = format!("{count} plain keys");
        if name.contains(&wanted) {
            let (row, ratio) = row(name, count, || (0..count).map(plain_key));
            rows.push(row);
            ratios.extend(ratio);
        }
    }
    print(&rows, "key of 16 bytes with a value of 32");
    if !ratios.is_empty() {
        println!(
            "Mean ratio of plain keys: {:.2}",
            ratios.iter().sum::<f64>() / ratios.len() as f64
        );
    }
}

fn print(rows: &[Vec<String>], unit: &str) {
    if !rows.is_empty() {
        println!("\nResident bytes for each {unit}:\n");
        print_table(&["", "redist", "Redis", "ratio"], rows);
    }
}

/// The requests that add all elements of one kind.
fn elements(kind: &Kind, keys: usize) -> impl Iterator<Item = Vec<u8>> {
    let for_each_key = ELEMENTS / keys;
    (0..ELEMENTS).step_by(TOGETHER).map(move |first| {
        let key = format!("{}:{:06}", kind.command, first / for_each_key);
        let mut words = vec![kind.command.to_owned(), key];
        (first..first + TOGETHER).for_each(|number| words.extend((kind.element)(number)));
        frame(&words)
    })
}

fn plain_key(number: usize) -> Vec<u8> {
    frame(&["SET", &format!("key:{number:012}"), &format!("value:{number:026}")])
}

/// A line of a table, and redist's share of what Redis takes.
fn row<R: Iterator<Item = Vec<u8>>>(
    name: String,
    count: usize,
    requests: impl Fn() -> R,
) -> (Vec<String>, Option<f64>) {
    let ours = grown_bytes(&Measured::redist(), requests());
    let theirs = Measured::redis().and_then(|redis| grown_bytes(&redis, requests()));
    let each = |bytes: Option<f64>| {
        bytes.map_or("–".to_owned(), |bytes| format!("{:.1}", bytes / count as f64))
    };
    let ratio = ours.zip(theirs).map(|(ours, theirs)| ours / theirs);
    let shown = ratio.map_or("–".to_owned(), |ratio| format!("{ratio:.2}"));
    (vec![name, each(ours), each(theirs), shown], ratio)
}

/// By how much loading makes a server's resident memory grow, in bytes.
fn grown_bytes(server: &Measured, requests: impl Iterator<Item = Vec<u8>>) -> Option<f64> {
    let mut client = server.client();
    client.ask("PING");
    let before = server.resident_bytes()?;
    load(&mut client, requests);
    Some(server.resident_bytes()?.saturating_sub(before) as f64)
}
