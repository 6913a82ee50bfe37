//! Scripts: a list of calls that is made while it runs, as one critical section.
//!
//! What a script touches is locked from then on until it is over, whether it has named it or not: so nothing
//! that it can see changes meanwhile. One script runs at a time, as in Redis.

use super::account::{Source, show};
use super::refusal::refuse;
use super::section::{Call, Performed, Section, plan_inside, settle};
use super::transaction::Controlled;
use super::{is_monitored, is_paused, waiting};
use crate::command::{self, Flags, Found, Handler, ScriptAccess, ScriptName};
use crate::error::CommandError;
use crate::instance::{Client, Instance, PauseMode, Ran};
use crate::keyspace::Mode;
use crate::protocol::{Protocol, Request, encode, encode_error, parse_integer};
use crate::script::{Digest, Host, Raised, Run, Script, Words, with_room};
use std::iter;
use std::sync::Arc;
use std::time::Instant;

/// EVAL and its kin.
pub(super) fn run(
    instance: &Instance,
    client: &mut Client,
    named: (ScriptName, ScriptAccess),
    call: &Call<'_>,
    out: &mut Vec<u8>,
) -> Controlled {
    let prepared = match Prepared::new(instance, named, call.request) {
        Ok(prepared) => prepared,
        Err(error) => return error.into(),
    };
    let section = Section::enter_as_needed(instance);
    // Whoever paused writes while we waited for others has been told that none runs.
    if !prepared.is_read_only && is_paused(instance, client, PauseMode::Writes) {
        return Controlled::AfterPause;
    }
    let (ran, unserved) = section.contain(client, |section, client| {
        let ran = perform(section, client, &prepared, out);
        (ran, waiting::serve(section, &mut client.effects))
    });
    settle(instance, client);
    waiting::serve_later(instance, client, unserved);
    match ran {
        Ok(()) => Controlled::Written,
        Err(Raised { error, is_counted: false }) => error.into(),
        Err(Raised { error, is_counted: true }) => Controlled::Failed(error),
    }
}

/// The same as one of several commands of a section that has every shard locked, or nothing yet but what
/// scripts before it have.
pub(super) fn run_inside(
    section: &mut Section<'_>,
    client: &mut Client,
    named: (ScriptName, ScriptAccess),
    call: &Call<'_>,
    out: &mut Vec<u8>,
) -> bool {
    let instance = section.instance;
    let ran = match Prepared::new(instance, named, call.request) {
        Ok(prepared) => perform(section, client, &prepared, out),
        Err(error) => Err(error.into()),
    };
    match ran {
        Ok(()) => return true,
        Err(Raised { error, is_counted: true }) => encode_error(&error, out),
        Err(Raised { error, is_counted: false }) => {
            refuse(instance, error, Some(call.found), call.request.inline, out);
        }
    }
    false
}

/// A script with what it is given.
struct Prepared<'r> {
    script: Arc<Script>,
    keys: Vec<&'r [u8]>,
    args: Vec<&'r [u8]>,
    is_read_only: bool,
}

impl<'r> Prepared<'r> {
    fn new(
        instance: &Instance,
        (name, access): (ScriptName, ScriptAccess),
        request: &'r Request,
    ) -> Result<Self, CommandError> {
        let word = |index: usize| request.get(index).unwrap_or_default();
        let is_named = name == ScriptName::Digest;
        if is_named && word(1).len() != Digest::HEX_BYTES {
            return Err(CommandError::NO_SCRIPT);
        }
        let count = parse_integer(word(2)).ok_or(CommandError::NotInteger)?;
        let rest = request.len().saturating_sub(3);
        if count > rest as i64 {
            return Err(CommandError::TOO_MANY_SCRIPT_KEYS);
        }
        let count = usize::try_from(count).map_err(|_| CommandError::NEGATIVE_SCRIPT_KEYS)?;
        let script = match name {
            ScriptName::Text => instance.scripts.load(word(1))?,
            ScriptName::Digest => {
                let known = Digest::parse(word(1)).and_then(|digest| instance.scripts.get(digest));
                known.ok_or(CommandError::NO_SCRIPT)?
            }
        };
        let must_not_write = access == ScriptAccess::Read;
        if must_not_write && script.declares_writes() {
            return Err(CommandError::SCRIPT_DECLARES_WRITES);
        }
        let mut keys: Vec<&[u8]> = (3..request.len()).map(word).collect();
        let args = keys.split_off(count);
        let is_read_only = must_not_write || !script.may_write();
        Ok(Self { script, keys, args, is_read_only })
    }
}

/// Runs a script under the locks and appends its reply, but no error.
fn perform(
    section: &mut Section<'_>,
    client: &mut Client,
    prepared: &Prepared<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Raised> {
    let mode = if prepared.is_read_only { Mode::Shared } else { Mode::Exclusive };
    section.locked.start_over(mode);
    let (instance, db, protocol) = (section.instance, client.db, client.protocol);
    let may_wait = std::mem::take(&mut client.may_wait);
    let words = Words { keys: &prepared.keys, args: &prepared.args };
    let run = Arc::new(Run::default());
    let mut commands = Commands {
        section,
        client: &mut *client,
        run: Arc::clone(&run),
        is_read_only: prepared.is_read_only,
    };
    let ran = with_room(|| {
        instance.scripts.run(&prepared.script, words, &run, &mut commands, (protocol, out))
    });
    (client.protocol, client.may_wait) = (protocol, may_wait);
    client.select(db);
    ran
}

/// The commands of a script, run in its critical section.
struct Commands<'s, 'i> {
    section: &'s mut Section<'i>,
    client: &'s mut Client,
    run: Arc<Run>,
    is_read_only: bool,
}

impl Commands<'_, '_> {
    /// Whether a script may run a command at all.
    fn admit(&mut self, request: &Request) -> Result<Found, CommandError> {
        let found = command::find(request).map_err(|_| CommandError::SCRIPT_CALLS_UNKNOWN)?;
        let spec = found.spec;
        if !spec.arity.admits(request.len()) || matches!(spec.handler, Handler::Container) {
            return Err(CommandError::SCRIPT_CALLS_WITH_WRONG_COUNT);
        }
        if spec.flags.has(Flags::NO_SCRIPT) || matches!(spec.handler, Handler::Control(_)) {
            return Err(CommandError::NOT_FROM_SCRIPT);
        }
        // What changes no key that clients can see still counts, where it has to lock like a write.
        if self.is_read_only && (spec.has_write_handler() || spec.flags.has(Flags::TELLS)) {
            return Err(CommandError::SCRIPT_IS_READ_ONLY);
        }
        Ok(found)
    }
}

impl Host for Commands<'_, '_> {
    fn call(&mut self, mut request: Request, protocol: Protocol) -> Result<Vec<u8>, CommandError> {
        let found = self.admit(&request)?;
        let (instance, spec) = (self.section.instance, found.spec);
        if spec.is_write() {
            self.run.note_write();
        }
        let monitored = is_monitored(instance, spec);
        request.whole = monitored;
        self.client.protocol = protocol;
        let started = Instant::now();
        let mut reply = Vec::new();
        let (plan, known_hash) = plan_inside(instance, None, found, &request);
        self.section.locked.extend(&plan);
        let mut call = Call { found, request: &mut request, known_hash };
        let succeeded = match self.section.perform(self.client, &mut call, &mut reply) {
            Performed::Answered(succeeded) => succeeded,
            Performed::Waits(wait) => {
                encode(wait.otherwise.reply(), protocol, &mut reply);
                true
            }
        };
        let took = started.elapsed();
        let ran = iter::once(Ran::new(took, succeeded));
        instance.stats.ran(self.client.id(), found.id, ran, false);
        if monitored {
            show(instance, self.client, Source::Script, found, &request, took);
        }
        Ok(reply)
    }

    fn admits(&mut self, request: &Request) -> Option<bool> {
        command::find(request).ok().map(|_| true)
    }
}
