//! Lua: scripts, the interpreters that run them, and values on their way between Lua and RESP.
//!
//! A script sees the library that Redis offers it and nothing else: no files, no clock, no chance that
//! is not the same in every run. What commands do it asks of a [`Host`]; no command is known here by
//! name. Whatever a script does, it can neither crash the process nor take memory without bound, and
//! [`Watch`] can end it.

mod failure;
mod host;
mod interpreter;
mod libraries;
mod random;
mod read;
mod redis;
mod room;
mod source;
mod watch;
mod write;

pub use host::Host;
pub use interpreter::{Interpreter, Outcome, Raised, Words};
pub use room::with_room;
pub use source::{Digest, Script};
pub use watch::{KillError, Run, Watch};

/// What Lua calls the script that every interpreter begins with.
const PRELUDE_NAME: &str = "=redist";
/// What Lua calls every script of a client.
const SCRIPT_NAME: &str = "@user_script";
