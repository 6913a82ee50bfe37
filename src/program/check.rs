//! `--check-rdb`: what is in a snapshot, and where it is broken.

use super::progress::Progress;
use redist::persist::{Content, LoadError, Loader, Record};
use redist::value::EncodingLimits;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::File;
use std::io;
use std::path::Path;

/// Keys that are listed as the largest.
const LARGEST_COUNT: usize = 10;
/// How much of a key's name is shown.
const SHOWN_BYTES_MAX: usize = 64;

/// What is known of a file.
pub struct Report {
    /// For people.
    pub text: String,
    /// Whether redist could load all of it.
    pub is_good: bool,
}

/// Reads a file to its end, or to where it is broken. Keys that are past their deadline at `now_ms` are
/// counted as such.
///
/// # Errors
/// When the file cannot be opened.
pub fn check(path: &Path, now_ms: i64) -> io::Result<Report> {
    let file = File::open(path)?;
    let length = Some(file.metadata()?).filter(|about| about.is_file()).map(|about| about.len());
    let mut inventory = Inventory::default();
    let name = path.display().to_string();
    let failure = match Loader::new(file, length, EncodingLimits::default()) {
        Ok(loader) => {
            let mut loader = loader.passing_over_foreign();
            let failure = inventory.read(&mut loader, now_ms, &mut Progress::new(&name));
            inventory.describe_file(&name, &loader);
            failure
        }
        Err(error) => {
            let text = format!("{name}: no snapshot that redist can read\nBROKEN {error}\n");
            return Ok(Report { text, is_good: false });
        }
    };
    Ok(inventory.report(failure))
}

/// Keys of one type in one database.
#[derive(Default)]
struct Tally {
    keys: u64,
    bytes: u64,
    expiring: u64,
    expired: u64,
}

struct Large {
    bytes: u64,
    kind: &'static str,
    db: usize,
    key: String,
}

#[derive(Default)]
struct Inventory {
    text: String,
    tallies: BTreeMap<(usize, &'static str), Tally>,
    /// In descending order.
    largest: Vec<Large>,
    /// What keeps redist from loading the file, or from loading all of it.
    objections: Vec<String>,
    ending: String,
}

impl Inventory {
    fn read(
        &mut self,
        loader: &mut Loader<File>,
        now_ms: i64,
        progress: &mut Progress,
    ) -> Option<LoadError> {
        while let Some(record) = loader.next() {
            match record {
                Ok(record) => self.add(&record, now_ms),
                Err(error) => return Some(error),
            }
            if let Some(left) = loader.left() {
                progress.note(loader.offset(), loader.offset() + left);
            }
        }
        None
    }

    fn add(&mut self, record: &Record, now_ms: i64) {
        let Record { db, key, deadline_ms, bytes, content, .. } = record;
        let shown = shown(key);
        let kind = match content {
            Content::Value(value) => value.as_ref().kind().name(),
            Content::Foreign(name) => {
                let objection = format!("cannot load key {shown} of database {db}: {name}");
                self.objections.push(objection);
                name
            }
            Content::Empty => {
                let objection = format!("passes over key {shown} of database {db}: nothing in it");
                self.objections.push(objection);
                "nothing"
            }
        };
        let tally = self.tallies.entry((*db, kind)).or_default();
        tally.keys += 1;
        tally.bytes += bytes;
        tally.expiring += u64::from(deadline_ms.is_some());
        tally.expired += u64::from(deadline_ms.is_some_and(|deadline_ms| deadline_ms <= now_ms));
        let place = self.largest.partition_point(|large| large.bytes >= *bytes);
        if place < LARGEST_COUNT {
            self.largest.truncate(LARGEST_COUNT - 1);
            self.largest.insert(place, Large { bytes: *bytes, kind, db: *db, key: shown });
        }
    }

    /// Says what the file says of itself.
    fn describe_file(&mut self, name: &str, loader: &Loader<File>) {
        let header = loader.header();
        let aux = |wanted: &str| {
            let (_, value) = header.aux.iter().find(|(name, _)| name == wanted.as_bytes())?;
            String::from_utf8(value.clone()).ok()
        };
        let mut about = format!("{name}: version {}", header.version);
        if let Some(version) = aux("redis-ver").or(aux("valkey-ver")) {
            about.push_str(&format!(", written by a server of version {version}"));
        }
        if let Some(time) = aux("ctime").and_then(|seconds| seconds.parse().ok())
            && let Ok(time) = jiff::Timestamp::from_second(time)
        {
            let time = time.to_zoned(jiff::tz::TimeZone::system());
            about.push_str(&format!(" at {}", time.strftime("%Y-%m-%d %H:%M:%S")));
        }
        self.text = about + "\n";
        let foreign = header.foreign.iter();
        self.objections.extend(foreign.map(|what| format!("cannot load this file: {what}")));
        self.ending = match (header.has_checksum, loader.left()) {
            (_, Some(left @ 1..)) => format!("{left} bytes follow its end; they were not read."),
            (true, _) => "Its checksum is right.".to_owned(),
            (false, _) => "It has no checksum.".to_owned(),
        };
    }

    fn report(mut self, failure: Option<LoadError>) -> Report {
        self.describe_keys();
        let is_good = failure.is_none() && self.objections.is_empty();
        let text = &mut self.text;
        const FITS: &str = "a string takes whatever is written to it";
        for objection in self.objections.iter().take(LARGEST_COUNT) {
            writeln!(text, "redist {objection}").expect(FITS);
        }
        if let Some(more) = self.objections.len().checked_sub(LARGEST_COUNT + 1) {
            writeln!(text, "and for {} more reasons like these", more + 1).expect(FITS);
        }
        match failure {
            Some(error) => writeln!(text, "BROKEN {error}").expect(FITS),
            None => writeln!(text, "{}", self.ending).expect(FITS),
        }
        Report { text: self.text, is_good }
    }

    fn describe_keys(&mut self) {
        if self.tallies.is_empty() {
            self.text.push_str("no keys\n");
            return;
        }
        let mut all = Tally::default();
        let mut rows =
            vec![["database", "type", "keys", "bytes", "expiring", "expired"].map(String::from)];
        for ((db, kind), tally) in &self.tallies {
            all.keys += tally.keys;
            all.bytes += tally.bytes;
            all.expiring += tally.expiring;
            all.expired += tally.expired;
            rows.push(tally.row(&db.to_string(), kind));
        }
        rows.push(all.row("all", ""));
        self.text.push_str(&table(&rows, &[0, 1]));
        let heading = ["bytes", "type", "database", "largest keys"].map(String::from);
        let large = |large: &Large| {
            [grouped(large.bytes), large.kind.to_owned(), large.db.to_string(), large.key.clone()]
        };
        let rows: Vec<_> = [heading].into_iter().chain(self.largest.iter().map(large)).collect();
        self.text.push('\n');
        self.text.push_str(&table(&rows, &[1, 3]));
        self.text.push('\n');
    }
}

impl Tally {
    fn row(&self, db: &str, kind: &str) -> [String; 6] {
        let [keys, bytes, expiring, expired] =
            [self.keys, self.bytes, self.expiring, self.expired].map(grouped);
        [db.to_owned(), kind.to_owned(), keys, bytes, expiring, expired]
    }
}

/// Cells in columns; those of words are aligned to the left.
fn table<const N: usize>(rows: &[[String; N]], words: &[usize]) -> String {
    let width =
        |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().enumerate().map(|(column, cell)| match words.contains(&column) {
            true => format!("{cell:<0$}", widths[column]),
            false => format!("{cell:>0$}", widths[column]),
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// A number with commas between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&[u8]> = digits.as_bytes().rchunks(3).rev().collect();
    String::from_utf8_lossy(&groups.join(&b","[..])).into_owned()
}

fn shown(key: &[u8]) -> String {
    let more = if key.len() > SHOWN_BYTES_MAX { "..." } else { "" };
    format!("\"{}{more}\"", key[..key.len().min(SHOWN_BYTES_MAX)].escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }
}
