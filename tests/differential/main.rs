//! Random commands, played to redist and to the real redis-server, whose replies have to be the same
//! bytes in RESP2 and RESP3.
//!
//! A sequence follows from its seed. One that is answered differently is shortened to the commands
//! that it takes and printed as a transcript. `REDIST_FUZZ_COMMANDS` says how many commands to play,
//! `REDIST_FUZZ_SEED` where to begin.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod draw;
mod families;
mod same;
#[path = "../support/mod.rs"]
mod support;

use draw::{Draw, Words};
use redist::Server;
use same::Same;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use support::client::frame;
use support::peer::RealRedis;
use support::reply::{Reply, read_reply};

/// Commands of one sequence, which starts with empty databases.
const SEQUENCE_COMMANDS: usize = 1000;
/// Commands that are sent before their replies are read.
const BATCH_COMMANDS: usize = 100;

fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(value) => value.parse().unwrap_or_else(|_| panic!("{name} is to be a number")),
        Err(_) => default,
    }
}

/// One side: a connection that keeps the bytes of each reply.
struct Side {
    reader: Capture<BufReader<TcpStream>>,
}

impl Side {
    /// A connection to empty databases: redist's are, the real server's are made so.
    fn start(address: SocketAddr, resp: u8) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.set_nodelay(true).unwrap();
        let inner = BufReader::with_capacity(256 * 1024, stream);
        let mut side = Self { reader: Capture { inner, taken: Vec::new() } };
        let mut opening = vec![vec![b"FLUSHALL".to_vec()]];
        if resp == 3 {
            opening.push(vec![b"HELLO".to_vec(), b"3".to_vec()]);
        }
        side.play(&opening);
        side
    }

    /// Replies with their bytes, in order; fewer if the connection ended.
    fn play(&mut self, commands: &[Words]) -> Vec<(Vec<u8>, Reply)> {
        let bytes: Vec<u8> = commands.iter().flat_map(|words| frame(words)).collect();
        let mut sending = self.reader.inner.get_ref().try_clone().unwrap();
        std::thread::scope(|scope| {
            // Replies may be more than fits on the way, so they are read at the same time.
            scope.spawn(move || sending.write_all(&bytes));
            let replies = commands.iter().map(|_| {
                self.reader.taken.clear();
                let reply = read_reply(&mut self.reader);
                let reply = reply.unwrap_or_else(|error| Reply::Error(error.to_string().into()));
                (self.reader.taken.clone(), reply)
            });
            replies.collect()
        })
    }
}

/// A reader that remembers what was taken from it.
struct Capture<R> {
    inner: R,
    taken: Vec<u8>,
}

impl<R: BufRead> Read for Capture<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(into)?;
        self.taken.extend_from_slice(&into[..count]);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Capture<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        let buffer = self.inner.fill_buf().unwrap_or_default();
        self.taken.extend_from_slice(&buffer[..count]);
        self.inner.consume(count);
    }
}

/// The real server, and a fresh redist for every sequence.
struct Arena {
    real: RealRedis,
}

/// Where two servers differed.
struct Difference {
    index: usize,
    ours: Reply,
    real: Reply,
}

impl Arena {
    fn start() -> Option<Self> {
        Some(Self { real: RealRedis::start(&[])? })
    }

    /// Plays a sequence to both.
    fn play(&self, resp: u8, commands: &[Words]) -> Result<(), Difference> {
        let redist = Server::builder().port(0).start().unwrap();
        let mut ours = Side::start(redist.addr(), resp);
        let mut real = Side::start(self.real.address(), resp);
        let mut same = Same::default();
        for (number, batch) in commands.chunks(BATCH_COMMANDS).enumerate() {
            let pairs = ours.play(batch).into_iter().zip(real.play(batch));
            for (offset, (words, (ours, real))) in batch.iter().zip(pairs).enumerate() {
                let is_same = same.replies(words, &ours.1, &real.1);
                if ours.0 != real.0 && !is_same {
                    let index = number * BATCH_COMMANDS + offset;
                    return Err(Difference { index, ours: ours.1, real: real.1 });
                }
            }
        }
        Ok(())
    }

    /// Leaves out whatever a difference does not take.
    fn shorten(&self, resp: u8, mut commands: Vec<Words>) -> Vec<Words> {
        let mut step = commands.len() / 2;
        while step > 0 {
            let mut start = 0;
            while start + step <= commands.len() {
                let mut fewer = commands.clone();
                fewer.drain(start..start + step);
                match self.play(resp, &fewer) {
                    Err(difference) => {
                        fewer.truncate(difference.index + 1);
                        commands = fewer;
                    }
                    Ok(()) => start += step,
                }
            }
            step /= 2;
        }
        commands
    }

    fn explain(&self, resp: u8, seed: u64, commands: &[Words], difference: &Difference) -> String {
        let (index, mut difference) = (difference.index, (&difference.ours, &difference.real));
        let short = self.shorten(resp, commands[..=index].to_vec());
        let again = self.play(resp, &short).err();
        // What depends on the moment may not show again: then the end of the sequence has to do.
        let shown = match &again {
            Some(again) => {
                difference = (&again.ours, &again.real);
                &short[..]
            }
            None => &commands[index.saturating_sub(20)..=index],
        };
        let lines: Vec<String> = shown.iter().map(draw::as_transcript).collect();
        format!(
            "seed {seed}, RESP{resp}, command {index}\n{}\nredist: {}\nredis:  {}",
            lines.join("\n"),
            difference.0,
            difference.1
        )
    }
}

#[test]
fn random_commands_are_answered_as_by_redis() {
    let Some(arena) = Arena::start() else { return };
    let commands = setting("REDIST_FUZZ_COMMANDS", 20_000) as usize;
    let first = setting("REDIST_FUZZ_SEED", 1);
    let mut differences = Vec::new();
    for seed in first..first + commands.div_ceil(2 * SEQUENCE_COMMANDS) as u64 {
        let commands = Draw::new(seed).sequence(SEQUENCE_COMMANDS);
        for resp in [2, 3] {
            if let Err(difference) = arena.play(resp, &commands) {
                differences.push(arena.explain(resp, seed, &commands, &difference));
                break;
            }
        }
        if differences.len() == 10 {
            break;
        }
    }
    let count = differences.len();
    assert!(count == 0, "{count} sequences differ:\n\n{}\n", differences.join("\n\n"));
}

#[test]
fn a_difference_is_seen_and_shortened() {
    let Some(arena) = Arena::start() else { return };
    let words =
        |line: &str| -> Words { line.split(' ').map(|word| word.as_bytes().to_vec()).collect() };
    let mut commands = vec![words("SET k 1"); 50];
    // Two servers on one machine cannot agree on this.
    commands.push(words("CONFIG GET port"));
    commands.extend(vec![words("GET k"); 50]);
    let Err(difference) = arena.play(2, &commands) else { panic!("the difference is seen") };
    assert_eq!(difference.index, 50);
    let text = arena.explain(2, 0, &commands, &difference);
    assert!(text.contains("\n> CONFIG GET port\nredist: "), "{text}");
}

#[test]
fn every_command_is_drawn_or_left_out_for_a_reason() {
    let drawn: Vec<&str> = draw::names().collect();
    let left_out: Vec<&str> =
        families::LEFT_OUT.iter().flat_map(|(_, names)| *names).copied().collect();
    for row in redist::command::all().filter(|row| row.container.is_none()) {
        let name = row.spec.name;
        assert!(
            drawn.contains(&name) != left_out.contains(&name),
            "{name} is to stand in tests/differential/families.rs: among the templates of its \
             family, or with a reason in LEFT_OUT"
        );
    }
}
