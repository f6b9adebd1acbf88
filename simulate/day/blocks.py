"""A day second by second, a block at a time, for layers that advance in lockstep and keep nothing.

Within a minute moments are uniform: a minute's count of a shard is dealt to its seconds by keyed binomials, so that any cut
of the day into blocks gives the same seconds, and seconds sum to their minute.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ...core.errors import Invalid
from ..compiled import njit
from ..kinds import Kind
from ..population.chance import mix
from .draws import MINUTES, Sums, scatter
from .result import DayLoad

MINUTE_S = 60
DAY_S = MINUTES * MINUTE_S


class Block(NamedTuple):
    """Seconds [start_s, stop_s) of a day: int64 arrays (shards, seconds) by kind."""

    start_s: int
    stop_s: int
    calls: dict[Kind, Sums]
    elements: dict[Kind, Sums]


def day_block(load: DayLoad, start_s: int, stop_s: int) -> Block:
    """What falls into these seconds of the day."""
    if not 0 <= start_s < stop_s <= DAY_S:
        what = f"no block from second {start_s} to {stop_s}"
        raise Invalid(what, field="start_s", meaning=f"a day has the seconds 0 to {DAY_S}")
    first, last = start_s // MINUTE_S, -(-stop_s // MINUTE_S)
    cut = slice(start_s - first * MINUTE_S, stop_s - first * MINUTE_S)
    calls, elements = {}, {}
    for kind in sorted(load.calls):
        of_calls, of_elements = load.calls[kind][:, first:last], load.elements[kind][:, first:last]
        shards, minutes = of_calls.shape
        seconds = np.zeros((2, shards, minutes * MINUTE_S), np.int64)
        key = np.uint64(int(mix(load.seed, 0xB10C + int(kind))))
        _into_seconds(np.ascontiguousarray(of_calls), np.ascontiguousarray(of_elements), key, first, seconds)  # type: ignore[arg-type]
        calls[kind], elements[kind] = seconds[0][:, cut], seconds[1][:, cut]
    return Block(start_s, stop_s, calls, elements)


def blocks(load: DayLoad, seconds: int = MINUTE_S, start_s: int = 0, stop_s: int = DAY_S) -> Iterator[Block]:
    """The day in blocks of so many seconds; the last may be shorter."""
    for at in range(start_s, stop_s, seconds):
        yield day_block(load, at, min(at + seconds, stop_s))


@njit
def _into_seconds(calls: Sums, elements: Sums, key: int, first: int, out: Sums) -> None:
    """Deal calls evenly to seconds, and elements to where the calls are."""
    shards, minutes = calls.shape
    even = np.full(60, 1.0 / 60.0)
    for shard in range(shards):
        for minute in range(minutes):
            row = out[0, shard, minute * 60 : minute * 60 + 60]
            own = mix(mix(key, first + minute), 2 * shard)
            scatter(calls[shard, minute], even, own, row)
            total = calls[shard, minute]
            shares = row / total if total > 0 else even
            scatter(elements[shard, minute], shares, mix(own, 1), out[1, shard, minute * 60 : minute * 60 + 60])
