"""What a command line asks of a scenario: settings (`K=V`), thresholds (`METRIC>N`), sweeps (`K=A,B,C`). Parses; plays nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..core.errors import Invalid
from .keys import METRICS

_THRESHOLD = re.compile(r"\s*([a-z_0-9]+)\s*>=?\s*([0-9.eE+-]+)\s*")
SWEEP_MAX = 64


def settings(given: Sequence[str]) -> dict[str, object]:
    """`K=V`, …; a later one wins. Raises `Invalid`."""
    found: dict[str, object] = {}
    for one in given:
        key, sign, value = one.partition("=")
        if not sign or not key.strip() or not value.strip():
            raise Invalid(f"{one!r} is not KEY=VALUE", field="set", meaning="such as rule.lists=events or events.spike.followers=50M")
        found[key.strip()] = _plain(value.strip())
    return found


def thresholds(given: Sequence[str]) -> dict[str, object]:
    """`METRIC>N`, … as the promises `slo.METRIC` that the metric stays at or below N. Raises `Invalid`."""
    found: dict[str, object] = {}
    for one in given:
        parsed = _THRESHOLD.fullmatch(one)
        try:
            limit = float(parsed[2]) if parsed else -1.0
        except ValueError:
            parsed = None
        if parsed is None or parsed[1] not in METRICS or limit < 0:
            what = f"{one!r} is no threshold"
            raise Invalid(what, field="fail-if", meaning=f"METRIC>N, such as home_read_p99_ms>200; METRIC is one of {', '.join(METRICS)}")
        found[f"slo.{parsed[1]}"] = limit
    return found


def sweep(given: str) -> tuple[str, list[object]]:
    """`K=A,B,C`: the key and its values in order. Raises `Invalid`."""
    key, sign, values = given.partition("=")
    each = [_plain(value.strip()) for value in values.split(",") if value.strip()]
    if not sign or not key.strip() or not 1 <= len(each) <= SWEEP_MAX:
        raise Invalid(f"{given!r} is no sweep", field="sweep", meaning=f"KEY=A,B,C with up to {SWEEP_MAX} values, such as rule.celebrity_followers_min=1k,10k,100k")
    return key.strip(), each


def _plain(value: str) -> object:
    """A number where it is one, else the words."""
    try:
        return float(value)
    except ValueError:
        return value
