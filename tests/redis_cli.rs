//! redis-cli takes its help and its hints from our table.

mod support;

use redist::Server;
use std::io::Write;
use std::process::{Command, Stdio};
use support::peer;

/// What redis-cli prints for lines typed into it.
fn typed(server: &Server, options: &[&str], lines: &str) -> String {
    let mut cli = Command::new("redis-cli")
        .args(["-p", &server.addr().port().to_string()])
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("redis-cli starts");
    let mut input = cli.stdin.take().expect("it was piped");
    input.write_all(lines.as_bytes()).expect("redis-cli reads");
    drop(input);
    let output = cli.wait_with_output().expect("redis-cli ends");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn redis_cli_shows_help_from_the_table() {
    if !peer::has("redis-cli", &["--version"]) {
        return;
    }
    let server = Server::builder().port(0).start().expect("a server starts");
    for options in [["-2"], ["-3"]] {
        let page = typed(&server, &options, "help command list\nhelp get\nhelp @server\n");
        // The summaries are those of 7.2, so they do not come from an older redis-cli itself.
        for expected in [
            "[FILTERBY MODULE module-name|ACLCAT category|PATTERN pattern]",
            "Returns a list of command names.",
            "Returns the string value of a key.",
            "COMMAND GETKEYSANDFLAGS",
        ] {
            assert!(page.contains(expected), "{options:?}: no {expected} in:\n{page}");
        }
    }
}
