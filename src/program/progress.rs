//! How far something large has come: a bar on a terminal, a log line now and then elsewhere.

use redist::Server;
use std::io::{self, IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

/// Shows how much of a file was read, on standard error. A file that is read at once shows nothing.
pub struct Progress {
    name: String,
    is_terminal: bool,
    started: Instant,
    shown: Instant,
    drawn: bool,
}

const REDRAWN_AFTER: Duration = Duration::from_millis(100);
const LOGGED_AFTER: Duration = Duration::from_secs(5);

impl Progress {
    /// Nothing was read of the file yet.
    pub fn new(name: &str) -> Self {
        let now = Instant::now();
        let is_terminal = stderr().is_terminal();
        Self { name: name.to_owned(), is_terminal, started: now, shown: now, drawn: false }
    }

    /// So many bytes of so many were read.
    pub fn note(&mut self, done: u64, total: u64) {
        let patience = if self.is_terminal { REDRAWN_AFTER } else { LOGGED_AFTER };
        if self.shown.elapsed() < patience {
            return;
        }
        self.shown = Instant::now();
        let line = line(&self.name, done, total, self.started.elapsed());
        if self.is_terminal {
            self.drawn = true;
            // Back to the start of the line, and nothing left of the former one.
            print(&format!("\r{line}\x1b[K"));
        } else {
            log::info!("{line}");
        }
    }
}

/// The server once it has loaded its data; shows how far that has come.
///
/// # Errors
/// When it cannot be loaded.
pub fn loaded(server: Server, name: &str) -> io::Result<Server> {
    let mut progress = Progress::new(name);
    server.loaded(|state| progress.note(state.loaded_bytes, state.total_bytes))
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn {
            print("\r\x1b[K");
        }
    }
}

/// Whoever does not read standard error misses the bar alone.
fn print(text: &str) {
    let mut stderr = stderr();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

/// Characters of a full bar.
const BAR_WIDTH: usize = 30;

fn line(name: &str, done: u64, total: u64, elapsed: Duration) -> String {
    let share = if total == 0 { 0.0 } else { (done as f64 / total as f64).min(1.0) };
    let full = (share * BAR_WIDTH as f64) as usize;
    let bar = "#".repeat(full) + &"-".repeat(BAR_WIDTH - full);
    let mut line =
        format!("{name} [{bar}] {:.0}%, {} of {}", share * 100.0, size(done), size(total));
    if share > 0.0 && elapsed >= Duration::from_secs(1) {
        let left = elapsed.as_secs_f64() * (1.0 - share) / share;
        line.push_str(&format!(", {left:.0} s left"));
    }
    line
}

/// A number of bytes for people.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "KB", "MB", "GB", "TB"];
    let (mut amount, mut unit) = (bytes as f64, 0);
    while amount >= 1024.0 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0);
    format!("{amount:.digits$} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_much_and_how_long() {
        let second = Duration::from_secs(1);
        let cases = [
            (0, 100, second, "f [------------------------------] 0%, 0 bytes of 100 bytes"),
            (
                50,
                100,
                second,
                "f [###############---------------] 50%, 50 bytes of 100 bytes, 1 s left",
            ),
            (
                3 << 29,
                6 << 30,
                10 * second,
                "f [#######-----------------------] 25%, 1.5 GB of 6.0 GB, 30 s left",
            ),
            (7, 0, second, "f [------------------------------] 0%, 7 bytes of 0 bytes"),
            (9, 8, second / 2, "f [##############################] 100%, 9 bytes of 8 bytes"),
        ];
        for (done, total, elapsed, expected) in cases {
            assert_eq!(line("f", done, total, elapsed), expected);
        }
    }
}
