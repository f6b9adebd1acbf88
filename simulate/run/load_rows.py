"""A played run's load by time, and at its peak by region, as rows of the document."""

from __future__ import annotations

from collections.abc import Sequence

from ..kinds import Kind
from ..verdict_schema import Load
from .engine import Played, Row
from .loads import MINUTE_S
from .prepare import Prepared
from .scenario import Scenario

ROWS_MAX = 288
PEAK = "peak minute"


def load_rows(played: Played, prepared: Prepared) -> list[Load]:
    """The run in at most `ROWS_MAX` rows, the regions in the minute of most reads, then the whole of it."""
    rows, scenario = played.rows, prepared.scenario
    step = -(-len(rows) // ROWS_MAX)
    shown = [_row(rows[at : at + step], relative(scenario, rows[at].t_s)) for at in range(0, len(rows), step)]
    return [*shown, *_regions(max(rows, key=lambda row: row.reads + row.opened), prepared), _row(rows, "all")]


def relative(scenario: Scenario, t_s: float) -> str:
    """A moment as a planner says it: before or after the first thing that happens, else since the start."""
    since = t_s - min((event.at_s for event in scenario.events), default=0.0)
    sign, whole = ("-" if since < 0 else "+"), abs(round(since))
    return f"{sign}{whole // 3600:02d}:{whole % 3600 // 60:02d}:{whole % 60:02d}"


def _row(rows: Sequence[Row], t: str) -> Load:
    seconds = len(rows) * MINUTE_S

    def elements(kind: Kind) -> float:
        return sum(row.elements.get(kind.name, 0) for row in rows) / seconds

    def calls(name: str) -> float:
        return sum(row.calls.get(name, 0) for row in rows) / seconds

    return Load(
        t=t, region="all", reads=sum(row.reads + row.opened for row in rows) / seconds, tweets=elements(Kind.PUT_TWEET), pushes=elements(Kind.PUSH),
        pulls=elements(Kind.CELEB_LIST), hydrates=elements(Kind.HYDRATE),
        rebuilds=sum(row.rebuilds for row in rows) / seconds, likes=elements(Kind.LIKE), offered=calls("first") + calls("retried"),
        served=calls("served"), shed=calls("shed"), timed_out=calls("timed_out"), retried=calls("retried"),
    )  # fmt: skip


def _regions(row: Row, prepared: Prepared) -> list[Load]:
    """Reads and tweets of each region in that minute, as the day has them. What tiers do for them is not told apart."""
    day, minute = prepared.day, prepared.loads.minute_of_day(row.t_s // MINUTE_S)
    return [
        Load(
            t=PEAK, region=name, reads=float(day.reads[at, minute]) / MINUTE_S, tweets=float(day.tweets[at, minute]) / MINUTE_S, pushes=None,
            pulls=None, hydrates=None, rebuilds=None, likes=None, offered=None, served=None, shed=None, timed_out=None, retried=None,
        )
        for at, name in enumerate(day.regions)
    ]  # fmt: skip
