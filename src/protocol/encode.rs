//! Replies as bytes: the one place that tells RESP2 from RESP3.

use super::number::{
    INTEGER_BYTES_MAX, format_double, format_long_double, put_integer, write_integer,
};
use super::reply::{Reply, Shape};
use crate::error::CommandError;

/// The protocol version that a client chose with HELLO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// What every connection starts with.
    #[default]
    Resp2,
    /// Maps, sets, doubles, pushes.
    Resp3,
}

impl Protocol {
    /// 2 or 3.
    pub fn number(self) -> i64 {
        match self {
            Self::Resp2 => 2,
            Self::Resp3 => 3,
        }
    }

    /// The protocol with this number; what every connection starts with if there is none.
    pub fn with_number(number: u64) -> Self {
        if number == 3 { Self::Resp3 } else { Self::Resp2 }
    }

    /// Whether a message out of band can be told from a reply.
    pub fn has_pushes(self) -> bool {
        self == Self::Resp3
    }

    /// The first byte of a message out of band.
    pub fn push_mark(self) -> u8 {
        match self {
            Self::Resp2 => b'*',
            Self::Resp3 => b'>',
        }
    }
}

/// Appends the beginning of an array of so many replies, which are to follow.
pub fn encode_array_header(count: usize, out: &mut Vec<u8>) {
    header(b'*', count as i64, out);
}

/// Appends the beginning of a map of so many entries: keys and values are to follow in turn.
pub fn encode_map_header(count: usize, protocol: Protocol, out: &mut Vec<u8>) {
    match protocol {
        Protocol::Resp2 => header(b'*', 2 * count as i64, out),
        Protocol::Resp3 => header(b'%', count as i64, out),
    }
}

/// Appends the beginning of a set of so many members, which are to follow.
pub fn encode_set_header(count: usize, protocol: Protocol, out: &mut Vec<u8>) {
    let mark = if protocol == Protocol::Resp3 { b'~' } else { b'*' };
    header(mark, count as i64, out);
}

/// Appends `reply` to `out`.
pub fn encode(reply: Reply<'_>, protocol: Protocol, out: &mut Vec<u8>) {
    let resp3 = protocol == Protocol::Resp3;
    match reply {
        Reply::Ok => out.extend_from_slice(b"+OK\r\n"),
        Reply::Status(text) => line(b'+', text.as_bytes(), out),
        Reply::Int(value) => header(b':', value, out),
        Reply::Double(value) if resp3 => line(b',', format_double(value).as_bytes(), out),
        Reply::Double(value) => bulk(format_double(value).as_bytes(), out),
        Reply::LongDouble(value) if resp3 => line(b',', format_long_double(value).as_bytes(), out),
        Reply::LongDouble(value) => bulk(format_long_double(value).as_bytes(), out),
        Reply::Bool(value) if resp3 => {
            out.extend_from_slice(if value { b"#t\r\n" } else { b"#f\r\n" });
        }
        Reply::Bool(value) => header(b':', i64::from(value), out),
        Reply::Bulk(bytes) => bulk(&bytes, out),
        Reply::BulkInt(value) => bulk_int(value, out),
        Reply::Null | Reply::NullArray if resp3 => out.extend_from_slice(b"_\r\n"),
        Reply::Null => out.extend_from_slice(b"$-1\r\n"),
        Reply::NullArray => out.extend_from_slice(b"*-1\r\n"),
        Reply::Array(items) => sequence(b'*', items, protocol, out),
        Reply::Set(items) => sequence(if resp3 { b'~' } else { b'*' }, items, protocol, out),
        Reply::Push(items) => sequence(protocol.push_mark(), items, protocol, out),
        Reply::BigNumber(digits) if resp3 => line(b'(', &digits, out),
        Reply::BigNumber(digits) => bulk(&digits, out),
        Reply::Attributed(attributes, reply) => {
            if resp3 {
                header(b'|', attributes.len() as i64, out);
                for (name, value) in attributes {
                    encode(name, protocol, out);
                    encode(value, protocol, out);
                }
            }
            encode(*reply, protocol, out);
        }
        Reply::Several(replies) => {
            replies.into_iter().for_each(|reply| encode(reply, protocol, out));
        }
        Reply::Map(entries) => {
            let length = entries.len() as i64;
            if resp3 {
                header(b'%', length, out)
            } else {
                header(b'*', 2 * length, out)
            }
            for (key, value) in entries {
                encode(key, protocol, out);
                encode(value, protocol, out);
            }
        }
        Reply::Pairs(pairs) => {
            let length = pairs.len() as i64;
            header(b'*', if resp3 { length } else { 2 * length }, out);
            for (first, second) in pairs {
                if resp3 {
                    header(b'*', 2, out);
                }
                encode(first, protocol, out);
                encode(second, protocol, out);
            }
        }
        Reply::Named(entries) => {
            header(if resp3 { b'%' } else { b'*' }, entries.len() as i64, out);
            for (name, value) in entries {
                if !resp3 {
                    header(b'*', 2, out);
                }
                encode(name, protocol, out);
                encode(value, protocol, out);
            }
        }
        Reply::Verbatim(text) if resp3 => verbatim(*b"txt", text.as_bytes(), out),
        Reply::Verbatim(text) => bulk(text.as_bytes(), out),
        Reply::Formatted(format, text) if resp3 => verbatim(format, &text, out),
        Reply::Formatted(_, text) => bulk(&text, out),
        Reply::Line(text) => line(b'+', &text, out),
        Reply::Error(error) => encode_error(&error, out),
        Reply::Stream(shape, items) => stream(shape, items, protocol, out),
        Reply::Strings(strings) => {
            header(b'*', strings.len() as i64, out);
            strings.iter().for_each(|string| bulk(string, out));
        }
        Reply::Nothing => {}
    }
}

/// Appends an error line. A line end inside the text becomes a space, so that one error is one line;
/// at the end of the text it is left out, as Redis does.
pub fn encode_error(error: &CommandError, out: &mut Vec<u8>) {
    out.push(b'-');
    let start = out.len();
    error.write_to(out);
    while out.ends_with(b"\n") || out.ends_with(b"\r") {
        out.pop();
    }
    for byte in &mut out[start..] {
        if matches!(byte, b'\r' | b'\n') {
            *byte = b' ';
        }
    }
    out.extend_from_slice(b"\r\n");
}

fn verbatim(format: [u8; 3], text: &[u8], out: &mut Vec<u8>) {
    header(b'=', text.len() as i64 + 4, out);
    out.extend_from_slice(&format);
    out.push(b':');
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

fn sequence(mark: u8, items: Vec<Reply<'_>>, protocol: Protocol, out: &mut Vec<u8>) {
    header(mark, items.len() as i64, out);
    for item in items {
        encode(item, protocol, out);
    }
}

fn stream(
    shape: Shape,
    items: Box<dyn ExactSizeIterator<Item = Reply<'_>> + '_>,
    protocol: Protocol,
    out: &mut Vec<u8>,
) {
    let length = items.len() as i64;
    let resp3 = protocol == Protocol::Resp3;
    match shape {
        Shape::Set if resp3 => header(b'~', length, out),
        Shape::Map if resp3 => header(b'%', length / 2, out),
        Shape::Pairs if resp3 => header(b'*', length / 2, out),
        _ => header(b'*', length, out),
    }
    for (index, item) in items.enumerate() {
        if resp3 && shape == Shape::Pairs && index % 2 == 0 {
            header(b'*', 2, out);
        }
        encode(item, protocol, out);
    }
}

fn header(mark: u8, value: i64, out: &mut Vec<u8>) {
    // This is most of what short replies take, and most numbers are lengths of short strings.
    match value {
        0..=9 => out.extend_from_slice(&[mark, b'0' + value as u8, b'\r', b'\n']),
        10..=99 => {
            let (tens, ones) = (value as u8 / 10, value as u8 % 10);
            out.extend_from_slice(&[mark, b'0' + tens, b'0' + ones, b'\r', b'\n']);
        }
        _ => {
            out.push(mark);
            write_integer(value, out);
            out.extend_from_slice(b"\r\n");
        }
    }
}

fn line(mark: u8, text: &[u8], out: &mut Vec<u8>) {
    out.push(mark);
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

fn bulk(bytes: &[u8], out: &mut Vec<u8>) {
    header(b'$', bytes.len() as i64, out);
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

fn bulk_int(value: i64, out: &mut Vec<u8>) {
    let mut digits = [0; INTEGER_BYTES_MAX];
    let start = put_integer(value, &mut digits);
    bulk(&digits[start..], out);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(reply: fn() -> Reply<'static>, resp2: &str, resp3: &str) {
        for (protocol, expected) in [(Protocol::Resp2, resp2), (Protocol::Resp3, resp3)] {
            let mut out = Vec::new();
            encode(reply(), protocol, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected, "{protocol:?}");
        }
    }

    #[test]
    fn each_shape_is_written_in_both_protocols() {
        check(|| Reply::Ok, "+OK\r\n", "+OK\r\n");
        check(|| Reply::Null, "$-1\r\n", "_\r\n");
        check(|| Reply::NullArray, "*-1\r\n", "_\r\n");
        check(|| Reply::Double(1.5), "$3\r\n1.5\r\n", ",1.5\r\n");
        check(|| Reply::LongDouble(2.25), "$4\r\n2.25\r\n", ",2.25\r\n");
        check(|| Reply::Bool(true), ":1\r\n", "#t\r\n");
        check(|| Reply::BulkInt(-10), "$3\r\n-10\r\n", "$3\r\n-10\r\n");
        check(|| Reply::BulkInt(0), "$1\r\n0\r\n", "$1\r\n0\r\n");
        check(
            || Reply::Map(vec![(Reply::text("a"), Reply::Int(1))]),
            "*2\r\n$1\r\na\r\n:1\r\n",
            "%1\r\n$1\r\na\r\n:1\r\n",
        );
        check(
            || Reply::Pairs(vec![(Reply::text("a"), Reply::Int(1))]),
            "*2\r\n$1\r\na\r\n:1\r\n",
            "*1\r\n*2\r\n$1\r\na\r\n:1\r\n",
        );
        check(|| Reply::Set(vec![Reply::Int(1)]), "*1\r\n:1\r\n", "~1\r\n:1\r\n");
        check(|| Reply::Push(vec![Reply::Int(1)]), "*1\r\n:1\r\n", ">1\r\n:1\r\n");
        check(|| Reply::BigNumber(b"123".into()), "$3\r\n123\r\n", "(123\r\n");
        check(
            || {
                let attributes = vec![(Reply::text("a"), Reply::Int(1))];
                Reply::Attributed(attributes, Box::new(Reply::Int(2)))
            },
            ":2\r\n",
            "|1\r\n$1\r\na\r\n:1\r\n:2\r\n",
        );
        check(
            || Reply::Several(vec![Reply::Int(1), Reply::Int(2)]),
            ":1\r\n:2\r\n",
            ":1\r\n:2\r\n",
        );
        check(|| Reply::Verbatim("hi".into()), "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n");
        check(|| Reply::Error(CommandError::text("ERR a\r\nb")), "-ERR a  b\r\n", "-ERR a  b\r\n");
    }
}
