//! The program as a process: options, files, the environment, log lines, exit codes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use regex_lite::Regex;
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};
use support::client::Client;
use support::peer::{Folder, RealRedis};
use support::program::{Ended, Program, command};
use support::reply::Reply;

/// The value of a directive.
fn get(program: &Program, name: &str) -> String {
    let reply = program.client().ask(&format!("CONFIG GET {name}"));
    let value = reply.strip_prefix(&format!("['{name}' '"));
    value.and_then(|value| value.strip_suffix("']")).unwrap_or(&reply).to_owned()
}

fn write(folder: &Folder, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn options_win_over_the_environment_and_that_over_the_file() {
    let folder = Folder::new();
    let file = write(&folder, "a.conf", "timeout 1\nmaxclients 101\nslowlog-max-len 1\n");
    let mut command = command(&[file.to_str().unwrap(), "--port", "auto", "--timeout", "3"]);
    command.env("REDIST_TIMEOUT", "2").env("REDIST_MAXCLIENTS", "102");
    let program = Program::start(command);
    let shown = ["timeout", "maxclients", "slowlog-max-len"].map(|name| get(&program, name));
    assert_eq!(shown, ["3", "102", "1"]);
}

#[test]
fn options_are_written_as_for_redis_server() {
    let args =
        ["--port", "0", "--save", "", "--requirepass", "s3cret", "--bind", "127.0.0.1", "-::1"];
    let program = Program::start(command(&args));
    let mut client = program.client();
    assert_eq!(client.ask("GET k"), "-NOAUTH Authentication required.");
    assert_eq!(client.ask("AUTH s3cret"), "+OK");
    assert_eq!(client.ask("CONFIG GET bind"), "['bind' '127.0.0.1 -::1']");
    let port = program.address.port();
    assert_eq!(client.ask("CONFIG GET port"), format!("['port' '{port}']"));
}

#[test]
fn a_file_may_come_from_standard_input_and_include_others() {
    let folder = Folder::new();
    write(&folder, "d/2.conf", "timeout 2\n");
    write(&folder, "d/1.conf", "timeout 1\nlfu-decay-time 4\n");
    write(&folder, "d/3.off", "timeout 3\n");
    let mut command = command(&["--port", "auto", "-"]);
    let mut child = command.stdin(Stdio::piped());
    child = child.current_dir(folder.path());
    let mut child = child.spawn().unwrap();
    let text = "# Comment\nproto-max-bulk-len 2mb\ninclude d/*.conf\ninclude none/*.conf\n";
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let program = Program::of(child);
    let shown = ["timeout", "lfu-decay-time", "proto-max-bulk-len"].map(|name| get(&program, name));
    assert_eq!(shown, ["2", "4", "2097152"]);
}

#[test]
fn what_cannot_be_taken_is_named_with_its_place() {
    let folder = Folder::new();
    let bad = write(&folder, "bad.conf", "# Comment\n\n  prt   7000\n");
    let outer = write(&folder, "outer.conf", &format!("include {}\n", bad.display()));
    let looped = folder.path().join("loop.conf");
    write(&folder, "loop.conf", &format!("include {}\n", looped.display()));
    let header = "\\*\\*\\* FATAL CONFIG FILE ERROR \\(redist [0-9.]+\\) \\*\\*\\*\nReading ";
    let file = |path: &PathBuf, line| {
        format!("the configuration file '{}', at line {line}\n", path.to_str().unwrap())
    };
    let unknown = ">>> 'prt   7000'\nBad directive or wrong number of arguments\n";
    let cases = [
        (vec![bad.to_str().unwrap()], file(&bad, 3) + unknown),
        (vec![outer.to_str().unwrap()], file(&bad, 3) + unknown),
        (
            vec![looped.to_str().unwrap()],
            file(&looped, 1)
                + &format!(">>> 'include {}'\nFiles include each other too deeply\n", looped.display()),
        ),
        (
            vec!["--maxclients", "many"],
            "the options\n>>> '--maxclients many'\nargument couldn't be parsed into an integer\n".into(),
        ),
        (
            vec!["--user", "default", "off"],
            "the options\n>>> '--user default off'\nUsers are not supported yet: protect the server with requirepass\n".into(),
        ),
    ];
    for (args, expected) in cases {
        let ended = Ended::of(command(&args));
        assert_eq!(ended.status.code(), Some(1), "{args:?}");
        let header = Regex::new(&format!("^{header}")).unwrap();
        assert_eq!(header.replace(&ended.stderr, ""), expected, "{args:?}");
        assert_eq!(ended.stdout, "");
    }
}

#[test]
fn what_cannot_be_opened_is_an_error() {
    let cases: [(&[&str], &str); 4] = [
        (&["/nowhere/a.conf"], "Fatal error, can't open config file '/nowhere/a.conf': No such"),
        (&["--dir", "/nowhere"], "Can't chdir to '/nowhere': No such"),
        (&["--logfile", "/nowhere/log"], "Can't open the log file '/nowhere/log': No such"),
        (&["--bind", "192.0.2.1", "--port", "auto"], "cannot listen on 192.0.2.1:0: "),
    ];
    for (args, expected) in cases {
        let ended = Ended::of(command(args));
        assert_eq!(ended.status.code(), Some(1), "{args:?}");
        assert!(ended.stderr.contains(expected), "{args:?} {}", ended.stderr);
    }
}

#[test]
fn a_taken_port_names_a_way_out() {
    let holder = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = holder.local_addr().unwrap().port();
    let ended = Ended::of(command(&["--port", &port.to_string(), "--bind", "127.0.0.1"]));
    let expected = format!(
        "port {port} is taken, perhaps by another redis-server; choose another with --port {}, or --port auto",
        port.checked_add(1).unwrap_or(6380)
    );
    assert!(ended.stderr.contains(&expected), "{}", ended.stderr);
    assert_eq!(ended.status.code(), Some(1));
}

#[test]
fn help_and_version_are_printed_and_nothing_is_started() {
    for (arg, expected) in [
        ("--help", "--requirepass <text>"),
        ("-h", "Usage: redist [FILE]"),
        ("--version", concat!("redist v=", env!("CARGO_PKG_VERSION"), " redis=7.2.")),
        ("-v", "bits="),
    ] {
        let ended = Ended::of(command(&[arg]));
        assert!(
            ended.status.success() && ended.stdout.contains(expected),
            "{arg} {}",
            ended.stdout
        );
    }
}

#[cfg(unix)]
#[test]
fn files_that_tell_of_the_server_are_there_as_long_as_it_is() {
    let folder = Folder::new();
    let mut command = command(&[
        "--port",
        "auto",
        "--port-file",
        "port",
        "--pidfile",
        "pid",
        "--loglevel",
        "notice",
    ]);
    command.current_dir(folder.path());
    let program = Program::start(command);
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    assert_eq!(read("port"), format!("{}\n", program.address.port()));
    assert_eq!(read("pid"), format!("{}\n", program.id()));
    let _open = program.client();
    let ended = program.stop();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert_eq!((read("port"), read("pid")), (String::new(), String::new()));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[cfg(unix)]
#[test]
fn log_lines_have_redis_s_format() {
    let ended = Program::start(command(&["--port", "auto", "--hz", "50", "--hz", "60"])).stop();
    let line =
        Regex::new(r"^\d+:M \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d\.\d{3} [.*#-] .+$").unwrap();
    for text in ended.stderr.lines() {
        assert!(line.is_match(text), "{text}");
    }
    let mut rest = ended.stderr.as_str();
    for expected in [
        "* oO0OoO0OoO0Oo redist is starting oO0OoO0OoO0Oo",
        "* redist version=",
        "# directive 'hz' has no effect yet",
        "* Running mode=standalone, port=",
        "* Ready to accept connections",
        "# Received SIGINT or SIGTERM scheduling shutdown...",
        "# redist is now ready to exit, bye bye...",
    ] {
        let at = rest.find(expected);
        rest = &rest[at.unwrap_or_else(|| panic!("{expected} in {}", ended.stderr))..];
    }
    assert_eq!(ended.stderr.matches("directive 'hz'").count(), 1, "{}", ended.stderr);
}

#[cfg(unix)]
#[test]
fn the_level_of_log_lines_changes_at_run_time() {
    let folder = Folder::new();
    let log = folder.path().join("redist.log");
    let logfile = log.to_str().unwrap();
    let program =
        Program::start(command(&["--port", "auto", "--logfile", logfile, "--loglevel", "warning"]));
    let mut client = program.client();
    let read = || fs::read_to_string(&log).unwrap_or_default();
    assert_eq!(read(), "");
    assert_eq!(client.ask("CONFIG SET loglevel verbose"), "+OK");
    let mut other = program.client();
    other.ask("QUIT");
    other.read_to_end().unwrap();
    // The line is written by the thread of a connection that is gone already.
    let patience = Instant::now() + Duration::from_secs(20);
    while !read().contains(" - Client closed connection") {
        assert!(Instant::now() < patience, "{}", read());
        std::thread::yield_now();
    }
    assert_eq!(client.ask("CONFIG SET loglevel nothing"), "+OK");
    fs::remove_file(&log).unwrap();
    let ended = program.stop();
    assert_eq!((ended.status.code(), ended.stderr.as_str()), (Some(0), ""));
    assert_eq!(read(), "");
}

#[test]
fn config_rewrite_keeps_what_a_person_wrote() {
    let folder = Folder::new();
    let file = write(&folder, "a.conf", "# Mine.\nport auto\n\ntimeout 1 \nhz 50\n");
    let program = Program::start(command(&[file.to_str().unwrap(), "--slowlog-max-len", "9"]));
    let mut client = program.client();
    assert_eq!(client.ask("CONFIG SET timeout 1000 requirepass \"a b\""), "+OK");
    assert_eq!(client.ask("CONFIG REWRITE"), "+OK");
    let dir = std::env::current_dir().unwrap();
    let expected = format!(
        "# Mine.\nport auto\n\ntimeout 1000\nhz 50\n# Generated by CONFIG REWRITE\n\
         requirepass \"a b\"\ndir \"{}\"\nslowlog-max-len 9\nsave \"\"\n",
        dir.display()
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), expected);
    // It is replaced by a new file, which stays away where none can be created.
    fs::remove_dir_all(folder.path()).unwrap();
    let reply = client.ask("CONFIG REWRITE");
    assert!(reply.starts_with("-ERR Rewriting config file: No such file"), "{reply}");
}

#[test]
fn limits_of_clients_hold_at_once() {
    let program = Program::start(command(&["--port", "auto"]));
    let mut client = program.client();
    assert_eq!(client.ask("CONFIG SET maxclients 1"), "+OK");
    let refused = program.client().read_to_end().unwrap();
    assert_eq!(refused, b"-ERR max number of clients reached\r\n");
    assert_eq!(client.ask("CONFIG SET maxclients 2"), "+OK");
    let mut idle = program.client();
    assert_eq!(idle.ask("PING"), "+PONG");
    let reply = client.ask("CONFIG SET maxclients 4294967295");
    assert!(
        reply.starts_with(
            "-ERR CONFIG SET failed (possibly related to argument 'maxclients') - The operating \
             system is not able to handle the specified number of clients, try with "
        ),
        "{reply}"
    );
    assert_eq!(client.ask("CONFIG GET maxclients"), "['maxclients' '2']");
    assert_eq!(idle.ask("CONFIG SET timeout 1"), "+OK");
    assert_eq!(idle.read_to_end().unwrap(), b"");
}

#[test]
fn an_embedder_sets_directives_by_name() {
    let builder = || redist::Server::builder().port(0);
    let server = builder().directive("requirepass", "s3cret").unwrap().start().unwrap();
    assert!(Client::connect(server.addr()).ask("GET k").starts_with("-NOAUTH"));
    let error = |name: &str, value: &str| match builder().directive(name, value) {
        Ok(_) => "no error".to_owned(),
        Err(error) => error.to_string(),
    };
    assert_eq!(error("prt", "1"), "there is no directive 'prt'");
    assert_eq!(error("appendonly", "yes"), "directive 'appendonly': directive has no effect yet");
    assert_eq!(
        error("timeout", "x"),
        "directive 'timeout': argument couldn't be parsed into an integer"
    );
}

#[test]
fn the_real_server_s_directives_are_known_and_their_errors_the_same() {
    // Each with a reason that is ours: it is fixed while the server runs, or 7.2 knows one name more.
    const DIFFERENT: &[&str] = &["port", "bind", "loglevel"];
    let Some(real) = RealRedis::start(&[]) else { return };
    let mut real = Client::connect(real.address());
    let server = redist::Server::builder().port(0).start().unwrap();
    let mut ours = Client::connect(server.addr());
    let Reply::Array(listed) = real.request(&["CONFIG", "GET", "*"]).unwrap() else {
        panic!("CONFIG GET answers an array")
    };
    let text = |reply: &Reply| match reply {
        Reply::Bulk(bytes) => String::from_utf8(bytes.clone()).unwrap(),
        other => panic!("a bulk string, not {other}"),
    };
    let mut differences = Vec::new();
    for pair in listed.chunks(2) {
        let (name, value) = (text(&pair[0]), text(&pair[1]));
        assert!(redist::config::find(&name).is_some(), "{name} is unknown");
        for wrong in ["bogus", "-1", "99999999999999999999", "", "1 2", "0x10", "12%", "5kb"] {
            let theirs = real.request(&["CONFIG", "SET", &name, wrong]).unwrap().to_string();
            if theirs == "+OK" {
                real.request(&["CONFIG", "SET", &name, &value]).unwrap();
                continue;
            }
            let answer = ours.request(&["CONFIG", "SET", &name, wrong]).unwrap().to_string();
            // A refusal for want of an effect comes after the checks of a value, of which we know most.
            let is_expected =
                DIFFERENT.contains(&name.as_str()) || answer.contains("no effect yet");
            if answer != theirs && !is_expected {
                differences.push(format!("{name} {wrong:?}: {answer} instead of {theirs}"));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn the_slow_log_keeps_no_password() {
    let builder = redist::Server::builder().port(0).directive("slowlog-log-slower-than", "0");
    let server = builder.unwrap().start().unwrap();
    let mut client = Client::connect(server.addr());
    assert_eq!(client.ask("CONFIG SET timeout 9 RequirePass s3cret"), "+OK");
    // Noted once the reply is on its way: the next reply comes behind it.
    client.ask("PING");
    let noted = server.instance().slowlog.newest(2).pop().unwrap();
    let words: Vec<_> = noted.args.iter().map(|arg| String::from_utf8_lossy(arg)).collect();
    assert_eq!(words, ["CONFIG", "SET", "timeout", "9", "RequirePass", "(redacted)"]);
}
