//! The README's list of commands is made from the table. `REDIST_BLESS=1 cargo test --test readme`
//! writes it.

use redist::command::{self, Found, Group};
use std::path::Path;

const BEGIN: &str = "<!-- commands -->\n";
const END: &str = "<!-- /commands -->";
/// Width at which a line of the list is broken, as in the rest of the README.
const LINE_LEN_MAX: usize = 130;

#[test]
fn the_readme_lists_every_command() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = std::fs::read_to_string(&path).expect("the README can be read");
    let (before, rest) = text.split_once(BEGIN).expect("the README has a place for the list");
    let (listed, after) = rest.split_once(END).expect("the list has an end");
    let commands = list();
    if listed == commands {
        return;
    }
    assert!(
        std::env::var_os("REDIST_BLESS").is_some(),
        "the README's list of commands is old: REDIST_BLESS=1 cargo test --test readme writes it"
    );
    let new = format!("{before}{BEGIN}{commands}{END}{after}");
    std::fs::write(&path, new).expect("the README can be written");
}

fn list() -> String {
    Group::ALL.into_iter().map(group).collect()
}

/// One family as an item of a list, or nothing if none of its commands is there.
fn group(group: Group) -> String {
    let mut names: Vec<String> =
        command::commands().filter(|found| found.group == group).map(name).collect();
    if names.is_empty() {
        return String::new();
    }
    names.sort();
    let text = format!("- **{}** ({}): {}", group.name(), group.description(), names.join(", "));
    let mut lines = String::new();
    let mut length = 0;
    for word in text.split(' ') {
        let separator = match length {
            0 => "",
            _ if length + 1 + word.len() > LINE_LEN_MAX => "\n  ",
            _ => " ",
        };
        lines.push_str(separator);
        lines.push_str(word);
        length = if separator == "\n  " {
            2 + word.len()
        } else {
            length + separator.len() + word.len()
        };
    }
    lines.push('\n');
    lines
}

fn name(found: Found) -> String {
    let subcommands: Vec<&str> = command::subcommands(found).map(|found| found.spec.name).collect();
    match subcommands.is_empty() {
        true => found.spec.name.to_owned(),
        false => format!("{} ({})", found.spec.name, subcommands.join(" ")),
    }
}
