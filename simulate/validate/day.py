"""Rung 4: the day against the core. The real core in the world of the population, over counted stores and with nothing
remembered between requests, is held against the oracle, call by call; the compiled day is held against the oracle, user by
user; and drawn totals against exact ones.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...core.clock import ManualClock
from ...core.ids import EPOCH_MS, id_at
from ...core.limits import Limits
from ...core.model import Tweet
from ...core.ports import Stores
from ...core.tweets import TweetCommands
from ..day import kernels
from ..day.core_run import CountedCore
from ..day.draws import MINUTES, clock_table
from ..day.facts import PopulationFacts
from ..day.ops import Asked, Visit, ops_tweet, ops_user
from ..day.parts import RawDay, count_day, plan_of
from ..day.routes import slots_of
from ..day.rule import DayRule, Mode
from ..kinds import KEPT_OF, Counts, Kind
from ..population.people import Population
from ..world.people import PopulationBase
from ..world.stores import open_world_stores
from ..world.turns import TURN_MS

NODE = 700
SEEN = 200_000  # users looked at to fill the strata
SIGMAS = 4.0


@dataclass(frozen=True, slots=True)
class Check:
    """One stratum and what was asked there: how many were compared, how many agreed in all kinds, the first that did not."""

    stratum: str
    what: str
    compared: int
    equal: int
    first_difference: str = ""

    @property
    def holds(self) -> bool:
        return self.compared == self.equal


@dataclass(frozen=True, slots=True)
class Total:
    """A drawn total beside the exact one."""

    name: str
    drawn: int
    exact: int
    sigma: float

    @property
    def sigmas(self) -> float:
        """How far apart, in standard deviations of the difference."""
        return abs(self.drawn - self.exact) / self.sigma if self.sigma else float(self.drawn != self.exact)

    @property
    def holds(self) -> bool:
        return self.sigmas <= SIGMAS


def strata(population: Population, count: int) -> dict[str, list[int]]:
    """Indexes of users by followers: at most `count` of each, the top accounts by rank."""
    graph, threshold = population.graph, population.graph.shape.threshold
    seen = np.unique(np.linspace(0, graph.users - 1, min(SEEN, graph.users)).astype(np.int64))
    followers = graph.in_degree(seen)
    top = [graph.celebrity_by_rank(rank) for rank in range(min(20, count, graph.shape.celebrities))]
    far = [graph.celebrity_by_rank(rank) for rank in range(20, graph.shape.celebrities, max(1, graph.shape.celebrities // 997))]
    sizes = graph.in_degree(far) if far else np.zeros(0, np.int64)
    chosen = {
        "zero": seen[followers == 0],
        "ordinary": seen[(followers > 0) & (followers < 0.9 * threshold)],
        "near the threshold": np.concatenate((
            seen[(followers >= 0.9 * threshold) & (followers <= 1.1 * threshold)],
            np.array(far, np.int64)[sizes <= 1.1 * threshold],
        )),
        "far above": np.array(far, np.int64)[sizes > 10 * threshold],
    }  # fmt: skip
    spread = {name: _some(np.setdiff1d(ids, top), count) for name, ids in chosen.items()}
    return {name: ids for name, ids in spread.items() if ids} | {"top 20": top}


async def against_core(population: Population, preset: str, each: int = 200, now_ms: int = DayRule().start_ms) -> list[Check]:
    """Reads, cold and returning, and tweets of every stratum: the core's calls, elements and bytes, and the oracle's."""
    threshold = population.graph.shape.threshold
    limits = Limits(celebrity_followers_min=threshold, celebrity_followers_exit=max(1, threshold * 9 // 10))
    clock = ManualClock(now_ms - (now_ms - EPOCH_MS) % TURN_MS)
    stores = await open_world_stores(PopulationBase(population, preset), limits, clock, inline=True)
    try:
        run = _Run(population, limits, clock, stores)
        people = strata(population, each)
        checks = []
        for name, ids in people.items():
            checks += [await run.reads(name, ids, cold=True), await run.reads(name, ids, cold=False)]
        for name, ids in people.items():
            checks.append(await run.tweets(name, ids))
        return checks
    finally:
        await stores.health.close()


class _Run:
    """One world, with the clock standing still."""

    def __init__(self, population: Population, limits: Limits, clock: ManualClock, stores: Stores) -> None:
        self._limits = limits
        self._facts = PopulationFacts(population, clock.now_ms())
        self._core = CountedCore(stores, limits, clock, random.Random(4), NODE)
        self._visit = Visit(before=id_at(clock.now_ms()))
        self._chance = random.Random(44)

    async def reads(self, stratum: str, ids: Sequence[int], *, cold: bool) -> Check:
        visit = self._visit._replace(cold=cold)
        pairs = []
        for i in ids:
            if cold:
                await self._core.forget(i + 1)
            pairs.append((i, ops_user(self._facts, i + 1, [visit], self._limits), await self._core.read(i + 1)))
        return _check(stratum, "cold read" if cold else "returning read", pairs)

    async def tweets(self, stratum: str, ids: Sequence[int]) -> Check:
        pairs = []
        for i in ids:
            tweet, asked = await self._core.post(self._command(i + 1))
            if tweet.tweet_id < self._visit.before:
                continue  # he had retweeted this before: nothing was made
            pairs.append((i, ops_tweet(self._facts, tweet, self._limits), asked))
        return _check(stratum, "tweet and delivery", pairs)

    def _command(self, author: int) -> Callable[[TweetCommands], Awaitable[Tweet]]:
        """An original, or an answer, quote or retweet of something that a followee said."""
        other = self._spoken_of(author)
        verb = self._chance.randrange(4) if other else 0
        text = f"rung four {'x' * self._chance.randrange(100)}"
        if verb == 1:
            return lambda commands: commands.post(author, text, reply_to=other)
        if verb == 2:
            return lambda commands: commands.post(author, text, quote_of=other)
        if verb == 3:
            return lambda commands: commands.retweet(author, other)
        return lambda commands: commands.post(author, text)

    def _spoken_of(self, author: int) -> int:
        for newest in self._facts.newest(self._facts.followees(author)[:20], self._visit.before, 5):
            for tweet in self._facts.tweets(newest.tolist()):
                if not tweet.retweet_of:
                    return tweet.tweet_id
        return 0


def against_kernels(population: Population, each: int = 200) -> list[Check]:
    """The exact day of single users in compiled code, and what the oracle says of each of their acts."""
    alone = _Alone(population)
    return [
        _check(stratum, "a user's exact day", [(i, *alone.day(i)) for i in ids])
        for stratum, ids in strata(population, each).items()
    ]


class _Alone:
    """Users of an exact day, one at a time."""

    def __init__(self, population: Population) -> None:
        rule = DayRule(mode=Mode.EXACT)
        threshold = population.graph.shape.threshold
        end_ms = rule.start_ms + kernels.DAY_MS
        self._limits = Limits(celebrity_followers_min=threshold, celebrity_followers_exit=max(1, threshold * 9 // 10))
        self._population, self._plan = population, plan_of(population, rule)
        self._facts, self._visit = PopulationFacts(population, end_ms), Visit(before=id_at(end_ms))
        self._clock, self._slots = clock_table(population.clock.by_region), slots_of(KEPT_OF[Kind.HOME_IDS])

    def day(self, i: int) -> tuple[Asked, Asked]:
        """What the oracle says of this user's reads and tweets, for the kinds that depend on no text; and what was summed."""
        raw, facts = self._sums(i), self._facts
        reads = int(raw.by_region(kernels.READS_AT, kernels.REGIONS).sum())
        tweets = int(raw.minutes(kernels.TWEETS).sum())
        void = int(self._population.graph.out_degree([i])[0]) - len(facts.followees(i + 1))  # slots in which nobody stands
        read = ops_user(facts, i + 1, [self._visit], self._limits)
        said: Asked = {
            Kind.CELEB_LIST: Counts(reads * read.get(Kind.CELEB_LIST, Counts()).calls),
            Kind.FOLLOWING: Counts(reads, reads * read[Kind.FOLLOWING].elements),
        }
        summed: Asked = {
            Kind.CELEB_LIST: Counts(int(raw.pairs(kernels.LISTS).sum())),
            Kind.FOLLOWING: Counts(reads, int(raw.pairs(kernels.FOLLOWEES).sum()) - reads * void),
        }
        if tweets:
            one = ops_tweet(facts, Tweet(tweet_id=self._visit.before, author_id=i + 1), self._limits)
            for kind in (Kind.PUSH, Kind.FOLLOWERS_PAGE):
                said[kind] = Counts(one[kind].calls * tweets, one[kind].elements * tweets)
            pushed = int((raw.minutes(kernels.ATTEMPTED) - raw.minutes(kernels.PULLED)).sum()) + 2 * tweets
            summed[Kind.PUSH] = Counts(int(raw.minutes(kernels.PUSHES).sum()), pushed)
            summed[Kind.FOLLOWERS_PAGE] = Counts(int(raw.minutes(kernels.PAGES).sum()), int(raw.minutes(kernels.LISTED).sum()))
        return said, summed

    def _sums(self, i: int) -> RawDay:
        people, plan = self._population, self._plan
        at = people.at
        sums, small = np.zeros(kernels.SUMS, np.int64), np.zeros((plan.redis + plan.kafka) * MINUTES, np.uint32)
        packed = np.zeros(plan.mysql * MINUTES, np.int64)
        read = np.zeros(at.heads.rows * at.layers * at.provinces, np.int64)
        kernels.count_users(people.table, at, people.act, self._clock, self._slots, plan, i, i + 1, sums, small, packed, read)
        listed, pages = packed & ((1 << kernels.PAGES_SHIFT) - 1), packed >> kernels.PAGES_SHIFT
        return RawDay(plan, np.concatenate((sums, listed)), np.concatenate((small, pages)), read)


def drawn_against_exact(population: Population) -> Iterator[Total]:
    """Totals of both modes; the day's chance is Poisson in tweets, each with its author's followers. For populations that
    can be listed."""
    drawn, exact = (count_day(population, DayRule(mode=mode)) for mode in (Mode.DRAWN, Mode.EXACT))
    ids = np.arange(population.graph.users)
    rates, followers = population.tweet_rate(ids), population.graph.in_degree(ids).astype(np.float64)
    stars = population.graph.is_celebrity(ids)
    weights = {
        "tweets": np.ones_like(followers), "attempted": followers, "stored": followers * ~stars, "pulled": followers * stars,
    }  # fmt: skip
    columns = {
        "tweets": kernels.TWEETS, "attempted": kernels.ATTEMPTED, "stored": kernels.STORED, "pulled": kernels.PULLED,
    }  # fmt: skip
    for name, column in columns.items():
        sigma = float(np.sqrt(2 * (rates * weights[name] ** 2).sum()))
        yield Total(name, int(drawn.minutes(column).sum()), int(exact.minutes(column).sum()), sigma)


def _some(ids: npt.NDArray[np.int64], count: int) -> list[int]:
    """At most so many, spread evenly."""
    if len(ids) <= count:
        return [int(one) for one in ids]
    return [int(one) for one in ids[np.linspace(0, len(ids) - 1, count).astype(np.int64)]]


def _check(stratum: str, what: str, pairs: Sequence[tuple[int, Asked, Asked]]) -> Check:
    different = [(i, said, asked) for i, said, asked in pairs if said != asked]
    first = ""
    if different:
        i, said, asked = different[0]
        kinds = sorted({*said, *asked})
        first = f"user {i + 1}: " + ", ".join(
            f"{kind.name} says {tuple(said.get(kind, ()))} is {tuple(asked.get(kind, ()))}"
            for kind in kinds
            if said.get(kind) != asked.get(kind)
        )
    return Check(stratum, what, len(pairs), len(pairs) - len(different), first)
