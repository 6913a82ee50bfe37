//! The lines of a configuration file, in the syntax of `redis.conf`.

use crate::glob;
use crate::protocol::split_inline;
use std::io;
use std::path::{Path, PathBuf};

/// A line that says something.
pub struct FileLine {
    /// Counted from 1.
    pub number: usize,
    /// Without the space around it.
    pub text: String,
    /// The directive and its values, without their quotes; or why there are none.
    pub words: Result<Vec<String>, &'static str>,
}

/// The lines that are neither empty nor comments.
pub fn lines(bytes: &[u8]) -> impl Iterator<Item = FileLine> {
    bytes.split(|byte| *byte == b'\n').zip(1..).filter_map(|(line, number)| {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            return None;
        }
        let text = String::from_utf8_lossy(line).into_owned();
        Some(FileLine { number, text, words: words(line) })
    })
}

fn words(line: &[u8]) -> Result<Vec<String>, &'static str> {
    let words = split_inline(line).ok_or("Unbalanced quotes in configuration line")?;
    let words = words.into_iter().map(String::from_utf8).collect::<Result<_, _>>();
    words.map_err(|_| "A configuration line has to be UTF-8 text")
}

/// An error as C words it: `Permission denied` instead of `Permission denied (os error 13)`.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error ").next().unwrap_or(&text).to_owned()
}

/// The files that `include` names: one, or those that match a pattern in its last part, in order.
/// No match is no error, so that a folder of fragments may be empty.
///
/// # Errors
/// When the folder is there and cannot be read.
pub fn matching(pattern: &str) -> io::Result<Vec<PathBuf>> {
    if !pattern.contains(['*', '?', '[']) {
        return Ok(vec![PathBuf::from(pattern)]);
    }
    let path = Path::new(pattern);
    let (Some(name), Some(folder)) = (path.file_name(), path.parent()) else {
        return Ok(Vec::new());
    };
    let name = name.as_encoded_bytes();
    let folder = if folder == Path::new("") { Path::new(".") } else { folder };
    let entries = match folder.read_dir() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?.file_name();
        let bytes = entry.as_encoded_bytes();
        // As in a shell, a star takes no hidden files.
        if bytes.starts_with(b".") == name.starts_with(b".") && glob::matches(name, bytes) {
            found.push(folder.join(entry));
        }
    }
    found.sort();
    Ok(found)
}
