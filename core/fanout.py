"""Fan-out (rules 3, 5, 7, 15): tweets into their followers' cached timelines, deleted ones out of them, and the decision
who is pushed and who is pulled. Events come in order; an author with more followers than one batch becomes work in turns.

Nothing here decides who sees a tweet: replies and retweets are stored for all followers and resolved when they read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import ge
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from .caches import Caches
from .clock import Clock
from .consumer import Done
from .entries import AuthorMode, Delivery, FanoutMode, Push
from .events import Event, EventKind, LoggedEvent, Work, WorkVerb
from .ids import EPOCH_MS, id_at
from .limits import Limits
from .model import AccountStatus
from .partings import Partings
from .ports import Stores

if TYPE_CHECKING:
    import numpy.typing as npt

    from .entries import Entries, Ids

GROUP_BATCHES, GROUP_MAX = 2, 32  # tweets are pushed together, up to so many `fanout_batch`es of deliveries: half a millisecond
BURIED_MAX = 4_096
BACKFILL_CELLS = 50_000  # entries times readers in one batch of a backfill: some 10 ms


class Fanout:
    """The handler of group "fanout"."""

    group = "fanout"

    def __init__(self, stores: Stores, limits: Limits, clock: Clock, caches: Caches) -> None:
        self._stores = stores
        self._limits = limits
        self._clock = clock
        self._caches = caches
        self._partings = Partings(stores, limits, clock, caches)
        self._readers: dict[int, tuple[Ids, bool]] = {}  # of this batch's authors: read after their tweets were durable
        self._pending: dict[int, Work] = {}
        self._parents: dict[int, Ids] = {}  # followers, sorted, of the authors of unfinished parents
        self._modes: Mapping[int, AuthorMode] = {}
        self._deleted: set[int] = set()  # tweets that this batch deletes
        self._buried: dict[int, None] = {}  # the last ones that were deleted: of two processes' events the older may come later
        self._gone: set[int] = set()  # deleted accounts among this batch's authors
        self._group: list[tuple[LoggedEvent, Ids]] = []  # tweets and readers that are pushed together
        self._grouped = 0  # readers in it
        self._done = Done()  # of the events in it
        self._moved: set[int] = set()  # authors whose follower lists moved since
        self._alone = self._choked = False  # a group failed: its events are tried one by one, to find out whose fault it is
        self.totals = dict.fromkeys(("stored", "duplicate", "older_than_tail", "skipped", "filtered", "pulled"), 0)

    async def prepare(self, events: Sequence[LoggedEvent], pending: dict[int, Work]) -> None:
        self._group, self._grouped, self._alone, self._choked = [], 0, self._choked, False
        await self._refresh(pending)
        self._deleted = {logged.event.tweet for logged in events if logged.event.kind is EventKind.TWEET_DELETED}
        plain = self._caches.plain
        authors = list({
            logged.event.actor: None for logged in events if logged.event.kind in (EventKind.TWEET_CREATED, EventKind.TWEET_DELETED)
        })
        await self._read_readers(authors)
        await self._look_for_gone([author for author in authors if author not in plain])

    async def handle(self, logged: LoggedEvent, done: Done) -> None:
        """What goes to `done` goes there last: an event that fails half way leaves nothing."""
        kind = logged.event.kind
        self._done = done
        if kind is EventKind.TWEET_CREATED:
            await self._created(logged, done)
            full = self._grouped >= GROUP_BATCHES * self._limits.fanout_batch or len(self._group) == GROUP_MAX
            if full or self._alone:
                await self._push_group()
        elif kind is EventKind.TWEET_DELETED:
            await self._removed(logged, done)
        elif kind is EventKind.MODE_CHECK:
            await self._check_mode(logged, done)
        elif kind is EventKind.PARTED:
            await self._part(logged.event, done)

    async def serve(self, work: Work, done: Done) -> Work | None:
        await self._refresh(self._pending)
        if work.verb is WorkVerb.PUSH:
            return await self._serve_push(work, done)
        if work.verb is WorkVerb.REMOVE:
            return await self._serve_remove(work)
        return await self._serve_backfill(work)

    async def finish(self) -> None:
        await self._push_group()
        self._readers.clear()

    def forget(self, authors: Iterable[int]) -> None:
        """These authors' follower lists moved: who is no follower any more gets nothing from here on."""
        for author in authors:
            self._readers.pop(author, None)
            self._moved.add(author)

    async def _refresh(self, pending: dict[int, Work]) -> None:
        """Followers, modes and deletions as of now."""
        self._readers.clear()
        self._pending = pending
        await self._caches.sync()
        self._modes = await self._caches.pulled()
        if self._parents:
            self._parents = {work_id: ids for work_id, ids in self._parents.items() if work_id in pending}

    async def _look_for_gone(self, authors: list[int]) -> None:
        users = await self._caches.users(authors) if authors else []
        self._gone = {user.user_id for user in users if user is not None and user.status is AccountStatus.DELETED}

    async def _created(self, logged: LoggedEvent, done: Done) -> None:
        event = logged.event
        readers, more = self._readers.get(event.actor) or await self._readers_of(event.actor)
        entry = np.array(((event.tweet, event.ref),), np.int64)
        mode = self._modes.get(event.actor)
        if mode is not None and mode.mode is FanoutMode.PULL:
            await self._stores.timelines.push(entry, readers[-1:], self._clock.now_ms())
            followers = len(readers) - 1 if not more else (await self._stores.accounts.counts((event.actor,)))[0].followers
            self._account(done, event, 0, followers, pulled=followers, last=True)
        elif more:
            await self._stores.timelines.push(entry, readers[-1:], self._clock.now_ms())
            done.put[logged.offset] = Work(
                work_id=logged.offset, verb=WorkVerb.PUSH, author=event.actor, tweet=event.tweet, ref=event.ref,
                created_ms=event.at_ms, request_id=event.request_id,
            )  # fmt: skip
        elif event.actor in self._gone or event.tweet in self._deleted or event.tweet in self._buried:
            self._account(done, event, 0, len(readers) - 1, filtered=len(readers) - 1, last=True)
        else:
            if self._pending or done.put:
                await self._parent_first(event.tweet, event.target if not event.ref else 0, readers, done)
            self._group.append((logged, readers))
            self._grouped += len(readers)

    async def _push_group(self) -> None:
        """Push the tweets that were put together. Where that fails the whole batch is to be handled again."""
        if not self._group:
            self._moved.clear()
            return
        group, self._group, self._grouped = self._group, [], 0
        moved, self._moved = self._moved, set()
        again = [logged for logged, _ in group if logged.event.actor in moved] if moved else []
        try:
            await self._push_together([one for one in group if one[0].event.actor not in moved] if again else group)
            for logged in again:
                await self._created(logged, self._done)
            await self._push_group()
        except Exception:
            self._group, self._choked = [] if self._alone else group, True
            raise

    async def _push_together(self, group: list[tuple[LoggedEvent, Ids]]) -> None:
        done, now_ms = self._done, self._clock.now_ms()
        group = sorted(group, key=lambda one: one[0].event.tweet)  # events of several processes, or of one bulk, come in any order
        ids = [logged.event.tweet for logged, _ in group]
        if len(group) < 2 or any(map(ge, ids, ids[1:])):
            for logged, readers in group:
                outcomes = await self._stores.timelines.push(_entry(logged.event.tweet, logged.event.ref), readers, now_ms)
                self._account_outcomes(done, logged.event, 0, outcomes[0, :-1], last=True)
            return
        entries = np.array([(logged.event.tweet, logged.event.ref) for logged, _ in group], np.int64).reshape(-1, 2)
        outcomes = await self._stores.timelines.push_each(entries, [readers for _, readers in group], now_ms)
        start = 0
        for logged, readers in group:
            self._account_outcomes(done, logged.event, 0, outcomes[start : start + len(readers) - 1], last=True)
            start += len(readers)

    async def _readers_of(self, author: int) -> tuple[Ids, bool]:
        """The followers of an author, he himself last, and whether there are more than one batch of them.

        Kept for the rest of this batch only. Its tweets were durable before, so whoever is carried to the list after this
        finds them when his follow is merged.
        """
        await self._read_readers((author,))
        return self._readers[author]

    async def _read_readers(self, authors: Sequence[int]) -> None:
        if not authors:
            return
        found = await self._stores.graph.followers_first(authors, self._limits.fanout_batch)
        for author, (ids, cursor) in zip(authors, found, strict=True):
            readers = np.empty(len(ids) + 1, np.int64)
            readers[:-1] = ids
            readers[-1] = author
            self._readers[author] = readers, cursor > 0

    async def _parent_first(self, tweet_id: int, parent_author: int, readers: Ids, done: Done, batch: int = 0) -> None:
        """Push the parent of a reply (rule 5) to those of `readers` who follow its author, while its own fan-out runs."""
        if not parent_author:
            return
        for work in (*self._pending.values(), *done.put.values()):
            if work.verb is not WorkVerb.PUSH or work.author != parent_author or work.tweet >= tweet_id:
                continue
            reply = await self._caches.tweet(tweet_id)
            if reply is None or reply.reply_to != work.tweet:
                continue
            if reply.author_id == parent_author and work.batch > batch:
                continue  # a thread of one's own: the parent has reached these readers
            followers = await self._parent_followers(work)
            both = readers[np.isin(readers, followers, assume_unique=True)]
            if len(both) and not await self._is_deleted(work.tweet):
                await self._stores.timelines.push(_entry(work.tweet, work.ref), both, self._clock.now_ms())

    async def _parent_followers(self, work: Work) -> Ids:
        known = self._parents.get(work.work_id)
        if known is None:
            parts, cursor = [], 0
            while True:
                ids, cursor = await self._stores.graph.followers(work.author, cursor, self._limits.follower_chunk)
                parts.append(ids)
                if not cursor:
                    break
            known = self._parents[work.work_id] = np.concatenate(parts)
        return known

    async def _serve_push(self, work: Work, done: Done) -> Work | None:
        readers, cursor = await self._stores.graph.followers(work.author, work.after, self._limits.fanout_batch)
        tweet = await self._caches.tweet(work.tweet)
        event = Event(
            kind=EventKind.TWEET_CREATED, key=work.author, actor=work.author, tweet=work.tweet, ref=work.ref,
            at_ms=work.created_ms,
        )  # fmt: skip
        if tweet is None or tweet.deleted or await self._is_gone(work.author):
            self._account(done, event, work.batch, len(readers), filtered=len(readers), last=not cursor)
        else:
            if tweet.reply_to:
                await self._parent_first(work.tweet, tweet.reply_to_author, readers, done, work.batch)
            if len(readers):
                outcomes = await self._stores.timelines.push(_entry(work.tweet, work.ref), readers, self._clock.now_ms())
                self._account_outcomes(done, event, work.batch, outcomes[0], last=not cursor)
            else:
                self._account(done, event, work.batch, 0, last=True)
        return msgspec.structs.replace(work, after=cursor, batch=work.batch + 1) if cursor else None

    async def _removed(self, logged: LoggedEvent, done: Done) -> None:
        event = logged.event
        mode = self._modes.get(event.actor)
        readers, more = self._readers.get(event.actor) or await self._readers_of(event.actor)
        if mode is not None and mode.mode is FanoutMode.PULL and event.tweet >= mode.since_id:
            readers, more = readers[-1:], False  # never pushed to anybody else
        await self._stores.timelines.remove((event.tweet,), readers[-1:] if more else readers)
        self._buried[event.tweet] = None
        if len(self._buried) > BURIED_MAX:
            del self._buried[next(iter(self._buried))]
        if more:
            done.put[logged.offset] = Work(
                work_id=logged.offset, verb=WorkVerb.REMOVE, author=event.actor, tweet=event.tweet, created_ms=event.at_ms,
                request_id=event.request_id,
            )  # fmt: skip

    async def _part(self, event: Event, done: Done) -> None:
        """Take out what was pushed to someone who had left: lists of this author that were read before are used up by now, and
        those that are read from here on lack him."""
        await self._push_group()
        for work in (*self._pending.values(), *done.put.values()):
            if work.author == event.key:
                self._parents.pop(work.work_id, None)
        await self._partings.part(event.target, event.key)

    async def _serve_remove(self, work: Work) -> Work | None:
        readers, cursor = await self._stores.graph.followers(work.author, work.after, self._limits.fanout_batch)
        if len(readers):
            await self._stores.timelines.remove((work.tweet,), readers)
        return msgspec.structs.replace(work, after=cursor, batch=work.batch + 1) if cursor else None

    async def _serve_backfill(self, work: Work) -> Work | None:
        """Push the newest tweets of an author who leaves celebrity to some followers; after the last he is pushed only."""
        mode = self._modes.get(work.author)
        if mode is None or mode.mode is not FanoutMode.LEAVING:
            return None  # he rose above the threshold again meanwhile
        limit = self._limits.backfill_entries_max
        entries = (await self._stores.tweets.by_authors((work.author,), limit=limit + 1))[0]
        floor = int(entries[limit - 1, 0]) if len(entries) > limit else 0
        entries = np.ascontiguousarray(entries[:limit])
        some = max(1, min(self._limits.fanout_batch, BACKFILL_CELLS // max(1, len(entries))))
        readers, cursor = await self._stores.graph.followers(work.author, work.after, some)
        if len(entries) and len(readers):
            await self._stores.timelines.push(entries, readers, self._clock.now_ms(), floor)
        if cursor:
            return msgspec.structs.replace(work, after=cursor, batch=work.batch + 1)
        await self._set_mode(work.author, FanoutMode.PUSH)
        return None

    async def _check_mode(self, logged: LoggedEvent, done: Done) -> None:
        """Compare the author's followers with the thresholds (rule 3): up above one, down below the other."""
        author = logged.event.key
        followers = (await self._stores.accounts.counts((author,)))[0].followers
        mode = self._modes.get(author)
        now = FanoutMode.PUSH if mode is None else mode.mode
        if followers > self._limits.celebrity_followers_min and now is not FanoutMode.PULL:
            await self._set_mode(author, FanoutMode.PULL)
        elif followers < self._limits.celebrity_followers_exit and now is FanoutMode.PULL:
            await self._set_mode(author, FanoutMode.LEAVING)
            done.put[logged.offset] = Work(
                work_id=logged.offset, verb=WorkVerb.BACKFILL, author=author, tweet=0, created_ms=logged.event.at_ms
            )
        elif now is FanoutMode.LEAVING and not self._backfills(author, done):
            # killed between the mode and the record of its backfill
            done.put[logged.offset] = Work(
                work_id=logged.offset, verb=WorkVerb.BACKFILL, author=author, tweet=0, created_ms=logged.event.at_ms
            )

    def _backfills(self, author: int, done: Done) -> bool:
        works = (*self._pending.values(), *done.put.values())
        return any(work.verb is WorkVerb.BACKFILL and work.author == author for work in works)

    async def _set_mode(self, author: int, mode: FanoutMode) -> None:
        now_ms = self._clock.now_ms()
        since_id = id_at(max(now_ms, EPOCH_MS))
        event = Event(kind=EventKind.MODE_CHANGED, key=author, actor=author, ref=int(mode), at_ms=now_ms)
        await self._stores.modes.put(author, AuthorMode(mode, since_id), (event,))
        await self._caches.sync()
        self._modes = await self._caches.pulled()

    async def _is_deleted(self, tweet_id: int) -> bool:
        tweet = await self._caches.tweet(tweet_id)
        return tweet is None or tweet.deleted

    async def _is_gone(self, author: int) -> bool:
        if author in self._caches.plain:
            return False
        user = await self._caches.user(author)
        return user is None or user.status is AccountStatus.DELETED

    def _account_outcomes(self, done: Done, event: Event, batch: int, outcomes: npt.NDArray[np.uint8], *, last: bool) -> None:
        if not outcomes.any():
            self._account(done, event, batch, len(outcomes), stored=len(outcomes), last=last)
            return
        counts = np.bincount(outcomes, minlength=5).tolist()
        self._account(
            done, event, batch, len(outcomes), stored=counts[Push.STORED], duplicate=counts[Push.DUPLICATE],
            older_than_tail=counts[Push.OLDER_THAN_TAIL], skipped=counts[Push.INACTIVE] + counts[Push.NOT_RESIDENT], last=last,
        )  # fmt: skip

    def _account(self, done: Done, event: Event, batch: int, attempted: int, *, last: bool, **counts: int) -> None:
        """Note what became of one batch of one tweet (rule 15)."""
        lag_ms = max(0, self._clock.now_ms() - event.at_ms)
        done.deliveries.append(
            Delivery(tweet=event.tweet, batch=batch, attempted=attempted, last=last, lag_ms=lag_ms, **counts)
        )
        totals = self.totals
        for outcome, count in counts.items():
            totals[outcome] += count


def _entry(tweet_id: int, ref: int) -> Entries:
    return np.array(((tweet_id, ref),), np.int64)
