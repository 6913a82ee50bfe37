//! The directives: one row each, from which options, configuration file, environment, CONFIG and
//! `--help` follow.
//!
//! A [`Directive`] is a row: a name with its kind and its default. Those that redist goes by
//! have a typed field in [`Settings`]; the others are known by name, have the one value that is true
//! for redist, and whoever asks for another one is told so. [`Config`] holds the settings in force.
//!
//! Knows no commands, no clients and no sockets; files are read and written here and nowhere above.

mod buffer_limits;
mod current;
mod directives;
mod event_classes;
mod file;
mod help;
mod load;
mod options;
mod rewrite;
mod settings;
mod value;

pub use buffer_limits::{BufferLimit, BufferLimits};
pub use current::{Config, Refusal};
pub use directives::{Change, Directive, Given, KNOWN, SECTIONS, Section, all, all_names, find};
pub use event_classes::EventClasses;
pub use help::help;
pub use load::{LoadError, Loaded, Place};
pub use options::{Arguments, OptionLine, Request};
pub use rewrite::replace_file;
pub use settings::{LogLevel, MaxmemoryPolicy, Permission, Settings};
pub use value::{Kind, Value, ValueError};
