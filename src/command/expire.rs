//! Commands about when keys expire.

use super::args::Args;
use super::keys::{KeyFlags, Keys};
use super::spec::{Arity, Flags, Handler, Spec};
use crate::error::CommandError;
use crate::keyspace::{Entry, ReadView, WriteView};
use crate::protocol::number::parse_integer;
use crate::protocol::{Outcome, Reply};

const FAST: Flags = Flags::KEYSPACE.and(Flags::FAST);
const UPDATES: Keys = Keys::one(1, KeyFlags::RW.and(KeyFlags::UPDATE));
const READS: Keys = Keys::one(1, KeyFlags::RO.and(KeyFlags::ACCESS));
const GOT_CONDITIONS: &[(&str, &str)] = &[("7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`.")];
const GOT_MINUS_TWO: &[(&str, &str)] = &[("2.8.0", "Added the -2 reply.")];
const CHANGES_BY_ITSELF: &[&str] = &["nondeterministic_output"];

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "EXPIRE",
        arity: Arity::at_least(3),
        keys: UPDATES,
        handler: Handler::Write(expire),
        flags: FAST,
        summary: "Sets the expiration time of a key in seconds.",
        syntax: "key seconds condition=[NX|XX|GT|LT]@7.0.0",
        history: GOT_CONDITIONS,
        ..Spec::REST
    },
    Spec {
        name: "EXPIREAT",
        arity: Arity::at_least(3),
        keys: UPDATES,
        handler: Handler::Write(expireat),
        flags: FAST,
        since: "1.2.0",
        summary: "Sets the expiration time of a key to a Unix timestamp.",
        syntax: "key unix-time-seconds condition=[NX|XX|GT|LT]@7.0.0",
        history: GOT_CONDITIONS,
        ..Spec::REST
    },
    Spec {
        name: "EXPIRETIME",
        arity: Arity::exactly(2),
        keys: READS,
        handler: Handler::Read(expiretime),
        flags: FAST,
        since: "7.0.0",
        summary: "Returns the expiration time of a key as a Unix timestamp.",
        syntax: "key",
        ..Spec::REST
    },
    Spec {
        name: "PERSIST",
        arity: Arity::exactly(2),
        keys: UPDATES,
        handler: Handler::Write(persist),
        flags: FAST,
        since: "2.2.0",
        summary: "Removes the expiration time of a key.",
        syntax: "key",
        ..Spec::REST
    },
    Spec {
        name: "PEXPIRE",
        arity: Arity::at_least(3),
        keys: UPDATES,
        handler: Handler::Write(pexpire),
        flags: FAST,
        since: "2.6.0",
        summary: "Sets the expiration time of a key in milliseconds.",
        syntax: "key milliseconds condition=[NX|XX|GT|LT]@7.0.0",
        history: GOT_CONDITIONS,
        ..Spec::REST
    },
    Spec {
        name: "PEXPIREAT",
        arity: Arity::at_least(3),
        keys: UPDATES,
        handler: Handler::Write(pexpireat),
        flags: FAST,
        since: "2.6.0",
        summary: "Sets the expiration time of a key to a Unix milliseconds timestamp.",
        syntax: "key unix-time-milliseconds condition=[NX|XX|GT|LT]@7.0.0",
        history: GOT_CONDITIONS,
        ..Spec::REST
    },
    Spec {
        name: "PEXPIRETIME",
        arity: Arity::exactly(2),
        keys: READS,
        handler: Handler::Read(pexpiretime),
        flags: FAST,
        since: "7.0.0",
        summary: "Returns the expiration time of a key as a Unix milliseconds timestamp.",
        syntax: "key",
        ..Spec::REST
    },
    Spec {
        name: "PTTL",
        arity: Arity::exactly(2),
        keys: READS,
        handler: Handler::Read(pttl),
        flags: FAST,
        since: "2.6.0",
        summary: "Returns the expiration time in milliseconds of a key.",
        syntax: "key",
        history: GOT_MINUS_TWO,
        tips: CHANGES_BY_ITSELF,
        ..Spec::REST
    },
    Spec {
        name: "TTL",
        arity: Arity::exactly(2),
        keys: READS,
        handler: Handler::Read(ttl),
        flags: FAST,
        summary: "Returns the expiration time in seconds of a key.",
        syntax: "key",
        history: GOT_MINUS_TWO,
        tips: CHANGES_BY_ITSELF,
        ..Spec::REST
    },
];

/// How a command counts time: what one unit is, and from when on.
struct Scale {
    command: &'static str,
    unit_ms: i64,
    from_now: bool,
}

fn expire<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    set_deadline(view, args, &Scale { command: "expire", unit_ms: 1000, from_now: true })
}

fn expireat<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    set_deadline(view, args, &Scale { command: "expireat", unit_ms: 1000, from_now: false })
}

fn pexpire<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    set_deadline(view, args, &Scale { command: "pexpire", unit_ms: 1, from_now: true })
}

fn pexpireat<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    set_deadline(view, args, &Scale { command: "pexpireat", unit_ms: 1, from_now: false })
}

fn set_deadline<'v>(
    view: &'v mut WriteView<'_, '_>,
    args: &mut Args<'v>,
    scale: &Scale,
) -> Outcome<'v> {
    let (key, time) = (args.key()?, args.bytes()?);
    // Redis looks at the options first: EXPIRE k x y complains about y.
    let condition = Condition::parse(args)?;
    let now_ms = if scale.from_now { view.now_ms() } else { 0 };
    let deadline_ms = deadline(time, scale, now_ms)?;
    if !view.touch(key) {
        return Ok(Reply::Int(0));
    }
    let current_ms = view.entry(key).and_then(Entry::deadline_ms);
    Ok(Reply::flag(
        condition.admits(current_ms, deadline_ms) && view.set_deadline(key, deadline_ms),
    ))
}

/// The deadline in unix milliseconds; one before 1970 has passed like any other, hence 0.
fn deadline(time: &[u8], scale: &Scale, now_ms: u64) -> Result<u64, CommandError> {
    let time = parse_integer(time).ok_or(CommandError::NotInteger)?;
    let deadline_ms = time
        .checked_mul(scale.unit_ms)
        .and_then(|time_ms| time_ms.checked_add_unsigned(now_ms))
        .ok_or(CommandError::InvalidExpire(scale.command))?;
    Ok(u64::try_from(deadline_ms).unwrap_or(0))
}

/// NX, XX, GT and LT.
#[derive(Default)]
struct Condition {
    none_before: bool,
    some_before: bool,
    later: bool,
    earlier: bool,
}

impl Condition {
    fn parse(args: &mut Args<'_>) -> Result<Self, CommandError> {
        let mut condition = Self::default();
        while !args.is_empty() {
            if args.word("NX") {
                condition.none_before = true;
            } else if args.word("XX") {
                condition.some_before = true;
            } else if args.word("GT") {
                condition.later = true;
            } else if args.word("LT") {
                condition.earlier = true;
            } else {
                return Err(CommandError::showing("ERR Unsupported option ", args.bytes()?));
            }
        }
        let Self { none_before, some_before, later, earlier } = condition;
        if none_before && (some_before || later || earlier) {
            return Err(CommandError::EXPIRE_NX_AND_OTHERS);
        }
        if later && earlier {
            return Err(CommandError::EXPIRE_GT_AND_LT);
        }
        Ok(condition)
    }

    /// Whether a deadline may replace the current one; none at all is later than any.
    fn admits(&self, current_ms: Option<u64>, deadline_ms: u64) -> bool {
        let is_later = current_ms.is_some_and(|current| deadline_ms > current);
        let is_earlier = current_ms.is_none_or(|current| deadline_ms < current);
        !(self.none_before && current_ms.is_some()
            || self.some_before && current_ms.is_none()
            || self.later && !is_later
            || self.earlier && !is_earlier)
    }
}

fn persist<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let key = args.key()?;
    Ok(Reply::flag(view.touch(key) && view.persist(key)))
}

fn ttl<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    reply_time(view, args, |deadline_ms| rounded_seconds(deadline_ms - view.now_ms()))
}

fn pttl<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    reply_time(view, args, |deadline_ms| deadline_ms - view.now_ms())
}

fn expiretime<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    reply_time(view, args, rounded_seconds)
}

fn pexpiretime<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    reply_time(view, args, |deadline_ms| deadline_ms)
}

/// A time made of a key's deadline, which lies in the future; -1 without deadline, -2 without key.
fn reply_time<'v>(
    view: &'v ReadView<'_>,
    args: &mut Args<'v>,
    time: impl FnOnce(u64) -> u64,
) -> Outcome<'v> {
    let Some(entry) = view.peek(args.key()?) else { return Ok(Reply::Int(-2)) };
    let Some(deadline_ms) = entry.deadline_ms() else { return Ok(Reply::Int(-1)) };
    // Deadlines come from signed numbers.
    Ok(Reply::Int(i64::try_from(time(deadline_ms)).unwrap_or(i64::MAX)))
}

/// Redis rounds to the nearest second.
fn rounded_seconds(ms: u64) -> u64 {
    (ms + 500) / 1000
}
