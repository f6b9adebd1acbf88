"""A tier through one block: `advance(load, state, feedback)` answers its state after it and the trace of what waiting there was.

The same load, state and feedback give the same bytes, however many workers share the shards. What is offered and what
became of it is checked after every block.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np

from ...core.errors import Invalid
from ..threads import shared
from .chance import key_of
from .closed import erlang_table
from .exact import Knobs
from .histogram import BUCKETS
from .model import NO_FEEDBACK, Feedback, Floats, Ints, Load, State
from .shards import BINS, run_shards
from .stalls import stalls_between, standing_after
from .trace import Trace, calm_histograms

_table = cache(erlang_table)


class Unreconciled(AssertionError):
    """Calls were lost or made: an error in this layer, never in its input."""


def advance(load: Load, state: State, feedback: Feedback = NO_FEEDBACK) -> tuple[State, Trace]:
    """The tier after the windows of `load`, and what its calls met in them."""
    _fits(load, state)
    server, rule, shards = state.server, state.rule, state.shards
    calls = np.ascontiguousarray(load.calls if feedback.extra is None else load.calls + feedback.extra, np.int64)
    kinds, windows = len(server.kinds), load.windows
    mean = _work(load, feedback, kinds, shards)
    cv = np.array(server.variation or (0.0,) * kinds, np.float64)
    t0 = load.t0_us / 1e6
    width = load.window_us / 1e6
    offsets, stall_at, stall_for = stalls_between(server.stalls, shards, t0, t0 + windows * width, state.seed)
    down = np.full((shards, 2), np.inf) if feedback.down is None else feedback.down - t0
    watched = np.zeros(shards, np.bool_) if feedback.watched is None else feedback.watched
    watched = watched | (state.cold.sum(axis=0) > 0)
    after = replace(
        state, free=state.free.copy(), pool=state.pool.copy(), due=_now_ended(state.due, load), tokens=state.tokens.copy(),
        counts=state.counts.copy(), at_us=load.t1_us,
    )  # fmt: skip
    sums = np.zeros((shards, kinds, 3), np.int64)
    bins = np.zeros((shards, BINS + 1, kinds + 3))
    rows, grid = np.zeros((shards, windows, 7)), np.zeros((shards, windows, rule.grid), np.float64)
    how = np.zeros((shards, windows), np.uint8)
    seed = np.uint64(key_of(state.seed, "queue", server.tier.value))
    knobs, erlang = _knobs(state, width), _table(server.servers)

    def part(low: int, high: int) -> tuple[Ints, Ints]:
        responses, waits = np.zeros((kinds, BUCKETS), np.int64), np.zeros(BUCKETS, np.int64)
        run_shards(
            low, high, calls, mean, cv, knobs, erlang, seed, load.window0, watched, after.free, offsets, stall_at, stall_for,
            down, after.pool, after.due, after.tokens, after.counts, responses, waits, sums, bins, rows, grid, how,
        )  # fmt: skip
        return responses, waits

    responses, waits = _shared(part, shards, feedback.workers)
    calm_responses, calm_waits, calm_sums = calm_histograms(bins, mean, cv)
    end = windows * width
    trace = Trace(
        server, load.window0, load.window_us, mean, cv, rows, grid, how, responses + calm_responses, waits + calm_waits,
        sums=sums.sum(axis=0) + calm_sums, per_request=int(sums[:, :, 0].sum()), closed=int(calm_waits.sum()),
    )  # fmt: skip
    after = replace(after, stall_until=standing_after(offsets, stall_at, stall_for, end), up=~((down[:, 0] <= end) & (down[:, 1] > end)))
    if broken := after.ledger().broken():
        raise Unreconciled(f"{server.tier}: {'; '.join(broken)} does not hold after window {load.window0 + windows}")
    return after, trace


def _shared(part: Callable[[int, int], tuple[Ints, Ints]], shards: int, workers: int) -> tuple[Ints, Ints]:
    if workers <= 1:
        return part(0, shards)
    cuts = np.linspace(0, shards, min(4 * workers, shards) + 1).astype(int).tolist()
    done = shared(part, cuts[:-1], cuts[1:], workers=workers)
    responses, waits = done[0]
    for more_responses, more_waits in done[1:]:
        responses += more_responses
        waits += more_waits
    return responses, waits


def _fits(load: Load, state: State) -> None:
    """Refuse a block that does not follow the state."""
    shape = (len(state.server.kinds), state.shards)
    if load.calls.shape[:2] != shape:
        raise Invalid(f"the load is of {load.calls.shape[:2]} kinds and shards, the tier has {shape}", field="calls")
    if load.window_us != state.window_us:
        raise Invalid(f"windows of {load.window_us} µs, the state's are of {state.window_us}", field="window_us")
    if load.t0_us != state.at_us:
        raise Invalid(f"the block begins at {load.t0_us} µs, the state is of {state.at_us}", field="window0")
    if load.calls.size and load.calls.min() < 0:
        raise Invalid("a load of fewer than no calls", field="calls")


def _work(load: Load, feedback: Feedback, kinds: int, shards: int) -> Floats:
    """Mean work by kind and shard."""
    mean = np.broadcast_to(load.work_s.reshape(kinds, -1), (kinds, shards))
    slow = 1.0 if feedback.slow is None else feedback.slow
    work: Floats = np.ascontiguousarray(mean * slow, np.float64)
    if not (work > 0.0).all():
        raise Invalid("a call without work", field="work_s", meaning="each kind of a tier takes more than nothing")
    return work


def _now_ended(due: Ints, load: Load) -> Ints:
    """What ends within this block is no longer ahead."""
    due, ring = due.copy(), due.shape[3]
    if load.windows >= ring:
        due[:] = 0
    else:
        due[:, :, :, np.arange(load.window0, load.window0 + load.windows) % ring] = 0
    return due


def _knobs(state: State, width: float) -> Knobs:
    server, tries = state.server, state.server.retries
    return Knobs(
        width, state.rule.closed_below, state.rule.events_max, server.timeout_s, server.abandoned_work_is_done, server.shed_wait_s,
        tries.p, tries.backoff_s, tries.attempts == 0, tries.budget, tries.burst if tries.budget < float("inf") else float("inf"),
    )  # fmt: skip
