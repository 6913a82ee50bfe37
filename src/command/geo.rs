//! Geo commands about members: an index of places is a sorted set whose scores are places.

use super::args::Args;
use super::keys::{KeyFlags, Keys};
use super::sorted_set::AddOptions;
use super::spec::{Arity, Flags, Handler, Spec};
use crate::error::CommandError;
use crate::keyspace::{ReadView, WriteView};
use crate::protocol::{Outcome, Reply};
use crate::value::SortedSet;
use crate::value::geohash::{LATITUDES, LONGITUDES, Place};

const READS: Keys = Keys::one(1, KeyFlags::RO.and(KeyFlags::ACCESS));

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "GEOADD",
        arity: Arity::at_least(5),
        keys: Keys::one(1, KeyFlags::RW.and(KeyFlags::UPDATE)),
        handler: Handler::Write(geoadd),
        event: "zadd",
        flags: Flags::DENY_OOM,
        since: "3.2.0",
        summary: "Adds one or more members to a geospatial index. The key is created if it doesn't exist.",
        syntax: "key condition=[NX|XX]@6.2.0 [change='CH'@6.2.0] data=(longitude latitude member)...",
        complexity: "O(log(N)) for each item added, where N is the number of elements in the sorted set.",
        history: &[("6.2.0", "Added the `CH`, `NX` and `XX` options.")],
        ..Spec::REST
    },
    Spec {
        name: "GEODIST",
        arity: Arity::at_least(4),
        keys: READS,
        handler: Handler::Read(geodist),
        since: "3.2.0",
        summary: "Returns the distance between two members of a geospatial index.",
        syntax: "key member1 member2 unit=[M|KM|FT|MI]",
        complexity: "O(1)",
        ..Spec::REST
    },
    Spec {
        name: "GEOHASH",
        arity: Arity::at_least(2),
        keys: READS,
        handler: Handler::Read(geohash),
        since: "3.2.0",
        summary: "Returns members from a geospatial index as geohash strings.",
        syntax: "key [member...]",
        complexity: "O(1) for each member requested.",
        ..Spec::REST
    },
    Spec {
        name: "GEOPOS",
        arity: Arity::at_least(2),
        keys: READS,
        handler: Handler::Read(geopos),
        since: "3.2.0",
        summary: "Returns the longitude and latitude of members from a geospatial index.",
        syntax: "key [member...]",
        complexity: "O(1) for each member requested.",
        ..Spec::REST
    },
];

/// Units of length with their metres.
const UNITS: [(&str, f64); 4] = [("m", 1.0), ("km", 1000.0), ("ft", 0.3048), ("mi", 1609.34)];
/// Distances have four digits behind the point.
const DISTANCE_SCALE: f64 = 1e4;

/// The next argument as metres of a unit.
pub(super) fn parse_unit(args: &mut Args<'_>) -> Result<f64, CommandError> {
    let unit = UNITS.iter().find(|(name, _)| args.word(name));
    unit.map(|(_, meters)| *meters).ok_or(CommandError::GEO_UNIT)
}

/// The next two arguments as a place.
pub(super) fn parse_place(args: &mut Args<'_>) -> Result<Place, CommandError> {
    let (longitude, latitude) = (args.double()?, args.double()?);
    if LONGITUDES.contains(&longitude) && LATITUDES.contains(&latitude) {
        Ok(Place { longitude, latitude })
    } else {
        Err(CommandError::coordinates(longitude, latitude))
    }
}

/// A distance as text, in both protocols.
pub(super) fn distance_reply<'v>(distance: f64) -> Reply<'v> {
    // Redis rounds the product, not the distance.
    let scaled = (distance * DISTANCE_SCALE).round_ties_even() as u64;
    let scale = DISTANCE_SCALE as u64;
    Reply::text(format!("{}.{:04}", scaled / scale, scaled % scale))
}

/// A place as its longitude and latitude.
pub(super) fn place_reply<'v>(place: Place) -> Reply<'v> {
    Reply::Array(vec![Reply::LongDouble(place.longitude), Reply::LongDouble(place.latitude)])
}

fn geoadd<'v>(view: &'v mut WriteView<'_, '_>, args: &mut Args<'v>) -> Outcome<'v> {
    let key = args.key()?;
    let mut options = AddOptions::default();
    loop {
        if args.word("NX") {
            options.only_new = true;
        } else if args.word("XX") {
            options.only_known = true;
        } else if args.word("CH") {
            options.count_changed = true;
        } else {
            break;
        }
    }
    let both = options.only_new && options.only_known;
    if both || args.is_empty() || !args.len().is_multiple_of(3) {
        return Err(CommandError::Syntax);
    }
    let mut pairs = Vec::with_capacity(args.len() / 3);
    while !args.is_empty() {
        pairs.push((parse_place(args)?.score(), args.bytes()?));
    }
    options.add_all(view, key, &pairs)
}

fn geodist<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (key, from, to) = (args.key()?, args.bytes()?, args.bytes()?);
    let unit = match args.len() {
        0 => 1.0,
        1 => parse_unit(args)?,
        _ => return Err(CommandError::Syntax),
    };
    let index = view.collection::<SortedSet>(key)?;
    let place = |member: &[u8]| index?.score(member).map(Place::from_score);
    let (Some(from), Some(to)) = (place(from), place(to)) else { return Ok(Reply::Null) };
    Ok(distance_reply(from.distance(to) / unit))
}

fn geohash<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    of_each(view, args, |place| {
        place.map_or(Reply::Null, |place| Reply::bulk(place.geohash().to_vec()))
    })
}

fn geopos<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    of_each(view, args, |place| place.map_or(Reply::NullArray, place_reply))
}

fn of_each<'v>(
    view: &'v ReadView<'_>,
    args: &mut Args<'v>,
    reply: fn(Option<Place>) -> Reply<'v>,
) -> Outcome<'v> {
    let (key, members) = (args.key()?, args.rest());
    let index = view.collection::<SortedSet>(key)?;
    let place = |member: &[u8]| index?.score(member).map(Place::from_score);
    Ok(Reply::Array(members.map(|member| reply(place(member))).collect()))
}
