"""Drives a server with redis-py, in the protocol given: redis_py.py PORT 2|3."""

import sys

import redis

port, protocol = int(sys.argv[1]), int(sys.argv[2])
r = redis.Redis(port=port, protocol=protocol, decode_responses=True, socket_timeout=30)


def check(expected, found):
    assert found == expected, f"expected {expected!r}, got {found!r}"


check(True, r.ping())
r.flushall()
check(True, r.set("k", "v"))
check("v", r.get("k"))
check(None, r.get("missing"))
check(None, r.set("k", "other", nx=True))
check("v", r.set("k", "w", get=True))
check(True, r.set("timed", "x", ex=100))
check(True, 0 < r.ttl("timed") <= 100)
check(-1, r.ttl("k"))
check(True, r.mset({"a": "1", "b": "2"}))
check(["1", "2", None], r.mget("a", "b", "c"))
check(3, r.incrby("a", 2))
check(3.5, r.incrbyfloat("a", 0.5))
check(4, r.append("a", "!"))
check("string", r.type("a"))
check("none", r.type("missing"))
check(2, r.delete("a", "b", "c"))
check(True, r.expire("k", 50))
check(True, r.persist("k"))

with r.pipeline(transaction=False) as pipe:
    for number in range(1000):
        pipe.set(f"many:{number}", number)
    pipe.get("many:999")
    replies = pipe.execute()
check([True] * 1000 + ["999"], replies)

check({f"many:{number}" for number in range(1000)}, set(r.scan_iter("many:*", count=50)))
check(1002, r.dbsize())
check(["many:7"], r.keys("many:7"))

check(0, r.setbit("bits", 7, 1))
check(1, r.bitcount("bits"))
check([1], r.bitfield("bits").get("u8", 0).execute())

raw = redis.Redis(port=port, protocol=protocol)
check(True, raw.set(b"\x00\r\n\xff", b"\r\n\x00"))
check(b"\r\n\x00", raw.get(b"\x00\r\n\xff"))

try:
    r.incr("k")
    raise SystemExit("an error was expected")
except redis.ResponseError as error:
    check("value is not an integer or out of range", str(error))
try:
    r.execute_command("NONSENSE", "x")
    raise SystemExit("an error was expected")
except redis.ResponseError as error:
    check("unknown command 'NONSENSE', with args beginning with: 'x' ", str(error))

check(True, r.client_setname("me"))
check("me", r.client_getname())
check("me", next(c["name"] for c in r.client_list() if int(c["id"]) == r.client_id()))
check("7.2", r.info("server")["redis_version"][:3])
check(1004, r.info("keyspace")["db0"]["keys"])
check(16, int(r.config_get("databases")["databases"]))
if protocol == 3:
    check(3, r.execute_command("HELLO")["proto"])
check(True, "get" in r.command())

other = redis.Redis(port=port, protocol=protocol, db=3, decode_responses=True)
check(None, other.get("k"))
check(True, r.swapdb(0, 3))
check("w", other.get("k"))
check(True, other.flushdb())
check(0, other.dbsize())
print("ok")
