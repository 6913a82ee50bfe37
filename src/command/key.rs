//! Commands about keys of any type: are they there, what are they, away with them, elsewhere with them.

use super::args::Args;
use super::keys::{KeyFlags, KeySpec, Keys};
use super::spec::{Arity, Flags, Handler, Spec};
use crate::error::CommandError;
use crate::keyspace::{Freeing, Key, ReadView, WriteView};
use crate::protocol::{Outcome, Reply};

const FAST: Flags = Flags::KEYSPACE.and(Flags::FAST);
const DELETES: KeyFlags = KeyFlags::RM.and(KeyFlags::DELETE);
const LEAVES: KeySpec = KeySpec::one(1, KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::DELETE));
const SUM_OF_SHARDS: &[&str] = &["request_policy:multi_shard", "response_policy:agg_sum"];

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "COPY",
        arity: Arity::at_least(3),
        keys: Keys::Specs(&[
            KeySpec::one(1, KeyFlags::RO.and(KeyFlags::ACCESS)),
            KeySpec::one(2, KeyFlags::OW.and(KeyFlags::UPDATE)),
        ]),
        handler: Handler::Write(copy),
        flags: Flags::KEYSPACE.and(Flags::DENY_OOM),
        since: "6.2.0",
        summary: "Copies the value of a key to a new key.",
        syntax: "source:key destination:key [DB destination-db:integer] [REPLACE]",
        complexity: "O(N) worst case for collections, where N is the number of nested items. O(1) for string values.",
        ..Spec::REST
    },
    Spec {
        name: "DEL",
        arity: Arity::at_least(2),
        keys: Keys::range(1, -1, 1, DELETES),
        handler: Handler::Write(del),
        flags: Flags::KEYSPACE,
        summary: "Deletes one or more keys.",
        syntax: "key...",
        complexity: "O(N) where N is the number of keys that will be removed. When a key to remove holds a value other than a string, the individual complexity for this key is O(M) where M is the number of elements in the list, set, sorted set or hash. Removing a single key that holds a string value is O(1).",
        tips: SUM_OF_SHARDS,
        ..Spec::REST
    },
    Spec {
        name: "EXISTS",
        arity: Arity::at_least(2),
        keys: Keys::range(1, -1, 1, KeyFlags::RO),
        handler: Handler::Read(exists),
        flags: FAST,
        summary: "Determines whether one or more keys exist.",
        syntax: "key...",
        complexity: "O(N) where N is the number of keys to check.",
        history: &[("3.0.3", "Accepts multiple `key` arguments.")],
        tips: SUM_OF_SHARDS,
        ..Spec::REST
    },
    Spec {
        name: "MOVE",
        arity: Arity::exactly(3),
        keys: Keys::one(1, KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::UPDATE)),
        handler: Handler::Write(move_key),
        flags: FAST,
        summary: "Moves a key to another database.",
        syntax: "key db:integer",
        ..Spec::REST
    },
    Spec {
        name: "RENAME",
        arity: Arity::exactly(3),
        keys: Keys::Specs(&[LEAVES, KeySpec::one(2, KeyFlags::OW.and(KeyFlags::UPDATE))]),
        handler: Handler::Write(rename),
        flags: Flags::KEYSPACE,
        summary: "Renames a key and overwrites the destination.",
        syntax: "key newkey:key",
        ..Spec::REST
    },
    Spec {
        name: "RENAMENX",
        arity: Arity::exactly(3),
        keys: Keys::Specs(&[LEAVES, KeySpec::one(2, KeyFlags::OW.and(KeyFlags::INSERT))]),
        handler: Handler::Write(renamenx),
        flags: FAST,
        summary: "Renames a key only when the target key name doesn't exist.",
        syntax: "key newkey:key",
        history: &[(
            "3.2.0",
            "The command no longer returns an error when source and destination names are the same.",
        )],
        ..Spec::REST
    },
    Spec {
        name: "TOUCH",
        arity: Arity::at_least(2),
        keys: Keys::range(1, -1, 1, KeyFlags::RO),
        handler: Handler::Read(touch),
        flags: FAST.and(Flags::ALWAYS_TOUCHES),
        since: "3.2.1",
        summary: "Returns the number of existing keys out of those specified after updating the time they were last accessed.",
        syntax: "key...",
        complexity: "O(N) where N is the number of keys that will be touched.",
        tips: SUM_OF_SHARDS,
        ..Spec::REST
    },
    Spec {
        name: "TYPE",
        arity: Arity::exactly(2),
        keys: Keys::one(1, KeyFlags::RO),
        handler: Handler::Read(type_of),
        flags: FAST,
        summary: "Determines the type of value stored at a key.",
        syntax: "key",
        ..Spec::REST
    },
    Spec {
        name: "UNLINK",
        arity: Arity::at_least(2),
        keys: Keys::range(1, -1, 1, DELETES),
        handler: Handler::Write(unlink),
        flags: FAST,
        since: "4.0.0",
        summary: "Asynchronously deletes one or more keys.",
        syntax: "key...",
        complexity: "O(1) for each key removed regardless of its size. Then the command does O(N) work in a different thread in order to reclaim memory, where N is the number of allocations the deleted objects where composed of.",
        tips: SUM_OF_SHARDS,
        ..Spec::REST
    },
];

fn del<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    Ok(Reply::count(args.keys().filter(|key| view.remove(*key)).count()))
}

fn unlink<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let is_removed = |key: &Key<'_>| view.remove_freeing(*key, Freeing::Later);
    Ok(Reply::count(args.keys().filter(is_removed).count()))
}

fn exists<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    Ok(Reply::count(args.keys().filter(|key| view.peek(*key).is_some()).count()))
}

fn touch<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    Ok(Reply::count(args.keys().filter(|key| view.touch(*key)).count()))
}

fn type_of<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let entry = view.peek(args.key()?);
    Ok(Reply::status(entry.map_or("none", |entry| entry.value().kind().name())))
}

fn rename<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (from, to) = (args.key()?, args.key()?);
    let renamed =
        if from.bytes == to.bytes { view.touch(from) } else { view.relocate(from, view.db(), to) };
    if renamed { Ok(Reply::Ok) } else { Err(CommandError::NO_SUCH_KEY) }
}

fn renamenx<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (from, to) = (args.key()?, args.key()?);
    if !view.touch(from) {
        return Err(CommandError::NO_SUCH_KEY);
    }
    // A key is in its own way, too.
    Ok(Reply::flag(!view.touch(to) && view.relocate(from, view.db(), to)))
}

fn move_key<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, db) = (args.key()?, args.db(view.database_count())?);
    if db == view.db() {
        return Err(CommandError::SAME_OBJECT);
    }
    let moved = view.touch(key) && !view.in_db(db).touch(key) && view.relocate(key, db, key);
    Ok(Reply::flag(moved))
}

fn copy<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (from, to) = (args.key()?, args.key()?);
    let (mut db, mut replace) = (view.db(), false);
    while !args.is_empty() {
        if args.word("REPLACE") {
            replace = true;
        } else if args.word("DB") {
            db = args.db(view.database_count())?;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    if db == view.db() && from.bytes == to.bytes {
        return Err(CommandError::SAME_OBJECT);
    }
    if view.get(from).is_none() || (view.in_db(db).touch(to) && !replace) {
        return Ok(Reply::Int(0));
    }
    Ok(Reply::flag(view.duplicate(from, db, to)))
}
