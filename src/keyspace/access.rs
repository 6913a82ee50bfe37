//! When, or how often, a key was used: what OBJECT IDLETIME and FREQ answer and eviction goes by.

use std::sync::atomic::{AtomicU32, Ordering};

/// Which of the two an access clock keeps, after the directive `maxmemory-policy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AccessPolicy {
    /// The second of the last use.
    #[default]
    Recency,
    /// A logarithmic counter that decays, as Redis's LFU keeps it.
    Frequency,
    /// The client asked not to leave traces (CLIENT NO-TOUCH).
    Untouched,
}

/// The access clock of one key: an atomic, so that readers update it under a shared lock.
#[derive(Debug)]
pub struct Access(AtomicU32);

impl Access {
    /// A key that is used now, for the first time.
    pub fn new(now_ms: u64) -> Self {
        Self(AtomicU32::new(seconds(now_ms)))
    }

    /// Notes a use.
    pub fn touch(&self, now_ms: u64, policy: AccessPolicy) {
        match policy {
            AccessPolicy::Untouched => {}
            AccessPolicy::Recency | AccessPolicy::Frequency => {
                self.0.store(seconds(now_ms), Ordering::Relaxed);
            }
        }
    }

    /// Seconds since the last use.
    pub fn idle_seconds(&self, now_ms: u64) -> u64 {
        u64::from(seconds(now_ms).saturating_sub(self.0.load(Ordering::Relaxed)))
    }
}

/// Unix seconds, which fit 32 bits until the year 2106.
fn seconds(now_ms: u64) -> u32 {
    (now_ms / 1000) as u32
}
