//! The directives: one row each, from which options, configuration file, environment, CONFIG and
//! `--help` follow.
//!
//! A row in [`directives`] names a directive with its kind and its default. Those that redist goes by
//! have a typed field in [`Settings`]; the others are known by name, have the one value that is true
//! for redist, and whoever asks for another one is told so. [`Config`] holds the settings in force.
//!
//! Knows no commands, no clients and no sockets; files are read and written here and nowhere above.

mod directives;
mod settings;
mod value;

pub use directives::{Change, Directive, Given, KNOWN, SECTIONS, Section, all, find};
pub use settings::{LogLevel, MaxmemoryPolicy, Settings};
pub use value::{Kind, Value, ValueError};

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

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
