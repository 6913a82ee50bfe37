//! One connection: read a request, execute it, write the reply.
//!
//! A session runs on a thread of its own and is the only one that reads from or writes to its
//! socket, but for the writer thread that it starts itself when others want to send to its client.

mod link;
mod postman;

pub use postman::serve_all as deliver_post;

use crate::execute::{Batch, Execution, execute};
use crate::instance::{Client, ClientRecord, Closing, Instance, ReplyMode, Watch, Wire};
use crate::limits;
use crate::protocol::{Frame, ReadError, RequestLimits, read_request};
use link::Link;
use std::io::{self, BufRead, BufReader, IoSlice, Read, Write};
use std::mem;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A socket as its session and other threads use it.
struct Socket {
    stream: TcpStream,
    /// Held while the socket is in non-blocking mode.
    hurrying: Mutex<()>,
}

impl Wire for Arc<Socket> {
    fn shut_input(&self) {
        // It fails when the peer was faster; then there is nothing left to shut.
        let _ = self.stream.shutdown(Shutdown::Read);
    }

    fn shut(&self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    fn write_at_once(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.in_a_hurry(|mut stream| stream.write_vectored(slices))
    }

    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        loop {
            match (&self.stream).write_vectored(slices) {
                // Somebody is in a hurry, or the socket still has a time limit.
                Err(error) if link::is_stall(&error) => self.stream.set_write_timeout(None)?,
                result => return result,
            }
        }
    }

    fn has_hung_up(&self) -> bool {
        let peeked = self.in_a_hurry(|stream| stream.peek(&mut [0]));
        peeked.map_or_else(|error| !link::is_stall(&error), |count| count == 0)
    }

    fn descriptor(&self) -> Option<i64> {
        #[cfg(unix)]
        return Some(i64::from(std::os::fd::AsRawFd::as_raw_fd(&self.stream)));
        #[cfg(not(unix))]
        return None;
    }
}

impl Socket {
    /// Does something with the socket that fails rather than waits. The mode is the socket's: whoever
    /// reads or writes meanwhile has to bear with it. It takes no time, unlike a time limit.
    fn in_a_hurry<R>(&self, act: impl FnOnce(&TcpStream) -> io::Result<R>) -> io::Result<R> {
        // One at a time: what one has restored another would rely on.
        let hurrying = self.hurrying.lock().expect("asking a socket does not panic");
        let result = self.stream.set_nonblocking(true).and_then(|()| act(&self.stream));
        let restored = self.stream.set_nonblocking(false);
        drop(hurrying);
        restored.and(result)
    }

    /// Looks for input again and again instead of sleeping; `None` if there was none during the watch.
    fn read_awake(&self, into: &mut [u8], watch: &Watch<'_>) -> io::Result<Option<usize>> {
        self.in_a_hurry(|mut stream| {
            loop {
                match stream.read(into) {
                    Err(error) if link::is_passing(&error) => {}
                    result => return result.map(Some),
                }
                if watch.is_over() {
                    return Ok(None);
                }
                // Whoever has something to do goes first: the client, above all.
                thread::yield_now();
            }
        })
    }
}

/// Serves a connection until either side ends it.
pub fn serve(instance: &Instance, stream: TcpStream, peer: SocketAddr) {
    let local = stream.local_addr().unwrap_or(peer);
    let socket = Arc::new(Socket { stream, hurrying: Mutex::default() });
    let wire = Box::new(Arc::clone(&socket));
    let id = instance.clients.next_id();
    let record = Arc::new(ClientRecord::new(
        id,
        peer,
        local,
        instance.now_ms(),
        wire,
        Arc::clone(&instance.post),
    ));
    name_thread(&record);
    instance.clients.add(Arc::clone(&record));
    // A stop that began before the client was added did not see it.
    if !instance.stop.is_requested() {
        let mut session = Session::new(instance, &socket, Arc::clone(&record));
        match session.run() {
            Ok(()) => log::debug!("Client closed connection {peer}"),
            Err(error) => log::debug!("Connection {peer}: {error}"),
        }
        session.end();
    }
    instance.clients.remove(record.id);
    // Others may hold the record, and with it the socket, for a moment longer.
    record.kill();
}

/// Lets `top -H`, `perf` and `gdb` show which client a thread serves, where threads have names as files.
fn name_thread(record: &ClientRecord) {
    if cfg!(target_os = "linux") {
        let texts = record.texts();
        let name = if texts.name.is_empty() {
            format!("client-{}", record.id)
        } else {
            texts.name.clone()
        };
        // A name that cannot be set is a convenience less.
        let _ = std::fs::write("/proc/thread-self/comm", name);
    }
}

struct Session<'s, 'e> {
    instance: &'e Instance,
    client: Client,
    reader: BufReader<Link<'s>>,
    batch: Batch,
    settings_version: u64,
}

impl<'s, 'e> Session<'s, 'e> {
    fn new(instance: &'e Instance, socket: &'s Socket, record: Arc<ClientRecord>) -> Self
    where
        'e: 's,
    {
        let settings_version = instance.config.version();
        let client = Client::new(Arc::clone(&record), instance.config.settings());
        let link = Link::new(socket, record, instance);
        Self {
            instance,
            client,
            reader: BufReader::with_capacity(limits::READ_BUFFER_BYTES, link),
            batch: Batch::default(),
            settings_version,
        }
    }

    fn run(&mut self) -> io::Result<()> {
        self.reader.get_ref().prepare()?;
        while !self.client.record.is_closing() {
            // What may be sent is what holds when it comes, not what held when we began to wait.
            if self.reader.fill_buf()?.is_empty() {
                break;
            }
            self.refresh_settings();
            let limits = RequestLimits {
                bulk_bytes_max: self.client.settings.proto_max_bulk_len,
                authenticated: !self.client.must_authenticate(),
            };
            match read_request(&mut self.reader, self.batch.first(), limits) {
                Ok(Frame::Request) => self.answer()?,
                Ok(Frame::Empty) => {}
                Ok(Frame::End) => break,
                Err(ReadError::Protocol(error)) => {
                    log::debug!("{error} from client {}", self.client.record.peer);
                    if self.client.reply_mode != ReplyMode::Off {
                        write!(self.reader.get_mut().out, "-{error}\r\n")?;
                    }
                    break;
                }
                Err(ReadError::Io(error)) => return Err(error),
            }
            if self.client.closing.is_some() {
                break;
            }
        }
        if self.client.closing != Some(Closing::AtOnce) {
            self.reader.get_mut().flush()?;
        }
        Ok(())
    }

    /// Looks whether the configuration has changed.
    fn refresh_settings(&mut self) {
        let version = self.instance.config.version();
        if version != self.settings_version {
            self.settings_version = version;
            self.client.settings = self.instance.config.settings();
        }
    }

    /// Executes the request that was read, and those behind it that go with it.
    fn answer(&mut self) -> io::Result<()> {
        let instance = self.instance;
        let _attending = instance.post.attend();
        self.refresh_settings();
        self.client.record.args_bytes.set_count(self.batch.first().bytes());
        self.batch.gather(instance, &self.client, self.reader.buffer());
        let replied = self.run_batch()?;
        self.reader.consume(self.batch.ran_bytes());
        self.client.record.args_bytes.set(0);
        let read_bytes = self.reader.buffer().len();
        let link = self.reader.get_mut();
        link.answered(read_bytes);
        match self.client.reply_mode {
            ReplyMode::On => {}
            ReplyMode::Off => link.out.truncate(replied),
            // The command that asked for it answers nothing anyway.
            ReplyMode::SkipNext => self.client.reply_mode = ReplyMode::SkipThis,
            ReplyMode::SkipThis => {
                link.out.truncate(replied);
                self.client.reply_mode = ReplyMode::On;
            }
        }
        self.check_limit()?;
        self.follow_up()?;
        let link = self.reader.get_mut();
        if link.out.len() > limits::WRITE_BUFFER_BYTES_MAX {
            link.flush()?;
        }
        Ok(())
    }

    /// Ends the connection if more replies wait than its limit allows.
    fn check_limit(&mut self) -> io::Result<()> {
        let record = &self.client.record;
        let limit = record.buffer_limit(&self.client.settings.client_output_buffer_limit);
        let waiting = self.reader.get_ref().out.len() as u64;
        if limit.hard_bytes == 0 || waiting <= limit.hard_bytes {
            return Ok(());
        }
        record.kill_as_too_slow();
        Err(io::ErrorKind::ConnectionAborted.into())
    }

    /// Executes them, after a pause if there is one. Where the reply begins.
    fn run_batch(&mut self) -> io::Result<usize> {
        loop {
            self.reader.get_mut().begin_command();
            let mut out = mem::take(&mut self.reader.get_mut().out);
            let replied = out.len();
            let (batch, behind) = (&mut self.batch, self.reader.buffer());
            let execution = execute(self.instance, &mut self.client, batch, behind, &mut out);
            self.reader.get_mut().out = out;
            match execution {
                Execution::Done => return Ok(replied),
                Execution::AfterReplies => self.reader.get_mut().flush()?,
                Execution::AfterPause => self.wait_out_pause()?,
            }
        }
    }

    /// Sleeps until no pause holds commands any more. An error if the connection ended before.
    fn wait_out_pause(&mut self) -> io::Result<()> {
        self.reader.get_mut().flush()?;
        let rest = || self.instance.pause.rest(self.instance.now_ms());
        while let Some(time) = rest() {
            if !self.client.record.sit_out(time, || rest().is_some()) {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
        }
        Ok(())
    }

    /// Does what a command asked for beyond its reply.
    fn follow_up(&mut self) -> io::Result<()> {
        if !self.client.shown.is_empty() {
            let limits = &self.client.settings.client_output_buffer_limit;
            self.instance.monitors.show(self.client.shown.drain(..), limits);
        }
        if mem::take(&mut self.client.renamed) {
            name_thread(&self.client.record);
        }
        // Others may send something from now on, since the client has asked for it.
        // If there is more to do first a postman does it.
        if self.instance.post.has_clients() && self.reader.buffer().is_empty() {
            postman::serve_few(self.instance);
        }
        self.reader.get_mut().end_command()
    }

    /// Gives up what is not done, and sends what others have sent so far.
    fn end(&mut self) {
        self.instance.discard_transaction(&mut self.client);
        let record = &self.client.record;
        self.instance.forget(record);
        if let Err(error) = self.reader.get_mut().empty_outbox() {
            log::debug!("Connection {}: {error}", record.peer);
        }
    }
}
