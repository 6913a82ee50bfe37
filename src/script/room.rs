//! Stack for scripts: a worker's own is enough for nearly all, and mapping another for each takes long.
//!
//! Between two looks how much of it is left, Lua calls itself 200 deep at most. What takes much in each of
//! these calls (`string.gsub` has a buffer, `table.sort` calls itself, patterns match by recursion) looks again.

use crate::limits;
use mlua::{Function, Lua, MultiValue, Table};

/// Runs something that takes no more than [`limits::SCRIPT_ROOM_BYTES`] of stack before it calls this again.
pub fn with_room<R>(run: impl FnOnce() -> R) -> R {
    stacker::maybe_grow(limits::SCRIPT_ROOM_BYTES, limits::SCRIPT_STACK_BYTES, run)
}

/// Adds what the prelude needs of this.
pub(super) fn add(lua: &Lua, native: &Table) -> mlua::Result<()> {
    let has_room = |_: &Lua, pattern_bytes: usize| {
        let needed = limits::SCRIPT_ROOM_BYTES + pattern_bytes * limits::PATTERN_BYTE_ROOM_BYTES;
        Ok(stacker::remaining_stack().is_some_and(|left| left >= needed))
    };
    let on_more = |_: &Lua, run: Function| {
        stacker::grow(limits::SCRIPT_STACK_BYTES, || run.call::<MultiValue>(()))
    };
    native.raw_set("has_room", lua.create_function(has_room)?)?;
    native.raw_set("on_more", lua.create_function(on_more)?)
}
