//! Very many byte strings, kept one behind the other.

/// Byte strings in two allocations, however many there are: what KEYS collects of a million keys.
#[derive(Debug, Default, Clone)]
pub struct Strings {
    bytes: Vec<u8>,
    /// Where each string ends; it begins where the one before it ended.
    ends: Vec<usize>,
}

impl Strings {
    /// Appends a copy of a string.
    pub fn push(&mut self, string: &[u8]) {
        self.bytes.extend_from_slice(string);
        self.ends.push(self.bytes.len());
    }

    /// Number of strings.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The strings in the order in which they were pushed.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let string = &self.bytes[start..*end];
            start = *end;
            string
        })
    }

    /// Forgets every string and keeps the room.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}

impl<'s> Extend<&'s [u8]> for Strings {
    fn extend<I: IntoIterator<Item = &'s [u8]>>(&mut self, strings: I) {
        strings.into_iter().for_each(|string| self.push(string));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_come_back_as_they_were_pushed() {
        let mut strings = Strings::default();
        let pushed: [&[u8]; 4] = [b"one", b"", b"two\0", b""];
        strings.extend(pushed);
        assert_eq!(strings.iter().collect::<Vec<_>>(), pushed);
        strings.clear();
        assert!(strings.is_empty());
    }
}
