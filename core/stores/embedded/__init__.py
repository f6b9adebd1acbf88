"""The embedded world: SQLite, memory-mapped timelines and files in one folder. No servers.

Several processes may open the same folder at once. It never decides who runs consumers (leases do) and holds no rules of the
service, only their data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

from ... import ports
from ...clock import Clock
from ...limits import Limits
from . import accounts, engagement, graph, log, modes, overlay, relations, tokens, tweets, work
from .accounts import SqliteAccounts
from .db import Database, prepare
from .engagement import SqliteEngagement
from .graph import SqliteGraph
from .health import EmbeddedHealth
from .leases import FileLeases
from .log import SqliteEventLog
from .modes import SqliteFanoutModes
from .overlay import SqliteOverlay
from .rates import TokenBuckets
from .relations import SqliteRelations
from .ring import RingTimelines, open_ring
from .tokens import SqliteTokens
from .tweets import SqliteTweets
from .work import SqliteWorkLog

SCHEMAS = (log, work, accounts, graph, relations, tweets, engagement, modes, tokens)


class EmbeddedStores:
    """Fulfils `ports.Stores`; made by `open_stores`, let go by `health.close`. User ids are given from `above` + 1 on;
    `turn` is the log's."""

    def __init__(self, db: Database, ring: RingTimelines, above: int = 0, turn: Callable[[], int] = lambda: 0) -> None:
        self.kind = "embedded"
        self.accounts: ports.Accounts = SqliteAccounts(db, above)
        self.graph: ports.SocialGraph = SqliteGraph(db)
        self.relations: ports.Relations = SqliteRelations(db)
        self.tweets: ports.Tweets = SqliteTweets(db)
        self.engagement: ports.Engagement = SqliteEngagement(db)
        self.modes: ports.FanoutModes = SqliteFanoutModes(db)
        self.work: ports.WorkLog = SqliteWorkLog(db)
        self.tokens: ports.Tokens = SqliteTokens(db)
        self.leases: ports.Leases = FileLeases(db.folder)
        self.log: ports.EventLog = SqliteEventLog(db, turn)
        self.rates: ports.RateLimits = TokenBuckets()
        self.timelines: ports.Timelines = ring
        self.health: ports.Health = EmbeddedHealth(db, (ring.close,))

    def lanes(self, group: str) -> tuple[ports.Lane]:
        """One for each group: the log is one sequence."""
        return (ports.Lane(group, group, self.log, self.work),)


def open_stores(
    folder: Path, limits: Limits, clock: Clock, *, ring_folder: Path | None = None, durable: bool = True, inline: bool = False,
    create: bool = True,
) -> EmbeddedStores:
    """Open the stores in `folder`, made if missing and `create`.

    Cached timelines lie in `ring_folder`, beside the data by default: in memory (tmpfs) no disk has to keep up with them.
    `inline` writes on the caller's thread, with no threads at all; `durable=False` leaves flushing to the operating system.
    Raises `StoreDown` (nothing there), `StoreFull` (read-only), `StoreCorrupt` (not ours, damaged, or of a newer build).
    """
    return EmbeddedStores(*_opened(folder, limits, clock, SCHEMAS, ring_folder, durable=durable, inline=inline, create=create))


def open_overlay(
    folder: Path, limits: Limits, clock: Clock, *, above: int, turn: Callable[[], int], ring_folder: Path | None = None,
    durable: bool = True, inline: bool = False,
) -> tuple[EmbeddedStores, SqliteOverlay]:
    """Open stores for what is added to a computed world of `above` people, and what was changed of it. As `open_stores`.

    `turn` is `ports.EventLog.turn`."""
    db, ring = _opened(folder, limits, clock, (*SCHEMAS, overlay), ring_folder, durable=durable, inline=inline, create=True)
    return EmbeddedStores(db, ring, above, turn), SqliteOverlay(db)


def _opened(
    folder: Path, limits: Limits, clock: Clock, schemas: Sequence[ModuleType], ring_folder: Path | None, *, durable: bool,
    inline: bool, create: bool,
) -> tuple[Database, RingTimelines]:
    prepare(folder, [store.SCHEMA for store in schemas], limits.store_timeout_ms, create=create)
    ring = open_ring(folder, limits, ring_folder)
    try:
        return Database(folder, limits, clock, durable=durable, inline=inline), ring
    except BaseException:
        ring.close()
        raise
