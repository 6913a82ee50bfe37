//! Some entries of a stream in one listpack, in the very format of Redis's `t_stream.c`: saving one is a
//! copy.
//!
//! First come the number of entries, the number of those that are marked as deleted, the names of the
//! fields that the first entry has, behind their number, and a zero. Then each entry: flags, its id as
//! the distance to the id of the node, fields (values alone if the fields are those of the first
//! entry), and the number of these elements, so that a pack can be read from its end.

use super::StreamId;
use crate::value::listpack::{Element, Listpack, Position};

/// The entry counts no more.
const DELETED: i64 = 1;
/// The entry has the fields of the first one; only values follow.
const SAME_FIELDS: i64 = 2;

/// Entries that lie together. Always well formed, and never without an entry that is at least marked
/// as deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pack: Listpack,
}

/// Why it cannot fail to be found.
const CHECKED: &str = "a node is made or checked here, and has all its elements";

impl Node {
    /// A node for entries that probably have these fields; an entry has to be appended.
    pub(super) fn new<'f>(names: impl ExactSizeIterator<Item = &'f [u8]>) -> Self {
        let mut pack = Listpack::new();
        [0, 0, names.len() as i64].into_iter().for_each(|number| pack.push_integer(number));
        names.for_each(|name| pack.push(name));
        pack.push_integer(0);
        Self { pack }
    }

    /// A node from a listpack, if it is one through and through.
    pub fn from_pack(pack: Listpack) -> Option<Self> {
        let mut reader = Reader { pack: &pack, at: pack.first() };
        let (count, deleted) = (reader.count()?, reader.count()?);
        let names = reader.count()?;
        reader.skip(names)?;
        if reader.integer()? != 0 {
            return None;
        }
        let (mut live, mut dead) = (0, 0);
        while reader.at.is_some() {
            let flags = reader.integer()?;
            if flags & !(DELETED | SAME_FIELDS) != 0 {
                return None;
            }
            *(if flags & DELETED == 0 { &mut live } else { &mut dead }) += 1;
            reader.integer()?;
            reader.integer()?;
            let elements = if flags & SAME_FIELDS != 0 {
                reader.skip(names)?;
                names
            } else {
                let fields = reader.count()?;
                // It is no more than there are elements, or skipping fails; so this cannot overflow.
                reader.skip(fields.checked_mul(2)?)?;
                2 * fields + 1
            };
            if reader.count()? != elements + 3 {
                return None;
            }
        }
        let is_whole = (live, dead) == (count, deleted) && live + dead > 0;
        is_whole.then_some(Self { pack })
    }

    /// The listpack.
    pub fn pack(&self) -> &Listpack {
        &self.pack
    }

    /// Number of entries, and of entries that are marked as deleted.
    pub(super) fn counts(&self) -> (usize, usize) {
        let mut reader = self.reader();
        let counts = reader.count().zip(reader.count());
        counts.expect(CHECKED)
    }

    fn set_counts(&mut self, live: usize, deleted: usize) {
        for (index, count) in [live, deleted].into_iter().enumerate() {
            let place = self.pack.seek(index).expect(CHECKED);
            self.pack.replace_integer(place, count as i64);
        }
    }

    fn reader(&self) -> Reader<'_> {
        Reader { pack: &self.pack, at: self.pack.first() }
    }

    /// Appends an entry. `base` is the id of the node, that of its first entry.
    pub(super) fn append<'f>(
        &mut self,
        base: StreamId,
        id: StreamId,
        fields: impl ExactSizeIterator<Item = (&'f [u8], &'f [u8])> + Clone,
    ) {
        let same = self.has_fields(fields.clone().map(|(name, _)| name));
        let (live, deleted) = self.counts();
        self.set_counts(live + 1, deleted);
        let pack = &mut self.pack;
        let count = fields.len() as i64;
        pack.push_integer(if same { SAME_FIELDS } else { 0 });
        // Distances are kept modulo 2^64.
        pack.push_integer(id.ms.wrapping_sub(base.ms) as i64);
        pack.push_integer(id.sequence.wrapping_sub(base.sequence) as i64);
        if same {
            fields.for_each(|(_, value)| pack.push(value));
            pack.push_integer(count + 3);
        } else {
            pack.push_integer(count);
            fields.for_each(|(name, value)| {
                pack.push(name);
                pack.push(value);
            });
            pack.push_integer(2 * count + 4);
        }
    }

    /// Whether these are the fields of the first entry.
    fn has_fields<'f>(&self, mut names: impl ExactSizeIterator<Item = &'f [u8]>) -> bool {
        let mut reader = self.reader();
        reader.skip(2).expect(CHECKED);
        let count = reader.count().expect(CHECKED);
        count == names.len() && names.all(|name| reader.element() == Some(Element::new(name)))
    }

    /// Gives back the room that was kept for more entries.
    pub(super) fn shrink(&mut self) {
        self.pack.shrink();
    }

    /// All entries, those marked as deleted too.
    pub(super) fn entries(&self, base: StreamId) -> Entries<'_> {
        let mut reader = self.reader();
        reader.skip(2).expect(CHECKED);
        let names = reader.count().expect(CHECKED);
        let first_name = reader.at;
        reader.skip(names + 1).expect(CHECKED);
        let last = self.pack.last().map(|end| back(&self.pack, end));
        let span = reader.at.zip(last);
        Entries { pack: &self.pack, base, names, first_name, span }
    }

    /// The entry with this id, unless it is deleted.
    pub(super) fn find(&self, base: StreamId, id: StreamId) -> Option<Place> {
        let mut entries = self.entries(base).filter(|entry| !entry.is_deleted && entry.id == id);
        entries.next().map(|entry| entry.place)
    }

    /// Marks entries as deleted that are not yet.
    pub(super) fn delete(&mut self, places: impl IntoIterator<Item = Place>) {
        let (mut live, mut deleted) = self.counts();
        for Place(place) in places {
            if let Element::Int(flags) = self.pack.get(place) {
                // Flags take the same room whatever they are: every other place stays where it is.
                self.pack.replace_integer(place, flags | DELETED);
            }
            live -= 1;
            deleted += 1;
        }
        self.set_counts(live, deleted);
    }
}

/// Where the flags of an entry stand. Valid until its node gets or loses elements; counts are among
/// them, so they are set last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place(Position);

/// From the last element of an entry to its first.
fn back(pack: &Listpack, end: Position) -> Position {
    let Element::Int(count) = pack.get(end) else { unreachable!("{CHECKED}") };
    (0..count).fold(end, |at, _| pack.previous(at).expect(CHECKED))
}

/// Reads a pack from left to right.
#[derive(Clone)]
struct Reader<'a> {
    pack: &'a Listpack,
    at: Option<Position>,
}

impl<'a> Reader<'a> {
    fn element(&mut self) -> Option<Element<'a>> {
        let at = self.at?;
        self.at = self.pack.next(at);
        Some(self.pack.get(at))
    }

    fn integer(&mut self) -> Option<i64> {
        match self.element()? {
            Element::Int(value) => Some(value),
            Element::Bytes(_) => None,
        }
    }

    fn count(&mut self) -> Option<usize> {
        self.integer().and_then(|count| usize::try_from(count).ok())
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        for _ in 0..count {
            self.at = self.pack.next(self.at?);
        }
        Some(())
    }
}

/// An entry of a stream.
#[derive(Clone)]
pub struct StreamEntry<'a> {
    /// Its id.
    pub id: StreamId,
    /// Its fields with their values.
    pub fields: Fields<'a>,
    pub(super) is_deleted: bool,
    pub(super) place: Place,
}

/// The fields of an entry with their values, in order.
#[derive(Clone)]
pub struct Fields<'a> {
    /// Where the names stand, if not between the values.
    names: Option<Reader<'a>>,
    values: Reader<'a>,
    left: usize,
}

impl<'a> Iterator for Fields<'a> {
    type Item = (Element<'a>, Element<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let name = match &mut self.names {
            Some(names) => names.element(),
            None => self.values.element(),
        };
        name.zip(self.values.element())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Fields<'_> {}

/// The entries of a node from both ends.
#[derive(Clone)]
pub(super) struct Entries<'a> {
    pack: &'a Listpack,
    base: StreamId,
    /// Number of fields of the first entry, and where they stand.
    names: usize,
    first_name: Option<Position>,
    /// Where the first and the last entry start that are left.
    span: Option<(Position, Position)>,
}

impl<'a> Entries<'a> {
    /// The entry at a place, and where its last element stands.
    fn read(&self, place: Position) -> (StreamEntry<'a>, Reader<'a>) {
        let mut reader = Reader { pack: self.pack, at: Some(place) };
        let mut integer = || reader.integer().expect(CHECKED);
        let (flags, ms, sequence) = (integer(), integer(), integer());
        let id = StreamId {
            ms: self.base.ms.wrapping_add(ms as u64),
            sequence: self.base.sequence.wrapping_add(sequence as u64),
        };
        let (names, count) = if flags & SAME_FIELDS != 0 {
            (Some(Reader { pack: self.pack, at: self.first_name }), self.names)
        } else {
            (None, reader.count().expect(CHECKED))
        };
        let fields = Fields { names, values: reader.clone(), left: count };
        let is_deleted = flags & DELETED != 0;
        let entry = StreamEntry { id, fields, is_deleted, place: Place(place) };
        (entry, reader)
    }

    /// Where the entry behind one starts whose values are about to be read.
    fn behind(&self, entry: &StreamEntry<'_>, mut reader: Reader<'_>) -> Position {
        let per_field = if entry.fields.names.is_some() { 1 } else { 2 };
        reader.skip(entry.fields.left * per_field + 1).expect(CHECKED);
        reader.at.expect(CHECKED)
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = StreamEntry<'a>;

    fn next(&mut self) -> Option<StreamEntry<'a>> {
        let (first, last) = self.span?;
        let (entry, reader) = self.read(first);
        self.span = (first < last).then(|| (self.behind(&entry, reader), last));
        Some(entry)
    }
}

impl DoubleEndedIterator for Entries<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let (first, last) = self.span?;
        let before = || {
            let end = self.pack.previous(last).expect(CHECKED);
            (first, back(self.pack, end))
        };
        let (entry, _) = self.read(last);
        self.span = (first < last).then(before);
        Some(entry)
    }
}
