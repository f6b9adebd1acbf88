"""Several gateways and workers at once on one live world, while workers join and die: no gap, no double, nothing left to do."""

from __future__ import annotations

import asyncio
import uuid

import pytest
from crowd import SETTLE_S, Crowd, Hosts, LiveVerifier

from tests.crash.account import Account

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]
LANES = 6  # three workers have two each, two have three


@pytest.fixture
def hosts(tmp_path):
    made = Hosts(tmp_path, f"procs_{uuid.uuid4().hex[:8]}", LANES)
    yield made
    made.end()


async def shared(twit, workers):
    """Come back when every lane is run, by so many, each with his fair share."""
    async with asyncio.timeout(SETTLE_S):
        while True:
            holders = [await twit.stores.leases.holder(lane.name) for lane in twit.stores.lanes("fanout")]
            if all(holders) and sorted(map(holders.count, set(holders))) == [LANES // workers] * workers:
                return set(holders)
            await asyncio.sleep(0.1)


async def test_two_gateways_and_two_workers_and_one_more_joins_and_one_dies(hosts):
    await hosts.settle_in()
    for slot in range(2):
        await asyncio.to_thread(hosts.gateway, slot)
        await asyncio.to_thread(hosts.worker, slot)
    account = Account()
    async with hosts.opened() as twit, Crowd(hosts, account, 3).acting() as crowd:
        two = await shared(twit, 2)
        await asyncio.sleep(1)
        await asyncio.to_thread(hosts.worker, 2)
        three = await shared(twit, 3)
        assert two < three
        await asyncio.sleep(1)
        hosts.kill(hosts.workers.pop(0))
        left = await shared(twit, 2)
        assert left < three
        assert left != two
        await asyncio.sleep(1)
        await crowd.quiet()
        verifier = LiveVerifier(twit, account)
        stored = await verifier.verify(1_000)
        await verifier.doors(crowd.twit)
        hosts.check()
    print(f"\n{account.answered} acts at two gateways while workers came and went, {stored} tweets standing: no gap, no double, lag 0")
    assert account.answered > 20
