"""What was changed of people, follows and tweets that are computed elsewhere, for a world in which only changes are stored.

The embedded tables hold what was added; this file holds what was taken away, and takes in the computed thing that is about to
change, in the transaction of the change. A computed edge has the sequence that its place in the computed list gives it, below
`FIRST_SEQUENCE`; edges made here come above. It computes nothing itself: who calls says what was computed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from ...errors import StoreCorrupt
from ...events import Event, EventKind
from ...model import Carried, FollowOutcome, FollowStatus, NewFollow, Tweet, User
from . import accounts, engagement, graph, tweets
from .carry import carry
from .db import Database
from .graph import WITHOUT_RETWEETS
from .log import append
from .writer import LONG

SCHEMA = """
CREATE TABLE IF NOT EXISTS computed_world (one INTEGER PRIMARY KEY CHECK (one = 1), name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS changed_edges (
    follower INTEGER NOT NULL, followee INTEGER NOT NULL, flags INTEGER NOT NULL, PRIMARY KEY (follower, followee)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS left_followers ON changed_edges (followee, follower) WHERE flags >= 8;
CREATE TABLE IF NOT EXISTS buried_tweets (
    tweet_id INTEGER PRIMARY KEY, author_id INTEGER NOT NULL,
    reply_to INTEGER NOT NULL, retweet_of INTEGER NOT NULL, quote_of INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS buried_of_author ON buried_tweets (author_id, tweet_id);
"""

FIRST_SEQUENCE = 1 << 34  # above every place in a computed list: the largest population has 2^31 people
ENDED, LEFT = 4, 8  # flags of a computed edge: it stands no more; and the followee's list was told so

_FLAGS = "SELECT flags FROM changed_edges WHERE follower = ? AND followee = ?"
_CHANGE = "INSERT INTO changed_edges VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET flags = excluded.flags"
_STANDS = "SELECT 1 FROM following WHERE follower = ? AND followee = ?"
_BURY = "INSERT OR IGNORE INTO buried_tweets VALUES (?, ?, ?, ?, ?)"


class SqliteOverlay:
    """The changes, and the writes that make them. `sequences` say which edges are computed: 0 where one is not."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def belong_to(self, world: str) -> None:
        """Remember which computed world these changes are of. Raises `StoreCorrupt` where they are another's."""
        await self._db.writer.run(lambda conn: _begin(conn, world))
        (found,) = self._db.row("SELECT name FROM computed_world")
        if found != world:
            what = f"{self._db.path} holds changes of another world: {found}"
            raise StoreCorrupt(what, meaning=f"this world is {world}", try_="open it with those settings, or name another data directory")

    # people
    async def update(self, before: User, after: User, events: Sequence[Event], password_hash: str | None) -> None:
        """Take in a computed account and replace it."""

        def work(conn: sqlite3.Connection) -> None:
            accounts.adopt(conn, before)
            accounts.change(conn, after, events, password_hash)

        await self._db.writer.run(work)

    # follows
    def changed_following(self, user: int) -> dict[int, int]:
        """The flags of computed followees of whom something changed."""
        return dict(self._db.rows("SELECT followee, flags FROM changed_edges WHERE follower = ?", (user,)))

    def flags(self, pairs: Sequence[tuple[int, int]]) -> list[int]:
        """The flags of these edges; 0 where nothing changed."""
        return [row[0] if row else 0 for row in self._db.each(_FLAGS, pairs)]

    def left(self, user: int) -> set[int]:
        """Computed followers who are out of this user's list."""
        return {one for (one,) in self._db.rows("SELECT follower FROM changed_edges WHERE followee = ? AND flags >= 8", (user,))}

    async def follow(
        self, follows: Sequence[NewFollow], room: Sequence[int], sequences: Sequence[int]
    ) -> list[FollowOutcome]:
        """As `ports.SocialGraph.follow`; `room` is how many more than the computed ones each follower may follow."""
        asked = list(zip(follows, room, sequences, strict=True))
        return await self._db.writer.run(lambda conn: [_follow(conn, *one) for one in asked], long=len(asked) > LONG)

    async def unfollow(
        self, pairs: Sequence[tuple[int, int]], events: Sequence[Sequence[Event]], sequences: Sequence[int]
    ) -> list[bool]:
        """As `ports.SocialGraph.unfollow`."""
        asked = list(zip(pairs, events, sequences, strict=True))
        return await self._db.writer.run(lambda conn: [_unfollow(conn, *one) for one in asked], long=len(asked) > LONG)

    async def carry(self, pairs: Sequence[tuple[int, int]], sequences: Sequence[int]) -> list[Carried]:
        """As `ports.SocialGraph.carry`; the counts are of what was added and removed here, so they may be negative."""
        chunk_max = self._db.limits.follower_chunk
        asked = list(zip(pairs, sequences, strict=True))
        return await self._db.writer.run(lambda conn: [_carry(conn, *one, chunk_max) for one in asked], long=len(asked) > LONG)

    # tweets
    async def bury(self, computed: Sequence[Tweet], tweet_ids: Sequence[int], events: Sequence[Sequence[Event]]) -> list[bool]:
        """As `ports.Tweets.delete`; `computed` are those of the tweets that are."""

        def work(conn: sqlite3.Connection) -> list[bool]:
            for tweet in computed:
                if tweets.adopt(conn, tweet):
                    row = (tweet.tweet_id, tweet.author_id, tweet.reply_to, tweet.retweet_of, tweet.quote_of)
                    conn.execute(_BURY, row)
            return tweets.bury(conn, tweet_ids, events)

        return await self._db.writer.run(work, long=len(tweet_ids) > LONG)

    def buried(self, authors: Sequence[int]) -> dict[int, list[int]]:
        """Computed tweets of these authors that were deleted."""
        sql = "SELECT author_id, tweet_id FROM buried_tweets WHERE author_id IN (SELECT value FROM json_each(?))"
        found: dict[int, list[int]] = {}
        for author, tweet_id in self._db.rows(sql, (str(list(authors)),)):
            found.setdefault(author, []).append(tweet_id)
        return found

    async def uncount_buried(self, tweet_ids: Sequence[int]) -> None:
        """Take computed retweets, replies and quotes that were deleted off counts that were just counted from rows."""
        columns = ("retweet_of", "reply_to", "quote_of")
        sql = f"SELECT {', '.join(f'(SELECT count(*) FROM buried_tweets WHERE {column} = ?1)' for column in columns)}"  # noqa: S608

        def work(conn: sqlite3.Connection) -> None:
            for tweet_id in tweet_ids:
                gone = conn.execute(sql, (tweet_id,)).fetchone()
                if any(gone):
                    engagement.count(conn, [(tweet_id, 0, *(-number for number in gone))])

        await self._db.writer.run(work, long=len(tweet_ids) > LONG)

    # modes
    def pushed_again(self) -> list[int]:
        """Authors who were pulled and are not any more."""
        return [author for (author,) in self._db.rows("SELECT author FROM fanout_modes WHERE mode = 0")]


def _begin(conn: sqlite3.Connection, world: str) -> None:
    if conn.execute("INSERT OR IGNORE INTO computed_world VALUES (1, ?)", (world,)).rowcount:
        conn.execute("UPDATE follow_sequence SET last = ?", (FIRST_SEQUENCE,))


def _flags_of(conn: sqlite3.Connection, pair: tuple[int, int]) -> int:
    row = conn.execute(_FLAGS, pair).fetchone()
    return int(row[0]) if row else 0


def _follow(conn: sqlite3.Connection, follow: NewFollow, room: int, sequence: int) -> FollowOutcome:
    pair = (follow.follower, follow.followee)
    flags = _flags_of(conn, pair)
    if not sequence or flags & ENDED:
        return graph.follow_one(conn, follow, room)
    wanted = 0 if follow.retweets else WITHOUT_RETWEETS
    if wanted == flags:
        return FollowOutcome(FollowStatus.UNCHANGED, sequence)
    conn.execute(_CHANGE, (*pair, wanted))
    append(conn, [
        msgspec.structs.replace(event, ref=sequence) if event.kind is EventKind.FOLLOWED and not event.ref else event
        for event in follow.events
    ])
    return FollowOutcome(FollowStatus.CHANGED, sequence)


def _unfollow(conn: sqlite3.Connection, pair: tuple[int, int], events: Sequence[Event], sequence: int) -> bool:
    flags = _flags_of(conn, pair)
    if not sequence or flags & ENDED:
        return graph.unfollow(conn, (pair,), (events,))[0]
    conn.execute(_CHANGE, (*pair, ENDED))
    accounts.count(conn, ((pair[0], 0, -1, 0),))
    append(conn, events)
    return True


def _carry(conn: sqlite3.Connection, pair: tuple[int, int], sequence: int, chunk_max: int) -> Carried:
    """A computed follower stands in the followee's list at his computed place until he leaves it; from then on he comes and goes
    as anybody else does."""
    flags = _flags_of(conn, pair)
    if not sequence or flags & LEFT:
        return carry(conn, (pair,), chunk_max)[0]
    leaves = bool(flags & ENDED) and conn.execute(_STANDS, pair).fetchone() is None
    if leaves:
        conn.execute(_CHANGE, (*pair, flags | LEFT))
        accounts.count(conn, ((pair[1], -1, 0, 0),))
    row = conn.execute("SELECT followers FROM user_counts WHERE user_id = ?", (pair[1],)).fetchone()
    return Carried(int(row[0]) if row else 0, added=False, removed=leaves)
