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
