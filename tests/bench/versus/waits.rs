//! How long other clients wait while one client runs something heavy.
//!
//! A probe sends one GET or SET after the other, each as soon as the last is answered, while another
//! client runs the heavy command; what it waits is what anybody would.

use crate::Extent;
use crate::support::{Client, Measured, frame, load, print_table};
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const KEYS: usize = 1_000_000;
const TOGETHER: usize = 100;

/// A command, and how often it can be run.
struct Heavy {
    line: &'static str,
    /// What it takes away it finds once only.
    times: usize,
    /// Whether it goes on after its reply.
    is_saving: bool,
}

const fn once(line: &'static str) -> Heavy {
    Heavy { line, times: 1, is_saving: false }
}

const fn again(line: &'static str) -> Heavy {
    Heavy { times: 3, ..once(line) }
}

const HEAVY: &[Heavy] = &[
    // For comparison: what the probe waits when nobody does anything heavy.
    Heavy { times: 2000, ..once("PING") },
    again("KEYS *"),
    again("KEYS nothing*"),
    again("LRANGE list 0 -1"),
    again("SMEMBERS set"),
    again("HGETALL hash"),
    again("ZRANGE sorted 0 -1 WITHSCORES"),
    again("SORT list LIMIT 0 10"),
    again("SUNIONSTORE other set"),
    again("ZUNIONSTORE othersorted 1 sorted"),
    again("COPY sorted copy REPLACE"),
    again("BITCOUNT text"),
    again("SAVE"),
    Heavy { is_saving: true, ..again("BGSAVE") },
    once("DEL set"),
    once("DEL sorted"),
    once("FLUSHALL"),
];

/// What a probe waited, and how long the heavy commands took that were answered.
struct Waited {
    ms: Vec<f64>,
    heavy_ms: Vec<f64>,
}

pub fn measure(extent: &Extent) {
    let keys = if extent.quick { KEYS / 10 } else { KEYS };
    let servers = [Measured::redist(), Measured::redis().unwrap()];
    servers.iter().for_each(|server| fill(server, keys));
    let mut rows = Vec::new();
    for heavy in HEAVY {
        for write in [false, true] {
            // Whatever is gone after the first probe would be no effort for the second.
            if heavy.times == 1 && write {
                continue;
            }
            let mut row = vec![format!("`{}`", heavy.line)];
            row.push(if write { "SET" } else { "GET" }.to_owned());
            for server in &servers {
                row.extend(cells(waited(server, heavy, write)));
            }
            rows.push(row);
        }
    }
    println!(
        "\nMilliseconds that another client's command waits while one runs, {keys} keys and collections \
         of {keys} elements; redist, then Redis:\n"
    );
    let head = [
        "while one runs",
        "another",
        "p50",
        "p99",
        "most",
        "it took",
        "p50",
        "p99",
        "most",
        "it took",
    ];
    print_table(&head, &rows);
}

fn fill(server: &Measured, count: usize) {
    let mut client = server.client();
    client.ask("FLUSHALL");
    let value = "x".repeat(32);
    load(&mut client, (0..count).map(|n| frame(&["SET", &format!("key:{n:012}"), &value])));
    let element = |prefix: &'static str| move |n: usize| vec![format!("{prefix}{n}")];
    type Element<'a> = &'a dyn Fn(usize) -> Vec<String>;
    let collections: [(&str, &str, Element<'_>); 4] = [
        ("RPUSH", "list", &element("")),
        ("SADD", "set", &element("m")),
        ("HSET", "hash", &|n| vec![format!("f{n}"), format!("v{n}")]),
        ("ZADD", "sorted", &|n| vec![n.to_string(), format!("m{n}")]),
    ];
    for (command, key, element) in collections {
        let requests = (0..count).step_by(TOGETHER).map(|first| {
            let mut words = vec![command.to_owned(), key.to_owned()];
            (first..first + TOGETHER).for_each(|n| words.extend(element(n)));
            frame(&words)
        });
        load(&mut client, requests);
    }
    client.ask(&format!("SETBIT text {} 1", 800 * count));
}

fn waited(server: &Measured, heavy: &Heavy, write: bool) -> Waited {
    let done = AtomicBool::new(false);
    let mut probe = server.client();
    let requests: Vec<Vec<u8>> = (0..1000)
        .map(|n| match write {
            true => frame(&["SET", &format!("probe:{}", n % 64), "v"]),
            false => frame(&["GET", &format!("key:{n:012}")]),
        })
        .collect();
    thread::scope(|scope| {
        let running = scope.spawn(|| {
            let mut client = server.client();
            let heavy_ms = (0..heavy.times).map_while(|_| run(&mut client, heavy)).collect();
            done.store(true, Ordering::Relaxed);
            heavy_ms
        });
        let mut ms = Vec::new();
        for request in requests.iter().cycle() {
            let started = Instant::now();
            probe.send(request).unwrap();
            probe.read().unwrap();
            ms.push(started.elapsed().as_secs_f64() * 1e3);
            if done.load(Ordering::Relaxed) {
                break;
            }
        }
        ms.sort_by(f64::total_cmp);
        Waited { ms, heavy_ms: running.join().unwrap() }
    })
}

/// Milliseconds until the whole reply is here; nothing if the server does not know the command. The
/// reply is read as fast as it comes and not looked at: the client must not be what is slow.
fn run(client: &mut Client, heavy: &Heavy) -> Option<f64> {
    const MARK: &[u8] = b"$4\r\nmark\r\n";
    let words: Vec<&str> = heavy.line.split(' ').collect();
    let request = [frame(&words), frame(&["ECHO", "mark"])].concat();
    let stream = client.stream();
    stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    let started = Instant::now();
    client.send(&request).unwrap();
    let mut stream = client.stream();
    let (mut chunk, mut tail, mut first) = (vec![0; 1 << 20], Vec::new(), None);
    while !tail.ends_with(MARK) {
        let count = stream.read(&mut chunk).unwrap();
        assert!(count > 0, "the server ends the connection at {}", heavy.line);
        first.get_or_insert(chunk[0]);
        tail.extend_from_slice(&chunk[count.saturating_sub(MARK.len())..count]);
        tail.drain(..tail.len().saturating_sub(MARK.len()));
    }
    if first == Some(b'-') {
        return None;
    }
    while heavy.is_saving && client.ask("INFO persistence").contains("bgsave_in_progress:1") {
        thread::sleep(Duration::from_millis(1));
    }
    Some(started.elapsed().as_secs_f64() * 1e3)
}

fn cells(waited: Waited) -> Vec<String> {
    if waited.heavy_ms.is_empty() {
        return vec!["–".to_owned(); 4];
    }
    let quantile = |share: f64| {
        let last = waited.ms.len() - 1;
        waited.ms[((waited.ms.len() as f64 * share) as usize).min(last)]
    };
    let took = waited.heavy_ms.iter().sum::<f64>() / waited.heavy_ms.len() as f64;
    [quantile(0.5), quantile(0.99), quantile(1.0)]
        .iter()
        .map(|ms| format!("{ms:.2}"))
        .chain([format!("{took:.0}")])
        .collect()
}
