//! The commands that took longest, newest first.

use std::collections::VecDeque;
use std::sync::Mutex;

/// One slow command.
#[derive(Debug, Clone)]
pub struct SlowEntry {
    /// Counts up and is never reused.
    pub id: u64,
    /// Unix time in seconds.
    pub at_seconds: i64,
    /// Microseconds that it ran.
    pub micros: u64,
    /// Its arguments, shortened as Redis shortens them.
    pub args: Vec<Vec<u8>>,
    /// The client's address.
    pub address: String,
    /// The client's name.
    pub name: String,
}

/// Arguments that an entry keeps, the last saying how many more there were.
const ARGS_COUNT_MAX: usize = 32;
/// Bytes that an entry keeps of one argument.
const ARG_BYTES_MAX: usize = 128;

impl SlowEntry {
    /// Arguments as the slow log keeps them; each comes with its true length in bytes.
    pub fn shorten<'a>(args: impl ExactSizeIterator<Item = (&'a [u8], usize)>) -> Vec<Vec<u8>> {
        let count = args.len();
        let shown = if count > ARGS_COUNT_MAX { ARGS_COUNT_MAX - 1 } else { count };
        let mut kept: Vec<Vec<u8>> = args.take(shown).map(|(arg, len)| shorten(arg, len)).collect();
        if shown < count {
            kept.push(format!("... ({} more arguments)", count - shown).into_bytes());
        }
        kept
    }
}

fn shorten(arg: &[u8], len: usize) -> Vec<u8> {
    let mut kept = arg[..arg.len().min(ARG_BYTES_MAX)].to_vec();
    if len > ARG_BYTES_MAX {
        kept.extend_from_slice(format!("... ({} more bytes)", len - ARG_BYTES_MAX).as_bytes());
    }
    kept
}

/// The slow log.
#[derive(Default)]
pub struct Slowlog {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next_id: u64,
    entries: VecDeque<SlowEntry>,
}

impl Slowlog {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("moving entries does not panic")
    }

    /// Keeps an entry, whose id is set here, and forgets the oldest beyond `max_len`.
    pub fn push(&self, mut entry: SlowEntry, max_len: usize) {
        let mut state = self.state();
        entry.id = state.next_id;
        state.next_id += 1;
        state.entries.push_front(entry);
        state.entries.truncate(max_len);
    }

    /// The newest entries, newest first.
    pub fn newest(&self, count: usize) -> Vec<SlowEntry> {
        self.state().entries.iter().take(count).cloned().collect()
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.state().entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets every entry; ids go on.
    pub fn clear(&self) {
        self.state().entries.clear();
    }
}
