"""Connections: bytes, errors, pipelines, databases, CLIENT."""

import redis

from checks import case, check, check_error, check_in


def another(r, **options):
    """A client of the same server with connections of its own."""
    given = r.connection_pool.connection_kwargs
    shared = {name: given[name] for name in ("port", "protocol", "socket_timeout")}
    return redis.Redis(**{**shared, "decode_responses": True, **options})


@case
def any_bytes_pass(r):
    check(True, r.ping())
    check("hello", r.echo("hello"))
    raw = another(r, decode_responses=False)
    check(True, raw.set(b"\x00\r\n\xff", b"\r\n\x00"))
    check(b"\r\n\x00", raw.get(b"\x00\r\n\xff"))
    check([b"\x00\r\n\xff"], raw.keys())
    every = bytes(range(256))
    raw.hset(every, every, every)
    check({every: every}, raw.hgetall(every))
    raw.zadd("z", {every: 1.5})
    check([(every, 1.5)], [tuple(pair) for pair in raw.zrange("z", 0, -1, withscores=True)])
    check(True, raw.set("large", b"x" * 5_000_000))
    check(5_000_000, len(raw.get("large")))


@case
def errors_are_exceptions(r):
    r.set("k", "v")
    check_error("value is not an integer or out of range", r.incr, "k")
    check_error(
        "wrong number of arguments for 'get' command", r.execute_command, "GET", "a", "b"
    )
    check_error(
        "unknown command 'NONSENSE', with args beginning with: 'x' ",
        r.execute_command, "NONSENSE", "x",
    )
    with r.pipeline(transaction=False) as pipe:
        replies = pipe.set("a", 1).incr("k").incr("a").execute(raise_on_error=False)
    check([True, 2], [replies[0], replies[2]])
    check("value is not an integer or out of range", str(replies[1]).split(" caused error: ")[-1])


@case
def databases_are_separate(r):
    r.set("k", "w")
    other = another(r, db=3)
    check(None, other.get("k"))
    check(True, r.swapdb(0, 3))
    check("w", other.get("k"))
    check(None, r.get("k"))
    check(True, other.flushdb())
    check(0, other.dbsize())
    other.set("k", "v")
    check(True, r.flushall())
    check(0, other.dbsize())
    check_error("DB index is out of range", another(r, db=1000).ping)


@case
def clients_know_themselves_and_each_other(r):
    check(True, r.client_setname("me"))
    check("me", r.client_getname())
    mine = r.client_id()
    check("me", r.client_info()["name"])
    check(mine, int(r.client_info()["id"]))
    check("me", next(one["name"] for one in r.client_list() if int(one["id"]) == mine))
    check([str(mine)], [str(one["id"]) for one in r.client_list(client_id=[mine])])
    other = another(r, client_name="other")
    theirs = other.client_id()
    check("other", other.client_getname())
    check({"me", "other"}, {one["name"] for one in r.client_list(_type="normal")} - {""})
    check(0, r.client_kill_filter(_id=10_000_000))
    check(1, r.client_kill_filter(_id=theirs))
    # redis-py connects anew.
    check(True, other.ping())
    check(True, other.client_id() > theirs)
    check(0, int(r.client_unblock(mine)))
    check(-1, r.client_getredir())
    check("OK", r.client_no_evict("ON"))
    check("OK", r.client_no_evict("OFF"))


@case
def clients_are_paused(r):
    check(True, r.client_pause(50, all=False))
    check(None, r.get("reads go on"))
    check(True, r.client_unpause() in (True, "OK"))
    check(True, r.set("k", "v"))


@case
def the_protocol_is_what_was_asked_for(r):
    protocol = int(r.connection_pool.connection_kwargs["protocol"])
    # Only a real map is a dict when nobody parses it.
    found = r.execute_command("HELLO")
    if not isinstance(found, dict):
        found = dict(zip(found[::2], found[1::2]))
    check(protocol, found["proto"])
    check("redis", found["server"])
    check("standalone", found["mode"])
    check_in(("master",), found["role"])
    both = {2: another(r, protocol=2), 3: another(r, protocol=3)}
    r.hset("h", "f", "v")
    check({"f": "v"}, both[2].hgetall("h"))
    check({"f": "v"}, both[3].hgetall("h"))
