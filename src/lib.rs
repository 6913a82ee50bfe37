//! redist
pub mod clock;
pub mod command;
pub mod config;
pub mod error;
pub mod execute;
pub mod instance;
pub mod keyspace;
pub mod limits;
pub mod protocol;
mod server;
mod session;
pub mod value;

pub use clock::Clock;
pub use server::{Builder, Server};

/// The Redis whose behaviour this is: what HELLO, INFO and LOLWUT tell clients, which choose their
/// features by it.
pub const REDIS_VERSION: &str = "7.2.7";
/// The version of this program.
pub const REDIST_VERSION: &str = env!("CARGO_PKG_VERSION");
