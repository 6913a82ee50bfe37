//! What a client has pipelined, looked at before its turn comes.

use crate::command::find_full_name;
use crate::keyspace::Keyspace;
use crate::limits;
use crate::protocol::SmallRequest;

/// Which of the requests that are here were looked at already.
#[derive(Default)]
pub struct Ahead {
    left: usize,
}

impl Ahead {
    /// Has the keys of the requests in these bytes [brought closer](Keyspace::warm), unless that was done
    /// before. Called before each request that is here already.
    pub fn look(&mut self, bytes: &[u8], db: usize, keyspace: &Keyspace) {
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            return;
        }
        let mut hashes = [0; limits::LOOK_AHEAD_REQUESTS];
        let (mut key_count, mut rest) = (0, bytes);
        for _ in 0..limits::LOOK_AHEAD_REQUESTS {
            let Some(mut args) = SmallRequest::begin(rest) else { break };
            let found = args.next().and_then(find_full_name);
            let index = found.and_then(|found| found.spec.keys.only_index());
            if let Some(key) = index.and_then(|index| args.nth(index - 1)) {
                hashes[key_count] = keyspace.hash(key);
                key_count += 1;
            }
            let Some(behind) = args.behind() else { break };
            rest = behind;
            self.left += 1;
        }
        // This is about to be read.
        self.left = self.left.saturating_sub(1);
        if key_count > 1 {
            keyspace.warm(db, &hashes[..key_count]);
        }
    }
}
