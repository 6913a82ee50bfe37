//! Requests: arrays of bulk strings, or a line that a person typed.
//!
//! The reader asks for bytes only when a request is incomplete, so everything that a client
//! pipelined is read without another system call. A length that a client claims is compared with
//! limits and otherwise believed only as far as bytes arrive.

use super::number::parse_integer;
use crate::error::ProtocolError;
use crate::limits;
use std::io::{self, BufRead, Read};
use std::mem;

/// One argument, as bytes in the request's arena or, when large, in an allocation of its own.
#[derive(Debug)]
pub enum Arg {
    /// Where in the arena it lies.
    Small {
        /// Offset of the first byte.
        start: usize,
        /// Length in bytes.
        len: usize,
    },
    /// A large one, which a command may keep as it is.
    Large(Vec<u8>),
    /// A large one that a command has kept; its beginning stays for the slow log.
    Taken {
        /// The first bytes.
        head: Box<[u8]>,
        /// How long it was, in bytes.
        len: usize,
    },
}

impl Arg {
    /// The bytes; of an argument that was taken, its beginning.
    pub fn bytes<'v>(&'v self, arena: &'v [u8]) -> &'v [u8] {
        match self {
            Self::Small { start, len } => &arena[*start..*start + *len],
            Self::Large(bytes) => bytes,
            Self::Taken { head, .. } => head,
        }
    }

    /// The bytes for keeps: a large argument is moved, a small one copied.
    pub fn take(&mut self, arena: &[u8]) -> Vec<u8> {
        const HEAD_BYTES: usize = 128;
        match self {
            Self::Large(bytes) => {
                let head = bytes[..HEAD_BYTES.min(bytes.len())].into();
                let taken = mem::take(bytes);
                *self = Self::Taken { head, len: taken.len() };
                taken
            }
            other => other.bytes(arena).to_vec(),
        }
    }

    /// Length in bytes, also of an argument that was taken.
    pub fn len(&self) -> usize {
        match self {
            Self::Small { len, .. } | Self::Taken { len, .. } => *len,
            Self::Large(bytes) => bytes.len(),
        }
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A request's arguments, the command's name first. Reused from request to request.
#[derive(Debug, Default)]
pub struct Request {
    arena: Vec<u8>,
    args: Vec<Arg>,
    /// Whether it came as a line, so that somebody typed it.
    pub inline: bool,
    /// Whether commands copy the large arguments that they keep, since somebody wants to see the
    /// request whole afterwards.
    pub whole: bool,
}

impl Request {
    /// A request made in the program, as a test or a replayed log has one.
    pub fn from_args<'a>(args: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut request = Self::default();
        args.into_iter().for_each(|arg| request.push(arg));
        request
    }

    /// Number of arguments, the name included.
    pub fn len(&self) -> usize {
        self.args.len()
    }

    /// Whether there is not even a name.
    pub fn is_empty(&self) -> bool {
        self.args.is_empty()
    }

    /// The bytes of one argument, if there are so many.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        self.args.get(index).map(|arg| arg.bytes(&self.arena))
    }

    /// All arguments with their true lengths, the name first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], usize)> {
        self.args.iter().map(|arg| (arg.bytes(&self.arena), arg.len()))
    }

    /// The arena and the arguments, for a command that takes large ones.
    pub fn parts_mut(&mut self) -> (&[u8], &mut [Arg]) {
        (&self.arena, &mut self.args)
    }

    /// Bytes of all arguments.
    pub fn bytes(&self) -> usize {
        self.args.iter().map(Arg::len).sum()
    }

    /// Bytes of memory that the arguments take.
    pub fn memory_bytes(&self) -> usize {
        self.arena.capacity() + self.args.capacity() * size_of::<Arg>()
    }

    /// Appends an argument.
    pub fn push(&mut self, arg: &[u8]) {
        let start = self.arena.len();
        self.arena.extend_from_slice(arg);
        self.args.push(Arg::Small { start, len: arg.len() });
    }

    /// Takes over the request that these bytes begin with, if all of it is here and its arguments are small:
    /// nearly all are such. Its length in bytes.
    pub fn copy_small(&mut self, bytes: &[u8]) -> Option<usize> {
        self.clear();
        self.inline = false;
        let (count, mut rest) = short_length(bytes, b'*').filter(|(count, _)| *count > 0)?;
        for _ in 0..count {
            let (len, behind) = short_length(rest, b'$')?;
            if len >= limits::LARGE_BULK_BYTES_MIN {
                return None;
            }
            self.args.push(Arg::Small { start: bytes.len() - behind.len(), len });
            // Redis takes any two bytes for the end of the line.
            rest = behind.get(len + 2..)?;
        }
        let length = bytes.len() - rest.len();
        // All of it, so that there is one copy to make.
        self.arena.extend_from_slice(&bytes[..length]);
        Some(length)
    }

    fn clear(&mut self) {
        self.args.clear();
        self.arena.clear();
        if self.arena.capacity() > limits::IDLE_BUFFER_BYTES_MAX {
            self.arena = Vec::new();
        }
        if self.args.capacity() * size_of::<Arg>() > limits::IDLE_BUFFER_BYTES_MAX {
            self.args = Vec::new();
        }
    }
}

/// What a client may send now.
#[derive(Debug, Clone, Copy)]
pub struct RequestLimits {
    /// Longest argument in bytes: the directive `proto-max-bulk-len`.
    pub bulk_bytes_max: i64,
    /// Whether the client is known; an unknown one gets little room.
    pub authenticated: bool,
}

/// How a successful read ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// The request is complete and has a name.
    Request,
    /// An empty line or array, which is no request and gets no reply.
    Empty,
    /// The peer closed the connection, perhaps in the middle of a request.
    End,
}

/// Why no request could be read.
#[derive(Debug)]
pub enum ReadError {
    /// The bytes are no request; the client is told and the connection closed.
    Protocol(ProtocolError),
    /// The connection failed or timed out.
    Io(io::Error),
}

impl From<ProtocolError> for ReadError {
    fn from(error: ProtocolError) -> Self {
        Self::Protocol(error)
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads one request into `request`, which is cleared first.
pub fn read_request<R: BufRead>(
    reader: &mut R,
    request: &mut Request,
    limits: RequestLimits,
) -> Result<Frame, ReadError> {
    let buffer = reader.fill_buf()?;
    let Some(first) = buffer.first() else { return Ok(Frame::End) };
    // The usual case: all of it is here.
    if limits.authenticated
        && let Some(bytes) = request.copy_small(buffer)
    {
        reader.consume(bytes);
        return Ok(Frame::Request);
    }
    request.clear();
    request.inline = *first != b'*';
    if request.inline {
        return read_inline(reader, request);
    }
    let Some(count) = read_length(reader, ProtocolError::TooBigMultibulkCount)? else {
        return Ok(Frame::End);
    };
    let count = match count {
        Length::Number(count) if count <= limits::ARGS_COUNT_MAX => count,
        _ => return Err(ProtocolError::InvalidMultibulkLength.into()),
    };
    if count > limits::UNAUTHENTICATED_ARGS_COUNT_MAX && !limits.authenticated {
        return Err(ProtocolError::UnauthenticatedMultibulkLength.into());
    }
    for _ in 0..count {
        if !read_bulk(reader, request, limits)? {
            return Ok(Frame::End);
        }
    }
    Ok(if count > 0 { Frame::Request } else { Frame::Empty })
}

enum Length {
    Number(i64),
    Invalid,
}

/// A length of few digits behind its mark, and what follows its line.
fn short_length(bytes: &[u8], mark: u8) -> Option<(usize, &[u8])> {
    let value = |digit: u8| usize::from(digit - b'0');
    // No number begins with a zero but zero. Nearly all lengths have one digit or two.
    match *bytes {
        [first, one @ b'0'..=b'9', b'\r', _, ref rest @ ..] if first == mark => {
            Some((value(one), rest))
        }
        [first, ten @ b'1'..=b'9', one @ b'0'..=b'9', b'\r', _, ref rest @ ..] if first == mark => {
            Some((value(ten) * 10 + value(one), rest))
        }
        [first, b'1'..=b'9', ref rest @ ..] if first == mark => {
            const DIGITS_MAX: usize = 5;
            let more = rest.iter().take(DIGITS_MAX).position(|byte| !byte.is_ascii_digit())?;
            let [b'\r', _, rest @ ..] = &rest[more..] else { return None };
            let digits = &bytes[1..more + 2];
            Some((digits.iter().fold(0, |length, digit| length * 10 + value(*digit)), rest))
        }
        _ => None,
    }
}

/// Reads `<mark><digits>\r\n`; the mark was looked at already. `None` at the end of the stream.
fn read_length<R: BufRead>(
    reader: &mut R,
    too_long: ProtocolError,
) -> Result<Option<Length>, ReadError> {
    let parse = |line: &[u8]| parse_integer(&line[1..]).map_or(Length::Invalid, Length::Number);
    let buffer = reader.fill_buf()?;
    // The usual case: the whole line is here.
    if let Some(end) = memchr::memchr(b'\r', buffer)
        && buffer.len() > end + 1
    {
        let length = parse(&buffer[..end]);
        reader.consume(end + 2);
        return Ok(Some(length));
    }
    let mut line = Vec::new();
    if !read_until_within(reader, b'\r', &mut line, too_long)? {
        return Ok(None);
    }
    // Redis takes any byte for the line feed.
    if reader.fill_buf()?.is_empty() {
        return Ok(None);
    }
    reader.consume(1);
    Ok(Some(parse(&line)))
}

/// Reads one `$<length>\r\n<bytes>\r\n` into the request. `false` at the end of the stream.
fn read_bulk<R: BufRead>(
    reader: &mut R,
    request: &mut Request,
    limits: RequestLimits,
) -> Result<bool, ReadError> {
    match reader.fill_buf()?.first() {
        None => return Ok(false),
        Some(b'$') => {}
        Some(other) => {
            // Redis looks at the mark only once the line is complete.
            let other = *other;
            let mut line = Vec::new();
            let complete =
                read_until_within(reader, b'\r', &mut line, ProtocolError::TooBigBulkCount)?;
            return if complete {
                Err(ProtocolError::ExpectedDollar(other).into())
            } else {
                Ok(false)
            };
        }
    }
    let Some(length) = read_length(reader, ProtocolError::TooBigBulkCount)? else {
        return Ok(false);
    };
    let length = match length {
        Length::Number(length) if (0..=limits.bulk_bytes_max).contains(&length) => length,
        _ => return Err(ProtocolError::InvalidBulkLength.into()),
    };
    if length > limits::UNAUTHENTICATED_BULK_BYTES_MAX && !limits.authenticated {
        return Err(ProtocolError::UnauthenticatedBulkLength.into());
    }
    // Checked against bulk_bytes_max, which is a size.
    let length = length as usize;
    let complete = if length >= limits::LARGE_BULK_BYTES_MIN {
        let mut bytes = Vec::new();
        let complete = read_large(reader, length, &mut bytes)?;
        request.args.push(Arg::Large(bytes));
        complete
    } else {
        let start = request.arena.len();
        request.args.push(Arg::Small { start, len: length });
        read_small(reader, length, &mut request.arena)?
    };
    Ok(complete && skip(reader, 2)?)
}

fn read_small<R: BufRead>(reader: &mut R, length: usize, arena: &mut Vec<u8>) -> io::Result<bool> {
    let mut missing = length;
    while missing > 0 {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(false);
        }
        let step = missing.min(buffer.len());
        arena.extend_from_slice(&buffer[..step]);
        reader.consume(step);
        missing -= step;
    }
    Ok(true)
}

/// Reads straight into the allocation that will be stored: as long as what has arrived is short, it
/// grows by a bounded step, then by doubling, and its last growth makes it exactly as long as needed.
fn read_large<R: BufRead>(reader: &mut R, length: usize, bytes: &mut Vec<u8>) -> io::Result<bool> {
    while bytes.len() < length {
        let missing = length - bytes.len();
        let step = missing.min(bytes.len().max(limits::BULK_RESERVE_BYTES_MAX));
        bytes.reserve_exact(step);
        let read = reader.by_ref().take(step as u64).read_to_end(bytes)?;
        if read < step {
            return Ok(false);
        }
    }
    Ok(true)
}

fn skip<R: BufRead>(reader: &mut R, count: usize) -> io::Result<bool> {
    let mut missing = count;
    while missing > 0 {
        let available = reader.fill_buf()?.len();
        if available == 0 {
            return Ok(false);
        }
        let step = missing.min(available);
        reader.consume(step);
        missing -= step;
    }
    Ok(true)
}

/// Appends bytes to `line` until `end`, which is consumed and not kept. `false` at the end of the stream.
fn read_until_within<R: BufRead>(
    reader: &mut R,
    end: u8,
    line: &mut Vec<u8>,
    too_long: ProtocolError,
) -> Result<bool, ReadError> {
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(false);
        }
        if let Some(position) = memchr::memchr(end, buffer) {
            line.extend_from_slice(&buffer[..position]);
            reader.consume(position + 1);
            return Ok(true);
        }
        let step = buffer.len();
        line.extend_from_slice(buffer);
        reader.consume(step);
        if line.len() > limits::LINE_BYTES_MAX {
            return Err(too_long.into());
        }
    }
}

fn read_inline<R: BufRead>(reader: &mut R, request: &mut Request) -> Result<Frame, ReadError> {
    let mut line = Vec::new();
    if !read_until_within(reader, b'\n', &mut line, ProtocolError::TooBigInline)? {
        return Ok(Frame::End);
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    let words = split_inline(&line).ok_or(ProtocolError::UnbalancedQuotes)?;
    words.iter().for_each(|word| request.push(word));
    Ok(if request.is_empty() { Frame::Empty } else { Frame::Request })
}

/// Splits a line into words as Redis's `sdssplitargs`: double quotes with `\n`, `\r`, `\t`, `\b`,
/// `\a`, `\xHH` and `\"`, single quotes with `\'`. `None` for quotes that do not balance.
pub fn split_inline(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    // As a C string: what follows a zero byte is not seen.
    let line = &line[..memchr::memchr(0, line).unwrap_or(line.len())];
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        while let [first, tail @ ..] = rest
            && is_space(*first)
        {
            rest = tail;
        }
        if rest.is_empty() {
            return Some(words);
        }
        let (word, tail) = split_word(rest)?;
        words.push(word);
        rest = tail;
    }
}

fn split_word(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut word = Vec::new();
    loop {
        match rest {
            [] => return Some((word, rest)),
            [b'"', tail @ ..] => {
                rest = split_quoted(tail, b'"', &mut word)?;
                return Some((word, rest));
            }
            [b'\'', tail @ ..] => {
                rest = split_quoted(tail, b'\'', &mut word)?;
                return Some((word, rest));
            }
            [first, tail @ ..] if is_space(*first) => return Some((word, tail)),
            [first, tail @ ..] => {
                word.push(*first);
                rest = tail;
            }
        }
    }
}

/// Reads to the closing quote, which must end the word; gives what follows.
fn split_quoted<'a>(mut rest: &'a [u8], quote: u8, word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        match rest {
            [] => return None,
            [b'\\', b'x', high, low, tail @ ..]
                if quote == b'"' && high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or_default() as u8;
                word.push(digit(*high) * 16 + digit(*low));
                rest = tail;
            }
            [b'\\', escaped, tail @ ..] if quote == b'"' => {
                word.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => *other,
                });
                rest = tail;
            }
            [b'\\', b'\'', tail @ ..] if quote == b'\'' => {
                word.push(b'\'');
                rest = tail;
            }
            [first, tail @ ..] if *first == quote => {
                return match tail {
                    [next, ..] if !is_space(*next) => None,
                    _ => Some(tail),
                };
            }
            [first, tail @ ..] => {
                word.push(*first);
                rest = tail;
            }
        }
    }
}

/// C's `isspace`.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    const LIMITS: RequestLimits =
        RequestLimits { bulk_bytes_max: 512 * 1024 * 1024, authenticated: true };

    fn read_all(bytes: &[u8], capacity: usize) -> (Vec<Vec<Vec<u8>>>, Result<Frame, String>) {
        let mut reader = BufReader::with_capacity(capacity, bytes);
        let mut request = Request::default();
        let mut requests = Vec::new();
        loop {
            match read_request(&mut reader, &mut request, LIMITS) {
                Ok(Frame::Request) => {
                    requests.push(request.iter().map(|(arg, _)| arg.to_vec()).collect());
                }
                Ok(Frame::Empty) => {}
                Ok(Frame::End) => return (requests, Ok(Frame::End)),
                Err(ReadError::Protocol(error)) => return (requests, Err(error.to_string())),
                Err(ReadError::Io(error)) => panic!("{error}"),
            }
        }
    }

    fn words(list: &[&[&str]]) -> Vec<Vec<Vec<u8>>> {
        list.iter()
            .map(|words| words.iter().map(|word| word.as_bytes().to_vec()).collect())
            .collect()
    }

    #[test]
    fn requests_are_read_whatever_the_buffer_cuts() {
        let bytes = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n\r\n*0\r\n*-1\r\nSET a  \"b c\"\r\nPING\n";
        let expected = words(&[&["GET", "k"], &["SET", "a", "b c"], &["PING"]]);
        for capacity in 1..40 {
            assert_eq!(read_all(bytes, capacity), (expected.clone(), Ok(Frame::End)), "{capacity}");
        }
    }

    #[test]
    fn every_prefix_of_a_request_is_an_end_not_an_error() {
        let bytes = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";
        for end in 0..bytes.len() {
            assert_eq!(read_all(&bytes[..end], 16), (vec![], Ok(Frame::End)), "{end}");
        }
    }

    #[test]
    fn a_large_argument_has_an_allocation_of_its_own() {
        let length = 3 * limits::BULK_RESERVE_BYTES_MAX + 17;
        let mut bytes = format!("*2\r\n$3\r\nGET\r\n${length}\r\n").into_bytes();
        bytes.extend(std::iter::repeat_n(b'x', length));
        bytes.extend_from_slice(b"\r\n");
        let mut request = Request::default();
        let frame = read_request(&mut BufReader::new(&bytes[..]), &mut request, LIMITS).unwrap();
        assert_eq!(frame, Frame::Request);
        let (arena, args) = request.parts_mut();
        let value = args[1].take(arena);
        assert_eq!((value.len(), value.capacity()), (length, length));
        assert_eq!((args[1].len(), args[1].bytes(arena).len()), (length, 128));
    }

    #[test]
    fn violations_are_worded_as_redis_words_them() {
        let cases: [(&[u8], &str); 9] = [
            (b"*x\r\n", "invalid multibulk length"),
            (b"*2147483648\r\n", "invalid multibulk length"),
            (b"*1\r\nx3\r\n", "expected '$', got 'x'"),
            (b"*1\r\n$-1\r\n", "invalid bulk length"),
            (b"*1\r\n$536870913\r\n", "invalid bulk length"),
            (b"*1\r\n$x\r\n", "invalid bulk length"),
            (b"a \"b\n", "unbalanced quotes in request"),
            (b"a \"b\"c\n", "unbalanced quotes in request"),
            (b"a 'b\n", "unbalanced quotes in request"),
        ];
        for (bytes, text) in cases {
            let expected = format!("ERR Protocol error: {text}");
            assert_eq!(read_all(bytes, 16), (vec![], Err(expected)));
        }
        let long = vec![b'1'; limits::LINE_BYTES_MAX + 100];
        for (start, text) in [
            (&b"*"[..], "too big mbulk count string"),
            (b"*1\r\n$", "too big bulk count string"),
            (b"", "too big inline request"),
        ] {
            let bytes = [start, &long].concat();
            let expected = format!("ERR Protocol error: {text}");
            assert_eq!(read_all(&bytes, 1024), (vec![], Err(expected)));
        }
    }

    #[test]
    fn an_unknown_client_gets_little_room() {
        let limits = RequestLimits { authenticated: false, ..LIMITS };
        for (bytes, text) in [
            (&b"*11\r\n"[..], ProtocolError::UnauthenticatedMultibulkLength),
            (b"*1\r\n$16385\r\n", ProtocolError::UnauthenticatedBulkLength),
        ] {
            let result = read_request(&mut BufReader::new(bytes), &mut Request::default(), limits);
            assert!(matches!(result, Err(ReadError::Protocol(error)) if error == text));
        }
    }

    #[test]
    fn words_are_split_as_sdssplitargs_does() {
        let cases: [(&str, &[&str]); 7] = [
            ("", &[]),
            ("  a\tb  ", &["a", "b"]),
            (r#""\x41\n\"" 'it\'s'"#, &["A\n\"", "it's"]),
            (r#"a"b""#, &["ab"]),
            (r#""""#, &[""]),
            (r#""\xZZ""#, &["xZZ"]),
            (r"'\n'", &[r"\n"]),
        ];
        for (line, expected) in cases {
            let expected: Vec<_> = expected.iter().map(|word| word.as_bytes().to_vec()).collect();
            assert_eq!(split_inline(line.as_bytes()), Some(expected), "{line}");
        }
    }
}
