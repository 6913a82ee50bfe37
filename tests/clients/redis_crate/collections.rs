//! Lists, sets, places on earth, sorting.

use super::{Case, WRONG_TYPE, error, sorted};
use redis::geo::{Coord, RadiusOptions, RadiusOrder, RadiusSearchResult, Unit};
use redis::{Connection, Direction, LposOptions, RedisResult, TypedCommands};
use std::collections::{BTreeSet, HashSet};
use std::num::NonZeroUsize;

pub const CASES: &[Case] = &[
    ((7, 0), elements_come_and_go_at_both_ends),
    ((7, 0), elements_are_found_and_changed),
    ((7, 0), elements_move_between_lists),
    ((7, 0), members_come_and_go),
    ((7, 0), sets_are_combined),
    ((7, 0), random_members_are_members),
    ((7, 0), every_member_is_scanned),
    ((7, 0), places_have_distances),
    ((7, 0), places_are_searched),
    ((7, 0), lists_are_sorted),
];

fn elements_come_and_go_at_both_ends(server: &mut Connection) -> RedisResult<()> {
    assert_eq!(server.rpush("l", &["b", "c", "d"])?, 3);
    assert_eq!(server.lpush("l", "a")?, 4);
    assert_eq!(server.lrange("l", 0, -1)?, ["a", "b", "c", "d"]);
    let first: Option<String> = redis::Commands::lpop(server, "l", None)?;
    let rest: Vec<String> = redis::Commands::rpop(server, "l", NonZeroUsize::new(10))?;
    assert_eq!((first.as_deref(), rest.join("")), (Some("a"), "dcb".to_owned()));
    let none: Option<String> = redis::Commands::rpop(server, "l", None)?;
    let nothing: Option<Vec<String>> = redis::Commands::rpop(server, "l", NonZeroUsize::new(2))?;
    assert_eq!((none, nothing), (None, None));
    assert!(!server.exists("l")?);
    assert_eq!(server.lpush_exists("l", "a")?, 0);
    assert_eq!(server.rpush_exists("l", "a")?, 0);
    Ok(())
}

fn elements_are_found_and_changed(server: &mut Connection) -> RedisResult<()> {
    server.rpush("l", &["a", "b", "c", "b"])?;
    assert_eq!(server.llen("l")?, 4);
    assert_eq!(server.lindex("l", -1)?.as_deref(), Some("b"));
    assert_eq!(server.lindex("l", 4)?, None);
    let position = |server: &mut Connection, value, options| -> RedisResult<Option<usize>> {
        redis::Commands::lpos(server, "l", value, options)
    };
    assert_eq!(position(server, "b", LposOptions::default())?, Some(1));
    assert_eq!(position(server, "b", LposOptions::default().rank(-1))?, Some(3));
    assert_eq!(position(server, "x", LposOptions::default())?, None);
    let all: Vec<usize> = redis::Commands::lpos(server, "l", "b", LposOptions::default().count(0))?;
    assert_eq!(all, [1, 3]);
    assert_eq!(server.linsert_before("l", "c", "before")?, 5);
    assert_eq!(server.linsert_after("l", "c", "after")?, 6);
    assert_eq!(server.linsert_after("l", "x", "after")?, -1);
    server.lset("l", 0, "A")?;
    assert_eq!(error(server.lset("l", 9, "x")), "ERR index out of range");
    assert_eq!(server.lrem("l", -1, "b")?, 1);
    server.ltrim("l", 0, -2)?;
    assert_eq!(server.lrange("l", 0, -1)?, ["A", "b", "before", "c"]);
    server.set("k", "v")?;
    assert_eq!(error(server.llen("k")), WRONG_TYPE);
    Ok(())
}

fn elements_move_between_lists(server: &mut Connection) -> RedisResult<()> {
    use Direction::{Left, Right};
    server.rpush("a", &["1", "2", "3", "4"])?;
    assert_eq!(server.lmove("a", "b", Left, Right)?, "1");
    assert_eq!(server.rpoplpush("a", "b")?.as_deref(), Some("4"));
    assert_eq!(server.rpoplpush("missing", "b")?, None);
    let popped = server.lmpop(2, &["missing", "b"], Left, 10)?;
    assert_eq!(popped, Some(("b".to_owned(), vec!["4".to_owned(), "1".to_owned()])));
    assert_eq!(server.lmpop(1, "b", Right, 1)?, None);
    assert_eq!(server.lrange("a", 0, -1)?, ["2", "3"]);
    Ok(())
}

fn members_come_and_go(server: &mut Connection) -> RedisResult<()> {
    assert_eq!(server.sadd("s", &["a", "b", "c", "a"])?, 3);
    assert_eq!(server.scard("s")?, 3);
    assert_eq!(sorted(server.smembers("s")?), ["a", "b", "c"]);
    assert!(server.sismember("s", "a")?);
    assert!(!server.sismember("s", "x")?);
    assert_eq!(server.smismember("s", &["a", "x"])?, [true, false]);
    assert!(server.smove("s", "t", "a")?);
    assert!(!server.smove("s", "t", "a")?);
    assert_eq!(server.srem("s", &["a", "b"])?, 1);
    let popped: Option<String> = redis::Commands::spop(server, "s")?;
    assert_eq!(popped.as_deref(), Some("c"));
    let popped: Option<String> = redis::Commands::spop(server, "s")?;
    assert_eq!(popped, None);
    Ok(())
}

fn sets_are_combined(server: &mut Connection) -> RedisResult<()> {
    server.sadd("a", &[1, 2, 3])?;
    server.sadd("b", &[3, 4])?;
    let keys = &["a", "b"];
    assert_eq!(sorted(server.sinter(keys)?), ["3"]);
    assert_eq!(sorted(server.sunion(keys)?), ["1", "2", "3", "4"]);
    assert_eq!(sorted(server.sdiff(keys)?), ["1", "2"]);
    assert_eq!(server.sinterstore("d", keys)?, 1);
    assert_eq!(server.sunionstore("d", keys)?, 4);
    assert_eq!(server.sdiffstore("d", keys)?, 2);
    let numbers: BTreeSet<i64> = redis::Commands::smembers(server, "d")?;
    assert_eq!(numbers, BTreeSet::from([1, 2]));
    let card: usize = redis::cmd("SINTERCARD").arg(2).arg(keys).query(server)?;
    assert_eq!(card, 1);
    Ok(())
}

fn random_members_are_members(server: &mut Connection) -> RedisResult<()> {
    let members: HashSet<String> = (0..1000).map(|number| format!("m{number}")).collect();
    server.sadd("s", &members)?;
    let one = server.srandmember("s")?.expect("there are members");
    assert!(members.contains(&one));
    let some = server.srandmember_multiple("s", 100)?;
    assert_eq!(some.iter().collect::<HashSet<_>>().len(), 100);
    assert!(some.iter().all(|member| members.contains(member)));
    assert_eq!(server.srandmember_multiple("s", -3000)?.len(), 3000);
    assert_eq!(server.srandmember("missing")?, None);
    let popped: HashSet<String> = redis::cmd("SPOP").arg("s").arg(400).query(server)?;
    assert_eq!(popped.len(), 400);
    let left = server.smembers("s")?;
    assert!(left.len() == 600 && left.is_disjoint(&popped));
    Ok(())
}

fn every_member_is_scanned(server: &mut Connection) -> RedisResult<()> {
    for count in [100, 3000] {
        let members: HashSet<String> = (0..count).map(|number| format!("m{number}")).collect();
        server.sadd("s", &members)?;
        let scanned: HashSet<String> =
            redis::Commands::sscan::<_, String>(server, "s")?.collect::<RedisResult<_>>()?;
        assert_eq!(scanned, members);
        let sevens: HashSet<String> =
            redis::Commands::sscan_match::<_, _, String>(server, "s", "*7")?
                .collect::<RedisResult<_>>()?;
        assert_eq!(sevens.len(), count / 10);
    }
    Ok(())
}

fn add_sicily(server: &mut Connection) -> RedisResult<usize> {
    let places = [
        (Coord::lon_lat("13.361389", "38.115556"), "Palermo"),
        (Coord::lon_lat("15.087269", "37.502669"), "Catania"),
    ];
    server.geo_add("g", &places)
}

fn places_have_distances(server: &mut Connection) -> RedisResult<()> {
    assert_eq!(add_sicily(server)?, 2);
    assert_eq!(add_sicily(server)?, 0);
    let mut distance = |unit| server.geo_dist("g", "Palermo", "Catania", unit);
    assert_eq!(distance(Unit::Meters)?, Some(166_274.151_6));
    assert_eq!(distance(Unit::Kilometers)?, Some(166.274_2));
    assert_eq!(distance(Unit::Miles)?, Some(103.318_2));
    let nothing = server.geo_dist("g", "Palermo", "x", Unit::Meters)?;
    assert_eq!(nothing, None);
    let hashes = server.geo_hash("g", &["Palermo", "Catania"])?;
    assert_eq!(hashes, ["sqc8b49rny0", "sqdtr74hyu0"]);
    let positions = server.geo_pos("g", &["Palermo", "x"])?;
    let palermo = Coord::lon_lat(13.361_389_338_970_184, 38.115_556_395_496_3);
    assert_eq!(positions, [Some(palermo), None]);
    Ok(())
}

fn places_are_searched(server: &mut Connection) -> RedisResult<()> {
    add_sicily(server)?;
    let options = RadiusOptions::default().with_dist().with_coord().order(RadiusOrder::Asc);
    let found = server.geo_radius("g", 15.0, 37.0, 200.0, Unit::Kilometers, options)?;
    let names: Vec<&str> = found.iter().map(|place| place.name.as_str()).collect();
    assert_eq!(names, ["Catania", "Palermo"]);
    assert_eq!(found[0].dist, Some(56.441_3));
    let palermo = Coord::lon_lat(13.361_389_338_970_184, 38.115_556_395_496_3);
    assert_eq!(found[1].coord, Some(palermo));
    let near = RadiusOptions::default().limit(1);
    let found: Vec<RadiusSearchResult> =
        server.geo_radius_by_member("g", "Palermo", 100.0, Unit::Kilometers, near)?;
    assert_eq!((found.len(), found[0].name.as_str(), found[0].dist), (1, "Palermo", None));
    let mut search = redis::cmd("GEOSEARCH");
    search.arg("g").arg(&["FROMLONLAT", "15", "37", "BYBOX", "400", "400", "km", "ASC"]);
    assert_eq!(search.query::<Vec<String>>(server)?, ["Catania", "Palermo"]);
    let found: Vec<(String, f64, u64)> = search.arg(&["WITHDIST", "WITHHASH"]).query(server)?;
    assert_eq!(found[1], ("Palermo".to_owned(), 190.442_4, 3_479_099_956_230_698));
    Ok(())
}

fn lists_are_sorted(server: &mut Connection) -> RedisResult<()> {
    server.rpush("numbers", &[3, 1, 10, 2])?;
    server.mset(&[("name:1", "one"), ("name:2", "two"), ("name:3", "three")])?;
    let mut sort = redis::cmd("SORT");
    assert_eq!(sort.arg("numbers").query::<Vec<i64>>(server)?, [1, 2, 3, 10]);
    let names: Vec<Option<String>> = sort.arg(&["GET", "name:*", "DESC"]).query(server)?;
    let names: Vec<&str> = names.iter().map(|name| name.as_deref().unwrap_or("-")).collect();
    assert_eq!(names, ["-", "three", "two", "one"]);
    Ok(())
}
