//! Input that nobody friendly sends: cut off, garbled, oversized, too slow, or never read back.
//!
//! After each of these the server still serves others, nothing in it has panicked, and it has not
//! taken memory for lengths that were merely claimed. Where the real server is installed, it has to
//! answer the same bytes with the same bytes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use redist::Server;
use redist::config::Settings;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::RwLockReadGuard;
use std::time::Duration;
use support::client::{Client, frame};
use support::peer::RealRedis;
use support::watch::{self, Panics, eventually};

/// A server under attack.
struct Target {
    server: Server,
    _others_may_run: Option<RwLockReadGuard<'static, ()>>,
}

impl Target {
    fn start() -> Self {
        Self::with(Settings::default())
    }

    fn with(settings: Settings) -> Self {
        Self { _others_may_run: Some(watch::together()), ..Self::alone(settings) }
    }

    fn alone(settings: Settings) -> Self {
        Panics::watch();
        let server = Server::builder().settings(settings).port(0).start().unwrap();
        Self { server, _others_may_run: None }
    }

    fn address(&self) -> SocketAddr {
        self.server.addr()
    }

    fn client(&self) -> Client {
        Client::connect(self.address())
    }

    /// Somebody else is still served.
    fn serves(&self) {
        let reply = self.client().ask("PING");
        assert!(reply == "+PONG" || reply.starts_with("-NOAUTH"), "{reply}");
    }

    /// The end of every test: others are served, whoever was here is forgotten, no thread has panicked.
    fn survives(self) {
        self.serves();
        eventually("every client is gone", || self.server.instance().clients.is_empty());
        self.server.stop().unwrap();
        Panics::assert_none();
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

/// What comes back for these bytes and the end of input; it fails if the connection stays open.
fn answer(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(address);
    // A server that has closed already takes no more.
    let _ = stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write));
    let mut reply = Vec::new();
    match stream.read_to_end(&mut reply) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error} after {:?}", shown(bytes)),
    }
    reply
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned()
}

#[test]
fn every_prefix_of_a_request_is_waited_for_and_forgotten() {
    let target = Target::start();
    let requests: &[&[u8]] = &[
        b"*1\r\n$4\r\nPING\r\n",
        b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nab\r\nc\r\n",
        b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n",
        b"*0\r\n*-1\r\n*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n",
        b"PING\r\nECHO 'a b' \r\n\r\nECHO \"\\x00\\n\"\n*1\r\n$4\r\nPING\r\n",
        b"*2\r\n$4\r\nECHO\r\n$10\r\n*1\r\n$4\r\nPI\r\n",
    ];
    for request in requests {
        let whole = answer(target.address(), request);
        assert!(!whole.is_empty());
        for end in 0..request.len() {
            let part = answer(target.address(), &request[..end]);
            assert!(
                whole.starts_with(&part) && (part.len() < whole.len() || request[end..] == *b"\n"),
                "{:?} gave {:?}",
                shown(&request[..end]),
                shown(&part)
            );
        }
    }
    target.survives();
}

/// Bytes, and what has to come back: the real server is asked too.
fn bytes_are_answered_as_by_redis(
    settings: Settings,
    directives: &[(&str, &str)],
    cases: &[(Vec<u8>, String)],
) {
    let target = Target::with(settings);
    let directives: Vec<(String, String)> =
        directives.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let real = RealRedis::start(&directives);
    for (bytes, expected) in cases {
        let reply = answer(target.address(), bytes);
        assert_eq!(shown(&reply), *expected, "{:?}", shown(bytes));
        if let Some(real) = &real {
            let reply = answer(real.address(), bytes);
            assert_eq!(shown(&reply), *expected, "the real server to {:?}", shown(bytes));
        }
        target.serves();
    }
    target.survives();
}

fn case(bytes: impl AsRef<[u8]>, expected: impl Into<String>) -> (Vec<u8>, String) {
    (bytes.as_ref().to_vec(), expected.into())
}

#[test]
fn lengths_are_taken_up_to_their_limit_and_not_beyond() {
    let long = |count: usize, byte: u8| vec![byte; count];
    let line = 64 * 1024;
    let error = |text| format!("-ERR Protocol error: {text}\r\n");
    let multibulk = error("invalid multibulk length");
    let bulk = error("invalid bulk length");
    let cases = [
        // Nothing comes back as long as more input could come.
        case("*2147483647\r\n", ""),
        case("*2147483648\r\n", &multibulk),
        case("*9223372036854775807\r\n", &multibulk),
        case("*9223372036854775808\r\n", &multibulk),
        case("*-1\r\n*-2147483648\r\n*-9223372036854775808\r\nPING\r\n", "+PONG\r\n"),
        case("*-9223372036854775809\r\n", &multibulk),
        case("*+1\r\n", &multibulk),
        case("* 1\r\n", &multibulk),
        case("*1 \r\n", &multibulk),
        case("*01\r\n", &multibulk),
        case("*\r\n", &multibulk),
        case("*1.0\r\n", &multibulk),
        case("*1\r\n$-1\r\n", &bulk),
        case("*1\r\n$-0\r\n", &bulk),
        case("*1\r\n$\r\n", &bulk),
        case("*1\r\n$0x4\r\nPING\r\n", &bulk),
        case("*1\r\n$536870912\r\n", ""),
        case("*1\r\n$536870913\r\n", &bulk),
        case("*1\r\n$9223372036854775807\r\n", &bulk),
        case("*1\r\n$18446744073709551620\r\nPING\r\n", &bulk),
        case("*1\r\n:4\r\nPING\r\n", error("expected '$', got ':'")),
        case("*1\r\n*1\r\n", error("expected '$', got '*'")),
        case([b"*".to_vec(), long(line, b'1')].concat(), error("too big mbulk count string")),
        case([b"*".to_vec(), long(line - 1, b'1')].concat(), ""),
        case([b"*1\r\n$".to_vec(), long(line, b'1')].concat(), error("too big bulk count string")),
        case([b"*1\r\n$".to_vec(), long(line - 1, b'1')].concat(), ""),
        case(long(line + 1, b'a'), error("too big inline request")),
        case(long(line, b'a'), ""),
        case("ECHO \"a\r\n", error("unbalanced quotes in request")),
        case("ECHO 'a'b\r\n", error("unbalanced quotes in request")),
        // A line end inside a name or an argument does not end the error's line.
        case(
            "*2\r\n$5\r\nA\r\nBC\r\n$3\r\nd\ne\r\n",
            "-ERR unknown command 'A  BC', with args beginning with: 'd e' \r\n",
        ),
        // Any two bytes are taken for a line end behind a bulk, any one behind the carriage return.
        case("*1\r\n$4\r\nPINGxy*1\rx$4\ryPING\r\n", "+PONG\r\n+PONG\r\n"),
        case("*1\r\n$4\r\nPING\r\n*x\r\nPING\r\n", format!("+PONG\r\n{multibulk}")),
    ];
    bytes_are_answered_as_by_redis(Settings::default(), &[], &cases);
}

#[test]
fn arguments_may_be_as_long_as_configured_and_no_longer() {
    let max = 1024 * 1024;
    let settings = Settings { proto_max_bulk_len: max as i64, ..Settings::default() };
    let set = |length: usize| frame(&[b"SET".to_vec(), b"k".to_vec(), vec![b'v'; length]]);
    let too_long = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${}\r\n", max + 1);
    bytes_are_answered_as_by_redis(
        settings,
        &[("proto-max-bulk-len", "1048576")],
        &[
            case(set(max - 1), "+OK\r\n"),
            case(set(max), "+OK\r\n"),
            case(too_long, "-ERR Protocol error: invalid bulk length\r\n"),
        ],
    );
}

#[test]
fn a_client_without_the_password_gets_little_room() {
    let settings = Settings { requirepass: "secret".to_owned(), ..Settings::default() };
    let get = |count: usize| frame(&vec!["GET"; count]);
    let echo = |length: usize| frame(&[b"ECHO".to_vec(), vec![b'v'; length]]);
    let no_auth = "-NOAUTH Authentication required.\r\n";
    bytes_are_answered_as_by_redis(
        settings,
        &[("requirepass", "secret")],
        &[
            case(frame(&["GET", "k"]), no_auth),
            case(get(10), "-ERR wrong number of arguments for 'get' command\r\n"),
            case("*10\r\n", ""),
            case("*11\r\n", "-ERR Protocol error: unauthenticated multibulk length\r\n"),
            case(echo(16384), no_auth),
            case("*2\r\n$4\r\nECHO\r\n$16384\r\n", ""),
            case(
                "*2\r\n$4\r\nECHO\r\n$16385\r\n",
                "-ERR Protocol error: unauthenticated bulk length\r\n",
            ),
        ],
    );
}

#[test]
fn a_browser_that_was_led_here_gets_no_answer() {
    bytes_are_answered_as_by_redis(
        Settings::default(),
        &[],
        &[
            case("POST / HTTP/1.1\r\nX: 1\r\n\r\nSET k stolen\r\n", ""),
            case("Host: localhost:6379\r\nSET k stolen\r\n", ""),
            // What was to be said to the first line goes down with the connection.
            case("GET / HTTP/1.1\r\nHost: localhost\r\n\r\nSET k stolen\r\n", ""),
            case(frame(&["post", "/"]), ""),
            case("GET k\r\n", "$-1\r\n"),
        ],
    );
}

/// Bytes in three manners: any, such as the protocol is made of, and requests with some bytes changed.
fn garbage(rng: &mut fastrand::Rng) -> Vec<u8> {
    const PIECES: &[&[u8]] = &[
        b"*",
        b"$",
        b"\r\n",
        b"\r",
        b"\n",
        b"-",
        b"+",
        b":",
        b"0",
        b"1",
        b"2",
        b"3",
        b"9",
        b"-1",
        b"4294967296",
        b"536870912",
        b"GET",
        b"SET",
        b"PING",
        b"ECHO",
        b"k",
        b" ",
        b"\"",
        b"'",
        b"\\",
        b"\\x",
        b"\0",
        b"\xff",
        b"*1\r\n$4\r\nPING\r\n",
        b"*2\r\n$3\r\nGET\r\n$1\r\n",
        b"%",
        b"~",
        b"HELLO 3\r\n",
    ];
    match rng.u8(..3) {
        0 => (0..rng.usize(..2000)).map(|_| rng.u8(..)).collect(),
        1 => {
            (0..rng.usize(..200)).flat_map(|_| PIECES[rng.usize(..PIECES.len())]).copied().collect()
        }
        _ => {
            let mut bytes: Vec<u8> = (0..rng.usize(1..20))
                .flat_map(|number| match number % 3 {
                    0 => frame(&["PING"]),
                    1 => frame(&["SET", "k", "a value that is longer"]),
                    _ => frame(&["GET", "k"]),
                })
                .collect();
            for _ in 0..rng.usize(1..5) {
                let at = rng.usize(..bytes.len());
                match rng.u8(..4) {
                    0 => bytes[at] = rng.u8(..),
                    1 => bytes[at] ^= 1 << rng.u8(..8),
                    2 => bytes.insert(at, rng.u8(..)),
                    _ => drop(bytes.drain(at..(at + rng.usize(..20)).min(bytes.len() - 1).max(at))),
                }
            }
            bytes
        }
    }
}

#[test]
fn garbage_ends_its_own_connection_at_most() {
    let target = Target::start();
    let mut other = target.client();
    for seed in 0..1500 {
        let bytes = garbage(&mut fastrand::Rng::with_seed(seed));
        // The end of input ends the connection whatever came before; `answer` fails if it stays open.
        answer(target.address(), &bytes);
        assert_eq!(other.ask("PING"), "+PONG", "seed {seed}");
    }
    drop(other);
    target.survives();
}

#[test]
fn a_length_that_is_claimed_takes_no_memory() {
    let _alone = watch::alone();
    let target = Target::alone(Settings::default());
    target.serves();
    let count = watch::connections_possible(1000);
    let before = watch::resident_bytes();
    let claims: [&[u8]; 4] = [
        b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\nabc",
        b"*2147483647\r\n$3\r\nDEL\r\n$1\r\nk\r\n",
        b"*2\r\n$536870912\r\nabc",
        b"*2147483647\r\n$536870912\r\nabc",
    ];
    let streams: Vec<TcpStream> = (0..count)
        .map(|number| {
            let mut stream = connect(target.address());
            stream.write_all(claims[number % claims.len()]).unwrap();
            stream
        })
        .collect();
    // Every byte was read: all wait for more.
    let read = || target.server.instance().stats.input_bytes();
    let sent: usize = (0..count).map(|number| claims[number % claims.len()].len()).sum();
    eventually("the claims are read", || read() >= sent as u64);
    target.serves();
    if let (Some(before), Some(now)) = (before, watch::resident_bytes()) {
        let each = now.saturating_sub(before) / count as u64;
        println!("{each} bytes of memory for each connection");
        // A thread's stack, its buffer of 16 KB, and what the system keeps.
        assert!(each < 200 * 1024, "{each} bytes for each of {count} connections");
    } else {
        println!("skipped: this system does not tell how much memory a process uses");
    }
    drop(streams);
    target.survives();
}

#[test]
fn requests_that_come_byte_by_byte_keep_nobody_waiting() {
    let target = Target::start();
    let request = frame(&["SET", "slow", "and steady"]);
    let mut streams: Vec<Client> = (0..100).map(|_| target.client()).collect();
    let mut other = target.client();
    for byte in &request {
        for client in &mut streams {
            client.send(&[*byte]).unwrap();
        }
        assert_eq!(other.ask("PING"), "+PONG");
    }
    for client in &mut streams {
        assert_eq!(client.read().unwrap().to_string(), "+OK");
    }
    drop((streams, other));
    target.survives();
}

#[test]
fn a_pipeline_may_be_sent_whole_before_its_replies_are_read() {
    const COUNT: usize = 100_000;
    let target = Target::start();
    let mut client = target.client();
    // More than the system keeps on the way, in either direction.
    let value = "v".repeat(500);
    client.send(&frame(&["ECHO", &value]).repeat(COUNT)).unwrap();
    let reply = format!("'{value}'");
    for number in 0..COUNT {
        assert_eq!(client.read().unwrap().to_string(), reply, "reply {number}");
    }
    assert_eq!(client.ask("PING"), "+PONG");
    drop(client);
    target.survives();
}

#[test]
fn a_client_that_never_reads_stops_nobody() {
    let target = Target::start();
    let mut other = target.client();
    let big = "x".repeat(8 * 1024 * 1024);
    assert_eq!(other.ask(&format!("SET big {big}")), "+OK");
    let mut lazy: Vec<Client> = (0..5).map(|_| target.client()).collect();
    for client in &mut lazy {
        client.send(&frame(&["GET", "big"]).repeat(4)).unwrap();
    }
    let is_stuck =
        |client: &std::sync::Arc<redist::instance::ClientRecord>| client.reply_bytes.get() > 0;
    let stuck =
        || target.server.instance().clients.all().iter().filter(|client| is_stuck(client)).count();
    eventually("their replies are stuck", || stuck() == lazy.len());
    // Reads and writes of the very key whose value is on its way.
    for number in 0..200 {
        assert_eq!(other.ask("PING"), "+PONG");
        assert_eq!(other.ask(&format!("SET big {number}")), "+OK");
        assert_eq!(other.ask("GET big"), format!("'{number}'"));
    }
    drop((lazy, other));
    target.survives();
}

#[test]
fn clients_that_leave_in_the_middle_of_a_reply_are_forgotten() {
    let target = Target::start();
    let mut other = target.client();
    let big = "x".repeat(4 * 1024 * 1024);
    assert_eq!(other.ask(&format!("SET big {big}")), "+OK");
    for number in 0..60 {
        let mut stream = connect(target.address());
        stream.write_all(&frame(&["GET", "big"]).repeat(3)).unwrap();
        let mut start = [0; 100];
        match number % 3 {
            0 => stream.read_exact(&mut start).unwrap(),
            1 => stream.shutdown(Shutdown::Write).unwrap(),
            _ => {}
        }
    }
    assert_eq!(other.ask("PING"), "+PONG");
    drop(other);
    target.survives();
}

#[test]
fn connections_that_say_nothing_are_forgotten_when_they_go() {
    let target = Target::start();
    for number in 0..500 {
        let stream = connect(target.address());
        if number % 2 == 0 {
            stream.shutdown(Shutdown::Both).unwrap();
        }
    }
    target.survives();
}

#[test]
fn a_request_may_have_very_many_arguments() {
    const COUNT: usize = 300_000;
    let target = Target::start();
    let mut client = target.client();
    let words: Vec<&[u8]> = std::iter::repeat_n(&b""[..], COUNT).collect();
    let request = [&b"nonsense"[..]].into_iter().chain(words.clone()).collect::<Vec<_>>();
    let reply = client.request(&request).unwrap().to_string();
    assert!(reply.starts_with("-ERR unknown command 'nonsense', with args beginning with: '' ''"));
    let request = [&b"PING"[..]].into_iter().chain(words).collect::<Vec<_>>();
    let reply = client.request(&request).unwrap().to_string();
    assert_eq!(reply, "-ERR wrong number of arguments for 'ping' command");
    drop(client);
    target.survives();
}
