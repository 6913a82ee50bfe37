//! What the program does and the library must not: it writes a log, raises the limit of open files,
//! and leaves files behind that tell others of it. All of that belongs to the process.

mod announcement;
mod check;
mod logging;
mod open_files;
mod progress;

pub use announcement::Announcement;
pub use check::check;
pub use logging::{start_logging, write_lines_from};
pub use open_files::{make_room, make_room_or_refuse};
pub use progress::loaded;
