"""Who comes to the sampled gateway process, and when: readers by how often they read, and on top those whom an event calls.

All of it is drawn by keys before the process begins: the same seed gives the same people at the same microseconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ..population.calibrate import sample_users
from ..population.graph import Graph
from ..population.people import Population
from ..queues.chance import key_of
from .loads import MINUTE_S
from .scenario import Event, Happening

FROM_USERS = 1 << 16  # ordinary readers are drawn from so many
TRIES = 64  # to find a follower who was seen in the last week


class Asked(NamedTuple):
    """A minute as the engine saw it: requests at all gateways; of them opened on a notice, and with a row to be rebuilt."""

    requests: int
    opened: int
    rebuilds: int


class Visit(NamedTuple):
    """One request. `cold`: his row is gone; `called`: he comes because of the event; `counted`: the warm-up is over."""

    at_us: int
    reader: int
    cold: bool
    called: bool
    counted: bool


class Span(NamedTuple):
    """The stretch: warm-up from `begin_s`, counted from `from_s`, over at `end_s` or when enough have come."""

    begin_s: float
    from_s: float
    end_s: float
    rate: float  # requests a second at this process when it begins
    joined: float  # how many processes' requests are that


class Sizes(NamedTuple):
    """How many requests warm the process, and how many are counted after that."""

    warm_up: int = 120
    counted: int = 360


def span_of(minutes: Mapping[int, Asked], from_s: float, processes: int, sizes: Sizes) -> Span:
    """Around `from_s`, at the rate of one process, or of as many as give a sample within the minutes there are."""
    first, last = min(minutes) * MINUTE_S, (max(minutes) + 1) * MINUTE_S
    if from_s - first < MINUTE_S / 2:  # it happens as the run begins: the warm-up takes the place of what came before
        from_s += (last - first) / 3
    room = 0.9 * (last - from_s)
    before, after = (minutes.get(int(from_s // MINUTE_S) + step, minutes[max(minutes)]) for step in (-1, 0))
    own, then = (max(one.requests, 1) / MINUTE_S / processes for one in (before, after))
    joined = max(1.0, sizes.counted / (room * then))
    rate = own * joined
    return Span(max(float(first), from_s - sizes.warm_up / rate), from_s, last - 1.0, rate, joined)


def visits(  # noqa: PLR0917 - who, when and why, each named by its type
    population: Population, minutes: Mapping[int, Asked], span: Span, processes: int, event: Event | None, author: int, *,
    seed: int, sizes: Sizes,
) -> list[Visit]:  # fmt: skip
    """Everybody who comes, in order of time. `author` is whose notice calls people; 0 for nobody's."""
    ordinary = _Readers(population, seed)
    share = span.joined / processes
    out: list[Visit] = []
    at, counted, number = span.begin_s, 0, 0
    while counted < sizes.counted:
        minute = minutes.get(int(at // MINUTE_S), Asked(0, 0, 0))
        opens = _opens_per_s(minute, at, event) if author else 0.0
        rate = share * (max(minute.requests - (minute.opened if opens else 0), 1) / MINUTE_S + opens)
        at += -math.log(_u01(seed, "gap", number)) / rate
        if at >= span.end_s:
            break
        called = _u01(seed, "called", number) * rate < share * opens
        reader = _follower(population, author, seed, number) if called else -1
        cold = _u01(seed, "cold", number) * max(minute.requests, 1) < minute.rebuilds
        is_counted = at >= span.from_s
        out.append(Visit(round(at * 1e6), (reader if reader >= 0 else ordinary.draw(number)) + 1, cold, reader >= 0, is_counted))
        counted += is_counted
        number += 1
    return out


def author_of(graph: Graph, event: Event | None) -> int:
    """The user id of the account with about so many followers as the event's author has; 0 where nobody posts."""
    if event is None or event.kind is not Happening.POST or graph.shape.celebrities == 0:
        return 0
    low, high = 0, graph.shape.celebrities - 1
    while low < high:
        middle = (low + high) // 2
        if int(graph.in_degree([graph.celebrity_by_rank(middle)])[0]) > event["followers"]:
            low = middle + 1
        else:
            high = middle
    return graph.celebrity_by_rank(low) + 1


class _Readers:
    """People with a cached row, each as often as he reads."""

    def __init__(self, population: Population, seed: int) -> None:
        self._people = sample_users(population.graph.users, key_of(seed, "readers") >> 33, FROM_USERS)
        rates = population.read_rate(self._people) * population.resident(self._people)
        self._up_to = np.cumsum(rates / max(float(rates.sum()), 1e-300))
        self._seed = seed

    def draw(self, number: int) -> int:
        """The index of whoever comes then."""
        place = int(np.searchsorted(self._up_to, _u01(self._seed, "reader", number), side="right"))
        return int(self._people[min(place, len(self._people) - 1)])


def _follower(population: Population, author: int, seed: int, number: int) -> int:
    """The index of a follower who was seen in the last week; -1 where none turns up."""
    for attempt in range(TRIES):
        found = population.graph.random_follower(author - 1, _u01(seed, "follower", number, attempt))
        if found >= 0 and bool(population.resident([found])[0]):
            return found
    return -1


def _opens_per_s(minute: Asked, at: float, event: Event | None) -> float:
    """Of the opens of this minute, those of this instant: they halve every `open_half`."""
    if event is None or event.kind is not Happening.POST or at < event.at_s or not minute.opened:
        return 0.0
    decay = math.log(2) / event["open_half"]
    start = at // MINUTE_S * MINUTE_S
    a, b = max(start, event.at_s), start + MINUTE_S
    return minute.opened * decay * math.exp(-decay * (at - a)) / -math.expm1(-decay * (b - a))


def _u01(seed: int, *what: int | str) -> float:
    return ((key_of(seed, "core", *what) >> 11) + 0.5) * 2.0**-53


