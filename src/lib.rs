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

pub use server::{Builder, Server};
