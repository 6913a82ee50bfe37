//! Errors of the commands on streams.

use super::CommandError;

impl CommandError {
    /// A text that is no id.
    pub const STREAM_ID: Self =
        Self::text("ERR Invalid stream ID specified as stream command argument");
    /// XADD of the one id that no entry has.
    pub const STREAM_ID_ZERO: Self =
        Self::text("ERR The ID specified in XADD must be greater than 0-0");
    /// XADD of an id that is not above all others.
    pub const STREAM_ID_NOT_LAST: Self = Self::text(
        "ERR The ID specified in XADD is equal or smaller than the target stream top item",
    );
    /// XADD behind the last id there is.
    pub const STREAM_EXHAUSTED: Self =
        Self::text("ERR The stream has exhausted the last possible ID, unable to add more items");
    /// XADD of more than fits a node.
    pub const STREAM_ENTRY_TOO_LARGE: Self = Self::text("ERR Elements are too large to be stored");
    /// MAXLEN of a stream.
    pub const STREAM_MAXLEN_NEGATIVE: Self = Self::text("ERR The MAXLEN argument must be >= 0.");
    /// LIMIT of a trim.
    pub const STREAM_LIMIT_NEGATIVE: Self = Self::text("ERR The LIMIT argument must be >= 0.");
    /// A trim to two things.
    pub const STREAM_TRIM_TWICE: Self = Self::text(
        "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
    );
    /// LIMIT of no trim.
    pub const STREAM_LIMIT_ALONE: Self =
        Self::text("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy");
    /// LIMIT of an exact trim.
    pub const STREAM_LIMIT_EXACT: Self =
        Self::text("ERR syntax error, LIMIT cannot be used without the special ~ option");
    /// XTRIM to nothing.
    pub const STREAM_NO_TRIM: Self =
        Self::text("ERR syntax error, XTRIM must be called with a trimming strategy");
    /// XSETID with a count below zero.
    pub const STREAM_ADDED_NEGATIVE: Self = Self::text("ERR entries_added must be positive");
    /// XSETID below the id that it names as deleted.
    pub const STREAM_BELOW_GIVEN_DELETED: Self = Self::text(
        "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
    );
    /// XSETID below an id that was deleted.
    pub const STREAM_BELOW_DELETED: Self =
        Self::text("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id");
    /// XSETID below an entry.
    pub const STREAM_BELOW_LAST: Self =
        Self::text("ERR The ID specified in XSETID is smaller than the target stream top item");
    /// XSETID with fewer entries added than there are.
    pub const STREAM_ADDED_TOO_SMALL: Self = Self::text(
        "ERR The entries_added specified in XSETID is smaller than the target stream length",
    );
    /// An exclusive start behind which nothing can be.
    pub const STREAM_RANGE_START: Self = Self::text("ERR invalid start ID for the interval");
    /// An exclusive end before which nothing can be.
    pub const STREAM_RANGE_END: Self = Self::text("ERR invalid end ID for the interval");
    /// XREAD with the id that stands for what a group has not seen.
    pub const STREAM_UNSEEN_WITHOUT_GROUP: Self = Self::text(
        "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
    );

    /// XGROUP of no stream.
    pub const GROUP_NEEDS_KEY: Self = Self::text(
        "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.",
    );
    /// XGROUP CREATE of a group that there is.
    pub const GROUP_EXISTS: Self = Self::text("BUSYGROUP Consumer Group name already exists");
    /// XGROUP with another count.
    pub const ENTRIES_READ: Self = Self::text("ERR value for ENTRIESREAD must be positive or -1");
    /// XREADGROUP of no group.
    pub const GROUP_MISSING: Self = Self::text("ERR Missing GROUP option for XREADGROUP");
    /// XREADGROUP behind the last id.
    pub const GROUP_READS_NO_LAST: Self = Self::text(
        "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.",
    );
    /// XREADGROUP of the newest entry.
    pub const GROUP_READS_NO_NEWEST: Self = Self::text(
        "ERR The + ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The + ID would just return an empty result set.",
    );
    /// XAUTOCLAIM of none.
    pub const CLAIM_COUNT: Self = Self::text("ERR COUNT must be > 0");

    /// A number of XCLAIM or XAUTOCLAIM: what it is for, and the command in capitals.
    pub fn invalid_claim_number(what: &str, command: &str) -> Self {
        Self::Text(format!("ERR Invalid {what} argument for {command}").into())
    }

    /// An option that XCLAIM does not have.
    pub fn unknown_claim_option(option: &[u8]) -> Self {
        Self::Bytes([b"ERR Unrecognized XCLAIM option '", option, b"'"].concat())
    }

    /// A stream or a group that is not there.
    pub fn no_group(key: &[u8], group: &[u8]) -> Self {
        Self::Bytes([b"NOGROUP No such key '", key, b"' or consumer group '", group, b"'"].concat())
    }

    /// The same for XREADGROUP.
    pub fn no_group_to_read(key: &[u8], group: &[u8]) -> Self {
        let text: [&[u8]; 5] = [
            b"NOGROUP No such key '",
            key,
            b"' or consumer group '",
            group,
            b"' in XREADGROUP with GROUP option",
        ];
        Self::Bytes(text.concat())
    }

    /// A group that a stream does not have.
    pub fn no_group_of_key(group: &[u8], key: &[u8]) -> Self {
        let text: [&[u8]; 5] =
            [b"NOGROUP No such consumer group '", group, b"' for key name '", key, b"'"];
        Self::Bytes(text.concat())
    }

    /// XREAD with an option of XREADGROUP.
    pub fn option_of_xreadgroup(option: &str) -> Self {
        let why = "is only supported by XREADGROUP. You called XREAD instead.";
        Self::Text(format!("ERR The {option} option {why}").into())
    }

    /// XREAD or XREADGROUP, named in lower case, with another number of streams than of ids.
    pub fn unbalanced_streams(command: &str, id: &str) -> Self {
        Self::Text(
            format!(
                "ERR Unbalanced '{command}' list of streams: for each stream key an ID or '{id}' \
                 must be specified."
            )
            .into(),
        )
    }
}
