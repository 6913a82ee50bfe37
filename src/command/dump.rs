//! DUMP and RESTORE: a value as bytes, from one server to another.

use super::args::Args;
use super::keys::{KeyFlags, Keys};
use super::spec::{Arity, Flags, Handler, Spec};
use crate::error::CommandError;
use crate::keyspace::{ReadView, Usage, WriteView};
use crate::persist::{self, PayloadError};
use crate::protocol::{Outcome, Reply};

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "DUMP",
        arity: Arity::exactly(2),
        keys: Keys::one(1, KeyFlags::RO.and(KeyFlags::ACCESS)),
        handler: Handler::Read(dump),
        flags: Flags::KEYSPACE,
        since: "2.6.0",
        summary: "Returns a serialized representation of the value stored at a key.",
        syntax: "key",
        complexity: "O(1) to access the key and additional O(N*M) to serialize it, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1).",
        tips: &["nondeterministic_output"],
        ..Spec::REST
    },
    Spec { name: "RESTORE", ..RESTORE },
];

/// What servers of a cluster send each other.
pub(super) const CLUSTER_COMMANDS: &[Spec] = &[Spec {
    name: "RESTORE-ASKING",
    event: "restore",
    flags: RESTORE.flags.and(Flags::ASKING).and(Flags::SYSTEM),
    since: "3.0.0",
    summary: "An internal command for migrating keys in a cluster.",
    ..RESTORE
}];

const RESTORE: Spec = Spec {
    arity: Arity::at_least(4),
    keys: Keys::one(1, KeyFlags::OW.and(KeyFlags::UPDATE)),
    handler: Handler::Write(restore),
    flags: Flags::KEYSPACE.and(Flags::DENY_OOM).and(Flags::DANGEROUS),
    since: "2.6.0",
    summary: "Creates a key from the serialized representation of a value.",
    syntax: "key ttl:integer serialized-value [REPLACE@3.0.0] [ABSTTL@5.0.0] [IDLETIME seconds@5.0.0] [FREQ frequency:integer@5.0.0]",
    complexity: "O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1). However for sorted set values the complexity is O(N*M*log(N)) because inserting values into sorted sets is O(log(N)).",
    history: &[
        ("3.0.0", "Added the `REPLACE` modifier."),
        ("5.0.0", "Added the `ABSTTL` modifier."),
        ("5.0.0", "Added the `IDLETIME` and `FREQ` options."),
    ],
    ..Spec::REST
};

fn dump<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let value = view.get(args.key()?);
    Ok(value.map_or(Reply::Null, |value| {
        Reply::Bulk(persist::dump(value, view.compresses_dumps()).into())
    }))
}

/// What stands behind the payload.
#[derive(Default)]
struct Options {
    replace: bool,
    absolute: bool,
    usage: Usage,
}

fn options(args: &mut Args<'_>) -> Result<Options, CommandError> {
    let mut options = Options::default();
    while !args.is_empty() {
        let usage = &mut options.usage;
        if args.word("REPLACE") {
            options.replace = true;
        } else if args.word("ABSTTL") {
            options.absolute = true;
        } else if args.len() > 1 && usage.frequency.is_none() && args.word("IDLETIME") {
            let idle = u64::try_from(args.integer()?);
            usage.idle_seconds = Some(idle.map_err(|_| CommandError::INVALID_IDLETIME)?);
        } else if args.len() > 1 && usage.idle_seconds.is_none() && args.word("FREQ") {
            let frequency = u8::try_from(args.integer()?);
            usage.frequency = Some(frequency.map_err(|_| CommandError::INVALID_FREQ)?);
        } else {
            return Err(CommandError::Syntax);
        }
    }
    Ok(options)
}

fn restore<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let key = args.key()?;
    // Redis looks at the time to live last, so that a key in the way is named before it.
    let (ttl, payload) = (args.integer(), args.bytes()?);
    let Options { replace, absolute, usage } = options(args)?;
    if !replace && view.touch(key) {
        return Err(CommandError::BUSY_KEY);
    }
    let ttl_ms = u64::try_from(ttl?).map_err(|_| CommandError::INVALID_RESTORE_TTL)?;
    let value = persist::restore(payload, view.encoding_limits(), view.string_bytes_max())
        .map_err(|error| match error {
            PayloadError::Footer => CommandError::WRONG_PAYLOAD,
            PayloadError::Value(error) => {
                log::warn!("RESTORE of a payload that is damaged {error}");
                CommandError::BAD_DATA_FORMAT
            }
        })?;
    let deadline_ms = match (ttl_ms, absolute) {
        (0, _) => None,
        (deadline_ms, true) => Some(deadline_ms),
        // As for Redis, whose sum turns negative, what is beyond the end of time has passed.
        (ttl_ms, false) => Some(view.now_ms().checked_add(ttl_ms).filter(is_time).unwrap_or(0)),
    };
    if deadline_ms.is_some_and(|deadline_ms| deadline_ms <= view.now_ms()) {
        view.remove(key);
        return Ok(Reply::Ok);
    }
    view.restore(key, value, deadline_ms, usage);
    Ok(Reply::Ok)
}

/// Whether Redis can count up to this time.
fn is_time(deadline_ms: &u64) -> bool {
    i64::try_from(*deadline_ms).is_ok()
}
