//! `redist --check-rdb`: what is in a file, and where it is broken.

mod support;

use std::path::Path;
use support::peer::Folder;
use support::program::{Ended, command};

fn check(path: &Path) -> Ended {
    Ended::of(command(&["--check-rdb", path.to_str().expect("a name that is text")]))
}

fn file(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/rdb").join(name)
}

#[test]
fn a_good_file_is_described() {
    let path = file("encodings.rdb");
    let ended = check(&path);
    assert!(ended.status.success(), "{}", ended.stderr);
    let expected = format!(
        "{}: version 4
database  type    keys  bytes  expiring  expired
0         hash       2    103         0        0
0         list       2    134         0        0
0         set        4    128         0        0
0         string     3     27         0        0
0         zset       2    129         0        0
all                 13    521         0        0

bytes  type  database  largest keys
   96  zset         0  \"zset\"
   85  list         0  \"list\"
   70  hash         0  \"hash\"
   57  set          0  \"set_zipped_3\"
   49  list         0  \"list_zipped\"
   33  hash         0  \"hash_zipped\"
   33  zset         0  \"zset_zipped\"
   29  set          0  \"set\"
   25  set          0  \"set_zipped_2\"
   17  set          0  \"set_zipped_1\"

It has no checksum.
",
        path.display()
    );
    assert_eq!(ended.stdout, expected);
}

#[test]
fn a_damaged_file_is_described_up_to_the_damage() {
    let ended = check(&file("corrupt_ziplist.rdb"));
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stdout.contains("all                 15    124         0        0\n"));
    assert!(ended.stdout.ends_with(
        "\nBROKEN at byte 488, in key \"key:000000000091\" of database 0: an invalid ziplist\n"
    ));
}

#[test]
fn what_redist_would_not_load_is_listed() {
    let ended = check(&file("corrupt_empty_keys.rdb"));
    assert_eq!(ended.status.code(), Some(1));
    let objection = "\nredist passes over key \"hash\" of database 0: nothing in it\n";
    assert!(ended.stdout.contains(objection), "{}", ended.stdout);
    assert!(ended.stdout.ends_with("\nIts checksum is right.\n"));
}

#[test]
fn deadlines_are_counted_and_what_follows_the_end_is_told() {
    let folder = Folder::new();
    let path = folder.path().join("deadlines.rdb");
    // A year long ago in seconds, 2100 in milliseconds.
    let mut bytes = b"REDIS0009\xfe\x02\xfd\x01\0\0\0\0\x01a\x01x\xfc".to_vec();
    bytes.extend_from_slice(&4_102_444_800_000u64.to_le_bytes());
    bytes.extend_from_slice(b"\0\x01b\x01x\xff\0\0\0\0\0\0\0\0more");
    std::fs::write(&path, bytes).expect("a folder of our own");
    let ended = check(&path);
    assert!(ended.status.success());
    let row = "2         string     2      4         2        1\n";
    assert!(ended.stdout.contains(row), "{}", ended.stdout);
    assert!(ended.stdout.ends_with("\n4 bytes follow its end; they were not read.\n"));
}

#[test]
fn what_is_no_snapshot_is_refused() {
    let folder = Folder::new();
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "notes, notes").expect("a folder of our own");
    let ended = check(&path);
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stdout.ends_with("BROKEN at byte 0: it does not begin as a snapshot does\n"));

    let ended = check(&folder.path().join("nothing"));
    assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(1), ""));
    assert!(ended.stderr.starts_with("cannot read '"), "{}", ended.stderr);
    let ended = Ended::of(command(&["--check-rdb"]));
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(ended.stderr, "which file? redist --check-rdb FILE\n");
}
