"""Home and user timelines as they are read: fifteen rules, of which this file keeps order, paging, refill and repetition.

A page is built from runs of candidates (`candidates.py`), sifted for the reader (`sieve.py`), until it is full and everything
on it is decided. Rows that are lost are rebuilt by `rows.py`. Nothing here delivers tweets to others.
"""

from __future__ import annotations

from collections.abc import Container
from typing import NamedTuple

import numpy as np

from . import cursors
from .caches import Caches
from .candidates import Candidates
from .clock import Clock
from .entropy import Chance
from .errors import NotFound, StoreError
from .limits import Limits
from .model import AccountStatus, Tweet
from .pages import checked_limit, filled
from .patience import soon
from .ports import Stores
from .rebuild import Truth
from .rows import Rows
from .shown import Explained, Explanation, HomePage, Source, TweetPage
from .sieve import Sieve, repeated
from .sight import Sight
from .standing import StandingPages
from .visibility import Viewer

HOME, USER = "h", "u"  # kinds of cursors
SLACK = 1.25  # candidates asked for, by those wanted: some are answers to strangers


class _Shown(NamedTuple):
    """What a walk came to: ids to show, the cursor's id, and whether there is more."""

    ids: list[int]
    last: int
    has_more: bool


class _Walk:
    """What one read has seen so far. `kept` and `subjects` run in parallel, newest first."""

    def __init__(self, limit: int, window: int, scan_max: int) -> None:
        self.limit, self.window, self.scan_max = limit, window, scan_max
        self.kept: list[int] = []
        self.subjects: list[int] = []
        self.retweets = False  # without any, nothing can repeat anything
        self.scanned = 0
        self.cut_at = -1  # how many of `kept` stand among the first `scan_max` candidates, once those were looked at
        self.cut_id = 0

    def add(self, candidates: list[int], ids: list[int], subjects: list[int]) -> None:
        """Take in one run: the candidates looked at, and what of them may be seen."""
        room = self.scan_max - self.scanned
        if self.cut_at < 0 and len(candidates) >= room:
            self.cut_id = candidates[room - 1]
            self.cut_at = len(self.kept) + sum(tweet_id >= self.cut_id for tweet_id in ids)
        self.scanned += len(candidates)
        self.kept += ids
        self.subjects += subjects
        self.retweets = self.retweets or subjects is not ids

    def page(self, *, ended: bool) -> _Shown | None:
        """The page, or `None` where more candidates must be looked at to decide it."""
        kept, limit = self.kept, self.limit
        hidden = repeated(self.subjects, self.window) if self.retweets else ()
        exhausted = ended or self.scanned >= 2 * self.scan_max
        if not hidden:
            filled_at = limit if len(kept) >= limit else 0
            shown = kept[:limit]
        else:
            filled_at, shown = _first(kept, hidden, limit)
        if filled_at and (self.cut_at < 0 or filled_at <= self.cut_at):
            if len(kept) >= filled_at + self.window or exhausted:
                has_more = len(kept) > filled_at or not ended
                return _Shown(shown, shown[-1], has_more)
            return None
        if self.cut_at >= 0:
            if len(kept) >= self.cut_at + self.window or exhausted:
                return _Shown([tweet_id for tweet_id in shown if tweet_id >= self.cut_id], self.cut_id, has_more=True)
            return None
        return _Shown(shown, 0, has_more=False) if ended else None


def _first(kept: list[int], hidden: Container[int], limit: int) -> tuple[int, list[int]]:
    """The first `limit` that are not hidden, and how many of `kept` that took; 0 where there are fewer."""
    shown: list[int] = []
    for at, tweet_id in enumerate(kept):
        if at not in hidden:
            shown.append(tweet_id)
            if len(shown) == limit:
                return at + 1, shown
    return 0, shown


class HomeTimelines:
    """Reads; the only writes are rebuilt rows and parents that a reply brought along."""

    def __init__(  # noqa: PLR0917 - what a read needs, in the order in which wiring makes it
        self, stores: Stores, caches: Caches, limits: Limits, clock: Clock, chance: Chance, truth: Truth
    ) -> None:
        self._stores = stores
        self._caches = caches
        self._limits = limits
        self._clock = clock
        self._sieve = Sieve(caches)
        self._standing = StandingPages(stores.timelines, caches, limits)
        self.rows = Rows(stores, limits, clock, chance, truth)

    async def home(
        self, reader: int, cursor: str = "", limit: int | None = None, *, explain: bool = False, bare: bool = False
    ) -> HomePage:
        """A page of the reader's home timeline. Raises `BadCursor`, `Invalid` for the limit, `NotFound` for no such reader."""
        limits = self._limits
        limit = limits.timeline_page_default if limit is None else checked_limit(limit, limits.timeline_page_max)
        before = cursors.decode(HOME, cursor) if cursor else 0
        await self._caches.sync()
        if reader not in self._caches.plain:
            await self._check_reader(reader)
        viewer = await self._caches.viewer(reader)
        first = not cursor and not explain
        if first and (standing := self._standing.get(viewer, limit, bare=bare, now_ms=self._clock.now_ms())) is not None:
            return standing
        moment = self._caches.moment
        walk = _Walk(limit, limits.retweet_dedupe_window, limits.scan_max)
        candidates = Candidates(self._stores, limits, self._caches, viewer, before)
        notes = _Notes(self._clock, self._caches.loads) if explain else None
        shown = await self._walk(candidates, viewer, walk, notes)
        tweets = () if bare else await self._caches.tweets(shown.ids)
        page = TweetPage(
            tweets=tuple(tweets) if all(tweets) else tuple(tweet for tweet in tweets if tweet is not None),  # type: ignore[arg-type]
            ids=shown.ids if bare else (),
            next_cursor=cursors.encode(HOME, shown.last) if shown.has_more else "",
            has_more=shown.has_more,
            complete_back_to=candidates.complete_back_to,
        )
        if notes is None:
            home = HomePage(page=page)
            if first and candidates.from_row is not None and moment == self._caches.moment:
                self._standing.keep(viewer, limit, home, candidates.from_row, bare=bare)
            return home
        return HomePage(page=page, explanation=notes.explanation(page, walk, candidates, viewer, self._caches.loads))

    def standing(self, reader: int, limit: int) -> HomePage | None:
        """The bare first page as it was shown before, where it stands. Only for a caller in step with the log."""
        viewer = self._caches.viewer_cache.get(reader)
        if viewer is None or reader not in self._caches.plain:
            return None
        return self._standing.get(viewer, limit, bare=True, now_ms=self._clock.now_ms())

    async def user(self, viewer_id: int, user_id: int, cursor: str = "", limit: int | None = None) -> TweetPage:
        """A page of one user's own tweets and retweets, as far as this viewer may see them; mutes do not matter here."""
        limits = self._limits
        limit = limits.timeline_page_default if limit is None else checked_limit(limit, limits.timeline_page_max)
        start = cursors.decode(USER, cursor)
        await self._caches.sync()
        sight = Sight(self._caches, await self._caches.viewer(viewer_id))
        if not await sight.sees_user(user_id):
            what = f"no user {user_id}"
            raise NotFound(what)

        async def fetch(before: int, count: int) -> list[Tweet]:
            entries = (await self._stores.tweets.by_authors((user_id,), before=before, limit=count))[0]
            tweets = await self._caches.tweets(entries[:, 0].tolist())
            return [tweet for tweet in tweets if tweet is not None]

        found = await filled(fetch, sight.see, _id_of, start=start, limit=limit, scan_max=limits.scan_max)
        return TweetPage(
            tweets=found.found,
            next_cursor=cursors.encode(USER, found.last) if found.has_more else "",
            has_more=found.has_more,
        )

    async def _check_reader(self, reader: int) -> None:
        user = await self._caches.user(reader)
        if user is None or user.status is not AccountStatus.ACTIVE:
            what = f"no user {reader}"
            raise NotFound(what)

    async def _walk(self, candidates: Candidates, viewer: Viewer, walk: _Walk, notes: _Notes | None) -> _Shown:
        """Look at runs of candidates until the page is decided."""
        want = min(round((walk.limit + walk.window + 1) * SLACK), walk.scan_max)
        await candidates.open(self.rows, want)
        brought: set[int] = set()
        if notes is not None:
            notes.lap("row")
        while True:
            top = candidates.before
            ids = await candidates.run(want, self._clock.now_ms())
            if notes is not None:
                notes.lap("candidates")
            elif candidates.only_originals and (shown := await self._plainly(viewer, walk, ids)) is not None:
                return shown
            sifted = await self._sieve.sift(viewer, ids, None if notes is None else notes.hidden_now)
            if sifted.answers and (sifted.own or candidates.outside or brought):
                missing = await self._missing_parents(candidates, viewer, ids, sifted.answers, brought)
                if missing:
                    brought.update(missing)
                    if missing[0] >= candidates.before:
                        ids = await candidates.again(top, want + len(missing), self._clock.now_ms())
                        sifted = await self._sieve.sift(viewer, ids, None if notes is None else notes.anew())
            walk.add(ids, sifted.ids, sifted.subjects)
            if notes is not None:
                notes.run(candidates, sifted.ids, brought)
            page = walk.page(ended=candidates.ended)
            if page is not None:
                return page

    async def _plainly(self, viewer: Viewer, walk: _Walk, ids: list[int]) -> _Shown | None:
        """The page where it is simply the next candidates: nothing hidden, and no retweet there to repeat anything."""
        limit = walk.limit
        if walk.scanned or not limit < len(ids) or not limit < walk.scan_max:
            return None
        first = ids[: limit + 1]
        sifted = await self._sieve.quickly(viewer, first)
        if sifted is None or sifted.own or len(sifted.ids) <= limit:
            return None
        return _Shown(first[:limit], first[limit - 1], has_more=True)

    async def _missing_parents(
        self, candidates: Candidates, viewer: Viewer, ids: list[int], answers: list[int], brought: set[int]
    ) -> list[int]:
        """Put into the row the parents (rule 5) of replies that came by another way than their own fan-out; newest first."""
        pulled = set(viewer.pulled).union(followee for followee, _ in viewer.unmerged)
        present = set(ids)
        missing: dict[int, Tweet] = {}
        replies = [
            reply
            for reply in await self._caches.tweets(answers)
            if reply is not None
            and (reply.author_id == viewer.user_id or reply.tweet_id in candidates.outside or reply.tweet_id in brought)
        ]
        while replies:
            reply = replies.pop()
            parent, author = reply.reply_to, reply.reply_to_author
            if author in pulled or author not in viewer.circle or parent in present or parent in brought or parent in missing:
                continue
            if parent >= candidates.before or not await candidates.in_cache(parent, self._clock.now_ms()):
                tweet = await self._caches.tweet(parent)
                if tweet is not None and not tweet.deleted:
                    missing[parent] = tweet
                    replies += [tweet] if tweet.reply_to else []
        newest = sorted(missing, reverse=True)
        if newest and not candidates.uncached:
            entries = np.array([(tweet_id, missing[tweet_id].retweet_of) for tweet_id in newest], np.int64)
            pushed = self._stores.timelines.push(entries, np.array((viewer.user_id,), np.int64), self._clock.now_ms())
            try:
                await soon(self._limits, pushed)
            except StoreError:
                candidates.leave_row()
        return newest


class _Notes:
    """What an explained read cost and where its entries came from."""

    def __init__(self, clock: Clock, loads: int) -> None:
        self._clock = clock
        self._loads = loads
        self._started = self._last = clock.monotonic_us()
        self._took: dict[str, int] = {}
        self._hidden: dict[str, int] = {}
        self.hidden_now: dict[str, int] = {}
        self._sources: dict[int, tuple[Source, ...]] = {}

    def lap(self, stage: str) -> None:
        now = self._clock.monotonic_us()
        self._took[stage] = self._took.get(stage, 0) + now - self._last
        self._last = now

    def anew(self) -> dict[str, int]:
        """The run is sifted once more: its counts start again."""
        self.hidden_now = {}
        return self.hidden_now

    def run(self, candidates: Candidates, ids: list[int], brought: set[int]) -> None:
        """One run is done."""
        self.lap("sift")
        for why, count in self.hidden_now.items():
            self._hidden[why] = self._hidden.get(why, 0) + count
        self.hidden_now = {}
        for tweet_id in ids:
            self._sources[tweet_id] = (Source.PARENT,) if tweet_id in brought else candidates.sources(tweet_id)

    def explanation(self, page: TweetPage, walk: _Walk, candidates: Candidates, viewer: Viewer, loads: int) -> Explanation:
        self.lap("tweets")
        bottom = page.tweets[-1].tweet_id if page.tweets else 0
        repetitions = sum(walk.kept[at] >= bottom for at in repeated(walk.subjects, walk.window))
        if repetitions:
            self._hidden["repeated"] = repetitions
        return Explanation(
            row=candidates.how,
            entries=tuple(Explained(tweet.tweet_id, self._sources.get(tweet.tweet_id, ())) for tweet in page.tweets),
            scanned=walk.scanned,
            hidden=dict(sorted(self._hidden.items())),
            pulled_authors=len(viewer.pulled),
            merged_authors=candidates.merged_authors,
            store_calls=candidates.calls + loads - self._loads,
            took_us={**self._took, "total": self._last - self._started},
        )


def _id_of(tweet: Tweet) -> int:
    return tweet.tweet_id
