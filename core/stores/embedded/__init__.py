"""The embedded world: SQLite, memory-mapped timelines and files in one folder. No servers.

Several processes may open the same folder at once. It never decides who runs consumers (leases do) and holds no rules of the
service, only their data.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...clock import Clock
from ...limits import Limits
from ...ports import Stores
from . import accounts, engagement, graph, log, modes, relations, tokens, tweets, work
from .accounts import SqliteAccounts
from .db import Database, prepare
from .engagement import SqliteEngagement
from .graph import SqliteGraph
from .health import EmbeddedHealth
from .leases import FileLeases
from .log import SqliteEventLog
from .modes import SqliteFanoutModes
from .rates import TokenBuckets
from .relations import SqliteRelations
from .ring import RingTimelines
from .tokens import SqliteTokens
from .tweets import SqliteTweets
from .work import SqliteWorkLog

SCHEMAS = (log, work, accounts, graph, relations, tweets, engagement, modes, tokens)


class EmbeddedStores:
    """Fulfils `ports.Stores`; made by `open_stores`, let go by `health.close`."""

    def __init__(self, db: Database) -> None:
        self.kind = "embedded"
        self.accounts = SqliteAccounts(db)
        self.graph = SqliteGraph(db)
        self.relations = SqliteRelations(db)
        self.tweets = SqliteTweets(db)
        self.engagement = SqliteEngagement(db)
        self.modes = SqliteFanoutModes(db)
        self.work = SqliteWorkLog(db)
        self.tokens = SqliteTokens(db)
        self.leases = FileLeases(db.folder)
        self.log = SqliteEventLog(db, self.leases)
        self.rates = TokenBuckets()
        self.timelines = RingTimelines(db.folder, db.limits)
        self.health = EmbeddedHealth(db, (self.timelines.close,))


def open_stores(
    folder: Path, limits: Limits, clock: Clock, *, durable: bool = True, inline: bool = False, create: bool = True
) -> EmbeddedStores:
    """Open the stores in `folder`, made if missing and `create`.

    `inline` writes on the caller's thread, with no threads at all; `durable=False` leaves flushing to the operating system.
    Raises `StoreDown` (nothing there), `StoreFull` (read-only), `StoreCorrupt` (not ours, damaged, or of a newer build).
    """
    prepare(folder, [store.SCHEMA for store in SCHEMAS], limits.store_timeout_ms, create=create)
    return EmbeddedStores(Database(folder, limits, clock, durable=durable, inline=inline))


if TYPE_CHECKING:

    def _fulfils(stores: EmbeddedStores) -> Stores:
        return stores
