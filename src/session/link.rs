//! A socket with its replies: whoever reads from it first sends what is waiting.
//!
//! So a session never has to think about flushing: as long as requests are buffered replies gather,
//! and the read that would block writes them all at once.

use super::Socket;
use crate::instance::{ClientRecord, Habit, Instance, Outgoing, Put};
use crate::limits;
use std::io::{self, Read, Write};
use std::mem;
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// One connection's socket.
pub struct Link<'s> {
    socket: &'s Socket,
    record: Arc<ClientRecord>,
    instance: &'s Instance,
    /// Replies that were not yet sent.
    pub out: Vec<u8>,
    /// Requests taken in while the peer did not read; read before the socket is.
    backlog: Vec<u8>,
    backlog_read: usize,
    /// Whether the outbox holds what others send until the next replies are in it.
    holding: bool,
    /// What waited in the outbox, while we are the one who sends it.
    outgoing: Outgoing,
    /// Bytes of requests that were not yet answered.
    unanswered_bytes: usize,
    /// Whether it pays to stay awake for the client.
    habit: Habit,
}

const STALL_MIN: Duration = Duration::from_millis(limits::WRITE_STALL_MS_MIN);
const STALL_MAX: Duration = Duration::from_millis(limits::WRITE_STALL_MS_MAX);
const GLANCE: Duration = Duration::from_millis(limits::GLANCE_MS);

impl<'s> Link<'s> {
    pub fn new(socket: &'s Socket, record: Arc<ClientRecord>, instance: &'s Instance) -> Self {
        Self {
            socket,
            record,
            instance,
            out: Vec::new(),
            backlog: Vec::new(),
            backlog_read: 0,
            holding: false,
            outgoing: Outgoing::default(),
            unanswered_bytes: 0,
            habit: Habit::default(),
        }
    }

    /// Sets the socket up: replies leave at once, and a write that gets stuck comes back.
    pub fn prepare(&self) -> io::Result<()> {
        self.socket.stream.set_nodelay(true)?;
        self.socket.stream.set_write_timeout(Some(STALL_MIN))
    }

    /// Lets what others send wait for the reply to the command that runs next.
    pub fn begin_command(&mut self) {
        if self.record.listens() && !self.holding {
            self.record.outbox().hold();
            self.holding = true;
        }
    }

    /// Sends the reply to a command that has made others send something, and that behind it. Otherwise
    /// it goes out together with the next replies.
    pub fn end_command(&mut self) -> io::Result<()> {
        if !self.record.listens() {
            return Ok(());
        }
        // If it was the command that asked for it, the outbox has begun to hold as well.
        self.holding = true;
        if self.record.outbox().has_held() { self.flush() } else { Ok(()) }
    }

    /// Says that a request was answered and that so many bytes were read beyond it.
    pub fn answered(&mut self, read_bytes: usize) {
        self.unanswered_bytes = read_bytes + self.backlog.len() - self.backlog_read;
        self.record.query_bytes.set_count(self.unanswered_bytes);
    }

    /// Sends the replies that wait.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.out.is_empty() && !self.holding {
            return Ok(());
        }
        let peak = self.record.reply_peak_bytes.get().max(self.out.len() as u64);
        self.record.reply_peak_bytes.set(peak);
        self.record.reply_room_bytes.set_count(self.out.capacity());
        // Noted first: who has got the reply may ask at once how long the client has been idle.
        self.record.active_ms.set(self.instance.now_ms());
        let stuck = self.send()?;
        if stuck {
            self.record.reply_bytes.set(0);
            self.record.active_ms.set(self.instance.now_ms());
        }
        self.out.clear();
        if self.out.capacity() > limits::IDLE_BUFFER_BYTES_MAX {
            self.out = Vec::new();
            self.record.reply_room_bytes.set(0);
            self.record.reply_peak_bytes.set(0);
        }
        Ok(())
    }

    /// Sends the replies in turn with what others send. Whether that got stuck in between.
    fn send(&mut self) -> io::Result<bool> {
        let record = Arc::clone(&self.record);
        let mut patience = STALL_MIN;
        let mut stuck = false;
        loop {
            let bytes_max = limits::OUTBOX_REPLY_BYTES_MAX;
            let (protocol, into) = (record.speaks(), &mut self.outgoing);
            let put = record.outbox().reply(&self.out, protocol, bytes_max, patience, into);
            match put {
                Put::Closed => return Err(io::ErrorKind::BrokenPipe.into()),
                Put::Full => {
                    stuck = true;
                    record.reply_bytes.set_count(self.out.len());
                    patience = self.wait_longer(patience)?;
                    continue;
                }
                Put::ToSend if self.outgoing.is_empty() => stuck |= self.send_replies()?,
                Put::ToSend => stuck |= self.send_outgoing()?,
                Put::Queued | Put::ToPost => record.see_to(put),
            }
            self.holding = false;
            return Ok(stuck);
        }
    }

    /// Sends the replies as they are, since nothing else waits.
    fn send_replies(&mut self) -> io::Result<bool> {
        let out = mem::take(&mut self.out);
        let mut sent = 0;
        let result = self.write_all(out.len(), |mut stream| {
            let count = stream.write(&out[sent..])?;
            sent += count;
            Ok(count)
        });
        self.out = out;
        self.has_sent();
        result
    }

    /// Sends the replies together with what waited in the outbox.
    fn send_outgoing(&mut self) -> io::Result<bool> {
        let mut outgoing = mem::take(&mut self.outgoing);
        let result = self.write_all(outgoing.len(), |mut stream| {
            outgoing.send_some(|slices| stream.write_vectored(slices))
        });
        if result.is_ok() {
            self.outgoing = outgoing;
        }
        self.has_sent();
        result
    }

    /// Leaves what others have sent meanwhile to the postman, since we may be about to wait.
    fn has_sent(&self) {
        self.record.see_to(self.record.outbox().sent());
        self.instance.post.wake();
    }

    /// Sends what the outbox holds when everything is over.
    pub fn empty_outbox(&mut self) -> io::Result<()> {
        let mut rest = Outgoing::default();
        self.record.outbox().end(&mut rest);
        self.write_all(rest.len(), |mut stream| {
            rest.send_some(|slices| stream.write_vectored(slices))
        })?;
        Ok(())
    }

    /// Writes so many bytes with `write`. Whether it got stuck in between.
    ///
    /// A peer may send a long pipeline before it reads its first reply. If we then did nothing but
    /// wait for it to read, it would wait for us to read: so a write that is stuck takes input in.
    fn write_all(
        &mut self,
        bytes: usize,
        mut write: impl FnMut(&TcpStream) -> io::Result<usize>,
    ) -> io::Result<bool> {
        let (mut sent, mut patience) = (0, STALL_MIN);
        let mut stuck = false;
        while sent < bytes {
            match write(&self.socket.stream) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => sent += count,
                Err(error) if is_stall(&error) => {
                    stuck = true;
                    self.record.reply_bytes.set_count(bytes - sent);
                    let next = self.wait_longer(patience)?;
                    if next != patience {
                        self.socket.stream.set_write_timeout(Some(next))?;
                    }
                    patience = next;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        count_output(self.instance, &self.record, sent);
        if patience != STALL_MIN {
            self.socket.stream.set_write_timeout(Some(STALL_MIN))?;
        }
        Ok(stuck)
    }

    /// Takes input in after a write was stuck for so long; how long it may be stuck the next time. A
    /// peer that neither reads nor sends is looked at ever more rarely.
    fn wait_longer(&mut self, patience: Duration) -> io::Result<Duration> {
        let sends = self.take_input_in()?;
        Ok(if sends { STALL_MIN } else { (patience * 2).min(STALL_MAX) })
    }

    /// Moves what the peer has sent so far into the backlog. Whether there was anything.
    fn take_input_in(&mut self) -> io::Result<bool> {
        let mut chunk = [0; limits::READ_BUFFER_BYTES];
        let mut taken = 0;
        // A time limit rather than non-blocking mode, which would hold for the writer thread as well.
        self.socket.stream.set_read_timeout(Some(GLANCE))?;
        let result = loop {
            if self.backlog.len() >= limits::BACKLOG_BYTES_MAX {
                break Err(io::Error::other("the peer sends without reading replies"));
            }
            // A peer that never stops sending must not keep us from writing.
            if taken >= limits::GLANCE_BYTES_MAX {
                break Ok(true);
            }
            match (&self.socket.stream).read(&mut chunk) {
                // The end shows again when everything before it was read.
                Ok(0) => break Ok(taken > 0),
                Ok(count) => {
                    self.backlog.extend_from_slice(&chunk[..count]);
                    taken += count;
                }
                Err(error) if is_stall(&error) => break Ok(taken > 0),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        self.socket.stream.set_read_timeout(None)?;
        self.received(taken);
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

    /// Accounts for bytes that came from the socket.
    fn received(&mut self, count: usize) {
        self.unanswered_bytes += count;
        self.record.query_bytes.set_count(self.unanswered_bytes);
        self.record.active_ms.set(self.instance.now_ms());
        self.record.input_bytes.add(count);
        self.instance.stats.add_input(self.record.id, count);
    }
}

impl Read for Link<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        // Replies to what is in the backlog would only make the peer's backlog longer.
        if self.backlog.is_empty() {
            self.flush()?;
        }
        let count = self.read_backlog(into);
        if count > 0 {
            return Ok(count);
        }
        if self.habit.is_worth_a_try(self.instance.vigil.woken_count())
            && let Some(watch) = self.instance.vigil.keep()
        {
            let input = self.socket.read_awake(into, &watch)?;
            self.habit.learn(input.is_some());
            if let Some(count) = input {
                self.received(count);
                return Ok(count);
            }
        }
        loop {
            match (&self.socket.stream).read(into) {
                Ok(count) => {
                    self.instance.vigil.has_woken();
                    self.habit.was_woken();
                    self.received(count);
                    return Ok(count);
                }
                // Somebody else is in a hurry with the socket.
                Err(error) if is_passing(&error) => thread::yield_now(),
                Err(error) => return Err(error),
            }
        }
    }
}

/// Whether a call that waits for nothing may be made again.
pub fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// Whether a call came back because the peer neither reads nor sends.
pub fn is_stall(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Accounts for bytes that went to the socket.
pub fn count_output(instance: &Instance, record: &ClientRecord, count: usize) {
    record.output_bytes.add(count);
    instance.stats.add_output(record.id, count);
}
