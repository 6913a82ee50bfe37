//! The latency monitor: when something took longer than `latency-monitor-threshold` allows.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard};

/// Samples that are kept of an event.
const SAMPLE_COUNT_MAX: usize = 160;

/// What is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LatencyEvent {
    /// A command.
    Command,
    /// A command that should be fast.
    FastCommand,
    /// Removing due keys.
    ExpireCycle,
}

impl LatencyEvent {
    /// The name by which Redis knows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::FastCommand => "fast-command",
            Self::ExpireCycle => "expire-cycle",
        }
    }
}

/// Something took long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LatencySample {
    /// Unix time in seconds.
    pub at_seconds: i64,
    /// Milliseconds: the most in that second.
    pub ms: u64,
}

/// What was seen of an event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LatencySeries {
    /// Oldest first, never empty, at most one for each second.
    pub samples: VecDeque<LatencySample>,
    /// The most milliseconds there have been.
    pub worst_ms: u64,
}

/// The series of each event that has happened.
#[derive(Default)]
pub struct LatencyMonitor {
    events: Mutex<BTreeMap<LatencyEvent, LatencySeries>>,
}

impl LatencyMonitor {
    fn events(&self) -> MutexGuard<'_, BTreeMap<LatencyEvent, LatencySeries>> {
        self.events.lock().expect("keeping a sample does not panic")
    }

    /// Keeps a sample.
    pub fn add(&self, event: LatencyEvent, sample: LatencySample) {
        let mut events = self.events();
        let series = events.entry(event).or_default();
        series.worst_ms = series.worst_ms.max(sample.ms);
        match series.samples.back_mut() {
            Some(last) if last.at_seconds == sample.at_seconds => last.ms = last.ms.max(sample.ms),
            _ => {
                if series.samples.len() == SAMPLE_COUNT_MAX {
                    series.samples.pop_front();
                }
                series.samples.push_back(sample);
            }
        }
    }

    /// Every event that has happened, with what was seen of it.
    pub fn all(&self) -> Vec<(LatencyEvent, LatencySeries)> {
        self.events().iter().map(|(event, series)| (*event, series.clone())).collect()
    }

    /// Forgets the events that are chosen; how many there were.
    pub fn forget(&self, mut is_chosen: impl FnMut(LatencyEvent) -> bool) -> usize {
        let mut events = self.events();
        let before = events.len();
        events.retain(|event, _| !is_chosen(*event));
        before - events.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_of_a_second_and_the_newest_seconds_are_kept() {
        let monitor = LatencyMonitor::default();
        let add = |at_seconds, ms| {
            monitor.add(LatencyEvent::Command, LatencySample { at_seconds, ms });
        };
        for (at_seconds, ms) in [(1, 900), (2, 5), (2, 7), (2, 6)] {
            add(at_seconds, ms);
        }
        assert_eq!(monitor.all()[0].1.samples[1], LatencySample { at_seconds: 2, ms: 7 });
        (3..=162).for_each(|second| add(second, 10));
        let (event, series) = &monitor.all()[0];
        assert_eq!((*event, series.samples.len()), (LatencyEvent::Command, SAMPLE_COUNT_MAX));
        assert_eq!((series.samples[0].at_seconds, series.worst_ms), (3, 900));
        assert_eq!(monitor.forget(|event| event == LatencyEvent::ExpireCycle), 0);
        assert_eq!(monitor.forget(|_| true), 1);
        assert!(monitor.all().is_empty());
    }
}
