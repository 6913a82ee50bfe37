//! Replies of RESP2 and RESP3, and their text form, which transcripts show.

use std::fmt;
use std::io::{self, BufRead, ErrorKind};

/// One reply as it came over the wire.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    Status(Vec<u8>),
    Error(Vec<u8>),
    Int(i64),
    Bulk(Vec<u8>),
    NullBulk,
    NullArray,
    Null,
    Double(String),
    Bool(bool),
    BigNumber(String),
    Verbatim(Vec<u8>),
    Array(Vec<Reply>),
    Set(Vec<Reply>),
    Push(Vec<Reply>),
    Map(Vec<Reply>),
    /// Attributes and the reply that they describe.
    Attributed(Vec<Reply>, Box<Reply>),
    /// The server closed the connection.
    Closed,
}

/// Reads one reply; a connection that ends before its first byte is [`Reply::Closed`].
pub fn read_reply(reader: &mut impl BufRead) -> io::Result<Reply> {
    let mut line = Vec::new();
    match reader.read_until(b'\n', &mut line) {
        Ok(0) => return Ok(Reply::Closed),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(Reply::Closed),
        Err(error) => return Err(error),
    }
    let Some(line) = line.strip_suffix(b"\r\n") else {
        return Err(io::Error::new(ErrorKind::InvalidData, format!("half a line: {line:?}")));
    };
    let (mark, rest) = line.split_first().expect("a line has a mark");
    let text = || String::from_utf8_lossy(rest).into_owned();
    let number = || text().parse::<i64>().map_err(io::Error::other);
    Ok(match mark {
        b'+' => Reply::Status(rest.to_vec()),
        b'-' => Reply::Error(rest.to_vec()),
        b':' => Reply::Int(number()?),
        b'$' if rest == b"-1" => Reply::NullBulk,
        b'*' if rest == b"-1" => Reply::NullArray,
        b'_' => Reply::Null,
        b',' => Reply::Double(text()),
        b'#' => Reply::Bool(rest == b"t"),
        b'(' => Reply::BigNumber(text()),
        b'$' | b'=' => {
            let mut bytes = vec![0; number()? as usize + 2];
            reader.read_exact(&mut bytes)?;
            bytes.truncate(bytes.len() - 2);
            if *mark == b'$' { Reply::Bulk(bytes) } else { Reply::Verbatim(bytes) }
        }
        b'*' => Reply::Array(read_many(reader, number()?)?),
        b'~' => Reply::Set(read_many(reader, number()?)?),
        b'>' => Reply::Push(read_many(reader, number()?)?),
        b'%' => Reply::Map(read_many(reader, 2 * number()?)?),
        b'|' => {
            let attributes = read_many(reader, 2 * number()?)?;
            Reply::Attributed(attributes, Box::new(read_reply(reader)?))
        }
        other => {
            let text = format!("unknown reply mark {:?}", char::from(*other));
            return Err(io::Error::new(ErrorKind::InvalidData, text));
        }
    })
}

fn read_many(reader: &mut impl BufRead, count: i64) -> io::Result<Vec<Reply>> {
    (0..count).map(|_| read_reply(reader)).collect()
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, open: &str, items: &[Reply], close: &str| {
            f.write_str(open)?;
            for (index, item) in items.iter().enumerate() {
                write!(f, "{}{item}", if index == 0 { "" } else { " " })?;
            }
            f.write_str(close)
        };
        match self {
            Self::Status(text) => write!(f, "+{}", plain(text)),
            Self::Error(text) => write!(f, "-{}", plain(text)),
            Self::Int(value) => write!(f, ":{value}"),
            Self::Bulk(bytes) => write!(f, "{}", quoted(bytes)),
            Self::NullBulk => f.write_str("$-1"),
            Self::NullArray => f.write_str("*-1"),
            Self::Null => f.write_str("_"),
            Self::Double(text) => write!(f, ",{text}"),
            Self::Bool(value) => f.write_str(if *value { "#t" } else { "#f" }),
            Self::BigNumber(text) => write!(f, "({text}"),
            Self::Verbatim(bytes) => write!(f, "={}", quoted(bytes)),
            Self::Array(items) => list(f, "[", items, "]"),
            Self::Set(items) => list(f, "~{", items, "}"),
            Self::Push(items) => list(f, ">[", items, "]"),
            Self::Map(items) => list(f, "%{", items, "}"),
            Self::Attributed(attributes, reply) => {
                list(f, "|{", attributes, "}")?;
                write!(f, " {reply}")
            }
            Self::Closed => f.write_str("closed"),
        }
    }
}

fn plain(bytes: &[u8]) -> String {
    escape(bytes, false)
}

fn quoted(bytes: &[u8]) -> String {
    format!("'{}'", escape(bytes, true))
}

fn escape(bytes: &[u8], quotes: bool) -> String {
    let mut text = String::new();
    for byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            b'\'' if quotes => text.push_str("\\'"),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            b' '..=b'~' => text.push(char::from(*byte)),
            other => text.push_str(&format!("\\x{other:02x}")),
        }
    }
    text
}
