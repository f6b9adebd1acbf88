"""kill -9 in mid-write, round after round: nothing acknowledged is lost, nothing is doubled, order and counts are right.

`TWIT_CRASH_ROUNDS` says how many rounds (`make crash`: 200), `TWIT_CRASH_SEED` which. A round kills whoever is at work: one
process that does everything, or one that answers people and one that consumes events; after some time, or when a chosen line
of a chosen file is about to run. What a power cut takes from a disk's own cache is not tested here: SIGKILL leaves the
kernel's pages in place.
"""

import asyncio
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest

from tests.crash.account import Account, Verifier, everybody
from tests.crash.poster import Said, open_twit

ROUNDS = int(os.environ.get("TWIT_CRASH_ROUNDS", "20"))
SEED = int(os.environ.get("TWIT_CRASH_SEED", "5"))
ROOT = Path(__file__).parent.parent.parent
ROUND_S = 0.8
RING = "core/stores/embedded/ring_rows.py"
WRITES = [  # where a row of the ring is half written between one line and the next
    *(f"{RING}:{name}" for name in ("_append", "_append", "_shift_in", "_insert_within", "write", "_merge", "_remove", "raise_floor")),
    *(f"core/stores/embedded/ring.py:{name}" for name in ("replace", "_fill_empty")), "core/stores/embedded/ring_slots.py:assign",
]  # fmt: skip
FILES = [
    f"core/{name}.py"
    for name in (
        "stores/embedded/ring_rows", "stores/embedded/ring", "stores/embedded/writer", "stores/embedded/transactions",
        "stores/embedded/work", "stores/embedded/tweets", "stores/embedded/carry", "consumer", "fanout", "carrier", "rows", "tweets",
    )
]  # fmt: skip


class Victim:
    """A process that acts or consumes until it is killed."""

    def __init__(self, folder, account, orders):
        self.account, self.aimed = account, bool(orders.aim)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.poster", str(folder)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        self.process.stdin.write(msgspec.json.encode(orders) + b"\n")
        self.process.stdin.close()
        self.ready = threading.Event()
        self.failure = None
        self.listener = threading.Thread(target=self.listen)
        self.listener.start()

    def listen(self):
        for line in self.process.stdout:
            if line.endswith(b"\n"):
                said = msgspec.json.decode(line, type=Said)
                if said.ready:
                    self.ready.set()
                try:
                    self.account.hear(said)
                except AssertionError as error:
                    self.failure = self.failure or error
        self.ready.set()

    def kill(self, after_s):
        """Let it work for so long, kill it, and hear it out. An aimed one may be dead by then."""
        assert self.ready.wait(60)
        time.sleep(after_s)
        self.process.kill()
        assert self.process.wait(20) == -9, "it ended by itself"
        self.listener.join(20)
        self.process.stdout.close()
        if self.failure:
            raise self.failure


def round_of(folder, account, chance):
    """Somebody is at work, and is killed."""
    aim = chance.choice(("", chance.choice(FILES), chance.choice(WRITES), chance.choice(WRITES)))
    if chance.random() < 0.6:
        Victim(folder, account, account.orders(chance, aim=aim)).kill(chance.uniform(0.005, ROUND_S) + (aim != "") * ROUND_S)
        return 1
    at_consumer = chance.random() < 0.5
    victims = [
        Victim(folder, account, account.orders(chance, acts=acts, consumes=not acts, aim=aim if acts is not at_consumer else ""))
        for acts in (True, False)
    ]
    chance.shuffle(victims)
    for victim in victims:
        victim.kill(chance.uniform(0.005, ROUND_S))
    return 2


async def prepare(folder):
    twit = await open_twit(folder)
    await twit.accounts.add(everybody())
    await twit.stores.health.close()


async def verified(folder, account, pages):
    """Open what the dead left, and verify it: only the rows where `pages` is 0."""
    twit = await open_twit(folder)
    try:
        verifier = Verifier(twit, account)
        return await (verifier.verify(pages) if pages else verifier.look_at_rows())
    finally:
        await twit.stores.health.close()


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_nothing_acknowledged_is_lost_and_nothing_doubled(tmp_path):
    asyncio.run(prepare(tmp_path))
    chance, account, kills, stored = random.Random(SEED), Account(), 0, 0
    began = time.monotonic()
    for number in range(1, ROUNDS + 1):
        kills += round_of(tmp_path, account, chance)
        pages = 1_000 if number == ROUNDS else 4 if number % 10 == 0 else 0
        stored = asyncio.run(verified(tmp_path, account, pages))
    aimed = sum(account.aims.values())
    print(
        f"{ROUNDS} rounds, {kills} kills ({aimed} at a chosen line of {len(account.aims)} files), seed {SEED}: "
        f"{account.answered} acts acknowledged, {len(account.model.posts)} tweets made, {stored} standing: "
        f"0 lost, 0 doubled, order kept, counts, homes, deliveries and audits right; {time.monotonic() - began:.0f} s"
    )
    assert account.answered > 5 * ROUNDS
    assert aimed > ROUNDS // 10
