//! A plain client: what is sent is what the test says, byte for byte.

use super::reply::{Reply, read_reply};
use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

pub struct Client {
    reader: BufReader<TcpStream>,
}

/// Long enough for a busy machine; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).expect("the server listens"))
    }

    pub fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { reader: BufReader::new(stream) }
    }

    pub fn stream(&self) -> &TcpStream {
        self.reader.get_ref()
    }

    pub fn reader(&mut self) -> &mut BufReader<TcpStream> {
        &mut self.reader
    }

    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.reader.get_mut().write_all(bytes)
    }

    pub fn read(&mut self) -> io::Result<Reply> {
        read_reply(&mut self.reader)
    }

    /// Everything up to the end of the connection.
    pub fn read_to_end(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.reader.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    pub fn request(&mut self, words: &[impl AsRef<[u8]>]) -> io::Result<Reply> {
        self.send(&frame(words))?;
        self.read()
    }

    /// The reply to a command written as one would type it, in text form.
    pub fn ask(&mut self, line: &str) -> String {
        let words = redist::protocol::split_inline(line.as_bytes()).expect("quotes balance");
        self.request(&words).expect("a reply comes").to_string()
    }

    /// Bytes that came without having been asked for.
    pub fn unexpected(&mut self) -> Option<Vec<u8>> {
        let mut bytes = self.reader.buffer().to_vec();
        let stream = self.reader.get_mut();
        stream.set_nonblocking(true).unwrap();
        let mut chunk = [0; 1024];
        if let Ok(count) = stream.read(&mut chunk) {
            bytes.extend_from_slice(&chunk[..count]);
        }
        stream.set_nonblocking(false).unwrap();
        (!bytes.is_empty()).then_some(bytes)
    }
}

/// A request as an array of bulk strings.
pub fn frame(words: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        let word = word.as_ref();
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Sends requests, many at a time, and expects no error in reply.
pub fn load(client: &mut Client, requests: impl Iterator<Item = Vec<u8>>) {
    /// Few enough for both sides' socket buffers to hold the replies until they are read.
    const PIPELINED: usize = 500;
    let mut requests = requests.peekable();
    while requests.peek().is_some() {
        let batch: Vec<Vec<u8>> = requests.by_ref().take(PIPELINED).collect();
        client.send(&batch.concat()).expect("the server reads");
        for _ in &batch {
            let reply = client.read().expect("the server answers").to_string();
            assert!(!reply.starts_with('-'), "{reply}");
        }
    }
}
