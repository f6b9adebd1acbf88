"""The door between the sampled core and the queues: a `Delay` over the traces of the minutes that were looked at.

It counts what passes, adds the second way that a tweet goes when the tweet cache does not hold it, and lets the last moment
looked at stand for what little comes after. Faults that are to be tried on the core go in here: it knows no other delay.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from ..kinds import Kind
from ..modelled import WRITES
from ..queues.chance import key_of, split
from ..queues.model import Delay, Refused, Served, TimedOut

ASKED_ONCE = frozenset(write.kind for write in WRITES.values()) | {Kind.REQUEST}
MISSES = 7  # the stream of draws for what the tweet cache lacks


class Passed(NamedTuple):
    """Calls as shards see them, and what was in them."""

    calls: int = 0
    elements: int = 0


class Door:
    """`Delay` over another. `last_us`: the end of what was looked at; `missing`: share of tweets that the tweet cache lacks."""

    def __init__(self, under: Delay, last_us: int, missing: float, truth_shards: int) -> None:
        self._under, self._last_us = under, last_us
        self._missing, self._truth_shards = missing, truth_shards
        self._open: set[float] = set()
        self.passed: dict[Kind, Passed] = {}

    def at(  # noqa: PLR0917 - the contract's words
        self, kind: Kind, shard: int, t: int, elements: int, bytes: int, u01: float  # noqa: A002 - the contract's word
    ) -> Served | Refused | TimedOut:
        """What happens to a call, which is counted. A read asks twice with one draw: how long it waits, then what it takes."""
        at = min(t, self._last_us - 1)
        outcome = self._under.at(kind, shard, at, elements, bytes, u01)
        if kind in ASKED_ONCE:
            self._count(kind, 1, elements)
        elif u01 in self._open:
            self._open.discard(u01)
            self._count(kind, 0, elements)
            if kind is Kind.HYDRATE and isinstance(outcome, Served):
                return self._beyond(outcome, at, elements, bytes, u01)
        else:
            self._count(kind, 1, 0)
            if isinstance(outcome, Served):
                self._open.add(u01)
        return outcome

    def taken(self) -> dict[Kind, Passed]:
        """What passed since the last time."""
        passed, self.passed = self.passed, {}
        self._open.clear()
        return dict(sorted(passed.items()))

    def _beyond(self, hit: Served, t: int, elements: int, weight: int, u01: float) -> Served | Refused | TimedOut:
        """The tweets that the cache lacks are read from the store of truth, all at once, after the cache has said so."""
        draw = key_of(int(u01 * 2**53), MISSES)
        missed = _binomial(elements, self._missing, draw)
        begun = min(t + hit.wait_us + hit.service_us + hit.net_us, self._last_us - 1)
        slowest = 0
        for number in range(missed):
            one = key_of(draw, number)
            outcome = self._under.at(Kind.HYDRATE_MISS, one % self._truth_shards, begun, 1, weight // max(1, elements), _part(one))
            self._count(Kind.HYDRATE_MISS, 1, 1)
            if not isinstance(outcome, Served):
                return outcome
            slowest = max(slowest, outcome.wait_us + outcome.service_us + outcome.net_us)
        return Served(hit.wait_us, hit.service_us + slowest, hit.net_us)

    def _count(self, kind: Kind, calls: int, elements: int) -> None:
        old = self.passed.get(kind, Passed())
        self.passed[kind] = Passed(old.calls + calls, old.elements + elements)


def _binomial(n: int, p: float, key: int) -> int:
    """How many of n, each with chance p: by the gaps between them, so that it costs as much as it finds."""
    if p <= 0.0 or n <= 0:
        return 0
    if p >= 1.0:
        return n
    found, at, draw = 0, 0, 0
    while True:
        at += 1 + math.floor(math.log(_part(key_of(key, draw))) / math.log1p(-p))
        if at > n:
            return found
        found, draw = found + 1, draw + 1


def _part(key: int) -> float:
    return split((key >> 11) * 2.0**-53, 0)
