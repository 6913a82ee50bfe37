//! Searches of geo commands: their options, what they find, and how it is shown or stored.
//!
//! GEOSEARCH and the older GEORADIUS commands are one search with different words for it.

use super::args::Args;
use super::geo::{distance_reply, parse_place, parse_unit, place_reply};
use super::keys::{KeyFlags, KeySpec, KeyUse, Keys};
use super::spec::{Arity, Flags, Handler, Spec};
use crate::error::CommandError;
use crate::keyspace::{Key, ReadView, WriteView};
use crate::protocol::number::parse_double;
use crate::protocol::{Outcome, Reply, Request, Shape as ReplyShape};
use crate::value::geohash::{Extent, Place, Shape};
use crate::value::{EncodingLimits, SortedSet};
use std::borrow::Cow;

const SOURCE: KeyFlags = KeyFlags::RO.and(KeyFlags::ACCESS);
const DESTINATION: KeyFlags = KeyFlags::OW.and(KeyFlags::UPDATE);
const GEOSEARCHSTORE_KEYS: &[KeySpec] = &[KeySpec::one(1, DESTINATION), KeySpec::one(2, SOURCE)];
const GEORADIUS_KEYS: &[KeySpec] = &[
    KeySpec::one(1, SOURCE),
    KeySpec::behind("STORE", 6, DESTINATION),
    KeySpec::behind("STOREDIST", 6, DESTINATION),
];
const GEORADIUSBYMEMBER_KEYS: &[KeySpec] = &[
    KeySpec::one(1, SOURCE),
    KeySpec::behind("STORE", 5, DESTINATION),
    KeySpec::behind("STOREDIST", 5, DESTINATION),
];
const COMPLEXITY_OF_SEARCH: &str = "O(N+log(M)) where N is the number of elements in the grid-aligned bounding box area around the shape provided as the filter and M is the number of items inside the shape";
const COMPLEXITY_OF_RADIUS: &str = "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.";
const HISTORY_OF_SEARCH: &[(&str, &str)] = &[("7.0.0", "Added support for uppercase unit names.")];
const HISTORY_OF_RADIUS: &[(&str, &str)] = &[
    ("6.2.0", "Added the `ANY` option for `COUNT`."),
    ("7.0.0", "Added support for uppercase unit names."),
];

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "GEOSEARCH",
        arity: Arity::at_least(7),
        keys: Keys::one(1, SOURCE),
        handler: Handler::Read(geosearch),
        since: "6.2.0",
        summary: "Queries a geospatial index for members inside an area of a box or a circle.",
        syntax: "key from=(FROMMEMBER member|FROMLONLAT fromlonlat=(longitude latitude)) by=(circle=(BYRADIUS radius unit=(M|KM|FT|MI))|box=(BYBOX width height unit=(M|KM|FT|MI))) order=[ASC|DESC] count-block=[COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]",
        complexity: COMPLEXITY_OF_SEARCH,
        history: HISTORY_OF_SEARCH,
        ..Spec::REST
    },
    Spec {
        name: "GEOSEARCHSTORE",
        arity: Arity::at_least(8),
        keys: Keys::Specs(GEOSEARCHSTORE_KEYS),
        handler: Handler::Write(geosearchstore),
        flags: Flags::DENY_OOM,
        since: "6.2.0",
        summary: "Queries a geospatial index for members inside an area of a box or a circle, optionally stores the result.",
        syntax: "destination:key source:key from=(FROMMEMBER member|FROMLONLAT fromlonlat=(longitude latitude)) by=(circle=(BYRADIUS radius unit=(M|KM|FT|MI))|box=(BYBOX width height unit=(M|KM|FT|MI))) order=[ASC|DESC] count-block=[COUNT count [ANY]] [STOREDIST]",
        complexity: COMPLEXITY_OF_SEARCH,
        history: HISTORY_OF_SEARCH,
        ..Spec::REST
    },
    Spec {
        name: "GEORADIUS",
        arity: Arity::at_least(6),
        keys: Keys::Located {
            specs: GEORADIUS_KEYS,
            locate: |request| stored_keys(request, 6),
            reaches: None,
        },
        handler: Handler::ReadOrWrite(georadius_ro, georadius),
        event: "georadiusstore",
        flags: Flags::DENY_OOM,
        since: "3.2.0",
        summary: "Queries a geospatial index for members within a distance from a coordinate, optionally stores the result.",
        syntax: "key longitude latitude radius unit=(M|KM|FT|MI) [WITHCOORD] [WITHDIST] [WITHHASH] count-block=[COUNT count [ANY@6.2.0]] order=[ASC|DESC] store=[STORE storekey:key~key|STOREDIST storedistkey:key~key]",
        complexity: COMPLEXITY_OF_RADIUS,
        history: HISTORY_OF_RADIUS,
        deprecated: Some((
            "6.2.0",
            "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument",
        )),
        ..Spec::REST
    },
    Spec {
        name: "GEORADIUSBYMEMBER",
        arity: Arity::at_least(5),
        keys: Keys::Located {
            specs: GEORADIUSBYMEMBER_KEYS,
            locate: |request| stored_keys(request, 5),
            reaches: None,
        },
        handler: Handler::ReadOrWrite(georadiusbymember_ro, georadiusbymember),
        event: "georadiusstore",
        flags: Flags::DENY_OOM,
        since: "3.2.0",
        summary: "Queries a geospatial index for members within a distance from a member, optionally stores the result.",
        syntax: "key member radius unit=(M|KM|FT|MI) [WITHCOORD] [WITHDIST] [WITHHASH] count-block=[COUNT count [ANY]] order=[ASC|DESC] store=[STORE storekey:key~key|STOREDIST storedistkey:key~key]",
        complexity: COMPLEXITY_OF_RADIUS,
        history: HISTORY_OF_RADIUS,
        deprecated: Some((
            "6.2.0",
            "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments",
        )),
        ..Spec::REST
    },
    Spec {
        name: "GEORADIUS_RO",
        arity: Arity::at_least(6),
        keys: Keys::one(1, SOURCE),
        handler: Handler::Read(georadius_ro),
        since: "3.2.10",
        summary: "Returns members from a geospatial index that are within a distance from a coordinate.",
        syntax: "key longitude latitude radius unit=(M|KM|FT|MI) [WITHCOORD] [WITHDIST] [WITHHASH] count-block=[COUNT count [ANY@6.2.0]] order=[ASC|DESC]",
        complexity: COMPLEXITY_OF_RADIUS,
        history: HISTORY_OF_RADIUS,
        deprecated: Some(("6.2.0", "`GEOSEARCH` with the `BYRADIUS` argument")),
        ..Spec::REST
    },
    Spec {
        name: "GEORADIUSBYMEMBER_RO",
        arity: Arity::at_least(5),
        keys: Keys::one(1, SOURCE),
        handler: Handler::Read(georadiusbymember_ro),
        since: "3.2.10",
        summary: "Returns members from a geospatial index that are within a distance from a member.",
        syntax: "key member radius unit=(M|KM|FT|MI) [WITHCOORD] [WITHDIST] [WITHHASH] count-block=[COUNT count [ANY]] order=[ASC|DESC]",
        complexity: COMPLEXITY_OF_RADIUS,
        history: HISTORY_OF_RADIUS,
        deprecated: Some(("6.2.0", "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments")),
        ..Spec::REST
    },
];

/// The source, and whatever may be a destination: of several the last counts, so all are locked.
fn stored_keys(request: &Request, options_from: usize) -> Vec<KeyUse> {
    let is_store = |index: usize| {
        request.get(index).is_some_and(|word| {
            word.eq_ignore_ascii_case(b"STORE") || word.eq_ignore_ascii_case(b"STOREDIST")
        })
    };
    let behind = (options_from + 1..request.len()).filter(|index| is_store(index - 1));
    std::iter::once((1, SOURCE)).chain(behind.map(|index| (index, DESTINATION))).collect()
}

/// Which words a command takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// GEOSEARCH.
    Search,
    /// GEOSEARCHSTORE.
    SearchStore,
    /// GEORADIUS and GEORADIUSBYMEMBER.
    Radius,
    /// Those that end in _RO.
    RadiusReadOnly,
}

impl Form {
    fn is_search(self) -> bool {
        matches!(self, Self::Search | Self::SearchStore)
    }
}

/// In which order a search answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Nearest,
    Farthest,
}

/// Around what a search is.
#[derive(Debug, Clone, Copy)]
enum Center {
    /// A member; nowhere if there is no index.
    Member(Option<Place>),
    /// Coordinates.
    Place(Place),
}

/// A search as its arguments describe it.
struct Query<'v> {
    center: Option<Center>,
    /// Metres of the unit with the extent in that unit.
    extent: Option<(f64, Extent)>,
    order: Option<Order>,
    count: Option<usize>,
    any: bool,
    with_distance: bool,
    with_score: bool,
    with_place: bool,
    destination: Option<Key<'v>>,
    stores_distance: bool,
}

impl<'v> Query<'v> {
    const EMPTY: Self = Self {
        center: None,
        extent: None,
        order: None,
        count: None,
        any: false,
        with_distance: false,
        with_score: false,
        with_place: false,
        destination: None,
        stores_distance: false,
    };

    /// A circle around a place, before the options.
    fn around_place(args: &mut Args<'v>) -> Result<Self, CommandError> {
        let center = Some(Center::Place(parse_place(args)?));
        Ok(Self { center, extent: Some(parse_radius(args)?), ..Self::EMPTY })
    }

    /// A circle around a member, before the options. Without an index Redis does not read it.
    fn around_member(args: &mut Args<'v>, index: Option<&SortedSet>) -> Result<Self, CommandError> {
        let center = Some(parse_member(args, index)?);
        if index.is_none() {
            args.bytes()?;
            args.bytes()?;
            return Ok(Self { center, ..Self::EMPTY });
        }
        Ok(Self { center, extent: Some(parse_radius(args)?), ..Self::EMPTY })
    }

    /// Reads the options. An error comes in the order of the words, as in Redis, which looks up members
    /// while it reads.
    fn options(
        mut self,
        args: &mut Args<'v>,
        form: Form,
        index: Option<&SortedSet>,
    ) -> Result<Self, CommandError> {
        let name = args.name();
        while !args.is_empty() {
            let is_known = self.option(args)?
                || self.store_option(args, form)?
                || (form.is_search() && self.region(args, index)?);
            if !is_known {
                return Err(CommandError::Syntax);
            }
        }
        self.check(form, name)?;
        Ok(self)
    }

    /// Reads an option that every search has; whether the next word is one.
    fn option(&mut self, args: &mut Args<'v>) -> Result<bool, CommandError> {
        if args.word("WITHDIST") {
            self.with_distance = true;
        } else if args.word("WITHHASH") {
            self.with_score = true;
        } else if args.word("WITHCOORD") {
            self.with_place = true;
        } else if args.word("ANY") {
            self.any = true;
        } else if args.word("ASC") {
            self.order = Some(Order::Nearest);
        } else if args.word("DESC") {
            self.order = Some(Order::Farthest);
        } else if args.len() > 1 && args.word("COUNT") {
            let count = usize::try_from(args.integer()?).ok().filter(|count| *count > 0);
            self.count = Some(count.ok_or(CommandError::GEO_COUNT_NOT_POSITIVE)?);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Reads where and what to store; whether the next word is about that.
    fn store_option(&mut self, args: &mut Args<'v>, form: Form) -> Result<bool, CommandError> {
        if form == Form::SearchStore && args.word("STOREDIST") {
            self.stores_distance = true;
            return Ok(true);
        }
        if form != Form::Radius || args.len() < 2 {
            return Ok(false);
        }
        let stores_distance = args.word("STOREDIST");
        if stores_distance || args.word("STORE") {
            (self.destination, self.stores_distance) = (Some(args.key()?), stores_distance);
            return Ok(true);
        }
        Ok(false)
    }

    /// Reads the middle or the extent of GEOSEARCH; whether the next word is about that. A word that
    /// lacks its arguments, or contradicts a former one, is not.
    fn region(
        &mut self,
        args: &mut Args<'v>,
        index: Option<&SortedSet>,
    ) -> Result<bool, CommandError> {
        let behind = args.len() - 1;
        let from_place = matches!(self.center, Some(Center::Place(_)));
        let from_member = matches!(self.center, Some(Center::Member(_)));
        let by_radius = matches!(self.extent, Some((_, Extent::Radius(_))));
        let by_box = matches!(self.extent, Some((_, Extent::Box { .. })));
        if behind >= 1 && !from_place && args.word("FROMMEMBER") {
            self.center = Some(parse_member(args, index)?);
        } else if behind >= 2 && !from_member && args.word("FROMLONLAT") {
            self.center = Some(Center::Place(parse_place(args)?));
        } else if behind >= 2 && !by_box && args.word("BYRADIUS") {
            self.extent = Some(parse_radius(args)?);
        } else if behind >= 3 && !by_radius && args.word("BYBOX") {
            self.extent = Some(parse_box(args)?);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// What only all options together show, in the order in which Redis looks.
    fn check(&self, form: Form, name: &[u8]) -> Result<(), CommandError> {
        if self.destination.is_some() && (self.with_distance || self.with_score || self.with_place)
        {
            let is_search = form == Form::SearchStore;
            let what = if is_search { "GEOSEARCHSTORE" } else { "STORE option in GEORADIUS" };
            return Err(CommandError::geo_store_shows(what));
        }
        if form.is_search() && self.center.is_none() {
            return Err(CommandError::geo_needs("FROMMEMBER or FROMLONLAT", name));
        }
        if form.is_search() && self.extent.is_none() {
            return Err(CommandError::geo_needs("BYRADIUS and BYBOX", name));
        }
        if self.any && self.count.is_none() {
            return Err(CommandError::GEO_ANY_WITHOUT_COUNT);
        }
        Ok(())
    }

    /// The shape; none around a member of no index.
    fn shape(&self) -> Option<Shape> {
        let (unit, extent) = self.extent?;
        let (Center::Place(center) | Center::Member(Some(center))) = self.center? else {
            return None;
        };
        Some(Shape { center, extent, unit })
    }

    /// What is within the shape, in the order that was asked for. Without an index nothing is.
    fn find<'s>(&self, index: Option<&'s SortedSet>) -> Vec<Match<'s>> {
        let (Some(index), Some(shape)) = (index, self.shape()) else { return Vec::new() };
        let found = shape.score_ranges().flat_map(|(from, to)| {
            let rank = index.partition(|score, _| score < from);
            index.iter_from(rank).take_while(move |(_, score)| *score < to)
        });
        let found = found.filter_map(|(member, score)| {
            let place = Place::from_score(score);
            let distance = shape.distance_within(place)? / shape.unit;
            Some(Match { member, score, place, distance })
        });
        if self.any {
            // Whichever are found first, before they are put in order.
            let mut found: Vec<_> = found.take(self.count.unwrap_or(usize::MAX)).collect();
            sort(&mut found, self.order);
            return found;
        }
        let mut found: Vec<_> = found.collect();
        // The closest are meant where only some are wanted.
        sort(&mut found, self.order.or(self.count.map(|_| Order::Nearest)));
        found.truncate(self.count.unwrap_or(usize::MAX));
        found
    }

    /// The answer to a search that stores nothing.
    fn show<'s>(&self, index: Option<&'s SortedSet>) -> Reply<'s> {
        let found = self.find(index);
        let (distance, score, place) = (self.with_distance, self.with_score, self.with_place);
        let shows = distance || score || place;
        let items = found.into_iter();
        Reply::stream(
            ReplyShape::Array,
            items.len(),
            items.map(move |found| {
                let member = Reply::Bulk(found.member);
                if !shows {
                    return member;
                }
                let mut parts = vec![member];
                parts.extend(distance.then(|| distance_reply(found.distance)));
                // Whole, as every score of an index is.
                parts.extend(score.then_some(Reply::Int(found.score as i64)));
                parts.extend(place.then(|| place_reply(found.place)));
                Reply::Array(parts)
            }),
        )
    }

    /// The sorted set that is stored.
    fn result(&self, index: Option<&SortedSet>, limits: &EncodingLimits) -> SortedSet {
        let found = self.find(index);
        let longest = found.iter().map(|found| found.member.len()).max().unwrap_or(0);
        let mut result = SortedSet::default();
        for found in &found {
            let score = if self.stores_distance { found.distance } else { found.score };
            result.insert(&found.member, score, limits);
        }
        result.settle(longest, limits);
        result
    }
}

/// A member within the shape.
struct Match<'s> {
    member: Cow<'s, [u8]>,
    score: f64,
    place: Place,
    /// In the unit of the search.
    distance: f64,
}

fn sort(found: &mut [Match<'_>], order: Option<Order>) {
    match order {
        None => {}
        Some(Order::Nearest) => found.sort_by(|a, b| a.distance.total_cmp(&b.distance)),
        Some(Order::Farthest) => found.sort_by(|a, b| b.distance.total_cmp(&a.distance)),
    }
}

/// The next argument as a member of an index.
fn parse_member(args: &mut Args<'_>, index: Option<&SortedSet>) -> Result<Center, CommandError> {
    let member = args.bytes()?;
    let Some(index) = index else { return Ok(Center::Member(None)) };
    let place = index.score(member).map(Place::from_score);
    Ok(Center::Member(Some(place.ok_or(CommandError::GEO_NO_MEMBER)?)))
}

/// A radius with its unit.
fn parse_radius(args: &mut Args<'_>) -> Result<(f64, Extent), CommandError> {
    let radius = parse_double(args.bytes()?).ok_or(CommandError::GEO_RADIUS_NOT_FLOAT)?;
    if radius < 0.0 {
        return Err(CommandError::GEO_RADIUS_NEGATIVE);
    }
    Ok((parse_unit(args)?, Extent::Radius(radius)))
}

/// A width and a height with their unit.
fn parse_box(args: &mut Args<'_>) -> Result<(f64, Extent), CommandError> {
    let width = parse_double(args.bytes()?).ok_or(CommandError::GEO_WIDTH_NOT_FLOAT)?;
    let height = parse_double(args.bytes()?).ok_or(CommandError::GEO_HEIGHT_NOT_FLOAT)?;
    if width < 0.0 || height < 0.0 {
        return Err(CommandError::GEO_BOX_NEGATIVE);
    }
    Ok((parse_unit(args)?, Extent::Box { width, height }))
}

fn geosearch<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let index = view.collection::<SortedSet>(args.key()?)?;
    Ok(Query::EMPTY.options(args, Form::Search, index)?.show(index))
}

fn georadius_ro<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let index = view.collection::<SortedSet>(args.key()?)?;
    let query = Query::around_place(args)?;
    Ok(query.options(args, Form::RadiusReadOnly, index)?.show(index))
}

fn georadiusbymember_ro<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let index = view.collection::<SortedSet>(args.key()?)?;
    let query = Query::around_member(args, index)?;
    Ok(query.options(args, Form::RadiusReadOnly, index)?.show(index))
}

fn geosearchstore<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (destination, source) = (args.key()?, args.key()?);
    let index = view.collection::<SortedSet>(source)?;
    let query = Query { destination: Some(destination), ..Query::EMPTY };
    let query = query.options(args, Form::SearchStore, index)?;
    store(view, source, &query)
}

fn georadius<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let source = args.key()?;
    let index = view.collection::<SortedSet>(source)?;
    let query = Query::around_place(args)?.options(args, Form::Radius, index)?;
    store(view, source, &query)
}

fn georadiusbymember<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let source = args.key()?;
    let index = view.collection::<SortedSet>(source)?;
    let query = Query::around_member(args, index)?.options(args, Form::Radius, index)?;
    store(view, source, &query)
}

/// Stores what a search finds.
fn store<'v>(view: &'v mut WriteView<'_, '_>, source: Key<'v>, query: &Query<'v>) -> Outcome<'v> {
    let destination = query.destination.ok_or(CommandError::Syntax)?;
    let limits = view.encoding_limits();
    let result = query.result(view.look_at::<SortedSet>(source)?, &limits);
    let length = result.len();
    view.store_collection(destination, result);
    Ok(Reply::count(length))
}
