//! How large a collection may grow before it leaves its compact form: Redis's directives.

use crate::config::Settings;

/// The directives that choose encodings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncodingLimits {
    /// `list-max-listpack-size`: elements of a node, or with -1 to -5 its size from 4 to 64 KB.
    pub list_max_listpack_size: i64,
    /// `hash-max-listpack-entries`.
    pub hash_max_listpack_entries: usize,
    /// `hash-max-listpack-value`, in bytes.
    pub hash_max_listpack_value: usize,
    /// `set-max-intset-entries`.
    pub set_max_intset_entries: usize,
    /// `set-max-listpack-entries`.
    pub set_max_listpack_entries: usize,
    /// `set-max-listpack-value`, in bytes.
    pub set_max_listpack_value: usize,
    /// `zset-max-listpack-entries`.
    pub zset_max_listpack_entries: usize,
    /// `zset-max-listpack-value`, in bytes.
    pub zset_max_listpack_value: usize,
    /// `stream-node-max-bytes`; 0 is no limit.
    pub stream_node_max_bytes: usize,
    /// `stream-node-max-entries`; 0 is no limit.
    pub stream_node_max_entries: usize,
    /// `hll-sparse-max-bytes`.
    pub hll_sparse_max_bytes: usize,
}

impl EncodingLimits {
    /// The limits that these settings ask for.
    pub fn new(settings: &Settings) -> Self {
        Self {
            list_max_listpack_size: settings.list_max_listpack_size,
            hash_max_listpack_entries: settings.hash_max_listpack_entries,
            hash_max_listpack_value: settings.hash_max_listpack_value,
            set_max_intset_entries: settings.set_max_intset_entries,
            set_max_listpack_entries: settings.set_max_listpack_entries,
            set_max_listpack_value: settings.set_max_listpack_value,
            zset_max_listpack_entries: settings.zset_max_listpack_entries,
            zset_max_listpack_value: settings.zset_max_listpack_value,
            stream_node_max_bytes: settings.stream_node_max_bytes,
            stream_node_max_entries: settings.stream_node_max_entries,
            hll_sparse_max_bytes: settings.hll_sparse_max_bytes,
        }
    }
}

impl Default for EncodingLimits {
    fn default() -> Self {
        Self::new(&Settings::default())
    }
}
