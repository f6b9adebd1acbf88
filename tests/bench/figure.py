"""One measured figure beside its reference, and how both are taken: interleaved, several rounds, errors not tolerated."""

import statistics
from collections.abc import Callable

import msgspec


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """`figures` and `references` were taken in turn, one pair a round; `bar` holds for the ratio's median.

    `at_least`: the bar is a lower bound; otherwise an upper one. A `bar` of None only reports.
    """

    row: str
    what: str
    unit: str
    against: str
    figures: list[float]
    references: list[float]
    bar: float | None
    at_least: bool = True
    note: str = ""

    @property
    def ratios(self) -> list[float]:
        return [figure / reference for figure, reference in zip(self.figures, self.references, strict=True)]

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    @property
    def holds(self) -> bool:
        if self.bar is None:
            return True
        return self.ratio >= self.bar if self.at_least else self.ratio <= self.bar


def interleaved(figure: Callable[[], float], reference: Callable[[], float], rounds: int, warm: int = 1) -> tuple[list[float], list[float]]:
    """Measure both in turn, A B A B …, after `warm` uncounted rounds."""
    for _ in range(warm):
        figure()
        reference()
    pairs = [(figure(), reference()) for _ in range(rounds)]
    return [one for one, _ in pairs], [other for _, other in pairs]


def short(value: float) -> str:
    if value >= 1e6:
        return f"{value / 1e6:.2f}M"
    if value >= 1e4:
        return f"{value / 1e3:.1f}k"
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def table(figures: list[Figure]) -> str:
    """Figures as aligned text: medians, the ratio with its spread, the bar, and whether it holds."""
    head = ["row", "what", "figure", "reference", "unit", "ratio", "min-max", "bar", "", "against"]
    rows = [head]
    for one in figures:
        bar = "-" if one.bar is None else f"{'≥' if one.at_least else '≤'} {one.bar:g}"
        rows.append([
            one.row, one.what, short(statistics.median(one.figures)), short(statistics.median(one.references)), one.unit,
            f"{one.ratio:.2f}", f"{min(one.ratios):.2f}-{max(one.ratios):.2f}", bar, "" if one.bar is None else ("ok" if one.holds else "MISSED"),
            one.against + (f" ({one.note})" if one.note else ""),
        ])
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
