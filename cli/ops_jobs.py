"""Running a job from the command line: where it runs, who runs it, and what it came to."""

from __future__ import annotations

import getpass
import os
import random
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .operator import TerminalOperator, resume_command
from .output import Sheet, Terminal

if TYPE_CHECKING:
    from ..core.runs import Outcome, Run, Runs
    from ..core.settings import ContextSettings, Settings
    from ..ops.plan import Options
    from ..ops.procedure import Maker, Site
    from .contexts import World


def runs_in(folder: Path) -> Runs:
    """The runs beside the data."""
    from ..core.clock import SystemClock
    from ..core.runs import Runs

    return Runs(folder / "runs", SystemClock(), random.Random())


def actor() -> str:
    """Who, where and in which process."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()} process {os.getpid()}"


def site_of(world: World) -> Site:
    """Where jobs of this world run."""
    from .. import __version__
    from ..core.runs import commit_of, redacted
    from ..ops.procedure import Site

    settings = world.settings
    return Site(
        context=world.context.name, protected=world.context.protected, actor=actor(), version=__version__,
        commit=commit_of(Path(__file__).parent.parent), settings=redacted(_values(settings)), stores=world.stores,
        runs=runs_in(world.folder), clock=world.clock, resume=_resume(world.context, settings),
    )


async def start(world: World, make: Maker, options: Options, terminal: Terminal) -> Outcome | None:
    """Plan, ask and do; `None` where only the plan was wanted. It goes to stdout then."""
    from ..ops.job import Job

    site = site_of(world)
    operator = TerminalOperator(terminal, site.resume, only_plan=options.dry_run or bool(options.plan_out))
    with operator.interruptible():
        return await Job(make, options, site, operator, operator.stop).start(command_line())


async def resume(world: World, run: Run, terminal: Terminal) -> Outcome:
    """Go on with a run, with the options that it was started with."""
    from ..core.errors import Conflict
    from ..ops.job import Job, options_of
    from ..ops.procedures import maker

    if run.manifest.context != world.context.name:
        what = f"run {run.run_id} belongs to context {run.manifest.context}, this is {world.context.name}"
        raise Conflict(what, try_=f"twit ops runs resume {run.run_id} --context {run.manifest.context}")
    site, options = site_of(world), options_of(run)
    make = maker(run.manifest.procedure, world.settings.limits, world.clock, options)
    operator = TerminalOperator(terminal, site.resume)
    with operator.interruptible():
        return await Job(make, options, site, operator, operator.stop).resume(run)


def outcome_sheet(outcome: Outcome, unit: str) -> Sheet:
    """What a run came to."""
    import msgspec

    row = msgspec.to_builtins(outcome)
    tally = ", ".join(f"{name} {count:,}" for name, count in sorted(outcome.tally.items()) if count) or "nothing to do"
    line = f"{outcome.run_id}  {outcome.status}  {outcome.done:,}/{outcome.total:,} {unit}  {tally}"
    checked = f"  read back {outcome.verified:,}, differences {outcome.differences:,}"
    columns = {"run": "run_id", "status": "status", "done": "done", "total": "total", "read back": "verified", "differences": "differences"}
    return Sheet(rows=[row], columns=columns, name="run_id", document=row, lines=[line + checked])


def command_line() -> Sequence[str]:
    """As it was typed."""
    return ["twit", *sys.argv[1:]]


def _values(settings: Settings) -> dict[str, object]:
    return {key: settings.explain(key)[0].value for key in settings.keys() if not key.startswith("limits.")}  # noqa: SIM118 - not a mapping


def _resume(context: ContextSettings, settings: Settings) -> str:
    return resume_command(context.name, str(settings.explain("default_context")[-1].value))
