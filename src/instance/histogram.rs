//! How long a command takes, as a distribution.
//!
//! Eight buckets for each power of two, so that a percentile is off by at most an eighth. Bucket
//! bounds fall on those at which Redis's histograms (HdrHistogram, two digits) cut LATENCY HISTOGRAM,
//! so those counts are exact.

use std::sync::atomic::{AtomicU64, Ordering};

/// Nanoseconds that the narrowest buckets span. Redis cuts at 1024 * 2^n plus 1/128 of that, which
/// is eight of these times 2^n.
const STEP_NS: u64 = 129;
/// Buckets for each power of two, as a power of two.
const SPLIT_BITS: u32 = 3;
const SPLIT: usize = 1 << SPLIT_BITS;
/// Longer times count as this long, as in Redis.
const NANOS_MAX: u64 = 1_000_000_000;
const BUCKET_COUNT: usize = bucket_of(NANOS_MAX) + 1;

/// The bucket of a time: its first bits, behind how many bits it has.
const fn bucket_of(nanos: u64) -> usize {
    let steps = (if nanos < NANOS_MAX { nanos } else { NANOS_MAX }) / STEP_NS;
    match steps.checked_ilog2() {
        Some(bits) if bits >= SPLIT_BITS => {
            let octave = bits - SPLIT_BITS;
            // Below 2 * SPLIT after the shift.
            octave as usize * SPLIT + (steps >> octave) as usize
        }
        // Below SPLIT.
        _ => steps as usize,
    }
}

/// The longest time in nanoseconds that falls into a bucket.
const fn longest_in(bucket: usize) -> u64 {
    let octave = (bucket / SPLIT).saturating_sub(1);
    let first = bucket - octave * SPLIT;
    (((first as u64) + 1) << octave) * STEP_NS - 1
}

/// Counts by duration, for many threads to add to.
pub struct Histogram([AtomicU64; BUCKET_COUNT]);

impl Histogram {
    /// Counts one duration, in nanoseconds.
    pub fn add(&self, nanos: u64) {
        self.0[bucket_of(nanos)].fetch_add(1, Ordering::Relaxed);
    }

    /// Forgets every count.
    pub fn reset(&self) {
        self.0.iter().for_each(|count| count.store(0, Ordering::Relaxed));
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; BUCKET_COUNT])
    }
}

/// The counts of a [`Histogram`], or of several added up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution([u64; BUCKET_COUNT]);

impl Default for Distribution {
    fn default() -> Self {
        Self([0; BUCKET_COUNT])
    }
}

impl Distribution {
    /// Adds the counts of a histogram.
    pub fn add(&mut self, histogram: &Histogram) {
        for (sum, count) in self.0.iter_mut().zip(&histogram.0) {
            *sum += count.load(Ordering::Relaxed);
        }
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The duration in nanoseconds that this share of all, in percent, does not exceed.
    pub fn percentile_ns(&self, percent: f64) -> u64 {
        // Rounded as HdrHistogram does; at least one.
        let wanted = (percent.clamp(0.0, 100.0) / 100.0 * self.count() as f64 + 0.5) as u64;
        let mut seen = 0;
        for (bucket, count) in self.0.iter().enumerate() {
            seen += count;
            if seen >= wanted.max(1) {
                return longest_in(bucket);
            }
        }
        0
    }

    /// How many took at most so many microseconds, for one microsecond and its doublings, as LATENCY
    /// HISTOGRAM shows them: only where the number grows.
    pub fn cumulative(&self) -> Vec<(u64, u64)> {
        let mut shown = Vec::new();
        let mut seen = 0;
        // The first line takes in everything below it, each following one octave more.
        let (first, rest) = self.0.split_at(SPLIT);
        let octaves = std::iter::once(first).chain(rest.chunks(SPLIT));
        for (octave, counts) in octaves.enumerate() {
            let count: u64 = counts.iter().sum();
            if count > 0 {
                seen += count;
                shown.push((longest_in(octave * SPLIT + SPLIT - 1) / 1000, seen));
            }
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_falls_into_the_bucket_that_ends_behind_it() {
        for nanos in (0..40_000).chain([999_999_999, NANOS_MAX]) {
            let bucket = bucket_of(nanos);
            assert!(nanos <= longest_in(bucket), "{nanos} in {bucket}");
            assert!(bucket == 0 || nanos > longest_in(bucket - 1), "{nanos} in {bucket}");
        }
    }

    #[test]
    fn counts_are_cut_where_redis_cuts_them() {
        let histogram = Histogram::default();
        let micros = [0, 1, 2, 4, 8, 16, 33, 66, 132, 264, 528, 1056, 2113, 4227, 8454];
        micros.iter().for_each(|micros| histogram.add(*micros * 1000));
        let mut distribution = Distribution::default();
        distribution.add(&histogram);
        let lines: Vec<u64> = distribution.cumulative().iter().map(|(micros, _)| *micros).collect();
        assert_eq!(lines, [1, 2, 4, 8, 16, 33, 66, 132, 264, 528, 1056, 2113, 4227, 8454]);
        assert_eq!(distribution.cumulative()[0], (1, 2));
    }

    #[test]
    fn percentiles_are_the_bounds_of_their_buckets() {
        let histogram = Histogram::default();
        for micros in 1..=100 {
            histogram.add(micros * 1000);
        }
        histogram.add(3_600_000_000_000);
        let mut distribution = Distribution::default();
        distribution.add(&histogram);
        for (percent, true_ns) in [(0.0, 1_000), (50.0, 51_000), (90.0, 91_000), (100.0, NANOS_MAX)]
        {
            let shown = distribution.percentile_ns(percent);
            assert!(
                (true_ns..true_ns + true_ns / 8 + STEP_NS).contains(&shown),
                "{percent}: {shown}"
            );
        }
        assert_eq!(Distribution::default().percentile_ns(50.0), 0);
    }
}
