//! Streams, as Redis 5, 7.0 and 7.2 write them.

use super::super::code::kind;
use super::super::reader::Reader;
use super::{Loaded, listpack};
use crate::value::Stream;
use crate::value::stream::{Group, Node, Pending, StreamId};
use std::collections::BTreeMap;
use std::io::Read;

pub(super) fn read<R: Read>(kind: u8, reader: &mut Reader<R>) -> Loaded<Stream> {
    let mut nodes = BTreeMap::new();
    for _ in 0..reader.count()? {
        let key = reader.owned_string()?;
        let Some(base) = key.try_into().ok().map(StreamId::from_bytes) else {
            return Err(reader.damage("an id of a stream's node has another length"));
        };
        let node = Node::from_pack(listpack(reader)?);
        let node = node.ok_or_else(|| reader.damage("a stream's node is not well formed"))?;
        if nodes.insert(base, node).is_some() {
            return Err(reader.damage("a node of a stream occurs twice"));
        }
    }
    let length = reader.length()?;
    let stream = Stream::from_nodes(nodes, length);
    let mut stream = stream.ok_or_else(|| reader.damage("nodes of a stream contradict it"))?;
    let last_id = id(reader)?;
    if last_id < stream.last_id {
        return Err(reader.damage("a stream has entries behind its last"));
    }
    stream.last_id = last_id;
    if kind == kind::STREAM {
        stream.entries_added = length;
    } else {
        // The first id follows from the entries.
        id(reader)?;
        stream.max_deleted_id = id(reader)?;
        stream.entries_added = reader.length()?;
    }
    for _ in 0..reader.count()? {
        let name = reader.owned_string()?;
        let group = group(kind, &stream, reader)?;
        if stream.groups.insert(name.into(), group).is_some() {
            return Err(reader.damage("a group of a stream occurs twice"));
        }
    }
    Ok(stream)
}

fn id<R: Read>(reader: &mut Reader<R>) -> Loaded<StreamId> {
    Ok(StreamId { ms: reader.length()?, sequence: reader.length()? })
}

fn raw_id<R: Read>(reader: &mut Reader<R>) -> Loaded<StreamId> {
    reader.array().map(StreamId::from_bytes)
}

fn group<R: Read>(kind: u8, stream: &Stream, reader: &mut Reader<R>) -> Loaded<Group> {
    let last_id = id(reader)?;
    let entries_read = if kind == kind::STREAM {
        stream.entries_up_to(last_id)
    } else {
        // What is not known is -1 in 64 bits.
        i64::try_from(reader.length()?).ok()
    };
    let mut group = Group::new(last_id, entries_read);
    let mut waiting = BTreeMap::new();
    for _ in 0..reader.count()? {
        let id = raw_id(reader)?;
        let delivery = (i64::from_le_bytes(reader.array()?), reader.length()?);
        if waiting.insert(id, delivery).is_some() {
            return Err(reader.damage("an entry waits twice in a group"));
        }
    }
    for _ in 0..reader.count()? {
        let name = reader.owned_string()?;
        let seen_ms = i64::from_le_bytes(reader.array()?);
        let active_ms = match kind {
            kind::STREAM_3 => i64::from_le_bytes(reader.array()?),
            _ => seen_ms,
        };
        let number = group.add_consumer(&name, seen_ms);
        let number = number.ok_or_else(|| reader.damage("a consumer occurs twice in a group"))?;
        group.consumer_mut(number).active_ms = (active_ms >= 0).then_some(active_ms);
        for _ in 0..reader.count()? {
            let id = raw_id(reader)?;
            let Some((delivered_ms, deliveries)) = waiting.remove(&id) else {
                return Err(reader.damage("an entry waits for a consumer but not in its group"));
            };
            group.assign(id, Pending { consumer: number, delivered_ms, deliveries });
        }
    }
    if waiting.is_empty() {
        Ok(group)
    } else {
        Err(reader.damage("an entry waits in a group but for no consumer"))
    }
}
