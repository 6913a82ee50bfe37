//! The table of directives: everything that options, files, CONFIG and `--help` know of one.
//!
//! [`active`] has those that redist goes by, in sections; [`known`] the rest of Redis 7.2's, each with
//! the value that is true for redist. A row there moves to `active` when redist learns to go by it.

mod active;
mod check;
mod known;

use super::settings::Settings;
use super::value::{Kind, Value, ValueError};

pub use active::SECTIONS;
pub use known::DIRECTIVES as KNOWN;

/// One directive.
#[derive(Debug, Clone, Copy)]
pub struct Directive {
    /// In lower case, as Redis names it.
    pub name: &'static str,
    /// The name that it had before, which still works.
    pub alias: Option<&'static str>,
    /// What values it takes.
    pub kind: Kind,
    /// The value when nothing is said, as it would be written in a file.
    pub default: &'static str,
    /// When it may change.
    pub change: Change,
    /// Whether its value is nothing for the slow log and MONITOR.
    pub is_secret: bool,
    /// Whether a line of a file adds to the lines before it instead of replacing them.
    pub adds_up: bool,
    /// What it is for, in one sentence; of a directive without effect, nothing.
    pub help: &'static str,
    /// Where redist keeps it; `None` as long as redist does not go by it.
    field: Option<Field>,
}

/// When a directive may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// At any time, by CONFIG SET.
    AtRunTime,
    /// Before the start only.
    AtStart,
    /// Before the start only, since it would let a client write files where it likes.
    Protected,
}

/// How a directive's field is read and written.
#[derive(Debug, Clone, Copy)]
struct Field {
    get: fn(&Settings) -> Value,
    put: fn(&mut Settings, Value),
}

/// The accessors of a field of [`Settings`].
macro_rules! field {
    ($name:ident) => {
        $crate::config::directives::Field {
            get: |settings| $crate::config::settings::Setting::value(&settings.$name),
            put: |settings, value| {
                $crate::config::settings::Setting::put(&mut settings.$name, value)
            },
        }
    };
}
use field;

const NO_EFFECT: ValueError = ValueError::new("directive has no effect yet");
const I32_MAX: i64 = i32::MAX as i64;

impl Directive {
    const fn new(name: &'static str, kind: Kind, default: &'static str) -> Self {
        let change = Change::AtRunTime;
        Self {
            name,
            alias: None,
            kind,
            default,
            change,
            is_secret: false,
            adds_up: false,
            help: "",
            field: None,
        }
    }

    /// Still goes by this name too.
    const fn alias(mut self, alias: &'static str) -> Self {
        self.alias = Some(alias);
        self
    }

    const fn at_start(mut self) -> Self {
        self.change = Change::AtStart;
        self
    }

    const fn protected(mut self) -> Self {
        self.change = Change::Protected;
        self
    }

    const fn adds_up(mut self) -> Self {
        self.adds_up = true;
        self
    }

    const fn secret(mut self) -> Self {
        self.is_secret = true;
        self
    }

    /// Gives it an effect: a field that redist goes by, and a sentence for people.
    const fn sets(mut self, field: Field, help: &'static str) -> Self {
        self.field = Some(field);
        self.help = help;
        self
    }

    /// Whether redist goes by it.
    pub fn has_effect(&self) -> bool {
        self.field.is_some()
    }

    /// Its name and its alias.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        [Some(self.name), self.alias].into_iter().flatten()
    }

    /// Its value: that of the setting, or without effect the one that is true anyway.
    pub fn get(&self, settings: &Settings) -> Value {
        match self.field {
            Some(field) => (field.get)(settings),
            None => self.default_value(),
        }
    }

    /// Whether this is its value when nothing is said.
    pub fn is_default(&self, value: &Value) -> bool {
        self.default_value() == *value
    }

    fn default_value(&self) -> Value {
        self.parse_default().expect("a test parses every default")
    }

    fn parse_default(&self) -> Result<Value, ValueError> {
        self.kind.parse(&[self.default])
    }

    /// Takes a value from the words behind the directive's name.
    ///
    /// # Errors
    /// When the kind does not take it.
    pub fn set(&self, settings: &mut Settings, words: &[&str]) -> Result<Given, ValueError> {
        let value = self.kind.parse(words)?;
        match self.field {
            Some(field) => (field.put)(settings, value),
            None if !self.is_true(&value) => return Ok(Given::WithoutEffect),
            None => {}
        }
        Ok(Given::InForce)
    }

    /// As [`set`](Self::set), but a value that would have no effect is an error too: whoever asks at
    /// run time reads the answer, not the log.
    ///
    /// # Errors
    /// Also when the directive has no effect and the value is another one than is true for redist.
    pub fn set_strictly(&self, settings: &mut Settings, words: &[&str]) -> Result<(), ValueError> {
        match self.set(settings, words)? {
            Given::InForce => Ok(()),
            Given::WithoutEffect => Err(NO_EFFECT),
        }
    }

    /// Whether a directive without effect may be given this value without a warning: it is the one
    /// that holds, or, of several words, part of it.
    fn is_true(&self, value: &Value) -> bool {
        match (self.default_value(), value) {
            (Value::Words(all), Value::Words(given)) if !given.is_empty() => {
                all.windows(given.len()).any(|part| part == given)
            }
            (default, value) => default == *value,
        }
    }

    pub(super) fn set_to_default(&self, settings: &mut Settings) -> Result<(), ValueError> {
        let value = self.parse_default()?;
        if let Some(field) = self.field {
            (field.put)(settings, value);
        }
        Ok(())
    }
}

/// What became of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// It holds.
    InForce,
    /// redist does not go by it.
    WithoutEffect,
}

/// Directives for `--help` that belong together.
pub struct Section {
    /// A word or two.
    pub title: &'static str,
    /// The rows.
    pub directives: &'static [Directive],
}

/// Every directive.
pub fn all() -> impl Iterator<Item = &'static Directive> {
    SECTIONS.iter().flat_map(|section| section.directives).chain(KNOWN)
}

/// The directive with this name or alias, in any case.
pub fn find(name: &str) -> Option<&'static Directive> {
    find_name(name).map(|(directive, _)| directive)
}

/// The same, with the name or alias as it is spelt in the table.
pub fn find_name(name: &str) -> Option<(&'static Directive, &'static str)> {
    all_names().find(|(_, known)| known.eq_ignore_ascii_case(name))
}

/// Every directive under its name, and again under its alias.
pub fn all_names() -> impl Iterator<Item = (&'static Directive, &'static str)> {
    all().flat_map(|directive| directive.names().map(move |name| (directive, name)))
}

const fn flag(name: &'static str, default: &'static str) -> Directive {
    Directive::new(name, Kind::Flag, default)
}

const fn integer(name: &'static str, default: &'static str, min: i64, max: i64) -> Directive {
    Directive::new(name, Kind::Integer { min, max }, default)
}

const fn memory(name: &'static str, default: &'static str, min: i64) -> Directive {
    Directive::new(name, Kind::Memory { min, max: i64::MAX }, default)
}

const fn text(name: &'static str, default: &'static str) -> Directive {
    Directive::new(name, Kind::Text, default)
}

const fn choice(
    name: &'static str,
    default: &'static str,
    names: &'static [&'static str],
) -> Directive {
    Directive::new(name, Kind::Choice(names), default)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_default_is_a_value_of_its_kind() {
        for directive in all() {
            let mut settings = Settings::default();
            directive.set_to_default(&mut settings).expect(directive.name);
            assert_eq!(directive.get(&settings), directive.default_value(), "{}", directive.name);
        }
    }

    #[test]
    fn every_bound_fits_its_field() {
        for directive in all() {
            let (Kind::Integer { min, max } | Kind::Memory { min, max }) = directive.kind else {
                continue;
            };
            for bound in [min, max] {
                let mut settings = Settings::default();
                directive.set(&mut settings, &[&bound.to_string()]).expect(directive.name);
                if directive.has_effect() {
                    let value = directive.get(&settings);
                    assert_eq!(value, Value::Number(bound), "{}", directive.name);
                }
            }
        }
    }

    #[test]
    fn names_are_unique_and_in_lower_case() {
        let mut seen = HashSet::new();
        for name in all().flat_map(Directive::names) {
            assert!(seen.insert(name), "{name} twice");
            assert_eq!(name, name.to_ascii_lowercase());
        }
    }

    #[test]
    fn what_has_an_effect_says_what_it_is_for() {
        for directive in all() {
            assert_eq!(directive.has_effect(), !directive.help.is_empty(), "{}", directive.name);
        }
    }
}
