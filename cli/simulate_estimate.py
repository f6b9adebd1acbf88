"""simulate estimate: the system design's own numbers, computed afresh. The arithmetic is in simulate/estimate/."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .command import command
from .invocation import terminal
from .output import Sheet

if TYPE_CHECKING:
    from ..simulate.estimate import Row

F = TypeVar("F", bound=Callable[..., object])
COLUMNS = {
    "section": "section", "quantity": "quantity", "design says": "design_says", "computed": "computed", "unit": "unit",
    "at peak": "at_peak", "verdict": "verdict", "formula": "formula", "why": "why",
}  # fmt: skip


class NumberType(click.ParamType[float]):
    """500M, 2.5k, 30%, 64GB."""

    name = "n"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from ..core.errors import Invalid
        from ..simulate.estimate.inputs import number

        if isinstance(value, float):
            return value
        try:
            return number(str(value))
        except Invalid as error:
            self.fail(f"{error}\n{error.meaning}", param, ctx)


NUMBER = NumberType()


def _short(value: float) -> str:
    for times, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= times:
            return f"{value / times:.4g}{unit}"
    return f"{value:g}"


def input_options(body: F) -> F:
    """A flag for each input of the estimate, in their order; its default is the design's."""
    from ..simulate.estimate.inputs import ALLOWED, SOURCES, Inputs

    for name, default in reversed(Inputs().as_dict().items()):
        source = f" ({SOURCES[name]})" if name in SOURCES else ""
        fallback = "Halfway between daily and monthly" if name == "weekly_active" else _short(default)
        text = f"{ALLOWED[name].means[0].upper()}{ALLOWED[name].means[1:]}{source}. {fallback} if not given."
        body = click.option(f"--{name.replace('_', '-')}", name, type=NUMBER, metavar="N", help=text)(body)
    return body


@command(
    "estimate",
    examples=(
        "twit simulate estimate", "twit simulate estimate --verdict wrong",
        "twit simulate estimate --daily-active 250M --monthly-active 400M --peak 1.62", "twit simulate estimate -o json",
    ),
)  # fmt: skip
@click.option("--verdict", "verdicts", type=click.Choice(("ok", "omits", "wrong")), multiple=True, help="Only these; may be repeated.")
@input_options
def estimate(verdicts: tuple[str, ...], **given: Any) -> None:
    """Compute the numbers of the system design afresh, each with a verdict and why.

    Its sections 3, 7.4, 8.1 and 10.3 and what other sections say of the same things. ok: it comes out as said. omits: right
    as far as it goes, which is not far enough to plan by. wrong: something else comes out. Sizes are decimal (1 KB = 1,000 B).
    """
    from ..simulate.estimate import document, inputs_from, page
    from ..simulate.estimate import estimate as compute

    inputs = inputs_from(given)
    rows = compute(inputs)
    shown = [row for row in rows if not verdicts or row.verdict.value in verdicts]
    terminal().show(_sheet(shown, document(inputs, shown), page(shown)))


def _sheet(rows: list[Row], document: dict[str, object], lines: list[str]) -> Sheet:
    return Sheet(rows=[row.as_dict() for row in rows], columns=COLUMNS, name="quantity", document=document, lines=lines)
