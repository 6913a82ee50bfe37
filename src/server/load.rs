//! Loading the snapshot that the directives `dir` and `dbfilename` name, before anything is served.
//!
//! The file is read and never written. What cannot be loaded whole is not loaded at all: the server
//! ends, and says at which byte and why.

use crate::clock::Clock;
use crate::config::Settings;
use crate::instance::{Instance, Phase};
use crate::keyspace::{AccessPolicy, Restored};
use crate::persist::{Content, Header, LoadError, Loader, Record};
use crate::value::EncodingLimits;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A snapshot that is there to be loaded.
pub struct Snapshot {
    path: PathBuf,
    file: File,
    /// Unless it is no file that has a length, such as a pipe.
    length: Option<u64>,
}

impl Snapshot {
    /// Opens it; `None` if there is none.
    ///
    /// # Errors
    /// When there is one that cannot be opened. The text names it.
    pub fn open(settings: &Settings) -> io::Result<Option<Self>> {
        if settings.dbfilename.is_empty() {
            return Ok(None);
        }
        let path = Path::new(&settings.dir).join(&settings.dbfilename);
        match File::open(&path).and_then(|file| Ok((file.metadata()?, file))) {
            Ok((about, file)) => {
                let length = about.is_file().then_some(about.len());
                Ok(Some(Self { path, file, length }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => {
                let text = format!("cannot load '{}': {error}", path.display());
                Err(io::Error::new(error.kind(), text))
            }
        }
    }

    /// Has clients told that it is being loaded, from before the first of them comes.
    pub fn announce(&self, instance: &Instance) {
        instance.loading.start(self.length.unwrap_or(0), instance.clock.now_ms() / 1000);
    }

    /// Loads it, unless the server is to end meanwhile. When this returns, it is known how it went.
    pub fn load(self, instance: &Instance) {
        let name = self.path.display().to_string();
        let started = Instant::now();
        let phase = match self.load_keys(instance, false) {
            Ok(()) if instance.stop.is_requested() => Phase::Abandoned,
            Ok(()) => {
                log_end(instance, started);
                Phase::Over
            }
            Err(reason) => Phase::Failed(format!("cannot load '{name}': {reason}")),
        };
        let has_failed = matches!(phase, Phase::Failed(_));
        instance.loading.end(phase);
        instance.reaper.ring();
        if has_failed {
            instance.stop.request();
        }
    }

    /// Adds its keys to what there is; those that are there already are replaced, or an error.
    pub fn read_into(self, instance: &Instance, merges: bool) -> Result<(), String> {
        let name = self.path.display().to_string();
        let read = self.load_keys(instance, merges);
        instance.reaper.ring();
        read.map_err(|reason| format!("cannot load '{name}': {reason}"))
    }

    fn load_keys(self, instance: &Instance, merges: bool) -> Result<(), String> {
        let settings = instance.config.settings();
        let limits = EncodingLimits::new(&settings);
        let policy = AccessPolicy::new(&settings);
        let text = |error: LoadError| error.to_string();
        let mut loader = Loader::new(self.file, self.length, limits).map_err(text)?;
        // Keys are past their deadline at the start, or they are loaded.
        let now_ms = instance.now_ms();
        let mut next = loader.next();
        // What the file says about itself stands before its first key.
        log_header(loader.header(), &instance.clock);
        while let Some(record) = next {
            if instance.stop.is_requested() {
                return Ok(());
            }
            if let Some((db, count)) = loader.take_announced() {
                reserve(instance, db, count);
            }
            match take(instance, record.map_err(text)?, now_ms, policy, merges)? {
                Taken::Stored => instance.loading.note_key(loader.offset(), false),
                Taken::Expired => instance.loading.note_key(loader.offset(), true),
                Taken::Skipped => {}
            }
            next = loader.next();
        }
        if let Some(left @ 1..) = loader.left() {
            log::warn!("{left} bytes follow the end of the snapshot; they were not read");
        }
        Ok(())
    }
}

/// What became of a key.
enum Taken {
    Stored,
    Expired,
    Skipped,
}

fn reserve(instance: &Instance, db: usize, count: u64) {
    if db < instance.keyspace.database_count() {
        instance.keyspace.reserve(db, usize::try_from(count).unwrap_or(0));
    }
}

fn take(
    instance: &Instance,
    record: Record,
    now_ms: u64,
    policy: AccessPolicy,
    merges: bool,
) -> Result<Taken, String> {
    let Record { db, key, deadline_ms, usage, content, .. } = record;
    let shown = || format!("key \"{}\" of database {db}", key.escape_ascii());
    let count = instance.keyspace.database_count();
    if db >= count {
        return Err(format!(
            "{} needs more than {count} databases; allow them with --databases",
            shown()
        ));
    }
    let value = match content {
        Content::Value(value) => value,
        Content::Empty => {
            log::warn!("Skipping empty {}", shown());
            return Ok(Taken::Skipped);
        }
        Content::Foreign(name) => return Err(format!("{} is a {name}", shown())),
    };
    let deadline_ms = match deadline_ms {
        // One before 1970 has passed as well.
        Some(deadline_ms) => match u64::try_from(deadline_ms) {
            Ok(deadline_ms) if deadline_ms > now_ms => Some(deadline_ms),
            _ => return Ok(Taken::Expired),
        },
        None => None,
    };
    let restored = Restored { db, key: &key, value, deadline_ms, usage, replaces: merges };
    if !instance.keyspace.restore(restored, now_ms, policy) {
        return Err(format!("{} is in it twice", shown()));
    }
    Ok(Taken::Stored)
}

fn log_end(instance: &Instance, started: Instant) {
    let progress = instance.loading.progress();
    log::info!(
        "Done loading RDB, keys loaded: {}, keys expired: {}.",
        progress.loaded_keys,
        progress.expired_keys
    );
    log::info!("DB loaded from disk: {:.3} seconds", started.elapsed().as_secs_f64());
}

/// Says who wrote the file and when, as Redis does.
fn log_header(header: &Header, clock: &Clock) {
    for (name, value) in &header.aux {
        let value = String::from_utf8_lossy(value);
        match &name[..] {
            b"redis-ver" | b"valkey-ver" => {
                log::info!("Loading RDB produced by version {value}");
            }
            b"ctime" => {
                if let Ok(seconds) = value.parse::<i64>() {
                    log::info!("RDB age {} seconds", (clock.now_ms() / 1000 - seconds).max(0));
                }
            }
            _ => {}
        }
    }
}
