//! Small files that tell other programs of a running server: its process id, its port.

use redist::config::replace_file;
use std::io;
use std::path::PathBuf;

/// A file with one line, there as long as this value is.
pub struct Announcement {
    path: PathBuf,
    line: String,
}

impl Announcement {
    /// Writes a file at once, so that whoever sees it sees all of it. An empty path is no file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn new(path: &str, line: impl ToString) -> io::Result<Option<Self>> {
        if path.is_empty() {
            return Ok(None);
        }
        let (path, line) = (PathBuf::from(path), format!("{}\n", line.to_string()));
        replace_file(&path, line.as_bytes())?;
        Ok(Some(Self { path, line }))
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        // By now it may be another server's.
        if std::fs::read_to_string(&self.path).is_ok_and(|line| line == self.line) {
            log::info!("Removing {}", self.path.display());
            if let Err(error) = std::fs::remove_file(&self.path) {
                log::warn!("Could not remove {}: {error}", self.path.display());
            }
        }
    }
}
