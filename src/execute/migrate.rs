//! MIGRATE: keys on their way to another server.
//!
//! Nothing is sent under a lock, so a slow target stops nobody here. Instead keys are watched while
//! they travel, and those that the target has taken are removed if they have not changed. One that has
//! is sent again; if it is gone by then, it is deleted there too. So whatever others do to a key
//! happens before it leaves.

mod target;

use super::section::{Call, Section, settle};
use super::transaction::Controlled;
use super::waiting;
use crate::command::{Found, Migration};
use crate::error::CommandError;
use crate::instance::{Client, Instance};
use crate::keyspace::{Entry, Freeing, LockPlan, Mode, ReadView, WatchFlag, WriteView};
use crate::limits;
use crate::persist;
use crate::protocol::Reply;
use std::sync::Arc;
use target::{Answers, Batch, Target};

/// A key as it was when it was looked at.
struct Parcel<'k> {
    key: &'k [u8],
    /// Raised when the key changes.
    flag: Arc<WatchFlag>,
    /// Nothing if there is no such key any more.
    content: Option<Content>,
}

/// What RESTORE needs.
struct Content {
    payload: Vec<u8>,
    /// Milliseconds to live; 0 for ever.
    ttl_ms: u64,
}

/// Runs a request.
pub(super) fn run(instance: &Instance, client: &mut Client, call: &Call<'_>) -> Controlled {
    let words: Vec<&[u8]> = call.request.iter().map(|(word, _)| word).collect();
    let migration = match Migration::read(&words) {
        Ok(migration) => migration,
        Err(error) => return error.into(),
    };
    Controlled::Answer(Journey { instance, found: call.found, migration }.make(client))
}

struct Journey<'i, 'r> {
    instance: &'i Instance,
    found: Found,
    migration: Migration<'r>,
}

impl<'i, 'r> Journey<'i, 'r> {
    fn make(&self, client: &mut Client) -> Result<Reply<'static>, CommandError> {
        let mut parcels = self.pack(client, self.migration.keys);
        parcels.retain(|parcel| parcel.content.is_some());
        if parcels.is_empty() {
            return Ok(Reply::status("NOKEY"));
        }
        let mut target = None;
        let mut refusal = None;
        for _ in 0..limits::MIGRATION_TRIES_MAX {
            let answers = self.send(&mut target, &parcels);
            let changed = self.release(client, &parcels, answers.as_deref().unwrap_or(&[]));
            refusal = refusal.or(answers?.into_iter().find_map(Result::err));
            if changed.is_empty() {
                let error = |text: String| CommandError::because(CommandError::TARGET_SAYS, &text);
                return refusal.map_or(Ok(Reply::Ok), |text| Err(error(text)));
            }
            parcels = self.pack(client, &changed);
        }
        self.release(client, &parcels, &[]);
        Err(CommandError::MIGRATED_KEYS_CHANGE)
    }

    /// Looks at keys, and watches those that are to leave.
    fn pack(&self, client: &mut Client, keys: &[&'r [u8]]) -> Vec<Parcel<'r>> {
        let (instance, db) = (self.instance, client.db);
        let copies = self.migration.copies;
        let mode = if copies { Mode::Shared } else { Mode::Exclusive };
        let mut section = Section::enter(instance, &self.plan(keys), mode);
        let moment = section.moment(client, self.found);
        let view = ReadView::new(&section.locked, db, moment);
        let pack = |key: &&'r [u8]| {
            let name = view.key(key);
            let deadline_ms = view.entry(name).and_then(Entry::deadline_ms);
            let content = view.get(name).map(|value| Content {
                payload: persist::dump(value, view.compresses_dumps()),
                ttl_ms: deadline_ms.map_or(0, |deadline_ms| (deadline_ms - view.now_ms()).max(1)),
            });
            Parcel { key, flag: Arc::default(), content }
        };
        let parcels: Vec<Parcel<'r>> = keys.iter().map(pack).collect();
        view.record(&mut client.effects);
        if !copies {
            let now_ms = section.now_ms();
            for Parcel { key, flag, .. } in &parcels {
                section.locked.watch(db, instance.keyspace.key(key), flag, now_ms);
            }
        }
        drop(section);
        settle(instance, client);
        parcels
    }

    /// Sends parcels and reads what the target says to each.
    fn send(
        &self,
        target: &mut Option<Target<'i>>,
        parcels: &[Parcel<'_>],
    ) -> Result<Answers, CommandError> {
        let Migration { host, port, patience, .. } = self.migration;
        let mut batch = Batch::default();
        let (target, opening) = match target {
            Some(target) => (target, 0),
            None => (
                target.insert(Target::connect(self.instance, host, port, patience)?),
                self.open(&mut batch),
            ),
        };
        // What the target holds by then is ours.
        let replaces = self.migration.replaces || opening == 0;
        for Parcel { key, content, .. } in parcels {
            match content {
                Some(Content { payload, ttl_ms }) => {
                    let ttl = ttl_ms.to_string();
                    let words = [b"RESTORE", *key, ttl.as_bytes(), payload];
                    batch.push(words.into_iter().chain(replaces.then_some(&b"REPLACE"[..])));
                }
                None => batch.push([&b"DEL"[..], key]),
            }
        }
        let mut answers = target.ask(&batch)?;
        let rest = answers.split_off(opening);
        // Who is not let in has brought nothing, whatever else is said.
        match answers.into_iter().find(Result::is_err) {
            Some(refusal) => Ok(vec![refusal; rest.len()]),
            None => Ok(rest),
        }
    }

    /// Asks to be let in, and for the database; the number of requests.
    fn open(&self, batch: &mut Batch) -> usize {
        let Migration { db, credentials, .. } = self.migration;
        if !credentials.is_empty() {
            batch.push(std::iter::once(&b"AUTH"[..]).chain(credentials.iter().copied()));
        }
        batch.push([&b"SELECT"[..], db.to_string().as_bytes()]);
        batch.count()
    }

    /// Ends the watch, and removes what the target has taken and is still the same. The keys that it
    /// has taken and that are not.
    fn release(
        &self,
        client: &mut Client,
        parcels: &[Parcel<'r>],
        answers: &[Result<(), String>],
    ) -> Vec<&'r [u8]> {
        if self.migration.copies {
            return Vec::new();
        }
        let (instance, db) = (self.instance, client.db);
        let keys: Vec<&[u8]> = parcels.iter().map(|parcel| parcel.key).collect();
        let section = Section::enter(instance, &self.plan(&keys), Mode::Exclusive);
        let mut changed = Vec::new();
        let unserved = section.contain(client, |section, client| {
            let (now_ms, moment) = (section.now_ms(), section.moment(client, self.found));
            let mut unchanged = Vec::new();
            for (index, Parcel { key, flag, .. }) in parcels.iter().enumerate() {
                let name = instance.keyspace.key(key);
                let has_expired = section.locked.unwatch(db, name, flag, now_ms);
                match answers.get(index) {
                    Some(Ok(())) if flag.is_raised() || has_expired => changed.push(*key),
                    Some(Ok(())) => unchanged.push(name),
                    _ => {}
                }
            }
            // Only now, since that is a change as well, for a key that was named twice.
            let mut view = WriteView::new(&mut section.locked, &mut client.effects, db, moment);
            for name in unchanged {
                view.remove_freeing(name, Freeing::Later);
            }
            waiting::serve(section, &mut client.effects)
        });
        settle(instance, client);
        waiting::serve_later(instance, client, unserved);
        changed
    }

    fn plan(&self, keys: &[&[u8]]) -> LockPlan {
        LockPlan::for_hashes(keys.iter().map(|key| self.instance.keyspace.hash(key)))
    }
}
