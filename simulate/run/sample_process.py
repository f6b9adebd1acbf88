"""One whole gateway process in virtual time: the real core over the computed world, with the queues' delays under it.

Each request first takes its turn at the gateway's own processors, then the handler's calls to the core, one after another as
the gateway makes them, with their deadline. Rows that are cached in the service are put there beforehand, unseen by the clock
and by the caches of the process; whose row is gone has it rebuilt by the core. Nothing here adds load to the queues.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

import msgspec

from ...core.caches import Caches
from ...core.errors import StoreDown, StoreTimeout, TwitError
from ...core.ids import EPOCH_MS
from ...core.limits import Limits
from ...core.offload import InlineOffload
from ...core.ports import Stores
from ...core.rebuild import Truth
from ...core.routing import Epoch
from ...core.rows import Rows
from ...core.service import Twit
from ...core.wiring import build
from ..day import sizes
from ..kinds import Kind
from ..loop import VirtualClock, VirtualLoop, run_virtually
from ..modelled import REQUEST, modelled
from ..queues.chance import key_of
from ..queues.model import Refused, Served
from ..world.base import Base
from ..world.stores import open_world_stores
from ..world.turns import TURN_MS
from .sample_door import Door, Passed
from .sample_lookups import Lookups, Unkept
from .sample_visits import Visit

Told = Callable[[int, int], None]
TURNS = 4_096  # in one: computed people stand still for 70 minutes, as long as any sample lasts
ROW_ENTRIES = 256  # of a row put there beforehand: more than a page looks at


class Site(NamedTuple):
    """What the process is, and where it stands. `lists_s`: how long it keeps lists of celebrities; None: as its log says."""

    base: Base
    limits: Limits
    epoch: Epoch
    door: Door
    shard: int  # the gateway machine it runs on
    seed: int
    start_ms: int  # the moment of the run's time 0
    lists_s: float | None


class Post(NamedTuple):
    """What the event's author says, when, and how many of those whom it calls like it and retweet it."""

    author: int
    at_us: int
    likes: float
    retweets: float


class Outcome(NamedTuple):
    """One request. `why` is empty where a page was answered."""

    visit: Visit
    took_us: int
    why: str
    saw: bool


class Lived(NamedTuple):
    """What the process did after its warm-up. `hits` and `asked`: distinct things that pages looked up, by cache."""

    outcomes: list[Outcome]
    passed: dict[Kind, Passed]
    asked: dict[str, int]
    hits: dict[str, int]
    early_asked: dict[str, int]  # of the first half of them
    early_hits: dict[str, int]
    reactions: int
    reactions_failed: int


class _Entropy:
    """Nobody logs in: no byte of it is used."""

    def token_bytes(self, size: int) -> bytes:
        return bytes(size)


class Process:
    """The gateway process and its requests."""

    def __init__(self, site: Site, clock: VirtualClock, twit: Twit, beforehand: Rows, post: Post | None) -> None:
        self._site, self._clock, self._twit, self._beforehand, self._post = site, clock, twit, beforehand, post
        self._lookups = Lookups(twit.caches)
        self._cleared_us = 0
        self._ready: set[int] = set()
        self._tweet = 0
        self.outcomes: list[Outcome] = []
        self.reactions = self.reactions_failed = 0
        if site.lists_s == 0:
            twit.caches.newest_cache = Unkept(1)

    async def serve(self, visits: Sequence[Visit], tell: Told) -> Lived:
        """All of them, each when it comes, and the author's post among them."""
        tasks = [asyncio.ensure_future(self._speak())] if self._post else []
        counting = False
        early = self._lookups.now()
        half = len(visits) - sum(visit.counted for visit in visits) // 2
        for number, visit in enumerate(visits, 1):
            await self._until(visit.at_us)
            tell(number, len(visits))
            if visit.counted and not counting:
                counting = True
                self._site.door.taken()
                self._lookups.clear()
            if number == half + 1:
                early = self._lookups.now()
            if not visit.cold and visit.reader not in self._ready:
                self._ready.add(visit.reader)
                await self._beforehand.rebuild(visit.reader)
            tasks.append(asyncio.ensure_future(self._visit(number, visit)))
        await asyncio.gather(*tasks)
        counted = [one for one in self.outcomes if one.visit.counted]
        return Lived(
            counted, self._site.door.taken(), *self._lookups.now(), *early, self.reactions, self.reactions_failed
        )

    async def _visit(self, number: int, visit: Visit) -> None:
        REQUEST.set(number)
        self._age_lists()
        began = self._clock.monotonic_us()
        self._lookups.begin(visit.reader)
        why, ids = await self._page(number, visit.reader)
        self._lookups.end()
        saw = self._tweet in ids if self._tweet else False
        self.outcomes.append(Outcome(visit, self._clock.monotonic_us() - began, why, saw))
        if saw and visit.called:
            await self._react(number, visit.reader)

    async def _page(self, number: int, reader: int) -> tuple[str, set[int]]:
        """Why there is no page, or the tweets of it."""
        try:
            async with asyncio.timeout(self._site.limits.request_deadline_ms / 1e3):
                refused = await self._gateway(number)
                if refused:
                    return refused, set()
                home = await self._twit.home_timeline(reader)
                await self._twit.dress(reader, home.page.tweets)
        except TimeoutError:
            return "deadline", set()
        except StoreTimeout:
            return "timed out", set()
        except StoreDown:
            return "refused", set()
        return "", {tweet.tweet_id for tweet in home.page.tweets}

    async def _gateway(self, number: int) -> str:
        """The process's own work: parsing, checking, building the answer."""
        shown = self._site.limits.timeline_page_default
        u01 = (key_of(self._site.seed, "request", number) >> 11) * 2.0**-53
        outcome = self._site.door.at(Kind.REQUEST, self._site.shard, self._clock.monotonic_us(), shown, shown * sizes.SHOWN, u01)
        if isinstance(outcome, Refused):
            return "refused"
        if not isinstance(outcome, Served):
            await self._clock.sleep(outcome.after_us / 1e6)
            return "timed out"
        await self._clock.sleep((outcome.wait_us + outcome.service_us + outcome.net_us) / 1e6)
        return ""

    async def _speak(self) -> None:
        """The author's tweet, by the same command as anybody's. Where it fails nobody reacts, as would be."""
        assert self._post is not None  # noqa: S101 - who calls has looked
        await self._until(self._post.at_us)
        self.reactions += 1
        try:
            tweet = await self._twit.post(self._post.author, "the event")
        except TwitError:
            self.reactions_failed += 1
        else:
            self._tweet = tweet.tweet_id

    async def _react(self, number: int, reader: int) -> None:
        """Likes and retweets of those who came for it."""
        assert self._post is not None  # noqa: S101 - somebody saw its tweet
        acts = ((self._post.likes, self._twit.like, "like"), (self._post.retweets, self._twit.retweet, "retweet"))
        for share, act, name in acts:
            if key_of(self._site.seed, name, number) < share * 2**64:
                self.reactions += 1
                try:
                    await act(reader, self._tweet)
                except TwitError:
                    self.reactions_failed += 1

    def _age_lists(self) -> None:
        """Lists that are kept for a time only are all let go together when it is over."""
        kept_s, now = self._site.lists_s, self._clock.monotonic_us()
        if kept_s and now - self._cleared_us > kept_s * 1e6:
            self._cleared_us = now
            self._twit.caches.newest_cache.clear()

    async def _until(self, at_us: int) -> None:
        await self._clock.sleep(max(0, at_us - self._clock.monotonic_us()) / 1e6)


def live(site: Site, visits: Sequence[Visit], post: Post | None, tell: Told | None = None) -> Lived:
    """The life of the process from its first visit to its last answer. Raises `Unsupported` and `Invalid` for worlds that
    cannot be opened."""
    return run_virtually(lambda loop: _live(loop, site, visits, post, tell or (lambda _done, _total: None)))


async def _live(loop: VirtualLoop, site: Site, visits: Sequence[Visit], post: Post | None, tell: Told) -> Lived:
    limits, begin_ms = site.limits, visits[0].at_us // 1_000
    turn_ms = TURN_MS * TURNS
    start_ms = site.start_ms - (site.start_ms + begin_ms - EPOCH_MS) % turn_ms  # so that it begins as a turn begins
    clock = VirtualClock(loop, start_ms)
    world = cast("Stores", await open_world_stores(site.base, limits, clock, speed=TURNS, inline=True, durable=False))
    try:
        await clock.sleep(begin_ms / 1e3)
        timed, settle = modelled(
            world, delay=site.door, clock=clock, limits=limits, epoch=site.epoch, seed=site.seed, deadline_us=limits.store_timeout_ms * 1_000
        )
        twit = await build(
            timed, limits=limits, clock=clock, chance=random.Random(key_of(site.seed, "jitter")), entropy=_Entropy(), offload=InlineOffload()
        )
        short = msgspec.structs.replace(limits, timeline_entries_max=min(ROW_ENTRIES, limits.timeline_entries_max))
        beforehand = Rows(world, short, clock, random.Random(0), Truth(world, short, Caches(world, short, clock)))
        lived = await Process(site, clock, twit, beforehand, post).serve(visits, tell)
        await settle()
        return lived
    finally:
        await world.health.close()
