//! The checksum of snapshots and of DUMP's payloads: CRC-64 in the variant of Redis (Jones, reflected,
//! no inversion).

use crc::{CRC_64_REDIS, Crc, Digest, Table};

/// Sixteen tables: sixteen bytes at a step, as fast as memory is read.
static ALGORITHM: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_REDIS);

/// A checksum of bytes that come in pieces.
pub(super) struct Checksum(Digest<'static, u64, Table<16>>);

impl Checksum {
    /// Of no bytes yet.
    pub(super) fn new() -> Self {
        Self(ALGORITHM.digest())
    }

    /// Takes more bytes in.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The checksum of all bytes so far.
    pub(super) fn value(&self) -> u64 {
        self.0.clone().finalize()
    }

    /// The checksum of these bytes.
    pub(super) fn of(bytes: &[u8]) -> u64 {
        ALGORITHM.checksum(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_redis() {
        // The check values of crc64.c.
        assert_eq!(Checksum::of(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        let mut pieces = Checksum::new();
        [&b"1234"[..], b"", b"56789"].into_iter().for_each(|piece| pieces.add(piece));
        assert_eq!(pieces.value(), Checksum::of(b"123456789"));
    }
}
