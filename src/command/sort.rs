//! SORT and SORT_RO.
//!
//! A pattern makes the names of the keys that it reaches from the elements, so they are not among the
//! arguments: a request with such a pattern runs while every key is locked, any other with the locks
//! of the keys that it names.

use super::args::Args;
use super::element::reply_or_null;
use super::keys::{KeyFlags, KeySpec, KeyUse, Keys};
use super::spec::{Arity, Flags, Handler, Spec};
use crate::config::EventClasses;
use crate::error::{CommandError, c_string};
use crate::keyspace::{ReadView, WriteView};
use crate::protocol::number::{parse_c_double, parse_integer};
use crate::protocol::{Outcome, Reply, Request};
use crate::value::{Element, End, List, StringRef, ValueRef};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;

const SORTS: KeySpec = KeySpec::one(1, KeyFlags::RO.and(KeyFlags::ACCESS));
const REACHES: KeySpec = KeySpec::unknown(KeyFlags::RO.and(KeyFlags::ACCESS)).noted(
    "For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the content of the key we sort",
);
const STORES: KeySpec = KeySpec::unknown(KeyFlags::OW.and(KeyFlags::UPDATE)).noted(
    "For the optional STORE keyword. It is marked 'unknown' because the keyword can appear anywhere in the argument array",
);
const COST: &str = "O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of returned elements. When the elements are not sorted, complexity is O(N).";

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "SORT",
        arity: Arity::at_least(2),
        keys: Keys::Located {
            specs: &[SORTS, REACHES, STORES],
            locate: keys_of_sort,
            reaches: Some(reaches_other_keys),
        },
        handler: Handler::ReadOrWrite(sort_ro, sort_store),
        flags: Flags::COLLECTIONS.and(Flags::DANGEROUS).and(Flags::DENY_OOM),
        summary: "Sorts the elements in a list, a set, or a sorted set, optionally storing the result.",
        syntax: "key [BY by-pattern:pattern#1~pattern] [LIMIT limit=(offset count)] [GET get-pattern:pattern#1~pattern]...token order=[ASC|DESC] [sorting='ALPHA'] [STORE destination:key#2]",
        complexity: COST,
        ..Spec::REST
    },
    Spec {
        name: "SORT_RO",
        arity: Arity::at_least(2),
        keys: Keys::Located {
            specs: &[SORTS, REACHES],
            locate: |_| vec![(1, SORTS.flags)],
            reaches: Some(reaches_other_keys),
        },
        handler: Handler::Read(sort_ro),
        flags: Flags::COLLECTIONS.and(Flags::DANGEROUS),
        since: "7.0.0",
        summary: "Returns the sorted elements of a list, a set, or a sorted set.",
        syntax: "key [BY by-pattern:pattern#1~pattern] [LIMIT limit=(offset count)] [GET get-pattern:pattern#1~pattern]...token order=[ASC|DESC] [sorting='ALPHA']",
        complexity: COST,
        ..Spec::REST
    },
];

/// What a request asks for.
#[derive(Default)]
struct Options<'v> {
    by: Option<Pattern<'v>>,
    /// Offset and count, either of which may be negative.
    limit: Option<(i64, i64)>,
    gets: Vec<Pattern<'v>>,
    descending: bool,
    alpha: bool,
    /// The word behind STORE, and its place among the words.
    store: Option<(usize, &'v [u8])>,
}

impl<'v> Options<'v> {
    /// Reads the words behind the key; what was read before an error counts for the locks.
    fn read(
        words: impl Iterator<Item = &'v [u8]>,
        may_store: bool,
    ) -> (Self, Result<(), CommandError>) {
        let mut options = Self::default();
        let mut words = words.enumerate();
        let result = loop {
            match words.next() {
                Some((_, word)) => {
                    if let Err(error) = options.read_one(word, &mut words, may_store) {
                        break Err(error);
                    }
                }
                None => break Ok(()),
            }
        };
        (options, result)
    }

    fn read_one(
        &mut self,
        word: &[u8],
        words: &mut impl Iterator<Item = (usize, &'v [u8])>,
        may_store: bool,
    ) -> Result<(), CommandError> {
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        let mut next = || words.next().ok_or(CommandError::Syntax);
        if is("ASC") {
            self.descending = false;
        } else if is("DESC") {
            self.descending = true;
        } else if is("ALPHA") {
            self.alpha = true;
        } else if is("LIMIT") {
            let (offset, count) = (next()?.1, next()?.1);
            let number = |text| parse_integer(text).ok_or(CommandError::NotInteger);
            self.limit = Some((number(offset)?, number(count)?));
        } else if is("BY") {
            self.by = Some(Pattern::new(next()?.1));
        } else if is("GET") {
            self.gets.push(Pattern::new(next()?.1));
        } else if is("STORE") && may_store {
            self.store = Some(next()?);
        } else {
            return Err(CommandError::Syntax);
        }
        Ok(())
    }

    fn of(request: &'v Request) -> Self {
        Self::read(request.iter().map(|(word, _)| word).skip(WORDS_AT), true).0
    }

    /// The places of the elements to answer, of so many in order.
    fn window(&self, length: usize) -> Range<usize> {
        let (offset, count) = self.limit.unwrap_or((0, -1));
        let start = usize::try_from(offset.max(0)).map_or(length, |offset| offset.min(length));
        let count = usize::try_from(count).unwrap_or(length);
        start..start.saturating_add(count).min(length)
    }
}

/// Where the words behind the key begin in a request.
const WORDS_AT: usize = 2;

fn keys_of_sort(request: &Request) -> Vec<KeyUse> {
    let store = Options::of(request).store.map(|(at, _)| (WORDS_AT + at, STORES.flags));
    [(1, SORTS.flags)].into_iter().chain(store).collect()
}

fn reaches_other_keys(request: &Request) -> bool {
    let options = Options::of(request);
    options.by.iter().chain(&options.gets).any(|pattern| matches!(pattern, Pattern::Key { .. }))
}

/// Where to look for what an element stands for.
#[derive(Clone, Copy)]
enum Pattern<'v> {
    /// `#`: the element itself.
    Element,
    /// The string at the key that has the element in the place of the star, or a field of the hash there.
    Key { before: &'v [u8], behind: &'v [u8], field: Option<&'v [u8]> },
    /// Nothing stands for any element.
    Constant,
}

impl<'v> Pattern<'v> {
    /// Reads `before*behind` or `before*behind->field`. As in Redis the marks are not seen behind a zero
    /// byte.
    fn new(text: &'v [u8]) -> Self {
        let seen = c_string(text);
        if seen == b"#" {
            return Self::Element;
        }
        let Some(star) = seen.iter().position(|byte| *byte == b'*') else { return Self::Constant };
        let (before, behind) = (&text[..star], &text[star + 1..]);
        let arrow = seen[star + 1..].windows(2).position(|pair| pair == b"->");
        match arrow {
            Some(arrow) if star + 1 + arrow + 2 < seen.len() => {
                let (behind, field) = (&behind[..arrow], &behind[arrow + 2..]);
                Self::Key { before, behind, field: Some(field) }
            }
            _ => Self::Key { before, behind, field: None },
        }
    }

    /// What an element stands for; `None` if there is no such key or field.
    fn look_up<'l>(self, view: &ReadView<'l>, element: Element<'l>) -> Option<Element<'l>> {
        let (before, behind, field) = match self {
            Self::Element => return Some(element),
            Self::Constant => return None,
            Self::Key { before, behind, field } => (before, behind, field),
        };
        let name = [before, &element.bytes(), behind].concat();
        match (view.get(view.key(&name))?, field) {
            (ValueRef::String(StringRef::Int(value)), None) => Some(Element::Int(value)),
            (ValueRef::String(StringRef::Fixed(bytes) | StringRef::Growing(bytes)), None) => {
                Some(Element::Bytes(bytes))
            }
            (ValueRef::Hash(hash), Some(field)) => hash.live(field, view.now_ms()),
            _ => None,
        }
    }
}

fn sort_ro<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let key = args.key()?;
    let (options, read) = Options::read(args.rest(), false);
    read?;
    let shown = sorted(view, view.get(key), &options)?;
    Ok(Reply::Array(shown.map(reply_or_null).collect()))
}

fn sort_store<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let key = args.key()?;
    let (options, read) = Options::read(args.rest(), true);
    read?;
    let (_, destination) = options.store.ok_or(CommandError::Syntax)?;
    let limits = view.encoding_limits();
    let sorted = view.looking(|view| {
        let shown = sorted(view, view.get(key), &options)?;
        let texts = shown.map(|text| text.map_or(Cow::Borrowed(&b""[..]), Element::bytes));
        Ok(List::collect(texts, &limits))
    })?;
    let count = sorted.len();
    view.call_changes_of(EventClasses::LIST, "sortstore");
    view.store_collection(view.key(destination), sorted);
    Ok(Reply::count(count))
}

/// What to answer or store: for each element of the window what the GET patterns find for it.
fn sorted<'l: 'a, 'a>(
    view: &'a ReadView<'l>,
    value: Option<ValueRef<'l>>,
    options: &'a Options<'_>,
) -> Result<impl Iterator<Item = Option<Element<'l>>> + 'a, CommandError> {
    let elements = value.map_or(Ok(Vec::new()), |value| order(view, value, options))?;
    let gets = if options.gets.is_empty() { &[Pattern::Element] } else { &options.gets[..] };
    let shown = move |element| gets.iter().map(move |get| get.look_up(view, element));
    Ok(elements.into_iter().flat_map(shown))
}

/// The elements of the window in their order.
fn order<'l>(
    view: &ReadView<'l>,
    value: ValueRef<'l>,
    options: &Options<'_>,
) -> Result<Vec<Element<'l>>, CommandError> {
    let (elements, length) = elements(value)?;
    let window = options.window(length);
    let (mut by, mut alpha) = (options.by, options.alpha);
    if let Some(Pattern::Element | Pattern::Constant) = by {
        if !matches!(value, ValueRef::Set(_)) || options.store.is_none() {
            return Ok(as_they_are(value, window, options.descending));
        }
        // What a set gives to be stored has to be the same everywhere it is replayed.
        (by, alpha) = (None, true);
    }
    let weight = |element| by.map_or(Some(element), |by| by.look_up(view, element));
    let descending = options.descending;
    if alpha {
        let text = |weight: Element<'l>| collated(weight.bytes(), options.store.is_some());
        let items = elements.map(|element| (weight(element).map(text), element));
        return Ok(pick(items, window, descending, |first, second| first.0.cmp(&second.0)));
    }
    let score = |element| weight(element).map_or(Some(0.0), score);
    let items = elements.map(|element| Some((score(element)?, element)));
    let items: Option<Vec<(f64, Element<'l>)>> = items.collect();
    let items = items.ok_or(CommandError::SCORES_NOT_FLOAT)?;
    Ok(pick(items.into_iter(), window, descending, |first, second| {
        // Equal scores are told apart by the texts, so that the order is always the same.
        let order = first.0.partial_cmp(&second.0).unwrap_or(Ordering::Equal);
        order.then_with(|| compare(first.1, second.1))
    }))
}

/// All elements in no matter what order, and their number.
fn elements(
    value: ValueRef<'_>,
) -> Result<(Box<dyn Iterator<Item = Element<'_>> + '_>, usize), CommandError> {
    Ok(match value {
        ValueRef::List(list) => (Box::new(list.iter(End::Left)), list.len()),
        ValueRef::Set(set) => (Box::new(set.iter()), set.len()),
        ValueRef::SortedSet(set) => {
            (Box::new(set.iter_from(0).map(|(member, _)| element(member))), set.len())
        }
        _ => return Err(CommandError::WrongType),
    })
}

/// A part of the elements without sorting them: of lists and sorted sets from either end.
fn as_they_are(value: ValueRef<'_>, window: Range<usize>, descending: bool) -> Vec<Element<'_>> {
    let (start, count) = (window.start, window.len());
    match value {
        ValueRef::List(list) if descending => {
            let end = list.len() - start;
            let mut part: Vec<_> = list.range(end - count..end).collect();
            part.reverse();
            part
        }
        ValueRef::List(list) => list.range(window).collect(),
        ValueRef::SortedSet(set) if descending => {
            let from_last = set.iter_back_from(set.len() - start);
            from_last.take(count).map(|(member, _)| element(member)).collect()
        }
        ValueRef::SortedSet(set) => {
            set.iter_from(start).take(count).map(|(member, _)| element(member)).collect()
        }
        ValueRef::Set(set) => set.iter().skip(start).take(count).collect(),
        _ => Vec::new(),
    }
}

/// A member of a sorted set. Digits that had to be made are those of an integer.
fn element(member: Cow<'_, [u8]>) -> Element<'_> {
    match member {
        Cow::Borrowed(bytes) => Element::new(bytes),
        Cow::Owned(digits) => Element::Int(parse_integer(&digits).unwrap_or_default()),
    }
}

/// The part of the elements that a window shows of their order. Only this part is sorted; equal ones
/// stay in the order in which they came.
fn pick<'l, K>(
    items: impl Iterator<Item = (K, Element<'l>)>,
    window: Range<usize>,
    descending: bool,
    compare: impl Fn(&(K, Element<'l>), &(K, Element<'l>)) -> Ordering,
) -> Vec<Element<'l>> {
    if window.is_empty() {
        return Vec::new();
    }
    let mut items: Vec<(usize, (K, Element<'l>))> = items.enumerate().collect();
    let compare = |(place, first): &(usize, _), (other_place, second): &(usize, _)| {
        let order = compare(first, second);
        let order = if descending { order.reverse() } else { order };
        order.then(place.cmp(other_place))
    };
    if window.end < items.len() {
        items.select_nth_unstable_by(window.end, compare);
        items.truncate(window.end);
    }
    if window.start > 0 {
        items.select_nth_unstable_by(window.start, compare);
    }
    let part = &mut items[window.start..];
    part.sort_unstable_by(compare);
    part.iter().map(|(_, (_, element))| *element).collect()
}

/// The number that an element stands for.
fn score(weight: Element<'_>) -> Option<f64> {
    match weight {
        Element::Int(value) => Some(value as f64),
        Element::Bytes(text) => parse_c_double(text),
    }
}

/// A text as it is compared. Where nothing is stored, Redis collates C strings, which end at a zero byte.
fn collated(text: Cow<'_, [u8]>, storing: bool) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(bytes) if !storing => Cow::Borrowed(c_string(bytes)),
        other => other,
    }
}

fn compare(first: Element<'_>, second: Element<'_>) -> Ordering {
    if first == second { Ordering::Equal } else { first.bytes().cmp(&second.bytes()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_read_as_redis_reads_them() {
        let read = |text: &'static [u8]| match Pattern::new(text) {
            Pattern::Element => "element".to_owned(),
            Pattern::Constant => "constant".to_owned(),
            Pattern::Key { before, behind, field } => {
                let text = String::from_utf8_lossy;
                format!("{}|{}|{}", text(before), text(behind), field.map_or("none".into(), text))
            }
        };
        let cases: [(&[u8], &str); 12] = [
            (b"#", "element"),
            (b"#\0*", "element"),
            (b"##", "constant"),
            (b"nosort", "constant"),
            (b"", "constant"),
            (b"a\0*", "constant"),
            (b"w_*", "w_||none"),
            (b"w_*_x*", "w_|_x*|none"),
            (b"w_*->f", "w_||f"),
            (b"w->_*_x->f->g", "w->_|_x|f->g"),
            (b"w_*->", "w_|->|none"),
            (b"w_*->f\0g", "w_||f\0g"),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text), expected, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn a_window_is_that_part_of_a_stable_sort() {
        let keys = [3, 1, 2, 3, 1, 1, 2, 9, 0, 3];
        for descending in [false, true] {
            let mut expected: Vec<(i32, i64)> = keys.into_iter().zip(0..).collect();
            if descending {
                expected.sort_by_key(|item| std::cmp::Reverse(item.0));
            } else {
                expected.sort_by_key(|item| item.0);
            }
            for start in 0..=keys.len() {
                for end in start..=keys.len() {
                    let items = keys.into_iter().zip((0..).map(Element::Int));
                    let got =
                        pick(items, start..end, descending, |first, second| first.0.cmp(&second.0));
                    let expected = expected[start..end].iter().map(|(_, at)| Element::Int(*at));
                    assert!(got.into_iter().eq(expected), "{start}..{end}");
                }
            }
        }
    }
}
