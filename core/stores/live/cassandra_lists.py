"""Lists cut into buckets: rows to add and remove, and pages over bucket after bucket, for many owners at once.

`list_buckets` says which buckets an owner has, so that a page over many months asks for none that is empty. Reads name owners
by IN, at most `IN_MAX` a statement: a statement costs this process more than the rows in it.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Sequence

import msgspec

from ...ids import ms_of
from .cassandra_buckets import age_bucket, month_at, month_of, ms_of_sequence
from .cassandra_session import Bound, CassandraSession, chunks, spread

IN_MAX = 32
ROWS_MAX = 8_000  # of one answer
SIZED_AT_ONCE = 4_096
INDEX_MAX = 24  # buckets of an owner read at once
KNOWN_MAX = 200_000  # (list, owner, bucket) that this process has written: 30 MB at most
NEWEST = (1 << 63) - 1

Pair = tuple[int, int]  # member, ref


class ListTable(msgspec.Struct, frozen=True):
    """A table of (owner, bucket, member, ref), and how its buckets are cut."""

    name: str
    columns: tuple[str, str, str, str]
    bucket_of: Callable[[int, int], int]  # of owner and member
    descending: bool = True

    def statements(self) -> dict[str, str]:
        """Prepared statements by name."""
        owner, bucket, member, ref = self.columns
        return {
            f"{self.name}.add": f"INSERT INTO {self.name} ({owner}, {bucket}, {member}, {ref}) "  # noqa: S608 - names of ours
            "VALUES (?, ?, ?, ?) USING TIMESTAMP ?",
            f"{self.name}.remove": f"DELETE FROM {self.name} USING TIMESTAMP ? "  # noqa: S608 - the same
            f"WHERE {owner} = ? AND {bucket} = ? AND {member} = ?",
            f"{self.name}.page": f"SELECT {owner}, {member}, {ref} FROM {self.name} "  # noqa: S608 - the same
            f"WHERE {owner} IN ? AND {bucket} = ? AND {member} > ? AND {member} < ? PER PARTITION LIMIT ?",
        }

    def remove(self, owner: int, member: int, stamp_us: int) -> Bound:
        """The statement that takes a row out."""
        return f"{self.name}.remove", (stamp_us, owner, self.bucket_of(owner, member), member)


def _by_month(_owner: int, tweet_id: int) -> int:
    return month_of(tweet_id)


def _by_age(owner: int, tweet_id: int) -> int:
    return age_bucket(owner, ms_of(tweet_id))


USER_TWEETS = ListTable("user_tweets", ("author_id", "month", "tweet_id", "retweet_of"), _by_month)
CONVERSATIONS = ListTable(
    "conversations", ("conversation_id", "bucket", "tweet_id", "author_id"), _by_age, descending=False
)
REPLIES = ListTable("replies", ("reply_to", "bucket", "tweet_id", "author_id"), _by_age, descending=False)
RETWEETS = ListTable("retweets", ("retweet_of", "bucket", "tweet_id", "author_id"), _by_age)
QUOTES = ListTable("quotes", ("quote_of", "bucket", "tweet_id", "author_id"), _by_age)
TWEET_LIKES = ListTable(
    "tweet_likes", ("tweet_id", "bucket", "sequence", "user_id"), lambda owner, member: age_bucket(owner, ms_of_sequence(member))
)
USER_LIKES = ListTable(
    "user_likes", ("user_id", "month", "sequence", "tweet_id"), lambda _owner, member: month_at(ms_of_sequence(member))
)
LISTS = (USER_TWEETS, CONVERSATIONS, REPLIES, RETWEETS, QUOTES, TWEET_LIKES, USER_LIKES)

STATEMENTS = {
    "buckets.add": "INSERT INTO list_buckets (list, owner, bucket) VALUES (?, ?, ?) USING TIMESTAMP ?",
    "buckets.newest": "SELECT owner, bucket FROM list_buckets WHERE list = ? AND owner IN ? AND bucket >= ? AND bucket <= ? "
    "PER PARTITION LIMIT ?",
    "buckets.oldest": "SELECT bucket FROM list_buckets WHERE list = ? AND owner = ? AND bucket >= ? AND bucket <= ? "
    "ORDER BY bucket ASC LIMIT ?",
} | {name: text for table in LISTS for name, text in table.statements().items()}


class _Walk:
    """Where one owner's page has got to."""

    def __init__(self, owner: int, low: int, high: int) -> None:
        self.owner = owner
        self.low, self.high = low, high  # buckets not yet looked up
        self.buckets: list[int] = []  # known to exist, nearest last
        self.rows: list[Pair] = []
        self.step = 1


class Lists:
    """All lists of one keyspace."""

    def __init__(self, session: CassandraSession) -> None:
        self._session = session
        self._known: OrderedDict[tuple[str, int, int], None] = OrderedDict()

    def add(self, table: ListTable, owner: int, member: int, ref: int, stamp_us: int) -> list[Bound]:
        """The statements that put a row in: with its bucket's own row, unless that is known to stand."""
        bucket = table.bucket_of(owner, member)
        bound: list[Bound] = [(f"{table.name}.add", (owner, bucket, member, ref, stamp_us))]
        if (table.name, owner, bucket) not in self._known:
            bound.append(("buckets.add", (table.name, owner, bucket, stamp_us)))
        return bound

    def stand(self, bound: Iterable[Bound]) -> None:
        """These were written: their buckets need no second row."""
        for name, values in bound:
            if name == "buckets.add":
                self._known[values[0], values[1], values[2]] = None
                if len(self._known) > KNOWN_MAX:
                    self._known.popitem(last=False)

    async def page(self, table: ListTable, owners: Sequence[int], after: int, before: int, limit: int) -> dict[int, list[Pair]]:
        """For each owner at most `limit` (member, ref) with after < member < before (0: unbounded), in the table's order.

        Two round trips where the nearest bucket has enough; then one for the next bucket, the next two, four …
        """
        if limit < 1:
            return {one: [] for one in owners}
        before = before or NEWEST
        walks = {one: _Walk(one, table.bucket_of(one, after + 1), table.bucket_of(one, before - 1)) for one in owners}
        found = {one: walk.rows for one, walk in walks.items()}
        while walks:
            await self._look_up(table, [walk for walk in walks.values() if not walk.buckets])
            await self._read(table, list(walks.values()), after, before, limit)
            walks = {
                one: walk for one, walk in walks.items() if len(walk.rows) < limit and (walk.buckets or walk.low <= walk.high)
            }
        return found

    async def size(self, table: ListTable, owner: int) -> int:
        """How many rows the owner has, counted page by page: a million take seconds, and no statement takes long."""
        return sum(await spread(lambda bucket: self._size(table, owner, bucket), await self._buckets_of(table, owner)))

    async def _size(self, table: ListTable, owner: int, bucket: int) -> int:
        size, after, before = 0, 0, NEWEST
        while True:
            rows = await self._session.read(f"{table.name}.page", ([owner], bucket, after, before, SIZED_AT_ONCE))
            size += len(rows)
            if len(rows) < SIZED_AT_ONCE:
                return size
            if table.descending:
                before = rows[-1][1]
            else:
                after = rows[-1][1]

    async def _buckets_of(self, table: ListTable, owner: int) -> list[int]:
        walk = _Walk(owner, table.bucket_of(owner, 1), table.bucket_of(owner, NEWEST - 1))
        found: list[int] = []
        while walk.low <= walk.high:
            walk.buckets = []
            await self._look_up(table, [walk])
            found += walk.buckets
        return found

    async def _look_up(self, table: ListTable, walks: Sequence[_Walk]) -> None:
        """The next buckets that exist, for those who have none left."""
        walks = [walk for walk in walks if walk.low <= walk.high]
        if table.descending:
            groups: dict[tuple[int, int], list[_Walk]] = defaultdict(list)
            for walk in walks:
                groups[walk.low, walk.high].append(walk)
            await spread(lambda some: self._newest(table, some), [some for one in groups.values() for some in chunks(one, IN_MAX)])
        else:
            await spread(lambda walk: self._oldest(table, walk), walks)

    async def _newest(self, table: ListTable, walks: Sequence[_Walk]) -> None:
        owners = {walk.owner: walk for walk in walks}
        low, high = walks[0].low, walks[0].high
        for owner, bucket in await self._session.read("buckets.newest", (table.name, list(owners), low, high, INDEX_MAX)):
            owners[owner].buckets.append(bucket)
        for walk in walks:
            walk.high = walk.buckets[-1] - 1 if len(walk.buckets) == INDEX_MAX else walk.low - 1
            walk.buckets.reverse()

    async def _oldest(self, table: ListTable, walk: _Walk) -> None:
        rows = await self._session.read("buckets.oldest", (table.name, walk.owner, walk.low, walk.high, INDEX_MAX))
        walk.low = rows[-1][0] + 1 if len(rows) == INDEX_MAX else walk.high + 1
        walk.buckets = [bucket for (bucket,) in reversed(rows)]

    async def _read(self, table: ListTable, walks: Sequence[_Walk], after: int, before: int, limit: int) -> None:
        """The next buckets of each, one statement for all owners who have the same."""
        groups: dict[int, list[int]] = defaultdict(list)
        taken: dict[int, list[int]] = {}
        for walk in walks:
            taken[walk.owner] = [walk.buckets.pop() for _ in range(min(walk.step, len(walk.buckets)))]
            walk.step *= 2
            for bucket in taken[walk.owner]:
                groups[bucket].append(walk.owner)
        size = max(1, min(IN_MAX, ROWS_MAX // limit))
        asked = [(bucket, some) for bucket, owners in groups.items() for some in chunks(owners, size)]
        answers = await spread(
            lambda one: self._session.read(f"{table.name}.page", (one[1], one[0], after, before, limit)), asked
        )
        got: dict[tuple[int, int], list[Pair]] = defaultdict(list)
        for (bucket, _), rows in zip(asked, answers, strict=True):
            for owner, member, ref in rows:
                got[owner, bucket].append((member, ref))
        for walk in walks:
            for bucket in taken[walk.owner]:
                walk.rows += got.get((walk.owner, bucket), ())
            del walk.rows[limit:]
