//! What `--help` prints, from the table of directives.

use super::directives::{Directive, KNOWN, SECTIONS};
use super::value::Kind;
use crate::{REDIS_VERSION, REDIST_VERSION};

/// Column in which explanations start.
const COLUMN: usize = 40;
/// Lines are broken before this column.
const WIDTH: usize = 100;

const USAGE: &str = "\
Usage: redist [FILE] [--DIRECTIVE VALUE...]... [-]
       redist - < FILE                 reads the configuration from standard input
       redist --check-rdb FILE         says what is in a snapshot, and where it is broken
       redist --version, -v
       redist --help, -h

Examples:
       redist                          listens on 127.0.0.1:6379
       redist --port auto              on any free port, which the first line of output names
       redist /etc/redist.conf --loglevel verbose --requirepass s3cret
       REDIST_MAXCLIENTS=200 redist --port 7000

FILE has the syntax of redis.conf: a directive and its values on each line. REDIST_<DIRECTIVE> in
the environment, in capitals and with _ for -, wins over FILE, and an option wins over both.
";

/// The text of `--help`.
pub fn help() -> String {
    let mut text =
        format!("redist {REDIST_VERSION}, compatible with Redis {REDIS_VERSION}\n\n{USAGE}");
    for section in SECTIONS {
        text.push_str(&format!("\n{}:\n", section.title));
        section.directives.iter().for_each(|directive| describe(directive, &mut text));
    }
    text.push_str(
        "\nKnown by name and without effect yet; another value than holds anyway is a warning:\n",
    );
    let names = KNOWN.iter().map(|directive| directive.name).collect::<Vec<_>>().join(" ");
    wrap(&names, 2, WIDTH, &mut text);
    text
}

fn describe(directive: &Directive, text: &mut String) {
    let mut explanation = directive.help.to_owned();
    let value = match directive.kind {
        // Many names would push the explanation off the line.
        Kind::Choice(names) if names.len() > 4 => {
            explanation.push_str(&format!(": {}", names.join(", ")));
            "name".into()
        }
        kind => kind.placeholder(),
    };
    let option = format!("  --{} <{value}>", directive.name);
    text.push_str(&option);
    if option.len() + 1 < COLUMN {
        text.push_str(&" ".repeat(COLUMN - option.len()));
    } else {
        text.push('\n');
        text.push_str(&" ".repeat(COLUMN));
    }
    let default = if directive.default.is_empty() { "\"\"" } else { directive.default };
    let mut wrapped = String::new();
    wrap(&format!("{explanation} [{default}]"), COLUMN, WIDTH, &mut wrapped);
    text.push_str(wrapped.trim_start());
}

/// Appends words, broken into lines that are indented and end before a column.
fn wrap(words: &str, indent: usize, width: usize, text: &mut String) {
    let mut column = 0;
    for word in words.split(' ') {
        if column > 0 && column + 1 + word.len() < width {
            text.push(' ');
            column += 1 + word.len();
        } else {
            text.push_str(if column > 0 { "\n" } else { "" });
            text.push_str(&" ".repeat(indent));
            column = indent + word.len();
        }
        text.push_str(word);
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::all;

    #[test]
    fn every_directive_is_listed_and_no_line_is_long() {
        let help = help();
        for directive in all() {
            assert!(help.contains(directive.name), "{}", directive.name);
        }
        for line in help.lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }
}
