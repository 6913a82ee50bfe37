//! Streams, as Redis 7.0 writes them.

use super::{Encoder, length};
use crate::value::Stream;
use crate::value::stream::{Group, StreamId};
use std::io::{self, Write};

impl Encoder {
    pub(super) fn stream(&mut self, stream: &Stream, out: &mut impl Write) -> io::Result<()> {
        length(stream.nodes().len() as u64, out)?;
        for (base, node) in stream.nodes() {
            self.string(&base.to_bytes(), out)?;
            self.string(node.pack().as_bytes(), out)?;
        }
        length(stream.len() as u64, out)?;
        for StreamId { ms, sequence } in [stream.last_id, stream.first_id(), stream.max_deleted_id]
        {
            length(ms, out)?;
            length(sequence, out)?;
        }
        length(stream.entries_added, out)?;
        length(stream.groups.len() as u64, out)?;
        stream.groups.iter().try_for_each(|(name, group)| {
            self.string(name, out)?;
            self.group(group, out)
        })
    }

    fn group(&mut self, group: &Group, out: &mut impl Write) -> io::Result<()> {
        length(group.last_id.ms, out)?;
        length(group.last_id.sequence, out)?;
        // What is not known is -1 in 64 bits.
        length(group.entries_read.unwrap_or(-1) as u64, out)?;
        length(group.pending().len() as u64, out)?;
        for (id, pending) in group.pending() {
            out.write_all(&id.to_bytes())?;
            out.write_all(&pending.delivered_ms.to_le_bytes())?;
            length(pending.deliveries, out)?;
        }
        length(group.consumers().len() as u64, out)?;
        for consumer in group.consumers() {
            self.string(&consumer.name, out)?;
            out.write_all(&consumer.seen_ms.to_le_bytes())?;
            length(consumer.pending().len() as u64, out)?;
            consumer.pending().iter().try_for_each(|id| out.write_all(&id.to_bytes()))?;
        }
        Ok(())
    }
}
