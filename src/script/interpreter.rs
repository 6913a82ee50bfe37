//! One Lua and the scripts that it has compiled.

use super::failure::{error_table, place, plain, reply_error};
use super::host::Host;
use super::random::Random;
use super::source::{Digest, Script};
use super::watch::{Run, Watch};
use super::write::Dialect;
use super::{PRELUDE_NAME, SCRIPT_NAME, libraries, read, redis, room, write};
use crate::error::CommandError;
use crate::limits;
use crate::protocol::{Protocol, Request, format_double};
use mlua::chunk::ChunkMode;
use mlua::{
    Error, Function, HookTriggers, LightUserData, Lua, LuaOptions, LuaString, MultiValue, StdLib,
    Table, Value, Variadic, VmState,
};
use std::cell::RefCell;
use std::collections::HashMap;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// What a script comes to: its reply stands in the buffer that it was given, or it has raised an error.
pub type Outcome = Result<(), Raised>;

/// An error that ended a script.
#[derive(Debug)]
pub struct Raised {
    /// The error.
    pub error: CommandError,
    /// Whether it is that of a command, which has been counted already.
    pub is_counted: bool,
}

impl From<CommandError> for Raised {
    fn from(error: CommandError) -> Self {
        Self { error, is_counted: false }
    }
}

const PRELUDE: &str = include_str!("prelude.lua");

/// Stands before the words of a command whose error is to be returned, not raised. No script can make one.
const PROTECTED_CALL: LightUserData = LightUserData(ptr::without_provenance_mut(1));

/// Stands before those of a command that is not to run: whether it might is asked.
const CHECK: LightUserData = LightUserData(ptr::without_provenance_mut(2));

/// A Lua that runs one script after the other.
pub struct Interpreter {
    lua: Lua,
    compiled: HashMap<Digest, Function>,
    run: Function,
    run_with: Function,
    /// Whether the last script has come to an end of its own.
    has_ended: bool,
    shared: Arc<Shared>,
}

/// What the functions of an interpreter share with it.
#[derive(Default)]
pub(super) struct Shared {
    /// The script that runs.
    run: Mutex<Option<Arc<Run>>>,
    /// Whether it has asked for replies in RESP3.
    has_types: AtomicBool,
    random: Mutex<Option<Random>>,
}

impl Shared {
    fn protocol(&self) -> Protocol {
        Protocol::with_number(if self.has_types.load(Ordering::Relaxed) { 3 } else { 2 })
    }

    /// Decides whether replies are those of RESP3.
    pub fn set_types(&self, has_types: bool) {
        self.has_types.store(has_types, Ordering::Relaxed);
    }

    /// Uses the generator of random numbers.
    pub fn with_random<R>(&self, use_it: impl FnOnce(&mut Random) -> R) -> R {
        let mut random = self.random.lock().expect("computing a number does not panic");
        use_it(random.get_or_insert_with(Random::fresh))
    }

    /// Starts the random numbers anew.
    pub fn seed(&self, seed: i32) {
        self.with_random(|random| *random = Random::new(seed));
    }

    fn set_run(&self, run: Option<Arc<Run>>) {
        *self.run.lock().expect("exchanging a reference does not panic") = run;
    }

    fn run(&self) -> Option<Arc<Run>> {
        self.run.lock().expect("exchanging a reference does not panic").clone()
    }
}

impl Interpreter {
    /// A fresh one. Scripts that run for long in it are seen by this watch.
    pub fn new(watch: Arc<Watch>) -> Self {
        Self::build(watch).expect("a test builds one, and it takes nothing but memory")
    }

    fn build(watch: Arc<Watch>) -> mlua::Result<Self> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH;
        // A panic in a function of ours is our mistake: no script is to catch it.
        let options = LuaOptions::new().catch_rust_panics(true);
        let lua = Lua::new_with(libraries, options)?;
        let shared = Arc::new(Shared::default());
        let native = lua.create_table()?;
        native.raw_set("protected_call", PROTECTED_CALL)?;
        native.raw_set("check", CHECK)?;
        native.raw_set("plain", lua.create_function(plain)?)?;
        native.raw_set("place", lua.create_function(place)?)?;
        native.raw_set("pattern_bytes_max", limits::PATTERN_BYTES_MAX)?;
        native.raw_set("short_pattern_bytes_max", limits::SHORT_PATTERN_BYTES_MAX)?;
        room::add(&lua, &native)?;
        redis::add_random(&lua, &native, &shared)?;
        native.raw_set("redis", redis::table(&lua, &shared)?)?;
        native.raw_set("libraries", libraries::all(&lua)?)?;
        let prelude = lua.load(PRELUDE).set_name(PRELUDE_NAME).set_mode(ChunkMode::Text);
        let made: Table = prelude.call(native)?;
        lua.set_globals(made.raw_get("globals")?)?;
        watch_instructions(&lua, watch, &shared)?;
        Ok(Self {
            compiled: HashMap::new(),
            run: made.raw_get("run")?,
            run_with: made.raw_get("run_with")?,
            has_ended: true,
            lua,
            shared,
        })
    }

    /// Bytes of memory that it takes.
    pub fn memory_bytes(&self) -> usize {
        self.lua.used_memory()
    }

    /// Compiles a script unless it is known.
    pub fn compile(&mut self, script: &Script) -> Result<Function, CommandError> {
        if let Some(function) = self.compiled.get(&script.digest) {
            return Ok(function.clone());
        }
        let chunk = self.lua.load(script.lua()).set_name(SCRIPT_NAME).set_mode(ChunkMode::Text);
        let function = within_limit(&self.lua, || chunk.into_function()).map_err(|error| {
            let text = match &error {
                Error::SyntaxError { message, .. } => message.clone(),
                other => other.to_string(),
            };
            CommandError::script_not_compiled(&text)
        })?;
        self.compiled.insert(script.digest, function.clone());
        Ok(function)
    }

    /// Runs a script. Its commands are run by `host`.
    pub fn run(
        &mut self,
        script: &Script,
        words: Words<'_>,
        run: &Arc<Run>,
        host: &mut dyn Host,
        (protocol, out): (Protocol, &mut Vec<u8>),
    ) -> Outcome {
        let function = self.compile(script)?;
        self.shared.set_run(Some(Arc::clone(run)));
        self.shared.set_types(false);
        let start = out.len();
        let outcome = self.call(&function, words, host, (protocol, out));
        self.shared.set_run(None);
        if outcome.is_err() {
            out.truncate(start);
        }
        outcome.unwrap_or_else(|error| Err(Caught::of_text(&error.to_string()))).map_err(|caught| {
            let Caught { mut text, mut place, is_counted } = caught;
            if run.is_killed() {
                // That error may have come out of our own functions, at any line of them.
                text = CommandError::SCRIPT_KILLED.to_bytes();
                place = place.or_else(|| Some((SCRIPT_NAME.to_owned(), 1)));
            }
            let digest = script.digest.hex();
            let error = CommandError::raised_by_script(&text, &digest, place.as_ref());
            Raised { error, is_counted }
        })
    }

    /// Whether another script may run in this, and will find nothing of those before it.
    pub fn is_reusable(&self, run: &Run) -> bool {
        !run.is_killed()
            && self.compiled.len() < limits::COMPILED_SCRIPTS_MAX
            && self.lua.used_memory() < limits::IDLE_INTERPRETER_BYTES_MAX
            && self.has_ended
    }

    fn call(
        &mut self,
        function: &Function,
        words: Words<'_>,
        host: &mut dyn Host,
        (protocol, out): (Protocol, &mut Vec<u8>),
    ) -> mlua::Result<Result<(), Caught>> {
        self.has_ended = false;
        let lua = &self.lua;
        let (host, shared) = (&RefCell::new(host), &self.shared);
        let (succeeded, value): (bool, Value) = lua.scope(|scope| {
            // One for all: to make another takes as long as a short script.
            let call =
                scope.create_function(move |lua, args| ask(lua, args, shared.protocol(), host))?;
            let Words { keys, args } = words;
            if keys.len() + args.len() > limits::SCRIPT_WORDS_AT_ONCE_MAX {
                let given = (function, call, list(lua, keys)?, list(lua, args)?);
                return within_limit(lua, || self.run.call(given));
            }
            let strings = keys.iter().chain(args).map(|word| lua.create_string(word));
            let strings: Variadic<LuaString> = strings.collect::<mlua::Result<_>>()?;
            let given = (function, call, keys.len(), strings);
            within_limit(lua, || self.run_with.call(given))
        })?;
        self.has_ended = true;
        if !succeeded {
            return Ok(Err(Caught::of(&value)?));
        }
        let has_types = shared.has_types.load(Ordering::Relaxed);
        let written = write::write(value, Dialect { has_types, protocol }, out)?;
        Ok(written.map_err(|error| Caught {
            text: error.to_bytes(),
            place: None,
            is_counted: false,
        }))
    }
}

/// What a script is given.
#[derive(Clone, Copy)]
pub struct Words<'w> {
    /// The keys that it names.
    pub keys: &'w [&'w [u8]],
    /// All else.
    pub args: &'w [&'w [u8]],
}

/// An error as Lua gives it.
struct Caught {
    text: Vec<u8>,
    /// The chunk and the line.
    place: Option<(String, i64)>,
    is_counted: bool,
}

impl Caught {
    fn of_text(text: &str) -> Self {
        let line = text.lines().next().unwrap_or_default();
        Self { text: format!("ERR {line}").into_bytes(), place: None, is_counted: false }
    }

    fn of(value: &Value) -> mlua::Result<Self> {
        let Value::Table(table) = value else { return Ok(Self::of_text(&value.to_string()?)) };
        let text = match table.raw_get("err")? {
            Value::String(text) => text.as_bytes().to_vec(),
            _ => b"ERR unknown error".to_vec(),
        };
        let is_counted = table.raw_get("ignore_error_stats_update")?;
        let source: Option<LuaString> = table.raw_get("source")?;
        let line: Option<i64> = table.raw_get("line")?;
        let place = source.zip(line).map(|(source, line)| (source.to_string_lossy(), line));
        Ok(Self { text, place, is_counted })
    }
}

fn list(lua: &Lua, words: &[&[u8]]) -> mlua::Result<Table> {
    let table = lua.create_table_with_capacity(words.len(), 0)?;
    for word in words {
        table.raw_push(lua.create_string(word)?)?;
    }
    Ok(table)
}

/// Runs what may take as much memory as a client wants. All else is faster without a limit: an allocation of ours
/// need not be guarded then.
fn within_limit<R>(lua: &Lua, run: impl FnOnce() -> mlua::Result<R>) -> mlua::Result<R> {
    lua.set_memory_limit(limits::SCRIPT_MEMORY_BYTES_MAX)?;
    let result = run();
    lua.set_memory_limit(0)?;
    result
}

/// The text of an error reply.
fn error_line(reply: &[u8]) -> &[u8] {
    let line = reply.strip_prefix(b"-").unwrap_or(reply);
    line.strip_suffix(b"\r\n").unwrap_or(line)
}

/// What `redis.call`, `redis.pcall` or `redis.acl_check_cmd` come to.
fn ask(
    lua: &Lua,
    mut args: MultiValue,
    protocol: Protocol,
    host: &RefCell<&mut dyn Host>,
) -> mlua::Result<Value> {
    let mark = args.front().and_then(Value::as_light_userdata);
    let mark = mark.filter(|mark| [PROTECTED_CALL, CHECK].contains(mark));
    if mark.is_some() {
        args.pop_front();
    }
    let request = request(&args);
    if mark == Some(CHECK) {
        let admits = request.and_then(|request| {
            host.borrow_mut().admits(&request).ok_or(CommandError::NO_COMMAND_TO_CHECK)
        });
        return admits.map(Value::Boolean).map_err(|error| reply_error(&error));
    }
    let is_protected = mark == Some(PROTECTED_CALL);
    match request.and_then(|request| host.borrow_mut().call(request, protocol)) {
        Ok(reply) if reply.starts_with(b"-") && !is_protected => {
            Err(reply_error(&CommandError::Bytes(error_line(&reply).to_vec())))
        }
        Ok(reply) => read::read(lua, &reply),
        Err(error) if is_protected => error_table(lua, &error.to_bytes()).map(Value::Table),
        Err(error) => Err(reply_error(&error)),
    }
}

/// A command as a script calls it.
fn request(args: &MultiValue) -> Result<Request, CommandError> {
    if args.is_empty() {
        return Err(CommandError::SCRIPT_CALLS_NOTHING);
    }
    let mut request = Request::default();
    for arg in args {
        match arg {
            Value::String(text) => request.push(&text.as_bytes()),
            Value::Integer(number) => request.push(number.to_string().as_bytes()),
            Value::Number(number) => request.push(format_double(*number).as_bytes()),
            _ => return Err(CommandError::SCRIPT_CALLS_WITH_OTHERS),
        }
    }
    Ok(request)
}

/// Lets the watch look at a script every so many instructions.
fn watch_instructions(lua: &Lua, watch: Arc<Watch>, shared: &Arc<Shared>) -> mlua::Result<()> {
    let shared = Arc::clone(shared);
    let triggers = HookTriggers::new().every_nth_instruction(limits::SCRIPT_STEP_INSTRUCTIONS);
    lua.set_global_hook(triggers, move |lua, _| match shared.run() {
        Some(run) if !watch.look(&run) => {
            // From now on at every line: a script that catches the error gets no further.
            lua.set_global_hook(HookTriggers::EVERY_LINE, |_, _| {
                Err(reply_error(&CommandError::SCRIPT_KILLED))
            })?;
            Err(reply_error(&CommandError::SCRIPT_KILLED))
        }
        _ => Ok(VmState::Continue),
    })
}
