"""Keys of any type: expiry, names, copies, scans, sorting, OBJECT."""

import time

from checks import case, check, check_error, check_in


@case
def keys_are_found_and_deleted(r):
    r.mset({"a": "1", "b": "2", "c": "3"})
    r.rpush("list", "a")
    check("string", r.type("a"))
    check("list", r.type("list"))
    check("none", r.type("missing"))
    check(3, r.exists("a", "b", "b", "missing"))
    check(2, r.touch("a", "list", "missing"))
    check(2, r.delete("a", "b", "missing"))
    check(1, r.unlink("list", "missing"))
    check("c", r.randomkey())
    check(1, r.dbsize())
    check(1, r.delete("c"))
    check(None, r.randomkey())


@case
def keys_are_renamed_copied_and_moved(r):
    r.set("a", "1", ex=100)
    r.set("b", "2")
    check(True, r.rename("a", "c"))
    check_in(range(1, 101), r.ttl("c"))
    check_error("no such key", r.rename, "a", "d")
    check(False, r.renamenx("c", "b"))
    check(True, r.renamenx("c", "a"))
    check(False, r.copy("a", "b"))
    check(True, r.copy("a", "b", replace=True))
    check("1", r.get("b"))
    check_in(range(1, 101), r.ttl("b"))
    check(True, r.copy("a", "a", destination_db=5))
    check(False, r.move("a", 5))
    check(True, r.move("b", 5))
    check(["a"], r.keys())
    check({"db0", "db5"}, set(r.info("keyspace")))
    check(2, r.info("keyspace")["db5"]["keys"])
    check(2, r.info("keyspace")["db5"]["expires"])


@case
def keys_expire(r):
    r.set("k", "v")
    check(-1, r.ttl("k"))
    check(-2, r.ttl("missing"))
    check(-1, r.pttl("k"))
    check(-1, r.expiretime("k"))
    check(-2, r.pexpiretime("missing"))
    check(False, r.expire("missing", 10))
    check(True, r.expire("k", 50))
    check_in(range(1, 51), r.ttl("k"))
    check(False, r.expire("k", 100, nx=True))
    check(False, r.expire("k", 10, gt=True))
    check(True, r.expire("k", 100, gt=True))
    check(False, r.expire("k", 1000, lt=True))
    check(True, r.pexpire("k", 90_000, lt=True))
    check(True, r.persist("k"))
    check(False, r.persist("k"))
    check(False, r.expire("k", 10, xx=True))
    soon = int(time.time()) + 1000
    check(True, r.expireat("k", soon))
    check(soon, r.expiretime("k"))
    check(True, r.pexpireat("k", soon * 1000 + 7))
    check(soon * 1000 + 7, r.pexpiretime("k"))
    check(True, r.expireat("k", soon - 2000))
    check(0, r.exists("k"))


@case
def every_key_is_scanned(r):
    with r.pipeline(transaction=False) as pipe:
        for number in range(2000):
            pipe.set(f"many:{number}", number)
        pipe.get("many:1999")
        check([True] * 2000 + ["1999"], pipe.execute())
    r.rpush("list", "a")
    r.zadd("sorted", {"a": 1})
    check({f"many:{number}" for number in range(2000)}, set(r.scan_iter("many:*", count=50)))
    check({"list"}, set(r.scan_iter(_type="LIST")))
    check({"sorted"}, set(r.scan_iter(match="s*", _type="zset", count=1000)))
    check(2002, len(set(r.scan_iter())))
    check(["many:7"], r.keys("many:7"))
    check({f"many:{number}7" for number in range(1, 10)}, set(r.keys("many:[1-9]7")))
    cursor, found = r.scan(count=1)
    check(True, isinstance(cursor, int) and isinstance(found, list))


@case
def lists_and_sets_are_sorted(r):
    r.rpush("numbers", 3, 1, 10, 2)
    check(["1", "2", "3", "10"], r.sort("numbers"))
    check(["10", "3", "2", "1"], r.sort("numbers", desc=True))
    check(["1", "10", "2", "3"], r.sort("numbers", alpha=True))
    check(["2", "3"], r.sort("numbers", start=1, num=2))
    r.mset({"weight:1": 30, "weight:2": 20, "weight:3": 10, "weight:10": 40})
    r.mset({"name:1": "one", "name:2": "two", "name:3": "three"})
    check(["3", "2", "1", "10"], r.sort("numbers", by="weight:*"))
    check(["three", "two", "one", None], r.sort("numbers", by="weight:*", get="name:*"))
    check(
        [("3", "three"), ("2", "two"), ("1", "one"), ("10", None)],
        r.sort("numbers", by="weight:*", get=["#", "name:*"], groups=True),
    )
    check(["3", "1", "10", "2"], r.sort("numbers", by="nosort"))
    for number in (1, 2, 3, 10):
        r.hset(f"user:{number}", mapping={"age": 100 - number, "name": f"u{number}"})
    check(["u10", "u3"], r.sort("numbers", by="user:*->age", get="user:*->name", start=0, num=2))
    check(4, r.sort("numbers", store="stored"))
    check(["1", "2", "3", "10"], r.lrange("stored", 0, -1))
    check(["10", "3", "2", "1"], r.sort_ro("numbers", desc=True))
    r.sadd("words", "banana", "apple", "cherry")
    check(["apple", "banana", "cherry"], r.sort("words", alpha=True))
    check_error("One or more scores can't be converted into double", r.sort, "words")


@case
def objects_tell_how_they_are_stored(r):
    r.set("int", 12345)
    r.set("short", "text")
    r.set("long", "x" * 100)
    r.rpush("list", *range(10))
    r.rpush("longer", *("x" * 100 for _ in range(200)))
    r.sadd("ints", 1, 2, 3)
    r.sadd("many", *(f"member:{number}" for number in range(200)))
    r.hset("hash", "field", "value")
    r.hset("wide", "field", "x" * 65)
    r.zadd("sorted", {"a": 1})
    r.zadd("large", {f"member:{number}": number for number in range(129)})
    expected = {
        "int": "int", "short": "embstr", "long": "raw", "longer": "quicklist", "ints": "intset",
        "many": "hashtable", "hash": "listpack", "wide": "hashtable", "sorted": "listpack",
        "large": "skiplist",
    }
    check(expected, {key: r.object("encoding", key) for key in expected})
    check(1, r.object("refcount", "short"))
    check_in((0, 1), r.object("idletime", "short"))
    check(None, r.object("encoding", "missing"))


@case
def memory_is_told(r):
    r.set("small", "x")
    r.set("large", "x" * 100_000)
    check_in(range(30, 200), r.memory_usage("small"))
    check_in(range(100_000, 150_000), r.memory_usage("large"))
    r.sadd("set", *(f"member:{number}" for number in range(10_000)))
    check_in(range(200_000, 2_000_000), r.memory_usage("set", samples=0))
    check(None, r.memory_usage("missing"))
    stats = r.memory_stats()
    check(3, stats["keys.count"])
    check_in(range(1, 1 << 40), stats["total.allocated"])
    check(True, r.memory_purge())
