"""Which node ids of tweet ids are free. Two processes with one node could make the same tweet id, so one is given away
carefully.

Locks end with a connection, and whoever held one may go on for a moment before he knows. A node that was not given back by
its holder therefore rests: others are taken first, it is only taken where there are no others, and the sweeper clears it
when it was free for a whole round. Its holder, if he lives, takes it back by then.
"""

from __future__ import annotations

from collections.abc import Sequence

from ....ids import LEASED_NODES
from .server import Server, Session
from .shards import OPS

NODES_AT_ONCE = 64  # asked for in one statement

_UNCLEAN = "SELECT name, fence FROM leases WHERE shard = %s AND name LIKE 'node-%%' AND holder <> ''"
_REST = "UPDATE leases SET holder = '' WHERE shard = %s AND name = %s AND fence = %s"


def name_of(node: int) -> str:
    return f"node-{node}"


def free(session: Session, server: Server) -> tuple[list[int], list[int]]:
    """Nodes that nobody has: some that were given back or never used, the lowest first, and those that rest."""
    resting = {name.decode() for name, _ in session.rows(_UNCLEAN, (OPS,))}
    unclean: list[int] = []
    for first in range(0, LEASED_NODES, NODES_AT_ONCE):
        nodes = range(first, min(first + NODES_AT_ONCE, LEASED_NODES))
        unused = _unused(session, server, [name_of(node) for node in nodes])
        clean = [node for node in nodes if name_of(node) in unused and name_of(node) not in resting]
        if clean:
            return clean, unclean
        unclean += [node for node in nodes if name_of(node) in unused]
    return [], unclean


class Rest:
    """Clears nodes that were not given back, once they were free in two rounds."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._before: set[tuple[bytes, int]] = set()

    async def round(self) -> int:
        """Returns how many were cleared."""
        def work(session: Session) -> int:
            rows: list[tuple[bytes, int]] = session.rows(_UNCLEAN, (OPS,))
            unused: set[str] = set()
            for start in range(0, len(rows), NODES_AT_ONCE):
                unused |= _unused(session, self._server, [name.decode() for name, _ in rows[start : start + NODES_AT_ONCE]])
            resting = {(name, fence) for name, fence in rows if name.decode() in unused}
            ready = resting & self._before
            self._before = resting - ready
            return sum(session.run(_REST, (OPS, name, fence)) for name, fence in ready)

        return await self._server.read(work)


def _unused(session: Session, server: Server, names: Sequence[str]) -> set[str]:
    sql = "SELECT " + ", ".join(["IS_USED_LOCK(%s)"] * len(names))
    used = session.row(sql, [server.lock_name(name) for name in names])
    return {name for name, by in zip(names, used, strict=True) if not by}
