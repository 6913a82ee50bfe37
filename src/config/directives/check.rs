//! What the directives that take several words, or letters with a meaning, accept.

use super::super::event_classes::EventClasses;
use super::super::value::{self, ValueError, parse_memory};
use crate::protocol::number::{parse_double, parse_integer};

type Checked = Result<Vec<String>, ValueError>;

/// A single empty word stands for no words at all.
fn none_if_empty(words: Vec<String>) -> Vec<String> {
    if words == [""] { Vec::new() } else { words }
}

fn number(word: &str) -> Option<i64> {
    parse_integer(word.as_bytes())
}

/// The most addresses that Redis binds to.
const ADDRESSES_MAX: usize = 16;

/// The addresses behind `bind`.
pub fn addresses(words: Vec<String>) -> Checked {
    if words.len() > ADDRESSES_MAX {
        return Err(ValueError::new("Too many bind addresses specified."));
    }
    Ok(none_if_empty(words))
}

/// Pairs of seconds and changes behind `save`.
pub fn save_points(words: Vec<String>) -> Checked {
    let words = none_if_empty(words);
    let valid = words.len().is_multiple_of(2)
        && words.chunks(2).all(|pair| {
            number(&pair[0]).is_some_and(|seconds| seconds >= 1)
                && number(&pair[1]).is_some_and(|changes| changes >= 0)
        });
    if valid { Ok(words) } else { Err(ValueError::new("Invalid save parameters")) }
}

/// Host and port behind `replicaof`, or `no one`.
pub fn primary(words: Vec<String>) -> Checked {
    let words = none_if_empty(words);
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Ok(words),
        [host, port] if host.eq_ignore_ascii_case("no") && port.eq_ignore_ascii_case("one") => {
            Ok(Vec::new())
        }
        [_, port] if number(port).is_some_and(|port| (0..=65535).contains(&port)) => Ok(words),
        [_, _] => Err(ValueError::new("Invalid master port")),
        _ => Err(ValueError::new("wrong number of arguments")),
    }
}

/// Groups of class, hard limit, soft limit and seconds behind `client-output-buffer-limit`.
pub fn buffer_limits(words: Vec<String>) -> Checked {
    let words = none_if_empty(words);
    if !words.len().is_multiple_of(4) {
        return Err(ValueError::new("Wrong number of arguments in buffer limit configuration."));
    }
    let mut checked = Vec::new();
    for group in words.chunks(4) {
        let class = match group[0].to_ascii_lowercase().as_str() {
            "replica" => "slave".to_owned(),
            class @ ("normal" | "slave" | "pubsub") => class.to_owned(),
            _ => {
                return Err(ValueError::new(
                    "Invalid client class specified in buffer limit configuration.",
                ));
            }
        };
        let limits = (parse_memory(&group[1]), parse_memory(&group[2]), number(&group[3]));
        let (Some(hard), Some(soft), Some(seconds @ 0..)) = limits else {
            return Err(ValueError::new(
                "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
            ));
        };
        checked.extend([class, hard.to_string(), soft.to_string(), seconds.to_string()]);
    }
    Ok(checked)
}

/// Three numbers behind `oom-score-adj-values`.
pub fn oom_score_adj_values(words: Vec<String>) -> Checked {
    if words.len() != 3 {
        return Err(ValueError::new("wrong number of arguments"));
    }
    let valid = words.iter().all(|word| number(word).is_some_and(|n| (-2000..=2000).contains(&n)));
    if valid {
        Ok(words)
    } else {
        Err(ValueError::new(
            "Invalid oom-score-adj-values, elements must be between -2000 and 2000.",
        ))
    }
}

/// Percentiles between 0 and 100.
pub fn percentiles(words: Vec<String>) -> Checked {
    let words = none_if_empty(words);
    for word in &words {
        match parse_double(word.as_bytes()) {
            Some(percentile) if (0.0..=100.0).contains(&percentile) => {}
            Some(_) => {
                return Err(ValueError::new(
                    "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
                ));
            }
            None => {
                return Err(ValueError::new(
                    "Invalid latency-tracking-info-percentiles parameters",
                ));
            }
        }
    }
    Ok(words)
}

/// Options of SHUTDOWN behind `shutdown-on-sigint`.
pub fn shutdown_options(words: Vec<String>) -> Checked {
    const NAMES: &[&str] = &["default", "save", "nosave", "now", "force"];
    words.iter().map(|word| value::choice(word, NAMES).map(str::to_owned)).collect()
}

/// Where syslog would file lines.
pub const SYSLOG_FACILITIES: &[&str] =
    &["user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"];

/// A name of a file without its folder.
pub fn file_name(name: &str) -> Result<(), ValueError> {
    if name.contains(['/', '\\']) {
        return Err(ValueError::new("dbfilename can't be a path, just a filename"));
    }
    Ok(())
}

/// The letters behind `notify-keyspace-events`.
pub fn event_classes(letters: &str) -> Result<(), ValueError> {
    EventClasses::parse(letters).map(|_| ())
}
