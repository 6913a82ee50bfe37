//! What takes more than one client or more than one command: transactions, waits, messages.

use super::{Case, Meeting, WRONG_TYPE, error};
use redis::{Client, Connection, Direction, PubSubCommands, RedisResult, TypedCommands};
use std::time::{Duration, Instant};

pub const CASES: &[Case] = &[
    ((7, 0), commands_are_queued_and_run_at_once),
    ((7, 0), what_is_there_is_popped_without_waiting),
    ((7, 0), who_waits_is_told_that_nothing_came),
    ((7, 0), values_are_dumped_and_restored),
];

pub const MEETINGS: &[Meeting] = &[
    a_transaction_is_run_again_if_a_watched_key_changed,
    who_waits_is_served_when_something_comes,
    messages_reach_who_listens,
];

fn commands_are_queued_and_run_at_once(server: &mut Connection) -> RedisResult<()> {
    let mut pipe = redis::pipe();
    pipe.atomic().set("n", 1).ignore().incr("n", 41).rpush("l", "a").lrange("l", 0, -1);
    let replies: (i64, usize, Vec<String>) = pipe.query(server)?;
    assert_eq!(replies, (42, 1, vec!["a".to_owned()]));
    let mut pipe = redis::pipe();
    pipe.atomic().incr("n", 1).cmd("GET");
    let refused = pipe.query::<()>(server).expect_err("a mistake stops it");
    assert!(refused.to_string().contains("wrong number of arguments"), "{refused}");
    assert_eq!(server.get("n")?.as_deref(), Some("42"));
    Ok(())
}

fn a_transaction_is_run_again_if_a_watched_key_changed(client: &Client) -> RedisResult<()> {
    let (mut mine, mut theirs) = (client.get_connection()?, client.get_connection()?);
    mine.set("balance", 10)?;
    let mut seen = Vec::new();
    let (left,): (i64,) = redis::transaction(&mut mine, &["balance"], |mine, pipe| {
        let balance: i64 = redis::Commands::get(mine, "balance")?;
        seen.push(balance);
        if seen.len() == 1 {
            theirs.incr("balance", 100)?;
        }
        pipe.decr("balance", 5).query(mine)
    })?;
    assert_eq!((seen, left), (vec![10, 110], 105));
    Ok(())
}

fn what_is_there_is_popped_without_waiting(server: &mut Connection) -> RedisResult<()> {
    use Direction::{Left, Right};
    let found = |words: [&str; 2]| Some(words.map(str::to_owned));
    server.rpush("l", &["a", "b", "c", "d"])?;
    assert_eq!(server.blpop(&["missing", "l"], 5.0)?, found(["l", "a"]));
    assert_eq!(server.brpop("l", 5.0)?, found(["l", "d"]));
    assert_eq!(server.blmove("l", "m", Left, Right, 5.0)?.as_deref(), Some("b"));
    assert_eq!(server.brpoplpush("m", "l", 5.0)?.as_deref(), Some("b"));
    let popped: Option<(String, Vec<String>)> =
        redis::Commands::blmpop(server, 5.0, 1, "l", Left, 9)?;
    assert_eq!(popped, Some(("l".to_owned(), vec!["b".to_owned(), "c".to_owned()])));
    server.zadd_multiple("z", &[(1, "a"), (2, "b"), (3, "c")])?;
    assert_eq!(server.bzpopmin("z", 5.0)?, Some(("z".to_owned(), "a".to_owned(), 1.0)));
    assert_eq!(server.bzpopmax(&["x", "z"], 5.0)?, Some(("z".to_owned(), "c".to_owned(), 3.0)));
    let popped = server.bzmpop_min(5.0, &["z"], 9)?;
    assert_eq!(popped, Some(("z".to_owned(), vec![("b".to_owned(), 2.0)])));
    Ok(())
}

fn who_waits_is_told_that_nothing_came(server: &mut Connection) -> RedisResult<()> {
    assert_eq!(server.blpop("missing", 0.01)?, None);
    assert_eq!(server.blmove("missing", "m", Direction::Left, Direction::Left, 0.01)?, None);
    assert_eq!(server.bzpopmin("missing", 0.01)?, None);
    server.set("k", "v")?;
    assert_eq!(error(server.blpop("k", 1.0)), WRONG_TYPE);
    Ok(())
}

fn who_waits_is_served_when_something_comes(client: &Client) -> RedisResult<()> {
    let (mut waiting, mut giving) = (client.get_connection()?, client.get_connection()?);
    std::thread::scope(|scope| {
        let waits = scope.spawn(move || waiting.blpop(&["x", "l"], 20.0));
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let info: redis::InfoDict = redis::cmd("INFO").arg("clients").query(&mut giving)?;
            if info.get::<u64>("blocked_clients") == Some(1) {
                break;
            }
            assert!(Instant::now() < until, "nobody waits");
        }
        giving.rpush("l", &["a", "b"])?;
        let found = waits.join().expect("no panic")?;
        assert_eq!(found, Some(["l".to_owned(), "a".to_owned()]));
        assert_eq!(giving.lrange("l", 0, -1)?, ["b"]);
        Ok(())
    })
}

fn messages_reach_who_listens(client: &Client) -> RedisResult<()> {
    let (mut listening, mut sending) = (client.get_connection()?, client.get_connection()?);
    let mut listener = listening.as_pubsub();
    listener.set_read_timeout(Some(Duration::from_secs(20)))?;
    // One at a time: for several channels the crate takes one confirmation.
    listener.subscribe("news")?;
    listener.subscribe("weather")?;
    listener.psubscribe("n*")?;
    // With RESP3 the crate does not wait for the server to have heard of it.
    listener.ping::<redis::Value>()?;
    assert_eq!(sending.publish("news", "hello")?, 2);
    for pattern in [None, Some("n*")] {
        let message = listener.get_message()?;
        assert_eq!(message.get_channel_name(), "news");
        assert_eq!(message.get_payload::<String>()?, "hello");
        assert_eq!(message.get_pattern::<Option<String>>()?.as_deref(), pattern);
    }
    listener.unsubscribe("news")?;
    listener.ping::<redis::Value>()?;
    assert_eq!(sending.publish("news", "hello")?, 1);
    assert_eq!(listener.get_message()?.get_pattern::<String>()?, "n*");
    drop(listener);
    // The connection serves as before.
    assert_eq!(listening.get("k")?, None);
    assert_eq!(sending.publish("news", "hello")?, 0);
    let mut received = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(move || while sending.publish("numbers", 7).is_ok_and(|count| count == 0) {});
        listening.subscribe(&["numbers"], |message| {
            received.push(message.get_payload::<i64>());
            redis::ControlFlow::Break(())
        })
    })?;
    assert_eq!(received, [Ok(7)]);
    Ok(())
}

fn values_are_dumped_and_restored(server: &mut Connection) -> RedisResult<()> {
    server.zadd_multiple("z", &[(1.5, "a"), (-2.0, "b")])?;
    let dumped: Vec<u8> = redis::cmd("DUMP").arg("z").query(server)?;
    redis::cmd("RESTORE").arg("copy").arg(100_000).arg(&dumped).exec(server)?;
    assert_eq!(server.zrange_withscores("copy", 0, -1)?, server.zrange_withscores("z", 0, -1)?);
    assert!((1..=100).contains(&server.ttl("copy")?.raw()));
    let again = redis::cmd("RESTORE").arg("copy").arg(0).arg(&dumped).exec(server);
    assert_eq!(error(again), "BUSYKEY Target key name already exists.");
    let missing: Option<Vec<u8>> = redis::cmd("DUMP").arg("missing").query(server)?;
    assert_eq!(missing, None);
    Ok(())
}
