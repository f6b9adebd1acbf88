"""Durations and rates as operators write them: `500ms`, `2s`, `10m`, `1h`, `7d`; `200/s`. Never a bare number without a unit."""

from __future__ import annotations

import re

from ..core.errors import Invalid

UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
DURATION_MAX_MS = 365 * UNITS_MS["d"]
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_RATE = re.compile(r"(\d+(?:\.\d+)?)(k?)(?:/s)?")


def duration_ms(text: str, field: str) -> int:
    """Return milliseconds, in [0, a year]. Raises `Invalid`."""
    match = _DURATION.fullmatch(text.strip())
    value = round(float(match[1]) * UNITS_MS[match[2]]) if match else -1
    if not 0 <= value <= DURATION_MAX_MS:
        what = f"{text!r} is not a duration"
        raise Invalid(what, field=field, try_="500ms, 2s, 10m, 1h or 7d; a year at most")
    return value


def rate_per_s(text: str, field: str) -> float:
    """Return a rate a second, more than 0 (`200`, `200/s`, `5k/s`). Raises `Invalid`."""
    match = _RATE.fullmatch(text.strip())
    value = float(match[1]) * (1_000 if match[2] else 1) if match else 0.0
    if not 0 < value <= 1e9:
        what = f"{text!r} is not a rate"
        raise Invalid(what, field=field, try_="200/s or 5k/s; more than 0")
    return value


def seconds(ms: float) -> str:
    """Milliseconds as a person reads them: `0.4 s`, `38 s`, `4 min`, `2.5 h`."""
    s = ms / 1_000
    if s < 10:
        return f"{s:.1f} s"
    if s < 120:
        return f"{s:.0f} s"
    return f"{s / 60:.0f} min" if s < 7_200 else f"{s / 3_600:.1f} h"
