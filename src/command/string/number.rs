//! Commands that take a string for a number.

use crate::command::args::Args;
use crate::error::CommandError;
use crate::keyspace::{Key, WriteView};
use crate::protocol::extended::Extended;
use crate::protocol::{Outcome, Reply};
use crate::value::{StringRef, StringValue};

pub(super) fn incr<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let key = args.key()?;
    increment(view, key, 1)
}

pub(super) fn decr<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let key = args.key()?;
    increment(view, key, -1)
}

pub(super) fn incrby<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, by) = (args.key()?, args.integer()?);
    increment(view, key, by)
}

pub(super) fn decrby<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, by) = (args.key()?, args.integer()?);
    increment(view, key, by.checked_neg().ok_or(CommandError::DECREMENT_OVERFLOW)?)
}

fn increment<'v>(view: &mut WriteView<'_, '_>, key: Key<'_>, by: i64) -> Outcome<'v> {
    let sum = view.update_string(key, |string| {
        let former = string.as_ref().as_integer().ok_or(CommandError::NotInteger)?;
        let sum = former.checked_add(by).ok_or(CommandError::INCREMENT_OVERFLOW)?;
        *string = StringValue::Int(sum);
        Ok(sum)
    })?;
    Ok(Reply::Int(sum.unwrap_or_else(|| {
        view.set(key, StringValue::Int(by));
        by
    })))
}

pub(super) fn incrbyfloat<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, by) = (args.key()?, args.bytes()?);
    // The stored number is looked at first: a key of another type is WRONGTYPE whatever comes with it.
    let add = |former: Extended| {
        let by = Extended::parse(by).ok_or(CommandError::NotFloat)?;
        former.checked_add(by).ok_or(CommandError::INCREMENT_NOT_FINITE).map(|sum| sum.to_string())
    };
    // Redis keeps the text as it is: `int` is what it was, not what it is now.
    let sum = view.update_string(key, |string| {
        let former = match string.as_ref() {
            StringRef::Int(value) => Extended::from(value),
            other => Extended::parse(&other.bytes()).ok_or(CommandError::NotFloat)?,
        };
        let sum = add(former)?;
        *string = StringRef::Fixed(sum.as_bytes()).to_value();
        Ok(sum)
    })?;
    let sum = match sum {
        Some(sum) => sum,
        None => {
            let sum = add(Extended::from(0))?;
            view.set(key, StringRef::Fixed(sum.as_bytes()));
            sum
        }
    };
    Ok(Reply::text(sum))
}
