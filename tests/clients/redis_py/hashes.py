"""Hashes, and fields that expire."""

import time

from redis.commands.core import HashDataPersistOptions

from checks import case, check, check_error, check_in, pairs, since, WRONG_TYPE


@case
def fields_are_set_and_read(r):
    check(1, r.hset("h", "a", "1"))
    check(0, r.hset("h", "a", "2"))
    check(2, r.hset("h", mapping={"a": "3", "b": "4", "c": "5"}))
    check(1, r.hset("h", items=["d", "6"]))
    check("3", r.hget("h", "a"))
    check(None, r.hget("h", "missing"))
    check(None, r.hget("missing", "a"))
    check({"a": "3", "b": "4", "c": "5", "d": "6"}, r.hgetall("h"))
    check({}, r.hgetall("missing"))
    check(["3", None, "5"], r.hmget("h", "a", "x", "c"))
    check([None], r.hmget("missing", ["a"]))
    check(["a", "b", "c", "d"], sorted(r.hkeys("h")))
    check(["3", "4", "5", "6"], sorted(r.hvals("h")))
    check(4, r.hlen("h"))
    check(True, r.hexists("h", "a"))
    check(False, r.hexists("h", "x"))
    check(1, r.hstrlen("h", "a"))
    check(0, r.hstrlen("h", "x"))
    check(0, r.hsetnx("h", "a", "x"))
    check(1, r.hsetnx("h", "e", "7"))
    check(2, r.hdel("h", "a", "b", "x"))
    check(3, r.hdel("h", "c", "d", "e"))
    check(0, r.exists("h"))


@case
def fields_count(r):
    check(5, r.hincrby("h", "n", 5))
    check(3, r.hincrby("h", "n", -2))
    check(3.25, r.hincrbyfloat("h", "n", 0.25))
    check("3.25", r.hget("h", "n"))
    check_error("hash value is not an integer", r.hincrby, "h", "n")
    r.hset("h", "text", "x")
    check_error("hash value is not a float", r.hincrbyfloat, "h", "text", 1)
    r.set("k", "v")
    check_error(WRONG_TYPE, r.hset, "k", "a", "b")
    check_error(WRONG_TYPE, r.hgetall, "k")


@case
def random_fields(r):
    mapping = {f"f{number}": f"v{number}" for number in range(100)}
    r.hset("h", mapping=mapping)
    check_in(mapping, r.hrandfield("h"))
    some = r.hrandfield("h", 10)
    check((10, True), (len(set(some)), set(some) <= set(mapping)))
    check(sorted(mapping), sorted(r.hrandfield("h", 1000)))
    check(250, len(r.hrandfield("h", -250)))
    found = pairs(r.hrandfield("h", 10, withvalues=True))
    check((10, True), (len(found), set(found) <= set(mapping.items())))
    check(None, r.hrandfield("missing"))
    check([], r.hrandfield("missing", 5))
    check([], r.hrandfield("h", 0))


@case
def every_field_is_scanned(r):
    for count in (10, 1000):
        mapping = {f"field:{number}": str(number) for number in range(count)}
        r.hset("h", mapping=mapping)
        check(mapping, dict(r.hscan_iter("h", count=7)))
        match = {field: value for field, value in mapping.items() if field.endswith("7")}
        check(match, dict(r.hscan_iter("h", match="*7")))
        cursor, page = r.hscan("h", count=2000)
        check((0, mapping), (cursor, page))
    check([], list(r.hscan_iter("missing")))


@since("7.4")
def fields_are_scanned_without_values(r):
    mapping = {f"field:{number}": str(number) for number in range(500)}
    r.hset("h", mapping=mapping)
    check(sorted(mapping), sorted(r.hscan_iter("h", no_values=True)))
    cursor, page = r.hscan("h", count=2000, no_values=True)
    check((0, sorted(mapping)), (cursor, sorted(page)))


@since("7.4")
def fields_get_a_deadline(r):
    r.hset("h", mapping={"a": 1, "b": 2, "c": 3})
    check([1, -2], r.hexpire("h", 100, "a", "missing"))
    check([0, 1], r.hexpire("h", 200, "a", "b", nx=True))
    check([1, 0], r.hexpire("h", 300, "a", "c", xx=True))
    check([0, 1, 0], r.hexpire("h", 250, "a", "b", "c", gt=True))
    check([1, 0, 1], r.hpexpire("h", 260_000, "a", "b", "c", lt=True))
    seconds = r.httl("h", "a", "b", "c", "missing")
    check([True, True, True], [200 < ttl <= 260 for ttl in seconds[:3]])
    check(-2, seconds[3])
    check_in(range(255_000, 260_001), r.hpttl("h", "a")[0])
    check([1, -2], r.hpersist("h", "a", "missing"))
    check([-1], r.hpersist("h", "a"))
    check([-1, -2], r.httl("h", "a", "missing"))
    check([-2], r.httl("missing", "a"))
    check([-2], r.hexpire("missing", 10, "a"))


@since("7.4")
def deadlines_of_fields_are_moments(r):
    r.hset("h", mapping={"a": 1, "b": 2, "c": 3})
    soon = int(time.time()) + 1000
    check([1], r.hexpireat("h", soon, "a"))
    check([soon, -1, -2], r.hexpiretime("h", "a", "b", "missing"))
    check([1], r.hpexpireat("h", soon * 1000 + 1, "b"))
    check([soon * 1000 + 1], r.hpexpiretime("h", "b"))
    # Rounded up, other than for keys.
    check([soon + 1], r.hexpiretime("h", "b"))
    check([2, 2], r.hexpireat("h", soon - 2000, "a", "c"))
    check(["b"], r.hkeys("h"))
    check([2], r.hexpire("h", 0, "b"))
    check(0, r.exists("h"))


@since("7.4")
def fields_expire(r):
    for others in (1, 1000):
        r.delete("h")
        r.hset("h", mapping={f"stays:{number}": number for number in range(others)})
        r.hset("h", mapping={"goes": 1, "too": 2})
        check([1, 1], r.hpexpire("h", 1, "goes", "too"))
        time.sleep(0.005)
        check(None, r.hget("h", "goes"))
        check([None, "0"], r.hmget("h", "too", "stays:0"))
        check(False, r.hexists("h", "goes"))
        check(others, len(r.hgetall("h")))
        check([-2], r.httl("h", "goes"))
    check_error("invalid expire time, must be >= 0", r.hexpire, "h", -1, "goes")
    r.set("k", "v")
    check_error(WRONG_TYPE, r.hexpire, "k", 10, "a")
    check_error(WRONG_TYPE, r.httl, "k", "a")


@since("8.0")
def fields_are_read_and_given_a_deadline_at_once(r):
    r.hset("h", mapping={"a": "1", "b": "2"})
    check(["1", None], r.hgetex("h", "a", "missing", ex=100))
    check([True, True], [-1 <= ttl <= 100 for ttl in r.httl("h", "a", "b")])
    check(["1", "2"], r.hgetex("h", "a", "b"))
    check([-1], r.httl("h", "b"))
    check(["1"], r.hgetex("h", "a", persist=True))
    check([-1], r.httl("h", "a"))
    check(["1"], r.hgetex("h", "a", px=100_000))
    check_in(range(90_000, 100_001), r.hpttl("h", "a")[0])
    soon = int(time.time()) + 1000
    check(["2"], r.hgetex("h", "b", exat=soon))
    check([soon], r.hexpiretime("h", "b"))
    check(["2"], r.hgetex("h", "b", pxat=soon * 1000 + 5))
    check([soon * 1000 + 5], r.hpexpiretime("h", "b"))
    check([None], r.hgetex("missing", "a", ex=10))


@since("8.0")
def fields_are_set_with_a_deadline(r):
    check(1, r.hsetex("h", "a", "1", ex=100))
    check_in(range(1, 101), r.httl("h", "a")[0])
    check(1, r.hsetex("h", mapping={"a": "2", "b": "3"}, keepttl=True))
    check_in(range(1, 101), r.httl("h", "a")[0])
    check([-1], r.httl("h", "b"))
    check(0, r.hsetex("h", "a", "x", data_persist_option=HashDataPersistOptions.FNX, px=100))
    check(0, r.hsetex("h", "new", "x", data_persist_option=HashDataPersistOptions.FXX))
    check(1, r.hsetex("h", "a", "4", data_persist_option=HashDataPersistOptions.FXX))
    check([-1], r.httl("h", "a"))
    check({"a": "4", "b": "3"}, r.hgetall("h"))
    soon = int(time.time()) + 1000
    check(1, r.hsetex("h", items=["c", "5"], exat=soon))
    check([soon], r.hexpiretime("h", "c"))


@since("8.0")
def fields_are_read_and_deleted_at_once(r):
    r.hset("h", mapping={"a": "1", "b": "2", "c": "3"})
    check(["1", None], r.hgetdel("h", "a", "missing"))
    check({"b": "2", "c": "3"}, r.hgetall("h"))
    check(["2", "3"], r.hgetdel("h", "b", "c"))
    check(0, r.exists("h"))
    check([None], r.hgetdel("h", "a"))
