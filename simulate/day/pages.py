"""What depends on what people wrote, learned from a sample: how many candidates a page looks at, whose they are, what they weigh.

Five billion pages cannot be looked at one by one; some dozens can, whole, by the oracle that is held against the real core.
Reads are sampled in proportion to how often people read, tweets to how often they tweet; means come with standard errors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from ...core.ids import id_at
from ...core.limits import DAY_MS
from ..kinds import Counts, Kind
from ..population.calibrate import sample_users
from ..population.chance import mix
from .draws import Floats
from .facts import PopulationFacts
from .ops import Asked, Visit, ops_tweet, ops_user
from .rule import DayRule

if TYPE_CHECKING:
    from ..population.people import Population

FROM_USERS = 1 << 14  # the sample is drawn from so many
STREAM = 0x9A6E
NOTHING = Counts()


class Mean(msgspec.Struct, frozen=True):
    """Of one kind, an act: calls, elements, bytes, and the standard error of elements."""

    calls: float = 0.0
    elements: float = 0.0
    bytes: float = 0.0
    elements_error: float = 0.0

    @property
    def weight(self) -> float:
        """Bytes of an element."""
        return self.bytes / self.elements if self.elements else 0.0


Means = dict[Kind, Mean]


class PageModel(msgspec.Struct, frozen=True):
    """Means over sampled reads of warm rows, over reads that rebuild, and over tweets with their delivery."""

    warm: Means
    cold: Means
    tweet: Means
    reads: int
    tweets: int

    def of(self, means: Means, kind: Kind) -> Mean:
        """One of them; nothing where none was asked."""
        return means.get(kind, Mean())


def learn(population: Population, rule: DayRule) -> PageModel:
    """Look at some pages and tweets of that day."""
    people = sample_users(population.graph.users, population.seed, FROM_USERS)
    end_ms = rule.start_ms + DAY_MS
    facts = PopulationFacts(population, end_ms, rule.delivery)
    readers = _chosen(people, population.read_rate(people), rule.sampled_reads, population.seed)
    moments = [rule.start_ms + int(_share(population.seed, at) * DAY_MS) for at in range(len(readers))]
    visits = [Visit(before=id_at(ms)) for ms in moments]

    def read(at: int, *, cold: bool) -> Asked:
        return ops_user(facts, int(readers[at]) + 1, [visits[at]._replace(cold=cold)], rule.limits)

    tweets = _tweets(population, facts, rule, people)
    return PageModel(
        warm=_means(len(readers), lambda at: read(at, cold=False)),
        cold=_means(len(readers), lambda at: read(at, cold=True)),
        tweet=_means(len(tweets), lambda at: ops_tweet(facts, facts.tweets([tweets[at]])[0], rule.limits)),
        reads=len(readers),
        tweets=len(tweets),
    )


def _tweets(population: Population, facts: PopulationFacts, rule: DayRule, people: np.ndarray) -> list[int]:
    """The last tweet of that day or before of authors chosen by how often they tweet."""
    authors = _chosen(people, population.tweet_rate(people), rule.sampled_tweets, population.seed + 1)
    newest = facts.newest((authors + 1).tolist(), id_at(rule.start_ms + DAY_MS), 1)
    return [int(ids[0]) for ids in newest if len(ids)]


def _chosen(people: np.ndarray, rates: Floats, count: int, seed: int) -> np.ndarray:
    """Some people, each as likely as his rate is large; the same one may be chosen twice."""
    reached = rates.cumsum()
    marks = (np.arange(count) + _share(seed, count)) / count * reached[-1]
    return np.asarray(people[np.minimum(np.searchsorted(reached, marks, side="right"), len(people) - 1)])


def _means(count: int, asked: Callable[[int], Asked]) -> Means:
    seen: Sequence[Asked] = [asked(at) for at in range(count)]
    kinds = sorted({kind for one in seen for kind in one})
    means = {}
    for kind in kinds:
        values = np.array([one.get(kind, NOTHING) for one in seen], np.float64)
        calls, elements, weight = values.mean(axis=0).tolist()
        error = float(values[:, 1].std(ddof=1)) / len(seen) ** 0.5 if len(seen) > 1 else 0.0
        means[kind] = Mean(calls, elements, weight, error)
    return means


def _share(seed: int, question: int) -> float:
    return (int(mix(seed ^ STREAM, question)) >> 11) / (1 << 53)
