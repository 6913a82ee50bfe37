//! Sorted sets.

use super::{Case, WRONG_TYPE, error, sorted};
use redis::{Connection, RedisResult, SortedSetAddOptions, TypedCommands, UpdateCheck};
use std::collections::HashSet;

pub const CASES: &[Case] = &[
    ((7, 0), members_have_scores),
    ((7, 0), scores_change_under_conditions),
    ((7, 0), ranks_and_ranges),
    ((7, 0), members_of_equal_score_are_ordered_by_their_bytes),
    ((7, 0), members_are_removed_and_popped),
    ((7, 0), sorted_sets_are_combined),
    ((7, 0), random_members_are_members),
    ((7, 0), every_member_is_scanned),
];

/// Members with scores as the replies have them.
fn scored(members: &[(&str, f64)]) -> Vec<(String, f64)> {
    members.iter().map(|(member, score)| ((*member).to_owned(), *score)).collect()
}

fn add_letters(server: &mut Connection) -> RedisResult<usize> {
    let letters: Vec<(usize, String)> =
        ('a'..='h').enumerate().map(|(score, letter)| (score, letter.to_string())).collect();
    server.zadd_multiple("z", &letters)
}

fn members_have_scores(server: &mut Connection) -> RedisResult<()> {
    assert_eq!(server.zadd("z", "a", 1)?, 1);
    assert_eq!(server.zadd("z", "a", 0.1)?, 0);
    let infinite = [(f64::INFINITY, "most"), (f64::NEG_INFINITY, "least")];
    assert_eq!(server.zadd_multiple("z", &infinite)?, 2);
    let all = server.zrange_withscores("z", 0, -1)?;
    assert_eq!(all, scored(&[("least", f64::NEG_INFINITY), ("a", 0.1), ("most", f64::INFINITY)]));
    assert_eq!(server.zscore("z", "a")?, Some(0.1));
    assert_eq!(server.zscore("z", "x")?, None);
    let scores: Vec<Option<f64>> = redis::Commands::zscore_multiple(server, "z", &["a", "x"])?;
    assert_eq!(scores, [Some(0.1), None]);
    assert_eq!(server.zincr("z", "a", 2.5)?, 2.6);
    assert_eq!(server.zcard("z")?, 3);
    assert_eq!(server.zcard("missing")?, 0);
    server.set("k", "v")?;
    assert_eq!(error(server.zadd("k", "a", 1)), WRONG_TYPE);
    Ok(())
}

fn scores_change_under_conditions(server: &mut Connection) -> RedisResult<()> {
    let mut add = |member, score, options| server.zadd_options("z", member, score, &options);
    assert_eq!(add("a", 5, SortedSetAddOptions::add_only())?, 1);
    assert_eq!(add("a", 9, SortedSetAddOptions::add_only())?, 0);
    let greater = || SortedSetAddOptions::add_or_update(Some(UpdateCheck::GT));
    assert_eq!(add("a", 3, greater().include_changed_count())?, 0);
    assert_eq!(add("a", 7, greater().include_changed_count())?, 1);
    assert_eq!(add("new", 7, SortedSetAddOptions::update_only(None))?, 0);
    assert_eq!(server.zscore("z", "a")?, Some(7.0));
    assert_eq!(server.zcard("z")?, 1);
    Ok(())
}

fn ranks_and_ranges(server: &mut Connection) -> RedisResult<()> {
    assert_eq!(add_letters(server)?, 8);
    assert_eq!(server.zrank("z", "b")?, Some(1));
    assert_eq!(server.zrevrank("z", "b")?, Some(6));
    assert_eq!(server.zrank("z", "x")?, None);
    assert_eq!(server.zrange("z", 1, 2)?, ["b", "c"]);
    assert_eq!(server.zrevrange("z", 0, 1)?, ["h", "g"]);
    let last: Vec<(String, f64)> = redis::Commands::zrevrange_withscores(server, "z", 0, 0)?;
    assert_eq!(last, scored(&[("h", 7.0)]));
    assert_eq!(server.zrangebyscore("z", "(1", 3)?, ["c", "d"]);
    assert_eq!(server.zrangebyscore_limit("z", "-inf", "+inf", 2, 1)?, ["c"]);
    assert_eq!(server.zrevrangebyscore("z", 3, "(1")?, ["d", "c"]);
    let found: Vec<(String, f64)> =
        redis::Commands::zrangebyscore_limit_withscores(server, "z", 2, 9, 1, 2)?;
    assert_eq!(found, scored(&[("d", 3.0), ("e", 4.0)]));
    assert_eq!(server.zcount("z", "(1", 4)?, 3);
    let stored: usize =
        redis::cmd("ZRANGESTORE").arg(&["d", "z", "0", "1", "REV"]).query(server)?;
    assert_eq!(stored, 2);
    assert_eq!(server.zrange("d", 0, -1)?, ["g", "h"]);
    Ok(())
}

fn members_of_equal_score_are_ordered_by_their_bytes(server: &mut Connection) -> RedisResult<()> {
    let members: Vec<(i32, &str)> = ["d", "c", "b", "a"].map(|member| (0, member)).to_vec();
    server.zadd_multiple("z", &members)?;
    assert_eq!(server.zrangebylex("z", "(a", "[c")?, ["b", "c"]);
    assert_eq!(server.zrangebylex_limit("z", "-", "+", 1, 1)?, ["b"]);
    assert_eq!(server.zrevrangebylex("z", "[c", "(a")?, ["c", "b"]);
    assert_eq!(server.zlexcount("z", "-", "(c")?, 2);
    assert_eq!(server.zrembylex("z", "-", "(c")?, 2);
    assert_eq!(server.zrange("z", 0, -1)?, ["c", "d"]);
    Ok(())
}

fn members_are_removed_and_popped(server: &mut Connection) -> RedisResult<()> {
    add_letters(server)?;
    assert_eq!(server.zrem("z", &["a", "x"])?, 1);
    assert_eq!(server.zremrangebyrank("z", 0, 0)?, 1);
    assert_eq!(server.zrembyscore("z", 2, "(4")?, 2);
    let least: Vec<(String, f64)> = redis::Commands::zpopmin(server, "z", 1)?;
    assert_eq!(least, scored(&[("e", 4.0)]));
    let most: Vec<(String, f64)> = redis::Commands::zpopmax(server, "z", 1)?;
    assert_eq!(most, scored(&[("h", 7.0)]));
    let popped = server.zmpop_min(&["missing", "z"], 10)?;
    assert_eq!(popped, Some(("z".to_owned(), scored(&[("f", 5.0), ("g", 6.0)]))));
    assert_eq!(server.zmpop_max("z", 1)?, None);
    Ok(())
}

fn sorted_sets_are_combined(server: &mut Connection) -> RedisResult<()> {
    server.zadd_multiple("a", &[(1, "x"), (2, "y")])?;
    server.zadd_multiple("b", &[(10, "y"), (20, "z")])?;
    let keys = &["a", "b"];
    let stored = |server: &mut Connection| server.zrange_withscores("d", 0, -1);
    assert_eq!(server.zinterstore("d", keys)?, 1);
    assert_eq!(stored(server)?, scored(&[("y", 12.0)]));
    assert_eq!(server.zinterstore_min("d", keys)?, 1);
    assert_eq!(stored(server)?, scored(&[("y", 2.0)]));
    assert_eq!(server.zunionstore_max("d", keys)?, 3);
    assert_eq!(stored(server)?, scored(&[("x", 1.0), ("y", 10.0), ("z", 20.0)]));
    let weighted = &[("a", 3.0), ("b", 0.5)];
    assert_eq!(server.zunionstore_weights("d", weighted)?, 3);
    assert_eq!(stored(server)?, scored(&[("x", 3.0), ("z", 10.0), ("y", 11.0)]));
    let mut combine = |name: &str, rest: &[&str]| {
        let mut command = redis::cmd(name);
        command.arg(2).arg(keys).arg(rest);
        command.query::<Vec<(String, f64)>>(server)
    };
    assert_eq!(combine("ZINTER", &["WITHSCORES"])?, scored(&[("y", 12.0)]));
    assert_eq!(combine("ZDIFF", &["WITHSCORES"])?, scored(&[("x", 1.0)]));
    let union = combine("ZUNION", &["AGGREGATE", "MIN", "WITHSCORES"])?;
    assert_eq!(union, scored(&[("x", 1.0), ("y", 2.0), ("z", 20.0)]));
    Ok(())
}

fn random_members_are_members(server: &mut Connection) -> RedisResult<()> {
    let members: Vec<(u32, String)> = (0..300).map(|score| (score, format!("m{score}"))).collect();
    server.zadd_multiple("z", &members)?;
    let one: Option<String> = redis::Commands::zrandmember(server, "z", None)?;
    assert!(one.is_some_and(|one| members.iter().any(|(_, member)| *member == one)));
    let some: Vec<(String, u32)> = redis::Commands::zrandmember_withscores(server, "z", 100)?;
    assert_eq!(some.iter().collect::<HashSet<_>>().len(), 100);
    assert!(some.iter().all(|(member, score)| *member == format!("m{score}")));
    let repeated: Vec<String> = redis::Commands::zrandmember(server, "z", Some(-500))?;
    assert_eq!(repeated.len(), 500);
    let none: Option<String> = redis::Commands::zrandmember(server, "missing", None)?;
    assert_eq!(none, None);
    Ok(())
}

fn every_member_is_scanned(server: &mut Connection) -> RedisResult<()> {
    for count in [50, 1000] {
        let members: Vec<(u32, String)> =
            (0..count).map(|score| (score, format!("m{score}"))).collect();
        server.zadd_multiple("z", &members)?;
        let scanned: Vec<(String, u32)> =
            redis::Commands::zscan(server, "z")?.collect::<RedisResult<_>>()?;
        let expected = members.into_iter().map(|(score, member)| (member, score));
        assert_eq!(sorted(scanned), sorted(expected));
        let sevens: Vec<(String, f64)> =
            redis::Commands::zscan_match(server, "z", "*7")?.collect::<RedisResult<_>>()?;
        assert_eq!(sevens.len(), count as usize / 10);
    }
    Ok(())
}
