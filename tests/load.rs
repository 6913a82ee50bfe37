//! Loading a snapshot at the start: what is there afterwards, what clients see meanwhile, and what is
//! refused.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use redist::keyspace::Usage;
use redist::persist::{Format, Item, Writer};
use redist::value::{EncodingLimits, Hash, StringValue, Value};
use redist::{Builder, Clock, Server};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::client::Client;
use support::peer::{Folder, RealRedis};
use support::program::{Ended, Program, command};

const NOW_MS: i64 = 1_000_000;
const FORMAT: Format = Format { compresses: true, has_checksum: true, has_field_deadlines: true };

fn text(value: &str) -> Value {
    StringValue::new(value.into()).into()
}

fn item<'a>(key: &'a str, value: &'a Value) -> Item<'a> {
    let usage = Usage::default();
    Item { db: 0, key: key.as_bytes(), value: value.as_ref(), deadline_ms: None, usage }
}

/// A snapshot with these keys.
fn snapshot(items: &[Item<'_>]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), FORMAT).unwrap();
    writer.aux("redis-ver", "7.2.7").unwrap();
    items.iter().for_each(|item| writer.key(*item).unwrap());
    writer.finish().unwrap()
}

fn builder(folder: &Folder) -> Builder {
    Server::builder()
        .port(0)
        .directive("dir", folder.path().to_str().unwrap())
        .unwrap()
        .directive("enable-debug-command", "yes")
        .unwrap()
        .clock(Clock::standing_at(NOW_MS))
        .keeps_snapshot()
}

fn write(folder: &Folder, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join("dump.rdb");
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn keys_are_there_with_all_that_belongs_to_them() {
    let folder = Folder::new();
    let limits = EncodingLimits::default();
    let (one, mut hash) = (text("1"), Hash::default());
    hash.set(b"stays", b"v", &limits);
    hash.set(b"goes", b"v", &limits);
    hash.set_deadline(b"goes", Some(NOW_MS as u64 + 500));
    let hash = Value::from(hash);
    let usage = Usage { idle_seconds: Some(77), frequency: None };
    write(
        &folder,
        &snapshot(&[
            item("plain", &one),
            Item { deadline_ms: Some(NOW_MS as u64 + 1000), ..item("volatile", &one) },
            Item { deadline_ms: Some(NOW_MS as u64), ..item("expired", &one) },
            Item { usage, ..item("idle", &one) },
            item("hash", &hash),
            Item { db: 15, ..item("plain", &one) },
        ]),
    );
    let server = builder(&folder).start().unwrap();
    let mut client = Client::connect(server.addr());
    assert_eq!(client.ask("DBSIZE"), ":4");
    assert_eq!(client.ask("OBJECT IDLETIME idle"), ":77");
    assert_eq!(client.ask("INCR plain"), ":2");
    assert_eq!(client.ask("PTTL volatile"), ":1000");
    assert_eq!(client.ask("HPTTL hash FIELDS 2 goes stays"), "[:500 :-1]");
    let info = client.ask("INFO persistence");
    for line in ["loading:0", "rdb_last_load_keys_loaded:5", "rdb_last_load_keys_expired:1"] {
        assert!(info.contains(&format!("\\r\\n{line}\\r\\n")), "{line}: {info}");
    }
    assert_eq!(client.ask("SELECT 15"), "+OK");
    assert_eq!(client.ask("GET plain"), "'1'");
    // Nobody comes by them: the reaper knows of their deadlines.
    server.advance(std::time::Duration::from_secs(1));
    client.ask("SELECT 0");
    assert_eq!(client.ask("DBSIZE"), ":3");
    assert_eq!(client.ask("HLEN hash"), ":1");
}

#[test]
fn without_a_snapshot_or_the_wish_for_it_a_server_starts_empty() {
    let folder = Folder::new();
    let is_empty = |builder: Builder| {
        let server = builder.start().unwrap();
        Client::connect(server.addr()).ask("DBSIZE") == ":0"
    };
    assert!(is_empty(builder(&folder)));
    write(&folder, &snapshot(&[item("k", &text("v"))]));
    assert!(!is_empty(builder(&folder)));
    assert!(is_empty(builder(&folder).directive("dbfilename", "other.rdb").unwrap()));
    assert!(is_empty(builder(&folder).directive("dbfilename", "").unwrap()));
    let dir = folder.path().to_str().unwrap();
    assert!(is_empty(Server::builder().port(0).directive("dir", dir).unwrap()));
    assert!(builder(&folder).directive("dbfilename", "../dump.rdb").is_err());
}

#[test]
fn the_real_server_s_snapshot_loads() {
    let Some(real) = RealRedis::start(&[]) else { return };
    let mut client = Client::connect(real.address());
    for request in ["RPUSH l a b", "SADD s 1 2", "ZADD z 1.5 m", "HSET h f v", "SET k v PX 9999999"]
    {
        client.ask(request);
    }
    assert_eq!(client.ask("SAVE"), "+OK");
    let digest = client.ask("DEBUG DIGEST");
    let dir = client.ask("CONFIG GET dir");
    let server = Server::builder()
        .port(0)
        .directive("dir", dir.split('\'').nth(3).unwrap())
        .unwrap()
        .directive("enable-debug-command", "yes")
        .unwrap();
    let server = server.keeps_snapshot().start().unwrap();
    assert_eq!(Client::connect(server.addr()).ask("DEBUG DIGEST"), digest);
}

#[test]
fn what_cannot_be_loaded_whole_is_refused() {
    let folder = Folder::new();
    let one = text("1");
    let good = snapshot(&[item("first", &one), item("second", &one)]);
    let mut changed = good.clone();
    *changed.last_mut().unwrap() ^= 1;
    let cases: &[(Vec<u8>, &str)] = &[
        (good[..good.len() - 1].to_vec(), "it ends in the middle"),
        (changed, "its checksum is "),
        (b"REDIS0099".to_vec(), "at byte 0: it is of version 99, and versions 1 to 12 are known"),
        (snapshot(&[item("k", &one), item("k", &one)]), "key \"k\" of database 0 is in it twice"),
        (
            snapshot(&[Item { db: 16, ..item("k", &one) }]),
            "key \"k\" of database 16 needs more than 16 databases; allow them with --databases",
        ),
    ];
    for (bytes, reason) in cases {
        let path = write(&folder, bytes);
        let error = builder(&folder).start().err().expect(reason).to_string();
        let beginning = format!("cannot load '{}': ", path.display());
        assert!(error.starts_with(&beginning), "{error}");
        assert!(error.contains(reason), "{error}");
        assert_eq!(fs::read(&path).unwrap(), *bytes, "the file is left alone");
    }
    write(&folder, &cases[4].0);
    assert!(builder(&folder).directive("databases", "17").unwrap().start().is_ok());
    fs::remove_file(folder.path().join("dump.rdb")).unwrap();
    fs::create_dir(folder.path().join("dump.rdb")).unwrap();
    assert!(builder(&folder).start().is_err(), "a folder");
}

#[test]
fn the_program_refuses_a_damaged_snapshot() {
    let folder = Folder::new();
    let dir = folder.path().to_str().unwrap();
    let start = || command(&["--port", "auto", "--dir", dir]);
    let good = snapshot(&[item("k", &text("v"))]);
    let path = write(&folder, &good[..good.len() - 3]);
    let ended = Ended::of(start());
    assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(1), ""));
    let last = ended.stderr.lines().last().unwrap();
    let expected = format!(
        "cannot load '{}': at byte {}: it ends in the middle",
        path.display(),
        good.len() - 3
    );
    assert_eq!(last, expected);
    assert_eq!(fs::read(&path).unwrap(), good[..good.len() - 3]);

    write(&folder, &good);
    let program = Program::start(start());
    assert_eq!(program.client().ask("GET k"), "'v'");
    let ended = program.stop();
    for line in [
        "* Loading RDB produced by version 7.2.7\n",
        "* Done loading RDB, keys loaded: 1, keys expired: 0.\n",
    ] {
        assert!(ended.stderr.contains(line), "{}", ended.stderr);
    }
}

#[test]
fn a_relative_working_directory_is_meant_from_where_the_program_was_started() {
    let folder = Folder::new();
    fs::create_dir(folder.path().join("data")).unwrap();
    fs::write(folder.path().join("data/dump.rdb"), snapshot(&[item("k", &text("v"))])).unwrap();
    let mut command = command(&["--port", "auto", "--dir", "data"]);
    command.current_dir(folder.path());
    let program = Program::start(command);
    let mut client = program.client();
    assert_eq!(client.ask("GET k"), "'v'");
    let expected = folder.path().canonicalize().unwrap().join("data");
    assert_eq!(client.ask("CONFIG GET dir"), format!("['dir' '{}']", expected.display()));
}

/// A pipe in place of a file: it gives what the test writes, when it writes it.
#[cfg(unix)]
fn pipe(path: &Path) -> impl FnOnce() -> fs::File + use<> {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    let path = path.to_owned();
    // Opening it waits for the other side.
    move || fs::OpenOptions::new().write(true).open(path).unwrap()
}

#[cfg(unix)]
#[test]
fn clients_are_told_that_data_is_being_loaded() {
    const LOADING: &str = "-LOADING Redis is loading the dataset in memory";
    let folder = Folder::new();
    let bytes = snapshot(&[item("first", &text("1")), item("second", &text("2"))]);
    let open = pipe(&folder.path().join("dump.rdb"));
    let writer = std::thread::spawn(open);
    let server = builder(&folder).launch().unwrap();
    let mut writer = writer.join().unwrap();
    writer.write_all(&bytes[..bytes.len() - 12]).unwrap();

    let mut client = Client::connect(server.addr());
    for request in ["GET first", "SET k v", "DBSIZE", "KEYS *", "PING", "FLUSHALL", "OBJECT FREQ k"]
    {
        assert_eq!(client.ask(request), LOADING, "{request}");
    }
    assert_eq!(client.ask("CONFIG GET databases"), "['databases' '16']");
    assert_eq!(client.ask("MULTI"), "+OK");
    assert_eq!(client.ask("GET first"), LOADING);
    assert!(client.ask("EXEC").starts_with("-EXECABORT"));
    let info = client.ask("INFO persistence");
    for line in ["loading:1", "loading_start_time:1000", "loading_loaded_perc:0.00"] {
        assert!(info.contains(&format!("\\r\\n{line}\\r\\n")), "{line}: {info}");
    }

    writer.write_all(&bytes[bytes.len() - 12..]).unwrap();
    drop(writer);
    let _server = server.loaded(|_| {}).unwrap();
    assert_eq!(client.ask("GET second"), "'2'");
    assert_eq!(client.ask("SET k v"), "+OK");
}

#[cfg(unix)]
#[test]
fn a_snapshot_that_turns_out_damaged_ends_the_server() {
    let folder = Folder::new();
    let open = pipe(&folder.path().join("dump.rdb"));
    let writer = std::thread::spawn(open);
    let server = builder(&folder).launch().unwrap();
    let mut writer = writer.join().unwrap();
    writer.write_all(&snapshot(&[item("k", &text("v"))])[..30]).unwrap();
    let mut client = Client::connect(server.addr());
    assert!(client.ask("GET k").starts_with("-LOADING"));
    drop(writer);
    let error = server.wait().expect_err("half a file");
    assert!(error.to_string().ends_with("it ends in the middle"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_server_that_is_stopped_while_it_loads_ends() {
    let folder = Folder::new();
    let open = pipe(&folder.path().join("dump.rdb"));
    let writer = std::thread::spawn(open);
    let server = builder(&folder).launch().unwrap();
    let mut writer = writer.join().unwrap();
    let bytes = snapshot(&[item("first", &text("1")), item("second", &text("2"))]);
    writer.write_all(&bytes[..bytes.len() - 12]).unwrap();
    server.instance().stop.request();
    writer.write_all(&bytes[bytes.len() - 12..]).unwrap();
    drop(writer);
    server.loaded(|_| {}).unwrap().wait().unwrap();
}
