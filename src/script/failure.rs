//! Errors that Rust functions raise in Lua, and where in a script they were raised.

use crate::error::CommandError;
use mlua::{Error, Lua, Value};
use std::fmt;

/// What Lua sees of an error that was raised in Rust.
#[derive(Debug)]
pub(super) enum Failure {
    /// A string, as Lua's own library raises.
    Text(Vec<u8>),
    /// A table with a field `err`, as Redis's does.
    Reply(Vec<u8>),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Text(text) | Self::Reply(text)) = self;
        f.write_str(&String::from_utf8_lossy(text))
    }
}

impl std::error::Error for Failure {}

/// An error reply of Redis.
pub(super) fn reply_error(error: &CommandError) -> Error {
    Error::external(Failure::Reply(error.to_bytes()))
}

/// An error of Lua's library: the place from which the function was called stands before it.
pub(super) fn text_error(lua: &Lua, text: &str) -> Error {
    let place = lua.inspect_stack(1, |frame| {
        let line = frame.current_line()?;
        Some(format!("{}:{line}: ", frame.source().short_src.unwrap_or_default()))
    });
    let place = place.flatten().unwrap_or_default();
    Error::external(Failure::Text((place + text).into_bytes()))
}

/// The same for an argument that will not do.
pub(super) fn bad_argument(lua: &Lua, number: usize, name: &str, why: &str) -> Error {
    text_error(lua, &format!("bad argument #{number} to '{name}' ({why})"))
}

/// The failure in an error that came back from Lua.
fn find(error: &Error) -> Option<&Failure> {
    match error {
        Error::CallbackError { cause, .. } => find(cause),
        other => other.downcast_ref::<Failure>(),
    }
}

/// The value that Lua is to see instead of an error that was raised in Rust.
pub(super) fn plain(lua: &Lua, value: Value) -> mlua::Result<Value> {
    let Value::Error(error) = value else { return Ok(value) };
    match find(&error) {
        Some(Failure::Text(text)) => Ok(Value::String(lua.create_string(text)?)),
        Some(Failure::Reply(text)) => Ok(Value::Table(error_table(lua, text)?)),
        None => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            Ok(Value::String(lua.create_string(first)?))
        }
    }
}

/// An error reply as a table.
pub(super) fn error_table(lua: &Lua, text: &[u8]) -> mlua::Result<mlua::Table> {
    let table = lua.create_table_with_capacity(0, 2)?;
    table.raw_set("err", lua.create_string(text)?)?;
    table.raw_set("ignore_error_stats_update", true)?;
    Ok(table)
}

/// The chunk and the line at which a script is: the innermost that is neither ours nor Lua's library.
pub(super) fn place(lua: &Lua, (): ()) -> mlua::Result<(String, i64)> {
    for level in 1.. {
        let found = lua.inspect_stack(level, |frame| {
            let source = frame.source();
            let name = source.source.unwrap_or_default().into_owned();
            let is_script = !matches!(source.what, "C" | "tail") && name != super::PRELUDE_NAME;
            is_script.then(|| (name, frame.current_line().map_or(-1, |line| line as i64)))
        });
        match found {
            Some(Some(place)) => return Ok(place),
            Some(None) => {}
            // It called one of ours as the last thing that it did.
            None => break,
        }
    }
    Ok((super::SCRIPT_NAME.to_owned(), 1))
}
