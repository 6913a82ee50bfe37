//! Data as bytes, in Redis's own format (RDB): single values for DUMP and RESTORE, and whole files.
//!
//! What is read is hostile until it was checked: no length is believed, nothing is allocated by one,
//! and an error says at which byte it is and why. Nothing here knows commands, clients or locks.

mod checksum;
mod code;
mod decode;
mod digest;
mod encode;
mod error;
mod foreign;
mod load;
mod lzf;
mod payload;
mod reader;
mod write;
mod ziplist;

pub use digest::{Fingerprint, Survey};
pub use error::{Fault, LoadError};
pub use load::{Content, Header, Loader, Record};
pub use payload::{PayloadError, dump, restore, stored_bytes};
pub use write::{Format, Item, Section, Writer};
