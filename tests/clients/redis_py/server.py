"""What the server tells about itself: CONFIG, INFO, COMMAND, SLOWLOG, LATENCY."""

import time

from checks import case, check, check_error, check_in, since


@case
def directives_are_read_and_changed(r):
    check({"databases": "16"}, r.config_get("databases"))
    names = {"hash-max-listpack-entries", "hash-max-listpack-value"}
    check(names, set(r.config_get("hash-max-list*")))
    both = r.config_get("maxclients", "timeout")
    check({"maxclients", "timeout"}, set(both))
    former = r.config_get("hash-max-listpack-entries")["hash-max-listpack-entries"]
    try:
        check(True, r.config_set("hash-max-listpack-entries", 2))
        r.hset("h", mapping={"a": 1, "b": 2, "c": 3})
        check("hashtable", r.object("encoding", "h"))
        check(True, r.config_set("hash-max-listpack-entries", 3, "set-max-intset-entries", 100))
        check("100", r.config_get("set-max-intset-entries")["set-max-intset-entries"])
    finally:
        r.config_set("hash-max-listpack-entries", former, "set-max-intset-entries", 512)
    check_error(
        "Unknown option or number of arguments for CONFIG SET - 'nonsense'",
        r.config_set, "nonsense", 1,
    )
    check_error(
        "CONFIG SET failed (possibly related to argument 'maxclients') - argument couldn't be"
        " parsed into an integer",
        r.config_set, "maxclients", "many",
    )


@case
def info_counts(r):
    check(True, r.config_resetstat())
    r.set("k", "v", ex=100)
    r.get("k")
    r.get("missing")
    info = r.info()
    check((1, 1), (info["keyspace_hits"], info["keyspace_misses"]))
    check_in(range(4, 20), info["total_commands_processed"])
    check((1, 1), (info["db0"]["keys"], info["db0"]["expires"]))
    check_in(range(1, 100), info["connected_clients"])
    check("master", info["role"])
    check("standalone", info["redis_mode"])
    check_in(range(1, 1 << 40), info["used_memory"])
    check(True, isinstance(info["uptime_in_seconds"], int))
    check(True, isinstance(info["used_cpu_user"], float))
    check({"redis_version"}, {"redis_version"} & set(r.info("server")))
    check(False, "redis_version" in r.info("clients"))
    check(2, r.info("commandstats")["cmdstat_get"]["calls"])
    several = r.info("server", "clients")
    names = ("redis_version", "connected_clients", "role")
    check([True, True, False], [name in several for name in names])


@case
def commands_are_described(r):
    commands = r.command()
    check(2, commands["get"]["arity"])
    check(-3, commands["set"]["arity"])
    check(True, "readonly" in commands["get"]["flags"])
    check(len(commands), r.command_count())
    check({"hget", "hgetall"}, {"hget", "hgetall"} & set(r.command_list(category="hash")))
    check(["zrank"], r.command_list(pattern="zran[k]"))
    check(["a", "b"], r.command_getkeys("MSET", "a", 1, "b", 2))
    found = r.command_getkeysandflags("LMOVE", "a", "b", "LEFT", "RIGHT")
    check(["a", "b"], [key for key, _ in found])
    check({"RW", "access", "delete"}, set(found[0][1]))


@case
def slow_commands_are_logged(r):
    former = r.config_get("slowlog-log-slower-than")["slowlog-log-slower-than"]
    try:
        r.config_set("slowlog-log-slower-than", 0)
        check(True, r.slowlog_reset())
        r.set("k", "v")
        entry = next(one for one in r.slowlog_get(10) if "SET k v" in as_text(one["command"]))
        check(True, abs(entry["start_time"] - time.time()) < 60 and entry["duration"] >= 0)
        check_in(range(1, 20), r.slowlog_len())
    finally:
        r.config_set("slowlog-log-slower-than", former)
    check(True, r.slowlog_reset())


def as_text(command):
    return command.decode() if isinstance(command, bytes) else command


@case
def time_goes_on(r):
    seconds, micros = r.time()
    check(True, abs(seconds + micros / 1e6 - time.time()) < 60)
    check([], list(r.latency_latest()))
    check(0, r.latency_reset())
    check(0, r.wait(0, 10))
    role = r.role()
    check("master", role[0])
    check(True, "Redis ver" in r.lolwut())


@since("7.2")
def clients_introduce_their_library(r):
    check(True, r.client_setinfo("LIB-NAME", "checks") in (True, "OK"))
    check("checks", r.client_info()["lib-name"])
