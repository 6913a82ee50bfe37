//! What was counted since the start or the last CONFIG RESETSTAT.
//!
//! Counters that every command touches are kept in stripes, one for each group of clients, so that
//! threads do not fight over a cache line; a reader adds the stripes up.

use crate::keyspace::Effects;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

const STRIPE_COUNT: usize = 16;

/// The counters of one server.
pub struct Stats {
    stripes: Box<[Stripe]>,
    expired: AtomicU64,
    changes: AtomicU64,
    /// Connections accepted.
    pub connections_received: AtomicU64,
    /// Connections refused by `maxclients`.
    pub connections_rejected: AtomicU64,
    /// Error replies by code.
    errors: Mutex<BTreeMap<String, u64>>,
}

struct Stripe {
    commands: Box<[CommandCounters]>,
    hits: AtomicU64,
    misses: AtomicU64,
    input_bytes: AtomicU64,
    output_bytes: AtomicU64,
}

/// What is counted for one command.
#[derive(Default)]
pub struct CommandCounters {
    calls: AtomicU64,
    micros: AtomicU64,
    rejected: AtomicU64,
    failed: AtomicU64,
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
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            input_bytes: AtomicU64::new(0),
            output_bytes: AtomicU64::new(0),
        };
        Self {
            stripes: (0..STRIPE_COUNT).map(|_| stripe()).collect(),
            expired: AtomicU64::new(0),
            changes: AtomicU64::new(0),
            connections_received: AtomicU64::new(0),
            connections_rejected: AtomicU64::new(0),
            errors: Mutex::new(BTreeMap::new()),
        }
    }

    fn stripe(&self, client_id: u64) -> &Stripe {
        &self.stripes[client_id as usize % STRIPE_COUNT]
    }

    /// Counts a command that ran.
    pub fn ran(&self, client_id: u64, command: u16, micros: u64, failed: bool) {
        let counters = &self.stripe(client_id).commands[usize::from(command)];
        counters.calls.fetch_add(1, Ordering::Relaxed);
        counters.micros.fetch_add(micros, Ordering::Relaxed);
        if failed {
            counters.failed.fetch_add(1, Ordering::Relaxed);
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
    }

    /// Counts keys removed because their deadline had passed.
    pub fn add_expired(&self, count: u64) {
        if count > 0 {
            self.expired.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Counts bytes read from a client.
    pub fn add_input(&self, client_id: u64, bytes: usize) {
        self.stripe(client_id).input_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts bytes written to a client.
    pub fn add_output(&self, client_id: u64, bytes: usize) {
        self.stripe(client_id).output_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
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
            micros: sum(|counters| &counters.micros),
            rejected: sum(|counters| &counters.rejected),
            failed: sum(|counters| &counters.failed),
        }
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

    /// Error replies by code.
    pub fn errors(&self) -> BTreeMap<String, u64> {
        self.errors.lock().expect("counting does not panic").clone()
    }

    /// CONFIG RESETSTAT: everything from zero, but not the changes since the last save.
    pub fn reset(&self) {
        for stripe in &self.stripes {
            let each = [&stripe.hits, &stripe.misses, &stripe.input_bytes, &stripe.output_bytes];
            each.into_iter().for_each(|counter| counter.store(0, Ordering::Relaxed));
            for counters in &stripe.commands {
                let CommandCounters { calls, micros, rejected, failed } = counters;
                [calls, micros, rejected, failed]
                    .into_iter()
                    .for_each(|counter| counter.store(0, Ordering::Relaxed));
            }
        }
        let others = [&self.expired, &self.connections_received, &self.connections_rejected];
        others.into_iter().for_each(|counter| counter.store(0, Ordering::Relaxed));
        self.errors.lock().expect("counting does not panic").clear();
    }
}
