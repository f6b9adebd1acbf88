"""What crashes leave between servers, finished or undone: reservations, grants of ids, blocks not carried to the other side.

Anything younger than `STALE_MS` is left to the call that made it. Sweeping is safe beside those calls, beside other
sweepers, and cut short anywhere: each step is decided by a row that only one can write.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import msgspec

from ....clock import Clock
from .accounts import STALE_MS, MysqlAccounts
from .directory import Key, keys_of
from .relations import MysqlRelations
from .server import Session
from .shards import OPS, Shards, shard_of

SWEEP_MAX = 1_000  # of each kind and server in one sweep
CLAIM_KEPT_MS = 86_400_000  # a void claim keeps a call that slept from writing; none sleeps for a day

_PENDING = "SELECT kind, name, user_id, claim FROM directory WHERE claim > 0 AND at_ms < %s LIMIT %s"
_VOID = "INSERT INTO claims (shard, claim, done, at_ms) VALUES (%s, %s, 0, %s) ON DUPLICATE KEY UPDATE done = claims.done"
_GRANTS = "SELECT claim, first, many FROM id_grants WHERE shard = %s AND at_ms < %s ORDER BY claim, first LIMIT %s"
_OLD_CLAIMS = "DELETE FROM claims WHERE at_ms < %s LIMIT %s"


class Swept(msgspec.Struct, frozen=True):
    """What one sweep did."""

    confirmed: int = 0
    freed: int = 0
    ids_freed: int = 0
    blocks_carried: int = 0


class Sweeper:
    """Over all servers; one process at a time is enough."""

    def __init__(self, shards: Shards, clock: Clock, accounts: MysqlAccounts, relations: MysqlRelations) -> None:
        self._shards = shards
        self._clock = clock
        self._accounts = accounts
        self._relations = relations

    async def sweep(self) -> Swept:
        """Settle all that is stale by now. Raises `StoreError` where a server that it needs is not there."""
        before_ms = self._clock.now_ms() - STALE_MS
        confirmed, freed = await self._settle_names(before_ms)
        ids_freed = await self._settle_grants(before_ms)
        carried = await self._relations.carry_left(before_ms, SWEEP_MAX)
        old_ms = self._clock.now_ms() - CLAIM_KEPT_MS
        for server in self._shards.servers:
            await server.write(lambda session: session.run(_OLD_CLAIMS, (old_ms, SWEEP_MAX)))
        return Swept(confirmed, freed, ids_freed, carried)

    async def _settle_names(self, before_ms: int) -> tuple[int, int]:
        found = await self._shards.read_all(lambda session: session.rows(_PENDING, (before_ms, SWEEP_MAX)))
        stale = [(Key(kind, name, user_id), claim) for of_server in found for kind, name, user_id, claim in of_server]
        await self._void(sorted({(shard_of(key.user_id), claim) for key, claim in stale}))
        users = await self._accounts.get([key.user_id for key, _ in stale])
        confirmed = 0
        for (key, claim), user in zip(stale, users, strict=True):
            kept = user is not None and key in keys_of(user)
            await self._accounts.directory.settle([key], claim, kept=kept)
            confirmed += kept
        return confirmed, len(stale) - confirmed

    async def _settle_grants(self, before_ms: int) -> int:
        rows = await self._shards.read(OPS, lambda session: session.rows(_GRANTS, (OPS, before_ms, SWEEP_MAX)))
        freed = 0
        for claim, of_claim in groupby(rows, key=lambda row: row[0]):
            runs = [(first, many) for _, first, many in of_claim]
            ids = [user_id for first, many in runs for user_id in range(first, first + many)]
            await self._void(sorted({(shard_of(user_id), claim) for user_id in ids}))
            users = await self._accounts.get(ids)
            unused = [user_id for user_id, user in zip(ids, users, strict=True) if user is None]
            await self._accounts.ids.give_back(claim, unused, [first for first, _ in runs])
            freed += len(unused)
        return freed

    async def _void(self, places: Sequence[tuple[int, int]]) -> None:
        """Decide for each (shard, claim) that nothing will be written under it any more, unless it was done before."""
        now_ms = self._clock.now_ms()

        def work(session: Session, own: Sequence[tuple[int, int]]) -> list[None]:
            session.many(_VOID, [(shard, claim, now_ms) for shard, claim in own])
            return [None] * len(own)

        await self._shards.write_each(places, lambda place: place[0], work)
