"""A file of work as `simulate/work.py` reads it: what was measured, and for the rest the prior it had, said so."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..kinds import TIER_OF, Kind, Tier
from ..work import PARTS, Interval, Works
from .fit import Fitted


@dataclass(frozen=True, slots=True)
class Header:
    """`how`: the source of everything measured, in words; `net_us`: the way to these stores and back."""

    name: str
    date: str
    how: str
    net_us: Interval


def work_toml(head: Header, fitted: Sequence[Fitted], variation: Mapping[Tier, float], priors: Works) -> str:
    """The text."""
    by_kind = {one.kind: one for one in fitted}
    kept = sorted({priors.priors[kind].source for kind in Kind if kind not in by_kind} | {priors.ways[tier].source for tier in Tier if tier not in variation})
    sources = {"measured": head.how} | {f"prior{n}": source for n, source in enumerate(kept)}
    key = {source: key for key, source in sources.items()}
    lines = [
        "# What a call costs its server, measured by `twit simulate calibrate`. value [low, high]; value: the middle at the highest load;",
        "# the interval covers all loads and rounds. For use by `twit simulate run --work FILE`.", "",
        f"name = {_text(head.name)}", f"date = {_text(head.date)}", "", "[sources]", *(f"{k} = {_text(v)}" for k, v in sources.items()),
    ]  # fmt: skip
    for tier in Tier:
        measured = tier in variation
        way = priors.ways[tier]
        lines += ["", f"[tiers.{tier.value}]", f"variation = {variation[tier] if measured else way.variation:.4g}",
                  f"net_us = {_interval(head.net_us if measured else way.net_us)}", f'source = "{"measured" if measured else key[way.source]}"']  # fmt: skip
    for kind in sorted(Kind, key=lambda kind: (TIER_OF[kind], kind)):
        lines += ["", f"[kinds.{kind.name}]"]
        if kind in by_kind:
            one = by_kind[kind]
            together = f"; {one.note}" if one.note else f"; {', '.join(one.joined)} not told apart from what stands" if one.joined else ""
            lines += [f"# off by {one.residual:.0%} (root mean square), {one.worst:.0%} at worst; {one.observations} observations{together}"]
            lines += [f"{part} = {_interval(one.parts[part])}" for part in PARTS] + ['source = "measured"']
        else:
            prior = priors.priors[kind]
            lines += [f"{part} = {_interval(prior.parts[part])}" for part in PARTS]
            lines += [f'source = "{key[prior.source]}"', f"date = {_text(prior.date)}", *([] if prior.trusted else ["trusted = false"])]
    return "\n".join(lines) + "\n"


def _interval(interval: Interval) -> str:
    """Rounded so that the value never leaves its interval."""
    value, low, high = (float(f"{x:.5g}") for x in (interval.value, interval.low, interval.high))
    return f"{{ value = {value!r}, low = {min(low, value)!r}, high = {max(high, value)!r} }}"


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
