//! What the memory of the process goes to, as far as it can be told.

use super::Instance;
use super::process::Memory;
use crate::keyspace::Shards;

/// The uses of memory that MEMORY STATS and INFO tell apart.
#[derive(Debug, Clone)]
pub struct MemoryUse {
    /// The process; all zero where the system does not tell.
    pub process: Memory,
    /// Buffers of clients.
    pub clients_bytes: u64,
    /// Number of clients.
    pub client_count: u64,
    /// The databases that hold keys.
    pub databases: Vec<DatabaseUse>,
}

/// What one database holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DatabaseUse {
    /// Its number.
    pub index: usize,
    /// Keys stored, expired ones that were not yet removed included.
    pub keys: u64,
    /// Keys with a deadline.
    pub volatile: u64,
    /// Keys whose deadline has passed.
    pub due: u64,
    /// Sum of all deadlines in unix milliseconds.
    pub deadline_sum_ms: u128,
    /// Bytes of the tables, entries included, but not what they own.
    pub table_bytes: u64,
    /// Bytes of the index of deadlines.
    pub deadline_bytes: u64,
}

impl DatabaseUse {
    /// Mean time to live in milliseconds of the keys that have a deadline.
    pub fn mean_ttl_ms(&self, now_ms: u64) -> u64 {
        let mean = self.deadline_sum_ms.checked_div(u128::from(self.volatile)).unwrap_or(0);
        // A mean of 64-bit numbers is one.
        (mean as u64).saturating_sub(now_ms)
    }
}

impl Instance {
    /// What each database that holds keys holds, read one shard at a time.
    pub fn database_uses(&self, shards: Shards<'_>) -> Vec<DatabaseUse> {
        let now_ms = self.now_ms();
        let mut uses: Vec<DatabaseUse> = Vec::new();
        shards.for_each_database(|index, database| {
            if uses.len() <= index {
                uses.resize_with(index + 1, DatabaseUse::default);
            }
            let sum = &mut uses[index];
            sum.index = index;
            sum.keys += database.len() as u64;
            sum.volatile += database.volatile_len() as u64;
            sum.due += database.due_len(now_ms) as u64;
            sum.deadline_sum_ms += database.deadline_sum_ms();
            sum.table_bytes += database.table_bytes() as u64;
            sum.deadline_bytes += database.deadline_bytes() as u64;
        });
        uses.retain(|database| database.keys > 0);
        uses
    }

    /// What memory is used for.
    pub fn memory_use(&self, shards: Shards<'_>) -> MemoryUse {
        let clients = self.clients.all();
        MemoryUse {
            process: self.process.memory().unwrap_or_default(),
            clients_bytes: clients.iter().map(|client| client.memory_bytes() as u64).sum(),
            client_count: clients.len() as u64,
            databases: self.database_uses(shards),
        }
    }
}

impl MemoryUse {
    /// Bytes since the start.
    pub fn net_bytes(&self) -> u64 {
        self.process.resident_bytes.saturating_sub(self.process.startup_bytes)
    }

    /// Bytes that are not data: the process as it started, buffers, tables.
    pub fn overhead_bytes(&self) -> u64 {
        let tables: u64 = self
            .databases
            .iter()
            .map(|database| database.table_bytes + database.deadline_bytes)
            .sum();
        self.process.startup_bytes + self.clients_bytes + tables
    }

    /// Bytes that are data.
    pub fn dataset_bytes(&self) -> u64 {
        self.process.resident_bytes.saturating_sub(self.overhead_bytes())
    }

    /// The share of data in what was allocated since the start.
    pub fn dataset_percent(&self) -> f64 {
        percent(self.dataset_bytes(), self.net_bytes())
    }

    /// The share of the peak that is used now.
    pub fn peak_percent(&self) -> f64 {
        percent(self.process.resident_bytes, self.process.peak_bytes)
    }

    /// Number of keys.
    pub fn key_count(&self) -> u64 {
        self.databases.iter().map(|database| database.keys).sum()
    }

    /// Bytes since the start for each key.
    pub fn bytes_per_key(&self) -> u64 {
        self.net_bytes().checked_div(self.key_count()).unwrap_or(0)
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_nothing_are_zero() {
        let usage = MemoryUse {
            process: Memory::default(),
            clients_bytes: 0,
            client_count: 0,
            databases: Vec::new(),
        };
        assert_eq!((usage.dataset_percent(), usage.peak_percent()), (0.0, 0.0));
        assert_eq!((usage.bytes_per_key(), usage.dataset_bytes()), (0, 0));
    }

    #[test]
    fn the_mean_time_to_live_is_that_of_keys_with_a_deadline() {
        let mean = |volatile, deadline_sum_ms, now_ms| {
            let database = DatabaseUse { keys: 9, volatile, deadline_sum_ms, ..Default::default() };
            database.mean_ttl_ms(now_ms)
        };
        assert_eq!([mean(0, 0, 5), mean(2, 300, 100), mean(2, 300, 1000)], [0, 50, 0]);
        assert_eq!(mean(3, 3 * u128::from(u64::MAX), 0), u64::MAX);
    }
}
