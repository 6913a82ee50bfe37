//! A keyspace as tests use it: time is a number, and each change is a critical section of its own.

use super::{
    AccessMode, Deadline, Effects, Key, Keyspace, LockPlan, Moment, ReadView, Shards, Telling,
    Walk, WriteView, shard_index,
};
use crate::limits;
use crate::value::{EncodingLimits, StringValue};

/// A keyspace of two databases with its clock.
pub struct Bench {
    pub keyspace: Keyspace,
    pub now_ms: u64,
    pub rng: fastrand::Rng,
}

impl Bench {
    /// An empty keyspace at time 0; the seed is for what is chosen at random.
    pub fn new(seed: u64) -> Self {
        let rng = fastrand::Rng::with_seed(seed);
        Self { keyspace: Keyspace::new(2), now_ms: 0, rng }
    }

    fn moment(&mut self) -> Moment {
        Moment {
            now_ms: self.now_ms,
            seed: self.rng.u64(..),
            access: AccessMode::default(),
            encoding: EncodingLimits::default(),
            string_bytes_max: usize::MAX,
            telling: Telling::NOTHING,
            compresses_dumps: false,
        }
    }

    /// Runs a command for keys of database 0 and gives what it recorded besides its result.
    pub fn write_many<R>(
        &mut self,
        keys: &[&[u8]],
        command: impl FnOnce(&mut WriteView<'_, '_>) -> R,
    ) -> (R, Effects) {
        let mut effects = Effects::default();
        let moment = self.moment();
        let hashes = keys.iter().map(|key| self.keyspace.hash(key));
        let mut locked = self.keyspace.lock_exclusive(&LockPlan::for_hashes(hashes));
        let result = command(&mut WriteView::new(&mut locked, &mut effects, 0, moment));
        (result, effects)
    }

    /// The same for one key.
    pub fn write<R>(
        &mut self,
        key: &[u8],
        command: impl FnOnce(&mut WriteView<'_, '_>, Key<'_>) -> R,
    ) -> R {
        let hashed = self.keyspace.key(key);
        let hashed = Key::with_hash(key, hashed.hash);
        self.write_many(&[key], |view| command(view, hashed)).0
    }

    /// The same for all keys.
    pub fn write_all(&mut self, command: impl FnOnce(&mut WriteView<'_, '_>)) -> Effects {
        let mut effects = Effects::default();
        let moment = self.moment();
        let mut locked = self.keyspace.lock_exclusive(&LockPlan::All);
        command(&mut WriteView::new(&mut locked, &mut effects, 0, moment));
        drop(locked);
        effects
    }

    pub fn set(&mut self, key: &[u8]) {
        self.write(key, |view, key| view.set(key, StringValue::Int(1)));
    }

    pub fn set_until(&mut self, key: &[u8], deadline_ms: u64) {
        let deadline = Deadline::At(deadline_ms);
        self.write(key, |view, key| view.store(key, StringValue::Int(1), deadline));
    }

    pub fn remove(&mut self, key: &[u8]) -> bool {
        self.write(key, |view, key| view.remove(key))
    }

    /// Whether a reader sees the key.
    pub fn contains(&mut self, key: &[u8]) -> bool {
        let moment = self.moment();
        let key = self.keyspace.key(key);
        let plan = LockPlan::One(shard_index(key.hash));
        let locked = self.keyspace.lock_shared(&plan);
        ReadView::new(&locked, 0, moment).entry(key).is_some()
    }

    /// Number of keys stored in database 0, whether due or not.
    pub fn stored(&mut self) -> usize {
        self.walk().len()
    }

    pub fn walk(&mut self) -> Walk<'_> {
        let moment = self.moment();
        Walk::new(Shards::Free(&self.keyspace), 0, moment)
    }

    /// So many different keys that share a shard.
    pub fn keys_of_one_shard(&self, count: usize) -> Vec<Vec<u8>> {
        let keys = (0u64..).map(|number| format!("key:{number}").into_bytes());
        keys.filter(|key| shard_index(self.keyspace.hash(key)) == limits::SHARD_COUNT / 3)
            .take(count)
            .collect()
    }

    /// Bytes of all tables.
    pub fn table_bytes(&self) -> usize {
        let mut bytes = 0;
        Shards::Free(&self.keyspace)
            .for_each_database(|_, database| bytes += database.table_bytes());
        bytes
    }
}
