"""Durations, rates, shares and moments as operators write them: `500ms`, `2s`, `10m`, `7d`; `200/s`; `0.1%`; `2026-09-22T14:12`.

A duration never goes without its unit. Nothing here asks what time it is.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from ..core.errors import Invalid

UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
DURATION_MAX_MS = 365 * UNITS_MS["d"]
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*(%?)")
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


def share(text: str, field: str) -> float:
    """Return a share in [0, 1]: `0.1%` or `0.001`. Raises `Invalid`."""
    match = _SHARE.fullmatch(text.strip())
    value = float(match[1]) / (100 if match[2] else 1) if match else -1.0
    if not 0 <= value <= 1:
        what = f"{text!r} is not a share"
        raise Invalid(what, field=field, try_="0.1%, 1% or 0.001; 100% at most")
    return value


def moment(text: str, field: str) -> int:
    """Return milliseconds since 1970 of an RFC 3339 time (UTC where it names no zone), or the negated length of a duration
    that is to be counted back from now. Raises `Invalid`."""
    if _DURATION.fullmatch(text.strip()):
        return -duration_ms(text, field)
    try:
        when = datetime.fromisoformat(text.strip())
    except ValueError:
        what = f"{text!r} is neither a time nor a duration"
        raise Invalid(what, field=field, try_="2026-09-22T14:12:00Z, or 2h for two hours ago") from None
    return round((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1_000)


def seconds(ms: float) -> str:
    """Milliseconds as a person reads them: `0.4 s`, `38 s`, `4 min`, `2.5 h`."""
    s = ms / 1_000
    if s < 10:
        return f"{s:.1f} s"
    if s < 120:
        return f"{s:.0f} s"
    return f"{s / 60:.0f} min" if s < 7_200 else f"{s / 3_600:.1f} h"
