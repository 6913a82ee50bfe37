//! Strings, bitmaps, HyperLogLogs, and keys of any type.

use super::{Case, WRONG_TYPE, error, sorted};
use redis::{
    Connection, CopyOptions, ExistenceCheck, Expiry, IntegerReplyOrNoOp, RedisResult, ScanOptions,
    SetExpiry, SetOptions, TypedCommands, ValueType,
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub const CASES: &[Case] = &[
    ((7, 0), values_are_set_and_read),
    ((7, 0), values_are_set_with_conditions_and_deadlines),
    ((7, 0), numbers_are_counted),
    ((7, 0), texts_are_cut_and_joined),
    ((7, 0), bits_are_set_counted_and_combined),
    ((7, 0), integers_lie_inside_of_texts),
    ((7, 0), hyperloglogs_count_different_elements),
    ((7, 0), keys_are_found_renamed_and_copied),
    ((7, 0), keys_expire),
    ((7, 0), every_key_is_scanned),
    ((7, 0), pipelines_are_answered_in_order),
];

fn in_an_hour() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later").as_secs() + 3600
}

fn values_are_set_and_read(server: &mut Connection) -> RedisResult<()> {
    server.set("k", "v")?;
    assert_eq!(server.get("k")?.as_deref(), Some("v"));
    assert_eq!(server.get("missing")?, None);
    server.set_ex("timed", b"\0\xff\r\n", 100)?;
    let bytes: Vec<u8> = redis::Commands::get(server, "timed")?;
    assert_eq!(bytes, b"\0\xff\r\n");
    server.mset(&[("a", 1), ("b", 2)])?;
    let values: Vec<Option<i64>> = redis::Commands::mget(server, &["a", "b", "c"])?;
    assert_eq!(values, [Some(1), Some(2), None]);
    assert!(!server.mset_nx(&[("c", 3), ("a", 3)])?);
    assert!(server.mset_nx(&[("c", 3), ("d", 4)])?);
    assert_eq!(server.getset("k", "w")?.as_deref(), Some("v"));
    assert_eq!(server.get_del("k")?.as_deref(), Some("w"));
    assert_eq!(server.get_del("k")?, None);
    Ok(())
}

fn values_are_set_with_conditions_and_deadlines(server: &mut Connection) -> RedisResult<()> {
    let options = SetOptions::default;
    assert!(server.set_nx("k", "v")?);
    assert!(!server.set_nx("k", "other")?);
    let only_new = options().conditional_set(ExistenceCheck::NX);
    assert_eq!(server.set_options("k", "other", only_new)?, None);
    let only_old = options().conditional_set(ExistenceCheck::XX).get(true);
    assert_eq!(server.set_options("k", "w", only_old)?.as_deref(), Some("v"));
    let timed = options().with_expiration(SetExpiry::PX(100_000));
    assert_eq!(server.set_options("k", "w", timed)?.as_deref(), Some("OK"));
    assert!((1..=100).contains(&server.ttl("k")?.raw()));
    let kept = options().with_expiration(SetExpiry::KEEPTTL);
    server.set_options("k", "x", kept)?;
    assert!((1..=100_000).contains(&server.pttl("k")?.raw()));
    let later = in_an_hour();
    assert_eq!(server.get_ex("k", Expiry::EXAT(later))?.as_deref(), Some("x"));
    assert_eq!(server.expire_time("k")?.raw(), later as isize);
    assert_eq!(server.get_ex("k", Expiry::PERSIST)?.as_deref(), Some("x"));
    assert_eq!(server.ttl("k")?, IntegerReplyOrNoOp::ExistsButNotRelevant);
    server.pset_ex("k", "v", 1)?;
    std::thread::sleep(Duration::from_millis(5));
    assert_eq!(server.get("k")?, None);
    assert_eq!(error(server.set_ex("k", "v", 0)), "ERR invalid expire time in 'setex' command");
    Ok(())
}

fn numbers_are_counted(server: &mut Connection) -> RedisResult<()> {
    assert_eq!(server.incr("n", 42)?, 42);
    assert_eq!(server.decr("n", 2)?, 40);
    let half: f64 = redis::Commands::incr(server, "n", 0.5)?;
    assert_eq!(half, 40.5);
    assert_eq!(error(server.incr("n", 1)), "ERR value is not an integer or out of range");
    server.set("most", i64::MAX)?;
    assert_eq!(error(server.incr("most", 1)), "ERR increment or decrement would overflow");
    server.rpush("list", 1)?;
    assert_eq!(error(server.incr("list", 1)), WRONG_TYPE);
    Ok(())
}

fn texts_are_cut_and_joined(server: &mut Connection) -> RedisResult<()> {
    assert_eq!(server.append("k", "Hello World")?, 11);
    assert_eq!(server.getrange("k", -5, -1)?, "World");
    assert_eq!(server.getrange("k", 20, 30)?, "");
    assert_eq!(server.setrange("k", 6, "Redis")?, 11);
    assert_eq!(server.get("k")?.as_deref(), Some("Hello Redis"));
    assert_eq!(server.strlen("k")?, 11);
    assert_eq!(server.strlen("missing")?, 0);
    server.set("other", "Hi Redis")?;
    let mut common = redis::cmd("LCS");
    let common = common.arg("k").arg("other");
    assert_eq!(common.query::<String>(server)?, "H Redis");
    assert_eq!(common.arg("LEN").query::<usize>(server)?, 7);
    Ok(())
}

fn bits_are_set_counted_and_combined(server: &mut Connection) -> RedisResult<()> {
    assert!(!server.setbit("bits", 7, true)?);
    assert!(server.getbit("bits", 7)?);
    assert!(!server.getbit("bits", 1000)?);
    server.set("text", "foobar")?;
    assert_eq!(server.bitcount("text")?, 26);
    assert_eq!(server.bitcount_range("text", 1, 1)?, 6);
    server.mset(&[("a", "abc"), ("b", "ABC")])?;
    assert_eq!(server.bit_and("and", &["a", "b"])?, 3);
    assert_eq!(server.get("and")?.as_deref(), Some("ABC"));
    assert_eq!(server.bit_or("or", &["a", "b"])?, 3);
    assert_eq!(server.get("or")?.as_deref(), Some("abc"));
    assert_eq!(server.bit_xor("xor", &["a", "b"])?, 3);
    assert_eq!(server.get("xor")?.as_deref(), Some("   "));
    assert_eq!(server.bit_not("not", "a")?, 3);
    assert_eq!(server.bitcount("not")?, 24 - server.bitcount("a")?);
    Ok(())
}

fn integers_lie_inside_of_texts(server: &mut Connection) -> RedisResult<()> {
    let field = |words: &str| {
        let mut command = redis::cmd("BITFIELD");
        command.arg("f").arg(words.split(' ').collect::<Vec<_>>());
        command
    };
    let found: Vec<Option<i64>> =
        field("SET u8 0 255 GET i4 0 OVERFLOW FAIL INCRBY u8 0 1 OVERFLOW WRAP INCRBY u8 0 1")
            .query(server)?;
    assert_eq!(found, [Some(0), Some(-1), None, Some(0)]);
    Ok(())
}

fn hyperloglogs_count_different_elements(server: &mut Connection) -> RedisResult<()> {
    assert!(server.pfadd("a", &["1", "2", "3"])?);
    assert!(!server.pfadd("a", "3")?);
    assert!(server.pfadd("b", &["3", "4"])?);
    assert_eq!(server.pfcount("a")?, 3);
    assert_eq!(server.pfcount(&["a", "b"])?, 4);
    server.pfmerge("merged", &["a", "b"])?;
    assert_eq!(server.pfcount("merged")?, 4);
    Ok(())
}

fn keys_are_found_renamed_and_copied(server: &mut Connection) -> RedisResult<()> {
    server.set("a", 1)?;
    server.rpush("list", 1)?;
    assert!(server.exists("a")?);
    assert!(!server.exists("missing")?);
    assert_eq!(server.key_type("a")?, ValueType::String);
    assert_eq!(server.key_type("list")?, ValueType::List);
    assert_eq!(server.key_type("missing")?, ValueType::None);
    server.rename("a", "b")?;
    assert_eq!(error(server.rename("a", "c")), "ERR no such key");
    assert!(!server.rename_nx("b", "list")?);
    assert!(!server.copy("b", "list", CopyOptions::default())?);
    assert!(server.copy("b", "list", CopyOptions::default().replace(true))?);
    assert!(server.copy("b", "b", CopyOptions::default().db(5))?);
    assert_eq!(sorted(server.keys("*")?), ["b", "list"]);
    assert_eq!(server.unlink(&["b", "missing"])?, 1);
    assert_eq!(server.del(&["list", "b"])?, 1);
    Ok(())
}

fn keys_expire(server: &mut Connection) -> RedisResult<()> {
    server.set("k", "v")?;
    assert_eq!(server.ttl("missing")?, IntegerReplyOrNoOp::NotExists);
    assert!(!server.expire("missing", 10)?);
    assert!(server.expire("k", 100)?);
    assert!(server.pexpire("k", 90_000)?);
    assert!((1..=90).contains(&server.ttl("k")?.raw()));
    let later = in_an_hour();
    assert!(server.expire_at("k", later as i64)?);
    assert_eq!(server.expire_time("k")?.raw(), later as isize);
    assert!(server.pexpire_at("k", later as i64 * 1000 + 7)?);
    assert_eq!(server.pexpire_time("k")?.raw(), later as isize * 1000 + 7);
    assert!(server.persist("k")?);
    assert!(!server.persist("k")?);
    assert!(server.expire_at("k", 1)?);
    assert!(!server.exists("k")?);
    Ok(())
}

fn every_key_is_scanned(server: &mut Connection) -> RedisResult<()> {
    let mut pipe = redis::pipe();
    (0..1000).for_each(|number| {
        pipe.set(format!("many:{number}"), number).ignore();
    });
    pipe.rpush("list", 1).ignore().exec(server)?;
    let names = |found: redis::Iter<'_, String>| found.collect::<RedisResult<Vec<_>>>();
    let expected = sorted((0..1000).map(|number| format!("many:{number}")));
    assert_eq!(sorted(names(redis::Commands::scan_match(server, "many:*")?)?), expected);
    assert_eq!(names(redis::Commands::scan(server)?)?.len(), 1001);
    let lists = ScanOptions::default().with_type("list").with_count(50);
    assert_eq!(names(redis::Commands::scan_options(server, lists)?)?, ["list"]);
    Ok(())
}

fn pipelines_are_answered_in_order(server: &mut Connection) -> RedisResult<()> {
    let mut pipe = redis::pipe();
    for number in 0..1000 {
        pipe.set(format!("many:{number}"), number).ignore();
    }
    let (last, missing): (i64, Option<i64>) = pipe.get("many:999").get("missing").query(server)?;
    assert_eq!((last, missing), (999, None));
    let large = "x".repeat(5_000_000);
    server.set("large", &large)?;
    assert_eq!(server.get("large")?, Some(large));
    Ok(())
}
