"""Keyed chance: a number for each (key, question), the same whenever and in whatever order it is asked. Kernels only.

There is no generator anywhere: nothing here has a state.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ..compiled import njit

_GOLDEN, _M1, _M2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S27, _S30, _S31, _S11 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(11)
_TO_UNIT = 1.0 / (1 << 53)
POISSON_EXACT_MAX = 40.0  # above it a rounded normal: the error is far below that of any rate


@njit
def mix(key: int, question: int) -> int:
    """64 bits; splitmix64's finalizer over key and question."""
    z = np.uint64(key) + (np.uint64(question) + np.uint64(1)) * _GOLDEN
    z = (z ^ (z >> _S30)) * _M1
    z = (z ^ (z >> _S27)) * _M2
    return z ^ (z >> _S31)  # type: ignore[return-value]  # compiled code has one integer


@njit
def unit(bits: int) -> float:
    """A number in (0, 1) from 64 bits."""
    return (float(np.uint64(bits) >> _S11) + 0.5) * _TO_UNIT


@njit
def below(bits: int, n: int) -> int:
    """A whole number in [0, n), n >= 1 and below 2^32."""
    return np.int64(((np.uint64(bits) >> np.uint64(32)) * np.uint64(n)) >> np.uint64(32))  # type: ignore[return-value]  # compiled code has one integer


@njit
def normal_quantile(p: float) -> float:
    """Where the normal distribution reaches p in (0, 1); Acklam's rational approximation, relative error below 1.2e-9."""
    if p < 0.02425 or p > 0.97575:
        q = math.sqrt(-2.0 * math.log(p if p < 0.5 else 1.0 - p))
        top = ((((-7.784894002430293e-03 * q - 3.223964580411365e-01) * q - 2.400758277161838) * q - 2.549732539343734) * q
               + 4.374664141464968) * q + 2.938163982698783  # fmt: skip
        x = top / ((((7.784695709041462e-03 * q + 3.224671290700398e-01) * q + 2.445134137142996) * q + 3.754408661907416) * q + 1.0)
        return x if p < 0.5 else -x
    q = p - 0.5
    r = q * q
    top = (((((-3.969683028665376e01 * r + 2.209460984245205e02) * r - 2.759285104469687e02) * r + 1.383577518672690e02) * r
            - 3.066479806614716e01) * r + 2.506628277459239) * q  # fmt: skip
    return top / (((((-5.447609879822406e01 * r + 1.615858368580409e02) * r - 1.556989798598866e02) * r + 6.680131188771972e01) * r
                   - 1.328068155288572e01) * r + 1.0)  # fmt: skip


@njit
def poisson(mean: float, bits: int) -> int:
    """A Poisson count by inversion of one uniform number."""
    if mean <= 0.0:
        return 0
    u = unit(bits)
    if mean > POISSON_EXACT_MAX:
        return max(0, math.floor(mean + math.sqrt(mean) * normal_quantile(u) + 0.5))
    term = math.exp(-mean)
    total, count = term, 0
    while total < u and count < 400:
        count += 1
        term *= mean / count
        total += term
    return count


@njit
def normal_quantiles(ps: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """`normal_quantile` of each."""
    out = np.empty(len(ps))
    for at in range(len(ps)):
        out[at] = normal_quantile(ps[at])
    return out


@njit
def normal_tail(x: float) -> float:
    """How much of the normal distribution lies above x."""
    return 0.5 * math.erfc(x * 0.7071067811865476)


@njit
def normal_tails(xs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """`normal_tail` of each."""
    out = np.empty(len(xs))
    for at in range(len(xs)):
        out[at] = normal_tail(xs[at])
    return out
