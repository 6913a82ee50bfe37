//! Hashes, and fields that expire.

use super::{Case, WRONG_TYPE, error, sorted};
use redis::{
    Connection, ExpireOption, Expiry, FieldExistenceCheck, HashFieldExpirationOptions,
    IntegerReplyOrNoOp, RedisResult, SetExpiry, TypedCommands,
};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

pub const CASES: &[Case] = &[
    ((7, 0), fields_are_set_and_read),
    ((7, 0), fields_count),
    ((7, 0), every_field_is_scanned),
    ((7, 4), fields_get_deadlines),
    ((7, 4), fields_expire),
    ((8, 0), fields_are_read_and_changed_at_once),
    ((8, 0), fields_are_set_with_a_deadline),
];

fn raw(replies: Vec<IntegerReplyOrNoOp>) -> Vec<isize> {
    replies.iter().map(IntegerReplyOrNoOp::raw).collect()
}

fn fields_are_set_and_read(server: &mut Connection) -> RedisResult<()> {
    assert_eq!(server.hset("h", "a", 1)?, 1);
    assert_eq!(server.hset("h", "a", 2)?, 0);
    server.hset_multiple("h", &[("b", 3), ("c", 4)])?;
    assert_eq!(server.hget("h", "a")?.as_deref(), Some("2"));
    assert_eq!(server.hget("h", "x")?, None);
    let values: Vec<Option<i64>> = redis::Commands::hmget(server, "h", &["a", "x", "c"])?;
    assert_eq!(values, [Some(2), None, Some(4)]);
    let all: BTreeMap<String, i64> = redis::Commands::hgetall(server, "h")?;
    let expected = [("a", 2), ("b", 3), ("c", 4)].map(|(field, value)| (field.to_owned(), value));
    assert_eq!(all, BTreeMap::from(expected));
    assert_eq!(server.hgetall("missing")?, HashMap::new());
    assert_eq!(sorted(server.hkeys("h")?), ["a", "b", "c"]);
    assert_eq!(sorted(server.hvals("h")?), ["2", "3", "4"]);
    assert_eq!(server.hlen("h")?, 3);
    assert!(server.hexists("h", "a")?);
    assert!(!server.hset_nx("h", "a", 9)?);
    assert_eq!(server.hdel("h", &["a", "b", "x"])?, 2);
    assert!(!server.hexists("h", "a")?);
    server.set("k", "v")?;
    assert_eq!(error(server.hgetall("k")), WRONG_TYPE);
    Ok(())
}

fn fields_count(server: &mut Connection) -> RedisResult<()> {
    assert_eq!(server.hincr("h", "n", 5)?, 5.0);
    assert_eq!(server.hincr("h", "n", -2.75)?, 2.25);
    assert_eq!(server.hget("h", "n")?.as_deref(), Some("2.25"));
    assert_eq!(error(server.hincr("h", "n", 1)), "ERR hash value is not an integer");
    Ok(())
}

fn every_field_is_scanned(server: &mut Connection) -> RedisResult<()> {
    for count in [10, 1000] {
        let fields: Vec<(String, i32)> =
            (0..count).map(|number| (format!("f{number}"), number)).collect();
        server.hset_multiple("h", &fields)?;
        let scanned: Vec<(String, i32)> =
            redis::Commands::hscan(server, "h")?.collect::<RedisResult<_>>()?;
        assert_eq!(sorted(scanned), sorted(fields));
        let sevens: Vec<(String, i32)> =
            redis::Commands::hscan_match(server, "h", "*7")?.collect::<RedisResult<_>>()?;
        assert_eq!(sevens.len(), count as usize / 10);
    }
    Ok(())
}

fn fields_get_deadlines(server: &mut Connection) -> RedisResult<()> {
    use ExpireOption::{GT, LT, NONE, NX, XX};
    server.hset_multiple("h", &[("a", 1), ("b", 2)])?;
    assert_eq!(raw(server.hexpire("h", 100, NONE, &["a", "x"])?), [1, -2]);
    assert_eq!(raw(server.hexpire("h", 200, NX, &["a", "b"])?), [0, 1]);
    assert_eq!(raw(server.hexpire("h", 150, XX, &["a", "b"])?), [1, 1]);
    assert_eq!(raw(server.hpexpire("h", 160_000, GT, &["a"])?), [1]);
    assert_eq!(raw(server.hpexpire("h", 155_000, LT, &["a", "b"])?), [1, 0]);
    let seconds = raw(server.httl("h", &["a", "b", "x"])?);
    assert!((150..=155).contains(&seconds[0]) && seconds[1] <= 150, "{seconds:?}");
    assert!(raw(server.hpttl("h", "a")?)[0] > 100_000);
    assert_eq!(raw(server.hpersist("h", &["a", "x"])?), [1, -2]);
    assert_eq!(raw(server.httl("h", &["a", "x"])?), [-1, -2]);
    const LATER: i64 = 4_000_000_000;
    assert_eq!(raw(server.hexpire_at("h", LATER, NONE, &["a"])?), [1]);
    assert_eq!(raw(server.hpexpire_at("h", LATER * 1000 + 1, NONE, &["b"])?), [1]);
    let rounded_up = [LATER as isize, LATER as isize + 1];
    assert_eq!(raw(server.hexpire_time("h", &["a", "b"])?), rounded_up);
    assert_eq!(raw(server.hpexpire_time("h", &["b"])?), [LATER as isize * 1000 + 1]);
    assert_eq!(raw(server.hexpire_at("h", 1, NONE, &["a", "b"])?), [2, 2]);
    assert!(!server.exists("h")?);
    Ok(())
}

fn fields_expire(server: &mut Connection) -> RedisResult<()> {
    server.hset_multiple("h", &[("goes", 1), ("stays", 2)])?;
    assert_eq!(raw(server.hpexpire("h", 1, ExpireOption::NONE, &["goes"])?), [1]);
    std::thread::sleep(Duration::from_millis(5));
    assert_eq!(server.hget("h", "goes")?, None);
    assert_eq!(server.hkeys("h")?, ["stays"]);
    Ok(())
}

fn fields_are_read_and_changed_at_once(server: &mut Connection) -> RedisResult<()> {
    server.hset_multiple("h", &[("a", 1), ("b", 2)])?;
    assert_eq!(server.hget_ex("h", &["a"], Expiry::EX(100))?, ["1"]);
    assert!((1..=100).contains(&raw(server.httl("h", "a")?)[0]));
    assert_eq!(server.hget_ex("h", &["a", "b"], Expiry::PERSIST)?, ["1", "2"]);
    assert_eq!(raw(server.httl("h", "a")?), [-1]);
    let deleted = server.hget_del("h", &["a", "x", "b"])?;
    assert_eq!(deleted, [Some("1".to_owned()), None, Some("2".to_owned())]);
    assert!(!server.exists("h")?);
    Ok(())
}

fn fields_are_set_with_a_deadline(server: &mut Connection) -> RedisResult<()> {
    let options = HashFieldExpirationOptions::default;
    let timed = options().set_expiration(SetExpiry::EX(100));
    assert!(server.hset_ex("h", &timed, &[("a", 1), ("b", 2)])?);
    assert!((1..=100).contains(&raw(server.httl("h", "b")?)[0]));
    let only_new = options().set_existence_check(FieldExistenceCheck::FNX);
    assert!(!server.hset_ex("h", &only_new, &[("a", 3), ("c", 3)])?);
    let kept =
        options().set_existence_check(FieldExistenceCheck::FXX).set_expiration(SetExpiry::KEEPTTL);
    assert!(server.hset_ex("h", &kept, &[("a", 4)])?);
    assert_eq!(server.hget("h", "a")?.as_deref(), Some("4"));
    assert!((1..=100).contains(&raw(server.httl("h", "a")?)[0]));
    Ok(())
}
