//! `cjson`: values as JSON and back, in the words of lua-cjson 2.1.

use crate::limits;
use crate::script::failure::{bad_argument, text_error};
use crate::script::with_room;
use mlua::{LightUserData, Lua, MultiValue, Table, Value};
use std::ptr;

/// The functions, and what stands for null.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("encode", lua.create_function(encode)?)?;
    table.raw_set("decode", lua.create_function(decode)?)?;
    table.raw_set("null", Value::LightUserData(LightUserData(ptr::null_mut())))?;
    table.raw_set("_NAME", "cjson")?;
    table.raw_set("_VERSION", "2.1.0")?;
    Ok(table)
}

fn encode(lua: &Lua, args: MultiValue) -> mlua::Result<mlua::LuaString> {
    if args.len() != 1 {
        return Err(bad_argument(lua, 1, "encode", "expected 1 argument"));
    }
    let mut out = Vec::new();
    match write(&args[0], 0, &mut out) {
        Ok(()) => lua.create_string(&out),
        Err(why) => Err(text_error(lua, &why)),
    }
}

fn write(value: &Value, depth: usize, out: &mut Vec<u8>) -> Result<(), String> {
    // The same table may stand in many places, so that little memory becomes much text.
    if out.len() > limits::JSON_BYTES_MAX {
        return Err("not enough memory".to_owned());
    }
    match value {
        Value::Nil => out.extend_from_slice(b"null"),
        Value::LightUserData(LightUserData(pointer)) if pointer.is_null() => {
            out.extend_from_slice(b"null");
        }
        Value::Boolean(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Value::Integer(number) => write_number(*number as f64, out)?,
        Value::Number(number) => write_number(*number, out)?,
        Value::String(text) => write_text(&text.as_bytes(), out),
        Value::Table(table) => with_room(|| write_table(table, depth + 1, out))?,
        other => {
            return Err(format!("Cannot serialise {}: type not supported", other.type_name()));
        }
    }
    Ok(())
}

fn write_number(number: f64, out: &mut Vec<u8>) -> Result<(), String> {
    if !number.is_finite() {
        return Err("Cannot serialise number: must not be NaN or Inf".to_owned());
    }
    out.extend_from_slice(fourteen_digits(number).as_bytes());
    Ok(())
}

/// As C prints `%.14g`.
fn fourteen_digits(number: f64) -> String {
    const DIGITS: i32 = 14;
    if number == 0.0 {
        return if number.is_sign_negative() { "-0" } else { "0" }.to_owned();
    }
    let scientific = format!("{number:.*e}", DIGITS as usize - 1);
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let trim = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if (-4..DIGITS).contains(&exponent) {
        let behind_point = usize::try_from(DIGITS - 1 - exponent).unwrap_or_default();
        return trim(&format!("{number:.behind_point$}"));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trim(digits), exponent.abs())
}

fn write_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text {
        match byte {
            b'"' | b'\\' | b'/' => out.extend_from_slice(&[b'\\', *byte]),
            8 => out.extend_from_slice(b"\\b"),
            9 => out.extend_from_slice(b"\\t"),
            10 => out.extend_from_slice(b"\\n"),
            12 => out.extend_from_slice(b"\\f"),
            13 => out.extend_from_slice(b"\\r"),
            0..=31 | 127 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(*byte),
        }
    }
    out.push(b'"');
}

/// How long an array may be in which less than every second element is there.
const SPARSE_LENGTH_MAX: i64 = 10;

fn write_table(table: &Table, depth: usize, out: &mut Vec<u8>) -> Result<(), String> {
    if depth > limits::JSON_DEPTH_MAX {
        return Err(format!("Cannot serialise, excessive nesting ({depth})"));
    }
    let entries: Vec<(Value, Value)> =
        table.pairs().collect::<mlua::Result<_>>().map_err(|error| error.to_string())?;
    let index = |key: &Value| match key {
        Value::Integer(index) if *index > 0 => Some(*index),
        _ => None,
    };
    let length = entries
        .iter()
        .map(|(key, _)| index(key))
        .try_fold(0, |length, index| index.map(|index: i64| index.max(length)));
    match length {
        Some(length) if length > 0 => {
            if length > SPARSE_LENGTH_MAX && length > 2 * entries.len() as i64 {
                return Err("Cannot serialise table: excessively sparse array".to_owned());
            }
            write_array(table, length, depth, out)
        }
        _ => write_object(&entries, depth, out),
    }
}

fn write_array(table: &Table, length: i64, depth: usize, out: &mut Vec<u8>) -> Result<(), String> {
    out.push(b'[');
    for index in 1..=length {
        if index > 1 {
            out.push(b',');
        }
        let value: Value = table.raw_get(index).map_err(|error| error.to_string())?;
        write(&value, depth, out)?;
    }
    out.push(b']');
    Ok(())
}

fn write_object(entries: &[(Value, Value)], depth: usize, out: &mut Vec<u8>) -> Result<(), String> {
    out.push(b'{');
    for (at, (key, value)) in entries.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        match key {
            Value::String(text) => write_text(&text.as_bytes(), out),
            Value::Integer(_) | Value::Number(_) => {
                out.push(b'"');
                write(key, depth, out)?;
                out.push(b'"');
            }
            other => {
                let kind = other.type_name();
                return Err(format!(
                    "Cannot serialise {kind}: table key must be a number or string"
                ));
            }
        }
        out.push(b':');
        write(value, depth, out)?;
    }
    out.push(b'}');
    Ok(())
}

fn decode(lua: &Lua, args: MultiValue) -> mlua::Result<Value> {
    if args.len() != 1 {
        return Err(bad_argument(lua, 1, "decode", "expected 1 argument"));
    }
    let Some(text) = lua.coerce_string(args[0].clone())? else {
        let why = format!("string expected, got {}", args[0].type_name());
        return Err(bad_argument(lua, 1, "decode", &why));
    };
    let text = text.as_bytes();
    let mut parser = Parser { lua, text: &text, at: 0 };
    let parsed = parser.value(0).and_then(|value| match parser.token()? {
        (Token::End, _) => Ok(value),
        (token, at) => Err(Wrong::expected("the end", token, at)),
    });
    parsed.map_err(|wrong| match wrong {
        Wrong::Text(text) => text_error(lua, &text),
        Wrong::Lua(error) => error,
    })
}

/// Why a text cannot be read.
enum Wrong {
    Text(String),
    Lua(mlua::Error),
}

impl Wrong {
    fn expected(wanted: &str, found: Token, at: usize) -> Self {
        let found = found.name();
        Self::Text(format!("Expected {wanted} but found {found} at character {}", at + 1))
    }
}

impl From<mlua::Error> for Wrong {
    fn from(error: mlua::Error) -> Self {
        Self::Lua(error)
    }
}

/// One piece of JSON.
enum Token {
    BeginObject,
    EndObject,
    BeginArray,
    EndArray,
    Colon,
    Comma,
    Text(Vec<u8>),
    Number(f64),
    Boolean(bool),
    Null,
    End,
    Invalid(&'static str),
}

impl Token {
    /// As errors call it.
    fn name(&self) -> &'static str {
        match self {
            Self::BeginObject => "T_OBJ_BEGIN",
            Self::EndObject => "T_OBJ_END",
            Self::BeginArray => "T_ARR_BEGIN",
            Self::EndArray => "T_ARR_END",
            Self::Colon => "T_COLON",
            Self::Comma => "T_COMMA",
            Self::Text(_) => "T_STRING",
            Self::Number(_) => "T_NUMBER",
            Self::Boolean(_) => "T_BOOLEAN",
            Self::Null => "T_NULL",
            Self::End => "T_END",
            Self::Invalid(why) => why,
        }
    }
}

struct Parser<'t> {
    lua: &'t Lua,
    text: &'t [u8],
    at: usize,
}

impl Parser<'_> {
    fn value(&mut self, depth: usize) -> Result<Value, Wrong> {
        let (token, at) = self.token()?;
        self.value_of(token, at, depth)
    }

    fn value_of(&mut self, token: Token, at: usize, depth: usize) -> Result<Value, Wrong> {
        Ok(match token {
            Token::Text(text) => Value::String(self.lua.create_string(text)?),
            Token::Number(number) => Value::Number(number),
            Token::Boolean(value) => Value::Boolean(value),
            Token::Null => Value::LightUserData(LightUserData(ptr::null_mut())),
            Token::BeginObject => with_room(|| self.object(depth + 1))?,
            Token::BeginArray => with_room(|| self.array(depth + 1))?,
            other => return Err(Wrong::expected("value", other, at)),
        })
    }

    fn check_depth(&self, depth: usize) -> Result<(), Wrong> {
        if depth <= limits::JSON_DEPTH_MAX {
            return Ok(());
        }
        let at = self.at;
        Err(Wrong::Text(format!(
            "Found too many nested data structures ({depth}) at character {at}"
        )))
    }

    fn object(&mut self, depth: usize) -> Result<Value, Wrong> {
        self.check_depth(depth)?;
        let table = self.lua.create_table()?;
        let (mut token, mut at) = self.token()?;
        if matches!(token, Token::EndObject) {
            return Ok(Value::Table(table));
        }
        loop {
            let Token::Text(name) = token else {
                return Err(Wrong::expected("object key string", token, at));
            };
            match self.token()? {
                (Token::Colon, _) => {}
                (other, at) => return Err(Wrong::expected("colon", other, at)),
            }
            let value = self.value(depth)?;
            table.raw_set(self.lua.create_string(name)?, value)?;
            match self.token()? {
                (Token::EndObject, _) => return Ok(Value::Table(table)),
                (Token::Comma, _) => (token, at) = self.token()?,
                (other, at) => return Err(Wrong::expected("comma or object end", other, at)),
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, Wrong> {
        self.check_depth(depth)?;
        let table = self.lua.create_table()?;
        let (mut token, mut at) = self.token()?;
        if matches!(token, Token::EndArray) {
            return Ok(Value::Table(table));
        }
        for index in 1.. {
            let value = self.value_of(token, at, depth)?;
            table.raw_set(index, value)?;
            match self.token()? {
                (Token::EndArray, _) => break,
                (Token::Comma, _) => (token, at) = self.token()?,
                (other, at) => return Err(Wrong::expected("comma or array end", other, at)),
            }
        }
        Ok(Value::Table(table))
    }

    /// The next token and where it begins.
    fn token(&mut self) -> Result<(Token, usize), Wrong> {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        let start = self.at;
        let Some(byte) = self.text.get(start) else { return Ok((Token::End, start)) };
        self.at += 1;
        let token = match byte {
            b'{' => Token::BeginObject,
            b'}' => Token::EndObject,
            b'[' => Token::BeginArray,
            b']' => Token::EndArray,
            b':' => Token::Colon,
            b',' => Token::Comma,
            b'"' => self.text()?,
            _ => self.word(start),
        };
        let at = if let Token::Invalid(_) = token { self.at.max(start + 1) - 1 } else { start };
        Ok((token, at))
    }

    /// A number or a name.
    fn word(&mut self, start: usize) -> Token {
        let rest = &self.text[start..];
        let names: [(&[u8], Token); 3] = [
            (b"true", Token::Boolean(true)),
            (b"false", Token::Boolean(false)),
            (b"null", Token::Null),
        ];
        for (name, token) in names {
            if rest.starts_with(name) {
                self.at = start + name.len();
                return token;
            }
        }
        let length = rest
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
            .count();
        // The longest beginning that is a number.
        for end in (1..=length).rev() {
            if let Some(number) = number(&rest[..end]) {
                self.at = start + end;
                return Token::Number(number);
            }
        }
        Token::Invalid("invalid token")
    }

    /// What stands between quotes.
    fn text(&mut self) -> Result<Token, Wrong> {
        let mut text = Vec::new();
        loop {
            let Some(byte) = self.text.get(self.at) else {
                self.at += 1;
                return Ok(Token::Invalid("unexpected end of string"));
            };
            self.at += 1;
            match byte {
                b'"' => return Ok(Token::Text(text)),
                b'\\' => {
                    let escape = self.text.get(self.at).copied().unwrap_or_default();
                    self.at += 1;
                    match escape {
                        b'"' | b'\\' | b'/' => text.push(escape),
                        b'b' => text.push(8),
                        b't' => text.push(9),
                        b'n' => text.push(10),
                        b'f' => text.push(12),
                        b'r' => text.push(13),
                        b'u' => match self.code_point() {
                            Some(point) => {
                                let mut bytes = [0; 4];
                                text.extend_from_slice(point.encode_utf8(&mut bytes).as_bytes());
                            }
                            None => {
                                self.at -= 1;
                                return Ok(Token::Invalid("invalid unicode escape code"));
                            }
                        },
                        _ => {
                            self.at -= 1;
                            return Ok(Token::Invalid("invalid escape code"));
                        }
                    }
                }
                _ => text.push(*byte),
            }
        }
    }

    /// Four hexadecimal digits, or twice four if they are halves of one.
    fn code_point(&mut self) -> Option<char> {
        let high = self.half()?;
        if !(0xD800..0xDC00).contains(&high) {
            return char::from_u32(high);
        }
        if !self.text[self.at..].starts_with(b"\\u") {
            return None;
        }
        self.at += 2;
        let low = self.half()?.checked_sub(0xDC00).filter(|low| *low < 0x400)?;
        char::from_u32(0x1_0000 + ((high - 0xD800) << 10) + low)
    }

    fn half(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        let mut value = 0;
        for digit in digits {
            value = value << 4 | char::from(*digit).to_digit(16)?;
        }
        self.at += 4;
        Some(value)
    }
}

/// A number as `strtod` reads it, hexadecimal ones and those that are none included.
fn number(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    let (sign, plain) = match text.strip_prefix('-') {
        Some(plain) => (-1.0, plain),
        None => (1.0, text),
    };
    if let Some(digits) = plain.strip_prefix("0x").or_else(|| plain.strip_prefix("0X")) {
        return u64::from_str_radix(digits, 16).ok().map(|number| sign * number as f64);
    }
    if plain.starts_with('+') {
        return None;
    }
    plain.parse::<f64>().ok().map(|number| sign * number)
}
