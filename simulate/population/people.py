"""The people of a population: who they are, when they tweet and read, everything they ever tweeted. All of it computed.

Asked by index i in [0, users), which is the graph's; the service's user id is i + 1 and the name `u{user_id}`. Tweets are asked
by their ids. Compiled code takes `act`, `table` and `at` of a population and the kernels of activity, past and threads.
What is not computed: who liked, and who replied to or retweeted, a computed tweet: `counts` says how many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...core.errors import Invalid
from ...core.ids import MAX_ID
from ...core.model import Tweet, TweetCounts, User
from ..threads import shared
from . import activity, past, reactions, texts, threads
from .activity import Calibration, Floats
from .calibrate import activity_table
from .celebrities import DEFAULT_HEAD
from .clocks import Curves, curves
from .graph import Graph, build_graph
from .hashing import Table
from .params import Params, check_users, load_params
from .shape import DESIGN_USERS, GraphParams
from .tables import Layout

if TYPE_CHECKING:
    from ...core.entries import Entries

Ids = npt.NDArray[np.int64]
MANY = 1_000  # tweets, from where on two threads share the work of saying what each retweets
VILLAGE = 1_000_000  # below it degrees are scaled down


@dataclass(frozen=True, eq=False)
class Population:
    """A graph, parameters and a seed, with the few tables that follow from them. Picklable; shared between threads."""

    graph: Graph
    params: Params
    seed: int
    act: Floats
    calibration: Calibration
    clock: Curves

    @property
    def table(self) -> Table:
        """The graph's, for kernels."""
        return self.graph.table

    @property
    def at(self) -> Layout:
        """The graph's, for kernels."""
        return self.graph.at

    def stressed(self) -> Population:
        """The same people in a day with the stress peak. Their past tweets are others: it is another world."""
        clock = curves(self.params, stress=True)
        act, calibration = activity_table(self.params, self.graph, self.seed, clock)
        return replace(self, act=act, calibration=calibration, clock=clock)

    # people
    def user(self, i: int) -> User:
        """One account."""
        return self.users([i])[0]

    def users(self, ids: Ids | Sequence[int]) -> list[User]:
        """Accounts, in order of the question."""
        given = self._ids(ids)
        regions, celebrity = self.graph.region_of(given), self.graph.is_celebrity(given)
        made = activity.created(self.act, given)
        names = [region.name for region in self.params.regions]
        return [
            User(
                user_id=i + 1, username=f"u{i + 1}", display_name=texts.display_name(self.seed, i), location=names[region],
                is_verified=bool(famous), created_ms=created,
            )
            for i, region, famous, created in zip(given.tolist(), regions.tolist(), celebrity.tolist(), made.tolist(), strict=True)
        ]  # fmt: skip

    def tweet_rate(self, ids: Ids | Sequence[int]) -> Floats:
        """Tweets of all kinds an average day."""
        given = self._ids(ids)
        return activity.tweet_rates(self.act, given, self.graph.in_degree(given))

    def read_rate(self, ids: Ids | Sequence[int]) -> Floats:
        """Home timelines read an average day."""
        given = self._ids(ids)
        return activity.read_rates(self.act, given, self.graph.out_degree(given))

    def resident(self, ids: Ids | Sequence[int]) -> npt.NDArray[np.bool_]:
        """Who was seen in the last 7 days."""
        return activity.residents(self.act, self._ids(ids))

    # tweets
    def tweets_of(self, ids: Ids | Sequence[int], before: int, after: int, limit: int, now_ms: int) -> list[Entries]:
        """For each author the newest entries with after < id < before (0: unbounded) that exist at `now_ms`, newest first."""
        given = self._ids(ids)
        if limit < 0:
            raise Invalid(f"limit {limit}", field="limit", meaning="allowed: 0 and up")
        out, counts = np.empty(len(given) * limit, np.int64), np.empty(len(given), np.int64)
        past.newest_of(self.act, self.table, self.at, given, before, after, limit, now_ms, out, counts)
        ends = counts.cumsum()
        entries = np.empty((int(counts.sum()), 2), np.int64)
        entries[:, 0] = out.reshape(len(given), limit)[np.arange(limit) < counts[:, None]] if limit else 0
        self._retweeted(entries[:, 0].copy(), entries[:, 1])
        return [entries[end - count : end] for end, count in zip(ends.tolist(), counts.tolist(), strict=True)]

    def _retweeted(self, tweet_ids: Ids, out: Ids) -> None:
        """What each retweets, by two threads where there are many: each takes a microsecond or two."""
        cuts = [0, len(tweet_ids) // 2, len(tweet_ids)] if len(tweet_ids) >= MANY else [0, len(tweet_ids)]

        def part(low: int, high: int) -> None:
            threads.retweeted_into(self.act, self.table, self.at, tweet_ids[low:high], out[low:high])

        shared(part, cuts[:-1], cuts[1:], workers=len(cuts) - 1)

    def tweet_count(self, ids: Ids | Sequence[int], now_ms: int) -> Ids:
        """How many each has tweeted by then (`past.tweets_between`)."""
        given = self._ids(ids)
        out = np.empty(len(given), np.int64)
        past.tweets_before(self.act, self.table, self.at, given, now_ms, out)
        return out

    def exists(self, tweet_ids: Ids | Sequence[int], now_ms: int) -> npt.NDArray[np.bool_]:
        """Whether each was tweeted by the author in it, by then."""
        given = _tweet_ids(tweet_ids)
        out = np.empty(len(given), np.bool_)
        past.stand(self.act, self.table, self.at, given, now_ms, out)
        return out

    def author_of(self, tweet_ids: Ids | Sequence[int]) -> Ids:
        """Whose id each would be, -1 where it would be nobody's. Says nothing on whether he tweeted it."""
        given = _tweet_ids(tweet_ids)
        out = np.empty(len(given), np.int64)
        past.authors_into(self.act, self.graph.users, given, out)
        return out

    def tweet(self, tweet_ids: Ids | Sequence[int], now_ms: int) -> list[Tweet | None]:
        """The tweets; `None` for what nobody tweeted, or not by then."""
        given = _tweet_ids(tweet_ids)
        there = self.exists(given, now_ms)
        standing = given[there]
        facts = np.empty((len(standing), threads.COLUMNS), np.int64)
        threads.describe(self.act, self.table, self.at, standing, facts)
        made = iter([texts.tweet(self.act, self.seed, one, row) for one, row in zip(standing.tolist(), facts.tolist(), strict=True)])
        return [next(made) if known else None for known in there.tolist()]

    def counts(self, tweet_ids: Ids | Sequence[int], now_ms: int) -> list[TweetCounts]:
        """Reactions by then, computed from the author's followers and the tweet's age; zeros for retweets and what is not."""
        given = _tweet_ids(tweet_ids)
        out = np.zeros((len(given), 4), np.int64)
        reactions.counts_into(self.act, self.table, self.at, given, now_ms, out)
        return [TweetCounts(*row) for row in out.tolist()]

    def _ids(self, ids: Ids | Sequence[int]) -> Ids:
        given = np.ascontiguousarray(ids, dtype=np.int64).reshape(-1)
        if given.size and not (given.min() >= 0 and given.max() < self.graph.users):
            raise Invalid("no such user", field="user", meaning=f"allowed: 0 to {self.graph.users - 1:,}")
        return given


def open_population(
    users: int, seed: int = 7, preset: str = "design", overrides: Mapping[str, object] | None = None, threshold: int | None = None
) -> Population:
    """The people of a world of that size (the graph may round it: `population.graph.users`). `threshold`: who has more
    followers is a celebrity, if not as the graph has it. Raises `Invalid`."""
    check_users(users)
    params = load_params(preset, overrides)
    graph = build_graph(_graph_params(users, params, threshold), seed)
    return populate(graph, params, seed)


def populate(graph: Graph, params: Params, seed: int) -> Population:
    """People for a graph that is there."""
    clock = curves(params)
    act, calibration = activity_table(params, graph, seed, clock)
    return Population(graph=graph, params=params, seed=seed, act=act, calibration=calibration, clock=clock)


def _graph_params(users: int, params: Params, threshold: int | None) -> GraphParams:
    """A village has the graph's own scaled degrees and head, but for what is given for this run."""
    village = users < VILLAGE
    mean, top = (params.intervals[f"graph.{name}"] for name in ("mean_following", "top_followers"))
    scale = top.value / DEFAULT_HEAD[0] * users / params["accounts.total"]
    head = tuple(max(1, round(one * scale)) for one in DEFAULT_HEAD)
    like_the_graphs_own = abs(scale * DESIGN_USERS / users - 1) < 1e-9
    return GraphParams(
        users=users, threshold=threshold, mean_following=None if village and not mean.where.startswith("override") else mean.value,
        head=None if like_the_graphs_own or (village and not top.where.startswith("override")) else head,
        in_region_share=params["graph.in_region_share"], regions=tuple(region.provinces for region in params.regions),
    )  # fmt: skip


def _tweet_ids(tweet_ids: Ids | Sequence[int]) -> Ids:
    """Ids beyond 63 bits belong to nobody, as 0 does."""
    if isinstance(tweet_ids, np.ndarray):
        return np.ascontiguousarray(tweet_ids, dtype=np.int64)
    return np.array([one if 0 < one <= MAX_ID else 0 for one in tweet_ids], dtype=np.int64)
