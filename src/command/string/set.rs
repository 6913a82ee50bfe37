//! Commands that store or fetch a string whole: SET with its options, and its kin.

use super::{READS_AND_CHANGES, reply, reply_owned, take_string};
use crate::command::args::Args;
use crate::command::keys::KeyFlags;
use crate::error::CommandError;
use crate::keyspace::{Deadline, Entry, EventName, Key, WriteView};
use crate::protocol::number::parse_integer;
use crate::protocol::{Outcome, Reply, Request};
use crate::value::{NewValue, Value};

/// An option that sets a deadline.
#[derive(Debug, PartialEq, Eq)]
struct TimeOption {
    word: &'static str,
    unit_ms: i64,
    is_absolute: bool,
}

const EX: TimeOption = TimeOption { word: "EX", unit_ms: 1000, is_absolute: false };
const PX: TimeOption = TimeOption { word: "PX", unit_ms: 1, is_absolute: false };
const EXAT: TimeOption = TimeOption { word: "EXAT", unit_ms: 1000, is_absolute: true };
const PXAT: TimeOption = TimeOption { word: "PXAT", unit_ms: 1, is_absolute: true };

impl TimeOption {
    /// The unix time in milliseconds that the option's argument means. `command` is named in errors.
    fn deadline_ms(
        &self,
        time: &[u8],
        now_ms: u64,
        command: &'static str,
    ) -> Result<u64, CommandError> {
        let time = parse_integer(time).ok_or(CommandError::NotInteger)?;
        let base = if self.is_absolute { Some(0) } else { i64::try_from(now_ms).ok() };
        let deadline_ms = time
            .checked_mul(self.unit_ms)
            .filter(|milliseconds| *milliseconds > 0)
            .and_then(|milliseconds| milliseconds.checked_add(base?))
            .and_then(|deadline_ms| u64::try_from(deadline_ms).ok());
        deadline_ms.ok_or(CommandError::InvalidExpire(command))
    }
}

/// What becomes of the deadline. The time is read after all options, as Redis does: a syntax error
/// behind it comes first.
#[derive(Default)]
enum Expiry<'v> {
    #[default]
    Unnamed,
    /// KEEPTTL.
    Keep,
    /// PERSIST.
    Remove,
    At(&'static TimeOption, &'v [u8]),
}

impl<'v> Expiry<'v> {
    /// Consumes a time option. The same one may come again, and then the last one counts; any other
    /// may not.
    fn parse(&mut self, args: &mut Args<'v>) -> Result<bool, CommandError> {
        let options = [&EX, &PX, &EXAT, &PXAT];
        let Some(option) = options.into_iter().find(|option| args.word(option.word)) else {
            return Ok(false);
        };
        match self {
            Self::Unnamed => {}
            Self::At(former, _) if *former == option => {}
            _ => return Err(CommandError::Syntax),
        }
        *self = Self::At(option, args.bytes()?);
        Ok(true)
    }

    /// Names KEEPTTL or PERSIST, which go with nothing but themselves.
    fn name(&mut self, named: Self) -> Result<(), CommandError> {
        match (&self, &named) {
            (Self::Unnamed, _) | (Self::Keep, Self::Keep) | (Self::Remove, Self::Remove) => {
                *self = named;
                Ok(())
            }
            _ => Err(CommandError::Syntax),
        }
    }
}

/// When SET stores.
#[derive(Default)]
enum Condition<'v> {
    #[default]
    Always,
    IfAbsent,
    IfPresent,
    IfEqual(&'v [u8]),
}

impl Condition<'_> {
    fn is_met(&self, former: Option<&Entry>) -> Result<bool, CommandError> {
        Ok(match self {
            Self::Always => true,
            Self::IfAbsent => former.is_none(),
            Self::IfPresent => former.is_some(),
            Self::IfEqual(wanted) => equals(former, wanted)?,
        })
    }
}

/// Whether a key holds this string.
fn equals(entry: Option<&Entry>, wanted: &[u8]) -> Result<bool, CommandError> {
    let string = entry.map(|entry| entry.value().as_string()).transpose()?;
    Ok(string.is_some_and(|string| *string.bytes() == *wanted))
}

#[derive(Default)]
struct SetOptions<'v> {
    condition: Condition<'v>,
    replies_former: bool,
    expiry: Expiry<'v>,
}

impl<'v> SetOptions<'v> {
    fn parse(args: &mut Args<'v>) -> Result<Self, CommandError> {
        let mut options = Self::default();
        while !args.is_empty() {
            if args.word("NX") {
                options.require(Condition::IfAbsent)?;
            } else if args.word("XX") {
                options.require(Condition::IfPresent)?;
            } else if args.word("IFEQ") {
                let wanted = args.bytes()?;
                options.require(Condition::IfEqual(wanted))?;
            } else if args.word("GET") {
                options.replies_former = true;
            } else if args.word("KEEPTTL") {
                options.expiry.name(Expiry::Keep)?;
            } else if !options.expiry.parse(args)? {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }

    /// A condition may be repeated, but not joined with another.
    fn require(&mut self, condition: Condition<'v>) -> Result<(), CommandError> {
        match (&self.condition, &condition) {
            (Condition::Always, _)
            | (Condition::IfAbsent, Condition::IfAbsent)
            | (Condition::IfPresent, Condition::IfPresent) => {
                self.condition = condition;
                Ok(())
            }
            _ => Err(CommandError::Syntax),
        }
    }
}

/// What SET does with its key: it reads it only if it is asked to.
pub(super) fn key_use(request: &Request) -> KeyFlags {
    let is_get = |(arg, _): (&[u8], _)| arg.eq_ignore_ascii_case(b"GET");
    if request.iter().skip(3).any(is_get) {
        READS_AND_CHANGES
    } else {
        KeyFlags::OW.and(KeyFlags::UPDATE)
    }
}

pub(super) fn set<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, value) = (args.key()?, take_string(args)?);
    if args.is_empty() {
        view.set(key, value);
        return Ok(Reply::Ok);
    }
    let SetOptions { condition, replies_former, expiry } = SetOptions::parse(args)?;
    let deadline = match expiry {
        Expiry::Unnamed | Expiry::Remove => Deadline::Never,
        Expiry::Keep => Deadline::Kept,
        Expiry::At(option, time) => {
            view.changes_also_mean(EventName::EXPIRE);
            Deadline::At(option.deadline_ms(time, view.now_ms(), "set")?)
        }
    };
    if replies_former {
        // Counted as a read, and refused if it is no string: the same that GET would answer.
        view.string(key)?;
    }
    if !condition.is_met(view.entry(key))? {
        return if replies_former { stored(view, key) } else { Ok(Reply::Null) };
    }
    if replies_former {
        Ok(former(view.exchange(key, value, deadline)))
    } else {
        view.store(key, value, deadline);
        Ok(Reply::Ok)
    }
}

/// The string that is stored at a key, without a trace of having looked.
fn stored<'v>(view: &'v WriteView<'_, '_>, key: Key<'_>) -> Outcome<'v> {
    let string = view.entry(key).map(|entry| entry.value().as_string()).transpose()?;
    Ok(string.map_or(Reply::Null, reply))
}

/// What was stored at a key where only strings were let through.
fn former<'v>(value: Option<Value>) -> Reply<'v> {
    match value {
        Some(Value::String(string)) => reply_owned(string),
        _ => Reply::Null,
    }
}

pub(super) fn setnx<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, value) = (args.key()?, take_string(args)?);
    let is_absent = !view.contains(key);
    if is_absent {
        view.set(key, value);
    }
    Ok(Reply::flag(is_absent))
}

pub(super) fn setex<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    set_for(view, args, &EX, "setex")
}

pub(super) fn psetex<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    set_for(view, args, &PX, "psetex")
}

fn set_for<'v>(
    view: &mut WriteView<'_, '_>,
    args: &mut Args<'v>,
    option: &TimeOption,
    command: &'static str,
) -> Outcome<'v> {
    let (key, time, value) = (args.key()?, args.bytes()?, take_string(args)?);
    let deadline_ms = option.deadline_ms(time, view.now_ms(), command)?;
    view.changes_also_mean(EventName::EXPIRE);
    view.store(key, value, Deadline::At(deadline_ms));
    Ok(Reply::Ok)
}

pub(super) fn getset<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, value) = (args.key()?, take_string(args)?);
    view.string(key)?;
    Ok(former(view.exchange(key, value, Deadline::Never)))
}

pub(super) fn getdel<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let key = args.key()?;
    view.string(key)?;
    Ok(former(view.take(key).map(Entry::into_value)))
}

pub(super) fn getex<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let key = args.key()?;
    let mut expiry = Expiry::default();
    while !args.is_empty() {
        if args.word("PERSIST") {
            expiry.name(Expiry::Remove)?;
        } else if !expiry.parse(args)? {
            return Err(CommandError::Syntax);
        }
    }
    // Redis looks at the key before it reads the time.
    if view.string(key)?.is_none() {
        return Ok(Reply::Null);
    }
    match expiry {
        Expiry::Unnamed | Expiry::Keep => {}
        Expiry::Remove => {
            view.persist(key);
        }
        Expiry::At(option, time) => {
            let deadline_ms = option.deadline_ms(time, view.now_ms(), "getex")?;
            if deadline_ms <= view.now_ms() {
                return Ok(former(view.take(key).map(Entry::into_value)));
            }
            view.set_deadline(key, deadline_ms);
        }
    }
    stored(view, key)
}

pub(super) fn delifeq<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, wanted) = (args.key()?, args.bytes()?);
    let is_equal = equals(view.entry(key), wanted)?;
    if is_equal {
        view.remove(key);
    }
    Ok(Reply::flag(is_equal))
}

pub(super) fn mset<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    for (key, value) in pairs(args, "mset")? {
        view.set(key, value);
    }
    Ok(Reply::Ok)
}

pub(super) fn msetnx<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let pairs = pairs(args, "msetnx")?;
    let are_absent = pairs.iter().all(|(key, _)| !view.contains(*key));
    if are_absent {
        pairs.into_iter().for_each(|(key, value)| view.set(key, value));
    }
    Ok(Reply::flag(are_absent))
}

fn pairs<'v>(
    args: &mut Args<'v>,
    command: &'static str,
) -> Result<Vec<(Key<'v>, NewValue<'v>)>, CommandError> {
    if !args.len().is_multiple_of(2) {
        return Err(CommandError::Arity(command.into()));
    }
    let mut pairs = Vec::with_capacity(args.len() / 2);
    while !args.is_empty() {
        pairs.push((args.key()?, take_string(args)?));
    }
    Ok(pairs)
}
