"""Log-ins by the hash of their bearer token. It never sees a token itself.

What holds is the row in the user's shard: ending one or all is one transaction there, whoever logs in meanwhile. The
directory, by the hash, says whose it is; an entry without that row is no log-in.
"""

from __future__ import annotations

from collections.abc import Sequence

from ....events import Event
from ....model import Session as Login
from .server import Session
from .shards import Shards, shard_of, shard_of_name

_NAME = """INSERT INTO token_directory (shard, token_hash, user_id) VALUES (%s, %s, %s)
ON DUPLICATE KEY UPDATE user_id = user_id"""
_WHOSE = "SELECT user_id FROM token_directory WHERE shard = %s AND token_hash = %s"
_FORGET = "DELETE FROM token_directory WHERE (shard, token_hash) IN %s"
_PUT = """INSERT INTO sessions (shard, user_id, token_hash, created_ms) VALUES (%s, %s, %s, %s)
ON DUPLICATE KEY UPDATE created_ms = created_ms"""
_GET = "SELECT created_ms FROM sessions WHERE shard = %s AND user_id = %s AND token_hash = %s"
_OF_USER = "SELECT token_hash FROM sessions WHERE shard = %s AND user_id = %s"
_END = "DELETE FROM sessions WHERE (shard, user_id, token_hash) IN %s"


class MysqlTokens:
    """`ports.Tokens`."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    async def put(self, session: Login) -> None:
        shard, user_id = shard_of(session.user_id), session.user_id
        named = (shard_of_name(session.token_hash), session.token_hash, user_id)
        await self._shards.write(named[0], lambda there: there.run(_NAME, named))
        row = (shard, user_id, session.token_hash, session.created_ms)
        await self._shards.write(shard, lambda there: there.run(_PUT, row))

    async def get(self, token_hash: bytes) -> Login | None:
        user_id = await self._whose(token_hash)
        if not user_id:
            return None
        key = (shard_of(user_id), user_id, token_hash)
        row = await self._shards.read(key[0], lambda session: session.row(_GET, key))
        return Login(token_hash, user_id, row[0]) if row else None

    async def revoke(self, token_hash: bytes, events: Sequence[Event]) -> bool:
        user_id = await self._whose(token_hash)
        return bool(user_id) and await self._end(user_id, events, token_hash) > 0

    async def revoke_all(self, user_id: int, events: Sequence[Event]) -> int:
        return await self._end(user_id, events)

    async def _whose(self, token_hash: bytes) -> int:
        key = (shard_of_name(token_hash), token_hash)
        row = await self._shards.read(key[0], lambda session: session.row(_WHOSE, key))
        return int(row[0]) if row else 0

    async def _end(self, user_id: int, events: Sequence[Event], only: bytes | None = None) -> int:
        shard = shard_of(user_id)

        def work(session: Session) -> list[bytes]:
            found = [token_hash for (token_hash,) in session.rows(f"{_OF_USER} FOR UPDATE", (shard, user_id))]
            ended = [token_hash for token_hash in found if only is None or token_hash == only]
            session.each(_END, [(shard, user_id, token_hash) for token_hash in ended])
            if ended:
                session.tell(0, shard, events)
            return ended

        ended = await self._shards.write(shard, work, turn=(user_id,))
        await self._forget(ended)
        return len(ended)

    async def _forget(self, hashes: Sequence[bytes]) -> None:
        """Entries of the directory that nothing answers to any more; one that stays does no harm."""
        def work(session: Session, own: Sequence[bytes]) -> list[None]:
            session.each(_FORGET, [(shard_of_name(token_hash), token_hash) for token_hash in own])
            return [None] * len(own)

        await self._shards.write_each(hashes, shard_of_name, work)
