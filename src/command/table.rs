//! All rows, and finding one by name.

use super::spec::{Group, Spec};
use super::{
    bitmap, client, config, connection, debug, function, info, introspection, key, memory, server,
    slowlog, string,
};
use crate::protocol::Request;

/// The families in the order in which COMMAND lists them.
const FAMILIES: &[(Group, &[Spec])] = &[
    (Group::String, string::COMMANDS),
    (Group::Bitmap, bitmap::COMMANDS),
    (Group::Generic, key::COMMANDS),
    (Group::Connection, connection::COMMANDS),
    (Group::Connection, client::COMMANDS),
    (Group::Server, introspection::COMMANDS),
    (Group::Server, server::COMMANDS),
    (Group::Server, config::COMMANDS),
    (Group::Server, info::COMMANDS),
    (Group::Server, memory::COMMANDS),
    (Group::Server, slowlog::COMMANDS),
    (Group::Server, debug::COMMANDS),
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

/// FNV-1a over the name in lower case.
const fn slot_of(name: &[u8]) -> usize {
    let mut hash: u32 = 0x811c_9dc5;
    let mut index = 0;
    while index < name.len() {
        hash = (hash ^ name[index].to_ascii_lowercase() as u32).wrapping_mul(0x0100_0193);
        index += 1;
    }
    (hash ^ (hash >> 15)) as usize % SLOT_COUNT
}

fn find_name(name: &[u8]) -> Option<Found> {
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

/// Every command with its subcommands behind it, in the table's order.
pub fn all() -> impl Iterator<Item = Found> {
    commands().flat_map(|command| std::iter::once(command).chain(subcommands(command)))
}
