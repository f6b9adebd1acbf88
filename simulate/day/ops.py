"""The oracle: what one read and one tweet cost in operations, by kind, when no process remembers anything between requests.

It works from plain facts (who follows whom, who wrote what), never from stores, and says of each read which keys the core
must ask for and how much comes back; `validate/day.py` holds it against the real core, call by call. The world it knows is
settled and plain: all accounts active and public, nobody blocks or mutes, every fan-out done, rows as truth has them.
A page that would need more than `scan_max` candidates is beyond it and raises.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from operator import neg
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from ...core.limits import Limits
from ...core.model import Tweet, User
from ...core.sieve import repeated
from ..kinds import Counts, Kind
from . import sizes
from .counting import Tally

SLACK = 1.25  # as `core.timelines` asks for more candidates than a page needs
HEAD = 16  # as `core.rebuild` asks an author for at least
TOP = (1 << 63) - 1

Ids = npt.NDArray[np.int64]
Asked = dict[Kind, Counts]


class Facts(Protocol):
    """What is true of a settled world. User ids are the core's."""

    def followees(self, user: int) -> Sequence[int]:
        """Whom he follows."""

    def followers(self, user: int) -> int:
        """How many follow him."""

    def is_pulled(self, author: int) -> bool:
        """Whether his tweets are pulled at read instead of pushed."""

    def newest(self, authors: Sequence[int], before: int, limit: int) -> list[Ids]:
        """For each author the ids of his newest tweets with id < `before`, newest first."""

    def tweets(self, tweet_ids: Sequence[int]) -> list[Tweet]:
        """Tweets that were posted."""

    def user(self, user_id: int) -> User:
        """His profile."""

    def likes(self, user: int) -> int:
        """How many tweets he likes, as far as a viewer is told."""


class Visit(NamedTuple):
    """One read: everything with an id below `before` had been posted by then. `cold`: his row was gone."""

    before: int = TOP
    cold: bool = False


def ops_user(facts: Facts, user: int, visits: Sequence[Visit], rule: Limits) -> Asked:
    """Everything that this user's reads of a day ask for: first pages, dressed."""
    tally = Tally()
    for visit in visits:
        _Read(facts, rule, user, visit, tally).page()
    return tally.take()


def ops_tweet(facts: Facts, tweet: Tweet, rule: Limits) -> Asked:
    """Everything that posting this tweet and delivering it asks for; its worker has no other work."""
    tally = Tally()
    _post(facts, tweet, rule, tally)
    _deliver(facts, tweet, rule, tally)
    return tally.take()


class _Remembered:
    """What one request or one worker has loaded: each tweet and user is asked for once."""

    def __init__(self, facts: Facts, tally: Tally) -> None:
        self.facts, self.tally = facts, tally
        self.loaded: dict[int, Tweet] = {}
        self.known: set[int] = set()  # users

    def tweets(self, ids: Iterable[int]) -> list[Tweet]:
        wanted = list(dict.fromkeys(ids))
        missing = [tweet_id for tweet_id in wanted if tweet_id not in self.loaded]
        if missing:
            found = self.facts.tweets(missing)
            self.loaded.update(zip(missing, found, strict=True))
            self.tally.add(Kind.HYDRATE, Counts(1, len(missing), sum(map(sizes.tweet_bytes, found))))
        return [self.loaded[tweet_id] for tweet_id in wanted]

    def users(self, ids: Iterable[int]) -> None:
        missing = [user for user in dict.fromkeys(ids) if user not in self.known]
        if missing:
            self.known.update(missing)
            weight = sum(sizes.user_bytes(self.facts.user(user)) for user in missing)
            self.tally.add(Kind.USERS, Counts(1, len(missing), weight))

    def viewer(self, user: int, followees: Sequence[int], own: int) -> None:
        """How a user sees the others: whom he follows, blocks, likes, and what he wrote."""
        followed, liked = len(followees), self.facts.likes(user)
        self.tally.add(Kind.FOLLOWING, Counts(1, followed, sizes.ID * followed))
        self.tally.add(Kind.VIEWER, Counts(1))
        self.tally.add(Kind.VIEWER, Counts(1, liked, sizes.ID * liked))
        self.tally.add(Kind.VIEWER, Counts(1, own, sizes.ENTRY * own))


class _Read:
    """One home page, dressed, as rules 1 to 6 and 9 to 12 make it."""

    def __init__(self, facts: Facts, rule: Limits, reader: int, visit: Visit, tally: Tally) -> None:
        self.facts, self.rule, self.reader, self.visit, self.tally = facts, rule, reader, visit, tally
        self.memory = _Remembered(facts, tally)
        followees = facts.followees(reader)
        self.circle = {reader, *followees}
        self.pulled = sorted(author for author in followees if facts.is_pulled(author))
        self.want = min(round((rule.timeline_page_default + rule.retweet_dedupe_window + 1) * SLACK), rule.scan_max)
        self.row, self.floor = self._row([reader, *(one for one in followees if not facts.is_pulled(one))])
        self.lists: dict[int, list[int]] = {}
        self.before = TOP
        self.pushed_only = False
        self.outside: set[int] = set()
        memory = self.memory
        memory.users((reader,))
        (own,) = facts.newest((reader,), visit.before, rule.cached_likes_per_viewer_max)
        memory.viewer(reader, followees, len(own))

    def page(self) -> None:
        """Find the page's tweets, then what it takes to show them."""
        shown = self._shown()
        self._dress([self.memory.loaded[tweet_id] for tweet_id in shown])
        self.tally.add(Kind.REQUEST, Counts(1, len(shown), sizes.SHOWN * len(shown)))

    def _row(self, authors: Sequence[int]) -> tuple[list[int], int]:
        """What the row holds, newest first, and how far down it is whole; a cold one is rebuilt first."""
        limit, before = self.rule.timeline_entries_max, self.visit.before
        lists = self.facts.newest(authors, before, limit + 1)
        merged = np.sort(np.concatenate(lists))[::-1]
        if self.visit.cold:
            self._rebuild(lists, merged)
        row: list[int] = merged[:limit].tolist()
        return row, row[-1] if len(merged) > limit else 0

    def _rebuild(self, lists: Sequence[Ids], merged: Ids) -> None:
        """Each author is asked for a head, and where that may not reach, for what may be among a row's newest."""
        tally, limit, followed = self.tally, self.rule.timeline_entries_max, len(self.circle) - 1
        head = min(limit + 1, max(HEAD, 4 * limit // len(lists)))
        heads = [ids[:head] for ids in lists]
        read, calls = sum(map(len, heads)), len(lists)
        if head <= limit:
            known = np.sort(np.concatenate(heads))[::-1]
            bound = known[limit] if len(known) > limit else 0
            again = [ids for ids in lists if len(ids[:head]) == head and ids[head - 1] > bound]
            read, calls = read + sum(int((ids > bound).sum()) for ids in again), calls + len(again)
        kept = min(len(merged), limit)
        tally.add(Kind.HOME_IDS, Counts(1))
        tally.add(Kind.REBUILD_WRITE, Counts(1))
        tally.add(Kind.FOLLOWING, Counts(1, followed, sizes.ID * followed))
        tally.add(Kind.REBUILD_READ, Counts(calls, read, sizes.ENTRY * read))
        tally.add(Kind.REBUILD_WRITE, Counts(1, kept, sizes.ENTRY * kept))

    def _shown(self) -> list[int]:
        """Look at runs of candidates until the page is decided."""
        limit, window = self.rule.timeline_page_default, self.rule.retweet_dedupe_window
        kept: list[int] = []
        subjects: list[int] = []
        scanned = 0
        while True:
            ids = self._run()
            if not scanned and self.pushed_only and limit < len(ids):
                first = self._sift(ids[: limit + 1])
                if len(first) > limit and not any(tweet.author_id == self.reader for tweet in self._answers(first)):
                    return ids[:limit]
            sifted = self._sift(ids)
            self._parents(ids, sifted)
            scanned += len(ids)
            if scanned >= self.rule.scan_max:
                what = f"a page of {self.reader} takes more than {self.rule.scan_max} candidates"
                raise ValueError(what)
            kept += [tweet.tweet_id for tweet in sifted]
            subjects += [tweet.retweet_of or tweet.tweet_id for tweet in sifted]
            hidden = repeated(subjects, window)
            visible = [at for at in range(len(kept)) if at not in hidden]
            enough = len(visible) >= limit and len(kept) >= visible[limit - 1] + 1 + window
            if enough or self.before == 0:
                return [kept[at] for at in visible[:limit]]

    def _run(self) -> list[int]:
        """The next candidates: the row and the pulled lists, below it everybody's own."""
        self.outside, self.pushed_only = set(), False
        if self.before <= self.floor:
            return self._below()
        start = bisect_left(self.row, 1 - self.before, key=neg)  # the first with an id below
        ids = self.row[start : start + self.want]
        self.tally.add(Kind.HOME_IDS, Counts(1, len(ids), sizes.ENTRY * len(ids)))
        more = len(self.row) > start + self.want
        floor = ids[-1] if more else self.floor
        if self.pulled:
            ids, floor = self._with_pulled(ids, floor)
        else:
            self.pushed_only = not any(tweet.retweet_of for tweet in self.facts.tweets(ids))
        self.before = floor
        return ids

    def _with_pulled(self, ids: list[int], floor: int) -> tuple[list[int], int]:
        size = self.rule.celebrity_list_entries
        if not self.lists:
            found = [ids.tolist() for ids in self.facts.newest(self.pulled, self.visit.before, size)]
            self.lists = dict(zip(self.pulled, found, strict=True))
            entries = sum(map(len, found))
            self.tally.add(Kind.CELEB_LIST, Counts(len(found), entries, sizes.ENTRY * entries))
        outside: list[int] = []
        deeper: list[int] = []
        for author, newest in self.lists.items():
            if len(newest) >= size and newest[-1] > floor:
                deeper.append(author)
            else:
                outside += [tweet_id for tweet_id in newest if floor <= tweet_id < self.before]
        if deeper:
            cut, found = self._lists_below(deeper, floor, self.want)
            floor = max(floor, cut)
            outside += found
        self.outside = set(outside)
        return sorted((one for one in self.outside.union(ids) if one >= floor), reverse=True), floor

    def _lists_below(self, authors: Sequence[int], floor: int, limit: int) -> tuple[int, list[int]]:
        found: list[int] = []
        cut = read = 0
        for newest in self.facts.newest(authors, min(self.before, self.visit.before), limit):
            ids = newest[newest >= floor].tolist()
            read += len(ids)
            if len(ids) >= limit:
                cut = max(cut, ids[-1])
            found += ids
        self.tally.add(Kind.REBUILD_READ, Counts(len(authors), read, sizes.ENTRY * read))
        return cut, found

    def _below(self) -> list[int]:
        """The next run from everybody's own timelines (rule 10)."""
        each = min(self.want, max(16, 4 * self.want // len(self.circle)))
        cut, found = self._lists_below(sorted(self.circle), 0, each)
        ids = sorted((one for one in set(found) if one >= cut), reverse=True)
        if len(ids) > self.want:
            del ids[self.want :]
            cut = ids[-1]
        self.outside, self.before = set(ids), cut
        return ids

    def _sift(self, ids: Sequence[int]) -> list[Tweet]:
        """Load what is not known and keep what rule 5 lets through."""
        tweets = self.memory.tweets(ids)
        self.memory.users(tweet.author_id for tweet in tweets)
        originals = self.memory.tweets(tweet.retweet_of for tweet in tweets if tweet.retweet_of)
        self.memory.users(tweet.author_id for tweet in originals)
        return [tweet for tweet in tweets if self._wanted(tweet)]

    def _wanted(self, tweet: Tweet) -> bool:
        parent_author = tweet.reply_to_author
        own = tweet.author_id in {self.reader, parent_author}
        return not tweet.reply_to or own or parent_author in self.circle

    def _answers(self, tweets: Sequence[Tweet]) -> list[Tweet]:
        return [tweet for tweet in tweets if tweet.reply_to and tweet.reply_to_author != tweet.author_id]

    def _parents(self, ids: Sequence[int], sifted: Sequence[Tweet]) -> None:
        """Of answers that did not come by their own fan-out the row is asked whether it holds the parent."""
        present = set(ids)
        for tweet in reversed(self._answers(sifted)):
            parent, author = tweet.reply_to, tweet.reply_to_author
            if tweet.author_id != self.reader and tweet.tweet_id not in self.outside:
                continue
            if author in self.pulled or author not in self.circle or parent in present:
                continue
            found = 1 if self.row and self.row[-1] <= parent else 0
            self.tally.add(Kind.HOME_IDS, Counts(1, found, sizes.ENTRY * found))

    def _dress(self, tweets: Sequence[Tweet]) -> None:
        """Originals, quotes, their authors, and the counts of all."""
        memory = self.memory
        originals = memory.tweets(tweet.retweet_of for tweet in tweets if tweet.retweet_of)
        quotes = memory.tweets(tweet.quote_of for tweet in (*tweets, *originals) if tweet.quote_of)
        memory.users(tweet.author_id for tweet in quotes)
        ids = {tweet.retweet_of or tweet.tweet_id for tweet in (*tweets, *originals, *quotes)}
        if ids:
            self.tally.add(Kind.TWEET_COUNTS, Counts(1, len(ids), sizes.COUNTS * len(ids)))


def _post(facts: Facts, tweet: Tweet, rule: Limits, tally: Tally) -> None:
    """Up to the answer: who acts, what it speaks of, the durable write, the author's own row."""
    memory, author = _Remembered(facts, tally), tweet.author_id
    memory.users((author,))
    (own,) = facts.newest((author,), tweet.tweet_id, rule.cached_likes_per_viewer_max)
    memory.viewer(author, facts.followees(author), len(own))
    for other in (tweet.reply_to, tweet.quote_of, tweet.retweet_of):
        for spoken_of in memory.tweets((other,) if other else ()):
            memory.users((spoken_of.author_id,))
    if tweet.mention_names:
        names = len(tweet.mention_names)
        tally.add(Kind.USERS, Counts(1, names, sizes.ID * names))
    moved = sum(map(bool, (tweet.reply_to, tweet.quote_of, tweet.retweet_of)))
    tally.add(Kind.PUT_TWEET, Counts(1, 1, sizes.tweet_bytes(tweet)))
    tally.add(Kind.EVENT, Counts(1, 1, sizes.EVENT))
    if moved:
        tally.add(Kind.COUNT, Counts(moved, moved, sizes.ID * moved))
    tally.add(Kind.PUSH, Counts(1, 1, sizes.DELIVERY))


def _deliver(facts: Facts, tweet: Tweet, rule: Limits, tally: Tally) -> None:
    """The fan-out: nobody but the author where it is pulled, one push, or batches in turns."""
    memory, batch = _Remembered(facts, tally), rule.fanout_batch
    followers = facts.followers(tweet.author_id)
    memory.users((tweet.author_id,))
    _followers_page(tally, min(followers, batch))
    if facts.is_pulled(tweet.author_id):
        _push(tally, 1)
        if followers > batch:
            tally.add(Kind.USERS, Counts(1, 1, sizes.PROFILE_COUNTS))
    elif followers <= batch:
        _push(tally, followers + 1)
    else:
        _push(tally, 1)
        tally.add(Kind.HYDRATE, Counts(1, 1, sizes.tweet_bytes(tweet)))
        for start in range(0, followers, batch):
            readers = min(batch, followers - start)
            _followers_page(tally, readers)
            _push(tally, readers)


def _followers_page(tally: Tally, followers: int) -> None:
    tally.add(Kind.FOLLOWERS_PAGE, Counts(1, followers, sizes.ID * followers))


def _push(tally: Tally, readers: int) -> None:
    tally.add(Kind.PUSH, Counts(1, readers, sizes.DELIVERY * readers))
