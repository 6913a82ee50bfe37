//! Whole files: those of other servers, our own, and damaged ones.

mod support;

use redist::keyspace::Usage;
use redist::persist::{
    Content, Fault, Fingerprint, Format, Item, LoadError, Loader, Record, Section, Survey, Writer,
};
use redist::value::EncodingLimits;
use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use support::client::Client;
use support::peer::{Folder, RealRedis};

const PLAIN: Format = Format { compresses: true, has_checksum: true, has_field_deadlines: false };

fn own_file(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/rdb");
    std::fs::read(folder.join(name)).expect("a file of the tests")
}

fn loader(bytes: &[u8]) -> Result<Loader<&[u8]>, LoadError> {
    Loader::new(bytes, Some(bytes.len() as u64), EncodingLimits::default())
}

fn records(bytes: &[u8]) -> Result<Vec<Record>, LoadError> {
    loader(bytes)?.collect()
}

fn survey(records: &[Record]) -> Fingerprint {
    let mut survey = Survey::default();
    for Record { db, key, deadline_ms, content, .. } in records {
        let Content::Value(value) = content else { panic!("{content:?}") };
        survey.add(*db, key, value.as_ref(), deadline_ms.is_some());
    }
    survey.fingerprint()
}

/// Files with their number of keys and the digest that Redis 7.0.15 answers when it has loaded them.
const OLD_FILES: &[(&str, usize, &str)] = &[
    ("encodings.rdb", 13, "b7324c5e2d3a7618126155c2bf9e40c794649565"),
    ("hash-ziplist.rdb", 1, "3ca39ed0cb3b979b5b125ae0d1e54f2c40b7c5e6"),
    ("hash-zipmap.rdb", 1, "3ca39ed0cb3b979b5b125ae0d1e54f2c40b7c5e6"),
    ("list-quicklist.rdb", 2, "3d77c75a5b6cc5319b4ecf6e95101ed07ddd139e"),
    ("zset-ziplist.rdb", 1, "fa1ca919dcef4dea3e3e609298a9e329d3bb7c61"),
];

#[test]
fn files_of_old_servers_load() {
    for (name, count, digest) in OLD_FILES {
        let records = records(&own_file(name)).expect(name);
        assert_eq!(records.len(), *count, "{name}");
        assert_eq!(survey(&records).to_string(), *digest, "{name}");
    }
}

/// A source that gives what it has byte by byte.
struct Dripping<'a>(&'a [u8]);

impl Read for Dripping<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = buffer.len().min(1);
        self.0.read(&mut buffer[..count])
    }
}

#[test]
fn a_source_may_be_slow_and_of_unknown_length() {
    for (name, _, digest) in OLD_FILES {
        let bytes = own_file(name);
        let loader = Loader::new(Dripping(&bytes), None, EncodingLimits::default());
        let records: Result<Vec<Record>, LoadError> = loader.expect(name).collect();
        assert_eq!(survey(&records.expect(name)).to_string(), *digest, "{name}");
    }
}

#[test]
fn damage_is_told_with_its_place() {
    let error = records(&own_file("corrupt_ziplist.rdb")).expect_err("it is damaged");
    assert_eq!(
        error.to_string(),
        "at byte 488, in key \"key:000000000091\" of database 0: an invalid ziplist"
    );
    let empty = records(&own_file("corrupt_empty_keys.rdb")).expect("keys that are passed over");
    assert_eq!(empty.len(), 9);
    assert!(empty.iter().all(|record| matches!(record.content, Content::Empty)));
}

#[test]
fn what_does_not_begin_as_a_snapshot_is_refused() {
    let cases: &[(&[u8], &str)] = &[
        (b"", "at byte 0: it ends in the middle"),
        (b"REDIS001", "at byte 8: it ends in the middle"),
        (b"REDIS0010", "at byte 9: it ends in the middle"),
        (b"REDIS00x1", "at byte 0: it does not begin as a snapshot does"),
        (b"*3\r\n$3\r\nSET", "at byte 0: it does not begin as a snapshot does"),
        (b"REDIS0000", "at byte 0: it is of version 0, and versions 1 to 12 are known"),
        (b"REDIS0013", "at byte 0: it is of version 13, and versions 1 to 12 are known"),
        (b"VALKEY080", "at byte 0: it was written by Valkey 9 or later, whose format is another"),
        (b"REDIS0009\xff1234567", "at byte 17: it ends in the middle"),
        (
            b"REDIS0009\xff12345678",
            "at byte 10: its checksum is 3837363534333231, that of its bytes 74ad0ffbbc7aac9a",
        ),
        (b"REDIS0010\xfb\xc0", "at byte 10: a string where a length must be"),
    ];
    for (bytes, expected) in cases {
        let error = records(bytes).expect_err(expected);
        assert_eq!(error.to_string(), *expected);
    }
    for bytes in [&b"REDIS0009\xff\0\0\0\0\0\0\0\0"[..], b"REDIS0004\xff"] {
        assert_eq!(records(bytes).expect("no checksum").len(), 0);
    }
}

/// A folder with files of other servers beside the project, where there is one.
fn shared_folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?.join("shared/data/rdb");
    folder.is_dir().then_some(folder)
}

#[test]
fn files_of_other_servers_load_with_their_digests() {
    let Some(folder) = shared_folder() else {
        println!("skipped: there are no files of other servers");
        return;
    };
    for name in ["redis-7.0.15-v10", "valkey-8dev-v11", "redis-8dev-v12"] {
        let bytes = std::fs::read(folder.join(format!("{name}.rdb"))).expect(name);
        let digests = std::fs::read_to_string(folder.join(format!("{name}.digests.txt")));
        let records = records(&bytes).expect(name);
        check_digests(name, &records, &digests.expect(name));
        check_rewritten(name, &records);
    }
}

/// Later servers print scores in another way.
fn check_digests(name: &str, records: &[Record], digests: &str) {
    let mut lines = digests.lines();
    let whole = lines.next().expect("a first line");
    let of_key: HashMap<String, &str> = lines
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(key, digest)| (key.to_owned(), digest))
        .collect();
    assert_eq!(records.len(), of_key.len(), "{name}");
    let mut other_scores = 0;
    for Record { db, key, deadline_ms, content, .. } in records {
        let Content::Value(value) = content else { panic!("{name}: {content:?}") };
        let value = value.as_ref();
        let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        let digest = Fingerprint::of_value(value, deadline_ms.is_some()).to_string();
        if of_key.get(&format!("{db} {hex}")) != Some(&&*digest) {
            assert!(value.kind().name() == "zset", "{name}: {}", key.escape_ascii());
            other_scores += 1;
        }
    }
    if name.starts_with("redis-7") {
        assert_eq!(format!("whole {}", survey(records)), whole);
        assert_eq!(other_scores, 0);
    }
}

fn item<'a>(record: &'a Record) -> Item<'a> {
    let Content::Value(value) = &record.content else { panic!("{:?}", record.content) };
    let deadline_ms = record.deadline_ms.map(|ms| u64::try_from(ms).expect("after 1970"));
    Item {
        db: record.db,
        key: &record.key,
        value: value.as_ref(),
        deadline_ms,
        usage: record.usage,
    }
}

/// Writes keys in every manner and reads them again.
fn check_rewritten(name: &str, records: &[Record]) {
    let expected = survey(records);
    for (compresses, has_checksum) in [(true, true), (false, true), (true, false)] {
        let format = Format { compresses, has_checksum, has_field_deadlines: true };
        let mut writer = Writer::new(Vec::new(), format).expect("a vector");
        writer.aux("redis-ver", "7.2.7").expect("a vector");
        writer.database(0, records.len() as u64, 0).expect("a vector");
        let mut section = Section::new(format);
        for (index, record) in records.iter().enumerate() {
            if index % 3 == 0 {
                section.add(item(record)).expect("a section");
                writer.section(&section).expect("a vector");
                section.clear();
            } else {
                writer.key(item(record)).expect("a vector");
            }
        }
        let length = writer.bytes_written();
        let bytes = writer.finish().expect("a vector");
        assert_eq!(bytes.len() as u64, length + 9, "{name}");
        let mut loader = loader(&bytes).expect(name);
        let again: Result<Vec<Record>, LoadError> = loader.by_ref().collect();
        let again = again.expect(name);
        assert_eq!(survey(&again), expected, "{name}");
        let about = |records: &[Record]| -> Vec<_> {
            records.iter().map(|record| (record.db, record.deadline_ms, record.usage)).collect()
        };
        assert_eq!(about(&again), about(records), "{name}");
        assert_eq!(loader.header().has_checksum, has_checksum);
        assert_eq!(loader.header().version, 12);
        assert_eq!(loader.header().aux, [(b"redis-ver".to_vec(), b"7.2.7".to_vec())]);
        assert_eq!(loader.left(), Some(0));
    }
}

/// Requests that fill a server with every type in every size class.
fn fill(client: &mut Client) {
    let mut rng = fastrand::Rng::with_seed(3);
    let mut ask = |words: Vec<String>| {
        let reply = client.request(&words).expect("a reply").to_string();
        assert!(!reply.starts_with('-'), "{words:?}: {reply}");
    };
    let many = |rng: &mut fastrand::Rng, command: &str, key: &str, count: usize, pairs: bool| {
        let mut words = vec![command.to_owned(), format!("{key}:{count}")];
        for index in 0..count {
            if pairs && command == "ZADD" {
                words.push((f64::from(rng.i32(-1000..1000)) / 8.0).to_string());
            }
            words.push(format!("element:{index}:{}", rng.u32(..)));
            if pairs && command == "HSET" {
                words.push(rng.i64(..).to_string());
            }
        }
        words
    };
    for db in [0, 7] {
        ask(vec!["SELECT".into(), db.to_string()]);
        for count in [1, 20, 600] {
            for (command, key, pairs) in [
                ("RPUSH", "list", false),
                ("SADD", "set", false),
                ("HSET", "hash", true),
                ("ZADD", "zset", true),
                ("PFADD", "hll", false),
            ] {
                ask(many(&mut rng, command, key, count, pairs));
            }
            ask(vec!["SET".into(), format!("string:{count}"), "ab".repeat(count)]);
            ask(vec!["SET".into(), format!("number:{count}"), rng.i64(..).to_string()]);
            ask(vec!["SADD".into(), format!("ints:{count}"), count.to_string(), "-5".into()]);
        }
        ask(vec!["PEXPIREAT".into(), "list:20".into(), "4102444800123".into()]);
        ask(vec!["PEXPIREAT".into(), "string:1".into(), "4102444800000".into()]);
    }
}

#[test]
fn files_cross_between_both_servers() {
    let Some(real) = RealRedis::start(&[]) else { return };
    let mut client = Client::connect(real.address());
    fill(&mut client);
    let digest = client.ask("DEBUG DIGEST").trim_start_matches('+').to_owned();
    assert_eq!(client.ask("SAVE"), "+OK");
    let folder = client.ask("CONFIG GET dir");
    let folder = folder.split('\'').nth(3).expect("a folder");
    let bytes = std::fs::read(Path::new(folder).join("dump.rdb")).expect("it was saved");
    let records = records(&bytes).expect("the real server's file");
    assert_eq!(survey(&records).to_string(), digest);

    // And ours, in the real server.
    let mut writer = Writer::new(Vec::new(), PLAIN).expect("a vector");
    writer.aux("redis-ver", "7.2.7").expect("a vector");
    writer.database(0, 5, 1).expect("a vector");
    for record in &records {
        let usage = Usage { idle_seconds: Some(100), frequency: None };
        writer.key(Item { usage, ..item(record) }).expect("a vector");
    }
    let folder = Folder::new();
    let bytes = writer.finish().expect("a vector");
    std::fs::write(folder.path().join("ours.rdb"), bytes).expect("a folder of our own");
    let dir = folder.path().to_str().expect("a name that is text").to_owned();
    let directives = [("dir".to_owned(), dir), ("dbfilename".to_owned(), "ours.rdb".to_owned())];
    let real = RealRedis::start(&directives).expect("it was there a moment ago");
    let mut client = Client::connect(real.address());
    assert_eq!(client.ask("DEBUG DIGEST"), format!("+{digest}"));
    assert_eq!(client.ask("PEXPIRETIME list:20"), ":4102444800123");
}

#[test]
fn what_redist_does_not_have_is_named_or_passed_over() {
    let Some(real) = RealRedis::start(&[]) else { return };
    let mut client = Client::connect(real.address());
    for request in [
        "FUNCTION LOAD \"#!lua name=mylib\\nredis.register_function('f', function() end)\"",
        "SET before 1",
        "XADD stream 1-1 field value",
        "XADD stream 1-2 field value",
        "XGROUP CREATE stream group 0",
        "XREADGROUP GROUP group consumer COUNT 1 STREAMS stream >",
        "XGROUP CREATE stream other 1-1",
        "SET behind 2",
        "SAVE",
    ] {
        let reply = client.ask(request);
        assert!(!reply.starts_with('-'), "{request}: {reply}");
    }
    let folder = client.ask("CONFIG GET dir");
    let folder = folder.split('\'').nth(3).expect("a folder");
    let bytes = std::fs::read(Path::new(folder).join("dump.rdb")).expect("it was saved");
    let error = records(&bytes).expect_err("there are functions");
    assert!(matches!(error.fault(), Fault::Unsupported(_)));
    assert!(error.to_string().ends_with("it has some: #!lua name=mylib"), "{error}");

    let mut loader = loader(&bytes).expect("a header").passing_over_foreign();
    let records: Result<Vec<Record>, LoadError> = loader.by_ref().collect();
    let records = records.expect("a good file");
    assert!(records.iter().all(|record| matches!(record.content, Content::Value(_))));
    assert_eq!(records.len(), 3);
    assert_eq!(loader.header().foreign.len(), 1);

    client.ask("FUNCTION FLUSH");
    client.ask("SAVE");
    let bytes = std::fs::read(Path::new(folder).join("dump.rdb")).expect("it was saved");
    assert_eq!(self::records(&bytes).expect("nothing is missing").len(), 3);
}

#[test]
fn a_cut_or_changed_file_is_refused() {
    for name in ["list-quicklist.rdb", "zset-ziplist.rdb", "hash-ziplist.rdb"] {
        let bytes = own_file(name);
        for end in 0..bytes.len() {
            assert!(records(&bytes[..end]).is_err(), "{name} cut at {end}");
        }
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << (at % 8);
            assert!(records(&bytes).is_err(), "{name} changed at {at}");
        }
    }
}

#[test]
fn a_deadline_of_a_field_needs_a_later_format() {
    let mut writer = Writer::new(Vec::new(), PLAIN).expect("a vector");
    let limits = EncodingLimits::default();
    let mut hash = redist::value::Hash::default();
    hash.set(b"f", b"v", &limits);
    hash.set_deadline(b"f", Some(5));
    let value = redist::value::Value::from(hash);
    let item = Item {
        db: 0,
        key: b"k",
        value: value.as_ref(),
        deadline_ms: None,
        usage: Usage::default(),
    };
    assert!(writer.key(item).is_err());
    let format = Format { has_field_deadlines: true, ..PLAIN };
    assert!(Writer::new(Vec::new(), format).expect("a vector").key(item).is_ok());
}
