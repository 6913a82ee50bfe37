//! The numbers of the snapshot format (Redis's `rdb.h`), and the versions that are read and written.

/// The version that is written unless data needs a later one: Redis 7.0 and all later ones read it.
pub(super) const VERSION: u16 = 10;
/// The version in which fields of hashes have deadlines (Redis 7.4).
pub(super) const VERSION_WITH_FIELD_DEADLINES: u16 = 12;
/// From this version on a file ends with a checksum.
pub(super) const VERSION_WITH_CHECKSUM: u16 = 5;
/// What a file begins with, before four digits of version.
pub(super) const MAGIC: &[u8; 5] = b"REDIS";
/// The latest version that is read.
pub(super) const VERSION_MAX: u16 = 12;

/// A length in the next four bytes, the highest first.
pub(super) const LENGTH_32_BITS: u8 = 0x80;
/// A length in the next eight bytes, the highest first.
pub(super) const LENGTH_64_BITS: u8 = 0x81;
/// Instead of a string's length: an integer of one byte stands for its digits.
pub(super) const STRING_INT_8: u8 = 0xc0;
/// Of two bytes.
pub(super) const STRING_INT_16: u8 = 0xc1;
/// Of four bytes.
pub(super) const STRING_INT_32: u8 = 0xc2;
/// Instead of a string's length: compressed length, length and compressed bytes follow.
pub(super) const STRING_COMPRESSED: u8 = 0xc3;

/// How a value is stored: the byte before it.
pub(super) mod kind {
    pub const STRING: u8 = 0;
    /// Elements one by one.
    pub const LIST: u8 = 1;
    /// Members one by one.
    pub const SET: u8 = 2;
    /// Members with scores as text.
    pub const SORTED_SET_TEXT: u8 = 3;
    /// Fields and values one by one.
    pub const HASH: u8 = 4;
    /// Members with scores as doubles.
    pub const SORTED_SET: u8 = 5;
    /// A module's data of before Redis 4.0.
    pub const MODULE_OLD: u8 = 6;
    /// A module's data, which can be passed over.
    pub const MODULE: u8 = 7;
    pub const HASH_ZIPMAP: u8 = 9;
    pub const LIST_ZIPLIST: u8 = 10;
    pub const SET_INTSET: u8 = 11;
    pub const SORTED_SET_ZIPLIST: u8 = 12;
    pub const HASH_ZIPLIST: u8 = 13;
    /// A list of ziplists.
    pub const LIST_QUICKLIST: u8 = 14;
    pub const STREAM: u8 = 15;
    pub const HASH_LISTPACK: u8 = 16;
    pub const SORTED_SET_LISTPACK: u8 = 17;
    /// A list of listpacks and single elements.
    pub const LIST_QUICKLIST_2: u8 = 18;
    pub const STREAM_2: u8 = 19;
    pub const SET_LISTPACK: u8 = 20;
    pub const STREAM_3: u8 = 21;
    /// Fields with deadlines, as release candidates of Redis 7.4 wrote them.
    pub const HASH_DEADLINES_RC: u8 = 22;
    /// The same in a listpack.
    pub const HASH_LISTPACK_DEADLINES_RC: u8 = 23;
    /// Fields with deadlines one by one.
    pub const HASH_DEADLINES: u8 = 24;
    /// Fields with deadlines in a listpack.
    pub const HASH_LISTPACK_DEADLINES: u8 = 25;
}

/// What stands in a file where a value's kind could stand.
pub(super) mod opcode {
    /// Three lengths about a slot of a cluster.
    pub const SLOT_INFO: u8 = 244;
    /// A library of functions.
    pub const FUNCTION: u8 = 245;
    /// The same in release candidates of Redis 7.0.
    pub const FUNCTION_RC: u8 = 246;
    /// A module's data that belongs to no key.
    pub const MODULE_AUX: u8 = 247;
    /// How long the next key was idle, in seconds.
    pub const IDLE: u8 = 248;
    /// How often the next key was used.
    pub const FREQUENCY: u8 = 249;
    /// A name and a value, about the file.
    pub const AUX: u8 = 250;
    /// How many keys the database has, and how many of them with a deadline.
    pub const RESIZE: u8 = 251;
    /// The deadline of the next key in milliseconds.
    pub const DEADLINE_MS: u8 = 252;
    /// In seconds.
    pub const DEADLINE: u8 = 253;
    /// The database of the keys from here on.
    pub const SELECT: u8 = 254;
    /// The last; a checksum follows.
    pub const END: u8 = 255;
}

/// In a list of nodes: a single element.
pub(super) const NODE_PLAIN: u64 = 1;
/// In a list of nodes: a listpack.
pub(super) const NODE_PACKED: u64 = 2;
