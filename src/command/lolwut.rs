//! LOLWUT: a little computer art, and the version.
//!
//! The piece is Georg Nees's "Schotter" (1968): a grid of squares that loses its order from top to
//! bottom, drawn in braille characters, which are eight dots each.

use super::args::Args;
use super::spec::{Arity, Flags, Handler, Spec};
use crate::error::CommandError;
use crate::keyspace::ReadView;
use crate::protocol::{Outcome, Reply};
use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, SQRT_2};

pub(super) const COMMANDS: &[Spec] = &[Spec {
    name: "LOLWUT",
    arity: Arity::at_least(1),
    handler: Handler::Read(lolwut),
    flags: Flags::FAST.and(Flags::READ_ONLY),
    since: "5.0.0",
    summary: "Displays computer art and the Redis version",
    syntax: "[VERSION version:integer]",
    complexity: "",
    ..Spec::REST
}];

/// Most characters in a line.
const COLUMNS_MAX: i64 = 1000;
/// Most squares beside or above each other.
const SQUARES_MAX: i64 = 200;
/// Most dots above each other: few wide squares in many rows would take memory without bound.
const HEIGHT_DOTS_MAX: f64 = 4096.0;

/// What to draw: everything is bounded, since it comes from a client.
struct Piece {
    columns: usize,
    squares_per_row: usize,
    squares_per_column: usize,
}

fn lolwut<'v>(view: &'v ReadView<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    // The version chooses the piece. This server has one, which Redis shows as that of version 5.
    let chosen = args.len() >= 2 && args.word("VERSION");
    let version = if chosen { args.integer()? } else { 5 };
    let last_line = format!("Redis ver. {}\n", crate::REDIS_VERSION);
    if version != 5 {
        return Ok(Reply::Verbatim(last_line.into()));
    }
    let piece = if chosen { Piece::parse(args)? } else { Piece::USUAL };
    let mut text = piece.draw(&mut view.rng());
    text.push_str("\nGeorg Nees - schotter, plotter on paper, 1968. ");
    text.push_str(&last_line);
    Ok(Reply::Verbatim(text.into()))
}

impl Piece {
    const USUAL: Self = Self { columns: 66, squares_per_row: 8, squares_per_column: 12 };

    fn parse(args: &mut Args<'_>) -> Result<Self, CommandError> {
        let mut size = |usual: usize, max: i64| {
            if args.is_empty() {
                return Ok(usual);
            }
            // At least 1 and far below usize::MAX.
            Ok(args.integer()?.clamp(1, max) as usize)
        };
        Ok(Self {
            columns: size(Self::USUAL.columns, COLUMNS_MAX)?,
            squares_per_row: size(Self::USUAL.squares_per_row, SQUARES_MAX)?,
            squares_per_column: size(Self::USUAL.squares_per_column, SQUARES_MAX)?,
        })
    }

    fn draw(&self, rng: &mut fastrand::Rng) -> String {
        let width = self.columns * 2;
        let padding = if width > 4 { 2.0 } else { 0.0 };
        let side = (width as f64 - padding * 2.0) / self.squares_per_row as f64;
        let height = (side * self.squares_per_column as f64 + padding * 2.0).min(HEIGHT_DOTS_MAX);
        let mut canvas = Canvas::new(width, height as usize);
        for row in 0..self.squares_per_column {
            for column in 0..self.squares_per_row {
                let mut x = column as f64 * side + side / 2.0 + padding;
                let mut y = row as f64 * side + side / 2.0 + padding;
                // The first rows stay in order; from then on disorder grows with each row.
                let mut angle = 0.0;
                if row > 1 {
                    let disorder = (row - 1) as f64 / self.squares_per_column as f64;
                    let mut up_to = |most: f64| (rng.f64() * 2.0 - 1.0) * most * disorder;
                    angle = up_to(FRAC_PI_2);
                    x += up_to(side / 3.0);
                    y += up_to(side / 3.0);
                }
                canvas.square(x, y, side, angle);
            }
        }
        canvas.text()
    }
}

/// Dots that are black or white.
struct Canvas {
    width: usize,
    height: usize,
    dots: Vec<bool>,
}

impl Canvas {
    fn new(width: usize, height: usize) -> Self {
        Self { width, height, dots: vec![false; width * height] }
    }

    /// Draws a dot; what falls outside is not seen.
    fn dot(&mut self, x: i64, y: i64) {
        let inside = |at: i64, bound: usize| usize::try_from(at).ok().filter(|at| *at < bound);
        if let (Some(x), Some(y)) = (inside(x, self.width), inside(y, self.height)) {
            self.dots[y * self.width + x] = true;
        }
    }

    /// Draws a line from dot to dot (Bresenham's algorithm).
    fn line(&mut self, from: (i64, i64), to: (i64, i64)) {
        let (mut x, mut y) = from;
        let (dx, dy) = ((to.0 - x).abs(), -(to.1 - y).abs());
        let (step_x, step_y) = ((to.0 - x).signum(), (to.1 - y).signum());
        let mut error = dx + dy;
        loop {
            self.dot(x, y);
            if (x, y) == to {
                return;
            }
            let twice = 2 * error;
            if twice >= dy {
                error += dy;
                x += step_x;
            }
            if twice <= dx {
                error += dx;
                y += step_y;
            }
        }
    }

    /// Draws a square around a point, turned by an angle.
    fn square(&mut self, x: f64, y: f64, side: f64, angle: f64) {
        // From the centre to a corner.
        let radius = (side / SQRT_2).round();
        let corner = |number: u8| {
            let angle = angle + FRAC_PI_4 + f64::from(number) * FRAC_PI_2;
            ((x + radius * angle.sin()).round() as i64, (y + radius * angle.cos()).round() as i64)
        };
        for number in 0..4 {
            self.line(corner(number), corner((number + 1) % 4));
        }
    }

    fn is_set(&self, x: usize, y: usize) -> bool {
        x < self.width && y < self.height && self.dots[y * self.width + x]
    }

    /// The dots as braille characters of two by four.
    fn text(&self) -> String {
        /// The bit of each dot of a character, from left to right and from top to bottom.
        const BITS: [[u32; 2]; 4] = [[0, 3], [1, 4], [2, 5], [6, 7]];
        let mut text = String::new();
        for top in (0..self.height).step_by(4) {
            for left in (0..self.width).step_by(2) {
                let mut bits = 0;
                for (y, row) in BITS.iter().enumerate() {
                    for (x, bit) in row.iter().enumerate() {
                        bits |= u32::from(self.is_set(left + x, top + y)) << bit;
                    }
                }
                // U+2800 to U+28FF are the braille patterns.
                text.push(char::from_u32(0x2800 + bits).unwrap_or(' '));
            }
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_in_order_is_the_one_that_redis_draws() {
        // Rows below the second would be turned by chance.
        let piece = Piece { columns: 10, squares_per_row: 2, squares_per_column: 2 };
        let expected = "⠀⡤⠤⠤⠤⡤⠤⠤⠤⡄\n⠀⡇⠀⠀⠀⡇⠀⠀⠀⡇\n⠀⡧⠤⠤⠤⡧⠤⠤⠤⡇\n⠀⡇⠀⠀⠀⡇⠀⠀⠀⡇\n⠀⠧⠤⠤⠤⠧⠤⠤⠤⠇\n";
        assert_eq!(piece.draw(&mut fastrand::Rng::with_seed(1)), expected);
    }

    #[test]
    fn every_size_that_can_be_asked_for_is_drawn() {
        for columns in [1, 2, 3, 66, 1000] {
            for squares in [1, 3, 200] {
                let piece =
                    Piece { columns, squares_per_row: squares, squares_per_column: squares };
                let text = piece.draw(&mut fastrand::Rng::with_seed(7));
                assert!(text.lines().all(|line| line.chars().count() == columns));
                assert!(text.lines().count() <= 1024);
            }
        }
    }
}
