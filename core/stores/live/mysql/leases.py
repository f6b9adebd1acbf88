"""Leases as locks of the server (`GET_LOCK`) on one connection of their own: they are free when that connection is no more.

A process that dies loses the connection at once; one whose machine is gone, or that sleeps, after `IDLE_S`. The holder's
side is stricter: what the watch has not seen alive for `LOST_AFTER_S` counts as lost, before another can have it. The table
`leases` says who holds a lease and how often it was taken (the fence). Locks are no rows: after a failover of the server all
are lost.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

import pymysql

from ....errors import Invalid, StoreDown, StoreError
from ....ids import LEASED_NODES
from ..bridge import Bridge
from . import errors, nodes
from .server import Server, Session
from .shards import OPS

WATCH_S = 0.5
IDLE_S = 10  # the server closes the connection when nothing came for so long
LOST_AFTER_S = 8.0
READ_TIMEOUT_S = 2.0
HOLDER_CHARS_MAX = 1_000

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:-]{0,199}")
_LOCK = "SELECT GET_LOCK(%s, 0)"
_OURS = "SELECT IS_USED_LOCK(%s) = CONNECTION_ID()"
_UNLOCK = "DO RELEASE_LOCK(%s)"
_TAKE = """INSERT INTO leases (shard, name, fence, holder) VALUES (%s, %s, LAST_INSERT_ID(1), %s)
ON DUPLICATE KEY UPDATE fence = LAST_INSERT_ID(fence + 1), holder = VALUES(holder)"""
_CLEAR = "UPDATE leases SET holder = '' WHERE shard = %s AND name = %s AND fence = %s"
_HOLDER = "SELECT IS_USED_LOCK(%s), (SELECT holder FROM leases WHERE shard = %s AND name = %s)"


class MysqlLease:
    """`ports.Lease`, and whether it is still ours: whoever acts under it asks `lost` first, and hands `fence` on."""

    def __init__(self, leases: MysqlLeases, name: str, fence: int) -> None:
        self.fence = fence
        self._leases = leases
        self.holder = ""  # of a node's: with it the lease is taken back after a break
        self._name = name
        self._lost = False
        self._released = False

    @property
    def lost(self) -> bool:
        """True once its connection broke, or could not be seen to be alive, before it was released; for ever, but for a
        node."""
        self._lost = self._lost or (not self._released and self._leases.unseen_s() > LOST_AFTER_S)
        return self._lost

    def end(self) -> None:
        self._lost = True

    def regain(self, fence: int) -> None:
        self.fence, self._lost = fence, self._released

    def release(self) -> None:
        if not self._released:
            self._released = True
            self._leases.let_go(self._name, self)


class MysqlLeases:
    """`ports.Leases` on the server that has the ops shard."""

    def __init__(self, server: Server, timeout_ms: int) -> None:
        self._server = server
        self._bridge = Bridge(f"mysql leases {server.name}", 1, timeout_ms, partial(errors.translated, server.name))
        self._session: Session | None = None  # of the bridge's one thread
        self._held: dict[str, MysqlLease] = {}
        self._asked: set[str] = set()
        self._leaving: set[asyncio.Task[None]] = set()
        self._watching: asyncio.Task[None] | None = None
        self._seen_at = time.monotonic()

    async def acquire(self, name: str, holder: str) -> MysqlLease | None:
        if not _NAME.fullmatch(name):
            what = f"{name!r} cannot name a lease"
            raise Invalid(what, field="name", try_="letters, digits and . _ @ : - only")
        await self._left()
        held = self._held.get(name)
        if name in self._asked or (held is not None and not held.lost):
            return None
        self._asked.add(name)
        try:
            if held is not None:
                await self._give_up(name, held)
            fence = await self._bridge.run(self._lock_now, name, " ".join(holder.split())[:HOLDER_CHARS_MAX])
        except BaseException:  # perhaps it was locked all the same
            self._later(self._unlock(name, 0))
            raise
        finally:
            self._asked.discard(name)
        if not fence:
            return None
        lease = self._held[name] = MysqlLease(self, name, fence)
        if self._watching is None or self._watching.done():
            self._watching = asyncio.get_running_loop().create_task(self._watch())
        return lease

    async def holder(self, name: str) -> str:
        await self._left()
        parameters = (self._server.lock_name(name), OPS, name.encode())
        used, holder = await self._server.read(lambda session: session.row(_HOLDER, parameters))
        return (holder or b"").decode() if used else ""

    async def node(self, holder: str) -> tuple[int, MysqlLease]:
        """Unlike other leases a node's is taken back after a break, if nobody else has it by then: `lost` is false again."""
        await self._left()
        clean, resting = await self._server.read(lambda session: nodes.free(session, self._server))
        while clean or resting:
            rested = bool(clean)
            for node in clean or resting:
                lease = await self.acquire(nodes.name_of(node), holder)
                if lease is not None:
                    lease.holder = holder
                    if not rested:
                        await asyncio.sleep(LOST_AFTER_S)  # by then its former holder knows
                    return node, lease
            clean, resting = await self._server.read(lambda session: nodes.free(session, self._server))
        what = f"all {LEASED_NODES} node ids of tweet ids are taken"
        raise StoreDown(what, meaning="each running process needs one", try_="stop processes that are not needed")

    def unseen_s(self) -> float:
        """Seconds since the server last answered on the connection that holds the locks."""
        return time.monotonic() - self._seen_at

    def let_go(self, name: str, lease: MysqlLease) -> None:
        """Unlock it soon; calls of this process that follow wait for that."""
        if self._held.get(name) is lease:  # else it was lost and taken again
            del self._held[name]
            self._later(self._unlock(name, lease.fence))

    async def close(self) -> None:
        """Give back everything. More than once is harmless."""
        for lease in list(self._held.values()):
            lease.release()
        await self._left()
        if self._watching is not None:
            self._watching.cancel()
        self._bridge.close()
        self._part()

    async def _left(self) -> None:
        while self._leaving:
            await asyncio.gather(*self._leaving)

    def _later(self, call: Coroutine[Any, Any, None]) -> None:
        try:
            task = asyncio.get_running_loop().create_task(call)
        except RuntimeError:  # the loop has ended: so will the connection
            call.close()
            return
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _give_up(self, name: str, lost: MysqlLease) -> None:
        """What counts as lost is not held on to, should the connection have outlived the doubt."""
        if self._held.get(name) is lost:
            del self._held[name]
            await self._unlock(name, lost.fence)

    async def _take_back(self, name: str, lost: MysqlLease) -> None:
        with suppress(StoreError):
            fence = await self._bridge.run(self._lock_again_now, name, lost.holder, lost.fence)
            if fence and self._held.get(name) is lost:
                lost.regain(fence)

    async def _unlock(self, name: str, fence: int) -> None:
        with suppress(StoreError):  # then the connection is lost, and the lock with it
            await self._bridge.run(self._unlock_now, name, fence)

    async def _watch(self) -> None:
        while self._held:
            await asyncio.sleep(WATCH_S)
            with suppress(StoreError):
                await self._bridge.run(self._see_now)
            for name, lease in list(self._held.items()):
                if lease.lost:
                    await (self._take_back(name, lease) if lease.holder else self._give_up(name, lease))

    def _lock_now(self, name: str, holder: str) -> int:
        """The fence; 0 where another has it."""
        while True:
            fresh = self._session is None
            try:
                session = self._connected()
                self._server.refuse_other_epoch(session)
                if session.row(_LOCK, (self._server.lock_name(name),)) != (1,):
                    return 0
                session.run(_TAKE, (OPS, name.encode(), holder.encode()))
            except pymysql.MySQLError as error:
                self._part()
                if fresh or not errors.gone(error):
                    raise
            else:
                return session.inserted()

    def _lock_again_now(self, name: str, holder: str, fence: int) -> int:
        """As `_lock_now`; the same fence where this connection has it still."""
        if self._session is not None and self._session.row(_OURS, (self._server.lock_name(name),)) == (1,):
            return fence
        return self._lock_now(name, holder)

    def _unlock_now(self, name: str, fence: int) -> None:
        session = self._session
        if session is None:
            return
        try:
            session.run(_CLEAR, (OPS, name.encode(), fence))
            session.run(_UNLOCK, (self._server.lock_name(name),))
        except pymysql.MySQLError:
            self._part()
            raise

    def _see_now(self) -> None:
        if self._session is None:
            return
        try:
            self._session.run("DO 1")
        except pymysql.MySQLError:
            self._part()
            raise
        self._seen_at = time.monotonic()

    def _connected(self) -> Session:
        if self._session is None:
            session = Session(self._server.connect(autocommit=True, read_timeout_s=READ_TIMEOUT_S))
            session.run(f"SET SESSION wait_timeout = {IDLE_S}")
            self._session = session
            self._seen_at = time.monotonic()
        return self._session

    def _part(self) -> None:
        """The connection is no more, or nobody can say: everything it held is lost."""
        for lease in list(self._held.values()):
            lease.end()
        session, self._session = self._session, None
        if session is not None:
            session.close()
