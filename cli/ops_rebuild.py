"""ops rebuild-timeline: whom, and with which care. What is done is in ops/rebuild_timeline.py."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .arguments import WHO, Who
from .command import command
from .invocation import current, terminal
from .job_options import MOMENT, job_options, options_from

if TYPE_CHECKING:
    from ..core.runs import Outcome
    from .contexts import World

NAMES_AT_ONCE = 1_000


@command(
    "rebuild-timeline",
    examples=(
        "twit ops rebuild-timeline @ada --dry-run",
        "twit ops rebuild-timeline --all-active --rate 500/s --yes",
        'twit ops rebuild-timeline --from-file lost.txt --reason "ring lost" --ticket INC-812',
        "twit ops rebuild-timeline --all-active --plan-out plan.json; twit ops rebuild-timeline --plan plan.json",
    ),
)
@click.argument("who", nargs=-1, type=WHO, metavar="[@WHO…]")
@click.option("--from-file", metavar="FILE", help="People, one a line: @name or id; - reads stdin. Empty lines and # are skipped.")
@click.option("--all-active", is_flag=True, help="Everybody with a cached timeline.")
@click.option("--since", type=MOMENT, metavar="TIME", help="Only those seen since TIME (2026-09-22T14:12:00Z, or 2h ago); alone: of all.")
@job_options("users")
def rebuild_timeline(
    who: tuple[Who, ...], from_file: str | None, all_active: bool, since: int | None, **given: Any
) -> None:
    """Rebuild home timelines from the stores of truth.

    Rows are swapped one by one while people read; nobody sees an empty or a short page. A row that is right is left alone.
    People not seen for long have no row: they are skipped, and get theirs on return. One user is not asked about, several
    are. Ctrl-C stops at a checkpoint; twit ops runs resume goes on.
    """
    named = bool(who) or from_file is not None
    _check(named=named, by_rule=all_active or since is not None, all_active=all_active, plan=given["plan"])
    whos = [*who, *(_read(from_file) if from_file is not None else [])]
    options = options_from(given)
    from .contexts import perform
    from .ops_jobs import outcome_sheet, start

    async def act(world: World) -> Outcome | None:
        from ..ops.rebuild_timeline import RebuildTimelines, Selection

        now = world.clock.now_ms()
        since_ms = 0 if since is None else max(1, now + since if since <= 0 else since)
        asked = await _ids(world, whos)
        if world.stores.kind == "simulated":
            from .computed import meet

            await meet(world.twit, asked)
        selection = Selection(asked=asked, all_active=all_active, since_ms=since_ms)
        limits, clock = world.settings.limits, world.clock
        return await start(world, lambda stores: RebuildTimelines(stores, limits, clock, selection, options), options, terminal())

    outcome = perform(current(), act, create=False)
    if outcome is not None:
        terminal().show(outcome_sheet(outcome, "users"))


def _check(*, named: bool, by_rule: bool, all_active: bool, plan: str) -> None:
    """An empty selection is an error, never everybody; everybody is --all-active, spelled out."""
    if plan and (named or by_rule):
        raise click.UsageError("--plan has its own selection; leave @WHO, --from-file, --all-active and --since out")
    if not plan and not named and not by_rule:
        raise click.UsageError("nobody selected\ngive @WHO…, --from-file FILE, --since TIME, or --all-active for everybody")
    if all_active and named:
        raise click.UsageError("--all-active is everybody; leave @WHO and --from-file out")


def _read(from_file: str) -> Sequence[Who]:
    """People of the file. A line that names nobody is a usage error with its number; none at all is refused."""
    from ..core.errors import Forbidden, Invalid

    try:
        text = sys.stdin.read() if from_file == "-" else Path(from_file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        what = f"--from-file {from_file}: {error}"
        raise Invalid(what, field="from_file") from error
    whos = []
    for number, line in enumerate(text.splitlines(), 1):
        name = line.partition("#")[0].strip()
        if name:
            try:
                whos.append(WHO.convert(name, None, None))
            except click.BadParameter as error:
                what = f"{from_file} line {number}: {error.message}"
                raise Invalid(what, field="from_file", meaning="nothing was written") from None
    if not whos:
        what = f"{from_file} names nobody"
        raise Forbidden(what, code="EMPTY_SELECTION", meaning="nothing was written", try_="--all-active means everybody")
    return whos


async def _ids(world: World, whos: Sequence[Who]) -> tuple[int, ...]:
    from ..core.errors import NotFound

    names = list(dict.fromkeys(who.name for who in whos if not who.user_id))
    found: dict[str, int] = {}
    for at in range(0, len(names), NAMES_AT_ONCE):
        part = names[at : at + NAMES_AT_ONCE]
        found.update(zip(part, await world.stores.accounts.ids_of(part), strict=True))
    unknown = [name for name in names if not found[name]]
    if unknown:
        what = f"no user {', '.join(f'@{name}' for name in unknown[:5])}" + (f" and {len(unknown) - 5} more" if unknown[5:] else "")
        raise NotFound(what, code="NO_USER", meaning="nothing was written", try_="twit user list")
    return tuple(who.user_id or found[who.name] for who in whos)
