"""Small worlds in a line: a service over embedded stores that stands still until told to move, and people in it."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

from twit.core import wiring
from twit.core.clock import ManualClock
from twit.core.limits import Limits
from twit.core.model import NewAccount, Tweet
from twit.core.offload import InlineOffload
from twit.core.ports import Stores
from twit.core.service import Twit
from twit.core.stores.embedded import open_stores

NOON_MS = 1_800_000_000_000
PASSWORD = "correct horse"


class Killed(BaseException):
    """The process ends here."""


class CountedEntropy:
    """Bytes that are different each time and the same each run."""

    def __init__(self) -> None:
        self._drawn = 0

    def token_bytes(self, size: int) -> bytes:
        self._drawn += 1
        return hashlib.shake_256(self._drawn.to_bytes(8)).digest(size)


async def open_embedded(folder: Path, limits: Limits, clock: ManualClock) -> Stores:
    """Stores in `folder`, fresh or as they were left, without threads."""
    return open_stores(folder, limits, clock, durable=False, inline=True)


opened: Callable[[Path, Limits, ManualClock], Awaitable[Stores]] = open_embedded  # another with `pytest --world live`


async def build_twit(folder: Path, clock: ManualClock, **limits: int) -> Twit:
    """A service over the stores of `folder`, fresh or as they were left. Close with `stores.health.close()`."""
    bounds = Limits(**limits)
    return await wiring.build(
        await opened(folder, bounds, clock),
        limits=bounds,
        clock=clock,
        chance=random.Random(7),
        entropy=CountedEntropy(),
        offload=InlineOffload(),
    )


async def make_user(twit: Twit, name: str, *, private: bool = False) -> int:
    """An account without a log-in; returns its id."""
    account = NewAccount(
        username=name, email=f"{name}@example.com", password_hash="", display_name=name, created_ms=NOON_MS
    )
    (user,) = await twit.accounts.add((account,))
    if private:
        await twit.update_profile(user.user_id, {"is_private": True})
    return user.user_id


async def make_users(twit: Twit, names: str) -> list[int]:
    """One for each word of `names`."""
    return [await make_user(twit, name) for name in names.split()]


async def make_friends(twit: Twit, *pairs: tuple[int, int]) -> None:
    """Follows (follower, followee), carried and merged."""
    for follower, followee in pairs:
        await twit.follow(follower, followee)
    await settle(twit)


async def settle(twit: Twit) -> None:
    """Everything pending is handled."""
    await twit.workers.drain()


async def home(twit: Twit, reader: int, limit: int = 50) -> list[int]:
    """The whole home timeline as ids, read page by page."""
    ids: list[int] = []
    cursor = ""
    while True:
        page = (await twit.home_timeline(reader, cursor, limit)).page
        ids += [tweet.tweet_id for tweet in page.tweets]
        cursor = page.next_cursor
        if not page.has_more:
            return ids


def texts(tweets: tuple[Tweet, ...] | list[Tweet]) -> list[str]:
    """What they say."""
    return [tweet.text for tweet in tweets]


async def town(twit: Twit) -> tuple[int, list[int]]:
    """Ada's and Bob's tweets, delivered to Cleo, and what her home timeline is."""
    ada, bob, cleo = await make_users(twit, "ada bob cleo")
    await make_friends(twit, (cleo, ada), (cleo, bob))
    for number in range(12):
        await twit.post((ada, bob)[number % 2], f"{number}")
    await settle(twit)
    return cleo, await home(twit, cleo)


async def crowd(twit: Twit, size: int) -> tuple[int, list[int]]:
    """A star, and so many who follow it."""
    star, *fans = await make_users(twit, " ".join(["star", *(f"fan{number}" for number in range(size))]))
    await make_friends(twit, *((fan, star) for fan in fans))
    return star, fans


async def row_ids(twit: Twit, clock: ManualClock, reader: int) -> list[int]:
    """What lies in a reader's cached row."""
    row = await twit.stores.timelines.read(reader, 0, 10_000, clock.now_ms())
    return row.entries[:, 0].tolist()
