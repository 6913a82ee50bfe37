//! Places on earth as 52-bit integers: the order of the integers keeps neighbours together.
//!
//! A cell is a rectangle of the map, named by the first bits of its latitude and longitude in turn, as
//! many of each as it has steps. Every step of the search for the cells that cover a shape is Redis's
//! (`geohash_helper.c`), so a search finds the same members in the same order, to the last bit of a
//! distance.

use std::ops::RangeInclusive;

/// The longitudes that an index holds.
pub const LONGITUDES: RangeInclusive<f64> = -180.0..=180.0;
/// The latitudes that an index holds, as web maps cut them off (EPSG:900913).
pub const LATITUDES: RangeInclusive<f64> = -LATITUDE_MAX..=LATITUDE_MAX;
const LATITUDE_MAX: f64 = 85.051_128_78;
/// Standard geohashes go up to the poles.
const STANDARD_LATITUDES: RangeInclusive<f64> = -90.0..=90.0;
/// Bits of latitude, and of longitude, of a place.
const STEPS_MAX: u32 = 26;
/// The radius of the earth in metres.
const EARTH_RADIUS: f64 = 6_372_797.560_856;
/// Half of the equator in metres, on a web map.
const MERCATOR_MAX: f64 = 20_037_726.37;
/// Characters of a standard geohash. Fifty-two bits are only ten of five bits; the last is always 0.
const GEOHASH_BYTES: usize = 11;
const GEOHASH_ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";

/// A place in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// East of Greenwich.
    pub longitude: f64,
    /// North of the equator.
    pub latitude: f64,
}

impl Place {
    /// The score of a place in an index, if it is within [`LONGITUDES`] and [`LATITUDES`].
    pub fn score(self) -> f64 {
        // Exact: the highest bit of 54 comes with the eastern edge, and then lower ones with the northern.
        self.cell(STEPS_MAX).bits as f64
    }

    /// The place in the middle of what a score stands for. Any score stands for some place.
    pub fn from_score(score: f64) -> Self {
        let area = Cell { bits: score_bits(score), steps: STEPS_MAX }.area();
        let middle = |from: f64, to: f64| (from + to) / 2.0;
        Self {
            longitude: middle(area.west, area.east).clamp(*LONGITUDES.start(), *LONGITUDES.end()),
            latitude: middle(area.south, area.north).clamp(*LATITUDES.start(), *LATITUDES.end()),
        }
    }

    /// The standard geohash, as <https://geohash.org> reads it.
    pub fn geohash(self) -> [u8; GEOHASH_BYTES] {
        let bits = self.encode(&STANDARD_LATITUDES, STEPS_MAX);
        let mut text = [GEOHASH_ALPHABET[0]; GEOHASH_BYTES];
        for (index, character) in text.iter_mut().take(GEOHASH_BYTES - 1).enumerate() {
            let five = bits >> (52 - (index + 1) * 5) & 0x1f;
            *character = GEOHASH_ALPHABET[five as usize];
        }
        text
    }

    /// Metres to another place along a great circle.
    pub fn distance(self, other: Self) -> f64 {
        let longitudes =
            other.longitude.to_radians_as_redis() - self.longitude.to_radians_as_redis();
        let v = (longitudes / 2.0).sin();
        if v == 0.0 {
            return latitude_distance(self.latitude, other.latitude);
        }
        let (from, to) =
            (self.latitude.to_radians_as_redis(), other.latitude.to_radians_as_redis());
        let u = ((to - from) / 2.0).sin();
        let a = u * u + from.cos() * to.cos() * v * v;
        // Rounding may carry it above 1 on the other side of the earth, where Redis answers `nan`.
        2.0 * EARTH_RADIUS * a.sqrt().min(1.0).asin()
    }

    fn cell(self, steps: u32) -> Cell {
        Cell { bits: self.encode(&LATITUDES, steps), steps }
    }

    fn encode(self, latitudes: &RangeInclusive<f64>, steps: u32) -> u64 {
        let part = |value: f64, range: &RangeInclusive<f64>| {
            let offset = (value - range.start()) / (range.end() - range.start());
            (offset * f64::from(1u32 << steps)) as u32
        };
        interleave(part(self.latitude, latitudes), part(self.longitude, &LONGITUDES))
    }
}

/// Radians rounded as Redis rounds them, which is not as the standard library does.
trait Radians {
    fn to_radians_as_redis(self) -> f64;
    fn to_degrees_as_redis(self) -> f64;
}

const DEGREE: f64 = std::f64::consts::PI / 180.0;

impl Radians for f64 {
    fn to_radians_as_redis(self) -> f64 {
        self * DEGREE
    }

    fn to_degrees_as_redis(self) -> f64 {
        self / DEGREE
    }
}

/// Metres between two latitudes.
fn latitude_distance(first: f64, second: f64) -> f64 {
    EARTH_RADIUS * (second.to_radians_as_redis() - first.to_radians_as_redis()).abs()
}

/// The bits of a score. Of one that no place has, those that a processor makes of it.
fn score_bits(score: f64) -> u64 {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    if score < TWO_TO_63 {
        (score as i64).cast_unsigned()
    } else if score < 2.0 * TWO_TO_63 {
        score as u64
    } else {
        0
    }
}

/// Bits in turn, the lowest from `even`.
fn interleave(even: u32, odd: u32) -> u64 {
    spread(even) | spread(odd) << 1
}

/// Puts a zero behind every bit.
fn spread(bits: u32) -> u64 {
    let bits = u64::from(bits);
    let bits = (bits | bits << 16) & 0x0000_ffff_0000_ffff;
    let bits = (bits | bits << 8) & 0x00ff_00ff_00ff_00ff;
    let bits = (bits | bits << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    let bits = (bits | bits << 2) & 0x3333_3333_3333_3333;
    (bits | bits << 1) & EVEN_BITS
}

/// Every other bit, from the lowest on.
fn gather(bits: u64) -> u32 {
    let bits = bits & EVEN_BITS;
    let bits = (bits | bits >> 1) & 0x3333_3333_3333_3333;
    let bits = (bits | bits >> 2) & 0x0f0f_0f0f_0f0f_0f0f;
    let bits = (bits | bits >> 4) & 0x00ff_00ff_00ff_00ff;
    let bits = (bits | bits >> 8) & 0x0000_ffff_0000_ffff;
    (bits | bits >> 16) as u32
}

/// Latitude.
const EVEN_BITS: u64 = 0x5555_5555_5555_5555;
/// Longitude.
const ODD_BITS: u64 = 0xaaaa_aaaa_aaaa_aaaa;

/// A rectangle of the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cell {
    bits: u64,
    steps: u32,
}

impl Cell {
    fn area(self) -> Area {
        let edges = |index: u32, range: &RangeInclusive<f64>| {
            let scale = range.end() - range.start();
            let edge = |index: u32| {
                range.start() + (f64::from(index) / f64::from(1u32 << self.steps)) * scale
            };
            (edge(index), edge(index.wrapping_add(1)))
        };
        let (south, north) = edges(gather(self.bits), &LATITUDES);
        let (west, east) = edges(gather(self.bits >> 1), &LONGITUDES);
        Area { west, south, east, north }
    }

    /// The cell so many cells further east and north, each -1 to 1; around the edges of the map.
    fn neighbour(self, east: i32, north: i32) -> Self {
        let bits = shift(self.bits, ODD_BITS, self.steps, east);
        Self { bits: shift(bits, EVEN_BITS, self.steps, north), ..self }
    }

    /// The scores of the places in it; the second is the first behind them.
    fn scores(self) -> (f64, f64) {
        let unused = 2 * (STEPS_MAX - self.steps);
        // Exact for the same reason as a place's score.
        ((self.bits << unused) as f64, ((self.bits + 1) << unused) as f64)
    }
}

/// Adds -1, 0 or 1 to one of the numbers in a cell, whose bits are under `own`; carries run over the
/// other's bits.
fn shift(bits: u64, own: u64, steps: u32, by: i32) -> u64 {
    let unused = 64 - steps * 2;
    let others = !own >> unused;
    let number = match by {
        0 => return bits,
        1.. => (bits & own).wrapping_add(others + 1),
        _ => (bits & own | others).wrapping_sub(others + 1),
    };
    (number & (own >> unused)) | (bits & !own)
}

/// Edges in degrees.
#[derive(Debug, Clone, Copy)]
struct Area {
    west: f64,
    south: f64,
    east: f64,
    north: f64,
}

/// What a search is for, in metres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Extent {
    /// All within this radius.
    Radius(f64),
    /// All within a rectangle.
    Box {
        /// From west to east.
        width: f64,
        /// From south to north.
        height: f64,
    },
}

/// A circle or a rectangle on the earth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    /// Its middle.
    pub center: Place,
    /// How far it reaches, in `unit`s.
    pub extent: Extent,
    /// Metres of a unit.
    pub unit: f64,
}

impl Shape {
    /// Metres from the middle to a place, if it is within the shape.
    pub fn distance_within(&self, place: Place) -> Option<f64> {
        match self.extent {
            Extent::Radius(radius) => {
                let distance = self.center.distance(place);
                (distance <= radius * self.unit).then_some(distance)
            }
            Extent::Box { width, height } => {
                let (width, height) = (width * self.unit, height * self.unit);
                if latitude_distance(place.latitude, self.center.latitude) > height / 2.0 {
                    return None;
                }
                let beside = Place { longitude: self.center.longitude, ..place };
                (place.distance(beside) <= width / 2.0).then(|| self.center.distance(place))
            }
        }
    }

    /// Ranges of scores that together hold every place within the shape, in the order in which Redis
    /// searches them; the end of each is not part of it.
    pub fn score_ranges(&self) -> impl Iterator<Item = (f64, f64)> {
        let mut processed: Option<(usize, Cell)> = None;
        self.cells().into_iter().enumerate().filter_map(move |(index, cell)| {
            let cell = cell?;
            // Of a large shape, neighbours are the same cell. Redis forgets about the first.
            if processed.is_some_and(|(former, processed)| former > 0 && processed == cell) {
                return None;
            }
            processed = Some((index, cell));
            Some(cell.scores())
        })
    }

    /// The cell of the middle, and its neighbours that the shape may reach.
    fn cells(&self) -> [Option<Cell>; 9] {
        /// Steps east and north: centre, N, S, E, W, NE, NW, SE, SW.
        const AROUND: [(i32, i32); 9] =
            [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];
        let bounds = self.bounds();
        let mut steps = self.steps();
        let mut cell = self.center.cell(steps);
        if steps > 1 && !neighbours_reach(cell, &bounds) {
            steps -= 1;
            cell = self.center.cell(steps);
        }
        let area = cell.area();
        let is_useless = |east: i32, north: i32| {
            steps >= 2
                && ((north < 0 && area.south < bounds.south)
                    || (north > 0 && area.north > bounds.north)
                    || (east < 0 && area.west < bounds.west)
                    || (east > 0 && area.east > bounds.east))
        };
        AROUND.map(|(east, north)| (!is_useless(east, north)).then(|| cell.neighbour(east, north)))
    }

    /// How many steps a cell has that is about as large as the shape.
    fn steps(&self) -> u32 {
        let radius = match self.extent {
            Extent::Radius(radius) => radius,
            Extent::Box { width, height } => {
                ((width / 2.0) * (width / 2.0) + (height / 2.0) * (height / 2.0)).sqrt()
            }
        };
        let mut meters = radius * self.unit;
        if meters == 0.0 {
            return STEPS_MAX;
        }
        let mut steps = 1;
        while meters < MERCATOR_MAX {
            meters *= 2.0;
            steps += 1;
        }
        // The cell and its neighbours are to hold the shape in most cases.
        steps -= 2;
        // Cells are narrow near the poles.
        let latitude = self.center.latitude.abs();
        steps -= i32::from(latitude > 66.0) + i32::from(latitude > 80.0);
        steps.clamp(1, STEPS_MAX.cast_signed()).cast_unsigned()
    }

    fn bounds(&self) -> Area {
        let (width, height) = match self.extent {
            Extent::Radius(radius) => (radius, radius),
            Extent::Box { width, height } => (width / 2.0, height / 2.0),
        };
        let (width, height) = (self.unit * width, self.unit * height);
        let Place { longitude, latitude } = self.center;
        let latitudes = (height / EARTH_RADIUS).to_degrees_as_redis();
        // The edge that is nearer to its pole is the longer one in degrees, by Redis's reckoning.
        let edge = if latitude < 0.0 { latitude - latitudes } else { latitude + latitudes };
        let longitudes =
            (width / EARTH_RADIUS / edge.to_radians_as_redis().cos()).to_degrees_as_redis();
        Area {
            west: longitude - longitudes,
            south: latitude - latitudes,
            east: longitude + longitudes,
            north: latitude + latitudes,
        }
    }
}

/// Whether the neighbours of a cell end beyond these bounds.
fn neighbours_reach(cell: Cell, bounds: &Area) -> bool {
    let is_short = cell.neighbour(0, 1).area().north < bounds.north
        || cell.neighbour(0, -1).area().south > bounds.south
        || cell.neighbour(1, 0).area().east < bounds.east
        || cell.neighbour(-1, 0).area().west > bounds.west;
    !is_short
}

#[cfg(test)]
mod tests {
    use super::*;

    const PALERMO: Place = Place { longitude: 13.361389, latitude: 38.115556 };
    const CATANIA: Place = Place { longitude: 15.087269, latitude: 37.502669 };

    #[test]
    fn places_have_the_scores_that_redis_gives_them() {
        let cases = [
            (PALERMO, 3479099956230698.0, b"sqc8b49rny0"),
            (CATANIA, 3479447370796909.0, b"sqdtr74hyu0"),
            (Place { longitude: 0.0, latitude: 0.0 }, 3377699720527872.0, b"7zzzzzzzzz0"),
        ];
        for (place, score, geohash) in cases {
            assert_eq!(place.score(), score, "{place:?}");
            let found = Place::from_score(score);
            assert!(found.distance(place) < 0.6, "{found:?}");
            if place != cases[2].0 {
                assert_eq!(&found.geohash(), geohash, "{place:?}");
            }
        }
    }

    #[test]
    fn distances_are_those_of_redis() {
        let [palermo, catania] = [PALERMO, CATANIA].map(|place| Place::from_score(place.score()));
        assert_eq!(format!("{:.4}", palermo.distance(catania)), "166274.1516");
        assert_eq!(palermo.distance(palermo), 0.0);
        let antipode = Place { longitude: palermo.longitude - 180.0, latitude: -palermo.latitude };
        assert!(palermo.distance(antipode).is_finite());
    }

    #[test]
    fn every_score_is_a_place() {
        for score in [-1.0, -1e300, 1e18, 1.5e19, 1e300, f64::INFINITY, f64::NEG_INFINITY] {
            let place = Place::from_score(score);
            assert!(LONGITUDES.contains(&place.longitude) && LATITUDES.contains(&place.latitude));
        }
    }

    #[test]
    fn bits_that_are_interleaved_are_gathered() {
        for (even, odd) in [(0, 1), (1, 0), (u32::MAX, 0), (0x1234_5678, 0x9abc_def0)] {
            let bits = interleave(even, odd);
            assert_eq!((gather(bits), gather(bits >> 1)), (even, odd));
        }
    }

    #[test]
    fn score_ranges_hold_what_is_within_a_shape() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut within = 0;
        for _ in 0..20_000 {
            let mut place = || Place {
                longitude: random.f64() * 40.0 - 20.0,
                latitude: random.f64() * 120.0 - 60.0,
            };
            let (center, other) = (place(), Place::from_score(place().score()));
            let extent = Extent::Radius(f64::from(random.u32(1..3000)));
            let shape = Shape { center, extent, unit: 1000.0 };
            if shape.distance_within(other).is_some() {
                within += 1;
                let score = other.score();
                assert!(
                    shape.score_ranges().any(|(from, to)| from <= score && score < to),
                    "{shape:?} misses {other:?}"
                );
            }
        }
        assert!(within > 500, "{within}");
    }
}
