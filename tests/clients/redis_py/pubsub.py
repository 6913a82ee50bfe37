"""Publish and subscribe: messages one after the other, by handlers, and on a thread."""

import threading
import time

from checks import case, check


def next_message(subscriber):
    """The next of any kind."""
    message = subscriber.get_message(timeout=30)
    assert message is not None, "no message came"
    return message


def message(kind, channel, data, pattern=None):
    return {"type": kind, "pattern": pattern, "channel": channel, "data": data}


@case
def messages_reach_channels_and_patterns(r):
    subscriber = r.pubsub()
    subscriber.subscribe("news", "other")
    check(message("subscribe", "news", 1), next_message(subscriber))
    check(message("subscribe", "other", 2), next_message(subscriber))
    subscriber.psubscribe("n*")
    check(message("psubscribe", "n*", 3), next_message(subscriber))
    check(2, r.publish("news", "hello"))
    check(message("message", "news", "hello"), next_message(subscriber))
    check(message("pmessage", "news", "hello", "n*"), next_message(subscriber))
    check(["news", "other"], sorted(r.pubsub_channels()))
    check([("news", 1), ("nobody", 0)], [tuple(pair) for pair in r.pubsub_numsub("news", "nobody")])
    check(1, r.pubsub_numpat())
    subscriber.unsubscribe("news")
    check(message("unsubscribe", "news", 2), next_message(subscriber))
    check(1, r.publish("news", "again"))
    check(message("pmessage", "news", "again", "n*"), next_message(subscriber))
    subscriber.close()


@case
def a_thread_runs_handlers_in_order(r):
    count = 1000
    received, done = [], threading.Event()

    def handle(message):
        received.append(message["data"])
        if len(received) == count:
            done.set()

    subscriber = r.pubsub(ignore_subscribe_messages=True)
    subscriber.subscribe(numbers=handle)
    # The subscription was sent by a connection of its own, and may come after what this one sends.
    until = time.monotonic() + 30
    while [tuple(pair) for pair in r.pubsub_numsub("numbers")] != [("numbers", 1)]:
        assert time.monotonic() < until, "nobody subscribes"
    thread = subscriber.run_in_thread(sleep_time=0.01, daemon=True)
    for number in range(count):
        check(1, r.publish("numbers", number))
    assert done.wait(30), f"only {len(received)} messages came"
    thread.stop()
    thread.join()
    check([str(number) for number in range(count)], received)


@case
def shard_channels_are_of_their_own_kind(r):
    subscriber = r.pubsub()
    subscriber.ssubscribe("shard")
    check(message("ssubscribe", "shard", 1), next_message(subscriber))
    check(0, r.publish("shard", "x"))
    check(1, r.spublish("shard", "hello"))
    check(message("smessage", "shard", "hello"), next_message(subscriber))
    check(["shard"], r.pubsub_shardchannels())
    check([("shard", 1)], [tuple(pair) for pair in r.pubsub_shardnumsub("shard")])
    subscriber.close()


@case
def a_client_watches_what_others_run(r):
    with r.monitor() as monitor:
        r.set("k", "v")
        seen = monitor.next_command()
        while seen["command"] != "SET k v":
            seen = monitor.next_command()
        check(0, seen["db"])
