//! Reads the sources and holds what the crate documentation says of the house: imports go down only,
//! commands and values do no I/O, and the rules of style that a program can check.
//!
//! Test modules are left out: what a unit test imports or unwraps is its own affair.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The rooms from the street to the cellar. A room may import those of later lines, not of its own.
const FLOORS: &[&[&str]] = &[
    &["main"],
    &["program"],
    &["server"],
    &["session"],
    &["execute"],
    &["command"],
    &["instance"],
    &["script"],
    &["persist"],
    &["keyspace"],
    &["value"],
    &["config"],
    &["protocol"],
    &["error", "limits", "clock", "glob", "counted", "pages", "hashing"],
];

/// What only a thread, a socket, a file, a lock or a clock is good for.
const OUTSIDE_WORLD: &[&str] = &[
    "std::net",
    "std::fs",
    "std::thread",
    "std::sync",
    "std::process",
    "std::env",
    "SystemTime",
    "Instant::now",
];

const LINES_MAX: usize = 900;

/// One source file.
struct Source {
    /// Relative to `src`, with `/` on every system.
    path: String,
    text: String,
    /// The text without comments, contents of strings, and test modules; line numbers are kept.
    code: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        let code = without_tests(&without_comments_and_strings(text));
        Self { path: path.to_owned(), text: text.to_owned(), code }
    }

    fn all() -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files = Vec::new();
        collect(&root, &mut files);
        assert!(files.len() > 20, "the sources are where they are looked for");
        files
            .iter()
            .map(|file| {
                let path = file.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
                Self::new(&path, &std::fs::read_to_string(file).unwrap())
            })
            .collect()
    }

    /// The room that it belongs to: the first part of its path.
    fn room(&self) -> &str {
        self.path.split(['/', '.']).next().unwrap_or_default()
    }

    /// Its modules below the crate: `command/string.rs` is `[command, string]`.
    fn modules(&self) -> Vec<&str> {
        let path = self.path.trim_end_matches(".rs").trim_end_matches("/mod");
        path.split('/').filter(|name| !["lib", "main"].contains(name)).collect()
    }

    /// Where a word or path stands in the code, as line numbers.
    fn lines_with(&self, wanted: &str) -> Vec<usize> {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let found = |line: &str| {
            line.match_indices(wanted).any(|(at, _)| {
                !line[..at].ends_with(is_word) && !line[at + wanted.len()..].starts_with(is_word)
            })
        };
        self.code
            .lines()
            .zip(1..)
            .filter(|(line, _)| found(line))
            .map(|(_, number)| number)
            .collect()
    }

    /// Every path that starts with this root, one segment deep, groups taken apart:
    /// `std::{fs, sync::Arc}` gives `std::fs` and `std::sync`.
    fn paths(&self, root: &str) -> Vec<(usize, String)> {
        let mut paths = Vec::new();
        for (at, _) in self.code.match_indices(&format!("{root}::")) {
            if self.code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let line = 1 + self.code[..at].matches('\n').count();
            let rest = &self.code[at + root.len() + 2..];
            let segments = match rest.strip_prefix('{') {
                Some(group) => group_heads(group),
                None => vec![head(rest)],
            };
            paths.extend(segments.into_iter().map(|name| (line, format!("{root}::{name}"))));
        }
        paths
    }

    /// Names of the crate's top level that it uses, through `crate::` or `super::`.
    fn uses(&self) -> Vec<(usize, String)> {
        let mut uses = self.paths("crate");
        let depth = self.modules().len();
        if depth > 0 {
            // As many `super`s as it is deep lead to the top level.
            uses.extend(self.paths(&vec!["super"; depth].join("::")));
        }
        uses.retain(|(_, path)| !path.ends_with("::super"));
        uses.into_iter()
            .map(|(line, path)| (line, path.rsplit("::").next().unwrap_or_default().to_owned()))
            .collect()
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn head(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The first segments in `a, b::c, d::{e, f}}`.
fn group_heads(group: &str) -> Vec<String> {
    let (mut heads, mut depth, mut expected) = (Vec::new(), 0, true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => expected = true,
            c if expected && !c.is_whitespace() => {
                heads.push(head(&group[at..]));
                expected = false;
            }
            _ => {}
        }
    }
    heads
}

/// Blanks comments and what is inside of quotes; everything else stays where it is.
fn without_comments_and_strings(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let at = |index: usize| chars.get(index).copied().unwrap_or('\0');
    let mut code = String::with_capacity(text.len());
    let mut index = 0;
    while index < chars.len() {
        let (here, next) = (at(index), at(index + 1));
        let is_raw = here == 'r'
            && (next == '"' || next == '#' && matches!(at(index + 2), '"' | '#'))
            && !(index > 0 && (at(index - 1).is_alphanumeric() && at(index - 1) != 'b'));
        let end = if here == '/' && next == '/' {
            (index..).find(|index| matches!(at(*index), '\n' | '\0')).unwrap_or(index)
        } else if here == '/' && next == '*' {
            end_of_block_comment(&chars, index)
        } else if is_raw {
            let hashes = (index + 1..).take_while(|index| at(*index) == '#').count();
            let closes = |end: &usize| {
                *end >= chars.len()
                    || at(*end) == '"' && (1..=hashes).all(|step| at(*end + step) == '#')
            };
            (index + hashes + 2..).find(closes).unwrap_or(index) + hashes + 1
        } else if here == '"' {
            end_of_quotes(&chars, index, '"')
        } else if here == '\'' && (next == '\\' || at(index + 2) == '\'') {
            end_of_quotes(&chars, index, '\'')
        } else {
            code.push(here);
            index += 1;
            continue;
        };
        let end = end.min(chars.len());
        code.extend(chars[index..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
        index = end;
    }
    code
}

fn end_of_block_comment(chars: &[char], start: usize) -> usize {
    let (mut depth, mut index) = (0, start);
    while index + 1 < chars.len() {
        match (chars[index], chars[index + 1]) {
            ('/', '*') => depth += 1,
            ('*', '/') => depth -= 1,
            _ => {
                index += 1;
                continue;
            }
        }
        index += 2;
        if depth == 0 {
            return index;
        }
    }
    chars.len()
}

fn end_of_quotes(chars: &[char], start: usize, quote: char) -> usize {
    let mut index = start + 1;
    while index < chars.len() && chars[index] != quote {
        index += if chars[index] == '\\' { 2 } else { 1 };
    }
    index + 1
}

/// Blanks every item behind `#[cfg(test)]`.
fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut out = String::new();
    let mut rest = code;
    while let Some(start) = rest.find(MARK) {
        let mut depth = 0;
        let ends = |c: char| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            depth == 0 && matches!(c, '}' | ';')
        };
        let body = &rest[start + MARK.len()..];
        let length = body.find(ends).map_or(body.len(), |end| end + 1);
        out.push_str(&rest[..start]);
        out.extend(body[..length].chars().filter(|c| *c == '\n'));
        rest = &body[length..];
    }
    out + rest
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// The room behind a name of the crate's top level: what `lib.rs` re-exports lives elsewhere, what
/// it defines itself lies below everything.
fn resolve<'a>(name: &'a str, lib: &'a Source) -> Option<&'a str> {
    if name.starts_with(|c: char| c.is_lowercase()) {
        return Some(name);
    }
    let line = lib.code.lines().find(|line| {
        line.starts_with("pub use")
            && line.split(|c: char| !c.is_alphanumeric()).any(|word| word == name)
    })?;
    line.strip_prefix("pub use ")?.split("::").next()
}

type Rule = fn(&Source) -> Vec<String>;
/// A rule, a path, a text, and the lines of it that break the rule.
type Case<'a> = (&'a dyn Fn(&Source) -> Vec<String>, &'a str, &'a str, &'a [usize]);

fn at(source: &Source, line: usize, what: &str) -> String {
    format!("src/{}:{line}: {what}", source.path)
}

fn imports_go_down(source: &Source, lib: &Source) -> Vec<String> {
    if source.path == "lib.rs" {
        return Vec::new();
    }
    let room = source.room();
    let Some(own) = floor(room) else {
        return vec![at(source, 1, "a room that has no floor in tests/layers.rs")];
    };
    let mut broken = Vec::new();
    for (line, name) in source.uses() {
        let Some(used) = resolve(&name, lib).filter(|used| *used != room) else { continue };
        if floor(used).is_none_or(|floor| floor <= own) {
            broken.push(at(source, line, &format!("{room} may not import {used}")));
        }
    }
    broken
}

fn commands_and_values_are_pure(source: &Source) -> Vec<String> {
    if !["command", "value"].contains(&source.room()) {
        return Vec::new();
    }
    let std_paths = source.paths("std");
    let words = OUTSIDE_WORLD.iter().filter(|name| !name.starts_with("std::")).flat_map(|name| {
        source.lines_with(name).into_iter().map(move |line| (line, (*name).to_owned()))
    });
    std_paths
        .into_iter()
        .filter(|(_, path)| OUTSIDE_WORLD.contains(&path.as_str()))
        .chain(words)
        .map(|(line, name)| at(source, line, &format!("{} names {name}", source.room())))
        .collect()
}

/// A rule that certain files alone may use a word.
fn only_in(source: &Source, word: &str, allowed: &[&str]) -> Vec<String> {
    if allowed.iter().any(|place| source.path.starts_with(place)) {
        return Vec::new();
    }
    let line = |line| at(source, line, &format!("`{word}` belongs in {allowed:?} alone"));
    source.lines_with(word).into_iter().map(line).collect()
}

fn the_wall_clock_is_read_in_one_place(source: &Source) -> Vec<String> {
    only_in(source, "SystemTime", &["clock.rs"])
}

fn anyhow_is_for_the_program(source: &Source) -> Vec<String> {
    only_in(source, "anyhow", &["main.rs"])
}

fn encoding_alone_tells_the_protocols_apart(source: &Source) -> Vec<String> {
    // HELLO chooses the protocol and does not look at it otherwise.
    only_in(source, "Resp3", &["protocol/", "command/connection.rs"])
}

fn nothing_is_unsafe_or_unfinished(source: &Source) -> Vec<String> {
    ["unsafe", "todo!", "unimplemented!", "dbg!"]
        .iter()
        .flat_map(|word| {
            source.lines_with(word.trim_end_matches('!')).into_iter().map(move |line| (line, word))
        })
        .filter(|(line, word)| {
            source.code.lines().nth(line - 1).is_some_and(|text| text.contains(**word))
        })
        .map(|(line, word)| at(source, line, &format!("`{word}`")))
        .collect()
}

fn nothing_is_unwrapped(source: &Source) -> Vec<String> {
    let lines = source.code.lines().zip(1..).filter(|(line, _)| line.contains(".unwrap()"));
    lines
        .map(|(_, line)| at(source, line, "`unwrap()`: say why it cannot fail, or return it"))
        .collect()
}

fn every_file_opens_with_what_it_guarantees(source: &Source) -> Vec<String> {
    let first = source.text.lines().next().unwrap_or_default();
    if first.starts_with("//! ") && first.len() > "//! ".len() {
        return Vec::new();
    }
    vec![at(source, 1, "a file opens with `//!` and a sentence")]
}

fn no_file_is_too_long(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    if lines <= LINES_MAX {
        return Vec::new();
    }
    vec![at(source, lines, &format!("more than {LINES_MAX} lines: split it by noun"))]
}

fn hold(rule: impl Fn(&Source) -> Vec<String>) {
    let mut text = String::new();
    for broken in Source::all().iter().flat_map(rule) {
        writeln!(text, "{broken}").unwrap();
    }
    assert!(text.is_empty(), "\n{text}");
}

#[test]
fn rooms_import_only_what_lies_below_them() {
    let lib = lib();
    hold(|source| imports_go_down(source, &lib));
}

#[test]
fn commands_and_values_touch_nothing_outside() {
    hold(commands_and_values_are_pure);
}

#[test]
fn every_file_keeps_the_rules() {
    const RULES: &[Rule] = &[
        the_wall_clock_is_read_in_one_place,
        anyhow_is_for_the_program,
        encoding_alone_tells_the_protocols_apart,
        nothing_is_unsafe_or_unfinished,
        nothing_is_unwrapped,
        every_file_opens_with_what_it_guarantees,
        no_file_is_too_long,
    ];
    hold(|source| RULES.iter().flat_map(|rule| rule(source)).collect());
}

#[test]
fn unsafe_code_is_forbidden_and_every_dependency_has_its_reason() {
    let manifest = include_str!("../Cargo.toml");
    assert!(manifest.contains("unsafe_code = \"forbid\""));
    let mut section = "";
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        } else if section.ends_with("dependencies]") && line.contains('=') {
            let reason = line.split_once('#').map_or("", |(_, reason)| reason.trim());
            assert!(reason.len() > 10, "a dependency without a reason: {line}");
        }
    }
}

fn lib() -> Source {
    Source::all().into_iter().find(|source| source.path == "lib.rs").expect("a library")
}

#[test]
fn the_checks_see_what_is_wrong() {
    let lib = Source::new("lib.rs", "pub use clock::Clock;\npub use server::{Builder, Server};\n");
    let imports = |source: &Source| imports_go_down(source, &lib);
    let imports: &dyn Fn(&Source) -> Vec<String> = &imports;
    let cases: &[Case<'_>] = &[
        (imports, "value/mod.rs", "use crate::error::X;\nuse crate::command::Spec;", &[2]),
        (imports, "value/mod.rs", "use crate::{limits, keyspace::Key, command};", &[1, 1]),
        (imports, "value/string.rs", "use super::super::server::Pool;\nuse super::Value;", &[1]),
        (imports, "execute.rs", "use super::session;", &[1]),
        (imports, "protocol/encode.rs", "fn f(server: &crate::Server) {}", &[1]),
        (imports, "protocol/encode.rs", "use crate::Clock; const V: &str = crate::VERSION;", &[]),
        (imports, "error.rs", "use crate::limits;", &[1]),
        (imports, "attic.rs", "", &[1]),
        (imports, "value/mod.rs", "//! [`crate::server`]\nconst X: &str = \"crate::server\";", &[]),
        (
            imports,
            "value/mod.rs",
            "\n#[cfg(test)]\nmod tests { use crate::server; }\nuse crate::server;",
            &[4],
        ),
        (&commands_and_values_are_pure, "command/x.rs", "use std::sync::Arc;", &[1]),
        (
            &commands_and_values_are_pure,
            "command/x.rs",
            "use std::{fmt,\n fs::File, net};",
            &[1, 1],
        ),
        (&commands_and_values_are_pure, "value/x.rs", "\nlet t = std::time::Instant::now();", &[2]),
        (
            &commands_and_values_are_pure,
            "value/x.rs",
            "use std::collections::HashMap; // std::sync",
            &[],
        ),
        (&commands_and_values_are_pure, "session/x.rs", "use std::net::TcpStream;", &[]),
        (&the_wall_clock_is_read_in_one_place, "server/x.rs", "use std::time::SystemTime;", &[1]),
        (&anyhow_is_for_the_program, "server/x.rs", "fn f() -> anyhow::Result<()> {}", &[1]),
        (&anyhow_is_for_the_program, "main.rs", "fn f() -> anyhow::Result<()> {}", &[]),
        (
            &encoding_alone_tells_the_protocols_apart,
            "command/x.rs",
            "if p == Protocol::Resp3 {}",
            &[1],
        ),
        (&nothing_is_unsafe_or_unfinished, "x.rs", "\nunsafe { f() }\ntodo!()", &[2, 3]),
        (&nothing_is_unsafe_or_unfinished, "x.rs", "// unsafe\nlet unsafe_code = \"unsafe\";", &[]),
        (&nothing_is_unwrapped, "x.rs", "let a = b.unwrap();\nlet c = d.unwrap_or(1);", &[1]),
        (&nothing_is_unwrapped, "x.rs", "#[cfg(test)]\nfn f() { a.unwrap(); }\nb.unwrap();", &[3]),
        (&nothing_is_unwrapped, "x.rs", "let q = '\"'; a.unwrap(); let q = '\"';", &[1]),
        (
            &nothing_is_unwrapped,
            "x.rs",
            "let q = r#\"a\"\"#; a.unwrap(); let l: &'a str = \".unwrap()\";",
            &[1],
        ),
        (
            &nothing_is_unwrapped,
            "x.rs",
            "/* a /* b */ .unwrap() */ let e = \"\\\"\"; a.unwrap();",
            &[1],
        ),
        (&every_file_opens_with_what_it_guarantees, "x.rs", "use std::fmt;\n//! Late.", &[1]),
        (&every_file_opens_with_what_it_guarantees, "x.rs", "//!\nuse std::fmt;", &[1]),
        (&every_file_opens_with_what_it_guarantees, "x.rs", "//! It adds numbers.", &[]),
    ];
    for (rule, path, text, lines) in cases {
        let expected: Vec<String> = lines.iter().map(|line| format!("src/{path}:{line}")).collect();
        let found: Vec<String> = rule(&Source::new(path, text))
            .iter()
            .map(|broken| broken.splitn(3, ':').take(2).collect::<Vec<_>>().join(":"))
            .collect();
        assert_eq!(found, expected, "{path}: {text}");
    }
    let long = "//! Long.\n".repeat(LINES_MAX);
    assert!(no_file_is_too_long(&Source::new("x.rs", &long)).is_empty());
    assert_eq!(no_file_is_too_long(&Source::new("x.rs", &(long + "x\n"))).len(), 1);
}
