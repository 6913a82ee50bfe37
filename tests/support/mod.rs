//! What the tests share: servers on free ports, a plain client, replies as text.

#![allow(dead_code, reason = "each test uses its own part of this")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

pub mod client;
pub mod peer;
pub mod program;
pub mod reply;
pub mod transcript;
pub mod watch;
