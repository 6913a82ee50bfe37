//! Hashes of byte strings, which nobody outside can foresee.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

/// The hash of these bytes alone. To hash them as a part of more would mix in their number, which takes as
/// long as a short key.
pub fn hash_bytes(state: &RandomState, bytes: &[u8]) -> u64 {
    hash_with(state, |hasher| hasher.write(bytes))
}

/// The hash of what is written.
pub fn hash_with<S: BuildHasher>(state: &S, write: impl FnOnce(&mut S::Hasher)) -> u64 {
    let mut hasher = state.build_hasher();
    write(&mut hasher);
    hasher.finish()
}
