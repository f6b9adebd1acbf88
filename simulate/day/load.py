"""Puts a day's load together: `DayLoad`, by kind, shard and minute, from the sums of all users and the sampled pages.

What has a key of its own is routed key by key (home rows, events, follower lists, lists of celebrities); what is keyed by
evenly mixed ids in their billions (tweets, profiles) is dealt to shards by keyed multinomial draws. A batch that the core
sends as one call is split by the store's client: here a call is what one shard sees of it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..kinds import KEPT_OF, Counts, Kind, Tier
from ..population.chance import mix
from . import kernels, sizes
from .draws import Floats, Sums, scatter_rows
from .lists import MINUTE_S, Celebrities, celebrities_of, list_costs, redis_list_calls, shard_shares
from .pages import Mean, PageModel, learn
from .parts import Progress, RawDay, count_day
from .reconcile import identities
from .result import DayLoad, HeavyKey, Totals, Widths
from .routes import even_shares
from .rule import DayRule

if TYPE_CHECKING:
    from ..population.people import Population

HEAVY_KEYS = 100
BATCHES = (Kind.HYDRATE, Kind.USERS, Kind.TWEET_COUNTS)  # many ids a call, and each id has a shard of its own


def run_day(
    population: Population, rule: DayRule, *, threads: int = 2, progress: Progress | None = None, checkpoint: Path | None = None,
) -> DayLoad:
    """A day of this population by this rule."""
    raw = count_day(population, rule, threads=threads, progress=progress, checkpoint=checkpoint)
    return assemble(population, rule, raw, learn(population, rule))


def assemble(population: Population, rule: DayRule, raw: RawDay, pages: PageModel) -> DayLoad:
    """The load of a day that was counted."""
    stars = celebrities_of(population, raw, rule)
    loads = _Loads(population, rule, raw, pages)
    loads.reads()
    loads.tweets()
    loads.lists(stars)
    loads.reactions(population.params["reactions.likes_per_tweet"], population.params["tweets.retweets"])
    totals = loads.totals()
    return DayLoad(
        rule=rule,
        users=population.graph.users,
        seed=population.seed,
        calls=loads.calls,
        elements=loads.elements,
        element_bytes=loads.element_bytes,
        reads=raw.by_region(kernels.READS_AT, len(population.params.regions)),
        tweets=raw.by_region(kernels.TWEETS_AT, len(population.params.regions)),
        regions=tuple(region.name for region in population.params.regions),
        totals=totals,
        widths=_widths(raw, totals),
        heavy=_heavy(stars, raw),
        lists=list_costs(stars, raw, rule),
        pages=pages,
        identities=identities(raw, totals, loads.calls, loads.elements, loads.dealt),
    )


class _Loads:
    """Load while it is put together, kind by kind."""

    def __init__(self, population: Population, rule: DayRule, raw: RawDay, pages: PageModel) -> None:
        self._rule, self._raw, self._pages, self._seed = rule, raw, pages, population.seed
        self.calls: dict[Kind, Sums] = {}
        self.elements: dict[Kind, Sums] = {}
        self.element_bytes: dict[Kind, int] = {}
        self.dealt: dict[Kind, Counts] = {}  # what was to be dealt to shards
        regions = kernels.REGIONS
        self._reads = raw.by_region(kernels.READS_AT, regions).sum(axis=0)
        self._tweets = raw.by_region(kernels.TWEETS_AT, regions).sum(axis=0)
        self._cold = raw.minutes(kernels.COLD)

    def reads(self) -> None:
        """What home pages ask for."""
        raw, rule, pages = self._raw, self._rule, self._pages
        warm = pages.warm
        home = raw.shards(0, rule.epoch.redis)
        mean = pages.of(warm, Kind.HOME_IDS)
        again = _over_shards(self._cold, even_shares(Tier.REDIS, rule.epoch), int(mix(self._seed, 0xC01D)))  # after a rebuild
        self._routed(Kind.HOME_IDS, scaled(home, mean.calls) + again, scaled(home, mean.elements), sizes.ENTRY)
        for kind in BATCHES:
            self._batched(kind)
        viewer, posting = pages.of(warm, Kind.VIEWER), pages.of(pages.tweet, Kind.VIEWER)
        self._dealt(
            Kind.VIEWER,
            scaled(self._reads, viewer.calls) + scaled(self._tweets, posting.calls),
            scaled(self._reads, viewer.elements) + scaled(self._tweets, posting.elements),
            sizes.ENTRY,
        )
        followed = raw.pairs(kernels.FOLLOWEES) + raw.minutes(kernels.POSTERS_FOLLOWEES) + raw.minutes(kernels.COLD_FOLLOWEES)
        self._dealt(Kind.FOLLOWING, self._reads + self._tweets + self._cold, followed, sizes.ID)
        self._rebuilds()
        shown = pages.of(warm, Kind.REQUEST)
        self._dealt(Kind.REQUEST, self._reads + self._tweets, scaled(self._reads, shown.elements) + self._tweets, sizes.SHOWN)
        looked = self.elements[Kind.HYDRATE].sum(axis=0)
        missed = looked - scaled(looked, rule.tweet_cache_hit)
        self._dealt(Kind.HYDRATE_MISS, missed, missed, self.element_bytes[Kind.HYDRATE])

    def tweets(self) -> None:
        """What posting and delivering ask for."""
        raw, rule = self._raw, self._rule
        pushed = raw.minutes(kernels.ATTEMPTED) - raw.minutes(kernels.PULLED) + 2 * self._tweets
        self._dealt(Kind.PUSH, self._push_calls(pushed), pushed, sizes.DELIVERY)
        self._routed(Kind.FOLLOWERS_PAGE, raw.pages(), raw.listed(), sizes.ID)
        text = self._pages.of(self._pages.tweet, Kind.PUT_TWEET)
        self._dealt(Kind.PUT_TWEET, self._tweets, self._tweets, round(text.weight))
        events = raw.shards(rule.epoch.redis, rule.epoch.kafka)
        self._routed(Kind.EVENT, events.copy(), events.copy(), sizes.EVENT)

    def lists(self, stars: Celebrities) -> None:
        """Lists of pulled authors, as far as they are read from Redis."""
        calls = redis_list_calls(stars, self._raw, self._rule)
        mean = self._pages.of(self._pages.warm, Kind.CELEB_LIST)
        each = mean.elements / mean.calls if mean.calls else 0.0
        self._dealt(Kind.CELEB_LIST, calls, scaled(calls, each), sizes.ENTRY, shard_shares(stars, self._rule))

    def reactions(self, likes_per_tweet: float, retweets: float) -> None:
        """Likes follow the tweets that are no retweets; each is a row, an increment and an event."""
        likes = scaled(self._tweets, likes_per_tweet * (1 - retweets))
        moved = likes + scaled(self._tweets, self._pages.of(self._pages.tweet, Kind.COUNT).calls)
        self._dealt(Kind.LIKE, likes, likes, 2 * sizes.ID)
        self._dealt(Kind.COUNT, moved, moved, sizes.ID)
        events = self.calls.pop(Kind.EVENT)
        self._dealt(Kind.EVENT, likes, likes, sizes.EVENT)
        self.dealt[Kind.EVENT] = self.dealt[Kind.EVENT].plus(Counts(int(events.sum()), int(events.sum())))
        self.calls[Kind.EVENT] += events
        self.elements[Kind.EVENT] += events

    def totals(self) -> Totals:
        """The day in a dozen numbers."""
        raw = self._raw
        tweets = int(self._tweets.sum())
        column = {name: int(raw.minutes(place).sum()) for name, place in COLUMNS_OF.items()}
        filtered = round(column["stored"] * self._rule.deleted_before_delivery)
        return Totals(
            reads=int(self._reads.sum()), tweets=tweets, rebuilt=int(self._cold.sum()), refused=0,
            readers=raw.scalar(kernels.READERS), writers=raw.scalar(kernels.WRITERS), residents=raw.scalar(kernels.RESIDENT),
            attempted=column["attempted"], stored=column["stored"] - filtered, filtered=filtered, skipped=column["skipped"],
            pulled=column["pulled"], pulled_tweets=column["pulled_tweets"], large_tweets=column["large"],
            list_reads=int(raw.pairs(kernels.LISTS).sum()),
        )  # fmt: skip

    def _rebuilds(self) -> None:
        """Rows that are built anew, and pages that go below their row."""
        raw, pages = self._raw, self._pages
        cold, warm = pages.of(pages.cold, Kind.REBUILD_READ), pages.of(pages.warm, Kind.REBUILD_READ)
        authors = raw.minutes(kernels.COLD_AUTHORS)
        pushed = pages.of(pages.warm, Kind.FOLLOWING).elements - pages.of(pages.warm, Kind.CELEB_LIST).calls + 1
        calls = scaled(authors, (cold.calls - warm.calls) / pushed) + scaled(self._reads, warm.calls)
        read = scaled(authors, (cold.elements - warm.elements) / pushed) + scaled(self._reads, warm.elements)
        self._dealt(Kind.REBUILD_READ, calls, read, sizes.ENTRY)
        written = pages.of(pages.cold, Kind.REBUILD_WRITE)
        self._dealt(Kind.REBUILD_WRITE, scaled(self._cold, written.calls), scaled(self._cold, written.elements), sizes.ENTRY)

    def _batched(self, kind: Kind) -> None:
        """Batches of ids, from reads and from posting: each touches some of the shards."""
        pages = self._pages
        reading, posting = pages.of(pages.warm, kind), pages.of(pages.tweet, kind)
        shards = self._rule.epoch.shards(KEPT_OF[kind].tier)
        elements = scaled(self._reads, reading.elements) + scaled(self._tweets, posting.elements)
        calls = scaled(self._reads, touched(reading, shards)) + scaled(self._tweets, touched(posting, shards))
        self._dealt(kind, calls, elements, round(reading.weight))

    def _push_calls(self, pushed: Sums) -> Sums:
        """Shard calls of all pushes, over the minutes as their elements are."""
        pushes = self._raw.sums[kernels.SIZES_AT : kernels.SIZES_AT + kernels.SIZES]
        shards = self._rule.epoch.redis
        readers = np.arange(len(pushes))
        calls = float((pushes * shards * -np.expm1(readers * np.log1p(-1 / shards))).sum())
        total = int(pushed.sum())
        return scaled(pushed, calls / total if total else 0.0)

    def _routed(self, kind: Kind, calls: Sums, elements: Sums, weight: int) -> None:
        self.calls[kind], self.elements[kind], self.element_bytes[kind] = calls, elements, weight
        self.dealt[kind] = Counts(int(calls.sum()), int(elements.sum()))

    def _dealt(self, kind: Kind, calls: Sums, elements: Sums, weight: int, shares: Floats | None = None) -> None:
        """Deal totals by minute to shards, without what process caches answer."""
        hit = self._rule.process_hits.get(kind.name, 0.0)
        if hit:
            calls, elements = scaled(calls, 1 - hit), scaled(elements, 1 - hit)
        epoch, tier = self._rule.epoch, KEPT_OF[kind].tier
        given = even_shares(tier, epoch) if shares is None else shares
        key = int(mix(self._seed, 0x10AD + int(kind)))
        self.calls[kind] = _over_shards(calls, given, key)
        if elements is calls:
            self.elements[kind] = self.calls[kind].copy()
        else:
            self.elements[kind] = _over_shards(elements, given, key ^ 1)
        self.element_bytes[kind] = weight
        self.dealt[kind] = Counts(int(calls.sum()), int(elements.sum()))


COLUMNS_OF = {
    "attempted": kernels.ATTEMPTED, "stored": kernels.STORED, "skipped": kernels.SKIPPED, "pulled": kernels.PULLED,
    "pulled_tweets": kernels.PULLED_TWEETS, "large": kernels.LARGE,
}  # fmt: skip


def scaled(counts: Sums, by: float) -> Sums:
    """Counts times a mean as integers, along the last axis: rounded so that sums over time stay right to within one."""
    reached = np.rint(np.cumsum(counts, axis=-1) * by).astype(np.int64)
    return np.asarray(np.diff(reached, axis=-1, prepend=0))


def touched(mean: Mean, shards: int) -> float:
    """Shard calls of an act's batches: of k mixed ids in a batch, S(1 - (1 - 1/S)^k) of S shards hold some."""
    if not mean.calls:
        return 0.0
    each = mean.elements / mean.calls
    return float(mean.calls * shards * -np.expm1(each * np.log1p(-1 / shards)))


def _over_shards(counts: Sums, shares: Floats, key: int) -> Sums:
    out = np.zeros(len(shares) * len(counts), np.int64)
    scatter_rows(counts, shares, np.uint64(key & ((1 << 64) - 1)), out)  # type: ignore[arg-type]
    return out.reshape(len(shares), len(counts))


def _widths(raw: RawDay, totals: Totals) -> Widths:
    histogram = raw.sums[kernels.WIDTHS_AT : kernels.WIDTHS_AT + kernels.WIDTHS]
    users = raw.scalar(kernels.USERS)
    reached = histogram.cumsum() / max(1, users)
    at: Callable[[float], int] = lambda share: int(np.searchsorted(reached, share))  # noqa: E731
    return Widths(
        mean=raw.scalar(kernels.WIDTH) / max(1, users),
        mean_by_reads=raw.scalar(kernels.WIDTH_READS) / max(1, totals.reads),
        p50=at(0.5), p99=at(0.99), most=raw.scalar(kernels.WIDTH_MAX),
    )  # fmt: skip


def _heavy(stars: Celebrities, raw: RawDay) -> tuple[HeavyKey, ...]:
    """The lists most asked for, by every read and before any cache."""
    asked = raw.pairs(kernels.LISTS)
    total, peak = int(asked.sum()), int(asked.max(initial=0))
    order = np.argsort(-stars.shares, kind="stable")[:HEAVY_KEYS]
    return tuple(
        HeavyKey(
            kind=Kind.CELEB_LIST, key=int(stars.ids[at]), shard=int(stars.shards[at]), calls=round(total * float(stars.shares[at])),
            peak_per_s=peak / MINUTE_S * float(stars.shares[at]),
        )
        for at in order
    )  # fmt: skip
