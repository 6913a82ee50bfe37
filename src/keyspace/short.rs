//! Bytes that stand in place where they are few, and in an allocation of their own where they are many.

use std::ops::{Deref, DerefMut};

/// What makes a value of this type three words long.
const INLINE_BYTES_MAX: usize = 22;

/// A byte string of fixed length.
#[derive(Debug)]
pub(super) enum ShortBytes {
    Inline { len: u8, bytes: [u8; INLINE_BYTES_MAX] },
    Boxed(Box<[u8]>),
}

impl ShortBytes {
    /// Two byte strings as one.
    pub(super) fn joined(first: &[u8], second: &[u8]) -> Self {
        let len = first.len() + second.len();
        if len > INLINE_BYTES_MAX {
            return Self::Boxed([first, second].concat().into());
        }
        let mut bytes = [0; INLINE_BYTES_MAX];
        bytes[..first.len()].copy_from_slice(first);
        bytes[first.len()..len].copy_from_slice(second);
        Self::Inline { len: len as u8, bytes }
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Inline { .. } => 0,
            Self::Boxed(bytes) => bytes.len(),
        }
    }
}

impl Deref for ShortBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Inline { len, bytes } => &bytes[..usize::from(*len)],
            Self::Boxed(bytes) => bytes,
        }
    }
}

impl DerefMut for ShortBytes {
    fn deref_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Inline { len, bytes } => &mut bytes[..usize::from(*len)],
            Self::Boxed(bytes) => bytes,
        }
    }
}

const _: () = assert!(size_of::<ShortBytes>() == 24);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_length_comes_back() {
        let text: Vec<u8> = (0..100).collect();
        for length in 0..text.len() {
            for border in 0..=length {
                let mut bytes = ShortBytes::joined(&text[..border], &text[border..length]);
                assert_eq!(*bytes, text[..length]);
                assert_eq!(*bytes.deref_mut(), text[..length]);
                let is_inline = length <= INLINE_BYTES_MAX;
                assert_eq!(bytes.heap_bytes(), if is_inline { 0 } else { length });
            }
        }
    }
}
