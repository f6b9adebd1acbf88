"""A day second by second, a block at a time, for layers that advance in lockstep and keep nothing.

Within a minute moments are uniform: a minute's count of a shard is dealt to its seconds by keyed binomials, so that any cut
of the day into blocks gives the same seconds, and seconds sum to their minute.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np

from ...core.errors import Invalid
from ..compiled import njit
from ..kinds import Kind
from ..population.chance import mix, normal_quantile, unit
from ..threads import shared
from .draws import BINOMIAL_EXACT, MINUTES, Floats, Sums, scatter
from .result import DayLoad

MINUTE_S = 60
EVEN = 1.0 / 60.0
DAY_S = MINUTES * MINUTE_S


class Block(NamedTuple):
    """Seconds [start_s, stop_s) of a day: int64 arrays (shards, seconds) by kind."""

    start_s: int
    stop_s: int
    calls: dict[Kind, Sums]
    elements: dict[Kind, Sums]  # empty where they were not asked for


def day_block(load: DayLoad, start_s: int, stop_s: int, *, elements: bool = True, workers: int = 1) -> Block:
    """What falls into these seconds of the day. Without `elements` in a third of the time: who needs their sums has the minutes'."""
    if not 0 <= start_s < stop_s <= DAY_S:
        what = f"no block from second {start_s} to {stop_s}"
        raise Invalid(what, field="start_s", meaning=f"a day has the seconds 0 to {DAY_S}")
    first, last = start_s // MINUTE_S, -(-stop_s // MINUTE_S)
    cut = slice(start_s - first * MINUTE_S, stop_s - first * MINUTE_S)

    def dealt(kind: Kind) -> tuple[Sums, Sums | None]:
        of_calls = np.ascontiguousarray(load.calls[kind][:, first:last])
        calls = np.zeros((len(of_calls), (last - first) * MINUTE_S), np.int64)
        key = np.uint64(int(mix(load.seed, 0xB10C + int(kind))))
        _calls_into_seconds(of_calls, key, first, _table(), calls)  # type: ignore[arg-type]
        if not elements:
            return calls[:, cut], None
        inside = np.zeros_like(calls)
        _elements_into_seconds(np.ascontiguousarray(load.elements[kind][:, first:last]), key, first, calls, inside)  # type: ignore[arg-type]
        return calls[:, cut], inside[:, cut]

    kinds = sorted(load.calls)
    found = shared(dealt, kinds, workers=workers)
    return Block(
        start_s, stop_s, {kind: calls for kind, (calls, _) in zip(kinds, found, strict=True)},
        {kind: inside for kind, (_, inside) in zip(kinds, found, strict=True) if inside is not None},
    )  # fmt: skip


def blocks(load: DayLoad, seconds: int = MINUTE_S, start_s: int = 0, stop_s: int = DAY_S) -> Iterator[Block]:
    """The day in blocks of so many seconds; the last may be shorter."""
    for at in range(start_s, stop_s, seconds):
        yield day_block(load, at, min(at + seconds, stop_s))


@cache
def _table() -> Floats:
    """What `binomial` computes anew of a cell's share, for the sixty equal cells of a minute: the share of what is left, the smaller
    of it and its complement, and the logarithm of one less that."""
    table, rest = np.ones((MINUTE_S, 3)), 1.0
    for cell in range(MINUTE_S - 1):
        p = EVEN / rest
        few = min(p, 1.0 - p)
        table[cell] = p, few, math.log(1.0 - few)
        rest -= EVEN
    return table


@njit
def _calls_into_seconds(calls: Sums, key: int, first: int, table: Floats, out: Sums) -> None:
    """Deal calls evenly to seconds: `scatter` over sixty equal shares, to the bit, in less time."""
    shards, minutes = calls.shape
    for shard in range(shards):
        for minute in range(minutes):
            own = mix(mix(key, first + minute), 2 * shard)
            left, at = calls[shard, minute], minute * MINUTE_S
            for cell in range(MINUTE_S - 1):
                if left == 0:
                    break
                p, few = table[cell, 0], table[cell, 1]
                u = unit(mix(own, cell))
                mean = left * p
                variance = mean * (1.0 - p)
                if variance > BINOMIAL_EXACT:
                    dealt = min(left, max(0, np.int64(math.floor(mean + math.sqrt(variance) * normal_quantile(u) + 0.5))))
                else:
                    term = math.exp(left * table[cell, 2])
                    total, dealt = term, 0
                    while total < u and dealt < left:
                        dealt += 1
                        term *= (left - dealt + 1) / dealt * few / (1.0 - few)
                        total += term
                    dealt = dealt if p <= 0.5 else left - dealt
                out[shard, at + cell] = dealt
                left -= dealt
            out[shard, at + MINUTE_S - 1] = left


@njit
def _elements_into_seconds(elements: Sums, key: int, first: int, calls: Sums, out: Sums) -> None:
    """Deal elements to where the calls are."""
    shards, minutes = elements.shape
    even = np.full(60, 1.0 / 60.0)
    for shard in range(shards):
        for minute in range(minutes):
            own = mix(mix(key, first + minute), 2 * shard)
            row = calls[shard, minute * 60 : minute * 60 + 60]
            total = row.sum()
            shares = row / total if total > 0 else even
            scatter(elements[shard, minute], shares, mix(own, 1), out[shard, minute * 60 : minute * 60 + 60])
