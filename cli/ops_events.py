"""ops events: what consumers put out of the way. What a retry does is in ops/events.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from .command import Group
from .invocation import current, terminal
from .job_options import job_options, options_from
from .output import Sheet, shown

if TYPE_CHECKING:
    from ..core.events import Parked
    from ..core.runs import Outcome
    from .contexts import World

GROUPS = ("social", "fanout")  # as core/workers.py has them (a test holds them together); help must not import it
COLUMNS = {
    "id": "parked_id", "group": "group", "event": "kind", "actor": "actor", "tweet": "tweet", "target": "target",
    "parked": "parked_at", "error": "error",
}  # fmt: skip
parked_id = click.IntRange(1)


@click.group("events", cls=Group, examples=("twit ops events parked", "twit ops events show 3", "twit ops events retry 3"))
def events() -> None:
    """Look at parked events and have them handled once more."""


@events.command("parked", examples=("twit ops events parked", "twit ops events parked --group fanout -o json"))
@click.option("--group", type=click.Choice(GROUPS), help="Only this group's.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="At most so many, oldest first.")
def parked(group: str | None, limit: int) -> None:
    """List the events that failed too often."""
    from .contexts import perform

    async def act(world: World) -> list[Parked]:
        from ..ops.events import parked as listed

        return await listed(world.stores, group, limit)

    terminal().show(_sheet(perform(current(), act, create=False)))


@events.command("show", examples=("twit ops events show 3 -o json",))
@click.argument("ids", nargs=-1, required=True, type=parked_id, metavar="ID…")
def show(ids: tuple[int, ...]) -> None:
    """Show parked events whole, errors and all."""
    from .contexts import perform

    async def act(world: World) -> list[Parked]:
        from ..ops.events import chosen

        return await chosen(world.stores, ids)

    terminal().show(_sheet(perform(current(), act, create=False), whole=True))


@events.command("retry", examples=("twit ops events retry 3", "twit ops events retry --all --yes", "twit ops events retry 3 7 --dry-run"))
@click.argument("ids", nargs=-1, type=parked_id, metavar="[ID…]")
@click.option("--all", "everything", is_flag=True, help="All that are parked.")
@job_options("events")
def retry(ids: tuple[int, ...], everything: bool, **given: Any) -> None:
    """Have parked events handled once more.

    They go to the end of the log, for whoever consumes; what fails again is parked again.
    """
    options = options_from(given)
    if not ids and not everything and not options.plan:
        raise click.UsageError("no event selected\ngive their ids, or --all")
    if everything and ids:
        raise click.UsageError("--all is all of them; leave the ids out")
    from .contexts import perform
    from .ops_jobs import outcome_sheet, start

    async def act(world: World) -> Outcome | None:
        from ..ops.events import LISTED_MAX, RetryParked
        from ..ops.events import parked as listed

        chosen = [one.parked_id for one in await listed(world.stores, None, LISTED_MAX)] if everything else list(ids)
        return await start(world, lambda stores: RetryParked(stores, chosen), options, terminal())

    outcome = perform(current(), act, writes=not (options.dry_run or options.plan_out), create=False)
    if outcome is not None:
        terminal().show(outcome_sheet(outcome, "events"))


def _sheet(found: Sequence[Parked], *, whole: bool = False) -> Sheet:
    import msgspec

    from .ops_runs_rows import when

    rows: list[dict[str, Any]] = [
        {
            "parked_id": one.parked_id, "group": one.group, "kind": one.logged.event.kind.value, "actor": one.logged.event.actor,
            "tweet": str(one.logged.event.tweet), "target": one.logged.event.target, "offset": one.logged.offset,
            "parked_at": when(one.parked_ms), "error": one.error.strip().splitlines()[-1] if one.error.strip() else "",
        }
        for one in found
    ]  # fmt: skip
    if not whole:
        return Sheet(rows=rows, columns=COLUMNS, name="parked_id", document={"parked": rows})
    lines = []
    for row, one in zip(rows, found, strict=True):
        row |= {"event": msgspec.structs.asdict(one.logged.event), "error": one.error}
        lines += [f"{key:<10} {shown(value)}" for key, value in row.items() if key != "error"]
        lines += [f"  {shown(line)}" for line in one.error.splitlines()]
    return Sheet(rows=rows, columns=COLUMNS, name="parked_id", document={"parked": rows}, lines=lines)
