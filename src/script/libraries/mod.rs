//! The libraries that Redis adds to Lua's own.

mod bit;
mod json;

use mlua::{Lua, Table};

/// All, by name.
pub(super) fn all(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("bit", bit::library(lua)?)?;
    table.raw_set("cjson", json::library(lua)?)?;
    Ok(table)
}
