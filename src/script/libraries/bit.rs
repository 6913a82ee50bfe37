//! `bit`: operations on the 32 bits of a number, as Lua BitOp has them.

use crate::script::failure::bad_argument;
use mlua::{Lua, MultiValue, Table, Value};

/// The functions.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let fold = |name: &'static str, operation: fn(i32, i32) -> i32| {
        lua.create_function(move |lua, args: MultiValue| {
            let mut result = bits(lua, &args, 0, name)?;
            for at in 1..args.len() {
                result = operation(result, bits(lua, &args, at, name)?);
            }
            Ok(result)
        })
    };
    table.raw_set("band", fold("band", |a, b| a & b)?)?;
    table.raw_set("bor", fold("bor", |a, b| a | b)?)?;
    table.raw_set("bxor", fold("bxor", |a, b| a ^ b)?)?;
    let map = |name: &'static str, operation: fn(i32) -> i32| {
        lua.create_function(move |lua, args: MultiValue| bits(lua, &args, 0, name).map(operation))
    };
    table.raw_set("tobit", map("tobit", |a| a)?)?;
    table.raw_set("bnot", map("bnot", |a| !a)?)?;
    table.raw_set("bswap", map("bswap", i32::swap_bytes)?)?;
    let shift = |name: &'static str, operation: fn(i32, u32) -> i32| {
        lua.create_function(move |lua, args: MultiValue| {
            let value = bits(lua, &args, 0, name)?;
            // Only the low five bits of a distance count.
            let distance = bits(lua, &args, 1, name)? & 31;
            Ok(operation(value, distance.cast_unsigned()))
        })
    };
    table.raw_set("lshift", shift("lshift", |a, n| a << n)?)?;
    let rshift = |a: i32, n: u32| (a.cast_unsigned() >> n).cast_signed();
    table.raw_set("rshift", shift("rshift", rshift)?)?;
    table.raw_set("arshift", shift("arshift", |a, n| a >> n)?)?;
    table.raw_set("rol", shift("rol", i32::rotate_left)?)?;
    table.raw_set("ror", shift("ror", i32::rotate_right)?)?;
    table.raw_set("tohex", lua.create_function(to_hex)?)?;
    Ok(table)
}

/// An argument as 32 bits.
fn bits(lua: &Lua, args: &MultiValue, at: usize, name: &str) -> mlua::Result<i32> {
    /// Added to a number, it moves the lowest 32 bits of the nearest whole number to where they can
    /// be read.
    const MAGIC: f64 = 6_755_399_441_055_744.0;
    let number = match args.get(at) {
        Some(Value::Integer(number)) => *number as f64,
        Some(Value::Number(number)) => *number,
        Some(other) => match lua.coerce_number(other.clone())? {
            Some(number) => number,
            None => {
                let why = format!("number expected, got {}", other.type_name());
                return Err(bad_argument(lua, at + 1, name, &why));
            }
        },
        None => return Err(bad_argument(lua, at + 1, name, "number expected, got no value")),
    };
    Ok((number + MAGIC).to_bits() as u32 as i32)
}

/// So many hexadecimal digits, in capitals if the count is negative.
fn to_hex(lua: &Lua, args: MultiValue) -> mlua::Result<String> {
    let value = bits(lua, &args, 0, "tohex")?;
    let count = if args.len() > 1 { bits(lua, &args, 1, "tohex")? } else { 8 };
    let digits = count.unsigned_abs().min(8) as usize;
    let text = if count < 0 { format!("{value:08X}") } else { format!("{value:08x}") };
    Ok(text[8 - digits..].to_owned())
}
