//! Replies of commands as Lua sees them.

use super::failure::error_table;
use mlua::{Lua, Table, Value};

/// Reads a reply that one of our own commands wrote.
pub(super) fn read(lua: &Lua, reply: &[u8]) -> mlua::Result<Value> {
    Reader { lua, rest: reply }.value()
}

struct Reader<'r> {
    lua: &'r Lua,
    rest: &'r [u8],
}

impl<'r> Reader<'r> {
    /// The next line without its end.
    fn line(&mut self) -> &'r [u8] {
        let end = memchr::memchr(b'\r', self.rest).unwrap_or(self.rest.len());
        let line = &self.rest[..end];
        self.rest = self.rest.get(end + 2..).unwrap_or_default();
        line
    }

    fn bytes(&mut self, length: usize) -> &'r [u8] {
        let bytes = &self.rest[..length.min(self.rest.len())];
        self.rest = self.rest.get(length + 2..).unwrap_or_default();
        bytes
    }

    fn value(&mut self) -> mlua::Result<Value> {
        let Some((mark, rest)) = self.rest.split_first() else { return Ok(Value::Nil) };
        self.rest = rest;
        let line = self.line();
        let number = || crate::protocol::parse_integer(line).unwrap_or_default();
        let length = || usize::try_from(number()).ok();
        Ok(match mark {
            b':' => Value::Number(number() as f64),
            b'$' => match length() {
                Some(length) => self.string(length)?,
                None => Value::Boolean(false),
            },
            b'*' | b'>' => match length() {
                Some(length) => self.array(length)?,
                None => Value::Boolean(false),
            },
            b'+' => self.field("ok", Value::String(self.lua.create_string(line)?))?,
            b'-' => Value::Table(error_table(self.lua, line)?),
            b'%' => self.map(length().unwrap_or_default())?,
            b'~' => self.set(length().unwrap_or_default())?,
            b',' => self.field("double", Value::Number(double(line)))?,
            b'#' => Value::Boolean(line == b"t"),
            b'(' => self.field("big_number", Value::String(self.lua.create_string(line)?))?,
            b'=' => self.verbatim(length().unwrap_or_default())?,
            b'|' => {
                for _ in 0..2 * length().unwrap_or_default() {
                    self.value()?;
                }
                self.value()?
            }
            _ => Value::Nil,
        })
    }

    fn string(&mut self, length: usize) -> mlua::Result<Value> {
        let bytes = self.bytes(length);
        Ok(Value::String(self.lua.create_string(bytes)?))
    }

    fn array(&mut self, length: usize) -> mlua::Result<Value> {
        let table = self.lua.create_table_with_capacity(length, 0)?;
        for index in 1..=length {
            table.raw_set(index, self.value()?)?;
        }
        Ok(Value::Table(table))
    }

    fn field(&self, name: &str, value: Value) -> mlua::Result<Value> {
        let table = self.lua.create_table_with_capacity(0, 1)?;
        table.raw_set(name, value)?;
        Ok(Value::Table(table))
    }

    fn map(&mut self, length: usize) -> mlua::Result<Value> {
        let entries = self.lua.create_table_with_capacity(0, length)?;
        for _ in 0..length {
            let key = self.value()?;
            set_entry(&entries, key, self.value()?)?;
        }
        self.field("map", Value::Table(entries))
    }

    fn set(&mut self, length: usize) -> mlua::Result<Value> {
        let members = self.lua.create_table_with_capacity(0, length)?;
        for _ in 0..length {
            set_entry(&members, self.value()?, Value::Boolean(true))?;
        }
        self.field("set", Value::Table(members))
    }

    fn verbatim(&mut self, length: usize) -> mlua::Result<Value> {
        let bytes = self.bytes(length);
        let (format, text) = bytes.split_at(bytes.len().min(3));
        let table = self.lua.create_table_with_capacity(0, 2)?;
        table.raw_set("format", self.lua.create_string(format)?)?;
        table.raw_set("string", self.lua.create_string(text.get(1..).unwrap_or_default())?)?;
        self.field("verbatim_string", Value::Table(table))
    }
}

/// What Lua cannot use as a key is left out.
fn set_entry(table: &Table, key: Value, value: Value) -> mlua::Result<()> {
    match key {
        Value::Nil => Ok(()),
        Value::Number(number) if number.is_nan() => Ok(()),
        key => table.raw_set(key, value),
    }
}

fn double(text: &[u8]) -> f64 {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
}
