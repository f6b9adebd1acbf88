"""A tier's state in windows of another length: coarse where all is calm, fine around an event. Nothing is lost or made."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...core.errors import Invalid
from .model import Ints, State, fresh


def in_windows_of(state: State, window_us: int) -> State:
    """The same state, to go on in windows of `window_us`; what is due keeps its time up to the longer of the windows."""
    if window_us <= 0 or state.at_us % window_us:
        raise Invalid(f"a window of {window_us} µs does not begin at {state.at_us} µs", field="window_us")
    empty = fresh(state.server, state.shards, state.seed, window_us=window_us, rule=state.rule)
    pool, due = (_moved(old, new, state, window_us) for old, new in ((state.pool, empty.pool), (state.due, empty.due)))
    return replace(state, window_us=window_us, pool=pool, due=due)


def _moved(old: Ints, new: Ints, state: State, window_us: int) -> Ints:
    """What stands in a ring of windows, in a ring of others; the last axis is the ring."""
    out = np.zeros_like(new)
    before, after = state.at_us // state.window_us, state.at_us // window_us
    for ahead in range(old.shape[-1]):
        window = (before + ahead) * state.window_us // window_us
        slot = min(max(window, after), after + new.shape[-1] - 1)
        out[..., slot % new.shape[-1]] += old[..., (before + ahead) % old.shape[-1]]
    return out
