"""Dense user ids: a counter on one server gives each call a block of exactly the ids it needs.

A block is remembered as a grant until its accounts stand. What a refused call or a crash leaves is given again, lowest
first, so that no hole stays. It writes no accounts.
"""

from __future__ import annotations

from collections.abc import Sequence

from .server import Session
from .shards import OPS, Shards

_COUNTER = b"users"

_MAKE = "INSERT INTO sequences (shard, name, last) VALUES (%s, %s, 0) ON DUPLICATE KEY UPDATE last = last"
_LAST = "SELECT last FROM sequences WHERE shard = %s AND name = %s"
_SET = "UPDATE sequences SET last = %s WHERE shard = %s AND name = %s"
_FREE = "SELECT user_id FROM free_ids WHERE shard = %s ORDER BY user_id LIMIT %s"
_USE = "DELETE FROM free_ids WHERE (shard, user_id) IN %s"
_PUT_FREE = "INSERT INTO free_ids (shard, user_id) VALUES (%s, %s) ON DUPLICATE KEY UPDATE user_id = free_ids.user_id"
_GRANT = "INSERT INTO id_grants (shard, claim, first, many, at_ms) VALUES (%s, %s, %s, %s, %s)"
_END = "DELETE FROM id_grants WHERE shard = %s AND claim = %s"
_END_RUNS = "DELETE FROM id_grants WHERE (shard, claim, first) IN %s"


class UserIds:
    """The counter, the grants and the ids that are free again."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    async def grant(self, many: int, claim: int, at_ms: int) -> list[int]:
        """The next `many` ids in rising order, noted under this claim."""
        def work(session: Session) -> list[int]:
            last = _locked(session)
            ids = [user_id for (user_id,) in session.rows(_FREE, (OPS, many))]
            if ids:
                session.each(_USE, [(OPS, user_id) for user_id in ids])
            fresh = many - len(ids)
            if fresh:
                session.run(_SET, (last + fresh, OPS, _COUNTER))
                ids += range(last + 1, last + fresh + 1)
            session.many(_GRANT, [(OPS, claim, first, length, at_ms) for first, length in runs(ids)])
            return ids

        return await self._shards.write(OPS, work)

    async def done(self, claim: int) -> None:
        """The accounts of this claim stand."""
        await self._shards.write(OPS, lambda session: session.run(_END, (OPS, claim)))

    async def give_back(self, claim: int, ids: Sequence[int], firsts: Sequence[int]) -> None:
        """These ids of the claim will never be used under it: `ids` in rising order, all of the runs that begin with
        `firsts`, but for those whose accounts stand. Once: these runs end with it."""
        def work(session: Session) -> None:
            last = _locked(session)
            if not session.each(_END_RUNS, [(OPS, claim, first) for first in firsts]) or not ids:
                return
            if ids[-1] == last and ids[0] == last - len(ids) + 1:
                session.run(_SET, (ids[0] - 1, OPS, _COUNTER))
            else:
                session.many(_PUT_FREE, [(OPS, user_id) for user_id in ids])

        await self._shards.write(OPS, work)

    async def last(self) -> int:
        """The highest id that was ever given, whether or not its account stands."""
        row = await self._shards.read(OPS, lambda session: session.row(_LAST, (OPS, _COUNTER)))
        return int(row[0]) if row else 0


def _locked(session: Session) -> int:
    """The counter, with all others kept out until the transaction ends."""
    row = session.row(f"{_LAST} FOR UPDATE", (OPS, _COUNTER))
    if row is None:
        session.run(_MAKE, (OPS, _COUNTER))
        row = session.row(f"{_LAST} FOR UPDATE", (OPS, _COUNTER))
    return int(row[0])


def runs(ids: Sequence[int]) -> list[tuple[int, int]]:
    """(first, length) of each run of neighbours."""
    found: list[tuple[int, int]] = []
    for user_id in ids:
        if found and sum(found[-1]) == user_id:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((user_id, 1))
    return found
