//! What was counted since the start or the last CONFIG RESETSTAT.
//!
//! Counters that every command touches are kept in stripes, one for each group of clients, so that
//! threads do not fight over a cache line; a reader adds the stripes up.

use super::histogram::{Distribution, Histogram};
use crate::keyspace::Effects;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

const STRIPE_COUNT: usize = 16;

/// The counters of one server.
pub struct Stats {
    stripes: Box<[Stripe]>,
    expired: AtomicU64,
    expired_elements: AtomicU64,
    changes: AtomicU64,
    /// Connections accepted.
    pub connections_received: AtomicU64,
    /// Connections refused by `maxclients`.
    pub connections_rejected: AtomicU64,
    /// Error replies by code.
    errors: Mutex<BTreeMap<String, u64>>,
    /// Microseconds spent on removing due keys.
    reaped_micros: AtomicU64,
    sampler: Mutex<Sampler>,
}

#[derive(Default)]
struct Stripe {
    commands: Box<[CommandCounters]>,
    hits: AtomicU64,
    misses: AtomicU64,
    reads: AtomicU64,
    writes: AtomicU64,
    input_bytes: AtomicU64,
    output_bytes: AtomicU64,
}

/// What was counted when it was looked at last, and how fast it grew until then.
struct Sampler {
    at: Instant,
    totals: [u64; 3],
    rates: Rates,
}

/// How much there was per second lately.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Commands.
    pub commands: f64,
    /// Bytes read from clients.
    pub input_bytes: f64,
    /// Bytes written to clients.
    pub output_bytes: f64,
}

/// One run of a command.
#[derive(Debug, Clone, Copy)]
pub struct Ran {
    /// Nanoseconds that it took, since many commands take less than the microsecond that INFO counts in.
    pub nanos: u64,
    /// Whether it answered no error.
    pub succeeded: bool,
}

impl Ran {
    /// A run that took so long.
    pub fn new(took: Duration, succeeded: bool) -> Self {
        // Nanoseconds fit for five centuries.
        Self { nanos: took.as_nanos() as u64, succeeded }
    }
}

/// What is counted for one command.
#[derive(Default)]
pub struct CommandCounters {
    calls: AtomicU64,
    nanos: AtomicU64,
    rejected: AtomicU64,
    failed: AtomicU64,
    /// Made at the first call, since most commands are never called.
    histogram: OnceLock<Box<Histogram>>,
}

/// The counters of one command, added up.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Times it ran.
    pub calls: u64,
    /// Microseconds it ran.
    pub micros: u64,
    /// Times it was refused before it ran.
    pub rejected: u64,
    /// Times it ran and answered an error.
    pub failed: u64,
}

impl Stats {
    /// Counters for so many commands.
    pub fn new(command_count: usize) -> Self {
        let stripe = || Stripe {
            commands: (0..command_count).map(|_| CommandCounters::default()).collect(),
            ..Stripe::default()
        };
        let sampler =
            Sampler { at: Instant::now(), totals: Default::default(), rates: Rates::default() };
        Self {
            stripes: (0..STRIPE_COUNT).map(|_| stripe()).collect(),
            expired: AtomicU64::new(0),
            expired_elements: AtomicU64::new(0),
            changes: AtomicU64::new(0),
            connections_received: AtomicU64::new(0),
            connections_rejected: AtomicU64::new(0),
            errors: Mutex::new(BTreeMap::new()),
            reaped_micros: AtomicU64::new(0),
            sampler: Mutex::new(sampler),
        }
    }

    fn stripe(&self, client_id: u64) -> &Stripe {
        &self.stripes[client_id as usize % STRIPE_COUNT]
    }

    /// Counts a command that ran, perhaps several times. If that is `tracked`, also how often it took how long.
    pub fn ran(
        &self,
        client_id: u64,
        command: u16,
        runs: impl Iterator<Item = Ran>,
        tracked: bool,
    ) {
        let counters = &self.stripe(client_id).commands[usize::from(command)];
        let histogram = tracked.then(|| counters.histogram.get_or_init(Box::default));
        let (mut calls, mut nanos, mut failed) = (0, 0, 0);
        for ran in runs {
            calls += 1;
            nanos += ran.nanos;
            failed += u64::from(!ran.succeeded);
            if let Some(histogram) = histogram {
                histogram.add(ran.nanos);
            }
        }
        counters.calls.fetch_add(calls, Ordering::Relaxed);
        counters.nanos.fetch_add(nanos, Ordering::Relaxed);
        if failed > 0 {
            counters.failed.fetch_add(failed, Ordering::Relaxed);
        }
    }

    /// Counts a command that was refused before it ran.
    pub fn rejected(&self, client_id: u64, command: u16) {
        let counters = &self.stripe(client_id).commands[usize::from(command)];
        counters.rejected.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an error reply by its code.
    pub fn error(&self, code: &str) {
        let mut errors = self.errors.lock().expect("counting does not panic");
        *errors.entry(code.to_owned()).or_default() += 1;
    }

    /// Counts what a critical section did.
    pub fn record(&self, client_id: u64, effects: &Effects) {
        let stripe = self.stripe(client_id);
        if effects.hits > 0 {
            stripe.hits.fetch_add(effects.hits, Ordering::Relaxed);
        }
        if effects.misses > 0 {
            stripe.misses.fetch_add(effects.misses, Ordering::Relaxed);
        }
        if effects.changes > 0 {
            self.changes.fetch_add(effects.changes, Ordering::Relaxed);
        }
        self.add_expired(effects.expired);
        self.add_expired_elements(effects.expired_elements);
    }

    /// Counts keys removed because their deadline had passed.
    pub fn add_expired(&self, count: u64) {
        if count > 0 {
            self.expired.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Counts elements of values (fields of hashes) removed because their deadline had passed.
    pub fn add_expired_elements(&self, count: u64) {
        if count > 0 {
            self.expired_elements.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Counts time spent on removing due keys.
    pub fn add_reaped(&self, took: Duration) {
        self.reaped_micros.fetch_add(took.as_micros() as u64, Ordering::Relaxed);
    }

    /// Counts a read of so many bytes from a client.
    pub fn add_input(&self, client_id: u64, bytes: usize) {
        let stripe = self.stripe(client_id);
        stripe.reads.fetch_add(1, Ordering::Relaxed);
        stripe.input_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts a write of so many bytes to a client.
    pub fn add_output(&self, client_id: u64, bytes: usize) {
        let stripe = self.stripe(client_id);
        stripe.writes.fetch_add(1, Ordering::Relaxed);
        stripe.output_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Measures how fast the counters grew since this was called last; called about once a second.
    pub fn sample(&self, now: Instant) {
        let totals = [self.commands_processed(), self.input_bytes(), self.output_bytes()];
        let mut sampler = self.sampler.lock().expect("setting fields does not panic");
        let seconds = now.saturating_duration_since(sampler.at).as_secs_f64();
        if seconds > 0.0 {
            // A reset in between lets a counter start from zero.
            let rate =
                |index: usize| totals[index].saturating_sub(sampler.totals[index]) as f64 / seconds;
            let rates = Rates { commands: rate(0), input_bytes: rate(1), output_bytes: rate(2) };
            *sampler = Sampler { at: now, totals, rates };
        }
    }

    /// How fast the counters grew in the last full interval.
    pub fn rates(&self) -> Rates {
        self.sampler.lock().expect("setting fields does not panic").rates
    }

    fn sum(&self, counter: impl Fn(&Stripe) -> &AtomicU64) -> u64 {
        self.stripes.iter().map(|stripe| counter(stripe).load(Ordering::Relaxed)).sum()
    }

    /// The counters of one command.
    pub fn command(&self, command: u16) -> Tally {
        let sum = |counter: fn(&CommandCounters) -> &AtomicU64| {
            self.sum(|stripe| counter(&stripe.commands[usize::from(command)]))
        };
        Tally {
            calls: sum(|counters| &counters.calls),
            micros: sum(|counters| &counters.nanos) / 1000,
            rejected: sum(|counters| &counters.rejected),
            failed: sum(|counters| &counters.failed),
        }
    }

    /// How long one command took, call by call.
    pub fn distribution(&self, command: u16) -> Distribution {
        let mut distribution = Distribution::default();
        for stripe in &self.stripes {
            if let Some(histogram) = stripe.commands[usize::from(command)].histogram.get() {
                distribution.add(histogram);
            }
        }
        distribution
    }

    /// Commands run.
    pub fn commands_processed(&self) -> u64 {
        let calls = |stripe: &Stripe| -> u64 {
            stripe.commands.iter().map(|counters| counters.calls.load(Ordering::Relaxed)).sum()
        };
        self.stripes.iter().map(calls).sum()
    }

    /// Lookups that found their key.
    pub fn hits(&self) -> u64 {
        self.sum(|stripe| &stripe.hits)
    }

    /// Lookups that found nothing.
    pub fn misses(&self) -> u64 {
        self.sum(|stripe| &stripe.misses)
    }

    /// Keys removed because their deadline had passed.
    pub fn expired(&self) -> u64 {
        self.expired.load(Ordering::Relaxed)
    }

    /// Elements of values removed because their deadline had passed.
    pub fn expired_elements(&self) -> u64 {
        self.expired_elements.load(Ordering::Relaxed)
    }

    /// Changes to the keyspace.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// Bytes read from clients.
    pub fn input_bytes(&self) -> u64 {
        self.sum(|stripe| &stripe.input_bytes)
    }

    /// Bytes written to clients.
    pub fn output_bytes(&self) -> u64 {
        self.sum(|stripe| &stripe.output_bytes)
    }

    /// Connections accepted.
    pub fn connections_received(&self) -> u64 {
        self.connections_received.load(Ordering::Relaxed)
    }

    /// Connections refused by `maxclients`.
    pub fn connections_rejected(&self) -> u64 {
        self.connections_rejected.load(Ordering::Relaxed)
    }

    /// Reads from clients.
    pub fn reads(&self) -> u64 {
        self.sum(|stripe| &stripe.reads)
    }

    /// Writes to clients.
    pub fn writes(&self) -> u64 {
        self.sum(|stripe| &stripe.writes)
    }

    /// Milliseconds spent on removing due keys.
    pub fn reaped_ms(&self) -> u64 {
        self.reaped_micros.load(Ordering::Relaxed) / 1000
    }

    /// Error replies by code.
    pub fn errors(&self) -> BTreeMap<String, u64> {
        self.errors.lock().expect("counting does not panic").clone()
    }

    /// CONFIG RESETSTAT: everything from zero, but not the changes since the last save.
    pub fn reset(&self) {
        for stripe in &self.stripes {
            let Stripe { commands, hits, misses, reads, writes, input_bytes, output_bytes } =
                stripe;
            [hits, misses, reads, writes, input_bytes, output_bytes]
                .into_iter()
                .for_each(|counter| counter.store(0, Ordering::Relaxed));
            commands.iter().for_each(CommandCounters::reset);
        }
        [
            &self.expired,
            &self.expired_elements,
            &self.connections_received,
            &self.connections_rejected,
            &self.reaped_micros,
        ]
        .into_iter()
        .for_each(|counter| counter.store(0, Ordering::Relaxed));
        self.errors.lock().expect("counting does not panic").clear();
    }
}

impl CommandCounters {
    fn reset(&self) {
        let Self { calls, nanos, rejected, failed, histogram } = self;
        [calls, nanos, rejected, failed]
            .into_iter()
            .for_each(|counter| counter.store(0, Ordering::Relaxed));
        if let Some(histogram) = histogram.get() {
            histogram.reset();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::iter;

    #[test]
    fn time_is_counted_below_the_microsecond() {
        let stats = Stats::new(2);
        for client in 0..3 {
            stats.ran(client, 1, iter::once(Ran { nanos: 700, succeeded: client != 2 }), false);
        }
        stats.rejected(7, 1);
        let tally = Tally { calls: 3, micros: 2, rejected: 1, failed: 1 };
        assert_eq!((stats.command(0), stats.command(1)), (Tally::default(), tally));
        assert_eq!(stats.commands_processed(), 3);
        stats.reset();
        assert_eq!(stats.command(1), Tally::default());
    }

    #[test]
    fn rates_are_those_of_the_last_interval_even_after_a_reset() {
        let stats = Stats::new(1);
        let start = Instant::now() + Duration::from_secs(1);
        stats.sample(start);
        stats.ran(1, 0, iter::repeat_n(Ran::new(Duration::ZERO, true), 10), false);
        stats.add_input(1, 4096);
        stats.sample(start + Duration::from_secs(2));
        let rates = Rates { commands: 5.0, input_bytes: 2048.0, output_bytes: 0.0 };
        assert_eq!(stats.rates(), rates);
        stats.reset();
        stats.ran(1, 0, iter::once(Ran::new(Duration::ZERO, true)), false);
        stats.sample(start + Duration::from_secs(3));
        assert_eq!(stats.rates(), Rates::default());
    }
}
