"""The real core in virtual time: what the queues say is what its callers wait, and a write's effect comes when it is served."""

import random

import builders
import pytest

from twit.core import wiring
from twit.core.errors import StoreDown, StoreTimeout
from twit.core.limits import Limits
from twit.core.offload import InlineOffload
from twit.core.routing import Epoch
from twit.core.stores.embedded import open_stores
from twit.simulate.kinds import Kind
from twit.simulate.loop import VirtualClock, run_virtually
from twit.simulate.modelled import REQUEST, modelled
from twit.simulate.queues.model import Effect, Refused, Served, TimedOut

DEADLINE_US = 1_000_000


class Told:
    """A delay that says what the test told it, and notes what it was asked."""

    def __init__(self, **outcomes):
        self.asked, self.outcomes = [], outcomes

    def at(self, kind, shard, t, elements, bytes, u01):  # noqa: A002 - the contract's word
        self.asked.append((kind, shard, t, elements, bytes, u01))
        outcome = self.outcomes.get(kind.name, Served(wait_us=100, service_us=10 + elements, net_us=50))
        return outcome(shard) if callable(outcome) else outcome


def in_virtual_time(tmp_path, delay, scenario, seed=1, epoch=Epoch()):  # noqa: B008 - frozen
    """Run `scenario(twit, loop, settle)` on two friends' service whose stores take time."""

    async def main(loop):
        clock, limits = VirtualClock(loop, builders.NOON_MS), Limits()
        stores = open_stores(tmp_path / f"{len(list(tmp_path.iterdir()))}", limits, clock, durable=False, inline=True)
        timed, settle = modelled(stores, delay=delay, clock=clock, limits=limits, epoch=epoch, seed=seed, deadline_us=DEADLINE_US)
        twit = await wiring.build(
            timed, limits=limits, clock=clock, chance=random.Random(3), entropy=builders.CountedEntropy(), offload=InlineOffload()
        )
        try:
            return await scenario(twit, loop, settle)
        finally:
            await stores.health.close()

    return run_virtually(main)


async def friends(twit):
    ada, bob = await builders.make_users(twit, "ada bob")
    await builders.make_friends(twit, (bob, ada))
    return ada, bob


def test_a_read_waits_for_the_slowest_of_its_shards_and_answers_what_the_stores_say(tmp_path):
    delay = Told()

    async def scenario(twit, loop, _settle):
        ada, bob = await friends(twit)
        tweets = [await twit.post(ada, f"tweet {n}") for n in range(5)]
        await builders.settle(twit)
        ids = [tweet.tweet_id for tweet in tweets]
        delay.outcomes["HYDRATE"] = lambda shard: Served(wait_us=1_000 * shard, service_us=7, net_us=3)
        delay.asked.clear()
        began = loop.time()
        found = await twit.stores.tweets.get(ids)
        assert [tweet.tweet_id for tweet in found] == ids
        shards = {shard for kind, shard, *_ in delay.asked if kind is Kind.HYDRATE}
        assert len(shards) > 1
        assert round((loop.time() - began) * 1e6) == max(shards) * 1_000 + 10
        sizes = {}
        for kind, shard, _, elements, weight, _ in delay.asked:
            sizes[shard] = (elements, weight) if kind is Kind.HYDRATE else None
        assert sum(elements for elements, _ in sizes.values()) == 5
        delay.outcomes.pop("HYDRATE")
        return await builders.home(twit, bob), list(reversed(ids))

    home, wanted = in_virtual_time(tmp_path, delay, scenario, epoch=Epoch(redis=40))
    assert home == wanted


def test_the_same_seed_gives_the_same_questions_and_moments_and_another_seed_other_draws(tmp_path):
    async def scenario(twit, loop, _settle):
        ada, bob = await friends(twit)
        for n in range(3):
            REQUEST.set(n)
            await twit.post(ada, f"tweet {n}")
        await builders.settle(twit)
        await builders.home(twit, bob)
        return loop.time()

    runs = []
    for seed in (1, 1, 2):
        delay = Told()
        runs.append((in_virtual_time(tmp_path, delay, scenario, seed), delay.asked))
    assert runs[0] == runs[1]
    draws = [[question[5] for question in asked] for _, asked in runs]
    assert max(draws[0].count(draw) for draw in draws[0]) == 2  # a read asks for its wait, then for its work
    assert not set(draws[0]) & set(draws[2])


def test_what_is_refused_is_told_so_and_has_no_effect(tmp_path):
    delay = Told()

    async def scenario(twit, loop, settle):
        ada, _ = await friends(twit)
        delay.outcomes["PUT_TWEET"] = Refused(after_us=2_000)
        began = loop.time()
        with pytest.raises(StoreDown, match="turned away"):
            await twit.post(ada, "lost")
        assert loop.time() - began >= 0.002
        delay.outcomes.clear()
        await settle()
        return len((await twit.user_timeline(0, ada, limit=5)).tweets)

    assert in_virtual_time(tmp_path, delay, scenario) == 0


@pytest.mark.parametrize("slow", [
    TimedOut(after_us=DEADLINE_US + 400_000, effect=Effect.DONE), Served(wait_us=DEADLINE_US, service_us=400_000, net_us=0),
])  # fmt: skip
def test_a_write_whose_caller_gave_up_is_done_later_where_its_server_does_it(tmp_path, slow):
    delay = Told()

    async def scenario(twit, loop, settle):
        ada, _ = await friends(twit)
        delay.outcomes["PUT_TWEET"] = slow
        before = loop.time()
        with pytest.raises(StoreTimeout, match="1000 ms"):
            await twit.post(ada, "late")
        gave_up = loop.time()
        assert DEADLINE_US / 1e6 <= gave_up - before < DEADLINE_US / 1e6 + 0.05
        own = twit.stores.tweets.by_authors
        (early,) = await own((ada,), limit=5)
        await settle()
        assert loop.time() - gave_up == pytest.approx(0.4, abs=0.001)
        (found,) = await own((ada,), limit=5)
        return len(early), len(found)

    assert in_virtual_time(tmp_path, delay, scenario) == (0, 1)


def test_a_write_that_is_thrown_away_unstarted_has_no_effect(tmp_path):
    delay = Told()

    async def scenario(twit, _loop, settle):
        ada, _ = await friends(twit)
        delay.outcomes["PUT_TWEET"] = TimedOut(after_us=DEADLINE_US, effect=Effect.NEVER)
        with pytest.raises((StoreTimeout, StoreDown)):
            await twit.post(ada, "never")
        await settle()
        (found,) = await twit.stores.tweets.by_authors((ada,), limit=5)
        return len(found)

    assert in_virtual_time(tmp_path, delay, scenario) == 0


def test_pushes_cost_by_reader_and_go_to_the_shards_of_their_rows(tmp_path):
    delay = Told()

    async def scenario(twit, _loop, _settle):
        star = await builders.make_user(twit, "star")
        fans = [await builders.make_user(twit, f"fan{n}") for n in range(30)]
        await builders.make_friends(twit, *((fan, star) for fan in fans))
        await twit.post(star, "hello")
        delay.asked.clear()
        await builders.settle(twit)
        pushed = [(shard, elements) for kind, shard, _, elements, *_ in delay.asked if kind is Kind.PUSH]
        return sum(elements for _, elements in pushed), len({shard for shard, _ in pushed})

    elements, shards = in_virtual_time(tmp_path, delay, scenario, epoch=Epoch(redis=8))
    assert elements >= 31
    assert shards == 8
