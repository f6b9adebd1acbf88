"""Has the real core serve single reads and tweets over counted stores, remembering nothing between them: the measured side
of rung 4. "Caches off" means that every request and every fan-out begins with empty process caches.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ...core.caches import Caches
from ...core.clock import Clock
from ...core.entropy import Chance
from ...core.ids import TweetIds
from ...core.limits import Limits
from ...core.model import Tweet
from ...core.ports import Stores
from ...core.rebuild import Truth
from ...core.timelines import HomeTimelines
from ...core.tweets import TweetCommands
from ...core.views import Views
from ...core.workers import Workers
from ..kinds import Counts, Kind
from . import sizes
from .counting import counted

Asked = dict[Kind, Counts]
Command = Callable[[TweetCommands], Awaitable[Tweet]]


class CountedCore:
    """One world's stores, asked by requests that know nothing of one another."""

    def __init__(self, stores: Stores, limits: Limits, clock: Clock, chance: Chance, node: int) -> None:
        self._stores, self._tally = counted(stores, limits)
        self._limits, self._clock, self._chance = limits, clock, chance
        self._ids = TweetIds(clock, node)

    async def read(self, reader: int) -> Asked:
        """What his first home page, dressed, asks of the stores."""
        stores, limits, clock = self._stores, self._limits, self._clock
        caches = Caches(stores, limits, clock)
        homes = HomeTimelines(stores, caches, limits, clock, self._chance, Truth(stores, limits, caches))
        await caches.sync()
        self._tally.take()
        home = await homes.home(reader)
        await Views(stores, caches, limits).dress(reader, home.page.tweets)
        self._tally.add(Kind.REQUEST, Counts(1, len(home.page.tweets), sizes.SHOWN * len(home.page.tweets)))
        return self._tally.take()

    async def post(self, command: Command) -> tuple[Tweet, Asked]:
        """What a command that makes a tweet asks of them, and then its delivery by a worker that has nothing else to do."""
        caches = Caches(self._stores, self._limits, self._clock)
        commands = TweetCommands(self._stores, caches, self._limits, self._clock, self._ids)
        await caches.sync()
        self._tally.take()
        tweet = await command(commands)
        beside = Caches(self._stores, self._limits, self._clock)
        workers = Workers(self._stores, self._limits, self._clock, self._chance, beside, "rung 4")
        await workers.drain()
        return tweet, self._tally.take()

    async def forget(self, reader: int) -> None:
        """Take his row away, as a week of absence does."""
        await self._stores.timelines.drop((reader,))
