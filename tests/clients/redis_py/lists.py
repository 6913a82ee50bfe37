"""Lists."""

from checks import case, check, check_error, WRONG_TYPE


@case
def elements_come_and_go_at_both_ends(r):
    check(3, r.rpush("l", "b", "c", "d"))
    check(5, r.lpush("l", "a", "0"))
    check(["0", "a", "b", "c", "d"], r.lrange("l", 0, -1))
    check("0", r.lpop("l"))
    check("d", r.rpop("l"))
    check(["a", "b"], r.lpop("l", 2))
    check(["c"], r.rpop("l", 5))
    check(None, r.lpop("l"))
    check(None, r.lpop("l", 2))
    check(0, r.exists("l"))
    check(0, r.lpushx("l", "a"))
    check(0, r.rpushx("l", "a"))
    r.rpush("l", 1)
    check(2, r.lpushx("l", 0))
    check(4, r.rpushx("l", 2, 3))
    check([], r.lpop("l", 0))


@case
def elements_are_found_by_index_and_by_value(r):
    r.rpush("l", "a", "b", "c", "1", "2", "3", "c", "c")
    check(8, r.llen("l"))
    check(0, r.llen("missing"))
    check("a", r.lindex("l", 0))
    check("c", r.lindex("l", -1))
    check(None, r.lindex("l", 8))
    check(2, r.lpos("l", "c"))
    check(6, r.lpos("l", "c", rank=2))
    check(7, r.lpos("l", "c", rank=-1))
    check([2, 6], r.lpos("l", "c", count=2))
    check([7, 6, 2], r.lpos("l", "c", rank=-1, count=0))
    check([2], r.lpos("l", "c", count=0, maxlen=4))
    check(None, r.lpos("l", "x"))
    check([], r.lpos("l", "x", count=0))


@case
def elements_are_changed_in_the_middle(r):
    r.rpush("l", "a", "c", "a")
    check(4, r.linsert("l", "BEFORE", "c", "b"))
    check(5, r.linsert("l", "after", "c", "d"))
    check(-1, r.linsert("l", "BEFORE", "x", "y"))
    check(0, r.linsert("missing", "BEFORE", "x", "y"))
    check(True, r.lset("l", -1, "e"))
    check(["a", "b", "c", "d", "e"], r.lrange("l", 0, -1))
    check_error("index out of range", r.lset, "l", 5, "x")
    check_error("no such key", r.lset, "missing", 0, "x")
    check(True, r.ltrim("l", 1, -2))
    check(["b", "c", "d"], r.lrange("l", 0, -1))
    r.rpush("l", "b", "b", "b")
    check(1, r.lrem("l", -1, "b"))
    check(["b", "c", "d", "b", "b"], r.lrange("l", 0, -1))
    check(2, r.lrem("l", 2, "b"))
    check(["c", "d", "b"], r.lrange("l", 0, -1))
    check(1, r.lrem("l", 0, "b"))
    check(0, r.lrem("l", 0, "b"))


@case
def elements_move_from_list_to_list(r):
    r.rpush("a", 1, 2, 3)
    check("1", r.lmove("a", "b"))
    check("3", r.lmove("a", "b", "RIGHT", "LEFT"))
    check(["3", "1"], r.lrange("b", 0, -1))
    check("2", r.rpoplpush("a", "b"))
    check(["2", "3", "1"], r.lrange("b", 0, -1))
    check("2", r.lmove("b", "b", "LEFT", "RIGHT"))
    check(["3", "1", "2"], r.lrange("b", 0, -1))
    check(None, r.lmove("a", "b"))
    check(None, r.rpoplpush("a", "b"))


@case
def several_lists_are_popped(r):
    r.rpush("b", 1, 2, 3, 4)
    check(["b", ["1"]], r.lmpop(2, "a", "b", direction="LEFT"))
    check(["b", ["4", "3"]], r.lmpop(2, "a", "b", direction="RIGHT", count=2))
    check(["b", ["2"]], r.lmpop(2, "a", "b", direction="LEFT", count=10))
    check(None, r.lmpop(2, "a", "b", direction="LEFT"))


@case
def long_lists_stay_in_order(r):
    for start in range(0, 10_000, 1000):
        r.rpush("l", *range(start, start + 1000))
    check([str(number) for number in range(10_000)], r.lrange("l", 0, -1))
    check(["4999", "5000", "5001"], r.lrange("l", 4999, 5001))
    check("7777", r.lindex("l", 7777))
    check("2222", r.lindex("l", -7778))
    check(10_001, r.linsert("l", "BEFORE", "5000", "between"))
    check(["4999", "between", "5000"], r.lrange("l", 4999, 5001))
    check(1, r.lrem("l", 1, "between"))
    check([str(number) for number in range(100)], r.lpop("l", 100))
    check([str(number) for number in range(9999, 9899, -1)], r.rpop("l", 100))
    check(True, r.ltrim("l", 4900, 4909))
    check([str(number) for number in range(5000, 5010)], r.lrange("l", 0, -1))


@case
def other_types_are_refused(r):
    r.set("k", "v")
    for call in (r.lpush, r.rpush, r.lpushx):
        check_error(WRONG_TYPE, call, "k", "a")
    check_error(WRONG_TYPE, r.llen, "k")
    check_error(WRONG_TYPE, r.lmove, "k", "l")
    check_error(WRONG_TYPE, r.lmpop, 1, "k", direction="LEFT")
