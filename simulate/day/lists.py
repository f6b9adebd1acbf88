"""Where the newest tweets of pulled authors are kept decides a verdict: three models of it, all computed, all printed.

Redis each time: every read asks for every list. A process cache with a TTL: a list asked for at rate x in one of n processes
misses x/n / (1 + x/n T) times a second there. A process cache that follows the event log: a list is read when a process
starts; from then on each new tweet of a pulled author reaches each process once, as an event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from ...core.routing import Kept
from ..compiled import njit
from ..population.hashing import Table
from ..population.kernels import in_degree_of
from ..population.kernels_places import id_of_in
from . import kernels, sizes
from .draws import Floats, Sums
from .parts import RawDay
from .routes import shards_of
from .rule import DayRule, Delivery, Lists

if TYPE_CHECKING:
    from ..population.people import Population

LEVELS = 96  # of load at which the misses of all lists are computed; between them a straight line
MINUTE_S = 60.0
NOBODY = np.zeros(0, np.int64)


class ListCost(msgspec.Struct, frozen=True):
    """One model: list reads a day at Redis, events a day that reach processes, memory of the lists in one process."""

    model: Lists
    redis_calls: int
    redis_peak_per_s: float
    events_to_processes: int
    process_bytes: int


class Celebrities(msgspec.Struct, frozen=True):
    """Pulled authors: the core's user ids, how often each list is asked for as a share of all, and where it lies."""

    ids: Sums
    shares: Floats
    shards: Sums
    counted: bool  # shares from every reader's own slots; else from follower counts


def celebrities_of(population: Population, raw: RawDay, rule: DayRule) -> Celebrities:
    """All of them. Where everybody is pulled nobody's list stands out: there are none."""
    if rule.delivery is not Delivery.HYBRID:
        return Celebrities(NOBODY, np.zeros(0), NOBODY, counted=False)
    count = len(raw.list_reads)
    ids, degrees = np.empty(count, np.int64), np.empty(count, np.int64)
    _celebrities_into(population.table, population.at, ids, degrees)
    counted = bool(raw.plan.exact)
    weights = raw.list_reads if counted else degrees
    total = int(weights.sum())
    shares = weights / total if total else np.full(count, 1 / count)
    return Celebrities(ids + 1, shares, shards_of(Kept.AUTHOR_LIST, ids + 1, rule.epoch), counted=counted)


@njit
def _celebrities_into(table: Table, at: object, ids: Sums, degrees: Sums) -> None:
    """Id and followers by celebrity index."""
    for index in range(len(ids)):
        star = index // at.provinces  # type: ignore[attr-defined]
        b = star // at.layers  # type: ignore[attr-defined]
        user = id_of_in(table, at, index % at.provinces, b, star - b * at.layers)  # type: ignore[arg-type, attr-defined]
        ids[index] = user
        degrees[index] = in_degree_of(table, at, user)  # type: ignore[arg-type]


def shard_shares(celebrities: Celebrities, rule: DayRule) -> Floats:
    """How the lists' reads are spread over Redis."""
    shares = np.bincount(celebrities.shards, weights=celebrities.shares, minlength=rule.epoch.redis)
    return shares / shares.sum() if shares.sum() else np.full(rule.epoch.redis, 1 / rule.epoch.redis)


def misses(celebrities: Celebrities, asked: Sums, rule: DayRule) -> Sums:
    """List reads that a TTL lets through to Redis, by minute, of `asked` ones."""
    processes = rule.epoch.gateway
    most = float(asked.max(initial=0)) / MINUTE_S
    levels = most * (np.arange(LEVELS + 1) / LEVELS) ** 2
    through = np.array([_missed(celebrities.shares, level, processes, rule.lists_ttl_s) for level in levels])
    found = np.interp(asked / MINUTE_S, levels, through) * MINUTE_S
    return np.asarray(np.minimum(asked, np.rint(found).astype(np.int64)))


@njit
def _missed(shares: Floats, asked: float, processes: int, ttl_s: float) -> float:
    """Misses a second of all lists in all processes, when so many lists a second are asked for."""
    total = 0.0
    for share in shares:
        each = share * asked
        total += each / (1.0 + each * ttl_s / processes)
    return total


def list_costs(celebrities: Celebrities, raw: RawDay, rule: DayRule) -> list[ListCost]:
    """All three models."""
    asked = raw.pairs(kernels.LISTS)
    processes, count = rule.epoch.gateway, len(celebrities.ids)
    held = count * rule.limits.timeline_page_default * sizes.ENTRY
    through = misses(celebrities, asked, rule)
    events = int(raw.minutes(kernels.PULLED_TWEETS).sum()) * processes
    return [
        ListCost(Lists.REDIS, int(asked.sum()), _peak(asked), 0, 0),
        ListCost(Lists.TTL, int(through.sum()), _peak(through), 0, held),
        ListCost(Lists.EVENTS, 0, 0.0, events, held),
    ]


def redis_list_calls(celebrities: Celebrities, raw: RawDay, rule: DayRule) -> Sums:
    """List reads that reach Redis by the rule's model, by minute."""
    asked = raw.pairs(kernels.LISTS)
    if rule.lists is Lists.REDIS:
        return asked
    return misses(celebrities, asked, rule) if rule.lists is Lists.TTL else np.zeros_like(asked)


def _peak(by_minute: Sums) -> float:
    return float(by_minute.max(initial=0)) / MINUTE_S
