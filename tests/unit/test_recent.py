"""The bounded dict of the caches: what it holds is right, what it forgets is old, and doing much at once is doing it one by one."""

from twit.core.recent import Recent


def kept(size, **items):
    """One that holds these, put in in turn."""
    recent = Recent(size)
    for key, value in items.items():
        recent[key] = value
    return recent


def test_what_was_not_asked_for_lately_is_forgotten():
    recent = kept(4, a=1, b=2, c=3)
    assert recent.get("a") == 1  # from here on as young as c
    recent["d"] = 4
    assert [recent.get(key) for key in "abcd"] == [1, None, 3, 4]


def test_a_look_that_leaves_the_age_alone_saves_nothing():
    recent = kept(4, a=1, b=2, c=3)
    assert recent.peek("a") == 1
    recent["d"], recent["e"] = 4, 5
    assert recent.peek("a") is None


def test_the_smallest_holds_what_was_put_in_last():
    assert kept(1, a=1, b=2).values() == [1, 2]
    assert kept(1, a=1, b=2, c=3).values() == [2, 3]


def test_asking_for_many_is_asking_for_each():
    one, many = kept(4, a=1, b=2, c=3), kept(4, a=1, b=2, c=3)
    assert many.get_all("cxab") == [one.get(key) for key in "cxab"] == [3, None, 1, 2]
    for recent in (one, many):
        recent["d"] = 4
    assert many.values() == one.values()


def test_many_of_whom_all_are_young_are_found_at_once():
    recent = kept(8, a=1, b=2)
    recent.get = None  # not needed
    assert recent.get_all("ba") == [2, 1]


def test_putting_in_many_is_putting_in_each():
    for before in range(5):
        for more in range(6):
            one, many = kept(6, **dict(zip("abcd", range(before), strict=False))), kept(6, **dict(zip("abcd", range(before), strict=False)))
            items = {key: key for key in "dcxyz"[:more]}
            for key, value in items.items():
                one[key] = value
            many.update(items)
            assert (many.young, many.values(), len(many)) == (one.young, one.values(), len(one))


def test_each_is_listed_once_those_asked_for_lately_last():
    recent = kept(4, a=1, b=2, c=3)
    recent["a"] = 9
    assert recent.values() == [2, 3, 9]


def test_a_new_value_stands_where_one_is_and_nowhere_else():
    recent = kept(4, a=1, b=2, c=3)
    for key in "acx":
        recent.replace(key, 9)
    assert [recent.peek(key) for key in "abcx"] == [9, 2, 9, None]
    recent["d"], recent["e"] = 4, 5
    assert recent.peek("a") is None  # no younger than it was


def test_what_is_dropped_is_gone_from_both_halves():
    recent = kept(4, a=1, b=2, c=3)
    recent["a"] = 9
    assert [recent.drop(key) for key in "abx"] == [9, 2, None]
    assert [recent.peek(key) for key in "ab"] == [None, None]
    assert len(recent) == 1
    recent.clear()
    assert recent.values() == []
