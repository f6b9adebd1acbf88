"""The port `RateLimits`: a bucket is full at first, empties by one a take, and fills with time."""

from twit.core.stores.embedded.rates import TokenBuckets

SECOND = 1_000_000


async def test_a_burst_is_allowed_and_no_more(stores):
    taken = [stores.rates.take("ada", 3, 1.0, 0) for _ in range(4)]
    assert [allowed for allowed, _, _ in taken] == [True, True, True, False]
    assert [left for _, left, _ in taken] == [2, 1, 0, 0]


async def test_a_refusal_says_when_to_come_back(stores):
    stores.rates.take("ada", 1, 0.5, 0)
    assert stores.rates.take("ada", 1, 0.5, 0) == (False, 0, 2.0)
    assert stores.rates.take("ada", 1, 0.5, SECOND) == (False, 0, 1.0)
    assert stores.rates.take("ada", 1, 0.5, 2 * SECOND)[0]


async def test_waiting_never_fills_it_over_the_burst(stores):
    for _ in range(2):
        stores.rates.take("ada", 2, 1.0, 0)
    taken = [stores.rates.take("ada", 2, 1.0, 3_600 * SECOND)[0] for _ in range(3)]
    assert taken == [True, True, False]


async def test_keys_have_buckets_of_their_own(stores):
    stores.rates.take("ada", 1, 1.0, 0)
    assert stores.rates.take("bob", 1, 1.0, 0)[0]


async def test_a_clock_that_steps_back_takes_nothing_away(stores):
    stores.rates.take("ada", 2, 1.0, 10 * SECOND)
    assert stores.rates.take("ada", 2, 1.0, 0)[0]


def test_full_buckets_are_what_is_dropped():
    buckets = TokenBuckets(kept_max=4)
    for key in ("a", "b", "c", "d"):
        buckets.take(key, 1, 1.0, 0)
    buckets.take("spent", 1, 0.001, 5 * SECOND)
    assert len(buckets) == 1
    assert not buckets.take("spent", 1, 0.001, 5 * SECOND)[0]


def test_memory_has_a_bound_even_if_none_is_full():
    buckets = TokenBuckets(kept_max=100)
    for number in range(10_000):
        buckets.take(str(number), 1, 0.001, 0)
    assert len(buckets) <= 100
    assert not buckets.take("9999", 1, 0.001, 0)[0]
