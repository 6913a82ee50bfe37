//! What a test watches from outside: conditions that come true, panics, memory, threads.

use std::sync::{Mutex, Once, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

/// Long enough for a busy machine; a condition that takes longer does not come true.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until something holds that other threads bring about.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "this does not come true: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Panics outside of the tests: those of a server, which serves on after most of them.
pub struct Panics;

static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

impl Panics {
    /// Takes notes from now on, in the whole process.
    pub fn watch() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            let print = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                // A test that fails says so itself.
                if !info.location().is_some_and(|location| location.file().starts_with("tests")) {
                    let mut panics = PANICS.lock().unwrap_or_else(|poison| poison.into_inner());
                    panics.push(info.to_string());
                }
                print(info);
            }));
        });
    }

    /// Fails if there was any.
    pub fn assert_none() {
        let panics = PANICS.lock().unwrap_or_else(|poison| poison.into_inner());
        assert!(panics.is_empty(), "threads of a server panicked: {panics:#?}");
    }
}

/// Resident memory of this process in bytes, where the system tells.
pub fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// Names of all threads of this process, where the system tells.
pub fn thread_names() -> Option<Vec<String>> {
    let tasks = std::fs::read_dir("/proc/self/task").ok()?;
    // A thread may end between being listed and being asked.
    let names = tasks.flatten().filter_map(|task| {
        let name = std::fs::read_to_string(task.path().join("comm")).ok()?;
        Some(name.trim_end().to_owned())
    });
    Some(names.collect())
}

/// Names of the threads of servers in this process, where the system tells.
pub fn server_threads() -> Option<Vec<String>> {
    let names = thread_names()?.into_iter();
    let is_server = |name: &String| {
        ["redist", "accept", "reaper", "postman"].contains(&name.as_str())
            || name.starts_with("client-")
    };
    Some(names.filter(is_server).collect())
}

/// Memory and threads are the process's: what measures them runs alone, everything else together.
static MEASURING: RwLock<()> = RwLock::new(());

/// Held by a test that measures.
pub fn alone() -> RwLockWriteGuard<'static, ()> {
    MEASURING.write().unwrap_or_else(|poison| poison.into_inner())
}

/// Held by a test that would disturb one that measures.
pub fn together() -> RwLockReadGuard<'static, ()> {
    MEASURING.read().unwrap_or_else(|poison| poison.into_inner())
}

/// How many connections to a server in this process may be open at once, at most `wanted`: each takes
/// two descriptors, one for each end.
pub fn connections_possible(wanted: usize) -> usize {
    let descriptors = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1024);
    let possible = usize::try_from(descriptors).unwrap_or(usize::MAX).saturating_sub(200) / 2;
    if possible < wanted {
        println!(
            "only {possible} connections instead of {wanted}: the limit of open files is {descriptors}"
        );
    }
    wanted.min(possible)
}
