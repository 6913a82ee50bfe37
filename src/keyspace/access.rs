//! When, or how often, a key was used: what OBJECT IDLETIME and FREQ answer and eviction goes by.

use crate::config::Settings;
use std::sync::atomic::{AtomicU32, Ordering};

/// Which of the two an access clock keeps, after the directive `maxmemory-policy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AccessPolicy {
    /// The second of the last use.
    #[default]
    Recency,
    /// A logarithmic counter that decays, as Redis's LFU keeps it.
    Frequency {
        /// `lfu-log-factor`: how much harder each further step of the counter is.
        log_factor: u32,
        /// `lfu-decay-time`: minutes in which the counter loses one; 0 is never.
        decay_minutes: u32,
    },
}

impl AccessPolicy {
    /// What these settings ask for.
    pub fn new(settings: &Settings) -> Self {
        if settings.maxmemory_policy.is_lfu() {
            Self::Frequency {
                log_factor: settings.lfu_log_factor,
                decay_minutes: settings.lfu_decay_time,
            }
        } else {
            Self::Recency
        }
    }
}

/// How a critical section leaves traces on the keys that it uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AccessMode {
    /// What access clocks keep.
    pub policy: AccessPolicy,
    /// The client asked not to leave traces (CLIENT NO-TOUCH).
    pub untouched: bool,
}

/// The counter of a new key, so that it is not the first to be evicted.
const FREQUENCY_OF_NEW: u8 = 5;

/// When, or how often, a key was used elsewhere, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Seconds since the last use.
    pub idle_seconds: Option<u64>,
    /// The logarithmic counter.
    pub frequency: Option<u8>,
}

/// The access clock of one key: an atomic, so that readers update it under a shared lock.
///
/// It holds unix seconds, or in its lower 24 bits the minute of the last decay and the counter. Keys
/// that were last used under the other policy read as nonsense for a while, as in Redis.
#[derive(Debug, Default)]
pub struct Access(AtomicU32);

impl Access {
    /// A key that is used now, for the first time.
    pub fn new(now_ms: u64, policy: AccessPolicy) -> Self {
        Self(AtomicU32::new(match policy {
            AccessPolicy::Recency => seconds(now_ms),
            AccessPolicy::Frequency { .. } => pack(minutes(now_ms), FREQUENCY_OF_NEW),
        }))
    }

    /// A key that was used elsewhere before. What is known of that counts under its own policy alone.
    pub fn with_usage(now_ms: u64, policy: AccessPolicy, usage: Usage) -> Self {
        match (policy, usage) {
            (AccessPolicy::Recency, Usage { idle_seconds: Some(idle), .. }) => {
                let idle = u32::try_from(idle).unwrap_or(u32::MAX);
                Self(AtomicU32::new(seconds(now_ms).saturating_sub(idle)))
            }
            (AccessPolicy::Frequency { .. }, Usage { frequency: Some(frequency), .. }) => {
                Self(AtomicU32::new(pack(minutes(now_ms), frequency)))
            }
            _ => Self::new(now_ms, policy),
        }
    }

    /// Notes a use. `seed` decides whether a frequency goes up: the higher it is, the less likely.
    pub fn touch(&self, now_ms: u64, policy: AccessPolicy, seed: u64) {
        let former = self.0.load(Ordering::Relaxed);
        let current = match policy {
            AccessPolicy::Recency => seconds(now_ms),
            AccessPolicy::Frequency { log_factor, .. } => {
                let frequency = self.frequency(now_ms, policy);
                pack(minutes(now_ms), incremented(frequency, log_factor, seed))
            }
        };
        // Readers of a hot key on many cores should not fight over its cache line for nothing. Two
        // at once may count as one: the counter is a probability anyway.
        if current != former {
            self.0.store(current, Ordering::Relaxed);
        }
    }

    /// Seconds since the last use.
    pub fn idle_seconds(&self, now_ms: u64) -> u32 {
        seconds(now_ms).saturating_sub(self.0.load(Ordering::Relaxed))
    }

    /// When, or how often, the key was used, as this policy keeps it.
    pub fn usage(&self, now_ms: u64, policy: AccessPolicy) -> Usage {
        match policy {
            AccessPolicy::Recency => {
                Usage { idle_seconds: Some(u64::from(self.idle_seconds(now_ms))), frequency: None }
            }
            AccessPolicy::Frequency { .. } => {
                Usage { idle_seconds: None, frequency: Some(self.frequency(now_ms, policy)) }
            }
        }
    }

    /// The logarithmic counter, less what it has lost since the last use.
    pub fn frequency(&self, now_ms: u64, policy: AccessPolicy) -> u8 {
        let packed = self.0.load(Ordering::Relaxed);
        let counter = packed as u8;
        let decay_minutes = match policy {
            AccessPolicy::Frequency { decay_minutes, .. } if decay_minutes > 0 => decay_minutes,
            AccessPolicy::Frequency { .. } | AccessPolicy::Recency => return counter,
        };
        let elapsed = minutes(now_ms).wrapping_sub((packed >> 8) as u16);
        let lost = u32::from(elapsed) / decay_minutes;
        counter.saturating_sub(u8::try_from(lost).unwrap_or(u8::MAX))
    }
}

/// The counter after one more use: with chance 1/((counter - new) * factor + 1) it is one higher.
fn incremented(counter: u8, log_factor: u32, seed: u64) -> u8 {
    let base = f64::from(counter.saturating_sub(FREQUENCY_OF_NEW));
    let chance = 1.0 / (base * f64::from(log_factor) + 1.0);
    // All keys that one command uses share its seed; at least those with different counters should
    // not go up together.
    let mut rng = fastrand::Rng::with_seed(seed ^ u64::from(counter));
    counter.saturating_add(u8::from(rng.f64() < chance))
}

/// Unix seconds, which fit 32 bits until the year 2106.
fn seconds(now_ms: u64) -> u32 {
    (now_ms / 1000) as u32
}

/// Unix minutes modulo 2^16: 45 days, after which a decay starts anew.
fn minutes(now_ms: u64) -> u16 {
    (now_ms / 60_000) as u16
}

fn pack(minutes: u16, counter: u8) -> u32 {
    u32::from(minutes) << 8 | u32::from(counter)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LFU: AccessPolicy = AccessPolicy::Frequency { log_factor: 10, decay_minutes: 1 };
    const MINUTE_MS: u64 = 60_000;

    #[test]
    fn idle_time_counts_from_the_last_use() {
        let access = Access::new(10_000, AccessPolicy::Recency);
        assert_eq!(access.idle_seconds(15_999), 5);
        access.touch(15_000, AccessPolicy::Recency, 0);
        assert_eq!(access.idle_seconds(15_999), 0);
        assert_eq!(access.idle_seconds(14_000), 0, "a clock that was set back");
    }

    #[test]
    fn frequency_decays_by_the_minute() {
        let access = Access::new(0, LFU);
        let seen: Vec<u8> = [0, 1, 4, 5, 9, 0xffff]
            .map(|minutes| access.frequency(minutes * MINUTE_MS, LFU))
            .to_vec();
        assert_eq!(seen, [5, 4, 1, 0, 0, 0]);
        let never = AccessPolicy::Frequency { log_factor: 10, decay_minutes: 0 };
        assert_eq!(access.frequency(900 * MINUTE_MS, never), 5);
    }

    /// Redis documents for factor 10: 100 hits give about 10, 1000 about 18, 100k about 142.
    #[test]
    fn frequency_grows_logarithmically() {
        for (hits, expected) in [(100u64, 7..=13), (1000, 14..=23), (100_000, 130..=155)] {
            let access = Access::new(0, LFU);
            let mut rng = fastrand::Rng::with_seed(hits);
            (0..hits).for_each(|_| access.touch(0, LFU, rng.u64(..)));
            let frequency = access.frequency(0, LFU);
            assert!(expected.contains(&frequency), "{hits} hits: {frequency}");
        }
    }
}
