//! The thread that saves: it writes a snapshot beside the file that the directives `dir` and
//! `dbfilename` name, and puts it in its place once it is complete and on disk. So whatever happens,
//! there is the old file or the new one.

use super::load::Snapshot;
use crate::config::Settings;
use crate::instance::{Instance, PauseMode, SaveJob};
use crate::keyspace::{AccessPolicy, Database, Shards, SnapshotExtent, SnapshotTaker};
use crate::limits;
use crate::persist::{Format, Item, Section, Writer};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

/// Does what is asked for, until the server ends.
pub fn run(instance: &Instance) {
    while let Some(job) = instance.saving.next_job() {
        let result = match job {
            SaveJob::Save => save(instance),
            SaveJob::Stop { save, force } => stop(instance, save, force),
            SaveJob::Reload { save, flush, merge } => reload(instance, save, flush, merge),
        };
        instance.saving.finish_job(result);
    }
}

/// Saves, if it is to, and lets the server end. Nothing is changed in between, so nothing is lost.
fn stop(instance: &Instance, saves: bool, force: bool) -> Result<(), String> {
    if saves {
        instance.pause(PauseMode::Writes, u64::MAX, Shards::Free(&instance.keyspace));
        log::info!("Saving the final RDB snapshot before exiting.");
        if let Err(reason) = save(instance) {
            if !force {
                log::warn!("Error trying to save the DB, can't exit.");
                instance.unpause();
                return Err(reason);
            }
            log::warn!("Error trying to save the DB, but going to exit anyway.");
        }
    }
    instance.stop.request();
    Ok(())
}

/// Replaces what there is by what was saved. Nobody sees anything in between.
fn reload(instance: &Instance, saves: bool, flushes: bool, merges: bool) -> Result<(), String> {
    instance.pause(PauseMode::Everything, u64::MAX, Shards::Free(&instance.keyspace));
    let reloaded = reload_paused(instance, saves, flushes, merges);
    instance.unpause();
    reloaded
}

fn reload_paused(
    instance: &Instance,
    saves: bool,
    flushes: bool,
    merges: bool,
) -> Result<(), String> {
    if saves {
        save(instance)?;
    }
    let settings = instance.config.settings();
    let snapshot = Snapshot::open(&settings).map_err(|error| error.to_string())?;
    if flushes {
        drop(instance.keyspace.take_everything());
    }
    match snapshot {
        Some(snapshot) => snapshot.read_into(instance, merges),
        None => Ok(()),
    }
}

/// Writes a snapshot and notes how it went.
fn save(instance: &Instance) -> Result<(), String> {
    let settings = instance.config.settings();
    let path = Path::new(&settings.dir).join(&settings.dbfilename);
    let started = Instant::now();
    let result = write(instance, &settings, &path);
    instance.keyspace.end_snapshot();
    let result = result.map_err(|error| format!("cannot write '{}': {error}", path.display()));
    match &result {
        Ok(_) => log::info!("DB saved on disk in {:.3} seconds", started.elapsed().as_secs_f64()),
        Err(reason) => log::warn!("Saving failed: {reason}"),
    }
    let now_seconds = instance.clock.now_ms() / 1000;
    instance.saving.note_snapshot(result.clone().map(|changes| (now_seconds, changes)));
    result.map(|_| ())
}

/// Encodes shards for the file as they are shown.
struct Encoder {
    format: Format,
    /// What access clocks keep, if the file is to tell it.
    policy: Option<AccessPolicy>,
    now_ms: u64,
    /// Shards on their way to the file.
    sections: Mutex<Vec<io::Result<Section>>>,
}

impl SnapshotTaker for Encoder {
    fn take(&self, databases: &mut dyn Iterator<Item = (usize, &Database)>) {
        let mut section = Section::new(self.format);
        let mut result = Ok(());
        for (db, database) in databases {
            for entry in database.iter() {
                let usage = self.policy.map(|policy| entry.access.usage(self.now_ms, policy));
                let item = Item {
                    db,
                    key: entry.key(),
                    value: entry.value(),
                    deadline_ms: entry.deadline_ms(),
                    usage: usage.unwrap_or_default(),
                };
                result = result.and_then(|()| section.add(item));
            }
        }
        if section.key_count() > 0 {
            let mut sections = self.sections.lock().expect("moving a section does not panic");
            sections.push(result.map(|()| section));
        }
    }
}

impl Encoder {
    fn new(instance: &Instance, settings: &Settings, extent: &SnapshotExtent) -> Self {
        let format = Format {
            compresses: settings.rdbcompression,
            has_checksum: settings.rdbchecksum,
            has_field_deadlines: extent.has_inner_deadlines,
        };
        let policy = settings.maxmemory_policy.is_by_usage().then(|| AccessPolicy::new(settings));
        Self { format, policy, now_ms: instance.now_ms(), sections: Mutex::default() }
    }
}

/// A file that is not there unless it was completed.
struct Draft {
    path: PathBuf,
    completed: bool,
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.completed {
            // It may not even be there, and nobody reads it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Writes a snapshot of this moment; how many changes it contains.
fn write(instance: &Instance, settings: &Settings, path: &Path) -> io::Result<u64> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut draft = Draft {
        path: folder.join(format!("temp-{}-{}.rdb", instance.process.id(), instance.run_id)),
        completed: false,
    };
    let file = File::create(&draft.path)?;
    let (mut made, mut extent, mut changes) = (None, SnapshotExtent::default(), 0);
    instance.keyspace.begin_snapshot(|found| {
        let encoder = Arc::new(Encoder::new(instance, settings, found));
        (extent, changes) = (found.clone(), instance.stats.changes());
        made = Some(Arc::clone(&encoder));
        encoder
    });
    instance.saving.fix_moment();
    let Some(encoder) = made else { unreachable!("a snapshot is made when it begins") };
    instance.saving.expect_keys(extent.databases.iter().map(|(keys, _)| keys).sum());
    let mut writer = Writer::new(&file, encoder.format)?;
    write_aux(instance, &mut writer)?;
    for (db, (keys, volatile)) in extent.databases.iter().enumerate() {
        if *keys > 0 {
            writer.database(db, *keys, *volatile)?;
        }
    }
    for index in 0..limits::SHARD_COUNT {
        instance.keyspace.take_shard(index);
        // Whoever has something to do for a client goes first.
        thread::yield_now();
        let sections =
            std::mem::take(&mut *encoder.sections.lock().expect("moving a section does not panic"));
        for section in sections {
            let section = section?;
            writer.section(&section)?;
            instance.saving.add_keys(section.key_count());
        }
        if instance.stop.is_requested() {
            return Err(io::Error::other("the server ends"));
        }
        if !instance.keyspace.has_snapshot() {
            return Err(io::Error::other("everything was removed meanwhile"));
        }
    }
    writer.finish()?.flush()?;
    file.sync_all()?;
    fs::rename(&draft.path, path)?;
    draft.completed = true;
    sync_folder(folder)?;
    Ok(changes)
}

/// What a file says about itself: the fields that Redis writes.
fn write_aux(instance: &Instance, writer: &mut Writer<&File>) -> io::Result<()> {
    let memory = instance.process.memory().map_or(0, |memory| memory.resident_bytes);
    writer.aux("redis-ver", crate::REDIS_VERSION)?;
    writer.aux("redis-bits", &usize::BITS.to_string())?;
    writer.aux("ctime", &(instance.clock.now_ms() / 1000).to_string())?;
    writer.aux("used-mem", &memory.to_string())?;
    writer.aux("aof-base", "0")
}

/// Makes a rename last. Where folders cannot be opened, the system sees to that itself.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
