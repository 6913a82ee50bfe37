//! What a script returns, as the bytes of a reply.
//!
//! Tables may lie deep within each other, so nothing here calls itself.

use crate::error::CommandError;
use crate::limits;
use crate::protocol::{
    Protocol, Reply, encode, encode_array_header, encode_map_header, encode_set_header,
};
use mlua::{Table, Value};
use std::vec;

/// How a script and its client understand types.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    /// Whether the script has asked for RESP3, in which a boolean is one.
    pub has_types: bool,
    /// What the client speaks.
    pub protocol: Protocol,
}

/// A table that is being written.
enum Open {
    Array {
        table: Table,
        next: usize,
        length: usize,
    },
    /// Keys and values, or members.
    Entries(vec::IntoIter<Value>),
}

impl Open {
    fn next(&mut self) -> mlua::Result<Option<Value>> {
        match self {
            Self::Array { table, next, length } => {
                if *next > *length {
                    return Ok(None);
                }
                *next += 1;
                table.raw_get(*next - 1).map(Some)
            }
            Self::Entries(entries) => Ok(entries.next()),
        }
    }
}

/// Appends a value as a reply. The error is that of a script which returns one.
pub(super) fn write(
    value: Value,
    dialect: Dialect,
    out: &mut Vec<u8>,
) -> mlua::Result<Result<(), CommandError>> {
    if let Value::Table(table) = &value
        && let Some(text) = text_field(table, "err")?
    {
        return Ok(Err(CommandError::Bytes(text)));
    }
    let mut open: Vec<Open> = Vec::new();
    let (mut current, start) = (value, out.len());
    loop {
        // The same table may stand in many places, so that little memory becomes a long reply.
        if out.len() - start > limits::SCRIPT_MEMORY_BYTES_MAX {
            return Ok(Err(CommandError::SCRIPT_REPLY_TOO_LONG));
        }
        if open.len() > limits::SCRIPT_REPLY_DEPTH_MAX {
            encode(Reply::Error(CommandError::LUA_STACK_LIMIT), dialect.protocol, out);
        } else {
            open.extend(begin(current, dialect, out)?);
        }
        current = loop {
            let Some(innermost) = open.last_mut() else { return Ok(Ok(())) };
            if let Some(value) = innermost.next()? {
                break value;
            }
            open.pop();
        };
    }
}

/// Appends a value, or the beginning of one that consists of others.
fn begin(value: Value, dialect: Dialect, out: &mut Vec<u8>) -> mlua::Result<Option<Open>> {
    let reply = match value {
        Value::String(text) => {
            encode(Reply::bulk(&*text.as_bytes()), dialect.protocol, out);
            return Ok(None);
        }
        Value::Boolean(value) if dialect.has_types => Reply::Bool(value),
        Value::Boolean(true) => Reply::Int(1),
        Value::Number(number) => Reply::Int(number as i64),
        Value::Integer(number) => Reply::Int(number),
        Value::Table(table) => match typed(&table)? {
            Some(reply) => reply,
            None => return begin_table(table, dialect.protocol, out).map(Some),
        },
        _ => Reply::Null,
    };
    encode(reply, dialect.protocol, out);
    Ok(None)
}

/// The reply that a table with one of certain fields stands for.
fn typed(table: &Table) -> mlua::Result<Option<Reply<'static>>> {
    if let Some(text) = text_field(table, "err")? {
        return Ok(Some(Reply::Error(CommandError::Bytes(text))));
    }
    if let Some(text) = text_field(table, "ok")? {
        return Ok(Some(Reply::Line(on_one_line(text))));
    }
    match table.raw_get("double")? {
        Value::Number(number) => return Ok(Some(Reply::Double(number))),
        Value::Integer(number) => return Ok(Some(Reply::Double(number as f64))),
        _ => {}
    }
    if let Some(digits) = text_field(table, "big_number")? {
        return Ok(Some(Reply::BigNumber(on_one_line(digits).into())));
    }
    if let Value::Table(verbatim) = table.raw_get("verbatim_string")? {
        let format = text_field(&verbatim, "format")?;
        let text = text_field(&verbatim, "string")?;
        if let (Some(format), Some(text)) = (format, text) {
            let mut mark = [b' '; 3];
            mark.iter_mut().zip(format).for_each(|(to, from)| *to = from);
            return Ok(Some(Reply::Formatted(mark, text)));
        }
    }
    Ok(None)
}

fn begin_table(table: Table, protocol: Protocol, out: &mut Vec<u8>) -> mlua::Result<Open> {
    if let Value::Table(map) = table.raw_get("map")? {
        let mut entries = Vec::new();
        for entry in map.pairs::<Value, Value>() {
            entries.extend(<[Value; 2]>::from(entry?));
        }
        encode_map_header(entries.len() / 2, protocol, out);
        return Ok(Open::Entries(entries.into_iter()));
    }
    if let Value::Table(set) = table.raw_get("set")? {
        let members: mlua::Result<Vec<Value>> =
            set.pairs::<Value, Value>().map(|entry| Ok(entry?.0)).collect();
        let members = members?;
        encode_set_header(members.len(), protocol, out);
        return Ok(Open::Entries(members.into_iter()));
    }
    let mut length = 0;
    while !table.raw_get::<Value>(length + 1)?.is_nil() {
        length += 1;
    }
    encode_array_header(length, out);
    Ok(Open::Array { table, next: 1, length })
}

fn text_field(table: &Table, name: &str) -> mlua::Result<Option<Vec<u8>>> {
    match table.raw_get(name)? {
        Value::String(text) => Ok(Some(text.as_bytes().to_vec())),
        _ => Ok(None),
    }
}

/// Line ends inside a line would end it.
fn on_one_line(mut text: Vec<u8>) -> Vec<u8> {
    for byte in &mut text {
        if matches!(byte, b'\r' | b'\n') {
            *byte = b' ';
        }
    }
    text
}
