//! Client libraries: what their high-level calls give back, in both protocols.
//!
//! The same cases are played to the real redis-server, as far as it is new enough for them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod redis_crate;
#[path = "../support/mod.rs"]
mod support;

use std::process::Command;
use support::peer::{self, RealRedis};
use support::program::Program;

/// Runs redis-py's cases; gives how many of them were left out since the server is too old.
fn redis_py(port: u16, protocol: &str, extent: &str) -> usize {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/redis_py");
    let output = Command::new("python3")
        .args(["-B", script, &port.to_string(), protocol, extent])
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "RESP{protocol}: {printed}{errors}");
    let counts: Vec<usize> =
        printed.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [held, 0, left_out] = counts[..] else { panic!("{printed}") };
    assert!(held > 50, "{printed}");
    left_out
}

fn has_redis_py() -> bool {
    // Older ones lack calls for fields that expire.
    peer::has("python3", &["-c", "import redis; assert int(redis.__version__.split('.')[0]) >= 6"])
}

#[test]
fn redis_py_is_served() {
    if !has_redis_py() {
        return;
    }
    let program = Program::on_a_free_port();
    for protocol in ["2", "3"] {
        assert_eq!(redis_py(program.address.port(), protocol, "all"), 0);
    }
    assert!(program.stop().status.success());
}

#[test]
fn what_redis_py_is_to_be_given_is_what_the_real_server_gives() {
    if !has_redis_py() {
        return;
    }
    let Some(real) = RealRedis::start(&[]) else { return };
    for protocol in ["2", "3"] {
        redis_py(real.address().port(), protocol, "own");
    }
}

#[test]
fn the_redis_crate_is_served() -> redis::RedisResult<()> {
    let program = Program::on_a_free_port();
    for protocol in ["resp2", "resp3"] {
        assert_eq!(redis_crate::run(program.address, protocol, redis_crate::Extent::All)?, 0);
    }
    assert!(program.stop().status.success());
    Ok(())
}

#[test]
fn what_the_redis_crate_is_to_be_given_is_what_the_real_server_gives() -> redis::RedisResult<()> {
    let Some(real) = RealRedis::start(&[]) else { return Ok(()) };
    for protocol in ["resp2", "resp3"] {
        redis_crate::run(real.address(), protocol, redis_crate::Extent::Own)?;
    }
    Ok(())
}

/// Runs a job queue's script: so many jobs by a worker of its own.
fn run_queue(script: &str, module: &str, count: usize) {
    if !peer::has("python3", &["-c", &format!("import {module}")]) {
        return;
    }
    let program = Program::on_a_free_port();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/queues");
    let output = Command::new("python3")
        .args(["-B", script, &program.port(), &count.to_string()])
        .current_dir(folder)
        .output()
        .unwrap();
    let (printed, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{printed}{errors}");
    assert!(printed.starts_with(&count.to_string()), "{printed}");
    assert!(program.stop().status.success());
}

#[test]
fn rq_runs_a_thousand_jobs() {
    run_queue("run_rq.py", "rq", 1000);
}

#[test]
fn celery_runs_a_thousand_tasks() {
    run_queue("run_celery.py", "celery", 1000);
}
