"""`twit import graph`: a file of pairs becomes accounts and follows. Running it again changes nothing."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ...core.model import FollowStatus
from ...core.service import Twit
from .lines import BadLine, BadLines, file_user, parsed
from .people import Progress, ensure_people, follow_all


class GraphReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the file held and what came of it. `refused` edges would have passed `following_max`."""

    pairs: int
    loops: int
    edges: int
    accounts: int
    accounts_new: int
    follows_new: int
    follows_standing: int
    refused: int
    bad_lines: int
    bad: tuple[BadLine, ...]


async def import_graph(
    twit: Twit, path: Path, *, prefix: str, directed: bool, now_ms: int, progress: Progress,
) -> GraphReport:
    """Import `a b` lines: a follows b; and b follows a unless `directed`. A pair of equals makes no follow."""
    bad = BadLines()
    pairs = loops = 0
    edges: dict[tuple[int, int], None] = {}  # in order of first appearance, each once
    for _, (one, other) in parsed(path, _pair, bad):
        pairs += 1
        if one == other:
            loops += 1
            continue
        edges[one, other] = None
        if not directed:
            edges[other, one] = None
    numbers = sorted({number for edge in edges for number in edge})
    users, new = await ensure_people(twit, prefix, numbers, now_ms, progress)
    tally = await follow_all(twit, [(users[a], users[b]) for a, b in edges], now_ms, progress)
    return GraphReport(
        pairs=pairs, loops=loops, edges=len(edges), accounts=len(users), accounts_new=new,
        follows_new=tally[FollowStatus.CREATED], follows_standing=tally[FollowStatus.UNCHANGED] + tally[FollowStatus.CHANGED],
        refused=tally[FollowStatus.FULL], bad_lines=bad.count, bad=tuple(bad.kept),
    )


def _pair(fields: list[str]) -> tuple[int, int]:
    if len(fields) != 2:
        raise ValueError(f"{len(fields)} fields, not 2: follower followee")
    return file_user(fields[0]), file_user(fields[1])
