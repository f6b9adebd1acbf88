"""`twit import activity`: a file of interactions becomes accounts, follows and dated tweets.

The file has no follow graph, so one is taken from it first: actor follows target. Tweets go in by batches in the
file's order; a run that was stopped anywhere goes on by being started again, with what of a batch is not there.
Delivery is the consumers' affair and follows by event.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import msgspec

from ...core.errors import Conflict, Invalid
from ...core.ids import LEASED_NODES, NODES
from ...core.model import FollowStatus, NewTweet
from ...core.service import Twit
from .lines import BadLine, BadLines, fingerprint, parsed
from .people import Progress, ensure_people, follow_all, persist
from .replay import Replay, Row, parse_row

IMPORT_NODES = range(LEASED_NODES, NODES)  # no process leases these; an import takes the one of its file
TWEETS_A_BATCH = 10_000  # tweets go to places all over the indexes: in larger batches a page is written for many of them


class ActivityReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the file held and what came of it. `self_rows` made no follow. `cases` counts rows by how they came out."""

    rows: int
    self_rows: int
    accounts: int
    accounts_new: int
    edges: int
    follows_new: int
    refused: int
    tweets: int
    tweets_new: int
    cases: dict[str, int]
    bad_lines: int
    bad: tuple[BadLine, ...]


async def import_activity(twit: Twit, path: Path, *, prefix: str, now_ms: int, progress: Progress) -> ActivityReport:
    """Import `actor target unix_seconds action` lines; see `replay` for what each becomes."""
    bad = BadLines()
    rows = [row for _, row in parsed(path, parse_row, bad)]
    edges = list(dict.fromkeys((row.actor, row.target) for row in rows if row.actor != row.target))
    numbers = sorted({number for row in rows for number in (row.actor, row.target)})
    users, new = await ensure_people(twit, prefix, numbers, now_ms, progress)
    tally = await follow_all(twit, [(users[a], users[b]) for a, b in edges], now_ms, progress)
    node = IMPORT_NODES[int(fingerprint(path)[:8], 16) % len(IMPORT_NODES)]
    replay = Replay(users.__getitem__, lambda number: f"{prefix}{number}", node, now_ms)
    tweets, stored = await _tweets(twit, rows, replay, progress)
    return ActivityReport(
        rows=len(rows), self_rows=sum(row.actor == row.target for row in rows), accounts=len(users), accounts_new=new,
        edges=len(edges), follows_new=tally[FollowStatus.CREATED], refused=tally[FollowStatus.FULL], tweets=tweets,
        tweets_new=stored, cases={case.value: count for case, count in replay.cases.items()}, bad_lines=bad.count, bad=tuple(bad.kept),
    )


async def _tweets(twit: Twit, rows: list[Row], replay: Replay, progress: Progress) -> tuple[int, int]:
    batch: list[NewTweet] = []
    total = stored = 0
    progress("tweets", 0, len(rows))
    for number, row in enumerate(rows, 1):
        try:
            made = replay.apply(row)
        except ValueError as error:
            raise Invalid(f"row {number}: {error}", field="file") from None
        batch += made
        total += len(made)
        if len(batch) >= TWEETS_A_BATCH or number == len(rows):
            stored += await _put(twit, batch)
            batch = []
            progress("tweets", number, len(rows))
    return total, stored


async def _put(twit: Twit, batch: list[NewTweet]) -> int:
    """Store what of a batch is not there; returns how many tweets are new."""
    wanted = await persist(partial(_missing, twit, batch)) if batch else []
    outcomes = await persist(partial(twit.stores.tweets.put, wanted)) if wanted else []
    own = [new.tweet.tweet_id for new in wanted]
    return sum(outcome.tweet_id == tweet_id for outcome, tweet_id in zip(outcomes, own, strict=True))


async def _missing(twit: Twit, batch: list[NewTweet]) -> list[NewTweet]:
    """`Conflict` where an id is another tweet's."""
    wanted = []
    for new, there in zip(batch, await twit.stores.tweets.get([new.tweet.tweet_id for new in batch]), strict=True):
        if there is None:
            wanted.append(new)
        elif there.author_id != new.tweet.author_id or there.created_ms != new.tweet.created_ms:
            raise Conflict(
                f"tweet {there.tweet_id} is another file's", meaning="two files of one second share the ids of their imports",
                try_="import one of them into a data directory of its own",
            )
    return wanted
