//! Help for people: HELP, and a hint behind the errors that come from a slip of the hand.
//!
//! Whoever sends a request as a line has typed it, and gets these. A program sends arrays, gets
//! Redis's replies to the byte, and finds no command HELP.

use super::spec::{Group, Handler, Spec};
use super::syntax;
use super::table::{self, Found};
use crate::REDIST_VERSION;
use crate::error::CommandError;
use crate::protocol::{Outcome, Reply, Request};
use std::borrow::Cow;
use std::cmp::Reverse;

/// What is for people alone, and in no list of commands: a word and what answers it.
const FOR_PEOPLE: &[(&str, Answer)] = &[("HELP", help)];

type Answer = fn(&Request) -> Outcome<'static>;

/// Columns of a terminal. The last stays empty, since some wrap a line that ends there.
const WIDTH: usize = 79;
/// How far the second column is from the left.
const COLUMN: usize = 17;
/// What a telnet or nc session shows as one line end.
const LINE_END: &str = "\r\n";

/// Nobody means a command by a word that is longer than this.
const TYPED_NAME_BYTES_MAX: usize = 32;

/// The answer to a typed line that is no command, if it asks for help.
pub fn answer(request: &Request) -> Option<Outcome<'static>> {
    let name = request.get(0)?;
    let (_, answer) =
        FOR_PEOPLE.iter().find(|(word, _)| word.as_bytes().eq_ignore_ascii_case(name))?;
    Some(answer(request))
}

/// The same error for a person: with a hint of what was probably meant. `found` is the command that
/// refused.
pub fn explained(error: CommandError, found: Option<Found>) -> CommandError {
    let hint = match (&error, found) {
        (CommandError::UnknownCommand { name, .. }, _) => unknown_hint(name),
        (CommandError::UnknownSubcommand { name, container }, _) => {
            let container = table::find_full_name(container.as_bytes());
            let nearest = container.and_then(|found| nearest(name, table::subcommands(found)));
            nearest.map(|(_, found)| did_you_mean(found))
        }
        (CommandError::Arity(_) | CommandError::Syntax, Some(found)) => {
            Some(format!("Usage: {}", usage(found)))
        }
        _ => None,
    };
    match hint {
        Some(hint) => CommandError::Explained(Box::new(error), hint),
        None => error,
    }
}

fn unknown_hint(name: &[u8]) -> Option<String> {
    if name.len() > TYPED_NAME_BYTES_MAX {
        return None;
    }
    let typed = name.to_ascii_uppercase();
    let missing = OF_REDIS
        .split(' ')
        .filter(|name| table::find_full_name(name.as_bytes()).is_none())
        .map(|name| distance(&typed, name.as_bytes()))
        .min();
    if missing == Some(0) {
        return Some("This command of Redis is not built yet.".to_owned());
    }
    let (distance, found) = nearest(name, table::commands())?;
    // Who meant a command that is missing is not helped by the name of another.
    missing.is_none_or(|missing| missing >= distance).then(|| did_you_mean(found))
}

/// Every command of Redis 7.2. Who types one that is not built meant no other.
const OF_REDIS: &str = "\
    ACL APPEND ASKING AUTH BGREWRITEAOF BGSAVE BITCOUNT BITFIELD BITFIELD_RO BITOP BITPOS BLMOVE BLMPOP BLPOP BRPOP \
    BRPOPLPUSH BZMPOP BZPOPMAX BZPOPMIN CLIENT CLUSTER COMMAND CONFIG COPY DBSIZE DEBUG DECR DECRBY DEL DISCARD DUMP \
    ECHO EVAL EVALSHA EVALSHA_RO EVAL_RO EXEC EXISTS EXPIRE EXPIREAT EXPIRETIME FAILOVER FCALL FCALL_RO FLUSHALL \
    FLUSHDB FUNCTION GEOADD GEODIST GEOHASH GEOPOS GEORADIUS GEORADIUSBYMEMBER GEORADIUSBYMEMBER_RO GEORADIUS_RO \
    GEOSEARCH GEOSEARCHSTORE GET GETBIT GETDEL GETEX GETRANGE GETSET HDEL HELLO HEXISTS HGET HGETALL HINCRBY \
    HINCRBYFLOAT HKEYS HLEN HMGET HMSET HRANDFIELD HSCAN HSET HSETNX HSTRLEN HVALS INCR INCRBY INCRBYFLOAT INFO KEYS \
    LASTSAVE LATENCY LCS LINDEX LINSERT LLEN LMOVE LMPOP LOLWUT LPOP LPOS LPUSH LPUSHX LRANGE LREM LSET LTRIM MEMORY \
    MGET MIGRATE MODULE MONITOR MOVE MSET MSETNX MULTI OBJECT PERSIST PEXPIRE PEXPIREAT PEXPIRETIME PFADD PFCOUNT \
    PFDEBUG PFMERGE PFSELFTEST PING PSETEX PSUBSCRIBE PSYNC PTTL PUBLISH PUBSUB PUNSUBSCRIBE QUIT RANDOMKEY READONLY \
    READWRITE RENAME RENAMENX REPLCONF REPLICAOF RESET RESTORE RESTORE-ASKING ROLE RPOP RPOPLPUSH RPUSH RPUSHX SADD \
    SAVE SCAN SCARD SCRIPT SDIFF SDIFFSTORE SELECT SET SETBIT SETEX SETNX SETRANGE SHUTDOWN SINTER SINTERCARD \
    SINTERSTORE SISMEMBER SLAVEOF SLOWLOG SMEMBERS SMISMEMBER SMOVE SORT SORT_RO SPOP SPUBLISH SRANDMEMBER SREM \
    SSCAN SSUBSCRIBE STRLEN SUBSCRIBE SUBSTR SUNION SUNIONSTORE SUNSUBSCRIBE SWAPDB SYNC TIME TOUCH TTL TYPE UNLINK \
    UNSUBSCRIBE UNWATCH WAIT WAITAOF WATCH XACK XADD XAUTOCLAIM XCLAIM XDEL XGROUP XINFO XLEN XPENDING XRANGE XREAD \
    XREADGROUP XREVRANGE XSETID XTRIM ZADD ZCARD ZCOUNT ZDIFF ZDIFFSTORE ZINCRBY ZINTER ZINTERCARD ZINTERSTORE \
    ZLEXCOUNT ZMPOP ZMSCORE ZPOPMAX ZPOPMIN ZRANDMEMBER ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZRANGESTORE ZRANK ZREM \
    ZREMRANGEBYLEX ZREMRANGEBYRANK ZREMRANGEBYSCORE ZREVRANGE ZREVRANGEBYLEX ZREVRANGEBYSCORE ZREVRANK ZSCAN ZSCORE \
    ZUNION ZUNIONSTORE";

/// The command that was most likely meant, and how far its name is from what was typed.
fn nearest(typed: &[u8], candidates: impl Iterator<Item = Found>) -> Option<(usize, Found)> {
    if typed.len() > TYPED_NAME_BYTES_MAX {
        return None;
    }
    let typed = typed.to_ascii_uppercase();
    // A third of the letters may be wrong, hence none of a single letter.
    let distance_max = ((typed.len() + 1) / 3).min(2);
    let name = |found: Found| found.spec.name.as_bytes();
    candidates
        .map(|found| (distance(&typed, name(found)), found))
        .filter(|(distance, found)| {
            *distance <= distance_max || typed.len() > 2 && name(*found).starts_with(&typed)
        })
        // Of several, the one whose beginning was right for longest.
        .min_by_key(|(distance, found)| (*distance, Reverse(common_prefix(&typed, name(*found)))))
}

fn did_you_mean(found: Found) -> String {
    format!("Did you mean '{}'?", command_name(found))
}

fn common_prefix(left: &[u8], right: &[u8]) -> usize {
    left.iter().zip(right).take_while(|(left, right)| left == right).count()
}

/// Letters to add, remove, change, or swap with a neighbour until one word is the other.
fn distance(left: &[u8], right: &[u8]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (row, letter) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, other) in right.iter().enumerate() {
            let changed = last[column] + usize::from(letter != other);
            let mut cost = changed.min(last[column + 1] + 1).min(current[column] + 1);
            let swapped =
                row > 0 && column > 0 && *letter == right[column - 1] && left[row - 1] == *other;
            if swapped {
                cost = cost.min(before_last[column - 1] + 1);
            }
            current.push(cost);
        }
        before_last = std::mem::replace(&mut last, current);
    }
    last[right.len()]
}

/// The name as one types it: `CONFIG SET`.
fn command_name(found: Found) -> Cow<'static, str> {
    match found.container {
        Some(container) => format!("{} {}", container.name, found.spec.name).into(),
        None => found.spec.name.into(),
    }
}

/// How a command is typed: its name and its arguments.
fn usage(found: Found) -> String {
    let name = command_name(found);
    if matches!(found.spec.handler, Handler::Container) {
        let names: Vec<&str> = found.spec.subcommands.iter().map(|spec| spec.name).collect();
        return format!("{name} <{}>", names.join("|"));
    }
    let arguments = syntax::line(&syntax::of(found.spec));
    if arguments.is_empty() { name.into_owned() } else { format!("{name} {arguments}") }
}

fn help(request: &Request) -> Outcome<'static> {
    let words: Vec<Cow<'_, str>> =
        request.iter().skip(1).map(|(word, _)| String::from_utf8_lossy(word)).collect();
    let text = match words.as_slice() {
        [] => overview(),
        [name] if name.starts_with('@') => {
            family(group_named(&name[1..]).ok_or(CommandError::NO_SUCH_GROUP)?)
        }
        words => match table::find_full_name(words.join("|").as_bytes()) {
            Some(found) => manual(found),
            // The mark of a group may be forgotten, where no command (SET) is called like it.
            None => family(group_named(&words.join(" ")).ok_or_else(|| no_help(words))?),
        },
    };
    Ok(Reply::text(text))
}

/// The group of this name, if any of its commands is there.
fn group_named(name: &str) -> Option<Group> {
    let mut groups = Group::ALL.into_iter().filter(|group| members(*group).next().is_some());
    groups.find(|group| group.name().eq_ignore_ascii_case(name))
}

/// There is no such command to help with; perhaps there is one that is called alike.
fn no_help(words: &[Cow<'_, str>]) -> CommandError {
    let first = words.first().map_or("", AsRef::as_ref);
    let container = table::find_full_name(first.as_bytes()).zip(words.get(1));
    let error = match container.filter(|(found, _)| !found.spec.subcommands.is_empty()) {
        Some((container, name)) => CommandError::UnknownSubcommand {
            name: name.as_bytes().to_vec(),
            container: container.spec.name,
        },
        None => {
            CommandError::UnknownCommand { name: first.as_bytes().to_vec(), beginning: Vec::new() }
        }
    };
    let hint = match explained(error, None) {
        CommandError::Explained(_, hint) => format!(". {hint}"),
        _ => ". HELP alone lists them.".to_owned(),
    };
    CommandError::Text(format!("ERR no help for '{}'{hint}", words.join(" ")).into())
}

fn overview() -> String {
    let mut page = Page::default();
    page.line(&format!(
        "redist {REDIST_VERSION}, a server with the commands of Redis {}",
        crate::REDIS_VERSION
    ));
    page.line("");
    page.entry("  HELP <command>", "what it does: HELP SET, HELP CONFIG SET");
    page.entry("  HELP @<group>", "the commands of one of these groups:");
    page.line("");
    for group in Group::ALL.into_iter().filter(|group| members(*group).next().is_some()) {
        page.entry(&format!("  @{}", group.name()), group.description());
    }
    page.line("");
    page.line("A line is a request: SET greeting \"hello world\". QUIT ends the connection.");
    page.text
}

fn members(group: Group) -> impl Iterator<Item = Found> {
    table::commands().filter(move |found| found.group == group)
}

fn family(group: Group) -> String {
    let mut page = Page::default();
    page.line(&format!("@{}: {}", group.name(), group.description()));
    page.line("");
    let mut members: Vec<Found> = members(group).collect();
    members.sort_by_key(|found| found.spec.name);
    page.entries(members.into_iter());
    page.text
}

fn manual(found: Found) -> String {
    let spec = found.spec;
    let mut page = Page::default();
    page.wrapped("", &usage(found), 4);
    page.line("");
    page.field("summary", spec.summary);
    page.field("since", spec.since);
    page.field("group", &format!("{} (HELP @{0} lists it)", found.group.name()));
    if !spec.complexity.is_empty() {
        page.field("complexity", spec.complexity);
    }
    if let Some((version, replacement)) = spec.deprecated {
        page.field("deprecated", &format!("since {version}, replaced by {replacement}"));
    }
    for (index, (version, change)) in spec.history.iter().enumerate() {
        let name = if index == 0 { "history" } else { "" };
        page.field(name, &format!("{version}: {change}"));
    }
    if !spec.subcommands.is_empty() {
        page.line("");
        page.entries(table::subcommands(found));
    }
    page.text
}

/// Text for a terminal of eighty columns.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push_str(LINE_END);
    }

    /// A name and its value.
    fn field(&mut self, name: &str, value: &str) {
        self.entry(&format!("  {name}"), value);
    }

    /// Commands with their summaries.
    fn entries(&mut self, commands: impl Iterator<Item = Found>) {
        for found in commands {
            let Spec { name, summary, .. } = found.spec;
            self.entry(&format!("  {name}"), summary);
        }
    }

    /// A term in the first column and a text in the second.
    fn entry(&mut self, term: &str, text: &str) {
        if term.len() < COLUMN {
            self.wrapped(&format!("{term:COLUMN$}"), text, COLUMN);
        } else {
            self.line(term);
            self.wrapped(&" ".repeat(COLUMN), text, COLUMN);
        }
    }

    /// A text, broken at spaces, and behind a `|` in what is too long for a line; lines behind the
    /// first are indented.
    fn wrapped(&mut self, start: &str, text: &str, indent: usize) {
        let mut line = start.to_owned();
        let mut is_empty = true;
        for word in text.split(' ') {
            let pieces: Vec<&str> = match indent + word.len() > WIDTH {
                true => word.split_inclusive('|').collect(),
                false => vec![word],
            };
            for (index, piece) in pieces.into_iter().enumerate() {
                let space = if is_empty || index > 0 { "" } else { " " };
                if !is_empty && line.len() + space.len() + piece.len() > WIDTH {
                    self.line(&line);
                    line = format!("{}{piece}", " ".repeat(indent));
                } else {
                    line.push_str(space);
                    line.push_str(piece);
                }
                is_empty = false;
            }
        }
        self.line(&line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(line: &str) -> String {
        let request = Request::from_args(line.split(' ').map(str::as_bytes));
        match answer(&request) {
            Some(Ok(Reply::Bulk(text))) => String::from_utf8_lossy(&text).into_owned(),
            Some(Err(error)) => error.to_string(),
            _ => "nothing".to_owned(),
        }
    }

    #[test]
    fn every_page_fits_a_terminal() {
        let commands = table::all().map(|found| format!("HELP {}", command_name(found)));
        let groups = Group::ALL.map(|group| format!("HELP @{}", group.name()));
        for line in commands.chain(groups).chain(["help".to_owned()]) {
            let page = ask(&line);
            assert_ne!(page, "nothing", "{line}");
            for row in page.split(LINE_END) {
                assert!(row.len() < 80 && row.is_ascii(), "{line}: {row}");
            }
        }
    }

    #[test]
    fn a_slip_of_the_hand_gets_a_hint() {
        let hint = |name: &str| {
            let beginning = Vec::new();
            let error = CommandError::UnknownCommand { name: name.into(), beginning };
            explained(error, None).to_string().rsplit_once(": . ").map(|(_, hint)| hint.to_owned())
        };
        let cases = [
            ("GTE", Some("Did you mean 'GET'?")),
            ("sett", Some("Did you mean 'SET'?")),
            ("EHCO", Some("Did you mean 'ECHO'?")),
            ("comm", Some("Did you mean 'COMMAND'?")),
            ("FAILOVER", Some("This command of Redis is not built yet.")),
            ("FAILOVERR", None),
            ("x", None),
            ("", None),
            ("qwertyuiop", None),
        ];
        for (name, expected) in cases {
            assert_eq!(hint(name).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn words_are_as_far_apart_as_slips_of_the_hand() {
        for (left, right, expected) in [
            ("GTE", "GET", 1),
            ("GET", "GET", 0),
            ("", "GET", 3),
            ("SETT", "SET", 1),
            ("KES", "KEYS", 1),
            ("ABC", "XYZ", 3),
        ] {
            assert_eq!(distance(left.as_bytes(), right.as_bytes()), expected, "{left} {right}");
        }
    }
}
