"""The compiled twin of the one route function."""

import numpy as np
import pytest

from twit.core.routing import Epoch, Kept, Tier, route
from twit.simulate.day.routes import even_shares, shards_of

EPOCH = Epoch(redis=100, cassandra=12, mysql=256, kafka=64, gateway=60)


@pytest.mark.parametrize("kept", Kept)
def test_compiled_routes_are_those_of_the_core(kept):
    chance = np.random.default_rng(1)
    edges = [1, 9, 10, 99, 100, 999, 1_000, 1_001, 999_999, 1_000_000, 1_000_001, 499_999_999, 500_000_000, (1 << 31) - 1]
    keys = np.array(edges + [int(10**x) for x in chance.uniform(0, 9.3, 3_000)], np.int64)
    if kept.tier is not Tier.REDIS:
        keys = np.concatenate((keys, chance.integers(1, (1 << 63) - 1, 1_000)))
    found = shards_of(kept, keys, EPOCH)
    assert found.tolist() == [route(kept, key, EPOCH)[1] for key in keys.tolist()]


def test_redis_shards_hold_the_slots_that_do_not_divide():
    shares = even_shares(Tier.REDIS, EPOCH) * 16384
    assert set(shares.tolist()) == {163, 164}
    assert shares.sum() == 16384
