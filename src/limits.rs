//! Every bound that is not a directive, with its unit last.
//!
//! A number that a client sends never sizes an allocation; it is compared with one of these, and
//! memory grows with the bytes that arrived. The values are Redis's where Redis has one.

/// Longest inline request, and longest length line, without its line end.
pub const LINE_BYTES_MAX: usize = 64 * 1024;
/// Most arguments that one request may announce.
pub const ARGS_COUNT_MAX: i64 = i32::MAX as i64;
/// Most arguments of a request before the client has authenticated.
pub const UNAUTHENTICATED_ARGS_COUNT_MAX: i64 = 10;
/// Longest argument of a request before the client has authenticated.
pub const UNAUTHENTICATED_BULK_BYTES_MAX: i64 = 16 * 1024;
/// From this length on an argument is read into an allocation of its own, which a command can keep.
pub const LARGE_BULK_BYTES_MIN: usize = 32 * 1024;
/// The most that is reserved ahead of the bytes received while a large argument is read.
pub const BULK_RESERVE_BYTES_MAX: usize = 1024 * 1024;

/// What one read from a socket asks for.
pub const READ_BUFFER_BYTES: usize = 16 * 1024;
/// Replies are written when this many bytes wait, and always before a read that would block.
pub const WRITE_BUFFER_BYTES_MAX: usize = 64 * 1024;
/// A reply or request buffer that has grown beyond this is given back once it is empty.
pub const IDLE_BUFFER_BYTES_MAX: usize = 64 * 1024;
/// How long a write may wait before the session looks for input.
pub const WRITE_STALL_MS_MIN: u64 = 20;
/// How long it may wait if there never is any.
pub const WRITE_STALL_MS_MAX: u64 = 1_000;
/// How long a look for input takes if there is none.
pub const GLANCE_MS: u64 = 1;
/// What a session takes in at one look while its peer does not read.
pub const GLANCE_BYTES_MAX: usize = 1024 * 1024;
/// How long a session stays awake for its client's next request, if no other does. It is several times
/// what a client on the same machine takes to send one, and little beside a time slice.
pub const VIGIL_US_MAX: u64 = 50;
/// How many reads it sleeps through at most before it tries that again after it was in vain.
pub const VIGIL_PENALTY_READS_MAX: u32 = 255;
/// How many others may be woken between two reads of a session that stays awake: a lone client has one
/// connection in use, or two.
pub const VIGIL_OTHERS_MAX: u32 = 1;
/// How long a sleeping client's connection goes without a look whether the peer is still there.
pub const HANG_UP_LOOK_MS: u64 = 500;
/// What others send may wait up to this where `client-output-buffer-limit` sets no limit, as for a
/// client that monitors and does not read. Redis would fill its memory.
pub const UNLIMITED_OUTBOX_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Threads that send what others have put into the outboxes of clients.
pub const POSTMEN_COUNT: usize = 1;
/// Clients whom one of them takes on at a time.
pub const POST_ROUND_CLIENTS_MAX: usize = 64;
/// As many clients as this are served by the thread that has sent them something, before its own client
/// gets the reply; if there are more the postmen do it.
pub const POST_SELF_SERVED_CLIENTS_MAX: usize = 4;
/// Room that an empty outbox keeps.
pub const IDLE_OUTBOX_BYTES_MAX: usize = 4 * 1024;
/// From this length on what is sent to many clients lies in memory once, not in the queue of each.
pub const SHARED_NOTICE_BYTES_MIN: usize = 4 * 1024;
/// From here on a client's own replies wait for room in its outbox.
pub const OUTBOX_REPLY_BYTES_MAX: usize = 1024 * 1024;
/// What a session takes in while its peer does not read, as Redis's client-query-buffer-limit.
pub const BACKLOG_BYTES_MAX: usize = 1024 * 1024 * 1024;

/// Locks among which channels are spread: 2^TOPIC_SHARD_BITS.
pub const TOPIC_SHARD_BITS: u32 = 6;
/// How much of the beginning or end of a pattern it is found by.
pub const PATTERN_INDEX_BYTES_MAX: usize = 64;

/// Stack of a worker thread. Only pages that are touched take memory.
pub const WORKER_STACK_BYTES: usize = 1024 * 1024;
/// How long an idle worker waits for another connection before it ends.
pub const WORKER_IDLE_MS: u64 = 5_000;
/// How long a stop tries to wake a listener by connecting to it.
pub const WAKE_PATIENCE_MS: u64 = 100;
/// How long a stop waits for replies in flight before it closes both directions of every socket.
pub const STOP_GRACE_MS: u64 = 400;

/// Configuration files that include each other, one within the other.
pub const CONFIG_INCLUDE_DEPTH_MAX: usize = 16;
/// Files that are open besides the clients' sockets, as Redis counts them.
pub const RESERVED_FILES: u64 = 32;

/// Keys, of one request or of several in a pipeline, that memory is asked for together.
pub const WARMED_TOGETHER: usize = 8;
/// Requests of one pipeline that are run together.
pub const BATCH_REQUESTS_MAX: usize = 8;
/// The longest request that is run together with one before it.
pub const BATCHED_BYTES_MAX: usize = 2 * 1024;
/// How long requests for one shard, or scripts, take at least that a client queues up for, in nanoseconds: about
/// as long as it takes to go to sleep and be woken.
pub const QUEUEING_NS_MIN: u64 = 30_000;
/// How long a client stays at the front of such a queue with one batch after the other, in microseconds.
pub const QUEUE_FRONT_US_MAX: i64 = 1000;
/// How long one critical section of theirs goes on before another may begin, in nanoseconds.
pub const BATCH_SECTION_NS_MAX: u64 = 20_000;
/// How long somebody stays awake for a lock that is not free, in nanoseconds.
pub const LOCK_AWAKE_NS_MAX: u64 = 20_000;
const _: () = assert!(LOCK_AWAKE_NS_MAX >= BATCH_SECTION_NS_MAX);
/// Shards of the keyspace: 2^SHARD_BITS.
pub const SHARD_BITS: u32 = 10;
/// Number of shards of the keyspace.
pub const SHARD_COUNT: usize = 1 << SHARD_BITS;
/// Keys that the reaper removes while it holds one lock.
pub const REAP_STEP_KEYS_MAX: usize = 64;
/// The latest deadline of a field of a hash, in unix milliseconds: Redis keeps it in 46 bits.
pub const FIELD_DEADLINE_MS_MAX: u64 = (1 << 46) - 1;
/// Elements of values (fields of hashes) that the reaper removes while it holds one lock.
pub const REAP_STEP_ELEMENTS_MAX: usize = 256;
/// Elements past their deadline that one command removes because it came across them.
pub const DUE_ELEMENTS_PER_COMMAND_MAX: usize = 4096;
/// The shortest sleep of the reaper between two rounds, so that a stream of deadlines is reaped in batches.
pub const REAP_PAUSE_MS_MIN: u64 = 2;
/// The longest sleep of the reaper while some key has a deadline: a sleep does not notice when the
/// system's clock is set, or that the machine was suspended.
pub const REAP_PAUSE_MS_MAX: u64 = 1000;
/// A value of more allocations than this is freed by the janitor where its client need not wait.
pub const FREED_PARTS_MAX: usize = 64;
/// Things that wait for the janitor before clients free themselves what they throw away.
pub const JANITOR_PIECES_MAX: usize = 100_000;
/// A table with no more slots than this is never made smaller.
pub const TABLE_SLOTS_KEPT: usize = 16;
/// A table with more slots than this for each of its keys is made smaller.
pub const TABLE_SLOTS_PER_KEY_MAX: usize = 8;
/// Keys chosen at random that may turn out to be due before all are looked at.
pub const RANDOM_KEYS_TRIED_MAX: usize = 16;
/// A shard is walked by SCAN in at most this many steps, since each step looks at the whole shard.
/// With this many a scan of ten million keys ten at a time costs about what it costs Redis.
pub const SCAN_STEPS_PER_SHARD_MAX: usize = 32;

/// Most elements that one command chooses with repetition: the reply to a count like -10^18 would
/// fill all memory.
pub const RANDOM_REPEATS_COUNT_MAX: usize = 1 << 24;

/// How often whoever waits for data to be loaded hears how far that has come.
pub const LOAD_SHOWN_MS: u64 = 100;
/// Memory that the scripts of one interpreter may take. In Redis they could fill all there is.
pub const SCRIPT_MEMORY_BYTES_MAX: usize = 512 * 1024 * 1024;
/// An interpreter that takes more than this between two scripts is given back.
pub const IDLE_INTERPRETER_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Scripts that one interpreter keeps compiled.
pub const COMPILED_SCRIPTS_MAX: usize = 4096;
/// Interpreters that are kept although no script runs.
pub const IDLE_INTERPRETERS_MAX: usize = 8;
/// Instructions of Lua between two looks whether a script is to go on.
pub const SCRIPT_STEP_INSTRUCTIONS: u32 = 10_000;
/// How long a script may run before others who come do not even try to lock what it has locked.
pub const SHORT_SCRIPT_MS_MAX: u64 = 5;
/// How deep a script's reply may be nested. In Redis it is 7994, all that the stack of its Lua takes.
pub const SCRIPT_REPLY_DEPTH_MAX: usize = 7_900;
/// Keys and arguments that a script is given on Lua's stack, which holds 8,000.
pub const SCRIPT_WORDS_AT_ONCE_MAX: usize = 1_000;
/// Longest pattern of Lua: matching takes stack for each of its items.
pub const PATTERN_BYTES_MAX: usize = 4 * 1024;
/// Stack that matching takes for each byte of a pattern.
pub const PATTERN_BYTE_ROOM_BYTES: usize = 256;
/// Longest pattern that takes little stack.
pub const SHORT_PATTERN_BYTES_MAX: usize = 256;
/// Longest JSON that a script makes: nobody can end it meanwhile.
pub const JSON_BYTES_MAX: usize = 128 * 1024 * 1024;
/// How deep JSON may be nested.
pub const JSON_DEPTH_MAX: usize = 1_000;
/// Stack that Lua, called 200 deep, may take, with a good reserve: some 260 KiB were measured. Frames are much
/// larger where nothing is optimized.
pub const SCRIPT_ROOM_BYTES: usize =
    if cfg!(debug_assertions) { 4 * 1024 * 1024 } else { 768 * 1024 };
/// Stack of a script that needs more than a worker has. Only pages that are touched take memory.
pub const SCRIPT_STACK_BYTES: usize = 8 * 1024 * 1024;

/// Results of saving that are kept for those who wait for them.
pub const SAVE_RESULTS_KEPT: usize = 1024;
/// Seconds after a snapshot has failed until the next one is tried by itself.
pub const SAVE_RETRY_SECONDS: u64 = 5;
/// What is read of a snapshot at a time.
pub const SNAPSHOT_BUFFER_BYTES: usize = 64 * 1024;
/// The largest compact collection that is loaded, as Redis makes none that is larger.
pub const PACK_BYTES_MAX: usize = 1 << 30;
/// Longest text that a snapshot can hold as an integer of 32 bits, as Redis tries.
pub const SNAPSHOT_INTEGER_TEXT_BYTES_MAX: usize = 11;
/// Strings up to this length are never compressed in a snapshot.
pub const UNCOMPRESSED_BYTES_MAX: usize = 20;

/// How many full nodes of a stream a rough trim removes at most that does not say so.
pub const STREAM_TRIM_NODES: u64 = 100;
/// How many entries that is where nodes may have any number.
pub const STREAM_TRIM_ENTRIES: u64 = 10_000;
/// How many entries that is at most.
pub const STREAM_TRIM_ENTRIES_MAX: u64 = 1_000_000;

/// How often a key is sent to another server that changes while it is on its way.
pub const MIGRATION_TRIES_MAX: usize = 32;
/// How long one look for an answer of the other server takes. A stop waits for it.
pub const MIGRATION_LOOK_MS: u64 = 500;

/// How many entries XAUTOCLAIM claims if it does not say.
pub const CLAIMED_ENTRIES_USUALLY: usize = 100;
/// How many it may ask for.
pub const CLAIMED_ENTRIES_MAX: usize = (i64::MAX / 16) as usize;
/// How many it looks at for each that it may claim.
pub const CLAIM_LOOKS_PER_ENTRY: usize = 10;

/// Longest string that is reported, and in Redis stored, as `embstr`.
pub const EMBSTR_BYTES_MAX: usize = 44;
/// The most that a string which grows keeps in reserve.
pub const STRING_SPARE_BYTES_MAX: usize = 1024 * 1024;
/// Below this length a listpack grows without keeping anything in reserve.
pub const PACK_WITHOUT_SPARE_BYTES_MAX: usize = 1024;
/// A string that was stored whole stands behind its key if both and a deadline take no more than this:
/// larger ones are moved from the request, not copied.
pub const JOINED_BYTES_MAX: usize = 1024;
/// The same for a set of integers, which is copied whenever it changes.
pub const JOINED_SET_BYTES_MAX: usize = 256;
/// Longest text that can be a 64-bit integer, sign included.
pub const INTEGER_TEXT_BYTES_MAX: usize = 20;

const _: () = assert!(UNAUTHENTICATED_BULK_BYTES_MAX < LARGE_BULK_BYTES_MIN as i64);
const _: () = assert!(SCRIPT_ROOM_BYTES < SCRIPT_STACK_BYTES);
const _: () = assert!(READ_BUFFER_BYTES < LARGE_BULK_BYTES_MIN);
const _: () = assert!(SHARD_BITS <= 16, "the shard is part of a 48-bit SCAN cursor");
const _: () = assert!(OUTBOX_REPLY_BYTES_MAX < UNLIMITED_OUTBOX_BYTES_MAX);
const _: () =
    assert!(STOP_GRACE_MS + 2 * WAKE_PATIENCE_MS < 1000, "a stop takes less than a second");
