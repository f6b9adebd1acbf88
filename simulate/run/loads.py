"""What each tier is asked for in each second of a minute: the day's counts, with what happens laid over.

Counts stay whole numbers. What a gateway remembers itself (`process_hit`) is taken off what pages ask of Redis and
Cassandra; writes go to every replica, reads to a quorum.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ..day.blocks import DAY_S, Block, day_block
from ..day.load import BATCHES, scaled, touched
from ..day.result import DayLoad
from ..kinds import TIER_OF, Kind, Tier
from ..queues.chance import key_of
from ..queues.cold import evenly
from ..queues.model import Floats, Ints, Load
from ..work import Theta, mean_work
from .tiers import Tiers, kinds_of, on_replicas, replicas

MINUTE_S = 60
WINDOW_US = 1_000_000
READ_KINDS = (
    Kind.HOME_IDS, Kind.CELEB_LIST, Kind.HYDRATE, Kind.USERS, Kind.TWEET_COUNTS, Kind.FOLLOWING, Kind.VIEWER, Kind.REQUEST,
    Kind.HYDRATE_MISS,
)  # fmt: skip
WRITES_A_REBUILD = 2  # a row is begun, then replaced
REMEMBERED = frozenset({Kind.HYDRATE, Kind.HYDRATE_MISS, Kind.USERS, Kind.FOLLOWING, Kind.VIEWER})


class Extra(NamedTuple):
    """More calls of one kind, [shard, second], and how many elements each has."""

    kind: Kind
    calls: Ints
    elements_a_call: float


class Lost(NamedTuple):
    """Shards whose calls others of the tier do, from a second of the minute on."""

    shards: list[int]
    since: int


class Times(NamedTuple):
    """So many times the day's calls, elements and bytes of a kind: another world's load."""

    calls: float = 1.0
    elements: float = 1.0
    bytes: float = 1.0


ONCE = Times()


class Asked(NamedTuple):
    """A minute of one tier, ready for its queue: calls and elements of each kind, and how much of the tier each kind takes."""

    load: Load
    counts: Mapping[Kind, tuple[int, int]]
    rho: Mapping[Kind, float]


class RunLoads:
    """The loads of a run, minute by minute."""

    windows = MINUTE_S

    def __init__(
        self, day: DayLoad, tiers: Tiers, theta: Theta, *, process_hit: float, start_s: int, seed: int, times: Mapping[Kind, Times] | None = None,
        workers: int = 1,
    ) -> None:  # fmt: skip
        self.day, self.tiers, self.process_hit = day, tiers, process_hit
        self._theta, self._start_s, self._seed = theta, start_s - start_s % MINUTE_S, seed
        self._times = times or {}
        self._workers = workers
        self._minute, self._block = -1, Block(0, 0, {}, {})

    def per_read(self, kind: Kind) -> float:
        """Calls of a kind that one read of a warm row makes, as shards see calls."""
        day = self.day
        mean = day.pages.of(day.pages.warm, kind)
        left = self._left(kind)
        if kind in BATCHES:
            return left * touched(mean, self.tiers.epoch.shards(TIER_OF[kind]))
        if kind is Kind.HYDRATE_MISS:
            return left * day.pages.of(day.pages.warm, Kind.HYDRATE).elements * (1 - day.rule.tweet_cache_hit)
        if kind is Kind.CELEB_LIST:
            return day.counts(kind).calls / max(1, day.totals.reads)
        return left * mean.calls if kind in READ_KINDS else 0.0

    def elements_a_call(self, kind: Kind) -> float:
        """As the day has it."""
        counts = self.day.counts(kind)
        return counts.elements / max(1, counts.calls)

    def reads(self, reads: Ints, key: str) -> list[Extra]:
        """More reads by second, as calls of every kind that reads make."""
        each = {kind: self.per_read(kind) for kind in READ_KINDS}
        return [self.spread(kind, scaled(reads, by), self.elements_a_call(kind), key) for kind, by in each.items() if by > 0]

    def spread(self, kind: Kind, calls: Ints, elements_a_call: float, key: str) -> Extra:
        """More calls by second, evenly over the shards."""
        shards = self.tiers.epoch.shards(TIER_OF[kind])
        return Extra(kind, evenly(calls, shards, key_of(self._seed, key, kind.name)), elements_a_call)

    def at(self, tier: Tier, minute: int, factor: Floats, extras: list[Extra], lost: Lost | None = None) -> Asked:
        """A tier's part of `minute` since the run's start. `factor` by second: all that people do, times so much."""
        self._go_to(minute)
        kinds = kinds_of(tier)
        calls, elements = [], []
        for kind in kinds:
            left, x = factor * self._left(kind), self._times.get(kind, ONCE)
            some = _times(self._block.calls[kind], left * x.calls)
            held = self._elements(kind, minute, left * x.elements).astype(np.float64)
            for extra in (one for one in extras if one.kind is kind):
                some = some + extra.calls
                held = held + extra.calls.sum(axis=1) * extra.elements_a_call
            copies = replicas(kind, self.tiers.fleet)
            calls.append(on_replicas(some, copies))
            elements.append(np.rint(on_replicas(held, copies)).astype(np.int64))
        made, inner = np.stack(calls), np.stack(elements)
        heavier = {kind: x.bytes / max(x.elements, 1e-12) for kind, x in self._times.items()}
        weights = np.array([self.day.element_bytes[kind] * heavier.get(kind, 1.0) for kind in kinds])[:, None]
        work = mean_work(kinds, made.sum(axis=2), inner, inner * weights, self._theta) * self.tiers.slow[tier]
        counts = {kind: (int(made[at].sum()), int(inner[at].sum())) for at, kind in enumerate(kinds)}
        room = MINUTE_S * self.tiers.servers[tier].servers * made.shape[1]
        rho = {kind: float((made[at].sum(axis=1) * work[at]).sum()) / room for at, kind in enumerate(kinds)}
        if lost is not None:
            made = np.stack([_moved(one, lost, key_of(self._seed, "moved", minute, kind.name)) for one, kind in zip(made, kinds, strict=True)])
        return Asked(Load(window0=minute * MINUTE_S, window_us=WINDOW_US, calls=made, work_s=work), counts, rho)

    def reads_in(self, minute: int) -> int:
        """Reads of this minute of the day, before anything happens."""
        return int(self.day.reads[:, self.minute_of_day(minute)].sum())

    def rebuilds_in(self, minute: int) -> int:
        """Reads of this minute of the day that find no row, before anything happens: people who come back after a week."""
        return int(self.day.calls[Kind.REBUILD_WRITE][:, self.minute_of_day(minute)].sum()) // WRITES_A_REBUILD

    def pace(self, minute: int) -> float:
        """Reads of this minute of the day over those of a mean one."""
        reads = self.day.reads.sum(axis=0)
        return float(reads[self.minute_of_day(minute)] / max(float(reads.mean()), 1e-12))

    def minute_of_day(self, minute: int) -> int:
        """A day that is over begins again."""
        return (self._start_s // MINUTE_S + minute) % (DAY_S // MINUTE_S)

    def _left(self, kind: Kind) -> float:
        return 1 - self.process_hit if kind in REMEMBERED else 1.0

    def _elements(self, kind: Kind, minute: int, factor: Floats) -> Ints:
        """[shard] elements of a minute, times a factor by second. Their seconds matter only where the factor is not one for all."""
        if (factor == factor[0]).all():
            return np.asarray(np.rint(self.day.elements[kind][:, self.minute_of_day(minute)] * factor[0]), np.int64)
        if not self._block.elements:
            self._block = day_block(self.day, self._block.start_s, self._block.stop_s, workers=self._workers)
        return np.asarray(_times(self._block.elements[kind], factor).sum(axis=1))

    def _go_to(self, minute: int) -> None:
        if minute != self._minute:
            start = (self._start_s + minute * MINUTE_S) % DAY_S
            self._minute, self._block = minute, day_block(self.day, start, start + MINUTE_S, elements=False, workers=self._workers)


def _moved(calls: Ints, lost: Lost, key: int) -> Ints:
    """[shard, second] calls with those of lost shards dealt to the others."""
    moved = calls.copy()
    others = np.setdiff1d(np.arange(len(calls)), lost.shards)
    if others.size:
        moved[others, lost.since :] += evenly(calls[lost.shards, lost.since :].sum(axis=0), others.size, key)
        moved[lost.shards, lost.since :] = 0
    return moved


def _times(counts: Ints, factor: Floats) -> Ints:
    """Counts times a factor by second, whole, with sums along a shard's seconds right to within one."""
    if (factor == 1.0).all():
        return counts
    reached = np.rint(np.cumsum(counts * factor, axis=1)).astype(np.int64)
    return np.diff(reached, axis=1, prepend=0)
