//! Cases for the `redis` crate, by family. Each finds the databases empty.

mod collections;
mod hashes;
mod server;
mod sorted_sets;
mod strings;
mod together;

use redis::{Client, Connection, RedisResult};
use std::net::SocketAddr;

/// A case, and the version of Redis that it takes.
type Case = ((u32, u32), fn(&mut Connection) -> RedisResult<()>);

/// A case that takes several connections.
type Meeting = fn(&Client) -> RedisResult<()>;

/// Which cases have to hold.
#[derive(PartialEq, Eq)]
pub enum Extent {
    All,
    /// Those that are no newer than the server says it is.
    Own,
}

const FAMILIES: &[&[Case]] = &[
    strings::CASES,
    collections::CASES,
    hashes::CASES,
    sorted_sets::CASES,
    server::CASES,
    together::CASES,
];

/// Runs the cases; gives how many of them were left out.
pub fn run(address: SocketAddr, protocol: &str, extent: Extent) -> RedisResult<usize> {
    let client = Client::open(format!("redis://{address}/?protocol={protocol}"))?;
    let mut connection = client.get_connection()?;
    let info: redis::InfoDict = redis::cmd("INFO").query(&mut connection)?;
    let own = version(&info.get::<String>("redis_version").expect("INFO tells"));
    let mut left_out = 0;
    for (since, case) in FAMILIES.iter().copied().flatten() {
        if extent == Extent::Own && *since > own {
            left_out += 1;
            continue;
        }
        redis::cmd("FLUSHALL").exec(&mut connection)?;
        case(&mut connection)?;
    }
    for meeting in together::MEETINGS {
        redis::cmd("FLUSHALL").exec(&mut connection)?;
        meeting(&client)?;
    }
    Ok(left_out)
}

fn version(text: &str) -> (u32, u32) {
    let mut numbers = text.split('.').map(|number| number.parse().expect("a number"));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// What makes any collection comparable with one that is written down.
fn sorted<T: Ord>(elements: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut sorted: Vec<T> = elements.into_iter().collect();
    sorted.sort();
    sorted
}

/// The detail of the error that a call has to end with.
fn error<T: std::fmt::Debug>(result: RedisResult<T>) -> String {
    let error = result.expect_err("an error is to come");
    format!("{} {}", error.code().unwrap_or("-"), error.detail().unwrap_or("-"))
}

const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
