"""Whether cached home timelines say what the stores of truth say, and whether readers are shown what the rules say.

Causes, each named from the raw row, which a sorted and unique read would hide:

- `lost`      an entry that should be there is not
- `parked`    the same, and its event lies among the parked ones
- `duplicate` one id more than once
- `misplaced` an entry that stands where no truth puts it: a read gives it out of order, its id is no tweet, or it names another
              original than its tweet does. (A store may keep rows in order of arrival: the order of a *read* is what counts.)
- `filtered`  an entry that should have been taken out: deleted, its author blocked either way, or not followed
- `gap`       `complete_back_to` promises more than the row holds (its tail is missing), or nothing of it may be relied on
- `shown`     the page that is served is not the page of the naive rules

Entries below `complete_back_to` are nobody's promise and are not looked at. What a consumer has not got to is late, not wrong.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from typing import TYPE_CHECKING

import numpy as np

from ..core.caches import Caches
from ..core.clock import Clock
from ..core.entries import Row, RowState
from ..core.errors import Forbidden
from ..core.ids import id_at
from ..core.limits import Limits
from ..core.ports import Stores
from ..core.rebuild import Truth
from ..core.shown import TweetPage
from ..core.timelines import HomeTimelines
from .naive import Eyes, Facts, eyes_of, naive_home
from .pending import Pending
from .procedure import Difference
from .readonly import read_only

if TYPE_CHECKING:
    from ..core.entries import Entries

PASSED_OVER = {"timelines": frozenset({"touch", "push"})}  # an audit must neither keep rows alive nor heal them
SHOWN = 8  # ids named in a detail


class TimelineAudit:
    """Looks at one reader at a time."""

    def __init__(self, stores: Stores, limits: Limits, clock: Clock, seed: int) -> None:
        self._stores = read_only(stores, PASSED_OVER)
        self._limits, self._clock = limits, clock
        self._caches = Caches(self._stores, limits, clock)
        truth = Truth(self._stores, limits, self._caches)
        self._home = HomeTimelines(self._stores, self._caches, limits, clock, random.Random(seed), truth)
        self.facts = Facts(self._stores, limits)
        self.late = 0  # entries that were missing or too many only because it was not their turn yet

    def forget(self) -> None:
        """Before a second look: what was read may be old."""
        self.facts = Facts(self._stores, self._limits)

    async def look(self, reader: int, late: Pending) -> list[Difference]:
        """Differences of this reader; none where he has no complete row."""
        row = await self._stores.timelines.read(reader, 0, self._limits.timeline_entries_max, self._clock.now_ms())
        if row.state is not RowState.COMPLETE:
            return []
        raw = await self._stores.timelines.raw(reader)
        eyes = await eyes_of(self._stores, reader)
        found = [
            *_doubled(reader, raw, row.complete_back_to),
            *_disordered(reader, list(dict.fromkeys(row.entries[:, 0].tolist()))),
            *await self._too_many(eyes, raw, row.complete_back_to, late),
            *await self._too_few(eyes, raw, row, late),
            *self._coverage(reader, raw, row.complete_back_to),
        ]
        return [*found, *await self._shown(eyes, late)]

    async def _too_many(self, eyes: Eyes, raw: Entries, back_to: int, late: Pending) -> list[Difference]:
        """Entries that should not stand there, or stand there wrongly."""
        kept = raw[raw[:, 0] >= back_to].tolist()
        await self.facts.load([tweet_id for tweet_id, _ in kept])
        found = []
        for tweet_id, ref in dict(map(tuple, kept)).items():
            fault = self._fault(eyes, tweet_id, ref)
            if fault is None:
                continue
            tweet = self.facts.tweets[tweet_id]
            if late.explains(tweet_id, tweet.author_id if tweet else 0, eyes.reader):
                self.late += 1
            else:
                found.append(Difference(item=eyes.reader, cause=fault[0], detail=f"{tweet_id}: {fault[1]}"))
        return found

    def _fault(self, eyes: Eyes, tweet_id: int, ref: int) -> tuple[str, str] | None:
        tweet = self.facts.tweets[tweet_id]
        if tweet is None:
            return "misplaced", "no tweet has this id"
        if tweet.deleted:
            return "filtered", "deleted"
        if tweet.author_id in eyes.hidden:
            return "filtered", f"author {tweet.author_id} is blocked"
        if tweet.author_id not in eyes.circle:
            return "filtered", f"author {tweet.author_id} is not followed"
        if tweet.retweet_of != ref:
            return "misplaced", f"stands as a retweet of {ref}, is one of {tweet.retweet_of}"
        return None

    async def _too_few(self, eyes: Eyes, raw: Entries, row: Row, late: Pending) -> list[Difference]:
        """Entries of the reader and of the followees whose tweets are pushed, from `complete_back_to` up."""
        modes = await self._stores.modes.pulled()
        unmerged = {followee for followee, _ in eyes.following.unmerged}
        pushed = [one for one in eyes.following.followees if one not in unmerged and one not in modes]
        authors = [eyes.reader, *pushed]
        lists = await self.facts.lists(authors)
        due = np.concatenate([entries[:, 0] for entries in lists])
        owner = np.repeat(np.array(authors, np.int64), [len(entries) for entries in lists])
        missing = (due >= row.complete_back_to) & ~np.isin(due, raw[:, 0])
        lost: list[int] = []
        for tweet_id, author in sorted(zip(due[missing].tolist(), owner[missing].tolist(), strict=True), reverse=True):
            if late.explains(tweet_id, author, eyes.reader):
                self.late += 1
            else:
                lost.append(tweet_id)
        return self._named(eyes.reader, lost, raw, late)

    def _named(self, reader: int, lost: list[int], raw: Entries, late: Pending) -> list[Difference]:
        """A tail missing from a full row is a promise too many; anything else is a loss of its own."""
        full = len(raw) >= self._limits.timeline_entries_max
        tail = [one for one in lost if full and one < int(raw[:, 0].min())]
        found = [
            Difference(item=reader, cause="parked" if one in late.parked else "lost", detail=str(one))
            for one in lost if one not in tail
        ]
        if tail:
            detail = f"complete_back_to is too low: {len(tail)} entries below the row's oldest are missing, from {tail[0]}"
            found.append(Difference(item=reader, cause="gap", detail=detail))
        return found

    def _coverage(self, reader: int, raw: Entries, back_to: int) -> list[Difference]:
        """`complete_back_to` above every entry, or in the future, makes the row useless: nothing wrong is shown, but slowly."""
        future = id_at(self._clock.now_ms()) + (1 << 40)  # some days on: imports and clocks may differ by less
        if back_to > future or (len(raw) and back_to > int(raw[:, 0].max())):
            detail = f"complete_back_to {back_to} is too high: above all {len(raw)} entries"
            return [Difference(item=reader, cause="gap", detail=detail)]
        return []

    async def _shown(self, eyes: Eyes, late: Pending) -> list[Difference]:
        """Compare the page that is served with the page of the naive rules."""
        if late.too_many:
            return []
        limit = self._limits.timeline_page_default
        try:
            page = (await self._home.home(eyes.reader, "", limit)).page
        except Forbidden:  # the row lapsed or was lost since we looked: it is rebuilt on the next real read
            return []
        due = await naive_home(self._stores, self.facts, self._limits, eyes, limit)
        served = [tweet.tweet_id for tweet in page.tweets]
        detail = _unlike(served, due, page)
        if not detail or self._on_their_way(eyes.reader, set(served) ^ set(due), late):
            return []
        return [Difference(item=eyes.reader, cause="shown", detail=detail)]

    def _on_their_way(self, reader: int, tweets: set[int], late: Pending) -> bool:
        """Whether one that is late explains the page: it moves others down, or hides a repetition."""
        known = self.facts.tweets
        return any(late.explains(one, tweet.author_id if (tweet := known.get(one)) else 0, reader) for one in sorted(tweets))


def _doubled(reader: int, raw: Entries, back_to: int) -> list[Difference]:
    ids, counts = np.unique(raw[:, 0], return_counts=True)
    doubled = ids[(counts > 1) & (ids >= back_to)].tolist()
    return [Difference(item=reader, cause="duplicate", detail=f"{one} stands more than once") for one in doubled]


def _disordered(reader: int, ids: list[int]) -> list[Difference]:
    """The fewest entries whose removal leaves a read newest first: those outside its longest falling run."""
    tails: list[int] = []  # the largest last id, negated, of a falling run of each length
    lengths = []
    for tweet_id in ids:
        length = bisect_left(tails, -tweet_id)
        tails[length : length + 1] = [-tweet_id]
        lengths.append(length)
    found, wanted = [], len(tails) - 1
    for tweet_id, length in zip(reversed(ids), reversed(lengths), strict=True):
        if length == wanted:
            wanted -= 1
        else:
            found.append(Difference(item=reader, cause="misplaced", detail=f"{tweet_id} is read out of order"))
    return found


def _unlike(served: list[int], due: list[int], page: TweetPage) -> str:
    """Say how the page differs; "" where it does not. A page cut short by `scan_max` is right as far as it goes."""
    if page.has_more and len(served) < len(due):
        due = due[: len(served)]
    if served == due:
        return ""
    missing = [one for one in due if one not in served]
    extra = [one for one in served if one not in due]
    if not missing and not extra:
        return f"another order than newest first: {served[:SHOWN]}"
    return f"not shown {missing[:SHOWN]}, shown wrongly {extra[:SHOWN]}"
