//! Plays every transcript to redist and to the real server, in RESP2 and RESP3.

mod support;

use support::peer;
use support::transcript::{Resp, Side, Transcript};

fn play(side: Side, resp: Resp) {
    let failures: Vec<String> =
        Transcript::all().iter().flat_map(|transcript| transcript.play(side, resp)).collect();
    assert!(failures.is_empty(), "{} replies differ:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn redist_answers_as_written_in_resp2() {
    if std::env::var_os("REDIST_BLESS").is_some() {
        Transcript::all().iter().for_each(Transcript::bless);
    }
    play(Side::Redist, Resp::Two);
}

#[test]
fn redist_answers_as_written_in_resp3() {
    play(Side::Redist, Resp::Three);
}

#[test]
fn the_real_server_answers_as_written_in_resp2() {
    if peer::has("redis-server", &["--version"]) {
        play(Side::Real, Resp::Two);
    }
}

#[test]
fn the_real_server_answers_as_written_in_resp3() {
    if peer::has("redis-server", &["--version"]) {
        play(Side::Real, Resp::Three);
    }
}
