"""How each author's tweets travel: push, pull, or both while leaving pull. Decides nothing: fan-out does."""

from __future__ import annotations

from collections.abc import Sequence

from ....entries import AuthorMode, FanoutMode
from ....events import Event
from .server import Session
from .shards import Shards, keyed, shard_of

PUSH = AuthorMode()

_GET = "SELECT author, mode, since_id FROM fanout_modes WHERE (shard, author) IN %s"
_ONE = "SELECT mode, since_id FROM fanout_modes WHERE shard = %s AND author = %s FOR UPDATE"
_PUT = """INSERT INTO fanout_modes (shard, author, mode, since_id) VALUES (%s, %s, %s, %s)
ON DUPLICATE KEY UPDATE mode = VALUES(mode), since_id = VALUES(since_id)"""
_PULLED = "SELECT author, mode, since_id FROM fanout_modes WHERE mode > 0"


class MysqlFanoutModes:
    """`ports.FanoutModes`: one row for each author who ever left push."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    async def get(self, authors: Sequence[int]) -> list[AuthorMode]:
        def work(session: Session, own: Sequence[int]) -> list[AuthorMode]:
            rows = session.among(_GET, keyed(own))
            found = {author: AuthorMode(FanoutMode(mode), since_id) for author, mode, since_id in rows}
            return [found.get(author, PUSH) for author in own]

        return await self._shards.read_each(authors, shard_of, work)

    async def put(self, author: int, mode: AuthorMode, events: Sequence[Event]) -> None:
        shard, wanted = shard_of(author), (int(mode.mode), mode.since_id)

        def work(session: Session) -> None:
            if (session.row(_ONE, (shard, author)) or (0, 0)) != wanted:
                session.run(_PUT, (shard, author, *wanted))
                session.tell(0, shard, events)

        await self._shards.write(shard, work, turn=(author,))

    async def pulled(self) -> dict[int, AuthorMode]:
        found = await self._shards.read_all(lambda session: session.rows(_PULLED))
        rows = sorted(row for of_server in found for row in of_server)
        return {author: AuthorMode(FanoutMode(mode), since_id) for author, mode, since_id in rows}
