"""Opens the world's stores: each is the population's answer, overlaid with what was stored since."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from ...core import ports
from ...core.clock import Clock
from ...core.errors import Invalid
from ...core.limits import Limits
from ...core.stores.embedded import EmbeddedStores, open_overlay
from ...core.stores.embedded.overlay import SqliteOverlay
from ...core.stores.embedded.ring_file import READER_MAX
from .accounts import WorldAccounts
from .base import Base
from .engagement import WorldEngagement
from .graph import WorldGraph
from .modes import WorldModes
from .timelines import WorldTimelines
from .turns import Turns
from .tweets import WorldTweets

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
PEOPLE_MAX = READER_MAX - 1_000_000  # leaves room for those who sign up
OVERLAY = "overlay"  # its folder in the data directory, which may be another world's too


class WorldStores:
    """Fulfils `ports.Stores`; made by `open_world_stores`, let go by `health.close`."""

    def __init__(
        self, base: Base, added: EmbeddedStores, overlay: SqliteOverlay, *, turns: Turns, limits: Limits, forget: Path | None
    ) -> None:
        self.kind = "simulated"
        self.accounts: ports.Accounts = WorldAccounts(base, added.accounts, overlay, turns)
        modes = WorldModes(base, added.modes, overlay, limits.celebrity_followers_min)
        self.graph: ports.SocialGraph = WorldGraph(base, added.graph, overlay, modes.learn)
        self.relations: ports.Relations = added.relations
        self.tweets: ports.Tweets = WorldTweets(base, added.tweets, overlay, turns)
        self.engagement: ports.Engagement = WorldEngagement(base, added.engagement, overlay, turns)
        self.modes: ports.FanoutModes = modes
        self.timelines: ports.Timelines = WorldTimelines(
            base, added.timelines, self.graph, self.modes, overlay, turns, limits
        )
        self.log: ports.EventLog = added.log
        self.work: ports.WorkLog = added.work
        self.leases: ports.Leases = added.leases
        self.tokens: ports.Tokens = added.tokens
        self.rates: ports.RateLimits = added.rates
        self.health: ports.Health = WorldHealth(added.health, forget)

    def lanes(self, group: str) -> tuple[ports.Lane]:
        """One for each group: the log is one sequence."""
        return (ports.Lane(group, group, self.log, self.work),)


class WorldHealth:
    """`core.ports.Health`. `forget` is the folder of an overlay that was to be in memory only."""

    def __init__(self, added: ports.Health, forget: Path | None) -> None:
        self._added = added
        self._forget = forget

    async def check(self) -> dict[str, str]:
        return await self._added.check()

    async def close(self) -> None:
        await self._added.close()
        _forget(self._forget)


async def open_world_stores(
    base: Base, limits: Limits, clock: Clock, *, data: Path | None = None, speed: float = 1.0, inline: bool = False,
    durable: bool = True,
) -> WorldStores:
    """Open the world over `base`. What is added lies in `data`, or in memory until `health.close` where that is `None`.

    Raises `Invalid` for more people than cached timelines have room for, `StoreCorrupt` where the data directory holds changes of another population, and what `open_stores` raises.
    """
    if base.users > PEOPLE_MAX:
        what = f"{base.users:,} people are more than a world can open"
        raise Invalid(what, field="users", meaning=f"cached timelines are kept for ids up to {PEOPLE_MAX:,}", code="SETTINGS")
    turns = Turns(clock, speed)
    folder = data / OVERLAY if data else Path(tempfile.mkdtemp(prefix="twit-world-", dir=_memory()))
    forget = None if data else folder
    try:
        added, overlay = open_overlay(
            folder, limits, clock, above=base.users, turn=turns.turn, durable=durable and data is not None, inline=inline
        )
        try:
            await overlay.belong_to(base.name)
        except BaseException:
            await added.health.close()
            raise
    except BaseException:
        _forget(forget)
        raise
    return WorldStores(base, added, overlay, turns=turns, limits=limits, forget=forget)


def _memory() -> Path | None:
    """Where folders lie in memory, on systems that have such a place."""
    return MEMORY if MEMORY.is_dir() else None


def _forget(folder: Path | None) -> None:
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
