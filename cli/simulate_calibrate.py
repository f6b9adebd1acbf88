"""simulate calibrate: measure what calls take in the stores of a context. The measuring is in simulate/calibrate/."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .command import command
from .invocation import current, terminal
from .output import Sheet

if TYPE_CHECKING:
    from ..core.clock import Clock
    from ..simulate.calibrate import Calibration
    from ..simulate.work import Interval, Works
    from .contexts import Told

COLUMNS = {
    "kind": "kind", "base us": "base_us", "element ns": "element_ns", "byte ns": "byte_ns", "off by": "residual", "worst": "worst",
    "seen": "observations", "note": "note",
}  # fmt: skip
LOADS, ROUNDS = "1,4,16", 5


class LoadsType(click.ParamType[tuple[int, ...]]):
    """1,4,16."""

    name = "n,n"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        words = str(value).split(",")
        if not all(word.strip().isdigit() and 1 <= int(word) <= 1_024 for word in words):
            self.fail(f"{value!r} is no list of loads; allowed: callers at once, 1 to 1024, as {LOADS}", param, ctx)
        return tuple(sorted({int(word) for word in words}))


@command(
    "calibrate",
    examples=(
        "twit simulate calibrate", "twit --context local simulate calibrate --to mine.toml && twit simulate run --work mine.toml",
        "twit simulate calibrate --loads 1,64 --rounds 9 -o json",
    ),
)  # fmt: skip
@click.option("--loads", type=LoadsType(), default=LOADS, show_default=True, metavar="N,N…", help="Callers at once, each asking when it is answered.")
@click.option("--rounds", type=click.IntRange(2, 1_000), default=ROUNDS, show_default=True, help="Each gives a fit of its own at each load: the intervals.")
@click.option("--slice", "slice_ms", type=click.FloatRange(0.1, 10_000), default=20.0, show_default=True, metavar="MS", help="So long for each size, load and round.")
@click.option("--to", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Where the work is written.  [default: work-CONTEXT.toml]")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def calibrate(loads: tuple[int, ...], rounds: int, slice_ms: float, to: Path | None, force: bool) -> None:
    """Measure work by kind in one's own stores, as intervals.

    On scratch data in stores of its own beside the context's, on the same file system; the context's data are neither read
    nor written. Seconds of a call are fitted as a base, so much an element and so much a byte, by non-negative least squares
    of relative errors. The value is that of the highest load; the interval holds 95 % of the fits of all rounds and loads.
    Kinds that cannot be measured there keep their prior, and the table says so. Read the file with twit simulate run --work.
    """
    import asyncio

    from ..core.clock import SystemClock
    from ..core.errors import Conflict
    from ..simulate.work import read_work

    invocation = current()
    context, clock = invocation.settings.context, SystemClock()
    path = to or Path(f"work-{context.name}.toml")
    if path.exists() and not force:
        raise Conflict(f"{path} is there already", code="FILE_EXISTS", try_="--force, or another name with --to")
    with terminal().progress("calibrate", 1) as bar:
        found = asyncio.run(_measured(loads, rounds, slice_ms / 1e3, clock, bar.step))
    text = _text(found, context.name, f"{', '.join(map(str, loads))} callers in {rounds} rounds", clock)
    works = read_work(text, str(path))
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.FileError(str(path), error.strerror) from error
    rows = _rows(found, works)
    document = {"schema": "twit.calibration/1", "context": context.name, "file": str(path), "calls": found.measured.calls,
                "loads": list(loads), "rounds": rounds, "kinds": rows, "variation": {str(tier): cv for tier, cv in found.variation.items()}}  # fmt: skip
    terminal().show(Sheet(rows=rows, columns=COLUMNS, name="kind", document=document))
    terminal().say(f"{found.measured.calls:,} calls; wrote {path}; use it with: twit simulate run --work {path}".replace(",", " "))


async def _measured(loads: tuple[int, ...], rounds: int, slice_s: float, clock: Clock, tell: Told) -> Calibration:
    from ..simulate.calibrate import calibrate as measuring
    from .scratch import scratch_stores

    settings = current().settings
    async with scratch_stores(settings, clock) as stores:
        return await measuring(stores, settings.limits, clock, loads=loads, rounds=rounds, slice_s=slice_s, tell=tell)


def _text(found: Calibration, name: str, asked: str, clock: Clock) -> str:
    from datetime import UTC, datetime

    from ..simulate.calibrate.toml import Header, work_toml
    from ..simulate.work import Interval, open_work

    date = datetime.fromtimestamp(clock.now_ms() / 1e3, UTC).date().isoformat()
    how = f"measured by twit simulate calibrate on context {name} (embedded), {date}: {found.measured.calls} calls by {asked}, data warm in memory"
    return work_toml(Header(name, date, how, Interval(0.0, 0.0, 0.0)), found.fitted, found.variation, open_work())


def _rows(found: Calibration, works: Works) -> list[dict[str, object]]:
    from ..simulate.kinds import TIER_OF, Kind

    fitted = {one.kind: one for one in found.fitted}
    rows: list[dict[str, object]] = []
    for kind in Kind:
        row: dict[str, object] = {"kind": kind.name, "tier": str(TIER_OF[kind]), "measured": kind in fitted}
        row |= {part: _shown(interval) for part, interval in works.priors[kind].parts.items()}
        row |= {f"{part}_interval": [interval.value, interval.low, interval.high] for part, interval in works.priors[kind].parts.items()}
        if kind in fitted:
            one = fitted[kind]
            note = one.note or (f"{' and '.join(_word(part) for part in one.joined)} not told apart" if one.joined else "")
            row |= {"residual": f"{one.residual:.0%}", "worst": f"{one.worst:.0%}", "observations": one.observations, "note": note}
        else:
            row |= {"residual": "", "worst": "", "observations": 0, "note": f"prior kept: {found.kept[kind]}"}
        rows.append(row)
    return rows


def _word(part: str) -> str:
    return part.partition("_")[0]


def _shown(interval: Interval) -> str:
    return f"{interval.value:.3g} [{interval.low:.3g}, {interval.high:.3g}]"
