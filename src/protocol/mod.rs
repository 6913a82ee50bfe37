//! RESP as bytes: requests from a `BufRead`, replies into a buffer.
//!
//! Follows the Redis serialization protocol specification, versions 2 and 3, and for requests
//! what Redis 7.2's `networking.c` accepts. Knows no commands, no keys and no sockets.

mod encode;
pub mod extended;
mod natural;
pub mod number;
mod reply;
mod request;
mod strings;

pub use encode::{
    Protocol, encode, encode_array_header, encode_error, encode_map_header, encode_set_header,
};
pub use number::{format_double, parse_integer};
pub use reply::{Outcome, Reply, Shape};
pub use request::{Arg, Frame, ReadError, Request, RequestLimits, read_request, split_inline};
pub use strings::Strings;
