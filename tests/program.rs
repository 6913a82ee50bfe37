//! The program as people and their programs meet it: nc, redis-cli, redis-benchmark, Ctrl-C.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use support::client::frame;
use support::peer;
use support::program::Program;
use support::reply::Reply;

/// What a program prints that is given this input; it has to succeed.
fn output(program: &str, args: &[&str], input: &[u8]) -> String {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // The program may end before it has read everything.
    let _ = stdin.write_all(input);
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} {args:?}: {stdout}{stderr}");
    format!("{stdout}{stderr}")
}

#[test]
fn a_person_with_nc_is_served() {
    if !peer::has("nc", &["-h"]) {
        return;
    }
    let program = Program::on_a_free_port();
    let typed = "SET greeting \"hello world\"\nget greeting\r\n\n  APPEND greeting '!'\r\nGET nothing\r\nGET\r\nQUIT\r\n";
    let answered = output("nc", &["127.0.0.1", &program.port()], typed.as_bytes());
    assert_eq!(
        answered,
        "+OK\r\n$11\r\nhello world\r\n:12\r\n$-1\r\n\
         -ERR wrong number of arguments for 'get' command. Usage: GET key\r\n+OK\r\n"
    );
    assert!(program.stop().status.success());
}

#[test]
fn redis_cli_is_served() {
    if !peer::has("redis-cli", &["--version"]) {
        return;
    }
    let program = Program::on_a_free_port();
    let port = program.port();
    let cli = |args: &[&str], input: &str| {
        output("redis-cli", &[&["-p", &port], args].concat(), input.as_bytes())
    };
    // As an argument, from a pipe, as a person sees it.
    assert_eq!(cli(&["PING"], ""), "PONG\n");
    let lines = "SET k 'a b'\nGET k\nINCR n\nGET missing\nGET k k\nMGET k n missing\n";
    assert_eq!(
        cli(&[], lines),
        "OK\na b\n1\n\nERR wrong number of arguments for 'get' command\n\na b\n1\n\n"
    );
    for protocol in ["-2", "-3"] {
        assert_eq!(
            cli(&["--no-raw", protocol], lines.replace("INCR n\n", "STRLEN k\n").as_str()),
            "OK\n\"a b\"\n(integer) 3\n(nil)\n\
             (error) ERR wrong number of arguments for 'get' command\n\
             1) \"a b\"\n2) \"1\"\n3) (nil)\n"
        );
    }
    assert_eq!(cli(&["-n", "3", "-x", "SET", "from-stdin"], "a\nb"), "OK\n");
    assert_eq!(cli(&["-n", "3", "STRLEN", "from-stdin"], ""), "3\n");
    assert_eq!(cli(&["-r", "3", "INCR", "n"], ""), "2\n3\n4\n");
    // Mass insertion and what walks over all keys.
    let mass: Vec<u8> = (0..5000)
        .flat_map(|number| frame(&["SET".to_owned(), format!("m:{number}"), "v".into()]))
        .collect();
    let piped = output("redis-cli", &["-p", &port, "--pipe"], &mass);
    assert!(piped.contains("errors: 0, replies: 5000"), "{piped}");
    let scanned = cli(&["--scan", "--pattern", "m:*"], "");
    let keys: BTreeSet<&str> = scanned.lines().collect();
    assert_eq!((keys.len(), scanned.lines().count()), (5000, 5000));
    let biggest = cli(&["--bigkeys"], "");
    assert!(biggest.contains("5002 strings with"), "{biggest}");
    assert!(program.stop().status.success());
}

/// What redis-benchmark runs when it is not told what to.
const BENCHMARKS: &[&str] = &[
    "PING_INLINE",
    "PING_MBULK",
    "SET",
    "GET",
    "INCR",
    "LPUSH",
    "RPUSH",
    "LPOP",
    "RPOP",
    "SADD",
    "HSET",
    "SPOP",
    "ZADD",
    "ZPOPMIN",
    "LRANGE_100 (first 100 elements)",
    "LRANGE_600 (first 600 elements)",
    "MSET (10 keys)",
];

#[test]
fn redis_benchmark_runs_without_a_warning() {
    if !peer::has("redis-benchmark", &["--version"]) {
        return;
    }
    let program = Program::on_a_free_port();
    for options in [&["-P", "1"][..], &["-P", "16", "-r", "1000"], &["-3"], &["--threads", "2"]] {
        let port = program.port();
        let args = ["-p", &port, "-q", "-n", "500"];
        let report = output("redis-benchmark", &[&args[..], options].concat(), b"");
        for test in BENCHMARKS {
            assert!(report.contains(&format!("{test}: ")), "{options:?}: no {test} in {report}");
        }
        let lower = report.to_lowercase();
        assert!(!lower.contains("warn") && !lower.contains("error"), "{options:?}: {report}");
    }
    assert!(program.stop().status.success());
}

#[test]
fn a_signal_ends_idle_clients_and_the_program() {
    for signal in ["-INT", "-TERM"] {
        let program = Program::on_a_free_port();
        let mut clients: Vec<_> = (0..20).map(|_| program.client()).collect();
        for client in &mut clients[..10] {
            assert_eq!(client.ask("PING"), "+PONG");
        }
        program.signal(signal);
        let ended = program.wait_shortly();
        assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
        for client in &mut clients {
            assert_eq!(client.read().unwrap(), Reply::Closed);
        }
    }
}

#[test]
fn a_signal_in_the_middle_of_pipelines_cuts_no_reply() {
    let program = Program::on_a_free_port();
    let address = program.address;
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|number| {
                let mut client = program.client();
                let incr = frame(&["INCR".to_owned(), format!("counter-{number}")]);
                assert_eq!(client.request(&["PING"]).unwrap().to_string(), "+PONG");
                let mut sending = client.stream().try_clone().unwrap();
                // Without end, as far as the server is concerned.
                scope.spawn(move || while sending.write_all(&incr.repeat(100)).is_ok() {});
                scope.spawn(move || {
                    for expected in 1.. {
                        match client.read().unwrap() {
                            Reply::Int(value) => assert_eq!(value, expected),
                            Reply::Closed => return expected,
                            other => panic!("{other}"),
                        }
                    }
                    0
                })
            })
            .collect();
        let mut watcher = program.client();
        support::watch::eventually("everybody is served", || {
            let mut count = |number| watcher.ask(&format!("STRLEN counter-{number}"));
            (0..4).all(|number| count(number).as_str() >= ":3")
        });
        program.signal("-INT");
        let ended = program.wait_shortly();
        assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
        for client in clients {
            assert!(client.join().unwrap() > 100);
        }
    });
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn a_signal_does_not_wait_for_clients_that_do_not_read() {
    let program = Program::on_a_free_port();
    let big = "x".repeat(16 * 1024 * 1024);
    assert_eq!(program.client().ask(&format!("SET big {big}")), "+OK");
    let mut lazy: Vec<_> = (0..3).map(|_| program.client()).collect();
    for client in &mut lazy {
        client.send(&frame(&["GET", "big"])).unwrap();
        // The reply is on its way.
        client.stream().read_exact(&mut [0; 5]).unwrap();
    }
    program.signal("-INT");
    let ended = program.wait_shortly();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
}

#[test]
fn a_second_signal_does_not_wait_for_anything() {
    // Between the two signals the first may have been obeyed already, or they may be taken for one.
    let insisted = (0..10).any(|_| {
        let program = Program::on_a_free_port();
        let big = "x".repeat(16 * 1024 * 1024);
        assert_eq!(program.client().ask(&format!("SET big {big}")), "+OK");
        let mut lazy = program.client();
        lazy.send(&frame(&["GET", "big"])).unwrap();
        lazy.stream().read_exact(&mut [0; 5]).unwrap();
        let twice = format!("kill -INT {0}; sleep 0.05; kill -INT {0}", program.id());
        let _ = Command::new("sh").args(["-c", &twice]).stderr(Stdio::null()).status();
        let code = program.wait_shortly().status.code();
        assert!(matches!(code, Some(0 | 1)), "{code:?}");
        code == Some(1)
    });
    assert!(insisted, "a second signal never made a difference");
}

#[test]
fn shutdown_ends_the_program() {
    let program = Program::on_a_free_port();
    let mut client = program.client();
    assert_eq!(client.ask("SHUTDOWN NOSAVE"), "closed");
    assert_eq!(program.wait_shortly().status.code(), Some(0));
}
