//! One connection: read a request, execute it, write the reply.
//!
//! A session runs on a thread of its own and is the only one that reads from or writes to its
//! socket, but for the writer thread that it starts itself when others want to send to its client.

mod link;

use crate::execute::{Execution, execute};
use crate::instance::{Client, ClientRecord, Closing, Instance, Outbox, Outgoing, ReplyMode, Wire};
use crate::limits;
use crate::protocol::{Frame, ReadError, Request, RequestLimits, read_request};
use crossbeam::thread::{Scope, ScopedJoinHandle};
use link::Link;
use std::io::{self, BufRead, BufReader, IoSlice, Write};
use std::mem;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};

/// A socket as other threads may end it.
struct Socket {
    stream: Arc<TcpStream>,
    /// Held while somebody looks whether the peer is there.
    looking: Mutex<()>,
}

impl Wire for Socket {
    fn shut_input(&self) {
        // It fails when the peer was faster; then there is nothing left to shut.
        let _ = self.stream.shutdown(Shutdown::Read);
    }

    fn shut(&self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    fn has_hung_up(&self) -> bool {
        // One at a time: the mode is the socket's, and what one has restored another would rely on. It
        // takes no time, unlike a time limit; the writer thread bears with it.
        let looking = self.looking.lock().expect("asking a socket does not panic");
        let peeked = self.stream.set_nonblocking(true).and_then(|()| self.stream.peek(&mut [0]));
        let restored = self.stream.set_nonblocking(false);
        drop(looking);
        restored.is_err() || peeked.map_or_else(|error| !link::is_stall(&error), |count| count == 0)
    }

    fn descriptor(&self) -> Option<i64> {
        #[cfg(unix)]
        return Some(i64::from(std::os::fd::AsRawFd::as_raw_fd(&*self.stream)));
        #[cfg(not(unix))]
        return None;
    }
}

/// Serves a connection until either side ends it.
pub fn serve<'e>(instance: &'e Instance, stream: TcpStream, peer: SocketAddr, scope: &Scope<'e>) {
    let stream = Arc::new(stream);
    let local = stream.local_addr().unwrap_or(peer);
    let wire = Box::new(Socket { stream: Arc::clone(&stream), looking: Mutex::default() });
    let id = instance.clients.next_id();
    let record = Arc::new(ClientRecord::new(id, peer, local, instance.now_ms(), wire));
    name_thread(&record);
    instance.clients.add(Arc::clone(&record));
    // A stop that began before the client was added did not see it.
    if !instance.stop.is_requested() {
        let mut session = Session::new(instance, &stream, Arc::clone(&record));
        match session.run(scope, &stream) {
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
    request: Request,
    settings_version: u64,
    /// Sends what others and, from then on, we ourselves put into the outbox.
    writer: Option<ScopedJoinHandle<'s, ()>>,
}

impl<'s, 'e> Session<'s, 'e> {
    fn new(instance: &'e Instance, stream: &'s TcpStream, record: Arc<ClientRecord>) -> Self
    where
        'e: 's,
    {
        let settings_version = instance.config.version();
        let client = Client::new(Arc::clone(&record), instance.config.settings());
        let link = Link::new(stream, record, instance);
        Self {
            instance,
            client,
            reader: BufReader::with_capacity(limits::READ_BUFFER_BYTES, link),
            request: Request::default(),
            settings_version,
            writer: None,
        }
    }

    fn run(&mut self, scope: &'s Scope<'e>, stream: &Arc<TcpStream>) -> io::Result<()> {
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
            match read_request(&mut self.reader, &mut self.request, limits) {
                Ok(Frame::Request) => self.answer(scope, stream)?,
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

    /// Executes the request that was read.
    fn answer(&mut self, scope: &'s Scope<'e>, stream: &Arc<TcpStream>) -> io::Result<()> {
        self.refresh_settings();
        self.client.record.args_bytes.set_count(self.request.bytes());
        let replied = self.run_request()?;
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
        self.follow_up(scope, stream)?;
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

    /// Executes the request, after a pause if there is one. Where its reply begins.
    fn run_request(&mut self) -> io::Result<usize> {
        loop {
            self.reader.get_mut().begin_command();
            let out = &mut self.reader.get_mut().out;
            let replied = out.len();
            match execute(self.instance, &mut self.client, &mut self.request, out) {
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
    fn follow_up(&mut self, scope: &'s Scope<'e>, stream: &Arc<TcpStream>) -> io::Result<()> {
        if !self.client.monitor_lines.is_empty() {
            let limits = &self.client.settings.client_output_buffer_limit;
            self.instance.clients.tell_monitors(&self.client.monitor_lines, limits);
            self.client.monitor_lines.clear();
        }
        if mem::take(&mut self.client.renamed) {
            name_thread(&self.client.record);
        }
        // Others may send something from now on, since the client has asked for it.
        if self.client.record.outbox().is_some() {
            self.start_writer(scope, stream)?;
            self.reader.get_mut().end_command()?;
        }
        Ok(())
    }

    /// From now on everything to this client goes through its outbox, so that what others send and
    /// what we reply arrive in order.
    fn start_writer(&mut self, scope: &'s Scope<'e>, stream: &Arc<TcpStream>) -> io::Result<()> {
        if self.writer.is_none() {
            let record = Arc::clone(&self.client.record);
            let stream = Arc::clone(stream);
            let instance = self.instance;
            self.reader.get_mut().use_outbox()?;
            let thread = scope.builder().stack_size(limits::WORKER_STACK_BYTES);
            let writer = thread.spawn(move |_| send_outbox(instance, &record, &stream))?;
            self.writer = Some(writer);
        }
        Ok(())
    }

    /// Gives up what is not done, lets the writer send what is queued and waits for it.
    fn end(&mut self) {
        self.instance.discard_transaction(&mut self.client);
        let record = &self.client.record;
        self.instance.clients.remove_monitor(record.id);
        self.instance.pubsub.leave(record);
        if let Some(writer) = self.writer.take() {
            record.outbox().map(Outbox::close);
            // A writer that panicked has said so already.
            let _ = writer.join();
        }
    }
}

/// A socket that blocks also while somebody else looks whether the peer is there, for which it must not.
struct Patient<'s>(&'s TcpStream);

impl Write for Patient<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        loop {
            match self.0.write_vectored(slices) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The writer thread: sends what is queued until the outbox is closed or the client gone.
fn send_outbox(instance: &Instance, record: &ClientRecord, stream: &TcpStream) {
    let Some(outbox) = record.outbox() else { return };
    let mut bytes = Outgoing::default();
    while outbox.take(&mut bytes) {
        record.active_ms.set(instance.now_ms());
        // However slowly the peer reads: it ends when the socket is shut.
        if bytes.write_to(&mut Patient(stream)).is_err() {
            record.kill();
            outbox.close();
            return;
        }
        link::count_output(instance, record, bytes.len());
        bytes.clear();
    }
}
