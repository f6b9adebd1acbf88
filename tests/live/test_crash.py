"""kill -9 of a gateway, a worker, a Redis master, Cassandra, Kafka or MySQL, one at a time, under load: nothing acknowledged is
lost, nothing is doubled, order is kept and the audit finds no difference.

`TWIT_CRASH_KILLS` says how many (`make crash-live`: 50), `TWIT_CRASH_SEED` which, `TWIT_CRASH_KINDS` of what. It uses the servers of `TWIT_LIVE_BASE` and
leaves them running.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
import uuid
from collections import defaultdict

import pytest
import servers
from crowd import Crowd, Hosts, LiveVerifier
from servers.process import wait_for
from servers.redis_cluster import ask

from tests.crash.account import Account

pytestmark = [pytest.mark.live, pytest.mark.timeout(3_600)]
KILLS = int(os.environ.get("TWIT_CRASH_KILLS", "6"))
SEED = int(os.environ.get("TWIT_CRASH_SEED", "5"))
KINDS = os.environ.get("TWIT_CRASH_KINDS", "gateway worker redis cassandra kafka mariadb").split()
DOWN_S = 0.0, 5.0  # before it is started again
REDIS_DOWN_S = 1.0, 7.0  # a replica takes over after some 3: mostly a failover, else a restart
FULL_EVERY = 10  # kills between two looks at everything


class Killer:
    """Ends one of them and starts it again."""

    def __init__(self, hosts, chance):
        self.hosts, self.chance = hosts, chance

    def kill(self, kind):
        """Which one it was."""
        if kind == "gateway":
            slot = self.chance.randrange(len(self.hosts.gateways))
            self.hosts.kill(self.hosts.gateways[slot][0])
            return slot
        if kind == "worker":
            slot = self.chance.randrange(len(self.hosts.workers))
            self.hosts.kill(self.hosts.workers[slot])
            return slot
        name = kind if kind != "redis" else f"redis-{self.chance.choice(masters())}"
        servers.kill(name, quietly)
        return name

    def revive(self, kind, which):
        """Start it, and come back when it is well."""
        if kind in {"gateway", "worker"}:
            getattr(self.hosts, kind)(which)
            return
        servers.start(which, quietly)
        if kind == "redis":
            redis = servers.SERVERS["redis"]
            wait_for("the cluster", redis.ready, redis.processes(), limit_s=120)


def quietly(_line):
    """The record says what matters."""


def masters():
    """Ports of the nodes that answer for slots."""
    return [at for at in servers.SERVERS["redis"].ports() if "role:master" in ask(at, "INFO replication")]


@pytest.fixture
def hosts(tmp_path):
    made = Hosts(tmp_path, f"crash_{uuid.uuid4().hex[:8]}")
    yield made
    made.end()


def order(chance):
    """Which kind each time: by chance, and each as often as the others."""
    kinds = []
    while len(kinds) < KILLS:
        kinds += chance.sample(KINDS, len(KINDS))
    return kinds[:KILLS]


async def test_nothing_acknowledged_is_lost_and_nothing_doubled_on_real_servers(hosts):
    await hosts.settle_in()
    for slot in range(2):
        await asyncio.to_thread(hosts.gateway, slot)
        await asyncio.to_thread(hosts.worker, slot)
    chance, account, began = random.Random(SEED), Account(), time.monotonic()
    killer, waits, stored = Killer(hosts, chance), defaultdict(list), 0
    async with Crowd(hosts, account, SEED).acting() as crowd:
        for number, kind in enumerate(order(chance), 1):
            crowd.going.set()
            await asyncio.sleep(chance.uniform(0.5, 2))
            crowd.longest_s = 0.0
            which = await asyncio.to_thread(killer.kill, kind)
            await asyncio.sleep(chance.uniform(*(REDIS_DOWN_S if kind == "redis" else DOWN_S)))
            await asyncio.to_thread(killer.revive, kind, which)
            await asyncio.sleep(chance.uniform(0.2, 1))
            await crowd.quiet()
            revived = time.monotonic()
            full = number == KILLS or number % FULL_EVERY == 0
            async with hosts.opened() as twit:
                verifier = LiveVerifier(twit, account)
                await verifier.settle()
                waits[kind].append((crowd.longest_s, time.monotonic() - revived))
                print(f"{number}: {kind} {which}: answered within {crowd.longest_s:.1f} s, caught up {waits[kind][-1][1]:.1f} s later")
                if full:
                    stored = await verifier.verify(1_000 if number == KILLS else 4)
                else:
                    await verifier.look_at_rows()
                await verifier.doors(crowd.twit)
            hosts.check()
    print(
        f"\n{KILLS} kills, seed {SEED}: {account.answered} acts acknowledged, {crowd.pages} pages read, {len(account.model.posts)} tweets "
        f"made, {stored} standing: 0 lost, 0 doubled, order kept, counts, homes, deliveries and audits right; {time.monotonic() - began:.0f} s"
    )
    for kind, found in waits.items():
        answered, settled = (sorted(column) for column in zip(*found, strict=True))
        print(
            f"{kind}: {len(found)} kills; longest wait for an answer {answered[len(found) // 2]:.1f} s (median), {answered[-1]:.1f} s "
            f"(worst); then caught up in {settled[len(found) // 2]:.1f} s, {settled[-1]:.1f} s"
        )
    assert account.answered > 10 * KILLS
