//! A socket with its replies: whoever reads from it first sends what is waiting.
//!
//! So a session never has to think about flushing: as long as requests are buffered replies gather,
//! and the read that would block writes them all at once.

use crate::instance::{ClientRecord, Stats};
use crate::limits;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// One connection's socket.
pub struct Link<'s> {
    stream: &'s TcpStream,
    record: Arc<ClientRecord>,
    stats: &'s Stats,
    /// Replies that were not yet sent.
    pub out: Vec<u8>,
    /// Requests taken in while the peer did not read; read before the socket is.
    backlog: Vec<u8>,
    backlog_read: usize,
    /// Whether replies go through the outbox.
    outbox: bool,
}

impl<'s> Link<'s> {
    pub fn new(stream: &'s TcpStream, record: Arc<ClientRecord>, stats: &'s Stats) -> Self {
        let (out, backlog) = (Vec::new(), Vec::new());
        Self { stream, record, stats, out, backlog, backlog_read: 0, outbox: false }
    }

    /// Sets the socket up: replies leave at once, and a write that gets stuck comes back.
    pub fn prepare(&self) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        self.stream.set_write_timeout(Some(Duration::from_millis(limits::WRITE_STALL_MS)))
    }

    /// Sends replies through the client's outbox from now on.
    pub fn use_outbox(&mut self) {
        self.record.open_outbox();
        self.outbox = true;
    }

    /// Sends the replies that wait.
    ///
    /// A peer may send a long pipeline before it reads its first reply. If we then did nothing but
    /// wait for it to read, it would wait for us to read: so a write that is stuck takes input in.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        self.record.output_bytes.fetch_add(self.out.len() as u64, Ordering::Relaxed);
        self.stats.add_output(self.record.id, self.out.len());
        if self.outbox {
            // Replies are not bounded, as for Redis's normal clients.
            if !self.record.open_outbox().put(&self.out, 0) {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
        } else {
            let mut sent = 0;
            while sent < self.out.len() {
                match self.stream.write(&self.out[sent..]) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(count) => sent += count,
                    Err(error) if is_stall(&error) => self.take_input_in()?,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }
        self.out.clear();
        if self.out.capacity() > limits::IDLE_BUFFER_BYTES_MAX {
            self.out = Vec::new();
        }
        Ok(())
    }

    /// Moves what the peer has sent so far into the backlog, without waiting.
    fn take_input_in(&mut self) -> io::Result<()> {
        self.stream.set_nonblocking(true)?;
        let mut chunk = [0; limits::READ_BUFFER_BYTES];
        let result = loop {
            if self.backlog.len() >= limits::BACKLOG_BYTES_MAX {
                break Err(io::Error::other("the peer sends without reading replies"));
            }
            match self.stream.read(&mut chunk) {
                // The end shows again when everything before it was read.
                Ok(0) => break Ok(()),
                Ok(count) => self.backlog.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.stream.set_nonblocking(false)?;
        result
    }

    fn read_backlog(&mut self, into: &mut [u8]) -> usize {
        let rest = &self.backlog[self.backlog_read..];
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        self.backlog_read += count;
        if self.backlog_read == self.backlog.len() {
            (self.backlog, self.backlog_read) = (Vec::new(), 0);
        }
        count
    }
}

impl Read for Link<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        // Replies to what is in the backlog would only make the peer's backlog longer.
        if self.backlog.is_empty() {
            self.flush()?;
        }
        let count = match self.read_backlog(into) {
            0 => self.stream.read(into)?,
            count => count,
        };
        self.record.input_bytes.fetch_add(count as u64, Ordering::Relaxed);
        self.stats.add_input(self.record.id, count);
        Ok(count)
    }
}

/// Whether a write came back because the peer does not read.
fn is_stall(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Writes everything, however slowly the peer reads; it ends when the socket is shut.
pub fn write_patiently(mut stream: &TcpStream, bytes: &[u8]) -> io::Result<()> {
    let mut sent = 0;
    while sent < bytes.len() {
        match stream.write(&bytes[sent..]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => sent += count,
            Err(error) if is_stall(&error) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
