//! The program's arguments, in redis-server's own manner:
//! `redist [file.conf] [--directive value ...]... [-]`.

use crate::protocol::split_inline;
use std::path::PathBuf;

/// What the arguments say; whether the directives exist is seen later.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    /// Something else than to start.
    pub request: Option<Request>,
    /// The configuration file: the first argument, unless it is an option.
    pub file: Option<PathBuf>,
    /// `-` as the first or the last argument: more of the configuration comes from standard input.
    pub reads_stdin: bool,
    /// The options.
    pub options: Vec<OptionLine>,
}

/// What a program is asked to do instead of starting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// `--help`, `-h`.
    Help,
    /// `--version`, `-v`.
    Version,
    /// `--check-rdb FILE`: to look through a snapshot; `None` where the file is missing.
    CheckSnapshot(Option<PathBuf>),
}

/// An option with its values.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct OptionLine {
    /// As it was typed, but for quotes.
    pub text: String,
    /// The directive and its values.
    pub words: Vec<String>,
}

impl Arguments {
    /// Takes the arguments behind the program's name apart.
    pub fn new(args: impl IntoIterator<Item = String>) -> Self {
        let args: Vec<String> = args.into_iter().collect();
        let request = match args.first().map(String::as_str) {
            Some("--help" | "-h") => Some(Request::Help),
            Some("--version" | "-v") => Some(Request::Version),
            Some("--check-rdb") => Some(Request::CheckSnapshot(args.get(1).map(PathBuf::from))),
            _ => None,
        };
        let mut arguments = Self { request, ..Self::default() };
        // A value is expected behind a bare option, even one that looks like an option.
        let mut expects_value = false;
        for (index, arg) in args.iter().enumerate() {
            let is_at_an_end = index == 0 || index + 1 == args.len();
            if index == 0 && !arg.starts_with('-') {
                arguments.file = Some(PathBuf::from(arg));
            } else if arg == "-" && is_at_an_end {
                arguments.reads_stdin = true;
            } else if arg.starts_with("--") && !expects_value {
                let option = OptionLine::named(arg);
                let next_is_option = args.get(index + 1).is_none_or(|next| next.starts_with("--"));
                // As redis-server: `--save` alone means `--save ""`.
                let is_empty_save = arg.eq_ignore_ascii_case("--save") && next_is_option;
                expects_value = option.words.len() < 2 && !is_empty_save;
                arguments.options.push(option);
                if is_empty_save {
                    arguments.add_value("");
                }
            } else {
                arguments.add_value(arg);
                expects_value = false;
            }
        }
        arguments
    }

    /// A value for the last option. Where there is none it becomes one that no directive is named like.
    fn add_value(&mut self, value: &str) {
        if self.options.is_empty() {
            self.options.push(OptionLine::default());
        }
        if let Some(option) = self.options.last_mut() {
            if !option.text.is_empty() {
                option.text.push(' ');
            }
            option.text.push_str(if value.is_empty() { "\"\"" } else { value });
            option.words.push(value.to_owned());
        }
    }
}

impl OptionLine {
    /// `--port`, or with its value in the same argument `--port 7000`.
    fn named(arg: &str) -> Self {
        let line = arg.trim_start_matches('-');
        let words = split_inline(line.as_bytes()).unwrap_or_default();
        let words = words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
        Self { text: arg.to_owned(), words }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(args: &[&str], file: Option<&str>, reads_stdin: bool, options: &[&[&str]]) {
        let arguments = Arguments::new(args.iter().map(|arg| (*arg).to_owned()));
        assert_eq!(arguments.file, file.map(PathBuf::from), "{args:?}");
        assert_eq!(arguments.reads_stdin, reads_stdin, "{args:?}");
        let words: Vec<_> = arguments.options.iter().map(|option| &option.words).collect();
        assert_eq!(words, options.to_vec(), "{args:?}");
    }

    #[test]
    fn arguments_are_taken_apart_as_redis_server_does() {
        check(&[], None, false, &[]);
        check(&["a.conf"], Some("a.conf"), false, &[]);
        check(&["-"], None, true, &[]);
        check(&["a.conf", "--port", "1", "-"], Some("a.conf"), true, &[&["port", "1"]]);
        check(&["--save", "", "--port", "1"], None, false, &[&["save", ""], &["port", "1"]]);
        check(&["--save", "--port", "1"], None, false, &[&["save", ""], &["port", "1"]]);
        check(&["--port", "1", "--save"], None, false, &[&["port", "1"], &["save", ""]]);
        check(
            &["--save", "900", "1", "--port", "1"],
            None,
            false,
            &[&["save", "900", "1"], &["port", "1"]],
        );
        check(&["--bind", "::1", "-::2"], None, false, &[&["bind", "::1", "-::2"]]);
        check(&["--port 1", "--timeout", "2"], None, false, &[&["port", "1"], &["timeout", "2"]]);
        check(&["--requirepass", "--x"], None, false, &[&["requirepass", "--x"]]);
        check(&["--port"], None, false, &[&["port"]]);
        check(&["-x", "1"], None, false, &[&["-x", "1"]]);
        check(&["a.conf", "b.conf"], Some("a.conf"), false, &[&["b.conf"]]);
    }

    #[test]
    fn help_and_version_come_first() {
        let request = |arg: &str| Arguments::new([arg.to_owned()]).request;
        assert_eq!(request("--help"), Some(Request::Help));
        assert_eq!(request("-v"), Some(Request::Version));
        assert_eq!(request("--port"), None);
        assert_eq!(request("--check-rdb"), Some(Request::CheckSnapshot(None)));
        let args = ["--check-rdb", "dump.rdb"].map(str::to_owned);
        let expected = Request::CheckSnapshot(Some(PathBuf::from("dump.rdb")));
        assert_eq!(Arguments::new(args).request, Some(expected));
    }
}
