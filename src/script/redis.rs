//! The functions of the table `redis` that need no command, and of `math` that need chance.

use super::failure::{bad_argument, reply_error, text_error};
use super::interpreter::Shared;
use crate::error::CommandError;
use mlua::{Lua, MultiValue, Table, Value};
use std::sync::Arc;

/// The table without what a script's own run adds.
pub(super) fn table(lua: &Lua, shared: &Arc<Shared>) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let numbers = [
        ("LOG_DEBUG", 0),
        ("LOG_VERBOSE", 1),
        ("LOG_NOTICE", 2),
        ("LOG_WARNING", 3),
        ("REPL_NONE", 0),
        ("REPL_AOF", 1),
        ("REPL_SLAVE", 2),
        ("REPL_REPLICA", 2),
        ("REPL_ALL", 3),
        ("REDIS_VERSION_NUM", version_number(crate::REDIS_VERSION)),
    ];
    for (name, number) in numbers {
        table.raw_set(name, number)?;
    }
    table.raw_set("REDIS_VERSION", crate::REDIS_VERSION)?;
    table.raw_set("sha1hex", lua.create_function(sha1hex)?)?;
    table.raw_set("log", lua.create_function(log)?)?;
    table.raw_set("set_repl", lua.create_function(set_repl)?)?;
    let shared = Arc::clone(shared);
    let setresp = move |_: &Lua, args: MultiValue| {
        if args.len() != 1 {
            return Err(reply_error(&CommandError::SETRESP_ARGUMENT));
        }
        match number(&args[0]) {
            Some(2.0) => shared.set_types(false),
            Some(3.0) => shared.set_types(true),
            _ => return Err(reply_error(&CommandError::SETRESP_VERSION)),
        }
        Ok(())
    };
    table.raw_set("setresp", lua.create_function(setresp)?)?;
    Ok(table)
}

/// `7.2.4` as 0x00070204.
fn version_number(version: &str) -> i64 {
    version.split('.').fold(0, |number, part| number << 8 | part.parse::<i64>().unwrap_or(0))
}

/// What Lua's `lua_tonumber` makes of a value.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Number(number) => Some(*number),
        Value::String(text) => text.to_str().ok()?.trim().parse().ok(),
        _ => None,
    }
}

fn sha1hex(_: &Lua, args: MultiValue) -> mlua::Result<String> {
    if args.len() != 1 {
        return Err(reply_error(&CommandError::SHA1HEX_ARGUMENT));
    }
    // What is no text counts as none.
    let text = text(&args[0]).unwrap_or_default();
    Ok(super::Digest::of(&text).hex())
}

/// What Lua's `lua_tolstring` makes of a value.
fn text(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.as_bytes().to_vec()),
        Value::Integer(_) | Value::Number(_) => value.to_string().ok().map(String::into_bytes),
        _ => None,
    }
}

fn log(_: &Lua, args: MultiValue) -> mlua::Result<()> {
    if args.len() < 2 {
        return Err(reply_error(&CommandError::LOG_ARGUMENTS));
    }
    let (Value::Integer(_) | Value::Number(_)) = args[0] else {
        return Err(reply_error(&CommandError::LOG_LEVEL_NO_NUMBER));
    };
    let level = match number(&args[0]) {
        Some(0.0) => log::Level::Trace,
        Some(1.0) => log::Level::Debug,
        Some(2.0) => log::Level::Info,
        Some(3.0) => log::Level::Warn,
        _ => return Err(reply_error(&CommandError::LOG_LEVEL_INVALID)),
    };
    let words: Vec<Vec<u8>> = args.iter().skip(1).filter_map(text).collect();
    log::log!(level, "{}", String::from_utf8_lossy(&words.join(&b' ')));
    Ok(())
}

/// There is nobody to whom changes are sent, or not.
fn set_repl(_: &Lua, args: MultiValue) -> mlua::Result<()> {
    if args.len() != 1 {
        return Err(reply_error(&CommandError::SET_REPL_ARGUMENT));
    }
    let flags = number(&args[0]).unwrap_or_default() as i64;
    if flags & !3 != 0 {
        return Err(reply_error(&CommandError::SET_REPL_FLAGS));
    }
    Ok(())
}

/// `math.random` and `math.randomseed`, the same in every run.
pub(super) fn add_random(lua: &Lua, native: &Table, shared: &Arc<Shared>) -> mlua::Result<()> {
    let own = Arc::clone(shared);
    let random = move |lua: &Lua, args: MultiValue| {
        let fraction = own.with_random(super::random::Random::fraction);
        let bound = |at: usize| {
            number(&args[at]).map(|bound| f64::from(bound as i32)).ok_or_else(|| {
                let why = format!("number expected, got {}", args[at].type_name());
                bad_argument(lua, at + 1, "random", &why)
            })
        };
        let (low, high) = match args.len() {
            0 => return Ok(fraction),
            1 => (1.0, bound(0)?),
            2 => (bound(0)?, bound(1)?),
            _ => return Err(text_error(lua, "wrong number of arguments")),
        };
        if low > high {
            return Err(bad_argument(lua, args.len(), "random", "interval is empty"));
        }
        Ok((fraction * (high - low + 1.0)).floor() + low)
    };
    native.raw_set("random", lua.create_function(random)?)?;
    let own = Arc::clone(shared);
    let seed = move |lua: &Lua, args: MultiValue| {
        let Some(seed) = args.front().and_then(number) else {
            let given = args.front().map_or("no value", Value::type_name);
            let why = format!("number expected, got {given}");
            return Err(bad_argument(lua, 1, "randomseed", &why));
        };
        own.seed(seed as i64 as i32);
        Ok(())
    };
    native.raw_set("randomseed", lua.create_function(seed)?)
}
