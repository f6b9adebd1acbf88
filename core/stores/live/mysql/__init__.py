"""What MySQL or MariaDB holds, in 256 logical shards over any number of servers: accounts and their directories, the graph
of follows, blocks and mutes, log-ins, modes, the places and work of consumers, leases.

`init` makes the schema, `open_mysql` opens it. It holds no tweets, likes or timelines, and no rules.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress

from ....clock import Clock
from ....errors import StoreError, TwitError
from ....limits import Limits
from ..config import LiveConfig
from ..outbox import Outbox
from .accounts import MysqlAccounts, TweetsOf
from .graph import MysqlGraph
from .journal import Journal, MysqlOutbox
from .leases import MysqlLease, MysqlLeases
from .modes import MysqlFanoutModes
from .nodes import Rest
from .relations import MysqlRelations
from .schema import init, load_map, publish, servers_of
from .server import Server
from .shards import OPS, ShardMap, Shards, together
from .sweeper import Sweeper, Swept
from .tokens import MysqlTokens
from .work import Backlog, MysqlWorkLog

__all__ = ["Backlog", "MysqlStores", "ShardMap", "Swept", "init", "open_mysql", "publish"]

SWEEP_S = 30.0
SWEEP_LEASE = "sweep-mysql"


class MysqlStores:
    """The ports of one process over these servers; made by `open_mysql`, let go by `close`."""

    def __init__(self, shards: Shards, limits: Limits, clock: Clock, tweets_of: TweetsOf) -> None:
        self.shards = shards
        self.accounts = MysqlAccounts(shards, clock, tweets_of)
        self.graph = MysqlGraph(shards)
        self.relations = MysqlRelations(shards, clock)
        self.modes = MysqlFanoutModes(shards)
        self.tokens = MysqlTokens(shards)
        self.work = MysqlWorkLog(shards)
        self.leases = MysqlLeases(shards.server(OPS), limits.store_timeout_ms)
        self.outbox = MysqlOutbox(shards)
        self._sweeper = Sweeper(shards, clock, self.accounts, self.relations)
        self._rest = Rest(shards.server(OPS))
        self._sweeping: asyncio.Task[None] | None = None

    async def check(self) -> dict[str, str]:
        """As `ports.Health.check`: "mysql host:port/database" → "ok" or what is wrong."""
        said = await asyncio.gather(*(_said(server) for server in self.shards.servers))
        return {f"mysql {server.name}": what for server, what in zip(self.shards.servers, said, strict=True)}

    async def sweep(self) -> Swept:
        """Finish or undo what crashes left for longer than `accounts.STALE_MS`. Repeatable, and safe beside others."""
        return await self._sweeper.sweep()

    def sweep_always(self) -> None:
        """Sweep every `SWEEP_S` from now on, in whichever process has the lease."""
        self._sweeping = asyncio.get_running_loop().create_task(self._sweep_on())

    async def close(self) -> None:
        """Give leases back, finish what runs, let connections go. More than once is harmless."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._sweeping
        await self.leases.close()
        await together(server.close() for server in self.shards.servers)

    async def _sweep_on(self) -> None:
        lease: MysqlLease | None = None
        while True:
            await asyncio.sleep(SWEEP_S)
            with suppress(StoreError):  # the next one may do; `check` says what is wrong
                if lease is None or lease.lost:
                    lease = await self.leases.acquire(SWEEP_LEASE, "sweeper")
                if lease is not None:
                    await self._sweeper.sweep()
                    await self._rest.round()


async def open_mysql(config: LiveConfig, limits: Limits, clock: Clock, outbox: Outbox, tweets_of: TweetsOf) -> MysqlStores:
    """Open what `init` has made, and attach its outbox. Raises `StoreDown`, with what to run, where schema or shard map do
    not fit, and `StoreCorrupt` where a newer build made them."""
    servers = servers_of(config, limits.store_timeout_ms)
    try:
        shard_map = await load_map(servers)
    except BaseException:
        await together(server.close() for server in servers)
        raise
    stores = MysqlStores(Shards(servers, shard_map, Journal(clock, secrets.randbits(32)), outbox), limits, clock, tweets_of)
    outbox.attach(stores.outbox)
    return stores


async def _said(server: Server) -> str:
    try:
        await server.read(lambda session: session.row("SELECT 1"))
    except TwitError as error:
        return str(error)
    return "ok"
