"""The estimate as a page: a line a figure, and under it why, where there is something to say."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from .row import Row, Verdict

TITLES = {
    "3.1": "Users and traffic", "3.2": "Queries a second", "3.3": "Storage", "3.4": "Bandwidth", "7.4": "Timeline cache",
    "8.1": "Sharding", "8.2": "Regions", "8.3": "Caching", "10.1": "Hot partitions", "10.2": "Thundering herd",
    "10.3": "Write amplification", "card": "Quick reference card",
}  # fmt: skip
WIDTH = 118
_BYTES, _COUNTS = ("B", "KB", "MB", "GB", "TB", "PB", "EB"), ("", "k", "M", " bn", " tn")


def page(rows: Sequence[Row]) -> list[str]:
    """All lines."""
    lines = [f"  {'QUANTITY':<42}{'DESIGN SAYS':>20}{'COMPUTED':>16}{'AT PEAK':>16}  VERDICT"]
    section = ""
    for row in rows:
        if row.section != section:
            section = row.section
            lines.append(f"{'§' if section[0].isdigit() else ''}{section}  {TITLES.get(section, '')}")
        lines += _lines(row)
    counted = [f"{sum(row.verdict is verdict for row in rows)} {verdict.value}" for verdict in Verdict]
    return [*lines, f"{len(rows)} figures: {', '.join(counted)}"]


def _lines(row: Row) -> Iterator[str]:
    peak = "" if row.at_peak is None else amount(row.at_peak, row.unit)
    shown = amount(row.computed, row.unit)
    yield f"  {row.quantity:<42}{row.design_says:>20}{shown:>16}{peak:>16}  {row.verdict.value}".rstrip()
    yield from textwrap.wrap(row.why, WIDTH, initial_indent="      ", subsequent_indent="      ")


def amount(value: float, unit: str) -> str:
    """A number a person reads: 5,787/s, 12.8 KB, 1.16M/s, 2 %."""
    if unit in {"B", "B/s"}:
        return _scaled(value, 1000.0, _BYTES, " ") + unit[1:]
    if unit == "%":
        return f"{100 * value:.3g} %"
    if unit in {":1", "x"}:
        return f"{value:,.4g}{unit}"
    number = f"{value:,.0f}" if value == round(value) or value >= 1000 else f"{value:.3g}"
    if value >= 1e6:
        number = _scaled(value, 1000.0, _COUNTS, "")
    return f"{number}{unit}" if unit.startswith("/") else f"{number} {unit}".rstrip()


def _scaled(value: float, step: float, names: Sequence[str], gap: str) -> str:
    at = 0
    while value >= step * 0.9995 and at < len(names) - 1:
        value, at = value / step, at + 1
    return f"{_three(value)}{gap}{names[at]}"


def _three(value: float) -> str:
    """Three digits, four where the first is a 1; never as 1e+03."""
    return f"{value:,.0f}" if value >= 99.95 else f"{value:.4g}" if value < 2 else f"{value:.3g}"
