"""How people write numbers of people, bytes and time on a command line or in a scenario: "500M", "1.5k", "24h", "2m30s", "18:30".

Reads and shows; knows nothing of what the numbers mean.
"""

from __future__ import annotations

import re

FACTORS = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "B": 10**9, "T": 10**12}
UNITS_S = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800, "y": 31_536_000}
_COUNT = re.compile(r"([0-9][0-9_,]*(?:\.[0-9]+)?(?:[eE][0-9]+)?)\s*([kKMGBT]?)")
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|min|[smhdwy])")
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?")


def count_of(text: object) -> float:
    """A number of things: 500, 2.5e6, "500M", "1.5k", "20_000". Raises `ValueError`."""
    if isinstance(text, int | float) and not isinstance(text, bool):
        return float(text)
    found = _COUNT.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        msg = f"{text!r} is not a number such as 20000, 1.5k or 500M"
        raise ValueError(msg)
    return float(found[1].replace("_", "").replace(",", "")) * FACTORS[found[2]]


def seconds_of(text: object) -> float:
    """A length of time: 90, "90s", "2m30s", "24h", "7d". Raises `ValueError`."""
    if isinstance(text, int | float) and not isinstance(text, bool):
        return float(text)
    parts = _PART.findall(text) if isinstance(text, str) else []
    if not parts or "".join(number + unit for number, unit in parts) != str(text).replace(" ", ""):
        msg = f"{text!r} is not a length of time such as 90s, 2m30s, 24h or 7d"
        raise ValueError(msg)
    return sum(float(number) * UNITS_S[unit] for number, unit in parts)


def clock_of(text: object) -> float:
    """A time of day as seconds after midnight: "18:30", "07:05:30". Raises `ValueError`."""
    found = _CLOCK.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None or int(found[1]) > 23 or int(found[2]) > 59 or int(found[3] or 0) > 59:
        msg = f"{text!r} is not a time of day such as 18:30"
        raise ValueError(msg)
    return int(found[1]) * 3_600 + int(found[2]) * 60 + int(found[3] or 0)


def shown_count(value: float) -> str:
    """A number of things in three figures: 500M, 93.7k, 42."""
    for factor, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor * 0.9995:
            return f"{value / factor:.3g}{letter}"
    return f"{value:.3g}"


def shown_seconds(value: float) -> str:
    """A length of time as a person says it: 45 ms, 3.2 s, 2 m 30 s, 4 h 05 m, 3 d 04 h."""
    if value < 1:
        return f"{value * 1e3:.3g} ms"
    if value < 120:
        return f"{value:.3g} s"
    whole = round(value)
    if whole < 7_200:
        return f"{whole // 60} m {whole % 60:02d} s"
    if whole < 172_800:
        return f"{whole // 3_600} h {whole % 3_600 // 60:02d} m"
    return f"{whole // 86_400} d {whole % 86_400 // 3_600:02d} h"
