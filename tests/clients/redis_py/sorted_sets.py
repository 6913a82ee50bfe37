"""Sorted sets."""

from checks import case, check, check_error, check_in, scored, since, WRONG_TYPE


@case
def members_have_scores(r):
    check(3, r.zadd("z", {"a": 1, "b": 2.5, "c": 3}))
    check(0, r.zadd("z", {"a": 1.5}))
    check(1, r.zadd("z", {"a": 2}, ch=True))
    check(0, r.zadd("z", {"a": 9, "x": 1}, xx=True))
    check(1, r.zadd("z", {"a": 1, "d": 4}, nx=True))
    check(1, r.zadd("z", {"a": 10, "b": 1}, gt=True, ch=True))
    check(1, r.zadd("z", {"a": 1, "b": 100}, lt=True, ch=True))
    check(3.5, r.zadd("z", {"a": 2.5}, incr=True))
    check(None, r.zadd("z", {"new": 1}, xx=True, incr=True))
    check(5.0, r.zincrby("z", 1.5, "a"))
    check(5.0, r.zscore("z", "a"))
    check(None, r.zscore("z", "x"))
    check([5.0, None, 3.0], r.zmscore("z", ["a", "x", "c"]))
    check(4, r.zcard("z"))
    check(0, r.zcard("missing"))
    r.zadd("inf", {"least": "-inf", "most": "inf", "tenth": 0.1})
    check(
        [("least", float("-inf")), ("tenth", 0.1), ("most", float("inf"))],
        scored(r.zrange("inf", 0, -1, withscores=True)),
    )
    check_error("resulting score is not a number (NaN)", r.zincrby, "inf", "inf", "least")


@case
def ranks_and_ranges(r):
    r.zadd("z", {name: score for score, name in enumerate("abcdefgh")})
    check(0, r.zrank("z", "a"))
    check(7, r.zrevrank("z", "a"))
    check(None, r.zrank("z", "x"))
    check(["b", "c"], r.zrange("z", 1, 2))
    check(["g", "f"], r.zrange("z", 1, 2, desc=True))
    check([("g", 6.0), ("h", 7.0)], scored(r.zrange("z", -2, -1, withscores=True)))
    check([("h", 7.0), ("g", 6.0)], scored(r.zrevrange("z", 0, 1, withscores=True)))
    check(["c", "d"], r.zrange("z", "(1", 3, byscore=True))
    check(["d", "c"], r.zrange("z", 3, "(1", byscore=True, desc=True))
    check(["d"], r.zrange("z", "-inf", "inf", byscore=True, offset=3, num=1))
    check(["c", "d", "e"], r.zrangebyscore("z", 2, 4))
    check([("d", 3.0)], scored(r.zrangebyscore("z", 2, 4, start=1, num=1, withscores=True)))
    check(["e", "d", "c"], r.zrevrangebyscore("z", 4, 2))
    check(3, r.zcount("z", "(1", 4))
    check(3, r.zrangestore("dest", "z", 5, 7))
    check([("f", 5.0), ("g", 6.0), ("h", 7.0)], scored(r.zrange("dest", 0, -1, withscores=True)))
    check(2, r.zrangestore("dest", "z", 1, "(3", byscore=True))
    check(2, r.zrangestore("dest", "z", "-inf", "inf", byscore=True, offset=1, num=2))
    check(["b", "c"], r.zrange("dest", 0, -1))
    check(2, r.zrangestore("dest", "z", 0, 1, desc=True))
    check(["g", "h"], r.zrange("dest", 0, -1))
    check(0, r.zrangestore("dest", "missing", 0, -1))
    check(0, r.exists("dest"))


@since("7.2")
def ranks_with_scores(r):
    r.zadd("z", {"a": 1, "b": 2.5})
    check([(1, 2.5)], scored([r.zrank("z", "b", withscore=True)]))
    check([(1, 1.0)], scored([r.zrevrank("z", "a", withscore=True)]))
    check(None, r.zrank("z", "x", withscore=True))


@case
def members_of_equal_score_are_ordered_by_their_bytes(r):
    r.zadd("z", {name: 0 for name in "gfedcba"})
    check(["c", "d"], r.zrangebylex("z", "(b", "[d"))
    check(["b"], r.zrangebylex("z", "-", "+", start=1, num=1))
    check(["d", "c"], r.zrevrangebylex("z", "[d", "(b"))
    check(["a", "b"], r.zrange("z", "-", "(c", bylex=True))
    check(["g", "f"], r.zrange("z", "+", "(e", bylex=True, desc=True))
    check(3, r.zlexcount("z", "[b", "[d"))
    check(2, r.zrangestore("dest", "z", "[f", "+", bylex=True))
    check(2, r.zremrangebylex("z", "-", "[b"))
    check(["c", "d", "e", "f", "g"], r.zrange("z", 0, -1))


@case
def members_are_removed(r):
    r.zadd("z", {str(number): number for number in range(10)})
    check(2, r.zrem("z", "0", "9", "x"))
    check(2, r.zremrangebyrank("z", 0, 1))
    check(2, r.zremrangebyscore("z", "(4", 6))
    check(["3", "4", "7", "8"], r.zrange("z", 0, -1))
    check([("3", 3.0)], scored(r.zpopmin("z")))
    check([("8", 8.0), ("7", 7.0)], scored(r.zpopmax("z", 2)))
    check([("4", 4.0)], scored(r.zpopmin("z", 10)))
    check([], r.zpopmin("z"))
    check(0, r.exists("z"))


@case
def several_sorted_sets_are_popped(r):
    r.zadd("b", {"one": 1, "two": 2, "three": 3, "four": 4})
    key, members = r.zmpop(2, ["a", "b"], min=True)
    check(("b", [("one", 1.0)]), (key, scored(members)))
    key, members = r.zmpop(2, ["a", "b"], max=True, count=2)
    check(("b", [("four", 4.0), ("three", 3.0)]), (key, scored(members)))
    key, members = r.zmpop(2, ["a", "b"], min=True, count=10)
    check([("two", 2.0)], scored(members))
    check(None, r.zmpop(2, ["a", "b"], min=True))


@case
def sorted_sets_are_combined(r):
    r.zadd("a", {"x": 1, "y": 2, "z": 3})
    r.zadd("b", {"y": 10, "z": 20, "w": 30})
    check(["y", "z"], r.zinter(["a", "b"]))
    check([("y", 12.0), ("z", 23.0)], scored(r.zinter(["a", "b"], withscores=True)))
    check(
        [("y", 10.0), ("z", 20.0)],
        scored(r.zinter(["a", "b"], aggregate="MAX", withscores=True)),
    )
    check([("y", 8.0), ("z", 17.0)], scored(r.zinter({"a": -1, "b": 1}, withscores=True)))
    check(
        [("x", 1.0), ("y", 12.0), ("z", 23.0), ("w", 30.0)],
        scored(r.zunion(["a", "b"], withscores=True)),
    )
    check(["x"], r.zdiff(["a", "b"]))
    check([("x", 1.0)], scored(r.zdiff(["a", "b"], withscores=True)))
    check(2, r.zintercard(2, ["a", "b"]))
    check(1, r.zintercard(2, ["a", "b"], limit=1))
    check(2, r.zinterstore("d", {"a": 2, "b": 0.5}))
    check([("y", 9.0), ("z", 16.0)], scored(r.zrange("d", 0, -1, withscores=True)))
    check(4, r.zunionstore("d", ["a", "b"], aggregate="MIN"))
    check(
        [("x", 1.0), ("y", 2.0), ("z", 3.0), ("w", 30.0)],
        scored(r.zrange("d", 0, -1, withscores=True)),
    )
    check(1, r.zdiffstore("d", ["a", "b"]))
    r.sadd("set", "x", "y")
    check([("x", 2.0), ("y", 3.0)], scored(r.zinter(["a", "set"], withscores=True)))


@case
def random_members(r):
    members = {f"m{number}": float(number) for number in range(300)}
    r.zadd("z", members)
    check_in(members, r.zrandmember("z"))
    some = r.zrandmember("z", 20)
    check((20, True), (len(set(some)), set(some) <= set(members)))
    check(sorted(members), sorted(r.zrandmember("z", 1000)))
    check(1000, len(r.zrandmember("z", -1000)))
    found = scored(r.zrandmember("z", 10, withscores=True))
    check((10, True), (len(found), all(members[m] == score for m, score in found)))
    check(None, r.zrandmember("missing"))
    check([], r.zrandmember("missing", 5))


@case
def every_member_is_scanned(r):
    for count in (50, 2000):
        members = {f"member:{number}": number / 2 for number in range(count)}
        r.zadd("z", members)
        check(members, dict(r.zscan_iter("z", count=7)))
        check(
            {member: score for member, score in members.items() if member.endswith("7")},
            dict(r.zscan_iter("z", match="*7")),
        )
    r.set("k", "v")
    check_error(WRONG_TYPE, r.zadd, "k", {"a": 1})
    check_error(WRONG_TYPE, r.zunionstore, "d", ["k", "z"])
