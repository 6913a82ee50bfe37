//! String commands.

use super::args::Args;
use super::spec::{Arity, Flags, Handler, KeyFlags, Keys, Spec};
use crate::error::CommandError;
use crate::keyspace::{ReadView, WriteView};
use crate::protocol::{Outcome, Reply};
use crate::value::StringValue;
use std::borrow::Cow;

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "GET",
        arity: Arity::exactly(2),
        keys: Keys::one(1, KeyFlags::RO.and(KeyFlags::ACCESS)),
        handler: Handler::Read(get),
        flags: Flags::FAST,
        since: "1.0.0",
        summary: "Returns the string value of a key.",
        syntax: "key",
        complexity: "O(1)",
        ..Spec::REST
    },
    Spec {
        name: "SET",
        arity: Arity::at_least(3),
        keys: Keys::one(
            1,
            KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::UPDATE).and(KeyFlags::VARIABLE_FLAGS),
        ),
        handler: Handler::Write(set),
        flags: Flags::DENY_OOM,
        since: "1.0.0",
        summary: "Sets the string value of a key, ignoring its type. The key is created if it doesn't exist.",
        syntax: "key value [PX milliseconds]",
        complexity: "O(1)",
        ..Spec::REST
    },
];

/// A string as a reply: the digits of an integer are made when they are written.
fn reply(string: &StringValue) -> Reply<'_> {
    match string {
        StringValue::Int(value) => Reply::BulkInt(*value),
        other => match other.bytes() {
            Cow::Borrowed(bytes) => Reply::Bulk(Cow::Borrowed(bytes)),
            Cow::Owned(bytes) => Reply::Bulk(Cow::Owned(bytes)),
        },
    }
}

fn get<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    Ok(view.string(args.key()?)?.map_or(Reply::Null, reply))
}

fn set<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, value) = (args.key()?, args.take()?);
    let mut deadline_ms = None;
    if args.word("PX") {
        let ms = u64::try_from(args.integer()?).map_err(|_| CommandError::InvalidExpire("set"))?;
        deadline_ms = Some(view.now_ms() + ms);
    }
    args.end()?;
    let value = StringValue::new(value);
    match deadline_ms {
        Some(deadline_ms) => view.set_until(key, value, deadline_ms),
        None => view.set(key, value),
    }
    Ok(Reply::Ok)
}
