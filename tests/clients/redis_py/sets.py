"""Sets."""

from checks import case, check, check_error, check_in, WRONG_TYPE


@case
def members_come_and_go(r):
    check(3, r.sadd("s", "a", "b", "c", "a"))
    check(0, r.sadd("s", "a"))
    check(3, r.scard("s"))
    check({"a", "b", "c"}, set(r.smembers("s")))
    check(1, int(r.sismember("s", "a")))
    check(0, int(r.sismember("s", "x")))
    check([1, 0, 1], [int(found) for found in r.smismember("s", ["a", "x", "c"])])
    check([0], [int(found) for found in r.smismember("missing", "a")])
    check(True, bool(r.smove("s", "t", "a")))
    check(False, bool(r.smove("s", "t", "x")))
    check({"a"}, set(r.smembers("t")))
    check(1, r.srem("s", "b", "x"))
    check(1, r.srem("s", "c"))
    check(0, r.exists("s"))
    check(0, len(r.smembers("s")))


@case
def sets_are_combined(r):
    r.sadd("a", 1, 2, 3, 4)
    r.sadd("b", 3, 4, 5)
    r.sadd("c", 4, "x")
    check({"3", "4"}, set(r.sinter("a", "b")))
    check({"4"}, set(r.sinter(["a", "b", "c"])))
    check({"1", "2", "3", "4", "5", "x"}, set(r.sunion("a", "b", "c")))
    check({"1", "2"}, set(r.sdiff("a", "b", "c")))
    check(set(), set(r.sinter("a", "missing")))
    check(2, r.sintercard(2, ["a", "b"]))
    check(1, r.sintercard(2, ["a", "b"], limit=1))
    check(2, r.sinterstore("d", "a", "b"))
    check({"3", "4"}, set(r.smembers("d")))
    check(6, r.sunionstore("d", ["a", "b", "c"]))
    check(2, r.sdiffstore("d", "a", "b"))
    check({"1", "2"}, set(r.smembers("d")))
    check(0, r.sinterstore("d", "a", "missing"))
    check(0, r.exists("d"))


@case
def random_members(r):
    for members in ({str(number) for number in range(50)}, {f"m{n}" for n in range(1000)}):
        r.delete("s")
        r.sadd("s", *members)
        check_in(members, r.srandmember("s"))
        some = r.srandmember("s", 20)
        check((20, True), (len(set(some)), set(some) <= members))
        check(members, set(r.srandmember("s", 5000)))
        check(2500, len(r.srandmember("s", -2500)))
        one = r.spop("s")
        check_in(members, one)
        several = set(r.spop("s", 30))
        check((30, False), (len(several), one in several))
        check(members - several - {one}, set(r.smembers("s")))
        rest = len(members) - 31
        check(rest, len(set(r.spop("s", 5000))))
        check(0, r.exists("s"))
    check(None, r.srandmember("missing"))
    check([], r.srandmember("missing", 5))
    check(None, r.spop("missing"))
    check(0, len(r.spop("missing", 5)))


@case
def every_member_is_scanned(r):
    for members in ({str(number) for number in range(100)}, {f"m{n}" for n in range(3000)}):
        r.delete("s")
        r.sadd("s", *members)
        check(members, set(r.sscan_iter("s", count=7)))
        check(
            {member for member in members if member.endswith("7")},
            set(r.sscan_iter("s", match="*7")),
        )
    check([], list(r.sscan_iter("missing")))
    r.set("k", "v")
    check_error(WRONG_TYPE, r.sadd, "k", "a")
    check_error(WRONG_TYPE, r.sunion, "k", "s")
