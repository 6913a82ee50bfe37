//! MONITOR: those who see what others run, as it happens.
//!
//! A server that nobody monitors pays one load for each command, and one whose monitors look for
//! something in particular writes out only the commands that are it.

use super::notice::Notice;
use super::registry::SharedRecord;
use crate::config::BufferLimits;
use crate::glob;
use crate::protocol::Request;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

/// What one who monitors wants to see: whatever fits everything that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MonitorFilter {
    /// A glob pattern that one of the arguments matches, the name of the command left out.
    pub pattern: Option<Box<[u8]>>,
    /// Numbers of commands in the table; none is all.
    pub commands: Vec<u16>,
    /// Ids of clients; none is all.
    pub clients: Vec<u64>,
    /// The database.
    pub db: Option<usize>,
    /// How long it took at least.
    pub slower: Option<Duration>,
}

/// A command that has run.
pub struct Seen<'s> {
    /// The client's id.
    pub client: u64,
    /// Its database.
    pub db: usize,
    /// The command's number in the table.
    pub command: u16,
    /// How many words the command's name has.
    pub name_words: usize,
    /// How long it ran.
    pub took: Duration,
    /// The command with its arguments.
    pub request: &'s Request,
}

impl MonitorFilter {
    fn wants(&self, seen: &Seen<'_>) -> bool {
        let is_among = |wanted: &[u64], found| wanted.is_empty() || wanted.contains(&found);
        (self.commands.is_empty() || self.commands.contains(&seen.command))
            && is_among(&self.clients, seen.client)
            && self.db.is_none_or(|db| db == seen.db)
            && self.slower.is_none_or(|time| seen.took >= time)
            && self.pattern.as_ref().is_none_or(|pattern| {
                let mut args = seen.request.iter().skip(seen.name_words);
                args.any(|(arg, _)| glob::matches(pattern, arg))
            })
    }
}

/// A line for some who monitor, on its way.
pub struct Shown {
    /// The line.
    pub line: Notice,
    /// Who gets it.
    pub to: Vec<SharedRecord>,
}

/// Those who monitor.
#[derive(Default)]
pub struct Monitors {
    all: RwLock<Vec<Monitor>>,
    count: AtomicUsize,
    showing: Mutex<()>,
}

struct Monitor {
    record: SharedRecord,
    filter: MonitorFilter,
}

impl Monitors {
    fn all(&self) -> RwLockReadGuard<'_, Vec<Monitor>> {
        self.all.read().expect("moving records does not panic")
    }

    fn all_mut(&self) -> RwLockWriteGuard<'_, Vec<Monitor>> {
        self.all.write().expect("moving records does not panic")
    }

    /// Whether nobody monitors: one load.
    pub fn is_empty(&self) -> bool {
        self.count.load(Ordering::SeqCst) == 0
    }

    /// Makes a client see what is run from now on and fits the filter, which takes the place of an
    /// earlier one. Only a command of the client itself may ask for it.
    pub fn add(&self, record: SharedRecord, filter: MonitorFilter) {
        record.listen();
        let mut all = self.all_mut();
        all.retain(|monitor| monitor.record.id != record.id);
        record.monitor.set(true);
        all.push(Monitor { record, filter });
        self.count.store(all.len(), Ordering::SeqCst);
    }

    /// The filter of a client that monitors.
    pub fn filter(&self, id: u64) -> Option<MonitorFilter> {
        let all = self.all();
        let monitor = all.iter().find(|monitor| monitor.record.id == id);
        monitor.map(|monitor| monitor.filter.clone())
    }

    /// Makes a client see nothing any more.
    pub fn remove(&self, id: u64) {
        if self.is_empty() {
            return;
        }
        let mut all = self.all_mut();
        all.retain(|monitor| {
            let stays = monitor.record.id != id;
            if !stays {
                monitor.record.monitor.set(false);
            }
            stays
        });
        self.count.store(all.len(), Ordering::SeqCst);
    }

    /// Who wants to see a command. Whoever has turned replies off sees none.
    pub fn watching(&self, seen: &Seen<'_>) -> Vec<SharedRecord> {
        let all = self.all();
        let watching = all.iter().filter(|monitor| {
            let record = &monitor.record;
            !record.muted.is_on() && monitor.filter.wants(seen)
        });
        watching.map(|monitor| monitor.record.clone()).collect()
    }

    /// Sends lines.
    pub fn show(&self, shown: impl Iterator<Item = Shown>, limits: &BufferLimits) {
        // All monitors see commands in the same order.
        let showing = self.showing.lock().expect("pushing does not panic");
        for Shown { line, to } in shown {
            for record in to.iter().filter(|record| record.monitor.is_on()) {
                record.push(&line, limits);
            }
        }
        drop(showing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_seen_that_fits_everything_that_is_given() {
        let request = Request::from_args(["CONFIG", "SET", "key:1", "value"].map(str::as_bytes));
        let took = Duration::from_micros(100);
        let seen = Seen { client: 7, db: 3, command: 5, name_words: 2, took, request: &request };
        let all = MonitorFilter::default();
        let pattern = |text: &str| Some(text.as_bytes().into());
        let slower = |micros| Some(Duration::from_micros(micros));
        for (filter, wants) in [
            (all.clone(), true),
            (MonitorFilter { pattern: pattern("key:*"), ..all.clone() }, true),
            (MonitorFilter { pattern: pattern("val*"), ..all.clone() }, true),
            (MonitorFilter { pattern: pattern("SET"), ..all.clone() }, false),
            (MonitorFilter { commands: vec![4, 5], ..all.clone() }, true),
            (MonitorFilter { commands: vec![4], ..all.clone() }, false),
            (MonitorFilter { clients: vec![7, 8], ..all.clone() }, true),
            (MonitorFilter { clients: vec![8], ..all.clone() }, false),
            (MonitorFilter { db: Some(3), ..all.clone() }, true),
            (MonitorFilter { db: Some(0), ..all.clone() }, false),
            (MonitorFilter { slower: slower(100), ..all.clone() }, true),
            (MonitorFilter { slower: slower(101), ..all.clone() }, false),
            (MonitorFilter { db: Some(3), pattern: pattern("nosuch"), ..all.clone() }, false),
        ] {
            assert_eq!(filter.wants(&seen), wants, "{filter:?}");
        }
    }
}
