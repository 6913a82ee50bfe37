//! Texts about scripts.

use super::CommandError;

impl CommandError {
    /// EVALSHA of a script that nobody has sent.
    pub const NO_SCRIPT: Self = Self::text("NOSCRIPT No matching script. Please use EVAL.");
    /// EVAL with more keys than arguments.
    pub const TOO_MANY_SCRIPT_KEYS: Self =
        Self::text("ERR Number of keys can't be greater than number of args");
    /// EVAL with fewer keys than none.
    pub const NEGATIVE_SCRIPT_KEYS: Self = Self::text("ERR Number of keys can't be negative");
    /// EVAL of a script whose first line has no end.
    pub const INVALID_SHEBANG: Self = Self::text("ERR Invalid script shebang");
    /// EVAL_RO of a script that says that it writes.
    pub const SCRIPT_DECLARES_WRITES: Self =
        Self::text("ERR Can not execute a script with write flag using *_ro command.");
    /// Anything while a script runs for too long.
    pub const BUSY_WITH_SCRIPT: Self = Self::text(
        "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    );
    /// SCRIPT KILL of nothing.
    pub const NO_SCRIPT_RUNS: Self = Self::text("NOTBUSY No scripts in execution right now.");
    /// SCRIPT KILL of a script that has written.
    pub const SCRIPT_UNKILLABLE: Self = Self::text(
        "UNKILLABLE Sorry the script already executed write commands against the dataset. You can \
         either wait the script termination or kill the server in a hard way using the SHUTDOWN \
         NOSAVE command.",
    );
    /// SCRIPT FLUSH.
    pub const SCRIPT_FLUSH_MODE: Self =
        Self::text("ERR SCRIPT FLUSH only support SYNC|ASYNC option");
    /// SCRIPT DEBUG.
    pub const SCRIPT_DEBUG_MODE: Self = Self::text("ERR Use SCRIPT DEBUG YES/SYNC/NO");
    /// SCRIPT DEBUG YES: ours, since there is no debugger here.
    pub const NO_SCRIPT_DEBUGGER: Self =
        Self::text("ERR this server has no debugger for Lua scripts");

    /// In a script: `redis.call()`.
    pub const SCRIPT_CALLS_NOTHING: Self =
        Self::text("ERR Please specify at least one argument for this redis lib call");
    /// In a script: a command with what is neither string nor number.
    pub const SCRIPT_CALLS_WITH_OTHERS: Self =
        Self::text("ERR Lua redis lib command arguments must be strings or integers");
    /// In a script: no such command.
    pub const SCRIPT_CALLS_UNKNOWN: Self =
        Self::text("ERR Unknown Redis command called from script");
    /// In a script: a command with too few or too many arguments.
    pub const SCRIPT_CALLS_WITH_WRONG_COUNT: Self =
        Self::text("ERR Wrong number of args calling Redis command from script");
    /// In a script: a command that none may run.
    pub const NOT_FROM_SCRIPT: Self =
        Self::text("ERR This Redis command is not allowed from script");
    /// In a script: a command that writes where that is forbidden.
    pub const SCRIPT_IS_READ_ONLY: Self =
        Self::text("ERR Write commands are not allowed from read-only scripts.");
    /// In a script: ended from without.
    pub const SCRIPT_KILLED: Self = Self::text("ERR Script killed by user with SCRIPT KILL...");
    /// In a script's reply: tables too deep within each other.
    pub const LUA_STACK_LIMIT: Self = Self::text("ERR reached lua stack limit");
    /// In a script's reply: more than fits. Redis would fill its memory.
    pub const SCRIPT_REPLY_TOO_LONG: Self = Self::text("ERR the script's reply is too long");
    /// In a script: `redis.setresp`.
    pub const SETRESP_ARGUMENT: Self = Self::text("ERR redis.setresp() requires one argument.");
    /// In a script: `redis.setresp`.
    pub const SETRESP_VERSION: Self = Self::text("ERR RESP version must be 2 or 3.");
    /// In a script: `redis.sha1hex`.
    pub const SHA1HEX_ARGUMENT: Self = Self::text("ERR wrong number of arguments");
    /// In a script: `redis.log`.
    pub const LOG_ARGUMENTS: Self = Self::text("ERR redis.log() requires two arguments or more.");
    /// In a script: `redis.log`.
    pub const LOG_LEVEL_NO_NUMBER: Self =
        Self::text("ERR First argument must be a number (log level).");
    /// In a script: `redis.log`.
    pub const LOG_LEVEL_INVALID: Self = Self::text("ERR Invalid log level.");
    /// In a script: `redis.set_repl`.
    pub const SET_REPL_ARGUMENT: Self = Self::text("ERR redis.set_repl() requires one argument.");
    /// In a script: `redis.set_repl`.
    pub const SET_REPL_FLAGS: Self = Self::text(
        "ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.",
    );
    /// In a script: `redis.acl_check_cmd` of no command.
    pub const NO_COMMAND_TO_CHECK: Self =
        Self::text("ERR Invalid command passed to redis.acl_check_cmd()");

    /// A script that is no Lua.
    pub fn script_not_compiled(why: &str) -> Self {
        Self::Text(format!("ERR Error compiling script (new function): {why}").into())
    }

    /// An error that ended the script of this digest, and where it was raised: chunk and line.
    pub fn raised_by_script(text: &[u8], digest: &str, place: Option<&(String, i64)>) -> Self {
        let mut text = text.to_vec();
        if let Some((chunk, line)) = place {
            let place = format!(" script: {digest}, on {chunk}:{line}.");
            text.extend_from_slice(place.as_bytes());
        }
        Self::Bytes(text)
    }
}
