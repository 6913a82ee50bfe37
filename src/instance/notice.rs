//! What clients are sent without having asked: formatted once for all who get it, and how it lies
//! in the queue of each.
//!
//! A small notice is copied into the queue, which costs less than keeping count of who shares it; a
//! large one is shared, so that a message of a megabyte to a thousand subscribers takes a megabyte.

use crate::limits;
use crate::protocol::{Protocol, Reply, encode};
use std::io::{self, IoSlice, Write};
use std::sync::Arc;

/// Something that is sent to clients that have not asked for it.
#[derive(Debug, Clone)]
pub struct Notice {
    bytes: Arc<[u8]>,
    /// Whether a byte comes before them that tells a push in RESP3 from an array in RESP2.
    is_push: bool,
}

impl Notice {
    /// A push, which in RESP2 is an array. Clients get its items in this protocol, whatever they speak:
    /// strings and integers look alike in both.
    pub fn push(items: Vec<Reply<'_>>, protocol: Protocol) -> Self {
        let mut bytes = Vec::new();
        encode(Reply::Push(items), protocol, &mut bytes);
        Self { bytes: bytes[1..].into(), is_push: true }
    }

    /// Bytes that are sent as they are.
    pub fn line(bytes: &[u8]) -> Self {
        Self { bytes: bytes.into(), is_push: false }
    }

    /// Its length in bytes as it is sent.
    pub fn len(&self) -> usize {
        self.bytes.len() + usize::from(self.is_push)
    }

    /// Whether nothing would be sent.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Bytes in the order in which they are to be sent.
#[derive(Debug, Default)]
pub struct Outgoing {
    pieces: Vec<Piece>,
    len: usize,
}

#[derive(Debug)]
enum Piece {
    Own(Vec<u8>),
    Shared(Arc<[u8]>),
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl Outgoing {
    /// Appends a copy of bytes.
    pub fn append(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.len += bytes.len();
        match self.pieces.last_mut() {
            Some(Piece::Own(own)) => own.extend_from_slice(bytes),
            _ => self.pieces.push(Piece::Own(bytes.to_vec())),
        }
    }

    /// Appends a notice for a client that speaks this.
    pub fn push(&mut self, notice: &Notice, protocol: Protocol) {
        if notice.is_push {
            self.append(&[protocol.push_mark()]);
        }
        if notice.bytes.len() < limits::SHARED_NOTICE_BYTES_MIN {
            self.append(&notice.bytes);
        } else {
            self.len += notice.bytes.len();
            self.pieces.push(Piece::Shared(Arc::clone(&notice.bytes)));
        }
    }

    /// Number of bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Writes everything.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_to(&self, writer: &mut impl Write) -> io::Result<()> {
        if let [piece] = self.pieces.as_slice() {
            return writer.write_all(piece.bytes());
        }
        let mut slices: Vec<IoSlice<'_>> =
            self.pieces.iter().map(|piece| IoSlice::new(piece.bytes())).collect();
        let mut rest = slices.as_mut_slice();
        while !rest.is_empty() {
            match writer.write_vectored(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => IoSlice::advance_slices(&mut rest, count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Forgets everything, and keeps a little room.
    pub fn clear(&mut self) {
        self.len = 0;
        self.pieces.truncate(1);
        match self.pieces.first_mut() {
            Some(Piece::Own(own)) => {
                own.clear();
                own.shrink_to(limits::IDLE_BUFFER_BYTES_MAX);
            }
            _ => self.pieces.clear(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A writer that takes a few bytes at a time.
    struct Trickle(Vec<u8>);

    impl Write for Trickle {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(7);
            self.0.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn copied_and_shared_pieces_are_sent_in_order() {
        let small = Notice::push(vec![Reply::bulk(&b"small"[..])], Protocol::Resp2);
        let text = vec![b'x'; limits::SHARED_NOTICE_BYTES_MIN];
        let large = Notice::push(vec![Reply::bulk(&text[..])], Protocol::Resp2);
        let mut outgoing = Outgoing::default();
        let mut expected = Vec::new();
        for (notice, protocol, mark) in [
            (&small, Protocol::Resp2, b'*'),
            (&large, Protocol::Resp3, b'>'),
            (&large, Protocol::Resp2, b'*'),
            (&small, Protocol::Resp3, b'>'),
        ] {
            outgoing.push(notice, protocol);
            expected.push(mark);
            expected.extend_from_slice(&notice.bytes);
            outgoing.append(b"+OK\r\n");
            expected.extend_from_slice(b"+OK\r\n");
        }
        assert_eq!(outgoing.len(), expected.len());
        let mut written = Trickle(Vec::new());
        outgoing.write_to(&mut written).unwrap();
        assert_eq!(written.0, expected);
        let shared = outgoing.pieces.iter().filter(|piece| matches!(piece, Piece::Shared(_)));
        assert_eq!(shared.count(), 2);
        outgoing.clear();
        assert!(outgoing.is_empty());
        outgoing.append(b"again");
        let mut written = Vec::new();
        outgoing.write_to(&mut written).unwrap();
        assert_eq!(written, b"again");
    }
}
