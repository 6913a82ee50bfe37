//! The settings in force, and changing them while clients are served.

use super::directives::{self, Change};
use super::file::reason;
use super::rewrite;
use super::settings::Settings;
use super::value::ValueError;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, RwLock};

/// The settings in force. CONFIG SET replaces them whole, so that whoever holds a copy holds settings
/// that were in force together.
pub struct Config {
    current: RwLock<Arc<Settings>>,
    version: AtomicU64,
    guards: Mutex<Vec<Guard>>,
    file: OnceLock<PathBuf>,
}

/// Sees a change before it holds, with the settings in force and the new ones.
type Guard = Box<dyn Fn(&Settings, &Settings) -> Result<(), Refusal> + Send>;

/// Why a change is refused. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such directive.
    Unknown(String),
    /// The directive takes no such value, or none at run time.
    Value {
        /// The directive, as typed where its name alone decided.
        name: String,
        /// Why.
        reason: ValueError,
    },
}

impl Refusal {
    /// A value is refused for this reason.
    pub fn value(name: impl Into<String>, reason: ValueError) -> Self {
        Self::Value { name: name.into(), reason }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(f, "there is no directive '{name}'"),
            Self::Value { name, reason } => write!(f, "directive '{name}': {reason}"),
        }
    }
}

impl std::error::Error for Refusal {}

const IMMUTABLE: ValueError = ValueError::new("can't set immutable config");
const PROTECTED: ValueError = ValueError::new("can't set protected config");
const DUPLICATE: ValueError = ValueError::new("duplicate parameter");

impl Config {
    /// A configuration that starts with these settings.
    pub fn new(settings: Settings) -> Self {
        Self {
            current: RwLock::new(Arc::new(settings)),
            version: AtomicU64::new(0),
            guards: Mutex::default(),
            file: OnceLock::new(),
        }
    }

    /// The settings in force.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.current.read().expect("a change panics before it holds the lock"))
    }

    /// A number that changes with every change, so that a session can keep its copy until then.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Lets a function see every change before it holds. It acts on it (the level of log lines) or
    /// refuses it (more clients than there can be open files).
    pub fn add_guard(
        &self,
        guard: impl Fn(&Settings, &Settings) -> Result<(), Refusal> + Send + 'static,
    ) {
        self.guards.lock().expect("adding a guard does not panic").push(Box::new(guard));
    }

    /// Changes directives at run time, all or nothing.
    ///
    /// # Errors
    /// The first thing that is wrong: with a name, then with a value, then what a guard says.
    pub fn set(&self, pairs: &[(&str, &str)]) -> Result<(), Refusal> {
        let changes = changeable(pairs)?;
        // One change after the other: a guard must not act on one that is overtaken.
        let guards = self.guards.lock().expect("a guard does not panic");
        let current = self.settings();
        let mut settings = Settings::clone(&current);
        for (directive, name, value) in changes {
            directive
                .set_strictly(&mut settings, &[value])
                .map_err(|reason| Refusal::value(name, reason))?;
        }
        guards.iter().try_for_each(|guard| guard(&current, &settings))?;
        *self.current.write().expect("replacing an Arc does not panic") = Arc::new(settings);
        self.version.fetch_add(1, Ordering::Release);
        Ok(())
    }
}

impl Config {
    /// Says from which file the settings came; once, before clients are served.
    pub fn came_from(&self, file: PathBuf) {
        // A second file would be one that the settings did not come from.
        let _ = self.file.set(file);
    }

    /// The file that the settings came from.
    pub fn file(&self) -> Option<&Path> {
        self.file.get().map(PathBuf::as_path)
    }

    /// Writes the settings in force into the file that they came from. `false` if there is none.
    ///
    /// # Errors
    /// The reason, when the file cannot be read or replaced; it is then as it was.
    pub fn rewrite(&self) -> Result<bool, String> {
        let Some(file) = self.file() else { return Ok(false) };
        match rewrite::rewrite(file, &self.settings()) {
            Ok(()) => {
                log::info!("CONFIG REWRITE executed with success.");
                Ok(true)
            }
            Err(error) => {
                log::warn!("CONFIG REWRITE failed: {error}");
                Err(reason(&error))
            }
        }
    }
}

/// A directive, the name in lower case that it was called by, and a value for it.
type NewValue<'p> = (&'static directives::Directive, &'static str, &'p str);

/// Finds the directives, each of which may change at run time and be named once.
fn changeable<'p>(pairs: &[(&str, &'p str)]) -> Result<Vec<NewValue<'p>>, Refusal> {
    let mut changes: Vec<NewValue<'p>> = Vec::new();
    for (typed, value) in pairs {
        let Some((directive, name)) = directives::find_name(typed) else {
            return Err(Refusal::Unknown((*typed).to_owned()));
        };
        match directive.change {
            Change::AtRunTime => {}
            Change::AtStart => return Err(Refusal::value(*typed, IMMUTABLE)),
            Change::Protected => return Err(Refusal::value(*typed, PROTECTED)),
        }
        if changes.iter().any(|(_, other, _)| *other == name) {
            return Err(Refusal::value(*typed, DUPLICATE));
        }
        changes.push((directive, name, value));
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_all_or_nothing() {
        let config = Config::new(Settings::default());
        let (before, version) = (config.settings(), config.version());
        let refused = config.set(&[("timeout", "5"), ("maxclients", "many")]);
        assert!(matches!(refused, Err(Refusal::Value { name, .. }) if name == "maxclients"));
        assert_eq!((config.settings(), config.version()), (before, version));
        config.set(&[("timeout", "5"), ("maxclients", "7")]).unwrap();
        assert_eq!((config.settings().timeout, config.settings().maxclients), (5, 7));
        assert_ne!(config.version(), version);
    }

    #[test]
    fn a_guard_can_refuse() {
        let config = Config::new(Settings::default());
        config.add_guard(|old, new| match new.maxclients <= old.maxclients {
            true => Ok(()),
            false => Err(Refusal::value("maxclients", ValueError::new("too many"))),
        });
        config.set(&[("maxclients", "10")]).unwrap();
        config.set(&[("maxclients", "11")]).unwrap_err();
        assert_eq!(config.settings().maxclients, 10);
    }
}
