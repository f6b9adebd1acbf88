"""Likes, and the counts of every tweet.

The truth of a like is its row; counts change in the transaction of the row that changes them, so they need a recount only
after a repair. Who may like what is not asked here.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain, compress

from ...events import Event
from ...model import Edge, TweetCounts
from .db import IN_LIST_MAX, Database, in_list, listed
from .log import append
from .writer import LONG

SCHEMA = """
CREATE TABLE IF NOT EXISTS likes (
    sequence INTEGER PRIMARY KEY, tweet_id INTEGER NOT NULL, user_id INTEGER NOT NULL, at_ms INTEGER NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS one_like ON likes (user_id, tweet_id);
CREATE INDEX IF NOT EXISTS likes_of_user ON likes (user_id, sequence, tweet_id);
CREATE INDEX IF NOT EXISTS likes_of_tweet ON likes (tweet_id);
CREATE TABLE IF NOT EXISTS tweet_counts (
    tweet_id INTEGER PRIMARY KEY,
    likes INTEGER NOT NULL, retweets INTEGER NOT NULL, replies INTEGER NOT NULL, quotes INTEGER NOT NULL
);
"""

NEWEST = (1 << 63) - 1
NO_COUNTS = TweetCounts()

_LIKE = "INSERT INTO likes (user_id, tweet_id, at_ms) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_UNLIKE = "DELETE FROM likes WHERE user_id = ? AND tweet_id = ?"
_COUNT = """INSERT INTO tweet_counts VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
likes = likes + excluded.likes, retweets = retweets + excluded.retweets,
replies = replies + excluded.replies, quotes = quotes + excluded.quotes"""
_AMONG = "SELECT tweet_id, likes, retweets, replies, quotes FROM tweet_counts WHERE tweet_id IN"
_COUNTS = """SELECT tweet_id, likes, retweets, replies, quotes FROM tweet_counts
WHERE tweet_id IN (SELECT value FROM json_each(?))"""
_RECOUNT = """SELECT (SELECT count(*) FROM likes WHERE tweet_id = :id),
(SELECT count(*) FROM tweets WHERE retweet_of = :id AND retweet_of <> 0 AND deleted = 0),
(SELECT count(*) FROM tweets WHERE reply_to = :id AND reply_to <> 0 AND deleted = 0),
(SELECT count(*) FROM tweets WHERE quote_of = :id AND quote_of <> 0 AND deleted = 0)"""


def count(conn: sqlite3.Connection, changes: Iterable[tuple[int, int, int, int, int]]) -> None:
    """Add (tweet id, likes, retweets, replies, quotes) to the counts, within the write that changed them."""
    conn.executemany(_COUNT, changes)


class SqliteEngagement:
    """`ports.Engagement` over two tables."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def like(self, pairs: Sequence[tuple[int, int]], at_ms: int, events: Sequence[Sequence[Event]]) -> list[bool]:
        rows = [(user, tweet, at_ms) for user, tweet in pairs]
        return await self._change(_LIKE, rows, 1, events)

    async def unlike(self, pairs: Sequence[tuple[int, int]], events: Sequence[Sequence[Event]]) -> list[bool]:
        return await self._change(_UNLIKE, pairs, -1, events)

    async def likers_page(self, tweet_id: int, before: int, limit: int) -> list[Edge]:
        sql = "SELECT user_id, sequence FROM likes WHERE tweet_id = ? AND sequence < ? ORDER BY sequence DESC LIMIT ?"
        return [Edge(*row) for row in self._db.rows(sql, (tweet_id, before or NEWEST, limit))]

    async def liked(self, user: int, tweet_ids: Sequence[int]) -> list[bool]:
        sql = "SELECT tweet_id FROM likes WHERE user_id = ? AND tweet_id IN (SELECT value FROM json_each(?))"
        found = {tweet_id for (tweet_id,) in self._db.rows(sql, (user, listed(tweet_ids)))}
        return [tweet_id in found for tweet_id in tweet_ids]

    async def recent_likes(self, user: int, limit: int) -> tuple[list[int], bool]:
        sql = "SELECT tweet_id FROM likes WHERE user_id = ? ORDER BY sequence DESC LIMIT ?"
        newest = [tweet_id for (tweet_id,) in self._db.rows(sql, (user, limit + 1))]
        return newest[:limit], len(newest) <= limit

    async def counts(self, tweet_ids: Sequence[int]) -> list[TweetCounts]:
        if len(tweet_ids) > IN_LIST_MAX:
            rows = self._db.rows(_COUNTS, (listed(tweet_ids),))
        else:
            places, ids = in_list(tweet_ids)
            rows = self._db.rows(f"{_AMONG} {places}", ids)
        if not rows:
            return [NO_COUNTS] * len(tweet_ids)
        found = {row[0]: row for row in rows}
        return [TweetCounts(*found[one][1:]) if one in found else NO_COUNTS for one in tweet_ids]

    async def recount(self, tweet_ids: Sequence[int]) -> list[TweetCounts]:
        return await self._db.writer.run(lambda conn: [_recount(conn, tweet_id) for tweet_id in tweet_ids], long=len(tweet_ids) > LONG)

    async def _change(
        self, sql: str, rows: Sequence[tuple[int, ...]], by: int, events: Sequence[Sequence[Event]]
    ) -> list[bool]:
        """Change like rows that begin with (user, tweet); counts and events follow those that did change."""
        if not rows:
            return []

        def work(conn: sqlite3.Connection) -> list[bool]:
            changed = each_changed(conn, sql, rows)
            moved = Counter(row[1] for row in compress(rows, changed))
            count(conn, [(tweet, by * likes, 0, 0, 0) for tweet, likes in moved.items()])
            append_changed(conn, events, changed)
            return changed

        return await self._db.writer.run(work, long=len(rows) > LONG)


def each_changed(conn: sqlite3.Connection, sql: str, rows: Sequence[tuple[object, ...]]) -> list[bool]:
    """Run a statement that changes one row or none for each of `rows`; returns for which it did.

    Many are first tried at once, since that all change is the rule; if not, they are taken back and asked one by one.
    """
    if len(rows) > 1:
        conn.execute("SAVEPOINT all_at_once")
        done = conn.executemany(sql, rows).rowcount == len(rows)
        if not done:
            conn.execute("ROLLBACK TO all_at_once")
        conn.execute("RELEASE all_at_once")
        if done:
            return [True] * len(rows)
    return [conn.execute(sql, row).rowcount > 0 for row in rows]


def append_changed(conn: sqlite3.Connection, events: Sequence[Sequence[Event]], changed: Sequence[bool]) -> None:
    """Append the events of what changed, and of nothing else."""
    if len(events) != len(changed):
        msg = f"{len(events)} sequences of events for {len(changed)} changes"
        raise ValueError(msg)
    told = list(chain.from_iterable(compress(events, changed)))
    if told:
        append(conn, told)


def _recount(conn: sqlite3.Connection, tweet_id: int) -> TweetCounts:
    counts = conn.execute(_RECOUNT, {"id": tweet_id}).fetchone()
    if any(counts):
        conn.execute("INSERT OR REPLACE INTO tweet_counts VALUES (?, ?, ?, ?, ?)", (tweet_id, *counts))
    else:
        conn.execute("DELETE FROM tweet_counts WHERE tweet_id = ?", (tweet_id,))
    return TweetCounts(*counts)
