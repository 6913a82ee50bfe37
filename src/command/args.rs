//! The arguments of one call, read from left to right.

use crate::error::CommandError;
use crate::keyspace::{Key, Keyspace};
use crate::limits;
use crate::protocol::number::{parse_double, parse_integer};
use crate::protocol::{Arg, Request};
use std::slice;
use std::time::Duration;

/// What is left of a request's arguments. Arity was checked before, so reading past the end means
/// that optional arguments are incomplete: a syntax error.
pub struct Args<'v> {
    arena: &'v [u8],
    items: slice::IterMut<'v, Arg>,
    keyspace: &'v Keyspace,
    /// The word before them: the name of the command, or subcommand, as it was typed.
    name: &'v [u8],
    /// Whether large arguments are copied rather than moved.
    whole: bool,
    /// The hash of the argument at a position (counted from the end), which the executor needed already.
    known_hash: Option<(usize, u64)>,
}

impl<'v> Args<'v> {
    /// The arguments behind the first `skip`; `known_hash` is the index of a key with its hash.
    pub fn new(
        request: &'v mut Request,
        skip: usize,
        keyspace: &'v Keyspace,
        known_hash: Option<(usize, u64)>,
    ) -> Self {
        let length = request.len();
        let whole = request.whole;
        let (arena, args) = request.parts_mut();
        let (names, items) = args.split_at_mut(skip.min(length));
        let name = names.last().map_or(&b""[..], |name| name.bytes(arena));
        let known_hash = known_hash.map(|(index, hash)| (length - index, hash));
        Self { arena, items: items.iter_mut(), keyspace, name, whole, known_hash }
    }

    /// Number of arguments left.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether none is left.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The next argument's bytes, without consuming it.
    pub fn peek(&self) -> Option<&[u8]> {
        self.items.as_slice().first().map(|arg| arg.bytes(self.arena))
    }

    /// The next argument's bytes.
    pub fn bytes(&mut self) -> Result<&'v [u8], CommandError> {
        let arg = self.items.next().ok_or(CommandError::Syntax)?;
        let arg: &'v Arg = arg;
        Ok(arg.bytes(self.arena))
    }

    /// The next argument for keeps: a large one is moved, not copied.
    pub fn take(&mut self) -> Result<Vec<u8>, CommandError> {
        let arg = self.items.next().ok_or(CommandError::Syntax)?;
        Ok(if self.whole { arg.bytes(self.arena).to_vec() } else { arg.take(self.arena) })
    }

    /// The next argument for keeps, and what the slow log and MONITOR show instead of it.
    pub fn secret(&mut self) -> Result<Vec<u8>, CommandError> {
        let arg = self.items.next().ok_or(CommandError::Syntax)?;
        let secret = arg.take(self.arena);
        *arg = Arg::Large(b"(redacted)".to_vec());
        Ok(secret)
    }

    /// The next argument, which the command may replace.
    pub fn slot(&mut self) -> Result<Slot<'v>, CommandError> {
        let arg = self.items.next().ok_or(CommandError::Syntax)?;
        Ok(Slot { arena: self.arena, arg })
    }

    /// The next argument as a key.
    pub fn key(&mut self) -> Result<Key<'v>, CommandError> {
        let from_end = self.len();
        let bytes = self.bytes()?;
        Ok(match self.known_hash {
            Some((position, hash)) if position == from_end => Key::with_hash(bytes, hash),
            _ => self.keyspace.key(bytes),
        })
    }

    /// The next argument as a signed 64-bit integer.
    pub fn integer(&mut self) -> Result<i64, CommandError> {
        parse_integer(self.bytes()?).ok_or(CommandError::NotInteger)
    }

    /// The next argument as a signed 32-bit integer.
    pub fn small_integer(&mut self) -> Result<i32, CommandError> {
        let (min, max) = (i64::from(i32::MIN), i64::from(i32::MAX));
        i32::try_from(self.integer()?).map_err(|_| CommandError::not_between(min, max))
    }

    /// The next argument as how many elements to pop: not negative.
    pub fn count(&mut self) -> Result<usize, CommandError> {
        let count = parse_integer(self.bytes()?).and_then(|count| usize::try_from(count).ok());
        count.ok_or(CommandError::NOT_POSITIVE)
    }

    /// The next argument as how many elements to choose at random; negative allows repetition, of
    /// which `repeats` says how much.
    pub fn signed_count(&mut self) -> Result<i64, CommandError> {
        let count = self.integer()?;
        if count == i64::MIN {
            Err(CommandError::not_between(-i64::MAX, i64::MAX))
        } else {
            Ok(count)
        }
    }

    /// The next argument as the number of keys behind it, which have to be there.
    pub fn numkeys(&mut self) -> Result<usize, CommandError> {
        let count = self.positive(CommandError::NO_NUMKEYS)?;
        if count > self.len() { Err(CommandError::NUMKEYS_BEYOND_ARGS) } else { Ok(count) }
    }

    /// The next argument as a number above zero, or this error.
    pub fn positive(&mut self, error: CommandError) -> Result<usize, CommandError> {
        let number = parse_integer(self.bytes()?).and_then(|number| usize::try_from(number).ok());
        number.filter(|number| *number > 0).ok_or(error)
    }

    /// All arguments of LMPOP and its kin: `numkeys key... end [COUNT count]`, where `end` reads which
    /// end is popped. Gives the keys, the end, and how many elements to pop.
    pub fn multi_pop<E>(
        &mut self,
        end: impl FnOnce(&mut Self) -> Result<E, CommandError>,
    ) -> Result<(Vec<Key<'v>>, E, usize), CommandError> {
        let numkeys = self.positive(CommandError::NO_NUMKEYS)?;
        if numkeys >= self.len() {
            return Err(CommandError::Syntax);
        }
        let keys = (0..numkeys).map(|_| self.key()).collect::<Result<_, _>>()?;
        let end = end(self)?;
        let mut count = 1;
        if self.len() > 1 && self.word("COUNT") {
            count = self.positive(CommandError::NO_COUNT)?;
        }
        self.end()?;
        Ok((keys, end, count))
    }

    /// The next argument as how long to wait, in seconds with fractions: `None` for ever.
    pub fn wait_time(&mut self, now_ms: u64) -> Result<Option<Duration>, CommandError> {
        let seconds = parse_double(self.bytes()?).ok_or(CommandError::TIMEOUT_NOT_FLOAT)?;
        // Redis counts it in milliseconds, and adds them to the unix time in a signed number.
        let ms = (seconds * 1000.0).ceil();
        if ms < 0.0 {
            return Err(CommandError::TIMEOUT_NEGATIVE);
        }
        if ms >= (i64::MAX as u64 - now_ms) as f64 {
            return Err(CommandError::TIMEOUT_OUT_OF_RANGE);
        }
        Ok((ms > 0.0).then_some(Duration::from_millis(ms as u64)))
    }

    /// All arguments of BLPOP and its kin: keys, and how long to wait.
    pub fn keys_and_wait_time(
        &mut self,
        now_ms: u64,
    ) -> Result<(Vec<Key<'v>>, Option<Duration>), CommandError> {
        let count = self.len().saturating_sub(1);
        let keys = (0..count).map(|_| self.key()).collect::<Result<_, _>>()?;
        Ok((keys, self.wait_time(now_ms)?))
    }

    /// The next argument as the number of a database, of which there are `count`.
    pub fn db(&mut self, count: usize) -> Result<usize, CommandError> {
        let index = usize::try_from(self.small_integer()?);
        index.ok().filter(|index| *index < count).ok_or(CommandError::DB_OUT_OF_RANGE)
    }

    /// The next argument as a double.
    pub fn double(&mut self) -> Result<f64, CommandError> {
        parse_double(self.bytes()?).ok_or(CommandError::NotFloat)
    }

    /// Consumes the next argument if it is this word in any case.
    pub fn word(&mut self, word: &str) -> bool {
        let is_next = self.peek().is_some_and(|next| next.eq_ignore_ascii_case(word.as_bytes()));
        if is_next {
            self.items.next();
        }
        is_next
    }

    /// All arguments left, as bytes.
    pub fn rest(&mut self) -> impl ExactSizeIterator<Item = &'v [u8]> + Clone + use<'v> {
        let arena = self.arena;
        let rest: &'v [Arg] = std::mem::take(&mut self.items).into_slice();
        rest.iter().map(move |arg| arg.bytes(arena))
    }

    /// All arguments left, as keys.
    pub fn keys(&mut self) -> impl ExactSizeIterator<Item = Key<'v>> + Clone + use<'v> {
        let keyspace = self.keyspace;
        self.rest().map(move |bytes| keyspace.key(bytes))
    }

    /// The name of the command, or subcommand, as it was typed.
    pub fn name(&self) -> &'v [u8] {
        self.name
    }

    /// Too many arguments for a subcommand of this container, whose table takes any number.
    pub fn wrong_subcommand(&self, container: &'static str) -> CommandError {
        CommandError::UnknownSubcommandOrArity { name: self.name.to_vec(), container }
    }

    /// An error if anything is left.
    pub fn end(&self) -> Result<(), CommandError> {
        if self.is_empty() { Ok(()) } else { Err(CommandError::Syntax) }
    }
}

/// An argument that a command may replace, so that it means the same when the command is attempted
/// again: what is relative at first must not be so later.
pub struct Slot<'v> {
    arena: &'v [u8],
    arg: &'v mut Arg,
}

impl Slot<'_> {
    /// The argument's bytes.
    pub fn bytes(&self) -> &[u8] {
        self.arg.bytes(self.arena)
    }

    /// Puts another in its place.
    pub fn replace(self, bytes: Vec<u8>) {
        *self.arg = Arg::Large(bytes);
    }
}

/// A timeout in milliseconds: `None` for ever.
pub fn parse_timeout(text: &[u8], now_ms: u64) -> Result<Option<Duration>, CommandError> {
    let ms = parse_integer(text).ok_or(CommandError::TIMEOUT_NOT_INTEGER)?;
    let ms = u64::try_from(ms).map_err(|_| CommandError::TIMEOUT_NEGATIVE)?;
    // Redis adds it to the unix time in a signed number.
    if ms > i64::MAX as u64 - now_ms {
        return Err(CommandError::TIMEOUT_OUT_OF_RANGE);
    }
    Ok((ms > 0).then_some(Duration::from_millis(ms)))
}

/// How many elements a negative count chooses with repetition.
pub fn repeats(count: i64) -> usize {
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    wanted.min(limits::RANDOM_REPEATS_COUNT_MAX)
}
