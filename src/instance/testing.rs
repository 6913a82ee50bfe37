//! Clients without a socket, for unit tests.

use super::client::{ClientRecord, Wire};
use super::post::Post;
use super::registry::SharedRecord;
use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

struct NoWire;

impl Wire for NoWire {
    fn shut_input(&self) {}
    fn shut(&self) {}
    fn has_hung_up(&self) -> bool {
        false
    }
    fn write_at_once(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(slices.iter().map(|slice| slice.len()).sum())
    }
    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write_at_once(slices)
    }
    fn descriptor(&self) -> Option<i64> {
        None
    }
}

/// A client that nobody reads from.
pub fn record(id: u64, post: &Arc<Post>) -> SharedRecord {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    Arc::new(ClientRecord::new(id, address, address, 0, Box::new(NoWire), Arc::clone(post)))
}
