"""Closed forms: what waits in a calm window, and what the theory says in rung 1.

One server: Pollaczek-Khinchine for the mean, Takács for the square. Several: Erlang C, with the correction of Lee and Longton
for work that is not exponential. The wait of those that wait is taken as a gamma of the same two moments (exact for M/M/c).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special  # type: ignore[import-untyped]

from ..compiled import njit
from .histogram import BUCKETS, EDGES
from .model import Floats, Ints

GRID = 512  # of the table of Erlang's C over rho


def erlang_c(servers: int, rho: float) -> float:
    """The share that waits in M/M/c."""
    if rho <= 0.0:
        return 0.0
    if rho >= 1.0:
        return 1.0
    blocking = 1.0
    for k in range(1, servers + 1):
        blocking = rho * servers * blocking / (k + rho * servers * blocking)
    return blocking / (1.0 - rho * (1.0 - blocking))


def erlang_table(servers: int) -> Floats:
    """Erlang's C at rho = 0, 1/GRID, …, 1."""
    return np.array([erlang_c(servers, i / GRID) for i in range(GRID + 1)])


@njit
def powers(mean: float, cv: float) -> tuple[float, float]:
    """Second and third moments of the work of a call, by the laws of `draws.work_of`."""
    if cv == 0.0:
        return mean * mean, mean * mean * mean
    square = mean * mean * (1.0 + cv * cv)
    if cv <= 1.0:
        fixed, loose = mean * (1.0 - cv), mean * cv
        return square, fixed**3 + 3 * fixed**2 * loose + 6 * fixed * loose**2 + 6 * loose**3
    p = 0.5 * (1.0 + math.sqrt((cv**2 - 1.0) / (cv**2 + 1.0)))
    return square, 6.0 * (p * (mean / (2 * p)) ** 3 + (1 - p) * (mean / (2 * (1 - p))) ** 3)


@njit
def laws_of(mean: np.ndarray, cv: np.ndarray) -> np.ndarray:
    """[kind, 3] the first three moments of the work of a call."""
    laws = np.empty((mean.size, 3))
    for k in range(mean.size):
        laws[k, 0] = mean[k]
        laws[k, 1], laws[k, 2] = powers(mean[k], cv[k])
    return laws


@njit
def moments(rate: np.ndarray, laws: np.ndarray, servers: int, width: float, erlang: np.ndarray, out: np.ndarray) -> None:
    """From the calls a window of each kind and the moments of their work (`laws` [kind, 3]); `out` gets rho, share that waits, mean wait, its square, mean work, erlangs."""
    n, first, second, third = 0.0, 0.0, 0.0, 0.0
    for k in range(rate.size):
        n += rate[k]
        first += rate[k] * laws[k, 0]
        second += rate[k] * laws[k, 1]
        third += rate[k] * laws[k, 2]
    out[:] = 0.0
    if n == 0.0:
        return
    rho = first / (width * servers)
    out[0], out[4], out[5] = rho, first / n, first / width
    if rho >= 1.0:
        out[1] = 1.0
        return
    if servers == 1:
        wait = second / width / (2.0 * (1.0 - rho))
        out[1], out[2] = rho, wait
        out[3] = 2.0 * wait**2 + third / width / (3.0 * (1.0 - rho))
        return
    at = rho * (erlang.size - 1)
    low = int(at)
    share = erlang[low] + (at - low) * (erlang[low + 1] - erlang[low])
    service = first / n
    wait = service / (servers * (1.0 - rho)) * 0.5 * (second / n / service**2)
    out[1], out[2], out[3] = share, share * wait, share * 2.0 * wait**2


def waiting_tail(x: NDArray[np.float64] | float, share: float, mean: float, square: float) -> Floats:
    """P(wait > x): an atom at nothing, and a gamma with the mean and square of the whole."""
    if share <= 0.0 or mean <= 0.0:
        return np.zeros_like(np.asarray(x, np.float64))
    shape, scale = _gamma(mean / share, square / share)
    tail: Floats = share * special.gammaincc(shape, np.maximum(x, 0.0) / scale)
    return tail


def response_tail(x: Floats, share: float, mean: float, square: float, work: float, cv: float) -> Floats:
    """P(response > x) of a kind whose calls take `work`: its fixed part shifts, its loose part joins the wait."""
    fixed, loose = work * max(0.0, 1.0 - cv), work * min(cv, 1.0)
    if cv == 0.0:
        return np.where(x < fixed, 1.0, waiting_tail(x - fixed, share, mean, square))
    variance = max(square - mean**2, 0.0) + (work * cv) ** 2
    both = mean + loose
    shape, scale = _gamma(both, variance + both**2)
    return np.where(x < fixed, 1.0, special.gammaincc(shape, np.maximum(x - fixed, 0.0) / scale))


def spread(calls: int, tail: Floats) -> Ints:
    """`calls` over the buckets of a histogram so that they add up, given the tail at the upper edges."""
    upto = np.floor(calls * (1.0 - tail) + 0.5).astype(np.int64)
    upto[-1] = calls
    return np.diff(np.maximum.accumulate(upto), prepend=0)


def upper_edges() -> Floats:
    """Where each bucket ends; the last is open."""
    return EDGES[1 : BUCKETS + 1]


def _gamma(mean: float, square: float) -> tuple[float, float]:
    variance = max(square - mean**2, 1e-6 * mean**2)
    return mean**2 / variance, variance / mean
