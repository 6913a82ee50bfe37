//! Every text of an error that a client can see, equal to Redis's to the byte.

mod script;
mod stream;

use std::borrow::Cow;
use std::fmt;

/// What a command answers instead of a reply. `Display` gives the error line without `-` and line end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandError {
    /// The key holds another type than the command works on.
    WrongType,
    /// The arguments do not follow the command's syntax.
    Syntax,
    /// An argument, or a stored value, is no signed 64-bit integer.
    NotInteger,
    /// An argument, or a stored value, is no finite floating-point number.
    NotFloat,
    /// No such command; the name and the first arguments as they came.
    UnknownCommand {
        /// The name as typed.
        name: Vec<u8>,
        /// The first arguments, quoted, as Redis prints them.
        beginning: Vec<u8>,
    },
    /// No such subcommand of a container command.
    UnknownSubcommand {
        /// The subcommand as typed.
        name: Vec<u8>,
        /// The container's name in capitals.
        container: &'static str,
    },
    /// No such subcommand, or one with too few or too many arguments, where a command tells its
    /// subcommands apart itself.
    UnknownSubcommandOrArity {
        /// The subcommand as typed.
        name: Vec<u8>,
        /// The command's name in capitals.
        container: &'static str,
    },
    /// Too few or too many arguments for the command named (`get`, `config|set`).
    Arity(Cow<'static, str>),
    /// An expiry that is not positive or does not fit; names the command in lower case.
    InvalidExpire(&'static str),
    /// CONFIG SET of a directive that does not exist; the name as typed.
    UnknownDirective(String),
    /// CONFIG SET of a value that the directive does not take now.
    ConfigSet {
        /// The directive.
        name: String,
        /// Why.
        reason: String,
    },
    /// CONFIG REWRITE could not; why.
    ConfigRewrite(String),
    /// The client has to authenticate first.
    NoAuth,
    /// Another error with a hint for the person who typed the request.
    Explained(Box<CommandError>, String),
    /// Another text, complete with its code (`ERR …`).
    Text(Cow<'static, str>),
    /// Another text that shows bytes of the client, complete with its code.
    Bytes(Vec<u8>),
}

/// Texts that are fixed and used by one family.
impl CommandError {
    /// COPY and MOVE of a key to where it is.
    pub const SAME_OBJECT: Self = Self::text("ERR source and destination objects are the same");
    /// EXPIRE with NX and another condition.
    pub const EXPIRE_NX_AND_OTHERS: Self =
        Self::text("ERR NX and XX, GT or LT options at the same time are not compatible");
    /// EXPIRE with both comparisons.
    pub const EXPIRE_GT_AND_LT: Self =
        Self::text("ERR GT and LT options at the same time are not compatible");
    /// SCAN from a cursor that is no number.
    pub const INVALID_CURSOR: Self = Self::text("ERR invalid cursor");
    /// SWAPDB whose first argument is no number.
    pub const INVALID_FIRST_DB: Self = Self::text("ERR invalid first DB index");
    /// SWAPDB whose second argument is no number.
    pub const INVALID_SECOND_DB: Self = Self::text("ERR invalid second DB index");
    /// OBJECT FREQ while the second of the last use is kept.
    pub const NOT_TRACKING_FREQUENCY: Self = Self::text(
        "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note \
         that when switching between policies at runtime LRU and LFU data will take some time to \
         adjust.",
    );
    /// OBJECT IDLETIME while frequencies are kept.
    pub const NOT_TRACKING_IDLE_TIME: Self = Self::text(
        "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when \
         switching between policies at runtime LRU and LFU data will take some time to adjust.",
    );
}

/// How much of a subcommand's name an error shows.
const SHOWN_BYTES_MAX: usize = 128;

/// Fixed texts.
impl CommandError {
    /// A waiting command's timeout.
    pub const TIMEOUT_NOT_INTEGER: Self =
        Self::text("ERR timeout is not an integer or out of range");
    /// A waiting command's timeout.
    pub const TIMEOUT_NEGATIVE: Self = Self::text("ERR timeout is negative");
    /// A waiting command's timeout, in seconds with fractions.
    pub const TIMEOUT_NOT_FLOAT: Self = Self::text("ERR timeout is not a float or out of range");
    /// MULTI behind MULTI.
    pub const NESTED_MULTI: Self = Self::text("ERR MULTI calls can not be nested");
    /// WATCH behind MULTI.
    pub const WATCH_INSIDE_MULTI: Self = Self::text("ERR WATCH inside MULTI is not allowed");
    /// CLIENT TRACKING with two targets.
    pub const SEVERAL_REDIRECTS: Self =
        Self::text("ERR A client can only redirect to a single other client");
    /// CLIENT TRACKING with a target that is not there.
    pub const NO_REDIRECT_TARGET: Self =
        Self::text("ERR The client ID you want redirect to does not exist");
    /// CLIENT TRACKING of prefixes without their mode.
    pub const PREFIX_WITHOUT_BCAST: Self =
        Self::text("ERR PREFIX option requires BCAST mode to be enabled");
    /// CLIENT TRACKING in another mode than before.
    pub const BCAST_SWITCHED: Self = Self::text(
        "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then \
         re-enabling it with a different mode.",
    );
    /// CLIENT TRACKING with options of different modes.
    pub const BCAST_WITH_OPTIONS: Self =
        Self::text("ERR OPTIN and OPTOUT are not compatible with BCAST");
    /// CLIENT TRACKING with both.
    pub const OPTIN_AND_OPTOUT: Self =
        Self::text("ERR You can't specify both OPTIN mode and OPTOUT mode");
    /// CLIENT TRACKING with the other one than before.
    pub const OPTION_SWITCHED: Self = Self::text(
        "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then \
         re-enabling it with a different mode.",
    );
    /// CLIENT CACHING of one who does not track.
    pub const CACHING_WITHOUT_TRACKING: Self = Self::text(
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or \
         OPTOUT mode enabled",
    );
    /// CLIENT CACHING that says what holds anyway.
    pub const CACHING_YES_WITHOUT_OPTIN: Self =
        Self::text("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
    /// CLIENT CACHING that says what holds anyway.
    pub const CACHING_NO_WITHOUT_OPTOUT: Self =
        Self::text("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");
    /// SSUBSCRIBE behind MULTI.
    pub const SSUBSCRIBE_INSIDE_MULTI: Self =
        Self::text("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client");
    /// MONITOR behind MULTI.
    pub const MONITOR_INSIDE_MULTI: Self =
        Self::text("ERR MONITOR isn't allowed for DENY BLOCKING client");
    /// EXEC of nothing.
    pub const EXEC_WITHOUT_MULTI: Self = Self::text("ERR EXEC without MULTI");
    /// DISCARD of nothing.
    pub const DISCARD_WITHOUT_MULTI: Self = Self::text("ERR DISCARD without MULTI");
    /// EXEC behind a command that could not be queued.
    pub const EXEC_ABORTED: Self =
        Self::text("EXECABORT Transaction discarded because of previous errors.");
    /// MIGRATE … KEYS with a key before it.
    pub const MIGRATED_KEY_NOT_EMPTY: Self = Self::text(
        "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string",
    );
    /// MIGRATE to a host that has no address.
    pub const TARGET_UNKNOWN: Self = Self::text("IOERR error or timeout connecting to the client");
    /// MIGRATE to a server that takes nothing.
    pub const TARGET_WRITING: Self =
        Self::text("IOERR error or timeout writing to target instance");
    /// MIGRATE to a server that is silent.
    pub const TARGET_READING: Self =
        Self::text("IOERR error or timeout reading to target instance");
    /// What stands before the error of the server that MIGRATE talks to.
    pub const TARGET_SAYS: &'static str = "ERR Target instance replied with error: ";
    /// MIGRATE of keys that others change all the time. Redis holds everyone instead.
    pub const MIGRATED_KEYS_CHANGE: Self =
        Self::text("TRYAGAIN The keys are changed while they are sent, and stay here as well");
    /// A command that cannot be one of several.
    pub const NOT_IN_TRANSACTION: Self = Self::text("ERR Command not allowed inside a transaction");
    /// A waiting command's timeout, in absolute terms.
    pub const TIMEOUT_OUT_OF_RANGE: Self = Self::text("ERR timeout is out of range");
    /// CLIENT UNBLOCK ERROR.
    pub const UNBLOCKED: Self = Self::text("UNBLOCKED client unblocked via CLIENT UNBLOCK");
    /// A number that is 0 or 1.
    pub const NOT_ZERO_OR_ONE: Self =
        Self::text("ERR value is out of range, value must between 0 and 1");
    /// A number that is not negative.
    pub const NOT_POSITIVE: Self = Self::text("ERR value is out of range, must be positive");
    /// WAITAOF.
    pub const NO_APPEND_ONLY_FILE: Self =
        Self::text("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.");
    /// SHUTDOWN ABORT.
    pub const NO_SHUTDOWN: Self = Self::text("ERR No shutdown in progress.");
    /// What a write is told after a snapshot has failed, before the reason.
    pub const NOT_SAVED: &'static str = "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to \
         persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report \
         errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for \
         details about the RDB error: ";
    /// DEBUG RELOAD.
    pub const RELOAD_OPTIONS: Self =
        Self::text("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.");
    /// SAVE or BGSAVE while one is under way.
    pub const SAVE_IN_PROGRESS: Self = Self::text("ERR Background save already in progress");
    /// SHUTDOWN SAVE.
    pub const SHUTDOWN_FAILED: Self = Self::text("ERR Errors trying to SHUTDOWN. Check logs.");
    /// SLOWLOG GET.
    pub const COUNT_BELOW_MINUS_ONE: Self =
        Self::text("ERR count should be greater than or equal to -1");
    /// FUNCTION FLUSH.
    pub const FUNCTION_FLUSH_MODE: Self =
        Self::text("ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
    /// FUNCTION LIST.
    pub const LIBRARY_NAME_MISSING: Self = Self::text("ERR library name argument was not given");
    /// The key has to be there.
    pub const NO_SUCH_KEY: Self = Self::text("ERR no such key");
    /// A command that needs data while data is being loaded.
    pub const LOADING: Self = Self::text("LOADING Redis is loading the dataset in memory");
    /// RESTORE of a key that is there.
    pub const BUSY_KEY: Self = Self::text("BUSYKEY Target key name already exists.");
    /// RESTORE for less than no time.
    pub const INVALID_RESTORE_TTL: Self = Self::text("ERR Invalid TTL value, must be >= 0");
    /// RESTORE of a key that was last used in the future.
    pub const INVALID_IDLETIME: Self = Self::text("ERR Invalid IDLETIME value, must be >= 0");
    /// RESTORE with a frequency of more than eight bits.
    pub const INVALID_FREQ: Self = Self::text("ERR Invalid FREQ value, must be >= 0 and <= 255");
    /// RESTORE of what DUMP did not make, or a later one.
    pub const WRONG_PAYLOAD: Self = Self::text("ERR DUMP payload version or checksum are wrong");
    /// RESTORE of what is no value.
    pub const BAD_DATA_FORMAT: Self = Self::text("ERR Bad data format");
    /// DEBUG, unless the directive enable-debug-command allows it.
    pub const DEBUG_NOT_ALLOWED: Self = Self::text(
        "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from \
         a local connection, otherwise you need to set this option in the configuration file, and then restart the server.",
    );
    /// DEBUG PROTOCOL.
    pub const WRONG_PROTOCOL_TYPE: Self = Self::text(
        "ERR Wrong protocol type name. Please use one of the following: \
         string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
    );
    /// What RESP2 cannot express.
    pub const NOT_IN_RESP2: Self = Self::text("ERR RESP2 is not supported by this command");
}

impl CommandError {
    /// HELP for a group that is not there.
    pub const NO_SUCH_GROUP: Self = Self::text("ERR no such group. HELP alone lists them.");
    /// COMMAND GETKEYS of a name that is no command.
    pub const INVALID_COMMAND: Self = Self::text("ERR Invalid command specified");
    /// COMMAND GETKEYS of a command without keys.
    pub const NO_KEYS: Self = Self::text("ERR The command has no key arguments");
    /// COMMAND GETKEYS of a request with too few or too many arguments.
    pub const INVALID_ARGUMENT_COUNT: Self =
        Self::text("ERR Invalid number of arguments specified for command");
    /// COMMAND GETKEYS of a request whose keys cannot be told.
    pub const INVALID_ARGUMENTS: Self = Self::text("ERR Invalid arguments specified for command");

    /// A number of keys that is none, or not positive.
    pub const NO_NUMKEYS: Self = Self::text("ERR numkeys should be greater than 0");
    /// More keys announced than there are arguments.
    pub const NUMKEYS_BEYOND_ARGS: Self =
        Self::text("ERR Number of keys can't be greater than number of args");
    /// A number of elements to pop that is none, or not positive.
    pub const NO_COUNT: Self = Self::text("ERR count should be greater than 0");
    /// LSET beyond the list.
    pub const INDEX_OUT_OF_RANGE: Self = Self::text("ERR index out of range");
    /// LPOS, whose ranks start from 1 and from -1.
    pub const RANK_ZERO: Self = Self::text(
        "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or \
         use negative to start from the end of the list",
    );
    /// LPOS with a COUNT that is no number, or negative.
    pub const NEGATIVE_COUNT: Self = Self::text("ERR COUNT can't be negative");
    /// LPOS with a MAXLEN that is no number, or negative.
    pub const NEGATIVE_MAXLEN: Self = Self::text("ERR MAXLEN can't be negative");
    /// SORT by what are no numbers.
    pub const SCORES_NOT_FLOAT: Self =
        Self::text("ERR One or more scores can't be converted into double");
    /// A LIMIT that is no number, or negative.
    pub const NEGATIVE_LIMIT: Self = Self::text("ERR LIMIT can't be negative");
    /// NOVALUES in a scan through something without values.
    pub const NOVALUES_OUTSIDE_HSCAN: Self =
        Self::text("ERR NOVALUES option can only be used in HSCAN");
    /// A sum beyond 64 bits.
    pub const INCREMENT_OVERFLOW: Self = Self::text("ERR increment or decrement would overflow");
    /// DECRBY of the one number whose opposite is none.
    pub const DECREMENT_OVERFLOW: Self = Self::text("ERR decrement would overflow");
    /// A sum of floating-point numbers that is none.
    pub const INCREMENT_NOT_FINITE: Self =
        Self::text("ERR increment would produce NaN or Infinity");
    /// A deadline of a field before 1970, or in the past from now.
    pub const NEGATIVE_EXPIRE: Self = Self::text("ERR invalid expire time, must be >= 0");
    /// HTTL and its kin without FIELDS in its place.
    pub const FIELDS_MISPLACED: Self =
        Self::text("ERR Mandatory argument FIELDS is missing or not at the right position");
    /// HTTL and its kin with a number of fields that is none.
    pub const FIELD_COUNT_NOT_POSITIVE: Self =
        Self::text("ERR Number of fields must be a positive integer");
    /// HTTL and its kin with other than the announced number of fields.
    pub const FIELD_COUNT_MISMATCH: Self =
        Self::text("ERR The `numfields` parameter must match the number of arguments");
    /// HEXPIRE and its kin with a number of fields that is none.
    pub const FIELD_COUNT_NOT_ABOVE_ZERO: Self =
        Self::text("ERR Parameter `numFields` should be greater than 0");
    /// HGETEX and HSETEX with a number of fields that is none.
    pub const FIELD_COUNT_INVALID: Self = Self::text("ERR invalid number of fields");
    /// HEXPIRE and its kin without FIELDS.
    pub const NO_FIELDS: Self = Self::text("ERR missing FIELDS argument");
    /// HEXPIRE and its kin with FIELDS again.
    pub const FIELDS_TWICE: Self = Self::text("ERR FIELDS keyword specified multiple times");
    /// HEXPIRE and its kin with fewer fields than announced.
    pub const FIELDS_TOO_FEW: Self = Self::text("ERR wrong number of arguments");
    /// HEXPIRE and its kin with two conditions.
    pub const SEVERAL_CONDITIONS: Self = Self::text("ERR Multiple condition flags specified");
    /// HGETEX and HSETEX with an option that lacks its time.
    pub const NO_EXPIRE_TIME: Self = Self::text("ERR missing expire time");
    /// HSETEX with two conditions.
    pub const FXX_AND_FNX: Self =
        Self::text("ERR Only one of FXX or FNX arguments can be specified");
    /// A field that HINCRBY cannot count.
    pub const HASH_NOT_INTEGER: Self = Self::text("ERR hash value is not an integer");
    /// A field that HINCRBYFLOAT cannot count.
    pub const HASH_NOT_FLOAT: Self = Self::text("ERR hash value is not a float");
    /// An increment that is no number to add.
    pub const NOT_FINITE: Self = Self::text("ERR value is NaN or Infinity");
    /// SETRANGE before the beginning.
    pub const OFFSET_OUT_OF_RANGE: Self = Self::text("ERR offset is out of range");
    /// APPEND or SETRANGE beyond the longest string.
    pub const STRING_TOO_LONG: Self =
        Self::text("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    /// LCS with LEN and IDX.
    pub const LCS_LENGTH_AND_INDEXES: Self =
        Self::text("ERR If you want both the length and indexes, please just use IDX.");
    /// LCS of a key of another type.
    pub const LCS_NOT_STRINGS: Self =
        Self::text("ERR The specified keys must contain string values");
    /// LCS of a string whose length does not fit 32 bits.
    pub const LCS_TOO_LONG: Self = Self::text("ERR String too long for LCS");
    /// LCS of strings whose table Redis would not make.
    pub const LCS_TOO_MUCH_MEMORY: Self =
        Self::text("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
    /// A bit that no string can have.
    pub const BIT_OFFSET: Self = Self::text("ERR bit offset is not an integer or out of range");
    /// SETBIT to something else than 0 or 1.
    pub const BIT_VALUE: Self = Self::text("ERR bit is not an integer or out of range");
    /// BITPOS of something else than 0 or 1.
    pub const BIT_ARGUMENT: Self = Self::text("ERR The bit argument must be 1 or 0.");
    /// BITOP NOT of several strings.
    pub const BITOP_NOT_SOURCES: Self =
        Self::text("ERR BITOP NOT must be called with a single source key.");
    /// A type that no bitfield has.
    pub const BITFIELD_TYPE: Self = Self::text(
        "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
    );
    /// A way of overflowing that BITFIELD does not know.
    pub const BITFIELD_OVERFLOW: Self = Self::text("ERR Invalid OVERFLOW type specified");
    /// BITFIELD_RO asked to write.
    pub const BITFIELD_READ_ONLY: Self =
        Self::text("ERR BITFIELD_RO only supports the GET subcommand");

    /// A string that is no HyperLogLog.
    pub const HYPERLOGLOG_INVALID: Self =
        Self::text("WRONGTYPE Key is not a valid HyperLogLog string value.");
    /// A HyperLogLog whose registers make no sense.
    pub const HYPERLOGLOG_CORRUPTED: Self = Self::text("INVALIDOBJ Corrupted HLL object detected");

    /// Coordinates that are no place that an index can hold.
    pub fn coordinates(longitude: f64, latitude: f64) -> Self {
        let text = format!("ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}");
        Self::Text(text.into())
    }
    /// A unit of length that geo commands do not know.
    pub const GEO_UNIT: Self =
        Self::text("ERR unsupported unit provided. please use M, KM, FT, MI");
    /// A search around a member that is not there.
    pub const GEO_NO_MEMBER: Self = Self::text("ERR could not decode requested zset member");
    /// A radius that is no number.
    pub const GEO_RADIUS_NOT_FLOAT: Self = Self::text("ERR need numeric radius");
    /// A radius below zero.
    pub const GEO_RADIUS_NEGATIVE: Self = Self::text("ERR radius cannot be negative");
    /// A width that is no number.
    pub const GEO_WIDTH_NOT_FLOAT: Self = Self::text("ERR need numeric width");
    /// A height that is no number.
    pub const GEO_HEIGHT_NOT_FLOAT: Self = Self::text("ERR need numeric height");
    /// A box with a side below zero.
    pub const GEO_BOX_NEGATIVE: Self = Self::text("ERR height or width cannot be negative");
    /// A geo search for fewer than one member.
    pub const GEO_COUNT_NOT_POSITIVE: Self = Self::text("ERR COUNT must be > 0");
    /// ANY without COUNT.
    pub const GEO_ANY_WITHOUT_COUNT: Self =
        Self::text("ERR the ANY argument requires COUNT argument");

    /// A geo search that stores its result, and is asked to show more than members.
    pub fn geo_store_shows(what: &str) -> Self {
        const WHY: &str = "is not compatible with WITHDIST, WITHHASH and WITHCOORD options";
        Self::Text(format!("ERR {what} {WHY}").into())
    }

    /// A geo search that lacks one of two options; ends with the command's name as it was typed.
    pub fn geo_needs(options: &str, name: &[u8]) -> Self {
        Self::showing(&format!("ERR exactly one of {options} can be specified for "), name)
    }

    /// ZADD with both.
    pub const XX_AND_NX: Self =
        Self::text("ERR XX and NX options at the same time are not compatible");
    /// ZADD with two of them.
    pub const GT_LT_AND_NX: Self =
        Self::text("ERR GT, LT, and/or NX options at the same time are not compatible");
    /// ZADD INCR with several members.
    pub const INCR_OF_SEVERAL: Self =
        Self::text("ERR INCR option supports a single increment-element pair");
    /// An infinite score and its opposite.
    pub const SCORE_NOT_A_NUMBER: Self = Self::text("ERR resulting score is not a number (NaN)");
    /// A count whose double does not fit.
    pub const OUT_OF_RANGE: Self = Self::text("ERR value is out of range");
    /// A bound of a range of scores.
    pub const RANGE_NOT_FLOAT: Self = Self::text("ERR min or max is not a float");
    /// A bound of a range of members.
    pub const RANGE_NOT_LEX: Self = Self::text("ERR min or max not valid string range item");
    /// LIMIT with a range of ranks.
    pub const LIMIT_OF_RANKS: Self = Self::text(
        "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
    );
    /// WITHSCORES with a range of members.
    pub const WITHSCORES_BY_LEX: Self =
        Self::text("ERR syntax error, WITHSCORES not supported in combination with BYLEX");
    /// A weight of ZUNION.
    pub const WEIGHT_NOT_FLOAT: Self = Self::text("ERR weight value is not a float");

    /// An operation on no sorted set; names the command in lower case.
    pub fn no_input_keys(name: &str) -> Self {
        Self::Text(format!("ERR at least 1 input key is needed for '{name}' command").into())
    }

    /// An error with a fixed text, code included: `CommandError::text("ERR no such key")`.
    pub const fn text(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// AUTH, or HELLO AUTH, that does not fit.
    pub const WRONG_PASSWORD: Self =
        Self::text("WRONGPASS invalid username-password pair or user is disabled.");
    /// AUTH with a password alone where none is needed.
    pub const NO_PASSWORD_SET: Self = Self::text(
        "ERR AUTH <password> called without any password configured for the default user. \
         Are you sure your configuration is correct?",
    );
    /// HELLO before authentication.
    pub const HELLO_UNAUTHENTICATED: Self = Self::text(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the \
         HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and \
         select the RESP protocol version at the same time",
    );
    /// HELLO with a number that is no protocol.
    pub const UNSUPPORTED_PROTOCOL: Self = Self::text("NOPROTO unsupported protocol version");
    /// HELLO with what is no number.
    pub const PROTOCOL_NOT_INTEGER: Self =
        Self::text("ERR Protocol version is not an integer or out of range");
    /// SELECT and its kin beyond the directive `databases`.
    pub const DB_OUT_OF_RANGE: Self = Self::text("ERR DB index is out of range");
    /// CLIENT SETNAME, HELLO SETNAME.
    pub const INVALID_CLIENT_NAME: Self =
        Self::text("ERR Client names cannot contain spaces, newlines or special characters.");

    /// CONFIG REWRITE of a server that was started without one.
    pub const NO_CONFIG_FILE: Self = Self::text("ERR The server is running without a config file");
    /// CONFIG SET of other bytes. Redis takes any for a password; here a directive's value is text.
    pub const CONFIG_NOT_TEXT: Self = Self::text("ERR CONFIG SET takes UTF-8 text only");
    /// CLIENT KILL address.
    pub const NO_SUCH_CLIENT: Self = Self::text("ERR No such client");
    /// CLIENT KILL ID.
    pub const CLIENT_ID_TOO_SMALL: Self = Self::text("ERR client-id should be greater than 0");
    /// CLIENT KILL MAXAGE.
    pub const MAXAGE_TOO_SMALL: Self = Self::text("ERR maxage should be greater than 0");
    /// CLIENT KILL MAXAGE.
    pub const MAXAGE_NOT_INTEGER: Self = Self::text("ERR maxage is not an integer or out of range");
    /// CLIENT LIST ID.
    pub const INVALID_CLIENT_ID: Self = Self::text("ERR Invalid client ID");
    /// CLIENT PAUSE.
    pub const PAUSE_MODE: Self = Self::text("ERR CLIENT PAUSE mode must be WRITE or ALL");
    /// CLIENT UNBLOCK.
    pub const UNBLOCK_REASON: Self =
        Self::text("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
    /// A command on keys from a client that monitors.
    pub const MONITORS_ONLY: Self = Self::text("ERR Replica can't interact with the keyspace");

    /// One connection more than `maxclients`.
    pub const MAX_CLIENTS: Self = Self::text("ERR max number of clients reached");
    /// A connection from another machine while there is no password.
    pub const PROTECTED_MODE: Self = Self::text(
        "DENIED Redis is running in protected mode because protected mode is enabled and no \
         password is set for the default user. In this mode connections are only accepted from \
         the loopback interface. If you want to connect from external computers to Redis you may \
         adopt one of the following solutions: 1) Just disable protected mode sending the command \
         'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from \
         the same host the server is running, however MAKE SURE Redis is not publicly accessible \
         from internet if you do so. Use CONFIG REWRITE to make this change permanent. 2) \
         Alternatively you can just disable the protected mode by editing the Redis configuration \
         file, and setting the protected mode option to 'no', and then restarting the server. 3) \
         If you started the server manually just for testing, restart it with the \
         '--protected-mode no' option. 4) Set up an authentication password for the default user. \
         NOTE: You only need to do one of the above things in order for the server to start \
         accepting connections from the outside.",
    );

    /// A number beyond what its argument takes, where Redis names the bounds.
    pub fn not_between(min: i64, max: i64) -> Self {
        let text = format!("ERR value is out of range, value must between {min} and {max}");
        Self::Text(Cow::Owned(text))
    }

    /// HGETEX or HSETEX with two options about deadlines; the last of those there are is named.
    pub fn several_expiries(bare_word: &'static str) -> Self {
        let text =
            format!("ERR Only one of EX, PX, EXAT, PXAT or {bare_word} arguments can be specified");
        Self::Text(Cow::Owned(text))
    }

    /// A text that quotes a word of the client: `{before}'{word}'{after}`. Redis prints such a word
    /// as a C string, so it ends at a zero byte.
    pub fn quoting(before: &str, word: &[u8], after: &str) -> Self {
        Self::Bytes([before.as_bytes(), b"'", c_string(word), b"'", after.as_bytes()].concat())
    }

    /// A text that ends with a word of the client, up to a zero byte.
    pub fn showing(before: &str, word: &[u8]) -> Self {
        Self::Bytes([before.as_bytes(), c_string(word)].concat())
    }

    /// A command that a subscriber who speaks RESP2 may not run; its name.
    pub fn subscribed(name: &str) -> Self {
        let text = format!(
            "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET \
             are allowed in this context"
        );
        Self::Text(Cow::Owned(text))
    }

    /// MONITOR of a command that there is not.
    pub fn no_such_command(name: &[u8]) -> Self {
        Self::quoting("ERR there is no command ", name, "")
    }

    /// CLIENT TRACKING with a prefix that another one covers.
    pub fn prefixes_overlap(prefix: &[u8], which: &str, other: &[u8]) -> Self {
        let which = format!("' overlaps with {which} prefix '");
        let parts = [b"ERR Prefix '", c_string(prefix), which.as_bytes(), c_string(other)];
        Self::Bytes(
            [&parts.concat()[..], b"'. Prefixes for a single client must not overlap."].concat(),
        )
    }

    /// CLIENT SETINFO of a value with spaces in it.
    pub fn invalid_client_info(option: &[u8]) -> Self {
        const WHY: &[u8] = b" cannot contain spaces, newlines or special characters.";
        Self::Bytes([b"ERR ", c_string(option), WHY].concat())
    }

    /// Appends the error line, without `-` and line end; the client's own bytes are unchanged.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let parts: [&[u8]; 5] = match self {
            Self::Bytes(text) => [text, b"", b"", b"", b""],
            Self::UnknownCommand { name, beginning } => {
                [b"ERR unknown command '", name, b"', with args beginning with: ", beginning, b""]
            }
            Self::UnknownSubcommand { name, container } => {
                [b"ERR unknown subcommand '", name, b"'. Try ", container.as_bytes(), b" HELP."]
            }
            Self::UnknownSubcommandOrArity { name, container } => {
                out.extend_from_slice(b"ERR unknown subcommand or wrong number of arguments for '");
                let name = c_string(name);
                let shown = &name[..name.len().min(SHOWN_BYTES_MAX)];
                [shown, b"'. Try ", container.as_bytes(), b" HELP.", b""]
            }
            fixed => return out.extend_from_slice(fixed.to_string().as_bytes()),
        };
        parts.iter().for_each(|part| out.extend_from_slice(part));
    }

    /// The error line, without `-` and line end.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = Vec::new();
        self.write_to(&mut text);
        text
    }

    /// An error with the reason that the system gives.
    pub fn because(what: &str, reason: &str) -> Self {
        Self::Text(format!("{what}{reason}").into())
    }

    /// The error of an EXEC that is not even admitted, for this reason.
    pub fn exec_aborted(reason: &Self) -> Self {
        let reason = reason.to_string();
        let reason = reason.strip_prefix("ERR ").unwrap_or(&reason);
        Self::Text(format!("EXECABORT Transaction discarded because of: {reason}").into())
    }

    /// The code: the first word, by which INFO errorstats counts.
    pub fn code(&self) -> Cow<'static, str> {
        let first = |text: &str| text.split(' ').next().unwrap_or("ERR").to_owned();
        match self {
            Self::WrongType => Cow::Borrowed("WRONGTYPE"),
            Self::NoAuth => Cow::Borrowed("NOAUTH"),
            Self::Text(text) => Cow::Owned(first(text)),
            Self::Explained(error, _) => error.code(),
            Self::Bytes(text) => Cow::Owned(first(&String::from_utf8_lossy(text))),
            _ => Cow::Borrowed("ERR"),
        }
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongType => {
                f.write_str("WRONGTYPE Operation against a key holding the wrong kind of value")
            }
            Self::Syntax => f.write_str("ERR syntax error"),
            Self::NotInteger => f.write_str("ERR value is not an integer or out of range"),
            Self::NotFloat => f.write_str("ERR value is not a valid float"),
            Self::UnknownCommand { .. }
            | Self::UnknownSubcommand { .. }
            | Self::UnknownSubcommandOrArity { .. }
            | Self::Bytes(_) => {
                let mut text = Vec::new();
                self.write_to(&mut text);
                f.write_str(&String::from_utf8_lossy(&text))
            }
            Self::Arity(name) => {
                write!(f, "ERR wrong number of arguments for '{name}' command")
            }
            Self::InvalidExpire(name) => write!(f, "ERR invalid expire time in '{name}' command"),
            Self::UnknownDirective(name) => {
                write!(f, "ERR Unknown option or number of arguments for CONFIG SET - '{name}'")
            }
            Self::ConfigSet { name, reason } => write!(
                f,
                "ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}"
            ),
            Self::ConfigRewrite(reason) => write!(f, "ERR Rewriting config file: {reason}"),
            Self::NoAuth => f.write_str("NOAUTH Authentication required."),
            Self::Text(text) => f.write_str(text),
            Self::Explained(error, hint) => {
                let text = error.to_string();
                let end = if text.ends_with('.') { "" } else { "." };
                write!(f, "{text}{end} {hint}")
            }
        }
    }
}

impl std::error::Error for CommandError {}

/// The bytes up to the first zero byte: what Redis, which is written in C, shows of them.
pub fn c_string(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Bytes that are no request. The client gets the text, and its connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtocolError {
    /// `*` not followed by a number in range.
    InvalidMultibulkLength,
    /// `$` not followed by a number in range.
    InvalidBulkLength,
    /// Another byte where `$` must be.
    ExpectedDollar(u8),
    /// A `*` line without end.
    TooBigMultibulkCount,
    /// A `$` line without end.
    TooBigBulkCount,
    /// An inline request without end.
    TooBigInline,
    /// A quote that is never closed, or closed in the middle of a word.
    UnbalancedQuotes,
    /// Too many arguments from a client that has not authenticated.
    UnauthenticatedMultibulkLength,
    /// Too long an argument from a client that has not authenticated.
    UnauthenticatedBulkLength,
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ERR Protocol error: ")?;
        match self {
            Self::InvalidMultibulkLength => f.write_str("invalid multibulk length"),
            Self::InvalidBulkLength => f.write_str("invalid bulk length"),
            Self::ExpectedDollar(byte) => {
                write!(f, "expected '$', got '{}'", char::from(*byte))
            }
            Self::TooBigMultibulkCount => f.write_str("too big mbulk count string"),
            Self::TooBigBulkCount => f.write_str("too big bulk count string"),
            Self::TooBigInline => f.write_str("too big inline request"),
            Self::UnbalancedQuotes => f.write_str("unbalanced quotes in request"),
            Self::UnauthenticatedMultibulkLength => f.write_str("unauthenticated multibulk length"),
            Self::UnauthenticatedBulkLength => f.write_str("unauthenticated bulk length"),
        }
    }
}

impl std::error::Error for ProtocolError {}
