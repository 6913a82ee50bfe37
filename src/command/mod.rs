//! The commands: one row each in the file of its family, and what follows from the rows.
//!
//! A handler is a function of the keys that its row declares, its arguments and a moment in time.
//! It parses all its arguments before it touches the view, so an `Err` means that nothing changed.
//! Nothing here does I/O, locks, or reads a clock.

mod args;
mod bitmap;
pub mod category;
mod client;
mod config;
mod connection;
mod database;
mod debug;
mod dump;
mod element;
mod expire;
mod function;
mod geo;
mod geo_search;
mod hash;
mod hash_expiry;
pub mod help;
mod hyperloglog;
mod info;
mod introspection;
mod key;
mod keys;
mod latency;
mod list;
mod list_waiting;
mod lolwut;
mod memory;
mod migrate;
mod monitor;
mod object;
mod persistence;
mod pubsub;
mod replication;
mod scan;
mod script;
mod server;
mod set;
mod slowlog;
mod sort;
mod sorted_set;
mod sorted_set_algebra;
mod sorted_set_range;
mod sorted_set_waiting;
mod spec;
mod stream;
mod stream_claim;
mod stream_group;
mod stream_id;
mod stream_info;
mod stream_pending;
mod stream_read;
mod string;
pub mod syntax;
mod table;
mod transaction;

pub use args::Args;
pub use keys::{Begin, Find, KeyFlags, KeySpec, KeyUse, Keys, Legacy};
pub use migrate::Migration;
pub use spec::{
    Arity, Attempt, Context, Control, Flags, Group, Handler, Nothing, ScriptAccess, ScriptName,
    Spec, Wait,
};
pub use table::{
    COMMAND_COUNT, FindError, Found, all, commands, find, find_full_name, find_name, subcommands,
};
