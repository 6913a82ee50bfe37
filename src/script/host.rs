//! What a script asks of whoever runs it.

use crate::error::CommandError;
use crate::protocol::{Protocol, Request};

/// Runs the commands of a script.
pub trait Host {
    /// Runs a command and gives its reply as bytes in this protocol. An error says why it was not run.
    fn call(&mut self, request: Request, protocol: Protocol) -> Result<Vec<u8>, CommandError>;

    /// Whether the client may run this command; nothing if there is no such command.
    fn admits(&mut self, request: &Request) -> Option<bool>;
}
