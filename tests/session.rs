//! What one client does to another, and to a connection that is in the middle of something: pauses,
//! kills, wakes, and what CLIENT LIST tells of it meanwhile.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use redist::config::Settings;
use redist::{Clock, Server};
use std::io::Read;
use std::sync::RwLockReadGuard;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use support::client::{Client, frame};
use support::watch::{self, Panics, eventually};

/// Far less than any pause in these tests, far more than a busy machine needs.
const SOON: Duration = Duration::from_secs(20);

struct Host {
    server: Server,
    admin: Client,
    _others_may_run: Option<RwLockReadGuard<'static, ()>>,
}

impl Host {
    fn start() -> Self {
        Self::with(Settings::default(), Clock::system())
    }

    fn with(settings: Settings, clock: Clock) -> Self {
        let guard = watch::together();
        Self { _others_may_run: Some(guard), ..Self::alone(settings, clock) }
    }

    fn alone(settings: Settings, clock: Clock) -> Self {
        Panics::watch();
        let server = Server::builder().settings(settings).port(0).clock(clock).start().unwrap();
        let mut admin = Client::connect(server.addr());
        // Its thread runs, and it has the first id.
        assert_eq!(admin.ask("CLIENT ID"), ":1");
        Self { server, admin, _others_may_run: None }
    }

    /// A client and its id.
    fn client(&self) -> (Client, u64) {
        let mut client = Client::connect(self.server.addr());
        let id = client.ask("CLIENT ID")[1..].parse().unwrap();
        (client, id)
    }

    /// What CLIENT LIST says of a client; nothing if it is gone.
    fn line(&mut self, id: u64) -> String {
        self.admin.ask(&format!("CLIENT LIST ID {id}"))
    }

    fn until_line(&mut self, id: u64, what: &str) {
        eventually(what, || self.line(id).contains(what));
    }

    fn kill(&mut self, id: u64) {
        assert_eq!(self.admin.ask(&format!("CLIENT KILL ID {id}")), ":1");
        assert_eq!(self.line(id), "''", "it is gone for everybody at once");
    }

    /// The admin alone is left, every thread that served another has ended its connection, and a
    /// stop has nothing to wait for.
    fn ends(mut self) {
        eventually("the others are gone", || self.server.instance().clients.len() == 1);
        assert_eq!(self.admin.ask("PING"), "+PONG");
        let started = Instant::now();
        self.server.stop().unwrap();
        assert!(started.elapsed() < SOON);
        Panics::assert_none();
    }
}

/// The connection ends, after whatever was on its way.
fn is_closed(client: &mut Client) -> bool {
    let mut chunk = [0; 64 * 1024];
    loop {
        match client.stream().read(&mut chunk) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

#[test]
fn a_kill_reaches_a_client_whatever_it_does() {
    let mut host = Host::start();
    let big = "x".repeat(16 * 1024 * 1024);
    assert_eq!(host.admin.ask(&format!("SET big {big}")), "+OK");
    let started = Instant::now();

    let (mut idle, id) = host.client();
    host.kill(id);
    assert!(is_closed(&mut idle));

    let (mut reads_slowly, id) = host.client();
    reads_slowly.send(&frame(&["GET", "big"]).repeat(3)).unwrap();
    host.until_line(id, "events=rw");
    host.kill(id);
    assert!(is_closed(&mut reads_slowly));

    let (mut waits, id) = host.client();
    waits.send(&frame(&["WAIT", "1", "0"])).unwrap();
    host.until_line(id, "flags=b");
    host.kill(id);
    assert!(is_closed(&mut waits));

    let (mut paused, id) = host.client();
    assert_eq!(host.admin.ask("CLIENT PAUSE 1000000 WRITE"), "+OK");
    paused.send(&frame(&["SET", "key", "value"])).unwrap();
    host.until_line(id, "flags=b");
    host.kill(id);
    assert!(is_closed(&mut paused));
    assert_eq!(host.admin.ask("CLIENT UNPAUSE"), "+OK");
    assert_eq!(host.admin.ask("GET key"), "$-1", "a killed client's command has not run");

    let (mut monitors, id) = host.client();
    assert_eq!(monitors.ask("MONITOR"), "+OK");
    while !host.line(id).contains("oll=1") {
        let word = "y".repeat(500_000);
        assert_eq!(host.admin.ask(&format!("EXISTS {word}")), ":0");
    }
    host.kill(id);
    assert!(is_closed(&mut monitors));

    let (mut half, id) = host.client();
    half.send(b"*2\r\n$4\r\nECHO\r\n$100\r\nabc").unwrap();
    host.until_line(id, " qbuf=2");
    host.kill(id);
    assert!(is_closed(&mut half));

    assert!(started.elapsed() < SOON);
    host.ends();
}

#[test]
fn a_client_that_kills_itself_gets_the_reply_and_nothing_after_it() {
    for request in ["CLIENT KILL TYPE normal SKIPME no", "CLIENT KILL {address}"] {
        let host = Host::start();
        let mut client = Client::connect(host.server.addr());
        let address = client.stream().local_addr().unwrap().to_string();
        let request = request.replace("{address}", &address);
        client.send(format!("PING\r\n{request}\r\nSET key value\r\n").as_bytes()).unwrap();
        let text = String::from_utf8(client.read_to_end().unwrap()).unwrap();
        let expected =
            if request.contains("TYPE") { "+PONG\r\n:2\r\n" } else { "+PONG\r\n+OK\r\n" };
        assert_eq!(text, expected);
        let (mut other, _) = host.client();
        assert_eq!(other.ask("GET key"), "$-1");
        host.server.stop().unwrap();
    }
    Panics::assert_none();
}

#[test]
fn replies_are_sent_before_a_command_waits() {
    let mut host = Host::start();
    let (mut client, id) = host.client();
    client.send(b"PING\r\nWAIT 1 0\r\nECHO after\r\n").unwrap();
    assert_eq!(client.read().unwrap().to_string(), "+PONG");
    host.until_line(id, "flags=b");
    assert_eq!(host.admin.ask(&format!("CLIENT UNBLOCK {id}")), ":1");
    assert_eq!(client.read().unwrap().to_string(), ":0");
    assert_eq!(client.read().unwrap().to_string(), "'after'");

    client.send(b"CLIENT PAUSE 1000000 WRITE\r\nSET key value\r\nECHO after\r\n").unwrap();
    assert_eq!(client.read().unwrap().to_string(), "+OK");
    host.until_line(id, "flags=b");
    assert_eq!(host.admin.ask(&format!("CLIENT UNBLOCK {id}")), ":0", "a pause is no wait");
    assert_eq!(host.admin.ask("CLIENT UNPAUSE"), "+OK");
    assert_eq!(client.read().unwrap().to_string(), "+OK");
    assert_eq!(client.read().unwrap().to_string(), "'after'");
    drop(client);
    host.ends();
}

#[test]
fn another_client_unblocks_one_that_waits() {
    let mut host = Host::start();
    let (mut client, id) = host.client();
    for (how, reply) in [
        ("", ":0"),
        (" TIMEOUT", ":0"),
        (" ERROR", "-UNBLOCKED client unblocked via CLIENT UNBLOCK"),
    ] {
        client.send(&frame(&["WAIT", "1", "0"])).unwrap();
        host.until_line(id, "flags=b");
        assert_eq!(host.admin.ask(&format!("CLIENT UNBLOCK {id}{how}")), ":1");
        assert_eq!(client.read().unwrap().to_string(), reply);
        assert_eq!(host.admin.ask(&format!("CLIENT UNBLOCK {id}{how}")), ":0");
    }
    drop(client);
    host.ends();
}

#[test]
fn one_who_hangs_up_while_waiting_is_noticed() {
    let mut host = Host::start();
    let (mut waits, _) = host.client();
    waits.send(&frame(&["WAIT", "1", "0"])).unwrap();
    let (mut paused, id) = host.client();
    assert_eq!(host.admin.ask("CLIENT PAUSE 1000000 WRITE"), "+OK");
    paused.send(&frame(&["SET", "key", "value"])).unwrap();
    host.until_line(id, "flags=b");
    drop((waits, paused));
    eventually("both are gone", || host.server.instance().clients.len() == 1);
    assert_eq!(host.admin.ask("CLIENT UNPAUSE"), "+OK");
    assert_eq!(host.admin.ask("GET key"), "$-1");
    host.ends();
}

#[test]
fn a_stop_does_not_wait_for_the_end_of_a_pause() {
    let mut host = Host::start();
    let (mut client, id) = host.client();
    let (mut other, other_id) = host.client();
    assert_eq!(host.admin.ask("CLIENT PAUSE 1000000 WRITE"), "+OK");
    client.send(&frame(&["SET", "key", "value"])).unwrap();
    host.until_line(id, "flags=b");
    other.send(&frame(&["WAIT", "1", "0"])).unwrap();
    host.until_line(other_id, "flags=b");
    let started = Instant::now();
    host.server.stop().unwrap();
    assert!(started.elapsed() < SOON);
    assert!(is_closed(&mut client) && is_closed(&mut other));
    Panics::assert_none();
}

#[test]
fn no_write_happens_once_the_pause_is_confirmed() {
    let mut host = Host::start();
    let address = host.server.addr();
    let stop = AtomicBool::new(false);
    assert_eq!(host.admin.ask("SET key value"), "+OK");
    std::thread::scope(|scope| {
        for number in 0..4 {
            let stop = &stop;
            scope.spawn(move || {
                let mut client = Client::connect(address);
                let mut count = 0;
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(client.ask(&format!("SET key {number}:{count}")), "+OK");
                    count += 1;
                }
            });
        }
        for _ in 0..30 {
            assert_eq!(host.admin.ask("CLIENT PAUSE 1000000 WRITE"), "+OK");
            let value = host.admin.ask("GET key");
            for _ in 0..20 {
                assert_eq!(host.admin.ask("GET key"), value);
            }
            assert_eq!(host.admin.ask("CLIENT UNPAUSE"), "+OK");
            let mut looks = 0;
            eventually("writes go on", || {
                looks += 1;
                host.admin.ask("GET key") != value
            });
        }
        stop.store(true, Ordering::Relaxed);
    });
    host.ends();
}

#[test]
fn one_who_monitors_and_does_not_read_is_cut_off_and_delays_nobody() {
    let mut host = Host::start();
    let (mut lazy, id) = host.client();
    let limit = "CONFIG SET client-output-buffer-limit 'normal 32mb 0 0'";
    assert_eq!(host.admin.ask(limit), "+OK");
    assert_eq!(lazy.ask("MONITOR"), "+OK");
    let word = "z".repeat(1024 * 1024);
    let started = Instant::now();
    // What the socket takes comes on top of what may wait.
    for _ in 0..60 {
        assert_eq!(host.admin.ask(&format!("EXISTS {word}")), ":0");
    }
    assert!(started.elapsed() < SOON);
    eventually("it is cut off", || host.line(id) == "''");
    assert!(is_closed(&mut lazy));
    host.ends();
}

#[test]
fn one_who_monitors_and_sends_without_reading_holds_up_itself() {
    let mut host = Host::start();
    let (mut lazy, id) = host.client();
    assert_eq!(lazy.ask("MONITOR"), "+OK");
    let pings = frame(&["PING", &"p".repeat(10_000)]).repeat(100);
    lazy.stream().set_write_timeout(Some(Duration::from_millis(100))).unwrap();
    // Its requests are taken in, its replies wait: neither is for ever.
    for _ in 0..60 {
        if lazy.send(&pings).is_err() {
            break;
        }
    }
    let record = host.server.instance().clients.get(id).unwrap();
    let waiting = record.outbox().len();
    assert!(waiting < 34 * 1024 * 1024, "{waiting} bytes wait");
    drop(record);
    host.kill(id);
    assert!(is_closed(&mut lazy));
    host.ends();
}

#[test]
fn one_who_monitors_misses_nothing_from_the_reply_on() {
    let mut host = Host::start();
    for number in 0..200 {
        let mut client = Client::connect(host.server.addr());
        assert_eq!(client.ask("MONITOR"), "+OK");
        assert_eq!(host.admin.ask(&format!("ECHO {number}")), format!("'{number}'"));
        let line = client.read().unwrap().to_string();
        assert!(line.ends_with(&format!("\"ECHO\" \"{number}\"")), "{line}");
    }
    host.ends();
}

#[test]
fn replies_and_what_is_monitored_arrive_in_order() {
    let mut host = Host::start();
    let (mut client, id) = host.client();
    client.send(b"MONITOR\r\nECHO 1\r\nECHO 2\r\nRESET\r\nECHO 3\r\nQUIT\r\n").unwrap();
    let text = String::from_utf8(client.read_to_end().unwrap()).unwrap();
    let lines: Vec<&str> =
        text.split("\r\n").map(|line| line.rsplit(']').next().unwrap().trim()).collect();
    let expected = [
        "+OK",
        "$1",
        "1",
        "\"ECHO\" \"1\"",
        "$1",
        "2",
        "\"ECHO\" \"2\"",
        "+RESET",
        "$1",
        "3",
        "+OK",
        "",
    ];
    assert_eq!(lines, expected);
    eventually("it is gone", || host.line(id) == "''");
    host.ends();
}

#[test]
fn an_idle_client_is_closed_but_none_that_waits_or_monitors() {
    let settings = Settings { timeout: 60, ..Settings::default() };
    let mut host = Host::with(settings, Clock::standing_at(1_700_000_000_000));
    let (mut idle, _) = host.client();
    let (mut waits, waits_id) = host.client();
    let (mut monitors, monitors_id) = host.client();
    waits.send(&frame(&["WAIT", "1", "0"])).unwrap();
    host.until_line(waits_id, "flags=b");
    assert_eq!(monitors.ask("MONITOR"), "+OK");
    host.server.advance(Duration::from_secs(61));
    assert_eq!(host.admin.ask("CLIENT ID"), ":1");
    assert!(is_closed(&mut idle));
    host.until_line(waits_id, "idle=61");
    host.until_line(monitors_id, "flags=O");
    drop((waits, monitors));
    host.ends();
}

#[test]
fn a_client_is_described_as_it_is() {
    let mut host = Host::with(Settings::default(), Clock::standing_at(1_700_000_000_000));
    let (mut client, id) = host.client();
    let number = |line: &str, name: &str| -> u64 {
        let value = line.split(' ').find_map(|field| field.strip_prefix(&format!("{name}=")));
        value.unwrap_or_else(|| panic!("{name} in {line}")).parse().unwrap()
    };
    let line = host.line(id);
    for (name, value) in [("qbuf", 0), ("argv-mem", 0), ("obl", 0), ("oll", 0), ("omem", 0)] {
        assert_eq!(number(&line, name), value, "{name} in {line}");
    }
    let empty_bytes = number(&line, "tot-mem");
    assert!((16_000..64_000).contains(&empty_bytes), "{line}");

    // Half of a request: received, and not yet answered.
    client.send(b"*2\r\n$4\r\nECHO\r\n$8\r\nabc").unwrap();
    host.until_line(id, " qbuf=21 ");
    client.send(b"defgh\r\n").unwrap();
    assert_eq!(client.read().unwrap().to_string(), "'abcdefgh'");
    host.until_line(id, " qbuf=0 ");

    // An own pipeline's replies that were not yet sent.
    client.send(b"PING\r\nPING\r\nCLIENT INFO\r\n").unwrap();
    for _ in 0..2 {
        client.read().unwrap();
    }
    let line = client.read().unwrap().to_string();
    assert_eq!((number(&line, "obl"), number(&line, "argv-mem")), (14, 10), "{line}");

    // Waiting with arguments.
    assert_eq!(host.admin.ask("CLIENT PAUSE 1000000 WRITE"), "+OK");
    client.send(&frame(&["SET", "key", &"v".repeat(100_000)])).unwrap();
    host.until_line(id, "argv-mem=100006 ");
    assert!(number(&host.line(id), "tot-mem") > empty_bytes + 100_000);
    assert_eq!(host.admin.ask("CLIENT UNPAUSE"), "+OK");
    assert_eq!(client.read().unwrap().to_string(), "+OK");
    host.until_line(id, "argv-mem=0 ");

    // A reply that is too long for the peer.
    let value = "x".repeat(16 * 1024 * 1024);
    assert_eq!(host.admin.ask(&format!("SET key {value}")), "+OK");
    client.send(&frame(&["GET", "key"])).unwrap();
    host.until_line(id, "events=rw");
    let line = host.line(id);
    assert!(number(&line, "obl") > 1_000_000, "{line}");
    assert!(number(&line, "tot-mem") > 16 * 1024 * 1024, "{line}");
    assert_eq!(client.read().unwrap().to_string().len(), value.len() + 2);
    host.until_line(id, "events=r ");
    host.until_line(id, " obl=0 ");
    let record = host.server.instance().clients.get(id).unwrap();
    assert!(record.output_bytes.get() > 16 * 1024 * 1024);
    assert!((100_000..200_000).contains(&record.input_bytes.get()));
    drop((client, record));
    host.ends();
}

#[test]
fn a_client_that_waits_to_send_is_held_to_the_limits_of_now() {
    let settings = Settings { requirepass: "sesame".to_owned(), ..Settings::default() };
    let server = Server::builder().settings(settings).port(0).start().unwrap();
    let mut admin = Client::connect(server.addr());
    assert_eq!(admin.ask("AUTH sesame"), "+OK");
    let mut stranger = Client::connect(server.addr());
    let long = "x".repeat(20_000);
    assert_eq!(stranger.ask("PING"), "-NOAUTH Authentication required.");
    assert_eq!(admin.ask("CONFIG SET requirepass ''"), "+OK");
    assert_eq!(stranger.ask(&format!("ECHO {long}")), format!("'{long}'"));
    assert_eq!(admin.ask("CONFIG SET proto-max-bulk-len 1mb"), "+OK");
    stranger.send(b"*2\r\n$4\r\nECHO\r\n$1048577\r\n").unwrap();
    let reply = stranger.read().unwrap().to_string();
    assert_eq!(reply, "-ERR Protocol error: invalid bulk length");
    assert!(is_closed(&mut stranger));
    server.stop().unwrap();
}

#[test]
fn a_thread_is_called_like_its_client() {
    let _measuring = watch::alone();
    let mut host = Host::alone(Settings::default(), Clock::system());
    let names = || watch::thread_names().unwrap_or_default();
    if names().is_empty() {
        println!("skipped: this system has no threads with names as files");
        return;
    }
    eventually("a client without a name", || names().contains(&"client-1".to_owned()));
    assert_eq!(host.admin.ask("CLIENT SETNAME importer-of-many-things"), "+OK");
    eventually("its name, cut", || names().contains(&"importer-of-man".to_owned()));
    assert_eq!(host.admin.ask("RESET"), "+RESET");
    eventually("no name again", || names().contains(&"client-1".to_owned()));
    host.ends();
}
