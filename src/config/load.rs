//! Settings from everything that says something: the file, standard input, the environment, options.
//!
//! Each later one wins. Whatever cannot be taken is an error that names where it stands; a directive
//! that redist does not go by yet is a warning, so that a file written for Redis starts.

use super::directives::{self, Given};
use super::file::{self, FileLine};
use super::options::Arguments;
use super::settings::Settings;
use crate::REDIST_VERSION;
use crate::limits;
use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// What a program starts with.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// The configuration file, as an absolute path.
    pub file: Option<PathBuf>,
    /// What a person should know, for the log; one line for each directive at most.
    pub warnings: Vec<String>,
    /// Directives that add up and were given already.
    given: BTreeSet<&'static str>,
}

/// Why a program does not start.
#[derive(Debug)]
pub enum LoadError {
    /// A file cannot be read.
    Unreadable {
        /// Its name as it was given.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Something cannot be taken.
    Rejected {
        /// Where it stands.
        place: Place,
        /// What stands there.
        text: String,
        /// Why.
        reason: String,
    },
}

/// Where a directive stands.
#[derive(Debug, Clone)]
pub enum Place {
    /// A line of a file, counted from 1.
    File {
        /// Its name as it was given.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// A line of standard input, counted from 1.
    StandardInput {
        /// The line.
        line: usize,
    },
    /// The environment.
    Environment,
    /// The program's arguments.
    Options,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => {
                write!(f, "the configuration file '{}', at line {line}", path.display())
            }
            Self::StandardInput { line } => write!(f, "standard input, at line {line}"),
            Self::Environment => f.write_str("the environment"),
            Self::Options => f.write_str("the options"),
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, error } => {
                let (path, reason) = (path.display(), file::reason(error));
                write!(f, "Fatal error, can't open config file '{path}': {reason}")
            }
            Self::Rejected { place, text, reason } => write!(
                f,
                "*** FATAL CONFIG FILE ERROR (redist {REDIST_VERSION}) ***\n\
                 Reading {place}\n>>> '{text}'\n{reason}"
            ),
        }
    }
}

impl std::error::Error for LoadError {}

const BAD_DIRECTIVE: &str = "Bad directive or wrong number of arguments";

/// What Redis reads although it means nothing to it any more.
const OBSOLETE: &[&str] =
    &["list-max-ziplist-entries", "list-max-ziplist-value", "lua-replicate-commands"];

/// What closes doors that would stand open if redist went on without it, and why it cannot.
const REFUSED: &[(&str, &str)] = &[
    ("user", "Users are not supported yet: protect the server with requirepass"),
    ("aclfile", "Users are not supported yet: protect the server with requirepass"),
    ("rename-command", "Commands cannot be renamed yet"),
    ("loadmodule", "Modules are not supported"),
];

impl Loaded {
    /// Reads everything there is: the arguments' file, standard input if they say so, the environment,
    /// and the arguments' options.
    ///
    /// # Errors
    /// The first thing that cannot be read or taken.
    pub fn new(
        arguments: &Arguments,
        environment: impl IntoIterator<Item = (String, String)>,
        stdin: &mut dyn Read,
    ) -> Result<Self, LoadError> {
        let mut loaded = Self::default();
        if let Some(path) = &arguments.file {
            loaded.take_file(path, 0)?;
            loaded.file = Some(std::path::absolute(path).unwrap_or_else(|_| path.clone()));
        }
        if arguments.reads_stdin {
            loaded.take_stdin(stdin)?;
        }
        // What the environment says takes the place of what the file says.
        loaded.given.clear();
        for (name, value) in environment {
            loaded.take_variable(&name, &value)?;
        }
        for option in &arguments.options {
            let reject = |reason| LoadError::Rejected {
                place: Place::Options,
                text: option.text.clone(),
                reason,
            };
            let words: Vec<&str> = option.words.iter().map(String::as_str).collect();
            loaded.take_words(&words, 0, reject)?;
        }
        Ok(loaded)
    }

    fn take_file(&mut self, path: &Path, depth: usize) -> Result<(), LoadError> {
        let unreadable = |error| LoadError::Unreadable { path: path.to_owned(), error };
        let bytes = std::fs::read(path).map_err(unreadable)?;
        let place = |line| Place::File { path: path.to_owned(), line };
        self.take_lines(&bytes, depth, place)
    }

    fn take_stdin(&mut self, stdin: &mut dyn Read) -> Result<(), LoadError> {
        let mut bytes = Vec::new();
        let unreadable = |error| LoadError::Unreadable { path: PathBuf::from("-"), error };
        stdin.read_to_end(&mut bytes).map_err(unreadable)?;
        self.take_lines(&bytes, 0, |line| Place::StandardInput { line })
    }

    fn take_lines(
        &mut self,
        bytes: &[u8],
        depth: usize,
        place: impl Fn(usize) -> Place,
    ) -> Result<(), LoadError> {
        for FileLine { number, text, words } in file::lines(bytes) {
            let reject =
                |reason| LoadError::Rejected { place: place(number), text: text.clone(), reason };
            let words = words.map_err(|reason| reject(reason.to_owned()))?;
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            self.take_words(&words, depth, reject)?;
        }
        Ok(())
    }

    fn take_variable(&mut self, name: &str, value: &str) -> Result<(), LoadError> {
        let Some(wanted) = name.strip_prefix("REDIST_") else { return Ok(()) };
        let is_wanted = |name: &str| name.replace('-', "_").eq_ignore_ascii_case(wanted);
        match directives::all_names().find(|(_, name)| is_wanted(name)) {
            Some((_, directive)) => self.take_words(&[directive, value], 0, |reason| {
                let text = format!("{name}={value}");
                LoadError::Rejected { place: Place::Environment, text, reason }
            }),
            None => {
                self.warnings.push(format!("environment variable '{name}' names no directive"));
                Ok(())
            }
        }
    }

    /// Takes a directive with its values. `depth` counts the files that include each other.
    fn take_words(
        &mut self,
        words: &[&str],
        depth: usize,
        reject: impl Fn(String) -> LoadError,
    ) -> Result<(), LoadError> {
        let Some((name, values)) = words.split_first() else { return Ok(()) };
        let name = name.to_ascii_lowercase();
        if name == "include" {
            return self.include(values, depth, reject);
        }
        if OBSOLETE.contains(&name.as_str()) && values.len() == 1 {
            return Ok(());
        }
        let refused = REFUSED.iter().find(|(refused, _)| *refused == name);
        if let (Some((_, reason)), false) = (refused, values == [""]) {
            return Err(reject((*reason).to_owned()));
        }
        let directive = directives::find(&name).ok_or_else(|| reject(BAD_DIRECTIVE.to_owned()))?;
        // The first line replaces the default, and an empty one everything before it.
        let follows = directive.adds_up && !self.given.insert(directive.name) && values != [""];
        let before =
            if follows { directive.get(&self.settings).to_string() } else { String::new() };
        let all: Vec<&str> = before.split_whitespace().chain(values.iter().copied()).collect();
        let given = directive.set(&mut self.settings, &all);
        if given.map_err(|reason| reject(reason.to_string()))? == Given::WithoutEffect {
            let warning = format!("directive '{}' has no effect yet", directive.name);
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
        Ok(())
    }

    fn include(
        &mut self,
        values: &[&str],
        depth: usize,
        reject: impl Fn(String) -> LoadError,
    ) -> Result<(), LoadError> {
        let [pattern] = values else { return Err(reject(BAD_DIRECTIVE.to_owned())) };
        if depth == limits::CONFIG_INCLUDE_DEPTH_MAX {
            return Err(reject("Files include each other too deeply".to_owned()));
        }
        let unreadable = |error| LoadError::Unreadable { path: PathBuf::from(pattern), error };
        for path in file::matching(pattern).map_err(unreadable)? {
            self.take_file(&path, depth + 1)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What CONFIG GET would show of each name, the warnings, or the error.
    fn load(args: &[&str], environment: &[(&str, &str)], stdin: &str, names: &[&str]) -> String {
        let arguments = Arguments::new(args.iter().map(|arg| (*arg).to_owned()));
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        match Loaded::new(&arguments, environment, &mut stdin.as_bytes()) {
            Ok(loaded) => {
                let show = |name: &&str| directives::find(name).unwrap().get(&loaded.settings);
                let values = names.iter().map(|name| show(name).to_string());
                values.chain(loaded.warnings).collect::<Vec<_>>().join(" | ")
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn options_win_over_the_environment_and_that_over_the_file() {
        let file = "timeout 1\nmaxclients 1\nlfu-decay-time 1\n";
        let environment = [("REDIST_TIMEOUT", "2"), ("REDIST_MAXCLIENTS", "2"), ("PATH", "x")];
        let names = ["timeout", "maxclients", "lfu-decay-time"];
        assert_eq!(load(&["-", "--timeout", "3"], &environment, file, &names), "3 | 2 | 1");
    }

    #[test]
    fn a_file_is_read_as_redis_reads_it() {
        let file = "\n  # comment\nTimeout  7\r\nrequirepass \"a \\\"b\\\" \\x41\"\nbind 1.2.3.4 -::1\n\
                    save 900 1\nappendonly yes\nsave 300 10\nport auto\nslave-priority 100\n\
                    list-max-ziplist-entries 4\nlogfile ''\ninclude /nowhere/*.conf\n";
        assert_eq!(
            load(&["-"], &[], file, &["timeout", "requirepass", "bind", "port", "save", "logfile"]),
            "7 | a \"b\" A | 1.2.3.4 -::1 | 0 | 900 1 300 10 |  | directive 'appendonly' has no effect yet"
        );
    }

    #[test]
    fn what_holds_anyway_is_no_warning() {
        let file = "tcp-backlog 128\nappendonly no\nsave \"\"\nhz 10\n";
        assert_eq!(load(&["-"], &[], file, &[]), "");
        let file = "hz 50\nappendonly yes\nhz 60\n";
        assert_eq!(
            load(&["-"], &[], file, &["hz", "appendonly"]),
            "10 | no | directive 'hz' has no effect yet | directive 'appendonly' has no effect yet"
        );
    }

    #[test]
    fn lines_of_classes_add_up() {
        let file = "client-output-buffer-limit normal 1gb 0 0\n\
                    client-output-buffer-limit replica 1kb 2 3\n";
        assert_eq!(
            load(&["-"], &[], file, &["client-output-buffer-limit"]),
            "normal 1073741824 0 0 slave 1024 2 3 pubsub 33554432 8388608 60"
        );
    }

    #[test]
    fn errors_name_the_place_and_the_reason() {
        let header = format!("*** FATAL CONFIG FILE ERROR (redist {REDIST_VERSION}) ***\nReading ");
        let check = |args: &[&str], environment: &[(&str, &str)], stdin: &str, expected: &str| {
            assert_eq!(load(args, environment, stdin, &[]), format!("{header}{expected}"));
        };
        let bad = "Bad directive or wrong number of arguments";
        check(
            &["-"],
            &[],
            "\n prt  1 \n",
            &format!("standard input, at line 2\n>>> 'prt  1'\n{bad}"),
        );
        check(
            &["-"],
            &[],
            "port \"1",
            "standard input, at line 1\n>>> 'port \"1'\nUnbalanced quotes in configuration line",
        );
        check(
            &["-"],
            &[],
            "port 1 2",
            "standard input, at line 1\n>>> 'port 1 2'\nwrong number of arguments",
        );
        check(&["-"], &[], "include", &format!("standard input, at line 1\n>>> 'include'\n{bad}"));
        check(
            &["-"],
            &[],
            "rename-command GET x",
            "standard input, at line 1\n>>> 'rename-command GET x'\nCommands cannot be renamed yet",
        );
        check(
            &["--port", "x"],
            &[],
            "",
            "the options\n>>> '--port x'\nargument couldn't be parsed into an integer",
        );
        check(&["--prt", "1"], &[], "", &format!("the options\n>>> '--prt 1'\n{bad}"));
        check(&["--port"], &[], "", "the options\n>>> '--port'\nwrong number of arguments");
        check(
            &[],
            &[("REDIST_PORT", "tcp://1.2.3.4:5")],
            "",
            "the environment\n>>> 'REDIST_PORT=tcp://1.2.3.4:5'\nargument couldn't be parsed into an integer",
        );
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let expected =
            "Fatal error, can't open config file '/nowhere/x': No such file or directory";
        assert_eq!(load(&["/nowhere/x"], &[], "", &[]), expected);
        assert_eq!(load(&["-"], &[], "include /nowhere/x", &[]), expected);
    }

    #[test]
    fn an_unknown_variable_is_a_warning() {
        assert_eq!(
            load(&[], &[("REDIST_FOO", "1")], "", &[]),
            "environment variable 'REDIST_FOO' names no directive"
        );
    }
}
