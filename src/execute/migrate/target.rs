//! A connection to the server that keys are migrated to.

use crate::error::CommandError;
use crate::instance::Instance;
use crate::limits;
use crate::protocol::{Protocol, Reply, encode};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// What the target says to each of several requests: that it is well, or its error.
pub type Answers = Vec<Result<(), String>>;

/// How long a look takes, after which it is seen whether the server is to end.
const LOOK: Duration = Duration::from_millis(limits::MIGRATION_LOOK_MS);

/// Requests that are sent together.
#[derive(Default)]
pub struct Batch {
    bytes: Vec<u8>,
    count: usize,
}

impl Batch {
    /// Adds a request.
    pub fn push<'w>(&mut self, words: impl IntoIterator<Item = &'w [u8]>) {
        let words = words.into_iter().map(|word| Reply::Bulk(word.into())).collect();
        encode(Reply::Array(words), Protocol::Resp2, &mut self.bytes);
        self.count += 1;
    }

    /// How many requests there are.
    pub fn count(&self) -> usize {
        self.count
    }
}

/// The connection.
pub struct Target<'i> {
    replies: BufReader<Line<'i>>,
}

impl<'i> Target<'i> {
    /// Connects to the first address of a host that takes the connection.
    pub fn connect(
        instance: &'i Instance,
        host: &[u8],
        port: &[u8],
        patience: Duration,
    ) -> Result<Self, CommandError> {
        let host = std::str::from_utf8(host).map_err(|_| CommandError::TARGET_UNKNOWN)?;
        let port = std::str::from_utf8(port).ok().and_then(|port| port.parse::<u16>().ok());
        let addresses = (host, port.unwrap_or(0)).to_socket_addrs();
        let addresses = addresses.map_err(|_| CommandError::TARGET_UNKNOWN)?;
        let waiting = Waiting { instance, patience };
        for address in addresses {
            if let Ok(stream) = waiting.patiently(|| TcpStream::connect_timeout(&address, LOOK)) {
                let line = Line { stream, waiting };
                line.prepare().map_err(|_| CommandError::TARGET_WRITING)?;
                return Ok(Self { replies: BufReader::new(line) });
            }
        }
        Err(CommandError::TARGET_WRITING)
    }

    /// Sends requests and reads a reply to each, of which each is a line.
    pub fn ask(&mut self, batch: &Batch) -> Result<Answers, CommandError> {
        let sent = self.replies.get_mut().write_all(&batch.bytes);
        sent.map_err(|_| CommandError::TARGET_WRITING)?;
        (0..batch.count).map(|_| self.answer().map_err(|_| CommandError::TARGET_READING)).collect()
    }

    fn answer(&mut self) -> io::Result<Result<(), String>> {
        let mut line = Vec::new();
        let bytes_max = limits::LINE_BYTES_MAX as u64;
        (&mut self.replies).take(bytes_max).read_until(b'\n', &mut line)?;
        let Some(text) = line.strip_suffix(b"\r\n") else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        Ok(match text.strip_prefix(b"-") {
            Some(error) => Err(String::from_utf8_lossy(error).into_owned()),
            None => Ok(()),
        })
    }
}

/// How long the target may be silent.
#[derive(Clone, Copy)]
struct Waiting<'i> {
    instance: &'i Instance,
    patience: Duration,
}

impl Waiting<'_> {
    /// Does what comes back after a look at the latest again and again until the patience is over, or the
    /// server is to end.
    fn patiently<R>(self, mut act: impl FnMut() -> io::Result<R>) -> io::Result<R> {
        let began = Instant::now();
        loop {
            let goes_on = || began.elapsed() < self.patience && !self.instance.stop.is_requested();
            match act() {
                Err(error) if is_look(&error) && goes_on() => {}
                result => return result,
            }
        }
    }
}

fn is_look(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}

/// The socket, of which no call waits longer than the target may be silent.
struct Line<'i> {
    stream: TcpStream,
    waiting: Waiting<'i>,
}

impl Line<'_> {
    fn prepare(&self) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        self.stream.set_read_timeout(Some(LOOK))?;
        self.stream.set_write_timeout(Some(LOOK))
    }
}

impl Read for Line<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.waiting.patiently(|| (&self.stream).read(into))
    }
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.patiently(|| (&self.stream).write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
