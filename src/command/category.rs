//! ACL categories: groups of commands that an administrator can name as one.
//!
//! Almost all follow from a row: its family, its handler's type, its flags.

use super::spec::{Flags, Group};
use super::table::Found;

/// All categories in the order in which Redis lists them.
pub const NAMES: [&str; 21] = [
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
];

/// The categories of a command, without `@`.
pub fn of(found: &Found) -> impl Iterator<Item = &'static str> + use<> {
    let found = *found;
    NAMES.into_iter().filter(move |name| contains(name, &found))
}

/// Whether a category contains a command.
pub fn contains(category: &str, found: &Found) -> bool {
    let (spec, flags) = (found.spec, found.spec.flags);
    let admin = flags.has(Flags::ADMIN);
    match category {
        "keyspace" => flags.has(Flags::KEYSPACE),
        "read" => spec.is_read() && found.group != Group::Scripting,
        "write" => spec.is_write(),
        "set" | "sortedset" | "list" if flags.has(Flags::COLLECTIONS) => true,
        "pubsub" => flags.has(Flags::PUBSUB),
        "admin" => admin || flags.has(Flags::ADMIN_CATEGORY),
        "fast" => flags.has(Flags::FAST),
        "slow" => !flags.has(Flags::FAST),
        "blocking" => flags.has(Flags::BLOCKING),
        "dangerous" => admin || flags.has(Flags::DANGEROUS),
        "connection" if flags.has(Flags::CONNECTION) => true,
        // A container runs nothing itself, so a family's category is about its subcommands.
        family => spec.subcommands.is_empty() && found.group.category() == Some(family),
    }
}
