//! What a client has pipelined, looked at before its turn comes.

use crate::command::find_name;
use crate::keyspace::Keyspace;
use crate::limits;
use crate::protocol::SmallRequest;

/// The hashes of the keys of requests that are here already.
#[derive(Default)]
pub struct Ahead {
    hashes: [Option<u64>; limits::WARMED_TOGETHER],
    count: usize,
    next: usize,
}

impl Ahead {
    /// The hash of the [only key](crate::command::Keys::only_index) of the request that these bytes begin
    /// with, as far as a look tells. Called before each request that is here already: every so many have
    /// their keys [brought closer](Keyspace::warm) together.
    pub fn look(&mut self, bytes: &[u8], db: usize, keyspace: &Keyspace) -> Option<u64> {
        if self.next == self.count {
            self.look_at(bytes, keyspace);
            let hashes = self.hashes[..self.count].iter().flatten();
            if hashes.clone().count() > 1 {
                keyspace.warm(db, hashes.copied());
            }
        }
        let hash = *self.hashes[..self.count].get(self.next)?;
        self.next += 1;
        hash
    }

    fn look_at(&mut self, mut bytes: &[u8], keyspace: &Keyspace) {
        (self.count, self.next) = (0, 0);
        for hash in &mut self.hashes {
            let Some(mut args) = SmallRequest::begin(bytes) else { break };
            let found = args.next().and_then(find_name);
            let index = found.and_then(|found| found.spec.keys.only_index());
            let key = index.and_then(|index| args.nth(index - 1));
            *hash = key.map(|key| keyspace.hash(key));
            let Some(behind) = args.behind() else { break };
            bytes = behind;
            self.count += 1;
        }
    }
}
