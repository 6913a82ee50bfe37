"""Drives a server with redis-py: python3 tests/clients/redis_py PORT 2|3 all|own.

With `all` every case has to hold; with `own` those that are newer than the server are left out.
"""

import sys
import traceback

import redis

import checks
import caching  # noqa: F401, every family registers its cases
import connections  # noqa: F401
import geo  # noqa: F401
import hashes  # noqa: F401
import keys  # noqa: F401
import lists  # noqa: F401
import pubsub  # noqa: F401
import scripts  # noqa: F401
import server  # noqa: F401
import sets  # noqa: F401
import sorted_sets  # noqa: F401
import strings  # noqa: F401
import together  # noqa: F401


def main():
    port, protocol, extent = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    client = redis.Redis(port=port, protocol=protocol, decode_responses=True, socket_timeout=30)
    own = checks.as_numbers(client.info("server")["redis_version"])
    failed = left_out = 0
    for function, version in checks.CASES:
        if extent == "own" and version > own:
            left_out += 1
            continue
        client.flushall()
        try:
            function(client)
        except Exception:
            failed += 1
            print(f"{function.__module__}.{function.__name__}", file=sys.stderr)
            traceback.print_exc()
    print(f"{len(checks.CASES) - left_out - failed} hold, {failed} fail, {left_out} left out")
    sys.exit(1 if failed else 0)


main()
