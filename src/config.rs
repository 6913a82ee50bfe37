//! The directives: one row each, with name, default, parser, help, and whether it may change at run time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

/// The value of every directive.
#[derive(Debug, Clone)]
pub struct Settings {
    /// TCP port; 0 takes a free one.
    pub port: u16,
    /// Addresses to listen on.
    pub bind: Vec<String>,
    /// Number of databases.
    pub databases: usize,
    /// Most clients at once.
    pub maxclients: usize,
    /// Seconds after which an idle client is disconnected; 0 is never.
    pub timeout: u64,
    /// The password of the default user; empty is none.
    pub requirepass: String,
    /// Longest argument in bytes.
    pub proto_max_bulk_len: i64,
    /// Whether clients from elsewhere are refused while there is no password.
    pub protected_mode: bool,
    /// Microseconds from which on a command is kept in the slow log; negative is never.
    pub slowlog_log_slower_than: i64,
    /// Entries that the slow log keeps.
    pub slowlog_max_len: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            port: 6379,
            bind: vec!["127.0.0.1".to_owned(), "-::1".to_owned()],
            databases: 16,
            maxclients: 10_000,
            timeout: 0,
            requirepass: String::new(),
            proto_max_bulk_len: 512 * 1024 * 1024,
            protected_mode: true,
            slowlog_log_slower_than: 10_000,
            slowlog_max_len: 128,
        }
    }
}

/// The settings in force, which CONFIG SET replaces whole.
pub struct Config {
    current: RwLock<Arc<Settings>>,
    version: AtomicU64,
}

impl Config {
    /// A configuration that starts with these settings.
    pub fn new(settings: Settings) -> Self {
        Self { current: RwLock::new(Arc::new(settings)), version: AtomicU64::new(0) }
    }

    /// The settings in force.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.current.read().expect("replacing an Arc does not panic"))
    }

    /// A number that changes with every change, so that a session can keep its copy until then.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Changes the settings, all or nothing.
    pub fn change<E>(&self, change: impl FnOnce(&mut Settings) -> Result<(), E>) -> Result<(), E> {
        let mut current = self.current.write().expect("replacing an Arc does not panic");
        let mut settings = Settings::clone(&current);
        change(&mut settings)?;
        *current = Arc::new(settings);
        self.version.fetch_add(1, Ordering::Release);
        Ok(())
    }
}
