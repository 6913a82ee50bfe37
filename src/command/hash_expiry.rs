//! Commands about when fields of hashes expire (Redis 7.4), and those that combine this with reading
//! or writing the fields (Redis 8.0).
//!
//! HEXPIRE and its kin, HGETEX and HSETEX take their options and the block of fields in any order, as
//! Redis does since 8.6; what Redis 7.4 takes is a part of that.

use super::args::Args;
use super::keys::{KeyFlags, Keys};
use super::spec::{Arity, Flags, Handler, Spec};
use crate::error::CommandError;
use crate::keyspace::{Change, EventName, ReadView, WriteView};
use crate::limits;
use crate::protocol::number::parse_integer;
use crate::protocol::{Outcome, Reply, Shape};
use crate::value::Hash;

const READS: Keys = Keys::one(1, KeyFlags::RO.and(KeyFlags::ACCESS));
const UPDATES: Keys = Keys::one(1, KeyFlags::RW.and(KeyFlags::UPDATE));
const GROWS: Flags = Flags::DENY_OOM.and(Flags::FAST);
const PER_FIELD: &str = "O(N) where N is the number of specified fields";
const FIELDS: &str = "key FIELDS fields=(numfields field...)";
const CHANGES_BY_ITSELF: &[&str] = &["nondeterministic_output"];

/// What rows of this family have in common.
const ROW: Spec = Spec {
    arity: Arity::at_least(5),
    flags: Flags::FAST,
    since: "7.4.0",
    syntax: FIELDS,
    complexity: PER_FIELD,
    ..Spec::REST
};

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "HEXPIRE",
        arity: Arity::at_least(6),
        keys: UPDATES,
        handler: Handler::Write(hexpire),
        flags: GROWS,
        summary: "Set expiry for hash field using relative time to expire (seconds)",
        syntax: "key seconds condition=[NX|XX|GT|LT] FIELDS fields=(numfields field...)",
        ..ROW
    },
    Spec {
        name: "HEXPIREAT",
        arity: Arity::at_least(6),
        keys: UPDATES,
        handler: Handler::Write(hexpireat),
        event: "hexpire",
        flags: GROWS,
        summary: "Set expiry for hash field using an absolute Unix timestamp (seconds)",
        syntax: "key unix-time-seconds condition=[NX|XX|GT|LT] FIELDS fields=(numfields field...)",
        ..ROW
    },
    Spec {
        name: "HEXPIRETIME",
        keys: READS,
        handler: Handler::Read(hexpiretime),
        summary: "Returns the expiration time of a hash field as a Unix timestamp, in seconds.",
        ..ROW
    },
    Spec {
        name: "HGETDEL",
        keys: Keys::one(1, KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::DELETE)),
        handler: Handler::Write(hgetdel),
        event: "hdel",
        since: "8.0.0",
        summary: "Returns the value of a field and deletes it from the hash.",
        ..ROW
    },
    Spec {
        name: "HGETEX",
        keys: Keys::one(1, KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::UPDATE)),
        handler: Handler::Write(hgetex),
        event: "hexpire",
        since: "8.0.0",
        summary: "Get the value of one or more fields of a given hash key, and optionally set their expiration.",
        syntax: "key expiration=[EX seconds|PX milliseconds|EXAT unix-time-seconds|\
                 PXAT unix-time-milliseconds|PERSIST] FIELDS fields=(numfields field...)",
        ..ROW
    },
    Spec {
        name: "HPERSIST",
        keys: UPDATES,
        handler: Handler::Write(hpersist),
        summary: "Removes the expiration time for each specified field",
        ..ROW
    },
    Spec {
        name: "HPEXPIRE",
        arity: Arity::at_least(6),
        keys: UPDATES,
        handler: Handler::Write(hpexpire),
        event: "hexpire",
        flags: GROWS,
        summary: "Set expiry for hash field using relative time to expire (milliseconds)",
        syntax: "key milliseconds condition=[NX|XX|GT|LT] FIELDS fields=(numfields field...)",
        ..ROW
    },
    Spec {
        name: "HPEXPIREAT",
        arity: Arity::at_least(6),
        keys: UPDATES,
        handler: Handler::Write(hpexpireat),
        event: "hexpire",
        flags: GROWS,
        summary: "Set expiry for hash field using an absolute Unix timestamp (milliseconds)",
        syntax: "key unix-time-milliseconds condition=[NX|XX|GT|LT] FIELDS fields=(numfields field...)",
        ..ROW
    },
    Spec {
        name: "HPEXPIRETIME",
        keys: READS,
        handler: Handler::Read(hpexpiretime),
        summary: "Returns the expiration time of a hash field as a Unix timestamp, in msec.",
        ..ROW
    },
    Spec {
        name: "HPTTL",
        keys: READS,
        handler: Handler::Read(hpttl),
        summary: "Returns the TTL in milliseconds of a hash field.",
        tips: CHANGES_BY_ITSELF,
        ..ROW
    },
    Spec {
        name: "HSETEX",
        arity: Arity::at_least(6),
        keys: UPDATES,
        handler: Handler::Write(hsetex),
        event: "hset",
        flags: GROWS,
        since: "8.0.0",
        summary: "Set the value of one or more fields of a given hash key, and optionally set their expiration.",
        syntax: "key condition=[FNX|FXX] expiration=[EX seconds|PX milliseconds|\
                 EXAT unix-time-seconds|PXAT unix-time-milliseconds|KEEPTTL] \
                 FIELDS fields=(numfields data=(field value)...)",
        complexity: "O(N) where N is the number of fields being set.",
        ..ROW
    },
    Spec {
        name: "HTTL",
        keys: READS,
        handler: Handler::Read(httl),
        summary: "Returns the TTL in seconds of a hash field.",
        tips: CHANGES_BY_ITSELF,
        ..ROW
    },
];

/// What is answered for a field that is not there.
const NO_FIELD: i64 = -2;
/// What is answered for a field without deadline.
const NO_DEADLINE: i64 = -1;
/// What is answered where a condition is not met.
const UNMET: i64 = 0;
/// What is answered for a change.
const DONE: i64 = 1;
/// What is answered for a field that was removed because its deadline had passed already.
const REMOVED: i64 = 2;

/// One integer for each field.
fn reply_integers<'v>(replies: Vec<i64>) -> Reply<'v> {
    Reply::Stream(Shape::Array, Box::new(replies.into_iter().map(Reply::Int)))
}

/// How a command counts time: what one unit is, and from when on.
#[derive(Clone, Copy)]
struct Scale {
    unit_ms: i64,
    from_now: bool,
}

const SECONDS: Scale = Scale { unit_ms: 1000, from_now: true };
const MILLISECONDS: Scale = Scale { unit_ms: 1, from_now: true };
const UNIX_SECONDS: Scale = Scale { unit_ms: 1000, from_now: false };
const UNIX_MILLISECONDS: Scale = Scale { unit_ms: 1, from_now: false };

impl Scale {
    /// The deadline in unix milliseconds that an argument means.
    fn deadline_ms(
        self,
        time: &[u8],
        now_ms: u64,
        command: &'static str,
    ) -> Result<u64, CommandError> {
        let time = parse_integer(time).ok_or(CommandError::NotInteger)?;
        let time = u64::try_from(time).map_err(|_| CommandError::NEGATIVE_EXPIRE)?;
        let base_ms = if self.from_now { now_ms } else { 0 };
        let deadline_ms = time
            .checked_mul(self.unit_ms.unsigned_abs())
            .and_then(|time_ms| time_ms.checked_add(base_ms));
        deadline_ms
            .filter(|deadline_ms| *deadline_ms <= limits::FIELD_DEADLINE_MS_MAX)
            .ok_or(CommandError::InvalidExpire(command))
    }
}

/// The fields that are all of the arguments left: `FIELDS numfields field …`.
fn fields<'v>(
    args: &mut Args<'v>,
) -> Result<impl ExactSizeIterator<Item = &'v [u8]> + use<'v>, CommandError> {
    if !args.word("FIELDS") {
        return Err(CommandError::FIELDS_MISPLACED);
    }
    let count = parse_integer(args.bytes()?).filter(|count| *count > 0);
    let count = count.ok_or(CommandError::FIELD_COUNT_NOT_POSITIVE)?;
    if usize::try_from(count).ok() != Some(args.len()) {
        return Err(CommandError::FIELD_COUNT_MISMATCH);
    }
    Ok(args.rest())
}

/// The block of fields, with values or without, that stands among options.
struct Block<'v> {
    texts: Option<Vec<&'v [u8]>>,
    /// 2 where each field comes with a value.
    texts_per_field: usize,
    count_max: i64,
    wrong_count: CommandError,
}

impl<'v> Block<'v> {
    fn new(texts_per_field: usize) -> Self {
        Self {
            texts: None,
            texts_per_field,
            count_max: i64::from(i32::MAX),
            wrong_count: CommandError::FIELD_COUNT_INVALID,
        }
    }

    /// Consumes the block; whether it comes next.
    fn parse(&mut self, args: &mut Args<'v>) -> Result<bool, CommandError> {
        if !args.word("FIELDS") {
            return Ok(false);
        }
        if self.texts.is_some() {
            return Err(CommandError::FIELDS_TWICE);
        }
        let count = args.bytes().map_err(|_| CommandError::FIELDS_TOO_FEW)?;
        let count = parse_integer(count).filter(|count| (1..=self.count_max).contains(count));
        let count = count.ok_or_else(|| self.wrong_count.clone())?;
        let length = usize::try_from(count).ok().and_then(|n| n.checked_mul(self.texts_per_field));
        // What was counted is there before room is made for it.
        let length = length.filter(|length| *length <= args.len());
        let length = length.ok_or(CommandError::FIELDS_TOO_FEW)?;
        self.texts = Some((0..length).map(|_| args.bytes()).collect::<Result<_, _>>()?);
        Ok(true)
    }

    fn texts(self) -> Result<Vec<&'v [u8]>, CommandError> {
        self.texts.ok_or(CommandError::NO_FIELDS)
    }
}

/// When HEXPIRE and its kin set a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    /// NX.
    NoneBefore,
    /// XX.
    SomeBefore,
    /// GT.
    Later,
    /// LT.
    Earlier,
}

impl Condition {
    fn parse(args: &mut Args<'_>) -> Option<Self> {
        let words = [
            ("NX", Self::NoneBefore),
            ("XX", Self::SomeBefore),
            ("GT", Self::Later),
            ("LT", Self::Earlier),
        ];
        words.into_iter().find(|(word, _)| args.word(word)).map(|(_, condition)| condition)
    }

    /// Whether a deadline may replace the current one; none at all is later than any.
    fn admits(self, current_ms: Option<u64>, deadline_ms: u64) -> bool {
        match self {
            Self::NoneBefore => current_ms.is_none(),
            Self::SomeBefore => current_ms.is_some(),
            Self::Later => current_ms.is_some_and(|current_ms| deadline_ms > current_ms),
            Self::Earlier => current_ms.is_none_or(|current_ms| deadline_ms < current_ms),
        }
    }
}

fn hexpire<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    set_deadlines(view, args, SECONDS, "hexpire")
}

fn hpexpire<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    set_deadlines(view, args, MILLISECONDS, "hpexpire")
}

fn hexpireat<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    set_deadlines(view, args, UNIX_SECONDS, "hexpireat")
}

fn hpexpireat<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    set_deadlines(view, args, UNIX_MILLISECONDS, "hpexpireat")
}

fn set_deadlines<'v>(
    view: &'v mut WriteView<'_, '_>,
    args: &mut Args<'v>,
    scale: Scale,
    command: &'static str,
) -> Outcome<'v> {
    let (key, now_ms) = (args.key()?, view.now_ms());
    // Redis looks at the key before it reads the rest.
    view.expect_type::<Hash>(key)?;
    let deadline_ms = scale.deadline_ms(args.bytes()?, now_ms, command)?;
    let (condition, fields) = conditional_fields(args)?;
    if deadline_ms <= now_ms {
        view.call_changes("hdel");
    }
    let replies = view.change(key, |hash: &mut Hash| {
        hash.prepare_deadlines();
        let set = |field: &&[u8]| set_deadline(hash, field, deadline_ms, condition, now_ms);
        let replies: Vec<i64> = fields.iter().map(set).collect();
        Ok(Change::of(replies.iter().filter(|reply| **reply > UNMET).count(), replies))
    })?;
    Ok(reply_integers(replies.unwrap_or_else(|| vec![NO_FIELD; fields.len()])))
}

fn conditional_fields<'v>(
    args: &mut Args<'v>,
) -> Result<(Option<Condition>, Vec<&'v [u8]>), CommandError> {
    let mut condition = None;
    let mut block = Block {
        count_max: i64::MAX,
        wrong_count: CommandError::FIELD_COUNT_NOT_ABOVE_ZERO,
        ..Block::new(1)
    };
    while !args.is_empty() {
        if block.parse(args)? {
            continue;
        }
        match Condition::parse(args) {
            Some(_) if condition.is_some() => return Err(CommandError::SEVERAL_CONDITIONS),
            Some(parsed) => condition = Some(parsed),
            None => return Err(unknown(args)),
        }
    }
    Ok((condition, block.texts()?))
}

fn unknown(args: &mut Args<'_>) -> CommandError {
    let word = args.bytes().unwrap_or_default();
    CommandError::showing("ERR unknown argument: ", word)
}

/// As Redis does, takes a field for live that is due and was not removed yet.
fn set_deadline(
    hash: &mut Hash,
    field: &[u8],
    deadline_ms: u64,
    condition: Option<Condition>,
    now_ms: u64,
) -> i64 {
    let Some(stored) = hash.get(field) else { return NO_FIELD };
    if condition.is_some_and(|condition| !condition.admits(stored.deadline_ms, deadline_ms)) {
        return UNMET;
    }
    if deadline_ms <= now_ms {
        hash.remove(field);
        return REMOVED;
    }
    hash.set_deadline(field, Some(deadline_ms));
    DONE
}

fn hpersist<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, now_ms) = (args.key()?, view.now_ms());
    view.expect_type::<Hash>(key)?;
    let fields = fields(args)?;
    let count = fields.len();
    let replies = view.change(key, |hash: &mut Hash| {
        let persist = |field| match hash.get(field) {
            Some(stored) if !stored.is_due(now_ms) && stored.deadline_ms.is_some() => {
                hash.set_deadline(field, None);
                DONE
            }
            Some(stored) if !stored.is_due(now_ms) => NO_DEADLINE,
            _ => NO_FIELD,
        };
        let replies: Vec<i64> = fields.map(persist).collect();
        Ok(Change::of(replies.iter().filter(|reply| **reply == DONE).count(), replies))
    })?;
    Ok(reply_integers(replies.unwrap_or_else(|| vec![NO_FIELD; count])))
}

fn httl<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let now_ms = view.now_ms();
    reply_times(view, args, move |deadline_ms| rounded_up_seconds(deadline_ms - now_ms))
}

fn hpttl<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let now_ms = view.now_ms();
    reply_times(view, args, move |deadline_ms| deadline_ms - now_ms)
}

fn hexpiretime<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    reply_times(view, args, rounded_up_seconds)
}

fn hpexpiretime<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    reply_times(view, args, |deadline_ms| deadline_ms)
}

/// Unlike the deadlines of keys, which are rounded to the nearest second.
fn rounded_up_seconds(ms: u64) -> u64 {
    ms.div_ceil(1000)
}

/// A time made of each field's deadline, which lies in the future.
fn reply_times<'v>(
    view: &'v ReadView<'_>,
    args: &mut Args<'v>,
    time: impl Fn(u64) -> u64 + 'v,
) -> Outcome<'v> {
    let (hash, now_ms) = (view.collection::<Hash>(args.key()?)?, view.now_ms());
    let reply = move |field: &[u8]| {
        let stored = hash.and_then(|hash| hash.get(field)).filter(|stored| !stored.is_due(now_ms));
        let Some(stored) = stored else { return NO_FIELD };
        // Deadlines are far below the largest signed number.
        stored.deadline_ms.map_or(NO_DEADLINE, |deadline_ms| time(deadline_ms).cast_signed())
    };
    Ok(Reply::Stream(
        Shape::Array,
        Box::new(fields(args)?.map(move |field| Reply::Int(reply(field)))),
    ))
}

fn hgetdel<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let key = args.key()?;
    view.expect_type::<Hash>(key)?;
    let fields = fields(args)?;
    let (count, now_ms) = (fields.len(), view.now_ms());
    let values = view.change(key, |hash: &mut Hash| {
        let (mut removed, mut expired) = (0, 0);
        let take = |field| {
            let value =
                hash.live(field, now_ms).map(|value| Reply::bulk(value.bytes().into_owned()));
            let counter = if value.is_some() { &mut removed } else { &mut expired };
            *counter += usize::from(hash.remove(field));
            value.unwrap_or(Reply::Null)
        };
        let values = fields.map(take).collect();
        Ok(Change::of(removed, values).with_expired(expired))
    })?;
    Ok(Reply::Array(values.unwrap_or_else(|| nulls(count))))
}

fn nulls<'v>(count: usize) -> Vec<Reply<'v>> {
    std::iter::repeat_with(|| Reply::Null).take(count).collect()
}

/// What HGETEX and HSETEX do with deadlines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expiry {
    /// The bare word: PERSIST or KEEPTTL.
    Bare,
    /// EX, PX, EXAT or PXAT, in unix milliseconds.
    At(u64),
}

const TIME_OPTIONS: [(&str, Scale); 4] =
    [("EX", SECONDS), ("PX", MILLISECONDS), ("EXAT", UNIX_SECONDS), ("PXAT", UNIX_MILLISECONDS)];

/// Consumes an option about deadlines; whether one comes next. There may be only one.
fn parse_expiry(
    expiry: &mut Option<Expiry>,
    args: &mut Args<'_>,
    bare_word: &'static str,
    command: &'static str,
    now_ms: u64,
) -> Result<bool, CommandError> {
    let option = TIME_OPTIONS.into_iter().find(|(word, _)| args.word(word));
    if option.is_none() && !args.word(bare_word) {
        return Ok(false);
    }
    if expiry.is_some() {
        return Err(CommandError::several_expiries(bare_word));
    }
    *expiry = Some(match option {
        Some((_, scale)) => {
            let time = args.bytes().map_err(|_| CommandError::NO_EXPIRE_TIME)?;
            Expiry::At(scale.deadline_ms(time, now_ms, command)?)
        }
        None => Expiry::Bare,
    });
    Ok(true)
}

fn hgetex<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, now_ms) = (args.key()?, view.now_ms());
    view.expect_type::<Hash>(key)?;
    let (mut expiry, mut block) = (None, Block::new(1));
    while !args.is_empty() {
        if !block.parse(args)? && !parse_expiry(&mut expiry, args, "PERSIST", "hgetex", now_ms)? {
            return Err(unknown(args));
        }
    }
    let fields = block.texts()?;
    match expiry {
        Some(Expiry::Bare) => view.call_changes("hpersist"),
        Some(Expiry::At(deadline_ms)) if deadline_ms <= now_ms => view.call_changes("hdel"),
        _ => {}
    }
    let values = view.change(key, |hash: &mut Hash| {
        let (mut changed, mut expired) = (0, 0);
        let get = |field: &&[u8]| {
            let Some(stored) = hash.get(field) else { return Reply::Null };
            if stored.is_due(now_ms) {
                expired += usize::from(hash.remove(field));
                return Reply::Null;
            }
            let value = stored.value.bytes().into_owned();
            changed += usize::from(match expiry {
                None => false,
                Some(Expiry::Bare) => {
                    let had_deadline = stored.deadline_ms.is_some();
                    hash.set_deadline(field, None);
                    had_deadline
                }
                Some(Expiry::At(deadline_ms)) => {
                    set_deadline(hash, field, deadline_ms, None, now_ms) > UNMET
                }
            });
            Reply::bulk(value)
        };
        let values = fields.iter().map(get).collect();
        Ok(Change::of(changed, values).with_expired(expired))
    })?;
    Ok(Reply::Array(values.unwrap_or_else(|| nulls(fields.len()))))
}

/// When HSETEX sets its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    /// FNX.
    None,
    /// FXX.
    All,
}

fn hsetex<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, now_ms, limits) = (args.key()?, view.now_ms(), view.encoding_limits());
    let (mut expiry, mut wanted, mut block) = (None, None, Block::new(2));
    while !args.is_empty() {
        let words = [("FNX", Presence::None), ("FXX", Presence::All)];
        if let Some((_, presence)) = words.into_iter().find(|(word, _)| args.word(word)) {
            if wanted.replace(presence).is_some() {
                return Err(CommandError::FXX_AND_FNX);
            }
        } else if !block.parse(args)?
            && !parse_expiry(&mut expiry, args, "KEEPTTL", "hsetex", now_ms)?
        {
            return Err(unknown(args));
        }
    }
    let texts = block.texts()?;
    match expiry {
        Some(Expiry::At(deadline_ms)) if deadline_ms <= now_ms => {
            view.changes_also_mean(EventName::FIELDS_REMOVED);
        }
        Some(Expiry::At(_)) => view.changes_also_mean(EventName::FIELDS_EXPIRE),
        _ => {}
    }
    let set = view.change_or_make(key, Hash::default, |hash| {
        let (pairs, _) = texts.as_chunks::<2>();
        let mut expired = 0;
        let mut is_there = |field: &[u8]| {
            expired += super::hash::remove_if_due(hash, field, now_ms);
            hash.get(field).is_some()
        };
        let present = pairs.iter().filter(|[field, _]| is_there(field)).count();
        let is_met = match wanted {
            None => true,
            Some(Presence::None) => present == 0,
            Some(Presence::All) => present == pairs.len(),
        };
        if !is_met {
            return Ok(Change::none(0).with_expired(expired));
        }
        hash.expect(texts.iter().copied(), &limits);
        for [field, value] in pairs {
            hash.set(field, value, &limits);
            match expiry {
                None => hash.set_deadline(field, None),
                Some(Expiry::Bare) => {}
                Some(Expiry::At(deadline_ms)) => {
                    set_deadline(hash, field, deadline_ms, None, now_ms);
                }
            }
        }
        Ok(Change::of(pairs.len(), 1).with_expired(expired))
    })?;
    Ok(Reply::Int(set))
}
