"""What takes more than one client or more than one command: transactions, waits, messages."""

import threading

import redis

from checks import case, check, check_error, check_in, pairs, scored, WRONG_TYPE
from connections import another


@case
def commands_are_queued_and_run_at_once(r):
    with r.pipeline(transaction=True) as pipe:
        replies = pipe.set("k", "1").incr("k").rpush("l", "a", "b").lrange("l", 0, -1).execute()
    check([True, 2, 2, ["a", "b"]], replies)
    with r.pipeline(transaction=True) as pipe:
        replies = pipe.incr("k").incr("l").incr("k").execute(raise_on_error=False)
    check([3, 4], [replies[0], replies[2]])
    check(True, isinstance(replies[1], redis.ResponseError))
    with r.pipeline(transaction=True) as pipe:
        pipe.set("k", "9").execute_command("GET")
        check_error(
            "Command # 2 (GET) of pipeline caused error:"
            " wrong number of arguments for 'get' command",
            pipe.execute,
        )
    check("4", r.get("k"))


@case
def a_transaction_is_not_run_if_a_watched_key_changed(r):
    r.set("balance", 10)
    with r.pipeline() as pipe:
        pipe.watch("balance")
        check("10", pipe.get("balance"))
        r.incr("balance")
        pipe.multi()
        pipe.set("balance", 0)
        try:
            pipe.execute()
            raise AssertionError("a change was not seen")
        except redis.WatchError:
            pass
    check("11", r.get("balance"))
    seen = []

    def withdraw(pipe):
        seen.append(int(pipe.get("balance")))
        if len(seen) == 1:
            r.incr("balance", 100)
        pipe.multi()
        pipe.decrby("balance", seen[-1])

    check([0], r.transaction(withdraw, "balance"))
    check([11, 111], seen)


@case
def what_is_there_is_popped_without_waiting(r):
    r.rpush("l", "a", "b", "c", "d")
    check(("l", "a"), tuple(r.blpop(["missing", "l"], timeout=5)))
    check(("l", "d"), tuple(r.brpop("l", timeout=5)))
    check("b", r.blmove("l", "m", timeout=5))
    check(["l", ["c"]], r.blmpop(5, 2, "l", "x", direction="LEFT", count=10))
    check("b", r.brpoplpush("m", "n", timeout=5))
    r.zadd("z", {"a": 1, "b": 2, "c": 3})
    check(("z", "a", 1.0), tuple(r.bzpopmin("z", timeout=5)))
    check(("z", "c", 3.0), tuple(r.bzpopmax(["missing", "z"], timeout=5)))
    key, members = r.bzmpop(5, 1, ["z"], max=True)
    check(("z", [("b", 2.0)]), (key, scored(members)))


@case
def who_waits_is_told_that_nothing_came(r):
    check(None, r.blpop("missing", timeout=0.01))
    check(None, r.blmove("missing", "m", timeout=0.01))
    check(None, r.bzpopmin("missing", timeout=0.01))
    check(None, r.blmpop(0.01, 1, "missing", direction="LEFT"))
    r.set("k", "v")
    check_error(WRONG_TYPE, r.blpop, "k", 1)


@case
def who_waits_is_served_when_something_comes(r):
    for wait, give, expected in (
        (lambda c: c.blpop(["x", "l"], timeout=20), lambda: r.rpush("l", "a", "b"), ("l", "a")),
        (lambda c: c.bzpopmax("z", timeout=20), lambda: r.zadd("z", {"m": 1.5}), ("z", "m", 1.5)),
    ):
        found, waiting = [], another(r)
        number = waiting.client_id()
        thread = threading.Thread(target=lambda: found.append(tuple(wait(waiting))))
        thread.start()
        while r.info("clients")["blocked_clients"] == 0:
            pass
        check(True, "b" in r.client_list(client_id=[number])[0]["flags"])
        give()
        thread.join()
        check([expected], found)
    check(["b"], r.lrange("l", 0, -1))


@case
def messages_reach_who_listens(r):
    with r.pubsub() as listener:
        listener.subscribe("news", "weather")
        listener.psubscribe("n*")
        confirmed = [listener.get_message(timeout=20) for _ in range(3)]
        check(["subscribe", "subscribe", "psubscribe"], [one["type"] for one in confirmed])
        check([1, 2, 3], [one["data"] for one in confirmed])
        check(2, r.publish("news", "hello"))
        check(1, r.publish("nobody's", "hello"))
        received = [listener.get_message(timeout=20) for _ in range(3)]
        check([None, "n*", "n*"], [one["pattern"] for one in received])
        check(["news", "news", "nobody's"], [one["channel"] for one in received])
        check(["hello"] * 3, [one["data"] for one in received])
        check(["news", "weather"], sorted(r.pubsub_channels()))
        check([("news", 1), ("none", 0)], pairs(r.pubsub_numsub("news", "none")))
        check(1, r.pubsub_numpat())
        listener.unsubscribe()
        listener.punsubscribe()
        last = [listener.get_message(timeout=20) for _ in range(3)]
        check([2, 1, 0], [one["data"] for one in last])
    check(0, r.publish("news", "hello"))


@case
def a_monitor_sees_what_others_do(r):
    with r.monitor() as monitor:
        r.set("k", "a b")
        seen = monitor.next_command()
        while seen["command"].split(" ")[0] != "SET":
            seen = monitor.next_command()
        check("SET k a b", seen["command"])
        check_in(("tcp",), seen["client_type"])


@case
def values_are_dumped_and_restored(r):
    raw = another(r, decode_responses=False)
    values = {
        "string": lambda key: raw.set(key, b"\x00\xff"),
        "list": lambda key: raw.rpush(key, *range(1000)),
        "hash": lambda key: raw.hset(key, mapping={"f": "v", "g": "w"}),
        "set": lambda key: raw.sadd(key, 1, 2, "x"),
        "zset": lambda key: raw.zadd(key, {"a": 1.5, "b": -2}),
    }
    read = {
        "string": raw.get,
        "list": lambda key: raw.lrange(key, 0, -1),
        "hash": raw.hgetall,
        "set": raw.smembers,
        "zset": lambda key: raw.zrange(key, 0, -1, withscores=True),
    }
    for kind, store in values.items():
        store(kind)
        dumped = raw.dump(kind)
        raw.restore("copy", 100_000, dumped, replace=True)
        check(read[kind](kind), read[kind]("copy"))
        check_in(range(1, 101), raw.ttl("copy"))
        check_error("BUSYKEY Target key name already exists.", raw.restore, "copy", 0, dumped)
    check(None, raw.dump("missing"))
    check_error(
        "DUMP payload version or checksum are wrong", raw.restore, "bad", 0, b"x" * 20
    )
