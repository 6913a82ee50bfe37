//! What the benchmarks share: both servers on free ports, requests by the thousand, and tables.

#![allow(dead_code, reason = "each benchmark uses its own part of this")]

#[path = "../../support/mod.rs"]
mod tests;

pub use tests::client::{Client, frame, load};

use std::net::SocketAddr;
use tests::peer::{Folder, RealRedis};
use tests::program::{Program, command};

/// A folder for a server's files, removed with everything in it.
pub fn folder() -> Folder {
    Folder::new()
}

/// Whether a program can be started; says so if it cannot.
pub fn has(program: &str) -> bool {
    tests::peer::has(program, &["--version"])
}

/// A server that is measured, ended with this value.
pub struct Measured {
    /// How it is called in a table.
    pub name: &'static str,
    /// Where it listens.
    pub address: SocketAddr,
    /// The number of its process.
    pub process: u32,
    _running: Running,
}

#[allow(dead_code, reason = "held for what happens when it is dropped")]
enum Running {
    Redist(Program, Folder),
    Redis(RealRedis),
}

impl Measured {
    /// The program of this build.
    pub fn redist() -> Self {
        Self::redist_with(&[])
    }

    /// The program of this build with directives of its own.
    pub fn redist_with(directives: &[(&str, &str)]) -> Self {
        let options = directives.iter().map(|(name, _)| format!("--{name}")).collect::<Vec<_>>();
        let mut args = vec!["--port", "auto"];
        for (option, (_, value)) in options.iter().zip(directives) {
            args.extend([option.as_str(), *value]);
        }
        let folder = folder();
        let mut command = command(&args);
        command.current_dir(folder.path());
        let program = Program::start(command);
        let (address, process) = (program.address, program.id());
        Self { name: "redist", address, process, _running: Running::Redist(program, folder) }
    }

    /// The redis-server that is installed, if one is.
    pub fn redis() -> Option<Self> {
        Self::redis_with(&[])
    }

    /// The same with directives of its own.
    pub fn redis_with(directives: &[(&str, &str)]) -> Option<Self> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let real = RealRedis::start(&directives.iter().map(owned).collect::<Vec<_>>())?;
        let (address, process) = (real.address(), real.id());
        Some(Self { name: "Redis", address, process, _running: Running::Redis(real) })
    }

    /// A connection to it.
    pub fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// Seconds of processor time that it has spent in user mode, where the system tells.
    pub fn user_seconds(&self) -> Option<f64> {
        /// Linux counts in hundredths, whatever its own tick is.
        const TICKS_PER_SECOND: f64 = 100.0;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process)).ok()?;
        // Behind the name, which may contain anything, the 12th field.
        let (_, fields) = stat.rsplit_once(')')?;
        let ticks: f64 = fields.split_whitespace().nth(11)?.parse().ok()?;
        Some(ticks / TICKS_PER_SECOND)
    }

    /// Its resident memory in bytes, where the system tells.
    pub fn resident_bytes(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
        Some(kilobytes * 1024)
    }
}

/// Prints a table as Markdown: the first column to the left, numbers to the right.
pub fn print_table(head: &[&str], rows: &[Vec<String>]) {
    let line = |cells: &[String]| println!("| {} |", cells.join(" | "));
    line(&head.iter().map(|&cell| cell.to_owned()).collect::<Vec<_>>());
    let rule = |index: usize| if index == 0 { "---" } else { "---:" }.to_owned();
    line(&(0..head.len()).map(rule).collect::<Vec<_>>());
    rows.iter().for_each(|row| line(row));
}
