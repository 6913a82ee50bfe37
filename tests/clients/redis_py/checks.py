"""What the families share: cases, and what they compare with."""

import redis

CASES = []


def case(function):
    """A case: a function of the client, which finds the databases empty."""
    return since("7.0")(function)


def since(version):
    """A case for what came with this version of Redis."""

    def register(function):
        CASES.append((function, as_numbers(version)))
        return function

    return register


def as_numbers(version):
    return tuple(int(number) for number in version.split(".")[:2])


def check(expected, found):
    """Equal, and of equal type: a client must not get text for a number."""
    assert found == expected, f"expected {expected!r}, got {found!r}"
    assert type(found) is type(expected), f"expected {expected!r}, got {found!r}"


def check_in(expected, found):
    assert found in expected, f"expected one of {expected!r}, got {found!r}"


def check_near(expected, found, tolerance):
    assert abs(found - expected) <= tolerance, f"expected about {expected!r}, got {found!r}"


def check_error(expected, call, *args, **kwargs):
    """The text of the error, without its code where redis-py takes it off."""
    try:
        found = call(*args, **kwargs)
    except redis.ResponseError as error:
        return check(expected, str(error))
    raise AssertionError(f"expected the error {expected!r}, got {found!r}")


def pairs(found):
    """Fields with values: tuples, lists or one flat list, by protocol and version of redis-py."""
    if found and not isinstance(found[0], (list, tuple)):
        found = zip(found[::2], found[1::2])
    return [tuple(pair) for pair in found]


def scored(found):
    """Members with scores, which redis-py now and then leaves as RESP2 has them."""
    return [(member, float(score)) for member, score in pairs(found)]


WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
