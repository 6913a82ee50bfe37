//! The notation in which a row writes its arguments, and the tree that COMMAND DOCS answers.
//!
//! ```text
//! key value condition=[NX|XX] [GET@6.2.0] expiration=[EX seconds|PX milliseconds|KEEPTTL@6.0.0]
//! ```
//!
//! * A lower-case word is an argument of that name. Its type follows from the name (see `TYPES`) or
//!   is given: `increment:double`. A key belongs to the next key specification; `#1` names another.
//! * A word in capitals alone is a pure token; its name is the same in lower case. Before an argument
//!   it is that argument's token: `EX seconds`, `LIMIT limit=(offset count)`. `equal='='` is a pure
//!   token whose name and text differ, `''` around a token allows any character.
//! * `[…]` is optional. `name=(…)` and `name=[…]` are a block, or a choice if there is a `|` in them.
//! * Behind an argument, in any order: `...` it may be repeated, `...token` its token is repeated with
//!   it, `@6.2.0` the version that introduced it, `!2.8.12` the one that deprecated it, `~text` what
//!   people see instead of its name.

use super::spec::Spec;
use std::borrow::Cow;
use std::fmt::Write;

/// One argument of a command, or a group of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument<'s> {
    /// What it is called.
    pub name: Cow<'s, str>,
    /// What it is.
    pub kind: Kind,
    /// What people see instead of its name; a group has none.
    pub display: Option<Cow<'s, str>>,
    /// The key specification that finds it.
    pub key_spec: Option<usize>,
    /// The word before it, or that it is.
    pub token: Option<&'s str>,
    /// The version that introduced it, if the command is older.
    pub since: Option<&'s str>,
    /// The version that deprecated it.
    pub deprecated_since: Option<&'s str>,
    /// Whether it can be left out.
    pub optional: bool,
    /// Whether it can be repeated.
    pub multiple: bool,
    /// Whether its token is repeated with it.
    pub multiple_token: bool,
    /// The parts of a group.
    pub parts: Vec<Argument<'s>>,
}

/// What an argument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any bytes.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Double,
    /// A key.
    Key,
    /// A pattern as KEYS takes it.
    Pattern,
    /// A time in seconds or milliseconds since 1970.
    UnixTime,
    /// A fixed word.
    PureToken,
    /// One of several.
    OneOf,
    /// Several in order.
    Block,
}

impl Kind {
    const NAMES: [(Self, &'static str); 9] = [
        (Self::String, "string"),
        (Self::Integer, "integer"),
        (Self::Double, "double"),
        (Self::Key, "key"),
        (Self::Pattern, "pattern"),
        (Self::UnixTime, "unix-time"),
        (Self::PureToken, "pure-token"),
        (Self::OneOf, "oneof"),
        (Self::Block, "block"),
    ];

    /// The name in COMMAND DOCS.
    pub fn name(self) -> &'static str {
        let found = Self::NAMES.into_iter().find(|(kind, _)| *kind == self);
        found.map_or("string", |(_, name)| name)
    }

    fn named(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(_, known)| *known == name).map(|(kind, _)| kind)
    }
}

/// The type of an argument that gives none, by its name. All others are strings.
const TYPES: &[(Kind, &[&str])] = &[
    (Kind::Key, &["key", "newkey", "key1", "key2", "destkey", "sourcekey"]),
    (
        Kind::Integer,
        &[
            "seconds",
            "milliseconds",
            "count",
            "increment",
            "decrement",
            "offset",
            "index",
            "start",
            "end",
            "stop",
            "timeout",
            "cursor",
            "numkeys",
            "numfields",
            "rank",
            "len",
            "min-match-len",
            "port",
            "limit",
        ],
    ),
    (Kind::Double, &["score", "longitude", "latitude", "radius", "width", "height"]),
    (Kind::Pattern, &["pattern"]),
    (Kind::UnixTime, &["unix-time-seconds", "unix-time-milliseconds"]),
];

/// The arguments of a command.
pub fn of(spec: &Spec) -> Vec<Argument<'static>> {
    parse(spec.syntax, spec.keys.specs().len()).expect("a test parses the syntax of every row")
}

/// Reads a row's notation; `key_specs` is how many key specifications the row has.
///
/// # Errors
/// What is wrong, and the rest of the text from there on. A test reads every row.
pub fn parse(text: &str, key_specs: usize) -> Result<Vec<Argument<'_>>, String> {
    let mut parser = Parser { rest: text.trim_start(), key_specs, keys: 0 };
    let sequence = parser.sequence()?;
    match parser.rest {
        "" => Ok(sequence),
        rest => Err(format!("nothing expected at: {rest}")),
    }
}

struct Parser<'s> {
    rest: &'s str,
    key_specs: usize,
    /// How many keys were seen.
    keys: usize,
}

impl<'s> Parser<'s> {
    /// Arguments up to the end, a bracket or a bar.
    fn sequence(&mut self) -> Result<Vec<Argument<'s>>, String> {
        let mut arguments = Vec::new();
        while !self.rest.is_empty() && !self.rest.starts_with([']', ')', '|']) {
            arguments.push(self.item()?);
            self.rest = self.rest.trim_start();
        }
        Ok(arguments)
    }

    /// One argument with everything around it.
    fn item(&mut self) -> Result<Argument<'s>, String> {
        if self.takes("[") {
            let mut argument = self.only_item()?;
            self.expects("]")?;
            argument.optional = true;
            self.suffixes(&mut argument)?;
            return Ok(argument);
        }
        if self.rest.starts_with('\'') {
            let token = self.quoted()?;
            return self.with_token(token);
        }
        let word = self.word()?;
        if word.bytes().any(|byte| byte.is_ascii_lowercase()) {
            return self.named(word);
        }
        self.with_token(word)
    }

    /// What is inside optional brackets without a name: one argument.
    fn only_item(&mut self) -> Result<Argument<'s>, String> {
        let mut arguments = self.sequence()?;
        match (arguments.pop(), arguments.is_empty()) {
            (Some(argument), true) => Ok(argument),
            _ => Err(format!(
                "a group without a name has to hold one argument, before: {}",
                self.rest
            )),
        }
    }

    /// A token was read: a pure token, or that of the argument behind it.
    fn with_token(&mut self, token: &'s str) -> Result<Argument<'s>, String> {
        let behind = self.rest.trim_start();
        if behind.len() < self.rest.len()
            && behind.starts_with(|next: char| next.is_ascii_lowercase())
        {
            self.rest = behind;
            let word = self.word()?;
            let mut argument = self.named(word)?;
            argument.token = Some(token);
            return Ok(argument);
        }
        let mut argument = pure_token(token.to_ascii_lowercase().into(), token);
        self.suffixes(&mut argument)?;
        Ok(argument)
    }

    /// A name was read: a word, a named group, or a pure token with a name of its own.
    fn named(&mut self, name: &'s str) -> Result<Argument<'s>, String> {
        let mut argument = if self.takes("='") {
            pure_token(name.into(), self.until_quote()?)
        } else if self.takes("=(") {
            self.group(name, ")")?
        } else if self.takes("=[") {
            let mut group = self.group(name, "]")?;
            group.optional = true;
            group
        } else {
            self.plain(name)?
        };
        self.suffixes(&mut argument)?;
        Ok(argument)
    }

    fn group(&mut self, name: &'s str, end: &str) -> Result<Argument<'s>, String> {
        let mut alternatives = vec![self.sequence()?];
        while self.takes("|") {
            alternatives.push(self.sequence()?);
        }
        self.expects(end)?;
        let (kind, parts) = if alternatives.len() == 1 {
            (Kind::Block, alternatives.remove(0))
        } else if alternatives.iter().all(|alternative| alternative.len() == 1) {
            (Kind::OneOf, alternatives.into_iter().flatten().collect())
        } else {
            return Err(format!("every alternative of {name} has to be one argument"));
        };
        Ok(Argument { parts, display: None, ..new(name.into(), kind) })
    }

    fn plain(&mut self, name: &'s str) -> Result<Argument<'s>, String> {
        let kind = if self.takes(":") {
            let kind = self.word()?;
            Kind::named(kind).ok_or_else(|| format!("no type is called {kind}"))?
        } else {
            let known = TYPES.iter().find(|(_, names)| names.contains(&name));
            known.map_or(Kind::String, |(kind, _)| *kind)
        };
        let mut argument = new(name.into(), kind);
        if kind == Kind::Key {
            argument.key_spec = self.key_specs.checked_sub(1).map(|last| self.keys.min(last));
            self.keys += 1;
        }
        Ok(argument)
    }

    fn suffixes(&mut self, argument: &mut Argument<'s>) -> Result<(), String> {
        loop {
            if self.takes("...token") {
                (argument.multiple, argument.multiple_token) = (true, true);
            } else if self.takes("...") {
                argument.multiple = true;
            } else if self.takes("@") {
                argument.since = Some(self.word()?);
            } else if self.takes("!") {
                argument.deprecated_since = Some(self.word()?);
            } else if self.takes("~") {
                let quoted = self.rest.starts_with('\'');
                let text = if quoted { self.quoted()? } else { self.word()? };
                argument.display = Some(text.into());
            } else if self.takes("#") {
                let number = self.word()?;
                let number = number.parse().map_err(|_| format!("{number} is no number"))?;
                argument.key_spec = Some(number);
            } else {
                return Ok(());
            }
        }
    }

    fn word(&mut self) -> Result<&'s str, String> {
        let is_part = |index: usize, letter: char| match letter {
            '-' | '_' | '/' => true,
            // A version has dots; three of them are a suffix.
            '.' => !self.rest[index..].starts_with("..."),
            _ => letter.is_ascii_alphanumeric(),
        };
        let mut letters = self.rest.char_indices();
        let end = letters.find(|(index, letter)| !is_part(*index, *letter));
        let end = end.map_or(self.rest.len(), |(index, _)| index);
        let (word, rest) = self.rest.split_at(end);
        if word.is_empty() {
            return Err(format!("a word expected at: {rest}"));
        }
        self.rest = rest;
        Ok(word)
    }

    fn quoted(&mut self) -> Result<&'s str, String> {
        self.expects("'")?;
        self.until_quote()
    }

    fn until_quote(&mut self) -> Result<&'s str, String> {
        let (text, rest) = self.rest.split_once('\'').ok_or("a quote is never closed")?;
        self.rest = rest;
        Ok(text)
    }

    fn takes(&mut self, mark: &str) -> bool {
        let rest = self.rest.strip_prefix(mark);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expects(&mut self, mark: &str) -> Result<(), String> {
        if self.takes(mark) { Ok(()) } else { Err(format!("{mark} expected at: {}", self.rest)) }
    }
}

fn new(name: Cow<'_, str>, kind: Kind) -> Argument<'_> {
    Argument {
        display: Some(name.clone()),
        name,
        kind,
        key_spec: None,
        token: None,
        since: None,
        deprecated_since: None,
        optional: false,
        multiple: false,
        multiple_token: false,
        parts: Vec::new(),
    }
}

fn pure_token<'s>(name: Cow<'s, str>, token: &'s str) -> Argument<'s> {
    Argument { token: Some(token), ..new(name, Kind::PureToken) }
}

/// The arguments as people read them: `key [NX|XX] [EX seconds|PX milliseconds]`.
pub fn line(arguments: &[Argument<'_>]) -> String {
    let mut line = String::new();
    write_all(arguments, " ", &mut line);
    line
}

fn write_all(arguments: &[Argument<'_>], between: &str, line: &mut String) {
    for (index, argument) in arguments.iter().enumerate() {
        if index > 0 {
            line.push_str(between);
        }
        if argument.optional {
            line.push('[');
        }
        write_one(argument, true, line);
        if argument.multiple {
            line.push_str(" [");
            write_one(argument, argument.multiple_token, line);
            line.push_str(" ...]");
        }
        if argument.optional {
            line.push(']');
        }
    }
}

fn write_one(argument: &Argument<'_>, with_token: bool, line: &mut String) {
    let token = argument.token.filter(|_| with_token);
    // An empty token is typed as a pair of quotes.
    let token = token.map(|token| if token.is_empty() { "\"\"" } else { token });
    match argument.kind {
        Kind::PureToken => line.push_str(token.unwrap_or_default()),
        kind => {
            if let Some(token) = token {
                // Writing to a string does not fail.
                let _ = write!(line, "{token} ");
            }
            match kind {
                Kind::OneOf => write_choice(argument, line),
                Kind::Block => write_all(&argument.parts, " ", line),
                _ => line.push_str(argument.display.as_deref().unwrap_or(&argument.name)),
            }
        }
    }
}

/// A choice that is not in brackets already gets its own, so that its ends are seen.
fn write_choice(argument: &Argument<'_>, line: &mut String) {
    let bracketed = argument.optional && argument.token.is_none() && !argument.multiple;
    if !bracketed {
        line.push('<');
    }
    write_all(&argument.parts, "|", line);
    if !bracketed {
        line.push('>');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let arguments = parse(text, 2).expect(text);
        assert_eq!(line(&arguments), expected, "{text}");
    }

    #[test]
    fn the_notation_is_read_and_shown_to_people() {
        check("", "");
        check("key", "key");
        check("key value", "key value");
        check("key...", "key [key ...]");
        check("[message]", "[message]");
        check("data=(key value)...", "key value [key value ...]");
        check("condition=[NX|XX]@2.6.12 [GET@6.2.0]", "[NX|XX] [GET]");
        check("expiration=[EX seconds|KEEPTTL@6.0.0]", "[EX seconds|KEEPTTL]");
        check("[GET pattern]...token", "[GET pattern [GET pattern ...]]");
        check("[KEYS keys:key~key]...", "[KEYS key [key ...]]");
        check("[LIMIT limit=(offset count)]", "[LIMIT offset count]");
        check("where=(LEFT|RIGHT)", "<LEFT|RIGHT>");
        check("args=(host-port=(host port)|no-one=(NO ONE))", "<host port|NO ONE>");
        check("[AGGREGATE how=(SUM|MIN)]", "[AGGREGATE <SUM|MIN>]");
        check(
            "trim=[strategy=(MAXLEN|MINID) operator=[equal='='|about='~'] n]",
            "[<MAXLEN|MINID> [=|~] n]",
        );
        check("selector=(key|empty-string='')", "<key|\"\">");
        check("old~'ip:port'!2.8.12", "ip:port");
    }

    #[test]
    fn an_argument_keeps_everything_that_was_said_of_it() {
        let arguments = parse("key [GET get-pattern:pattern#1~pattern@7.0.0]...token to:key", 3);
        let arguments = arguments.expect("valid");
        assert_eq!(arguments[0], Argument { key_spec: Some(0), ..new("key".into(), Kind::Key) });
        let expected = Argument {
            display: Some("pattern".into()),
            key_spec: Some(1),
            token: Some("GET"),
            since: Some("7.0.0"),
            optional: true,
            multiple: true,
            multiple_token: true,
            ..new("get-pattern".into(), Kind::Pattern)
        };
        assert_eq!(arguments[1], expected);
        assert_eq!(arguments[2], Argument { key_spec: Some(1), ..new("to".into(), Kind::Key) });
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["[a b]", "x=(a b|c)", "x=(a", "key)", "x='a", "a:number", "x#y", "[", "a ~"] {
            assert!(parse(text, 1).is_err(), "{text}");
        }
    }
}
