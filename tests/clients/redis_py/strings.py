"""Strings, bitmaps, HyperLogLogs."""

import time

from checks import case, check, check_error, check_in, check_near, since, WRONG_TYPE


@case
def values_are_set_under_conditions(r):
    check(True, r.set("k", "v"))
    check("v", r.get("k"))
    check(None, r.get("missing"))
    check(None, r.set("k", "other", nx=True))
    check(None, r.set("missing", "other", xx=True))
    check("v", r.set("k", "w", get=True))
    check("w", r.set("k", "x", get=True, nx=True))
    check(None, r.set("new", "y", get=True))
    check("w", r.getset("k", "z"))
    check(False, r.setnx("k", "other"))
    check(True, r.setnx("newer", "v"))
    check("z", r.getdel("k"))
    check(None, r.getdel("k"))


@case
def values_are_set_with_a_time_to_live(r):
    check(True, r.set("k", "v", ex=100))
    check_in(range(1, 101), r.ttl("k"))
    check(True, r.set("k", "v", keepttl=True))
    check_in(range(1, 101), r.ttl("k"))
    check(True, r.set("k", "v", px=100_000))
    check_in(range(90_000, 100_001), r.pttl("k"))
    soon = int(time.time()) + 1000
    check(True, r.set("k", "v", exat=soon))
    check(soon, r.expiretime("k"))
    check(True, r.set("k", "v", pxat=soon * 1000 + 1))
    check(soon * 1000 + 1, r.pexpiretime("k"))
    check(True, r.setex("k", 100, "v"))
    check(True, r.psetex("k", 100_000, "v"))
    check_in(range(90_000, 100_001), r.pttl("k"))
    check("v", r.getex("k", persist=True))
    check(-1, r.ttl("k"))
    check("v", r.getex("k", ex=50))
    check_in(range(1, 51), r.ttl("k"))
    check("v", r.getex("k"))
    check_in(range(1, 51), r.ttl("k"))
    check(True, r.set("k", "v", px=1))
    time.sleep(0.005)
    check(None, r.get("k"))
    check_error("invalid expire time in 'set' command", r.set, "k", "v", ex=0)


@case
def many_values_are_set_and_read_at_once(r):
    check(True, r.mset({"a": "1", "b": "2"}))
    check(["1", "2", None], r.mget("a", "b", "c"))
    check(False, r.msetnx({"b": "3", "c": "3"}))
    check(None, r.get("c"))
    check(True, r.msetnx({"c": "3", "d": "4"}))
    check(["3", "4"], r.mget(["c", "d"]))


@case
def numbers_are_counted(r):
    check(1, r.incr("n"))
    check(42, r.incrby("n", 41))
    check(40, r.decrby("n", 2))
    check(39, r.decr("n"))
    check(39.5, r.incrbyfloat("n", 0.5))
    check("39.5", r.get("n"))
    check_error("value is not an integer or out of range", r.incr, "n")
    r.set("most", 2**63 - 1)
    check_error("increment or decrement would overflow", r.incr, "most")
    r.rpush("list", "a")
    check_error(WRONG_TYPE, r.incr, "list")


@case
def texts_are_cut_and_joined(r):
    check(5, r.append("k", "Hello"))
    check(11, r.append("k", " World"))
    check("World", r.getrange("k", 6, -1))
    check("", r.getrange("k", 20, 30))
    check("Hello", r.substr("k", 0, 4))
    check(11, r.setrange("k", 6, "Redis"))
    check("Hello Redis", r.get("k"))
    check(3, r.setrange("padded", 2, "x"))
    check("\0\0x", r.get("padded"))
    check(11, r.strlen("k"))
    check(0, r.strlen("missing"))


@case
def what_two_texts_have_in_common(r):
    r.mset({"a": "ohmytext", "b": "mynewtext"})
    check("mytext", r.lcs("a", "b"))
    check(6, r.lcs("a", "b", len=True))
    found = r.lcs("a", "b", idx=True, minmatchlen=4, withmatchlen=True)
    if isinstance(found, list):
        found = dict(zip(found[::2], found[1::2]))
    check({"matches": [[[4, 7], [5, 8], 4]], "len": 6}, found)


@case
def bits_are_set_and_counted(r):
    check(0, r.setbit("bits", 7, 1))
    check(1, r.setbit("bits", 7, 1))
    check(1, r.getbit("bits", 7))
    check(0, r.getbit("bits", 100))
    r.set("text", "foobar")
    check(26, r.bitcount("text"))
    check(4, r.bitcount("text", 0, 0))
    check(6, r.bitcount("text", 1, 1, mode="BYTE"))
    check(17, r.bitcount("text", 5, 30, mode="BIT"))
    r.set("ones", b"\xff\xf0\x00")
    check(12, r.bitpos("ones", 0))
    check(16, r.bitpos("ones", 0, 2))
    check(-1, r.bitpos("ones", 1, 2, -1))
    check(7, r.bitpos("ones", 1, 7, 15, mode="BIT"))


@case
def bits_are_combined(r):
    r.mset({"a": "abc", "b": "ABC", "short": "a"})
    check(3, r.bitop("AND", "and", "a", "b"))
    check("ABC", r.get("and"))
    check(3, r.bitop("OR", "or", "a", "b"))
    check("abc", r.get("or"))
    check(3, r.bitop("XOR", "xor", "a", "b"))
    check("   ", r.get("xor"))
    check(3, r.bitop("AND", "padded", "a", "short"))
    check("a\0\0", r.get("padded"))
    r.bitop("NOT", "not", "short")
    check(7, r.bitcount("not") + r.bitcount("short") - 1)


@case
def integers_lie_inside_of_texts(r):
    fields = r.bitfield("f")
    check([0, 100, 1], fields.set("u8", "#0", 100).get("u8", 0).incrby("u2", 100, 1).execute())
    check([100], r.bitfield("f").get("u8", 0).execute())
    wrap = r.bitfield("g").set("u8", 0, 255).incrby("u8", 0, 10, overflow="WRAP")
    check([0, 9], wrap.execute())
    check([255], r.bitfield("g").incrby("u8", 0, 250, overflow="SAT").execute()[:1])
    check([None], r.bitfield("g", default_overflow="FAIL").incrby("u8", 0, 1).execute())
    check([-1], r.bitfield_ro("g", "i8", 0))
    check([-1, 15], r.bitfield_ro("g", "i8", 0, items=[("u4", 4)]))


@case
def hyperloglogs_count_different_elements(r):
    check(1, r.pfadd("a", *range(1000)))
    check(0, r.pfadd("a", *range(1000)))
    check(1, r.pfadd("b", *range(500, 2000)))
    check_near(1000, r.pfcount("a"), 20)
    check_near(2000, r.pfcount("a", "b"), 40)
    check(0, r.pfcount("missing"))
    check(True, r.pfmerge("merged", "a", "b"))
    check(r.pfcount("a", "b"), r.pfcount("merged"))
    r.set("text", "x")
    check_error(
        "WRONGTYPE Key is not a valid HyperLogLog string value.", r.pfadd, "text", "a"
    )


@since("8.4")
def a_value_is_replaced_or_deleted_if_it_is_as_expected(r):
    r.set("k", "v")
    check(None, r.execute_command("SET", "k", "w", "IFEQ", "other"))
    check(True, r.execute_command("SET", "k", "w", "IFEQ", "v") in (True, "OK"))
    check("w", r.get("k"))
