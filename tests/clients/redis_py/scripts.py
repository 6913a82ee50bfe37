"""Scripts, and what redis-py builds on them: locks."""

import threading

import redis
from redis.exceptions import LockError, LockNotOwnedError

from checks import case, check, check_error
from connections import another


@case
def a_registered_script_is_loaded_when_it_is_missing(r):
    add = r.register_script("return redis.call('incrby', KEYS[1], ARGV[1]) + 0")
    r.script_flush()
    check(5, add(keys=["n"], args=[5]))
    check([True], r.script_exists(add.sha))
    check(7, add(keys=["n"], args=[2]))
    r.script_flush()
    with r.pipeline() as pipe:
        add(keys=["n"], args=[1], client=pipe)
        pipe.get("n")
        check([8, "8"], pipe.execute())


@case
def scripts_answer_values_and_errors(r):
    check([1, "two", None], r.eval("return {1, 'two', false, nil}", 0)[:3])
    check("v", r.eval("redis.call('set', KEYS[1], ARGV[1]) return redis.call('get', KEYS[1])", 1, "k", "v"))
    sha = r.script_load("return 'loaded'")
    check("loaded", r.evalsha(sha, 0))
    check("v", r.eval_ro("return redis.call('get', KEYS[1])", 1, "k"))
    check_error(
        "No matching script. Please use EVAL.", r.evalsha, "f" * 40, 0
    )


@case
def a_lock_is_held_by_one(r):
    lock = r.lock("lock", timeout=10)
    check(True, lock.acquire(blocking=False))
    other = r.lock("lock", timeout=10)
    check(False, other.acquire(blocking=False))
    check(True, lock.owned())
    check(True, lock.extend(5))
    check(True, 10_000 < r.pttl("lock") <= 15_000)
    check(True, lock.reacquire())
    check(True, r.pttl("lock") <= 10_000)
    lock.release()
    check(None, r.get("lock"))
    try:
        lock.release()
        raise AssertionError("released twice")
    except LockError:
        pass
    check(True, lock.acquire(blocking=False))
    r.set("lock", "somebody else's")
    try:
        lock.release()
        raise AssertionError("released what another holds")
    except LockNotOwnedError:
        pass


@case
def a_lock_is_waited_for(r):
    held = r.lock("lock", timeout=30)
    check(True, held.acquire())
    order = []
    waiting = threading.Event()

    def wait():
        mine = another(r).lock("lock", timeout=30, sleep=0.005)
        waiting.set()
        check(True, mine.acquire(blocking_timeout=20))
        order.append("second")
        mine.release()

    thread = threading.Thread(target=wait)
    thread.start()
    waiting.wait()
    order.append("first")
    held.release()
    thread.join()
    check(["first", "second"], order)
