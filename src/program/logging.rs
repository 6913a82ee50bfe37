//! Log lines in Redis's format, on standard error or in a file:
//! `4711:M 23 Nov 2026 05:00:00.123 * Server initialized`.

use env_logger::Target;
use log::{Level, LevelFilter};
use redist::config::LogLevel;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

/// Starts to write log lines; an empty path is standard error.
///
/// # Errors
/// When the file cannot be written to.
pub fn start_logging(path: &str, level: LogLevel) -> io::Result<()> {
    let target = if path.is_empty() {
        Target::Stderr
    } else {
        let file = LogFile { path: PathBuf::from(path) };
        file.open()?;
        Target::Pipe(Box::new(file))
    };
    let process = std::process::id();
    // Which lines are written is decided by `log` alone, so that it can change at run time.
    env_logger::Builder::new()
        .filter_level(LevelFilter::Trace)
        .target(target)
        .format(move |line, record| {
            let time = jiff::Zoned::now().strftime("%d %b %Y %H:%M:%S%.3f");
            writeln!(line, "{process}:M {time} {} {}", mark(record.level()), record.args())
        })
        .init();
    write_lines_from(level);
    Ok(())
}

/// Writes lines from this level on, from now on.
pub fn write_lines_from(level: LogLevel) {
    log::set_max_level(match level {
        LogLevel::Debug => LevelFilter::Trace,
        LogLevel::Verbose => LevelFilter::Debug,
        LogLevel::Notice => LevelFilter::Info,
        LogLevel::Warning => LevelFilter::Warn,
        LogLevel::Nothing => LevelFilter::Off,
    });
}

/// How Redis marks a line of this level.
fn mark(level: Level) -> char {
    match level {
        Level::Error | Level::Warn => '#',
        Level::Info => '*',
        Level::Debug => '-',
        Level::Trace => '.',
    }
}

/// A log that is opened for every line, so that it can be moved away and begins anew.
struct LogFile {
    path: PathBuf,
}

impl LogFile {
    fn open(&self) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).open(&self.path)
    }
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.open()?.write(bytes)
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.open()?.write_all(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
