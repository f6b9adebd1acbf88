"""ops lag: seconds first. What counts as behind is in ops/lag.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from .command import command
from .invocation import current, terminal
from .job_options import DURATION
from .output import Sheet

if TYPE_CHECKING:
    from ..ops.lag import Condition, Lag
    from .contexts import World

COLUMNS = {"group": "group", "lag": "lag", "events": "events", "work": "work", "parked": "parked", "owner": "owner"}


@command("lag", examples=("twit ops lag", "twit ops lag --wait 10s", "twit ops lag --watch 2s --fail-if 'fanout>10s'"))
@click.option("--wait", type=DURATION, help="Return when all have caught up; exit 4 if they have not by then.")
@click.option("--watch", type=DURATION, help="Show it again so often, until Ctrl-C.")
@click.option("--fail-if", "conditions", multiple=True, metavar="GROUP>TIME", help="Exit 4 where it holds, as fanout>10s or any>1m.")
def lag(wait: int | None, watch: int | None, conditions: tuple[str, ...]) -> None:
    """Show how far the consumers are behind, in seconds.

    A lag that cannot be told is unknown, which breaks every --fail-if. Parked events are out of the way and do not count.
    """
    if wait is not None and watch is not None:
        raise click.UsageError("--wait and --watch exclude each other")
    if watch == 0:
        raise click.UsageError("--watch 0 would never pause")
    from .contexts import perform

    perform(current(), lambda world: _act(world, wait, watch, conditions), create=False)


async def _act(world: World, wait_ms: int | None, watch_ms: int | None, texts: Sequence[str]) -> None:
    from ..core.errors import Mismatch
    from ..core.workers import GROUPS
    from ..ops.lag import condition, lags, wait

    conditions = [condition(text, GROUPS) for text in texts]
    if wait_ms is not None:
        found = await wait(world.stores, GROUPS, world.clock, wait_ms)
        terminal().show(_sheet(found))
        behind = [one.group for one in found if not one.caught_up]
        if behind:
            what = f"{', '.join(behind)} still behind after {wait_ms / 1_000:g} s"
            idle = [one.group for one in found if not one.caught_up and not one.owner]
            meaning = f"Nobody consumes {', '.join(idle)}." if idle else ""
            raise Mismatch(what, meaning=meaning, try_="twit worker --until-idle" if idle else "twit ops lag --watch 2s")
    else:
        found = await lags(world.stores, GROUPS, world.clock.now_ms())
        terminal().show(_sheet(found))
    _must_hold(conditions, found)
    while watch_ms is not None:
        await world.clock.sleep(watch_ms / 1_000)
        found = await lags(world.stores, GROUPS, world.clock.now_ms())
        terminal().show(_sheet(found))
        _must_hold(conditions, found)


def _must_hold(conditions: Sequence[Condition], found: Sequence[Lag]) -> None:
    from ..core.errors import Mismatch

    for one in conditions:
        for group in found:
            if one.broken_by(group):
                what = f"{group.group} lags {_seconds(group)}: {one.group}{one.sign}{one.bound_ms / 1_000:g}s"
                raise Mismatch(what, try_="twit worker" if not group.owner else "twit ops events parked")


def _sheet(found: Sequence[Lag]) -> Sheet:
    rows = [
        {
            "group": one.group, "lag": _seconds(one), "lag_ms": one.lag_ms, "events": one.events, "work": one.work,
            "parked": one.parked, "owner": one.owner or "nobody", "why": one.why,
        }
        for one in found
    ]  # fmt: skip
    return Sheet(rows=rows, columns=COLUMNS, name="group", document={"groups": rows})


def _seconds(one: Lag) -> str:
    return "unknown" if one.lag_ms is None else f"{one.lag_ms / 1_000:.1f} s"
