//! One connection: read a request, execute it, write the reply.
//!
//! A session runs on a thread of its own and is the only one that reads from or writes to its
//! socket, but for the writer thread that it starts itself when others want to send to its client.

mod link;

use crate::execute::execute;
use crate::instance::{Client, ClientRecord, Closing, Instance, Outbox, ReplyMode, Wire};
use crate::limits;
use crate::protocol::{Frame, ReadError, Request, RequestLimits, read_request};
use crossbeam::thread::{Scope, ScopedJoinHandle};
use link::Link;
use std::io::{self, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A socket as other threads may end it.
struct Socket(Arc<TcpStream>);

impl Wire for Socket {
    fn shut_input(&self) {
        // It fails when the peer was faster; then there is nothing left to shut.
        let _ = self.0.shutdown(Shutdown::Read);
    }

    fn shut(&self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }

    fn has_hung_up(&self) -> bool {
        if self.0.set_nonblocking(true).is_err() {
            return true;
        }
        let peeked = self.0.peek(&mut [0]);
        let restored = self.0.set_nonblocking(false);
        match peeked {
            Ok(count) => count == 0 || restored.is_err(),
            Err(error) => error.kind() != io::ErrorKind::WouldBlock || restored.is_err(),
        }
    }
}

/// Serves a connection until either side ends it.
pub fn serve<'e>(instance: &'e Instance, stream: TcpStream, peer: SocketAddr, scope: &Scope<'e>) {
    let stream = Arc::new(stream);
    let local = stream.local_addr().unwrap_or(peer);
    let wire = Box::new(Socket(Arc::clone(&stream)));
    let record = Arc::new(ClientRecord::new(instance.clients.next_id(), peer, local, wire));
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
        let link = Link::new(stream, record, &instance.stats);
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
                    let link = self.reader.get_mut();
                    write!(link.out, "-{error}\r\n")?;
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

    /// Executes the request that was read.
    fn answer(&mut self, scope: &'s Scope<'e>, stream: &Arc<TcpStream>) -> io::Result<()> {
        let version = self.instance.config.version();
        if version != self.settings_version {
            self.settings_version = version;
            self.client.settings = self.instance.config.settings();
        }
        let link = self.reader.get_mut();
        let replied = link.out.len();
        execute(self.instance, &mut self.client, &mut self.request, &mut link.out);
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
        if link.out.len() > limits::WRITE_BUFFER_BYTES_MAX {
            link.flush()?;
        }
        if std::mem::take(&mut self.client.renamed) {
            name_thread(&self.client.record);
        }
        if self.client.joins_monitors {
            self.client.joins_monitors = false;
            self.start_writer(scope, stream)?;
            self.instance.clients.add_monitor(Arc::clone(&self.client.record));
        }
        Ok(())
    }

    /// From now on everything to this client goes through its outbox, so that what others send and
    /// what we reply arrive in order.
    fn start_writer(&mut self, scope: &'s Scope<'e>, stream: &Arc<TcpStream>) -> io::Result<()> {
        if self.writer.is_none() {
            let record = Arc::clone(&self.client.record);
            let stream = Arc::clone(stream);
            self.reader.get_mut().use_outbox();
            let thread = scope.builder().stack_size(limits::WORKER_STACK_BYTES);
            let writer = thread.spawn(move |_| send_outbox(&record, &stream))?;
            self.writer = Some(writer);
        }
        self.reader.get_mut().flush()
    }

    /// Lets the writer send what is queued and waits for it.
    fn end(&mut self) {
        let record = &self.client.record;
        self.instance.clients.remove_monitor(record.id);
        if let Some(writer) = self.writer.take() {
            record.outbox().map(Outbox::close);
            // A writer that panicked has said so already.
            let _ = writer.join();
        }
    }
}

/// The writer thread: sends what is queued until the outbox is closed or the client gone.
fn send_outbox(record: &ClientRecord, stream: &TcpStream) {
    let Some(outbox) = record.outbox() else { return };
    let mut bytes = Vec::new();
    while outbox.take(&mut bytes) {
        if link::write_patiently(stream, &bytes).is_err() {
            record.kill();
            outbox.close();
            return;
        }
        record.output_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        bytes.clear();
    }
}
