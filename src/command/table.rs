//! All rows, and finding one by name.

use super::spec::{Group, Spec};
use super::{
    bitmap, client, config, connection, database, debug, dump, expire, function, geo, geo_search,
    hash, hash_expiry, hyperloglog, info, introspection, key, latency, list, list_waiting, lolwut,
    memory, migrate, monitor, object, persistence, pubsub, replication, scan, script, server, set,
    slowlog, sort, sorted_set, sorted_set_algebra, sorted_set_range, sorted_set_waiting, stream,
    stream_claim, stream_group, stream_info, stream_pending, stream_read, string, transaction,
};
use crate::keyspace::EventName;
use crate::protocol::Request;

/// The families in the order in which COMMAND lists them.
const FAMILIES: &[(Group, &[Spec])] = &[
    (Group::String, string::COMMANDS),
    (Group::Bitmap, bitmap::COMMANDS),
    (Group::List, list::COMMANDS),
    (Group::List, list_waiting::COMMANDS),
    (Group::Hash, hash::COMMANDS),
    (Group::Hash, hash_expiry::COMMANDS),
    (Group::Set, set::COMMANDS),
    (Group::SortedSet, sorted_set::COMMANDS),
    (Group::SortedSet, sorted_set_range::COMMANDS),
    (Group::SortedSet, sorted_set_algebra::COMMANDS),
    (Group::SortedSet, sorted_set_waiting::COMMANDS),
    (Group::HyperLogLog, hyperloglog::COMMANDS),
    (Group::Geo, geo::COMMANDS),
    (Group::Geo, geo_search::COMMANDS),
    (Group::Stream, stream::COMMANDS),
    (Group::Stream, stream_read::COMMANDS),
    (Group::Stream, stream_info::COMMANDS),
    (Group::Stream, stream_group::COMMANDS),
    (Group::Stream, stream_pending::COMMANDS),
    (Group::Stream, stream_claim::COMMANDS),
    (Group::Generic, key::COMMANDS),
    (Group::Generic, dump::COMMANDS),
    (Group::Generic, migrate::COMMANDS),
    (Group::Generic, expire::COMMANDS),
    (Group::Generic, scan::COMMANDS),
    (Group::Generic, object::COMMANDS),
    (Group::Generic, sort::COMMANDS),
    (Group::Generic, replication::WAITING_COMMANDS),
    (Group::PubSub, pubsub::COMMANDS),
    (Group::Transactions, transaction::COMMANDS),
    (Group::Server, database::COMMANDS),
    (Group::Connection, connection::COMMANDS),
    (Group::Connection, client::COMMANDS),
    (Group::Server, monitor::COMMANDS),
    (Group::Server, introspection::COMMANDS),
    (Group::Server, server::COMMANDS),
    (Group::Server, lolwut::COMMANDS),
    (Group::Server, replication::COMMANDS),
    (Group::Server, persistence::COMMANDS),
    (Group::Server, config::COMMANDS),
    (Group::Server, info::COMMANDS),
    (Group::Server, memory::COMMANDS),
    (Group::Server, slowlog::COMMANDS),
    (Group::Server, latency::COMMANDS),
    (Group::Server, debug::COMMANDS),
    (Group::Server, dump::CLUSTER_COMMANDS),
    (Group::Scripting, script::COMMANDS),
    (Group::Scripting, function::COMMANDS),
];

/// Number of commands, subcommands included: ids are below this.
pub const COMMAND_COUNT: usize = {
    let (mut count, mut family) = (0, 0);
    while family < FAMILIES.len() {
        let rows = FAMILIES[family].1;
        let mut row = 0;
        while row < rows.len() {
            count += 1 + rows[row].subcommands.len();
            row += 1;
        }
        family += 1;
    }
    count
};

/// A command that was found.
#[derive(Clone, Copy)]
pub struct Found {
    /// Its row.
    pub spec: &'static Spec,
    /// The row of its container, if it is a subcommand.
    pub container: Option<&'static Spec>,
    /// Its family.
    pub group: Group,
    /// Its number, by which it is counted.
    pub id: u16,
}

impl Found {
    /// The name in lower case as errors and statistics show it: `get`, `config|set`.
    pub fn full_name(&self) -> String {
        let name = self.spec.name.to_ascii_lowercase();
        match self.container {
            Some(container) => format!("{}|{name}", container.name.to_ascii_lowercase()),
            None => name,
        }
    }
}

impl Found {
    /// What its changes are called in keyspace notifications.
    pub fn event(&self) -> EventName {
        let name = if self.spec.event.is_empty() { self.spec.name } else { self.spec.event };
        EventName { class: self.group.event_class(), name }
    }
}

/// Why a request names no command.
#[derive(Clone, Copy)]
pub enum FindError {
    /// There is none of this name.
    Unknown,
    /// The container has no such subcommand.
    UnknownSubcommand(Found),
}

#[derive(Clone, Copy)]
struct Slot {
    spec: &'static Spec,
    group: Group,
    id: u16,
}

/// A power of two, and at least twice the number of commands, so that probing stays short.
const SLOT_COUNT: usize = 1024;
const _: () = assert!(COMMAND_COUNT * 2 < SLOT_COUNT);

/// Rows by name, open addressing, built by the compiler.
static SLOTS: [Option<Slot>; SLOT_COUNT] = {
    let mut slots: [Option<Slot>; SLOT_COUNT] = [None; SLOT_COUNT];
    let (mut id, mut family) = (0, 0);
    while family < FAMILIES.len() {
        let (group, rows) = FAMILIES[family];
        let mut row = 0;
        while row < rows.len() {
            let spec = &rows[row];
            let mut at = slot_of(spec.name.as_bytes());
            while slots[at].is_some() {
                at = (at + 1) % SLOT_COUNT;
            }
            slots[at] = Some(Slot { spec, group, id });
            id += 1 + spec.subcommands.len() as u16;
            row += 1;
        }
        family += 1;
    }
    slots
};

/// Where the search for a name begins, in whichever case it is written: decided by its length and its first
/// and last bytes, which a few instructions read.
const fn slot_of(name: &[u8]) -> usize {
    /// What capitals and small letters have in common.
    const CASELESS: u64 = 0xdfdf_dfdf_dfdf_dfdf;
    /// Spreads over all bits what differs in some (Fibonacci hashing).
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let ends = match (name.first_chunk(), name.last_chunk()) {
        (Some(first), Some(last)) => {
            (u32::from_le_bytes(*first) as u64) << 32 | u32::from_le_bytes(*last) as u64
        }
        _ if name.is_empty() => 0,
        _ => u32::from_le_bytes([name[0], name[name.len() / 2], name[name.len() - 1], 0]) as u64,
    };
    let hash = ((ends & CASELESS) ^ name.len() as u64).wrapping_mul(SPREAD);
    (hash >> 32) as usize % SLOT_COUNT
}

/// Finds a command, or the container of some, by its name.
pub fn find_name(name: &[u8]) -> Option<Found> {
    let mut at = slot_of(name);
    while let Some(Slot { spec, group, id }) = SLOTS[at] {
        if spec.name.as_bytes().eq_ignore_ascii_case(name) {
            return Some(Found { spec, container: None, group, id });
        }
        at = (at + 1) % SLOT_COUNT;
    }
    None
}

fn find_subcommand(container: Found, name: &[u8]) -> Option<Found> {
    subcommands(container).find(|found| found.spec.name.as_bytes().eq_ignore_ascii_case(name))
}

/// Finds the command that a request names. A container alone is found as itself.
pub fn find(request: &Request) -> Result<Found, FindError> {
    let found = request.get(0).and_then(find_name).ok_or(FindError::Unknown)?;
    if found.spec.subcommands.is_empty() {
        return Ok(found);
    }
    match request.get(1) {
        None => Ok(found),
        Some(name) => find_subcommand(found, name).ok_or(FindError::UnknownSubcommand(found)),
    }
}

/// Finds a command by its full name: `get`, `config|set`.
pub fn find_full_name(name: &[u8]) -> Option<Found> {
    let mut parts = name.splitn(2, |byte| *byte == b'|');
    let found = parts.next().and_then(find_name)?;
    match parts.next() {
        None => Some(found),
        Some(subcommand) => find_subcommand(found, subcommand),
    }
}

/// Every command without its subcommands, in the table's order.
pub fn commands() -> impl Iterator<Item = Found> {
    let mut next_id = 0;
    FAMILIES.iter().flat_map(|(group, rows)| rows.iter().map(move |row| (*group, row))).map(
        move |(group, spec)| {
            let found = Found { spec, container: None, group, id: next_id };
            next_id += 1 + spec.subcommands.len() as u16;
            found
        },
    )
}

/// The subcommands of a container, in its order.
pub fn subcommands(container: Found) -> impl Iterator<Item = Found> {
    let rows = container.spec.subcommands.iter();
    rows.zip(container.id + 1..).map(move |(spec, id)| Found {
        spec,
        container: Some(container.spec),
        id,
        ..container
    })
}

/// The command with this number.
pub fn with_id(id: u16) -> Option<Found> {
    all().nth(usize::from(id))
}

/// Every command with its subcommands behind it, in the table's order.
pub fn all() -> impl Iterator<Item = Found> {
    commands().flat_map(|command| std::iter::once(command).chain(subcommands(command)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::syntax::{self, Argument, Kind};
    use crate::command::{Begin, Find, Flags, Handler};
    use std::collections::BTreeSet;

    /// What is wrong with each row, by a check that gives nothing for a good one.
    fn check(what_is_wrong: impl Fn(&Found) -> Option<String>) {
        let wrong: Vec<String> = all()
            .filter_map(|found| Some(format!("{}: {}", found.full_name(), what_is_wrong(&found)?)))
            .collect();
        assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    }

    fn unless(good: bool, why: impl Into<String>) -> Option<String> {
        (!good).then(|| why.into())
    }

    #[test]
    fn names_are_in_capitals_and_unique() {
        let mut seen = BTreeSet::new();
        for found in all() {
            assert!(seen.insert(found.full_name()), "{} is declared twice", found.full_name());
        }
        check(|found| {
            let is_good = |byte: u8| {
                byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
            };
            unless(found.spec.name.bytes().all(is_good), "not in capitals")
        });
    }

    #[test]
    fn every_command_is_found_by_its_name_and_has_its_own_number() {
        let mut ids = BTreeSet::new();
        check(|found| {
            let again = find_full_name(found.full_name().as_bytes());
            unless(again.is_some_and(|again| again.id == found.id), "not found by its name")
        });
        for found in all() {
            assert!(usize::from(found.id) < COMMAND_COUNT && ids.insert(found.id));
        }
    }

    #[test]
    fn every_row_says_all_that_people_want_to_know() {
        check(|found| {
            let spec = found.spec;
            let is_version = |text: &str| {
                text.split('.').count() == 3
                    && text.split('.').all(|part| part.parse::<u16>().is_ok())
            };
            // Redis's own summaries, which these equal, do not all end with a full stop.
            unless(!spec.summary.is_empty(), "what does it do?")
                .or_else(|| unless(is_version(spec.since), "since when?"))
                .or_else(|| {
                    unless(
                        spec.history
                            .iter()
                            .all(|(version, change)| is_version(version) && !change.is_empty()),
                        "its history is not complete",
                    )
                })
                .or_else(|| {
                    unless(
                        spec.deprecated.is_none_or(|(version, _)| is_version(version)),
                        "deprecated since when?",
                    )
                })
        });
    }

    #[test]
    fn every_syntax_is_read_and_agrees_with_keys_and_arity() {
        check(|found| {
            let spec = found.spec;
            let arguments = match syntax::parse(spec.syntax, spec.keys.specs().len()) {
                Ok(arguments) => arguments,
                Err(error) => return Some(error),
            };
            let name = if found.container.is_some() { 2 } else { 1 };
            let arity = usize::from(spec.arity.number().unsigned_abs() as u16);
            let fewest = name + fewest_words(&arguments);
            let varies = arguments.iter().any(|argument| argument.optional || argument.multiple);
            let is_silent =
                matches!(spec.handler, Handler::Container) || spec.flags.has(Flags::SYSTEM);
            unless(
                is_silent || fewest == arity,
                format!("takes {fewest} words by its syntax, {arity} by its arity"),
            )
            .or_else(|| unless(!varies || spec.arity.number() < 0, "its arity leaves no choice"))
        });
    }

    fn fewest_words(arguments: &[Argument<'_>]) -> usize {
        let given = arguments.iter().filter(|argument| !argument.optional);
        given.map(fewest_words_if_given).sum()
    }

    fn fewest_words_if_given(argument: &Argument<'_>) -> usize {
        let token = usize::from(argument.token.is_some());
        match argument.kind {
            Kind::PureToken => 1,
            // What is chosen is given, even if Redis calls it optional.
            Kind::OneOf => {
                token + argument.parts.iter().map(fewest_words_if_given).min().unwrap_or(0)
            }
            Kind::Block => token + fewest_words(&argument.parts),
            _ => token + 1,
        }
    }

    #[test]
    fn keys_are_within_the_arity() {
        check(|found| {
            let arity = found.spec.arity.number().unsigned_abs();
            let beyond = found.spec.keys.specs().iter().any(|spec| match (spec.begin, spec.find) {
                // All arguments that are left may be none.
                (Begin::Index(index), Find::Range { last: ..0, .. }) => index as u64 > arity,
                (Begin::Index(index), Find::Range { last, .. }) => {
                    index as u64 + u64::from(last.unsigned_abs()) >= arity
                }
                (Begin::Index(index), _) => index as u64 >= arity,
                _ => false,
            });
            unless(!beyond, "a key is beyond the arguments that the arity admits")
        });
    }

    #[test]
    fn only_a_container_has_subcommands_and_none_of_them_has_any() {
        check(|found| {
            let spec = found.spec;
            let container = matches!(spec.handler, Handler::Container);
            unless(!container || !spec.subcommands.is_empty(), "a container of nothing").or_else(
                || unless(found.container.is_none() || spec.subcommands.is_empty(), "too deep"),
            )
        });
    }
}
