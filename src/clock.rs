//! The only reader of the wall clock.
//!
//! Commands get the time as an argument, fixed for their critical section; they never ask here.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A source of unix time in milliseconds: the system's, plus what a test has moved it by.
///
/// A moved clock makes every time-to-live testable without a sleep.
#[derive(Debug)]
pub struct Clock {
    /// Milliseconds of a clock that stands still, or `None` for the system's.
    standing_ms: Option<i64>,
    offset_us: AtomicI64,
}

impl Clock {
    /// The system's clock.
    pub const fn system() -> Self {
        Self { standing_ms: None, offset_us: AtomicI64::new(0) }
    }

    /// A clock that stands at `unix_ms` and moves by [`advance`](Self::advance) alone.
    pub const fn standing_at(unix_ms: i64) -> Self {
        Self { standing_ms: Some(unix_ms), offset_us: AtomicI64::new(0) }
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX / 4);
        self.offset_us.fetch_add(micros, Ordering::Relaxed);
    }

    /// Unix time in microseconds.
    pub fn now_us(&self) -> i64 {
        let base = match self.standing_ms {
            Some(ms) => ms * 1000,
            // A system clock before 1970 reads as 1970: no key expires by it.
            None => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX)),
        };
        base.saturating_add(self.offset_us.load(Ordering::Relaxed))
    }

    /// Unix time in milliseconds.
    pub fn now_ms(&self) -> i64 {
        self.now_us() / 1000
    }

    /// Begins to measure: this clock read once, the rest of the time by the steady clock alone.
    pub fn start(&self) -> Stopwatch<'_> {
        Stopwatch { clock: self, begun: Instant::now(), begun_us: self.now_us() }
    }
}

/// Time since a moment that both clocks were read at. Cheaper than to read both each time.
pub struct Stopwatch<'c> {
    clock: &'c Clock,
    begun: Instant,
    begun_us: i64,
}

impl Stopwatch<'_> {
    /// Nanoseconds that have passed.
    pub fn nanos(&self) -> u64 {
        // They fit for five centuries.
        self.begun.elapsed().as_nanos() as u64
    }

    /// Unix time in microseconds after so many nanoseconds.
    pub fn unix_us(&self, nanos: u64) -> i64 {
        match self.clock.standing_ms {
            Some(_) => self.clock.now_us(),
            None => self.begun_us.saturating_add_unsigned(nanos / 1000),
        }
    }
}
