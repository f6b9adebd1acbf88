"""simulate validate: hold the simulator against what is known. The rungs are in simulate/validate/."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .command import command
from .invocation import terminal
from .output import Sheet

if TYPE_CHECKING:
    from ..simulate.validate.ladder import Comparison, Rung

COLUMNS = {
    "rung": "rung", "what": "what", "measured": "measured", "reference": "reference", "error": "error", "bound": "bound", "ok": "verdict",
    "held": "held", "note": "note",
}  # fmt: skip
NUMBERS = tuple("1234567")


@command(
    "validate",
    examples=("twit simulate validate", "twit simulate validate --rung 7 --each", "twit simulate validate --rung 1 --rung 3 -o json"),
)
@click.option("--rung", "rungs", type=click.Choice(NUMBERS), multiple=True, help="Only these; may be repeated.")
@click.option("--each", is_flag=True, help="A row for every comparison, not only the one of each rung that is nearest to its bound.")
@click.option("--capacity-python", type=click.Path(exists=True, dir_okay=False), metavar="PATH",
              help="A Python that has service-capacity-modeling, if this one has not.")  # fmt: skip
def validate(rungs: tuple[str, ...], each: bool, capacity_python: str | None) -> None:
    """Hold the simulator against what is known, rung by rung; exit 4 if a rung does not hold.

    1 closed forms of queues. 2 a simulation event by event (lives in the tests). 3 the graph of 500M users, and a small one
    whole. 4 the day against the real core. 5 published history. 6 Netflix service-capacity-modeling (extra twit[capacity]).
    7 twit serve itself under open-loop load, which wants the machine for a minute. Every rung is run small; a row is its
    worst comparison. What was left out says why and decides nothing; misses stay in the table.
    """
    import sys

    from ..core.clock import SystemClock
    from ..core.errors import Mismatch, Unsupported

    try:
        from ..simulate.validate.ladder import Climb, climb
    except ImportError as absent:
        raise Unsupported(f"{absent.name} is not installed", code="NO_SIMULATE", try_="pip install 'twit[simulate]'") from absent
    numbers = sorted({int(one) for one in rungs or NUMBERS})
    found: list[Rung] = []
    with terminal().progress("validate", len(numbers)) as bar:
        how = Climb(SystemClock(), capacity_python=capacity_python or sys.executable)
        for rung in climb(numbers, how):
            found.append(rung)
            bar.update(len(found), rung.name)
    rows = [_row(rung, one) for rung in found for one in (rung.comparisons if each else [rung.worst])]
    document = {
        "schema": "twit.validation/1",
        "rungs": [{"rung": one.number, "name": one.name, "ok": one.ok, "comparisons": [_row(one, each) for each in one.comparisons]} for one in found],
    }
    terminal().show(Sheet(rows=rows, columns=COLUMNS, name="what", document=document))
    if missed := [one for one in found if one.ok is False]:
        what = "; ".join(f"rung {one.number} ({one.name}): {one.worst.what}" for one in missed)
        raise Mismatch(what, meaning="The simulator's answer lies outside its bound there.", try_=f"twit simulate validate --rung {missed[0].number} --each")


def _row(rung: Rung, one: Comparison) -> dict[str, object]:
    from ..simulate.validate.ladder import shown

    said = [each.ok for each in rung.comparisons if each.ok is not None]
    verdict = "-" if one.ok is None else "ok" if one.ok else "MISS"
    return {
        "rung": rung.number, "name": rung.name, "what": one.what, "measured": shown(one.measured), "reference": shown(one.reference),
        "error": None if one.error is None else f"{one.error:+.2%}", "bound": None if one.bound is None else f"{one.bound:.2%}",
        "ok": one.ok, "verdict": verdict, "held": f"{sum(said)} of {len(said)}", "note": one.note,
    }  # fmt: skip
