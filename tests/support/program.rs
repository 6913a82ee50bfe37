//! The program as a process of its own.

use super::client::Client;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The program, running; killed with this value if it has not ended by then.
pub struct Program {
    child: Child,
    pub address: SocketAddr,
    /// Kept open: the program may print more.
    _stdout: BufReader<ChildStdout>,
}

/// What a program left behind that has ended.
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// The program with these arguments, and without what the tests themselves are configured with.
pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_redist"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("REDIST_")) {
        command.env_remove(name);
    }
    // No test leaves a snapshot behind where it does not ask for one.
    command.env("REDIST_SAVE", "");
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Program {
    /// Starts it on a free port.
    pub fn on_a_free_port() -> Self {
        Self::start(command(&["--port", "auto"]))
    }

    /// Starts it and reads the address from its first line of output.
    pub fn start(mut command: Command) -> Self {
        Self::of(command.spawn().unwrap())
    }

    /// One that was started just now.
    pub fn of(mut child: Child) -> Self {
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("Ready to accept connections on redis://");
        let Some(address) = address else {
            let ended = Ended::new(child);
            panic!("not ready: {line:?} {}", ended.stderr);
        };
        Self { child, address: address.parse().unwrap(), _stdout: stdout }
    }

    pub fn client(&self) -> Client {
        Client::connect(self.address)
    }

    pub fn port(&self) -> String {
        self.address.port().to_string()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: &str) {
        let id = self.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Stops it as Ctrl-C does.
    pub fn stop(self) -> Ended {
        self.signal("-INT");
        self.wait()
    }

    /// Waits until it has ended.
    pub fn wait(mut self) -> Ended {
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let status = self.child.wait().unwrap();
        Ended { status, stdout: String::new(), stderr }
    }

    /// Waits until it has ended, which must not take long: one second is promised, and a busy machine
    /// may need more.
    pub fn wait_shortly(mut self) -> Ended {
        const PATIENCE: Duration = Duration::from_secs(10);
        let started = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(started.elapsed() < PATIENCE, "the program does not end");
            std::thread::sleep(Duration::from_millis(2));
        }
        self.wait()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    pub fn new(child: Child) -> Self {
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { status: output.status, stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Runs a program that ends by itself.
    pub fn of(mut command: Command) -> Self {
        Self::new(command.spawn().unwrap())
    }
}
