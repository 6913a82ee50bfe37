//! Ids of stream entries as arguments and as replies.

use crate::error::CommandError;
use crate::protocol::Reply;
use crate::value::stream::{StreamId, WrittenId};

/// An id as a reply.
pub(super) fn reply<'v>(id: StreamId) -> Reply<'v> {
    Reply::text(id.to_string())
}

/// An id that says when; `sequence` is taken where it does not say more.
pub(super) fn strict(text: &[u8], sequence: u64) -> Result<StreamId, CommandError> {
    match StreamId::parse(text) {
        Some(WrittenId::Full(id)) => Ok(id),
        Some(WrittenId::Milliseconds(ms)) => Ok(StreamId { ms, sequence }),
        Some(WrittenId::AnySequence(_)) | None => Err(CommandError::STREAM_ID),
    }
}

/// The same, or `-` for the first and `+` for the last there can be.
fn bound(text: &[u8], sequence: u64) -> Result<StreamId, CommandError> {
    match text {
        b"-" => Ok(StreamId::MIN),
        b"+" => Ok(StreamId::MAX),
        text => strict(text, sequence),
    }
}

/// Where a range starts: behind an id that stands behind `(`.
pub(super) fn start(text: &[u8]) -> Result<StreamId, CommandError> {
    match text {
        [b'(', text @ ..] if !text.is_empty() => {
            strict(text, 0)?.next().ok_or(CommandError::STREAM_RANGE_START)
        }
        text => bound(text, 0),
    }
}

/// Where a range ends: before an id that stands behind `(`.
pub(super) fn end(text: &[u8]) -> Result<StreamId, CommandError> {
    match text {
        [b'(', text @ ..] if !text.is_empty() => {
            strict(text, u64::MAX)?.previous().ok_or(CommandError::STREAM_RANGE_END)
        }
        text => bound(text, u64::MAX),
    }
}
