//! What clients are sent without having asked: formatted once for all who get it, and how it lies
//! in the queue of each.
//!
//! A small notice is copied into the queue, which costs less than keeping count of who shares it; a
//! large one is shared, so that a message of a megabyte to a thousand subscribers takes a megabyte.

use crate::limits;
use crate::protocol::{Protocol, Reply, encode};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;

/// Something that is sent to clients that have not asked for it.
#[derive(Debug, Clone)]
pub struct Notice {
    bytes: Arc<[u8]>,
    form: Form,
}

/// What a notice is for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The bytes as they are.
    Line,
    /// A byte comes before them that tells a push from an array.
    Push,
    /// The same, and nothing at all for a client that knows no pushes.
    PushOnly,
}

impl Notice {
    /// A push, which in RESP2 is an array. Clients get its items in this protocol, whatever they speak:
    /// strings and integers look alike in both.
    pub fn push(items: Vec<Reply<'_>>, protocol: Protocol) -> Self {
        let mut bytes = Vec::new();
        encode(Reply::Push(items), protocol, &mut bytes);
        Self { bytes: bytes[1..].into(), form: Form::Push }
    }

    /// The same, which in RESP2 is nothing at all.
    pub fn push_only(items: Vec<Reply<'_>>, protocol: Protocol) -> Self {
        Self { form: Form::PushOnly, ..Self::push(items, protocol) }
    }

    /// Bytes that are sent as they are.
    pub fn line(bytes: &[u8]) -> Self {
        Self { bytes: bytes.into(), form: Form::Line }
    }

    /// Its length in bytes as it is sent.
    pub fn len(&self) -> usize {
        self.bytes.len() + usize::from(self.form != Form::Line)
    }

    /// Whether nothing would be sent.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Bytes in the order in which they are to be sent.
#[derive(Debug, Default)]
pub struct Outgoing {
    /// None is empty but the last, which is kept for its room.
    pieces: VecDeque<Piece>,
    /// How much of the first piece is sent.
    sent: usize,
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

/// Pieces that one call to the system sends.
const SLICES_MAX: usize = 16;

impl Outgoing {
    /// Appends a copy of bytes.
    pub fn append(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.len += bytes.len();
        match self.pieces.back_mut() {
            Some(Piece::Own(own)) => own.extend_from_slice(bytes),
            _ => self.pieces.push_back(Piece::Own(bytes.to_vec())),
        }
    }

    /// Appends a notice for a client that speaks this.
    pub fn push(&mut self, notice: &Notice, protocol: Protocol) {
        match notice.form {
            Form::Line => {}
            Form::PushOnly if !protocol.has_pushes() => return,
            Form::Push | Form::PushOnly => self.append(&[protocol.push_mark()]),
        }
        if notice.bytes.len() < limits::SHARED_NOTICE_BYTES_MIN {
            self.append(&notice.bytes);
            return;
        }
        if self.is_empty() {
            self.pieces.clear();
        }
        self.len += notice.bytes.len();
        self.pieces.push_back(Piece::Shared(Arc::clone(&notice.bytes)));
    }

    /// Appends everything of another, of which nothing is sent.
    pub fn append_all(&mut self, other: Self) {
        if self.is_empty() {
            self.pieces.clear();
        }
        self.len += other.len;
        self.pieces.extend(other.pieces);
    }

    /// Number of bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Sends as much as `write` takes at once, and forgets it; how many bytes that were.
    ///
    /// # Errors
    /// Those of `write`, and that it takes nothing.
    pub fn send_some(
        &mut self,
        write: impl FnOnce(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let mut used = 0;
        for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
            let skip = if used == 0 { self.sent } else { 0 };
            *slice = IoSlice::new(&piece.bytes()[skip..]);
            used += 1;
        }
        match write(&slices[..used])? {
            0 => Err(io::ErrorKind::WriteZero.into()),
            count => {
                self.advance(count);
                Ok(count)
            }
        }
    }

    fn advance(&mut self, count: usize) {
        self.len -= count;
        if self.len == 0 {
            self.forget_sent();
            return;
        }
        self.sent += count;
        while let Some(first) = self.pieces.front()
            && self.sent >= first.bytes().len()
        {
            self.sent -= first.bytes().len();
            self.pieces.pop_front();
        }
    }

    /// Everything is sent: a little room is kept.
    fn forget_sent(&mut self) {
        self.sent = 0;
        let last = self.pieces.pop_back();
        self.pieces.clear();
        if let Some(Piece::Own(mut own)) = last {
            own.clear();
            own.shrink_to(limits::IDLE_OUTBOX_BYTES_MAX);
            self.pieces.push_back(Piece::Own(own));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything, sent a few bytes at a time.
    fn sent(outgoing: &mut Outgoing) -> Vec<u8> {
        let mut sent = Vec::new();
        while !outgoing.is_empty() {
            let before = outgoing.len();
            let count = outgoing.send_some(|slices| {
                let bytes: Vec<u8> =
                    slices.iter().flat_map(|slice| slice.iter().copied()).collect();
                sent.extend_from_slice(&bytes[..bytes.len().min(7)]);
                Ok(bytes.len().min(7))
            });
            assert_eq!(outgoing.len(), before - count.unwrap());
        }
        sent
    }

    #[test]
    fn copied_and_shared_pieces_are_sent_in_order() {
        let small = Notice::push(vec![Reply::bulk(&b"small"[..])], Protocol::Resp2);
        let text = vec![b'x'; limits::SHARED_NOTICE_BYTES_MIN];
        let large = Notice::push(vec![Reply::bulk(&text[..])], Protocol::Resp2);
        let mut outgoing = Outgoing::default();
        for _ in 0..2 {
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
            let shared = outgoing.pieces.iter().filter(|piece| matches!(piece, Piece::Shared(_)));
            assert_eq!(shared.count(), 2);
            assert_eq!(sent(&mut outgoing), expected);
        }
        outgoing.push(&Notice::line(&text), Protocol::Resp2);
        assert_eq!(sent(&mut outgoing), text);
        outgoing.append(b"again");
        assert_eq!(sent(&mut outgoing), b"again");
    }

    #[test]
    fn a_connection_that_takes_nothing_is_an_error() {
        let mut outgoing = Outgoing::default();
        outgoing.append(b"x");
        let error = outgoing.send_some(|_| Ok(0)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WriteZero);
    }
}
