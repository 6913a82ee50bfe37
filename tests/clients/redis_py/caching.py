"""Client-side caching: redis-py keeps what it has read until it is told that it has changed."""

import time

import redis

from checks import case, check


def protocol(r):
    return int(r.connection_pool.connection_kwargs["protocol"])


def becomes(expected, read):
    """Redis may answer who changes a key before it tells who caches it."""
    patience = time.monotonic() + 30
    while (found := read()) != expected and time.monotonic() < patience:
        pass
    check(expected, found)


@case
def cached_values_follow_changes(r):
    # redis-py caches in RESP3 alone.
    if protocol(r) != 3:
        return
    from redis.cache import CacheConfig

    # It asks for 7.4, though what it uses is older.
    redis.connection.CacheProxyConnection.MIN_ALLOWED_VERSION = "7.0.0"
    port = r.connection_pool.connection_kwargs["port"]
    caching = redis.Redis(
        port=port, protocol=3, decode_responses=True, cache_config=CacheConfig(max_size=100)
    )
    for number in range(20):
        r.set("k", number)
        becomes(str(number), lambda: caching.get("k"))
        check(str(number), caching.get("k"))
    check(1, caching.get_cache().size)
    r.mset({"a": 1, "b": 2})
    check(["1", "2"], caching.mget("a", "b"))
    r.delete("a")
    becomes([None, "2"], lambda: caching.mget("a", "b"))
    r.hset("h", "f", "v")
    check("v", caching.hget("h", "f"))
    r.flushall()
    becomes(None, lambda: caching.get("k"))
    becomes(None, lambda: caching.hget("h", "f"))
    caching.close()
