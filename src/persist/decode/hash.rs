//! Hashes from a snapshot.

use super::{Decoder, Layout, Loaded, check_unique, damage};
use crate::limits;
use crate::persist::reader::Reader;
use crate::value::{Element, Hash, Listpack};
use std::io::Read;

impl Decoder {
    /// Fields with values one by one.
    pub(super) fn hash<R: Read>(&mut self, reader: &mut Reader<R>) -> Loaded<Hash> {
        let count = reader.count()?;
        let mut hash = Hash::default();
        for _ in 0..count {
            self.field(reader, &mut hash)?;
        }
        Ok(hash)
    }

    /// A field with its value, which has to be a new one.
    fn field<R: Read>(&mut self, reader: &mut Reader<R>, hash: &mut Hash) -> Loaded<()> {
        reader.string(&mut self.first)?;
        reader.string(&mut self.second)?;
        if !hash.set(&self.first, &self.second, &self.limits) {
            return Err(reader.damage("a field of a hash occurs twice"));
        }
        Ok(())
    }

    pub(super) fn hash_pack(&self, pack: Listpack, offset: u64) -> Loaded<Hash> {
        check_unique(&pack, Layout::Pairs, offset)?;
        Ok(Hash::from_pack(pack, &self.limits))
    }

    /// Fields with deadlines one by one. With a minimum, each deadline is stored as how far it lies
    /// behind it, and one; 0 is none.
    pub(super) fn hash_with_deadlines<R: Read>(
        &mut self,
        reader: &mut Reader<R>,
        has_minimum: bool,
    ) -> Loaded<Hash> {
        let minimum_ms = if has_minimum { u64::from_le_bytes(reader.array()?) } else { 1 };
        let count = reader.count()?;
        let mut hash = Hash::default();
        for _ in 0..count {
            let offset = reader.position();
            let behind = reader.length()?;
            self.field(reader, &mut hash)?;
            if let Some(behind) = behind.checked_sub(1) {
                let deadline_ms = minimum_ms.checked_add(behind);
                let deadline_ms = deadline_ms
                    .filter(|deadline_ms| *deadline_ms <= limits::FIELD_DEADLINE_MS_MAX)
                    .ok_or_else(|| damage(offset, BEYOND))?;
                hash.set_deadline(&self.first, Some(deadline_ms));
            }
        }
        Ok(hash)
    }

    /// Fields, values and deadlines in turn; 0 is no deadline.
    pub(super) fn hash_triples(&mut self, pack: &Listpack, offset: u64) -> Loaded<Hash> {
        check_unique(pack, Layout::Triples, offset)?;
        let mut hash = Hash::default();
        hash.prepare_deadlines();
        let mut elements = pack.iter();
        while let (Some(field), Some(value), Some(deadline)) =
            (elements.next(), elements.next(), elements.next())
        {
            let field = field.bytes();
            let deadline_ms = match deadline {
                Element::Int(ms) => u64::try_from(ms).ok(),
                Element::Bytes(_) => None,
            };
            let deadline_ms = deadline_ms
                .filter(|deadline_ms| *deadline_ms <= limits::FIELD_DEADLINE_MS_MAX)
                .ok_or_else(|| damage(offset, BEYOND))?;
            hash.set(&field, &value.bytes(), &self.limits);
            if deadline_ms > 0 {
                hash.set_deadline(&field, Some(deadline_ms));
            }
        }
        Ok(hash)
    }
}

const BEYOND: &str = "a field's deadline that no clock will show";
