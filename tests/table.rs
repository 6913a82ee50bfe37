//! Compares what COMMAND tells about every command with what the real server tells, field by field.
//!
//! What the real server's version says differently than Redis 7.2 stands in lists below, and an
//! entry that is not needed fails the test too.

mod support;

use redist::Server;
use redist::command::{self, Found, Handler};
use redist::protocol::Request;
use std::collections::BTreeSet;
use support::client::Client;
use support::peer::RealRedis;
use support::reply::Reply;
use support::transcript::Transcript;

/// Commands that Redis 7.0 has not.
const SINCE_7_2: &[&str] = &["client|no-touch", "client|setinfo", "waitaof"];
/// Commands that no Redis before 7.4 has.
const LATER: &[&str] = &[
    "delifeq",
    "hexpire",
    "hexpireat",
    "hexpiretime",
    "hgetdel",
    "hgetex",
    "hpersist",
    "hpexpire",
    "hpexpireat",
    "hpexpiretime",
    "hpttl",
    "hsetex",
    "httl",
];

/// What 7.2 says differently than 7.0: a field, and the commands in which it differs.
const CHANGED_IN_7_2: &[Known] = &[
    ("arity", &["command|getkeys", "command|getkeysandflags", "zrank", "zrevrank"]),
    ("flags", &["blmove", "blpop", "brpop", "brpoplpush", "bzpopmax", "bzpopmin", "wait"]),
    ("categories", &["wait"]),
    (
        "tips",
        &[
            "acl|deluser",
            "acl|save",
            "acl|setuser",
            "client|setname",
            "config|resetstat",
            "config|rewrite",
            "latency|reset",
            "msetnx",
            "randomkey",
            "scan",
        ],
    ),
    ("key specifications", &["sinterstore"]),
    ("since", &["client|pause"]),
    (
        "complexity",
        &[
            "geodist",
            "geohash",
            "geopos",
            "hscan",
            "psubscribe",
            "punsubscribe",
            "sscan",
            "sunsubscribe",
            "unsubscribe",
            "xread",
            "zrandmember",
            "zscan",
        ],
    ),
    ("doc_flags", &["psetex", "quit", "setex", "setnx"]),
    ("deprecated_since", &["psetex", "quit", "setex", "setnx"]),
    ("replaced_by", &["psetex", "quit", "setex", "setnx"]),
    (
        "history",
        &[
            "acl|log",
            "georadius_ro",
            "georadiusbymember",
            "georadiusbymember_ro",
            "xinfo|consumers",
            "xinfo|stream",
            "zrank",
            "zrevrank",
        ],
    ),
    (
        "arguments",
        &[
            "acl|cat",
            "bitcount",
            "bitfield",
            "bitfield_ro",
            "bitop",
            "bitpos",
            "client|kill",
            "client|list",
            "client|reply",
            "client|unblock",
            "command|getkeys",
            "command|getkeysandflags",
            "config|get",
            "config|set",
            "flushall",
            "flushdb",
            "function|flush",
            "geoadd",
            "geohash",
            "geopos",
            "georadius",
            "georadius_ro",
            "georadiusbymember",
            "georadiusbymember_ro",
            "geosearch",
            "geosearchstore",
            "hello",
            "hmset",
            "hset",
            "lcs",
            "migrate",
            "mset",
            "msetnx",
            "pfmerge",
            "psubscribe",
            "script|flush",
            "shutdown",
            "sort",
            "sort_ro",
            "xadd",
            "xclaim",
            "xgroup|create",
            "xgroup|createconsumer",
            "xgroup|delconsumer",
            "xgroup|destroy",
            "xgroup|setid",
            "xinfo|consumers",
            "xinfo|stream",
            "xreadgroup",
            "xsetid",
            "zadd",
            "zrange",
            "zrangebylex",
            "zrangebyscore",
            "zrangestore",
            "zrank",
            "zrevrangebylex",
            "zrevrangebyscore",
            "zrevrank",
        ],
    ),
];

/// What 7.4 says differently than 7.2: new options.
const CHANGED_IN_7_4: &[Known] = &[("arguments", &["hscan"]), ("history", &["client|kill"])];

/// What our options add to Redis 7.2's.
const OURS: &[Known] = &[("arguments", &["hscan", "monitor", "set"]), ("arity", &["monitor"])];

/// Names with values, in order.
type Fields = Vec<(String, String)>;

/// What a server tells of one command; `None` if it does not know it.
fn fields(client: &mut Client, name: &str, old: bool) -> Option<Fields> {
    const NAMES: [&str; 9] = [
        "name",
        "arity",
        "flags",
        "first key",
        "last key",
        "key step",
        "categories",
        "tips",
        "key specifications",
    ];
    let Ok(Reply::Array(mut entries)) = client.request(&["COMMAND", "INFO", name]) else {
        panic!("COMMAND INFO {name} is no array");
    };
    let Some(Reply::Array(entry)) = entries.pop() else { return None };
    // Behind these nine are the subcommands, which are compared by themselves but for their shape.
    assert_eq!(entry.len(), NAMES.len() + 1, "{name}");
    let shape = if matches!(entry[9], Reply::Set(_)) { "set" } else { "array" };
    let mut fields: Fields = vec![("subcommands' shape".to_owned(), shape.to_owned())];
    fields.extend(
        NAMES.iter().zip(&entry).map(|(name, value)| (name.to_string(), value.to_string())),
    );
    let Ok(Reply::Map(docs)) = client.request(&["COMMAND", "DOCS", name]) else {
        panic!("COMMAND DOCS {name} is no map");
    };
    let Some(Reply::Map(docs)) = docs.get(1) else { panic!("COMMAND DOCS {name} is empty") };
    for pair in docs.chunks(2) {
        let Reply::Bulk(field) = &pair[0] else { panic!("{name} has a field {}", pair[0]) };
        let field = String::from_utf8_lossy(field).into_owned();
        let value = if old { without_display_text(&pair[1]) } else { pair[1].clone() };
        // Summaries were reworded, and subcommands are compared by themselves.
        if field != "subcommands" && !(old && field == "summary") {
            fields.push((field, value.to_string()));
        }
    }
    Some(fields)
}

/// 7.0 does not tell what people see instead of an argument's name.
fn without_display_text(reply: &Reply) -> Reply {
    let all = |items: &[Reply]| items.iter().map(without_display_text).collect();
    match reply {
        Reply::Array(items) => Reply::Array(all(items)),
        Reply::Map(items) => {
            let kept = items.chunks(2).filter(|pair| pair[0].to_string() != "'display_text'");
            Reply::Map(kept.flat_map(all).collect())
        }
        other => other.clone(),
    }
}

/// A field and the commands in which it may differ.
type Known = (&'static str, &'static [&'static str]);

/// Lists the fields that differ, also in order, and takes those that may off `unused`.
fn differences(
    name: &str,
    ours: &Fields,
    real: &Fields,
    unused: &mut Vec<(&str, &str)>,
    known: &[Known],
) -> Vec<String> {
    let value = |fields: &Fields, wanted: &str| {
        fields.iter().find(|(field, _)| field == wanted).map(|(_, value)| value.clone())
    };
    let common = |fields: &Fields, others: &Fields| -> Vec<String> {
        let common = fields.iter().filter(|(field, _)| value(others, field).is_some());
        common.map(|(field, _)| field.clone()).collect()
    };
    let mut wrong = Vec::new();
    if common(ours, real) != common(real, ours) {
        wrong.push(format!("{name}: its fields are in another order"));
    }
    let all: BTreeSet<&String> = ours.iter().chain(real).map(|(field, _)| field).collect();
    for field in all {
        let (our, real) = (value(ours, field), value(real, field));
        if our == real {
            continue;
        }
        if known.iter().any(|(known, names)| known == field && names.contains(&name)) {
            unused.retain(|entry| *entry != (field.as_str(), name));
            continue;
        }
        let [our, real] = [our, real].map(|value| value.unwrap_or("nothing".to_owned()));
        wrong.push(format!("{name}: {field}\n    Redis: {real}\n    ours:  {our}"));
    }
    wrong
}

#[test]
fn every_row_says_what_redis_says() {
    let Some(real) = RealRedis::start(&[]) else { return };
    let ours = Server::builder().port(0).start().expect("a server starts");
    let (mut ours, mut real) = (Client::connect(ours.addr()), Client::connect(real.address()));
    ours.ask("HELLO 3");
    let hello = real.ask("HELLO 3");
    let (is_7_0, is_7_4) = (hello.contains("'7.0."), hello.contains("'7.4."));
    let mut known = OURS.to_vec();
    known.extend(is_7_0.then_some(CHANGED_IN_7_2).into_iter().flatten());
    known.extend(is_7_4.then_some(CHANGED_IN_7_4).into_iter().flatten());
    // What is listed for a command that is not built may wait there.
    let is_built = |name: &str| command::find_full_name(name.as_bytes()).is_some();
    let mut unused: Vec<(&str, &str)> = known
        .iter()
        .flat_map(|(field, names)| names.iter().map(move |name| (*field, *name)))
        .filter(|(_, name)| is_built(name))
        .collect();

    let mut wrong = Vec::new();
    for name in command::all().map(|found| found.full_name()) {
        let our_fields = fields(&mut ours, &name, is_7_0).expect("we know our own");
        match fields(&mut real, &name, is_7_0) {
            Some(real_fields) => {
                wrong.extend(differences(&name, &our_fields, &real_fields, &mut unused, &known));
            }
            None if LATER.contains(&&*name) || (is_7_0 && SINCE_7_2.contains(&&*name)) => {}
            None => wrong.push(format!("{name}: Redis does not know it")),
        }
    }
    wrong.extend(
        unused
            .iter()
            .map(|(field, name)| format!("{name}: {field} is listed as different and is not")),
    );
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn containers_have_the_subcommands_that_redis_has() {
    let Some(real) = RealRedis::start(&[]) else { return };
    let mut real = Client::connect(real.address());
    let mut wrong = Vec::new();
    for container in command::commands().filter(|found| !found.spec.subcommands.is_empty()) {
        let name = container.full_name();
        let ours: BTreeSet<String> =
            command::subcommands(container).map(|found: Found| found.full_name()).collect();
        let pattern = format!("{name}|*");
        let list = real.request(&["COMMAND", "LIST", "FILTERBY", "PATTERN", &pattern]);
        let Ok(Reply::Array(names)) = list else { panic!("no list of {pattern}") };
        for theirs in names.iter().map(|name| name.to_string().trim_matches('\'').to_owned()) {
            if !ours.contains(&theirs) && !MISSING.contains(&&*theirs) {
                wrong.push(theirs);
            }
        }
    }
    assert!(wrong.is_empty(), "not built, and not listed as such: {wrong:?}");
}

#[test]
fn every_command_occurs_in_a_transcript() {
    let transcripts = Transcript::all();
    let requests = transcripts.iter().flat_map(Transcript::requests);
    let shown: BTreeSet<String> = requests.filter_map(|words| found(&words)).collect();
    let all = command::all().filter(|found| !matches!(found.spec.handler, Handler::Container));
    let missing: Vec<String> =
        all.map(|found| found.full_name()).filter(|name| !shown.contains(name)).collect();
    assert!(missing.is_empty(), "in no transcript: {}", missing.join(", "));
}

fn found(words: &[Vec<u8>]) -> Option<String> {
    let request = Request::from_args(words.iter().map(Vec::as_slice));
    Some(command::find(&request).ok()?.full_name())
}

/// Subcommands that are not built.
const MISSING: &[&str] = &[
    // There are no functions to act on without scripts.
    "function|delete",
    "function|dump",
    "function|kill",
    "function|load",
    "function|restore",
    "function|stats",
];
