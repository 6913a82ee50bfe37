//! Numbers and switches that one thread sets and others look at.
//!
//! Nothing else is ordered by them, so they cost no more than plain memory.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A number.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// A gauge that shows this.
    pub const fn new(value: u64) -> Self {
        Self(AtomicU64::new(value))
    }

    /// What it shows.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Shows something else.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Shows a number of bytes or things.
    pub fn set_count(&self, count: usize) {
        self.set(count as u64);
    }

    /// Shows so much more. Several threads may do this at once.
    pub fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Ordering::Relaxed);
    }
}

/// Something that is so or is not.
#[derive(Debug, Default)]
pub struct Switch(AtomicBool);

impl Switch {
    /// Whether it is so.
    pub fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Changes it.
    pub fn set(&self, on: bool) {
        self.0.store(on, Ordering::Relaxed);
    }
}
