"""A service on a disk that fills up: run by test_disk.py as a process of its own, on a small file system or under a small quota.

Arguments: the folder; `quota` or `mount`. Prints what came of it as JSON. Never run by pytest.
"""

import asyncio
import json
import os
import random
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np

from twit.core.clock import SystemClock
from twit.core.entropy import SystemEntropy
from twit.core.errors import StoreError
from twit.core.limits import Limits
from twit.core.model import NewAccount
from twit.core.offload import ThreadOffload
from twit.core.stores.embedded import open_stores
from twit.core.wiring import build
from twit.core.workers import GROUPS

LEFT = 60_000  # bytes to go on with


class Disk:
    """What is left of it can be taken away and given back."""

    def __init__(self, folder, how):
        self.folder, self.how = folder, how

    def fill(self, left):
        if self.how == "quota":
            size = max(path.stat().st_size for path in (self.folder / "data").glob("twit.db*"))
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + left, resource.RLIM_INFINITY))
            return
        free = os.statvfs(self.folder).f_bavail * os.statvfs(self.folder).f_frsize
        with (self.folder / f"ballast{left}").open("wb") as ballast:
            ballast.write(b"x" * max(0, free - left))

    def free(self):
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        for ballast in self.folder.glob("ballast*"):
            ballast.unlink()


async def attempt(coroutine, errors):
    """What it gave, or None with its error noted."""
    try:
        return await coroutine
    except StoreError as error:
        errors.append([type(error).__name__, error.code, bool(error.meaning)])
        return None


async def home(twit, reader):
    ids, cursor, more = [], "", True
    while more:
        page = (await twit.home_timeline(reader, cursor, 200)).page
        ids += [tweet.tweet_id for tweet in page.tweets]
        cursor, more = page.next_cursor, page.has_more
    return ids


async def settled(twit):
    while any(lag.events or lag.work for lag in await twit.stores.log.lag(GROUPS, 0)):
        await asyncio.sleep(0.02)


def command(folder, *args):
    """How `twit` ends on that disk."""
    done = subprocess.run(
        [sys.executable, "-c", "from twit.cli import main; main()", *args], env=os.environ | {"TWIT_DATA": str(folder)},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return done.returncode, done.stderr


async def main(folder, how):
    data, disk, clock, limits = folder / "data", Disk(folder, how), SystemClock(), Limits()
    stores = open_stores(data, limits, clock)
    twit = await build(
        stores, limits=limits, clock=clock, chance=random.Random(1), entropy=SystemEntropy(), offload=ThreadOffload(1), name="full",
    )  # fmt: skip
    people = [NewAccount(username=name, email=name, password_hash="", display_name="", created_ms=0) for name in ("ada", "bob")]
    ada, bob = (user.user_id for user in await twit.accounts.add(people))
    stop = asyncio.Event()
    consuming = asyncio.create_task(twit.workers.run(GROUPS, stop))
    await twit.follow(bob, ada)
    await settled(twit)
    disk.fill(LEFT)
    acknowledged, errors = [], []
    while not errors:
        tweet = await attempt(twit.post(ada, f"{len(acknowledged)} {'x' * 200}"), errors)
        acknowledged += [tweet.tweet_id] if tweet else []
    disk.fill(0)
    for _ in range(5):
        tweet = await attempt(twit.post(ada, "x" * 200), errors)
        acknowledged += [tweet.tweet_id] if tweet else []
        await attempt(twit.like(bob, acknowledged[0]), errors)
        await attempt(stores.timelines.open_empty(np.arange(10, 5_000), clock.now_ms()), errors)
        await asyncio.sleep(0.2)
    own_while_full = await home(twit, ada) == acknowledged[::-1]
    health = await stores.health.check()
    said = twit.workers.states() if how == "mount" else {}
    commands = [command(data, "post", "@ada", "x"), command(data, "timeline", "@bob")] if how == "mount" else []
    disk.free()
    after = await twit.post(ada, "there is room again")
    acknowledged.append(after.tweet_id)
    await settled(twit)
    parked = len(await stores.work.parked(None, 0, 10))
    (deliveries,) = await stores.work.deliveries([after.tweet_id])
    stop.set()
    await consuming
    print(json.dumps({
        "acknowledged": len(acknowledged), "errors": errors, "own_while_full": own_while_full, "health": health, "states": said,
        "commands": commands, "parked": parked, "delivered": [one.attempted == one.stored + one.duplicate for one in deliveries],
        "homes": [await home(twit, person) == acknowledged[::-1] for person in (ada, bob)],
        "states_after": twit.workers.states(),
    }))  # fmt: skip
    await stores.health.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
