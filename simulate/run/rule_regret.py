"""Is the threshold right? Operations by it beside those of the best choice for each pair of author and reader, in the verdict.

With a push and a pull as dear as each other; and, where lists are read from Redis, with what both take of Redis in this run.
Where the process keeps all lists, what a pull costs is the process's work, which nobody has measured.
"""

from __future__ import annotations

from ..day.regret import Regret, regret
from ..kinds import Kind
from ..verdict_schema import RuleRegret
from .prepare import Prepared


def rule_regret(prepared: Prepared) -> list[RuleRegret]:
    """Of the scenario's threshold, from sampled readers of its people."""
    push_s, pull_s = redis_seconds(prepared)
    asked = [("equal", 1.0, 1.0), *([("redis seconds", push_s, pull_s)] if push_s and pull_s else [])]
    return [_told(prepared, name, push, pull, regret(prepared.population, push_cost=push, pull_cost=pull)) for name, push, pull in asked]


def redis_seconds(prepared: Prepared) -> tuple[float, float]:
    """Of Redis for one entry pushed, and for one celebrity's list merged into a page, as the day has them."""
    day = prepared.day
    entries, lists = day.counts(Kind.PUSH).elements, day.totals.list_reads
    return _work(prepared, Kind.PUSH) / max(1, entries), _work(prepared, Kind.CELEB_LIST) / max(1, lists)


def _work(prepared: Prepared, kind: Kind) -> float:
    """Seconds that the whole day's calls of a kind take."""
    counts, theta = prepared.day.counts(kind), prepared.theta
    return float(counts.calls * theta.base[kind] + counts.elements * theta.element[kind] + counts.bytes * theta.byte[kind])


def _told(prepared: Prepared, costs: str, push: float, pull: float, found: Regret) -> RuleRegret:
    return RuleRegret(
        costs=costs, threshold=prepared.scenario.rule.celebrity_followers_min, push_cost=push, pull_cost=pull, readers=found.readers,
        pairs=found.pairs, by_rule=found.threshold, best=found.best, all_pushed=found.all_pushed, all_pulled=found.all_pulled,
        regret=found.regret if found.best else None, regret_error=found.regret_error if found.best else None,
    )  # fmt: skip
