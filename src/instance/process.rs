//! The process as the operating system sees it: its memory, its processor time, its names.
//!
//! Read from `/proc` where there is one. What cannot be known is `None`, and INFO leaves it out.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What there is to know of the process that a server runs in.
pub struct Process {
    /// Resident bytes when the server was made.
    startup_bytes: u64,
    /// The most resident bytes that were seen.
    peak_bytes: AtomicU64,
}

/// Memory of the process.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Bytes in physical memory.
    pub resident_bytes: u64,
    /// The most there have been.
    pub peak_bytes: u64,
    /// Those there were when the server was made.
    pub startup_bytes: u64,
}

/// Processor time, in user mode and in the kernel.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct CpuTimes {
    /// Of all threads.
    pub user: Duration,
    /// Of all threads.
    pub system: Duration,
    /// Of child processes that have ended.
    pub children_user: Duration,
    /// Of child processes that have ended.
    pub children_system: Duration,
}

impl Default for Process {
    fn default() -> Self {
        let (startup_bytes, peak_bytes) = resident_and_peak().unwrap_or_default();
        Self { startup_bytes, peak_bytes: AtomicU64::new(peak_bytes) }
    }
}

impl Process {
    /// How much memory the process has. Without an allocator of our own, pages are all that can be counted.
    pub fn memory(&self) -> Option<Memory> {
        let (resident_bytes, peak_bytes) = resident_and_peak()?;
        let seen = self.peak_bytes.fetch_max(peak_bytes, Ordering::Relaxed);
        Some(Memory {
            resident_bytes,
            peak_bytes: seen.max(peak_bytes),
            startup_bytes: self.startup_bytes,
        })
    }

    /// Processor time of all threads, living and ended.
    pub fn cpu(&self) -> Option<CpuTimes> {
        cpu_times(&fs::read_to_string("/proc/self/stat").ok()?)
    }

    /// Processor time of the thread that the program started with.
    pub fn cpu_of_main_thread(&self) -> Option<CpuTimes> {
        let id = self.id();
        cpu_times(&fs::read_to_string(format!("/proc/self/task/{id}/stat")).ok()?)
    }

    /// The process's number.
    pub fn id(&self) -> u32 {
        std::process::id()
    }

    /// The operating system with its release, and the processor's architecture.
    pub fn system(&self) -> String {
        let kernel = |name| fs::read_to_string(format!("/proc/sys/kernel/{name}"));
        let architecture = std::env::consts::ARCH;
        match (kernel("ostype"), kernel("osrelease")) {
            (Ok(name), Ok(release)) => {
                format!("{} {} {architecture}", name.trim_end(), release.trim_end())
            }
            _ => format!("{} {architecture}", std::env::consts::OS),
        }
    }

    /// The file that is running.
    pub fn executable(&self) -> Option<String> {
        std::env::current_exe().ok().map(|path| path.display().to_string())
    }

    /// Physical memory of the machine in bytes.
    pub fn system_memory_bytes(&self) -> Option<u64> {
        kilobytes(&fs::read_to_string("/proc/meminfo").ok()?, "MemTotal:")
    }
}

/// `status` rather than `statm`, which counts in pages of a size that it does not tell.
fn resident_and_peak() -> Option<(u64, u64)> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let resident = kilobytes(&status, "VmRSS:")?;
    // Some kernels do not keep the peak; then the highest value that we saw has to do.
    Some((resident, kilobytes(&status, "VmHWM:").unwrap_or(0).max(resident)))
}

/// The bytes in a line such as `VmRSS:      7168 kB`.
fn kilobytes(text: &str, label: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(label))?;
    let count: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    count.checked_mul(1024)
}

/// The times in a `stat` file, which counts in hundredths of a second (`USER_HZ`).
fn cpu_times(stat: &str) -> Option<CpuTimes> {
    // The second field is a name in parentheses, in which there may be spaces and parentheses.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_ascii_whitespace().skip(11);
    let mut next = || {
        let hundredths: u64 = times.next()?.parse().ok()?;
        Some(Duration::from_millis(hundredths.saturating_mul(10)))
    };
    Some(CpuTimes {
        user: next()?,
        system: next()?,
        children_user: next()?,
        children_system: next()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_lines_are_read_in_bytes() {
        let status = "Name:\tredist\nVmHWM:\t    9000 kB\nVmRSS:\t    7168 kB\nThreads:\t3\n";
        assert_eq!(kilobytes(status, "VmRSS:"), Some(7168 * 1024));
        assert_eq!(kilobytes(status, "VmHWM:"), Some(9000 * 1024));
        assert_eq!(kilobytes(status, "VmSwap:"), None);
        assert_eq!(kilobytes("VmRSS: many kB", "VmRSS:"), None);
    }

    #[test]
    fn processor_times_stand_behind_a_name_with_any_characters() {
        let stat = "17 (a) b (c) S 1 17 17 0 -1 4194560 100 0 0 0 250 30 4 5 20 0 3 0 1000 1 2";
        let expected = CpuTimes {
            user: Duration::from_millis(2500),
            system: Duration::from_millis(300),
            children_user: Duration::from_millis(40),
            children_system: Duration::from_millis(50),
        };
        assert_eq!(cpu_times(stat), Some(expected));
        assert_eq!(cpu_times("17 (a) S 1"), None);
        assert_eq!(cpu_times(""), None);
    }

    #[test]
    fn the_peak_is_never_below_what_is_resident() {
        if let Some(memory) = Process::default().memory() {
            assert!(memory.peak_bytes >= memory.resident_bytes, "{memory:?}");
        }
    }
}
