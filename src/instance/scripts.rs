//! The scripts that clients have sent, and interpreters that wait for work.
//!
//! An interpreter is taken when a script runs and put back when it is over; so there are as many as were in
//! use at the same time. These are few, since one script runs at a time, or one of a transaction beside it.

use crate::error::CommandError;
use crate::hashing::hash_bytes;
use crate::limits;
use crate::protocol::Protocol;
use crate::script::{Digest, Host, Interpreter, Outcome, Run, Script, Watch, Words};
use hashbrown::HashTable;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

/// All scripts of a server.
#[derive(Default)]
pub struct Scripts {
    known: RwLock<Known>,
    idle: Mutex<Vec<Interpreter>>,
    /// Those that run for long.
    pub watch: Arc<Watch>,
}

/// Scripts that were sent before.
#[derive(Default)]
struct Known {
    by_digest: HashMap<Digest, Arc<Script>>,
    /// The same ones: a text is found sooner than its digest is computed.
    by_text: HashTable<Arc<Script>>,
}

impl Known {
    fn hash(&self, text: &[u8]) -> u64 {
        hash_bytes(self.by_digest.hasher(), text)
    }

    fn with_text(&self, text: &[u8]) -> Option<&Arc<Script>> {
        self.by_text.find(self.hash(text), |script| script.text == text)
    }

    fn add(&mut self, script: &Arc<Script>) {
        // Somebody else may have sent it meanwhile.
        if self.by_digest.insert(script.digest, Arc::clone(script)).is_none() {
            let (hash, hasher) = (self.hash(&script.text), self.by_digest.hasher());
            let rehash = |script: &Arc<Script>| hash_bytes(hasher, &script.text);
            self.by_text.insert_unique(hash, Arc::clone(script), rehash);
        }
    }
}

const KNOWN: &str = "adding to a table of scripts does not panic";

impl Scripts {
    fn idle(&self) -> MutexGuard<'_, Vec<Interpreter>> {
        self.idle.lock().expect("adding to a list of interpreters does not panic")
    }

    /// A script that was sent before.
    pub fn get(&self, digest: Digest) -> Option<Arc<Script>> {
        self.known.read().expect(KNOWN).by_digest.get(&digest).cloned()
    }

    /// A script that is sent. It is kept, unless it is no Lua.
    pub fn load(&self, text: &[u8]) -> Result<Arc<Script>, CommandError> {
        if let Some(script) = self.known.read().expect(KNOWN).with_text(text) {
            return Ok(Arc::clone(script));
        }
        let script = Arc::new(Script::new(text.to_vec(), Digest::of(text))?);
        let mut interpreter = self.take();
        let compiled = interpreter.compile(&script);
        self.idle().push(interpreter);
        compiled?;
        self.known.write().expect(KNOWN).add(&script);
        Ok(script)
    }

    /// Forgets every script.
    pub fn flush(&self) {
        *self.known.write().expect(KNOWN) = Known::default();
        self.idle().clear();
    }

    /// Runs a script.
    pub fn run(
        &self,
        script: &Script,
        words: Words<'_>,
        run: &Arc<Run>,
        host: &mut dyn Host,
        out: (Protocol, &mut Vec<u8>),
    ) -> Outcome {
        let mut interpreter = self.take();
        let outcome = interpreter.run(script, words, run, host, out);
        self.watch.finish(run);
        if interpreter.is_reusable(run) {
            let mut idle = self.idle();
            if idle.len() < limits::IDLE_INTERPRETERS_MAX {
                idle.push(interpreter);
            }
        }
        outcome
    }

    fn take(&self) -> Interpreter {
        let idle = self.idle().pop();
        idle.unwrap_or_else(|| Interpreter::new(Arc::clone(&self.watch)))
    }

    /// Number of scripts.
    pub fn count(&self) -> usize {
        self.known.read().expect(KNOWN).by_digest.len()
    }

    /// Bytes of memory that their texts take.
    pub fn text_bytes(&self) -> usize {
        let known = self.known.read().expect(KNOWN);
        let texts: usize = known.by_text.iter().map(|script| script.text.capacity()).sum();
        let digests = known.by_digest.capacity() * size_of::<(Digest, Arc<Script>)>();
        texts + digests + known.by_text.allocation_size()
    }

    /// Bytes of memory that idle interpreters take.
    pub fn interpreter_bytes(&self) -> usize {
        self.idle().iter().map(Interpreter::memory_bytes).sum()
    }
}
